/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads as the scheduler sees them, waiting, and time-outs. This core's only (R2); nothing here
 * is locked (R3).
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"
#include "base/list.h"
#include "base/tree.h"

struct thread;

/* ---- waiting ---- */
struct waitq {
	struct list waiters;
};
#define WAITQ_INIT(name)                  \
	{                                 \
		LIST_INIT((name).waiters) \
	}
void waitq_init(struct waitq *q);

typedef enum wait_result { WAIT_WOKEN, WAIT_SIGNAL, WAIT_TIMEOUT } wait_result_t;

#define WAIT_FOREVER UINT64_MAX
/*
 * Sleep until woken, a signal is to be delivered (only if interruptible), or the monotonic
 * deadline. The caller
 * rechecks its condition in a loop. MAY_SWITCH */
wait_result_t wait_on(struct waitq *q, uint64_t deadline_ns, bool interruptible);
/*
 * Wake up to `max` sleepers of wait_on (and exclusive entries), FIFO, and every entry that is not
 * exclusive.
 * Returns how many there were. */
unsigned wake_up(struct waitq *q, unsigned max);
static inline unsigned wake_all(struct waitq *q)
{
	return list_empty(&q->waiters) ? 0 : wake_up(q, UINT32_MAX);
}

/*
 * As wait_on(q, deadline, false), but a signal that ends the program ends it too: WAIT_SIGNAL.
 * MAY_SWITCH
 */
wait_result_t wait_on_killable(struct waitq *q, uint64_t deadline_ns);

/*
 * Wait on several queues at once (poll, select, epoll): an entry calls back, or by default wakes
 * its thread.
 */
struct wait_entry {
	struct list node;
	struct thread *thread;
	void (*notify)(struct wait_entry *e); /* NULL: wake the thread */
	bool exclusive;
};
void wait_entry_add(struct waitq *q, struct wait_entry *e);
void wait_entry_remove(struct wait_entry *e); /* allowed when not queued */
/*
 * Sleep without a queue: until thread_wake, signal or deadline. Returns at once when a wake came
 * since the
 * last wait_prepare(). MAY_SWITCH */
void wait_prepare(void);
wait_result_t wait_commit(uint64_t deadline_ns, bool interruptible);
void thread_wake(struct thread *t);
/* Bits of user_work for a thread, whether or not it runs now. */
void thread_add_work(struct thread *t, uint32_t bits);
/*
 * A sleep that a signal would end ends as by one; nothing happens if it does not sleep like that.
 */
void thread_interrupt(struct thread *t);

/* ---- time-outs (timer.c): run in interrupt or idle context, must not block ---- */
struct timer {
	struct tree_node node;
	uint64_t deadline_ns;
	void (*fire)(struct timer *t);
	bool armed;
};
void timer_set(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t));
void timer_cancel(struct timer *t);
/* The earliest deadline of all, UINT64_MAX when none. */
uint64_t timer_next_deadline(void);

/* ---- running ---- */
#define SCHED_RR_SLICE_NS 100000000ull /* of SCHED_RR, as sched_rr_get_interval tells */
extern struct thread *current;         /* NULL outside threads (start-up, idle) */
void sched_enqueue(
	struct thread *t); /* a thread that has never run, or is not runnable, becomes runnable */
void sched_yield(void);    /* MAY_SWITCH */
/*
 * In the middle of a call's long work, with nothing half-done: at most once a millisecond
 * interrupts, messages and other threads get their turn, as if the program had been interrupted.
 * True: the thread has been killed, the call should end with what it has. MAY_SWITCH
 */
bool sched_breathe(void);
/*
 * Of a device that is looked at rather than interrupting. Called whenever a thread gives up the
 * core, before the next is chosen; and (`idle`) when there is none, before the core halts: as an
 * interrupt would be. True: there may be something to do now, or more to look at. NULL: nobody.
 */
extern bool (*sched_rest_hook)(bool idle);
void sched_block(void);        /* the current thread is not runnable any more: switch. MAY_SWITCH */
NORETURN void sched_run(void); /* the core's main loop: run threads, poll messages, halt */
/*
 * Start-up and in-kernel tests, outside threads: run threads until none is runnable, then return.
 */
void sched_run_ready(void);
NORETURN void sched_exit_current(void); /* the current thread is gone; its memory is freed later */
uint64_t sched_switches(void);
unsigned sched_runnable(void); /* runnable threads that do not run now */
uint64_t sched_idle_ns(void);  /* time without a thread, since boot */
/*
 * Change how a thread is scheduled; it keeps its place when it runs. nice -20..19, policy SCHED_*,
 * priority 0..99.
 * The caller has checked permission and ranges. */
void thread_set_sched(struct thread *t, int policy, int rt_priority, int nice);
/*
 * The thread counts as much as `waiter` does now, if that is more than its own (NULL: as its own).
 * False: nothing has changed.
 */
bool thread_lend_priority(struct thread *t, const struct thread *waiter);

struct sched_ops;
/*
 * Put another policy in charge: it adopts all runnable threads, then the old one lets go. On error
 * the old stays.
 */
err_t sched_replace(const struct sched_ops *ops) MUST_CHECK;
const struct sched_ops *sched_current(void);
