/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: P-384 and P-521, in constant time. */
#include "bearssl_modpow.h"
#include "bearssl_opaque.h"

#include "src/ec/ec_prime_i31.c"
