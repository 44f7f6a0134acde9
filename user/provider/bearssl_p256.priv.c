/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for ring 2: P-256, in constant time. */
#include "bearssl_opaque.h"

#include "src/ec/ec_p256_m31.c"
