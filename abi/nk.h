/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nested kernel's interface: all that the outer kernel can ask of it.
 *
 * nk alone changes page tables, control registers, entry MSRs, descriptor tables and executable
 * kernel text (Dautenhahn et al., "Nested Kernel", ASPLOS 2015; our corrections in docs/nk.md).
 * Everything nk owns is mapped read-only to the outer kernel, which may therefore READ page tables
 * and frame descriptors freely.
 *
 * There is one gate: nk_submit() carries a batch of operations across it. A crossing is dear (two
 * writes of CR0, each a TLB flush under emulation), an operation is cheap. Each operation is
 * checked whole, then applied by code that cannot fail. nk never blocks, never allocates;
 * page-table frames come from a pool that the outer kernel fills by NK_DONATE. All calls are for
 * the executing core's own spaces and frames.
 */
#pragma once

#include "abi/err.h"
#include "abi/layout.h"
#include "abi/types.h"

/*
 * An address space: physical address of its top-level table. The upper half is the same in all
 * spaces.
 */
typedef struct { uint64_t v; } nk_space_t;

#define NK_R 1u
#define NK_W 2u
/* programs only; W and X together are refused in the kernel's half, allowed for programs */
#define NK_X 4u
#define NK_REPLACE 8u /* NK_MAP: an entry that is there is replaced; without it E_EXIST */
/*
 * A page of PrivUser (ring 2): out of ring 3's reach. Programs only, below PRIV_END only, W or X
 * but not both; the frame is mapped in no other way. NK_PROTECT takes it neither away nor adds it.
 */
#define NK_PRIV 16u

enum nk_op_kind {
	/*
	 * frames[0..n), or base + i when frames is NULL: plain frames become page-table pool (a
	 * frame named twice goes there once). n <= NK_MAX_PAGES, here and below
	 */
	NK_DONATE,
	/*
	 * n <= 64: up to n pool frames become plain again; they are listed in nk_status.reclaimed
	 */
	NK_RECLAIM,
	/* base: a plain frame becomes a top-level table; its address is the space */
	NK_SPACE_CREATE,
	/*
	 * space: all its mappings go, its tables return to the pool, its top frame becomes plain.
	 * E_BUSY while loaded; E_AGAIN after a bounded piece of work: submit again
	 */
	NK_SPACE_DESTROY,
	/*
	 * va, n pages <= NK_MAX_PAGES: frames[i], or base + i pages when frames is NULL; frames[i]
	 * == PADDR_NONE leaves entry i alone. Rights 0 = held, no access
	 */
	NK_MAP,
	NK_UNMAP,         /* va, n: entries that are there go; others are no error */
	/*
	 * va, n: new rights for the entries that are there. An entry whose frame may not be written
	 * (image) makes the operation fail with E_REFUSED when rights has NK_W
	 */
	NK_PROTECT,
	NK_PROTECT_RO,    /* va, n: takes away NK_W where it is set, nothing else */
	/*
	 * (space2 <- space): same entries at the same va, n pages; both sides lose NK_W if rights
	 * does not have it (copy on write). Target entries must be empty (E_EXIST)
	 */
	NK_CLONE,
	/*
	 * base: 2 MiB of this core's memory enters the direct map and the frame table. Its first 4
	 * frames are the header (layout below)
	 */
	NK_CHUNK_ONLINE,
	/*
	 * base, n pages of device registers -> va in the device window, uncached, RW. Refused for
	 * anything that is memory
	 */
	NK_DEVICE_MAP,
	/*
	 * space, base: a plain frame becomes the space's LDT, read-only for good, with the n <=
	 * LDT_LEN descriptors at `frames` (8 bytes each); it goes with the space. E_EXIST when
	 * there is one. Refused: every descriptor but those that PrivUser needs. P1: a gate leads
	 * to ring 1, which is less than PrivUser's 2. P2: no 64-bit code in ring 2. (docs/nk.md)
	 */
	NK_LDT,
	NK_OPS,
};

