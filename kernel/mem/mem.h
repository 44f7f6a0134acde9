/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of kernel/mem: what its files share. Not for other modules. */
#pragma once

#include "abi/nk.h"
#include "kernel/core/core.h"
#include "kernel/mem/aspace.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

/* ---- chunks (chunk.c) ---- */

/* Frames that stay back for the paths that free memory, and for putting the next chunk online. */
#define FRAME_RESERVED 32u

/* Memory that is known to be online: where the last look-up was. */
extern struct chunk_span {
	uint64_t start, bytes;
} chunk_recent;

/* Is this the address of a frame in an online chunk of this core? */
bool chunk_is_online(paddr_t pa);
/* Put the next chunk online; false when there is none left (or nk has none for us). */
bool chunk_online_next(void);
/* Memory of this core: all, and what is not yet online, in frames. */
uint64_t chunk_total_frames(void);
uint64_t chunk_offline_frames(void);
/*
 * Frames of online chunks that nobody can have: headers, what is not memory, the direct map's
 * tables.
 */
uint64_t chunk_overhead_frames(void);
/* Each online frame, in no order. */
void chunk_each_frame(void (*fn)(const struct frame *f, void *arg), void *arg);
err_t chunk_init(void) MUST_CHECK;

/* ---- frames (frame.c) ---- */

/* A chunk came online: bit i of plain is set when its frame i is free. */
void frame_add_chunk(paddr_t chunk, const uint64_t plain[CHUNK_FRAMES / 64]);
void frame_init(void);
/* Free frames in online chunks. */
uint64_t frame_free_count(void);
/* Counts towards kmem_fail_every; true when this allocation is to fail. */
bool mem_inject_failure(void);

static inline struct frame *frame_at(paddr_t pa)
{
	struct frame *table = dm_ptr(PADDR((pa.v & ~(CHUNK_SIZE - 1)) + NK_HDR_OUTER * PAGE_SIZE));

	return &table[(pa.v >> PAGE_SHIFT) & (CHUNK_FRAMES - 1)];
}

/* frame_is_ours() without a call, for loops over many entries. */
static inline bool is_ours(paddr_t pa)
{
	if (pa.v - chunk_recent.start >= chunk_recent.bytes) {
		/* A program's text: by far the most that is not in a range of ours. */
		if (pa.v - boot_info.image.v < boot_info.image_len || !chunk_is_online(pa))
			return false;
	}
	return (frame_at(pa)->flags & FRAME_IS_OURS) != 0;
}

/* ---- accounts ---- */

extern struct mem_account {
	uint64_t heap_frames, stack_frames, table_frames;
} mem_account;
/* Give back what kmem and the kernel stacks keep in stock; frames freed. */
size_t kmem_reclaim(size_t want);
size_t kstack_reclaim(size_t want);

/* ---- batches for nk (batch.c): one at a time, nothing in between ---- */

/*
 * Add an operation; submits what is there when the batch is full. The result may be filled in
 * further.
 */
struct nk_op *batch_add(enum nk_op_kind kind, nk_space_t space, uint64_t va, uint64_t n,
			uint32_t rights);
/*
 * Submit. What it asks for was checked before, and tables were reserved: an error is our own bug.
 * Then drops the references that were handed to batch_put().
 */
void batch_commit(void);
/* Drop the reference of an entry that this batch removes (a frame of ours), once it is done. */
void batch_put(paddr_t pa);
/* Is one being put together? */
bool batch_open(void);

/* ---- areas (area.c) ---- */

#define AREAS_MAX       65530u /* as Linux: vm.max_map_count */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define VM_PROT         (VM_READ | VM_WRITE | VM_EXEC)
#define PAGES(bytes)    ((bytes) >> PAGE_SHIFT)

/* First area that ends above addr, or NULL. */
struct vma *area_at_or_after(struct aspace *a, uint64_t addr);
struct vma *area_prev(struct vma *v);
/* Rights of the entries of an area: all that its flags allow. */
uint32_t area_rights(const struct vma *v);
/* Does the area count as data (RLIMIT_DATA) and against memory? */
bool flags_are_data(uint32_t flags);
/* A new area that is in no space yet; takes a reference to obj. NULL: out of memory. */
struct vma *area_new(uint32_t flags, struct vmobject *obj, uint64_t pgoff, const char *name);
/* Put an area that is in no space into one (the range must be free), or take it out. */
void area_insert(struct aspace *a, struct vma *v, uint64_t start, uint64_t end);
void area_remove(struct vma *v);
/*
 * Free an area that is in no space; drops its reference (may run the object's own code). NULL is
 * allowed.
 */
void area_free(struct vma *v);
/* Change the extent in place (neighbours and pgoff are the caller's business), or the flags. */
void area_resize(struct vma *v, uint64_t start, uint64_t end);
void area_set_flags(struct vma *v, uint32_t flags);
/* Split at `at` (inside): v keeps the lower part, `spare` (from area_spare) becomes the upper. */
void area_split(struct vma *v, uint64_t at, struct vma *spare);
/*
 * Change other flags than rights in [start, end); splits and joins. E_NOMEM: a hole, or no storage.
 */
err_t area_change_flags(struct aspace *a, uint64_t start, uint64_t end, uint32_t clear,
			uint32_t set) MUST_CHECK;
