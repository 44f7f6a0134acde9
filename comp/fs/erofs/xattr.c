/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes: behind the inode, and shared ones in an area of their own. */
#include "base/str.h"
#include "comp/fs/erofs/local.h"

struct xattr {
	const char *prefix;
	const char *name; /* behind the prefix */
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
	uint64_t bytes; /* that the entry takes, padding included */
};

static const char *prefix_of(uint8_t index)
{
	static const char *const prefixes[] = {
		NULL,
		"user.",
		"system.posix_acl_access",
		"system.posix_acl_default",
		"trusted.",
		NULL,
		"security.",
	};

	return index < ARRAY_SIZE(prefixes) ? prefixes[index] : NULL;
}

static err_t entry_at(const struct erofs_image *img, uint64_t off, uint64_t room, struct xattr *x)
{
	struct erofs_disk_xattr e;
	const uint8_t *p = erofs_at(img, off, sizeof(e));

	if (p == NULL || room < sizeof(e))
		return E_CORRUPT;
	memcpy(&e, p, sizeof(e));
	x->bytes = sizeof(e) + (uint64_t)e.name_len + e.value_size;
	p = erofs_at(img, off, x->bytes);
	if (p == NULL || x->bytes > room)
		return E_CORRUPT;
	x->bytes = ALIGN_UP(x->bytes, 4ull);
	x->prefix = prefix_of(e.name_index);
	x->name = (const char *)p + sizeof(e);
	x->name_len = e.name_len;
	x->value = p + sizeof(e) + e.name_len;
	x->value_len = e.value_size;
	return OK;
}

/* Calls fn for each attribute until it answers true; *found tells. */
typedef bool (*xattr_fn)(void *ctx, const struct xattr *x);

static err_t for_shared(const struct erofs_image *img, uint32_t id, xattr_fn fn, void *ctx,
			bool *found)
{
	struct xattr x;

	TRY(entry_at(img, img->xattr + 4ull * id, UINT64_MAX, &x));
	*found = x.prefix != NULL && fn(ctx, &x);
	return OK;
}

static err_t for_each(struct erofs_inode *i, xattr_fn fn, void *ctx, bool *found)
{
	const struct erofs_image *img = erofs_image_of(&i->vfs);
	struct erofs_disk_xattr_header h;
	uint64_t off = i->xattrs, end = off + i->xattrs_len;
	uint32_t id;
	struct xattr x;

	*found = false;
	if (i->xattrs_len == 0)
		return OK;
	memcpy(&h, erofs_at(img, off, sizeof(h)), sizeof(h));
	off += sizeof(h);
	if (h.shared_count * sizeof(id) > end - off)
		return E_CORRUPT;
	for (unsigned n = 0; n < h.shared_count && !*found; n++, off += sizeof(id)) {
		memcpy(&id, erofs_at(img, off, sizeof(id)), sizeof(id));
		TRY(for_shared(img, id, fn, ctx, found));
	}
	while (!*found && off + sizeof(struct erofs_disk_xattr) <= end) {
		TRY(entry_at(img, off, end - off, &x));
		*found = x.prefix != NULL && fn(ctx, &x);
		off += x.bytes;
	}
	return OK;
}

struct get_ctx {
	const char *name;
	struct xattr hit;
};

static bool name_matches(void *ctx, const struct xattr *x)
{
	struct get_ctx *g = ctx;
	size_t n = strlen(x->prefix);

	if (strncmp(g->name, x->prefix, n) != 0 || strlen(g->name + n) != x->name_len ||
	    memcmp(g->name + n, x->name, x->name_len) != 0)
		return false;
	g->hit = *x;
	return true;
}

err_t erofs_getxattr(struct inode *i, const char *name, void *buf, size_t size, size_t *len)
{
	struct get_ctx g = { .name = name };
	bool found;
	err_t err = for_each(erofs_inode_of(i), name_matches, &g, &found);

	if (err != OK)
		return erofs_damaged(err, "extended attributes", i->ino);
	if (!found)
		return E_NODATA;
	*len = g.hit.value_len;
	if (size == 0)
		return OK;
	if (size < g.hit.value_len)
		return E_RANGE;
	memcpy(buf, g.hit.value, g.hit.value_len);
	return OK;
}

struct list_ctx {
	char *buf;
	size_t size, len;
};

static bool add_name(void *ctx, const struct xattr *x)
{
	struct list_ctx *l = ctx;
	size_t prefix = strlen(x->prefix), n = prefix + x->name_len + 1;

	if (l->size >= n && l->len <= l->size - n) {
		memcpy(l->buf + l->len, x->prefix, prefix);
		memcpy(l->buf + l->len + prefix, x->name, x->name_len);
		l->buf[l->len + n - 1] = '\0';
	}
	l->len += n;
	return false;
}

err_t erofs_listxattr(struct inode *i, char *buf, size_t size, size_t *len)
{
	struct list_ctx l = { .buf = buf, .size = size };
	bool found;
	err_t err = for_each(erofs_inode_of(i), add_name, &l, &found);

	if (err != OK)
		return erofs_damaged(err, "extended attributes", i->ino);
	*len = l.len;
	return size == 0 || l.len <= size ? OK : E_RANGE;
}
