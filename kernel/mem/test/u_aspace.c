/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces against a model that knows, page by page, what a program must see: rights,
 * content, sharing. Random requests in several related spaces; every so often all references,
 * counters and rules are worked out again from the page tables. With memory failing at every k-th
 * allocation, a request either happens or leaves everything as it was.
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

#define BASE       0x10000000000ull /* the model's pages lie around a border of tables */
#define NPAGES     1100u
#define SPACES     4u
#define FILES      3u
#define FILE_PAGES 700u

/* ---- objects: two files with a cache (0: mapped privately, 1: shared), an image (2) ---- */

struct test_file {
	struct vmobject vm;
	uint32_t refs;
	bool image;
	paddr_t cache[FILE_PAGES]; /* v = 0: not read yet */
};

static struct test_file file[FILES];
static uint64_t content[FILES][FILE_PAGES];

static void stamp_frame(paddr_t pa, uint64_t stamp)
{
	uint64_t *p = dm_ptr(pa);

	p[0] = p[511] = stamp;
}

static err_t file_page(struct vmobject *vm, uint64_t index, bool write, paddr_t *out)
{
	struct test_file *f = container_of(vm, struct test_file, vm);

	if (f->image && index >= MACHINE_IMAGE_PAGES)
		return E_FAULT;
	if (f->image && f->cache[index].v == 0) {
		assert_false(write);
		*out = PADDR(MACHINE_IMAGE + index * PAGE_SIZE);
		return OK;
	}
	if (index >= FILE_PAGES)
		return E_FAULT;
	if (f->cache[index].v == 0) {
		paddr_t pa = frame_alloc(0);

		if (paddr_is_none(pa))
			return E_NOMEM;
		stamp_frame(pa, content[f - file][index]);
		f->cache[index] = pa;
	}
	*out = f->cache[index];
	frame_get(*out);
	return OK;
}

static void file_get(struct vmobject *vm)
{
	container_of(vm, struct test_file, vm)->refs++;
}

static void file_put(struct vmobject *vm)
{
	struct test_file *f = container_of(vm, struct test_file, vm);

	assert_true(f->refs > 0);
	f->refs--;
}

static const struct vmobject_ops file_ops = { .page = file_page, .get = file_get, .put = file_put };

static uint64_t file_limit(int f)
{
	return f == 2 ? MACHINE_IMAGE_PAGES : FILE_PAGES;
}

/* ---- the model ---- */

enum kind { NONE, ANON, FILE_PRIVATE, FILE_SHARED };

struct page {
	uint8_t kind, prot, fork; /* fork: 0, VM_DONTFORK or VM_WIPEONFORK as 1, 2 */
	int8_t file;
	bool own;       /* has content of its own; else the file's, or zero */
	uint64_t index; /* of the file's page */
	uint64_t stamp;
};

static struct space {
	struct aspace *a;
	struct page page[NPAGES];
} space[SPACES];

static uint64_t va_of(unsigned i)
{
	return BASE + ((uint64_t)i + 400) * PAGE_SIZE;
}

static uint64_t expected_content(const struct page *p)
{
	if (p->own)
		return p->stamp;
	return p->kind == ANON ? 0 : content[p->file][p->index];
}

/* ---- requests ---- */

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

/* Pages in use: all, or few, so that requests meet each other more often. */
static unsigned npages = NPAGES;

static void pick_range(unsigned *from, unsigned *n)
{
	unsigned max = npages < NPAGES ? 8 : pick(8) == 0 ? 600 : 40;

	*from = pick(npages);
	*n = 1 + pick(max);
	if (*n > npages - *from)
		*n = npages - *from;
}

static uint32_t pick_prot(void)
{
	static const uint8_t prots[] = { 0,
					 VM_READ,
					 VM_READ | VM_WRITE,
					 VM_READ | VM_WRITE,
					 VM_READ | VM_EXEC,
					 VM_READ | VM_WRITE | VM_EXEC };

	return prots[pick(sizeof(prots))];
}

