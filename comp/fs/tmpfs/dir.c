/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories: names over those of a lower directory. */
#include <linux/fs.h>

#include "base/str.h"
#include "comp/fs/tmpfs/local.h"

#define ENTRY_SIZE 20u          /* what one name adds to a directory's size */
#define POS_OURS   (1ull << 62) /* readdir: positions of our own entries begin here */

/* ---- entries ---- */

struct name_key {
	const char *name;
	size_t len;
};

static int name_order(const char *a, size_t alen, const char *b, size_t blen)
{
	if (alen != blen)
		return alen < blen ? -1 : 1;
	return memcmp(a, b, alen);
}

static bool name_less(const struct tree_node *a, const struct tree_node *b)
{
	const struct tentry *x = container_of(a, struct tentry, by_name),
			    *y = container_of(b, struct tentry, by_name);

	return name_order(x->name, x->len, y->name, y->len) < 0;
}

static int name_cmp(const struct tree_node *n, const void *key)
{
	const struct tentry *e = container_of(n, struct tentry, by_name);
	const struct name_key *k = key;

	return name_order(e->name, e->len, k->name, k->len);
}

static bool seq_less(const struct tree_node *a, const struct tree_node *b)
{
	return container_of(a, struct tentry, by_seq)->seq <
	       container_of(b, struct tentry, by_seq)->seq;
}

static int seq_cmp(const struct tree_node *n, const void *key)
{
	uint64_t seq = container_of(n, struct tentry, by_seq)->seq, want = *(const uint64_t *)key;

	return seq < want ? -1 : seq > want;
}

static struct tentry *entry_find(struct tnode *dir, const char *name, size_t len)
{
	struct name_key k = { name, len };

	return tree_entry_or_null(tree_find(&dir->dir.names, &k, name_cmp), struct tentry, by_name);
}

/* A white-out in all but the table: entry_add() enters it. */
static struct tentry *entry_alloc(struct tnode *dir, const char *name, size_t len)
{
	struct tentry *e = kmem_zalloc(sizeof(*e) + len);

	if (e == NULL)
		return NULL;
	e->dir = dir;
	e->len = (uint16_t)len;
	memcpy(e->name, name, len);
	list_init(&e->of_node);
	return e;
}

static void entry_add(struct tentry *e)
{
	tree_insert(&e->dir->dir.names, &e->by_name, name_less);
}

static void entry_free(struct tentry *e)
{
	if (tree_linked(&e->by_name))
		tree_remove(&e->dir->dir.names, &e->by_name);
	kmem_free(e);
}

/* Give a white-out a node (whose reference it takes over). */
static void entry_set(struct tentry *e, struct tnode *n, bool in_place)
{
	struct tnode *dir = e->dir;

	e->node = n;
	e->in_place = in_place;
	list_push_back(&n->entries, &e->of_node);
	dir->dir.live++;
	if (in_place)
		return;
	e->seq = ++dir->dir.last_seq;
	tree_insert(&dir->dir.order, &e->by_seq, seq_less);
	dir->vfs.size += ENTRY_SIZE;
}

/* Make it a white-out again; answers the node with its reference. */
static struct tnode *entry_take(struct tentry *e)
{
	struct tnode *n = e->node, *dir = e->dir;

	list_remove(&e->of_node);
	e->node = NULL;
	dir->dir.live--;
	if (!e->in_place) {
		tree_remove(&dir->dir.order, &e->by_seq);
		dir->vfs.size -= ENTRY_SIZE;
	}
	e->in_place = false;
	return n;
}

/* The name is gone: the white-out stays only where it hides something. */
static void entry_end(struct tentry *e)
{
	if (!e->covers)
		entry_free(e);
}

void tentry_forget(struct tentry *e)
{
	struct tnode *n = entry_take(e);

	entry_free(e);
	inode_put(&n->vfs);
}

void tdir_clear(struct tnode *dir)
{
	struct tree_node *t;

	while ((t = dir->dir.names.root) != NULL) {
		struct tentry *e = container_of(t, struct tentry, by_name);

		if (e->node != NULL)
			inode_put(&entry_take(e)->vfs);
		entry_free(e);
	}
}

static void dir_changed(struct tnode *dir)
{
	inode_touch(&dir->vfs);
	tnode_changed(dir);
}

/* ---- looking up ---- */

/* The entry, looked up in the lower directory if need be; it may be a white-out. E_NOENT: no entry
 * at all. */
static err_t entry_lookup(struct tnode *dir, const char *name, size_t len, struct tentry **out)
{
	struct tentry *e = entry_find(dir, name, len);
	struct inode *lower;
	struct tnode *n;

	if (e != NULL) {
		*out = e;
		return OK;
	}
	if (dir->lower == NULL)
		return E_NOENT;
	TRY(dir->lower->ops->lookup(dir->lower, name, len, &lower));
	TRY(tnode_of_lower(dir->fs, lower, &n));
	e = entry_alloc(dir, name, len);
	if (e == NULL) {
		inode_put(&n->vfs);
		return E_NOMEM;
	}
	e->covers = true;
	entry_add(e);
	entry_set(e, n, true);
	*out = e;
	return OK;
}

