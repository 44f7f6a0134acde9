/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unit tests of base share: cmocka with the headers it wants, and random numbers that
 * repeat.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/types.h"

static uint64_t rnd_state;

/*
 * The same numbers in every run: a failure can be repeated. TEST_SEED in the environment gives
 * others.
 */
static inline void rnd_seed(void)
{
	const char *seed = getenv("TEST_SEED");

	rnd_state = seed != NULL ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15ull;
}

static inline uint64_t rnd64(void) /* SplitMix64 */
{
	uint64_t z = (rnd_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* 0 to n - 1. */
static inline size_t rnd(size_t n)
{
	return (size_t)(rnd64() % n);
}
