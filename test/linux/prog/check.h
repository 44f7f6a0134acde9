/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small checks of system calls, printed as lines that must be equal on Linux and in Ringfence:
 * name, result, name of the error. A program is a list of sections; each section runs in a process
 * of its own, so that a crash or a hang loses that section only. `PROG NAME...` runs the sections
 * of these names; `PROG -n NAME` without fork.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED          __attribute__((unused))
#define COUNT(a)        (sizeof(a) / sizeof((a)[0]))
#define SECTION_SECONDS 40

struct section {
	const char *name;
	void (*run)(void);
};

static const char *section_name = "";

/* One line in one write(), so that lines of several processes do not mix. */
__attribute__((format(printf, 1, 2))) UNUSED static void say(const char *fmt, ...)
{
	static unsigned lines;
	char line[1024];
	int saved = errno;
	int n = snprintf(line, sizeof(line), "%s: ", section_name);
	va_list ap;

	/* A check that went astray in a loop. */
	if (lines++ > 5000)
		_exit(97);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(1, line, (size_t)n) != n)
		_exit(99);
	errno = saved;
}

UNUSED static const char *error_name(int e)
{
	const char *name = strerrorname_np(e);

	return name != NULL ? name : "E?";
}

UNUSED static const char *signal_name(int sig)
{
	static char text[4][16];
	static unsigned turn;
	const char *name = sigabbrev_np(sig);
	char *out = text[turn++ % COUNT(text)];

	snprintf(out, sizeof(text[0]), name != NULL ? "SIG%s" : "SIG%.0s%d",
		 name != NULL ? name : "", sig);
	return out;
}

/* Result of a call: its value, or the error. */
UNUSED static long say_result(const char *name, long r)
{
	if (r == -1)
		say("%s = -1 %s", name, error_name(errno));
	else
		say("%s = %ld", name, r);
	return r;
}

/* Only success or the error, for calls whose value differs from run to run. */
UNUSED static long say_success(const char *name, long r)
{
	if (r == -1)
		say("%s = -1 %s", name, error_name(errno));
	else
		say("%s = ok", name);
	return r;
}

/* RET("open", open(...)) prints the value, RES prints "ok" for every value but -1. */
#define RET(name, call)                         \
	({                                      \
		errno = 0;                      \
		say_result(name, (long)(call)); \
	})
#define RES(name, call)                          \
	({                                       \
		errno = 0;                       \
		say_success(name, (long)(call)); \
	})
#define VAL(name, value) say("%s: %ld", name, (long)(value))
#define HEX(name, value) say("%s: %#lx", name, (unsigned long)(value))
#define STR(name, text)  say("%s: \"%s\"", name, text)
#define YES(name, cond)  say("%s: %s", name, (cond) ? "yes" : "NO")

/* A step that is not the subject of the test; the section cannot go on without it. */
#define MUST(call)                                                                            \
	({                                                                                    \
		errno = 0;                                                                    \
		long must_ = (long)(call);                                                    \
		if (must_ == -1) {                                                            \
			say("%s:%d: %s failed: %s", strrchr("/" __FILE__, '/') + 1, __LINE__, \
			    #call, error_name(errno));                                        \
			_exit(98);                                                            \
		}                                                                             \
		must_;                                                                        \
	})

UNUSED static void say_status(const char *name, int st)
{
	if (WIFEXITED(st))
		say("%s: exit %d", name, WEXITSTATUS(st));
	else if (WIFSIGNALED(st))
		say("%s: killed by %s", name, signal_name(WTERMSIG(st)));
	else if (WIFSTOPPED(st))
		say("%s: stopped by %s", name, signal_name(WSTOPSIG(st)));
	else if (WIFCONTINUED(st))
		say("%s: continued", name);
	else
		say("%s: status %#x", name, st);
}

UNUSED static int wait_for(pid_t pid)
{
	int st = -1;

	while (waitpid(pid, &st, 0) == -1 && errno == EINTR)
		;
	return st;
}

/* Run statements in a child; START gives its pid, CHILD waits and gives its status. */
#define START(...)                                  \
	({                                          \
		pid_t start_ = (pid_t)MUST(fork()); \
		if (start_ == 0) {                  \
			__VA_ARGS__;                \
			_exit(0);                   \
		}                                   \
		start_;                             \
	})
#define CHILD(...) wait_for(START(__VA_ARGS__))

/* An event between processes: one byte through a pipe. */
struct event {
	int fd[2];
};

UNUSED static struct event event_new(void)
{
	struct event e;

	MUST(pipe(e.fd));
	return e;
}

UNUSED static void event_set(struct event *e)
{
	MUST(write(e->fd[1], "x", 1));
}

UNUSED static void event_wait(struct event *e)
{
	char c;

	while (read(e->fd[0], &c, 1) == -1 && errno == EINTR)
		;
}

/*
 * Wait until process or thread `pid` sleeps in the kernel (state S) or stands in another given
 * state.
 */
UNUSED static void wait_state(pid_t pid, char state)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
		char *end;

		if (fd >= 0)
			close(fd);
		if (n <= 0)
			return;
		text[n] = 0;
		end = strrchr(text, ')');
		if (end != NULL && end[2] == state)
			return;
		usleep(1000);
	}
}

UNUSED static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* A file with these contents, replacing what was there. */
UNUSED static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = (int)MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));

	if (text[0] != 0)
		MUST(write(fd, text, strlen(text)));
	MUST(fchmod(fd, mode));
	MUST(close(fd));
}

/* The path of the running program. */
UNUSED static const char *own_path(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = 0;
	return path;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
		      struct FTW *where UNUSED)
{
	return remove(path);
}

/*
 * Wait for the end of `pid`, but not for ever; other children (orphans, if we are process 1) are
 * reaped on the way.
 */
static int wait_section(pid_t pid, const sigset_t *chld)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + SECTION_SECONDS * 1000000000LL;
	pid_t got;
	int st;

	for (;;) {
		while ((got = waitpid(-1, &st, WNOHANG)) > 0)
			if (got == pid)
				return st;
		if (now_ns(CLOCK_MONOTONIC) > end) {
			say("no end after %d seconds", SECTION_SECONDS);
			kill(pid, SIGKILL);
			end += SECTION_SECONDS * 1000000000LL;
		}
		sigtimedwait(chld, NULL, &(struct timespec){ .tv_sec = 1 });
	}
}

/* Each section has a folder of its own, which is its current one. */
static int run_section(const struct section *s, bool forked)
{
	char scratch[256];
	const char *base = getenv("TMPDIR");
	sigset_t chld;
	pid_t pid;
	int st;

	section_name = s->name;
	snprintf(scratch, sizeof(scratch), "%s/prog-XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(scratch) == NULL)
		MUST(-1);
	MUST(chmod(scratch, 0777));
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid = forked ? fork() : 0;
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		MUST(chdir(scratch));
		s->run();
		_exit(0);
	}
	st = wait_section(pid, &chld);
	nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (st != 0)
		say_status("END OF SECTION", st);
	return st != 0;
}

static bool chosen(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

UNUSED static int run_sections(int argc, char **argv, const struct section *list, size_t count)
{
	bool forked = !(argc == 3 && strcmp(argv[1], "-n") == 0);
	int failed = 0;

	for (size_t i = 0; i < count; i++)
		if (chosen(argc, argv, list[i].name))
			failed |= run_section(&list[i], forked);
	return failed;
}
