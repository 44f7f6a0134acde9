/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: a small stock of single frames in front of the allocator component, reference counts, and
 * the order in which memory is found: stock, allocator, next chunk online, caches (reclaim).
 *
 * A frame of ours is in exactly one state: free in the allocator (refs 0; FRAME_IS_FREE on the
 * first of its block), free in the stock (refs 0, FRAME_IS_SPARE), or allocated (refs > 0 on the
 * first of the block).
 */
#include "base/str.h"
#include "kernel/mem/alloc_ops.h"
#include "kernel/mem/mem.h"

#define STOCK_MAX  128u
#define STOCK_STEP 64u /* so many move between stock and allocator at once */

static const struct alloc_ops *allocator = &alloc_buddy;
static struct alloc_state state;
static uint32_t stock[STOCK_MAX];
static unsigned nstock;
struct mem_account mem_account;
uint32_t kmem_fail_every;

static uint32_t number_of(paddr_t pa)
{
	return (uint32_t)(pa.v >> PAGE_SHIFT);
}

static paddr_t address_of(uint32_t number)
{
	return PADDR((uint64_t)number << PAGE_SHIFT);
}

uint64_t frame_free_count(void)
{
	return state.free + nstock;
}

bool mem_inject_failure(void)
{
	static uint32_t count;

	if (__builtin_expect(kmem_fail_every == 0, 1))
		return false;
	if (++count < kmem_fail_every)
		return false;
	count = 0;
	return true;
}

bool frame_is_ours(paddr_t pa)
{
	return is_ours(pa);
}

struct frame *frame_of(paddr_t pa)
{
	BUG_ON(!is_ours(pa));
	return frame_at(pa);
}

uint32_t frame_refs(paddr_t pa)
{
	return frame_of(pa)->refs;
}

const void *frame_data(paddr_t pa)
{
	if (is_ours(pa))
		return dm_ptr(pa);
	BUG_ON(pa.v < boot_info.image.v ||
	       pa.v - boot_info.image.v >= ALIGN_UP(boot_info.image_len, PAGE_SIZE));
	return boot_info.image_va + (pa.v - boot_info.image.v);
}

/* ---- between stock and allocator ---- */

static void stock_push(uint32_t number)
{
	alloc_frame(number)->flags |= FRAME_IS_SPARE;
	stock[nstock++] = number;
}

/*
 * Only single frames are left over when the allocator gives no larger block; false when it gives
 * nothing.
 */
static bool stock_fill(void)
{
	unsigned order = 4;

	while (nstock <= STOCK_STEP - (1u << 4)) {
		uint32_t block = allocator->alloc(&state, order);

		if (block == ALLOC_NONE) {
			if (order-- == 0)
				break;
			continue;
		}
		for (uint32_t i = 1u << order; i-- > 0;)
			stock_push(block + i);
	}
	return nstock != 0;
}

static void stock_drain(unsigned n)
{
	while (n-- > 0 && nstock > 0) {
		uint32_t number = stock[--nstock];

		alloc_frame(number)->flags &= (uint8_t)~FRAME_IS_SPARE;
		allocator->free(&state, number, 0);
	}
}

/*
 * Is there room for n frames beside the reserve (which is for those with FRAME_RESERVE)? Puts
 * chunks online and asks the caches until there is.
 */
static bool make_room(size_t n, unsigned flags)
{
	size_t want = n + FRAME_RESERVED;

	while (frame_free_count() < want && chunk_online_next())
		;
	if ((flags & FRAME_RESERVE) != 0)
		want = n;
	if (frame_free_count() < want)
		mem_reclaim(want - frame_free_count());
	return frame_free_count() >= want;
}

static void mark_allocated(struct frame *f, unsigned order)
{
	f->refs = 1;
	f->order = (uint8_t)order;
	f->flags = FRAME_IS_OURS;
	f->pad = 0;
	f->link = 0;
}

static paddr_t take_one(unsigned flags)
{
	paddr_t pa;

	if (__builtin_expect(nstock == 0, 0))
		BUG_ON(!stock_fill());
	pa = address_of(stock[--nstock]);
	mark_allocated(frame_at(pa), 0);
	if ((flags & FRAME_ZERO) != 0)
		memset(dm_ptr(pa), 0, PAGE_SIZE);
	return pa;
}

paddr_t frame_alloc(unsigned flags)
{
	if (mem_inject_failure())
		return PADDR_NONE;
	if (__builtin_expect(frame_free_count() <= FRAME_RESERVED, 0) && !make_room(1, flags))
		return PADDR_NONE;
	return take_one(flags);
}

