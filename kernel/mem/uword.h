/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single words of the program's memory, for what is made or read member by member and is not worth
 * a copy in between. Between uword_open (which checks the range, R6) and uword_close, UWORD_PUT and
 * UWORD_GET move what lies in that range, each by one instruction, and go to a label when the
 * memory is not there; whoever goes there closes, too. Page faults are served on the way; nothing
 * may block in between.
 */
#pragma once

#include "base/checked.h"
#include "kernel/x86/x86.h"

/* E_FAULT: the caller may not name these bytes; there is nothing to close then. */
static inline MUST_CHECK err_t uword_open(uint64_t addr, uint64_t len)
{
	if (!range_inside(addr, len, 0, USER_END) || x86_user_is_barred(addr, len))
		return E_FAULT;
	if (x86_smap)
		__asm__ volatile("stac" ::: "memory");
	return OK;
}

static inline void uword_close(void)
{
	if (x86_smap)
		__asm__ volatile("clac" ::: "memory");
}

/* The instruction at local label 1 may fault: the operand with this number is where to go on. */
#define UWORD_MAY_FAULT(label) ".pushsection .extable, \"a\"\n\t.quad 1b, " label "\n\t.popsection"

/* *at = value; `at` points to the program's memory, and its type is 1, 2, 4 or 8 bytes wide. */
#define UWORD_PUT(at, value, failed)                                         \
	do {                                                                 \
		__typeof__(*(at)) uword_value_ = (__typeof__(*(at)))(value); \
                                                                             \
		__asm__ goto("1: mov %0, %1\n\t" UWORD_MAY_FAULT("%l2")      \
			     :                                               \
			     : "r"(uword_value_), "m"(*(at))                 \
			     : "memory"                                      \
			     : failed);                                      \
	} while (0)

/*
 * to = *at, of the same width. (GCC 12 needs both words, or may take the result of an asm goto for
 * unused: its bug 113921.)
 */
#define UWORD_GET(to, at, failed)                                                \
	do {                                                                     \
		__asm__ volatile goto("1: mov %1, %0\n\t" UWORD_MAY_FAULT("%l2") \
				      : "=r"(to)                                 \
				      : "m"(*(at))                               \
				      : "memory"                                 \
				      : failed);                                 \
		__asm__ volatile("");                                            \
	} while (0)

/* One word by itself. E_FAULT */
static inline MUST_CHECK err_t uword_get(uint64_t *to, uint64_t addr)
{
	const uint64_t *at = (const uint64_t *)addr;
	uint64_t value = 0;

	TRY(uword_open(addr, sizeof(value)));
	UWORD_GET(value, at, failed);
	uword_close();
	*to = value;
	return OK;
failed:
	uword_close();
	return E_FAULT;
}
