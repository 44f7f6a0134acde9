/* SPDX-License-Identifier: BSD-2-Clause */
/* How the wall clock follows the host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/task/sched.h"
#include "kernel/vfs/console.h"
#include "kernel/vfs/control.h"
#include "kernel/x86/x86.h"

#define S  1000000000ull
#define MS 1000000ull

void (*control_time)(uint64_t ns);
static uint64_t mono, real_offset, rings_at;
static void (*rings)(struct timer *t);
static struct timer *ringing;
static unsigned questions, steps;
static int32_t bent;

uint64_t time_mono_ns(void)
{
	return mono;
}

uint64_t time_real_ns(void)
{
	return mono + real_offset;
}

void linux_step_real_time(uint64_t ns)
{
	real_offset = ns - mono;
	steps++;
}

void time_bend(int32_t ppb)
{
	bent = ppb;
}

void console_control(const char *text)
{
	assert_string_equal(text, "time");
	questions++;
}

void timer_set(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t))
{
	rings_at = deadline_ns;
	rings = fire;
	ringing = t;
}

void timer_cancel(struct timer *t)
{
	(void)t;
	rings_at = UINT64_MAX;
}

/* The host's clock stands at `ns` now, and its answer is under way for `took`. */
static void answer(uint64_t ns, uint64_t took)
{
	mono += took;
	control_time(ns);
}

/* Our clock goes like the host's, and both stand at 1,000 s. */
static int set_up(void **state)
{
	(void)state;
	questions = steps = 0;
	bent = 0;
	rings_at = UINT64_MAX;
	mono = 1 * S;
	real_offset = 999 * S;
	linux_follow_host_time();
	return 0;
}

/* The first answer was good, and it is time for the next question. */
static void a_minute_later(void)
{
	answer(time_real_ns(), 100000);
	assert_true(rings_at != UINT64_MAX);
	mono = rings_at;
	rings(ringing);
}

static void a_late_clock_steps_at_first(void **state)
{
	(void)state;
	answer(1000 * S + 60 * MS, 100000);
	assert_int_equal(steps, 1);
	assert_int_equal(time_real_ns(), 1000 * S + 60 * MS);
	assert_int_equal(rings_at, mono + 64 * S);
}

static void a_slow_answer_is_asked_again_four_times_at_most(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		assert_int_equal(questions, n);
		assert_int_equal(rings_at, UINT64_MAX);
		answer(time_real_ns(), 20 * MS);
	}
	assert_int_equal(questions, 4);
	assert_int_equal(rings_at, mono + 64 * S);
}

static void what_the_answer_leaves_open_changes_nothing(void **state)
{
	uint64_t now;

	(void)state;
	a_minute_later();
	now = time_real_ns();
	answer(now, 30 * MS); /* true at some moment of these 30 ms */
	assert_int_equal(bent, 0);
	assert_int_equal(steps, 0);
	assert_int_equal(time_real_ns(), now + 30 * MS);
}

static void a_little_is_bent_away_in_both_directions(void **state)
{
	(void)state;
	a_minute_later();
	answer(time_real_ns() + 64000 + 100000, 100000);
	assert_int_equal(bent, 1000);
	mono = rings_at;
	rings(ringing);
	answer(time_real_ns() - 64000, 0);
	assert_int_equal(bent, -1000);
	mono = rings_at;
	rings(ringing);
	answer(time_real_ns() - 3000 * S, 0); /* the host's was set back: never a step */
	assert_int_equal(bent, -500000);
	mono = rings_at;
	rings(ringing);
	answer(time_real_ns(), 0);
	assert_int_equal(bent, 0);
	assert_int_equal(steps, 0);
}

static void after_the_hosts_sleep_it_steps(void **state)
{
	uint64_t there;

	(void)state;
	a_minute_later();
	there = time_real_ns() + 3600 * S;
	answer(there, 0);
	assert_int_equal(steps, 1);
	assert_int_equal(time_real_ns(), there);
	assert_int_equal(bent, 0);
}

static void a_program_that_sets_the_clock_has_it(void **state)
{
	(void)state;
	a_minute_later();
	linux_set_real_time(5 * S);
	assert_null(control_time);
	assert_int_equal(rings_at, UINT64_MAX);
	assert_int_equal(time_real_ns(), 5 * S);
	linux_bend_time(77);
	assert_int_equal(bent, 77);
	linux_set_real_time(6 * S);
	assert_int_equal(bent, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_late_clock_steps_at_first, set_up),
		cmocka_unit_test_setup(a_slow_answer_is_asked_again_four_times_at_most, set_up),
		cmocka_unit_test_setup(what_the_answer_leaves_open_changes_nothing, set_up),
		cmocka_unit_test_setup(a_little_is_bent_away_in_both_directions, set_up),
		cmocka_unit_test_setup(after_the_hosts_sleep_it_steps, set_up),
		cmocka_unit_test_setup(a_program_that_sets_the_clock_has_it, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
