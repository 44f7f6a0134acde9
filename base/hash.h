/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes for look-up tables: FNV-1a (64 bit) over bytes, and a mixer for one number. Neither
 * withstands somebody who chooses keys so that they collide: a table filled by strangers needs a
 * bound on its chains, or a tree.
 */
#pragma once

#include "abi/types.h"

#define HASH_SEED 0xcbf29ce484222325ull

/* Hash of `n` bytes; `seed` is HASH_SEED, or the hash of what stood before them. */
static inline uint64_t hash_bytes(const void *data, size_t n, uint64_t seed)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		seed = (seed ^ p[i]) * 0x100000001b3ull;
	return seed;
}

/* Hash of a string without its NUL; equals hash_bytes() of the same bytes with HASH_SEED. */
static inline uint64_t hash_str(const char *s)
{
	uint64_t h = HASH_SEED;

	for (; *s != '\0'; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return h;
}

/* Spread a number over all 64 bits (the finaliser of SplitMix64; a bijection). */
static inline uint64_t hash_u64(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebull;
	return v ^ (v >> 31);
}
