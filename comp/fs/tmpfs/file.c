/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of files: own pages over those of a lower file. */
#include <linux/falloc.h>
#include <linux/fcntl.h>

#include "base/checked.h"
#include "base/str.h"
#include "comp/fs/tmpfs/local.h"

static uint64_t page_count(uint64_t bytes)
{
	return bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
}

/* Does the lower file have (part of) this page, and is it not cut off? */
static bool lower_has(const struct tnode *n, uint64_t index)
{
	return n->lower != NULL && index < page_count(n->file.lower_end);
}

static err_t charge(struct tmpfs *fs)
{
	if (fs->pages >= fs->max_pages)
		return E_NOSPC;
	fs->pages++;
	return OK;
}

/* Put the lower file's bytes of the page into a zeroed frame. */
static err_t fill_from_lower(struct tnode *n, uint64_t index, uint64_t slot)
{
	uint64_t off = index * PAGE_SIZE, len = n->file.lower_end - off;
	struct uio to;
	size_t done;

	uio_kernel(&to, frame_va(slot), len < PAGE_SIZE ? len : PAGE_SIZE);
	return n->lower->ops->read(n->lower, off, &to, &done);
}

/* Mappings that show the lower file's frame of pages [index, +count) must look again. */
static void remap(struct tnode *n, uint64_t index, uint64_t count)
{
	if (n->object.users > 0)
		vmobject_invalidate(&n->object.obj, index, count);
}

/*
 * The frame of a page of ours, made if need be: filled from the lower file, or with zeros. `blank`:
 * the caller writes all of it, nothing need be copied.
 */
static err_t own_page(struct tnode *n, uint64_t index, bool blank, uint64_t *out)
{
	uint64_t *slot = pages_slot(&n->file.pages, index);
	bool lower = lower_has(n, index);
	err_t err = OK;
	paddr_t pa;

	if (slot == NULL)
		return E_NOMEM;
	if (slot_is_frame(*slot)) {
		*out = *slot;
		return OK;
	}
	TRY(charge(n->fs));
	pa = frame_alloc(FRAME_ZERO);
	if (paddr_is_none(pa))
		err = E_NOMEM;
	else if (lower && *slot == SLOT_EMPTY && !blank)
		err = fill_from_lower(n, index, pa.v);
	if (err != OK) {
		n->fs->pages--;
		if (!paddr_is_none(pa))
			frame_put(pa);
		return err;
	}
	if (lower && *slot == SLOT_EMPTY)
		n->file.covered++;
	*slot = pa.v;
	n->file.pages.frames++;
	tnode_changed(n);
	if (lower)
		remap(n, index, 1);
	*out = pa.v;
	return OK;
}

/* ---- read ---- */

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* Bytes from off on that lie in empty slots: up to the next slot that is not. */
static uint64_t empty_run(const struct tnode *n, uint64_t off)
{
	uint64_t next = pages_next(&n->file.pages, off / PAGE_SIZE);

	return next == UINT64_MAX ? UINT64_MAX : next * PAGE_SIZE - off;
}

static err_t read_lower(struct tnode *n, uint64_t off, size_t len, struct uio *to, size_t *done)
{
	size_t beyond = to->left - len, moved = 0;
	err_t err;

	to->left = len;
	err = n->lower->ops->read(n->lower, off, to, &moved);
	to->left += beyond;
	*done += moved;
	if (err == OK && moved < len)
		return E_IO;
	return err;
}

/* Some bytes from off on; `room`: at most so many, at least 1. */
static err_t read_some(struct tnode *n, uint64_t off, uint64_t room, struct uio *to, size_t *done)
{
	uint64_t slot = pages_get(&n->file.pages, off / PAGE_SIZE), in_page = off % PAGE_SIZE, run;

	if (slot_is_frame(slot))
		return uio_out(to, (char *)frame_va(slot) + in_page,
			       least(room, PAGE_SIZE - in_page), done);
	if (slot == SLOT_HOLE)
		return uio_out_zero(to, least(room, PAGE_SIZE - in_page), done);
	run = empty_run(n, off);
	if (n->lower != NULL && off < n->file.lower_end)
		return read_lower(n, off, least(least(room, run), n->file.lower_end - off), to,
				  done);
	return uio_out_zero(to, least(room, run), done);
}

