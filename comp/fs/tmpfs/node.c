/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of nodes. */
#include <linux/fs.h>

#include "base/str.h"
#include "comp/fs/tmpfs/local.h"

struct list tmpfs_all = LIST_INIT(tmpfs_all);

static struct tnode *tnode_alloc(struct tmpfs *fs, uint64_t ino, uint32_t mode)
{
	struct tnode *n = kmem_zalloc(sizeof(*n));

	if (n == NULL)
		return NULL;
	inode_init(&n->vfs, fs->super, &tmpfs_inode_ops, ino, mode);
	inode_object_init(&n->object, &n->vfs, &tmpfs_object_ops);
	n->fs = fs;
	list_init(&n->entries);
	list_init(&n->xattrs);
	list_init(&n->dying);
	return n;
}

err_t tnode_create(struct tmpfs *fs, uint32_t mode, const struct inode *dir, struct tnode **out)
{
	struct tnode *n;

	if (fs->inodes >= fs->max_inodes)
		return E_NOSPC;
	n = tnode_alloc(fs, fs->last_ino + 1, mode);
	if (n == NULL)
		return E_NOMEM;
	fs->last_ino++;
	fs->inodes++;
	n->changed = true;
	inode_init_owner(&n->vfs, dir);
	if (S_ISDIR(mode))
		n->vfs.nlink = 2;
	*out = n;
	return OK;
}

static bool lower_less(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct tnode, by_lower)->lower->ino <
	       container_of(b, struct tnode, by_lower)->lower->ino;
}

static int lower_cmp(const struct tree_node *n, const void *key)
{
	uint64_t ino = container_of(n, struct tnode, by_lower)->lower->ino,
		 want = *(const uint64_t *)key;

	return ino < want ? -1 : ino > want;
}

err_t tnode_of_lower(struct tmpfs *fs, struct inode *lower, struct tnode **out)
{
	struct tnode *n = tree_entry_or_null(tree_find(&fs->by_lower, &lower->ino, lower_cmp),
					     struct tnode, by_lower);

	if (n != NULL) {
		inode_put(lower);
		inode_get(&n->vfs);
		*out = n;
		return OK;
	}
	n = tnode_alloc(fs, lower->ino, lower->mode);
	if (n == NULL) {
		inode_put(lower);
		return E_NOMEM;
	}
	n->lower = lower;
	n->vfs.uid = lower->uid;
	n->vfs.gid = lower->gid;
	n->vfs.nlink = lower->nlink;
	n->vfs.rdev = lower->rdev;
	n->vfs.size = lower->size;
	n->vfs.atime_ns = lower->atime_ns;
	n->vfs.mtime_ns = lower->mtime_ns;
	n->vfs.ctime_ns = lower->ctime_ns;
	n->vfs.btime_ns = lower->btime_ns;
	if (S_ISREG(lower->mode))
		n->file.lower_end = lower->size;
	tree_insert(&fs->by_lower, &n->by_lower, lower_less);
	*out = n;
	return OK;
}

void tnode_changed(struct tnode *n)
{
	n->changed = true;
	if (n->lower != NULL && !n->pinned && !S_ISDIR(n->vfs.mode) && n->lower->nlink > 1 &&
	    n->vfs.nlink > 0) {
		n->pinned = true;
		inode_get(&n->vfs);
	}
}

void tnode_drop_link(struct tnode *n)
{
	n->vfs.ctime_ns = (int64_t)time_real_ns();
	if (S_ISDIR(n->vfs.mode))
		n->vfs.nlink = 0;
	else
		n->vfs.nlink--;
	tnode_changed(n);
	if (n->vfs.nlink == 0 && n->pinned) {
		n->pinned = false;
		inode_put(&n->vfs);
	}
}

/* ---- the end ---- */

static void drop_all_pins(struct tmpfs *fs)
{
	struct tree_node *t = tree_first(&fs->by_lower);

	while (t != NULL) {
		struct tnode *n = tree_entry(t, struct tnode, by_lower);

		if (!n->pinned) {
			t = tree_next(t);
			continue;
		}
		n->pinned = false;
		inode_put(&n->vfs); /* may change the tree */
		t = tree_first(&fs->by_lower);
	}
}

static void tnode_free(struct tnode *n)
{
	struct tmpfs *fs = n->fs;

	if (S_ISDIR(n->vfs.mode))
		tdir_clear(n);
	else if (S_ISREG(n->vfs.mode))
		fs->pages -= pages_cut(&n->file.pages, 0);
	else if (S_ISLNK(n->vfs.mode))
		kmem_free(n->target);
	txattr_clear(n);
	if (n == fs->root)
		drop_all_pins(fs);
	if (n->lower != NULL) {
		tree_remove(&fs->by_lower, &n->by_lower);
		inode_put(n->lower);
	} else {
		fs->inodes--;
	}
	kmem_free(n);
}

/*
 * Freeing a directory puts its entries' nodes, which brings us here again: those queue up instead,
 * so that the stack does not grow with the depth of the tree. The first of them holds the super
 * until its own release is through.
 */
void tnode_release(struct inode *i)
{
	static struct list queue = LIST_INIT(queue);
	static bool busy;
	struct list *next;

	list_push_back(&queue, &tnode_of(i)->dying);
	if (busy)
		return;
	busy = true;
	while ((next = list_pop_front(&queue)) != NULL)
		tnode_free(container_of(next, struct tnode, dying));
	busy = false;
}

/* ---- memory pressure: nodes that say nothing beyond the lower tree ---- */

static bool is_clean(const struct tnode *n)
{
	if (n->changed || n->pinned || n->object.users > 0 || list_empty(&n->entries))
		return false;
	if (S_ISDIR(n->vfs.mode) && !tree_empty(&n->dir.names))
		return false;
	LIST_FOR_EACH(pos, &n->entries)
		if (!list_entry(pos, struct tentry, of_node)->in_place)
			return false;
	return n->vfs.refs == list_length(&n->entries);
}

static size_t reclaim_pass(struct tmpfs *fs)
{
	struct tree_node *next;
	size_t freed = 0;

	for (struct tree_node *t = tree_first(&fs->by_lower); t != NULL; t = next) {
		struct tnode *n = tree_entry(t, struct tnode, by_lower);

		next = tree_next(t);
		if (!is_clean(n))
			continue;
		freed += sizeof(*n) + sizeof(struct tentry);
		while (!list_empty(&n->entries)) {
			struct tentry *e = list_entry(list_first(&n->entries), struct tentry,
						      of_node);
			bool last = e->of_node.next == e->of_node.prev;

			tentry_forget(e);
			if (last)
				break; /* n is gone */
		}
	}
	return freed;
}

size_t tmpfs_reclaim(size_t want)
{
	size_t bytes = 0, pass;

	LIST_FOR_EACH(pos, &tmpfs_all) {
		struct tmpfs *fs = list_entry(pos, struct tmpfs, all);

		/* Each pass makes parents of what it drops clean: go on while it pays. */
		do {
			pass = reclaim_pass(fs);
			bytes += pass;
		} while (pass > 0 && bytes / PAGE_SIZE < want);
	}
	return bytes / PAGE_SIZE;
}
