/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch [-n RUNS] [-s SLACK] [-t SECONDS] [-d FOLDER] [-q] PROGRAM [ARGUMENT...]: runs a program
 * RUNS times (3) and sees whether the memory comes back: after the last run as much must be free as
 * after the first, but for SLACK KiB (256). What caches keep is given back before each look. A run
 * that takes longer than SECONDS (60) is killed with all that it started. Meant as the first
 * process of a machine: it reaps what others leave. Its own lines go to standard error.
 *
 * Exit status: the last run's (128 and the signal's number), 121 if memory is missing, 124 after a
 * kill, 125 if it could not do its work.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOST    121
#define KILLED  124
#define FAILURE 125

static void die(const char *what)
{
	fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
	_exit(FAILURE);
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "3\n", 2) != 2)
		die("drop_caches");
	close(fd);
}

/* KiB; for the report of a loss also where memory is */
struct memory {
	long free, shmem, slab, stacks, tables;
};

static struct memory look(void)
{
	struct memory m = { -1, 0, 0, 0, 0 };
	char line[128];
	FILE *f;

	drop_caches();
	f = fopen("/proc/meminfo", "r");
	if (f == NULL)
		die("meminfo");
	while (fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "MemFree: %ld kB", &m.free);
		sscanf(line, "Shmem: %ld kB", &m.shmem);
		sscanf(line, "Slab: %ld kB", &m.slab);
		sscanf(line, "KernelStack: %ld kB", &m.stacks);
		sscanf(line, "PageTables: %ld kB", &m.tables);
	}
	fclose(f);
	if (m.free < 0)
		die("MemFree");
	return m;
}

/* ---- a folder for each run ---- */

#define COPY "/tmp/watch-run"

static size_t folder_len;

static void copy_file(const char *from, const char *to, mode_t mode)
{
	static char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, mode & 07777);
	ssize_t n;

	if (in < 0 || out < 0)
		die(from);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			die(to);
	if (n < 0)
		die(from);
	close(in);
	close(out);
}

static int copy_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	char to[4096], link[4096];
	ssize_t n;

	(void)kind;
	(void)where;
	snprintf(to, sizeof(to), "%s%s", COPY, path + folder_len);
	if (S_ISDIR(st->st_mode)) {
		if (mkdir(to, st->st_mode & 07777) == -1)
			die(to);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (symlink(link, to) == -1)
			die(to);
	} else {
		copy_file(path, to, st->st_mode);
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void enter_copy(const char *folder)
{
	folder_len = strlen(folder);
	if (nftw(folder, copy_one, 16, FTW_PHYS) != 0 || chdir(COPY) == -1)
		die(folder);
}

static void leave_copy(void)
{
	if (chdir("/") == -1 || nftw(COPY, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(COPY);
}

/* ---- runs ---- */

static void on_alarm(int sig)
{
	(void)sig;
}

/* Everybody but us; they are gone when nobody is left to wait for. */
static void end_all(void)
{
	for (;;) {
		if (kill(-1, SIGKILL) == -1 && errno != ESRCH)
			die("kill");
		if (waitpid(-1, NULL, 0) == -1 && errno == ECHILD)
			return;
	}
}

static int run(char **argv, unsigned seconds)
{
	int status, result = FAILURE;
	pid_t pid = fork(), ended;

	if (pid == -1)
		die("fork");
	if (pid == 0) {
		setsid();
		execvp(argv[0], argv);
		die(argv[0]);
	}
	alarm(seconds);
	while ((ended = waitpid(-1, &status, 0)) != pid) {
		if (ended == -1 && errno == EINTR) {
			fprintf(stderr, "watch: killed after %u s\n", seconds);
			result = KILLED;
			break;
		}
		if (ended == -1)
			die("wait");
	}
	alarm(0);
	if (ended == pid)
		result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	end_all();
	return result;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct memory first = { 0 }, last = { 0 };
	long runs = 3, slack = 256;
	unsigned seconds = 60;
	const char *folder = NULL;
	struct rusage usage;
	bool quiet = false;
	int opt, status = 0;

	while ((opt = getopt(argc, argv, "+n:s:t:d:q")) != -1) {
		switch (opt) {
		case 'n': runs = atol(optarg); break;
		case 's': slack = atol(optarg); break;
		case 't': seconds = (unsigned)atol(optarg); break;
		case 'd': folder = optarg; break;
		case 'q': quiet = true; break;
		default: return FAILURE;
		}
	}
	if (optind >= argc || runs < 2)
		return FAILURE;
	sigaction(SIGALRM, &sa, NULL);
	for (long i = 0; i < runs && status != KILLED; i++) {
		if (folder != NULL)
			enter_copy(folder);
		status = run(argv + optind, seconds);
		if (folder != NULL)
			leave_copy();
		last = look();
		if (i == 0)
			first = last;
		if (!quiet)
			fprintf(stderr, "watch: run %ld: status %d, %ld KiB free\n", i + 1, status,
				last.free);
	}
	if (!quiet && getrusage(RUSAGE_CHILDREN, &usage) == 0)
		fprintf(stderr, "watch: the largest process had %ld KiB\n", usage.ru_maxrss);
	if (status == KILLED || last.free >= first.free - slack)
		return status;
	fprintf(stderr,
		"watch: %ld KiB are missing, %ld for each run; files took %ld, kernel objects %ld, stacks %ld, page "
		"tables %ld\n",
		first.free - last.free, (first.free - last.free) / (runs - 1),
		last.shmem - first.shmem, last.slab - first.slab, last.stacks - first.stacks,
		last.tables - first.tables);
	return LOST;
}
