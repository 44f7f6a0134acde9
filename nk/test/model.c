/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nk/test/model.h"

#define P_W     (NK_PTE_P | NK_PTE_W)
#define TLB_LEN 64u

static uint8_t memory[MODEL_SIZE] __attribute__((aligned(4096)));
static uint64_t loaded_root;

/* Where the gates of PrivUser would be. */
const char nk_priv_enter[16], nk_priv_exit[16];

uint64_t model_first_plain;
uint64_t model_fs, model_gs, model_msr_writes;

void *model_raw(uint64_t pa)
{
	if (pa >= MODEL_SIZE) {
		fprintf(stderr, "model: physical address %#lx is not memory\n", pa);
		abort();
	}
	return memory + pa;
}

/* ---- the processor ---- */

/* Entry that translates va below root, or 0. */
static uint64_t walk(uint64_t root, uint64_t va, unsigned *level)
{
	uint64_t pa = root;

	for (*level = 4;; --*level) {
		uint64_t e = ((uint64_t *)model_raw(pa))[va >> (3 + 9 * *level) & 511];

		if (!(e & NK_PTE_P) || *level == 1 || e & NK_PTE_PS)
			return e & NK_PTE_P ? e : 0;
		pa = e & NK_PTE_ADDR;
	}
}

struct tlb_entry {
	uint64_t va, entry;
};
static struct tlb_entry tlb[TLB_LEN];
static unsigned tlb_len;
/* Cached pointer to a level-1 table: va (2 MiB) and the table's address. */
static struct tlb_entry walks[TLB_LEN];
static unsigned walks_len;

/* Everything nk reads or writes must be shown by the direct map at that moment. */
void *model_frame(uint64_t pa)
{
	unsigned level;

	if (loaded_root != 0 && walk(nk_record.root, DM_BASE + pa, &level) == 0) {
		fprintf(stderr, "model: nk uses %#lx, which is not in the direct map\n", pa);
		abort();
	}
	return model_raw(pa);
}

uint64_t model_address(const void *p)
{
	return (uint64_t)((const uint8_t *)p - memory);
}

uint64_t model_root_read(void)
{
	return loaded_root;
}

void model_root_write(uint64_t pa)
{
	loaded_root = pa;
	tlb_len = 0;
	walks_len = 0;
}

void model_invlpg(uint64_t va)
{
	for (unsigned i = 0; i < tlb_len;)
		if (tlb[i].va >> PAGE_SHIFT == va >> PAGE_SHIFT)
			tlb[i] = tlb[--tlb_len];
		else
			i++;
	/*
	 * INVLPG drops all cached walks, too; but only now, so what was walked before it stays
	 * visible.
	 */
	walks_len = 0;
}

void model_touch(uint64_t va)
{
	unsigned level;
	uint64_t e = walk(loaded_root, va, &level);
	uint64_t *slot;

	if (level != 1 || tlb_len == TLB_LEN || walks_len == TLB_LEN)
		return;
	if (e != 0)
		tlb[tlb_len++] = (struct tlb_entry){ va & ~PAGE_MASK, e };
	for (uint64_t pa = loaded_root, l = 4; l > 1; l--) {
		slot = &((uint64_t *)model_raw(pa))[va >> (3 + 9 * l) & 511];
		pa = *slot & NK_PTE_ADDR;
		if (l == 2)
			walks[walks_len++] = (struct tlb_entry){ va & ~(CHUNK_SIZE - 1), pa };
	}
}

bool model_copy_in(void *dst, const void *src, size_t words)
{
	if (src == MODEL_BAD_POINTER)
		return false;
	memcpy(dst, src, words * 8);
	return true;
}

void model_wrmsr(uint32_t msr, uint64_t value)
{
	model_msr_writes++;
	if (msr == 0xc0000100)
		model_fs = value;
	else if (msr == 0xc0000101)
		model_gs = value;
}

/* ---- as boot leaves it ---- */

static uint64_t next_frame;

static struct nk_frame *raw_frame(uint64_t pa)
{
	struct nk_frame *t = model_raw((pa & ~(CHUNK_SIZE - 1)) + NK_HDR_FRAMES * PAGE_SIZE);

