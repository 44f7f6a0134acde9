/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 of whole 64-bit words: for tables whose keys strangers choose, and for numbers that
 * strangers must not guess. The key is random and secret.
 */
#pragma once

#include "abi/types.h"

struct siphash_key {
	uint64_t k[2];
};

static inline uint64_t siphash_rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static inline void siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = siphash_rotl(v[1], 13) ^ v[0];
	v[0] = siphash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = siphash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = siphash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = siphash_rotl(v[1], 17) ^ v[2];
	v[2] = siphash_rotl(v[2], 32);
}

static inline void siphash_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	siphash_round(v);
	siphash_round(v);
	v[0] ^= m;
}

/* The hash of the 8 * n bytes of words[], as the reference computes it on this byte order. */
static inline uint64_t siphash(const struct siphash_key *key, const uint64_t *words, size_t n)
{
	uint64_t v[4] = { key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d,
			  key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573 };

	for (size_t i = 0; i < n; i++)
		siphash_word(v, words[i]);
	siphash_word(v, (uint64_t)(8 * n) << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
