/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of comp/fs/erofs only. */
#pragma once

#include "base/checked.h"
#include "comp/fs/erofs/erofs.h"
#include "comp/fs/erofs/format.h"
#include "kernel/vfs/object.h"

struct erofs_image {
	const uint8_t *va;
	uint64_t len;
	paddr_t pa;
	uint64_t meta, xattr; /* offsets of the two areas */
	uint64_t root_nid, inodes, blocks;
	int64_t build_time_ns;
	bool window; /* its frames may be mapped to programs: the image begins on a page border */
};

struct erofs_inode {
	struct inode vfs;
	struct inode_object object;
	uint64_t nid;
	uint64_t data; /* offset of the consecutive blocks; those hold [0, plain) of the file */
	uint64_t plain;
	uint64_t tail;   /* offset of what follows the inode: [plain, size) of the file */
	uint64_t xattrs; /* offset and length of the area behind the inode; length 0: none */
	uint32_t xattrs_len;
	bool last_checked,
		last_copied; /* of the last page: are the bytes behind the end zero? see file.c */
	paddr_t last_copy;   /* our own frame for the last page, or none */
};

/* ---- image.c ---- */

/* Check the super block and fill *img. E_CORRUPT, E_INVAL (features that cannot be read); both
 * logged. */
err_t erofs_image_init(struct erofs_image *img, const uint8_t *va, uint64_t len,
		       paddr_t pa) MUST_CHECK;
/* [off, +len) of the image, or NULL when it leads outside. Alignment is not promised: copy
 * structures out. */
const void *erofs_at(const struct erofs_image *img, uint64_t off, uint64_t len);
/* Fill an inode from the image. E_CORRUPT, E_OPNOTSUPP (compressed and the like). */
err_t erofs_inode_load(const struct erofs_image *img, uint64_t nid,
		       struct erofs_inode *out) MUST_CHECK;
/* Bytes of a file from `off` on (below size): *avail consecutive ones, at least 1. NULL: the image
 * is damaged. */
const uint8_t *erofs_data(const struct erofs_image *img, const struct erofs_inode *i, uint64_t off,
			  uint64_t *avail);
/* Log damage (at most a few lines in all) and answer E_IO, or pass another error on. */
err_t erofs_damaged(err_t err, const char *what, uint64_t nid);

static inline struct erofs_image *erofs_image_of(const struct inode *i)
{
	return i->super->priv;
}

static inline struct erofs_inode *erofs_inode_of(struct inode *i)
{
	return container_of(i, struct erofs_inode, vfs);
}

/* ---- dir.c ---- */
err_t erofs_dir_lookup(struct erofs_inode *dir, const char *name, size_t len,
		       uint64_t *nid) MUST_CHECK;
err_t erofs_dir_read(struct erofs_inode *dir, uint64_t pos, dir_emit emit, void *ctx) MUST_CHECK;

/* ---- xattr.c ---- */
err_t erofs_getxattr(struct inode *i, const char *name, void *buf, size_t size, size_t *len);
err_t erofs_listxattr(struct inode *i, char *buf, size_t size, size_t *len);

/* ---- file.c ---- */
unsigned erofs_pieces(struct inode *vi, uint64_t off, size_t len, struct uio_piece *out,
		      unsigned max);
err_t erofs_read(struct inode *i, uint64_t off, struct uio *to, size_t *done);
struct vmobject *erofs_object(struct inode *i);
void erofs_object_release(struct erofs_inode *i);
extern const struct vmobject_ops erofs_object_ops;