err_t tfile_read(struct inode *i, uint64_t off, struct uio *to, size_t *done)
{
	*done = 0;
	while (to->left > 0 && off < i->size) {
		size_t before = *done;

		TRY(read_some(tnode_of(i), off, least(to->left, i->size - off), to, done));
		off += *done - before;
	}
	return OK;
}

/* The pieces at off that one look at the pages finds: a frame's, or the lower file's. */
static unsigned pieces_at(struct tnode *n, uint64_t off, uint64_t len, struct uio_piece *out,
			  unsigned max)
{
	uint64_t slot = pages_get(&n->file.pages, off / PAGE_SIZE), in_page = off % PAGE_SIZE;

	if (slot_is_frame(slot)) {
		frame_get(PADDR(slot));
		*out = (struct uio_piece){ (char *)frame_va(slot) + in_page,
					   least(len, PAGE_SIZE - in_page), PADDR(slot) };
		return 1;
	}
	if (slot == SLOT_HOLE || n->lower == NULL || off >= n->file.lower_end ||
	    n->lower->ops->pieces == NULL)
		return 0;
	len = least(least(len, empty_run(n, off)), n->file.lower_end - off);
	return n->lower->ops->pieces(n->lower, off, len, out, max);
}

unsigned tfile_pieces(struct inode *i, uint64_t off, size_t len, struct uio_piece *out,
		      unsigned max)
{
	uint64_t end = off < i->size ? off + least(len, i->size - off) : off;
	unsigned n = 0, got = 1;

	while (off < end && n < max && got > 0) {
		got = pieces_at(tnode_of(i), off, end - off, out + n, max - n);
		for (unsigned k = 0; k < got; k++)
			off += out[n + k].len;
		n += got;
	}
	return n;
}

/* ---- write ---- */

static err_t write_page(struct tnode *n, uint64_t off, size_t len, struct uio *from, size_t *done)
{
	uint64_t slot;

	TRY(own_page(n, off / PAGE_SIZE, len == PAGE_SIZE, &slot));
	/* The frame stands in its slot now: a fault during the copy that maps this page finds the
	 * same one. */
	return uio_in(from, (char *)frame_va(slot) + off % PAGE_SIZE, len, done);
}

