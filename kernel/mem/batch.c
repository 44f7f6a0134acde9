/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The batch of operations for nk that is being put together. A crossing costs as much as thousands
 * of instructions, so everything that one request changes goes in as few as possible. Frames whose
 * last reference goes with an entry are kept in a list until nk has removed the entry: they must
 * not be handed out while a program can still reach them.
 */
#include "kernel/mem/mem.h"

static struct nk_op ops[NK_MAX_OPS];
static unsigned nops;
static uint64_t
	/* first of the frames to be freed after the batch, linked through struct frame; 0: none */
	dead;

static void submit(void)
{
	size_t done = 0;
	err_t err = nops != 0 ? nk_submit(ops, nops, &done) : OK;

	if (err != OK)
		panic("nk: operation %u of %u (kind %u, va 0x%llx, n %u): %s; %s", (unsigned)done,
		      nops, (unsigned)ops[done].kind, (unsigned long long)ops[done].va, ops[done].n,
		      err_text(err),
		      nk_status.last_reason != NULL ? nk_status.last_reason : "no reason given");
	nops = 0;
	while (dead != 0) {
		paddr_t pa = PADDR(dead);

		dead = frame_at(pa)->link;
		frame_put(pa);
	}
}

struct nk_op *batch_add(enum nk_op_kind kind, nk_space_t space, uint64_t va, uint64_t n,
			uint32_t rights)
{
	if (nops == NK_MAX_OPS)
		submit();
	ops[nops] = (struct nk_op){
		.kind = kind, .rights = rights, .space = space, .va = va, .n = (uint32_t)n
	};
	return &ops[nops++];
}

void batch_commit(void)
{
	submit();
}

void batch_put(paddr_t pa)
{
	struct frame *f = frame_at(pa);

	BUG_ON(f->refs == 0);
	if (f->refs > 1) {
		f->refs--; /* somebody else holds it, so it stays */
		return;
	}
	f->link = dead;
	dead = pa.v;
}

bool batch_open(void)
{
	return nops != 0 || dead != 0;
}
