/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must leave the TLB. Collected during a batch and done once at its end: between two
 * operations of a batch no outer code runs, and nk itself reaches memory only through the direct
 * map, whose translations do not change while nk needs them.
 */
#include "nk/internal.h"
#include "nk/hw.h"

#define TLB_PAGES 8u /* more single pages than this cost more than a full flush */

static unsigned npages;
static bool all;
static uint64_t pages[TLB_PAGES];

bool tlb_may_hold(uint64_t root, uint64_t va)
{
	return va >= DM_BASE || root == hw_root();
}

void tlb_drop_page(uint64_t root, uint64_t va)
{
	if (all || !tlb_may_hold(root, va))
		return;
	if (npages == TLB_PAGES)
		all = true;
	else
		pages[npages++] = va;
}

void tlb_drop_all(void)
{
	all = true;
}

void tlb_flush(void)
{
	if (all)
		hw_load_root(hw_root());
	else
		for (unsigned i = 0; i < npages; i++)
			hw_invlpg(pages[i]);
	npages = 0;
	all = false;
}
