/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One core's address space and records, all in frames from the head of its first chunk. Each core
 * runs this for itself, in boot's tables, where its chunk is mapped at its own address.
 */
#include "base/str.h"
#include "boot/boot.h"
#include "nk/tables.h"

#define LARGE_SIZE  CHUNK_SIZE
#define LEVEL3_SIZE (1ull << 39) /* what one level-3 table spans */

#define RX NK_PTE_P
#define RO (NK_PTE_P | NK_PTE_NX)
#define RW (NK_PTE_P | NK_PTE_W | NK_PTE_NX)

extern const char text_start[], text_end[], rodata_start[], rodata_end[];
extern const char nk_text_start[], nk_text_end[], nk_rodata_start[], nk_rodata_end[];
extern const char nk_data_start[], nk_data_end[], data_start[], data_end[];
extern const char nk_stack_start[], nk_stack_top[], nk_bss_start[], nk_bss_end[], bss_start[],
	bss_end[];
extern const char trap_stack_start[], trap_stack_top[], irq_stack_start[], irq_stack_top[];
extern const char db_stack_start[], db_stack_top[], nmi_stack_start[], nmi_stack_top[];
extern const char df_stack_start[], df_stack_top[], mc_stack_start[], mc_stack_top[];
extern const char boot_stack_start[], boot_stack_top[];
extern const char nk_trap_stubs[];
extern const char priv_gate_top[];

extern struct boot_info nk_boot_info;

/* Linked addresses behind which each core has frames of its own. */
enum fill { ZERO, TEMPLATE };
struct piece {
	const char *start, *end;
	enum fill fill;
	enum nk_type type;
	uint64_t rights;
};
static const struct piece pieces[] = {
	{ nk_data_start, nk_data_end, TEMPLATE, NK_T_NK, RO },
	{ data_start, data_end, TEMPLATE, NK_T_DATA, RW },
	{ nk_stack_start, nk_stack_top, ZERO, NK_T_NK, RO },
	{ nk_bss_start, nk_bss_end, ZERO, NK_T_NK, RO },
	{ bss_start, bss_end, ZERO, NK_T_DATA, RW },
	{ trap_stack_start, trap_stack_top, ZERO, NK_T_DATA, RW },
	{ irq_stack_start, irq_stack_top, ZERO, NK_T_DATA, RW },
	{ db_stack_start, db_stack_top, ZERO, NK_T_DATA, RW },
	{ nmi_stack_start, nmi_stack_top, ZERO, NK_T_DATA, RW },
	{ df_stack_start, df_stack_top, ZERO, NK_T_DATA, RW },
	{ mc_stack_start, mc_stack_top, ZERO, NK_T_DATA, RW },
	{ boot_stack_start, boot_stack_top, ZERO, NK_T_DATA, RW },
};

struct build {
	unsigned core;
	uint64_t chunk, next;
	struct nk_frame *frames; /* descriptors of the chunk */
	uint64_t root;
	uint64_t piece_pa[ARRAY_SIZE(pieces)];
};

/* n frames of zeros. */
static uint64_t take(struct build *b, uint64_t n, enum nk_type type)
{
	uint64_t pa = b->next;

	if (n > (b->chunk + CHUNK_SIZE - pa) >> PAGE_SHIFT)
		boot_fail(BOOT_EXIT_NOMEM, "core %u: its first 2 MiB are too small", b->core);
	memset(low_ptr(pa), 0, n * PAGE_SIZE);
	for (uint64_t i = 0; i < n; i++)
		b->frames[((pa - b->chunk) >> PAGE_SHIFT) + i].type = type;
	b->next += n * PAGE_SIZE;
	return pa;
}

static uint64_t take_table(struct build *b, enum nk_type level)
{
	uint64_t pa = take(b, 1, level);

	/* never empty, so never freed (table.c) */
	b->frames[(pa - b->chunk) >> PAGE_SHIFT].maps = 1;
	return pa;
}

