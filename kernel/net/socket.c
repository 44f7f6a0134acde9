/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets as open files, and the calls that are the same for all families. */
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/net/iface.h"
#include "kernel/net/inet.h"
#include "kernel/net/socket.h"
#include "kernel/task/task.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/fd.h"
#include "kernel/x86/x86.h"

static const struct file_ops socket_file_ops;

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->uid = current != NULL ? current_task->cred.fsuid : 0; /* in idle: the family's to set */
	s->max_pacing = UINT64_MAX;
	s->busy_poll_budget = 8;
	waitq_init(&s->rq);
	waitq_init(&s->wq);
	s->sndbuf = s->rcvbuf = SOCK_BUF_DEF;
	s->rcvlowat = 1;
	s->peek_off = -1;
	s->rcvtimeo_ns = s->sndtimeo_ns = WAIT_FOREVER;
}

err_t socket_error(struct socket *s)
{
	err_t err = s->error;

	s->error = OK;
	return err;
}

void socket_peek_moves(struct socket *s, const struct sock_msg *m, size_t n)
{
	if (s->peek_off < 0)
		return;
	if (!(m->flags & MSG_PEEK))
		s->peek_off = n < (size_t)s->peek_off ? s->peek_off - (int)n : 0;
	else if (n <= (size_t)(INT32_MAX - s->peek_off))
		s->peek_off += (int)n;
}

uint64_t socket_deadline(uint64_t timeo_ns, bool nonblock)
{
	uint64_t at;

	if (nonblock || timeo_ns == 0)
		return 0;
	if (timeo_ns == WAIT_FOREVER || __builtin_add_overflow(time_mono_ns(), timeo_ns, &at))
		return WAIT_FOREVER;
	return at;
}

err_t socket_no_listen(struct socket *s, unsigned backlog)
{
	(void)s;
	(void)backlog;
	return E_OPNOTSUPP;
}

err_t socket_no_accept(struct socket *s, bool nonblock)
{
	(void)s;
	(void)nonblock;
	return E_OPNOTSUPP;
}

err_t socket_sleep(struct waitq *q, uint64_t deadline_ns)
{
	if (deadline_ns == 0)
		return E_AGAIN;
	switch (wait_on(q, deadline_ns, true)) {
	case WAIT_SIGNAL: return deadline_ns == WAIT_FOREVER ? E_RESTARTSYS : E_INTR;
	case WAIT_TIMEOUT: return E_AGAIN;
	default: return OK;
	}
}

/* ---- as a file ---- */

static bool nonblocking(const struct file *f, const struct sock_msg *m)
{
	return (f->flags & O_NONBLOCK) != 0 || (m->flags & MSG_DONTWAIT) != 0;
}

err_t socket_send(struct file *f, struct sock_msg *m, size_t *done)
{
	struct socket *s = f->priv;
	err_t err;

	m->nonblock = nonblocking(f, m);
	TRY(scm_send(s, m));
	err = s->ops->send(s, m, done);
	if (err == E_AGAIN || m->data.left > 0)
		async_wants_room(f);
	scm_files_free(m->scm.files);
	m->scm.files = NULL;
	return *done > 0 ? OK : err;
}

err_t socket_recv(struct file *f, struct sock_msg *m, size_t *done)
{
	struct socket *s = f->priv;
	err_t err;

	m->nonblock = nonblocking(f, m);
	m->name.len = 0;
	err = s->ops->recv(s, m, done);
	if (err == OK || *done > 0)
		scm_receive(s, m);
	return *done > 0 ? OK : err;
}

static err_t socket_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct sock_msg m = { .data = *to };
	err_t err;

	(void)off;
	if (to->left == 0)
		return OK;
	err = socket_recv(f, &m, done);
	*to = m.data;
	return err;
}

static err_t socket_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct sock_msg m = { .data = *from };
	err_t err;

	(void)off;
	err = socket_send(f, &m, done);
	*from = m.data;
	return err;
}

static uint32_t socket_poll(struct file *f, struct poll_table *t)
{
	struct socket *s = f->priv;

	poll_wait_for(t, &s->rq, ~(uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND));
	poll_wait_for(t, &s->wq, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR | EPOLLHUP);
	return s->ops->poll(s);
}

