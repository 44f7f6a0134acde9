/* SPDX-License-Identifier: BSD-2-Clause */
/* See machine.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/mem/test/machine.h"
#include "nk/hw.h" /* nk/test/model's: the functions below */
#include "nk/internal.h"

#define FIRST_CHUNK (2 * CHUNK_SIZE)

static uint64_t root_register;

/* ---- the machine under nk ---- */

void *model_frame(uint64_t pa)
{
	return dm_ptr(PADDR(pa));
}

uint64_t model_address(const void *p)
{
	return dm_paddr(p).v;
}

uint64_t model_root_read(void)
{
	return root_register;
}

void model_root_write(uint64_t pa)
{
	root_register = pa;
}

void model_invlpg(uint64_t va)
{
	(void)va;
}

void model_wrmsr(uint32_t msr, uint64_t value)
{
	(void)msr;
	(void)value;
}

bool model_copy_in(void *dst, const void *src, size_t words)
{
	memcpy(dst, src, words * 8);
	return true;
}

/* ---- what the kernel's core gives elsewhere ---- */

enum log_level log_level = LOG_WARN;

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (level > log_level)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* ---- nk's gate ---- */

err_t nk_submit(const struct nk_op *ops, size_t n, size_t *done)
{
	struct nk_result r = nk_submit_secure(ops, n);

	if (done != NULL)
		*done = r.done;
	return (err_t)r.err;
}

err_t nk_space_load(nk_space_t space)
{
	root_register = space.v;
	return OK;
}

/* Where the gates of PrivUser would be. */
const char nk_priv_enter[16], nk_priv_exit[16];

nk_space_t nk_space_current(void)
{
	return (nk_space_t){ root_register };
}

/* ---- start ---- */

static uint64_t boot_tables;

/* A table of boot's: it counts one entry too many, so that it stays. */
static uint64_t boot_table(enum nk_type type)
{
	uint64_t pa = FIRST_CHUNK + (NK_HDR_LEN + boot_tables++) * PAGE_SIZE;
	struct nk_frame *frames = dm_ptr(PADDR(FIRST_CHUNK + NK_HDR_FRAMES * PAGE_SIZE));

	frames[(pa >> PAGE_SHIFT) & (CHUNK_FRAMES - 1)] = (struct nk_frame){ .type = (uint8_t)type,
									     .maps = 1 };
	return pa;
}

static void boot_window(uint64_t va)
{
	uint64_t *l4 = dm_ptr(PADDR(nk_record.root)), *l3;

	if (l4[table_index(va, 4)] == 0)
		l4[table_index(va, 4)] = boot_table(NK_T_L3) | PTE_TABLE_KERNEL;
	l3 = dm_ptr(PADDR(l4[table_index(va, 4)] & NK_PTE_ADDR));
	if (l3[table_index(va, 3)] == 0)
		l3[table_index(va, 3)] = boot_table(NK_T_L2) | PTE_TABLE_KERNEL;
}

static void boot_image(void)
{
	for (uint64_t i = 0; i < MACHINE_IMAGE_PAGES; i++) {
		uint64_t *page = dm_ptr(PADDR(MACHINE_IMAGE + i * PAGE_SIZE));

		page[0] = page[511] = 0x1000 + i;
	}
}

/* nk has the record in memory of its own, under this name; the kernel reads it as a constant. */
extern struct boot_info nk_boot_info;

static void boot_record(void)
{
	struct boot_info *b = &nk_boot_info;

	b->nranges = 1;
	b->range[0] = (struct boot_range){ CHUNK_SIZE, MACHINE_CHUNKS * CHUNK_SIZE };
	b->first_chunk = FIRST_CHUNK;
	b->image = PADDR(MACHINE_IMAGE);
	b->image_len = MACHINE_IMAGE_PAGES * PAGE_SIZE;
	b->image_va = dm_ptr(PADDR(MACHINE_IMAGE));
}

void machine_start(void)
{
	size_t bytes = MACHINE_IMAGE + MACHINE_IMAGE_PAGES * PAGE_SIZE;
	struct nk_op chunk = { .kind = NK_CHUNK_ONLINE, .base = PADDR(FIRST_CHUNK) };
	struct nk_frame types[CHUNK_FRAMES];
	struct nk_frame *frames = dm_ptr(PADDR(FIRST_CHUNK + NK_HDR_FRAMES * PAGE_SIZE));

	if (mmap((void *)DM_BASE, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)DM_BASE)
		panic("no memory for the machine");
	nk_record.nranges = 1;
	nk_record.range[0] = (struct nk_range){ CHUNK_SIZE, MACHINE_CHUNKS * CHUNK_SIZE,
						MACHINE_CHUNKS * CHUNK_SIZE };
	nk_record.image = (struct nk_span){ MACHINE_IMAGE, bytes };
	nk_record.root = boot_table(NK_T_L4);
	boot_window(DM_BASE);
	boot_window(KWIN_BASE);
	memcpy(types, frames, sizeof(types));
	chunk_apply(&chunk);
	memcpy(&frames[NK_HDR_LEN], &types[NK_HDR_LEN], boot_tables * sizeof(types[0]));
	root_register = nk_record.root;
	boot_image();
	boot_record();
	/* What a frame held before must not matter. */
	memset(dm_ptr(PADDR(CHUNK_SIZE)), 0xa5, CHUNK_SIZE);
	memset(dm_ptr(PADDR(FIRST_CHUNK + 2 * CHUNK_SIZE)), 0xa5, CHUNK_SIZE);
	if (mem_init() != OK)
		panic("mem_init");
}

uint64_t machine_free_frames(void)
{
	mem_reclaim(SIZE_MAX);
	return frame_free_count() + chunk_offline_frames() + chunk_overhead_frames() +
	       nk_status.pool;
}

/* ---- a program ---- */

static bool allowed(uint64_t e, uint32_t code)
{
	if ((e & NK_PTE_P) == 0)
		return false;
	if ((code & PF_WRITE) != 0 && (e & NK_PTE_W) == 0)
		return false;
	return (code & PF_FETCH) == 0 || (e & NK_PTE_NX) == 0;
}

/* What the processor writes into the entry. */
static void mark_seen(struct aspace *a, uint64_t va, uint32_t code)
{
	uint64_t *table = (uint64_t *)nk_table_of(a->space, va);

	table[table_index(va, 1)] |= NK_PTE_A | ((code & PF_WRITE) != 0 ? NK_PTE_D : 0);
}

enum fault_result machine_access(struct aspace *a, uint64_t va, uint32_t code, uint8_t **p)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		uint64_t e = nk_entry(a->space, va);
		enum fault_result r;

		if (allowed(e, code)) {
			mark_seen(a, va, code);
			*p = (uint8_t *)dm_ptr(PADDR(e & NK_PTE_ADDR)) + (va & PAGE_MASK);
			return FAULT_OK;
		}
		r = aspace_fault(a, va, code | PF_USER | ((e & NK_PTE_P) != 0 ? PF_PRESENT : 0));
		if (r != FAULT_OK)
			return r;
	}
	panic("a fault at 0x%llx was served twice and comes again", (unsigned long long)va);
}
