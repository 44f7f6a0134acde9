/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of nk share. Nothing outside nk/ (and its tests) includes this. */
#pragma once

#include "abi/boot.h"
#include "abi/err.h"
#include "abi/layout.h"
#include "abi/nk.h"
#include "abi/types.h"

#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
/* Bits that the processor sets, kept when rights change. */
#define PTE_SEEN (NK_PTE_A | NK_PTE_D)
/* Entries above level 1 leave the rights to level 1, but no program reaches the kernel's half. */
#define PTE_TABLE_USER   (NK_PTE_P | NK_PTE_W | NK_PTE_U)
#define PTE_TABLE_KERNEL (NK_PTE_P | NK_PTE_W)

#define TABLE_LEN 512u
/* Physical addresses that the direct map can show. */
#define PA_END (IMAGE_BASE - DM_BASE)

/* Windows of the kernel's half have tables for 1 GiB each. */
#define WINDOW_SIZE (1ull << 30)

struct nk_span {
	uint64_t start, end;
};

/* A piece of this core's memory, in whole chunks; frames from usable_end on are someone else's. */
struct nk_range {
	uint64_t start, end, usable_end;
};

#define NK_RAM_MAX 64u

/* What boot found and decided; never changed afterwards. */
struct nk_record {
	uint64_t root;         /* top-level table of the kernel's own space */
	struct nk_span image;  /* root image, whole pages */
	struct nk_span run;    /* run configuration, whole pages */
	struct nk_span shared; /* frames of the message rings */
	uint64_t lapic;        /* registers mapped at DEV_BASE, 0 with x2APIC */
	uint32_t core, ncores;
	uint32_t nranges, nram;
	struct nk_range range[BOOT_RANGES]; /* this core's memory */
	struct nk_span ram[NK_RAM_MAX];     /* all memory of the machine: never a device */
	bool x2apic, tsc_deadline;
};
extern struct nk_record nk_record;
extern struct nk_status nk_stat; /* nk_status, before it is read-only */
extern uint64_t nk_stray_traps;

/* Remembers the chunk of the frame looked up last: neighbours cost no table walk. */
struct cursor {
	uint64_t chunk;
	struct nk_frame *frames;
};
#define CURSOR_NEW ((struct cursor){ UINT64_MAX, NULL })
/* Where operations on entries begin: a chunk that is online, and stays so, or CURSOR_NEW. */
extern struct cursor nk_seen;

/* ---- frame.c ---- */
/* Descriptor of a frame of an online chunk, or NULL. */
struct nk_frame *frame_lookup(uint64_t pa);
/* The same, for what is known to be a frame of an online chunk: a table, a pool frame. */
struct nk_frame *frame_known(uint64_t pa);
/* Make the frame read-only (or writable again) in the direct map. */
void frame_protect(uint64_t pa, bool writable);
/* Page-table pool: frames full of zeros. pool_take() must not be called on an empty pool. */
void pool_put(uint64_t pa);
extern uint64_t nk_pool_head;
uint64_t pool_take(enum nk_type level);
/* Is `space` a program's top-level table? Reads only: also outside the gate. */
bool space_is_program(nk_space_t space);
/* `pa` is a top-level table of a program from now on, or is none any more. */
void space_known(uint64_t pa, bool is);

/* ---- table.c ---- */
/* The slot for va in the table of `level` (1..4) below root; NULL when a table above is missing. */
uint64_t *table_slot(uint64_t root, uint64_t va, unsigned level);
/* The level-1 table of va, or NULL. */
uint64_t *table_find(uint64_t root, uint64_t va);
/*
 * The same behind the gate: check and application of an operation, and the next operation, mostly
 * ask for the same one. table_forget: a table comes from the pool or goes there.
 */
uint64_t *table_seek(uint64_t root, uint64_t va);
void table_forget(void);
/*
 * As table_find, but missing tables are taken from the pool, which must have tables_missing() of
 * them.
 */