static err_t write_seals(const struct tnode *n, uint64_t end)
{
	if ((n->vfs.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
		return E_PERM;
	return (n->vfs.seals & F_SEAL_GROW) != 0 && end > n->vfs.size ? E_PERM : OK;
}

err_t tfile_write(struct inode *i, uint64_t off, struct uio *from, size_t *done)
{
	struct tnode *n = tnode_of(i);
	err_t err = OK;

	*done = 0;
	TRY(write_seals(n, off + from->left));
	while (from->left > 0 && err == OK) {
		size_t before = *done;

		err = write_page(n, off, least(from->left, PAGE_SIZE - off % PAGE_SIZE), from,
				 done);
		off += *done - before;
		if (off > i->size && *done > before)
			i->size = off;
	}
	if (*done > 0) {
		inode_touch(i);
		tnode_changed(n);
	}
	return err;
}

/* ---- size ---- */

/* After slots were cut at a page border: how many of those left hide lower pages. */
static uint64_t count_covered(const struct tnode *n)
{
	uint64_t end = page_count(n->file.lower_end), count = 0;

	if (n->lower == NULL)
		return 0;
	for (uint64_t i = pages_next(&n->file.pages, 0); i < end;
	     i = pages_next(&n->file.pages, i + 1))
		count++;
	return count;
}

static void shrink(struct tnode *n, uint64_t size)
{
	uint64_t first = page_count(size), slot = pages_get(&n->file.pages, size / PAGE_SIZE);
	uint64_t old = page_count(n->vfs.size);

	if (size < n->file.lower_end)
		n->file.lower_end = size;
	/* Also the page that is cut through: the lower file's frame would show what is gone. */
	if (old > size / PAGE_SIZE)
		remap(n, size / PAGE_SIZE, old - size / PAGE_SIZE);
	if (old > first && n->object.users > 0)
		vmobject_truncate(&n->object.obj, first);
	n->fs->pages -= pages_cut(&n->file.pages, first);
	if (size % PAGE_SIZE != 0 && slot_is_frame(slot))
		memset((char *)frame_va(slot) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
	n->file.covered = count_covered(n);
}

err_t tfile_resize(struct tnode *n, uint64_t size)
{
	if ((size < n->vfs.size && (n->vfs.seals & F_SEAL_SHRINK) != 0) ||
	    (size > n->vfs.size && (n->vfs.seals & F_SEAL_GROW) != 0))
		return E_PERM;
	if (size < n->vfs.size)
		shrink(n, size);
	n->vfs.size = size;
	inode_touch(&n->vfs);
	tnode_changed(n);
	return OK;
}

uint64_t tfile_bytes(const struct tnode *n)
{
	uint64_t lower = n->lower != NULL ? page_count(n->file.lower_end) : 0;

	return (n->file.pages.frames + lower - n->file.covered) * PAGE_SIZE;
}

/* ---- holes ---- */

/* Zeros in part of one page. */
static err_t zero_part(struct tnode *n, uint64_t off, uint64_t len)
{
	uint64_t index = off / PAGE_SIZE, slot = pages_get(&n->file.pages, index);

	if (len == 0 || slot == SLOT_HOLE || (slot == SLOT_EMPTY && !lower_has(n, index)))
		return OK;
	TRY(own_page(n, index, false, &slot));
	memset((char *)frame_va(slot) + off % PAGE_SIZE, 0, len);
	return OK;
}

/* Whole page: no frame, and the lower one hidden. */
static err_t zero_page(struct tnode *n, uint64_t index)
{
	bool lower = lower_has(n, index);
	uint64_t *slot;

	if (!lower && pages_get(&n->file.pages, index) == SLOT_EMPTY)
		return OK;
	slot = pages_slot(&n->file.pages, index);
	if (slot == NULL)
		return E_NOMEM;
	remap(n, index, 1);
	if (slot_is_frame(*slot)) {
		frame_put(PADDR(*slot));
		n->file.pages.frames--;
		n->fs->pages--;
	} else if (lower && *slot == SLOT_EMPTY) {
		n->file.covered++;
	}
	*slot = lower ? SLOT_HOLE : SLOT_EMPTY;
	return OK;
}

/* The next page from index on that holds something of ours or of the lower file. */
static uint64_t next_content(const struct tnode *n, uint64_t index)
{
	return lower_has(n, index) ? index : pages_next(&n->file.pages, index);
}

static err_t punch(struct tnode *n, uint64_t off, uint64_t end)
{
	uint64_t first = page_count(off), last = end / PAGE_SIZE;

	if (first > last) /* within one page */
		return zero_part(n, off, end - off);
	TRY(zero_part(n, off, first * PAGE_SIZE - off));
	TRY(zero_part(n, last * PAGE_SIZE, end % PAGE_SIZE));
	for (uint64_t i = next_content(n, first); i < last; i = next_content(n, i + 1))
		TRY(zero_page(n, i));
	tnode_changed(n);
	return OK;
}

/* Frames for all pages of [off, end): all or an error. Room is checked first; memory that runs out
 * on the way leaves pages that show what was there before. */
static err_t allocate_range(struct tnode *n, uint64_t off, uint64_t end)
{
	uint64_t want = 0, slot, range = page_count(end) - off / PAGE_SIZE;
	struct mem_stats m;

	/*
	 * Before anything is counted page by page. A file system without a limit has the memory's.
	 */
	mem_stats(&m);
	if (range > n->fs->max_pages || range > m.total / PAGE_SIZE)
		return E_NOSPC;
	for (uint64_t i = off / PAGE_SIZE; i < page_count(end); i++)
		want += !slot_is_frame(pages_get(&n->file.pages, i));
	if (want > n->fs->max_pages - n->fs->pages)
		return E_NOSPC;
	for (uint64_t i = off / PAGE_SIZE; i < page_count(end); i++)
		TRY(own_page(n, i, false, &slot));
	return OK;
}

err_t tfile_allocate(struct inode *i, int mode, uint64_t off, uint64_t len)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
	struct tnode *n = tnode_of(i);
	uint64_t end;

	if ((mode & ~known) != 0)
		return E_OPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) != 0 &&
	    mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return E_OPNOTSUPP;
	if (!range_end(off, len, &end))
		return E_FBIG;
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > i->size && (i->seals & F_SEAL_GROW) != 0)
		return E_PERM;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) {
		if ((i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
			return E_PERM;
		TRY(punch(n, off, end));
	}
	if ((mode & FALLOC_FL_PUNCH_HOLE) == 0) {
		TRY(allocate_range(n, off, end));
		if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > i->size)
			i->size = end;
	}
	inode_touch(i);
	tnode_changed(n);
	return OK;
}

