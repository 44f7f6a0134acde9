/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory in the running kernel: what the processor itself must see. The kernel plays the program,
 * by user copies into spaces that it makes; after each test all frames are back.
 */
#include "base/sha256.h"
#include "base/str.h"
#include "kernel/mem/alloc_ops.h"
#include "kernel/mem/mem.h"
#include "kernel/mem/ubuf.h"

#define RW   (VM_READ | VM_WRITE | VM_MAYWRITE)
#define AREA 0x10000000ull

static struct aspace *outside;
static bool (*outside_fault)(struct trapframe *tf, uint64_t addr, uint32_t code);

static bool serve(struct trapframe *tf, uint64_t addr, uint32_t code)
{
	(void)tf;
	return aspace_current != NULL && aspace_fault(aspace_current, addr, code) == FAULT_OK;
}

static uint64_t count_frames(void)
{
	mem_reclaim(SIZE_MAX);
	return frame_free_count() + chunk_offline_frames() + chunk_overhead_frames() +
	       nk_status.pool;
}

static struct aspace *begin(void)
{
	struct aspace *a = NULL;

	outside = aspace_current;
	outside_fault = trap_hooks.page_fault;
	trap_hooks.page_fault = serve;
	EXPECT_EQ(aspace_create(&a), OK);
	aspace_load(a);
	return a;
}

static void end(struct aspace *a)
{
	aspace_load(outside);
	aspace_put(a);
	trap_hooks.page_fault = outside_fault;
}

static void map(struct aspace *a, uint64_t pages)
{
	uint64_t at = AREA;

	EXPECT_EQ(aspace_map(a, &at, pages * PAGE_SIZE, RW, MAP_AT_FIXED, NULL, 0, NULL), OK);
}

static err_t poke(uint64_t va, uint64_t value)
{
	return user_out(UADDR(va), &value, sizeof(value));
}

/* What a program reads there; the complement of anything sensible on a fault. */
static uint64_t peek(uint64_t va)
{
	uint64_t value;

	return user_in(&value, UADDR(va), sizeof(value)) == OK ? value : UINT64_MAX;
}