err_t frame_alloc_bulk(paddr_t *out, size_t n, unsigned flags)
{
	if (mem_inject_failure())
		return E_NOMEM;
	if (frame_free_count() < n + FRAME_RESERVED && !make_room(n, flags))
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		out[i] = take_one(flags);
	return OK;
}

/* A block, or ALLOC_NONE when no free one is large enough yet. */
static uint32_t find_block(unsigned order)
{
	uint32_t number = allocator->alloc(&state, order);

	if (number != ALLOC_NONE)
		return number;
	stock_drain(nstock); /* its frames may be the missing buddies */
	return allocator->alloc(&state, order);
}

paddr_t frame_alloc_order(unsigned order, unsigned flags)
{
	size_t n = (size_t)1 << order;
	uint32_t number = ALLOC_NONE;
	paddr_t pa;

	if (order == 0)
		return frame_alloc(flags);
	if (order > ALLOC_ORDERS - 2 || mem_inject_failure())
		return PADDR_NONE;
	if (frame_free_count() < n + FRAME_RESERVED && !make_room(n, flags))
		return PADDR_NONE;
	number = find_block(order);
	while (number == ALLOC_NONE && chunk_online_next())
		number = find_block(order);
	if (number == ALLOC_NONE && mem_reclaim(n) != 0)
		number = find_block(order);
	if (number == ALLOC_NONE)
		return PADDR_NONE;
	pa = address_of(number);
	mark_allocated(frame_at(pa), order);
	if ((flags & FRAME_ZERO) != 0)
		memset(dm_ptr(pa), 0, n * PAGE_SIZE);
	return pa;
}

void frame_get(paddr_t pa)
{
	if (!is_ours(pa))
		return;
	BUG_ON(frame_at(pa)->refs == 0);
	frame_at(pa)->refs++;
}

/* nk still counts a mapping: the next owner would share its memory with a program. */
static void check_unmapped(paddr_t pa, unsigned order)
{
	for (uint64_t i = 0; i < 1u << order; i++) {
		const struct nk_frame *n = nk_frame(PADDR(pa.v + i * PAGE_SIZE));

		BUG_ON(n->maps != 0 || n->type != NK_T_PLAIN);
	}
}

static void release(paddr_t pa, struct frame *f)
{
	unsigned order = f->order;

	BUG_ON((f->flags & FRAME_IS_SLAB) != 0);
	check_unmapped(pa, order);
	if ((f->flags & FRAME_IS_SECRET) != 0)
		memset(dm_ptr(pa), 0, PAGE_SIZE << order);
	f->flags = FRAME_IS_OURS;
	if (order != 0) {
		allocator->free(&state, number_of(pa), order);
		return;
	}
	if (nstock == STOCK_MAX)
		stock_drain(STOCK_STEP);
	stock_push(number_of(pa));
}

void frame_put(paddr_t pa)
{
	struct frame *f;

	if (!is_ours(pa))
		return;
	f = frame_at(pa);
	BUG_ON(f->refs == 0);
	if (--f->refs == 0)
		release(pa, f);
}

/* ---- start-up, replacement, accounts ---- */

void frame_add_chunk(paddr_t chunk, const uint64_t plain[CHUNK_FRAMES / 64])
{
	allocator->add_chunk(&state, number_of(chunk), plain);
}

void frame_init(void)
{
	for (unsigned i = 0; i < ALLOC_ORDERS; i++)
		state.first[i] = ALLOC_NONE;
}

err_t frame_allocator_swap(const struct alloc_ops *next)
{
	if (next->version != ALLOC_OPS_VERSION)
		return E_INVAL;
	TRY(next->adopt(&state));
	allocator = next;
	return OK;
}

const struct alloc_ops *frame_allocator(void)
{
	return allocator;
}

void mem_stats(struct mem_stats *out)
{
	uint64_t total = chunk_total_frames(), offline = chunk_offline_frames();
	/* A chunk's header is no more free before than after it was put online. */
	uint64_t usable = offline - offline / CHUNK_FRAMES * NK_HDR_LEN;

	*out = (struct mem_stats){
		.total = total * PAGE_SIZE,
		.free = (frame_free_count() + usable) * PAGE_SIZE,
		.online = (total - offline) * PAGE_SIZE,
		.kernel_heap = mem_account.heap_frames * PAGE_SIZE,
		.kernel_stacks = mem_account.stack_frames * PAGE_SIZE,
		.tables = mem_account.table_frames * PAGE_SIZE,
	};
}
