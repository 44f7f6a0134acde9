/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending and receiving messages. */
#include "kernel/ipc/msg_queue.h"

/* Which messages a receiver takes. */
struct wanted {
	enum { WANT_ANY, WANT_TYPE, WANT_OTHER, WANT_LOWEST, WANT_NUMBER } how;
	long type; /* or number, or the highest type that will do */
};

struct receiver {
	struct list node;
	struct thread *thread;
	struct wanted want;
	size_t room; /* SIZE_MAX: any size will do */
	bool done;
	err_t error; /* E_RESTARTNOINTR: look at the queue again */
	struct message *message;
	int pid;
};

void message_free(struct message *m)
{
	kmem_free(m);
}

static err_t message_in(uaddr_t from, size_t size, struct message **out)
{
	struct message *m = kmem_alloc(sizeof(*m) + size);
	err_t err;

	if (m == NULL)
		return E_NOMEM;
	list_init(&m->node);
	m->size = size;
	err = user_in(m->data, UADDR(from.v + sizeof(long)), size);
	if (err == OK) {
		*out = m;
		return OK;
	}
	message_free(m);
	return err;
}

/* ---- sending ---- */

static bool is_wanted(const struct wanted *w, const struct message *m)
{
	switch (w->how) {
	case WANT_TYPE: return m->type == w->type;
	case WANT_OTHER: return m->type != w->type;
	case WANT_LOWEST: return m->type <= w->type;
	default: return true;
	}
}

static void answer(struct receiver *r, err_t error, struct message *m)
{
	list_remove(&r->node);
	r->done = true;
	r->error = error;
	r->message = m;
	thread_wake(r->thread);
}

/* To the first that waits for such a message. Those who have no room for it are told so. */
static bool hand_over(struct msg_queue *q, struct message *m)
{
	LIST_FOR_EACH_SAFE(pos, &q->receivers) {
		struct receiver *r = list_entry(pos, struct receiver, node);

		if (!is_wanted(&r->want, m))
			continue;
		if (r->room < m->size) {
			answer(r, E_2BIG, NULL);
			continue;
		}
		q->lrpid = r->pid;
		q->rtime = ipc_now();
		answer(r, OK, m);
		return true;
	}
	return false;
}

static void deliver(struct msg_queue *q, struct message *m)
{
	q->lspid = current_task->pid;
	q->stime = ipc_now();
	if (hand_over(q, m))
		return;
	list_push_back(&q->messages, &m->node);
	q->bytes += m->size;
	q->count++;
	msg_total_bytes += m->size;
	msg_total_count++;
}

static bool has_room(const struct msg_queue *q, size_t size)
{
	return size + q->bytes <= q->max_bytes && q->count + 1 <= q->max_bytes;
}

