/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of PrivUser (LOTRx86). What an LDT may hold is the least that PrivUser needs:
 *   64-bit code of ring 1      the gates' segment; only nk's own gates are ever called in it
 *   32-bit code of ring 2      PrivUser's: cannot form an address above 4 GiB
 *   32-bit data of ring 2
 *   a call gate for ring 3 to nk_priv_enter, one for ring 2 to nk_priv_exit
 * Hence P1 (the gates' ring is below PrivUser's, so that no far return leads from PrivUser into
 * 64-bit code that reaches the kernel) and P2 (ring 2 has no 64-bit code) hold for whatever the
 * outer kernel asks.
 */
#include "nk/internal.h"
#include "nk/hw.h"

#define D_ACCESSED   (1ull << 40) /* set, so that the processor need not write */
#define D_CONFORMING (1ull << 42) /* of data: expands down */
#define D_CODE       (1ull << 43)
#define D_SEGMENT    (1ull << 44)
#define D_PRESENT    (1ull << 47)
#define D_LONG       (1ull << 53)
#define D_32BIT      (1ull << 54)
#define D_BASE       0xff0000ffffff0000ull
#define D_CALL_GATE  (12ull << 40)
#define D_GATE_TYPE  (31ull << 40)
#define GATE_PARAMS  (0xffull << 32)

#define SEL_LDT_BIT 4u

static unsigned dpl(uint64_t d)
{
	return d >> 45 & 3;
}

static err_t segment_check(uint64_t d)
{
	bool is_long = d & D_CODE && d & D_LONG;

	if (!(d & D_PRESENT) || !(d & D_ACCESSED) || d & D_CONFORMING || (d & D_BASE) != 0)
		return refuse("segment of an unusual kind in an LDT");
	if (is_long)
		return dpl(d) == 1 && !(d & D_32BIT) ? OK
						     : refuse("P2: 64-bit code, not of ring 1");
	if (dpl(d) != 2 || !(d & D_32BIT) || d & D_LONG)
		return refuse("P1: segment that is not of ring 2 and 32 bits");
	return OK;
}

/* A gate takes two places; `cs` is the descriptor that it leads to. */
static err_t gate_check(uint64_t low, uint64_t high, uint64_t cs)
{
	uint64_t target = (low & 0xffff) | (low >> 48 << 16) | high << 32;
	const char *want = dpl(low) == 3 ? nk_priv_enter : nk_priv_exit;

	if ((low & D_GATE_TYPE) != D_CALL_GATE || !(low & D_PRESENT) || (low & GATE_PARAMS) != 0 ||
	    high >> 32 != 0)
		return refuse("system descriptor that is no call gate in an LDT");
	if (dpl(low) < 2 || target != (uint64_t)want)
		return refuse("gate that does not lead to nk's");
	if (!(cs & D_SEGMENT) || !(cs & D_CODE) || !(cs & D_LONG))
		return refuse("P1: gate that does not lead to ring 1");
	return OK;
}

static err_t descriptors_check(const uint64_t *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned selector = d[i] >> 16 & 0xffff, cs = selector >> 3;

		if (d[i] == 0)
			continue;
		if (d[i] & D_SEGMENT) {
			TRY(segment_check(d[i]));
			continue;
		}
		if (i + 1 == n || cs >= n || (selector & 7) != (SEL_LDT_BIT | 1))
			return refuse("gate out of the LDT");
		TRY(gate_check(d[i], d[i + 1], d[cs]));
		i++;
	}
	return OK;
}

err_t ldt_check(const struct nk_op *op)
{
	const struct nk_frame *f = frame_lookup(op->base.v);
	const uint64_t *slot;

	if ((op->base.v & PAGE_MASK) != 0 || op->n > LDT_LEN)
		return E_INVAL;
	if (!space_is_program(op->space))
		return refuse("not an address space of this core");
	if (f == NULL || f->type != NK_T_PLAIN)
		return refuse("LDT is not a plain frame of this core");
	TRY(descriptors_check(nk_pages, op->n));
	slot = table_slot(op->space.v, LDT_VA, 1);
	if (slot != NULL && *slot != 0)
		return E_EXIST;
	return tables_missing(op->space.v, LDT_VA, LDT_VA + PAGE_SIZE) > nk_stat.pool ? E_NOTABLES
										      : OK;
}

void ldt_apply(const struct nk_op *op)
{
	uint64_t *words = frame_ptr(op->base.v);
	uint64_t *table = table_make(op->space.v, LDT_VA);

	*frame_lookup(op->base.v) = (struct nk_frame){ .type = NK_T_LDT, .maps = 1 };
	frame_protect(op->base.v, false);
	for (unsigned i = 0; i < TABLE_LEN; i++)
		words[i] = i < op->n ? nk_pages[i] : 0;
	table[table_index(LDT_VA, 1)] = op->base.v | NK_PTE_P | NK_PTE_NX;
	nk_stat.pages++;
	table_count(op->space.v, LDT_VA, table, 1);
}
