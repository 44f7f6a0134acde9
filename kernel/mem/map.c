/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap, munmap, mprotect, brk. All storage is had before anything changes; what then follows cannot
 * fail.
 */
#include "base/checked.h"
#include "kernel/mem/mem.h"

/* ---- unmapping ---- */

static void free_list(struct list *gone)
{
	struct list *n;

	while ((n = list_pop_front(gone)) != NULL)
		area_free(list_entry(n, struct vma, in_obj));
}

void areas_cut(struct aspace *a, uint64_t start, uint64_t end, struct vma **spare)
{
	struct list gone = LIST_INIT(gone);
	struct vma *v = area_at_or_after(a, start);

	if (v == NULL || v->start >= end)
		return;
	area_forget_gap(a, end);
	if (v->start < start) {
		if (v->end > end) {
			area_split(v, end, *spare);
			*spare = NULL;
		}
		area_resize(v, v->start, start);
		v = aspace_next(v);
	}
	while (v != NULL && v->end <= end) {
		struct vma *next = aspace_next(v);

		area_remove(v);
		list_push_back(&gone, &v->in_obj);
		v = next;
	}
	if (v != NULL && v->start < end) {
		v->pgoff += PAGES(end - v->start);
		area_resize(v, end, v->end);
	}
	pages_drop(a, start, end);
	free_list(&gone); /* last: an object's end may be anything */
}

/* Storage for the split that cutting [start, end) out may need. */
static err_t spare_for_cut(struct aspace *a, uint64_t start, uint64_t end, struct vma **spare)
{
	struct vma *v = aspace_find(a, start);

	*spare = NULL;
	if (v == NULL || v->start == start || v->end <= end)
		return OK;
	if (a->nareas >= AREAS_MAX)
		return E_NOMEM;
	*spare = area_spare();
	return *spare != NULL ? OK : E_NOMEM;
}

err_t aspace_unmap(struct aspace *a, uint64_t addr, uint64_t len)
{
	struct vma *spare;

	if ((addr & PAGE_MASK) != 0 || len == 0 || !checked_align_up(len, PAGE_SIZE, &len) ||
	    !range_inside(addr, len, 0, USER_END))
		return E_INVAL;
	if (area_is_sealed(a, addr, addr + len))
		return E_PERM;
	TRY(spare_for_cut(a, addr, addr + len, &spare));
	areas_cut(a, addr, addr + len, &spare);
	kmem_free(spare);
	return OK;
}

void aspace_reap(struct aspace *a)
{
	a->reaped = true;
	for (struct vma *v = aspace_first(a); v != NULL; v = aspace_next(v))
		if ((v->flags & (VM_SHARED | VM_SPECIAL)) == 0)
			pages_drop(a, v->start, v->end);
}

/* ---- mapping ---- */

/* What MAP_32BIT may have, as in Linux. */
#define LOW_START 0x40000000ull
#define LOW_END   0x80000000ull

/* The first free range of len bytes there, or 0. */
static uint64_t find_low_gap(struct aspace *a, uint64_t len)
{
	uint64_t at = LOW_START;

	if (len > LOW_END - LOW_START)
		return 0;
	for (struct vma *v = area_at_or_after(a, at); v != NULL && v->start < at + len;
	     v = aspace_next(v))
		if (v->end > at)
			at = v->end;
	return at <= LOW_END - len ? at : 0;
}

/* Where the new area goes; nothing is changed. */
static err_t find_place(struct aspace *a, uint64_t hint, uint64_t len, unsigned how,
			uint64_t *start)
{
	if (how == MAP_AT_LOW) {
		*start = find_low_gap(a, len);
		return *start != 0 ? OK : E_NOMEM;
	}
	if (how != MAP_AT_HINT) {
		if ((hint & PAGE_MASK) != 0)
			return E_INVAL;
		if (!range_inside(hint, len, 0, USER_END))
			return E_NOMEM;
		if (hint < USER_MIN)
			return E_PERM;
		if (how == MAP_AT_NOREPLACE && !area_range_free(a, hint, hint + len))
			return E_EXIST;
		*start = hint;
		return OK;
	}
	hint = ALIGN_DOWN(hint, PAGE_SIZE);
	if (hint >= USER_MIN && range_inside(hint, len, USER_MIN, USER_END) &&
	    area_range_free(a, hint, hint + len)) {
		*start = hint;
		return OK;
	}
	*start = area_find_gap(a, len);
	return *start != 0 ? OK : E_NOMEM;
}

