/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs many test programs, one after another, on the host or in a machine:
 *
 *	driver SECONDS CAPABILITIES LIST
 *
 * CAPABILITIES (hexadecimal) are what the programs may have at most: root of the host may be less
 * than root of a machine.
 * LIST has one program a line. Each runs in a session and an empty folder of its own, with no input
 * and its output in a file. For each, one line says how it ended:
 *
 *	=== NAME exit 0 | signal 11 | timeout
 *
 * with what it printed in front of it when that was not "exit 0". What a program leaves behind
 * (processes of its session, files of its folder) goes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX 3000

static char folder[64];
static int output;

static void fail(const char *what)
{
	fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	if (where->level > 0)
		(void)!remove(path);
	return 0;
}

static void start(const char *program)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
	    chdir(folder) != 0)
		_exit(126);
	/* Whoever locks all memory, or asks for all priorities, must not take the machine along. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	execl(program, program, NULL);
	_exit(127);
}

/* How it ended, or -1 after `seconds`. */
static int wait_for(pid_t pid, int seconds)
{
	struct timespec limit = { .tv_sec = seconds };
	siginfo_t info;
	sigset_t chld;
	int st;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		if (waitpid(pid, &st, WNOHANG) == pid)
			return st;
		struct timespec before, after;

		clock_gettime(CLOCK_MONOTONIC, &before);
		if (sigtimedwait(&chld, &info, &limit) < 0 && errno == EAGAIN)
			return -1;
		clock_gettime(CLOCK_MONOTONIC, &after);
		limit.tv_sec -= after.tv_sec - before.tv_sec; /* to the second is good enough */
		if (limit.tv_sec < 0)
			return -1;
	}
}

/* Session of a process, from /proc. */
static pid_t session_of(pid_t pid)
{
	return getsid(pid);
}

/* Kill what is left of a session; we are the reaper of its orphans. */
static void kill_session(pid_t sid)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		pid_t pid = atoi(e->d_name);

		if (pid > 0 && pid != getpid() && session_of(pid) == sid)
			kill(pid, SIGKILL);
	}
	if (d != NULL)
		closedir(d);
	kill(sid, SIGKILL);
}

static void say_output(void)
{
	char text[OUTPUT_MAX + 1], *line, *next;
	ssize_t n = pread(output, text, OUTPUT_MAX, 0);

	text[n > 0 ? n : 0] = '\0';
	for (line = text; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		printf("  | %s\n", line);
	}
}

static void run(const char *program, int seconds)
{
	pid_t pid;
	int st;

	if (ftruncate(output, 0) != 0 || lseek(output, 0, SEEK_SET) != 0)
		fail("output");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0)
		start(program);
	st = wait_for(pid, seconds);
	kill_session(pid);
	if (st == -1)
		waitpid(pid, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (st != 0)
		say_output();
	if (st == -1)
		printf("=== %s timeout\n", program);
	else if (WIFSIGNALED(st))
		printf("=== %s signal %d\n", program, WTERMSIG(st));
	else
		printf("=== %s exit %d\n", program, WEXITSTATUS(st));
	fflush(stdout);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Root's programs get what is in the bounding set. */
static void keep_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((keep >> cap & 1) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (syscall(SYS_capget, &h, d) != 0)
		fail("capget");
	for (unsigned i = 0; i < 2; i++) {
		d[i].effective &= (uint32_t)(keep >> (32 * i));
		d[i].permitted &= (uint32_t)(keep >> (32 * i));
	}
	if (syscall(SYS_capset, &h, d) != 0)
		fail("capset");
}

int main(int argc, char **argv)
{
	char line[1024];
	sigset_t chld;
	FILE *list;

	if (argc != 4 || (list = fopen(argv[3], "r")) == NULL)
		fail("usage: driver SECONDS CAPABILITIES LIST");
	keep_capabilities(strtoull(argv[2], NULL, 16));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	strcpy(folder, "/tmp/suite-XXXXXX");
	output = memfd_create("output", MFD_CLOEXEC);
	if (mkdtemp(folder) == NULL || output < 0)
		fail("folder");
	while (fgets(line, sizeof(line), list) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		run(line, atoi(argv[1]));
	}
	rmdir(folder);
	return 0;
}
