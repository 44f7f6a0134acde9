/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks from the TSC, and this core's timer.
 *
 * Core 0 finds out how fast the TSC runs: CPUID or the hypervisor may say; else time_init starts a
 * reference and goes on booting, and the first reader compares (so boot seldom waits). Under QEMU's
 * emulator the local APIC's timer is an exact 1 GHz, elsewhere the PIT is the reference. Later,
 * with a longer time to look at, the PIT makes the number better, and who knows the true time may
 * bend it a little. A change keeps the present value of the clock: it never steps. Other cores are
 * told the numbers by message (kernel/core); until then their clock stands at 0.
 */
#include "kernel/x86/local.h"
#include "kernel/x86/vdso_abi.h"

#include "abi/nk.h"
#include "base/str.h"

#define NS_PER_S         1000000000ull
#define EMULATED_APIC_HZ 1000000000ull
#define APIC_COUNT_MAX   UINT32_MAX

/* Shortest times to compare over, and when to look again. */
#define MIN_APIC_US   200
#define MIN_PIT_TICKS (2 * PIT_HZ / 1000)
/*
 * The monotonic clock begins with the second that a machine's firmware and Linux take at least. To
 * programs 0 s is no time: lighttpd marks with 0 what has not happened, and gave up HTTP/2
 * connections of its first second.
 */
#define MONO_START_NS NS_PER_S

static const uint64_t refine_after_ns[] = { MONO_START_NS + 50000000, MONO_START_NS + 1000000000,
					    MONO_START_NS + 10000000000 };

#define CPUID_TSC     0x15
#define CPUID_HV      0x40000000
#define CPUID_HV_FREQ 0x40000010

void (*time_changed)(void);

struct time_params clock_params; /* mult 0: not measured yet */
static uint64_t measured;        /* clock_params.mult without `bend` */
static int32_t bend;             /* parts per billion */
static uint64_t inverse;         /* TSC ticks per ns, 32.32 */
static const char *source = "none";
static bool measuring; /* this core finds out by itself */
static bool cpuid_checked;
static bool apic_is_reference;
bool clock_runs;         /* the clock runs, and the timer can be armed */
static unsigned refined; /* steps of refine_after_ns done */
static struct pit_sample pit_first;
static bool pit_there;
static uint64_t apic_first_tsc;
static uint64_t armed_ns = UINT64_MAX;
static struct vdso_time *page;

/*
 * (a << 32) / b for a result that fits 64 bits. The compiler would call a library for the 128-bit
 * division.
 */
static uint64_t div_shift32(uint64_t a, uint64_t b)
{
	uint64_t q, rest;

	__asm__("divq %4" : "=a"(q), "=d"(rest) : "a"(a << 32), "d"(a >> 32), "rm"(b) : "cc");
	return q;
}

/* ---- the page of the vDSO ---- */

