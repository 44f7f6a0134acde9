/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork. Entries are cloned copy-on-write, one operation for each level-1 table, nearly always in
 * one crossing. Pages that the parent wrote since its last fork ("hot": writable and dirty) will
 * most likely be written again, by both: if they are few, the child gets copies at once, which is
 * cheaper than two faults each. Their entries are made anew in the parent too, so that dirty means
 * "since this fork" the next time. What the children of a space write first is learned from the
 * last one, and copied at once as well: a C library's fork() always writes the same few pages.
 */
#include "base/str.h"
#include "kernel/mem/mem.h"

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

/* ---- before anything changes: what will be needed ---- */

#define HOT_MAX 64u
#define HOT_GAP 8u /* hot pages that lie no further apart go in one operation */

static struct hot_page {
	uint64_t va;
	uint32_t rights;
	paddr_t frame, copy;
} hot[HOT_MAX];
static unsigned nhot;

/* ---- what children write first ---- */

#define EARLY_MAX    8u
#define EARLY_SPACES 8u

/* Guesses only: a wrong one costs a copied page. In the order of addresses. */
static struct early {
	uint64_t id; /* of the parent */
	unsigned n;
	uint64_t va[EARLY_MAX];
} early[EARLY_SPACES];

void fork_note_early(struct aspace *child, uint64_t page)
{
	struct early *e = &early[child->parent_id % EARLY_SPACES];
	unsigned i;

	child->early--;
	if (e->id != child->parent_id)
		*e = (struct early){ .id = child->parent_id };
	for (i = 0; i < e->n; i++)
		if (e->va[i] == page)
			return;
	if (e->n == EARLY_MAX)
		return;
	for (i = e->n++; i > 0 && e->va[i - 1] > page; i--)
		e->va[i] = e->va[i - 1];
	e->va[i] = page;
}

/* Is the page one of those? The parent must be its only owner, and have written it. */
static bool is_early(const struct early *e, unsigned *at, uint64_t va, uint64_t entry)
{
	const struct frame *f;
	paddr_t pa = pte_frame(entry);

	while (*at < e->n && e->va[*at] < va)
		++*at;
	if (*at == e->n || e->va[*at] != va || (entry & NK_PTE_P) == 0 || !is_ours(pa))
		return false;
	f = frame_at(pa);
	return f->refs == 1 && (f->flags & FRAME_IS_ANON) != 0 &&
	       ((f->flags & FRAME_IS_AHEAD) == 0 || (entry & NK_PTE_D) != 0);
}

struct survey {
	size_t tables;  /* that the child needs at most: as many as the parent has in its areas */
	size_t hot;     /* pages found, of which HOT_MAX are noted */
	unsigned early; /* of those learned, how many are behind us */
	const struct early *learned;
	uint64_t last[3];
};

static void survey_slice(struct survey *r, const struct vma *v, const struct slice *s)
{
	const uint64_t want = NK_PTE_W | NK_PTE_D;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t table = s->lo >> (CHUNK_SHIFT + 9 * i);

		r->tables += table != r->last[i];
		r->last[i] = table;
	}
	if (fork_mode(v) != FORK_COW || (v->flags & VM_WRITE) == 0)
		return;
	for (unsigned i = 0, n = slice_pages(s); (i = nk_used_entry(s->entry, i, n)) < n; i++) {
		if ((s->entry[i] & want) != want &&
		    !is_early(r->learned, &r->early, s->lo + i * PAGE_SIZE, s->entry[i]))
			continue;
		if (r->hot < HOT_MAX)
			hot[r->hot] = (struct hot_page){ .va = s->lo + i * PAGE_SIZE,
							 .rights = area_rights(v),
							 .frame = pte_frame(s->entry[i]) };
		r->hot++;
	}
}

static struct survey survey(struct aspace *a, uint32_t flags)
{
	static const struct early nothing;
	const struct early *learned = &early[a->id % EARLY_SPACES];
	struct survey r = {
		.last = { UINT64_MAX, UINT64_MAX, UINT64_MAX },
		.learned = learned->id == a->id ? learned : &nothing,
	};

	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v)) {
		uint64_t pos = v->start;
		struct slice s;

		if ((v->flags & flags) != flags)
			continue;
		while (slice_next(a->space, &pos, v->end, &s))
			survey_slice(&r, v, &s);
	}
	return r;
}

