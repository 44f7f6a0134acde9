/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects behind areas: taking mappings away when an object changes, and shared anonymous memory,
 * which is a sparse array of frames (a tree of tables with 512 slots, as deep as the size asks for;
 * frame 0 is never ours and means "none").
 */
#include "base/str.h"
#include "kernel/mem/mem.h"

/* ---- invalidation ---- */

/*
 * Does the entry show what the object holds: its own frame, or a private copy made ahead of time
 * that the program has not written?
 */
static bool shows_object(const struct vma *v, uint64_t e)
{
	paddr_t pa = pte_frame(e);
	uint8_t flags;

	if (!NK_PTE_THERE(e))
		return false;
	if ((v->flags & VM_SHARED) != 0 || !is_ours(pa))
		return true;
	flags = frame_at(pa)->flags;
	if ((flags & FRAME_IS_ANON) == 0)
		return true;
	return (flags & FRAME_IS_AHEAD) != 0 && (e & NK_PTE_D) == 0;
}

static bool is_to_go(const struct vma *v, uint64_t e, bool copies)
{
	return copies ? NK_PTE_THERE(e) : shows_object(v, e);
}

static void drop_object_slice(struct vma *v, const struct slice *s, bool copies)
{
	uint64_t n = PAGES(s->hi - s->lo), first = 0;

	for (uint64_t i = 0; i < n; i = first) {
		while (i < n && !is_to_go(v, s->entry[i], copies))
			i++;
		for (first = i; first < n && is_to_go(v, s->entry[first], copies); first++)
			;
		if (first == i)
			break;
		batch_add(NK_UNMAP, v->as->space, s->lo + i * PAGE_SIZE, first - i, 0);
		for (; i < first; i++) {
			paddr_t pa = pte_frame(s->entry[i]);

			if (!is_ours(pa))
				continue;
			batch_put(pa);
			aspace_count_pages(v->as, -1);
		}
	}
}

/* Drop the mappings of pages [pgoff, +n); with `copies` also what private areas have written. */
static void drop_pages(struct vmobject *obj, uint64_t pgoff, uint64_t n, bool copies)
{
	uint64_t stop = n > UINT64_MAX - pgoff ? UINT64_MAX : pgoff + n;

	if (obj->areas.next == NULL)
		return; /* never mapped */
	LIST_FOR_EACH(pos, &obj->areas) {
		struct vma *v = list_entry(pos, struct vma, in_obj);
		uint64_t last = v->pgoff + PAGES(v->end - v->start);
		uint64_t from = pgoff > v->pgoff ? pgoff : v->pgoff, to = stop < last ? stop : last,
			 at, end;
		struct slice s;

		if (from >= to)
			continue;
		at = v->start + (from - v->pgoff) * PAGE_SIZE;
		end = v->start + (to - v->pgoff) * PAGE_SIZE;
		while (slice_next(v->as->space, &at, end, &s))
			drop_object_slice(v, &s, copies);
	}
	batch_commit();
}

void vmobject_invalidate(struct vmobject *obj, uint64_t pgoff, uint64_t n)
{
	drop_pages(obj, pgoff, n, false);
}

void vmobject_truncate(struct vmobject *obj, uint64_t pgoff)
{
	drop_pages(obj, pgoff, UINT64_MAX, true);
}

/* ---- shared anonymous memory ---- */

#define SLOT_BITS 9u
#define SLOTS     (1u << SLOT_BITS)

struct anon_object {
	struct vmobject vm;
	uint32_t refs;
	unsigned levels;
	uint64_t pages, number, present;
	uint64_t *root; /* tables; at the lowest level, addresses of frames */
};

static void free_table(uint64_t *table, unsigned levels)
{
	if (table == NULL)
		return;
	for (unsigned i = 0; i < SLOTS; i++) {
		if (table[i] == 0)
			continue;
		if (levels == 1)
			frame_put(PADDR(table[i]));
		else
			free_table((uint64_t *)table[i], levels - 1); /* at most four deep */
	}
	kmem_free(table);
}

/* The slot of a page; NULL when a table cannot be had. */
static uint64_t *slot_of(struct anon_object *o, uint64_t index)
{
	uint64_t **table = &o->root, *slot = NULL;

	for (unsigned level = o->levels; level-- > 0;) {
		if (*table == NULL)
			*table = kmem_zalloc(SLOTS * sizeof(uint64_t));
		if (*table == NULL)
			return NULL;
		slot = &(*table)[(index >> (level * SLOT_BITS)) & (SLOTS - 1)];
		table = (uint64_t **)slot;
	}
	return slot;
}

static err_t anon_page(struct vmobject *vm, uint64_t index, bool write, paddr_t *out)
{
	struct anon_object *o = container_of(vm, struct anon_object, vm);
	uint64_t *slot;

	(void)write;
	if (index >= o->pages)
		return E_FAULT;
	slot = slot_of(o, index);
	if (slot == NULL)
		return E_NOMEM;
	if (*slot == 0) {
		paddr_t pa = frame_alloc(FRAME_ZERO);

		if (paddr_is_none(pa))
			return E_NOMEM;
		*slot = pa.v;
		o->present++;
	}
	*out = PADDR(*slot);
	frame_get(*out);
	return OK;
}

static void anon_get(struct vmobject *vm)
{
	container_of(vm, struct anon_object, vm)->refs++;
}

static void anon_put(struct vmobject *vm)
{
	struct anon_object *o = container_of(vm, struct anon_object, vm);

	if (--o->refs != 0)
		return;
	free_table(o->root, o->levels);
	kmem_free(o);
}

static void anon_describe(struct vmobject *vm, char *path, size_t size, uint64_t *dev,
			  uint64_t *ino)
{
	str_copy(path, size, "/dev/zero (deleted)");
	*dev = 1;
	*ino = container_of(vm, struct anon_object, vm)->number;
}

const struct vmobject_ops anon_object_ops = {
	.page = anon_page,
	.get = anon_get,
	.put = anon_put,
	.describe = anon_describe,
};

struct vmobject *anon_object_create(uint64_t pages)
{
	static uint64_t number;
	struct anon_object *o = kmem_zalloc(sizeof(*o));

	if (o == NULL)
		return NULL;
	vmobject_init(&o->vm, &anon_object_ops);
	o->refs = 1;
	o->pages = pages;
	o->number = ++number;
	o->levels = 1;
	while (o->levels < 4 && (pages - 1) >> (o->levels * SLOT_BITS) != 0)
		o->levels++;
	return &o->vm;
}

uint64_t anon_object_present(const struct vmobject *o)
{
	return container_of(o, struct anon_object, vm)->present;
}
