/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call, in turn, with every strange number in one place or in all, as root and as
 * nobody.
 */
#include "test/linux/attack/hostile.h"

static long call(long nr, const uint64_t a[6])
{
	return syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void all_values(long nr)
{
	uint64_t a[6];

	for (size_t v = 0; v < COUNT(strange); v++) {
		/* In all places. */
		for (int i = 0; i < 6; i++)
			a[i] = strange[v];
		call(nr, a);
		/* In one place, with good descriptors, memory and lengths in the others. */
		for (int place = 0; place < 6; place++) {
			for (int good = 0; good < 3; good++) {
				for (int i = 0; i < 6; i++)
					a[i] = good == 0   ? (uint64_t)buffer
					       : good == 1 ? (uint64_t)(3 + (v + (size_t)i) % 18)
							   : 8;
				a[place] = strange[v];
				call(nr, a);
				/* A clone has its own way. */
				if (getpid() != getpgrp())
					_exit(0);
			}
		}
	}
}

static void try_number(long nr, bool as_root)
{
	int st = 0;
	pid_t pid = START({
		struct rlimit files = { 64, 64 }, size = { 1 << 20, 1 << 20 },
			      space = { 64 << 20, 64 << 20 };

		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		make_memory();
		make_descriptors();
		setrlimit(RLIMIT_NOFILE, &files);
		setrlimit(RLIMIT_FSIZE, &size);
		setrlimit(RLIMIT_AS, &space);
		/* Nothing of what they print is of interest. */
		dup2(3, 0);
		dup2(3, 1);
		dup2(3, 2);
		if (!as_root)
			MUST(setresuid(65534, 65534, 65534));
		guard_on();
		all_values(nr);
	});

	setpgid(pid, pid);
	wait_or_kill(pid, 10000, &st);
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void run_all(bool as_root)
{
	char *pattern = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);

	memset(pattern, 0x5a, 64 * PAGE);
	for (long nr = 0; nr < CALLS; nr++) {
		if (is_left_out(nr) || (as_root && hits_others(nr)))
			continue;
		try_number(nr, as_root);
		if (nr % 50 == 0)
			expect_alive("some calls");
	}
	for (int i = 0; i < 64 * PAGE; i++)
		EXPECT(pattern[i] == 0x5a, "memory of the parent is changed");
	expect_alive("all calls");
	finish("all calls");
}

static void nobody(void)
{
	run_all(false);
}

static void root(void)
{
	run_all(true);
}

/* Numbers that are none. */
static void numbers(void)
{
	static const long nr[] = { CALLS,      511,        512,        1000,
				   4096,       0x7fffffff, 0x80000000, 0x40000000,
				   0xffffffff, 1l << 32,   1l << 62,   LONG_MIN,
				   LONG_MAX,   -1,         -2,         -4095 };

	for (size_t i = 0; i < COUNT(nr); i++) {
		errno = 0;
		long r = syscall(nr[i] & 0xffffffff ? nr[i] : 1l << 31, 1, 2, 3, 4, 5, 6);
		EXPECT(r == -1 && errno == ENOSYS, "number %#lx gives %ld %s", nr[i], r,
		       error_name(errno));
	}
	/* Only the lower half of the register is the number. */
	long pid = SYS_getpid | 1l << 32;
	__asm__ volatile("syscall" : "+a"(pid) : : "rcx", "r11", "memory");
	EXPECT(pid == getpid(), "getpid with more bits gives %ld", pid);
	finish("numbers");
}

static const struct section sections[] = { { "numbers", numbers },
					   { "nobody", nobody },
					   { "root", root } };

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
