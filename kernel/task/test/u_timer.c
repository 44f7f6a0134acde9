/* SPDX-License-Identifier: BSD-2-Clause */
/* Time-outs: order, cancelling, re-arming, and how often the hardware is programmed. */
#include "kernel/task/test/host.h"

struct trap_hooks trap_hooks;
struct thread *current;
static uint64_t now_ns;
static uint64_t hardware = UINT64_MAX;
static unsigned programmed_times;

uint64_t time_mono_ns(void)
{
	return now_ns;
}

void timer_arm(uint64_t mono_ns)
{
	hardware = mono_ns;
	programmed_times++;
}

void account_tick(void)
{
}

static unsigned fired[8], nfired;
static struct timer timers[8];

static void fire(struct timer *t)
{
	assert_false(t->armed);
	assert_true(t->deadline_ns <= now_ns);
	fired[nfired++] = (unsigned)(t - timers);
}

static void interrupt_at(uint64_t ns)
{
	now_ns = ns;
	hardware = UINT64_MAX;
	trap_hooks.timer();
}

static int setup(void **state)
{
	(void)state;
	timer_init();
	for (unsigned i = 0; i < 8; i++)
		timer_cancel(&timers[i]);
	interrupt_at(now_ns + 1000000);
	nfired = 0;
	programmed_times = 0;
	return 0;
}

static void in_order(void **state)
{
	(void)state;
	timer_set(&timers[0], now_ns + 300, fire);
	timer_set(&timers[1], now_ns + 100, fire);
	timer_set(&timers[2], now_ns + 200, fire);
	assert_int_equal(hardware, now_ns + 100);
	interrupt_at(now_ns + 250);
	assert_int_equal(nfired, 2);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 2);
	assert_int_equal(hardware, timers[0].deadline_ns);
	interrupt_at(hardware);
	assert_int_equal(nfired, 3);
	assert_int_equal(hardware, UINT64_MAX);
}

static void cancelled_does_not_fire(void **state)
{
	(void)state;
	timer_set(&timers[0], now_ns + 100, fire);
	timer_cancel(&timers[0]);
	timer_cancel(&timers[0]);
	interrupt_at(now_ns + 100);
	assert_int_equal(nfired, 0);
	assert_int_equal(hardware, UINT64_MAX);
}

static void set_again_moves(void **state)
{
	(void)state;
	timer_set(&timers[0], now_ns + 100, fire);
	timer_set(&timers[0], now_ns + 500, fire);
	interrupt_at(now_ns + 100);
	assert_int_equal(nfired, 0);
	assert_int_equal(hardware, timers[0].deadline_ns);
	interrupt_at(now_ns + 400);
	assert_int_equal(nfired, 1);
}

/* A time-out that is set and cancelled for each request must not program the hardware each time. */
static void programming_is_rare(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		now_ns++;
		timer_set(&timers[0], now_ns + 1000000, fire);
		timer_cancel(&timers[0]);
	}
	assert_int_equal(programmed_times, 1);
}

static void fire_periodic(struct timer *t)
{
	fire(t);
	if (nfired < 5)
		timer_set(t, now_ns + 10, fire_periodic);
}

static void may_rearm_itself(void **state)
{
	(void)state;
	timer_set(&timers[3], now_ns + 10, fire_periodic);
	while (hardware != UINT64_MAX)
		interrupt_at(hardware);
	assert_int_equal(nfired, 5);
}

static void fire_cancels_other(struct timer *t)
{
	fire(t);
	timer_cancel(&timers[5]);
}

static void may_cancel_another(void **state)
{
	(void)state;
	timer_set(&timers[4], now_ns + 10, fire_cancels_other);
	timer_set(&timers[5], now_ns + 10, fire);
	interrupt_at(now_ns + 10);
	assert_int_equal(nfired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_order, setup),
		cmocka_unit_test_setup(cancelled_does_not_fire, setup),
		cmocka_unit_test_setup(set_again_moves, setup),
		cmocka_unit_test_setup(programming_is_rare, setup),
		cmocka_unit_test_setup(may_rearm_itself, setup),
		cmocka_unit_test_setup(may_cancel_another, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