static void do_map(struct space *s)
{
	unsigned from, n, kind = ANON + pick(3);
	int f = kind == ANON ? -1 : kind == FILE_SHARED ? 1 : pick(2) ? 2 : 0;
	uint32_t prot = pick_prot();
	bool data = npages < NPAGES && pick(4) != 0; /* as a program's data segment */
	uint64_t addr, pgoff;
	err_t err;

	if (data) {
		kind = FILE_PRIVATE;
		f = 2;
		prot = VM_READ | VM_WRITE;
	}
	pgoff = f >= 0 ? pick(npages < NPAGES ? npages : file_limit(f)) : 0;
	pick_range(&from, &n);
	addr = va_of(from);
	err = aspace_map(s->a, &addr, n * PAGE_SIZE,
			 prot | VM_MAYWRITE | (kind == FILE_SHARED ? VM_SHARED : 0), MAP_AT_FIXED,
			 f >= 0 ? &file[f].vm : NULL, pgoff, NULL);
	if (err != OK) {
		assert_int_equal(err, E_NOMEM);
		assert_true(kmem_fail_every != 0);
		return;
	}
	assert_int_equal(addr, va_of(from));
	for (unsigned i = from; i < from + n; i++)
		s->page[i] = (struct page){ .kind = (uint8_t)kind,
					    .prot = (uint8_t)prot,
					    .file = (int8_t)f,
					    .index = pgoff + i - from };
}

static void do_unmap(struct space *s)
{
	unsigned from, n;
	err_t err;

	pick_range(&from, &n);
	err = aspace_unmap(s->a, va_of(from), n * PAGE_SIZE);
	if (err == OK)
		memset(&s->page[from], 0, n * sizeof(s->page[0]));
	else
		assert_true(err == E_NOMEM && kmem_fail_every != 0);
}

static void do_protect(struct space *s)
{
	unsigned from, n, hole;
	uint32_t prot = pick_prot();
	err_t err;

	pick_range(&from, &n);
	for (hole = from; hole < from + n && s->page[hole].kind != NONE; hole++)
		;
	err = aspace_protect(s->a, va_of(from), n * PAGE_SIZE, prot);
	if (err != OK && hole == from + n) {
		assert_true(err == E_NOMEM && kmem_fail_every != 0);
		return;
	}
	if (hole < from + n)
		assert_int_equal(err, E_NOMEM);
	if (hole < from + n && kmem_fail_every != 0) { /* nothing, or up to the hole: ask */
		struct vma *v = hole > from ? aspace_find(s->a, va_of(from)) : NULL;

		if (v == NULL || (v->flags & VM_PROT) != prot)
			return;
	}
	for (unsigned i = from; i < hole; i++)
		s->page[i].prot = (uint8_t)prot;
}

static void do_discard(struct space *s)
{
	unsigned from, n;

	pick_range(&from, &n);
	(void)!aspace_advise(s->a, va_of(from), n * PAGE_SIZE, MADV_DONTNEED);
	for (unsigned i = from; i < from + n; i++)
		if (s->page[i].kind != FILE_SHARED)
			s->page[i].own = false;
}

static void do_advise_fork(struct space *s)
{
	static const int advice[] = { MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK,
				      MADV_KEEPONFORK };
	unsigned from, n, which = pick(4);
	err_t err;

	pick_range(&from, &n);
	for (unsigned i = from; i < from + n; i++)
		if (s->page[i].kind == NONE || (which == 2 && s->page[i].kind != ANON))
			return; /* partly applied then, as mprotect */
	err = aspace_advise(s->a, va_of(from), n * PAGE_SIZE, advice[which]);
	if (err != OK) {
		assert_true(err == E_NOMEM && kmem_fail_every != 0);
		return;
	}
	for (unsigned i = from; i < from + n; i++) {
		static const uint8_t set[] = { 1, 0, 2, 0 }, clear[] = { 0, 1, 0, 2 };

		s->page[i].fork = (uint8_t)((s->page[i].fork & ~clear[which]) | set[which]);
	}
}

/* Are all pages of the range one area, for mremap? */
static bool one_area(struct space *s, unsigned from, unsigned n)
{
	struct vma *v = aspace_find(s->a, va_of(from));

	return v != NULL && v->end >= va_of(from) + n * PAGE_SIZE;
}

static void do_remap(struct space *s)
{
	static struct page moved[NPAGES];
	unsigned from, n, to, m;
	uint64_t addr;
	err_t err;

	pick_range(&from, &n);
	pick_range(&to, &m);
	if (!one_area(s, from, n) || (to < from + n && from < to + m))
		return;
	addr = va_of(to);
	err = aspace_remap(s->a, va_of(from), n * PAGE_SIZE, m * PAGE_SIZE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, &addr);
	if (err != OK) { /* the place may have been cleared and the tail cut already, as in Linux */
		assert_true(err == E_NOMEM && kmem_fail_every != 0);
		if (aspace_find(s->a, va_of(to)) == NULL)
			memset(&s->page[to], 0, m * sizeof(s->page[0]));
		if (n > m && aspace_find(s->a, va_of(from + m)) == NULL)
			memset(&s->page[from + m], 0, (n - m) * sizeof(s->page[0]));
		return;
	}
	assert_int_equal(addr, va_of(to));
	for (unsigned i = 0; i < m; i++) {
		if (i < n) {
			moved[i] = s->page[from + i];
			continue;
		}
		moved[i] = moved[i - 1];
		moved[i].index++;
		moved[i].own = false;
	}
	memset(&s->page[from], 0, n * sizeof(s->page[0]));
	memcpy(&s->page[to], moved, m * sizeof(s->page[0]));
}

