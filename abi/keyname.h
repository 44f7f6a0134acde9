/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that stands where a private key was: PEM "PRIVATE KEY" (or its DER), in it PKCS#8 with
 * this algorithm and, as key, the path of the real file. The host tool writes it, the OpenSSL
 * provider reads it.
 */
#pragma once

/* A UUID as object identifier (ITU-T X.667): needs no registration. */
#define KEY_NAME_OID "2.25.193447853120904331287451098432"
/* The same as the content of its DER. */
#define KEY_NAME_OID_DER "\x69\xce\x91\x82\xc1\x95\xd1\x95\xbf\xbc\x80\xa6\xad\xba\x40"
