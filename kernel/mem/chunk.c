/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This core's memory in chunks of 2 MiB. A chunk costs nothing until it is needed: then nk puts it
 * into the direct map and its frame table, and its plain frames go to the allocator. Boot put one
 * chunk online; the others follow in the order of their addresses, so that "online" is a prefix of
 * each range (and that first chunk).
 */
#include "base/bitmap.h"
#include "base/str.h"
#include "kernel/mem/mem.h"

static struct chunk_range {
	uint64_t start, end; /* of the core's memory */
	uint64_t next;       /* [start, next) is online */
} ranges[BOOT_RANGES];
static uint32_t nranges;
static uint64_t first_chunk;
static uint64_t overhead;

struct chunk_span chunk_recent;

bool chunk_is_online(paddr_t pa)
{
	if ((pa.v & ~(CHUNK_SIZE - 1)) == first_chunk)
		return true;
	for (uint32_t i = 0; i < nranges; i++) {
		if (pa.v < ranges[i].start || pa.v >= ranges[i].next)
			continue;
		chunk_recent = (struct chunk_span){ ranges[i].start,
						    ranges[i].next - ranges[i].start };
		return true;
	}
	return false;
}

uint64_t chunk_total_frames(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < nranges; i++)
		bytes += ranges[i].end - ranges[i].start;
	return PAGES(bytes);
}

uint64_t chunk_offline_frames(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < nranges; i++) {
		const struct chunk_range *r = &ranges[i];

		bytes += r->end - r->next;
		if (first_chunk >= r->next && first_chunk < r->end)
			bytes -= CHUNK_SIZE;
	}
	return PAGES(bytes);
}

uint64_t chunk_overhead_frames(void)
{
	return overhead;
}

static void each_frame_of(uint64_t chunk, void (*fn)(const struct frame *f, void *arg), void *arg)
{
	const struct frame *table = frame_at(PADDR(chunk));

	for (unsigned i = NK_HDR_LEN; i < CHUNK_FRAMES; i++)
		fn(&table[i], arg);
}

void chunk_each_frame(void (*fn)(const struct frame *f, void *arg), void *arg)
{
	each_frame_of(first_chunk, fn, arg);
	for (uint32_t i = 0; i < nranges; i++)
		for (uint64_t c = ranges[i].start; c < ranges[i].next; c += CHUNK_SIZE)
			if (c != first_chunk)
				each_frame_of(c, fn, arg);
}

/* Give the plain frames of an online chunk to the allocator. */
static void take_chunk(paddr_t chunk)
{
	uint64_t plain[CHUNK_FRAMES / 64] = { 0 };
	struct frame *table = frame_at(chunk);

	memset(table, 0, CHUNK_FRAMES * sizeof(*table));
	overhead += NK_HDR_LEN;
	for (unsigned i = NK_HDR_LEN; i < CHUNK_FRAMES; i++) {
		const struct nk_frame *n = nk_frame(PADDR(chunk.v + i * PAGE_SIZE));

		if (n->type != NK_T_PLAIN || n->maps != 0) {
			overhead++;
			continue;
		}
		table[i].flags = FRAME_IS_OURS;
		bitmap_set(plain, i);
	}
	frame_add_chunk(chunk, plain);
}

/*
 * nk may need a table for the direct map of a new GiB: from the reserve, as memory is about to
 * grow.
 */
static err_t donate_one(void)
{
	paddr_t pa = frame_alloc(FRAME_RESERVE);
	struct nk_op op = { .kind = NK_DONATE, .n = 1, .frames = &pa };
	err_t err;

	if (paddr_is_none(pa))
		return E_NOMEM;
	err = nk_submit(&op, 1, NULL);
	if (err != OK)
		frame_put(pa);
	else
		mem_account.table_frames++;
	return err;
}

static err_t put_online(uint64_t chunk)
{
	struct nk_op op = { .kind = NK_CHUNK_ONLINE, .base = PADDR(chunk) };
	uint32_t pool = nk_status.pool;
	err_t err = nk_submit(&op, 1, NULL);

	for (unsigned tries = 0; err == E_NOTABLES && tries < NK_TABLES_PER_OP; tries++) {
		TRY(donate_one());
		pool++;
		err = nk_submit(&op, 1, NULL);
	}
	overhead += pool - nk_status.pool; /* tables of the direct map */
	return err;
}

/* Nested calls (donate_one allocates) must not start over. */
static bool onlining;

static bool online_in_range(struct chunk_range *r)
{
	while (r->next < r->end) {
		uint64_t chunk = r->next;
		err_t err = OK;

		if (chunk != first_chunk) {
			err = put_online(chunk);
			if (err == E_NOMEM || err == E_NOTABLES)
				return false; /* no table for it now; later there may be one */
			if (err != OK) {
				log_error(
					"memory at 0x%llx cannot be used: %s; the rest of its range is left out",
					(unsigned long long)chunk, err_text(err));
				r->end = chunk;
				return false;
			}
		}
		r->next += CHUNK_SIZE;
		if (chunk != first_chunk) {
			take_chunk(PADDR(chunk));
			return true;
		}
	}
	return false;
}

bool chunk_online_next(void)
{
	bool got = false;

	if (onlining)
		return false;
	onlining = true;
	for (uint32_t i = 0; i < nranges && !got; i++)
		got = online_in_range(&ranges[i]);
	onlining = false;
	return got;
}

err_t chunk_init(void)
{
	nranges = boot_info.nranges;
	BUG_ON(nranges > BOOT_RANGES);
	for (uint32_t i = 0; i < nranges; i++) {
		const struct boot_range *r = &boot_info.range[i];

		ranges[i] = (struct chunk_range){ r->start, r->end, r->start };
	}
	first_chunk = boot_info.first_chunk;
	take_chunk(PADDR(first_chunk));
	return frame_free_count() > FRAME_RESERVED ? OK : E_NOMEM;
}
