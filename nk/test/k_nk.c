/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on nk from the outer kernel, on the real processor: each must fail, and be seen to fail.
 */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/x86/x86.h"
#include "nk/internal.h"
#include "nk/tables.h"

#define CR0_WP       (1ull << 16)
#define VEC_PF       14
#define LAPIC_ICR    0x300
#define ICR_SELF_NMI 0x44400u

extern const char text_start[], text_end[], rodata_start[], nk_text_start[], nk_text_end[],
	nk_rodata_start[];
extern const char nk_stack_start[], nk_trap_stubs[], boot_entry_pvh[];

void k_jump_open(uint64_t cr0);
void k_jump_close(uint64_t cr0);
void k_step_into_gate(void);
bool k_flags_survive(void);

static uint64_t cr0(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static void write_at(void *at)
{
	*(volatile uint64_t *)at = 0xbad;
}

static void read_at(void *at)
{
	*(volatile uint64_t *)at;
}

static void call_at(void *at)
{
	((void (*)(void))at)();
}

/* The access faults, at this address. */
static bool faults(void (*access)(void *), const void *at)
{
	uint64_t where = 0;

	return ktest_expect_fault(access, (void *)(uint64_t)at, &where) && where == (uint64_t)at;
}

static err_t one(struct nk_op op)
{
	size_t done = 99;
	err_t err = nk_submit(&op, 1, &done);

	EXPECT_EQ(done, err == OK);
	EXPECT(cr0() & CR0_WP);
	return err;
}

static err_t frames_map(nk_space_t s, uint64_t va, uint64_t pa, uint32_t rights)
{
	return one((struct nk_op){ .kind = NK_MAP,
				   .space = s,
				   .va = va,
				   .n = 1,
				   .base = PADDR(pa),
				   .rights = rights });
}

/* A program's space to play with, with tables in the pool. */
static nk_space_t space_make(void)
{
	paddr_t root = frame_alloc(0);

	EXPECT(!paddr_is_none(root));
	EXPECT_EQ(tables_reserve(2 * NK_TABLES_PER_OP), OK);
	EXPECT_EQ(one((struct nk_op){ .kind = NK_SPACE_CREATE, .base = root }), OK);
	return (nk_space_t){ root.v };
}

static void space_end(nk_space_t s)
{
	EXPECT_EQ(one((struct nk_op){ .kind = NK_SPACE_DESTROY, .space = s }), OK);
	frame_put(PADDR(s.v));
}

/* ---- memory that must not be written ---- */

KTEST(nk_page_tables_are_read_only)
{
	nk_space_t kernel = nk_space_current();
	const uint64_t *slot = dm_ptr(PADDR(kernel.v));
	unsigned tables = 0;

	EXPECT(faults(write_at, slot));
	EXPECT(faults(write_at, slot + TABLE_LEN / 2));
	for (unsigned i = 0; i < CHUNK_FRAMES; i++) {
		paddr_t pa = PADDR(boot_info.first_chunk + i * PAGE_SIZE);
		unsigned type = nk_frame(pa)->type;

		if (type < NK_T_POOL || type > NK_T_NK)
			continue;
		tables++;
		EXPECT(faults(write_at, dm_ptr(pa)));
	}
	EXPECT(tables > 10);
}

KTEST(nk_data_is_read_only)
{
	EXPECT(faults(write_at, (const void *)&nk_status));
	EXPECT(faults(write_at, &nk_record));
	EXPECT(faults(write_at, nk_gdt));
	EXPECT(faults(write_at, nk_idt));
	EXPECT(faults(write_at, &nk_tss));
	EXPECT(faults(write_at, nk_stack_start));
	EXPECT(faults(write_at, &boot_info));
	EXPECT(faults(write_at, nk_frame(PADDR(boot_info.first_chunk))));
}

KTEST(nk_text_is_read_only)
{
	EXPECT(faults(write_at, text_start));
	EXPECT(faults(write_at, (void *)((uint64_t)text_end - 8)));
	EXPECT(faults(write_at, rodata_start));
	EXPECT(faults(write_at, nk_text_start));
	EXPECT(faults(write_at, nk_rodata_start));
	EXPECT_EQ(nk_frame(PADDR(boot_info.first_chunk))->type, NK_T_NK);
}

KTEST(nk_boot_is_gone)
{
	EXPECT(faults(read_at, boot_entry_pvh));
	EXPECT(faults(call_at, boot_entry_pvh));
	EXPECT(faults(read_at, (void *)0x8000)); /* trampoline */
	EXPECT(faults(read_at, (void *)KERNEL_LOAD_PA));
	EXPECT(faults(read_at, dm_ptr(PADDR(KERNEL_LOAD_PA))));
}

/* ---- code ---- */

static uint8_t ret_in_data[16] = { 0xc3 };

KTEST(nk_data_does_not_execute)
{
	uint8_t ret_on_stack[16] = { 0xc3 };
	paddr_t pa = frame_alloc(FRAME_ZERO);

	EXPECT(!paddr_is_none(pa));
	*(uint8_t *)dm_ptr(pa) = 0xc3;
	EXPECT(faults(call_at, ret_in_data));
	EXPECT(faults(call_at, ret_on_stack));
	EXPECT(faults(call_at, dm_ptr(pa)));
	EXPECT(faults(call_at, rodata_start));
	EXPECT(faults(call_at, nk_rodata_start));
	frame_put(pa);
}

KTEST(nk_programs_pages_do_not_execute_here)
{
	nk_space_t kernel = nk_space_current(), s;
	paddr_t pa = frame_alloc(FRAME_ZERO);

	if (!boot_info.cpu.smep) {
		ktest_note("skipped: this processor has no SMEP");
		frame_put(pa);
		return;
	}
	*(uint8_t *)dm_ptr(pa) = 0xc3;
	s = space_make();
	EXPECT_EQ(frames_map(s, 0x400000, pa.v, NK_R | NK_X), OK);
	EXPECT_EQ(nk_space_load(s), OK);
	EXPECT(faults(call_at, (void *)0x400000));
	if (boot_info.cpu.smap)
		EXPECT(faults(read_at, (void *)0x400000));
	EXPECT_EQ(nk_space_load(kernel), OK);
	space_end(s);
	frame_put(pa);
}

/* ---- what nk refuses ---- */

static void refused(struct nk_op op, const char *why)
{
	uint64_t before = nk_status.refused;

	EXPECT_EQ(one(op), E_REFUSED);
	EXPECT_EQ(nk_status.refused, before + 1);
	EXPECT(strstr(nk_status.last_reason, why) != NULL);
	EXPECT_EQ(nk_status.last_refused.kind, op.kind);
}

KTEST(nk_refuses_bad_maps)
{
	nk_space_t s = space_make();
	struct nk_op op = { .kind = NK_MAP, .space = s, .va = 0x400000, .n = 1, .rights = NK_R };
	paddr_t pa = frame_alloc(0);

	op.base = PADDR(s.v);
	refused(op, "type");
	op.base = PADDR(nk_space_current().v);
	refused(op, "type");
	op.base = PADDR(boot_info.first_chunk);
	refused(op, "type");
	op.base = PADDR(nk_entry((nk_space_t){ 0 }, (uint64_t)&nk_status) & NK_PTE_ADDR);
	refused(op, "type");
	op.base = PADDR(nk_entry((nk_space_t){ 0 }, (uint64_t)ret_in_data) & NK_PTE_ADDR);
	refused(op, "type");
	op.base = PADDR(KERNEL_LOAD_PA);
	refused(op, "memory of this core");
	op.base = PADDR(0xfee00000);
	refused(op, "memory of this core");
	op.base = pa;
	op.space.v = 0;
	op.va = KWIN_BASE + CHUNK_SIZE;
	op.rights = NK_R | NK_X;
	refused(op, "executable");
	op.space.v = nk_space_current().v;
	op.va = 0x400000;
	refused(op, "address space");
	op.space.v = boot_info.first_chunk;
	refused(op, "address space");
	op.space = s;
	op.va = DM_BASE + pa.v;
	EXPECT_EQ(one(op), E_INVAL);
	op.va = KERNEL_BASE + KERNEL_LOAD_PA;
	EXPECT_EQ(one(op), E_INVAL);
	op.space.v = 0;
	EXPECT_EQ(one(op), E_INVAL);
	frame_put(pa);
	space_end(s);
}

KTEST(nk_refuses_other_misuse)
{
	nk_space_t kernel = nk_space_current();
	nk_space_t s = space_make();
	paddr_t pa = frame_alloc(0);

	EXPECT_EQ(frames_map(s, 0x400000, pa.v, NK_R), OK);
	refused((struct nk_op){ .kind = NK_DONATE, .n = 1, .base = pa }, "plain");
	refused((struct nk_op){ .kind = NK_SPACE_CREATE, .base = pa }, "plain");
	EXPECT_EQ(nk_space_load((nk_space_t){ pa.v }), E_REFUSED);
	EXPECT_EQ(nk_space_load((nk_space_t){ boot_info.first_chunk + CHUNK_SIZE * 100000 }),
		  E_REFUSED);
	refused((struct nk_op){ .kind = NK_CHUNK_ONLINE }, "memory of this core");
	EXPECT_EQ(one((struct nk_op){ .kind = NK_CHUNK_ONLINE,
				      .base = PADDR(boot_info.first_chunk) }),
		  E_EXIST);
	refused(
		(struct nk_op){
			.kind = NK_DEVICE_MAP, .va = DEV_BASE + 0x100000, .n = 1, .base = pa },
		"memory");
	refused((struct nk_op){ .kind = NK_DEVICE_MAP,
				.va = DEV_BASE + 0x100000,
				.n = 1,
				.base = PADDR(KERNEL_LOAD_PA) },
		"memory");
	refused((struct nk_op){ .kind = NK_SPACE_DESTROY, .space = kernel }, "address space");
	EXPECT_EQ(one((struct nk_op){ .kind = NK_OPS }), E_INVAL);
	EXPECT_EQ(nk_x2apic_write(0x830, 0x4500), E_REFUSED); /* INIT */
	EXPECT_EQ(one((struct nk_op){ .kind = NK_UNMAP, .space = s, .va = 0x400000, .n = 1 }), OK);
	EXPECT_EQ(nk_frame(pa)->type, NK_T_PLAIN);
	frame_put(pa);
	space_end(s);
}

/* Pointers that cannot be read are an error value, and nk is as it was. */
KTEST(nk_survives_bad_pointers)
{
	static struct nk_op op = { .kind = NK_DONATE,
				   .n = 4,
				   .frames = (void *)(KWIN_END - PAGE_SIZE) };
	uint64_t crossings = nk_status.crossings;
	uint32_t pool = nk_status.pool;

	EXPECT_EQ(nk_submit((void *)(KWIN_END - PAGE_SIZE), 1, NULL), E_INVAL);
	EXPECT_EQ(nk_submit((void *)0x400000, 1, NULL), E_INVAL);
	EXPECT_EQ(nk_submit((void *)0x8000000000000000, 1, NULL), E_INVAL);
	EXPECT_EQ(nk_submit((void *)UINT64_MAX, 1, NULL), E_INVAL);
	EXPECT_EQ(nk_submit(&op, 1, NULL), E_INVAL);
	op.frames = (void *)(DM_BASE - 8);
	EXPECT_EQ(nk_submit(&op, 1, NULL), E_INVAL);
	EXPECT_EQ(nk_status.crossings, crossings + 6);
	EXPECT_EQ(nk_status.pool, pool);
	EXPECT(cr0() & CR0_WP);
}

/* ---- the gates ---- */

KTEST(nk_gate_cannot_be_left_open)
{
	uint64_t crossings = nk_status.crossings;

	k_jump_open(cr0() & ~CR0_WP);
	EXPECT(cr0() & CR0_WP);
	EXPECT_EQ(nk_status.crossings, crossings + 1);
	k_jump_close(cr0() & ~CR0_WP);
	EXPECT(cr0() & CR0_WP);
	EXPECT(faults(write_at, &nk_record));
}

static void step_into_gate(void *arg)
{
	(void)arg;
	k_step_into_gate();
}

KTEST(nk_cannot_be_single_stepped)
{
	struct x86_fault fault;

	/*
	 * The outer kernel sees no trap: nk's handler ended the stepping at its first instruction.
	 */
	EXPECT(!x86_try(step_into_gate, NULL, &fault));
	EXPECT(cr0() & CR0_WP);
	EXPECT(k_flags_survive());
}

/* Every vector comes in through nk; where WP may be clear, on a stack that nobody can choose. */
KTEST(nk_owns_all_vectors)
{
	for (unsigned v = 0; v < NK_IDT_LEN; v++) {
		const struct nk_gate *g = &nk_idt[v];
		uint64_t at = g->offset0 | (uint64_t)g->offset1 << 16 | (uint64_t)g->offset2 << 32;

		EXPECT_EQ(at, (uint64_t)nk_trap_stubs + v * 16);
		EXPECT(at >= (uint64_t)nk_text_start && at < (uint64_t)nk_text_end);
		/* Programs may raise two, PrivUser its system calls. */
		EXPECT_EQ(g->type, v == 3 || v == 4 ? 0xee : v == VEC_PRIVUSER ? 0xce : 0x8e);
		if (v == 1 || v == 2 || v == 8 || v == 18 || v >= 32)
			EXPECT(g->ist != 0);
	}
}

KTEST(nk_counts_nmis)
{
	volatile uint32_t *lapic = (volatile uint32_t *)DEV_BASE;
	uint64_t before;

	if (boot_info.cpu.x2apic) {
		ktest_note("skipped: no NMI can be sent through nk");
		return;
	}
	EXPECT_EQ(nk_submit(NULL, 0, NULL), OK);
	before = nk_status.nmis;
	for (unsigned i = 1; i <= 100; i++) {
		lapic[LAPIC_ICR / 4] = ICR_SELF_NMI;
		while (nk_status.nmis < before + i)
			EXPECT_EQ(nk_submit(NULL, 0, NULL), OK);
		EXPECT(cr0() & CR0_WP);
	}
}

KTEST(nk_audit_finds_nothing)
{
	uint64_t where;
	const char *wrong = nk_audit(&where);

	if (wrong != NULL)
		ktest_note("%s at %#lx", wrong, where);
	EXPECT(wrong == NULL);
	EXPECT_EQ(nk_status.stray_traps, 0);
}

/* ---- cost, in ticks: under -icount shift=0 these are instructions ---- */

enum { COST_RUNS = 100 };

/* Mean ticks of `op`; `undo` follows each time. */
static uint64_t cost_of(const struct nk_op *op, const struct nk_op *undo)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < COST_RUNS; i++) {
		uint64_t start = rdtsc();

		EXPECT_EQ(nk_submit(op, op != NULL, NULL), OK);
		sum += rdtsc() - start;
		EXPECT_EQ(nk_submit(undo, undo != NULL, NULL), OK);
	}
	return sum / COST_RUNS;
}

