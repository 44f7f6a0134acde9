/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of files: reading, and pages for mappings, which are the image's own frames wherever
 * that is right. */
#include "abi/layout.h"
#include "base/str.h"
#include "comp/fs/erofs/local.h"
#include "kernel/mem/frame.h"

err_t erofs_read(struct inode *vi, uint64_t off, struct uio *to, size_t *done)
{
	struct erofs_inode *i = erofs_inode_of(vi);

	*done = 0;
	while (to->left > 0 && off + *done < vi->size) {
		uint64_t avail;
		const uint8_t *p = erofs_data(erofs_image_of(vi), i, off + *done, &avail);

		if (p == NULL)
			return erofs_damaged(E_CORRUPT, "contents of a file", i->nid);
		TRY(uio_out(to, p, avail < to->left ? avail : to->left, done));
	}
	return OK;
}

unsigned erofs_pieces(struct inode *vi, uint64_t off, size_t len, struct uio_piece *out,
		      unsigned max)
{
	struct erofs_inode *i = erofs_inode_of(vi);
	unsigned n = 0;

	while (len > 0 && n < max && off < vi->size) {
		uint64_t avail;
		const uint8_t *p = erofs_data(erofs_image_of(vi), i, off, &avail);

		if (p == NULL)
			break; /* reading tells why */
		if (avail > len)
			avail = len;
		out[n++] = (struct uio_piece){ (char *)(uintptr_t)p, avail, PADDR_NONE };
		off += avail;
		len -= avail;
	}
	return n;
}

/* Copy what there is of page `index` into a fresh frame; the rest is zero. */
static err_t copy_page(struct erofs_inode *i, uint64_t index, paddr_t *out)
{
	paddr_t pa = frame_alloc(FRAME_ZERO);
	size_t done;
	struct uio to;
	err_t err;

	if (paddr_is_none(pa))
		return E_NOMEM;
	uio_kernel(&to, (void *)(DM_BASE + pa.v), PAGE_SIZE);
	err = erofs_read(&i->vfs, index * PAGE_SIZE, &to, &done);
	if (err != OK) {
		frame_put(pa);
		return err;
	}
	*out = pa;
	return OK;
}

/* May the last page be mapped from the image: is it a whole page there, with zeros behind the
 * file's end? */
static bool last_page_clean(const struct erofs_inode *i, uint64_t index)
{
	uint64_t used = i->vfs.size - index * PAGE_SIZE;
	const uint8_t *p;

	if (i->plain != i->vfs.size)
		return false; /* it follows the inode */
	p = erofs_at(erofs_image_of(&i->vfs), i->data + index * PAGE_SIZE, PAGE_SIZE);
	if (p == NULL)
		return false;
	for (uint64_t n = used; n < PAGE_SIZE; n++)
		if (p[n] != 0)
			return false;
	return true;
}

/* The last page when it is not full: decided once, a copy is kept for those who come later. */
static err_t last_page(struct erofs_inode *i, uint64_t index, paddr_t *out)
{
	if (!i->last_checked) {
		if (!last_page_clean(i, index)) {
			TRY(copy_page(i, index, &i->last_copy));
			i->last_copied = true;
		}
		i->last_checked = true;
	}
	if (i->last_copied) {
		frame_get(i->last_copy);
		*out = i->last_copy;
	} else {
		*out = PADDR(erofs_image_of(&i->vfs)->pa.v + i->data + index * PAGE_SIZE);
	}
	return OK;
}

static err_t object_page(struct vmobject *o, uint64_t index, bool write, paddr_t *out)
{
	struct erofs_inode *i = erofs_inode_of(container_of(o, struct inode_object, obj)->inode);
	const struct erofs_image *img = erofs_image_of(&i->vfs);

	if (write)
		return E_ROFS;
	if (index >= ALIGN_UP(i->vfs.size, PAGE_SIZE) / PAGE_SIZE)
		return E_FAULT;
	if (!img->window)
		return copy_page(i, index, out);
	if ((index + 1) * PAGE_SIZE > i->vfs.size)
		return last_page(i, index, out);
	*out = PADDR(img->pa.v + i->data + index * PAGE_SIZE);
	return OK;
}

/* Whole pages only: the last one may have to be a copy. */
static uint64_t object_image_run(struct vmobject *o, uint64_t index, uint64_t n, paddr_t *first)
{
	struct erofs_inode *i = erofs_inode_of(container_of(o, struct inode_object, obj)->inode);
	const struct erofs_image *img = erofs_image_of(&i->vfs);
	uint64_t whole = i->vfs.size / PAGE_SIZE;

	if (!img->window || index >= whole)
		return 0;
	*first = PADDR(img->pa.v + i->data + index * PAGE_SIZE);
	return n < whole - index ? n : whole - index;
}

const struct vmobject_ops erofs_object_ops = {
	.page = object_page,
	.image_run = object_image_run,
	.get = inode_object_get,
	.put = inode_object_put,
	.describe = inode_object_describe,
};

struct vmobject *erofs_object(struct inode *vi)
{
	return &erofs_inode_of(vi)->object.obj;
}

void erofs_object_release(struct erofs_inode *i)
{
	if (i->last_copied)
		frame_put(i->last_copy);
}
