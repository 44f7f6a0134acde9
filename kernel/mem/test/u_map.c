/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs expect of mmap, brk, mremap, stacks and shared memory, case by case; and how often
 * nk is entered for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mem/test/machine.h"

#define RW   (VM_READ | VM_WRITE | VM_MAYWRITE)
#define TOP  0x100000000000ull
#define PAGE PAGE_SIZE

static struct aspace *a;
static uint64_t frames_before;

static int setup(void **ctx)
{
	(void)ctx;
	frames_before = machine_free_frames();
	assert_int_equal(aspace_create(&a), OK);
	a->mmap_top = TOP;
	return 0;
}

static int teardown(void **ctx)
{
	(void)ctx;
	aspace_put(a);
	assert_int_equal(machine_free_frames(), frames_before);
	return 0;
}

static uint64_t map(uint64_t at, uint64_t pages, uint32_t flags, unsigned how)
{
	assert_int_equal(aspace_map(a, &at, pages * PAGE, flags, how, NULL, 0, NULL), OK);
	return at;
}

static void poke(struct aspace *as, uint64_t va, uint8_t value)
{
	uint8_t *p;

	assert_int_equal(machine_access(as, va, PF_WRITE, &p), FAULT_OK);
	*p = value;
}

static uint8_t peek(struct aspace *as, uint64_t va)
{
	uint8_t *p;

	assert_int_equal(machine_access(as, va, 0, &p), FAULT_OK);
	return *p;
}

static enum fault_result touch(uint64_t va, uint32_t code)
{
	uint8_t *p;

	return machine_access(a, va, code, &p);
}

static void places(void **ctx)
{
	uint64_t at;

	(void)ctx;
	assert_int_equal(map(0, 4, RW, MAP_AT_HINT), TOP - 4 * PAGE);
	assert_int_equal(map(0, 4, VM_READ, MAP_AT_HINT), TOP - 8 * PAGE);
	assert_int_equal(a->nareas, 2);
	assert_int_equal(map(0, 2, VM_READ, MAP_AT_HINT), TOP - 10 * PAGE);
	assert_int_equal(a->nareas, 2); /* joined */
	assert_int_equal(aspace_unmap(a, TOP - 7 * PAGE, 2 * PAGE), OK);
	assert_int_equal(map(0, 3, RW, MAP_AT_HINT), TOP - 13 * PAGE); /* the hole is too small */
	assert_int_equal(map(0, 2, RW, MAP_AT_HINT), TOP - 7 * PAGE);
	assert_int_equal(map(0x5000123, 1, RW, MAP_AT_HINT), 0x5000000);
	assert_int_equal(map(0x5000000, 1, RW, MAP_AT_HINT),
			 TOP - 14 * PAGE); /* taken: the hint is nothing */
	assert_int_equal(map(0x1000, 1, RW, MAP_AT_LOW), 0x40000000);
	assert_int_equal(map(0, 0x3ffff, RW | VM_NORESERVE, MAP_AT_LOW), 0x40001000);
	at = 0;
	assert_int_equal(aspace_map(a, &at, PAGE, RW, MAP_AT_LOW, NULL, 0, NULL), E_NOMEM);
	at = 0x5000000;
	assert_int_equal(aspace_map(a, &at, PAGE, RW, MAP_AT_NOREPLACE, NULL, 0, NULL), E_EXIST);
	at = 0x5000001;
	assert_int_equal(aspace_map(a, &at, PAGE, RW, MAP_AT_FIXED, NULL, 0, NULL), E_INVAL);
	at = 0;
	assert_int_equal(aspace_map(a, &at, PAGE, RW, MAP_AT_FIXED, NULL, 0, NULL), E_PERM);
	at = USER_END - PAGE;
	assert_int_equal(aspace_map(a, &at, 2 * PAGE, RW, MAP_AT_FIXED, NULL, 0, NULL), E_NOMEM);
	at = 0;
	assert_int_equal(aspace_map(a, &at, 0, RW, MAP_AT_HINT, NULL, 0, NULL), E_INVAL);
	assert_int_equal(aspace_map(a, &at, UINT64_MAX, RW, MAP_AT_HINT, NULL, 0, NULL), E_NOMEM);
	assert_int_equal(aspace_unmap(a, 1, PAGE), E_INVAL);
	assert_int_equal(aspace_unmap(a, 0x7000000, PAGE), OK); /* nothing there */
}

