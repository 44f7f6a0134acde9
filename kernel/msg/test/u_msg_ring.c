/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring protocol with both ends in one process, under random interleavings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/msg/ring.h"

#define MESSAGES 1000000u

struct end {
	struct msg_chan chan;
	uint64_t sent, got;
	uint32_t in_hand; /* received, not done with */
	struct msg_line line;
	bool owes_ack;
};

static struct msg_ring ring[2];
static struct end end[2];
static uint64_t seed;
static bool with_side; /* every fifth message has data in the side buffer */

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % below;
}

static void start(uint64_t s)
{
	seed = s;
	with_side = false;
	memset(ring, 0, sizeof(ring));
	memset(end, 0, sizeof(end));
	msg_chan_init(&end[0].chan, &ring[0], &ring[1]);
	msg_chan_init(&end[1].chan, &ring[1], &ring[0]);
}

static uint64_t word(uint64_t n, unsigned i)
{
	return (n + 1) * 0x9e3779b97f4a7c15ull + i;
}

static uint32_t side_len(uint64_t n)
{
	return with_side && n % 5 == 0 ? 1 + (uint32_t)(word(n, 0) % MSG_SIDE_MAX) : 0;
}

static void check_in_flight(const struct end *e)
{
	uint16_t lines = (uint16_t)(e->chan.next_id - 1 - e->chan.ack_id);

	assert_true(lines <= MSG_LINES);
}

static bool try_send(struct end *e)
{
	static uint8_t data[MSG_SIDE_MAX];
	uint64_t n = e->sent, body[MSG_WORDS];
	uint32_t len = side_len(n);

	if (!msg_chan_room(&e->chan, len != 0))
		return false;
	for (unsigned i = 0; i < MSG_WORDS; i++)
		body[i] = word(n, i);
	memset(data, (int)(n & 0xff), len);
	msg_chan_send(&e->chan, MSG_ping, (uint32_t)n & MSG_TOKEN_MAX, body, data, len);
	e->sent++;
	check_in_flight(e);
	return true;
}

static bool try_receive(struct end *e)
{
	if (e->in_hand || !msg_chan_receive(&e->chan, &e->line))
		return false;
	e->in_hand = 1;
	return true;
}

/* The line in hand is looked at as late as a handler may: its side data must still be there. */
static void finish(struct end *e)
{
	struct msg_line *l = &e->line;

	if (!e->in_hand)
		return;
	if (l->kind != MSG_ACK) {
		uint64_t n = e->got++;

		assert_int_equal(l->kind, MSG_ping);
		assert_int_equal(l->token, n & MSG_TOKEN_MAX);
		assert_int_equal(l->side_len, side_len(n));
		for (unsigned i = 0; i < MSG_WORDS; i++)
			assert_true(l->body[i] == word(n, i));
		for (uint32_t i = 0; i < l->side_len; i += 61)
			assert_int_equal(e->chan.in->side[i], n & 0xff);
		if (l->side_len != 0)
			e->owes_ack = true;
	}
	msg_chan_done(&e->chan);
	e->in_hand = 0;
}

static void acknowledge(struct end *e)
{
	if (msg_chan_ack(&e->chan, e->owes_ack))
		e->owes_ack = false;
	check_in_flight(e);
}

/* What a core does when it looks at its messages: until there are none. */
static unsigned poll_all(struct end *e)
{
	unsigned n = 0;

	finish(e);
	while (try_receive(e)) {
		finish(e);
		n++;
	}
	acknowledge(e);
	return n;
}

static void random_step(struct end *e, uint64_t limit)
{
	switch (rnd(8)) {
	case 0:
	case 1:
	case 2:
		if (e->sent < limit)
			try_send(e);
		break;
	case 3:
	case 4: try_receive(e); break;
	case 5: finish(e); break;
	case 6: acknowledge(e); break;
	default:
		if (rnd(4) == 0)
			poll_all(e);
	}
}

