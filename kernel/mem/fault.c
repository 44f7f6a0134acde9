/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults. One fault brings in a window of pages with one crossing into nk: neighbours that are
 * cheap to have, more of them the longer a program goes through an area in order. Rules:
 *   1. A page of a private area is writable only while its frame is ours and has one reference:
 *      nobody else sees it.
 *   2. What an object gives is mapped without NK_W until it was asked for that page for writing.
 *   3. Objects may run code of other modules (even vmobject_invalidate): first all frames are had,
 *      then the entries are read again, and from there nothing else runs until nk has the new ones.
 */
#include "base/str.h"
#include "kernel/mem/mem.h"

#define WINDOW_FIRST 4u
#define WINDOW_MAX   64u
#define WINDOW_LIMIT CHUNK_FRAMES
#define STACK_STEP   16u
#define DATA_SEGMENT 16u /* pages at most */
#define DATA_ZERO    8u  /* the same for what begins as zeros */
#define AROUND       16u /* pages of a file, around the one asked for */

/*
 * One fault. frame[] holds a reference to each frame that is ours; PADDR_NONE: the entry stays as
 * it is.
 */
struct fill {
	struct aspace *a;
	struct vma *v;
	uint64_t page;             /* the one that is wanted */
	uint64_t lo, hi;           /* the window, within one level-1 table and the area */
	uint64_t copy_lo, copy_hi; /* here pages are copied ahead of being written */
	bool write;                /* pages are to be the area's own */
	bool touched;              /* the program writes to the page now */
	bool all;                  /* every page of the window is wanted */
	const uint64_t *table;     /* of the window, good while nk did nothing: */
	uint64_t crossings;
};

static paddr_t frame[WINDOW_LIMIT];
static uint64_t old_entry[WINDOW_LIMIT];

static enum fault_result result_of(err_t err)
{
	switch (err) {
	case OK: return FAULT_OK;
	case E_NOMEM: return FAULT_NOMEM;
	default: return FAULT_BUS;
	}
}

/* ---- the window ---- */

bool memory_is_short(void)
{
	return frame_free_count() < 4 * FRAME_RESERVED && chunk_offline_frames() == 0;
}

static void set_window(struct fill *f, uint64_t lo, uint64_t hi)
{
	uint64_t table = ALIGN_DOWN(f->page, CHUNK_SIZE);
	uint64_t min = f->v->start > table ? f->v->start : table;
	uint64_t max = f->v->end < table + CHUNK_SIZE ? f->v->end : table + CHUNK_SIZE;

	f->lo = lo > min && lo <= f->page ? lo : min;
	f->hi = hi < max ? hi : max;
}

static err_t object_page(struct fill *f, uint64_t va, bool write, paddr_t *out)
{
	struct vma *v = f->v;
	err_t err = v->obj->ops->page(v->obj, v->pgoff + PAGES(va - v->start), write, out);

	if (err != OK)
		*out = PADDR_NONE;
	return err;
}

/* Initialised data of a program or library: small, and soon written nearly everywhere. */
static bool is_data_segment(struct fill *f)
{
	struct vma *v = f->v;
	paddr_t pa;

	if (v->obj == NULL || (v->flags & (VM_WRITE | VM_SHARED)) != VM_WRITE ||
	    v->end - v->start > DATA_SEGMENT * PAGE_SIZE)
		return false;
	if (f->write)
		return true;
	if (object_page(f, f->page, false, &pa) != OK)
		return false;
	frame_put(pa);
	return !is_ours(pa);
}

static bool is_small_bss(const struct vma *v)
{
	return v->obj == NULL && (v->flags & (VM_WRITE | VM_STACK | VM_HEAP)) == VM_WRITE &&
	       v->end - v->start <= DATA_ZERO * PAGE_SIZE;
}

static void set_copy(struct fill *f, uint64_t pages)
{
	f->copy_lo = f->page;
	f->copy_hi = f->page + pages * PAGE_SIZE;
}

/* The entry of a page of the window. */
static inline uint64_t entry_of(struct fill *f, uint64_t va)
{
	if (__builtin_expect(f->crossings != nk_status.crossings, 0)) {
		f->table = nk_table_of(f->a->space, f->page);
		f->crossings = nk_status.crossings;
	}
	return f->table != NULL ? f->table[(va >> PAGE_SHIFT) & (CHUNK_FRAMES - 1)] : 0;
}

