/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Things that happen at once: memory that goes while a call uses it, descriptors, folders, programs
 * that end.
 */
#include "test/linux/attack/hostile.h"
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define ROUND_MS 300

static void *start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, fn, arg) != 0)
		_exit(98);
	return (void *)t;
}

static void run_threads(void *(*const fns[])(void *), int n)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + ROUND_MS * 1000000LL;

	for (int i = 0; i < n; i++)
		start(fns[i], NULL);
	while (now_ns(CLOCK_MONOTONIC) < end)
		usleep(1000);
	_exit(0);
}

static char *area;
static int fds[2];

static void *map_unmap(void *arg UNUSED)
{
	for (;;) {
		mmap(area, 16 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		sched_yield();
		munmap(area + (rnd() % 16) * PAGE, PAGE);
		mprotect(area, 8 * PAGE, rnd() & 1 ? PROT_READ : PROT_NONE);
		mremap(area + 8 * PAGE, 4 * PAGE, 6 * PAGE, 0);
		madvise(area, 16 * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

static void *write_from_area(void *arg UNUSED)
{
	for (;;)
		if (write(fds[1], area + rnd() % PAGE, 8 * PAGE) < 0)
			sched_yield();
	return NULL;
}

static void *read_into_area(void *arg UNUSED)
{
	for (;;) {
		struct iovec v[3] = { { area, PAGE },
				      { area + 5 * PAGE, 3 * PAGE },
				      { area + 15 * PAGE, PAGE } };

		if (readv(fds[0], v, 3) < 0)
			sched_yield();
	}
	return NULL;
}

static void *fork_often(void *arg UNUSED)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

static void memory_goes(void)
{
	expect_signal(CHILD({
			      static void *(*const fns[])(void *) = { map_unmap, write_from_area,
								      read_into_area, fork_often,
								      map_unmap };

			      seed = 1;
			      signal(SIGPIPE, SIG_IGN);
			      area = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			      MUST(pipe(fds));
			      run_threads(fns, 5);
		      }),
		      0, "memory that goes");
	expect_alive("memory that goes");
	finish("memory that goes");
}

static void *close_and_open(void *arg UNUSED)
{
	for (;;) {
		int fd = 10 + (int)(rnd() % 8), p[2];

		switch (rnd() % 6) {
		case 0: close(fd); break;
		case 1: dup2(open("file", O_RDWR | O_CREAT, 0600), fd); break;
		case 2:
			if (pipe2(p, O_NONBLOCK) == 0) {
				dup2(p[0], fd);
				dup2(p[1], 10 + (fd + 1) % 8);
				close(p[0]);
				close(p[1]);
			}
			break;
		case 3: dup2(eventfd(1, EFD_NONBLOCK), fd); break;
		case 4: dup2(epoll_create1(0), fd); break;
		default: syscall(SYS_close_range, 30, ~0u, 0); break;
		}
	}
	return NULL;
}

static void *use_descriptors(void *arg UNUSED)
{
	char buf[64];

	for (;;) {
		int fd = 10 + (int)(rnd() % 8), other = 10 + (int)(rnd() % 8);
		struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT |
						    (rnd() & 1 ? EPOLLET : 0) },
				   out[4];
		struct pollfd p[2] = { { fd, POLLIN, 0 }, { other, POLLOUT, 0 } };

		switch (rnd() % 8) {
		case 0: epoll_ctl(fd, EPOLL_CTL_ADD, other, &ev); break;
		case 1: epoll_ctl(fd, EPOLL_CTL_DEL, other, &ev); break;
		case 2: epoll_wait(fd, out, 4, 1); break;
		case 3: poll(p, 2, 1); break;
		case 4: (void)!read(fd, buf, sizeof(buf)); break;
		case 5: (void)!write(fd, buf, sizeof(buf)); break;
		case 6: fcntl(fd, F_SETFL, O_NONBLOCK); break;
		default: fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK }); break;
		}
	}
	return NULL;
}

static void descriptors_go(void)
{
	expect_signal(CHILD({
			      static void *(*const fns[])(
				      void *) = { close_and_open, use_descriptors, use_descriptors,
						  use_descriptors, close_and_open };

			      seed = 2;
			      signal(SIGPIPE, SIG_IGN);
			      run_threads(fns, 5);
		      }),
		      0, "descriptors that go");
	/* The last reference ends while somebody waits on it. */
	for (int i = 0; i < 50; i++) {
		pid_t pid = START({
			static void *(*const fns[])(void *) = { use_descriptors };

			MUST(pipe(fds));
			start(fns[0], NULL);
			start(read_into_area, NULL);
			if (i & 1)
				close(fds[0]);
			close(fds[1]);
			_exit(0);
		});
		int st = 0;
		EXPECT(wait_or_kill(pid, 3000, &st), "a process does not end");
	}
	expect_alive("descriptors that go");
	finish("descriptors that go");
}

static void *rename_things(void *arg UNUSED)
{
	static const char *const n[] = {
		"a", "b", "a/c", "b/c", "a/c/d", "b/d", "f", "a/f", "b/f"
	};

	for (;;) {
		const char *x = n[rnd() % COUNT(n)], *y = n[rnd() % COUNT(n)];

		switch (rnd() % 9) {
		case 0: mkdir(x, 0700); break;
		case 1: rmdir(x); break;
		case 2: rename(x, y); break;
		case 3: renameat2(AT_FDCWD, x, AT_FDCWD, y, RENAME_EXCHANGE); break;
		case 4: unlink(x); break;
		case 5: (void)!symlink(y, x); break;
		case 6: (void)!link(x, y); break;
		case 7: close(open(x, O_RDWR | O_CREAT | (rnd() & 1 ? O_TRUNC : 0), 0600)); break;
		default: (void)!truncate(x, (off_t)(rnd() % 20000)); break;
		}
	}
	return NULL;
}

static void *walk_things(void *arg UNUSED)
{
	char buf[4096];

	for (;;) {
		struct stat st;
		int fd = open(rnd() & 1 ? "a/c/d/../../c" : "b", O_RDONLY);

		if (fd >= 0) {
			syscall(SYS_getdents64, fd, buf, sizeof(buf));
			if (fchdir(fd) == 0) {
				syscall(SYS_getcwd, buf, sizeof(buf));
				(void)!chdir("../../..");
			}
			close(fd);
		}
		stat("a/c/../../b/c/f", &st);
		fd = open("f", O_RDWR);
		if (fd >= 0) {
			char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

			(void)!write(fd, buf, 1000);
			(void)!pread(fd, buf, 4096, 0);
			if (p != MAP_FAILED) {
				(void)!write(fd, p, 100);
				munmap(p, 4 * PAGE);
			}
			close(fd);
		}
	}
	return NULL;
}

static void names_go(void)
{
	int st;
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = START({
			static void *(*const fns[])(void *) = { rename_things, walk_things,
								rename_things };

			seed = 3 + (uint64_t)i;
			run_threads(fns, 3);
		});
	for (int i = 0; i < 4; i++) {
		waitpid(pids[i], &st, 0);
		expect_signal(st, 0, "names that go");
	}
	expect_alive("names that go");
	finish("names that go");
}

static void *exec_soon(void *arg UNUSED)
{
	char *argv[] = { "races", "--nothing", NULL };

	usleep((useconds_t)(rnd() % 3000));
	execv(own_path(), argv);
	return NULL;
}

static void *vfork_often(void *arg UNUSED)
{
	for (;;) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* Processes with threads everywhere in the kernel are killed, or turn into other programs. */
static void programs_end(void)
{
	for (int i = 0; i < 60; i++) {
		pid_t pid = START({
			static void *(*const fns[])(void *) = { map_unmap,       write_from_area,
								fork_often,      vfork_often,
								use_descriptors, exec_soon };

			seed = 100 + (uint64_t)i;
			signal(SIGPIPE, SIG_IGN);
			area = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			MUST(pipe(fds));
			for (int k = 0; k < 5; k++)
				start(fns[k], NULL);
			if (i % 3 == 0)
				exec_soon(NULL);
			if (i % 3 == 1)
				start(exec_soon, NULL);
			usleep((useconds_t)(rnd() % 5000));
			_exit(0);
		});
		int st = 0;

		if (i % 2) {
			usleep((useconds_t)(i * 97 % 4000));
			kill(pid, i % 4 == 1 ? SIGKILL : SIGTERM);
		}
		EXPECT(wait_or_kill(pid, 5000, &st), "a process does not end");
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	expect_alive("programs that end");
	finish("programs that end");
}

static volatile unsigned handled;

static void on_storm(int sig UNUSED)
{
	handled++;
}

/* Signals from all sides: to handlers that interrupt each other, stops and continues. */
static void signal_storm(void)
{
	int st;
	pid_t pid = START({
		struct sigaction sa = { .sa_handler = on_storm, .sa_flags = SA_NODEFER };

		for (int s = 1; s <= 64; s++)
			sigaction(s, &sa, NULL);
		for (;;) {
			char c;

			(void)!read(-1, &c, 1);
			usleep(100);
			sched_yield();
		}
	});
	for (int i = 0; i < 20000; i++)
		kill(pid, 1 + i % 64 == SIGKILL ? SIGCONT : 1 + i % 64);
	EXPECT(waitpid(pid, &st, WNOHANG) == 0 || WIFSIGNALED(st), "ended: %#x", st);
	kill(pid, SIGCONT);
	kill(pid, SIGKILL);
	wait_for(pid);
	expect_alive("signals");
	finish("signals");
}

/* A terminal whose ends go while others read, write, stop. */
static void terminals_go(void)
{
	for (int i = 0; i < 50; i++) {
		int m = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), s;
		char name[64], buf[64];

		if (m < 0)
			break;
		grantpt(m);
		unlockpt(m);
		ptsname_r(m, name, sizeof(name));
		pid_t pid = START({
			setsid();
			s = open(name, O_RDWR);
			close(m); /* it is the parent's that goes */
			if (i & 1)
				signal(SIGHUP, SIG_IGN);
			if (i & 2)
				START(for (;;) if (read(s, buf, sizeof(buf)) <= 0) _exit(0));
			for (int k = 0; k < 100; k++)
				if (write(s, "text\n", 5) < 0)
					_exit(0);
			(void)!read(s, buf, sizeof(buf));
		});
		int st = 0;
		for (int k = 0; k < i; k++) {
			(void)!write(m, "\x03typed\n\x1a\x11", 9);
			(void)!read(m, buf, sizeof(buf));
		}
		ioctl(m, TIOCSWINSZ, &(struct winsize){ 1, 2, 3, 4 });
		close(m);
		EXPECT(wait_or_kill(pid, 3000, &st), "a process on a terminal does not end");
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	expect_alive("terminals");
	finish("terminals");
}

static const struct section sections[] = {
	{ "memory_goes", memory_goes },   { "descriptors_go", descriptors_go },
	{ "names_go", names_go },         { "programs_end", programs_end },
	{ "signal_storm", signal_storm }, { "terminals_go", terminals_go },
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--nothing") == 0)
		return 0;
	return run_sections(argc, argv, sections, COUNT(sections));
}
