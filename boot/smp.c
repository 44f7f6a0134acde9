/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the other cores: INIT, start-up IPI, and a second one for who did not hear the first. */
#include "base/str.h"
#include "boot/boot.h"

#define ICR_LOW        0x300
#define ICR_HIGH       0x310
#define ICR_PENDING    0x1000u
#define ICR_INIT       0x4500u
#define ICR_STARTUP    0x4600u
#define MSR_X2APIC_ICR 0x830

#define RETRY_TICKS (20ull * 1000 * 1000)
#define LIMIT_TICKS (20ull * 1000 * 1000 * 1000)

extern const char boot_trampoline[], boot_trampoline_end[];

static bool arrived[MAX_CORES];

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

static void send(uint32_t apic_id, uint32_t what)
{
	volatile uint32_t *lapic = low_ptr(boot_state.lapic);

	if (boot_state.cpu.x2apic) {
		__asm__ volatile("wrmsr" ::"c"(MSR_X2APIC_ICR), "a"(what), "d"(apic_id) : "memory");
		return;
	}
	lapic[ICR_HIGH / 4] = apic_id << 24;
	lapic[ICR_LOW / 4] = what;
	while (lapic[ICR_LOW / 4] & ICR_PENDING)
		__asm__ volatile("pause");
}

void smp_arrived(unsigned core)
{
	__atomic_store_n(&arrived[core], true, __ATOMIC_RELEASE);
}

static unsigned missing(void)
{
	for (unsigned core = 1; core < boot_state.ncores; core++)
		if (!__atomic_load_n(&arrived[core], __ATOMIC_ACQUIRE))
			return core;
	return 0;
}

static void wait_until(uint64_t end)
{
	while (missing() != 0 && tsc() < end)
		__asm__ volatile("pause");
}

static void send_startup(void)
{
	for (unsigned core = 1; core < boot_state.ncores; core++)
		if (!__atomic_load_n(&arrived[core], __ATOMIC_ACQUIRE))
			send(boot_state.apic_id[core], ICR_STARTUP | BOOT_TRAMPOLINE >> PAGE_SHIFT);
}

void smp_start(void)
{
	uint64_t start = tsc();

	if (boot_state.ncores == 1)
		return;
	memcpy(low_ptr(BOOT_TRAMPOLINE), boot_trampoline, boot_trampoline_end - boot_trampoline);
	for (unsigned core = 1; core < boot_state.ncores; core++)
		send(boot_state.apic_id[core], ICR_INIT);
	send_startup();
	wait_until(start + RETRY_TICKS);
	if (missing() != 0)
		send_startup();
	wait_until(start + LIMIT_TICKS);
	if (missing() != 0)
		boot_fail(BOOT_EXIT_PANIC, "core %u (APIC id %u) does not start", missing(),
			  boot_state.apic_id[missing()]);
}
