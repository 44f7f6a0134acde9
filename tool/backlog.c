/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/backlog.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/util.h"

/* Longer than any host allows: Linux takes its own limit (net.core.somaxconn) then. */
#define AS_LONG_AS_ALLOWED 65535

static int number_of(int fd, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* 1: it listened, and now does so with a long queue; 0: it is something else; -1 with errno. */
static int widen(int pidfd, int theirs)
{
	int fd = pidfd_getfd(pidfd, theirs, 0), done = 0;

	if (fd < 0)
		return errno == EBADF ? 0 : -1; /* closed in the meantime */
	if (number_of(fd, SO_ACCEPTCONN) == 1 && number_of(fd, SO_DOMAIN) == AF_INET)
		done = listen(fd, AS_LONG_AS_ALLOWED) == 0 ? 1 : -1;
	int e = errno;

	close(fd);
	errno = e;
	return done;
}

int backlog_widen(pid_t pid, int pidfd)
{
	char *path = xasprintf("/proc/%d/fd", (int)pid), link[64];
	DIR *dir = opendir(path);
	struct dirent *d;
	int found = 0;

	free(path);
	if (dir == NULL)
		return -1;
	while (found >= 0 && (d = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link));

		if (n <= 7 || memcmp(link, "socket:", 7) != 0)
			continue;
		int one = widen(pidfd, atoi(d->d_name));

		found = one < 0 ? -1 : found + one;
	}
	int e = errno;

	closedir(dir);
	errno = e;
	return found;
}
