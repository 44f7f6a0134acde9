/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, waiting, time-outs and the policy, in the kernel itself. */
#include "kernel/core/core.h"
#include "kernel/task/internal.h"
#include "kernel/task/sched_ops.h"

static struct waitq queue = WAITQ_INIT(queue);
static char order[16];
static unsigned order_len;
static unsigned running;

static void note(char c)
{
	if (order_len < sizeof(order) - 1)
		order[order_len++] = c;
	order[order_len] = '\0';
}

static bool order_is(const char *s)
{
	return __builtin_strcmp(order, s) == 0;
}

static void reset(void)
{
	order_len = 0;
	order[0] = '\0';
	running = 0;
}

/* Run threads until `running` of them have ended, however long they sleep. */
static void run_all(void)
{
	for (;;) {
		sched_run_ready();
		if (running == 0)
			return;
		x86_wait_for_interrupt();
	}
}

static void start(void (*fn)(void *), void *arg)
{
	running++;
	EXPECT_EQ(kthread_start("test", fn, arg), OK);
}

static void sleeper(void *arg)
{
	(void)wait_on(&queue, WAIT_FOREVER, false);
	note(*(const char *)arg);
	running--;
}

static void waker(void *arg)
{
	wake_up(&queue, 1);
	note(*(const char *)arg);
	running--;
}

KTEST(task_wake_is_fifo)
{
	reset();
	start(sleeper, "a");
	start(sleeper, "b");
	sched_run_ready();
	EXPECT_EQ(running, 2);
	EXPECT_EQ(wake_up(&queue, 1), 1);
	sched_run_ready();
	EXPECT(order_is("a"));
	EXPECT_EQ(wake_all(&queue), 1);
	sched_run_ready();
	EXPECT(order_is("ab"));
	EXPECT_EQ(running, 0);
}

KTEST(task_waker_runs_on)
{
	reset();
	start(sleeper, "s");
	sched_run_ready();
	start(waker, "w");
	sched_run_ready();
	EXPECT(order_is("ws"));
}

/* Of all, and later than a slow host makes the last of them begin to wait. */
static uint64_t times_begin;
#define BEGIN_NS (500 * NS_PER_MS)

static void times_out(void *arg)
{
	uint64_t tens = (uint64_t)arg, end = times_begin + tens * 10 * NS_PER_MS;

	EXPECT_EQ(wait_on(&queue, end, false), WAIT_TIMEOUT);
	EXPECT(time_mono_ns() >= end);
	note((char)('0' + tens));
	running--;
}

KTEST(task_timeouts_in_order)
{
	uint64_t others = timer_next_deadline(); /* of the network, maybe */

	reset();
	times_begin = time_mono_ns() + BEGIN_NS;
	start(times_out, (void *)3);
	start(times_out, (void *)1);
	start(times_out, (void *)2);
	run_all();
	EXPECT(order_is("123"));
	EXPECT(list_empty(&queue.waiters));
	EXPECT(timer_next_deadline() >= others);
}

static struct thread *prepared;

static void prepares(void *arg)
{
	(void)arg;
	prepared = current;
	wait_prepare();
	thread_wake(current); /* as an interrupt between the check and the sleep would */
	EXPECT_EQ(wait_commit(WAIT_FOREVER, false), WAIT_WOKEN);
	wait_prepare();
	EXPECT_EQ(wait_commit(WAIT_FOREVER, false), WAIT_WOKEN);
	running--;
}

KTEST(task_wake_before_sleep_counts)
{
	reset();
	start(prepares, NULL);
	sched_run_ready();
	EXPECT_EQ(running, 1);
	thread_wake(prepared);
	sched_run_ready();
	EXPECT_EQ(running, 0);
}

static void yields(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note(*(const char *)arg);
		sched_yield();
	}
	running--;
}

KTEST(task_yield_alternates)
{
	reset();
	start(yields, "a");
	start(yields, "b");
	sched_run_ready();
	EXPECT(order_is("ababab"));
}

static void nothing(void *arg)
{
	(void)arg;
	running--;
}

KTEST(task_thousand_threads_leave_nothing)
{
	struct thread *t;
	unsigned before = kernel_task.nthreads;

	reset();
	for (int i = 0; i < 1000; i++) {
		start(nothing, NULL);
		if (i % 50 == 49)
			sched_run_ready();
	}
	EXPECT_EQ(running, 0);
	EXPECT_EQ(kernel_task.nthreads, before);
	EXPECT_EQ(sched_runnable(), 0);
	TASK_FOR_EACH_THREAD(t, &kernel_task)
	EXPECT(t->state != THREAD_DEAD);
}

static err_t refuse(const struct list *runnable)
{
	(void)runnable;
	return E_BUSY;
}

KTEST(task_policy_replaced_with_threads_waiting)
{
	struct sched_ops other = sched_fair;

	reset();
	start(nothing, NULL);
	start(nothing, NULL);
	other.version = 0;
	EXPECT_EQ(sched_replace(&other), E_INVAL);
	other.version = SCHED_OPS_VERSION;
	other.adopt = refuse;
	EXPECT_EQ(sched_replace(&other), E_BUSY);
	EXPECT(sched_current() == &sched_fair);
	EXPECT_EQ(sched_replace(&sched_fair), OK);
	sched_run_ready();
	EXPECT_EQ(running, 0);
}

KTEST(task_switch_cost)
{
	uint64_t begin;

	reset();
	start(sleeper, "x");
	start(nothing, NULL);
	begin = sched_switches();
	sched_run_ready();
	EXPECT(sched_switches() - begin <= 3);
	wake_all(&queue);
	run_all();
}

KTEST(task_random_differs)
{
	uint64_t a = random_u64(), b = random_u64();
	unsigned seen = 0;

	EXPECT(a != b);
	for (int i = 0; i < 200; i++)
		seen |= 1u << random_below(8);
	EXPECT_EQ(seen, 0xff);
}
