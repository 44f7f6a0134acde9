/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory under pressure, and the page-table pool of nk. Also the module's start-up. */
#include "kernel/mem/mem.h"

#define DONATE_BATCH 32u
#define DONATE_MAX   256u /* frames per crossing */

static size_t (*hooks[RECLAIM_HOOKS])(size_t want);
static unsigned nhooks;

void mem_register_reclaim(size_t (*fn)(size_t want))
{
	BUG_ON(nhooks == RECLAIM_HOOKS);
	hooks[nhooks++] = fn;
}

/* Page-table frames that no space needs any more. */
static size_t reclaim_tables(size_t want)
{
	size_t freed = 0;

	while (freed < want && nk_status.pool > 2 * NK_TABLES_PER_OP) {
		uint64_t spare = nk_status.pool - 2 * NK_TABLES_PER_OP;
		size_t n = want - freed < ARRAY_SIZE(nk_status.reclaimed)
				   ? want - freed
				   : ARRAY_SIZE(nk_status.reclaimed);
		struct nk_op op = { .kind = NK_RECLAIM, .n = (uint32_t)(n < spare ? n : spare) };

		if (nk_submit(&op, 1, NULL) != OK || nk_status.reclaimed_n == 0)
			break;
		for (uint32_t i = 0; i < nk_status.reclaimed_n; i++)
			frame_put(nk_status.reclaimed[i]);
		mem_account.table_frames -= nk_status.reclaimed_n;
		freed += nk_status.reclaimed_n;
	}
	return freed;
}

size_t mem_reclaim(size_t want)
{
	static bool reclaiming; /* hooks may run into us again */
	size_t freed = 0;

	if (reclaiming)
		return 0;
	reclaiming = true;
	for (unsigned i = 0; i < nhooks && freed < want; i++)
		freed += hooks[i](want - freed);
	if (freed < want)
		freed += kmem_reclaim(want - freed);
	if (freed < want)
		freed += kstack_reclaim(want - freed);
	if (freed < want)
		freed += reclaim_tables(want - freed);
	reclaiming = false;
	return freed;
}

static err_t donate(size_t n)
{
	static paddr_t frames[DONATE_MAX];
	struct nk_op op = { .kind = NK_DONATE, .n = (uint32_t)n, .frames = frames };
	err_t err;

	TRY(frame_alloc_bulk(frames, n, 0));
	err = nk_submit(&op, 1, NULL);
	if (err == OK) {
		mem_account.table_frames += n;
		return OK;
	}
	for (size_t i = 0; i < n; i++)
		frame_put(frames[i]);
	return E_NOMEM;
}

err_t tables_reserve(size_t want)
{
	while (nk_status.pool < want) {
		size_t missing = want - nk_status.pool;
		size_t n = missing > DONATE_BATCH ? missing : DONATE_BATCH;

		if (n > DONATE_MAX)
			n = DONATE_MAX;
		if (n > missing && frame_free_count() < 4 * DONATE_BATCH &&
		    chunk_offline_frames() == 0)
			n = missing; /* memory is short: no stock of tables */
		TRY(donate(n));
	}
	return OK;
}

err_t mem_init(void)
{
	frame_init();
	return chunk_init();
}
