/* SPDX-License-Identifier: BSD-2-Clause */
/* Of BearSSL, for bench/sign.c only: P-256 by products of 15 bits. */
#include "src/ec/ec_p256_m15.c"
