/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on sockets. */
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/socket.h"
#include "kernel/task/task.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/fd.h"
#include "kernel/x86/x86.h"

_Static_assert(SOCK_NONBLOCK == O_NONBLOCK && SOCK_CLOEXEC == O_CLOEXEC, "flags are passed on");

/* The open file of a socket, referenced. E_BADF, E_NOTSOCK. */
static err_t socket_file(int fd, struct file **out)
{
	struct file *f = fd_get(fd);

	if (f == NULL)
		return E_BADF;
	if (socket_of(f) == NULL) {
		file_put(f);
		return E_NOTSOCK;
	}
	*out = f;
	return OK;
}

/* ---- addresses ---- */

static err_t addr_in(struct sock_addr *a, uaddr_t from, int len)
{
	if (len < 0 || (size_t)len > sizeof(a->bytes))
		return E_INVAL;
	a->len = (uint32_t)len;
	a->family = AF_UNSPEC;
	return user_in(a->bytes, from, (size_t)len);
}

static err_t addr_out(uaddr_t to, uaddr_t ulen, const struct sock_addr *a)
{
	int len, full = (int)a->len;

	TRY(USER_IN(&len, ulen));
	if (len > full)
		len = full;
	if (len < 0)
		return E_INVAL;
	TRY(user_out(to, a->bytes, (size_t)len));
	return USER_OUT(ulen, &full);
}

/* ---- making ---- */

static err_t type_flags(int type, int *flags)
{
	*flags = type & ~SOCK_TYPE_MASK;
	return (*flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) != 0 ? E_INVAL : OK;
}

/* A descriptor for a new file, which is taken over in every case. */
static err_t install(struct file *f, int flags, int *fd)
{
	err_t err = fd_install(f, 0, (flags & SOCK_CLOEXEC) != 0, fd);

	if (err != OK)
		file_put(f);
	return err;
}

long sys_socket(int family, int type, int protocol)
{
	struct file *f;
	int flags, fd;

	TRY(type_flags(type, &flags));
	TRY(socket_create(family, type & SOCK_TYPE_MASK, protocol, (uint32_t)flags, &f));
	TRY(install(f, flags, &fd));
	return fd;
}

long sys_socketpair(int family, int type, int protocol, uaddr_t to)
{
	struct file *f[2];
	int flags, fd[2];
	err_t err;

	TRY(type_flags(type, &flags));
	TRY(socket_create_pair(family, type & SOCK_TYPE_MASK, protocol, (uint32_t)flags, f));
	err = install(f[0], flags, &fd[0]);
	if (err != OK) {
		file_put(f[1]);
		return err;
	}
	err = install(f[1], flags, &fd[1]);
	if (err != OK) {
		(void)!fd_close(fd[0]);
		return err;
	}
	err = USER_OUT(to, &fd);
	if (err != OK) {
		(void)!fd_close(fd[0]);
		(void)!fd_close(fd[1]);
	}
	return err;
}

/* ---- names and connections ---- */

long sys_bind(int fd, uaddr_t addr, int len)
{
	struct sock_addr a;
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = addr_in(&a, addr, len);
	if (err == OK)
		err = socket_of(f)->ops->bind(socket_of(f), &a);
	file_put(f);
	return err;
}

long sys_connect(int fd, uaddr_t addr, int len)
{
	struct sock_addr a;
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = addr_in(&a, addr, len);
	if (err == OK)
		err = socket_of(f)->ops->connect(socket_of(f), &a, (f->flags & O_NONBLOCK) != 0);
	if (err == E_INPROGRESS)
		async_wants_room(f);
	file_put(f);
	return err;
}

long sys_listen(int fd, int backlog)
{
	unsigned n = (unsigned)backlog > SOMAXCONN ? SOMAXCONN : (unsigned)backlog;
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = socket_of(f)->ops->listen(socket_of(f), n);
	file_put(f);
	return err;
}

long sys_accept4(int fd, uaddr_t addr, uaddr_t len, int flags)
{
	struct sock_addr peer;
	struct file *f;
	int newfd;
	err_t err;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return E_INVAL;
	TRY(socket_file(fd, &f));
	err = socket_accept(f, (uint32_t)flags, (flags & SOCK_CLOEXEC) != 0, &peer, &newfd);
	file_put(f);
	if (err != OK)
		return err;
	if (addr.v != 0) {
		err = addr_out(addr, len, &peer);
		if (err != OK) {
			(void)!fd_close(newfd);
			return err;
		}
	}
	return newfd;
}