static enum fault_result expected_result(const struct page *p, uint32_t code)
{
	if (p->kind == NONE)
		return FAULT_MAPERR;
	if ((code & PF_WRITE) != 0   ? (p->prot & VM_WRITE) == 0
	    : (code & PF_FETCH) != 0 ? (p->prot & VM_EXEC) == 0
				     : p->prot == 0)
		return FAULT_ACCERR;
	if (p->kind != ANON && p->index >= file_limit(p->file) && !p->own)
		return FAULT_BUS;
	return FAULT_OK;
}

static void do_access(struct space *s, unsigned i, uint32_t code)
{
	struct page *p = &s->page[i];
	enum fault_result want = expected_result(p, code), r;
	uint64_t *q, stamp = (uint64_t)rand() + 1;
	uint8_t *at;

	r = machine_access(s->a, va_of(i), code, &at);
	if (r == FAULT_NOMEM && want == FAULT_OK) {
		assert_true(kmem_fail_every != 0);
		return;
	}
	assert_int_equal(r, want);
	if (r != FAULT_OK)
		return;
	q = (uint64_t *)at;
	assert_int_equal(q[0], expected_content(p));
	assert_int_equal(q[511], expected_content(p));
	if ((code & PF_WRITE) == 0)
		return;
	q[0] = q[511] = stamp;
	if (p->kind == FILE_SHARED) {
		content[1][p->index] = stamp;
		return;
	}
	p->own = true;
	p->stamp = stamp;
}

static void do_accesses(struct space *s)
{
	unsigned from = pick(npages), n = pick(3) ? 1 : 1 + pick(80);
	uint32_t code = pick(2) ? PF_WRITE : pick(4) ? 0 : PF_FETCH;

	for (unsigned i = from; i < from + n && i < npages; i++)
		do_access(s, i, code);
}

/* From outside, as a debugger would. */
static void do_foreign(struct space *s)
{
	unsigned i = pick(npages);
	struct page *p = &s->page[i];
	uint64_t stamp;
	bool there = expected_result(p, 0) == FAULT_OK;

	if (aspace_read(s->a, va_of(i), &stamp, 8) == 8) {
		assert_true(there);
		assert_int_equal(stamp, expected_content(p));
	} else {
		assert_true(!there || kmem_fail_every != 0);
	}
	stamp = (uint64_t)rand() + 1;
	if (pick(4) != 0 || p->kind == NONE || p->kind == FILE_SHARED)
		return;
	if (aspace_write(s->a, va_of(i), &stamp, 8, true) != 8)
		return;
	assert_int_equal(aspace_write(s->a, va_of(i) + 511 * 8, &stamp, 8, true), 8);
	p->own = true;
	p->stamp = stamp;
}

/* Populating for writing makes pages the program's own, as far as it got. */
static void do_populate(struct space *s)
{
	unsigned from, n;

	pick_range(&from, &n);
	(void)!aspace_populate(s->a, va_of(from), n * PAGE_SIZE, pick(2));
	for (unsigned i = from; i < from + n; i++) {
		struct page *p = &s->page[i];
		uint64_t e = nk_entry(s->a->space, va_of(i));
		uint8_t flags;

		if (p->kind != FILE_PRIVATE || p->own || !NK_PTE_THERE(e) ||
		    !frame_is_ours(pte_frame(e)))
			continue;
		flags = frame_at(pte_frame(e))->flags;
		if ((flags & FRAME_IS_ANON) == 0 || (flags & FRAME_IS_AHEAD) != 0)
			continue;
		p->stamp = expected_content(p);
		p->own = true;
	}
}

