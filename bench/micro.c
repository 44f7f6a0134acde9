/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What single operations cost, measured by the program that performs them. The same static binary
 * runs on every kernel; under `-icount shift=0` a nanosecond of the clock is one instruction.
 * Prints "name min median max", in hundredths of a nanosecond per operation.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static void bench_yield(unsigned n)
{
	while (n--)
		sched_yield();
}

static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(path);
	return fd;
}

/* /dev/null where there is one (a bare initramfs has none). */
static int null_device(void)
{
	if (access("/dev/null", F_OK) != 0 && mknod("/dev/null", S_IFCHR | 0666, 0x103) != 0)
		fail("/dev/null");
	return open_or_fail("/dev/null", O_RDWR);
}

static void bench_read_null(unsigned n)
{
	int fd = null_device();
	char c;

	while (n--)
		if (read(fd, &c, 1) != 0)
			fail("read");
	close(fd);
}

static void bench_write_null(unsigned n)
{
	int fd = null_device();

	while (n--)
		if (write(fd, "x", 1) != 1)
			fail("write");
	close(fd);
}

static void bench_open_read_close(unsigned n)
{
	char buf[64];

	while (n--) {
		int fd = open_or_fail(self, O_RDONLY);

		if (read(fd, buf, sizeof(buf)) != sizeof(buf))
			fail("read");
		close(fd);
	}
}

static void bench_stat(unsigned n)
{
	struct stat st;

	while (n--)
		if (stat(self, &st) != 0)
			fail("stat");
}

static void on_usr1(int sig)
{
	(void)sig;
}

static void bench_signal(unsigned n)
{
	pid_t pid = getpid();

	signal(SIGUSR1, on_usr1);
	while (n--)
		kill(pid, SIGUSR1);
}

static void bench_mmap_touch(unsigned n)
{
	while (n--) {
		char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			fail("mmap");
		*p = 1;
		munmap(p, 4096);
	}
}

/* A page made read-only and writable again, and written. */
static void bench_mprotect(unsigned n)
{
	volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				0);

	while (n--) {
		*p = 1;
		if (mprotect((void *)p, 4096, PROT_READ) != 0 ||
		    mprotect((void *)p, 4096, PROT_READ | PROT_WRITE) != 0)
			fail("mprotect");
	}
	munmap((void *)p, 4096);
}

static void bench_epoll(unsigned n)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC), fds[2];

	if (ep < 0 || pipe(fds) != 0 || write(fds[1], "x", 1) != 1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev) != 0)
		fail("epoll");
	while (n--)
		if (epoll_wait(ep, &got, 1, -1) != 1)
			fail("epoll_wait");
	close(fds[0]);
	close(fds[1]);
	close(ep);
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

static void echo_socket(int fd, unsigned n)
{
	char c;

	while (n--)
		if (read(fd, &c, 1) != 1 || write(fd, &c, 1) != 1)
			fail("echo");
}

static void bench_socketpair(unsigned n)
{
	int fds[2];
	char c = 'x';
	pid_t p;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		fail("socketpair");
	p = fork();
	if (p == 0) {
		echo_socket(fds[1], n);
		_exit(0);
	}
	while (n--)
		if (write(fds[0], &c, 1) != 1 || read(fds[0], &c, 1) != 1)
			fail("ping");
	waitpid(p, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* Whose turn it is, in memory that both sides see. */
static volatile uint32_t *turn;

static void take_turns(uint32_t me, unsigned n)
{
	while (n--) {
		while (*turn != me)
			syscall(SYS_futex, turn, FUTEX_WAIT, !me, NULL, NULL, 0);
		*turn = !me;
		syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static void open_turns(void)
{
	turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turn == MAP_FAILED)
		fail("mmap");
}

static void *turn_thread(void *n)
{
	take_turns(1, (unsigned)(uintptr_t)n);
	return NULL;
}

static void bench_futex_threads(unsigned n)
{
	pthread_t t;

	open_turns();
	if (pthread_create(&t, NULL, turn_thread, (void *)(uintptr_t)n) != 0)
		fail("pthread_create");
	take_turns(0, n);
	pthread_join(t, NULL);
	munmap((void *)turn, 4096);
}

static void bench_futex_processes(unsigned n)
{
	pid_t p;

	open_turns();
	p = fork();
	if (p == 0) {
		take_turns(1, n);
		_exit(0);
	}
	take_turns(0, n);
	waitpid(p, NULL, 0);
	munmap((void *)turn, 4096);
}

/*
 * Two processes that do nothing but give way to each other, in a class where that always means the
 * other one.
 */
static void bench_switch(unsigned n)
{
	struct sched_param first = { .sched_priority = 1 }, none = { 0 };
	pid_t p;

	if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
		fail("SCHED_FIFO");
	p = fork();
	bench_yield(n / 2);
	sched_setscheduler(0, SCHED_OTHER, &none);
	if (p == 0)
		_exit(0);
	waitpid(p, NULL, 0);
}

static void bench_spawn(unsigned n)
{
	char *const argv[] = { (char *)self, "exit", NULL }, *const env[] = { NULL };

	while (n--) {
		int status;
		pid_t p;

		if (posix_spawn(&p, self, NULL, NULL, argv, env) != 0 ||
		    waitpid(p, &status, 0) != p || status != 0)
			fail("posix_spawn");
	}
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
	{ "sched_yield", bench_yield, 20000 },
	{ "read /dev/null", bench_read_null, 20000 },
	{ "write /dev/null", bench_write_null, 20000 },
	{ "open+read+close", bench_open_read_close, 2000 },
	{ "stat", bench_stat, 5000 },
	{ "signal", bench_signal, 5000 },
	{ "mmap+touch+munmap", bench_mmap_touch, 2000 },
	{ "mprotect pair", bench_mprotect, 2000 },
	{ "epoll_wait ready", bench_epoll, 10000 },
	{ "page fault", bench_fault, 64 * MIB / 4096 },
	{ "fork+exit+wait", bench_fork, 50 },
	{ "vfork+exec+exit+wait", bench_vfork_exec, 50 },
	{ "pipe ping-pong, processes", bench_pipe_processes, 1000 },
	{ "pipe ping-pong, threads", bench_pipe_threads, 1000 },
	{ "futex ping-pong, processes", bench_futex_processes, 1000 },
	{ "futex ping-pong, threads", bench_futex_threads, 1000 },
	{ "Unix socketpair ping-pong", bench_socketpair, 1000 },
	{ "switch of processes", bench_switch, 4000 },
	{ "posix_spawn+wait", bench_spawn, 50 },
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
