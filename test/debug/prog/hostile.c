/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracers and filters that mean harm: random registers, requests, breakpoints and filter programs.
 * Whatever becomes of the tracee, the system goes on; what is printed is the same everywhere.
 */
#include "test/linux/prog/check.h"
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/user.h>

#define ROUNDS 300

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Numbers that have hurt kernels before. */
static uint64_t odd(void)
{
	static const uint64_t list[] = { 0,
					 1,
					 8,
					 0x10,
					 0x18,
					 0x1b,
					 0x23,
					 0x2b,
					 0x33,
					 0x40,
					 0x7ffffffff000,
					 0x800000000000,
					 0x8000000000000000,
					 0xffff800000000000,
					 0xffffffff80000000,
					 0xffffffffffffffff,
					 0xfffffffffffffff8,
					 0x00007fffffffffff,
					 0x3202,
					 0x10302,
					 0x4000,
					 0x20000 };

	return rnd() % 3 == 0 ? rnd() : list[rnd() % COUNT(list)];
}

static long pt(int req, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, req, pid, addr, data);
}

static void victim(void)
{
	MUST(pt(PTRACE_TRACEME, 0, 0, 0));
	alarm(2);
	raise(SIGSTOP);
	for (volatile int i = 0; i < 100; i++)
		syscall(SYS_getppid);
	_exit(0);
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) == -1 && errno == EINTR)
		;
}

/* Go on for some stops, then end it. */
static void let_run(pid_t pid)
{
	static const int ways[] = { PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP };

	for (int i = 0; i < 4; i++) {
		int st;

		if (pt(ways[rnd() % 3], pid, 0, 0) == -1)
			break;
		if (waitpid(pid, &st, __WALL) == -1 || !WIFSTOPPED(st))
			return;
	}
	finish(pid);
}

static void registers(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = START(victim());
		struct user_regs_struct r;
		int st;

		waitpid(pid, &st, __WALL);
		MUST(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
		for (uint64_t n = 1 + rnd() % 4; n > 0; n--) {
			size_t k = rnd() % (sizeof(r) / 8);

			if (rnd() % 2 == 0)
				pt(PTRACE_POKEUSR, pid, k * 8, odd());
			else
				((unsigned long *)&r)[k] = odd();
		}
		pt(PTRACE_SETREGS, pid, 0, (unsigned long)&r);
		let_run(pid);
	}
	say("ok");
}

static void images(void)
{
	static unsigned char image[16384];

	for (int i = 0; i < ROUNDS / 3; i++) {
		struct iovec v = { image, sizeof(image) };
		pid_t pid = START(victim());
		int st;

		waitpid(pid, &st, __WALL);
		MUST(pt(PTRACE_GETREGSET, pid, 0x202, (unsigned long)&v));
		for (int k = 0; k < 3; k++)
			image[rnd() % v.iov_len] = (unsigned char)rnd();
		if (rnd() % 2)
			*(uint64_t *)(image + 512 + 8 * (rnd() % 8)) = odd();
		if (rnd() % 8 == 0)
			v.iov_len = rnd() % sizeof(image);
		pt(PTRACE_SETREGSET, pid, 0x202, (unsigned long)&v);
		pt(PTRACE_SETFPREGS, pid, 0, (unsigned long)image);
		let_run(pid);
	}
	say("ok");
}

static void breakpoints(void)
{
	for (int i = 0; i < ROUNDS / 3; i++) {
		pid_t pid = START(victim());
		int st;

		waitpid(pid, &st, __WALL);
		for (int k = 0; k < 6; k++)
			pt(PTRACE_POKEUSR, pid, offsetof(struct user, u_debugreg) + 8 * (rnd() % 8),
			   rnd() % 2 ? odd() : (unsigned long)&seed);
		let_run(pid);
	}
	say("ok");
}

static void requests(void)
{
	unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

	munmap(page + 4096, 4096);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = START(victim());
		int st;

		waitpid(pid, &st, __WALL);
		for (int k = 0; k < 12; k++) {
			int req = (int)(rnd() % 3 ? 0x4200 + rnd() % 18 : rnd() % 40);
			unsigned long a = rnd() % 2 ? odd() : (unsigned long)page + rnd() % 4200;
			unsigned long d = rnd() % 2 ? odd() : (unsigned long)page + rnd() % 4200;

			if (req == PTRACE_TRACEME)
				continue;
			if (rnd() % 4 == 0)
				memset(page, (int)rnd(), 64);
			pt(req, pid, a, d);
			waitpid(pid, &st, __WALL | WNOHANG);
		}
		finish(pid);
	}
	say("ok");
}

/* A tracer that dies in the middle of it, while others send signals. */
static void deaths(void)
{
	for (int i = 0; i < ROUNDS / 3; i++) {
		pid_t pid = START(alarm(5); for (;;) syscall(SYS_getppid)), tracer;
		bool with = rnd() % 2;

		tracer = START({
			pt(PTRACE_SEIZE, pid, 0, with ? PTRACE_O_EXITKILL : 0);
			pt(PTRACE_INTERRUPT, pid, 0, 0);
			for (;;) {
				int st;

				if (waitpid(pid, &st, __WALL) == -1 || !WIFSTOPPED(st))
					break;
				pt(PTRACE_SYSCALL, pid, 0, 0);
			}
		});
		for (uint64_t k = rnd() % 6; k > 0; k--) {
			kill(pid, k % 2 ? SIGSTOP : SIGCONT);
			sched_yield();
		}
		kill(rnd() % 2 ? tracer : pid, SIGKILL);
		sched_yield();
		kill(pid, SIGKILL);
		kill(tracer, SIGKILL);
		wait_for(pid);
		wait_for(tracer);
	}
	say("ok");
}

static void filters(void)
{
	static struct sock_filter f[64];

	for (int i = 0; i < ROUNDS; i++) {
		struct sock_fprog p = { (unsigned short)(1 + rnd() % COUNT(f)), f };

		for (unsigned k = 0; k < p.len; k++)
			f[k] = (struct sock_filter){ (unsigned short)(rnd() % 0xb0),
						     (unsigned char)(rnd() % 8),
						     (unsigned char)(rnd() % 8),
						     (unsigned)(rnd() % 2 ? rnd() % 70 : odd()) };
		f[p.len - 1] = (struct sock_filter)BPF_STMT(BPF_RET | (rnd() % 2 ? BPF_K : BPF_A),
							    (unsigned)odd());
		CHILD({
			alarm(2);
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			for (int k = 0; k < 3; k++)
				syscall(SYS_seccomp, 1, rnd() % 8, &p);
			for (int k = 0; k < 20; k++)
				syscall(rnd() % 400 == SYS_vfork ? 0 : SYS_getppid, odd(), odd());
		});
	}
	say("ok");
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "registers", registers }, { "images", images }, { "breakpoints", breakpoints },
		{ "requests", requests },   { "deaths", deaths }, { "filters", filters },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
