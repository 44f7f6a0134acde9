/* SPDX-License-Identifier: BSD-2-Clause */
/* The byte ring against a plain queue. */
#include "base/ring.h"
#include "base/test/test.h"

#define SIZE  64u
#define STEPS 200000

static uint8_t queue[SIZE];
static uint32_t queued;

static void queue_put(const uint8_t *data, uint32_t n)
{
	memcpy(queue + queued, data, n);
	queued += n;
}

static void queue_drop(uint32_t n)
{
	queued -= n;
	memmove(queue, queue + n, queued);
}

static void fill(uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)rnd64();
}

static uint32_t smaller(size_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

static void step_put(struct ring *r)
{
	uint8_t data[SIZE * 2];
	size_t n = rnd(sizeof(data));
	uint32_t expected = smaller(n, SIZE - queued);

	fill(data, n);
	assert_int_equal(ring_put(r, data, n), expected);
	queue_put(data, expected);
}

static void step_get(struct ring *r)
{
	uint8_t data[SIZE * 2];
	size_t n = rnd(sizeof(data));
	uint32_t expected = smaller(n, queued);

	assert_int_equal(ring_get(r, data, n), expected);
	assert_memory_equal(data, queue, expected);
	queue_drop(expected);
}

static void step_peek(const struct ring *r)
{
	uint8_t data[SIZE * 2];
	uint32_t skip = (uint32_t)rnd(SIZE + 8);
	size_t n = rnd(sizeof(data));
	uint32_t expected = skip < queued ? smaller(n, queued - skip) : 0;

	assert_int_equal(ring_peek(r, skip, data, n), expected);
	if (expected != 0)
		assert_memory_equal(data, queue + skip, expected);
}

static void step_spans(struct ring *r)
{
	uint32_t len, n;
	uint8_t *to = ring_write_span(r, &len);
	const uint8_t *from;

	assert_int_equal(len == 0, queued == SIZE);
	n = (uint32_t)rnd(len + 1);
	fill(to, n);
	queue_put(to, n);
	ring_commit(r, n);
	from = ring_read_span(r, &len);
	assert_int_equal(len == 0, queued == 0);
	n = (uint32_t)rnd(len + 1);
	assert_memory_equal(from, queue, n);
	queue_drop(n);
	ring_skip(r, n);
}

static void step_bytes(struct ring *r)
{
	uint8_t byte = (uint8_t)rnd64(), got;
	bool room = queued < SIZE;

	assert_int_equal(ring_put_byte(r, byte), room);
	if (room)
		queue_put(&byte, 1);
	assert_true(ring_get_byte(r, &got));
	assert_int_equal(got, queue[0]);
	queue_drop(1);
}

static void random_against_model(void **state)
{
	uint8_t buf[SIZE];
	struct ring r;

	(void)state;
	rnd_seed();
	ring_init(&r, buf, SIZE);
	r.head = r.tail = UINT32_MAX - 1000; /* the counters wrap early */
	for (size_t i = 0; i < STEPS; i++) {
		switch (rnd(5)) {
		case 0: step_put(&r); break;
		case 1: step_get(&r); break;
		case 2: step_peek(&r); break;
		case 3: step_spans(&r); break;
		default: step_bytes(&r); break;
		}
		assert_int_equal(ring_count(&r), queued);
		assert_int_equal(ring_space(&r), SIZE - queued);
	}
	ring_clear(&r);
	assert_int_equal(ring_count(&r), 0);
}

static void empty_and_full(void **state)
{
	uint8_t buf[4], byte;
	struct ring r;

	(void)state;
	ring_init(&r, buf, sizeof(buf));
	assert_false(ring_get_byte(&r, &byte));
	assert_int_equal(ring_get(&r, NULL, 10), 0);
	assert_int_equal(ring_put(&r, "abcdef", 6), 4);
	assert_false(ring_put_byte(&r, 'x'));
	assert_int_equal(ring_put(&r, "x", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_and_full),
		cmocka_unit_test(random_against_model),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