/* The window grows while faults follow each other. */
static bool choose_window(struct fill *f)
{
	struct vma *v = f->v;
	bool in_order = v->window != 0 && v->next_fault == f->page;
	uint64_t bytes;

	v->window = !in_order                    ? WINDOW_FIRST
		    : v->window * 4 > WINDOW_MAX ? WINDOW_MAX
						 : v->window * 4;
	bytes = v->window * PAGE_SIZE;
	set_copy(f, in_order ? v->window : v->obj != NULL ? WINDOW_FIRST : 1);
	if (memory_is_short()) {
		set_copy(f, 1);
		set_window(f, f->page, f->page + PAGE_SIZE);
	} else if (is_data_segment(f)) {
		f->write = true; /* copied as a whole, also when it is read first */
		set_window(f, v->start, v->end);
		f->copy_lo = f->lo;
		f->copy_hi = f->hi;
	} else if (is_small_bss(v)) {
		set_window(f, v->start, v->end);
	} else if ((v->flags & VM_STACK) != 0) {
		set_window(f, f->page + PAGE_SIZE - bytes, f->page + PAGE_SIZE);
	} else {
		set_window(f, f->page, f->page + bytes);
	}
	return in_order;
}

/* Where the next fault is expected if the program goes on in order. */
static void expect_next(struct fill *f)
{
	uint64_t n = PAGES(f->hi - f->lo);

	f->v->next_fault = (f->v->flags & VM_STACK) != 0 ? f->lo - PAGE_SIZE : f->hi;
	if (n < f->v->window) /* the end of the area, which may have grown the next time */
		f->v->window = (uint16_t)n;
}

/* ---- putting frames into the table ---- */

static void drop_frames(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!paddr_is_none(frame[i]))
			frame_put(frame[i]);
}

/* Read the entries that are replaced; those that may not be are left out. */
static void read_old(struct fill *f, uint64_t n, bool replace)
{
	for (uint64_t i = 0; i < n; i++) {
		old_entry[i] = entry_of(f, f->lo + i * PAGE_SIZE);
		if (!replace && NK_PTE_THERE(old_entry[i]) && !paddr_is_none(frame[i])) {
			frame_put(frame[i]);
			frame[i] = PADDR_NONE;
		}
	}
}

/*
 * The references of the entries that are gone; a frame that was put over itself had one too many.
 */
static void settle(struct fill *f, uint64_t n)
{
	int64_t count = 0;

	for (uint64_t i = 0; i < n; i++) {
		if (paddr_is_none(frame[i]))
			continue;
		count += is_ours(frame[i]);
		if (!NK_PTE_THERE(old_entry[i]) || !is_ours(pte_frame(old_entry[i])))
			continue;
		count--;
		frame_put(pte_frame(old_entry[i]));
	}
	aspace_count_pages(f->a, count);
}

/* What goes to PrivUser is zeroed at its end. */
static void mark_secret(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (!paddr_is_none(frame[i]))
			frame_at(frame[i])->flags |= FRAME_IS_SECRET;
}

/* Map frame[] at f->lo. The references go to the entries, or are dropped on an error. */
static enum fault_result put_frames(struct fill *f, uint32_t rights, bool replace)
{
	uint64_t n = PAGES(f->hi - f->lo);
	struct nk_op op = { .kind = NK_MAP,
			    .rights = rights | (replace ? NK_REPLACE : 0),
			    .space = f->a->space,
			    .va = f->lo,
			    .n = (uint32_t)n,
			    .frames = frame };
	err_t err;

	read_old(f, n, replace);
	if ((f->v->flags & VM_PRIV) != 0)
		mark_secret(n);
	err = nk_submit(&op, 1, NULL);
	if (err != OK) {
		log_error("page at 0x%llx cannot be mapped: %s", (unsigned long long)f->page,
			  err_text(err));
		drop_frames(n);
		return FAULT_BUS;
	}
	settle(f, n);
	return FAULT_OK;
}

/* ---- private areas: pages of their own ---- */

static bool is_exclusive(paddr_t pa)
{
	return is_ours(pa) && frame_at(pa)->refs == 1;
}

static paddr_t new_page(const void *content)
{
	paddr_t pa = frame_alloc(content == NULL ? FRAME_ZERO : 0);

	if (paddr_is_none(pa))
		return pa;
	frame_at(pa)->flags |= FRAME_IS_ANON;
	if (content != NULL)
		memcpy(dm_ptr(pa), content, PAGE_SIZE);
	return pa;
}

