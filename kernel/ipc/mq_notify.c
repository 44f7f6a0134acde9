/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mq_notify: telling one process that a message has come. SIGEV_THREAD is the C library's: a thread
 * of its own reads a netlink socket, to which we send back a cookie that the library chose.
 */
#include <asm/siginfo.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/ipc/mq_internal.h"
#include "kernel/net/socket.h"

/* Last byte of the cookie: why it comes. */
#define WOKEN_UP 1
#define REMOVED  2

static void tell_socket(struct mq *q, uint8_t why)
{
	struct mq_notice *n = &q->notice;

	n->cookie[MQ_COOKIE - 1] = why;
	/* A full socket or no memory: the same loss as in Linux. */
	(void)!netlink_tell(n->sock, n->cookie, sizeof(n->cookie));
	file_put(n->sock);
	n->sock = NULL;
}

static void tell_process(const struct mq *q)
{
	struct task *t = task_find(q->notify_pid);
	struct ksiginfo info;

	if (t == NULL)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = q->notice.signo;
	info.si_code = SI_MESGQ;
	info.si_pid = current_task->pid;
	info.si_uid = current_task->cred.uid;
	info.si_value.sival_ptr = (void *)q->notice.value;
	(void)!signal_send_task(t, q->notice.signo, &info);
}

void mq_notify_fire(struct mq *q)
{
	if (q->notify_pid == 0)
		return;
	if (q->notice.method == SIGEV_THREAD)
		tell_socket(q, WOKEN_UP);
	else if (q->notice.method == SIGEV_SIGNAL && q->notice.signo != 0)
		tell_process(q);
	q->notify_pid = 0;
}

void mq_notify_drop(struct mq *q)
{
	if (q->notify_pid != 0 && q->notice.method == SIGEV_THREAD)
		tell_socket(q, REMOVED);
	q->notify_pid = 0;
}

err_t mq_notify_set(struct file *f, const struct mq_notice *n)
{
	struct mq *q;

	TRY(mq_of_file(f, &q));
	if (q->notify_pid != 0)
		return E_BUSY;
	q->notify_pid = current_task->pid;
	q->notify_uid = current_task->cred.uid;
	q->notice = *n;
	if (n->sock != NULL)
		file_get(n->sock);
	return OK;
}

err_t mq_notify_clear(struct file *f)
{
	struct mq *q;

	TRY(mq_of_file(f, &q));
	if (q->notify_pid == current_task->pid)
		mq_notify_drop(q);
	return OK;
}

void mq_status(const struct mq *q, char *buf, size_t size)
{
	bool signal = q->notify_pid != 0 && q->notice.method == SIGEV_SIGNAL;

	fmt_snprintf(buf, size, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		     (unsigned long)q->bytes, q->notify_pid != 0 ? q->notice.method : 0,
		     signal ? q->notice.signo : 0, q->notify_pid);
}
