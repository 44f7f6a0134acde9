/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: a top-level table whose upper half is the same in all of them. */
#include "nk/internal.h"
#include "nk/hw.h"

/* Level-1 tables that one NK_SPACE_DESTROY empties before it answers E_AGAIN. */
#define DESTROY_TABLES 32u

err_t create_check(const struct nk_op *op)
{
	struct nk_frame *f = frame_lookup(op->base.v);

	if ((op->base.v & PAGE_MASK) != 0)
		return E_INVAL;
	if (f == NULL || f->type != NK_T_PLAIN)
		return refuse("top-level table is not a plain frame of this core");
	return OK;
}

void create_apply(const struct nk_op *op)
{
	uint64_t *table = frame_ptr(op->base.v);
	const uint64_t *kernel = frame_ptr(nk_record.root);

	frame_lookup(op->base.v)->type = NK_T_L4;
	space_known(op->base.v, true);
	frame_protect(op->base.v, false);
	/* Unrolled: this is a good part of what a fork costs. */
#pragma GCC unroll 8
	for (unsigned i = 0; i < TABLE_LEN / 2; i++)
		table[i] = 0;
#pragma GCC unroll 8
	for (unsigned i = TABLE_LEN / 2; i < TABLE_LEN; i++)
		table[i] = kernel[i];
}

err_t destroy_check(const struct nk_op *op)
{
	if (!space_is_program(op->space))
		return refuse("not an address space of this core");
	if (op->space.v == hw_root())
		return E_BUSY;
	return OK;
}

/* Drop all entries of va's level-1 table; with the last one the table goes, too. */
static void empty_table(uint64_t root, uint64_t va)
{
	struct nk_op whole = {
		.kind = NK_UNMAP, .space = { root }, .va = va & ~(CHUNK_SIZE - 1), .n = TABLE_LEN
	};

	unmap_apply(&whole);
}

bool destroy_apply(const struct nk_op *op)
{
	uint64_t root = op->space.v;
	uint64_t va = 0;

	for (unsigned i = 0; i < DESTROY_TABLES; i++) {
		va = nk_next_table(op->space, va, USER_END);
		if (va >= USER_END)
			break;
		empty_table(root, va);
		va += CHUNK_SIZE;
	}
	if (va < USER_END && nk_next_table(op->space, va, USER_END) < USER_END)
		return false;
	space_known(root, false);
	frame_lookup(root)->type = NK_T_PLAIN;
	frame_protect(root, true);
	return true;
}
