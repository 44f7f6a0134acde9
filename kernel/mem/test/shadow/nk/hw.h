/* SPDX-License-Identifier: BSD-2-Clause */
/* For the host's tests: what nk needs of a machine, without one. */
#pragma once

#include "abi/nk.h"

extern uint64_t machine_root, machine_flushes;

static inline void *frame_ptr(uint64_t pa)
{
	return dm_ptr(PADDR(pa));
}

static inline uint64_t hw_root(void)
{
	return machine_root;
}

static inline void hw_load_root(uint64_t pa)
{
	machine_root = pa;
	machine_flushes++;
}

static inline void hw_invlpg(uint64_t va)
{
	(void)va;
}

static inline uint64_t hw_tsc(void)
{
	return 0;
}

static inline uint64_t hw_nmis(void)
{
	return 0;
}

static inline bool hw_copy_in(void *dst, const void *src, size_t words)
{
	__builtin_memcpy(dst, src, words * 8);
	return true;
}
