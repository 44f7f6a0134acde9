/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces: making, loading, ending; and what asks them without changing them. */
#include "base/str.h"
#include "kernel/mem/mem.h"

struct aspace *aspace_current;
void (*aspace_priv_release)(struct aspace *a);
/* The space that the core started with: no program in it. Loaded when the current one ends. */
static nk_space_t bare_space;

struct aspace *space_alloc(void)
{
	static uint64_t last_id;
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
	a->id = ++last_id;
	a->mmap_top = USER_END;
	a->limit_as = a->limit_data = UINT64_MAX;
	a->limit_stack = 8ull << 20;
	return a;
}

void space_release(struct aspace *a)
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
			unsigned n = slice_pages(&s);

			for (unsigned i = 0; (i = next_own_entry(s.entry, i, n)) < n; i++)
				if (is_ours(pte_frame(s.entry[i])))
					batch_put(pte_frame(s.entry[i]));
		}
	}
}

void space_free_areas(struct aspace *a)
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
	space_free_areas(a);
	if (a->priv != NULL)
		aspace_priv_release(a);
	space_release(a);
}

void aspace_put(struct aspace *a)
{
	BUG_ON(a->refs == 0);
	if (--a->refs == 0)
		space_destroy(a);
}

/* ---- questions ---- */

bool aspace_check(struct aspace *a, uint64_t addr, uint64_t len, uint32_t prot)
{
	uint64_t end = addr + len;
	struct vma *v;

	if (end < addr || end > USER_END)
		return false;
	for (v = area_at_or_after(a, addr); addr < end; v = aspace_next(v)) {
		if (v == NULL || v->start > addr || (v->flags & prot) != prot ||
		    (v->flags & VM_PRIV) != 0)
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
	if (a->priv != NULL && (v = aspace_find(a, addr)) != NULL && (v->flags & VM_PRIV) != 0)
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
