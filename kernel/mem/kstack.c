/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks in the kernel's window: slots of five pages, the lowest of which is never mapped,
 * so that an overflow traps instead of running into a neighbour. Mapping costs a crossing: stacks
 * are made eight at a time, and free ones are kept, up to a bound, or until memory runs out.
 */
#include "base/bitmap.h"
#include "kernel/mem/mem.h"

#define STACK_PAGES  (KSTACK_SIZE / PAGE_SIZE)
#define SLOT_BYTES   (KSTACK_SIZE + PAGE_SIZE)
#define WINDOW_BYTES (256ull << 20)
#define SLOTS        (WINDOW_BYTES / SLOT_BYTES)
#define MAKE_AT_ONCE 8u
#define KEEP_FREE    48u /* more free ones than this are taken apart, MAKE_AT_ONCE at a time */

static uint64_t mapped[BITMAP_WORDS(SLOTS)];
static void **free_stacks; /* linked through the topmost word of each */
static unsigned nfree;

static const nk_space_t windows = { 0 };

static uint64_t slot_base(size_t slot)
{
	return KWIN_BASE + slot * SLOT_BYTES + PAGE_SIZE;
}

static size_t slot_of(uint64_t top)
{
	return (top - KWIN_BASE) / SLOT_BYTES - 1;
}

static void push_free(size_t slot)
{
	void **top = (void **)(slot_base(slot) + KSTACK_SIZE);

	top[-1] = free_stacks;
	free_stacks = top;
	nfree++;
}

static void *pop_free(void)
{
	void **top = free_stacks;

	free_stacks = top[-1];
	nfree--;
	return top;
}

/* Map up to `n` new stacks in one crossing; answers how many. */
static unsigned make_stacks(unsigned n)
{
	static paddr_t frames[MAKE_AT_ONCE * STACK_PAGES];
	static struct nk_op ops[MAKE_AT_ONCE];
	size_t slot[MAKE_AT_ONCE], from = 0, done = 0;
	unsigned got = 0;

	/* Slots mostly lie in one table, at worst in two. */
	if (tables_reserve((size_t)2 * NK_TABLES_PER_OP) != OK)
		return 0;
	for (; got < n; got++) {
		slot[got] = bitmap_find_clear(mapped, from, SLOTS);
		if (slot[got] == BITMAP_NONE ||
		    frame_alloc_bulk(&frames[got * STACK_PAGES], STACK_PAGES, 0) != OK)
			break;
		from = slot[got] + 1;
		ops[got] = (struct nk_op){ .kind = NK_MAP,
					   .rights = NK_R | NK_W,
					   .space = windows,
					   .va = slot_base(slot[got]),
					   .n = STACK_PAGES,
					   .frames = &frames[got * STACK_PAGES] };
	}
	if (got != 0 && nk_submit(ops, got, &done) == OK)
		done = got;
	for (unsigned i = 0; i < done; i++) {
		bitmap_set(mapped, slot[i]);
		push_free(slot[i]);
	}
	for (size_t i = done * STACK_PAGES; i < got * STACK_PAGES; i++)
		frame_put(frames[i]);
	mem_account.stack_frames += done * STACK_PAGES;
	return (unsigned)done;
}

/* Take apart up to `n` free stacks in one crossing. */
static unsigned unmake_stacks(unsigned n)
{
	unsigned got = 0;

	for (; got < n && free_stacks != NULL; got++) {
		size_t slot = slot_of((uint64_t)pop_free());
		uint64_t base = slot_base(slot);

		bitmap_clear(mapped, slot);
		batch_add(NK_UNMAP, windows, base, STACK_PAGES, 0);
		for (unsigned i = 0; i < STACK_PAGES; i++)
			batch_put(pte_frame(nk_entry(windows, base + i * PAGE_SIZE)));
	}
	batch_commit();
	mem_account.stack_frames -= got * STACK_PAGES;
	return got;
}

void *kstack_alloc(void)
{
	if (mem_inject_failure())
		return NULL;
	if (free_stacks == NULL && make_stacks(MAKE_AT_ONCE) == 0)
		return NULL;
	return pop_free();
}

void kstack_free(void *top)
{
	push_free(slot_of((uint64_t)top));
	if (nfree > KEEP_FREE + MAKE_AT_ONCE)
		unmake_stacks(MAKE_AT_ONCE);
}

bool kstack_is_guard(uint64_t addr)
{
	return addr >= KWIN_BASE && addr < KWIN_BASE + SLOTS * SLOT_BYTES &&
	       (addr - KWIN_BASE) % SLOT_BYTES < PAGE_SIZE;
}

/* Reclaim may run in the middle of a batch; then stacks stay as they are. */
size_t kstack_reclaim(size_t want)
{
	size_t freed = 0;

	if (batch_open())
		return 0;
	while (freed < want && free_stacks != NULL)
		freed += unmake_stacks(MAKE_AT_ONCE) * STACK_PAGES;
	return freed;
}
