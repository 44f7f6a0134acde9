/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/cc/cc.h"

static char *folder; /* of this run; NULL: not made */
static volatile sig_atomic_t got_signal;

void fail(const char *fmt, ...)
{
	va_list ap;

	fputs("ringfence-cc: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void add_words(struct strv *to, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++)
		strv_add(to, list[i]);
}

struct strv run_compiler(void)
{
	const char *text = getenv("RINGFENCE_CC");
	struct strv command = { 0 };

	if (text == NULL || text[strspn(text, " \t")] == '\0')
		text = "cc";
	while (*(text += strspn(text, " \t")) != '\0') {
		size_t n = strcspn(text, " \t");

		strv_take(&command, xstrndup(text, n));
		text += n;
	}
	return command;
}

/* ---- this run's own folder ---- */

static void remove_folder(void)
{
	remove_tree(folder);
}

/* The compiler gets the signal, too: we tidy up when it has ended. */
static void on_signal(int sig)
{
	got_signal = sig;
}

static void make_folder(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const char *tmp = getenv("TMPDIR");

	folder = xasprintf("%s/ringfence-cc-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL)
		fail("cannot make a folder %s: %s", folder, strerror(errno));
	atexit(remove_folder);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;

		/* Who starts us with a signal ignored wants it so. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			signal(signals[i], on_signal);
	}
}

char *scratch(const char *fmt, ...)
{
	va_list ap;
	char *name, *path;

	if (folder == NULL)
		make_folder();
	va_start(ap, fmt);
	if (vasprintf(&name, fmt, ap) < 0)
		fail("no memory");
	va_end(ap);
	path = path_join(folder, name);
	free(name);
	return path;
}

void write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0 || write_all(fd, data, size) != 0 || close(fd) != 0)
		fail("cannot write %s: %s", path, strerror(errno));
}

/* ---- commands ---- */

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail("cannot wait for a program: %s", strerror(errno));
	if (got_signal != 0)
		exit(128 + got_signal);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* `out`: where its output and errors go; -1: where ours go. */
static pid_t start(const struct strv *command, int out)
{
	pid_t pid;

	fflush(stderr);
	pid = fork();
	if (pid < 0)
		fail("cannot start %s: %s", command->v[0], strerror(errno));
	if (pid > 0)
		return pid;
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	execvp(command->v[0], command->v);
	fprintf(stderr, "ringfence-cc: %s: %s%s\n", command->v[0], strerror(errno),
		errno == ENOENT ? "; install the package binutils, or gcc" : "");
	_exit(127);
}

void run(const struct strv *command)
{
	int code = wait_for(start(command, -1));

	if (code != 0)
		exit(code);
}

char *run_quietly(const struct strv *command, int *code)
{
	char *path = scratch("output"), *text;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t size;

	if (fd < 0)
		fail("cannot write %s: %s", path, strerror(errno));
	*code = wait_for(start(command, fd));
	close(fd);
	if (read_whole_file(path, 1 << 20, &text, &size) != 0)
		fail("cannot read %s: %s", path, strerror(errno));
	while (size > 0 && text[size - 1] == '\n')
		text[--size] = '\0';
	free(path);
	return text;
}
