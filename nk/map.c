/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings. An entry is present, or held (the frame is kept, nobody may touch it), or empty. Every
 * entry that is there counts in its frame's `maps`, every one with W also in `wmaps`; a frame whose
 * last mapping goes is plain again. What is writable beside the direct map is therefore known for
 * every frame at any time.
 */
#include "nk/internal.h"
#include "nk/hw.h"

/* Called for each page: the cursor stays in registers. */
/* Has a loop of HOT functions: gets the registers for itself. */
#define LOOP static __attribute__((noinline))
#define HOT  static inline __attribute__((always_inline))

#define RIGHTS    (NK_R | NK_W | NK_X | NK_PRIV)
#define MAPS_MAX  (UINT32_MAX - NK_MAX_PAGES)
#define WMAPS_MAX (UINT16_MAX - NK_MAX_PAGES)

uint64_t nk_pages[NK_MAX_PAGES];
struct cursor nk_seen = CURSOR_NEW;

/* The next operation's frames are mostly this one's neighbours. */
HOT void keep(const struct cursor *c)
{
	if (c->frames != NULL)
		nk_seen = *c;
}

static uint64_t root_of(nk_space_t space)
{
	return space.v != 0 ? space.v : nk_record.root;
}

/* The bits of an entry with these rights, without address. */
static uint64_t rights_bits(uint32_t rights, bool program)
{
	uint64_t bits = program && !(rights & NK_PRIV) ? NK_PTE_P | NK_PTE_U : NK_PTE_P;

	if ((rights & RIGHTS) == 0)
		return NK_PTE_HELD;
	if (rights & NK_W)
		bits |= NK_PTE_W;
	if (!(rights & NK_X))
		bits |= NK_PTE_NX;
	return bits;
}

static bool range_within(const struct nk_op *op, uint64_t start, uint64_t end)
{
	if (op->n == 0 || op->n > NK_MAX_PAGES || (op->va & PAGE_MASK) != 0)
		return false;
	return op->va >= start && op->va < end && op->n <= (end - op->va) >> PAGE_SHIFT;
}

/* Supervisor pages of a program's half: PrivUser's, below PRIV_END. The range was checked. */
static err_t priv_check(const struct nk_op *op)
{
	if (!(op->rights & NK_R) || (op->rights & (NK_W | NK_X)) == (NK_W | NK_X))
		return E_INVAL;
	if (op->va + op->n * PAGE_SIZE > PRIV_END)
		return refuse("PrivUser above 4 GiB");
	return OK;
}

/* Space and range of any operation on entries. */
static err_t range_check(const struct nk_op *op, nk_space_t space)
{
	if (op->rights & ~(RIGHTS | NK_REPLACE))
		return E_INVAL;
	if (space.v == 0) {
		if (op->rights & NK_PRIV)
			return E_INVAL;
		if (!range_within(op, KWIN_BASE, KWIN_END))
			return E_INVAL;
		if (op->rights & NK_X)
			return refuse("executable mapping in the kernel's half");
		return OK;
	}
	if (!range_within(op, USER_MIN, USER_END))
		return E_INVAL;
	if (!space_is_program(space))
		return refuse("not an address space of this core");
	return op->rights & NK_PRIV ? priv_check(op) : OK;
}

/* The type that frames of the operation have, or get. */
static enum nk_type type_of_op(const struct nk_op *op)
{
	return op->space.v == 0 ? NK_T_WINDOW : op->rights & NK_PRIV ? NK_T_PRIV : NK_T_USER;
}

/* How many of the `left` pages from va lie in one level-1 table. */
static unsigned run_length(uint64_t va, unsigned left)
{
	unsigned room = TABLE_LEN - table_index(va, 1);

	return left < room ? left : room;
}

HOT bool counts_full(const struct nk_frame *f, bool writable)
{
	return f->maps > MAPS_MAX || (writable && f->wmaps > WMAPS_MAX);
}

/* The descriptor that counts mappings of the entry's frame; none for the root image. */
HOT struct nk_frame *counted(struct cursor *c, uint64_t entry)
{
	struct nk_frame *f = frame_lookup_cached(c, entry & NK_PTE_ADDR);

	return f != NULL && f->type != NK_T_IMAGE ? f : NULL;
}

