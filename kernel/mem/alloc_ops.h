/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a frame allocator is: a component over state that belongs to kernel/mem (R7), so that it can
 * be replaced while the system runs. The state is the free blocks themselves: the first frame of
 * each carries FRAME_IS_FREE, its order, and its neighbours in the list of that order. An allocator
 * may keep an index of its own besides, which it builds in `adopt`; a swap finds everything it
 * needs in the lists.
 */
#pragma once

#include "abi/nk.h"
#include "kernel/mem/frame.h"

#define ALLOC_OPS_VERSION 1u
#define ALLOC_ORDERS      10u /* blocks of 1 to 512 frames, aligned to their size, within a chunk */
#define ALLOC_NONE        UINT32_MAX

/* Frames are named by number (address / PAGE_SIZE). */
struct alloc_state {
	uint32_t first[ALLOC_ORDERS]; /* free blocks of each order; ALLOC_NONE when there is none */
	uint64_t free;                /* frames in them */
};

struct alloc_ops {
	uint32_t version;
	const char *name;
	/* Take over the free blocks of `s`. May refuse; then nothing has changed. */
	err_t (*adopt)(struct alloc_state *s);
	/*
	 * The frames of a chunk that just came online: those whose bit is set in `plain` are free.
	 */
	void (*add_chunk)(struct alloc_state *s, uint32_t first_frame,
			  const uint64_t plain[CHUNK_FRAMES / 64]);
	/* A block of 2^order frames, FRAME_IS_FREE taken off; ALLOC_NONE when there is none. */
	uint32_t (*alloc)(struct alloc_state *s, unsigned order);
	/* Give back a block (or a part of one, aligned to its size). */
	void (*free)(struct alloc_state *s, uint32_t frame, unsigned order);
};

extern const struct alloc_ops alloc_buddy; /* comp/alloc/buddy */

/* Descriptor of a frame in an online chunk. */
static inline struct frame *alloc_frame(uint32_t frame)
{
	struct frame *table = dm_ptr(PADDR((uint64_t)(frame & ~(CHUNK_FRAMES - 1)) * PAGE_SIZE +
					   NK_HDR_OUTER * PAGE_SIZE));

	return &table[frame & (CHUNK_FRAMES - 1)];
}

/*
 * struct frame.link of a free block: the next one in the low half, the one before in the high half.
 */
static inline uint32_t alloc_next(const struct frame *f)
{
	return (uint32_t)f->link;
}

static inline uint32_t alloc_prev(const struct frame *f)
{
	return (uint32_t)(f->link >> 32);
}

static inline uint64_t alloc_link(uint32_t prev, uint32_t next)
{
	return (uint64_t)prev << 32 | next;
}
