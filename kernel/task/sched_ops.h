/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a scheduling policy is (comp/sched/NAME). The host (kernel/task/sched.c) owns threads,
 * clocks, the timer and the list of runnable threads; a policy keeps only an index over them, and
 * can therefore be replaced at any time.
 *
 * A policy may read of struct thread: nice, policy, rt_priority, ran_ns. It owns, while the thread
 * is runnable or running: run_node and run_tree (its links; unlinked when the host hands a thread
 * over), and vruntime (kept over sleeps, given to the next policy as it is). Nothing may block,
 * allocate or fail, except adopt.
 *
 * For each thread: enqueue ... pick or dequeue, in turns. The running thread is in no index.
 */
#pragma once

#include <linux/sched.h>

#include "kernel/task/task.h"

#define SCHED_OPS_VERSION 1u

enum sched_why {
	SCHED_NEW,       /* has never run */
	SCHED_WAKE,      /* comes from a sleep */
	SCHED_PREEMPTED, /* could have run on */
	SCHED_YIELD,     /* let others go first, of its own will */
	SCHED_CHANGED,   /* its policy, priority or nice value is another now */
};

struct sched_ops {
	uint32_t version; /* SCHED_OPS_VERSION */
	const char *name;
	/* t is runnable and wants its turn. */
	void (*enqueue)(struct thread *t, enum sched_why why);
	/* t, which is in the index, leaves it. */
	void (*dequeue)(struct thread *t);
	/*
	 * Take the thread whose turn it is out of the index; NULL exactly when the index is empty.
	 */
	struct thread *(*pick)(void);
	/* The running thread t used the processor for ns. */
	void (*charge)(struct thread *t, uint64_t ns);
	/* How long t may run while others wait, in ns; UINT64_MAX: as long as it likes. */
	uint64_t (*slice)(const struct thread *t);
	/* Should `woken`, which was just enqueued, take the processor from `running` at once? */
	bool (*preempts)(const struct thread *woken, const struct thread *running);
	/*
	 * Build the index over the host's list of runnable threads (linked by runnable_node). May
	 * refuse: then nothing
	 * of it is left. */
	err_t (*adopt)(const struct list *runnable);
	/* Forget the index; the threads' links are unlinked again. */
	void (*release)(void);
};

/* comp/sched/fair: shares by nice value, SCHED_FIFO and SCHED_RR above, SCHED_IDLE below. */
extern const struct sched_ops sched_fair;
