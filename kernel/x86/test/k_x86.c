/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/nk.h"
#include "kernel/core/core.h"
#include "kernel/x86/vdso_abi.h"
#include "kernel/x86/x86.h"

#define UNMAPPED 0x10000ull /* nothing of a program is mapped while these tests run */

static void divide_by_zero(void *arg)
{
	uint64_t zero = 0, one = 1;

	(void)arg;
	__asm__ volatile("divq %2" : "+a"(one) : "d"(0), "r"(zero));
}

static void read_at(void *arg)
{
	*(volatile uint64_t *)arg;
}

static void write_at(void *arg)
{
	*(volatile uint64_t *)arg = 1;
}

KTEST(x86_try_catches_exceptions)
{
	struct x86_fault f = { 0 };

	EXPECT(x86_try(divide_by_zero, NULL, &f));
	EXPECT_EQ(f.vector, 0);
	EXPECT(x86_try(read_at, (void *)UNMAPPED, &f));
	EXPECT_EQ(f.vector, 14);
	EXPECT_EQ(f.addr, UNMAPPED);
	EXPECT(x86_try(read_at, (void *)0x8000000000000000ull, &f)); /* not canonical */
	EXPECT_EQ(f.vector, 13);
	uint64_t here = 0;

	EXPECT(!x86_try(read_at, &here, &f));
}

KTEST(x86_kernel_text_is_read_only)
{
	uint64_t addr = 0;

	EXPECT(ktest_expect_fault(write_at, (void *)(uint64_t)kernel_main, &addr));
	EXPECT_EQ(addr, (uint64_t)kernel_main);
	EXPECT(ktest_expect_fault(write_at, (void *)(uint64_t)vdso_image, &addr));
	EXPECT(ktest_expect_fault(write_at, (void *)(uint64_t)&boot_info, &addr));
}

KTEST(x86_user_access_to_nothing_fails)
{
	bool (*hook)(struct trapframe *, uint64_t, uint32_t) = trap_hooks.page_fault;
	static uint8_t buf[512];
	uint32_t v;

	trap_hooks.page_fault = NULL;
	for (size_t len = 1; len < sizeof(buf); len = len * 3 + 1) {
		EXPECT_EQ(x86_copy_from_user(buf, UNMAPPED + 3, len), len);
		EXPECT_EQ(x86_copy_to_user(UNMAPPED, buf, len), len);
		EXPECT_EQ(x86_zero_user(UNMAPPED, len), len);
	}
	EXPECT_EQ(x86_copy_from_user(buf, UNMAPPED, 0), 0);
	EXPECT(!x86_user_load32(UNMAPPED, &v));
	EXPECT(!x86_user_cmpxchg32(UNMAPPED, 0, 1, &v));
	EXPECT(!x86_user_xchg_op32(UNMAPPED, 1, 1, &v));
	trap_hooks.page_fault = hook;
}

/*
 * Every access of a program's memory refuses a range that the caller may not name, also where only
 * one byte of it is barred (R6). Kernel memory plays the program's: without the check it would
 * work.
 */
KTEST(x86_user_access_to_what_is_barred_fails)
{
	static uint8_t room[3 * 4096] __attribute__((aligned(64))), buf[64];
	const struct user_barred before = user_barred;
	uint64_t start = (uint64_t)room + 4096, end = start + 4096;
	const uint64_t bad[] = { start - 1, start - 3, start, start + 64, end - 64, end - 1 };
	uint32_t v = 0;

	user_barred = (struct user_barred){ end, start, end };
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(x86_copy_from_user(buf, bad[i], 8), 8);
		EXPECT_EQ(x86_copy_to_user(bad[i], buf, 8), 8);
		EXPECT_EQ(x86_zero_user(bad[i], 8), 8);
		EXPECT(!x86_user_load32(bad[i], &v));
		EXPECT(!x86_user_cmpxchg32(bad[i], 0, 1, &v));
		EXPECT(!x86_user_xchg_op32(bad[i], 1, 1, &v));
		EXPECT(!x86_user_fxsave(ALIGN_DOWN(bad[i], 64u), 0, 512));
	}
	/* An image of registers whose first word, whose last, and whose middle is barred. */
	for (uint64_t at = start - 448; at < end; at += 64) {
		EXPECT(!x86_user_fxsave(at, 0, 512));
		EXPECT(!boot_info.cpu.xsave || !x86_user_xsave(at, 3, 576));
		EXPECT(!boot_info.cpu.xsave || !x86_user_xrstor(at, 3, 576));
	}
	for (size_t i = 0; i < sizeof(room); i++)
		if (room[i] != 0)
			EXPECT_EQ(i, SIZE_MAX);
	/* Beside it, all works; and for PrivUser itself, the other way round. */
	EXPECT_EQ(x86_copy_to_user(start - 8, buf, 8), 0);
	EXPECT_EQ(x86_copy_to_user(end, buf, 8), 0);
	EXPECT(x86_user_fxsave(end, 0, 512));
	user_barred.below = UINT64_MAX;
	EXPECT_EQ(x86_copy_to_user(start, buf, 8), 0);
	EXPECT_EQ(x86_copy_to_user(start - 1, buf, 8), 8);
	EXPECT_EQ(x86_copy_to_user(end - 7, buf, 8), 8);
	user_barred = before;
}