long sys_accept(int fd, uaddr_t addr, uaddr_t len)
{
	return sys_accept4(fd, addr, len, 0);
}

static long name_out(int fd, uaddr_t addr, uaddr_t len, bool peer)
{
	struct sock_addr a;
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = socket_of(f)->ops->name(socket_of(f), peer, &a);
	file_put(f);
	return err == OK ? addr_out(addr, len, &a) : err;
}

long sys_getsockname(int fd, uaddr_t addr, uaddr_t len)
{
	return name_out(fd, addr, len, false);
}

long sys_getpeername(int fd, uaddr_t addr, uaddr_t len)
{
	return name_out(fd, addr, len, true);
}

long sys_shutdown(int fd, int how)
{
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	if (how < 0 || how > 2)
		err = E_INVAL;
	else
		err = socket_of(f)->ops->shutdown(socket_of(f), (unsigned)how + 1);
	file_put(f);
	return err;
}

/* ---- options ---- */

long sys_setsockopt(int fd, int level, int opt, uaddr_t val, int len)
{
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = socket_setsockopt(socket_of(f), level, opt, val, len);
	file_put(f);
	return err;
}

long sys_getsockopt(int fd, int level, int opt, uaddr_t val, uaddr_t len)
{
	struct file *f;
	err_t err;

	TRY(socket_file(fd, &f));
	err = socket_getsockopt(socket_of(f), level, opt, val, len);
	file_put(f);
	return err;
}

/* ---- one message from one buffer ---- */

long sys_sendto(int fd, uaddr_t base, size_t len, unsigned flags, uaddr_t addr, int addr_len)
{
	struct sock_msg m = { .flags = flags & ~MSG_CMSG_COMPAT };
	struct file *f;
	size_t done = 0;
	err_t err;

	TRY(uio_user(&m.data, base, len));
	TRY(socket_file(fd, &f));
	err = addr.v != 0 ? addr_in(&m.name, addr, addr_len) : OK;
	if (err == OK)
		err = socket_send(f, &m, &done);
	file_put(f);
	return err == OK ? (long)done : err;
}

long sys_recvfrom(int fd, uaddr_t base, size_t len, unsigned flags, uaddr_t addr, uaddr_t addr_len)
{
	struct sock_msg m = { .flags = flags & ~MSG_CMSG_COMPAT };
	struct file *f;
	size_t done = 0;
	err_t err;

	TRY(uio_user(&m.data, base, len));
	TRY(socket_file(fd, &f));
	err = socket_recv(f, &m, &done);
	file_put(f);
	if (err == OK && addr.v != 0)
		err = addr_out(addr, addr_len, &m.name);
	return err == OK ? (long)done : err;
}

/* ---- messages ---- */

struct msghdr_k {
	uint64_t name;
	int32_t namelen, pad;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad2;
};
struct mmsghdr_k {
	struct msghdr_k hdr;
	uint32_t len, pad;
};

#define MSGHDR_FIELD(at, field) UADDR((at).v + offsetof(struct msghdr_k, field))

/* What a header says, but for the address. *segs is to be freed. */
static err_t header_in(struct msghdr_k *h, struct sock_msg *m, uaddr_t at, unsigned flags,
		       struct ubuf **segs)
{
	TRY(USER_IN(h, at));
	*m = (struct sock_msg){ .flags = flags,
				.control = UADDR(h->control),
				.control_len = h->controllen };
	if (h->name == 0)
		h->namelen = 0;
	if (h->namelen < 0)
		return E_INVAL;
	if ((size_t)h->namelen > sizeof(m->name.bytes))
		h->namelen = sizeof(m->name.bytes);
	if (h->iovlen > UIO_MAX_SEGS)
		return E_MSGSIZE;
	if (h->controllen > INT32_MAX)
		return E_NOBUFS;
	return uio_iovec(&m->data, UADDR(h->iov), (unsigned)h->iovlen, segs);
}

static long send_one(struct file *f, uaddr_t at, unsigned flags)
{
	struct ubuf *segs = NULL;
	struct msghdr_k h;
	struct sock_msg m;
	size_t done = 0;
	err_t err;

	TRY(header_in(&h, &m, at, flags, &segs));
	err = h.namelen > 0 ? addr_in(&m.name, UADDR(h.name), h.namelen) : OK;
	if (err == OK)
		err = socket_send(f, &m, &done);
	kmem_free(segs);
	return err == OK ? (long)done : err;
}

