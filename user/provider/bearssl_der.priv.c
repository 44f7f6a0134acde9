/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: the decoder of private keys. */
#include "src/x509/skey_decoder.c"
