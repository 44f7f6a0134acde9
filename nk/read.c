/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading page tables. No gate: the outer kernel calls these as they are, tables are readable to
 * it.
 */
#include "nk/internal.h"
#include "nk/hw.h"

static uint64_t root_of(nk_space_t space)
{
	return space.v != 0 ? space.v : nk_record.root;
}

const uint64_t *nk_table_of(nk_space_t space, uint64_t va)
{
	return table_find(root_of(space), va);
}

uint64_t nk_entry(nk_space_t space, uint64_t va)
{
	const uint64_t *slot = table_slot(root_of(space), va, 1);

	return slot != NULL ? *slot : 0;
}

/* Entries of va's table of `level` that can concern addresses below `end`: up to this index. */
static unsigned last_index(uint64_t va, uint64_t end, unsigned level)
{
	unsigned shift = PAGE_SHIFT + 9 * level;

	return va >> shift == (end - 1) >> shift ? table_index(end - 1, level) + 1 : TABLE_LEN;
}

/*
 * One descent, skipping what a table has empty before the next entry; only the end of a table below
 * the top starts a new descent.
 */
uint64_t nk_next_table(nk_space_t space, uint64_t va, uint64_t end)
{
	uint64_t root = root_of(space);

	va &= ~(CHUNK_SIZE - 1);
	while (va < end) {
		const uint64_t *table = frame_ptr(root);

		for (unsigned level = 4;; level--) {
			uint64_t size = PAGE_SIZE << (9 * (level - 1));
			unsigned first = table_index(va, level), i;

			i = nk_used_entry(table, first, last_index(va, end, level));
			if (i != first) {
				va = (va & ~(size - 1)) + (i - first) * size;
				if (va >= end || va == 0)
					return end;
				if (i == TABLE_LEN)
					break;
			}
			if (!is_table(table[i])) { /* a large page: not a program's */
				va = (va & ~(size - 1)) + size;
				if (va >= end || va == 0)
					return end;
				break;
			}
			if (level == 2)
				return va;
			table = frame_ptr(table[i] & NK_PTE_ADDR);
		}
	}
	return end;
}
