/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues. */
#include <asm/siginfo.h>
#include <linux/fcntl.h>

#include "kernel/ipc/mq.h"
#include "kernel/linux/linux.h"
#include "kernel/net/socket.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"

long sys_mq_open(uaddr_t uname, int flags, uint32_t mode, uaddr_t uattr)
{
	struct mq_attr_k attr;
	struct file *f;
	char *name;
	err_t err;
	int fd;

	if (uattr.v != 0)
		TRY(USER_IN(&attr, uattr));
	TRY(path_buf_get(&name, uname));
	err = mq_open_file(name, (uint32_t)flags, mode, uattr.v != 0 ? &attr : NULL, &f);
	path_buf_put(name);
	if (err != OK)
		return err;
	err = fd_install(f, 0, true, &fd); /* always close-on-exec */
	if (err == OK)
		return fd;
	file_put(f);
	return err;
}

long sys_mq_unlink(uaddr_t uname)
{
	char *name;
	err_t err;

	TRY(path_buf_get(&name, uname));
	err = mq_remove(name);
	path_buf_put(name);
	return err;
}

/* The time-out of the calls: absolute, of the wall clock. */
static err_t deadline_in(uaddr_t timeout, uint64_t *deadline_ns)
{
	uint64_t at;

	*deadline_ns = WAIT_FOREVER;
	if (timeout.v == 0)
		return OK;
	TRY(user_timespec(timeout, &at));
	*deadline_ns = deadline_of_clock(CLOCK_REALTIME, at);
	return OK;
}

long sys_mq_timedsend(int fd, uaddr_t data, size_t size, unsigned priority, uaddr_t timeout)
{
	uint64_t deadline_ns;
	struct file *f;
	err_t err;

	TRY(deadline_in(timeout, &deadline_ns));
	f = fd_get(fd);
	if (f == NULL)
		return E_BADF;
	err = mq_send(f, data, size, priority, deadline_ns);
	file_put(f);
	return err;
}

long sys_mq_timedreceive(int fd, uaddr_t data, size_t size, uaddr_t priority, uaddr_t timeout)
{
	uint64_t deadline_ns;
	struct file *f;
	long n;

	TRY(deadline_in(timeout, &deadline_ns));
	f = fd_get(fd);
	if (f == NULL)
		return E_BADF;
	n = mq_receive(f, data, size, priority, deadline_ns);
	file_put(f);
	return n;
}

static err_t notice_in(uaddr_t from, struct mq_notice *n)
{
	struct sigevent e;

	TRY(USER_IN(&e, from));
	*n = (struct mq_notice){ .method = e.sigev_notify,
				 .signo = e.sigev_signo,
				 .value = (uint64_t)e.sigev_value.sival_ptr };
	if (n->method != SIGEV_NONE && n->method != SIGEV_SIGNAL && n->method != SIGEV_THREAD)
		return E_INVAL;
	if (n->method == SIGEV_SIGNAL && (n->signo < 0 || n->signo > SIG_COUNT))
		return E_INVAL;
	if (n->method != SIGEV_THREAD)
		return OK;
	/* The C library puts a socket in the signal's place and a cookie in the value's. */
	TRY(user_in(n->cookie, UADDR(n->value), sizeof(n->cookie)));
	n->sock = fd_get(e.sigev_signo);
	if (n->sock == NULL)
		return E_BADF;
	err_t err = netlink_check(n->sock);

	if (err != OK)
		file_put(n->sock);
	return err;
}

long sys_mq_notify(int fd, uaddr_t event)
{
	struct mq_notice n = { .sock = NULL };
	struct file *f;
	err_t err;

	if (event.v != 0)
		TRY(notice_in(event, &n));
	f = fd_get(fd);
	if (f == NULL) {
		err = E_BADF;
	} else {
		err = event.v != 0 ? mq_notify_set(f, &n) : mq_notify_clear(f);
		file_put(f);
	}
	if (n.sock != NULL)
		file_put(n.sock);
	return err;
}

long sys_mq_getsetattr(int fd, uaddr_t now, uaddr_t old)
{
	struct mq_attr_k set, was;
	struct file *f;
	err_t err;

	if (now.v != 0)
		TRY(USER_IN(&set, now));
	f = fd_get(fd);
	if (f == NULL)
		return E_BADF;
	err = mq_attributes(f, now.v != 0 ? &set : NULL, &was);
	file_put(f);
	return err == OK && old.v != 0 ? USER_OUT(old, &was) : err;
}
