/* SPDX-License-Identifier: BSD-2-Clause */
/* mremap: growing, shrinking, and moving areas with their pages. */
#include <linux/mman.h>

#include "base/checked.h"
#include "kernel/mem/mem.h"

struct remap {
	struct aspace *a;
	struct vma *v;
	uint64_t old, old_len, new, new_len;
	unsigned flags;
};

/*
 * Entries of one slice of the old place, for the new place: one operation for each run of equal
 * rights.
 */
static void move_slice(struct aspace *a, const struct slice *s, uint64_t to)
{
	static paddr_t frames[CHUNK_FRAMES];
	uint64_t n = PAGES(s->hi - s->lo), first = 0;
	uint32_t rights = 0;
	bool open = false;

	for (uint64_t i = 0; i <= n; i++) {
		bool there = i < n && NK_PTE_THERE(s->entry[i]);

		if (open && (i == n || (there && pte_rights(s->entry[i]) != rights))) {
			batch_add(NK_MAP, a->space, to + first * PAGE_SIZE, i - first, rights)
				->frames = &frames[first];
			open = false;
		}
		if (i == n)
			break;
		frames[i] = there ? pte_frame(s->entry[i]) : PADDR_NONE;
		if (there)
			entry_note_written(s->entry[i]);
		if (there && !open) {
			open = true;
			first = i;
			rights = pte_rights(s->entry[i]);
		}
	}
	batch_add(NK_UNMAP, a->space, s->lo, n, 0);
	batch_commit(); /* frames[] is free for the next slice */
}

/* The entries keep their frames, and the frames their references. */
static void move_pages(struct aspace *a, uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t pos = from;
	struct slice s;

	while (slice_next(a->space, &pos, from + len, &s))
		move_slice(a, &s, to + (s.lo - from));
}

/* Move [old, old_len) to the free place r->new, new_len bytes long. */
static err_t move_area(const struct remap *r)
{
	uint64_t keep = r->old_len < r->new_len ? r->old_len : r->new_len;
	struct vma *v, *spare = NULL;

	if (r->a->nareas + 2 > AREAS_MAX)
		return E_NOMEM;
	TRY(tables_reserve(tables_needed(r->new, r->new + r->new_len)));
	v = area_new(r->v->flags, r->v->obj, r->v->pgoff + PAGES(r->old - r->v->start), r->v->name);
	spare = area_spare();
	if (v == NULL || spare == NULL) {
		area_free(v);
		kmem_free(spare);
		return E_NOMEM;
	}
	if (r->v->obj == NULL)
		v->pgoff = 0;
	area_insert(r->a, v, r->new, r->new + r->new_len);
	if (keep != 0)
		move_pages(r->a, r->old, keep, r->new);
	if ((r->flags & MREMAP_DONTUNMAP) == 0 && r->old_len != 0)
		areas_cut(r->a, r->old, r->old + r->old_len, &spare);
	area_merge(v);
	kmem_free(spare);
	return OK;
}

/* Can the area be made longer where it is? */
static bool grow_in_place(const struct remap *r)
{
	uint64_t end = r->old + r->new_len;
	struct vma *next = aspace_next(r->v);

	if (r->v->end != r->old + r->old_len || end > USER_END || end < r->old)
		return false;
	if (next != NULL && next->start < end)
		return false;
	area_resize(r->v, r->v->start, end);
	area_merge(r->v);
	return true;
}

static err_t check_args(const struct remap *r)
{
	unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	if ((r->flags & ~known) != 0 || (r->old & PAGE_MASK) != 0 || r->new_len == 0)
		return E_INVAL;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (r->flags & MREMAP_MAYMOVE) == 0)
		return E_INVAL;
	if ((r->flags & MREMAP_DONTUNMAP) != 0 && r->old_len != r->new_len)
		return E_INVAL;
	if (!range_inside(r->old, r->old_len, 0, USER_END) || r->new_len > USER_END)
		return E_INVAL;
	if ((r->flags & MREMAP_FIXED) == 0)
		return OK;
	if ((r->new &PAGE_MASK) != 0 || !range_inside(r->new, r->new_len, USER_MIN, USER_END))
		return E_INVAL;
	return range_overlaps(r->old, r->old_len, r->new, r->new_len) ? E_INVAL : OK;
}

/* The area must hold the whole old range, and be allowed to grow. */
static err_t check_resize(const struct remap *r)
{
	if (r->old_len == 0 && (r->v->flags & VM_SHARED) == 0)
		return E_INVAL;
	if (r->old_len > r->v->end - r->old)
		return E_FAULT;
	if ((r->flags & MREMAP_DONTUNMAP) != 0)
		return area_check_limits(r->a, r->new_len, r->v->flags);
	return r->new_len > r->old_len
		       ? area_check_limits(r->a, r->new_len - r->old_len, r->v->flags)
		       : OK;
}

static err_t remap_fixed(struct remap *r)
{
	TRY(check_resize(r));
	TRY(aspace_unmap(r->a, r->new, r->new_len));
	if (r->old_len > r->new_len) {
		TRY(aspace_unmap(r->a, r->old + r->new_len, r->old_len - r->new_len));
		r->old_len = r->new_len;
	}
	r->v = aspace_find(r->a, r->old);
	return move_area(r);
}

static err_t remap_any(struct remap *r)
{
	bool stay = (r->flags & MREMAP_DONTUNMAP) == 0 && r->old_len != 0;

	if (stay && r->old_len >= r->new_len) {
		r->new = r->old;
		if (r->old_len == r->new_len)
			return OK;
		return aspace_unmap(r->a, r->old + r->new_len, r->old_len - r->new_len);
	}
	TRY(check_resize(r));
	if (stay && grow_in_place(r)) {
		r->new = r->old;
		return OK;
	}
	if ((r->flags & MREMAP_MAYMOVE) == 0)
		return E_NOMEM;
	r->new = area_find_gap(r->a, r->new_len);
	if (r->new == 0)
		return E_NOMEM;
	return move_area(r);
}

err_t aspace_remap(struct aspace *a, uint64_t old, uint64_t old_len, uint64_t new_len,
		   unsigned flags, uint64_t *addr)
{
	struct remap r = { .a = a, .old = old, .new = *addr, .flags = flags };

	if (!checked_align_up(old_len, PAGE_SIZE, &r.old_len) ||
	    !checked_align_up(new_len, PAGE_SIZE, &r.new_len))
		return E_INVAL;
	TRY(check_args(&r));
	if (area_is_sealed(a, old, old + (r.old_len != 0 ? r.old_len : PAGE_SIZE)) ||
	    ((flags & MREMAP_FIXED) != 0 && area_is_sealed(a, r.new, r.new + r.new_len)))
		return E_PERM;
	r.v = aspace_find(a, old);
	if (r.v == NULL)
		return E_FAULT;
	TRY((flags & MREMAP_FIXED) != 0 ? remap_fixed(&r) : remap_any(&r));
	*addr = r.new;
	return OK;
}
