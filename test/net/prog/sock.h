/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs about sockets share. */
#pragma once
#include "test/linux/prog/check.h"

#include <linux/sockios.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Address of a path, or of an abstract name ("@name"); its length. */
UNUSED static socklen_t address(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, name);
	if (name[0] == '@') {
		a->sun_path[0] = '\0';
		return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	}
	return sizeof(*a);
}

UNUSED static int bind_to(int s, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address(&a, name);

	return bind(s, (struct sockaddr *)&a, n);
}

UNUSED static int connect_to(int s, const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address(&a, name);

	return connect(s, (struct sockaddr *)&a, n);
}

UNUSED static void say_address(const char *what, const struct sockaddr_un *a, socklen_t n)
{
	size_t path = offsetof(struct sockaddr_un, sun_path);

	if (n < sizeof(a->sun_family))
		say("%s: length %d", what, (int)n);
	else if (n == path)
		say("%s: length %d, family %d", what, (int)n, a->sun_family);
	else
		say("%s: length %d, family %d, %s%.*s", what, (int)n, a->sun_family,
		    a->sun_path[0] == '\0' ? "@" : "", (int)(n - path),
		    a->sun_path + (a->sun_path[0] == '\0'));
}

UNUSED static void say_name(const char *what, int s, bool peer)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int r;

	memset(&a, 0, sizeof(a));
	r = peer ? getpeername(s, (struct sockaddr *)&a, &n)
		 : getsockname(s, (struct sockaddr *)&a, &n);
	if (r == 0)
		say_address(what, &a, n);
	else
		RET(what, r == 0 ? 0 : -1 + 0 * (errno = errno));
}

UNUSED static void see(const char *what, int s)
{
	struct pollfd p = { .fd = s, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

	poll(&p, 1, 0);
	HEX(what, p.revents);
}

UNUSED static int option(int s, int opt)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(s, SOL_SOCKET, opt, &v, &n) == 0 ? v : -errno;
}

UNUSED static void get(const char *what, int s, void *buf, size_t n, int flags)
{
	long r = RET(what, recv(s, buf, n, flags));

	if (r > 0)
		say("%s: %.*s", what, r > 60 || (size_t)r > n ? 8 : (int)r, (char *)buf);
}
