/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bitmap.h"
#include "comp/alloc/conform.h"

#define CHUNKS   4u
#define FRAMES   (CHUNKS * CHUNK_FRAMES)
#define HELD_MAX 600u

static struct alloc_state state;
static uint64_t plain[CHUNKS][CHUNK_FRAMES / 64];
static uint8_t used[FRAMES];
static struct block {
	uint32_t frame;
	unsigned order;
} held[HELD_MAX];
static unsigned nheld;
static size_t total;

/* Chunk 0 is not managed; holes in the others are never to be handed out. */
static void machine_init(const struct alloc_ops *ops)
{
	void *memory = mmap((void *)DM_BASE, CHUNKS * CHUNK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	assert_ptr_equal(memory, (void *)DM_BASE);
	memset(used, 0, sizeof(used));
	memset(plain, 0, sizeof(plain));
	state = (struct alloc_state){ 0 };
	for (unsigned i = 0; i < ALLOC_ORDERS; i++)
		state.first[i] = ALLOC_NONE;
	nheld = 0;
	total = 0;
	for (uint32_t c = 1; c < CHUNKS; c++) {
		bitmap_set_range(plain[c], NK_HDR_LEN, CHUNK_FRAMES);
		bitmap_clear_range(plain[c], 100 * c, 100 * c + 7 * (c - 1));
		total += bitmap_count(plain[c], 0, CHUNK_FRAMES);
		ops->add_chunk(&state, c * CHUNK_FRAMES, plain[c]);
	}
	assert_int_equal(state.free, total);
}

static bool is_plain(uint32_t frame)
{
	return bitmap_test(plain[frame / CHUNK_FRAMES], frame % CHUNK_FRAMES);
}

static bool model_has_block(unsigned order)
{
	for (uint32_t first = CHUNK_FRAMES; first < FRAMES; first += 1u << order) {
		uint32_t i = first;

		while (i < first + (1u << order) && used[i] == 0 && is_plain(i))
			i++;
		if (i == first + (1u << order))
			return true;
	}
	return false;
}

static void take(const struct alloc_ops *ops, unsigned order)
{
	uint64_t before = state.free;
	uint32_t frame = ops->alloc(&state, order);

	if (frame == ALLOC_NONE) {
		assert_int_equal(state.free, before);
		assert_false(model_has_block(order));
		return;
	}
	assert_int_equal(state.free, before - (1u << order));
	assert_int_equal(frame & ((1u << order) - 1), 0);
	for (uint32_t i = frame; i < frame + (1u << order); i++) {
		assert_true(i >= CHUNK_FRAMES && i < FRAMES && is_plain(i));
		assert_int_equal(used[i], 0);
		assert_int_equal(alloc_frame(i)->flags & FRAME_IS_FREE, 0);
		used[i] = 1;
	}
	held[nheld++] = (struct block){ frame, order };
}

/* Give a block back, whole or (as the host does with single frames) in parts. */
static void give(const struct alloc_ops *ops, unsigned i)
{
	struct block b = held[i];

	held[i] = held[--nheld];
	memset(&used[b.frame], 0, 1u << b.order);
	if (b.order > 0 && rand() % 4 == 0) {
		for (uint32_t k = 0; k < 1u << b.order; k++)
			ops->free(&state, b.frame + k, 0);
		return;
	}
	ops->free(&state, b.frame, b.order);
}

static void run(const struct alloc_ops *ops, unsigned steps)
{
	for (unsigned i = 0; i < steps; i++) {
		if (nheld == HELD_MAX || (nheld > 0 && rand() % 100 < ((i / 5000) % 2 ? 60 : 40)))
			give(ops, (unsigned)rand() % nheld);
		else
			take(ops, rand() % 3 != 0 ? 0 : (unsigned)rand() % ALLOC_ORDERS);
	}
}

static void end(const struct alloc_ops *ops)
{
	while (nheld > 0)
		give(ops, nheld - 1);
	assert_int_equal(state.free, total);
	assert_true(model_has_block(7));
	take(ops, 7); /* what was split is whole again */
	assert_int_equal(nheld, 1);
}

void alloc_conform(const struct alloc_ops *ops)
{
	srand(1);
	assert_int_equal(ops->version, ALLOC_OPS_VERSION);
	machine_init(ops);
	run(ops, 50000);
	end(ops);
}

void alloc_conform_adopt(const struct alloc_ops *from, const struct alloc_ops *to)
{
	srand(2);
	machine_init(from);
	for (unsigned i = 0; i < 10; i++) {
		run(from, 1000);
		assert_int_equal(to->adopt(&state), OK);
		run(to, 1000);
		assert_int_equal(from->adopt(&state), OK);
	}
	end(from);
}

void alloc_conform_refuse(const struct alloc_ops *ops)
{
	struct alloc_state before;

	srand(3);
	machine_init(ops);
	run(ops, 1000);
	before = state;
	state.free++;
	assert_int_not_equal(ops->adopt(&state), OK);
	state.free--;
	assert_memory_equal(&state, &before, sizeof(state));
	assert_int_equal(ops->adopt(&state), OK);
	end(ops);
}