/* After both have polled until nothing moves, all has arrived. */
static void settle(void)
{
	while (poll_all(&end[0]) + poll_all(&end[1]) != 0)
		;
	assert_true(end[0].got == end[1].sent);
	assert_true(end[1].got == end[0].sent);
}

static void test_both_ways(void **state)
{
	(void)state;
	start(12345);
	with_side = true;
	while (end[0].sent < MESSAGES || end[1].sent < MESSAGES)
		random_step(&end[rnd(2)], MESSAGES);
	settle();
	assert_true(end[0].got == MESSAGES && end[1].got == MESSAGES);
}

/* Bursts: one end does many steps while the other sleeps, so that rings fill to the brim. */
static void test_bursts_fill_the_rings(void **state)
{
	uint64_t full = 0;

	(void)state;
	start(999);
	while (end[0].sent < MESSAGES / 2 || end[1].sent < MESSAGES / 2) {
		struct end *e = &end[rnd(2)];

		for (uint32_t n = rnd(200); n > 0; n--)
			if (e->sent < MESSAGES / 2 && !try_send(e))
				full++;
		if (rnd(3) == 0)
			poll_all(e);
	}
	settle();
	assert_true(full > 1000);
}

/* Neither end reads until both are full; then each reads once and everybody can go on. */
static void test_two_full_rings_do_not_wait_for_each_other(void **state)
{
	(void)state;
	start(1);
	for (unsigned round = 0; round < 5000; round++) {
		while (try_send(&end[0]) || try_send(&end[1]))
			;
		poll_all(&end[0]);
		poll_all(&end[1]);
		poll_all(&end[0]);
		assert_true(msg_chan_room(&end[0].chan, false));
		assert_true(msg_chan_room(&end[1].chan, false));
	}
	settle();
}

static void test_full_at_one_less_than_lines(void **state)
{
	static const uint64_t body[MSG_WORDS];
	unsigned n = 0;

	(void)state;
	start(7);
	while (msg_chan_room(&end[0].chan, false)) {
		msg_chan_send(&end[0].chan, MSG_ping, 0, body, NULL, 0);
		n++;
	}
	assert_int_equal(n, MSG_LINES - 1);
	/* The other end has read nothing but may still send and acknowledge. */
	assert_true(msg_chan_room(&end[1].chan, false));
}

static void test_one_way_stream(void **state)
{
	(void)state;
	start(5);
	with_side = true;
	for (uint64_t i = 0; i < 200000; i++) { /* wraps the 16-bit numbers three times */
		while (!try_send(&end[0]))
			assert_true(poll_all(&end[1]) > 0 || poll_all(&end[0]) > 0);
	}
	settle();
}

static void test_side_buffer_belongs_to_one_message(void **state)
{
	static const uint64_t body[MSG_WORDS];
	struct msg_line line;
	uint8_t data[16] = "first";

	(void)state;
	start(3);
	assert_true(msg_chan_room(&end[0].chan, true));
	msg_chan_send(&end[0].chan, MSG_ping, 0, body, data, sizeof(data));
	assert_false(msg_chan_room(&end[0].chan, true));
	assert_true(msg_chan_room(&end[0].chan, false));
	assert_true(msg_chan_receive(&end[1].chan, &line));
	assert_false(msg_chan_ack(&end[1].chan, true)); /* not done with it */
	assert_false(msg_chan_room(&end[0].chan, true));
	msg_chan_done(&end[1].chan);
	assert_true(msg_chan_ack(&end[1].chan, true));
	assert_true(msg_chan_room(&end[0].chan, true)); /* learnt without receiving */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_bursts_fill_the_rings),
		cmocka_unit_test(test_two_full_rings_do_not_wait_for_each_other),
		cmocka_unit_test(test_full_at_one_less_than_lines),
		cmocka_unit_test(test_one_way_stream),
		cmocka_unit_test(test_side_buffer_belongs_to_one_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