	return &t[pa >> PAGE_SHIFT & (CHUNK_FRAMES - 1)];
}

static uint64_t new_frame(enum nk_type type)
{
	uint64_t pa = next_frame;

	next_frame += PAGE_SIZE;
	memset(model_raw(pa), 0, PAGE_SIZE);
	*raw_frame(pa) = (struct nk_frame){ .type = type };
	if (type >= NK_T_L1 && type <= NK_T_L4)
		raw_frame(pa)->maps = 1;
	return pa;
}

static uint64_t *new_slot(uint64_t va, unsigned level)
{
	static const uint8_t type[] = { 0, NK_T_L1, NK_T_L2, NK_T_L3 };
	uint64_t pa = nk_record.root;

	for (unsigned l = 4;; l--) {
		uint64_t *slot = &((uint64_t *)model_raw(pa))[va >> (3 + 9 * l) & 511];

		if (l == level)
			return slot;
		if (*slot == 0)
			*slot = new_frame(type[l - 1]) | P_W;
		pa = *slot & NK_PTE_ADDR;
	}
}

static void reset_record(void)
{
	struct nk_record *r = &nk_record;

	memset(r, 0, sizeof(*r));
	r->image = (struct nk_span){ MODEL_IMAGE, MODEL_IMAGE_END };
	r->ncores = 2;
	r->nranges = 1;
	r->range[0] = (struct nk_range){ CHUNK_SIZE, 6 * CHUNK_SIZE, MODEL_IMAGE };
	r->nram = 1;
	r->ram[0] = (struct nk_span){ 0, MODEL_SIZE };
	r->lapic = 0xfee00000;
}

void model_reset(void)
{
	memset(memory, 0, sizeof(memory));
	memset(&nk_stat, 0, sizeof(nk_stat));
	nk_pool_head = 0;
	reset_record();
	loaded_root = 0;
	model_msr_writes = 0;
	next_frame = CHUNK_SIZE + NK_HDR_LEN * PAGE_SIZE;
	*raw_frame(CHUNK_SIZE) = (struct nk_frame){ .type = NK_T_NK };
	*raw_frame(CHUNK_SIZE + PAGE_SIZE) = (struct nk_frame){ .type = NK_T_NK };
	*raw_frame(CHUNK_SIZE + 2 * PAGE_SIZE) = (struct nk_frame){ .type = NK_T_PLAIN };
	*raw_frame(CHUNK_SIZE + 3 * PAGE_SIZE) = (struct nk_frame){ .type = NK_T_PLAIN };
	nk_record.root = new_frame(NK_T_L4);
	for (uint64_t a = IMAGE_BASE; a <= KWIN_BASE; a += 1ull << 39)
		new_slot(a, 3);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t pa = new_frame(NK_T_NK);

		*new_slot(KERNEL_BASE + (i << PAGE_SHIFT), 1) = pa | NK_PTE_P | NK_PTE_NX;
		pa = new_frame(NK_T_DATA);
		*new_slot(KERNEL_BASE + ((i + 4) << PAGE_SHIFT), 1) = pa | P_W | NK_PTE_NX;
	}
	*new_slot(DM_BASE + CHUNK_SIZE, 2) = CHUNK_SIZE | P_W;
	for (unsigned i = 0; i < CHUNK_FRAMES; i++) {
		uint64_t pa = CHUNK_SIZE + i * PAGE_SIZE;

		if (pa >= next_frame)
			*raw_frame(pa) = (struct nk_frame){ .type = NK_T_PLAIN };
		((uint64_t *)model_raw(CHUNK_SIZE))[i] =
			pa | NK_PTE_P | NK_PTE_NX |
			(raw_frame(pa)->type == NK_T_PLAIN ? NK_PTE_W : 0);
	}
	model_first_plain = next_frame;
	model_root_write(nk_record.root);
}

/* ---- the invariants ---- */

struct count {
	uint32_t maps, wmaps;
};
static struct count counted[MODEL_SIZE / PAGE_SIZE]; /* of leaves, or entries of a table */
static bool visited[MODEL_SIZE / PAGE_SIZE];

