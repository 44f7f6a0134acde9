/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BearSSL inverts modulo a curve's order or field by a power whose exponent is no secret, bit by
 * bit: two multiplications for each. Its RSA has a function that takes five bits at a time, in
 * constant time as well; it gives the same with a third less. Include this before its curves.
 */
#pragma once

#include "inner.h"

/* Of the longest curve: the length, 17 words of 31 bits, and one to make it even. */
#define CURVE_WORDS  20u
#define WINDOW_WORDS ((1u << 5) + 1)

static void modpow_windowed(uint32_t *x, const unsigned char *e, size_t elen, const uint32_t *m,
			    uint32_t m0i)
{
	uint32_t tmp[WINDOW_WORDS * CURVE_WORDS];

	(void)br_i31_modpow_opt(x, e, elen, m, m0i, tmp, sizeof(tmp) / sizeof(tmp[0]));
}

#define br_i31_modpow(x, e, elen, m, m0i, t1, t2) modpow_windowed(x, e, elen, m, m0i)