/* The slot for va in its table of `level`, with all tables above. */
static uint64_t *slot(struct build *b, uint64_t va, unsigned level)
{
	static const uint8_t type[] = { 0, NK_T_L1, NK_T_L2, NK_T_L3 };
	uint64_t *table = low_ptr(b->root);

	for (unsigned l = 4; l > level; l--) {
		uint64_t *s = &table[table_index(va, l)];

		if (*s == 0)
			*s = take_table(b, type[l - 1]) | PTE_TABLE_KERNEL;
		table = low_ptr(*s & NK_PTE_ADDR);
	}
	return &table[table_index(va, level)];
}

static void map(struct build *b, uint64_t va, uint64_t pa, uint64_t len, uint64_t bits)
{
	uint64_t *table = NULL;

	for (uint64_t at = 0; at < len; at += PAGE_SIZE) {
		unsigned i = table_index(va + at, 1);

		if (table == NULL || i == 0)
			table = slot(b, va + at, 1) - i;
		table[i] = (pa + at) | bits;
	}
}

/* Large pages where a whole one fits, so that no frame outside [pa, pa + len) is shown. */
static void map_large(struct build *b, uint64_t va, uint64_t pa, uint64_t len, uint64_t bits)
{
	for (uint64_t at = 0; at < len;) {
		if (((va + at) & (LARGE_SIZE - 1)) == 0 && len - at >= LARGE_SIZE) {
			*slot(b, va + at, 2) = (pa + at) | bits | NK_PTE_PS;
			at += LARGE_SIZE;
		} else {
			map(b, va + at, pa + at, PAGE_SIZE, bits);
			at += PAGE_SIZE;
		}
	}
}

static void map_loaded(struct build *b, const char *start, const char *end, uint64_t bits)
{
	map(b, (uint64_t)start, (uint64_t)start - KERNEL_BASE, end - start, bits);
}

static void map_kernel(struct build *b)
{
	map_loaded(b, text_start, text_end, RX);
	map_loaded(b, rodata_start, rodata_end, RO);
	map_loaded(b, nk_text_start, nk_text_end, RX);
	map_loaded(b, nk_rodata_start, nk_rodata_end, RO);
	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++) {
		const struct piece *p = &pieces[i];
		uint64_t len = p->end - p->start;

		b->piece_pa[i] = take(b, len >> PAGE_SHIFT, p->type);
		/*
		 * In boot's tables the address still shows the template, which nobody has written.
		 */
		if (p->fill == TEMPLATE)
			memcpy(low_ptr(b->piece_pa[i]), p->start, len);
		map(b, (uint64_t)p->start, b->piece_pa[i], len, p->rights);
	}
}

/* This core's copy of a variable. */
static void *private(struct build *b, const void *variable)
{
	const char *v = variable;

	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++)
		if (v >= pieces[i].start && v < pieces[i].end)
			return low_ptr(b->piece_pa[i] + (v - pieces[i].start));
	boot_fail(BOOT_EXIT_PANIC, "variable at %p is in no piece", variable);
}

/* ---- rings: made by core 0, in its first chunk ---- */

static uint64_t ring_pa(unsigned from, unsigned to)
{
	unsigned others = boot_state.ncores - 1;

	return boot_state.rings + (from * others + (to > from ? to - 1 : to)) * BOOT_RING_BYTES;
}

static uint64_t rings_size(void)
{
	return boot_state.ncores * (boot_state.ncores - 1ull) * BOOT_RING_BYTES;
}

static void map_rings(struct build *b)
{
	if (b->core == 0 && boot_state.ncores > 1)
		boot_state.rings = take(b, rings_size() >> PAGE_SHIFT, NK_T_NK);
	slot(b, RING_BASE, 2);
	for (unsigned other = 0; other < boot_state.ncores; other++) {
		if (other == b->core)
			continue;
		map(b, boot_ring_va(b->core, other), ring_pa(b->core, other), BOOT_RING_BYTES, RW);
		map(b, boot_ring_va(other, b->core), ring_pa(other, b->core), BOOT_RING_BYTES, RO);
	}
}

