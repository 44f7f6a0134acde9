/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic of FUTEX_WAKE_OP on a program's word. */
#include <linux/futex.h>

#include "kernel/x86/x86.h"

static bool futex_result(unsigned op, uint32_t old, uint32_t arg, uint32_t *out)
{
	switch (op) {
	case FUTEX_OP_SET: *out = arg; return true;
	case FUTEX_OP_ADD: *out = old + arg; return true;
	case FUTEX_OP_OR: *out = old | arg; return true;
	case FUTEX_OP_ANDN: *out = old & ~arg; return true;
	case FUTEX_OP_XOR: *out = old ^ arg; return true;
	default: return false;
	}
}

bool x86_user_xchg_op32(uint64_t addr, unsigned op, uint32_t arg, uint32_t *old)
{
	uint32_t seen, want;

	if (!x86_user_load32(addr, &seen))
		return false;
	for (;;) {
		if (!futex_result(op, seen, arg, &want))
			return false;
		if (!x86_user_cmpxchg32(addr, seen, want, old))
			return false;
		if (*old == seen)
			return true;
		seen = *old;
	}
}
