/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frame descriptors and the page-table pool.
 *
 * A chunk is online when the direct map has an entry for it: the map itself is the list. Its
 * descriptors lie in its second frame. Root image frames have no counts: they are read-only for
 * ever.
 */
#include "nk/internal.h"
#include "nk/hw.h"

/* First frame of the pool; each frame's first word is the next one's address. */
uint64_t nk_pool_head;

struct nk_frame *frame_known(uint64_t pa)
{
	struct nk_frame *frames = frame_ptr((pa & ~(CHUNK_SIZE - 1)) + NK_HDR_FRAMES * PAGE_SIZE);

	return &frames[(pa >> PAGE_SHIFT) & (CHUNK_FRAMES - 1)];
}

struct nk_frame *frame_lookup(uint64_t pa)
{
	const uint64_t *table = frame_ptr(nk_record.root);

	if (pa >= PA_END)
		return NULL;
		/* Level 4 to 2 of the direct map; each entry is a table or empty. */
#pragma GCC unroll 3
	for (unsigned shift = 39; shift >= CHUNK_SHIFT; shift -= 9) {
		uint64_t e = table[(DM_BASE + pa) >> shift & (TABLE_LEN - 1)];

		if (!(e & NK_PTE_P))
			return NULL;
		table = frame_ptr(e & NK_PTE_ADDR);
	}
	return frame_known(pa);
}

void frame_protect(uint64_t pa, bool writable)
{
	uint64_t *slot = table_slot(nk_record.root, DM_BASE + pa, 1);

	*slot = writable ? *slot | NK_PTE_W : *slot & ~NK_PTE_W;
	tlb_drop_page(nk_record.root, DM_BASE + pa);
}

void pool_put(uint64_t pa)
{
	table_forget();
	*(uint64_t *)frame_ptr(pa) = nk_pool_head;
	nk_pool_head = pa;
	nk_stat.pool++;
}

uint64_t pool_take(enum nk_type level)
{
	uint64_t pa = nk_pool_head;
	uint64_t *words = frame_ptr(pa);
	struct nk_frame *f = frame_known(pa);

	table_forget();
	nk_pool_head = words[0];
	words[0] = 0;
	nk_stat.pool--;
	f->type = level;
	f->maps = 0;
	return pa;
}

/* Some top-level tables of programs, each in its place: nearly all questions end here. */
#define KNOWN_SPACES 64u
static uint64_t known_space[KNOWN_SPACES];

static uint64_t *known_place(uint64_t pa)
{
	return &known_space[(pa >> PAGE_SHIFT) % KNOWN_SPACES];
}

void space_known(uint64_t pa, bool is)
{
	uint64_t *place = known_place(pa);

	if (is)
		*place = pa;
	else if (*place == pa)
		*place = 0;
}

bool space_is_program(nk_space_t space)
{
	struct nk_frame *f;

	if (space.v != 0 && *known_place(space.v) == space.v)
		return true;
	if ((space.v & PAGE_MASK) != 0 || space.v == nk_record.root)
		return false;
	f = frame_lookup(space.v);
	return f != NULL && f->type == NK_T_L4;
}

err_t donate_check(const struct nk_op *op)
{
	struct cursor c = CURSOR_NEW;

	for (uint32_t i = 0; i < op->n; i++) {
		struct nk_frame *f = frame_lookup_cached(&c, nk_pages[i]);

		if ((nk_pages[i] & PAGE_MASK) != 0)
			return E_INVAL;
		if (f == NULL || f->type != NK_T_PLAIN)
			return refuse("donated frame is not a plain frame of this core");
	}
	return OK;
}

static void frame_zero(uint64_t pa)
{
	uint64_t *words = frame_ptr(pa);

	for (unsigned i = 0; i < TABLE_LEN; i++)
		words[i] = 0;
}

void donate_apply(const struct nk_op *op)
{
	for (uint32_t i = 0; i < op->n; i++) {
		struct nk_frame *f = frame_lookup(nk_pages[i]);

		if (f->type == NK_T_POOL) /* named twice */
			continue;
		f->type = NK_T_POOL;
		frame_protect(nk_pages[i], false);
		frame_zero(nk_pages[i]);
		pool_put(nk_pages[i]);
	}
}

err_t reclaim_check(const struct nk_op *op)
{
	if (op->n == 0 || op->n > ARRAY_SIZE(nk_stat.reclaimed))
		return E_INVAL;
	return OK;
}

void reclaim_apply(const struct nk_op *op)
{
	nk_stat.reclaimed_n = 0;
	while (nk_stat.reclaimed_n < op->n && nk_stat.pool > 0) {
		uint64_t pa = pool_take(NK_T_PLAIN);

		frame_protect(pa, true);
		nk_stat.reclaimed[nk_stat.reclaimed_n++] = PADDR(pa);
	}
}
