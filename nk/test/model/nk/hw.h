/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine under nk, modelled (nk/test/model.c). Stands in for nk/hw.h in the host tests. */
#pragma once

#include "abi/nk.h"
#include "abi/types.h"

void *model_frame(uint64_t pa);
uint64_t model_address(const void *p);
uint64_t model_root_read(void);
void model_root_write(uint64_t pa);
void model_invlpg(uint64_t va);
bool model_copy_in(void *dst, const void *src, size_t words);
void model_wrmsr(uint32_t msr, uint64_t value);

#define MSR_TSC_DEADLINE 0x6e0
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101

#define frame_ptr(pa)           model_frame(pa)
#define frame_address(p)        model_address(p)
#define hw_root()               model_root_read()
#define hw_load_root(pa)        model_root_write(pa)
#define hw_invlpg(va)           model_invlpg(va)
#define hw_copy_in(d, s, n)     model_copy_in(d, s, n)
#define HW_WRMSR(msr, v)        model_wrmsr(msr, v)
#define hw_x2apic_write(msr, v) model_wrmsr(msr, v)

static inline void hw_set_debug(const uint64_t addr[4], uint64_t control)
{
	(void)addr;
	(void)control;
}

static inline uint64_t hw_tsc(void)
{
	static uint64_t ticks;

	return ticks += 100;
}

static inline uint64_t hw_nmis(void)
{
	return 0;
}
