/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages brought in on request, madvise, and another process's memory. */
#include <linux/mman.h>

#include "base/checked.h"
#include "base/str.h"
#include "kernel/mem/mem.h"

static err_t error_of(enum fault_result r)
{
	switch (r) {
	case FAULT_OK: return OK;
	case FAULT_NOMEM: return E_NOMEM;
	default: return E_FAULT;
	}
}

/* ---- populate ---- */

static bool is_there(struct aspace *a, uint64_t va, bool write)
{
	uint64_t e = nk_entry(a->space, va);

	return (e & NK_PTE_P) != 0 && (!write || (e & NK_PTE_W) != 0);
}

static err_t populate_area(struct aspace *a, struct vma *v, uint64_t addr, uint64_t end, bool write)
{
	if ((v->flags & VM_PROT) == 0 || (write && (v->flags & VM_WRITE) == 0) ||
	    (v->flags & VM_PRIV) != 0)
		return E_FAULT;
	for (; addr < end; addr += PAGE_SIZE) {
		uint64_t n = PAGES(end - addr);

		if (!is_there(a, addr, write))
			TRY(error_of(fault_serve(a, v, addr, write,
						 n > CHUNK_FRAMES ? CHUNK_FRAMES : (unsigned)n)));
	}
	return OK;
}

err_t aspace_populate(struct aspace *a, uint64_t addr, uint64_t len, bool write)
{
	uint64_t end;

	if (!range_inside(addr, len, 0, USER_END) || !checked_align_up(addr + len, PAGE_SIZE, &end))
		return E_NOMEM;
	addr = ALIGN_DOWN(addr, PAGE_SIZE);
	while (addr < end) {
		struct vma *v = aspace_find(a, addr);
		uint64_t stop;

		if (v == NULL)
			return E_NOMEM;
		stop = v->end < end ? v->end : end;
		TRY(populate_area(a, v, addr, stop, write));
		addr = stop;
	}
	return OK;
}

/* ---- madvise ---- */

/*
 * Do something with the mapped parts of [addr, end); holes make it E_NOMEM at the end, as in Linux.
 */
static err_t for_areas(struct aspace *a, uint64_t addr, uint64_t end,
		       err_t (*fn)(struct aspace *a, struct vma *v, uint64_t start, uint64_t end))
{
	bool hole = false;

	while (addr < end) {
		struct vma *v = area_at_or_after(a, addr);
		uint64_t stop;

		if (v == NULL || v->start >= end) {
			hole = true;
			break;
		}
		if (v->start > addr) {
			hole = true;
			addr = v->start;
		}
		stop = v->end < end ? v->end : end;
		if (fn != NULL)
			TRY(fn(a, v, addr, stop));
		addr = stop;
	}
	return hole ? E_NOMEM : OK;
}

static err_t drop_part(struct aspace *a, struct vma *v, uint64_t start, uint64_t end)
{
	if ((v->flags & VM_SPECIAL) != 0)
		return E_INVAL;
	pages_drop(a, start, end);
	return OK;
}

static err_t free_part(struct aspace *a, struct vma *v, uint64_t start, uint64_t end)
{
	if (v->obj != NULL)
		return E_INVAL; /* only private anonymous memory can be given back for good */
	pages_drop(a, start, end);
	return OK;
}

static err_t check_wipe(struct aspace *a, struct vma *v, uint64_t start, uint64_t end)
{
	(void)a;
	(void)start;
	(void)end;
	return v->obj != NULL ? E_INVAL : OK;
}

static err_t advise_fork(struct aspace *a, uint64_t start, uint64_t end, int advice)
{
	switch (advice) {
	case MADV_DONTFORK: return area_change_flags(a, start, end, 0, VM_DONTFORK);
	case MADV_DOFORK: return area_change_flags(a, start, end, VM_DONTFORK, 0);
	case MADV_WIPEONFORK:
		TRY(for_areas(a, start, end, check_wipe));
		return area_change_flags(a, start, end, 0, VM_WIPEONFORK);
	default: return area_change_flags(a, start, end, VM_WIPEONFORK, 0);
	}
}