KTEST(mem_frames_are_zeroed_and_come_back)
{
	uint64_t before = count_frames();
	paddr_t pa[100];

	EXPECT_EQ(frame_alloc_bulk(pa, 100, FRAME_ZERO), OK);
	for (unsigned i = 0; i < 100; i++) {
		const uint64_t *p = dm_ptr(pa[i]);

		for (unsigned k = 0; k < PAGE_SIZE / 8; k++)
			EXPECT(p[k] == 0);
		memset(dm_ptr(pa[i]), 0xee, PAGE_SIZE);
		frame_put(pa[i]);
	}
	EXPECT_EQ(frame_allocator_swap(&alloc_buddy), OK);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_all_memory_can_be_had)
{
	uint64_t before = count_frames(), online = frame_free_count(), n = 0, list = 0;
	paddr_t pa;

	while (!paddr_is_none(pa = frame_alloc(0))) {
		*(uint64_t *)dm_ptr(pa) = list;
		list = pa.v;
		n++;
	}
	EXPECT_EQ(chunk_offline_frames(), 0);
	EXPECT(kmem_alloc(2048) == NULL || frame_free_count() >= FRAME_RESERVED);
	while (list != 0) {
		pa = PADDR(list);
		list = *(uint64_t *)dm_ptr(pa);
		frame_put(pa);
	}
	EXPECT(n + FRAME_RESERVED >= online);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_kernel_stacks)
{
	uint64_t before = count_frames();
	static uint8_t *top[80];

	for (unsigned i = 0; i < ARRAY_SIZE(top); i++) {
		top[i] = kstack_alloc();
		EXPECT(top[i] != NULL);
		memset(top[i] - KSTACK_SIZE, (int)i, KSTACK_SIZE);
		EXPECT(kstack_is_guard((uint64_t)top[i] - KSTACK_SIZE - 8));
		EXPECT(!kstack_is_guard((uint64_t)top[i] - KSTACK_SIZE));
		EXPECT(!kstack_is_guard((uint64_t)top[i] - 8));
		EXPECT_EQ(nk_entry((nk_space_t){ 0 }, (uint64_t)top[i] - KSTACK_SIZE - 8), 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(top); i++) {
		EXPECT_EQ(top[i][-1], i);
		EXPECT_EQ(top[i][-(int)KSTACK_SIZE], i);
		kstack_free(top[i]);
	}
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_pages_come_on_demand)
{
	uint64_t before = count_frames();
	struct aspace *a = begin();

	map(a, 1000);
	EXPECT_EQ(peek(AREA), 0);
	EXPECT_EQ(poke(AREA + 999 * PAGE_SIZE + 8, 7), OK);
	EXPECT_EQ(peek(AREA + 999 * PAGE_SIZE + 8), 7);
	EXPECT_EQ(peek(AREA + 1000 * PAGE_SIZE), UINT64_MAX);
	EXPECT_EQ(poke(AREA - 8, 1), E_FAULT);
	for (uint64_t i = 0; i < 1000; i++)
		EXPECT_EQ(poke(AREA + i * PAGE_SIZE, i), OK);
	for (uint64_t i = 0; i < 1000; i++)
		EXPECT_EQ(peek(AREA + i * PAGE_SIZE), i);
	EXPECT_EQ(a->pages_mapped, 1000);
	end(a);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_the_processor_forgets_old_entries)
{
	uint64_t before = count_frames();
	struct aspace *a = begin();
	uint64_t to = AREA + 0x1000000;

	map(a, 64);
	for (uint64_t i = 0; i < 64; i++)
		EXPECT_EQ(poke(AREA + i * PAGE_SIZE, i + 1), OK);
	EXPECT_EQ(aspace_protect(a, AREA, 4 * PAGE_SIZE, VM_READ), OK);
	EXPECT_EQ(poke(AREA, 9), E_FAULT);
	EXPECT_EQ(peek(AREA), 1);
	EXPECT_EQ(aspace_protect(a, AREA, 4 * PAGE_SIZE, 0), OK);
	EXPECT_EQ(peek(AREA), UINT64_MAX);
	EXPECT_EQ(aspace_protect(a, AREA, 4 * PAGE_SIZE, VM_READ | VM_WRITE), OK);
	EXPECT_EQ(peek(AREA), 1);
	EXPECT_EQ(aspace_remap(a, AREA, 32 * PAGE_SIZE, 32 * PAGE_SIZE, 3, &to), OK);
	EXPECT_EQ(peek(AREA), UINT64_MAX);
	EXPECT_EQ(peek(to + 31 * PAGE_SIZE), 32);
	EXPECT_EQ(aspace_unmap(a, AREA + 40 * PAGE_SIZE, PAGE_SIZE), OK);
	EXPECT_EQ(peek(AREA + 40 * PAGE_SIZE), UINT64_MAX);
	EXPECT_EQ(aspace_advise(a, AREA + 41 * PAGE_SIZE, PAGE_SIZE, 4 /* MADV_DONTNEED */), OK);
	EXPECT_EQ(peek(AREA + 41 * PAGE_SIZE), 0);
	end(a);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_fork_copies_on_write)
{
	uint64_t before = count_frames();
	struct aspace *a = begin(), *child[8];

	map(a, 700);
	for (uint64_t i = 0; i < 700; i++)
		EXPECT_EQ(poke(AREA + i * PAGE_SIZE, i), OK);
	for (unsigned c = 0; c < ARRAY_SIZE(child); c++) {
		EXPECT_EQ(aspace_fork(a, &child[c]), OK);
		EXPECT_EQ(poke(AREA, 1000 + c), OK); /* no writable entry was left in the TLB */
		EXPECT_EQ(peek(AREA), 1000 + c);
	}
	for (unsigned c = 0; c < ARRAY_SIZE(child); c++) {
		aspace_load(child[c]);
		EXPECT_EQ(peek(AREA), c == 0 ? 0 : 999 + c);
		for (uint64_t i = c; i < 700; i += 3) {
			EXPECT_EQ(peek(AREA + i * PAGE_SIZE), i == 0 && c > 0 ? 999 + c : i);
			EXPECT_EQ(poke(AREA + i * PAGE_SIZE, i + c + 1), OK);
			EXPECT_EQ(peek(AREA + i * PAGE_SIZE), i + c + 1);
		}
	}
	aspace_load(a);
	for (uint64_t i = 1; i < 700; i++)
		EXPECT_EQ(peek(AREA + i * PAGE_SIZE), i);
	for (unsigned c = 0; c < ARRAY_SIZE(child); c++)
		aspace_put(child[c]);
	for (uint64_t i = 0; i < 700; i++)
		EXPECT_EQ(poke(AREA + i * PAGE_SIZE, i + 5), OK);
	end(a);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_memory_of_another_space)
{
	uint64_t before = count_frames();
	struct aspace *a = begin(), *other;
	static char text[10000], back[10000];

	map(a, 8);
	EXPECT_EQ(aspace_fork(a, &other), OK);
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7);
	EXPECT_EQ(aspace_write(other, AREA + 100, text, sizeof(text), false), sizeof(text));
	EXPECT_EQ(aspace_read(other, AREA + 100, back, sizeof(back)), sizeof(back));
	EXPECT_EQ(memcmp(text, back, sizeof(text)), 0);
	EXPECT_EQ(peek(AREA + 100), 0);
	EXPECT_EQ(aspace_read(other, AREA + 7 * PAGE_SIZE, back, sizeof(back)), PAGE_SIZE);
	aspace_put(other);
	end(a);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_out_of_memory_is_an_answer)
{
	uint64_t before = count_frames(), n = 0, pages;
	struct aspace *a = begin(), *child = NULL;
	uint64_t at = AREA;

	pages = chunk_total_frames() * 2;
	EXPECT_EQ(aspace_map(a, &at, pages * PAGE_SIZE, RW | VM_NORESERVE, MAP_AT_FIXED, NULL, 0,
			     NULL),
		  OK);
	while (poke(AREA + n * PAGE_SIZE, n) == OK)
		n++;
	EXPECT(n < pages);
	EXPECT(n > chunk_total_frames() / 2);
	EXPECT_EQ(aspace_fork(a, &child), E_NOMEM);
	for (uint64_t i = 0; i < n; i += 50)
		EXPECT_EQ(peek(AREA + i * PAGE_SIZE), i);
	EXPECT_EQ(aspace_unmap(a, AREA, 256 * PAGE_SIZE), OK);
	EXPECT_EQ(poke(AREA + n * PAGE_SIZE, 1), OK); /* there is room again */
	end(a);
	EXPECT_EQ(count_frames(), before);
}

