/* SPDX-License-Identifier: BSD-2-Clause */
/* The fair policy: conformance, and what it alone promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "comp/sched/conform.h"

static void conforms(void **state)
{
	(void)state;
	sched_conform(&sched_fair);
}

static void near(unsigned got, unsigned want)
{
	assert_in_range(got, want - 10, want + 10);
}

static void equal_threads_share_equally(void **state)
{
	const int nice[4] = { 0, 0, 0, 0 };
	unsigned share[4];

	(void)state;
	sched_conform_shares(&sched_fair, nice, 4, share);
	for (unsigned i = 0; i < 4; i++)
		near(share[i], 250);
}

static void nice_is_weight(void **state)
{
	const int nice[2] = { 0, 5 };
	unsigned share[2];

	(void)state;
	sched_conform_shares(&sched_fair, nice, 2, share);
	/* 1024 : 335 */
	near(share[0], 753);
	near(share[1], 247);
}

static void extremes(void **state)
{
	const int nice[2] = { -20, 19 };
	unsigned share[2];

	(void)state;
	sched_conform_shares(&sched_fair, nice, 2, share);
	assert_true(share[0] >= 990);
}

static struct thread make(int policy)
{
	struct thread t = { .policy = policy };

	return t;
}

/* A sleeper goes first, but has no claim to the time it slept through. */
static void sleeper_is_bounded(void **state)
{
	struct thread busy = make(SCHED_NORMAL), sleepy = make(SCHED_NORMAL);
	uint64_t begin;

	(void)state;
	list_init(&busy.run_node);
	list_init(&sleepy.run_node);
	sched_fair.enqueue(&busy, SCHED_NEW);
	sched_fair.pick();
	sleepy.vruntime = busy.vruntime;
	sched_fair.charge(&busy, 60000000000ull);
	begin = busy.vruntime;
	sched_fair.enqueue(&sleepy, SCHED_WAKE);
	assert_true(sched_fair.preempts(&sleepy, &busy));
	assert_true(begin - sleepy.vruntime <= 3000000);
	assert_ptr_equal(sched_fair.pick(), &sleepy);
	assert_null(sched_fair.pick());
}

static void who_preempts_whom(void **state)
{
	struct thread normal = make(SCHED_NORMAL), batch = make(SCHED_BATCH),
		      idle = make(SCHED_IDLE);
	struct thread fifo = make(SCHED_FIFO), rr = make(SCHED_RR);

	(void)state;
	fifo.rt_priority = 5;
	rr.rt_priority = 6;
	assert_true(sched_fair.preempts(&fifo, &normal));
	assert_true(sched_fair.preempts(&rr, &fifo));
	assert_false(sched_fair.preempts(&fifo, &rr));
	assert_false(sched_fair.preempts(&normal, &fifo));
	assert_true(sched_fair.preempts(&normal, &idle));
	normal.vruntime = 1000000000;
	assert_false(sched_fair.preempts(&batch, &normal));
	assert_false(sched_fair.preempts(&idle, &normal));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conforms),           cmocka_unit_test(equal_threads_share_equally),
		cmocka_unit_test(nice_is_weight),     cmocka_unit_test(extremes),
		cmocka_unit_test(sleeper_is_bounded), cmocka_unit_test(who_preempts_whom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
