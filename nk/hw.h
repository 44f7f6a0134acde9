/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine under nk. The host tests put a model of it in the place of this file. */
#pragma once

#include "abi/nk.h"
#include "abi/types.h"

#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800
#define MSR_X2APIC_END   0x840
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101

static inline void *frame_ptr(uint64_t pa)
{
	return dm_ptr(PADDR(pa));
}

/* Physical address of what frame_ptr() gave. */
static inline uint64_t frame_address(const void *p)
{
	return dm_paddr(p).v;
}

static inline uint64_t hw_root(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v & NK_PTE_ADDR;
}

static inline void hw_load_root(uint64_t pa)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(pa) : "memory");
}

static inline void hw_invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void hw_set_debug(const uint64_t addr[4], uint64_t control)
{
	__asm__ volatile("mov %0, %%dr7" ::"r"(NK_DR7_OFF)); /* none may hit half-changed */
	__asm__ volatile("mov %0, %%dr0" ::"r"(addr[0]));
	__asm__ volatile("mov %0, %%dr1" ::"r"(addr[1]));
	__asm__ volatile("mov %0, %%dr2" ::"r"(addr[2]));
	__asm__ volatile("mov %0, %%dr3" ::"r"(addr[3]));
	__asm__ volatile("mov %0, %%dr6" ::"r"(NK_DR6_CLEAR));
	__asm__ volatile("mov %0, %%dr7" ::"r"(control));
}

static inline uint64_t hw_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

/*
 * Whoever jumps to the WRMSR with another register number in ECX does not get far: the number is
 * compared again behind it, and the core stops for good.
 */
#define HW_WRMSR(msr, value)                                                                \
	__asm__ volatile("movl %0, %%ecx\n\twrmsr\n\tcmpl %0, %%ecx\n\tjne nk_violation"    \
			 :                                                                  \
			 : "i"(msr), "a"((uint32_t)(value)), "d"((uint32_t)((value) >> 32)) \
			 : "ecx", "cc", "memory")

/* As HW_WRMSR, for a register number in the range of the x2APIC. */
static inline void hw_x2apic_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr\n\t"
			 "cmpl %3, %%ecx\n\tjb nk_violation\n\t"
			 "cmpl %4, %%ecx\n\tjae nk_violation"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)),
			   "i"(MSR_X2APIC), "i"(MSR_X2APIC_END)
			 : "cc", "memory");
}

/* Times the NMI handler ran: outer memory, because the handler may not open nk's (gate.S). */
extern uint64_t nk_nmi_count;
static inline uint64_t hw_nmis(void)
{
	return nk_nmi_count;
}

/* Copy 8-byte words; false when the source cannot be read (gate.S). */
bool nk_copy_in(void *dst, const void *src, size_t words);

/*
 * Copy what the caller points to. Only kernel addresses, so that nothing worse than a page fault
 * can happen.
 */
static inline bool hw_copy_in(void *dst, const void *src, size_t words)
{
	uint64_t start = (uint64_t)src;

	return start >= DM_BASE && start <= UINT64_MAX - words * 8 && nk_copy_in(dst, src, words);
}