/*
 * Tables and frames for the child. Without frames for copies there are none: faults make them
 * later.
 */
static err_t prepare(struct aspace *from)
{
	static paddr_t copies[HOT_MAX];
	struct survey r = survey(from, 0);

	TRY(tables_reserve(r.tables));
	if (r.hot > HOT_MAX) /* the first fork of a large program: only where it stands now */
		r = survey(from, VM_STACK);
	nhot = (unsigned)(r.hot < HOT_MAX ? r.hot : HOT_MAX);
	if (memory_is_short() || frame_alloc_bulk(copies, nhot, 0) != OK)
		nhot = 0;
	for (unsigned i = 0; i < nhot; i++)
		hot[i].copy = copies[i];
	return OK;
}

/* ---- cloning ---- */

/*
 * One reference more for each frame in the slice; answers how many are ours. Narrows the slice to
 * what is there.
 */
static int64_t take_references(struct slice *s)
{
	int64_t n = 0;
	unsigned end;

	if (!slice_trim(s))
		return 0;
	end = slice_pages(s);
	for (unsigned i = 0; (i = next_own_entry(s->entry, i, end)) < end; i++) {
		paddr_t pa = pte_frame(s->entry[i]);

		if (is_ours(pa)) {
			frame_at(pa)->refs++;
			n++;
		}
	}
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

/* ---- hot pages ---- */

/*
 * One operation for hot[first..end) in each space. The arrays of frames stay until the batch is
 * done.
 */
static void map_hot_run(struct aspace *to, struct aspace *from, unsigned first, unsigned end)
{
	static paddr_t theirs[HOT_MAX * HOT_GAP], ours[HOT_MAX * HOT_GAP];
	static size_t used;
	uint64_t va = hot[first].va, n = PAGES(hot[end - 1].va - va) + 1;
	uint32_t rights = hot[first].rights | NK_REPLACE;

	if (first == 0)
		used = 0;
	for (uint64_t i = 0; i < n; i++)
		theirs[used + i] = ours[used + i] = PADDR_NONE;
	for (unsigned i = first; i < end; i++) {
		theirs[used + PAGES(hot[i].va - va)] = hot[i].copy;
		ours[used + PAGES(hot[i].va - va)] = hot[i].frame;
	}
	batch_add(NK_MAP, to->space, va, n, rights)->frames = &theirs[used];
	batch_add(NK_MAP, from->space, va, n, rights)->frames = &ours[used];
	used += n;
}

static bool same_run(const struct hot_page *a, const struct hot_page *b)
{
	return a->va >> CHUNK_SHIFT == b->va >> CHUNK_SHIFT && a->rights == b->rights &&
	       b->va - a->va <= HOT_GAP * PAGE_SIZE;
}

/* Behind the clones in the same batch: copies for the child, and the parent may go on writing. */
static void map_hot_pages(struct aspace *to, struct aspace *from)
{
	for (unsigned i = 0; i < nhot; i++) {
		memcpy(dm_ptr(hot[i].copy), dm_ptr(hot[i].frame), PAGE_SIZE);
		frame_at(hot[i].copy)->flags |= FRAME_IS_ANON |
						(frame_at(hot[i].frame)->flags & FRAME_IS_SECRET);
		frame_at(hot[i].frame)->flags &= (uint8_t)~FRAME_IS_AHEAD; /* it was written */
		frame_at(hot[i].frame)->refs--; /* the clone's entry does not stay */
	}
	for (unsigned first = 0, i = 1; i <= nhot; i++) {
		if (i < nhot && same_run(&hot[i - 1], &hot[i]))
			continue;
		map_hot_run(to, from, first, i);
		first = i;
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
		err = prepare(from);
	if (err != OK) {
		space_free_areas(to);
		space_release(to);
		return err;
	}
	batch_add(NK_SPACE_CREATE, to->space, 0, 0, 0)->base = PADDR(to->space.v);
	for (struct vma *v = aspace_first(from); v != NULL; v = aspace_next(v))
		clone_area(to, from, v, &run);
	clone_flush(to, from, &run);
	map_hot_pages(to, from);
	batch_commit();
	to->parent_id = from->id;
	to->membarrier = from->membarrier;
	to->early = EARLY_MAX;
	*out = to;
	return OK;
}