KTEST(nk_cost)
{
	static paddr_t frames[16];
	nk_space_t s = space_make(), s2 = space_make();
	struct nk_op map = {
		.kind = NK_MAP, .space = s, .va = 0x400000, .n = 16, .rights = NK_R | NK_W
	};
	struct nk_op unmap = { .kind = NK_UNMAP, .space = s, .va = 0x400000, .n = 16 };
	struct nk_op clone = {
		.kind = NK_CLONE, .space = s, .space2 = s2, .va = 0x400000, .n = 512
	};
	struct nk_op unclone = { .kind = NK_UNMAP, .space = s2, .va = 0x400000, .n = 512 };

	map.frames = frames;
	EXPECT_EQ(frame_alloc_bulk(frames, 16, 0), OK);
	ktest_note("crossing %lu ticks", cost_of(NULL, NULL));
	ktest_note("16 pages into new tables %lu", cost_of(&map, &unmap));
	EXPECT_EQ(frames_map(s, 0x500000, frames[0].v, NK_R), OK); /* keeps the tables */
	ktest_note("16 pages %lu", cost_of(&map, &unmap));
	for (unsigned i = 0; i < 512; i += 16) {
		struct nk_op part = map;

		part.va += i * PAGE_SIZE;
		part.rights |= NK_REPLACE;
		EXPECT_EQ(one(part), OK);
	}
	ktest_note("clone of 512 pages %lu", cost_of(&clone, &unclone));
	space_end(s);
	space_end(s2);
	for (unsigned i = 0; i < 16; i++)
		frame_put(frames[i]);
}
