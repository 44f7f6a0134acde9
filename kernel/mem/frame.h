/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of this core: allocation and reference counts. Buddy allocator over chunks that are put
 * online on demand. Every holder of a frame (a page-table entry of a program, a page-cache slot, a
 * kernel object) holds one reference.
 */
#pragma once

#include "abi/err.h"
#include "abi/nk.h" /* dm_ptr, dm_paddr: frames of ours in the direct map */
#include "abi/types.h"

struct frame { /* 16 bytes, in the chunk's header; found by frame_of() */
	uint32_t refs;
	/* of the free or allocated block that starts here; of a slab: its size class */
	uint8_t order;
	uint8_t flags; /* FRAME_IS_* */
	uint16_t pad;
	uint64_t link; /* free list, or the owner's use while allocated */
};

#define FRAME_IS_OURS  1u  /* the outer kernel's to hand out */
#define FRAME_IS_FREE  2u  /* first of a free block, in the allocator's hands */
#define FRAME_IS_SPARE 4u  /* free, in the small stock in front of the allocator */
#define FRAME_IS_SLAB  8u  /* kernel objects of one size class */
#define FRAME_IS_BLOCK 16u /* one large kernel object */
#define FRAME_IS_ANON  32u /* a program's private page: no object knows it */
#define FRAME_IS_AHEAD 64u /* a private copy of an object's page; the dirty bits tell if written */

#define FRAME_IS_SECRET 128u /* PrivUser's: zeroed before it is free again */

#define FRAME_ZERO    1u /* fill with zeros */
#define FRAME_RESERVE 2u /* may use the last reserve (paths that free memory) */

/* Per-core start-up: takes the ranges of the boot record. E_NOMEM when the first chunk is full. */
err_t mem_init(void) MUST_CHECK;

/*
 * One frame with refs = 1, or PADDR_NONE when memory is exhausted (after reclaim hooks have run).
 */
paddr_t frame_alloc(unsigned flags);
/* n frames into out[], all or none. */
err_t frame_alloc_bulk(paddr_t *out, size_t n, unsigned flags) MUST_CHECK;
/*
 * 2^order physically contiguous frames, refs = 1 on the first. Each 2 MiB chunk begins with its
 * header, therefore order 8 (1 MiB) is the largest that there can be; PADDR_NONE for more.
 */
paddr_t frame_alloc_order(unsigned order, unsigned flags);
void frame_get(paddr_t pa);
/*
 * Drop a reference; the last one frees the frame (or block). Frames of the root image are ignored:
 * they are never freed. The frame must not be mapped any more when the last reference goes (BUG).
 */
void frame_put(paddr_t pa);
uint32_t frame_refs(paddr_t pa);
/* False for frames of the root image and anything that is not this core's memory. */
bool frame_is_ours(paddr_t pa);
struct frame *frame_of(paddr_t pa);

struct mem_stats {
	uint64_t total, free, online, kernel_heap, kernel_stacks, tables;
}; /* bytes */
void mem_stats(struct mem_stats *out);

/*
 * Called when memory runs out; returns frames freed. Registered by caches (at most RECLAIM_HOOKS).
 * A hook runs in the middle of whatever needed memory: it may only drop frames that nobody else
 * holds (frame_refs 1: not mapped by any program), must not touch an address space, allocate, or
 * switch threads.
 */
#define RECLAIM_HOOKS 8u
void mem_register_reclaim(size_t (*fn)(size_t want));
/* Free what the caches hold, `want` frames or as much as there is; returns frames freed. */
size_t mem_reclaim(size_t want);

/*
 * The frame for reading by the kernel, wherever it is mapped (direct map, image window). BUG for
 * anything else.
 */
const void *frame_data(paddr_t pa);

/*
 * Replace the allocator behind these functions in the running system. On an error the old one still
 * works.
 */
struct alloc_ops;
err_t frame_allocator_swap(const struct alloc_ops *next) MUST_CHECK;
const struct alloc_ops *frame_allocator(void);

/*
 * Fill nk's page-table pool so that `want` more tables can be taken (default batch otherwise).
 * E_NOMEM.
 */
err_t tables_reserve(size_t want) MUST_CHECK;