/* The highest place, worked out from the list of areas alone. */
static uint64_t expected_place(uint64_t len)
{
	uint64_t best = 0, end = USER_MIN;

	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v)) {
		uint64_t top = v->start < a->mmap_top ? v->start : a->mmap_top;

		if (top >= end && top - end >= len)
			best = top - len;
		end = v->end;
	}
	return a->mmap_top >= end && a->mmap_top - end >= len ? a->mmap_top - len : best;
}

static void search_for_room(void **ctx)
{
	static const uint64_t sizes[] = { 1, 1, 1, 2, 3, 5, 40, 300 };

	(void)ctx;
	srand(3);
	a->mmap_top = USER_MIN + 4000 * PAGE; /* small enough to get full */
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t len = sizes[rand() % 8] * PAGE, want = expected_place(len), at = 0;
		uint64_t from = USER_MIN + (uint64_t)(rand() % 4000) * PAGE;

		if (rand() % 3 == 0) {
			assert_int_equal(aspace_unmap(a, from, (uint64_t)(1 + rand() % 60) * PAGE),
					 OK);
			continue;
		}
		if (rand() % 20 == 0) {
			map(from, 1, VM_READ, MAP_AT_FIXED);
			continue;
		}
		if (aspace_map(a, &at, len, rand() % 2 ? VM_READ : RW, MAP_AT_HINT, NULL, 0,
			       NULL) != OK)
			at = 0;
		assert_int_equal(at, want);
	}
}

static void limits(void **ctx)
{
	uint64_t at = 0, all = MACHINE_CHUNKS * CHUNK_SIZE;

	(void)ctx;
	assert_int_equal(aspace_map(a, &at, all, RW, MAP_AT_HINT, NULL, 0, NULL), E_NOMEM);
	assert_int_equal(
		aspace_map(a, &at, 100 * all, VM_NORESERVE | RW, MAP_AT_HINT, NULL, 0, NULL), OK);
	at = 0;
	assert_int_equal(aspace_map(a, &at, 100 * all, 0, MAP_AT_HINT, NULL, 0, NULL), OK);
	assert_int_equal(aspace_protect(a, at, 100 * all, VM_READ | VM_WRITE), E_NOMEM);
	assert_int_equal(aspace_protect(a, at, PAGE, VM_READ | VM_WRITE), OK);
	a->limit_data = a->bytes_data + PAGE;
	at = 0;
	assert_int_equal(aspace_map(a, &at, 2 * PAGE, RW, MAP_AT_HINT, NULL, 0, NULL), E_NOMEM);
	assert_int_equal(aspace_map(a, &at, 2 * PAGE, VM_READ, MAP_AT_HINT, NULL, 0, NULL), OK);
	assert_int_equal(aspace_protect(a, at, 2 * PAGE, VM_READ | VM_WRITE), E_NOMEM);
	a->limit_as = a->bytes_virtual + PAGE;
	at = 0;
	assert_int_equal(aspace_map(a, &at, 2 * PAGE, VM_READ, MAP_AT_HINT, NULL, 0, NULL),
			 E_NOMEM);
	assert_int_equal(aspace_map(a, &at, PAGE, VM_READ, MAP_AT_HINT, NULL, 0, NULL), OK);
}

