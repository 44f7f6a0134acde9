/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/state.h"

#define TABLE_MAX (16u << 20)
/* Of /proc/net/tcp and its like: local port, state, inode. */
#define LINE_FORMAT " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %" SCNu64

/* Inode of the socket with this local port in one of the kernel's tables; 0: none. */
static uint64_t socket_in(const char *table, unsigned port, bool udp)
{
	char *text = NULL, *save = NULL;
	size_t size;
	uint64_t found = 0;

	if (read_whole_file(table, TABLE_MAX, &text, &size) != 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line != NULL && found == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned local, state;
		uint64_t inode;

		if (sscanf(line, LINE_FORMAT, &local, &state, &inode) != 3)
			continue;
		if (local == port && (udp || state == 10 /* listening */))
			found = inode;
	}
	free(text);
	return found;
}

static uint64_t socket_of_port(unsigned port, bool udp)
{
	static const char *const tables[2][2] = { { "/proc/net/tcp", "/proc/net/tcp6" },
						  { "/proc/net/udp", "/proc/net/udp6" } };
	uint64_t inode = socket_in(tables[udp][0], port, udp);

	return inode != 0 ? inode : socket_in(tables[udp][1], port, udp);
}

static bool has_socket(const char *pid, uint64_t inode)
{
	char *dir_path = xasprintf("/proc/%s/fd", pid), want[64], got[64];
	DIR *dir = opendir(dir_path);
	struct dirent *e;
	bool found = false;

	snprintf(want, sizeof(want), "socket:[%" PRIu64 "]", inode);
	while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, got, sizeof(got) - 1);

		if (n <= 0)
			continue;
		got[n] = '\0';
		found = strcmp(got, want) == 0;
	}
	if (dir != NULL)
		closedir(dir);
	free(dir_path);
	return found;
}

/* Process that has the socket open, among those that we may look at; "" if none. */
static char *process_with(uint64_t inode)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	char *pid = NULL;

	while (proc != NULL && pid == NULL && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) && has_socket(e->d_name, inode))
			pid = xstrdup(e->d_name);
	if (proc != NULL)
		closedir(proc);
	return pid;
}

static char *machine_of(pid_t qemu)
{
	struct vm_state *all;
	size_t n = state_list(&all);
	char *text = NULL;

	for (size_t i = 0; i < n && text == NULL; i++)
		if (all[i].alive && all[i].qemu == qemu)
			text = xasprintf("the machine %s (ringfence stop %s)", all[i].name,
					 all[i].name);
	state_list_free(all, n);
	return text;
}

char *holder_of_port(unsigned port, bool udp)
{
	uint64_t inode = socket_of_port(port, udp);
	char *pid = inode != 0 ? process_with(inode) : NULL;

	if (pid == NULL)
		return NULL;
	char *who = machine_of((pid_t)atoi(pid));

	if (who == NULL) {
		char *path = xasprintf("/proc/%s/comm", pid), *comm = NULL;
		size_t n;

		if (read_whole_file(path, 64, &comm, &n) == 0)
			comm[strcspn(comm, "\n")] = '\0';
		who = xasprintf("%s (process %s)", comm != NULL ? comm : "a process", pid);
		free(comm);
		free(path);
	}
	free(pid);
	return who;
}