/* A frame that is mapped nowhere yet: by far the most, and seen in one look at its descriptor. */
HOT bool frame_fresh(const struct nk_frame *f)
{
	static const struct nk_frame fresh = { .type = NK_T_PLAIN };

	return __builtin_memcmp(f, &fresh, sizeof(fresh)) == 0;
}

/* How many entries from i on are of the root image; `end` bounds it. */
LOOP unsigned image_streak(const uint64_t *table, unsigned i, unsigned end)
{
	const uint64_t start = nk_record.image.start, len = nk_record.image.end - start;
	unsigned first = i;

	while (i < end && (table[i] & NK_PTE_ADDR) - start < len) /* an empty entry: frame 0 */
		i++;
	return i - first;
}

/* The same, and they are written to `to` at the same places, or (NULL) go. */
LOOP unsigned image_move(uint64_t *from, uint64_t *to, unsigned i, unsigned end)
{
	const uint64_t start = nk_record.image.start, len = nk_record.image.end - start;
	unsigned first = i;

	if (to == NULL) {
		for (; i < end && (from[i] & NK_PTE_ADDR) - start < len; i++)
			from[i] = 0;
		return i - first;
	}
	for (uint64_t e; i < end && ((e = from[i]) & NK_PTE_ADDR) - start < len; i++)
		to[i] = e;
	return i - first;
}

HOT void entry_ref(struct cursor *c, uint64_t entry, enum nk_type type)
{
	struct nk_frame *f = counted(c, entry);
	unsigned writable = (entry & NK_PTE_W) != 0;

	if (f == NULL)
		return;
	if (frame_fresh(f)) {
		*f = (struct nk_frame){ .type = type, .wmaps = writable, .maps = 1 };
		return;
	}
	f->type = type;
	f->maps++;
	f->wmaps += writable;
}

HOT void entry_unref(struct cursor *c, uint64_t entry)
{
	struct nk_frame *f = counted(c, entry);

	if (f == NULL)
		return;
	f->wmaps -= (entry & NK_PTE_W) != 0;
	if (--f->maps != 0)
		return;
	if (f->type == NK_T_LDT)
		frame_protect(entry & NK_PTE_ADDR, true);
	f->type = NK_T_PLAIN;
}

/* ---- NK_MAP ---- */

/* Why the frame may not be mapped so; OK for what only looks unusual (root image). */
static err_t frame_reason(const struct nk_op *op, uint64_t pa, const struct nk_frame *f)
{
	if ((pa & PAGE_MASK) != 0)
		return E_INVAL;
	if (frame_is_image(pa)) {
		if (op->rights & NK_W)
			return refuse("writable mapping of the root image");
		return type_of_op(op) == NK_T_USER
			       ? OK
			       : refuse("window on, or PrivUser of, the root image");
	}
	if (f == NULL)
		return refuse("frame is not memory of this core");
	if (f->type != NK_T_PLAIN && f->type != type_of_op(op))
		return refuse("frame has a type that may not be mapped here");
	return refuse("too many mappings of one frame");
}

HOT bool frame_usual(const struct nk_frame *f, uint64_t pa, enum nk_type type, bool writable)
{
	if ((pa & PAGE_MASK) != 0 || f == NULL || (f->type != NK_T_PLAIN && f->type != type))
		return false;
	return !counts_full(f, writable);
}

HOT bool image_usual(uint64_t pa, enum nk_type type, bool writable)
{
	return frame_is_image(pa) && (pa & PAGE_MASK) == 0 && type == NK_T_USER && !writable;
}

/* The pages of one level-1 table (NULL: not there yet) from its entry `slot`. */
LOOP err_t map_run_check(const struct nk_op *op, const uint64_t *pages, unsigned n,
			 const uint64_t *slot)
{
	enum nk_type type = type_of_op(op);
	bool writable = op->rights & NK_W;
	struct cursor c = nk_seen;

	if (op->rights & NK_REPLACE)
		slot = NULL;
	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = pages[i];
		const struct nk_frame *f;

		if (pa == UINT64_MAX)
			continue;
		f = frame_is_image(pa) ? NULL : frame_lookup_cached(&c, pa);
		if (!(f != NULL && (pa & PAGE_MASK) == 0 && frame_fresh(f)) &&
		    !image_usual(pa, type, writable) && !frame_usual(f, pa, type, writable))
			TRY(frame_reason(op, pa, f));
		if (slot != NULL && NK_PTE_THERE(slot[i]))
			return E_EXIST;
	}
	keep(&c);
	return OK;
}

