/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading page tables, one level-1 table at a time, and taking out what is in a range. */
#include "kernel/mem/mem.h"

/*
 * The table found last: areas of one program are neighbours. Good while nk did nothing, as only nk
 * changes tables.
 */
static struct {
	uint64_t space, va, crossings;
	const uint64_t *entries;
} last_table;

static void find_table(nk_space_t space, uint64_t va, uint64_t end)
{
	if (last_table.va == ALIGN_DOWN(va, CHUNK_SIZE) && last_table.space == space.v &&
	    last_table.crossings == nk_status.crossings)
		return;
	last_table.space = space.v;
	last_table.crossings = nk_status.crossings;
	last_table.va = ALIGN_DOWN(va, CHUNK_SIZE);
	last_table.entries = nk_table_of(space, va); /* mostly there is one */
	if (last_table.entries != NULL)
		return;
	last_table.va = nk_next_table(space, va, end);
	if (last_table.va < end)
		last_table.entries = nk_table_of(space, last_table.va);
	else
		last_table.va = UINT64_MAX;
}

bool slice_next(nk_space_t space, uint64_t *pos, uint64_t end, struct slice *out)
{
	uint64_t table, hi;

	if (*pos >= end)
		return false;
	find_table(space, *pos, end);
	if (last_table.va == UINT64_MAX)
		return false;
	table = ALIGN_DOWN(last_table.va, CHUNK_SIZE);
	hi = table + CHUNK_SIZE;
	out->lo = *pos > table ? *pos : table;
	out->hi = hi < end ? hi : end;
	out->entry = last_table.entries + ((out->lo >> PAGE_SHIFT) & (CHUNK_FRAMES - 1));
	*pos = out->hi;
	return true;
}

static size_t tables_of_level(uint64_t start, uint64_t end, unsigned shift)
{
	return (size_t)(((end - 1) >> shift) - (start >> shift) + 1);
}

size_t tables_needed(uint64_t start, uint64_t end)
{
	return tables_of_level(start, end, 21) + tables_of_level(start, end, 30) +
	       tables_of_level(start, end, 39);
}

void aspace_count_pages(struct aspace *a, int64_t n)
{
	a->pages_mapped += (uint64_t)n;
	if (a->pages_mapped > a->pages_peak)
		a->pages_peak = a->pages_mapped;
}

bool slice_trim(struct slice *s)
{
	unsigned first = nk_used_entry(s->entry, 0, slice_pages(s));

	s->entry += first;
	s->lo += first * PAGE_SIZE;
	while (s->hi > s->lo && !NK_PTE_THERE(s->entry[PAGES(s->hi - s->lo) - 1]))
		s->hi -= PAGE_SIZE;
	return s->lo < s->hi;
}

void pages_drop(struct aspace *a, uint64_t start, uint64_t end)
{
	struct slice s;

	while (slice_next(a->space, &start, end, &s)) {
		int64_t removed = 0;

		if (!slice_trim(&s))
			continue;
		batch_add(NK_UNMAP, a->space, s.lo, PAGES(s.hi - s.lo), 0);
		for (unsigned i = 0, n = slice_pages(&s); (i = next_own_entry(s.entry, i, n)) < n;
		     i++) {
			paddr_t pa = pte_frame(s.entry[i]);

			if (!is_ours(pa))
				continue;
			batch_put(pa);
			removed++;
		}
		aspace_count_pages(a, -removed);
	}
	batch_commit();
}