KTEST(mem_every_failing_allocation)
{
	uint64_t before = count_frames();

	for (uint32_t k = 1; k < 60; k++) {
		struct aspace *a = begin(), *child = NULL;
		uint64_t at = AREA, sum = 0;
		void *stack;

		kmem_fail_every = k;
		if (aspace_map(a, &at, 40 * PAGE_SIZE, RW, MAP_AT_FIXED, NULL, 0, NULL) == OK)
			for (uint64_t i = 0; i < 40; i++)
				sum += poke(AREA + i * PAGE_SIZE, 1) == OK;
		(void)!aspace_unmap(a, AREA + 5 * PAGE_SIZE, PAGE_SIZE);
		(void)!aspace_protect(a, AREA + 9 * PAGE_SIZE, PAGE_SIZE, VM_READ);
		if (aspace_fork(a, &child) == OK) {
			(void)!poke(AREA, 2);
			aspace_put(child);
		}
		stack = kstack_alloc();
		if (stack != NULL)
			kstack_free(stack);
		kmem_fail_every = 0;
		EXPECT(sum <= 40);
		end(a);
	}
	EXPECT_EQ(count_frames(), before);
}

/* What PrivUser had is gone before the frame is free, whoever has it next. */
KTEST(mem_secret_frames_are_zeroed)
{
	paddr_t pa = frame_alloc(0);
	uint64_t *words = dm_ptr(pa), sum = 0;

	EXPECT(!paddr_is_none(pa));
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		words[i] = 0x5ec2e75ec2e7;
	frame_of(pa)->flags |= FRAME_IS_SECRET;
	frame_put(pa);
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		sum |= words[i];
	EXPECT_EQ(sum, 0);
}

#define SECRET_PAGES 6u
#define SECRET_WORD  0x5ec2e75ec2e75ec2ull

/* The frames of an area of PrivUser in `a`; all of them hold the secret. */
static unsigned secret_frames(struct aspace *a, paddr_t *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SECRET_PAGES; i++) {
		uint64_t e = nk_entry(a->space, 2 * AREA + i * PAGE_SIZE);

		if (!NK_PTE_THERE(e))
			continue;
		out[n] = PADDR(e & NK_PTE_ADDR);
		EXPECT_EQ(*(uint64_t *)dm_ptr(out[n]), SECRET_WORD + i);
		EXPECT((frame_of(out[n])->flags & FRAME_IS_SECRET) != 0);
		n++;
	}
	return n;
}