/*
 * A piece of the root image into a program, new and read-only: nothing is counted. The range was
 * checked.
 */
static bool is_image_run(const struct nk_op *op)
{
	uint64_t len = nk_record.image.end - nk_record.image.start;
	uint64_t off = op->base.v - nk_record.image.start;

	return op->frames == NULL && op->space.v != 0 && (op->base.v & PAGE_MASK) == 0 &&
	       (op->rights & (NK_W | NK_REPLACE | NK_PRIV)) == 0 && off < len &&
	       op->n <= (len - off) >> PAGE_SHIFT;
}

err_t map_check(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	uint64_t va = op->va;
	bool complete = true; /* no table is missing */
	bool image;

	TRY(range_check(op, op->space));
	image = is_image_run(op);
	for (unsigned i = 0; i < op->n;) {
		const uint64_t *table = table_seek(root, va);
		unsigned run = run_length(va, op->n - i);

		complete = complete && table != NULL;
		if (!image) {
			TRY(map_run_check(op, &nk_pages[i], run,
					  table != NULL ? &table[table_index(va, 1)] : NULL));
		} else if (table != NULL) {
			unsigned end = table_index(va, 1) + run;

			if (nk_used_entry(table, end - run, end) != end)
				return E_EXIST;
		}
		va += run * PAGE_SIZE;
		i += run;
	}
	if (!complete && tables_missing(root, op->va, va) > nk_stat.pool)
		return E_NOTABLES;
	return OK;
}

/* Write the entries; returns how many more are in use. */
LOOP int map_run(const struct nk_op *op, const uint64_t *pages, unsigned n, uint64_t *slot,
		 uint64_t va)
{
	enum nk_type type = type_of_op(op);
	uint64_t bits = rights_bits(op->rights, op->space.v != 0);
	struct cursor c = nk_seen;
	int added = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t old = slot[i];

		if (pages[i] == UINT64_MAX)
			continue;
		/* The new reference first: the old one may be to the same frame. */
		if (!frame_is_image(pages[i]))
			entry_ref(&c, pages[i] | bits, type);
		slot[i] = pages[i] | bits;
		nk_stat.pages++;
		if (!NK_PTE_THERE(old)) {
			added++;
			continue;
		}
		entry_unref(&c, old);
		if (old & NK_PTE_P)
			tlb_drop_page(root_of(op->space), va + i * PAGE_SIZE);
	}
	return added;
}

static int map_image_run(const struct nk_op *op, unsigned i, unsigned n, uint64_t *slot)
{
	uint64_t e = (op->base.v + i * PAGE_SIZE) | rights_bits(op->rights, true);

	for (unsigned at = 0; at < n; at++, e += PAGE_SIZE)
		slot[at] = e;
	nk_stat.pages += n;
	return (int)n;
}

void map_apply(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	uint64_t va = op->va;
	bool image = is_image_run(op);

	for (unsigned i = 0; i < op->n;) {
		uint64_t *table = table_make(root, va);
		unsigned run = run_length(va, op->n - i);
		uint64_t *slot = &table[table_index(va, 1)];

		table_count(root, va, table,
			    image ? map_image_run(op, i, run, slot)
				  : map_run(op, &nk_pages[i], run, slot, va));
		va += run * PAGE_SIZE;
		i += run;
	}
}

/* ---- NK_UNMAP ---- */

err_t unmap_check(const struct nk_op *op)
{
	return range_check(op, op->space);
}