/* ---- windows ---- */

static uint64_t image_va(void)
{
	return IMAGE_BASE + (boot_state.image & (LARGE_SIZE - 1));
}

static uint64_t run_va(void)
{
	return ALIGN_UP(image_va() + boot_state.image_len, LARGE_SIZE);
}

static void map_windows(struct build *b)
{
	const struct boot_state *s = &boot_state;

	slot(b, IMAGE_BASE, 3);
	map_large(b, image_va(), s->image, ALIGN_UP(s->image_len, PAGE_SIZE), RO);
	map(b, run_va(), s->run, ALIGN_UP(s->run_len, PAGE_SIZE), RO);
	map_rings(b);
	slot(b, DEV_BASE, 3);
	if (!s->cpu.x2apic)
		map(b, DEV_BASE, s->lapic, PAGE_SIZE, RW | PTE_PWT | PTE_PCD);
	slot(b, KWIN_BASE, 3);
	/*
	 * The top level is the same in all spaces, so its entries must exist before there is
	 * another space.
	 */
	for (uint32_t i = 0; i < s->nranges[b->core]; i++)
		for (uint64_t a = s->range[b->core][i].start & ~(LEVEL3_SIZE - 1);
		     a < s->range[b->core][i].end; a += LEVEL3_SIZE)
			slot(b, DM_BASE + a, 3);
}

/* ---- records ---- */

static void fill_record(struct build *b)
{
	const struct boot_state *s = &boot_state;
	struct nk_record *r = private(b, &nk_record);

	r->root = b->root;
	r->image = (struct nk_span){ s->image, ALIGN_UP(s->image + s->image_len, PAGE_SIZE) };
	r->run = (struct nk_span){ s->run, ALIGN_UP(s->run + s->run_len, PAGE_SIZE) };
	r->shared = (struct nk_span){ s->rings, s->rings + rings_size() };
	r->lapic = s->cpu.x2apic ? 0 : s->lapic;
	r->core = b->core;
	r->ncores = s->ncores;
	r->nranges = s->nranges[b->core];
	memcpy(r->range, s->range[b->core], sizeof(r->range));
	r->nram = s->nram;
	memcpy(r->ram, s->ram, sizeof(r->ram));
	r->x2apic = s->cpu.x2apic;
	r->tsc_deadline = s->cpu.tsc_deadline;
}

static void fill_boot_info(struct build *b)
{
	const struct boot_state *s = &boot_state;
	struct boot_info *i = private(b, &nk_boot_info);

	i->core = b->core;
	i->ncores = s->ncores;
	memcpy(i->apic_id, s->apic_id, sizeof(i->apic_id));
	i->protocol = s->protocol;
	i->entry_tsc = boot_entry_tsc;
	i->nranges = s->nranges[b->core];
	for (uint32_t n = 0; n < i->nranges; n++)
		i->range[n] = (struct boot_range){ s->range[b->core][n].start,
						   s->range[b->core][n].end };
	i->first_chunk = b->chunk;
	i->memory_total = s->memory_total;
	i->image = PADDR(s->image);
	i->image_len = s->image_len;
	i->image_va = (const uint8_t *)image_va();
	i->run = (const char *)run_va();
	i->run_len = s->run_len;
	memcpy(i->cmdline, s->cmdline, sizeof(i->cmdline));
	i->cpu = s->cpu;
	i->lapic_pa = s->lapic;
	i->rsdp = s->rsdp;
}

