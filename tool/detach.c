/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/report.h"

#define NEWS_READY  'r'
#define NEWS_ENDED  'e'
#define NEWS_FAILED 'f'

static int open_log(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void ended_early(const char *name, int code)
{
	char *hint = xasprintf("ringfence logs %s shows its output, ringfence rm %s removes it",
			       name, name);

	error_note(hint, "the program of the machine %s ended with exit code %d before it listened",
		   name, code);
	_exit(code != 0 ? code : EXIT_NOVM);
}

/* In the command itself: wait for what becomes of it. */
static void wait_for_news(int news, pid_t child, const char *folder)
{
	unsigned char word[2];
	ssize_t n;
	size_t got = 0;

	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	while (got < sizeof(word) && (n = read(news, word + got, sizeof(word) - got)) != 0)
		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			break;
	if (got < 1)
		die(EXIT_TOOL, "is the host short of memory?",
		    "the process that was to hold the machine is gone");
	if (word[0] == NEWS_ENDED)
		ended_early(path_base(folder), got > 1 ? word[1] : EXIT_TOOL);
	if (word[0] != NEWS_READY)
		_exit(got > 1 ? word[1] : EXIT_TOOL);
	printf("%s\n", path_base(folder));
	if (fflush(stdout) != 0)
		_exit(EXIT_TOOL);
	_exit(0);
}

/* The owner ends by die() before the program runs. */
static void at_exit(int code, void *detach)
{
	struct detach *d = detach;
	char *folder = d->news >= 0 ? path_parent(d->log) : NULL;

	if (folder == NULL)
		return;
	remove_tree(folder); /* the user has the messages; nothing is to be kept */
	free(folder);
	detach_tell_failed(d, code);
}

void detach_start(struct detach *d, const char *folder)
{
	int pipe_ends[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC), log;

	*d = (struct detach){ .on = true, .log = path_join(folder, "log") };
	log = open_log(d->log);
	if (pipe2(pipe_ends, O_CLOEXEC) != 0 || null < 0 || log < 0)
		die(EXIT_TOOL, NULL, "the machine cannot be detached: %s", strerror(errno));
	fflush(stdout);
	pid_t child = fork();

	if (child < 0)
		die(EXIT_TOOL, NULL, "no process can be started: %s", strerror(errno));
	if (child > 0) {
		close(pipe_ends[1]);
		wait_for_news(pipe_ends[0], child, folder);
	}
	setsid();
	child = fork(); /* no leader of a session: no terminal can become ours */
	if (child != 0)
		_exit(child < 0 ? 1 : 0);
	close(pipe_ends[0]);
	d->news = pipe_ends[1];
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	close(null);
	close(log);
	signal(SIGHUP, SIG_IGN);
	on_exit(at_exit, d);
}

static void send_news(struct detach *d, char what, int code)
{
	const char word[2] = { what, (char)code };

	if (!d->on || d->news < 0)
		return;
	(void)!write(d->news, word, sizeof(word));
	close(d->news);
	d->news = -1;
}

void detach_tell_ready(struct detach *d)
{
	if (!d->on || d->news < 0)
		return;
	dup2(STDOUT_FILENO, STDERR_FILENO);
	send_news(d, NEWS_READY, 0);
	if (chdir("/") != 0) /* no file system shall be kept from being unmounted */
		note("the folder cannot be changed: %s", strerror(errno));
}

void detach_tell_ended(struct detach *d, int code)
{
	send_news(d, NEWS_ENDED, code);
}

void detach_tell_failed(struct detach *d, int code)
{
	send_news(d, NEWS_FAILED, code);
}

void detach_check_log(struct detach *d)
{
	struct stat st;
	char *old;
	int fd;

	if (!d->on || fstat(STDOUT_FILENO, &st) != 0 || st.st_size < (off_t)LOG_MOST)
		return;
	old = xasprintf("%s.1", d->log);
	if (rename(d->log, old) == 0 && (fd = open_log(d->log)) >= 0) {
		bool errors_too = d->news < 0;

		dup2(fd, STDOUT_FILENO);
		if (errors_too)
			dup2(fd, STDERR_FILENO);
		close(fd);
	}
	free(old);
}