err_t tdir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct tentry *e;

	if (!S_ISDIR(dir->mode))
		return E_NOTDIR;
	TRY(entry_lookup(tnode_of(dir), name, len, &e));
	if (e->node == NULL)
		return E_NOENT;
	*out = inode_get(&e->node->vfs);
	return OK;
}

/* ---- making ---- */

/* A white-out to be filled under a free name: *fresh tells that it is not in the table yet. */
static err_t entry_prepare(struct tnode *dir, const char *name, size_t len, struct tentry **out,
			   bool *fresh)
{
	err_t err;

	if (dir->vfs.nlink == 0)
		return E_NOENT;
	err = entry_lookup(dir, name, len, out);
	*fresh = err == E_NOENT;
	if (err == OK)
		return (*out)->node != NULL ? E_EXIST : OK;
	if (err != E_NOENT)
		return err;
	*out = entry_alloc(dir, name, len);
	return *out != NULL ? OK : E_NOMEM;
}

static void entry_commit(struct tentry *e, bool fresh, struct tnode *n)
{
	if (fresh)
		entry_add(e);
	entry_set(e, n, false);
	if (S_ISDIR(n->vfs.mode))
		e->dir->vfs.nlink++;
	dir_changed(e->dir);
}

/* A new node under a new name; *out gets a reference of its own. */
static err_t make(struct inode *di, const char *name, size_t len, uint32_t mode, struct tnode **out)
{
	struct tnode *dir = tnode_of(di), *n;
	struct tentry *e;
	bool fresh;
	err_t err;

	TRY(entry_prepare(dir, name, len, &e, &fresh));
	err = tnode_create(dir->fs, mode, di, &n);
	if (err != OK) {
		if (fresh)
			entry_free(e);
		return err;
	}
	entry_commit(e, fresh, n);
	inode_get(&n->vfs);
	*out = n;
	return OK;
}

err_t tdir_create(struct inode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev,
		  struct inode **out)
{
	struct tnode *n;

	TRY(make(dir, name, len, mode, &n));
	n->vfs.rdev = rdev;
	*out = &n->vfs;
	return OK;
}

err_t tdir_symlink(struct inode *dir, const char *name, size_t len, const char *target,
		   struct inode **out)
{
	char *copy = kmem_strdup(target);
	struct tnode *n;
	err_t err;

	if (copy == NULL)
		return E_NOMEM;
	err = make(dir, name, len, S_IFLNK | 0777, &n);
	if (err != OK) {
		kmem_free(copy);
		return err;
	}
	n->target = copy;
	n->vfs.size = strlen(copy);
	*out = &n->vfs;
	return OK;
}

err_t tdir_tmpfile(struct inode *dir, uint32_t mode, struct inode **out)
{
	struct tnode *n;

	TRY(tnode_create(tnode_of(dir)->fs, mode, dir, &n));
	n->vfs.nlink = 0;
	*out = &n->vfs;
	return OK;
}

err_t tdir_link(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct tnode *n = tnode_of(target);
	struct tentry *e;
	bool fresh;

	if (target->nlink >= UINT32_MAX - 1)
		return E_MLINK;
	TRY(entry_prepare(tnode_of(dir), name, len, &e, &fresh));
	inode_get(target);
	target->nlink++;
	target->ctime_ns = (int64_t)time_real_ns();
	entry_commit(e, fresh, n);
	tnode_changed(n);
	return OK;
}

/* ---- removing ---- */

struct visible_ctx {
	struct tnode *dir;
	bool found;
};

static bool note_visible(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			 uint64_t pos)
{
	struct visible_ctx *v = ctx;

	(void)ino;
	(void)type;
	(void)pos;
	/* Names that have an entry are counted by it; a white-out is none. Stop at the first other
	 * one. */
	v->found = entry_find(v->dir, name, len) == NULL;
	return !v->found;
}

static err_t check_empty(struct tnode *dir)
{
	struct visible_ctx v = { .dir = dir };

	if (dir->dir.live > 0)
		return E_NOTEMPTY;
	if (dir->lower == NULL)
		return OK;
	TRY(dir->lower->ops->readdir(dir->lower, 0, note_visible, &v));
	return v.found ? E_NOTEMPTY : OK;
}

/* The node of an entry that goes loses this name. The entry is a white-out afterwards. */
static void entry_unlink(struct tentry *e)
{
	struct tnode *n = entry_take(e);

	if (S_ISDIR(n->vfs.mode))
		e->dir->vfs.nlink--;
	tnode_drop_link(n);
	inode_put(&n->vfs);
}

