/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on semaphores: all of a call's at once, or none. */
#include <linux/time_types.h>

#include "kernel/ipc/sem.h"

#define OPS_ON_STACK 32u
#define BLOCKED      1 /* try_ops: must wait */

/* What op i would make of its semaphore. OK, an error, or BLOCKED. */
static long try_one(const struct sem_set *s, const struct sem_waiter *w, const struct sembuf *op)
{
	int value = s->sem[op->sem_num].value, undo;

	if (op->sem_op == 0)
		return value == 0 ? OK : BLOCKED;
	if (value + op->sem_op < 0)
		return BLOCKED;
	if (value + op->sem_op > SEMVMX)
		return E_RANGE;
	if ((op->sem_flg & SEM_UNDO) == 0)
		return OK;
	undo = w->undo->adjust[op->sem_num] - op->sem_op;
	return undo < -SEMAEM - 1 || undo > SEMAEM ? E_RANGE : OK;
}

static void apply_one(struct sem_set *s, const struct sem_waiter *w, const struct sembuf *op,
		      int sign)
{
	struct semaphore *sem = &s->sem[op->sem_num];

	sem->value = (uint16_t)(sem->value + sign * op->sem_op);
	if ((op->sem_flg & SEM_UNDO) != 0)
		w->undo->adjust[op->sem_num] =
			(int16_t)(w->undo->adjust[op->sem_num] - sign * op->sem_op);
}

/*
 * Do all of w's operations, each on what those before it have left, or none. Answers as try_one();
 * when BLOCKED, w->blocking is the one that must wait.
 */
static long try_ops(struct sem_set *s, struct sem_waiter *w)
{
	unsigned done;
	long r = OK;

	for (done = 0; done < w->nops; done++) {
		const struct sembuf *op = &w->ops[done];

		r = try_one(s, w, op);
		if (r != OK) {
			w->blocking = op;
			break;
		}
		apply_one(s, w, op, 1);
	}
	if (r == OK) {
		for (unsigned i = 0; i < w->nops; i++)
			s->sem[w->ops[i].sem_num].pid = w->pid;
		s->otime = ipc_now();
		return OK;
	}
	while (done-- > 0)
		apply_one(s, w, &w->ops[done], -1);
	return r == BLOCKED && (w->blocking->sem_flg & IPC_NOWAIT) != 0 ? E_AGAIN : r;
}

static void finish(struct sem_waiter *w, long result)
{
	list_remove(&w->node);
	w->done = true;
	w->result = result;
	thread_wake(w->thread);
}

void sem_serve(struct sem_set *s)
{
	struct list *pos = s->waiting.next;

	while (pos != &s->waiting) {
		struct sem_waiter *w = list_entry(pos, struct sem_waiter, node);
		long r = try_ops(s, w);

		pos = pos->next;
		if (r == BLOCKED)
			continue;
		finish(w, r);
		if (r == OK && w->alters)
			pos = s->waiting.next; /* who came earlier comes first */
	}
}

void sem_end_waiting(struct sem_set *s)
{
	while (!list_empty(&s->waiting))
		finish(list_entry(s->waiting.next, struct sem_waiter, node), E_IDRM);
}

/* MAY_SWITCH */
static long sleep(struct sem_set *s, struct sem_waiter *w, uint64_t deadline_ns)
{
	wait_result_t r = WAIT_WOKEN;

	ipc_get(&s->ipc);
	w->thread = current;
	list_push_back(&s->waiting, &w->node);
	for (;;) {
		wait_prepare();
		if (w->done || r != WAIT_WOKEN)
			break;
		r = wait_commit(deadline_ns, true);
	}
	if (!w->done) {
		list_remove(&w->node);
		w->result = r == WAIT_TIMEOUT ? E_AGAIN : E_INTR;
	}
	ipc_put(&sem_sets, &s->ipc);
	return w->result;
}

/* ---- the call ---- */

struct summary {
	unsigned highest;
	bool alters, undo;
};

static void look_at(const struct sembuf *ops, unsigned n, struct summary *sum)
{
	*sum = (struct summary){ 0 };
	for (unsigned i = 0; i < n; i++) {
		if (ops[i].sem_num > sum->highest)
			sum->highest = ops[i].sem_num;
		sum->alters |= ops[i].sem_op != 0;
		sum->undo |= (ops[i].sem_flg & SEM_UNDO) != 0;
	}
}

static long operate(int id, const struct sembuf *ops, unsigned n, uint64_t deadline_ns)
{
	struct sem_waiter w = { .ops = ops, .nops = n, .pid = current_task->pid };
	struct ipc_object *o;
	struct summary sum;
	struct sem_set *s;
	long r;

	look_at(ops, n, &sum);
	TRY(ipc_find(&sem_sets, id, &o));
	s = sem_set_of(o);
	if (sum.highest >= s->n)
		return E_FBIG;
	TRY(ipc_may(o, sum.alters ? S_IWUGO_ : S_IRUGO_));
	if (sum.undo)
		TRY(sem_undo_get(s, &w.undo));
	w.alters = sum.alters;
	list_init(&w.node);
	r = try_ops(s, &w);
	if (r == BLOCKED)
		return sleep(s, &w, deadline_ns);
	if (r == OK && w.alters)
		sem_serve(s);
	return r;
}

static err_t deadline_in(uaddr_t timeout, uint64_t *deadline_ns)
{
	struct __kernel_timespec ts;
	uint64_t now = time_mono_ns();

	*deadline_ns = WAIT_FOREVER;
	if (timeout.v == 0)
		return OK;
	TRY(USER_IN(&ts, timeout));
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return E_INVAL;
	if ((uint64_t)ts.tv_sec < (WAIT_FOREVER - now) / 1000000000u - 1)
		*deadline_ns = now + (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return OK;
}

long sem_operate(int id, uaddr_t from, unsigned n, uaddr_t timeout)
{
	struct sembuf few[OPS_ON_STACK], *ops = few;
	uint64_t deadline_ns;
	long r;

	TRY(deadline_in(timeout, &deadline_ns));
	if (n < 1 || id < 0)
		return E_INVAL;
	if (n > ipc_limits.semopm)
		return E_2BIG;
	if (n > OPS_ON_STACK && (ops = kmem_alloc(n * sizeof(*ops))) == NULL)
		return E_NOMEM;
	r = user_in(ops, from, n * sizeof(*ops));
	if (r == OK)
		r = operate(id, ops, n, deadline_ns);
	if (ops != few)
		kmem_free(ops);
	return r;
}
