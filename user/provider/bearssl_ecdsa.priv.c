/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: ECDSA, without random numbers (RFC 6979). */
#include "bearssl_modpow.h"
#include "bearssl_opaque.h"

#include "src/ec/ec_secp256r1.c"
#include "src/ec/ec_secp384r1.c"
#include "src/ec/ec_secp521r1.c"
#include "src/ec/ec_pubkey.c"
#include "src/ec/ecdsa_rta.c"
#include "src/ec/ecdsa_i31_bits.c"
#include "src/ec/ecdsa_i31_sign_asn1.c"
#include "src/ec/ecdsa_i31_sign_raw.c"
#include "src/mac/hmac.c"
#include "src/rand/hmac_drbg.c"
