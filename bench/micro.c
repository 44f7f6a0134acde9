/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What single operations cost, measured by the program that performs them. The same static binary
 * runs on every kernel; under `-icount shift=0` a nanosecond of the clock is one instruction.
 * Prints "name min median max", in hundredths of a nanosecond per operation.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 7
#define MIB     (1024 * 1024)

static const char *self;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void bench_getppid(unsigned n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void bench_clock(unsigned n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

/*
 * n pages, touched for the first time; mapping and unmapping are part of it, spread over many
 * pages.
 */
static void bench_fault(unsigned n)
{
	char *p = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	for (unsigned i = 0; i < n; i++)
		p[(size_t)i * 4096] = 1;
	munmap(p, (size_t)n * 4096);
}

static void bench_fork(unsigned n)
{
	while (n--) {
		int status;
		pid_t p = fork();

		if (p == 0)
			_exit(0);
		if (p < 0 || waitpid(p, &status, 0) != p)
			fail("fork");
	}
}

static void bench_vfork_exec(unsigned n)
{
	while (n--) {
		int status;
		pid_t p = vfork();

		if (p == 0) {
			execl(self, self, "exit", (char *)NULL);
			_exit(127);
		}
		if (p < 0 || waitpid(p, &status, 0) != p || status != 0)
			fail("vfork and exec");
	}
}

static int there[2], back[2];

static void echo(unsigned n)
{
	char c;

	while (n--)
		if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1)
			fail("echo");
}

static void ping(unsigned n)
{
	char c = 'x';

	while (n--)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			fail("ping");
}

static void open_pipes(void)
{
	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe");
}

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static void bench_pipe_processes(unsigned n)
{
	pid_t p;

	open_pipes();
	p = fork();
	if (p == 0) {
		echo(n);
		_exit(0);
	}
	ping(n);
	waitpid(p, NULL, 0);
	close_pipes();
}

static void *echo_thread(void *n)
{
	echo((unsigned)(uintptr_t)n);
	return NULL;
}

static void bench_pipe_threads(unsigned n)
{
	pthread_t t;

	open_pipes();
	if (pthread_create(&t, NULL, echo_thread, (void *)(uintptr_t)n) != 0)
		fail("pthread_create");
	ping(n);
	pthread_join(t, NULL);
	close_pipes();
}

static void *empty_thread(void *arg)
{
	return arg;
}

static void bench_thread(unsigned n)
{
	pthread_t t;

	while (n--)
		if (pthread_create(&t, NULL, empty_thread, NULL) != 0 || pthread_join(t, NULL) != 0)
			fail("pthread_create");
}

static const struct {
	const char *name;
	void (*run)(unsigned n);
	unsigned n;
} benches[] = {
	{ "getppid", bench_getppid, 20000 },
	{ "clock_gettime", bench_clock, 20000 },
	{ "page fault", bench_fault, 64 * MIB / 4096 },
	{ "fork+exit+wait", bench_fork, 50 },
	{ "vfork+exec+exit+wait", bench_vfork_exec, 50 },
	{ "pipe ping-pong, processes", bench_pipe_processes, 1000 },
	{ "pipe ping-pong, threads", bench_pipe_threads, 1000 },
	{ "pthread create+join", bench_thread, 200 },
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One of them, n times and nothing else: for a profile. */
static int only(const char *name, unsigned n)
{
	for (size_t b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
		if (strcmp(benches[b].name, name) == 0) {
			benches[b].run(n);
			return 0;
		}
	}
	fprintf(stderr, "no such bench: %s\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "exit") == 0)
		_exit(0);
	if (argc > 3 && strcmp(argv[1], "only") == 0)
		return only(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	for (size_t b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
		uint64_t t[REPEATS];

		benches[b].run(benches[b].n / 10 + 1);
		for (int r = 0; r < REPEATS; r++) {
			uint64_t start = now();

			benches[b].run(benches[b].n);
			t[r] = (now() - start) * 100 / benches[b].n;
		}
		qsort(t, REPEATS, sizeof(t[0]), by_value);
		printf("bench %s: %lu %lu %lu\n", benches[b].name, (unsigned long)t[0],
		       (unsigned long)t[REPEATS / 2], (unsigned long)t[REPEATS - 1]);
		fflush(stdout);
	}
	printf("bench end\n");
	fflush(stdout);
	if (getpid() == 1 && argc > 1 && strcmp(argv[1], "poweroff") == 0)
		reboot(RB_POWER_OFF);
	return 0;
}
