/* SPDX-License-Identifier: BSD-2-Clause */
/* The page that the kernel writes and the vDSO reads, one page below the vDSO in a program. */
#pragma once

#include <stdint.h>

/*
 * mono ns = mono_base + ((tsc - tsc_base) * mult >> 32), real = mono + real_offset. `seq` is odd
 * while the kernel writes; a reader takes what it read only if seq was even and is unchanged. mult
 * 0: the TSC cannot be used, ask the kernel.
 */
struct vdso_time {
	uint32_t seq;
	uint32_t cpu; /* of getcpu: the core that this page belongs to */
	uint64_t tsc_base;
	uint64_t mono_base;
	uint64_t mult;
	int64_t real_offset;
};

/*
 * What the *_COARSE clocks say of their resolution, as Linux at 250 Hz; they are as exact as the
 * others.
 */
#define VDSO_COARSE_RES_NS 4000000
