/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SECCOMP_RET_USER_NOTIF: the call waits until another process, which holds the filter's listener,
 * has answered. A question lives on the stack of the thread that asks; it is in the notifier's list
 * as long as that thread waits. The filter and its listener's file know each other while both are
 * there.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"
#include "kernel/task/seccomp.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"

struct seccomp_notifier {
	struct seccomp_filter *filter; /* referenced */
	struct list questions;
	struct waitq waiting; /* for questions */
	uint64_t next_id;
};

struct question {
	struct list node;
	uint64_t id;
	int tid;
	struct seccomp_data data;
	enum { ASKED, RECEIVED, ANSWERED } state;
	struct waitq answer;
	int64_t val;
	int32_t error;
	uint32_t flags;
};

/* ---- asking ---- */

bool seccomp_notify(struct seccomp_filter *f, const struct seccomp_data *data, struct trapframe *tf)
{
	struct seccomp_notifier *n = f->notifier;
	struct question q = { .data = *data, .state = ASKED, .error = E_NOSYS };

	if (n == NULL) {
		tf->rax = (uint64_t)E_NOSYS;
		return false;
	}
	q.id = n->next_id++;
	q.tid = current->tid;
	waitq_init(&q.answer);
	list_push_back(&n->questions, &q.node);
	wake_all(&n->waiting);
	while (q.state != ANSWERED) {
		if (wait_on(&q.answer, WAIT_FOREVER, true) == WAIT_SIGNAL && q.state != ANSWERED) {
			list_remove(&q.node);
			tf->rax = (uint64_t)E_RESTARTSYS;
			return false;
		}
	}
	if (q.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return true;
	tf->rax = q.error != 0 ? (uint64_t)(int64_t)q.error : (uint64_t)q.val;
	return false;
}

static void answer(struct question *q)
{
	list_remove(&q->node);
	q->state = ANSWERED;
	wake_all(&q->answer);
}

/* ---- the listener ---- */

static struct question *find(struct seccomp_notifier *n, uint64_t id)
{
	LIST_FOR_EACH(l, &n->questions) {
		struct question *q = list_entry(l, struct question, node);

		if (q->id == id)
			return q;
	}
	return NULL;
}

static struct question *first_asked(struct seccomp_notifier *n)
{
	LIST_FOR_EACH(l, &n->questions) {
		struct question *q = list_entry(l, struct question, node);

		if (q->state == ASKED)
			return q;
	}
	return NULL;
}

static bool is_zero(const void *mem, size_t len)
{
	const uint8_t *p = mem;

	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static long receive(struct seccomp_notifier *n, uaddr_t to)
{
	struct seccomp_notif out;
	struct question *q;

	TRY(USER_IN(&out, to));
	if (!is_zero(&out, sizeof(out)))
		return E_INVAL;
	while ((q = first_asked(n)) == NULL)
		if (wait_on(&n->waiting, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return E_INTR;
	out.id = q->id;
	out.pid = (uint32_t)q->tid;
	out.data = q->data;
	TRY(USER_OUT(to, &out)); /* it can be asked for again */
	q->state = RECEIVED;
	return 0;
}

static long reply(struct seccomp_notifier *n, uaddr_t from)
{
	struct seccomp_notif_resp r;
	struct question *q;

	TRY(USER_IN(&r, from));
	if (r.flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return E_INVAL;
	if ((r.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) && (r.error != 0 || r.val != 0))
		return E_INVAL;
	q = find(n, r.id);
	if (q == NULL)
		return E_NOENT;
	if (q->state != RECEIVED)
		return -115; /* EINPROGRESS */
	q->val = r.val;
	q->error = r.error;
	q->flags = r.flags;
	answer(q);
	return 0;
}

static long is_valid(struct seccomp_notifier *n, uaddr_t from)
{
	const struct question *q;
	uint64_t id;

	TRY(USER_IN(&id, from));
	q = find(n, id);
	return q != NULL && q->state == RECEIVED ? 0 : E_NOENT;
}

static long listener_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct seccomp_notifier *n = f->priv;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV: return receive(n, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_SEND: return reply(n, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_ID_VALID: return is_valid(n, UADDR(arg));
	default: return E_INVAL;
	}
}

static uint32_t listener_poll(struct file *f, struct poll_table *t)
{
	struct seccomp_notifier *n = f->priv;
	uint32_t ready = 0;

	poll_wait(t, &n->waiting);
	LIST_FOR_EACH(l, &n->questions)
		ready |= list_entry(l, struct question, node)->state == ASKED
				 ? EPOLLIN | EPOLLRDNORM
				 : EPOLLOUT | EPOLLWRNORM;
	/* Only the listener itself holds the filter: nobody will ask again. */
	return n->filter->refs == 1 ? ready | EPOLLHUP : ready;
}

static void listener_release(struct file *f)
{
	struct seccomp_notifier *n = f->priv;

	n->filter->notifier = NULL;
	LIST_FOR_EACH_SAFE(l, &n->questions)
		answer(list_entry(l, struct question, node)); /* ENOSYS */
	seccomp_filter_put(n->filter);
	kmem_free(n);
}

static void listener_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:seccomp notify");
}

static const struct file_ops listener_ops = {
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.release = listener_release,
	.name = listener_name,
	.stream = true,
};

bool seccomp_has_listener(void)
{
	for (const struct seccomp_filter *f = current->filters; f != NULL; f = f->prev)
		if (f->notifier != NULL)
			return true;
	return false;
}

err_t seccomp_listener(struct seccomp_filter *f, struct file **out)
{
	struct seccomp_notifier *n = kmem_zalloc(sizeof(*n));

	if (n == NULL)
		return E_NOMEM;
	list_init(&n->questions);
	waitq_init(&n->waiting);
	random_bytes(&n->next_id, sizeof(n->next_id));
	*out = file_create(&listener_ops, n, O_RDWR, 0600);
	if (*out == NULL) {
		kmem_free(n);
		return E_NOMEM;
	}
	n->filter = f;
	f->refs++;
	f->notifier = n;
	return OK;
}