/*
 * May the frame be copied before the program writes to the page? A program may see a file change
 * through a private page that it never wrote. Copies of the root image are safe: a change of the
 * file is announced by vmobject_invalidate(), which knows them by FRAME_IS_AHEAD, and those that
 * were written by the dirty bit. Frames of a cache change in silence.
 */
static bool may_go_ahead(paddr_t src)
{
	return !is_ours(src) || (frame_at(src)->flags & FRAME_IS_ANON) != 0;
}

/* How a page is to become the area's own: not by a copy; by one ahead of time; in any case. */
enum wish { NO_COPY, COPY_AHEAD, COPY };

/* A copy of `src`; e is the entry that showed it, 0 for none. PADDR_NONE in *out: better not. */
static err_t copy_page(paddr_t src, uint64_t e, enum wish wish, paddr_t *out)
{
	bool unwritten = !is_ours(src) ||
			 ((frame_at(src)->flags & FRAME_IS_AHEAD) != 0 && (e & NK_PTE_D) == 0);

	*out = PADDR_NONE;
	if (wish == NO_COPY || (wish == COPY_AHEAD && !may_go_ahead(src)))
		return OK;
	*out = new_page(frame_data(src));
	if (paddr_is_none(*out))
		return E_NOMEM;
	if (wish == COPY_AHEAD && unwritten)
		frame_at(*out)->flags |= FRAME_IS_AHEAD;
	return OK;
}

/* The object's page is not mapped yet. */
static err_t copy_from_object(struct fill *f, uint64_t va, enum wish wish, paddr_t *out)
{
	paddr_t src;
	err_t err;

	*out = PADDR_NONE;
	if (wish == NO_COPY)
		return OK;
	TRY(object_page(f, va, false, &src));
	err = copy_page(src, 0, wish, out);
	frame_put(src);
	return err;
}

/* Somebody else's page, or our own that was made read-only by a fork. */
static err_t own_from_entry(struct fill *f, uint64_t e, enum wish wish, paddr_t *out)
{
	paddr_t pa = pte_frame(e);

	*out = PADDR_NONE;
	if (!f->write || (pte_rights(e) & NK_W) != 0)
		return OK;
	if (!is_exclusive(pa))
		return copy_page(pa, e, wish, out);
	entry_note_written(e);
	frame_at(pa)->flags |= FRAME_IS_ANON;
	frame_at(pa)->refs++; /* as if it were new; settle() takes the entry's own away */
	*out = pa;
	return OK;
}

/* The frame for a page of a private area; PADDR_NONE where the entry is right as it is. */
static err_t own_page(struct fill *f, uint64_t va, enum wish wish, paddr_t *out)
{
	uint64_t e = entry_of(f, va);

	if (NK_PTE_THERE(e))
		return own_from_entry(f, e, wish, out);
	if (f->v->obj != NULL)
		return copy_from_object(f, va, wish, out);
	*out = new_page(NULL);
	return paddr_is_none(*out) ? E_NOMEM : OK;
}

static enum wish wish_for(const struct fill *f, uint64_t va)
{
	if (f->all || (va == f->page && f->touched))
		return COPY;
	return va == f->page || (va >= f->copy_lo && va < f->copy_hi) ? COPY_AHEAD : NO_COPY;
}

/* The wanted page must succeed; a neighbour that cannot be had is left out, and ends the search. */
static enum fault_result serve_private(struct fill *f)
{
	uint64_t n = PAGES(f->hi - f->lo), wanted = PAGES(f->page - f->lo);
	bool going_on = true;
	err_t err;

	if (f->a->early != 0 && NK_PTE_THERE(entry_of(f, f->page)))
		fork_note_early(f->a, f->page);
	err = own_page(f, f->page, wish_for(f, f->page), &frame[wanted]);

	if (err != OK)
		return result_of(err);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t va = f->lo + i * PAGE_SIZE;

		if (i == wanted)
			continue;
		frame[i] = PADDR_NONE;
		if (going_on && own_page(f, va, wish_for(f, va), &frame[i]) != OK)
			going_on = false;
	}
	return put_frames(f, area_rights(f->v), true);
}

/* ---- pages of objects ---- */

/* Write to a shared area: the object hears of each page that gets writable. */
static enum fault_result serve_shared_write(struct fill *f)
{
	uint64_t n;
	err_t err = OK;

