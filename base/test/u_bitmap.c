/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit maps against an array of bools; checked arithmetic at its edges. */
#include "base/bitmap.h"
#include "base/checked.h"
#include "base/test/test.h"

#define BITS  200u
#define STEPS 50000

static uint64_t map[BITMAP_WORDS(BITS)];
static bool model[BITS];

static size_t model_find(size_t from, size_t to, bool value, size_t run)
{
	for (size_t i = from; i + run <= to; i++) {
		size_t n = 0;

		while (n < run && model[i + n] == value)
			n++;
		if (n == run)
			return i;
	}
	return BITMAP_NONE;
}

static void check_queries(size_t from, size_t to)
{
	size_t set = 0, run = 1 + rnd(20);

	for (size_t i = from; i < to; i++)
		set += model[i];
	assert_int_equal(bitmap_count(map, from, to), set);
	assert_int_equal(bitmap_find_set(map, from, to), model_find(from, to, true, 1));
	assert_int_equal(bitmap_find_clear(map, from, to), model_find(from, to, false, 1));
	assert_int_equal(bitmap_find_clear_run(map, from, to, run),
			 model_find(from, to, false, run));
}

static void random_against_model(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t step = 0; step < STEPS; step++) {
		size_t from = rnd(BITS + 1), to = rnd(BITS + 1);
		size_t bit = rnd(BITS), op = rnd(6);

		if (op == 0) {
			bitmap_set_range(map, from, to);
		} else if (op == 1) {
			bitmap_clear_range(map, from, to);
		} else {
			bitmap_assign(map, bit, op % 2 != 0);
			model[bit] = op % 2 != 0;
		}
		for (size_t i = from; op < 2 && i < to; i++)
			model[i] = op == 0;
		assert_int_equal(bitmap_test(map, bit), model[bit]);
		if (from <= to)
			check_queries(from, to);
	}
}

static void ranges(void **state)
{
	uint64_t end;

	(void)state;
	assert_true(range_end(10, 5, &end));
	assert_int_equal(end, 15);
	assert_true(range_end(UINT64_MAX, 0, &end));
	assert_false(range_end(UINT64_MAX, 1, &end));
	assert_true(range_inside(10, 5, 10, 15));
	assert_false(range_inside(10, 6, 10, 15));
	assert_false(range_inside(9, 1, 10, 15));
	assert_true(range_inside(15, 0, 10, 15));
	assert_false(range_inside(16, 0, 10, 15));
	assert_false(range_inside(12, UINT64_MAX, 10, 15));
	assert_true(range_overlaps(0, 10, 9, 1));
	assert_false(range_overlaps(0, 10, 10, 1));
	assert_false(range_overlaps(5, 0, 0, 10));
	assert_true(range_overlaps(UINT64_MAX - 1, 1, 0, UINT64_MAX));
}

static void arithmetic(void **state)
{
	uint64_t u;
	uint8_t b;
	int32_t i;

	(void)state;
	assert_true(checked_add(200, 55, &b));
	assert_int_equal(b, 255);
	assert_false(checked_add(200, 56, &b));
	assert_false(checked_sub(1u, 2u, &u));
	assert_true(checked_mul(UINT32_MAX, 2ull, &u));
	assert_false(checked_mul(UINT64_MAX, 2ull, &u));
	assert_false(checked_add(INT32_MAX, 1, &i));
	assert_true(checked_align_up(4097, 4096, &u));
	assert_int_equal(u, 8192);
	assert_true(checked_align_up(4096, 4096, &u));
	assert_int_equal(u, 4096);
	assert_false(checked_align_up(UINT64_MAX - 5, 4096, &u));
	assert_true(is_power_of_two(1) && is_power_of_two(1ull << 63));
	assert_false(is_power_of_two(0) || is_power_of_two(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_against_model),
		cmocka_unit_test(ranges),
		cmocka_unit_test(arithmetic),
	};

	return cmocka_run_group_tests_name("bitmap", tests, NULL, NULL);
}
