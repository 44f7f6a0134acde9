/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic that says when the result does not fit, and ranges [base, base + len) built on it. */
#pragma once

#include "abi/types.h"

static inline MUST_CHECK bool checked_ok_(bool ok)
{
	return ok;
}

/*
 * *r = a op b in the type of *r, for any integer types: true if the result fits. When it does not,
 * *r holds the wrapped result and must not be used.
 */
#define checked_add(a, b, r) checked_ok_(!__builtin_add_overflow((a), (b), (r)))
#define checked_sub(a, b, r) checked_ok_(!__builtin_sub_overflow((a), (b), (r)))
#define checked_mul(a, b, r) checked_ok_(!__builtin_mul_overflow((a), (b), (r)))

/* *end = base + len, the first byte after the range; false if that overflows. */
static inline MUST_CHECK bool range_end(uint64_t base, uint64_t len, uint64_t *end)
{
	return checked_add(base, len, end);
}

/* Does [base, base + len) lie within [lo, hi)? An empty range does where lo <= base <= hi. */
static inline MUST_CHECK bool range_inside(uint64_t base, uint64_t len, uint64_t lo, uint64_t hi)
{
	return lo <= base && base <= hi && len <= hi - base;
}

/* Do [a, a + a_len) and [b, b + b_len) share a byte? Both must end below 2^64. */
static inline MUST_CHECK bool range_overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len != 0 && b_len != 0 && a <= b + (b_len - 1) && b <= a + (a_len - 1);
}

/* *r = value rounded up to a multiple of `align` (a power of two); false if that overflows. */
static inline MUST_CHECK bool checked_align_up(uint64_t value, uint64_t align, uint64_t *r)
{
	uint64_t sum;

	if (!checked_add(value, align - 1, &sum))
		return false;
	*r = sum & ~(align - 1);
	return true;
}

static inline bool is_power_of_two(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}
