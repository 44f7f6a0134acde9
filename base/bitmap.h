/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bit maps over an array of 64-bit words. Bit numbers are not checked: the caller knows the size.
 */
#pragma once

#include "abi/types.h"

#define BITMAP_BITS 64u
/* Words that `bits` bits need: uint64_t map[BITMAP_WORDS(1000)]; */
#define BITMAP_WORDS(bits) (((bits) + BITMAP_BITS - 1) / BITMAP_BITS)
/* Answer of the searches when there is no such bit. */
#define BITMAP_NONE SIZE_MAX

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return (map[bit / BITMAP_BITS] >> (bit % BITMAP_BITS)) & 1;
}

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / BITMAP_BITS] |= 1ull << (bit % BITMAP_BITS);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / BITMAP_BITS] &= ~(1ull << (bit % BITMAP_BITS));
}

static inline void bitmap_assign(uint64_t *map, size_t bit, bool value)
{
	if (value)
		bitmap_set(map, bit);
	else
		bitmap_clear(map, bit);
}

/* The bits of word `word` that lie in [from, to). */
static inline uint64_t bitmap_word_mask_(size_t word, size_t from, size_t to)
{
	size_t first = word * BITMAP_BITS;
	uint64_t mask = ~0ull;

	if (from > first)
		mask &= ~0ull << (from - first);
	if (to < first + BITMAP_BITS)
		mask &= (1ull << (to - first)) - 1;
	return mask;
}

/* Set or clear the bits [from, to). */
static inline void bitmap_set_range(uint64_t *map, size_t from, size_t to)
{
	if (from >= to)
		return;
	for (size_t w = from / BITMAP_BITS; w <= (to - 1) / BITMAP_BITS; w++)
		map[w] |= bitmap_word_mask_(w, from, to);
}

static inline void bitmap_clear_range(uint64_t *map, size_t from, size_t to)
{
	if (from >= to)
		return;
	for (size_t w = from / BITMAP_BITS; w <= (to - 1) / BITMAP_BITS; w++)
		map[w] &= ~bitmap_word_mask_(w, from, to);
}

/* First bit in [from, to) that is set (flip = 0) or clear (flip = ~0). */
static inline size_t bitmap_find_(const uint64_t *map, size_t from, size_t to, uint64_t flip)
{
	if (from >= to)
		return BITMAP_NONE;
	for (size_t w = from / BITMAP_BITS; w <= (to - 1) / BITMAP_BITS; w++) {
		uint64_t bits = (map[w] ^ flip) & bitmap_word_mask_(w, from, to);

		if (bits != 0)
			return w * BITMAP_BITS + (size_t)__builtin_ctzll(bits);
	}
	return BITMAP_NONE;
}

/* First set or first clear bit in [from, to); BITMAP_NONE if there is none. */
static inline size_t bitmap_find_set(const uint64_t *map, size_t from, size_t to)
{
	return bitmap_find_(map, from, to, 0);
}

static inline size_t bitmap_find_clear(const uint64_t *map, size_t from, size_t to)
{
	return bitmap_find_(map, from, to, ~0ull);
}

/* First bit of the first run of `len` (at least 1) clear bits in [from, to); BITMAP_NONE if there
 * is none. */
static inline size_t bitmap_find_clear_run(const uint64_t *map, size_t from, size_t to, size_t len)
{
	for (;;) {
		size_t start = bitmap_find_clear(map, from, to);

		if (start == BITMAP_NONE || len > to - start)
			return BITMAP_NONE;
		from = bitmap_find_set(map, start, start + len);
		if (from == BITMAP_NONE)
			return start;
	}
}

/* How many bits of one word are set (no instruction that an old CPU lacks, no call into libgcc). */
static inline unsigned bitmap_weight(uint64_t w)
{
	w -= (w >> 1) & 0x5555555555555555ull;
	w = (w & 0x3333333333333333ull) + ((w >> 2) & 0x3333333333333333ull);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned)((w * 0x0101010101010101ull) >> 56);
}

/* How many bits of [from, to) are set. */
static inline size_t bitmap_count(const uint64_t *map, size_t from, size_t to)
{
	size_t n = 0;

	if (from >= to)
		return 0;
	for (size_t w = from / BITMAP_BITS; w <= (to - 1) / BITMAP_BITS; w++)
		n += bitmap_weight(map[w] & bitmap_word_mask_(w, from, to));
	return n;
}