err_t aspace_map(struct aspace *a, uint64_t *addr, uint64_t len, uint32_t flags, unsigned how,
		 struct vmobject *obj, uint64_t pgoff, const char *name)
{
	struct vma *v, *spare;
	uint64_t start, last;

	if (len == 0 || ((flags & VM_SHARED) != 0 && obj == NULL))
		return E_INVAL;
	if (!checked_align_up(len, PAGE_SIZE, &len) || !checked_add(pgoff, PAGES(len), &last))
		return E_NOMEM;
	TRY(find_place(a, *addr, len, how, &start));
	if (how == MAP_AT_FIXED && area_is_sealed(a, start, start + len))
		return E_PERM;
	TRY(area_check_limits(a, len, flags));
	if (a->nareas >= AREAS_MAX)
		return E_NOMEM;
	TRY(spare_for_cut(a, start, start + len, &spare));
	v = area_new(flags, obj, obj != NULL ? pgoff : 0, name);
	if (v == NULL) {
		kmem_free(spare);
		return E_NOMEM;
	}
	if (how == MAP_AT_FIXED)
		areas_cut(a, start, start + len, &spare);
	area_insert(a, v, start, start + len);
	area_merge(v);
	kmem_free(spare);
	*addr = start;
	return OK;
}

/* ---- protection ---- */

/*
 * The rights that an entry may have now, given its area's. A page gets writable at once only if
 * nobody else can see it.
 */
static uint32_t entry_rights(const struct vma *v, uint64_t e)
{
	uint32_t rights = area_rights(v);
	paddr_t pa = pte_frame(e);

	if ((rights & NK_W) == 0 || (pte_rights(e) & NK_W) != 0)
		return rights;
	if ((v->flags & VM_SHARED) != 0)
		return v->obj->ops == &anon_object_ops
			       ? rights
			       : rights & ~NK_W; /* a file wants to see the first write */
	if (!is_ours(pa) || frame_at(pa)->refs != 1)
		return rights & ~NK_W;
	frame_at(pa)->flags |= FRAME_IS_ANON;
	return rights;
}

/* One operation for each run of entries that get the same rights. */
static void protect_slice(const struct vma *v, const struct slice *s)
{
	uint64_t n = PAGES(s->hi - s->lo), first = 0, last = 0;
	uint32_t rights = 0;
	bool open = false, change = false;

	for (unsigned i = 0; (i = nk_used_entry(s->entry, i, (unsigned)n)) < n; i++) {
		uint32_t want;

		want = entry_rights(v, s->entry[i]);
		if (open && want != rights) {
			if (change)
				batch_add(NK_PROTECT, v->as->space, s->lo + first * PAGE_SIZE,
					  last - first, rights);
			open = false;
		}
		if (!open) {
			open = true;
			change = false;
			first = i;
			rights = want;
		}
		last = i + 1;
		change |= pte_rights(s->entry[i]) != want;
	}
	if (open && change)
		batch_add(NK_PROTECT, v->as->space, s->lo + first * PAGE_SIZE, last - first,
			  rights);
}

static void protect_pages(const struct vma *v)
{
	uint64_t pos = v->start;
	struct slice s;

	while (slice_next(v->as->space, &pos, v->end, &s))
		protect_slice(v, &s);
	batch_commit();
}

/* May the piece get these flags? */
static err_t check_protect(const struct aspace *a, const struct vma *v, uint64_t len,
			   uint32_t flags)
{
	if ((flags & VM_WRITE) != 0 && (flags & VM_SHARED) != 0 && (flags & VM_MAYWRITE) == 0)
		return E_ACCES;
	if (!flags_are_data(flags) || flags_are_data(v->flags))
		return OK;
	if (a->bytes_data + len > a->limit_data)
		return E_NOMEM;
	return (flags & VM_NORESERVE) == 0 && PAGES(len) > chunk_total_frames() ? E_NOMEM : OK;
}

/*
 * Give [start, end) of v other flags; splits take from spare[]. Returns the area that holds `start`
 * then.
 */