/* Copies between two kernel buffers exercise the same code, faults apart. */
KTEST(x86_copies_are_exact)
{
	static uint8_t from[200], to[200];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + 1);
	if (boot_info.cpu.smap)
		ktest_note("with STAC and CLAC");
	for (size_t len = 0; len <= 160; len++) {
		for (size_t i = 0; i < sizeof(to); i++)
			to[i] = 0xee;
		EXPECT_EQ(x86_copy_from_user(to + 5, (uint64_t)(from + 3), len), 0);
		for (size_t i = 0; i < sizeof(to); i++)
			if (to[i] != (i >= 5 && i < 5 + len ? from[i - 2] : 0xee))
				EXPECT_EQ(i, SIZE_MAX);
		EXPECT_EQ(x86_zero_user((uint64_t)(to + 5), len), 0);
		EXPECT_EQ(to[4], 0xee);
		EXPECT_EQ(to[5 + len], 0xee);
	}
}

static uint64_t main_rsp, other_rsp, other_ran;
static uint8_t other_stack[1024] __attribute__((aligned(16)));

static void on_other_stack(void)
{
	for (;;) {
		other_ran++;
		x86_switch_stack(&other_rsp, main_rsp);
	}
}

KTEST(x86_stacks_switch)
{
	other_ran = 0;
	other_rsp = x86_prepare_stack((uint64_t)(other_stack + sizeof(other_stack)),
				      on_other_stack);
	for (unsigned i = 1; i <= 3; i++) {
		x86_switch_stack(&main_rsp, other_rsp);
		EXPECT_EQ(other_ran, i);
	}
}

KTEST(x86_clock_never_goes_back)
{
	uint64_t last = time_mono_ns(), start = last;

	while (last - start < 5000000) {
		uint64_t now = time_mono_ns();

		if (now < last)
			EXPECT_EQ(now, last);
		last = now;
	}
	EXPECT(tsc_khz() > 1000);
	ktest_note("tsc %llu kHz, measured by %s", (unsigned long long)tsc_khz(), time_source());
}

static uint64_t rang_at;

static void note_ring(void)
{
	rang_at = time_mono_ns();
}

KTEST(x86_timer_is_never_early)
{
	void (*hook)(void) = trap_hooks.timer;
	uint64_t worst = 0;

	trap_hooks.timer = note_ring;
	for (unsigned i = 0; i < 50; i++) {
		uint64_t want = time_mono_ns() + i * 10000;

		rang_at = 0;
		timer_arm(want);
		while (rang_at == 0)
			x86_wait_for_interrupt();
		EXPECT(rang_at >= want);
		if (rang_at - want > worst)
			worst = rang_at - want;
	}
	ktest_note("timer rang at most %llu us late", (unsigned long long)worst / 1000);
	timer_arm(UINT64_MAX);
	trap_hooks.timer = hook;
}

KTEST(x86_clock_is_bent_and_does_not_step)
{
	uint64_t mult = clock_params.mult, before = time_mono_ns();

	time_bend(TIME_BEND_MAX);
	EXPECT(clock_params.mult - mult >= mult / 2001 && clock_params.mult - mult <= mult / 1999);
	uint64_t after = time_mono_ns();

	EXPECT(after >= before && after - before < 1000000000);
	time_bend(-TIME_BEND_MAX);
	EXPECT(mult - clock_params.mult >= mult / 2001 && mult - clock_params.mult <= mult / 1999);
	EXPECT(time_mono_ns() >= after);
	time_bend(0);
	EXPECT_EQ(clock_params.mult, mult);
}

KTEST(x86_vdso_page_agrees_with_the_clock)
{
	paddr_t pa = vdso_time_frame();

	EXPECT(!paddr_is_none(pa));
	const volatile struct vdso_time *t = dm_ptr(pa);
	uint64_t before = time_mono_ns();
	uint64_t ns = t->mono_base +
		      (uint64_t)(((unsigned __int128)(rdtsc() - t->tsc_base) * t->mult) >> 32);
	uint64_t after = time_mono_ns();

	EXPECT_EQ(t->seq & 1, 0);
	EXPECT(ns >= before && ns <= after);
	EXPECT_EQ(t->cpu, boot_info.core);
	EXPECT(vdso_image_len > 0 && vdso_image_len % PAGE_SIZE == 0);
	EXPECT_EQ(vdso_image[1], 'E');
}

KTEST(x86_fpu_follows_its_owner)
{
	struct fpu_area *a = fpu_alloc(), *b = fpu_alloc();
	uint16_t cw;

	EXPECT(a != NULL && b != NULL);
	if (a == NULL || b == NULL)
		return;
	fpu_reset(a);
	fpu_reset(b);
	fpu_switch(a);
	cw = 0x027f;
	__asm__ volatile("fldcw %0" ::"m"(cw));
	fpu_switch(b);
	__asm__ volatile("fnstcw %0" : "=m"(cw));
	EXPECT_EQ(cw, 0x037f);
	fpu_switch(a);
	__asm__ volatile("fnstcw %0" : "=m"(cw));
	EXPECT_EQ(cw, 0x027f);
	fpu_sync(a);
	EXPECT(fpu_image_valid(fpu_data(a), fpu_size()));
	EXPECT(!fpu_image_valid(fpu_data(a), fpu_size() - 1));
	((uint32_t *)fpu_data(a))[6] |= 1u << 31; /* MXCSR */
	EXPECT(!fpu_image_valid(fpu_data(a), fpu_size()));
	fpu_free(a);
	fpu_free(b);
}

KTEST(x86_device_window)
{
	volatile uint32_t *ioapic = x86_map_device(0xfec00000, 32);

	EXPECT(ioapic != NULL);
	EXPECT(x86_map_device(boot_info.first_chunk, 16) == NULL); /* memory is no device */
	EXPECT(x86_map_device(0, 0) == NULL);
	EXPECT(x86_map_device(UINT64_MAX - 4, 16) == NULL);
}
