/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vDSO: clocks without entering the kernel, from the page below it. This is code of the
 * program, compiled on its own (position-independent, no kernel flags) and linked by vdso.lds.
 */
#include <asm/unistd_64.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "kernel/x86/vdso_abi.h"

#define NS_PER_S 1000000000ull
#define EXPORT   __attribute__((visibility("default")))

struct timezone_ {
	int minuteswest, dsttime;
};
struct timeval_ {
	long sec, usec;
};

/* read-only, but it changes */
extern struct vdso_time vdso_page __attribute__((visibility("hidden")));

static long syscall2(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

static uint64_t rdtsc_ordered(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return lo | (uint64_t)hi << 32;
}

/* Monotonic time, plus the offset of real time if asked for; 0 when the kernel must be asked. */
static uint64_t read_clock(int real)
{
	const volatile struct vdso_time *p = &vdso_page;
	uint32_t seq;
	uint64_t ns;

	do {
		seq = __atomic_load_n(&p->seq, __ATOMIC_ACQUIRE);
		uint64_t mult = p->mult;

		if (mult == 0)
			return 0;
		int64_t delta = (int64_t)(rdtsc_ordered() - p->tsc_base);

		if (delta < 0)
			delta = 0;
		ns = p->mono_base + (uint64_t)(((unsigned __int128)(uint64_t)delta * mult) >> 32);
		if (real)
			ns += (uint64_t)p->real_offset;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((seq & 1) || __atomic_load_n(&p->seq, __ATOMIC_RELAXED) != seq);
	return ns;
}

/* 0 or 1: is the clock real time? -1: not ours. */
static int clock_kind(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE: return 1;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME: return 0;
	default: return -1;
	}
}

EXPORT int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts);
EXPORT int __vdso_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	int kind = clock_kind(clock);
	uint64_t ns = kind >= 0 ? read_clock(kind) : 0;

	if (ns == 0)
		return (int)syscall2(__NR_clock_gettime, clock, (long)ts);
	ts->tv_sec = (long long)(ns / NS_PER_S);
	ts->tv_nsec = (long long)(ns % NS_PER_S);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval_ *tv, struct timezone_ *tz);
EXPORT int __vdso_gettimeofday(struct timeval_ *tv, struct timezone_ *tz)
{
	uint64_t ns = tz == 0 ? read_clock(1) : 0;

	if (ns == 0)
		return (int)syscall2(__NR_gettimeofday, (long)tv, (long)tz);
	if (tv != 0) {
		tv->sec = (long)(ns / NS_PER_S);
		tv->usec = (long)(ns % NS_PER_S / 1000);
	}
	return 0;
}

EXPORT long __vdso_time(long *out);
EXPORT long __vdso_time(long *out)
{
	uint64_t ns = read_clock(1);

	if (ns == 0)
		return syscall2(__NR_time, (long)out, 0);
	if (out != 0)
		*out = (long)(ns / NS_PER_S);
	return (long)(ns / NS_PER_S);
}

EXPORT int __vdso_clock_getres(int clock, struct __kernel_timespec *res);
EXPORT int __vdso_clock_getres(int clock, struct __kernel_timespec *res)
{
	if (clock_kind(clock) < 0)
		return (int)syscall2(__NR_clock_getres, clock, (long)res);
	if (res != 0) {
		res->tv_sec = 0;
		res->tv_nsec = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE
				       ? VDSO_COARSE_RES_NS
				       : 1;
	}
	return 0;
}

EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	(void)unused;
	if (cpu != 0)
		*cpu = vdso_page.cpu;
	if (node != 0)
		*node = 0;
	return 0;
}

/* The names without __vdso_, weak as Linux has them. */
EXPORT int clock_gettime(int, struct __kernel_timespec *)
	__attribute__((weak, alias("__vdso_clock_gettime")));
EXPORT int gettimeofday(struct timeval_ *, struct timezone_ *)
	__attribute__((weak, alias("__vdso_gettimeofday")));
EXPORT long time(long *) __attribute__((weak, alias("__vdso_time")));
EXPORT int clock_getres(int, struct __kernel_timespec *)
	__attribute__((weak, alias("__vdso_clock_getres")));
EXPORT long getcpu(unsigned *, unsigned *, void *) __attribute__((weak, alias("__vdso_getcpu")));