static err_t advise_dump(struct aspace *a, uint64_t start, uint64_t end, uint32_t clear,
			 uint32_t set)
{
	err_t err;

	if (start == end)
		return OK;
	err = for_areas(a, start, end, NULL); /* holes are told of, the rest is done */
	TRY(area_change_flags(a, start, end, clear, set));
	return err;
}

err_t aspace_advise(struct aspace *a, uint64_t addr, uint64_t len, int advice)
{
	uint64_t end;

	if ((addr & PAGE_MASK) != 0 || !checked_align_up(len, PAGE_SIZE, &len) ||
	    !range_end(addr, len, &end))
		return E_INVAL;
	if (end > USER_END)
		return E_NOMEM;
	if (area_is_sealed(a, addr, end))
		return E_PERM;
	switch (advice) {
	case MADV_DONTNEED: return for_areas(a, addr, end, drop_part);
	case MADV_FREE: return for_areas(a, addr, end, free_part);
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK: return addr == end ? OK : advise_fork(a, addr, end, advice);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return aspace_populate(a, addr, len, advice == MADV_POPULATE_WRITE);
	/* hints about an order of access: the fault window finds that out itself */
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT: return for_areas(a, addr, end, NULL);
	case MADV_DODUMP: return advise_dump(a, addr, end, VM_DONTDUMP, 0);
	case MADV_DONTDUMP: return advise_dump(a, addr, end, 0, VM_DONTDUMP);
	default: /* huge pages, page merging, hole punching: as a Linux built without them */
		return E_INVAL;
	}
}

/* ---- another space's memory ---- */

/* The frame behind va for reading, or for writing by the kernel. PADDR_NONE: not there. */
static paddr_t reach(struct aspace *a, uint64_t va, bool write, bool force)
{
	struct vma *v = aspace_find(a, va);
	uint64_t e;

	/* PrivUser is nobody's, whoever asks: ptrace, /proc/PID/mem, a crash report. */
	if (v == NULL || (v->flags & VM_PRIV) != 0 ||
	    (!force && (v->flags & (write ? VM_WRITE : VM_PROT)) == 0))
		return PADDR_NONE;
	if (write && (v->flags & (VM_SHARED | VM_WRITE)) == VM_SHARED)
		return PADDR_NONE; /* would change what others see */
	e = nk_entry(a->space, va);
	if (!NK_PTE_THERE(e) || (write && (pte_rights(e) & NK_W) == 0)) {
		if (fault_serve(a, v, va, write, (v->flags & VM_WRITE) != 0 ? 0 : 1) != FAULT_OK)
			return PADDR_NONE;
		e = nk_entry(a->space, va);
	}
	return NK_PTE_THERE(e) ? pte_frame(e) : PADDR_NONE;
}

static size_t bytes_in_page(uint64_t addr, size_t left)
{
	size_t n = PAGE_SIZE - (addr & PAGE_MASK);

	return n < left ? n : left;
}

size_t aspace_read(struct aspace *a, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	if (!range_inside(addr, len, 0, USER_END))
		return 0;
	while (done < len) {
		size_t n = bytes_in_page(addr + done, len - done);
		paddr_t pa = reach(a, addr + done, false, false);

		if (paddr_is_none(pa))
			break;
		memcpy((char *)buf + done,
		       (const char *)frame_data(pa) + ((addr + done) & PAGE_MASK), n);
		done += n;
	}
	return done;
}

size_t aspace_write(struct aspace *a, uint64_t addr, const void *buf, size_t len, bool force)
{
	size_t done = 0;

	if (!range_inside(addr, len, 0, USER_END))
		return 0;
	while (done < len) {
		size_t n = bytes_in_page(addr + done, len - done);
		paddr_t pa = reach(a, addr + done, true, force);

		if (paddr_is_none(pa) || !is_ours(pa))
			break;
		frame_at(pa)->flags &= (uint8_t)~FRAME_IS_AHEAD;
		memcpy((char *)dm_ptr(pa) + ((addr + done) & PAGE_MASK), (const char *)buf + done,
		       n);
		done += n;
	}
	return done;
}