static void fill_gdt(struct build *b)
{
	uint64_t *gdt = private(b, nk_gdt);
	uint64_t tss = (uint64_t)&nk_tss;

	/* Accessed bits are set: the processor need not write here. */
	gdt[SEL_KCODE / 8] = 0x00af9b000000ffff;
	gdt[SEL_KDATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_UCODE32 / 8] = 0x00cffb000000ffff;
	gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
	gdt[SEL_UCODE / 8] = 0x00affb000000ffff;
	gdt[SEL_TSS / 8] = (sizeof(struct nk_tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
			   (tss >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = tss >> 32;
	/*
	 * The LDT is where its address space has it, or nowhere: the register never changes. All of
	 * its address is below 2^47.
	 */
	gdt[SEL_LDT / 8] = (LDT_LEN * 8 - 1) | (LDT_VA & 0xffffff) << 16 | 0x82ull << 40 |
			   (LDT_VA >> 24 & 0xff) << 56;
	gdt[SEL_LDT / 8 + 1] = LDT_VA >> 32;
}

static void fill_tss(struct build *b)
{
	struct nk_tss *tss = private(b, &nk_tss);

	tss->rsp[0] = (uint64_t)trap_stack_top;
	tss->rsp[1] = (uint64_t)priv_gate_top; /* the gates of PrivUser; no gate leads to ring 2 */
	tss->ist[NK_IST_DB - 1] = (uint64_t)db_stack_top;
	tss->ist[NK_IST_NMI - 1] = (uint64_t)nmi_stack_top;
	tss->ist[NK_IST_DF - 1] = (uint64_t)df_stack_top;
	tss->ist[NK_IST_MC - 1] = (uint64_t)mc_stack_top;
	tss->ist[NK_IST_IRQ - 1] = (uint64_t)irq_stack_top;
	tss->iomap = sizeof(*tss); /* no port for programs */
}

static uint8_t ist_of(unsigned vector)
{
	switch (vector) {
	case 1: return NK_IST_DB;
	case 2: return NK_IST_NMI;
	case 8: return NK_IST_DF;
	case 18: return NK_IST_MC;
	default: return vector >= 32 ? NK_IST_IRQ : 0;
	}
}

static void fill_idt(struct build *b)
{
	struct nk_gate *idt = private(b, nk_idt);

	for (unsigned v = 0; v < NK_IDT_LEN; v++) {
		uint64_t at = (uint64_t)nk_trap_stubs + v * 16;
		/* INT3, INTO for programs; PrivUser's system calls for rings 1 and 2. */
		uint8_t type = v == 3 || v == 4 ? 0xee : v == VEC_PRIVUSER ? 0xce : 0x8e;

		idt[v] = (struct nk_gate){
			(uint16_t)at,         SEL_KCODE, ist_of(v), type, (uint16_t)(at >> 16),
			(uint32_t)(at >> 32), 0
		};
	}
}

/* Put the first chunk online: descriptors are complete, write its direct map from them. */
static void map_first_chunk(struct build *b)
{
	uint64_t *table = low_ptr(b->chunk + NK_HDR_TABLE * PAGE_SIZE);

	*slot(b, DM_BASE + b->chunk, 2) = (b->chunk + NK_HDR_TABLE * PAGE_SIZE) | PTE_TABLE_KERNEL;
	for (unsigned i = 0; i < CHUNK_FRAMES; i++) {
		if (b->frames[i].type == NK_T_NONE)
			b->frames[i].type = NK_T_PLAIN;
		table[i] = (b->chunk + i * PAGE_SIZE) | (b->frames[i].type == NK_T_PLAIN ? RW : RO);
	}
}

uint64_t percore_build(unsigned core)
{
	struct build b = { .core = core, .chunk = boot_state.range[core][0].start };

	b.frames = low_ptr(b.chunk + NK_HDR_FRAMES * PAGE_SIZE);
	b.next = b.chunk + NK_HDR_LEN * PAGE_SIZE;
	memset(low_ptr(b.chunk), 0, 2 * PAGE_SIZE);
	b.frames[NK_HDR_TABLE].type = NK_T_NK;
	b.frames[NK_HDR_FRAMES].type = NK_T_NK;
	b.root = take_table(&b, NK_T_L4);
	map_kernel(&b);
	map_windows(&b);
	fill_record(&b);
	fill_boot_info(&b);
	fill_gdt(&b);
	fill_tss(&b);
	fill_idt(&b);
	map_first_chunk(&b);
	return b.root;
}