static void heap(void **ctx)
{
	(void)ctx;
	a->brk_start = a->brk = 0x10000123;
	assert_int_equal(aspace_set_brk(a, 0x10000100), E_NOMEM);
	assert_int_equal(aspace_set_brk(a, 0x10000fff), OK);
	assert_int_equal(touch(0x10000200, PF_WRITE),
			 FAULT_MAPERR); /* that page is the program's own data */
	assert_int_equal(aspace_set_brk(a, 0x10003001), OK);
	poke(a, 0x10003fff, 7);
	assert_int_equal(aspace_find(a, 0x10001000)->end, 0x10004000);
	assert_int_equal(aspace_set_brk(a, 0x10006000), OK);
	assert_int_equal(a->nareas, 1);
	assert_int_equal(peek(a, 0x10003fff), 7);
	assert_int_equal(aspace_set_brk(a, 0x10003000), OK);
	assert_int_equal(touch(0x10003fff, 0), FAULT_MAPERR);
	map(0x10005000, 1, RW, MAP_AT_FIXED);
	assert_int_equal(aspace_set_brk(a, 0x10005000), OK);
	assert_int_equal(peek(a, 0x10003fff), 0);
	assert_int_equal(aspace_set_brk(a, 0x10005001), E_NOMEM);
	assert_int_equal(a->brk, 0x10005000);
	a->limit_data = 0x5000;
	assert_int_equal(aspace_set_brk(a, 0x10005000), OK);
	assert_int_equal(aspace_set_brk(a, UINT64_MAX), E_NOMEM);
}

static void stack(void **ctx)
{
	uint64_t top = 0x90000000, start = map(top - 4 * PAGE, 4, RW | VM_STACK, MAP_AT_FIXED);

	(void)ctx;
	a->limit_stack = 1024 * PAGE;
	poke(a, start, 1);
	poke(a, start - 10 * PAGE, 2);
	assert_int_equal(aspace_find(a, top - 1)->start, start - 25 * PAGE);
	assert_int_equal(touch(top - 1025 * PAGE, PF_WRITE), FAULT_MAPERR);
	assert_int_equal(touch(top - 1024 * PAGE, PF_WRITE), FAULT_OK);
	assert_int_equal(peek(a, start), 1);
	a->limit_stack = UINT64_MAX;
	map(top - 2048 * PAGE, 1, RW, MAP_AT_FIXED);
	assert_int_equal(touch(top - 1800 * PAGE, PF_WRITE),
			 FAULT_MAPERR); /* too near to what is below */
	assert_int_equal(touch(top - 1791 * PAGE, PF_WRITE), FAULT_OK);
	a->mmap_top = top - 1000 * PAGE;
	assert_int_equal(map(0, 1, RW, MAP_AT_HINT), top - 2049 * PAGE);
}

static void remap(void **ctx)
{
	uint64_t at = map(0x20000000, 4, RW, MAP_AT_FIXED), to;

	(void)ctx;
	poke(a, at, 1);
	poke(a, at + 3 * PAGE, 4);
	to = 0;
	assert_int_equal(aspace_remap(a, at, 4 * PAGE, 8 * PAGE, 0, &to), OK);
	assert_int_equal(to, at);
	assert_int_equal(peek(a, at + 7 * PAGE), 0);
	map(at + 8 * PAGE, 1, VM_READ, MAP_AT_FIXED);
	assert_int_equal(aspace_remap(a, at, 8 * PAGE, 9 * PAGE, 0, &to), E_NOMEM);
	assert_int_equal(aspace_remap(a, at, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, &to), OK);
	assert_int_not_equal(to, at);
	assert_int_equal(touch(at, 0), FAULT_MAPERR);
	assert_int_equal(peek(a, to), 1);
	assert_int_equal(peek(a, to + 3 * PAGE), 4);
	at = to;
	assert_int_equal(aspace_remap(a, at, 9 * PAGE, 2 * PAGE, 0, &to), OK);
	assert_int_equal(to, at);
	assert_int_equal(touch(at + 3 * PAGE, 0), FAULT_MAPERR);
	to = 0x30000000;
	assert_int_equal(aspace_remap(a, at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				      &to),
			 OK);
	assert_int_equal(peek(a, to), 1);
	assert_int_equal(peek(a, at), 0);
	to = at + PAGE;
	assert_int_equal(aspace_remap(a, at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				      &to),
			 E_INVAL);
	assert_int_equal(aspace_remap(a, at, 2 * PAGE, 2 * PAGE, MREMAP_FIXED, &to), E_INVAL);
	assert_int_equal(aspace_remap(a, at, 0, 2 * PAGE, MREMAP_MAYMOVE, &to), E_INVAL);
	assert_int_equal(aspace_remap(a, at, PAGE, 0, MREMAP_MAYMOVE, &to), E_INVAL);
	assert_int_equal(aspace_remap(a, 0x66600000, PAGE, 2 * PAGE, MREMAP_MAYMOVE, &to), E_FAULT);
	assert_int_equal(aspace_remap(a, at, 5 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, &to), E_FAULT);
}