/* Somebody writes to a file: its private mappings follow where their program has not written. */
static void do_file_write(void)
{
	unsigned f = pick(20) ? 0 : 2; /* the image's pages must not run out */
	uint64_t index = pick(npages < NPAGES ? npages : (unsigned)file_limit((int)f)),
		 stamp = (uint64_t)rand() + 1;
	paddr_t pa;

	if (file[f].cache[index].v == 0) {
		pa = frame_alloc(0);
		if (paddr_is_none(pa))
			return;
		file[f].cache[index] = pa;
		if (file[f].image)
			vmobject_invalidate(&file[f].vm, index, 1);
	}
	stamp_frame(file[f].cache[index], stamp);
	content[f][index] = stamp;
}

/* The cache gives a page a new frame with the same content. */
static void do_invalidate(void)
{
	struct test_file *f = &file[pick(FILES)];
	uint64_t first = pick(npages < NPAGES ? npages : FILE_PAGES), n = 1 + pick(20);

	for (uint64_t i = first; i < first + n && i < FILE_PAGES; i++) {
		paddr_t old = f->cache[i], new;

		if (old.v == 0)
			continue;
		new = frame_alloc(0);
		if (paddr_is_none(new)) {
			n = i - first;
			break;
		}
		memcpy(dm_ptr(new), dm_ptr(old), PAGE_SIZE);
		f->cache[i] = new;
		frame_put(old);
	}
	vmobject_invalidate(&f->vm, first, n);
}

static void do_fork(struct space *from)
{
	struct space *to = &space[pick(SPACES)];

	if (to == from || to->a != NULL)
		return;
	if (aspace_fork(from->a, &to->a) != OK) {
		assert_true(kmem_fail_every != 0);
		to->a = NULL;
		return;
	}
	memcpy(to->page, from->page, sizeof(to->page));
	for (unsigned i = 0; i < NPAGES; i++) {
		struct page *p = &to->page[i];

		if ((p->fork & 1) != 0)
			memset(p, 0, sizeof(*p));
		else if ((p->fork & 2) != 0)
			p->own = false;
	}
}

static void do_exit(struct space *s)
{
	unsigned living = 0;

	for (unsigned i = 0; i < SPACES; i++)
		living += space[i].a != NULL;
	if (living < 2)
		return;
	aspace_put(s->a);
	s->a = NULL;
}

static void do_something(void)
{
	struct space *s = &space[pick(SPACES)];
	unsigned what = pick(100);

	if (s->a == NULL)
		return;
	if (npages < NPAGES && pick(3) == 0) /* what copies made ahead of time depend on */
		what = 31 + pick(21);
	if (what < 12)
		do_map(s);
	else if (what < 18)
		do_unmap(s);
	else if (what < 28)
		do_protect(s);
	else if (what < 31)
		do_discard(s);
	else if (what < 34)
		do_remap(s);
	else if (what < 36)
		do_advise_fork(s);
	else if (what < 42)
		do_foreign(s);
	else if (what < 44)
		do_populate(s);
	else if (what < 47)
		do_invalidate();
	else if (what < 49)
		do_file_write();
	else if (what < 52)
		do_fork(s);
	else if (what < 55)
		do_exit(s);
	else
		do_accesses(s);
}

/* ---- the rules, worked out from nothing ---- */

static uint32_t counted[(MACHINE_CHUNKS + 1) * CHUNK_FRAMES];

static void count_space(const struct space *s)
{
	uint64_t pos = 0, ours = 0;
	struct slice t;

	while (slice_next(s->a->space, &pos, 0x100000000000, &t)) {
		for (uint64_t va = t.lo; va < t.hi; va += PAGE_SIZE) {
			uint64_t e = nk_entry(s->a->space, va);
			struct vma *v = aspace_find(s->a, va);

			if (!NK_PTE_THERE(e))
				continue;
			assert_non_null(v);
			assert_int_equal(pte_rights(e) & ~area_rights(v), 0);
			assert_int_equal((e & NK_PTE_P) == 0, (v->flags & VM_PROT) == 0);
			if (!frame_is_ours(pte_frame(e)))
				continue;
			ours++;
			counted[pte_frame(e).v >> PAGE_SHIFT]++;
			if ((e & NK_PTE_W) != 0 && (v->flags & VM_SHARED) == 0)
				assert_int_equal(frame_refs(pte_frame(e)), 1);
		}
	}
	assert_int_equal(s->a->pages_mapped, ours);
}

