/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking and growing page tables. The `maps` of a table's descriptor counts its entries in use; a
 * table of level 1 to 3 that becomes empty goes back to the pool at once. Tables made by boot count
 * one too many, so that they stay.
 */
#include "nk/internal.h"
#include "nk/hw.h"

static const uint8_t type_of_level[] = { 0, NK_T_L1, NK_T_L2, NK_T_L3, NK_T_L4 };

uint64_t *table_slot(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t *table = frame_ptr(root);

	for (unsigned l = 4; l > level; l--) {
		uint64_t e = table[table_index(va, l)];

		if (!is_table(e))
			return NULL;
		table = frame_ptr(e & NK_PTE_ADDR);
	}
	return &table[table_index(va, level)];
}

uint64_t *table_find(uint64_t root, uint64_t va)
{
	uint64_t *table = frame_ptr(root);

#pragma GCC unroll 3
	for (unsigned l = 4; l > 1; l--) {
		uint64_t e = table[table_index(va, l)];

		if (!is_table(e))
			return NULL;
		table = frame_ptr(e & NK_PTE_ADDR);
	}
	return table;
}

/* Good as long as no table comes or goes. */
static struct {
	uint64_t root, va;
	uint64_t *table; /* NULL: none is known */
} found;

void table_forget(void)
{
	found.table = NULL;
}

uint64_t *table_seek(uint64_t root, uint64_t va)
{
	va &= ~(CHUNK_SIZE - 1);
	if (found.table != NULL && found.va == va && found.root == root)
		return found.table;
	found.root = root;
	found.va = va;
	found.table = table_find(root, va);
	return found.table;
}

uint64_t *table_make(uint64_t root, uint64_t va)
{
	uint64_t *table = frame_ptr(root);
	uint64_t table_pa = root;

	for (unsigned l = 4; l > 1; l--) {
		uint64_t *slot = &table[table_index(va, l)];

		if (!is_table(*slot)) {
			uint64_t pa = pool_take(type_of_level[l - 1]);

			*slot = pa | (va < DM_BASE ? PTE_TABLE_USER : PTE_TABLE_KERNEL);
			if (l < 4)
				frame_known(table_pa)->maps++;
		}
		table_pa = *slot & NK_PTE_ADDR;
		table = frame_ptr(table_pa);
	}
	return table;
}

/* Tables that va's level-1 table and its parents lack: 0 to 3. */
static unsigned missing_at(uint64_t root, uint64_t va)
{
	for (unsigned level = 1; level < 4; level++)
		if (table_slot(root, va, level) != NULL)
			return level - 1;
	return 3;
}

unsigned tables_missing(uint64_t root, uint64_t va, uint64_t end)
{
	uint64_t last = end - 1;
	unsigned n = missing_at(root, va);
	unsigned more;

	if (va >> 21 == last >> 21)
		return n;
	more = missing_at(root, last);
	/* Parents that both need are counted once. */
	if (va >> 30 == last >> 30)
		more = more > 1 ? 1 : more;
	else if (va >> 39 == last >> 39)
		more = more > 2 ? 2 : more;
	return n + more;
}

/*
 * The table of `level` at va is empty: back to the pool, and so are those above if this was their
 * last entry.
 */
static void table_free(uint64_t root, uint64_t va, unsigned level)
{
	uint64_t *slot = table_slot(root, va, level + 1);
	uint64_t pa = *slot & NK_PTE_ADDR;

	*slot = 0;
	frame_known(pa)->type = NK_T_POOL;
	pool_put(pa);
	/* Translations that were cached through the table must not outlive it. */
	if (va >= DM_BASE || root == hw_root())
		tlb_drop_all();
}

void table_count(uint64_t root, uint64_t va, const uint64_t *table, int added)
{
	struct nk_frame *f = frame_known(frame_address(table));

	f->maps += added;
	for (unsigned level = 1; level < 4 && f->maps == 0; level++) {
		uint64_t parent = frame_address(table_slot(root, va, level + 1)) & ~PAGE_MASK;

		table_free(root, va, level);
		if (level == 3)
			return;
		f = frame_known(parent);
		f->maps--;
	}
}