static void shared_memory(void **ctx)
{
	struct vmobject *o = anon_object_create(600);
	struct futex_key k1, k2, k3;
	uint64_t at = 0, to = 0;
	struct aspace *child;

	(void)ctx;
	assert_int_equal(aspace_map(a, &at, 601 * PAGE, RW | VM_SHARED, MAP_AT_HINT, o, 0, NULL),
			 OK);
	o->ops->put(o);
	poke(a, at + 5 * PAGE, 5);
	assert_int_equal(aspace_fork(a, &child), OK);
	poke(child, at + 599 * PAGE, 9);
	poke(child, at + 5 * PAGE, 6);
	assert_int_equal(peek(a, at + 5 * PAGE), 6);
	assert_int_equal(peek(a, at + 599 * PAGE), 9);
	assert_int_equal(touch(at + 600 * PAGE, PF_WRITE), FAULT_BUS);
	assert_int_equal(aspace_futex_key(a, at + 8, true, &k1), OK);
	assert_int_equal(aspace_futex_key(child, at + 8, true, &k2), OK);
	assert_int_equal(aspace_futex_key(child, at + 8, false, &k3), OK);
	assert_true(k1.object == k2.object && k1.offset == k2.offset && k3.object != k1.object);
	assert_int_equal(aspace_futex_key(a, 0x123000, true, &k1), E_FAULT);
	aspace_put(child);
	assert_int_equal(aspace_remap(a, at, 0, 10 * PAGE, MREMAP_MAYMOVE, &to),
			 OK); /* a second view */
	poke(a, to + 5 * PAGE, 8);
	assert_int_equal(peek(a, at + 5 * PAGE), 8);
	assert_int_equal(aspace_advise(a, at, 20 * PAGE, MADV_DONTNEED), OK);
	assert_int_equal(peek(a, at + 5 * PAGE), 8);
	assert_int_equal(aspace_unmap(a, at, 601 * PAGE), OK);
	assert_int_equal(peek(a, to + 5 * PAGE), 8);
}

static void protection(void **ctx)
{
	uint64_t at = map(0, 16, RW, MAP_AT_HINT);

	(void)ctx;
	poke(a, at, 3);
	assert_int_equal(aspace_protect(a, at, PAGE, 0), OK);
	assert_int_equal(touch(at, 0), FAULT_ACCERR);
	assert_int_equal(aspace_protect(a, at, PAGE, VM_READ), OK);
	assert_int_equal(peek(a, at), 3);
	assert_int_equal(touch(at, PF_WRITE), FAULT_ACCERR);
	assert_int_equal(touch(at, PF_FETCH), FAULT_ACCERR);
	assert_int_equal(aspace_protect(a, at, 16 * PAGE, VM_READ | VM_WRITE), OK);
	assert_int_equal(a->nareas, 1);
	assert_int_equal(aspace_protect(a, at, 17 * PAGE, VM_READ),
			 E_NOMEM); /* up to the hole, as Linux */
	assert_int_equal(touch(at, PF_WRITE), FAULT_ACCERR);
	assert_int_equal(aspace_protect(a, at + 1, PAGE, VM_READ), E_INVAL);
	assert_int_equal(aspace_protect(a, at, 0, VM_READ), OK);
	assert_true(aspace_check(a, at, 16 * PAGE, VM_READ));
	assert_false(aspace_check(a, at, 16 * PAGE, VM_WRITE));
	assert_false(aspace_check(a, at, 17 * PAGE, 0));
}