	f->lo = f->page;
	if (f->v->obj->ops != &anon_object_ops && !f->all && f->hi > f->copy_hi)
		f->hi = f->copy_hi;
	n = PAGES(f->hi - f->lo);
	for (uint64_t i = 0; i < n; i++) {
		err = err == OK ? object_page(f, f->lo + i * PAGE_SIZE, true, &frame[i]) : err;
		if (err != OK && i == 0)
			return result_of(err);
		if (err != OK)
			frame[i] = PADDR_NONE;
	}
	return put_frames(f, area_rights(f->v), true);
}

/* ---- the root image: pages cost no memory, so a whole table's worth comes at once ---- */

static bool is_empty(struct fill *f, uint64_t lo, uint64_t hi)
{
	unsigned first = (lo >> PAGE_SHIFT) & (CHUNK_FRAMES - 1);
	unsigned end = first + (unsigned)PAGES(hi - lo);

	(void)entry_of(f, lo);
	return f->table == NULL || nk_used_entry(f->table, first, end) == end;
}

/*
 * The operation for all of v's pages in the table that are the image's; false when there are none,
 * or some are there already.
 */
static bool image_op(struct fill *f, struct vma *v, struct nk_op *op)
{
	uint64_t table = ALIGN_DOWN(f->page, CHUNK_SIZE), n;
	uint64_t lo = v->start > table ? v->start : table;
	uint64_t hi = v->end < table + CHUNK_SIZE ? v->end : table + CHUNK_SIZE;
	paddr_t first;

	if (lo >= hi)
		return false;
	n = v->obj->ops->image_run(v->obj, v->pgoff + PAGES(lo - v->start), PAGES(hi - lo), &first);
	if (n == 0 || !is_empty(f, lo, lo + n * PAGE_SIZE))
		return false;
	*op = (struct nk_op){ .kind = NK_MAP,
			      .rights = area_rights(v) & ~NK_W,
			      .space = f->a->space,
			      .va = lo,
			      .n = (uint32_t)n,
			      .base = first };
	return true;
}

/* Text, constants and headers of one file lie side by side, and are soon wanted all. */
static bool is_neighbour(const struct vma *v, const struct vma *other)
{
	return other != NULL && other->obj == v->obj &&
	       (other->flags & (VM_SHARED | VM_WRITE)) == 0 && (other->flags & VM_PROT) != 0;
}

/* False: not of the image, or not so simple. */
static bool serve_image(struct fill *f, enum fault_result *r)
{
	struct vma *v = f->v, *prev = area_prev(v), *next = aspace_next(v);
	struct nk_op ops[3];
	unsigned n = 1;
	err_t err;

	if (v->obj->ops->image_run == NULL || !image_op(f, v, &ops[0]) || f->page < ops[0].va ||
	    PAGES(f->page - ops[0].va) >= ops[0].n)
		return false;
	if (is_neighbour(v, prev) && image_op(f, prev, &ops[n]))
		n++;
	if (is_neighbour(v, next) && image_op(f, next, &ops[n]))
		n++;
	err = nk_submit(ops, n, NULL);
	if (err != OK)
		log_error("pages around 0x%llx cannot be mapped: %s", (unsigned long long)f->page,
			  err_text(err));
	*r = err == OK ? FAULT_OK : FAULT_BUS;
	return true;
}

/* ---- pages of objects, read ---- */

/*
 * Bring in what is missing in the window, read-only (or as the area has it, when the object needs
 * no notice).
 */
static enum fault_result serve_read(struct fill *f, bool in_order, bool window_is_given)
{
	bool notice = (f->v->flags & VM_SHARED) == 0 || f->v->obj->ops != &anon_object_ops;
	bool write = !notice && (f->v->flags & VM_WRITE) != 0, going_on = true;
	enum fault_result r;
	paddr_t wanted;
	err_t err;

	if (!window_is_given && serve_image(f, &r))
		return r;
	err = object_page(f, f->page, write, &wanted);
	if (err != OK)
		return result_of(err);
	if (notice && !in_order && !window_is_given && !memory_is_short()) {
		uint64_t around = AROUND * PAGE_SIZE;

		set_window(f, ALIGN_DOWN(f->page, around), ALIGN_DOWN(f->page, around) + around);
	}
	for (uint64_t i = 0; i < PAGES(f->hi - f->lo); i++) {
		uint64_t va = f->lo + i * PAGE_SIZE;

		frame[i] = va == f->page ? wanted : PADDR_NONE;
		if (va == f->page || !going_on || NK_PTE_THERE(entry_of(f, va)))
			continue;
		going_on = object_page(f, va, write, &frame[i]) != E_NOMEM;
	}
	return put_frames(f, area_rights(f->v) & (write ? ~0u : ~NK_W), false);
}

