/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: making, loading, ending; and what asks them without changing them. */
#include "base/str.h"
#include "kernel/mem/mem.h"

struct aspace *aspace_current;
/* The space that the core started with: no program in it. Loaded when the current one ends. */
static nk_space_t bare_space;

/* A space with no areas over a fresh top-level frame; nk does not know it yet. */
static struct aspace *space_alloc(void)
{
	struct aspace *a = kmem_zalloc(sizeof(*a));
	paddr_t top;

	if (a == NULL)
		return NULL;
	top = frame_alloc(0);
	if (paddr_is_none(top)) {
		kmem_free(a);
		return NULL;
	}
	a->space = (nk_space_t){ top.v };
	a->refs = 1;
	a->mmap_top = USER_END;
	a->limit_as = a->limit_data = UINT64_MAX;
	a->limit_stack = 8ull << 20;
	return a;
}

static void space_release(struct aspace *a)
{
	frame_put(PADDR(a->space.v));
	kmem_free(a);
}

err_t aspace_create(struct aspace **out)
{
	struct aspace *a = space_alloc();
	struct nk_op op = { .kind = NK_SPACE_CREATE };
	err_t err;

	if (a == NULL)
		return E_NOMEM;
	op.base = PADDR(a->space.v);
	err = nk_submit(&op, 1, NULL);
	if (err != OK) {
		space_release(a);
		return err;
	}
	*out = a;
	return OK;
}

void aspace_get(struct aspace *a)
{
	a->refs++;
}

void aspace_load(struct aspace *a)
{
	if (a == aspace_current)
		return;
	if (bare_space.v == 0)
		bare_space = nk_space_current();
	if (nk_space_load(a != NULL ? a->space : bare_space) != OK)
		panic("nk refuses to load an address space");
	aspace_current = a;
}

/*
 * All entries' frames, to be dropped once the entries are gone. Entries lie in areas only, and
 * going by areas spares the search through the holes.
 */
static void collect_frames(struct aspace *a)
{
	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v)) {
		uint64_t pos = v->start;
		struct slice s;

		while (slice_next(a->space, &pos, v->end, &s)) {
			for (uint64_t i = 0; i < PAGES(s.hi - s.lo); i++)
				if (NK_PTE_THERE(s.entry[i]))
					batch_put(pte_frame(s.entry[i]));
		}
	}
}

static void free_areas(struct aspace *a)
{
	struct vma *v;

	while ((v = aspace_first(a)) != NULL) {
		area_remove(v);
		area_free(v);
	}
}

static void space_destroy(struct aspace *a)
{
	struct nk_op op = { .kind = NK_SPACE_DESTROY, .space = a->space };
	err_t err;

	if (aspace_current == a)
		aspace_load(NULL);
	collect_frames(a);
	while ((err = nk_submit(&op, 1, NULL)) == E_AGAIN)
		;
	if (err != OK)
		panic("nk does not destroy a space: %s", err_text(err));
	batch_commit();
	free_areas(a);
	space_release(a);
}

void aspace_put(struct aspace *a)
{
	BUG_ON(a->refs == 0);
	if (--a->refs == 0)
		space_destroy(a);
}

/* ---- fork ---- */

/* What happens to the pages of an area in the child. */
enum fork_mode { FORK_NOTHING, FORK_COW, FORK_SHARE };

static enum fork_mode fork_mode(const struct vma *v)
{
	if ((v->flags & (VM_DONTFORK | VM_WIPEONFORK)) != 0)
		return FORK_NOTHING;
	return (v->flags & VM_SHARED) != 0 ? FORK_SHARE : FORK_COW;
}

static void copy_scalars(struct aspace *to, const struct aspace *from)
{
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->mmap_top = from->mmap_top;
	to->start_code = from->start_code;
	to->end_code = from->end_code;
	to->start_data = from->start_data;
	to->end_data = from->end_data;
	to->start_stack = from->start_stack;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->vdso = from->vdso;
	to->limit_as = from->limit_as;
	to->limit_data = from->limit_data;
	to->limit_stack = from->limit_stack;
}

static err_t copy_areas(struct aspace *to, struct aspace *from)
{
	for (struct vma *v = aspace_first(from); v != NULL; v = aspace_next(v)) {
		struct vma *c;

		if ((v->flags & VM_DONTFORK) != 0)
			continue;
		c = area_new(v->flags, v->obj, v->pgoff, v->name);
		if (c == NULL)
			return E_NOMEM;
		area_insert(to, c, v->start, v->end);
	}
	return OK;
}

