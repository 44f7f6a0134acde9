/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocator against a map of frames, through frame.h; and what happens when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mem/alloc_ops.h"
#include "kernel/mem/test/machine.h"

#define HELD_MAX 4096u
#define FRAMES   (MACHINE_CHUNKS * CHUNK_FRAMES)

static uint8_t used[FRAMES]; /* the model: who has which frame */
static struct {
	paddr_t pa;
	unsigned order;
} held[HELD_MAX];
static unsigned nheld;
static size_t reclaimable;
static paddr_t cache[64];

static void claim(paddr_t pa, unsigned order)
{
	uint64_t first = pa.v >> PAGE_SHIFT;

	assert_int_equal(first & ((1u << order) - 1), 0);
	for (uint64_t i = first; i < first + (1u << order); i++) {
		assert_true(i >= CHUNK_FRAMES && i < FRAMES);
		assert_true((i & (CHUNK_FRAMES - 1)) >= NK_HDR_LEN);
		assert_int_equal(nk_frame(PADDR(i * PAGE_SIZE))->type, NK_T_PLAIN);
		assert_int_equal(used[i], 0);
		used[i] = 1;
	}
	held[nheld].pa = pa;
	held[nheld++].order = order;
	assert_int_equal(frame_refs(pa), 1);
}

static void drop(unsigned i)
{
	uint64_t first = held[i].pa.v >> PAGE_SHIFT;

	memset(&used[first], 0, 1u << held[i].order);
	frame_put(held[i].pa);
	held[i] = held[--nheld];
}

/* Is there a free aligned block of this order, by the model? */
static bool model_has_block(unsigned order)
{
	for (uint64_t first = CHUNK_FRAMES; first < FRAMES; first += 1u << order) {
		uint64_t i = first;

		while (i < first + (1u << order) && used[i] == 0 &&
		       frame_is_ours(PADDR(i * PAGE_SIZE)))
			i++;
		if (i == first + (1u << order))
			return true;
	}
	return false;
}

static void random_against_model(void **ctx)
{
	uint64_t before = machine_free_frames();

	(void)ctx;
	srand(1);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned order = rand() % 4 == 0 ? (unsigned)rand() % 10 : 0;
		paddr_t pa;

		/* Phases of growing and of shrinking, so that both ends are met. */
		if (nheld == HELD_MAX ||
		    (nheld > 0 && rand() % 100 < ((step / 20000) % 2 ? 60 : 40))) {
			drop((unsigned)rand() % nheld);
			continue;
		}
		pa = frame_alloc_order(order, rand() % 2 ? FRAME_ZERO : 0);
		if (!paddr_is_none(pa))
			claim(pa, order);
		else
			assert_true(frame_free_count() < (1u << order) + FRAME_RESERVED ||
				    !model_has_block(order));
		if (step % 5000 == 0)
			assert_int_equal(frame_allocator_swap(&alloc_buddy),
					 OK); /* its check of the lists */
	}
	while (nheld > 0)
		drop(nheld - 1);
	assert_int_equal(machine_free_frames(), before);
}

static void zeroed_and_counted(void **ctx)
{
	paddr_t pa = frame_alloc(0);
	const uint8_t *p;

	(void)ctx;
	memset(dm_ptr(pa), 0xff, PAGE_SIZE);
	frame_get(pa);
	assert_int_equal(frame_refs(pa), 2);
	frame_put(pa);
	frame_put(pa);
	pa = frame_alloc(FRAME_ZERO);
	p = dm_ptr(pa);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
	frame_put(pa);
	assert_false(frame_is_ours(PADDR(0)));
	assert_false(frame_is_ours(PADDR(MACHINE_IMAGE)));
	assert_false(frame_is_ours(PADDR(2 * CHUNK_SIZE))); /* a header */
	assert_true(paddr_is_none(frame_alloc_order(9, 0)));
}

static size_t give_back(size_t want)
{
	size_t n = 0;

	for (; n < want && reclaimable > 0; n++)
		frame_put(cache[--reclaimable]);
	return n;
}

static void exhaustion(void **ctx)
{
	uint64_t before = machine_free_frames();
	static paddr_t all[FRAMES], bulk[64];
	unsigned n = 0;

	(void)ctx;
	for (reclaimable = 0; reclaimable < 64; reclaimable++)
		cache[reclaimable] = frame_alloc(0);
	while (!paddr_is_none(all[n] = frame_alloc(0)))
		n++;
	assert_int_equal(reclaimable, 0); /* the cache was asked first */
	assert_int_equal(frame_alloc_bulk(bulk, 8, 0), E_NOMEM);
	assert_int_equal(frame_free_count(), FRAME_RESERVED);
	for (unsigned i = 0; i < FRAME_RESERVED; i++)
		assert_false(paddr_is_none(bulk[i] = frame_alloc(FRAME_RESERVE)));
	assert_true(paddr_is_none(frame_alloc(FRAME_RESERVE)));
	for (unsigned i = 0; i < FRAME_RESERVED; i++)
		frame_put(bulk[i]);
	while (n > 0)
		frame_put(all[--n]);
	assert_int_equal(machine_free_frames(), before);
}

static void tables_come_and_go(void **ctx)
{
	uint64_t before = machine_free_frames();

	(void)ctx;
	assert_int_equal(tables_reserve(1000), OK);
	assert_true(nk_status.pool >= 1000);
	mem_reclaim(SIZE_MAX);
	assert_true(nk_status.pool <= 2 * NK_TABLES_PER_OP);
	assert_int_equal(machine_free_frames(), before);
}

static int start(void **ctx)
{
	(void)ctx;
	machine_start();
	mem_register_reclaim(give_back);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_and_counted),
		cmocka_unit_test(random_against_model),
		cmocka_unit_test(exhaustion),
		cmocka_unit_test(tables_come_and_go),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
