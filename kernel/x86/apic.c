/* SPDX-License-Identifier: BSD-2-Clause */
/* This core's local APIC: registers in the device window (xAPIC), or MSRs through nk (x2APIC). */
#include "kernel/x86/local.h"

#include "abi/nk.h"

/* Offsets of xAPIC registers; an x2APIC register is MSR 0x800 + offset / 16. */
#define REG_TPR          0x080
#define REG_EOI          0x0b0
#define REG_SVR          0x0f0
#define REG_ICR          0x300
#define REG_ICR_HIGH     0x310
#define REG_LVT_TIMER    0x320
#define REG_LVT_LINT0    0x350
#define REG_LVT_LINT1    0x360
#define REG_LVT_ERROR    0x370
#define REG_TIMER_COUNT  0x380
#define REG_TIMER_LEFT   0x390
#define REG_TIMER_DIVIDE 0x3e0

#define SVR_ENABLE         (1u << 8)
#define LVT_MASKED         (1u << 16)
#define LVT_NMI            (4u << 8)
#define LVT_TIMER_DEADLINE (2u << 17)
#define DIVIDE_BY_1        0xb
#define ICR_ASSERT         (1u << 14)
#define ICR_PENDING        (1u << 12)

#define X2APIC_MSR(reg) (0x800u + (reg) / 16)

static volatile uint32_t *const xapic = (volatile uint32_t *)DEV_BASE;

static void apic_write(uint32_t reg, uint32_t value)
{
	if (!boot_info.cpu.x2apic) {
		xapic[reg / 4] = value;
		return;
	}
	err_t err = nk_x2apic_write(X2APIC_MSR(reg), value);

	(void)err; /* only registers that nk lets through are written here */
}

static uint32_t apic_read(uint32_t reg)
{
	uint32_t lo, hi;

	if (!boot_info.cpu.x2apic)
		return xapic[reg / 4];
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(X2APIC_MSR(reg)));
	return lo;
}

/*
 * In an emulator each write of a timer's register moves a timer of the host, and wakes who waits
 * for it: what stands there already is not written.
 */
static void lvt_timer_write(uint32_t value)
{
	static uint32_t last = UINT32_MAX;

	if (value != last)
		apic_write(REG_LVT_TIMER, value);
	last = value;
}

void apic_init(void)
{
	apic_write(REG_TPR, 0);
	lvt_timer_write(LVT_MASKED | VEC_TIMER);
	apic_write(REG_LVT_LINT0, LVT_MASKED);
	apic_write(REG_LVT_LINT1, LVT_NMI);
	apic_write(REG_LVT_ERROR, LVT_MASKED);
	apic_write(REG_SVR, SVR_ENABLE | VEC_SPURIOUS);
	apic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
}

uint32_t apic_id(void)
{
	return boot_info.apic_id[boot_info.core];
}

void apic_eoi(void)
{
	apic_write(REG_EOI, 0);
}

void apic_send_ipi(unsigned core, uint8_t vector)
{
	uint32_t to = boot_info.apic_id[core];

	if (boot_info.cpu.x2apic) {
		err_t err = nk_x2apic_write(X2APIC_MSR(REG_ICR),
					    (uint64_t)to << 32 | ICR_ASSERT | vector);

		(void)err; /* as in apic_write */
		return;
	}
	while (xapic[REG_ICR / 4] & ICR_PENDING)
		cpu_relax();
	xapic[REG_ICR_HIGH / 4] = to << 24;
	xapic[REG_ICR / 4] = ICR_ASSERT | vector;
}

void apic_timer_start(uint32_t count, bool interrupt)
{
	lvt_timer_write(VEC_TIMER | (interrupt ? 0 : LVT_MASKED));
	apic_write(REG_TIMER_COUNT, count);
}

uint32_t apic_timer_left(void)
{
	return apic_read(REG_TIMER_LEFT);
}

void apic_timer_use_deadline(void)
{
	lvt_timer_write(LVT_TIMER_DEADLINE | VEC_TIMER);
}

void apic_timer_deadline(uint64_t tsc)
{
	nk_tsc_deadline(tsc);
}