#define NK_MAX_PAGES 512u
#define NK_MAX_OPS   64u

struct nk_op {
	enum nk_op_kind kind;
	uint32_t rights;
	nk_space_t space;      /* {0} = the kernel's half (windows) */
	nk_space_t space2;
	uint64_t va;
	uint32_t n;
	paddr_t base;
	const paddr_t *frames; /* in the outer kernel's memory, read once per entry */
};

/*
 * Perform ops[0..n) in order. Stops at the first that fails and returns its error; *done (may be
 * NULL) is the number performed. An operation that fails has changed nothing.
 * Errors: E_INVAL (a range, count or kind that cannot be), E_REFUSED (it would break an invariant;
 * logged in nk_status), E_EXIST, E_NOTABLES (pool too small for this operation: donate and go on),
 * E_BUSY, E_AGAIN.
 */
err_t nk_submit(const struct nk_op *ops, size_t n, size_t *done) MUST_CHECK;

/* Worst number of pool frames that one NK_MAP or NK_CLONE of up to NK_MAX_PAGES can take. */
#define NK_TABLES_PER_OP 6u

/*
 * Make a space current. E_REFUSED unless it is a top-level table of this core. Cheap: no WP window.
 */
err_t nk_space_load(nk_space_t space) MUST_CHECK;
/* The current space. */
nk_space_t nk_space_current(void);

/* A program's FS and GS base (MSRs or WRxSBASE). Ignored if not canonical lower half. */
void nk_set_fs_base(uint64_t base);
void nk_set_gs_base(uint64_t base);
/*
 * Breakpoint registers DR0 to DR3 and DR7; DR6 is cleared. E_REFUSED unless all addresses lie in
 * the program's half and no breakpoint is for I/O or for the registers themselves. Cheap: no WP
 * window.
 */
#define NK_DR7_OFF   0x400ul      /* always set; nothing armed */
#define NK_DR7_BITS  0xffff03fful /* arming bits, kinds and lengths */
#define NK_DR7_IO    2u           /* a kind */
#define NK_DR6_CLEAR 0xffff0ff0ul
err_t nk_set_debug(const uint64_t addr[4], uint64_t control) MUST_CHECK;
/*
 * x2APIC register write by MSR number (0x800...); only TPR, EOI, SVR, LVT timer/error/LINT, timer
 * counts, self-IPI, and ICR with delivery
 * mode fixed. Others are refused. Only when boot_info.x2apic. */
err_t nk_x2apic_write(uint32_t reg, uint64_t value);
/* IA32_TSC_DEADLINE; only when boot_info.tsc_deadline. */
void nk_tsc_deadline(uint64_t tsc);

/* ---- what the outer kernel may read ---- */

enum nk_type {
	NK_T_NONE,   /* not memory of this core */
	NK_T_PLAIN,  /* the outer kernel's: RW in the direct map */
	NK_T_USER,   /* plain, and mapped in a program's half */
	NK_T_WINDOW, /* plain, and mapped in a kernel window */
	NK_T_POOL,   /* page-table frame not in use */
	NK_T_L1, NK_T_L2, NK_T_L3, NK_T_L4,
	NK_T_NK,     /* nk's own: data, stack, chunk headers, boot record; message rings */
	NK_T_DATA,   /* this core's .data and .bss, trap stacks: never mapped again */
	NK_T_IMAGE,  /* root image: read-only for ever */
	NK_T_PRIV,   /* plain, and mapped as PrivUser */
	NK_T_LDT,    /* a space's LDT */
};

struct nk_frame { /* one per frame, at chunk + NK_HDR_FRAMES */
	uint8_t type;     /* enum nk_type */
	uint8_t pad;
	uint16_t wmaps;   /* writable mappings beside the direct map */
	uint32_t maps;    /* mappings beside the direct map; of a table: its entries in use */
};

