/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BearSSL chooses by masks that it makes of comparisons. clang (14) sees that a mask is all ones or
 * none, and makes a branch of it where that spares a read: it then shows which entry of a table was
 * meant, a digit of the key. What the compiler is not told, it cannot use: the results of
 * comparisons pass through here. Include this before BearSSL's code. That it is enough is seen by
 * test/attack/constant-time.t.
 */
#pragma once

#include "inner.h"

static inline uint32_t opaque(uint32_t v)
{
	__asm__("" : "+r"(v));
	return v;
}

/* A macro is not expanded again within itself: these are BearSSL's functions. */
#define NOT(ctl)  opaque(NOT(ctl))
#define EQ(x, y)  opaque(EQ(x, y))
#define NEQ(x, y) opaque(NEQ(x, y))
#define GT(x, y)  opaque(GT(x, y))