err_t tdir_unlink(struct inode *di, const char *name, size_t len, bool dir_wanted)
{
	struct tnode *dir = tnode_of(di);
	struct tentry *e;

	TRY(entry_lookup(dir, name, len, &e));
	if (e->node == NULL)
		return E_NOENT;
	if (S_ISDIR(e->node->vfs.mode)) {
		if (!dir_wanted)
			return E_ISDIR;
		TRY(check_empty(e->node));
	} else if (dir_wanted) {
		return E_NOTDIR;
	}
	entry_unlink(e);
	entry_end(e);
	dir_changed(dir);
	return OK;
}

/* ---- renaming ---- */

static void count_subdir(struct tnode *dir, const struct tnode *moved, int by)
{
	if (S_ISDIR(moved->vfs.mode))
		dir->vfs.nlink += (uint32_t)by;
}

static void renamed(struct tentry *e)
{
	e->node->vfs.ctime_ns = (int64_t)time_real_ns();
	tnode_changed(e->node);
	dir_changed(e->dir);
}

static void exchange(struct tentry *a, struct tentry *b)
{
	struct tnode *x = entry_take(a), *y = entry_take(b);

	count_subdir(a->dir, x, -1);
	count_subdir(b->dir, y, -1);
	entry_set(a, y, false);
	entry_set(b, x, false);
	count_subdir(a->dir, y, 1);
	count_subdir(b->dir, x, 1);
	renamed(a);
	renamed(b);
}

/* May what stands at e be replaced by n? */
static err_t check_replace(const struct tnode *n, struct tentry *e)
{
	bool dir = S_ISDIR(n->vfs.mode), old_dir = S_ISDIR(e->node->vfs.mode);

	if (dir != old_dir)
		return dir ? E_NOTDIR : E_ISDIR;
	return dir ? check_empty(e->node) : OK;
}

static void move(struct tentry *from, struct tentry *to, bool fresh)
{
	struct tnode *n = entry_take(from), *from_dir = from->dir;

	if (fresh)
		entry_add(to);
	if (to->node != NULL)
		entry_unlink(to);
	entry_set(to, n, false);
	count_subdir(from_dir, n, -1);
	count_subdir(to->dir, n, 1);
	entry_end(from);
	renamed(to);
	dir_changed(from_dir);
}

err_t tdir_rename(struct inode *fi, const char *name, size_t len, struct inode *ti,
		  const char *name2, size_t len2, unsigned flags)
{
	struct tnode *to_dir = tnode_of(ti);
	struct tentry *from, *to;
	bool fresh;
	err_t err;

	TRY(entry_lookup(tnode_of(fi), name, len, &from));
	if (from->node == NULL)
		return E_NOENT;
	err = entry_prepare(to_dir, name2, len2, &to, &fresh);
	if (err == E_EXIST) {
		if ((flags & RENAME_NOREPLACE) != 0)
			return E_EXIST;
		if (to->node == from->node)
			return OK;
		fresh = false;
	} else if (err != OK) {
		return err;
	}
	if ((flags & RENAME_EXCHANGE) != 0) {
		if (to->node == NULL) {
			if (fresh)
				entry_free(to);
			return E_NOENT;
		}
		exchange(from, to);
		return OK;
	}
	if (to->node != NULL)
		TRY(check_replace(from->node, to));
	move(from, to, fresh);
	return OK;
}

/* ---- listing ---- */

struct merge_ctx {
	struct tnode *dir;
	dir_emit emit;
	void *ctx;
	bool full;
};

/* An entry of the lower directory: listed here unless a white-out or an entry of ours hides it. */
static bool emit_lower(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
		       uint64_t pos)
{
	struct merge_ctx *m = ctx;
	const struct tentry *e = entry_find(m->dir, name, len);

	if (e != NULL && !e->in_place)
		return true;
	m->full = !m->emit(m->ctx, name, len, ino, type, pos);
	return !m->full;
}

static unsigned type_of(uint32_t mode)
{
	return (mode & S_IFMT) >> 12;
}

err_t tdir_read(struct inode *di, uint64_t pos, dir_emit emit, void *ctx)
{
	struct tnode *dir = tnode_of(di);
	struct merge_ctx m = { dir, emit, ctx, false };
	uint64_t seq;

	if (dir->lower != NULL && pos < POS_OURS) {
		TRY(dir->lower->ops->readdir(dir->lower, pos, emit_lower, &m));
		if (m.full)
			return OK;
	}
	seq = pos < POS_OURS ? 0 : pos - POS_OURS + 1;
	for (struct tree_node *t = tree_find_ge(&dir->dir.order, &seq, seq_cmp); t != NULL;
	     t = tree_next(t)) {
		const struct tentry *e = container_of(t, struct tentry, by_seq);

		if (!emit(ctx, e->name, e->len, e->node->vfs.ino, type_of(e->node->vfs.mode),
			  POS_OURS + e->seq))
			return OK;
	}
	return OK;
}