/* Storage for splits, so that a change can be checked before it is applied. */
struct vma *area_spare(void);
/* Join with the neighbours where they are alike. Returns the area that now holds v's range. */
struct vma *area_merge(struct vma *v);
/* Do the two adjacent pieces make one area? */
bool area_alike(const struct vma *low, uint32_t flags, struct vmobject *obj, uint64_t pgoff,
		const char *name);
/* Highest free place for len bytes below a->mmap_top; 0 when there is none. */
uint64_t area_find_gap(struct aspace *a, uint64_t len);
/* Addresses up to `end` became free. */
void area_forget_gap(struct aspace *a, uint64_t end);
/* Does [start, end) touch a sealed area? */
bool area_is_sealed(struct aspace *a, uint64_t start, uint64_t end);
/* Is [start, end) free (guard gaps not counted)? */
bool area_range_free(struct aspace *a, uint64_t start, uint64_t end);
/*
 * May the space grow by these bytes of address space? `old_flags`/`flags`: what the bytes are.
 * E_NOMEM.
 */
err_t area_check_limits(const struct aspace *a, uint64_t len, uint32_t flags) MUST_CHECK;

/* ---- tables (walk.c) ---- */

/*
 * Frame of an entry that is there. By shifts: the mask NK_PTE_ADDR as a constant in the code ends
 * in 0f 00, which with the next instruction's first byte can make an LLDT or LTR, and the build
 * refuses that.
 */
static inline paddr_t pte_frame(uint64_t e)
{
	e <<= 12;
	__asm__("" : "+r"(e)); /* else the compiler makes the mask of it again */
	return PADDR((e >> 24) << 12);
}

/* First entry of entry[i..end) that does not show a frame of the root image. */
static inline unsigned skip_image(const uint64_t *entry, unsigned i, unsigned end)
{
	const uint64_t start = boot_info.image.v, len = boot_info.image_len;

	while (i < end && pte_frame(entry[i]).v - start < len)
		i++;
	return i;
}

/* Next entry after i - 1 that is there and may show a frame of ours; n when there is none. */
static inline unsigned next_own_entry(const uint64_t *entry, unsigned i, unsigned n)
{
	do {
		i = skip_image(entry, i, n);
		i = nk_used_entry(entry, i, n);
	} while (i < n && pte_frame(entry[i]).v - boot_info.image.v < boot_info.image_len);
	return i;
}

/* Rights of an entry that is there. */
static inline uint32_t pte_rights(uint64_t e)
{
	if ((e & NK_PTE_P) == 0)
		return 0;
	return NK_R | ((e & NK_PTE_W) != 0 ? NK_W : 0) | ((e & NK_PTE_NX) == 0 ? NK_X : 0);
}

/*
 * The entry's dirty bit is about to be lost: what it says about a private page goes to the frame.
 */
static inline void entry_note_written(uint64_t e)
{
	if ((e & NK_PTE_D) != 0 && is_ours(pte_frame(e)))
		frame_at(pte_frame(e))->flags &= (uint8_t)~FRAME_IS_AHEAD;
}

/* The part of [start, end) in one level-1 table. */
struct slice {
	const uint64_t *entry; /* of va `lo` */
	uint64_t lo, hi;
};
static inline unsigned slice_pages(const struct slice *s)
{
	return (unsigned)PAGES(s->hi - s->lo);
}

/* Next slice of [*pos, end) that has a table; moves *pos behind it. False at the end. */
bool slice_next(nk_space_t space, uint64_t *pos, uint64_t end, struct slice *out);
/* Narrow a slice to the entries that are there; false when there are none. */
bool slice_trim(struct slice *s);
/* Tables that mappings for [start, end) can take at most. */
size_t tables_needed(uint64_t start, uint64_t end);

/* Take out all entries of [start, end): submitted at once, frames dropped. */
void pages_drop(struct aspace *a, uint64_t start, uint64_t end);
/* Count entries to frames of ours in and out. */
void aspace_count_pages(struct aspace *a, int64_t n);

/*
 * Unmap [start, end), pages and areas, with `spare` for a split in the middle (consumed when used:
 * set to NULL).
 */
void areas_cut(struct aspace *a, uint64_t start, uint64_t end, struct vma **spare);

/* ---- spaces (aspace.c) ---- */

/*
 * A space with no areas over a fresh top-level frame; nk does not know it yet. NULL: out of memory.
 */
struct aspace *space_alloc(void);
/* The opposite: the top-level frame is plain again, all areas are gone. */
void space_release(struct aspace *a);
/* Free all areas; their pages are gone or were never there. */
void space_free_areas(struct aspace *a);

/* ---- fork (fork.c) ---- */

/* A page of a forked child that was shared with its parent is about to be copied for it. */
void fork_note_early(struct aspace *child, uint64_t page);

/* ---- faults (fault.c) ---- */

/* Few frames are left: bring in nothing that nobody asked for. */
bool memory_is_short(void);

/*
 * Make the page of `va` present for reading or writing, whatever v's rights say; entries get v's
 * rights. `window`: pages to bring in around it, 0 for the area's own choice.
 */
enum fault_result fault_serve(struct aspace *a, struct vma *v, uint64_t va, bool write,
			      unsigned window);

extern const struct vmobject_ops anon_object_ops;
