/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of the processor that the outer kernel may have written for it. No gate: nk's memory is
 * only read.
 */
#include "nk/internal.h"
#include "nk/hw.h"

#define X2APIC_TPR     0x808
#define X2APIC_EOI     0x80b
#define X2APIC_SVR     0x80f
#define X2APIC_ESR     0x828
#define X2APIC_ICR     0x830
#define X2APIC_TIMER   0x832
#define X2APIC_LINT0   0x835
#define X2APIC_LINT1   0x836
#define X2APIC_ERROR   0x837
#define X2APIC_INITIAL 0x838
#define X2APIC_DIVIDE  0x83e
#define X2APIC_SELF    0x83f

#define VECTOR_MASK     0xffu
#define FIRST_VECTOR    32u
#define DELIVERY_MODE   0x700u
#define DELIVERY_NMI    0x400u
#define DELIVERY_EXTINT 0x700u

err_t nk_space_load(nk_space_t space)
{
	if (!space_is_program(space) && space.v != nk_record.root)
		return E_REFUSED;
	hw_load_root(space.v);
	return OK;
}

nk_space_t nk_space_current(void)
{
	return (nk_space_t){ hw_root() };
}

void nk_set_fs_base(uint64_t base)
{
	if (base >> 47 == 0)
		HW_WRMSR(MSR_FS_BASE, base);
}

void nk_set_gs_base(uint64_t base)
{
	if (base >> 47 == 0)
		HW_WRMSR(MSR_GS_BASE, base);
}

/*
 * A breakpoint stands in the program's half only: nothing that nk executes or stores is there. So
 * none interrupts nk, whoever asked for it.
 */
static bool debug_allowed(const uint64_t addr[4], uint64_t control)
{
	if (control & ~NK_DR7_BITS)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (addr[i] >= USER_END || (control >> (16 + 4 * i) & 3) == NK_DR7_IO)
			return false;
	return true;
}

err_t nk_set_debug(const uint64_t addr[4], uint64_t control)
{
	const uint64_t copy[4] = { addr[0], addr[1], addr[2], addr[3] };

	control &= ~(uint64_t)NK_DR7_OFF;
	if (!debug_allowed(copy, control))
		return E_REFUSED;
	hw_set_debug(copy, control | NK_DR7_OFF);
	return OK;
}

void nk_tsc_deadline(uint64_t tsc)
{
	if (nk_record.tsc_deadline)
		HW_WRMSR(MSR_TSC_DEADLINE, tsc);
}

static bool x2apic_allowed(uint32_t reg, uint64_t value)
{
	uint32_t mode = value & DELIVERY_MODE, vector = value & VECTOR_MASK;

	switch (reg) {
	case X2APIC_TPR:
	case X2APIC_EOI:
	case X2APIC_SVR:
	case X2APIC_ESR:
	case X2APIC_TIMER:
	case X2APIC_ERROR:
	case X2APIC_INITIAL:
	case X2APIC_DIVIDE: return true;
	case X2APIC_LINT0:
	case X2APIC_LINT1: return mode == 0 || mode == DELIVERY_NMI || mode == DELIVERY_EXTINT;
	/* No INIT, start-up, SMI or NMI to another core, and no vector of an exception. */
	case X2APIC_ICR: return mode == 0 && vector >= FIRST_VECTOR;
	case X2APIC_SELF: return vector >= FIRST_VECTOR;
	default: return false;
	}
}

err_t nk_x2apic_write(uint32_t reg, uint64_t value)
{
	if (!nk_record.x2apic || !x2apic_allowed(reg, value))
		return E_REFUSED;
	hw_x2apic_write(reg, value);
	return OK;
}
