/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: integers of 31 bits, RSA, hashes, keys' files. */
#include "bearssl_opaque.h"

#include "src/int/i31_add.c"
#include "src/int/i31_bitlen.c"
#include "src/int/i31_decmod.c"
#include "src/int/i31_decode.c"
#include "src/int/i31_decred.c"
#include "src/int/i31_encode.c"
#include "src/int/i31_fmont.c"
#include "src/int/i31_iszero.c"
#include "src/int/i31_moddiv.c"
#include "src/int/i31_modpow.c"
#include "src/int/i31_modpow2.c"
#include "src/int/i31_montmul.c"
#include "src/int/i31_mulacc.c"
#include "src/int/i31_muladd.c"
#include "src/int/i31_ninv31.c"
#include "src/int/i31_reduce.c"
#include "src/int/i31_rshift.c"
#include "src/int/i31_sub.c"
#include "src/int/i31_tmont.c"
#include "src/int/i32_div32.c"
#include "src/rsa/rsa_i31_pub.c"
#include "src/rsa/rsa_i31_modulus.c"
#include "src/rsa/rsa_i31_pkcs1_sign.c"
#include "src/rsa/rsa_pkcs1_sig_pad.c"
#include "src/rsa/rsa_ssl_decrypt.c"
#include "src/hash/sha1.c"
#include "src/hash/dig_oid.c"
#include "src/hash/dig_size.c"
#include "src/codec/ccopy.c"
#include "src/codec/enc16be.c"
#include "src/codec/enc16le.c"
#include "src/codec/enc32be.c"
#include "src/codec/enc32le.c"
#include "src/codec/enc64be.c"
#include "src/codec/enc64le.c"
#include "src/codec/dec16be.c"
#include "src/codec/dec16le.c"
#include "src/codec/dec32be.c"
#include "src/codec/dec32le.c"
#include "src/codec/dec64be.c"
#include "src/codec/dec64le.c"
/*
 * Of this only the room for temporaries is made: with so much, the exponent is taken five bits at a
 * time instead of three, up to factors of 2,048 bits.
 */
#undef BR_MAX_RSA_FACTOR
#define BR_MAX_RSA_FACTOR 10400
#include "src/rsa/rsa_i31_priv.c"
/* Each has a table of that name. */
#define K K_small
#include "src/hash/sha2small.c"
#undef K
#define K K_big
#include "src/hash/sha2big.c"