uint64_t *table_make(uint64_t root, uint64_t va);
/* How many tables a mapping of [va, end) lacks; at most NK_MAX_PAGES pages. */
unsigned tables_missing(uint64_t root, uint64_t va, uint64_t end);
/*
 * `added` entries more (or fewer, if negative) are in use in `table`, va's of level 1. Empty tables
 * go back to the pool.
 */
void table_count(uint64_t root, uint64_t va, const uint64_t *table, int added);

/* ---- tlb.c: what must leave the TLB before the outer kernel runs again ---- */
/*
 * Can there be translations of va? A space that is not loaded has none in the TLB: no
 * process-context identifiers are in use.
 */
bool tlb_may_hold(uint64_t root, uint64_t va);
void tlb_drop_page(uint64_t root, uint64_t va);
void tlb_drop_all(void);
void tlb_flush(void);

/* ---- operations: check has no side effect but the record of a refusal; apply cannot fail ---- */
err_t map_check(const struct nk_op *op);
void map_apply(const struct nk_op *op);
err_t unmap_check(const struct nk_op *op);
void unmap_apply(const struct nk_op *op);
err_t protect_check(const struct nk_op *op);
void protect_apply(const struct nk_op *op);
void protect_ro_apply(const struct nk_op *op);
err_t clone_check(const struct nk_op *op);
void clone_apply(const struct nk_op *op);
err_t donate_check(const struct nk_op *op);
void donate_apply(const struct nk_op *op);
err_t reclaim_check(const struct nk_op *op);
void reclaim_apply(const struct nk_op *op);
err_t create_check(const struct nk_op *op);
void create_apply(const struct nk_op *op);
err_t destroy_check(const struct nk_op *op);
/* False when a bounded piece of work is done and more is left. */
bool destroy_apply(const struct nk_op *op);
err_t chunk_check(const struct nk_op *op);
void chunk_apply(const struct nk_op *op);
err_t device_check(const struct nk_op *op);
void device_apply(const struct nk_op *op);
err_t ldt_check(const struct nk_op *op);
void ldt_apply(const struct nk_op *op);

/* E_REFUSED, with `reason` (static text) for nk_status. */
err_t refuse(const char *reason);
/* Frames of the operation in hand: copied from the caller, or made from base. */
extern uint64_t nk_pages[NK_MAX_PAGES];

/* ---- privgate.S: the only code of ring 1 ---- */
extern const char nk_priv_enter[], nk_priv_exit[];

/* ---- submit.c ---- */
struct nk_result {
	int64_t err;
	uint64_t done;
};
struct nk_result nk_submit_secure(const struct nk_op *ops, size_t n);

/* ---- audit.c ---- */
/*
 * Walk all tables of the kernel's half and check every entry against the invariants. NULL, or what
 * is wrong;
 * *where is the address then. Reads only, so the outer kernel may call it too. */
const char *nk_audit(uint64_t *where);

/*
 * As frame_lookup(), fast for neighbours of the frame looked up last (also when that has no
 * descriptor).
 */
static inline struct nk_frame *frame_lookup_cached(struct cursor *c, uint64_t pa)
{
	uint64_t i = (pa >> PAGE_SHIFT) & (CHUNK_FRAMES - 1);

	if (pa >> CHUNK_SHIFT != c->chunk) {
		c->chunk = pa >> CHUNK_SHIFT;
		c->frames = frame_lookup(pa & ~(CHUNK_SIZE - 1));
	}
	return c->frames != NULL ? &c->frames[i] : NULL;
}

static inline bool frame_is_image(uint64_t pa)
{
	return pa - nk_record.image.start < nk_record.image.end - nk_record.image.start;
}

static inline unsigned table_index(uint64_t va, unsigned level)
{
	return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_LEN - 1);
}

static inline bool is_table(uint64_t entry)
{
	return (entry & (NK_PTE_P | NK_PTE_PS)) == NK_PTE_P;
}
