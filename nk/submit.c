/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens behind the gate (gate.S): WP is clear, interrupts are off, the stack is nk's. */
#include "nk/internal.h"
#include "nk/hw.h"
#include "nk/tables.h"

struct nk_record nk_record;
struct boot_info nk_boot_info;
extern const struct boot_info boot_info __attribute__((alias("nk_boot_info")));
uint64_t nk_gdt[NK_GDT_LEN] __attribute__((aligned(64)));
struct nk_gate nk_idt[NK_IDT_LEN] __attribute__((aligned(64)));
struct nk_tss nk_tss __attribute__((aligned(128)));
struct nk_status nk_stat;
extern const volatile struct nk_status nk_status __attribute__((alias("nk_stat")));

static struct nk_op op_in_hand;
uint64_t nk_stray_traps; /* counted by the trap gate */

err_t refuse(const char *reason)
{
	nk_stat.refused++;
	nk_stat.last_refused = op_in_hand;
	nk_stat.last_reason = reason;
	return E_REFUSED;
}

/* Put the frames of the operation into nk_pages. */
static err_t pages_in(const struct nk_op *op)
{
	if (op->n == 0 || op->n > NK_MAX_PAGES)
		return E_INVAL;
	if (op->frames != NULL)
		return hw_copy_in(nk_pages, op->frames, op->n) ? OK : E_INVAL;
	if (op->base.v >= PA_END)
		return E_INVAL;
	for (uint32_t i = 0; i < op->n; i++)
		nk_pages[i] = op->base.v + i * PAGE_SIZE;
	return OK;
}

static err_t perform(const struct nk_op *op)
{
	switch (op->kind) {
	case NK_DONATE:
		TRY(pages_in(op));
		TRY(donate_check(op));
		donate_apply(op);
		return OK;
	case NK_RECLAIM:
		TRY(reclaim_check(op));
		reclaim_apply(op);
		return OK;
	case NK_SPACE_CREATE:
		TRY(create_check(op));
		create_apply(op);
		return OK;
	case NK_SPACE_DESTROY: TRY(destroy_check(op)); return destroy_apply(op) ? OK : E_AGAIN;
	case NK_MAP:
		TRY(pages_in(op));
		TRY(map_check(op));
		map_apply(op);
		return OK;
	case NK_UNMAP:
		TRY(unmap_check(op));
		unmap_apply(op);
		return OK;
	case NK_PROTECT:
		TRY(protect_check(op));
		protect_apply(op);
		return OK;
	case NK_PROTECT_RO:
		TRY(unmap_check(op));
		protect_ro_apply(op);
		return OK;
	case NK_CLONE:
		TRY(clone_check(op));
		clone_apply(op);
		return OK;
	case NK_CHUNK_ONLINE:
		TRY(chunk_check(op));
		chunk_apply(op);
		return OK;
	case NK_DEVICE_MAP:
		TRY(device_check(op));
		device_apply(op);
		return OK;
	case NK_LDT:
		TRY(op->frames != NULL ? pages_in(op) : E_INVAL);
		TRY(ldt_check(op));
		ldt_apply(op);
		return OK;
	default: return E_INVAL;
	}
}

struct nk_result nk_submit_secure(const struct nk_op *ops, size_t n)
{
	uint64_t start = hw_tsc();
	struct nk_result r = { n <= NK_MAX_OPS ? OK : E_INVAL, 0 };

	nk_stat.nmis = hw_nmis();
	nk_stat.stray_traps = nk_stray_traps;
	while (r.err == OK && r.done < n) {
		/* The caller keeps no way to edit what was checked. */
		if (!hw_copy_in(&op_in_hand, &ops[r.done], sizeof(op_in_hand) / 8)) {
			r.err = E_INVAL;
			break;
		}
		r.err = perform(&op_in_hand);
		if (r.err == OK) {
			nk_stat.ops[op_in_hand.kind]++;
			r.done++;
		}
	}
	tlb_flush();
	nk_stat.crossings++;
	nk_stat.crossing_ticks += hw_tsc() - start;
	return r;
}