static void advice(void **ctx)
{
	uint64_t at = map(0, 16, RW, MAP_AT_HINT);
	struct aspace *child;
	uint8_t byte;

	(void)ctx;
	poke(a, at, 3);
	poke(a, at + 8 * PAGE, 4);
	assert_int_equal(aspace_advise(a, at, PAGE, MADV_WIPEONFORK), OK);
	assert_int_equal(aspace_advise(a, at + 8 * PAGE, PAGE, MADV_DONTFORK), OK);
	assert_int_equal(aspace_fork(a, &child), OK);
	assert_int_equal(peek(child, at), 0);
	assert_int_equal(aspace_read(child, at + 8 * PAGE, &byte, 1), 0);
	aspace_put(child);
	assert_int_equal(peek(a, at + 8 * PAGE), 4);
	assert_int_equal(aspace_advise(a, at, 16 * PAGE, MADV_FREE), OK);
	assert_int_equal(peek(a, at + 8 * PAGE), 0);
	assert_int_equal(aspace_advise(a, at, 16 * PAGE, MADV_HUGEPAGE), E_INVAL);
	assert_int_equal(aspace_advise(a, at, 17 * PAGE, MADV_WILLNEED), E_NOMEM);
	assert_int_equal(aspace_advise(a, at, 16 * PAGE, MADV_POPULATE_WRITE), OK);
	assert_int_equal(a->pages_mapped, 16);
}

/* ---- crossings ---- */

static uint64_t crossings(void)
{
	return nk_status.crossings;
}

static void costs(void **ctx)
{
	uint64_t bss = map(0x10000000, 64, RW, MAP_AT_FIXED), at = map(0, 600, RW, MAP_AT_HINT), n;
	struct aspace *child;

	(void)ctx;
	map(0x7f0000000, 33, RW | VM_STACK, MAP_AT_FIXED);
	poke(a, 0x7f0000000 + 32 * PAGE, 1);
	n = crossings();
	poke(a, bss, 1);
	assert_int_equal(crossings() - n, 1);
	n = crossings();
	for (unsigned i = 0; i < 600; i++)
		poke(a, at + i * PAGE, 1);
	print_message("# 600 pages written in order: %u crossings\n", (unsigned)(crossings() - n));
	assert_true(crossings() - n <= 20);
	n = crossings();
	assert_int_equal(aspace_fork(a, &child), OK);
	print_message("# fork: %u crossings\n", (unsigned)(crossings() - n));
	assert_true(crossings() - n <= 2);
	poke(child, bss, 2);
	n = crossings();
	aspace_put(child);
	assert_int_equal(crossings() - n, 1);
	n = crossings();
	for (unsigned i = 0; i < 600; i++)
		poke(a, at + i * PAGE, 2);
	print_message("# 600 pages taken back after the child's end: %u crossings\n",
		      (unsigned)(crossings() - n));
	n = crossings();
	assert_int_equal(aspace_protect(a, at, 600 * PAGE, VM_READ), OK);
	assert_int_equal(aspace_protect(a, at, 600 * PAGE, VM_READ | VM_WRITE), OK);
	poke(a, at + 300 * PAGE, 3);
	assert_int_equal(crossings() - n, 2);
	n = crossings();
	assert_int_equal(aspace_unmap(a, at, 600 * PAGE), OK);
	assert_int_equal(crossings() - n, 1);
}

static int start(void **ctx)
{
	(void)ctx;
	kmem_poison = true;
	machine_start();
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(places), TEST(search_for_room), TEST(limits),     TEST(heap),   TEST(stack),
		TEST(remap),  TEST(shared_memory),   TEST(protection), TEST(advice), TEST(costs),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
