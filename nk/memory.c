/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of this core that enters the direct map, and device registers that enter the device
 * window.
 */
#include "nk/internal.h"
#include "nk/hw.h"

#define CHUNK_ENTRY (NK_PTE_P | NK_PTE_W | NK_PTE_NX)

static const struct nk_range *range_of(uint64_t chunk)
{
	for (unsigned i = 0; i < nk_record.nranges; i++) {
		const struct nk_range *r = &nk_record.range[i];

		if (chunk >= r->start && chunk < r->end)
			return r;
	}
	return NULL;
}

err_t chunk_check(const struct nk_op *op)
{
	uint64_t chunk = op->base.v;
	const uint64_t *slot;

	if ((chunk & (CHUNK_SIZE - 1)) != 0)
		return E_INVAL;
	if (range_of(chunk) == NULL)
		return refuse("chunk is not memory of this core");
	slot = table_slot(nk_record.root, DM_BASE + chunk, 2);
	if (slot == NULL)
		return nk_stat.pool > 0 ? OK : E_NOTABLES;
	return *slot & NK_PTE_P ? E_EXIST : OK;
}

/* Level-2 slot of the direct map; boot made the level-3 tables for all memory of the core. */
static uint64_t *direct_map_slot(uint64_t chunk)
{
	uint64_t *slot = table_slot(nk_record.root, DM_BASE + chunk, 2);

	if (slot != NULL)
		return slot;
	*table_slot(nk_record.root, DM_BASE + chunk, 3) = pool_take(NK_T_L2) | PTE_TABLE_KERNEL;
	return table_slot(nk_record.root, DM_BASE + chunk, 2);
}

void chunk_apply(const struct nk_op *op)
{
	uint64_t chunk = op->base.v;
	uint64_t usable = (range_of(chunk)->usable_end - chunk) >> PAGE_SHIFT;
	unsigned plain = usable < CHUNK_FRAMES ? usable : CHUNK_FRAMES;
	uint64_t *slot = direct_map_slot(chunk);
	uint64_t *table;
	struct nk_frame *frames;

	/* The chunk holds its own table: seen through a large page until that table is written. */
	*slot = chunk | CHUNK_ENTRY | NK_PTE_PS;
	table = frame_ptr(chunk + NK_HDR_TABLE * PAGE_SIZE);
	frames = frame_ptr(chunk + NK_HDR_FRAMES * PAGE_SIZE);
	for (unsigned i = 0; i < plain; i++) {
		frames[i] = (struct nk_frame){ .type = NK_T_PLAIN };
		table[i] = (chunk + i * PAGE_SIZE) | CHUNK_ENTRY;
	}
	for (unsigned i = plain; i < CHUNK_FRAMES; i++) {
		bool image = frame_is_image(chunk + i * PAGE_SIZE);

		frames[i] = (struct nk_frame){ .type = image ? NK_T_IMAGE : NK_T_NONE };
		table[i] = 0;
	}
	frames[NK_HDR_TABLE].type = NK_T_NK;
	frames[NK_HDR_FRAMES].type = NK_T_NK;
	table[NK_HDR_TABLE] &= ~NK_PTE_W;
	table[NK_HDR_FRAMES] &= ~NK_PTE_W;
	*slot = (chunk + NK_HDR_TABLE * PAGE_SIZE) | PTE_TABLE_KERNEL;
	hw_invlpg(DM_BASE + chunk);
}

static bool is_memory(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < nk_record.nram; i++)
		if (start < nk_record.ram[i].end && end > nk_record.ram[i].start)
			return true;
	return false;
}

err_t device_check(const struct nk_op *op)
{
	uint64_t size = op->n * PAGE_SIZE;
	uint64_t pa = op->base.v;

	if (op->n == 0 || op->n > NK_MAX_PAGES || ((op->va | pa) & PAGE_MASK) != 0)
		return E_INVAL;
	if (op->va < DEV_BASE || op->va >= DEV_BASE + WINDOW_SIZE ||
	    size > DEV_BASE + WINDOW_SIZE - op->va)
		return E_INVAL;
	if (pa >= PA_END || is_memory(pa, pa + size))
		return refuse("device registers are memory");
	if (pa <= nk_record.lapic && nk_record.lapic < pa + size)
		return refuse("second mapping of the local APIC");
	for (unsigned i = 0; i < op->n; i++) {
		const uint64_t *slot = table_slot(nk_record.root, op->va + i * PAGE_SIZE, 1);

		if (slot != NULL && *slot != 0)
			return E_EXIST;
	}
	if (tables_missing(nk_record.root, op->va, op->va + size) > nk_stat.pool)
		return E_NOTABLES;
	return OK;
}

void device_apply(const struct nk_op *op)
{
	for (unsigned i = 0; i < op->n; i++) {
		uint64_t va = op->va + i * PAGE_SIZE;
		uint64_t *table = table_make(nk_record.root, va);

		table[table_index(va, 1)] = (op->base.v + i * PAGE_SIZE) | NK_PTE_P | NK_PTE_W |
					    NK_PTE_NX | PTE_PWT | PTE_PCD;
		table_count(nk_record.root, va, table, 1);
		nk_stat.pages++;
	}
}