static bool online(uint64_t pa)
{
	unsigned level;

	return walk(nk_record.root, DM_BASE + (pa & ~(CHUNK_SIZE - 1)), &level) != 0;
}

static unsigned type_of(uint64_t pa)
{
	return pa < MODEL_SIZE && online(pa) ? raw_frame(pa)->type : NK_T_NONE;
}

static bool is_image(uint64_t pa)
{
	return pa >= MODEL_IMAGE && pa < MODEL_IMAGE_END;
}

static const char *check_direct(uint64_t va, uint64_t e)
{
	uint64_t pa = e & NK_PTE_ADDR;
	unsigned type = type_of(pa);
	bool plain = type == NK_T_PLAIN || type == NK_T_USER || type == NK_T_WINDOW ||
		     type == NK_T_PRIV;

	if (!(e & NK_PTE_P))
		return "held entry in the direct map";
	if (pa != va - DM_BASE)
		return "direct map is not direct";
	if (type == NK_T_NONE || type == NK_T_IMAGE || is_image(pa))
		return "direct map shows a frame that is not this core's";
	if (!plain == !!(e & NK_PTE_W))
		return plain ? "plain frame is not writable in the direct map"
			     : "protected frame is writable in the direct map";
	return e & NK_PTE_NX ? NULL : "direct map is executable";
}

/*
 * P1 and P2 of LOTRx86, said another way than nk does: what each descriptor lets somebody do, by
 * the fields that the processor reads.
 */
static const char *check_descriptor(const uint64_t *d, unsigned i, const uint64_t *table)
{
	unsigned access = *d >> 40 & 0xff, ring = access >> 5 & 3, cs = *d >> 16 & 0xffff;
	uint64_t target = (*d & 0xffff) | (*d >> 32 & 0xffff0000) | d[1] << 32;

	if (!(access & 0x80) || (access & 0x10 && !(access & 1)))
		return "descriptor that the processor would write to";
	if (access & 0x10) {
		bool code = access & 8, is_long = code && *d >> 53 & 1;

		if (is_long ? ring != 1 : ring != 2)
			return is_long ? "P2: 64-bit code beside ring 1" : "P1: ring of a segment";
		return access & 4 ? "conforming or downward segment" : NULL;
	}
	if ((access & 0xf) != 0xc || i == LDT_LEN - 1 || ring < 2)
		return "P1: gate";
	if (target != (uint64_t)(ring == 3 ? nk_priv_enter : nk_priv_exit))
		return "gate to somewhere else";
	if (cs % 8 != 5 || cs / 8 >= LDT_LEN || (table[cs / 8] >> 40 & 0xf8) != 0xb8)
		return "P1: gate to another segment";
	return NULL;
}

static const char *check_ldt(uint64_t e)
{
	uint64_t pa = e & NK_PTE_ADDR;
	const uint64_t *d = model_raw(pa);

	if (e != (pa | NK_PTE_P | NK_PTE_NX) || type_of(pa) != NK_T_LDT)
		return "LDT has rights, or another type";
	counted[pa >> PAGE_SHIFT].maps++;
	for (unsigned i = 0; i < 512; i++) {
		const char *wrong = NULL;

		if (d[i] == 0)
			continue;
		wrong = i >= LDT_LEN ? "LDT is too long" : check_descriptor(&d[i], i, d);
		if (wrong != NULL)
			return wrong;
		i += !(d[i] >> 44 & 1); /* a gate takes two */
	}
	return NULL;
}

static const char *check_user(uint64_t va, uint64_t e)
{
	uint64_t pa = e & NK_PTE_ADDR;
	bool priv = e & NK_PTE_P && !(e & NK_PTE_U);

	if (va == LDT_VA)
		return check_ldt(e);
	if (priv && (va >= PRIV_END || is_image(pa) || type_of(pa) != NK_T_PRIV))
		return "page of the kernel in a program's half";
	if (priv && e & NK_PTE_W && !(e & NK_PTE_NX))
		return "PrivUser can be written and executed";
	if (e & NK_PTE_HELD && e & (NK_PTE_P | NK_PTE_W))
		return "held page has rights";
	if (is_image(pa))
		return e & NK_PTE_W ? "root image is writable" : NULL;
	if (type_of(pa) != (priv ? NK_T_PRIV : NK_T_USER) &&
	    !(e & NK_PTE_HELD && type_of(pa) == NK_T_PRIV))
		return "frame of a wrong type in a program";
	counted[pa >> PAGE_SHIFT].maps++;
	counted[pa >> PAGE_SHIFT].wmaps += !!(e & NK_PTE_W);
	return NULL;
}