static struct vma *change_flags(struct vma *v, uint64_t start, uint64_t end, uint32_t flags,
				struct vma *spare[2])
{
	if (v->start < start) {
		struct vma *upper = spare[0];

		area_split(v, start, upper);
		spare[0] = NULL;
		v = upper;
	}
	if (v->end > end) {
		area_split(v, end, spare[1]);
		spare[1] = NULL;
	}
	area_set_flags(v, flags);
	return v;
}

/* Storage for splitting at both ends of [start, end). */
static err_t spares_for_change(struct aspace *a, uint64_t start, uint64_t end, struct vma *spare[2])
{
	struct vma *low = aspace_find(a, start), *high = aspace_find(a, end - 1);
	bool want[2] = { low != NULL && low->start < start, high != NULL && high->end > end };

	spare[0] = spare[1] = NULL;
	if (a->nareas + want[0] + want[1] > AREAS_MAX)
		return E_NOMEM;
	for (unsigned i = 0; i < 2; i++) {
		if (want[i] && (spare[i] = area_spare()) == NULL) {
			kmem_free(spare[0]);
			return E_NOMEM;
		}
	}
	return OK;
}

/*
 * Call for each area of [start, end), as Linux does: what lies before a hole or an error is
 * changed, the rest is not.
 */
static err_t change_range(struct aspace *a, uint64_t start, uint64_t end, uint32_t clear,
			  uint32_t set, bool pages)
{
	struct vma *spare[2], *v;
	uint64_t pos = start;
	err_t err = OK;

	TRY(spares_for_change(a, start, end, spare));
	v = area_at_or_after(a, start);
	while (pos < end) {
		uint32_t flags;
		uint64_t stop;

		if (v == NULL || v->start > pos) {
			err = E_NOMEM;
			break;
		}
		stop = v->end < end ? v->end : end;
		flags = (v->flags & ~clear) | set;
		if (flags != v->flags) {
			err = pages ? check_protect(a, v, stop - pos, flags) : OK;
			if (err != OK)
				break;
			v = change_flags(v, pos, stop, flags, spare);
			if (pages)
				protect_pages(v);
			v = area_merge(v);
		}
		pos = stop;
		if (v->end <= pos)
			v = aspace_next(v);
	}
	kmem_free(spare[0]);
	kmem_free(spare[1]);
	return err;
}

err_t aspace_protect(struct aspace *a, uint64_t addr, uint64_t len, uint32_t prot)
{
	if ((addr & PAGE_MASK) != 0 || (prot & ~VM_PROT) != 0)
		return E_INVAL;
	if (!checked_align_up(len, PAGE_SIZE, &len) || !range_inside(addr, len, 0, USER_END))
		return E_NOMEM;
	if (len == 0)
		return OK;
	if (area_is_sealed(a, addr, addr + len))
		return E_PERM;
	return change_range(a, addr, addr + len, VM_PROT, prot, true);
}

err_t area_change_flags(struct aspace *a, uint64_t start, uint64_t end, uint32_t clear,
			uint32_t set)
{
	return change_range(a, start, end, clear, set, false);
}

/* ---- brk ---- */

static err_t brk_grow(struct aspace *a, uint64_t from, uint64_t to)
{
	struct vma *next;
	uint64_t at = from;

	if (to > USER_END || to < from)
		return E_NOMEM;
	next = area_at_or_after(a, from);
	if (next != NULL &&
	    next->start < to + ((next->flags & VM_STACK) != 0 ? STACK_GUARD_GAP : 0))
		return E_NOMEM;
	return aspace_map(a, &at, to - from, VM_READ | VM_WRITE | VM_MAYWRITE | VM_HEAP,
			  MAP_AT_NOREPLACE, NULL, 0, NULL);
}

err_t aspace_set_brk(struct aspace *a, uint64_t brk)
{
	uint64_t from = ALIGN_UP(a->brk, PAGE_SIZE), to;

	if (brk < a->brk_start || !checked_align_up(brk, PAGE_SIZE, &to))
		return E_NOMEM;
	if (brk - a->brk_start > a->limit_data)
		return E_NOMEM;
	if (to > from)
		TRY(brk_grow(a, from, to));
	else if (to < from)
		TRY(aspace_unmap(a, to, from - to));
	a->brk = brk;
	return OK;
}