/* Empty `run` entries from va's on; returns how many were there. */
LOOP int unmap_run(struct cursor *cursor, uint64_t root, uint64_t va, uint64_t *table, unsigned run)
{
	unsigned first = table_index(va, 1), end = first + run;
	uint32_t there = frame_known(frame_address(table))->maps;
	struct cursor c = *cursor;
	bool loaded = tlb_may_hold(root, va);
	int removed = 0;

	/* A sparse table is not read to its end: the number of its entries is known. */
	for (unsigned i = first; (uint32_t)removed < there; i++) {
		uint64_t e;

		i = nk_used_entry(table, i, end);
		if (i >= end)
			break;
		e = table[i];
		if (!loaded && frame_is_image(e & NK_PTE_ADDR)) {
			/* Text: many in a row, nothing to count. */
			unsigned n = image_move(table, NULL, i, end);

			removed += (int)n;
			i += n - 1;
			continue;
		}
		entry_unref(&c, e);
		if (loaded && (e & NK_PTE_P))
			tlb_drop_page(root, va + (i - first) * PAGE_SIZE);
		table[i] = 0;
		removed++;
	}
	nk_stat.pages += (unsigned)removed;
	*cursor = c;
	return removed;
}

void unmap_apply(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	struct cursor c = nk_seen;
	uint64_t va = op->va;

	for (unsigned left = op->n; left > 0;) {
		uint64_t *table = table_seek(root, va);
		unsigned run = run_length(va, left);

		if (table != NULL)
			table_count(root, va, table, -unmap_run(&c, root, va, table, run));
		va += run * PAGE_SIZE;
		left -= run;
	}
	keep(&c);
}

/* ---- NK_PROTECT, NK_PROTECT_RO ---- */

/* May this entry get the rights? A page stays in PrivUser, or out of it, and W needs counts. */
static err_t grow_check(const struct nk_op *op, struct cursor *c, uint64_t entry)
{
	const struct nk_frame *f = counted(c, entry);
	bool priv = f != NULL && f->type == NK_T_PRIV;

	if ((op->rights & RIGHTS) != 0 && priv != ((op->rights & NK_PRIV) != 0))
		return refuse("page would leave PrivUser, or enter it");
	if (!(op->rights & NK_W))
		return OK;
	if (frame_is_image(entry & NK_PTE_ADDR))
		return refuse("writable mapping of the root image");
	if (!(entry & NK_PTE_W) && counts_full(frame_lookup_cached(c, entry & NK_PTE_ADDR), true))
		return refuse("too many mappings of one frame");
	return OK;
}

err_t protect_check(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	struct cursor c = nk_seen;
	uint64_t va = op->va;

	TRY(range_check(op, op->space));
	if (op->rights & NK_REPLACE)
		return E_INVAL;
	if (!(op->rights & NK_W) && op->va >= PRIV_END)
		return OK;
	for (unsigned left = op->n; left > 0;) {
		const uint64_t *table = table_seek(root, va);
		unsigned run = run_length(va, left);

		for (unsigned i = 0; table != NULL && i < run; i++) {
			uint64_t e = table[table_index(va, 1) + i];

			if (NK_PTE_THERE(e))
				TRY(grow_check(op, &c, e));
		}
		va += run * PAGE_SIZE;
		left -= run;
	}
	keep(&c);
	return OK;
}

/* Give one entry that is there new bits beside its address. */
HOT void entry_change(struct cursor *c, uint64_t root, uint64_t va, uint64_t *slot, uint64_t bits)
{
	uint64_t old = *slot;
	uint64_t new = (old & (NK_PTE_ADDR | PTE_SEEN)) | bits;

	if (new == old)
		return;
	if ((old ^ new) & NK_PTE_W) {
		struct nk_frame *f = frame_lookup_cached(c, old & NK_PTE_ADDR);

		f->wmaps += new &NK_PTE_W ? 1 : -1;
	}
	*slot = new;
	nk_stat.pages++;
	if (old & NK_PTE_P)
		tlb_drop_page(root, va);
}

void protect_apply(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	uint64_t bits = rights_bits(op->rights, op->space.v != 0);
	struct cursor c = nk_seen;
	uint64_t va = op->va;

	for (unsigned left = op->n; left > 0;) {
		uint64_t *table = table_seek(root, va);
		unsigned run = run_length(va, left);

		for (unsigned i = 0; table != NULL && i < run; i++) {
			uint64_t *slot = &table[table_index(va, 1) + i];

			if (NK_PTE_THERE(*slot))
				entry_change(&c, root, va + i * PAGE_SIZE, slot, bits);
		}
		va += run * PAGE_SIZE;
		left -= run;
	}
	keep(&c);
}