static uint64_t words_left(const paddr_t *frames, unsigned n)
{
	uint64_t left = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned w = 0; w < PAGE_SIZE / 8; w++)
			left += ((const uint64_t *)dm_ptr(frames[i]))[w] != 0;
	return left;
}

/* A space with PrivUser as set-up makes it, its pages filled from the program's memory. */
static struct aspace *begin_with_secret(void)
{
	struct aspace *a = begin();
	uint64_t at = 2 * AREA;
	struct sha256 sum;

	map(a, SECRET_PAGES);
	for (unsigned i = 0; i < SECRET_PAGES; i++)
		EXPECT_EQ(poke(AREA + i * PAGE_SIZE, SECRET_WORD + i), OK);
	EXPECT_EQ(aspace_map(a, &at, SECRET_PAGES * PAGE_SIZE,
			     VM_READ | VM_WRITE | VM_PRIV | VM_SEALED | VM_NORESERVE,
			     MAP_AT_NOREPLACE, NULL, 0, NULL),
		  OK);
	sha256_init(&sum);
	EXPECT_EQ(aspace_priv_load(a, 2 * AREA, UADDR(AREA), SECRET_PAGES * PAGE_SIZE, &sum), OK);
	return a;
}

/*
 * The physical frames, looked at when their space has ended: exit, and exec, which ends it as well.
 */
KTEST(mem_privuser_of_an_ended_space_is_zeroed)
{
	struct aspace *a = begin_with_secret();
	paddr_t frames[SECRET_PAGES];
	unsigned n = secret_frames(a, frames);

	EXPECT_EQ(n, SECRET_PAGES);
	end(a);
	EXPECT_EQ(words_left(frames, n), 0);
}

/* The same with a forked child, which is the last to hold them. */
KTEST(mem_privuser_of_a_fork_is_zeroed)
{
	struct aspace *a = begin_with_secret(), *child = NULL;
	paddr_t frames[SECRET_PAGES], theirs[SECRET_PAGES];
	unsigned n = secret_frames(a, frames), m;

	EXPECT_EQ(aspace_fork(a, &child), OK);
	m = secret_frames(child, theirs);
	EXPECT_EQ(m, SECRET_PAGES);
	end(a);
	EXPECT_EQ(words_left(theirs, m), m); /* the child's are whole */
	aspace_put(child);
	EXPECT_EQ(words_left(theirs, m), 0);
	EXPECT_EQ(words_left(frames, n), 0);
}

/* And of a stack that a thread leaves. */
KTEST(mem_privuser_dropped_is_zeroed)
{
	struct aspace *a = begin_with_secret();
	paddr_t frames[SECRET_PAGES];
	unsigned n = secret_frames(a, frames);

	aspace_priv_drop(a, 2 * AREA, SECRET_PAGES * PAGE_SIZE);
	EXPECT_EQ(words_left(frames, n), 0);
	end(a);
}

/* For the eye: what things cost, in ticks of the TSC (instructions under -icount shift=0). */
KTEST(mem_costs)
{
	struct aspace *a = begin(), *child;
	uint64_t t[6], crossings[6];

	map(a, 256);
	(void)!poke(AREA, 1);
#define MARK(i) (t[i] = rdtsc(), crossings[i] = nk_status.crossings)
	MARK(0);
	(void)!poke(AREA + 100 * PAGE_SIZE, 1);
	MARK(1);
	for (uint64_t i = 0; i < 64; i++)
		(void)!poke(AREA + i * PAGE_SIZE, 1);
	MARK(2);
	EXPECT_EQ(aspace_fork(a, &child), OK);
	MARK(3);
	(void)!poke(AREA, 1);
	MARK(4);
	aspace_put(child);
	MARK(5);
#undef MARK
	ktest_note("one fault %lu ticks, %lu crossings", t[1] - t[0], crossings[1] - crossings[0]);
	ktest_note("64 pages in order %lu, %lu", t[2] - t[1], crossings[2] - crossings[1]);
	ktest_note("fork of 68 pages %lu, %lu", t[3] - t[2], crossings[3] - crossings[2]);
	ktest_note("write after fork %lu, %lu", t[4] - t[3], crossings[4] - crossings[3]);
	ktest_note("end of the child %lu, %lu", t[5] - t[4], crossings[5] - crossings[4]);
	end(a);
}