static bool has_data(const struct tnode *n, uint64_t index)
{
	uint64_t slot = pages_get(&n->file.pages, index);

	return slot_is_frame(slot) || (slot == SLOT_EMPTY && lower_has(n, index));
}

uint64_t tfile_seek_data(struct inode *i, uint64_t off, bool hole)
{
	struct tnode *n = tnode_of(i);
	uint64_t index = off / PAGE_SIZE, end = page_count(i->size);

	if (hole) {
		while (index < end && has_data(n, index))
			index++;
	} else {
		while (index < end && !has_data(n, index)) {
			index = next_content(n, index + 1);
		}
		if (index >= end)
			return UINT64_MAX;
	}
	if (index * PAGE_SIZE <= off)
		return off;
	return index * PAGE_SIZE < i->size ? index * PAGE_SIZE : i->size;
}

/* ---- mappings ---- */

/* The lower file's own frame, if the whole page still shows. */
static bool lower_page(struct tnode *n, uint64_t index, paddr_t *out, err_t *err)
{
	struct vmobject *o;

	if (!lower_has(n, index) || n->lower->ops->object == NULL)
		return false;
	/* A file that was cut and has grown again shows zeros behind the cut. */
	if (n->file.lower_end < n->lower->size && n->file.lower_end < (index + 1) * PAGE_SIZE)
		return false;
	o = n->lower->ops->object(n->lower);
	*err = o->ops->page(o, index, false, out);
	return true;
}

static err_t object_page(struct vmobject *o, uint64_t index, bool write, paddr_t *out)
{
	struct tnode *n = tnode_of(container_of(o, struct inode_object, obj)->inode);
	uint64_t slot;
	err_t err;

	if (index >= page_count(n->vfs.size))
		return E_FAULT;
	slot = pages_get(&n->file.pages, index);
	if (!write && slot == SLOT_EMPTY && lower_page(n, index, out, &err))
		return err;
	/* A hole gets a frame also for reading, as in Linux: one frame serves all later readers and
	 * writers. */
	err = own_page(n, index, false, &slot);
	if (err != OK)
		return err == E_NOSPC ? E_FAULT : err; /* no room: SIGBUS */
	if (write) {
		inode_touch(&n->vfs);
		tnode_changed(n);
	}
	frame_get(PADDR(slot));
	*out = PADDR(slot);
	return OK;
}

/* Of a file that nothing was changed in, what the lower one says. */
static uint64_t object_image_run(struct vmobject *o, uint64_t index, uint64_t count, paddr_t *first)
{
	struct tnode *n = tnode_of(container_of(o, struct inode_object, obj)->inode);

	if (n->lower == NULL || n->lower->ops->object == NULL || n->file.pages.frames != 0 ||
	    n->file.covered != 0 || n->file.lower_end != n->lower->size ||
	    n->vfs.size != n->lower->size)
		return 0;
	o = n->lower->ops->object(n->lower);
	return o->ops->image_run != NULL ? o->ops->image_run(o, index, count, first) : 0;
}

const struct vmobject_ops tmpfs_object_ops = {
	.page = object_page,
	.image_run = object_image_run,
	.get = inode_object_get,
	.put = inode_object_put,
	.describe = inode_object_describe,
};