static void page_write(void)
{
	if (page == NULL)
		return;
	uint32_t seq = page->seq;

	/*
	 * One core, interrupts off: only the order as seen by a program that was interrupted
	 * matters.
	 */
	__atomic_store_n(&page->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->cpu = boot_info.core;
	page->tsc_base = clock_params.tsc_base;
	page->mono_base = clock_params.mono_base;
	page->mult = clock_params.mult;
	page->real_offset = clock_params.real_offset;
	__atomic_store_n(&page->seq, seq + 2, __ATOMIC_RELEASE);
}

paddr_t vdso_time_frame(void)
{
	if (page == NULL) {
		void *p = kmem_alloc_aligned(PAGE_SIZE, PAGE_SIZE);

		if (p == NULL)
			return PADDR_NONE;
		page = memset(p, 0, PAGE_SIZE);
		time_mono_ns();
		page_write();
	}
	return dm_paddr(page);
}

/* ---- finding the rate ---- */

static void set_rate(uint64_t mult)
{
	uint64_t tsc = rdtsc();

	if (clock_params.mult != 0)
		clock_params.mono_base = time_at(tsc);
	else
		clock_params.mono_base = MONO_START_NS + time_mul(tsc - boot_info.entry_tsc, mult);
	measured = mult;
	clock_params.tsc_base = tsc;
	clock_params.mult = mult + (uint64_t)((int64_t)(mult / 1000) * bend / 1000000);
	inverse = div_shift32(1ull << 32, clock_params.mult);
	page_write();
	if (time_changed != NULL)
		time_changed();
}

void time_bend(int32_t ppb)
{
	if (bend == ppb)
		return;
	time_mono_ns();
	bend = ppb;
	set_rate(measured);
}

static uint64_t cpuid_tsc_hz(void)
{
	uint32_t r[4];

	x86_cpuid(0, 0, r);
	if (r[0] >= CPUID_TSC) {
		x86_cpuid(CPUID_TSC, 0, r);
		if (r[0] != 0 && r[1] != 0 && r[2] != 0)
			return (uint64_t)r[2] * r[1] / r[0];
	}
	return 0;
}

/* Hypervisors that know tell the frequency in kHz. */
static uint64_t hypervisor_tsc_hz(void)
{
	uint32_t r[4];

	if (!boot_info.cpu.hypervisor)
		return 0;
	x86_cpuid(CPUID_HV, 0, r);
	if (r[0] < CPUID_HV_FREQ)
		return 0;
	x86_cpuid(CPUID_HV_FREQ, 0, r);
	return r[0] * 1000ull;
}

/* The narrowest of a few samples: an emulator's host may take the CPU away in between. */
static bool pit_sample_good(struct pit_sample *best)
{
	struct pit_sample s;

	if (!pit_sample(best))
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (pit_sample(&s) && s.width < best->width)
			*best = s;
	return true;
}

/*
 * The moment of the start must be known as well as those of the samples: again, until it took no
 * longer than usual.
 */
static void apic_reference_start(void)
{
	uint64_t before, width, best = UINT64_MAX;

	for (unsigned i = 0; i < 8; i++) {
		before = rdtsc();
		apic_timer_start(APIC_COUNT_MAX, false);
		width = rdtsc() - before;
		apic_first_tsc = before + width / 2;
		if (width < best)
			best = width;
		if (i >= 2 && width <= best + best / 4)
			break;
	}
}

static void reference_start(void)
{
	pit_start();
	pit_there = pit_sample_good(&pit_first);
	apic_reference_start();
}

void time_init(void)
{
	uint64_t hz = cpuid_tsc_hz();

	source = "cpuid";
	if (hz == 0) {
		hz = hypervisor_tsc_hz();
		source = "hypervisor";
	}
	apic_is_reference = strcmp(boot_info.cpu.hypervisor_id, "TCGTCGTCGTCG") == 0;
	measuring = boot_info.core == 0;
	if (!measuring) {
		source = "none";
		if (boot_info.cpu.tsc_deadline)
			apic_timer_use_deadline();
		return;
	}
	reference_start();
	if (hz != 0)
		set_rate(div_shift32(NS_PER_S, hz));
	else
		source = "none";
}

/* TSC ticks and APIC ticks since reference_start. */
static void apic_sample(uint64_t *tsc, uint64_t *ticks)
{
	uint64_t before, after, width = UINT64_MAX;

	for (unsigned i = 0; i < 4; i++) {
		before = rdtsc();
		uint32_t left = apic_timer_left();

		after = rdtsc();
		if (after - before >= width)
			continue;
		width = after - before;
		*tsc = before + width / 2 - apic_first_tsc;
		*ticks = APIC_COUNT_MAX - left;
	}
}

/* Where the APIC's timer is known, or taken, to run at 1 GHz. */
static void measure_by_apic(const char *name)
{
	uint64_t tsc, ticks;

	do
		apic_sample(&tsc, &ticks);
	while (ticks < MIN_APIC_US * (EMULATED_APIC_HZ / 1000000));
	source = name;
	clock_params.lapic_mult = 1ull << 32;
	set_rate(div_shift32(ticks, tsc));
}

static uint64_t pit_ns(uint64_t ticks)
{
	return ticks * NS_PER_S / PIT_HZ;
}

static bool measure_by_pit(void)
{
	struct pit_sample s;

	if (!pit_there)
		return false;
	do {
		if (!pit_sample_good(&s))
			return false;
		if (s.expired) { /* booting took too long for one round: a fresh start */
			reference_start();
			s.passed = 0;
		}
	} while ((uint16_t)(s.passed - pit_first.passed) < MIN_PIT_TICKS);
	source = "pit";
	set_rate(div_shift32(pit_ns((uint16_t)(s.passed - pit_first.passed)),
			     s.tsc - pit_first.tsc));
	return true;
}

/*
 * How fast the APIC's timer runs, now that the TSC is known. Before it is armed for the first time.
 */
static void measure_apic(void)
{
	uint64_t tsc, ticks;

	if (clock_params.lapic_mult == 0) {
		apic_sample(&tsc, &ticks);
		clock_params.lapic_mult = div_shift32(ticks, time_mul(tsc, clock_params.mult));
	}
	if (boot_info.cpu.tsc_deadline)
		apic_timer_use_deadline();
}

static void measure(void)
{
	if (clock_params.mult == 0) {
		if (apic_is_reference)
			measure_by_apic("apic");
		else if (!measure_by_pit())
			measure_by_apic("guess"); /* hypervisors without PIT: 1 GHz is usual */
	}
	measure_apic();
	clock_runs = true;
}

/*
 * Some emulators name a frequency that their TSC does not have: compare once the PIT has run a
 * while.
 */
static void check_cpuid(void)
{
	struct pit_sample s;

	if (cpuid_checked || !measuring || strcmp(source, "cpuid") != 0)
		return;
	if (!pit_there || !pit_sample_good(&s)) {
		cpuid_checked = true;
		return;
	}
	if (s.expired) {
		pit_start();
		pit_there = pit_sample_good(&pit_first);
		return;
	}
	uint16_t passed = (uint16_t)(s.passed - pit_first.passed);

	if (passed < MIN_PIT_TICKS)
		return;
	cpuid_checked = true;
	uint64_t mult = div_shift32(pit_ns(passed), s.tsc - pit_first.tsc);
	uint64_t tolerance = clock_params.mult / 16;

	if (mult > clock_params.mult - tolerance && mult < clock_params.mult + tolerance)
		return;
	source = "pit";
	uint64_t apic = clock_params.lapic_mult;

	clock_params.lapic_mult = time_mul(apic, div_shift32(clock_params.mult, mult));
	set_rate(mult);
}

/*
 * A better number once more time has passed. The PIT's rounds are counted with the number we have.
 */
static void refine(uint64_t mono)
{
	struct pit_sample s;

	if (!measuring || refined == ARRAY_SIZE(refine_after_ns) || mono < refine_after_ns[refined])
		return;
	while (refined < ARRAY_SIZE(refine_after_ns) && mono >= refine_after_ns[refined])
		refined++;
	if (!pit_there || strcmp(source, "cpuid") == 0 || !pit_sample_good(&s))
		return;
	uint64_t tsc = s.tsc - pit_first.tsc;
	uint64_t expect = time_mul(time_mul(tsc, clock_params.mult),
				   ((uint64_t)PIT_HZ << 32) / NS_PER_S);
	uint64_t ticks = (uint16_t)(s.passed - pit_first.passed);

	if (expect > ticks)
		ticks += (expect - ticks + 0x8000) & ~0xffffull;
	uint64_t better = div_shift32(pit_ns(ticks), tsc);
	uint64_t tolerance = clock_params.mult / 128;

	/* Further off than any first measurement: the samples were disturbed. */
	if (better > clock_params.mult - tolerance && better < clock_params.mult + tolerance)
		set_rate(better);
}

/* ---- clocks ---- */

uint64_t time_mono_ns(void)
{
	if (!clock_runs) {
		if (!measuring)
			return MONO_START_NS;
		measure();
	}
	return time_running_ns();
}

uint64_t time_real_ns(void)
{
	return time_mono_ns() + (uint64_t)clock_params.real_offset;
}

void time_set_real_ns(uint64_t ns)
{
	clock_params.real_offset = (int64_t)(ns - time_mono_ns());
	page_write();
	if (time_changed != NULL)
		time_changed();
}

uint64_t time_of_tsc(uint64_t tsc)
{
	time_mono_ns();
	return clock_params.mult != 0 ? time_at(tsc) : 0;
}

uint64_t tsc_khz(void)
{
	time_mono_ns();
	return clock_params.mult != 0 ? div_shift32(1000000, clock_params.mult) : 0;
}

const char *time_source(void)
{
	return source;
}

bool time_params_get(struct time_params *p)
{
	*p = clock_params;
	return clock_params.mult != 0;
}

void time_params_set(const struct time_params *p)
{
	uint64_t tsc = rdtsc();
	uint64_t before = clock_params.mult != 0 ? time_at(tsc) : 0;

	clock_params = *p;
	uint64_t after = time_at(tsc);

	clock_params.tsc_base = tsc;
	clock_params.mono_base = after > before ? after : before; /* never backwards */
	inverse = div_shift32(1ull << 32, clock_params.mult);
	clock_runs = true;
	source = "core 0";
	page_write();
	if (armed_ns != UINT64_MAX)
		timer_arm(armed_ns);
}

/* ---- timer ---- */

static void arm(uint64_t mono_ns, uint64_t now)
{
	uint64_t ahead = mono_ns > now ? mono_ns - now : 0;

	if (boot_info.cpu.tsc_deadline) {
		apic_timer_deadline(rdtsc() + time_mul(ahead, inverse) + 1);
		return;
	}
	/* Longer than the counter reaches: it rings early and is armed again. */
	uint64_t ticks = ahead < NS_PER_S * 1000 ? time_mul(ahead, clock_params.lapic_mult) + 1
						 : APIC_COUNT_MAX;

	apic_timer_start(ticks < APIC_COUNT_MAX ? (uint32_t)ticks : APIC_COUNT_MAX, true);
}

void timer_arm(uint64_t mono_ns)
{
	armed_ns = mono_ns;
	if (mono_ns == UINT64_MAX) {
		if (boot_info.cpu.tsc_deadline)
			apic_timer_deadline(0);
		else
			apic_timer_start(0, false);
		return;
	}
	uint64_t now = time_mono_ns();

	if (!clock_runs) /* when the clock is known: time_params_set */
		return;
	check_cpuid();
	refine(now);
	arm(mono_ns, now);
}

void timer_interrupt(void)
{
	uint64_t now = time_mono_ns();

	check_cpuid();
	refine(now);
	if (armed_ns == UINT64_MAX || !clock_runs)
		return;
	if (now < armed_ns) {
		arm(armed_ns, now);
		return;
	}
	armed_ns = UINT64_MAX;
	if (trap_hooks.timer != NULL)
		trap_hooks.timer();
}
