/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues: sending and receiving. */
#include <linux/fcntl.h>
#include <linux/sched.h>

#include "kernel/ipc/mq_internal.h"

err_t mq_of_file(struct file *f, struct mq **out)
{
	if (f->ops != &mq_file_ops)
		return E_BADF;
	*out = mq_of(f->inode);
	return OK;
}

void mq_init_queue(struct mq *q, int64_t maxmsg, int64_t msgsize)
{
	q->maxmsg = maxmsg;
	q->msgsize = msgsize;
	list_init(&q->all);
	list_init(&q->messages);
	list_init(&q->senders);
	list_init(&q->receivers);
	waitq_init(&q->readable);
	waitq_init(&q->writable);
}

void mq_drop_messages(struct mq *q)
{
	struct list *n;

	while ((n = list_pop_front(&q->messages)) != NULL)
		kmem_free(list_entry(n, struct mq_message, node));
}

/* ---- messages ---- */

static void insert(struct mq *q, struct mq_message *m)
{
	struct list *pos = q->messages.prev;

	while (pos != &q->messages &&
	       list_entry(pos, struct mq_message, node)->priority < m->priority)
		pos = pos->prev;
	list_insert_after(pos, &m->node);
	q->curmsgs++;
	q->bytes += m->size;
}

static struct mq_message *take(struct mq *q)
{
	struct mq_message *m = list_entry(list_pop_front(&q->messages), struct mq_message, node);

	q->curmsgs--;
	q->bytes -= m->size;
	return m;
}

static err_t message_in(uaddr_t from, size_t size, unsigned priority, struct mq_message **out)
{
	struct mq_message *m = kmem_alloc(sizeof(*m) + size);
	err_t err;

	if (m == NULL)
		return E_NOMEM;
	list_init(&m->node);
	m->size = size;
	m->priority = priority;
	err = user_in(m->data, from, size);
	if (err != OK)
		kmem_free(m);
	else
		*out = m;
	return err;
}

/* ---- waiting ---- */

/* As the scheduler sees it: real-time priorities first, then by nice. */
static int urgency(const struct thread *t)
{
	if (t->policy == SCHED_FIFO || t->policy == SCHED_RR)
		return 100 + t->rt_priority;
	return 20 - t->nice;
}

static void enqueue(struct list *queue, struct mq_waiter *w)
{
	struct list *pos = queue->prev;

	w->thread = current;
	w->urgency = urgency(current);
	while (pos != queue && list_entry(pos, struct mq_waiter, node)->urgency < w->urgency)
		pos = pos->prev;
	list_insert_after(pos, &w->node);
}

/* Until served. MAY_SWITCH */
static err_t wait_served(struct list *queue, struct mq_waiter *w, uint64_t deadline_ns)
{
	wait_result_t r = WAIT_WOKEN;

	enqueue(queue, w);
	for (;;) {
		wait_prepare();
		if (w->done || r != WAIT_WOKEN)
			break;
		r = wait_commit(deadline_ns, true);
	}
	if (w->done)
		return OK;
	list_remove(&w->node);
	return r == WAIT_TIMEOUT ? E_TIMEDOUT : E_RESTARTSYS;
}

static struct mq_waiter *serve_first(struct list *queue)
{
	struct list *n = list_pop_front(queue);
	struct mq_waiter *w = n != NULL ? list_entry(n, struct mq_waiter, node) : NULL;

	if (w == NULL)
		return NULL;
	w->done = true;
	thread_wake(w->thread);
	return w;
}

/* ---- sending ---- */

/* To who waits, or into the queue, which has room. */
static void put(struct mq *q, struct mq_message *m)
{
	struct mq_waiter *w = serve_first(&q->receivers);

	inode_touch(&q->vfs);
	if (w != NULL) {
		w->message = m;
		return;
	}
	insert(q, m);
	if (q->curmsgs == 1)
		mq_notify_fire(q);
	wake_all(&q->readable);
}

err_t mq_send(struct file *f, uaddr_t data, size_t size, unsigned priority, uint64_t deadline_ns)
{
	struct mq_waiter w = { .done = false };
	struct mq *q;
	err_t err;

	if (priority >= MQ_PRIORITIES)
		return E_INVAL;
	TRY(mq_of_file(f, &q));
	if (!file_writable(f))
		return E_BADF;
	if (size > (uint64_t)q->msgsize)
		return E_MSGSIZE;
	TRY(message_in(data, size, priority, &w.message));
	list_init(&w.node);
	if (q->curmsgs < q->maxmsg) {
		put(q, w.message);
		return OK;
	}
	err = (f->flags & O_NONBLOCK) != 0 ? E_AGAIN : wait_served(&q->senders, &w, deadline_ns);
	if (err != OK)
		kmem_free(w.message);
	return err;
}

/* ---- receiving ---- */

/* The first message; one that waited to be sent takes its place. */
static struct mq_message *get(struct mq *q)
{
	struct mq_message *m = take(q);
	struct mq_waiter *w = serve_first(&q->senders);

	inode_touch(&q->vfs);
	if (w != NULL)
		insert(q, w->message);
	else
		wake_all(&q->writable);
	return m;
}

static long message_out(const struct mq_message *m, uaddr_t data, uaddr_t priority)
{
	if (priority.v != 0)
		TRY(USER_OUT(priority, &m->priority));
	TRY(user_out(data, m->data, m->size));
	return (long)m->size;
}

long mq_receive(struct file *f, uaddr_t data, size_t size, uaddr_t priority, uint64_t deadline_ns)
{
	struct mq_waiter w = { .done = false };
	struct mq *q;
	long n;

	TRY(mq_of_file(f, &q));
	if (!file_readable(f))
		return E_BADF;
	if (size < (uint64_t)q->msgsize)
		return E_MSGSIZE;
	list_init(&w.node);
	if (q->curmsgs > 0)
		w.message = get(q);
	else if ((f->flags & O_NONBLOCK) != 0)
		return E_AGAIN;
	else
		TRY(wait_served(&q->receivers, &w, deadline_ns));
	n = message_out(w.message, data, priority);
	kmem_free(w.message);
	return n;
}

/* ---- attributes ---- */

err_t mq_attributes(struct file *f, const struct mq_attr_k *now, struct mq_attr_k *old)
{
	struct mq *q;

	if (now != NULL && (now->flags & ~(int64_t)O_NONBLOCK) != 0)
		return E_INVAL;
	TRY(mq_of_file(f, &q));
	*old = (struct mq_attr_k){ .flags = f->flags & O_NONBLOCK,
				   .maxmsg = q->maxmsg,
				   .msgsize = q->msgsize,
				   .curmsgs = q->curmsgs };
	if (now != NULL)
		f->flags = (f->flags & ~(uint32_t)O_NONBLOCK) | (uint32_t)now->flags;
	return OK;
}
