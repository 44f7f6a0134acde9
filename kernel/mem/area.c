/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Areas: the tree of a space, their extents, splitting and joining, and the search for room.
 * Nothing here touches a page table. Invariants: areas of a space do not overlap, are not empty,
 * and are joined with neighbours that are alike; nareas, bytes_virtual and bytes_data are the sums
 * over them; an area with an object is in the object's list.
 */
#include "base/checked.h"
#include "kernel/mem/mem.h"

static struct vma *area_of(struct tree_node *n)
{
	return tree_entry_or_null(n, struct vma, node);
}

/* ---- finding ---- */

struct vma *area_at_or_after(struct aspace *a, uint64_t addr)
{
	struct tree_node *n = a->areas.root;
	struct vma *best = NULL;

	if (a->last != NULL && addr >= a->last->start && addr < a->last->end)
		return a->last;
	while (n != NULL) {
		struct vma *v = area_of(n);

		if (v->end <= addr) {
			n = n->right;
			continue;
		}
		best = v;
		if (v->start <= addr)
			break;
		n = n->left;
	}
	if (best != NULL)
		a->last = best;
	return best;
}

struct vma *aspace_find(struct aspace *a, uint64_t addr)
{
	struct vma *v = area_at_or_after(a, addr);

	return v != NULL && v->start <= addr ? v : NULL;
}

struct vma *aspace_first(struct aspace *a)
{
	return area_of(tree_first(&a->areas));
}

struct vma *aspace_next(struct vma *v)
{
	return area_of(tree_next(&v->node));
}

struct vma *area_prev(struct vma *v)
{
	return area_of(tree_prev(&v->node));
}

bool area_is_sealed(struct aspace *a, uint64_t start, uint64_t end)
{
	if (a->priv == NULL) /* all there are come with it */
		return false;
	for (struct vma *v = area_at_or_after(a, start); v != NULL && v->start < end;
	     v = aspace_next(v))
		if ((v->flags & VM_SEALED) != 0)
			return true;
	return false;
}

bool area_range_free(struct aspace *a, uint64_t start, uint64_t end)
{
	struct vma *v = area_at_or_after(a, start);

	return v == NULL || v->start >= end;
}

/* Where mappings below v have to end: a stack keeps room to grow. */
static uint64_t floor_of(const struct vma *v)
{
	if ((v->flags & VM_STACK) == 0)
		return v->start;
	return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

/*
 * The search remembers what it has seen: above a->gap_top there is no room for a->gap_len bytes. So
 * a program with thousands of areas does not pay for all of them at every mmap.
 */
static void remember_gap(struct aspace *a, uint64_t len, uint64_t top, bool from_there)
{
	if (from_there && len > a->gap_len)
		return; /* what is known about the smaller size is worth more */
	a->gap_len = len;
	a->gap_top = top;
}

void area_forget_gap(struct aspace *a, uint64_t end)
{
	if (end > a->gap_top)
		a->gap_len = 0;
}

uint64_t area_find_gap(struct aspace *a, uint64_t len)
{
	bool from_there = a->gap_len != 0 && len >= a->gap_len && a->gap_top < a->mmap_top;
	uint64_t top = from_there ? a->gap_top : a->mmap_top;
	struct vma *v = area_at_or_after(a, top - 1);

	if (v == NULL) {
		v = area_of(tree_last(&a->areas));
	} else {
		uint64_t floor = floor_of(v);

		if (floor < top)
			top = floor;
		v = area_prev(v);
	}
	for (; v != NULL; v = area_prev(v)) {
		if (v->end <= top && top - v->end >= len)
			break;
		if (floor_of(v) < top)
			top = floor_of(v);
	}
	if (v == NULL && (top < USER_MIN || top - USER_MIN < len))
		return 0;
	remember_gap(a, len, top, from_there);
	return top - len;
}

/* ---- limits ---- */

bool flags_are_data(uint32_t flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_STACK)) == VM_WRITE;
}

err_t area_check_limits(const struct aspace *a, uint64_t len, uint32_t flags)
{
	uint64_t sum;

	if (!checked_add(a->bytes_virtual, len, &sum) || sum > a->limit_as)
		return E_NOMEM;
	if (flags_are_data(flags) &&
	    (!checked_add(a->bytes_data, len, &sum) || sum > a->limit_data))
		return E_NOMEM;
	/* Like Linux's heuristic: only what can never be there is refused. */
	if ((flags & VM_WRITE) != 0 && (flags & VM_NORESERVE) == 0 &&
	    PAGES(len) > chunk_total_frames())
		return E_NOMEM;
	return OK;
}

