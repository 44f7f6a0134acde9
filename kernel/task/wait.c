/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping and waking. Between the check of a condition and the sleep nothing else runs (R3): no
 * wake-up is lost.
 */
#include "kernel/core/core.h"
#include "kernel/msg/msg.h"
#include "kernel/task/internal.h"

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

static void wait_timed_out(struct timer *timer)
{
	sched_wake(container_of(timer, struct thread, wait_timer), WAIT_TIMEOUT);
}

struct wait_how {
	bool interruptible, killable;
};

static wait_result_t sleep(struct thread *t, uint64_t deadline_ns, struct wait_how how)
{
	if (how.interruptible && signal_pending_current())
		return WAIT_SIGNAL;
	if (how.killable && t->killed)
		return WAIT_SIGNAL;
	if (deadline_ns != WAIT_FOREVER) {
		if (deadline_ns <= time_mono_ns())
			return WAIT_TIMEOUT;
		timer_set(&t->wait_timer, deadline_ns, wait_timed_out);
	}
	t->state = THREAD_WAITING;
	t->wait_interruptible = how.interruptible;
	t->wait_killable = how.killable;
	t->wait_result = WAIT_WOKEN;
	sched_block();
	if (t->wait_timer.armed)
		timer_cancel(&t->wait_timer);
	return t->wait_result;
}

static wait_result_t sleep_on(struct waitq *q, uint64_t deadline_ns, struct wait_how how)
{
	struct thread *t = current;
	wait_result_t r;

	BUG_ON(t == NULL);
	t->wait.thread = t;
	t->wait.notify = NULL;
	t->wait.exclusive = true;
	list_push_back(&q->waiters, &t->wait.node);
	r = sleep(t, deadline_ns, how);
	list_remove(&t->wait.node); /* harmless when the waker did it: then it points to itself */
	return r;
}

wait_result_t wait_on(struct waitq *q, uint64_t deadline_ns, bool interruptible)
{
	return sleep_on(q, deadline_ns, (struct wait_how){ interruptible, interruptible });
}

wait_result_t wait_on_killable(struct waitq *q, uint64_t deadline_ns)
{
	return sleep_on(q, deadline_ns, (struct wait_how){ false, true });
}

/*
 * A sleeper of wait_on leaves the queue when it is woken, so that the next wake-up reaches the next
 * sleeper.
 */
static void wake_entry(struct wait_entry *e)
{
	if (e->notify != NULL) {
		e->notify(e);
	} else if (e == &e->thread->wait) {
		list_remove(&e->node);
		sched_wake(e->thread, WAIT_WOKEN);
	} else {
		thread_wake(e->thread);
	}
}

unsigned wake_up(struct waitq *q, unsigned max)
{
	unsigned n = 0;

	LIST_FOR_EACH_SAFE(pos, &q->waiters) {
		struct wait_entry *e = list_entry(pos, struct wait_entry, node);

		if (e->exclusive && max == 0)
			continue;
		if (e->exclusive)
			max--;
		wake_entry(e);
		n++;
	}
	return n;
}

void wait_entry_add(struct waitq *q, struct wait_entry *e)
{
	list_push_back(&q->waiters, &e->node);
}

void wait_entry_remove(struct wait_entry *e)
{
	if (e->node.next != NULL)
		list_remove(&e->node);
}

void wait_prepare(void)
{
	current->woken = false;
}

wait_result_t wait_commit(uint64_t deadline_ns, bool interruptible)
{
	struct thread *t = current;

	if (t->woken)
		return WAIT_WOKEN;
	return sleep(t, deadline_ns, (struct wait_how){ interruptible, interruptible });
}

void thread_wake(struct thread *t)
{
	t->woken = true;
	sched_wake(t, WAIT_WOKEN);
}

void thread_interrupt(struct thread *t)
{
	if (t->wait_interruptible)
		sched_wake(t, WAIT_SIGNAL);
}

/* ---- msg_call: the calling thread sleeps until its answer is there ---- */

static struct waitq msg_waiters = WAITQ_INIT(msg_waiters);

static void msg_wait(bool *done, uint64_t deadline_ns)
{
	if (current == NULL)
		return; /* msg_call polls */
	while (!*(volatile bool *)done)
		if (wait_on(&msg_waiters, deadline_ns, false) == WAIT_TIMEOUT)
			return;
}

static void msg_wake(bool *done)
{
	(void)done; /* few calls are open at once: each sleeper looks at its own flag */
	wake_all(&msg_waiters);
}

void wait_init(void)
{
	msg_wait_hook = msg_wait;
	msg_wake_hook = msg_wake;
}