static err_t header_out(uaddr_t at, const struct msghdr_k *h, const struct sock_msg *m)
{
	uint32_t flags = m->out_flags | (m->flags & MSG_CMSG_CLOEXEC);

	if (h->name != 0)
		TRY(addr_out(UADDR(h->name), MSGHDR_FIELD(at, namelen), &m->name));
	TRY(USER_OUT(MSGHDR_FIELD(at, flags), &flags));
	return USER_OUT(MSGHDR_FIELD(at, controllen), &m->control_len);
}

static long recv_one(struct file *f, uaddr_t at, unsigned flags)
{
	struct ubuf *segs = NULL;
	struct msghdr_k h;
	struct sock_msg m;
	size_t done = 0;
	err_t err;

	TRY(header_in(&h, &m, at, flags, &segs));
	err = socket_recv(f, &m, &done);
	kmem_free(segs);
	if (err == OK)
		err = header_out(at, &h, &m);
	return err == OK ? (long)done : err;
}

static long one_message(int fd, uaddr_t at, unsigned flags,
			long (*fn)(struct file *, uaddr_t, unsigned))
{
	struct file *f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return E_INVAL;
	TRY(socket_file(fd, &f));
	ret = fn(f, at, flags);
	file_put(f);
	return ret;
}

long sys_sendmsg(int fd, uaddr_t at, unsigned flags)
{
	return one_message(fd, at, flags, send_one);
}

long sys_recvmsg(int fd, uaddr_t at, unsigned flags)
{
	return one_message(fd, at, flags, recv_one);
}

long sys_sendmmsg(int fd, uaddr_t at, unsigned n, unsigned flags)
{
	struct file *f;
	unsigned sent = 0;
	long ret = 0;

	if (flags & MSG_CMSG_COMPAT)
		return E_INVAL;
	if (n > UIO_MAX_SEGS)
		n = UIO_MAX_SEGS;
	TRY(socket_file(fd, &f));
	for (; sent < n; sent++, at.v += sizeof(struct mmsghdr_k)) {
		uint32_t len;

		ret = send_one(f, at, flags);
		if (ret < 0)
			break;
		len = (uint32_t)ret;
		ret = USER_OUT(UADDR(at.v + offsetof(struct mmsghdr_k, len)), &len);
		if (ret < 0)
			break;
	}
	file_put(f);
	return sent > 0 ? (long)sent : ret;
}

/* An error after some messages is told by the next call. */
static long recv_many(struct file *f, uaddr_t at, unsigned n, unsigned flags, uint64_t deadline)
{
	struct socket *s = socket_of(f);
	unsigned got = 0;
	long ret = socket_error(s);

	while (ret == OK && got < n) {
		uint32_t len;

		ret = recv_one(f, at, flags & ~MSG_WAITFORONE);
		if (ret < 0)
			break;
		len = (uint32_t)ret;
		ret = USER_OUT(UADDR(at.v + offsetof(struct mmsghdr_k, len)), &len);
		if (ret < 0)
			break;
		got++;
		at.v += sizeof(struct mmsghdr_k);
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != WAIT_FOREVER && time_mono_ns() >= deadline)
			break;
	}
	if (got == 0)
		return ret;
	if (ret < 0 && ret != E_AGAIN && ret != E_RESTARTSYS && ret != E_INTR)
		s->error = (err_t)ret;
	return got;
}

long sys_recvmmsg(int fd, uaddr_t at, unsigned n, unsigned flags, uaddr_t timeout)
{
	uint64_t ns = 0, deadline = WAIT_FOREVER, now;
	struct file *f;
	long ret;

	if (flags & MSG_CMSG_COMPAT)
		return E_INVAL;
	if (timeout.v != 0) {
		TRY(user_timespec(timeout, &ns));
		deadline = deadline_after(ns);
	}
	if (n > UIO_MAX_SEGS)
		n = UIO_MAX_SEGS;
	TRY(socket_file(fd, &f));
	ret = recv_many(f, at, n, flags, deadline);
	file_put(f);
	if (timeout.v == 0 || ret <= 0)
		return ret;
	now = time_mono_ns();
	TRY(user_timespec_out(timeout, deadline > now ? deadline - now : 0));
	return ret;
}
