/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories: binary search for a name, and listing. */
#include "base/str.h"
#include "comp/fs/erofs/local.h"

/* One block of a directory, checked so far that `count` entries lie in it. */
struct dir_block {
	const uint8_t *p;
	uint32_t len;
	uint32_t count;
};

struct dir_name {
	const char *name;
	uint32_t len;
	uint64_t nid;
	uint8_t type;
};

static err_t block_get(struct erofs_inode *dir, uint64_t index, struct dir_block *b)
{
	uint64_t off = index * EROFS_BLOCK, avail;
	struct erofs_disk_dirent first;

	b->p = erofs_data(erofs_image_of(&dir->vfs), dir, off, &avail);
	if (b->p == NULL)
		return E_CORRUPT;
	b->len = avail < EROFS_BLOCK ? (uint32_t)avail : EROFS_BLOCK;
	if (b->len < sizeof(first))
		return E_CORRUPT;
	memcpy(&first, b->p, sizeof(first));
	if (first.nameoff < sizeof(first) || first.nameoff >= b->len ||
	    first.nameoff % sizeof(first) != 0)
		return E_CORRUPT;
	b->count = first.nameoff / (uint32_t)sizeof(first);
	return OK;
}

static err_t entry_get(const struct dir_block *b, uint32_t index, struct dir_name *out)
{
	struct erofs_disk_dirent d, next;
	uint32_t end = b->len;

	memcpy(&d, b->p + index * sizeof(d), sizeof(d));
	if (index + 1 < b->count) {
		memcpy(&next, b->p + (index + 1) * sizeof(next), sizeof(next));
		end = next.nameoff;
	}
	if (d.nameoff < b->count * sizeof(d) || d.nameoff >= end || end > b->len)
		return E_CORRUPT;
	out->name = (const char *)b->p + d.nameoff;
	out->len = (uint32_t)strnlen(out->name, end - d.nameoff);
	out->nid = d.nid;
	out->type = d.type;
	return out->len > 0 && out->len <= 255 && memchr(out->name, '/', out->len) == NULL
		       ? OK
		       : E_CORRUPT;
}

/* Order of names: bytes, then length. */
static int compare(const char *a, size_t alen, const struct dir_name *b)
{
	int d = memcmp(a, b->name, alen < b->len ? alen : b->len);

	if (d != 0)
		return d;
	return alen < b->len ? -1 : alen > b->len;
}

static uint64_t block_count(const struct erofs_inode *dir)
{
	return dir->vfs.size / EROFS_BLOCK + (dir->vfs.size % EROFS_BLOCK != 0);
}

/* The last block whose first name is not behind `name`. */
static err_t find_block(struct erofs_inode *dir, const char *name, size_t len, uint64_t *out)
{
	uint64_t lo = 0, hi = block_count(dir);

	*out = 0;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		struct dir_block b;
		struct dir_name first;

		TRY(block_get(dir, mid, &b));
		TRY(entry_get(&b, 0, &first));
		if (compare(name, len, &first) < 0) {
			hi = mid;
		} else {
			*out = mid;
			lo = mid + 1;
		}
	}
	return OK;
}

err_t erofs_dir_lookup(struct erofs_inode *dir, const char *name, size_t len, uint64_t *nid)
{
	struct dir_block b;
	uint64_t block;
	uint32_t lo = 0, hi;

	if (dir->vfs.size == 0)
		return E_NOENT;
	TRY(find_block(dir, name, len, &block));
	TRY(block_get(dir, block, &b));
	hi = b.count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct dir_name e;
		int d;

		TRY(entry_get(&b, mid, &e));
		d = compare(name, len, &e);
		if (d == 0) {
			*nid = e.nid;
			return OK;
		}
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return E_NOENT;
}

static unsigned dirent_type(uint8_t type)
{
	static const uint8_t dt[] = {
		0, 8, 4, 2, 6, 1, 12, 10
	}; /* as DT_UNKNOWN, DT_REG, DT_DIR ... */

	return type < sizeof(dt) ? dt[type] : 0;
}

static bool is_dots(const struct dir_name *e)
{
	return e->name[0] == '.' && (e->len == 1 || (e->len == 2 && e->name[1] == '.'));
}

/* A position is block * 4096 + index of the next entry: a block has fewer than 4096. */
err_t erofs_dir_read(struct erofs_inode *dir, uint64_t pos, dir_emit emit, void *ctx)
{
	uint64_t blocks = block_count(dir), block = pos / EROFS_BLOCK;
	uint32_t index = (uint32_t)(pos % EROFS_BLOCK);

	for (; block < blocks; block++, index = 0) {
		struct dir_block b;

		TRY(block_get(dir, block, &b));
		for (; index < b.count; index++) {
			struct dir_name e;

			TRY(entry_get(&b, index, &e));
			if (is_dots(&e))
				continue;
			if (!emit(ctx, e.name, e.len, e.nid, dirent_type(e.type),
				  block * EROFS_BLOCK + index + 1))
				return OK;
		}
	}
	return OK;
}
