/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binary buddies within a chunk (Knowlton, CACM 1965): a block of 2^k frames is aligned to its
 * size; its buddy differs in bit k of the frame number. Freeing joins buddies as far as both are
 * whole. Blocks never span two chunks, so chunks stay independent. Keeps no index of its own: the
 * host's lists are all it needs.
 */
#include "base/bitmap.h"
#include "kernel/mem/alloc_ops.h"

static void list_add(struct alloc_state *s, uint32_t frame, unsigned order)
{
	struct frame *f = alloc_frame(frame);
	uint32_t next = s->first[order];

	f->flags |= FRAME_IS_FREE;
	f->order = (uint8_t)order;
	f->link = alloc_link(ALLOC_NONE, next);
	if (next != ALLOC_NONE)
		alloc_frame(next)->link = alloc_link(frame, alloc_next(alloc_frame(next)));
	s->first[order] = frame;
}

static void list_del(struct alloc_state *s, uint32_t frame, unsigned order)
{
	struct frame *f = alloc_frame(frame);
	uint32_t prev = alloc_prev(f), next = alloc_next(f);

	if (prev == ALLOC_NONE)
		s->first[order] = next;
	else
		alloc_frame(prev)->link = alloc_link(alloc_prev(alloc_frame(prev)), next);
	if (next != ALLOC_NONE)
		alloc_frame(next)->link = alloc_link(prev, alloc_next(alloc_frame(next)));
	f->flags &= (uint8_t)~FRAME_IS_FREE;
}

static uint32_t buddy_alloc(struct alloc_state *s, unsigned order)
{
	unsigned k = order;
	uint32_t frame;

	while (k < ALLOC_ORDERS && s->first[k] == ALLOC_NONE)
		k++;
	if (k >= ALLOC_ORDERS)
		return ALLOC_NONE;
	frame = s->first[k];
	list_del(s, frame, k);
	while (k > order) {
		k--;
		list_add(s, frame + (1u << k), k);
	}
	s->free -= 1u << order;
	return frame;
}

static void buddy_free(struct alloc_state *s, uint32_t frame, unsigned order)
{
	s->free += 1u << order;
	while (order < ALLOC_ORDERS - 1) {
		uint32_t buddy = frame ^ (1u << order);
		const struct frame *b = alloc_frame(buddy);

		if ((b->flags & FRAME_IS_FREE) == 0 || b->order != order)
			break;
		list_del(s, buddy, order);
		frame &= ~(1u << order);
		order++;
	}
	list_add(s, frame, order);
}

/* Order of the largest block that begins at frame i of the chunk and is plain throughout. */
static unsigned plain_order(const uint64_t *plain, uint32_t i)
{
	unsigned order = i == 0 ? ALLOC_ORDERS - 1 : (unsigned)__builtin_ctz(i);

	while (bitmap_find_clear(plain, i, i + (1u << order)) != BITMAP_NONE)
		order--;
	return order;
}

static void buddy_add_chunk(struct alloc_state *s, uint32_t first_frame,
			    const uint64_t plain[CHUNK_FRAMES / 64])
{
	size_t i = 0;

	while ((i = bitmap_find_set(plain, i, CHUNK_FRAMES)) != BITMAP_NONE) {
		unsigned order = plain_order(plain, (uint32_t)i);

		buddy_free(s, first_frame + (uint32_t)i, order);
		i += 1u << order;
	}
}

/* The lists are ours as they stand, once all is seen to be where it should. */
static err_t buddy_adopt(struct alloc_state *s)
{
	uint64_t free = 0;

	for (unsigned order = 0; order < ALLOC_ORDERS; order++) {
		for (uint32_t i = s->first[order]; i != ALLOC_NONE;
		     i = alloc_next(alloc_frame(i))) {
			const struct frame *f = alloc_frame(i);

			if ((f->flags & FRAME_IS_FREE) == 0 || f->order != order ||
			    (i & ((1u << order) - 1)) != 0)
				return E_INVAL;
			free += 1u << order;
		}
	}
	return free == s->free ? OK : E_INVAL;
}

const struct alloc_ops alloc_buddy = {
	.version = ALLOC_OPS_VERSION,
	.name = "buddy",
	.adopt = buddy_adopt,
	.add_chunk = buddy_add_chunk,
	.alloc = buddy_alloc,
	.free = buddy_free,
};
