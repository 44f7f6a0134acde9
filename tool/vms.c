/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/vms.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/link.h"
#include "tool/report.h"
#include "tool/state.h"
#include "tool/statejson.h"

/* ---- ps ---- */

static const char *age(int64_t since, char buf[32])
{
	int64_t s = since > 0 ? (int64_t)time(NULL) - since : 0;

	if (s < 120)
		snprintf(buf, 32, "%lld s", (long long)s);
	else if (s < 120 * 60)
		snprintf(buf, 32, "%lld min", (long long)s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, 32, "%lld h", (long long)s / 3600);
	else
		snprintf(buf, 32, "%lld days", (long long)s / 86400);
	return buf;
}

static void status_text(const struct vm_state *s, char buf[96])
{
	char since[32];

	if (s->phase == VM_EXITED)
		snprintf(buf, 96, "exited (%d) %s ago", s->exit_code, age(s->ended, since));
	else if (s->restarts > 0)
		snprintf(buf, 96, "%s %s (%u restarts)", state_phase_name(s->phase),
			 age(s->created, since), s->restarts);
	else
		snprintf(buf, 96, "%s %s", state_phase_name(s->phase), age(s->created, since));
}

static char *ports_text(const struct vm_state *s)
{
	char *text = xstrdup(s->ports.n == 0 ? "-" : "");

	for (size_t i = 0; i < s->ports.n; i++) {
		char *longer = xasprintf("%s%s%s", text, i > 0 ? "," : "", s->ports.v[i]);

		free(text);
		text = longer;
	}
	return text;
}

static void print_table(const struct vm_state *all, size_t n, bool also_ended)
{
	printf("%-20s %-28s %-24s %8s  %s\n", "NAME", "STATE", "PORTS", "MEMORY", "PROGRAM");
	for (size_t i = 0; i < n; i++) {
		char status[96], memory[32], *ports = ports_text(&all[i]);

		status_text(&all[i], status);
		snprintf(memory, sizeof(memory), "%lluM",
			 (unsigned long long)(all[i].memory >> 20));
		if (all[i].alive || also_ended)
			printf("%-20s %-28s %-24s %8s  %.60s\n", all[i].name, status, ports, memory,
			       all[i].program);
		free(ports);
	}
}

static void print_list(const struct vm_state *all, size_t n, bool also_ended)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < n; i++)
		if (all[i].alive || also_ended)
			cJSON_AddItemToArray(list, statejson_make(&all[i]));
	char *text = cJSON_Print(list);

	printf("%s\n", text != NULL ? text : "[]");
	cJSON_free(text);
	cJSON_Delete(list);
}

int command_ps(bool also_ended, bool json)
{
	struct vm_state *all;
	size_t n = state_list(&all);

	if (json)
		print_list(all, n, also_ended);
	else
		print_table(all, n, also_ended);
	state_list_free(all, n);
	return fflush(stdout) == 0 ? 0 : EXIT_TOOL;
}

/* ---- one machine ---- */

static void load(const char *name, struct vm_state *s)
{
	struct vm_state *all;
	size_t n = state_list(&all); /* tidies up */

	state_list_free(all, n);
	if (!state_load(name, s))
		state_unknown(name);
}

/* Connection to the owner; -1 if it has ended (just now, perhaps). */
static int reach(const char *name)
{
	char *path = state_path(name, "socket");
	int fd = link_connect(path);

	if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
		die(EXIT_TOOL, NULL, "%s: %s", path, strerror(errno));
	free(path);
	return fd;
}

static void has_ended(const char *name)
{
	char *hint = xasprintf("ringfence logs %s shows its output, ringfence rm %s removes it",
			       name, name);

	die(EXIT_NOVM, hint, "the machine %s has ended", name);
}

/* Send one message and read the answer: dies on an error. False: the owner has gone meanwhile. */
static bool ask(int fd, const char *name, enum link_kind kind, uint32_t value)
{
	struct link_head head;
	char *data = xmalloc(LINK_DATA_MAX);
	size_t len;
	bool answered = link_send(fd, kind, value, NULL, 0) &&
			link_receive(fd, &head, data, &len) > 0;

	if (answered && head.kind == LINK_ERROR)
		die(EXIT_TOOL, NULL, "%s: %.*s", name, (int)len, data);
	free(data);
	return answered;
}

/* The owner holds its end as long as it lives. */
static void wait_for_end(int fd)
{
	struct link_head head;
	char *data = xmalloc(LINK_DATA_MAX);
	size_t len;

	while (link_receive(fd, &head, data, &len) > 0)
		;
	free(data);
	close(fd);
}