void protect_ro_apply(const struct nk_op *op)
{
	uint64_t root = root_of(op->space);
	struct cursor c = nk_seen;
	uint64_t va = op->va;

	for (unsigned left = op->n; left > 0;) {
		uint64_t *table = table_seek(root, va);
		unsigned run = run_length(va, left);

		for (unsigned i = 0; table != NULL && i < run; i++) {
			uint64_t *slot = &table[table_index(va, 1) + i];

			if (*slot & NK_PTE_W)
				entry_change(&c, root, va + i * PAGE_SIZE, slot,
					     *slot & ~(NK_PTE_ADDR | PTE_SEEN | NK_PTE_W));
		}
		va += run * PAGE_SIZE;
		left -= run;
	}
	keep(&c);
}

/* ---- NK_CLONE: op->space is copied to op->space2 ---- */

static err_t clone_entries_check(const struct nk_op *op, uint64_t va, unsigned run)
{
	const uint64_t *from = table_seek(op->space.v, va);
	const uint64_t *to = table_find(op->space2.v, va);
	struct cursor c = nk_seen;
	unsigned first = table_index(va, 1);

	unsigned end = first + run;

	if (to != NULL && nk_used_entry(to, first, end) != end)
		return E_EXIST;
	if (from == NULL)
		return OK;
	for (unsigned i = first; (i = nk_used_entry(from, i, end)) < end; i++) {
		uint64_t e = from[i];

		if (frame_is_image(e & NK_PTE_ADDR)) {
			i += image_streak(from, i, end) - 1;
			continue;
		}
		if (counts_full(frame_lookup_cached(&c, e & NK_PTE_ADDR), e & NK_PTE_W))
			return refuse("too many mappings of one frame");
	}
	return OK;
}

err_t clone_check(const struct nk_op *op)
{
	uint64_t va = op->va;
	unsigned need = 0;

	if (op->space.v == 0 || op->space2.v == 0 || op->space.v == op->space2.v ||
	    op->rights & NK_REPLACE)
		return E_INVAL;
	TRY(range_check(op, op->space));
	if (!space_is_program(op->space2))
		return refuse("not an address space of this core");
	for (unsigned left = op->n; left > 0;) {
		unsigned run = run_length(va, left);

		TRY(clone_entries_check(op, va, run));
		va += run * PAGE_SIZE;
		left -= run;
	}
	need = tables_missing(op->space2.v, op->va, va);
	return need > nk_stat.pool ? E_NOTABLES : OK;
}

static void clone_entries(const struct nk_op *op, uint64_t va, uint64_t *from, unsigned run)
{
	uint64_t *to = table_make(op->space2.v, va);
	uint64_t mask = op->rights & NK_W ? ~0ull : ~NK_PTE_W;
	struct cursor c = nk_seen;
	unsigned first = table_index(va, 1), end = first + run;
	int added = 0;

	for (unsigned i = first; (i = nk_used_entry(from, i, end)) < end; i++) {
		uint64_t e = from[i];

		if (frame_is_image(e & NK_PTE_ADDR)) {
			/* Never writable, and counted nowhere. */
			unsigned n = image_move(from, to, i, end);

			added += (int)n;
			i += n - 1;
			continue;
		}
		if (e & ~mask)
			entry_change(&c, op->space.v, va + (i - first) * PAGE_SIZE, &from[i],
				     e & mask & ~(NK_PTE_ADDR | PTE_SEEN));
		to[i] = e & mask;
		entry_ref(&c, to[i], counted(&c, e)->type);
		added++;
	}
	nk_stat.pages += added;
	table_count(op->space2.v, va, to, added);
}

void clone_apply(const struct nk_op *op)
{
	uint64_t va = op->va;

	for (unsigned left = op->n; left > 0;) {
		uint64_t *from = table_seek(op->space.v, va);
		unsigned run = run_length(va, left);

		if (from != NULL)
			clone_entries(op, va, from, run);
		va += run * PAGE_SIZE;
		left -= run;
	}
}
