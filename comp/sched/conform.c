/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "comp/sched/conform.h"

#define THREADS 64u

static struct thread threads[THREADS];
static struct list runnable;
static const struct sched_ops *ops;

static void machine_init(const struct sched_ops *o)
{
	ops = o;
	list_init(&runnable);
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .tid = (int)i + 1 };
		list_init(&threads[i].run_node);
		list_init(&threads[i].runnable_node);
	}
}

static void put(struct thread *t, enum sched_why why)
{
	assert_false(t->queued);
	t->queued = true;
	list_push_back(&runnable, &t->runnable_node);
	ops->enqueue(t, why);
}

static struct thread *take(void)
{
	struct thread *t = ops->pick();

	if (t == NULL) {
		assert_true(list_empty(&runnable));
		return NULL;
	}
	assert_true(t->queued);
	t->queued = false;
	list_remove(&t->runnable_node);
	return t;
}

static void take_out(struct thread *t)
{
	ops->dequeue(t);
	t->queued = false;
	list_remove(&t->runnable_node);
}

static void drain(void)
{
	while (take() != NULL)
		;
}

/* Let the picked thread run for its slice, at most `most`. */
static uint64_t run(struct thread *t, uint64_t most)
{
	uint64_t ns = ops->slice(t);

	if (ns > most)
		ns = most;
	assert_true(ns > 0);
	ops->charge(t, ns);
	t->ran_ns += ns;
	return ns;
}

/* ---- each thread comes out once ---- */

static void nothing_lost(void)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		threads[i].nice = (int)(i % 40) - 20;
		put(&threads[i], SCHED_NEW);
	}
	for (unsigned i = 0; i < THREADS; i += 3)
		take_out(&threads[i]);
	while (take() != NULL)
		seen++;
	assert_int_equal(seen, THREADS - (THREADS + 2) / 3);
}

/* ---- random life: enqueue, dequeue, pick, change, adopt ---- */

static uint64_t rng = 88172645463325252ull;

static unsigned below(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng % n);
}

static const int policies[] = { SCHED_NORMAL, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR };

static void change(struct thread *t)
{
	bool queued = t->queued;

	if (queued)
		ops->dequeue(t);
	t->policy = policies[below(5)];
	t->rt_priority = t->policy == SCHED_FIFO || t->policy == SCHED_RR ? 1 + (int)below(99) : 0;
	t->nice = (int)below(40) - 20;
	if (queued)
		ops->enqueue(t, SCHED_CHANGED);
}

static bool is_rt(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

/* Nobody of higher real-time priority is left behind. */
static void check_priority(const struct thread *t)
{
	LIST_FOR_EACH(l, &runnable) {
		const struct thread *w = list_entry(l, struct thread, runnable_node);

		if (is_rt(w))
			assert_true(is_rt(t) && t->rt_priority >= w->rt_priority);
	}
}

static void replace_by_itself(void)
{
	ops->release();
	assert_int_equal(ops->adopt(&runnable), OK);
}

static void random_life(void)
{
	for (unsigned step = 0; step < 200000; step++) {
		struct thread *t = &threads[below(THREADS)];

		switch (below(5)) {
		case 0:
		case 1:
			if (!t->queued)
				put(t, (enum sched_why)below(5));
			break;
		case 2:
			t = take();
			if (t == NULL)
				break;
			check_priority(t);
			run(t, 5000000);
			break;
		case 3: change(t); break;
		default:
			if (t->queued)
				take_out(t);
			if (step % 64 == 0)
				replace_by_itself();
		}
	}
	drain();
}

/* ---- no one starves ---- */

static void no_starvation(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .nice = i == 0 ? 19 : -5 };
		list_init(&threads[i].run_node);
		list_init(&threads[i].runnable_node);
		put(&threads[i], SCHED_NEW);
	}
	for (unsigned i = 0; i < 200000; i++) {
		struct thread *t = take();

		run(t, UINT64_MAX);
		put(t, SCHED_PREEMPTED);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_true(threads[i].ran_ns > 0);
	drain();
}

/* ---- SCHED_FIFO: in order, until it blocks; SCHED_RR takes turns ---- */

static void fifo_order(void)
{
	for (unsigned i = 0; i < 4; i++) {
		threads[i].policy = SCHED_FIFO;
		threads[i].rt_priority = 10;
		put(&threads[i], SCHED_WAKE);
	}
	assert_ptr_equal(take(), &threads[0]);
	put(&threads[0], SCHED_PREEMPTED);
	assert_ptr_equal(take(), &threads[0]);
	put(&threads[0], SCHED_YIELD);
	for (unsigned i = 1; i < 4; i++)
		assert_ptr_equal(take(), &threads[i]);
	assert_ptr_equal(take(), &threads[0]);
	assert_true(ops->slice(&threads[0]) == UINT64_MAX);
	for (unsigned i = 0; i < 2; i++) {
		threads[i].policy = SCHED_RR;
		put(&threads[i], SCHED_WAKE);
	}
	assert_ptr_equal(take(), &threads[0]);
	put(&threads[0], SCHED_PREEMPTED);
	assert_ptr_equal(take(), &threads[1]);
	drain();
}

static void adopt_keeps_all(void)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		change(&threads[i]);
		put(&threads[i], SCHED_NEW);
	}
	replace_by_itself();
	while (take() != NULL)
		seen++;
	assert_int_equal(seen, THREADS);
}

void sched_conform(const struct sched_ops *o)
{
	static void (*const parts[])(void) = { nothing_lost, random_life, no_starvation, fifo_order,
					       adopt_keeps_all };

	assert_int_equal(o->version, SCHED_OPS_VERSION);
	assert_non_null(o->name);
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		machine_init(o);
		parts[i]();
		assert_null(o->pick());
	}
}

void sched_conform_shares(const struct sched_ops *o, const int *nice, unsigned n,
			  unsigned *permille)
{
	uint64_t total = 0;

	machine_init(o);
	for (unsigned i = 0; i < n; i++) {
		threads[i].nice = nice[i];
		put(&threads[i], SCHED_NEW);
	}
	while (total < 100000000000ull) {
		struct thread *t = take();

		total += run(t, UINT64_MAX);
		put(t, SCHED_PREEMPTED);
	}
	for (unsigned i = 0; i < n; i++)
		permille[i] = (unsigned)(threads[i].ran_ns * 1000 / total);
	drain();
}
