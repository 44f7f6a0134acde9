/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading page tables. No gate: the outer kernel calls these as they are, tables are readable to it. */
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

uint64_t nk_next_table(nk_space_t space, uint64_t va, uint64_t end)
{
	uint64_t root = root_of(space);

	va &= ~(CHUNK_SIZE - 1);
	while (va < end) {
		unsigned level = 4;
		uint64_t size;

		/* The highest level that has no entry says how far the hole reaches at least. */
		while (level > 1) {
			uint64_t *slot = table_slot(root, va, level);

			if (!is_table(*slot))
				break;
			level--;
		}
		if (level == 1)
			return va;
		size = PAGE_SIZE << (9 * (level - 1));
		va = (va & ~(size - 1)) + size;
		if (va == 0)
			break;
	}
	return end;
}
