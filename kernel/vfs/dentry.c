/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names in memory. A dentry holds its inode and its parent; it is held by paths, by its children
 * and by nothing else. One that nobody holds stays in the hash table, on the LRU list, until more
 * than CACHE_MAX such names exist, memory runs out, or its name is removed.
 *
 * Invariants: on the LRU list exactly when refs == 0 (and then hashed); a name is hashed at most
 * once.
 */
#include "base/hash.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/internal.h"

#define HASH_BUCKETS 2048u
#define CACHE_MAX    8192u

static struct list *buckets;
static struct list lru = LIST_INIT(lru); /* oldest first */
static size_t lru_count;

err_t dentry_cache_init(void)
{
	if (buckets != NULL)
		return OK;
	buckets = kmem_alloc(HASH_BUCKETS * sizeof(*buckets));
	if (buckets == NULL)
		return E_NOMEM;
	for (unsigned i = 0; i < HASH_BUCKETS; i++)
		list_init(&buckets[i]);
	return OK;
}

static uint64_t name_key(const struct dentry *parent, const char *name, size_t len)
{
	return hash_bytes(name, len, hash_u64((uintptr_t)parent));
}

static struct list *bucket_of(uint64_t key)
{
	return &buckets[(key ^ key >> 32) % HASH_BUCKETS];
}

struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len, struct inode *i)
{
	struct dentry *d = kmem_zalloc(sizeof(*d));

	if (d == NULL)
		return NULL;
	d->name = kmem_strndup(name, len);
	if (d->name == NULL) {
		kmem_free(d);
		return NULL;
	}
	d->len = (uint16_t)len;
	d->parent = parent != NULL ? dentry_get(parent) : d;
	d->inode = inode_get(i);
	d->refs = 1;
	list_init(&d->hash);
	list_init(&d->lru);
	return d;
}

struct dentry *dentry_get(struct dentry *d)
{
	if (d->refs++ == 0) {
		list_remove(&d->lru);
		lru_count--;
	}
	return d;
}

static void dentry_free(struct dentry *d)
{
	BUG_ON(d->mounted != NULL);
	inode_put(d->inode);
	kmem_free(d->name);
	kmem_free(d);
}

/* Take an unused name out of memory; the parent's reference is the caller's now (NULL for a
 * root). */
static struct dentry *dentry_evict(struct dentry *d)
{
	struct dentry *parent = d->parent != d ? d->parent : NULL;

	if (list_linked(&d->lru)) {
		list_remove(&d->lru);
		lru_count--;
	}
	list_remove(&d->hash);
	dentry_free(d);
	return parent;
}

void dentry_put(struct dentry *d)
{
	/* A loop, not recursion: a path may be thousands of names deep. */
	while (d != NULL) {
		BUG_ON(d->refs == 0);
		if (--d->refs > 0)
			return;
		if (list_linked(&d->hash)) {
			list_push_back(&lru, &d->lru);
			lru_count++;
			if (lru_count <= CACHE_MAX)
				return;
			d = list_entry(list_first(&lru), struct dentry, lru);
		}
		d = dentry_evict(d);
	}
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len)
{
	uint64_t key = name_key(parent, name, len);
	struct list *bucket = bucket_of(key);

	LIST_FOR_EACH(pos, bucket) {
		struct dentry *d = list_entry(pos, struct dentry, hash);

		if (d->key == key && d->parent == parent && d->len == len &&
		    memcmp(d->name, name, len) == 0)
			return dentry_get(d);
	}
	return NULL;
}

void dentry_hash(struct dentry *d)
{
	d->key = name_key(d->parent, d->name, d->len);
	list_push_front(bucket_of(d->key), &d->hash);
}

void dentry_pin(const struct path *at)
{
	struct dentry *d = at->dentry;

	if (!d->inode->super->volatile_names)
		return;
	for (; d != at->mnt->root && d->parent != d; d = d->parent)
		if (!list_linked(&d->hash) && !d->unlinked)
			dentry_hash(d);
}

static bool mounted_below(const struct dentry *top)
{
	LIST_FOR_EACH(pos, &all_mounts) {
		const struct dentry *d = list_entry(pos, struct mount, all)->at.dentry;

		while (d != NULL && d != top && d->parent != d)
			d = d->parent;
		if (d == top)
			return true;
	}
	return false;
}

/* Each of them is held by the one below, and the lowest by the caller: none is on the LRU list. */
void dentry_unpin(const struct path *at)
{
	struct dentry *d = at->dentry;

	if (!d->inode->super->volatile_names)
		return;
	for (; d != at->mnt->root && d->parent != d && !mounted_below(d); d = d->parent)
		list_remove(&d->hash);
}

void dentry_unlinked(struct dentry *d)
{
	/* The caller holds a reference: it is on no LRU list, and goes with its last user. */
	list_remove(&d->hash);
	d->unlinked = true;
}

void dentry_rename(struct dentry *d, struct dentry *parent, char *name, size_t len)
{
	struct dentry *old = d->parent;

	list_remove(&d->hash);
	kmem_free(d->name);
	d->name = name;
	d->len = (uint16_t)len;
	d->parent = dentry_get(parent);
	dentry_hash(d);
	dentry_put(old);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;
	char *name = a->name;
	uint16_t len = a->len;

	list_remove(&a->hash);
	list_remove(&b->hash);
	a->parent = b->parent;
	a->name = b->name;
	a->len = b->len;
	b->parent = parent;
	b->name = name;
	b->len = len;
	dentry_hash(a);
	dentry_hash(b);
}

size_t dentry_shrink(size_t n)
{
	size_t done = 0;

	while (done < n && !list_empty(&lru)) {
		struct dentry *parent =
			dentry_evict(list_entry(list_first(&lru), struct dentry, lru));

		done++;
		if (parent != NULL)
			dentry_put(parent);
	}
	return done;
}

static struct dentry *unused_of_super(const struct super *s)
{
	LIST_FOR_EACH(pos, &lru) {
		struct dentry *d = list_entry(pos, struct dentry, lru);

		if (d->inode->super == s)
			return d;
	}
	return NULL;
}

void dentry_shrink_super(const struct super *s)
{
	struct dentry *d;

	while ((d = unused_of_super(s)) != NULL) {
		struct dentry *parent = dentry_evict(d);

		if (parent != NULL)
			dentry_put(parent);
	}
}
