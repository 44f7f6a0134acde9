/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A socket's path may have 107 bytes only: the folder is opened and the name found from there.
 * `how` is bind or connect.
 */
static int with_address(const char *path, int fd,
			int (*how)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char *dir_path = path_parent(path);
	int dir = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC), result = -1, e;

	free(dir_path);
	if (dir < 0)
		return -1;
	if (snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dir, path_base(path)) <
	    (int)sizeof(a.sun_path))
		result = how(fd, (struct sockaddr *)&a, sizeof(a));
	e = errno;
	close(dir);
	errno = e;
	return result;
}

static int connect_to(int fd, const struct sockaddr *a, socklen_t n)
{
	return connect(fd, a, n);
}

static int bind_to(int fd, const struct sockaddr *a, socklen_t n)
{
	return bind(fd, a, n);
}

int link_connect(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd >= 0 && with_address(path, fd, connect_to) != 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

int link_listen(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(path);
	if (fd >= 0 && (with_address(path, fd, bind_to) != 0 || listen(fd, 64) != 0)) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

bool link_send(int fd, enum link_kind kind, uint32_t value, const void *data, size_t len)
{
	struct link_head head = { kind, value };
	struct iovec v[2] = { { &head, sizeof(head) }, { (void *)data, len } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = len > 0 ? 2 : 1 };
	ssize_t n;

	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)(sizeof(head) + len);
}

int link_receive(int fd, struct link_head *head, char *data, size_t *len)
{
	struct iovec v[2] = { { head, sizeof(*head) }, { data, LINK_DATA_MAX } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	ssize_t n;

	do
		n = recvmsg(fd, &m, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;
	if (n < (ssize_t)sizeof(*head) || (m.msg_flags & MSG_TRUNC) != 0)
		return 0; /* closed, or not one of ours */
	*len = (size_t)n - sizeof(*head);
	return 1;
}