int command_kill(const char *name, int sig)
{
	struct vm_state s;
	int fd;

	load(name, &s);
	fd = s.alive ? reach(name) : -1;
	if (fd < 0 || !ask(fd, name, LINK_SIGNAL, (uint32_t)sig))
		has_ended(name);
	close(fd);
	state_free(&s);
	return 0;
}

int command_stop(const char *name, unsigned seconds)
{
	struct vm_state s;
	int fd;

	load(name, &s);
	fd = s.alive ? reach(name) : -1;
	if (fd < 0 || !ask(fd, name, LINK_STOP, seconds))
		has_ended(name);
	wait_for_end(fd);
	state_free(&s);
	return 0;
}

int command_rm(const char *name, bool force)
{
	struct vm_state s;
	int fd;

	load(name, &s);
	fd = s.alive ? reach(name) : -1;
	if (fd >= 0 && !force) {
		char *hint = xasprintf("ringfence stop %s, or ringfence rm -f %s", name, name);

		die(EXIT_NOVM, hint, "the machine %s runs", name);
	}
	if (fd >= 0) {
		(void)ask(fd, name, LINK_KILL, 0); /* or it ended just now: all the better */
		wait_for_end(fd);
	}
	/* The lock goes with the owner's last breath, a moment after its socket. */
	for (unsigned tries = 0; !state_remove(name); tries++) {
		struct timespec nap = { .tv_nsec = 10000000 };

		if (tries == 500)
			die(EXIT_TOOL, "is another command at work on it?",
			    "the machine %s does not go", name);
		nanosleep(&nap, NULL);
	}
	state_free(&s);
	return 0;
}

int command_wait(const char *name)
{
	struct vm_state s;
	int fd;

	load(name, &s);
	fd = s.alive ? reach(name) : -1;
	if (fd >= 0)
		wait_for_end(fd);
	state_free(&s);
	/* A machine in the foreground of another command is gone without a trace. */
	if (!state_load(name, &s))
		die(EXIT_NOVM, "its own command has its exit code",
		    "the machine %s was in the foreground and is gone", name);
	int code = s.exit_code;

	state_free(&s);
	return code;
}

/* ---- logs ---- */

/* Copy from where it stands to the end. False: standard output is gone. */
static bool copy_on(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write_all(STDOUT_FILENO, buf, (size_t)n) != 0)
			return false;
	return true;
}

/* Follow the log, also into the next file, until the owner ends. */
static void follow_log(const char *path, int log, int owner)
{
	char *dir = path_parent(path);
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[4096];
	bool ended = false;

	if (watch < 0 || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		die(EXIT_TOOL, NULL, "%s cannot be watched: %s", dir, strerror(errno));
	while (copy_on(log) && !ended) {
		struct pollfd p[2] = { { .fd = watch, .events = POLLIN },
				       { .fd = owner, .events = POLLIN } };
		int next;

		if (poll(p, 2, -1) < 0)
			continue;
		ended = p[1].revents != 0;
		while (read(watch, events, sizeof(events)) > 0)
			;
		next = open(path, O_RDONLY | O_CLOEXEC);
		if (next < 0)
			continue;
		struct stat a, b;

		if (fstat(log, &a) == 0 && fstat(next, &b) == 0 && a.st_ino != b.st_ino &&
		    copy_on(log)) {
			dup2(next, log);
			lseek(log, 0, SEEK_SET);
		}
		close(next);
	}
	copy_on(log);
	close(watch);
	free(dir);
}

int command_logs(const char *name, bool follow)
{
	char *path = state_path(name, "log"), *old = state_path(name, "log.1");
	struct vm_state s;
	int log, before, owner;

	load(name, &s);
	if (!s.detached)
		die(EXIT_TOOL, "only machines started with run -d have a log",
		    "the machine %s runs in the foreground of another command", name);
	owner = follow && s.alive ? reach(name) : -1;
	before = open(old, O_RDONLY | O_CLOEXEC);
	log = open(path, O_RDONLY | O_CLOEXEC);
	if (log < 0)
		die(EXIT_TOOL, NULL, "%s: %s", path, strerror(errno));
	bool ok = (before < 0 || copy_on(before)) && copy_on(log);

	if (ok && owner >= 0)
		follow_log(path, log, owner);
	state_free(&s);
	free(old);
	free(path);
	return 0;
}