/* ---- life ---- */

static void object_attach(struct vma *v, struct vmobject *obj)
{
	v->obj = obj;
	list_init(&v->in_obj);
	if (obj == NULL)
		return;
	if (obj->areas.next == NULL)
		list_init(&obj->areas);
	obj->ops->get(obj);
}

struct vma *area_spare(void)
{
	return kmem_zalloc(sizeof(struct vma));
}

struct vma *area_new(uint32_t flags, struct vmobject *obj, uint64_t pgoff, const char *name)
{
	struct vma *v = area_spare();

	if (v == NULL)
		return NULL;
	v->flags = flags;
	v->pgoff = pgoff;
	v->name = name;
	object_attach(v, obj);
	return v;
}

void area_free(struct vma *v)
{
	if (v == NULL)
		return;
	if (v->obj != NULL)
		v->obj->ops->put(v->obj);
	kmem_free(v);
}

static bool starts_before(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct vma, node)->start < container_of(b, struct vma, node)->start;
}

static void account(struct aspace *a, uint64_t added, uint64_t removed, uint32_t flags)
{
	a->bytes_virtual += added - removed;
	if (flags_are_data(flags))
		a->bytes_data += added - removed;
}

void area_insert(struct aspace *a, struct vma *v, uint64_t start, uint64_t end)
{
	BUG_ON(start >= end);
	v->as = a;
	v->start = start;
	v->end = end;
	tree_insert(&a->areas, &v->node, starts_before);
	if (v->obj != NULL)
		list_push_back(&v->obj->areas, &v->in_obj);
	a->nareas++;
	account(a, end - start, 0, v->flags);
}

void area_remove(struct vma *v)
{
	struct aspace *a = v->as;

	account(a, 0, v->end - v->start, v->flags);
	a->nareas--;
	a->last = NULL;
	tree_remove(&a->areas, &v->node);
	list_remove(&v->in_obj);
	v->as = NULL;
}

void area_resize(struct vma *v, uint64_t start, uint64_t end)
{
	account(v->as, end - start, v->end - v->start, v->flags);
	v->start = start;
	v->end = end;
}

void area_set_flags(struct vma *v, uint32_t flags)
{
	uint64_t bytes = v->end - v->start;

	account(v->as, 0, bytes, v->flags);
	v->flags = flags;
	account(v->as, bytes, 0, flags);
}

void area_split(struct vma *v, uint64_t at, struct vma *spare)
{
	struct aspace *a = v->as;
	uint64_t end = v->end;

	BUG_ON(at <= v->start || at >= end);
	spare->flags = v->flags;
	spare->pgoff = v->pgoff + PAGES(at - v->start);
	spare->name = v->name;
	object_attach(spare, v->obj);
	area_resize(v, v->start, at);
	area_insert(a, spare, at, end);
}

bool area_alike(const struct vma *low, uint32_t flags, struct vmobject *obj, uint64_t pgoff,
		const char *name)
{
	if (((low->flags | flags) & (VM_SPECIAL | VM_STACK | VM_SEALED)) != 0)
		return false;
	return low->flags == flags && low->obj == obj && low->name == name &&
	       (obj == NULL || low->pgoff + PAGES(low->end - low->start) == pgoff);
}

static bool joins(const struct vma *low, const struct vma *high)
{
	return low != NULL && high != NULL && low->end == high->start &&
	       area_alike(low, high->flags, high->obj, high->pgoff, high->name);
}

static struct vma *join(struct vma *low, struct vma *high)
{
	uint64_t end = high->end;

	area_remove(high);
	area_free(high); /* low still holds the object */
	area_resize(low, low->start, end);
	return low;
}

struct vma *area_merge(struct vma *v)
{
	struct vma *prev = area_prev(v), *next = aspace_next(v);

	if (joins(v, next))
		v = join(v, next);
	if (joins(prev, v))
		v = join(prev, v);
	return v;
}

uint32_t area_rights(const struct vma *v)
{
	uint32_t rights = 0;

	if ((v->flags & VM_PROT) != 0)
		rights |=
			/* the processor has no pages that can only be written or only executed */
			NK_R;
	if ((v->flags & VM_WRITE) != 0)
		rights |= NK_W;
	if ((v->flags & VM_EXEC) != 0)
		rights |= NK_X;
	if ((v->flags & VM_PRIV) != 0)
		rights |= NK_PRIV;
	return rights;
}