static long owner_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	int value = async_get_owner_number(f);

	if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
		return USER_OUT(UADDR(arg), &value);
	TRY(USER_IN(&value, UADDR(arg)));
	return async_set_owner_number(f, value);
}

static long socket_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct socket *s = f->priv;
	long ret;

	switch (cmd) {
	case FIOSETOWN:
	case SIOCSPGRP:
	case FIOGETOWN:
	case SIOCGPGRP: return owner_ioctl(f, cmd, arg);
	default: break;
	}
	ret = s->ops->ioctl(s, cmd, arg);
	return ret == E_NOTTY ? ifconf_ioctl(cmd, UADDR(arg)) : ret;
}

static void socket_release(struct file *f)
{
	struct socket *s = f->priv;

	if (s == NULL)
		return; /* accept() did not come so far */
	s->file = NULL;
	s->ops->release(s);
}

static void socket_linger(struct file *f)
{
	struct socket *s = f->priv;

	if (s->ops->linger != NULL && socket_option(s, SO_LINGER) && s->linger_s != 0)
		s->ops->linger(s);
}

/* A look at /proc/self/fd/N is fine; opening it is not. */
static err_t socket_reopen(struct file *old, struct file *f)
{
	(void)old;
	(void)f;
	return E_NXIO;
}

static void socket_name(struct file *f, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "socket:[%llu]", (unsigned long long)f->anon_ino);
}

static const struct file_ops socket_file_ops = {
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.linger = socket_linger,
	.release = socket_release,
	.reopen = socket_reopen,
	.name = socket_name,
	.stream = true,
	.async = true,
};

struct socket *socket_of(struct file *f)
{
	return f->ops == &socket_file_ops ? f->priv : NULL;
}

/* ---- making ---- */

static err_t family_create(int family, int type, int protocol, struct socket **out)
{
	if (family < 0 || family >= AF_COUNT)
		return E_AFNOSUPPORT;
	if (type < 0 || type >= SOCK_COUNT)
		return E_INVAL;
	if (family == AF_UNIX)
		return unix_create(type, protocol, out);
	if (family == AF_INET || family == AF_INET6)
		return inet_create(family, type, protocol, out);
	if (family == AF_NETLINK)
		return netlink_create(type, protocol, out);
	return E_AFNOSUPPORT;
}

/* Takes s over in every case. */
static err_t make_file(struct socket *s, uint32_t flags, struct file **out)
{
	*out = file_create(&socket_file_ops, s, O_RDWR | (flags & O_NONBLOCK), S_IFSOCK | 0777);
	if (*out == NULL) {
		s->ops->release(s);
		return E_NOMEM;
	}
	s->file = *out;
	return OK;
}

err_t socket_create(int family, int type, int protocol, uint32_t flags, struct file **out)
{
	struct socket *s;

	TRY(family_create(family, type, protocol, &s));
	return make_file(s, flags, out);
}

err_t socket_create_pair(int family, int type, int protocol, uint32_t flags, struct file *out[2])
{
	struct socket *a, *b;
	err_t err;

	TRY(socket_create(family, type, protocol, flags, &out[0]));
	err = socket_create(family, type, protocol, flags, &out[1]);
	if (err != OK) {
		file_put(out[0]);
		return err;
	}
	a = out[0]->priv;
	b = out[1]->priv;
	err = a->ops->pair != NULL ? a->ops->pair(a, b) : E_OPNOTSUPP;
	if (err != OK) {
		file_put(out[0]);
		file_put(out[1]);
	}
	return err;
}

err_t socket_accept(struct file *f, uint32_t flags, bool cloexec, struct sock_addr *peer, int *fd)
{
	struct socket *s = f->priv, *got;
	struct file *made;
	err_t err;

	TRY(s->ops->accept_wait(s, (f->flags & O_NONBLOCK) != 0));
	/* First all that can fail: the connection stays in the queue then. */
	made = file_create(&socket_file_ops, NULL, O_RDWR | (flags & O_NONBLOCK), S_IFSOCK | 0777);
	if (made == NULL)
		return E_NOMEM;
	err = fd_install(made, 0, cloexec, fd);
	if (err != OK) {
		file_put(made);
		return err;
	}
	got = s->ops->accept_take(s);
	got->file = made;
	made->priv = got;
	if (peer != NULL && got->ops->name(got, true, peer) != OK)
		peer->len = 0;
	return OK;
}
