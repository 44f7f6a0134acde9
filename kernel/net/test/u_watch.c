/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether an idle core looks at its device: where that makes rounds shorter, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/net/watch.h"

/* Rounds with a peer: so long when the core halts, and when it looks for the next frame. */
struct peer {
	uint64_t halted_ns, looked_ns;
};

static uint64_t now = 1000000;

/* Idle, until a frame comes; then work, until the core is idle again. True: it looked. */
static bool one_round(struct watch *w, const struct peer *p)
{
	uint64_t end = watch_begin(w, now);
	bool looked = end > now;

	assert_true(end - now <= WATCH_MAX_NS);
	now += looked ? p->looked_ns : p->halted_ns;
	watch_end(w);
	return looked;
}

static unsigned looks_in(struct watch *w, const struct peer *p, unsigned rounds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rounds; i++)
		n += one_round(w, p);
	return n;
}

static const struct peer quick = { 140000, 60000 };
static const struct peer starved = { 100000, 140000 };
static const struct peer slow = { 1000000, 1000000 };

static void test_looks_where_that_is_sooner(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	(void)looks_in(&w, &quick, 100);
	assert_int_equal(looks_in(&w, &quick, 10 * WATCH_TRY), 10 * WATCH_TRY - 10);
}

static void test_halted_where_looking_takes_the_peers_processor(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	(void)looks_in(&w, &starved, 100);
	assert_int_equal(looks_in(&w, &starved, 10 * WATCH_TRY), 10);
}

static void test_what_is_better_changes(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	for (unsigned i = 0; i < 3; i++) {
		(void)looks_in(&w, &quick, 20 * WATCH_TRY);
		assert_true(looks_in(&w, &quick, WATCH_TRY) >= WATCH_TRY - 1);
		(void)looks_in(&w, &starved, 20 * WATCH_TRY);
		assert_true(looks_in(&w, &starved, WATCH_TRY) <= 1);
	}
}

static void test_a_slow_peer_is_never_looked_for(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	assert_int_equal(looks_in(&w, &slow, 1000), 0);
	(void)looks_in(&w, &quick, 10 * WATCH_TRY);
	assert_true(looks_in(&w, &slow, 1000) < WATCH_TRY);
	assert_int_equal(looks_in(&w, &slow, 1000), 0);
}

/* Woken by something else, the core is idle again: the same rest goes on. */
static void test_one_rest_in_pieces(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	(void)looks_in(&w, &quick, WATCH_TRY + 1);
	assert_int_equal(watch_begin(&w, now), now + WATCH_MAX_NS);
	unsigned rounds = w.rounds;

	assert_int_equal(watch_begin(&w, now + 70000), now + WATCH_MAX_NS);
	assert_int_equal(w.rounds, rounds);
}

/* One long pause, and then it goes on as before. */
static void test_a_pause_is_forgotten(void **state)
{
	struct watch w;

	(void)state;
	watch_init(&w);
	(void)looks_in(&w, &quick, 10 * WATCH_TRY);
	now += 1000000000;
	(void)looks_in(&w, &quick, 4 * WATCH_TRY);
	assert_true(looks_in(&w, &quick, WATCH_TRY) >= WATCH_TRY - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looks_where_that_is_sooner),
		cmocka_unit_test(test_halted_where_looking_takes_the_peers_processor),
		cmocka_unit_test(test_what_is_better_changes),
		cmocka_unit_test(test_a_slow_peer_is_never_looked_for),
		cmocka_unit_test(test_one_rest_in_pieces),
		cmocka_unit_test(test_a_pause_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