static const char *check_kernel(uint64_t va, uint64_t e)
{
	uint64_t pa = e & NK_PTE_ADDR;

	if (e & NK_PTE_U)
		return "kernel's half is open to programs";
	if (va >= DM_BASE && va < IMAGE_BASE)
		return check_direct(va, e);
	if (e & NK_PTE_P && !(e & NK_PTE_NX))
		return "executable page in a window";
	if (va >= DEV_BASE && va < KWIN_BASE)
		return pa < MODEL_SIZE || pa == nk_record.lapic ? "device window shows memory"
								: NULL;
	if (va >= KWIN_BASE && va < KWIN_END) {
		if (type_of(pa) != NK_T_WINDOW)
			return "frame of a wrong type in a window";
		counted[pa >> PAGE_SHIFT].maps++;
		counted[pa >> PAGE_SHIFT].wmaps += !!(e & NK_PTE_W);
		return NULL;
	}
	if (va < KERNEL_BASE)
		return "entry in no window";
	return e & NK_PTE_W && type_of(pa) != NK_T_DATA ? "nk's memory is writable" : NULL;
}

static const char *check_table(uint64_t table, unsigned level, uint64_t base, unsigned from,
			       unsigned to)
{
	static const uint8_t type[] = { 0, NK_T_L1, NK_T_L2, NK_T_L3, NK_T_L4 };
	bool direct = level == 1 && base >= DM_BASE && base < IMAGE_BASE;
	const uint64_t *entries = model_raw(table);

	if (type_of(table) != (direct ? NK_T_NK : type[level]))
		return "table has a wrong type";
	if (visited[table >> PAGE_SHIFT])
		return "table is used twice";
	visited[table >> PAGE_SHIFT] = true;
	for (unsigned i = from; i < to; i++) {
		uint64_t e = entries[i];
		uint64_t va = base + ((uint64_t)i << (3 + 9 * level));
		const char *wrong;

		if (!NK_PTE_THERE(e)) {
			if (e != 0)
				return "entry is neither there nor zero";
			continue;
		}
		counted[table >> PAGE_SHIFT].maps++;
		if (level == 1)
			wrong = va < DM_BASE ? check_user(va, e) : check_kernel(va, e);
		else if (!(e & NK_PTE_P) || e & NK_PTE_PS || !(e & NK_PTE_U) != (va >= DM_BASE))
			wrong = "bad entry above level 1";
		else
			wrong = check_table(e & NK_PTE_ADDR, level - 1, va, 0, 512);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

static const char *check_spaces(void)
{
	const uint64_t *kernel = model_raw(nk_record.root);
	const char *wrong = check_table(nk_record.root, 4, 0xffff000000000000ull, 256, 512);

	for (unsigned i = 0; i < 256; i++)
		if (kernel[i] != 0)
			return "the kernel's own space has a program half";
	for (uint64_t pa = 0; wrong == NULL && pa < MODEL_SIZE; pa += PAGE_SIZE) {
		if (pa == nk_record.root || type_of(pa) != NK_T_L4)
			continue;
		if (memcmp((uint64_t *)model_raw(pa) + 256, kernel + 256, 2048) != 0)
			return "kernel's half differs between spaces";
		wrong = check_table(pa, 4, 0, 0, 256);
	}
	return wrong;
}

static const char *check_pool_frame(uint64_t pa, unsigned *links)
{
	const uint64_t *words = model_raw(pa);

	*links += words[0] != 0;
	for (unsigned i = 1; i < 512; i++)
		if (words[i] != 0)
			return "pool frame is not empty";
	return raw_frame(pa)->wmaps != 0 ? "pool frame has writable mappings" : NULL;
}

/* Boot's tables count one entry more than they have. */
static bool count_ok(uint64_t pa, const struct nk_frame *f)
{
	const struct count *c = &counted[pa >> PAGE_SHIFT];

	switch (f->type) {
	case NK_T_PLAIN: return f->maps == 0 && f->wmaps == 0 && c->maps == 0;
	case NK_T_LDT: return f->maps == 1 && c->maps == 1 && f->wmaps == 0;
	case NK_T_USER:
	case NK_T_PRIV:
	case NK_T_WINDOW: return f->maps == c->maps && f->wmaps == c->wmaps && f->maps > 0;
	case NK_T_L1:
	case NK_T_L2:
	case NK_T_L3:
		return pa < model_first_plain ? f->maps >= 1 : f->maps == c->maps && f->maps > 0;
	default: return true;
	}
}

static const char *check_frames(void)
{
	unsigned pool = 0, links = 0;

	for (uint64_t pa = CHUNK_SIZE; pa < MODEL_SIZE; pa += PAGE_SIZE) {
		const struct nk_frame *f = raw_frame(pa);
		const char *wrong = NULL;

		if (!online(pa)) {
			pa += CHUNK_SIZE - PAGE_SIZE;
			continue;
		}
		if (f->type >= NK_T_L1 && f->type <= NK_T_L4 && !visited[pa >> PAGE_SHIFT])
			return "table that nothing refers to";
		if (f->type == NK_T_POOL) {
			wrong = check_pool_frame(pa, &links);
			pool++;
		}
		if (wrong != NULL)
			return wrong;
		if (!count_ok(pa, f))
			return "count of mappings is wrong";
	}
	if (pool != nk_stat.pool || (pool > 0 && links != pool - 1))
		return "pool and its count differ";
	return NULL;
}

/* What is cached must be what the tables say, or less. */
static const char *check_tlb(void)
{
	const uint64_t rights = NK_PTE_ADDR | NK_PTE_P | NK_PTE_U;
	unsigned level;

	for (unsigned i = 0; i < tlb_len; i++) {
		uint64_t e = walk(loaded_root, tlb[i].va, &level);
		uint64_t old = tlb[i].entry;

		if ((e ^ old) & rights || (old & NK_PTE_W && !(e & NK_PTE_W)) ||
		    (!(old & NK_PTE_NX) && e & NK_PTE_NX))
			return "TLB allows what the tables do not";
	}
	for (unsigned i = 0; i < walks_len; i++)
		if (type_of(walks[i].entry) != NK_T_L1 && type_of(walks[i].entry) != NK_T_NK)
			return "cached walk through a freed table";
	return NULL;
}

const char *model_check(void)
{
	const char *wrong;

	memset(counted, 0, sizeof(counted));
	memset(visited, 0, sizeof(visited));
	wrong = check_spaces();
	if (wrong == NULL)
		wrong = check_frames();
	return wrong != NULL ? wrong : check_tlb();
}

/* ---- snapshots ---- */

struct model_snapshot {
	uint32_t n;
	uint32_t pool;
	struct {
		uint64_t pa;
		uint8_t bytes[PAGE_SIZE];
	} frame[MODEL_SIZE / PAGE_SIZE];
};

static bool nk_owns(uint64_t pa)
{
	unsigned type = type_of(pa);

	return type == NK_T_NK || type == NK_T_LDT || (type >= NK_T_POOL && type <= NK_T_L4);
}

struct model_snapshot *model_snapshot(void)
{
	static struct model_snapshot s;

	s.n = 0;
	s.pool = nk_stat.pool;
	for (uint64_t pa = 0; pa < MODEL_SIZE; pa += PAGE_SIZE) {
		if (!nk_owns(pa))
			continue;
		s.frame[s.n].pa = pa;
		memcpy(s.frame[s.n++].bytes, model_raw(pa), PAGE_SIZE);
	}
	return &s;
}

bool model_unchanged(const struct model_snapshot *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (memcmp(model_raw(s->frame[i].pa), s->frame[i].bytes, PAGE_SIZE) != 0)
			return false;
	return s->pool == nk_stat.pool;
}