/* Until the message may be put in. MAY_SWITCH */
static err_t wait_for_room(struct msg_queue *q, size_t size, int flags)
{
	for (;;) {
		TRY(ipc_may(&q->ipc, S_IWUGO_));
		if (q->ipc.deleted)
			return E_IDRM;
		if (has_room(q, size))
			return OK;
		if ((flags & IPC_NOWAIT) != 0)
			return E_AGAIN;
		if (wait_on(&q->senders, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return q->ipc.deleted ? E_IDRM : E_INTR;
	}
}

long queue_send(int id, uaddr_t from, size_t size, int flags)
{
	struct message *m = NULL;
	struct ipc_object *o;
	long type;
	err_t err;

	TRY(USER_IN(&type, from));
	if (size > ipc_limits.msgmax || (int64_t)size < 0 || id < 0 || type < 1)
		return E_INVAL;
	TRY(message_in(from, size, &m));
	m->type = type;
	err = ipc_find(&msg_queues, id, &o);
	if (err == OK) {
		ipc_get(o);
		err = wait_for_room(queue_of(o), size, flags);
		if (err == OK)
			deliver(queue_of(o), m);
		ipc_put(&msg_queues, o);
	}
	if (err != OK)
		message_free(m);
	return err;
}

/* ---- receiving ---- */

static struct wanted want_of(long type, int flags)
{
	if ((flags & MSG_COPY) != 0)
		return (struct wanted){ WANT_NUMBER, type };
	if (type == 0)
		return (struct wanted){ WANT_ANY, 0 };
	if (type < 0)
		return (struct wanted){ WANT_LOWEST, type == INT64_MIN ? INT64_MAX : -type };
	return (struct wanted){ (flags & MSG_EXCEPT) != 0 ? WANT_OTHER : WANT_TYPE, type };
}

static struct message *find(const struct msg_queue *q, const struct wanted *w)
{
	struct message *best = NULL;
	long number = 0;

	LIST_FOR_EACH(pos, &q->messages) {
		struct message *m = list_entry(pos, struct message, node);

		if (w->how == WANT_NUMBER) {
			if (number++ == w->type)
				return m;
		} else if (is_wanted(w, m) && (best == NULL || m->type < best->type)) {
			best = m;
			if (w->how != WANT_LOWEST || m->type == 1)
				break;
		}
	}
	return best;
}

static long message_out(const struct message *m, uaddr_t to, size_t size)
{
	size_t n = m->size < size ? m->size : size;

	TRY(USER_OUT(to, &m->type));
	TRY(user_out(UADDR(to.v + sizeof(long)), m->data, n));
	return (long)n;
}

/* MSG_COPY: the message stays. */
static long copy_out(const struct msg_queue *q, const struct wanted *w, uaddr_t to, size_t size,
		     int flags)
{
	const struct message *m;

	TRY(ipc_may(&q->ipc, S_IRUGO_));
	m = find(q, w);
	if (m == NULL)
		return E_NOMSG;
	if (m->size > size)
		return (flags & MSG_NOERROR) != 0 ? E_INVAL : E_2BIG;
	return message_out(m, to, size);
}

static struct message *take(struct msg_queue *q, struct message *m)
{
	list_remove(&m->node);
	q->count--;
	q->bytes -= m->size;
	msg_total_count--;
	msg_total_bytes -= m->size;
	q->lrpid = current_task->pid;
	q->rtime = ipc_now();
	wake_all(&q->senders);
	return m;
}

/* MAY_SWITCH */
static err_t sleep(struct msg_queue *q, struct receiver *r)
{
	wait_result_t w = WAIT_WOKEN;

	r->thread = current;
	list_push_back(&q->receivers, &r->node);
	for (;;) {
		wait_prepare();
		if (r->done || w != WAIT_WOKEN)
			break;
		w = wait_commit(WAIT_FOREVER, true);
	}
	if (r->done)
		return r->error;
	list_remove(&r->node);
	return E_INTR;
}

/* A message of the queue, out of it. MAY_SWITCH */
static err_t take_or_wait(struct msg_queue *q, struct receiver *r, int flags, struct message **out)
{
	for (;;) {
		err_t err;

		TRY(ipc_may(&q->ipc, S_IRUGO_));
		if (q->ipc.deleted)
			return E_IDRM;
		*out = find(q, &r->want);
		if (*out != NULL) {
			if ((*out)->size > r->room)
				return E_2BIG;
			take(q, *out);
			return OK;
		}
		if ((flags & IPC_NOWAIT) != 0)
			return E_NOMSG;
		r->done = false;
		err = sleep(q, r);
		*out = r->message;
		if (err != E_RESTARTNOINTR)
			return err;
	}
}

static long receive(struct msg_queue *q, uaddr_t to, size_t size, long type, int flags)
{
	struct receiver r = { .want = want_of(type, flags),
			      .room = (flags & MSG_NOERROR) != 0 ? SIZE_MAX : size,
			      .pid = current_task->pid };
	struct message *m;
	long n;

	list_init(&r.node);
	if ((flags & MSG_COPY) != 0)
		return copy_out(q, &r.want, to, size, flags);
	TRY(take_or_wait(q, &r, flags, &m));
	n = message_out(m, to, size);
	message_free(m);
	return n;
}

long queue_receive(int id, uaddr_t to, size_t size, long type, int flags)
{
	struct ipc_object *o;
	long n;

	if (id < 0 || (int64_t)size < 0)
		return E_INVAL;
	if ((flags & MSG_COPY) != 0 && ((flags & MSG_EXCEPT) != 0 || (flags & IPC_NOWAIT) == 0))
		return E_INVAL;
	TRY(ipc_find(&msg_queues, id, &o));
	ipc_get(o);
	n = receive(queue_of(o), to, size, type, flags);
	ipc_put(&msg_queues, o);
	return n;
}

void queue_wake_all(struct msg_queue *q)
{
	while (!list_empty(&q->receivers))
		answer(list_entry(q->receivers.next, struct receiver, node),
		       q->ipc.deleted ? E_IDRM : E_RESTARTNOINTR, NULL);
	wake_all(&q->senders);
}