/* Tables that the child will need at most: one for each of the parent's, and those above them. */
static size_t count_tables(struct aspace *a)
{
	uint64_t last[3] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	size_t n = 0;

	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v)) {
		uint64_t pos = v->start;
		struct slice s;

		while (slice_next(a->space, &pos, v->end, &s)) {
			for (unsigned i = 0; i < 3; i++) {
				uint64_t table = s.lo >> (CHUNK_SHIFT + 9 * i);

				n += table != last[i];
				last[i] = table;
			}
		}
	}
	return n;
}

/*
 * One reference more for each frame in the slice; answers how many are ours. Narrows the slice to
 * what is there.
 */
static int64_t take_references(struct slice *s)
{
	uint64_t first = UINT64_MAX, last = 0, base = s->lo;
	int64_t n = 0;

	for (uint64_t i = 0; i < PAGES(s->hi - base); i++) {
		paddr_t pa = pte_frame(s->entry[i]);

		if (!NK_PTE_THERE(s->entry[i]))
			continue;
		if (first == UINT64_MAX)
			first = i;
		last = i + 1;
		if (frame_is_ours(pa)) {
			frame_at(pa)->refs++;
			n++;
		}
	}
	s->lo = first != UINT64_MAX ? base + first * PAGE_SIZE : s->hi;
	s->hi = base + last * PAGE_SIZE;
	return n;
}

/*
 * The clone operation that is being collected: neighbouring pieces of one table and mode go in one.
 */
struct clone_run {
	uint64_t lo, hi;
	enum fork_mode mode;
};

static void clone_flush(struct aspace *to, struct aspace *from, struct clone_run *r)
{
	if (r->lo < r->hi) {
		struct nk_op *op = batch_add(NK_CLONE, from->space, r->lo, PAGES(r->hi - r->lo),
					     NK_R | NK_X | (r->mode == FORK_SHARE ? NK_W : 0));

		op->space = from->space;
		op->space2 = to->space;
	}
	r->lo = r->hi = 0;
}

static void clone_area(struct aspace *to, struct aspace *from, const struct vma *v,
		       struct clone_run *r)
{
	enum fork_mode mode = fork_mode(v);
	uint64_t pos = v->start;
	struct slice s;

	if (mode == FORK_NOTHING) {
		clone_flush(to, from, r); /* its entries lie between: no run may span them */
		return;
	}
	while (slice_next(from->space, &pos, v->end, &s)) {
		aspace_count_pages(to, take_references(&s));
		if (s.lo >= s.hi)
			continue;
		if (r->lo == r->hi || r->mode != mode ||
		    (r->hi - 1) >> CHUNK_SHIFT != s.lo >> CHUNK_SHIFT) {
			clone_flush(to, from, r);
			*r = (struct clone_run){ s.lo, s.hi, mode };
		}
		r->hi = s.hi;
	}
}

err_t aspace_fork(struct aspace *from, struct aspace **out)
{
	struct aspace *to = space_alloc();
	struct clone_run run = { 0 };
	err_t err;

	if (to == NULL)
		return E_NOMEM;
	copy_scalars(to, from);
	err = copy_areas(to, from);
	if (err == OK)
		err = tables_reserve(count_tables(from));
	if (err != OK) {
		free_areas(to);
		space_release(to);
		return err;
	}
	batch_add(NK_SPACE_CREATE, to->space, 0, 0, 0)->base = PADDR(to->space.v);
	for (struct vma *v = aspace_first(from); v != NULL; v = aspace_next(v))
		clone_area(to, from, v, &run);
	clone_flush(to, from, &run);
	batch_commit();
	*out = to;
	return OK;
}

/* ---- questions ---- */

bool aspace_check(struct aspace *a, uint64_t addr, uint64_t len, uint32_t prot)
{
	uint64_t end = addr + len;
	struct vma *v;

	if (end < addr || end > USER_END)
		return false;
	for (v = area_at_or_after(a, addr); addr < end; v = aspace_next(v)) {
		if (v == NULL || v->start > addr || (v->flags & prot) != prot)
			return false;
		addr = v->end;
	}
	return true;
}

err_t aspace_futex_key(struct aspace *a, uint64_t addr, bool shared, struct futex_key *out)
{
	struct vma *v;

	if (addr >= USER_END)
		return E_FAULT;
	*out = (struct futex_key){ a, addr };
	if (!shared)
		return OK;
	v = aspace_find(a, addr);
	if (v == NULL)
		return E_FAULT;
	if ((v->flags & VM_SHARED) != 0 && v->obj != NULL)
		*out = (struct futex_key){ v->obj, v->pgoff * PAGE_SIZE + (addr - v->start) };
	return OK;
}
