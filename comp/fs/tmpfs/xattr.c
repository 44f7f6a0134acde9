/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes in memory, over those of the lower inode. */
#include <linux/xattr.h>

#include "base/str.h"
#include "comp/fs/tmpfs/local.h"

#define XATTR_BYTES_MAX 65536u /* names and values of one inode */

static struct txattr *find(struct tnode *n, const char *name)
{
	LIST_FOR_EACH(pos, &n->xattrs) {
		struct txattr *x = list_entry(pos, struct txattr, node);

		if (strcmp(x->name, name) == 0)
			return x;
	}
	return NULL;
}

static void txattr_free(struct tnode *n, struct txattr *x)
{
	n->xattr_bytes -= strlen(x->name) + x->size;
	list_remove(&x->node);
	kmem_free(x->name);
	kmem_free(x->value);
	kmem_free(x);
}

void txattr_clear(struct tnode *n)
{
	LIST_FOR_EACH_SAFE(pos, &n->xattrs)
		txattr_free(n, list_entry(pos, struct txattr, node));
}

static err_t lower_get(struct tnode *n, const char *name, void *buf, size_t size, size_t *len)
{
	if (n->lower == NULL || n->lower->ops->getxattr == NULL)
		return E_NODATA;
	return n->lower->ops->getxattr(n->lower, name, buf, size, len);
}

err_t txattr_get(struct inode *i, const char *name, void *buf, size_t size, size_t *len)
{
	struct tnode *n = tnode_of(i);
	const struct txattr *x = find(n, name);

	if (x == NULL)
		return lower_get(n, name, buf, size, len);
	if (x->value == NULL)
		return E_NODATA;
	*len = x->size;
	if (size == 0)
		return OK;
	if (size < x->size)
		return E_RANGE;
	memcpy(buf, x->value, x->size);
	return OK;
}

static struct txattr *txattr_new(struct tnode *n, const char *name, const void *buf, size_t size)
{
	struct txattr *x = kmem_zalloc(sizeof(*x));

	if (x == NULL)
		return NULL;
	x->name = kmem_strdup(name);
	if (buf != NULL)
		x->value = kmem_alloc(size + 1); /* not NULL for an empty value */
	if (x->name == NULL || (buf != NULL && x->value == NULL)) {
		kmem_free(x->name);
		kmem_free(x->value);
		kmem_free(x);
		return NULL;
	}
	if (buf != NULL)
		memcpy(x->value, buf, size);
	x->size = buf != NULL ? size : 0;
	n->xattr_bytes += strlen(name) + x->size;
	list_push_back(&n->xattrs, &x->node);
	return x;
}

err_t txattr_set(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct tnode *n = tnode_of(i);
	struct txattr *old = find(n, name);
	size_t ignored;
	bool lower = lower_get(n, name, NULL, 0, &ignored) == OK;
	bool there = old != NULL ? old->value != NULL : lower;

	if (there && (flags & XATTR_CREATE) != 0)
		return E_EXIST;
	if (!there && (buf == NULL || (flags & XATTR_REPLACE) != 0))
		return E_NODATA;
	if (buf != NULL && n->xattr_bytes + strlen(name) + size > XATTR_BYTES_MAX)
		return E_NOSPC;
	/* Removing hides the lower attribute; where there is none, nothing need be kept. */
	if ((buf != NULL || lower) && txattr_new(n, name, buf, size) == NULL)
		return E_NOMEM;
	if (old != NULL)
		txattr_free(n, old);
	i->ctime_ns = (int64_t)time_real_ns();
	tnode_changed(n);
	return OK;
}

/* The lower list without names that are ours; at most 64 KiB, as Linux. */
static err_t list_lower(struct tnode *n, char **out, size_t *len)
{
	char *buf;
	err_t err;

	*out = NULL;
	*len = 0;
	if (n->lower == NULL || n->lower->ops->listxattr == NULL)
		return OK;
	TRY(n->lower->ops->listxattr(n->lower, NULL, 0, len));
	if (*len == 0)
		return OK;
	buf = kmem_alloc(*len);
	if (buf == NULL)
		return E_NOMEM;
	err = n->lower->ops->listxattr(n->lower, buf, *len, len);
	if (err != OK)
		kmem_free(buf);
	else
		*out = buf;
	return err;
}

struct list_out {
	char *buf;
	size_t size, len;
};

static void add(struct list_out *o, const char *name)
{
	size_t bytes = strlen(name) + 1;

	if (o->size >= bytes && o->len <= o->size - bytes)
		memcpy(o->buf + o->len, name, bytes);
	o->len += bytes;
}

err_t txattr_list(struct inode *i, char *buf, size_t size, size_t *len)
{
	struct tnode *n = tnode_of(i);
	struct list_out o = { .buf = buf, .size = size };
	size_t lower_len;
	char *lower;

	TRY(list_lower(n, &lower, &lower_len));
	for (size_t at = 0; at < lower_len; at += strlen(lower + at) + 1)
		if (find(n, lower + at) == NULL)
			add(&o, lower + at);
	kmem_free(lower);
	LIST_FOR_EACH(pos, &n->xattrs) {
		const struct txattr *x = list_entry(pos, struct txattr, node);

		if (x->value != NULL)
			add(&o, x->name);
	}
	*len = o.len;
	return size == 0 || o.len <= size ? OK : E_RANGE;
}