static void check_areas(const struct space *s)
{
	uint64_t bytes = 0, data = 0, end = 0;
	struct vma *last = NULL;
	uint32_t n = 0;

	for (struct vma *v = aspace_first(s->a); v != NULL; v = aspace_next(v)) {
		assert_true(v->start >= end && v->start < v->end);
		assert_false(last != NULL && last->end == v->start &&
			     area_alike(last, v->flags, v->obj, v->pgoff, v->name));
		assert_ptr_equal(v->as, s->a);
		end = v->end;
		bytes += v->end - v->start;
		data += flags_are_data(v->flags) ? v->end - v->start : 0;
		last = v;
		n++;
	}
	assert_int_equal(s->a->nareas, n);
	assert_int_equal(s->a->bytes_virtual, bytes);
	assert_int_equal(s->a->bytes_data, data);
	for (unsigned i = 0; i < NPAGES; i++) {
		struct vma *v = aspace_find(s->a, va_of(i));

		assert_int_equal(v != NULL, s->page[i].kind != NONE);
		if (v != NULL)
			assert_int_equal(v->flags & VM_PROT, s->page[i].prot);
	}
}

static void check_everything(void)
{
	uint32_t areas[FILES] = { 0 };

	memset(counted, 0, sizeof(counted));
	for (unsigned f = 0; f < FILES; f++)
		for (unsigned i = 0; i < FILE_PAGES; i++)
			counted[file[f].cache[i].v >> PAGE_SHIFT]++;
	for (unsigned i = 0; i < SPACES; i++) {
		if (space[i].a == NULL)
			continue;
		check_areas(&space[i]);
		count_space(&space[i]);
		for (struct vma *v = aspace_first(space[i].a); v != NULL; v = aspace_next(v))
			if (v->obj != NULL)
				areas[container_of(v->obj, struct test_file, vm) - file]++;
	}
	for (uint64_t i = CHUNK_FRAMES; i < MACHINE_CHUNKS * CHUNK_FRAMES; i++)
		if (counted[i] != 0)
			assert_int_equal(frame_refs(PADDR(i * PAGE_SIZE)), counted[i]);
	for (unsigned f = 0; f < FILES; f++) {
		assert_int_equal(file[f].refs, areas[f]);
		if (file[f].vm.areas.next != NULL)
			assert_int_equal(list_length(&file[f].vm.areas), areas[f]);
	}
}

static void check_contents(void)
{
	for (unsigned k = 0; k < SPACES; k++)
		for (unsigned i = 0; space[k].a != NULL && i < NPAGES; i++)
			do_access(&space[k], i, 0);
}

static void begin(void)
{
	for (unsigned i = 0; i < FILE_PAGES; i++) {
		content[0][i] = 0xf000000 + i;
		content[1][i] = 0xabc000 + i;
		content[2][i] = 0x1000 + i;
	}
	assert_int_equal(aspace_create(&space[0].a), OK);
	memset(space[0].page, 0, sizeof(space[0].page));
}

static void end(void)
{
	for (unsigned i = 0; i < SPACES; i++) {
		if (space[i].a != NULL)
			aspace_put(space[i].a);
		space[i].a = NULL;
	}
	for (unsigned f = 0; f < FILES; f++)
		for (unsigned i = 0; i < FILE_PAGES; i++) {
			if (file[f].cache[i].v != 0)
				frame_put(file[f].cache[i]);
			file[f].cache[i].v = 0;
		}
}

static void run_random(unsigned steps)
{
	for (unsigned step = 0; step < steps; step++) {
		do_something();
		if (step % 100 == 0)
			check_everything();
	}
}

static void random_requests(void **ctx)
{
	uint64_t before = machine_free_frames();

	(void)ctx;
	for (unsigned seed = 0; seed < 12; seed++) {
		srand(seed);
		npages = seed % 2 == 0 ? NPAGES : 30;
		begin();
		run_random(6000);
		check_contents();
		end();
		assert_int_equal(machine_free_frames(), before);
	}
	npages = NPAGES;
}

static void random_requests_without_memory(void **ctx)
{
	uint64_t before = machine_free_frames();

	(void)ctx;
	for (unsigned k = 1; k < 40; k++) {
		srand(k);
		begin();
		run_random(100);
		for (unsigned round = 0; round < 8; round++) {
			kmem_fail_every = 1 + (k + round) % 40;
			run_random(100);
			kmem_fail_every = 0;
			check_everything();
			check_contents();
		}
		end();
		assert_int_equal(machine_free_frames(), before);
	}
}

static int start(void **ctx)
{
	(void)ctx;
	kmem_poison = true;
	machine_start();
	for (unsigned f = 0; f < FILES; f++)
		file[f].vm.ops = &file_ops;
	file[2].image = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_requests),
		cmocka_unit_test(random_requests_without_memory),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