/* ---- entry ---- */

enum fault_result fault_serve(struct aspace *a, struct vma *v, uint64_t va, bool write,
			      unsigned window)
{
	struct fill f = {
		.a = a,
		.v = v,
		.page = ALIGN_DOWN(va, PAGE_SIZE),
		.write = write,
		.touched = write,
		.crossings = UINT64_MAX,
	};
	enum fault_result r;
	bool in_order = false;

	if (a->reaped)
		return FAULT_BUS;
	if (tables_reserve(NK_TABLES_PER_OP) != OK)
		return FAULT_NOMEM;
	if (window != 0) {
		set_window(&f, f.page, f.page + window * PAGE_SIZE);
		f.all = true;
	} else {
		in_order = choose_window(&f);
	}
	if (v->obj != NULL && !f.write)
		r = serve_read(&f, in_order, window != 0);
	else if ((v->flags & VM_SHARED) != 0)
		r = serve_shared_write(&f);
	else
		r = serve_private(&f);
	if (r == FAULT_OK)
		expect_next(&f);
	return r;
}

/* May the stack begin at `start`? Within its limits, and with a gap to what lies below. */
static bool stack_may_reach(const struct aspace *a, struct vma *v, uint64_t start)
{
	struct vma *prev = area_prev(v);

	if (start < USER_MIN || v->end - start > a->limit_stack ||
	    a->bytes_virtual + (v->start - start) > a->limit_as)
		return false;
	if (prev == NULL)
		return true;
	return start >= prev->end &&
	       ((prev->flags & VM_PROT) == 0 || start - prev->end >= STACK_GUARD_GAP);
}

/*
 * The stack above `page` grows down to it, a little further if it may: the next pages come along.
 */
static struct vma *grow_stack(struct aspace *a, uint64_t page)
{
	struct vma *v = area_at_or_after(a, page);
	uint64_t further = page - (STACK_STEP - 1) * PAGE_SIZE;

	if (v == NULL || (v->flags & VM_STACK) == 0 || !stack_may_reach(a, v, page))
		return NULL;
	if (further < page && stack_may_reach(a, v, further))
		page = further;
	area_resize(v, page, v->end);
	return v;
}

/* A fault in v's page, by somebody who may reach the area if its rights say so. */
static enum fault_result area_fault(struct aspace *a, struct vma *v, uint64_t page, uint32_t code)
{
	bool write = (code & PF_WRITE) != 0;
	uint64_t e;

	if (write                    ? (v->flags & VM_WRITE) == 0
	    : (code & PF_FETCH) != 0 ? (v->flags & VM_EXEC) == 0
				     : (v->flags & VM_PROT) == 0)
		return FAULT_ACCERR;
	e = nk_entry(a->space, page);
	if ((e & NK_PTE_P) != 0 && (!write || (e & NK_PTE_W) != 0))
		return FAULT_OK; /* served meanwhile; the processor remembered the old entry */
	BUG_ON(NK_PTE_THERE(e) &&
	       (e & NK_PTE_P) == 0); /* held entries belong to areas without rights */
	/*
	 * PrivUser's stacks lie above pages that are to stay empty: no page but the one asked for.
	 */
	return fault_serve(a, v, page, write, (v->flags & VM_PRIV) != 0 ? 1 : 0);
}

enum fault_result aspace_fault(struct aspace *a, uint64_t addr, uint32_t code)
{
	uint64_t page = ALIGN_DOWN(addr, PAGE_SIZE);
	struct vma *v;

	if (addr >= USER_END)
		return FAULT_MAPERR;
	v = aspace_find(a, page);
	if (v == NULL)
		v = grow_stack(a, page);
	if (v == NULL)
		return FAULT_MAPERR;
	if ((v->flags & VM_PRIV) != 0)
		return FAULT_ACCERR;
	return area_fault(a, v, page, code);
}

enum fault_result aspace_priv_fault(struct aspace *a, uint64_t addr, uint32_t code)
{
	struct vma *v = aspace_find(a, addr);

	if (v == NULL)
		return FAULT_MAPERR;
	if ((v->flags & VM_PRIV) == 0)
		return FAULT_ACCERR;
	return area_fault(a, v, ALIGN_DOWN(addr, PAGE_SIZE), code);
}