/*
 * Header of an online chunk, in frames from its start. Frames 2 and 3 are plain: the outer kernel's
 * own table.
 */
#define NK_HDR_TABLE  0
#define NK_HDR_FRAMES 1
#define NK_HDR_OUTER  2
#define NK_HDR_LEN    4

struct nk_status {
	uint32_t pool;                 /* frames in the page-table pool */
	uint32_t reclaimed_n;
	paddr_t reclaimed[64];
	uint64_t crossings;            /* nk_submit calls */
	uint64_t crossing_ticks;       /* TSC ticks between gate and gate */
	uint64_t ops[NK_OPS];          /* operations performed */
	uint64_t pages;                /* page-table entries written */
	uint64_t refused;              /* operations refused */
	struct nk_op last_refused;
	const char *last_reason;       /* static text */
	uint64_t nmis, stray_traps;
};
/* volatile: it changes under the reader, by nk_submit() */
extern const volatile struct nk_status nk_status;

/* Page-table entries, for reading. An entry counts when NK_PTE_THERE(e). */
#define NK_PTE_P    (1ull << 0)
#define NK_PTE_W    (1ull << 1)
#define NK_PTE_U    (1ull << 2)
#define NK_PTE_A    (1ull << 5)
#define NK_PTE_D    (1ull << 6)
#define NK_PTE_PS   (1ull << 7)
#define NK_PTE_HELD (1ull << 9)  /* frame kept, no access (PROT_NONE): P is clear */
#define NK_PTE_NX   (1ull << 63)
/*
 * Index of the first entry of table[i..end) that is not empty, `end` when all are. (Of a program's
 * half or level 1: an entry that is not there is 0.) Most tables are sparse: this looks at eight
 * entries at a time.
 */
static inline unsigned nk_used_entry(const uint64_t *table, unsigned i, unsigned end)
{
	if (i < end && table[i] != 0)
		return i;
	for (; i + 8 <= end; i += 8) {
		const uint64_t *t = &table[i];

		if ((t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) != 0)
			break;
	}
	while (i < end && table[i] == 0)
		i++;
	return i;
}

/*
 * Physical addresses have at most 46 bits here: what the direct map holds. (A mask of 52 bits would
 * hold the bytes of LLDT.)
 */
#define NK_PTE_ADDR 0x00003ffffffff000ull
#define NK_PTE_THERE(e) (((e) & (NK_PTE_P | NK_PTE_HELD)) != 0)

static inline void *dm_ptr(paddr_t pa)
{
	return (void *)(DM_BASE + pa.v);
}

static inline paddr_t dm_paddr(const void *p)
{
	return PADDR((uint64_t)p - DM_BASE);
}

/*
 * Descriptor of a frame in an online chunk. Frames of the root image (boot_info.image) are counted
 * nowhere, and have a descriptor only where they share a chunk with memory of this core.
 */
static inline const struct nk_frame *nk_frame(paddr_t pa)
{
	uint64_t header = (pa.v & ~(CHUNK_SIZE - 1)) + NK_HDR_FRAMES * PAGE_SIZE;
	const struct nk_frame *t = dm_ptr(PADDR(header));

	return &t[(pa.v >> PAGE_SHIFT) & (CHUNK_FRAMES - 1)];
}

/*
 * The level-1 table (512 entries, 2 MiB) that holds va's entry in `space`, or NULL when there is
 * none. Good until the next nk_submit(): a table whose last entry goes is in the pool at once.
 */
const uint64_t *nk_table_of(nk_space_t space, uint64_t va);
/* The entry itself, 0 when there is none. */
uint64_t nk_entry(nk_space_t space, uint64_t va);
/*
 * Lowest address >= va (2 MiB aligned down) below `end` that has a level-1 table; `end` when none.
 * Skips holes fast.
 */
uint64_t nk_next_table(nk_space_t space, uint64_t va, uint64_t end);
