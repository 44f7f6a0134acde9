/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that try to hurt the kernel. They are meant for a virtual machine, as root. Each section
 * says what must hold by EXPECT; a section that found something wrong ends with exit status 1, and
 * so does the program.
 */
#pragma once
#include "test/linux/prog/check.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <ucontext.h>

#define PAGE          4096
#define USER_TOP      0x7ffffffff000ull /* the first address that is no program's */
#define NON_CANONICAL 0x800000000000ull
#define KERNEL_IMAGE  0xffffffff80000000ull
#define KERNEL_LOW    0xffff800000000000ull

static int wrong;

#define EXPECT(cond, ...)                           \
	do {                                        \
		if (!(cond)) {                      \
			wrong++;                    \
			say("WRONG: " __VA_ARGS__); \
		}                                   \
	} while (0)

/* The section's end. */
UNUSED static void finish(const char *what)
{
	say("%s%s", what, wrong ? "" : ": ok");
	_exit(wrong != 0);
}

/*
 * A child that only signals end; `what` must be the one given (0: it ends by itself with exit 0).
 */
UNUSED static void expect_signal(int st, int sig, const char *name)
{
	bool good = sig == 0 ? WIFEXITED(st) && WEXITSTATUS(st) == 0
			     : WIFSIGNALED(st) && WTERMSIG(st) == sig;

	if (!good)
		say_status(name, st);
	EXPECT(good, "%s, expected %s", name, sig == 0 ? "exit 0" : signal_name(sig));
}

/*
 * How long a sleep of half a millisecond took at most: a call that kept the processor to itself
 * shows here.
 */
UNUSED static int64_t longest_sleep_ns;

/* Wait for a child at most `ms`, then kill it. True if it ended by itself. */
UNUSED static bool wait_or_kill(pid_t pid, int ms, int *st)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + ms * 1000000LL, before, after = 0;

	while (waitpid(pid, st, WNOHANG) == 0) {
		before = now_ns(CLOCK_MONOTONIC);
		if (before > end) {
			kill(pid, SIGKILL);
			waitpid(pid, st, 0);
			return false;
		}
		usleep(500);
		after = now_ns(CLOCK_MONOTONIC);
		if (after - before > longest_sleep_ns)
			longest_sleep_ns = after - before;
	}
	return true;
}

/* Does the system still do its work? */
UNUSED static void expect_alive(const char *after)
{
	int fd[2], st;
	char buf[16] = "";

	st = CHILD({
		wrong = 0;
		EXPECT(pipe(fd) == 0 && write(fd[1], "alive", 5) == 5 && read(fd[0], buf, 16) == 5,
		       "pipe after %s", after);
		int f = open("alive", O_RDWR | O_CREAT | O_TRUNC, 0600);
		EXPECT(f >= 0 && write(f, "alive", 5) == 5 && unlink("alive") == 0, "file after %s",
		       after);
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
		EXPECT(p != MAP_FAILED, "memory after %s", after);
		for (int i = 0; p != MAP_FAILED && i < 1 << 20; i += PAGE)
			EXPECT(p[i] == 0, "page is not empty after %s", after);
		_exit(wrong);
	});
	EXPECT(st == 0, "a child after %s", after);
}

/* What is free when caches keep nothing that nobody needs. */
UNUSED static long free_kib(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));
	struct sysinfo si;

	MUST(write(fd, "3", 1));
	close(fd);
	sysinfo(&si);
	return (long)(si.freeram * si.mem_unit / 1024);
}
