/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking a path up. A walk goes from component to component without recursion: the targets of
 * symbolic links that are being followed lie on a list of frames, each with what was left of the
 * string that named the link.
 */
#include <linux/fs.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/internal.h"

#define LINKS_MAX 40u

struct link_frame {
	struct link_frame *up;
	const char *rest; /* to go on with after the target */
	char target[];
};

void path_get(const struct path *p)
{
	if (p->mnt != NULL)
		mount_get(p->mnt);
	if (p->dentry != NULL)
		dentry_get(p->dentry);
}

void path_put(const struct path *p)
{
	if (p->dentry != NULL)
		dentry_put(p->dentry);
	if (p->mnt != NULL)
		mount_put(p->mnt);
}

static void path_set(struct path *p, const struct path *to)
{
	path_get(to);
	path_put(p);
	*p = *to;
}

static bool path_same(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

/* ---- one step ---- */

err_t lookup_child(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
	struct inode *di = dir->inode, *found;
	struct dentry *d;

	if (len > NAME_MAX_)
		return E_NAMETOOLONG;
	d = dentry_find(dir, name, len);
	if (d != NULL) {
		*out = d;
		return OK;
	}
	if (di->ops->lookup == NULL)
		return E_NOTDIR;
	TRY(di->ops->lookup(di, name, len, &found));
	d = dentry_create(dir, name, len, found);
	inode_put(found);
	if (d == NULL)
		return E_NOMEM;
	if (!di->super->volatile_names && !dir->unlinked)
		dentry_hash(d);
	*out = d;
	return OK;
}

/* ".." from cur, stopping at the walk's root. */
static err_t step_up(struct walk *w)
{
	struct path up;

	if (path_same(&w->cur, &w->root))
		return (w->flags & LOOK_BENEATH) != 0 ? E_XDEV : OK;
	up = w->cur;
	path_get(&up);
	path_leave_mounts(&up);
	if (up.mnt != w->cur.mnt && (w->flags & LOOK_NO_XDEV) != 0) {
		path_put(&up);
		return E_XDEV;
	}
	if (up.dentry->parent != up.dentry) {
		struct dentry *parent = dentry_get(up.dentry->parent);

		dentry_put(up.dentry);
		up.dentry = parent;
	}
	path_enter_mounts(&up);
	path_put(&w->cur);
	w->cur = up;
	return OK;
}

/* The symbolic link's target becomes what is looked at next. `at`: the link's place (its directory
 * is cur). */
static err_t push_target(struct walk *w, struct inode *link)
{
	size_t room = link->size > 0 && link->size < PATH_MAX_BYTES ? (size_t)link->size + 1
								    : PATH_MAX_BYTES;
	struct link_frame *f = kmem_alloc(sizeof(*f) + room + 1);
	size_t len;
	err_t err;

	if (f == NULL)
		return E_NOMEM;
	err = link->ops->readlink != NULL ? link->ops->readlink(link, f->target, room, &len)
					  : E_INVAL;
	if (err == OK && len == 0)
		err = E_NOENT;
	if (err != OK) {
		kmem_free(f);
		return err;
	}
	f->target[len] = '\0';
	f->rest = w->rest;
	f->up = w->frames;
	w->frames = f;
	w->rest = f->target;
	return OK;
}

static err_t follow_link(struct walk *w, const struct path *link)
{
	struct inode *i = link->dentry->inode;
	struct path to;

	if ((w->flags & LOOK_NO_SYMLINKS) != 0 || ++w->links > LINKS_MAX)
		return E_LOOP;
	path_accessed(link, i);
	if (i->ops->follow != NULL) {
		if ((w->flags & LOOK_NO_MAGIC) != 0)
			return E_LOOP;
		if ((w->flags & (LOOK_BENEATH | LOOK_IN_ROOT)) != 0)
			return E_XDEV;
		TRY(i->ops->follow(i, &to));
		if (to.mnt != w->cur.mnt && (w->flags & LOOK_NO_XDEV) != 0) {
			path_put(&to);
			return E_XDEV;
		}
		path_put(&w->cur);
		w->cur = to;
		return OK;
	}
	TRY(push_target(w, i));
	if (w->rest[0] != '/')
		return OK;
	if ((w->flags & LOOK_BENEATH) != 0)
		return E_XDEV;
	if (w->root.mnt != w->cur.mnt && (w->flags & LOOK_NO_XDEV) != 0)
		return E_XDEV;
	path_set(&w->cur, &w->root);
	return OK;
}

/* Component [name, len) of cur, which is a directory; `follow`: also through a symbolic link. */
static err_t step_down(struct walk *w, const char *name, size_t len, bool follow)
{
	struct path next = { w->cur.mnt, NULL };
	err_t err;

	TRY(lookup_child(w->cur.dentry, name, len, &next.dentry));
	mount_get(next.mnt);
	path_enter_mounts(&next);
	if (next.mnt != w->cur.mnt && (w->flags & LOOK_NO_XDEV) != 0) {
		path_put(&next);
		return E_XDEV;
	}
	if (follow && S_ISLNK(next.dentry->inode->mode)) {
		err = follow_link(w, &next);
		path_put(&next);
		return err;
	}
	path_put(&w->cur);
	w->cur = next;
	return OK;
}

/* ---- the walk ---- */

/* Where a relative path starts. */
static err_t start_of(int dirfd, bool need_dir, struct path *out)
{
	struct file *f;
	err_t err = OK;

	if (dirfd == AT_FDCWD_) {
		*out = current_fs()->cwd;
		path_get(out);
		return OK;
	}
	f = fd_get_raw(dirfd);
	if (f == NULL)
		return E_BADF;
	if (f->path.dentry == NULL || (need_dir && !S_ISDIR(f->inode->mode)))
		err = E_NOTDIR;
	if (err == OK) {
		*out = f->path;
		path_get(out);
	}
	file_put(f);
	return err;
}

err_t walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags)
{
	const bool scoped = (flags & (LOOK_BENEATH | LOOK_IN_ROOT)) != 0;

	*w = (struct walk){ .rest = name, .flags = flags };
	if (name[0] == '\0' && (flags & LOOK_EMPTY) == 0)
		return E_NOENT;
	if (name[0] == '/' && (flags & LOOK_BENEATH) != 0)
		return E_XDEV;
	if (name[0] == '/' && !scoped) {
		w->cur = current_fs()->root;
		path_get(&w->cur);
	} else {
		TRY(start_of(dirfd, name[0] != '\0', &w->cur));
	}
	w->root = scoped ? w->cur : current_fs()->root;
	path_get(&w->root);
	w->start = w->cur;
	return OK;
}

void walk_begin_in(struct walk *w, const struct path *dir, const char *name)
{
	*w = (struct walk){ .rest = name, .cur = *dir, .root = *dir, .start = *dir };
	path_get(&w->cur);
	path_get(&w->root);
}

static void pop_frame(struct walk *w)
{
	struct link_frame *f = w->frames;

	w->rest = f->rest;
	w->frames = f->up;
	kmem_free(f);
}

void walk_end(struct walk *w)
{
	while (w->frames != NULL)
		pop_frame(w);
	path_put(&w->cur);
	path_put(&w->root);
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

/* Is nothing left of this string and of those below it? Slashes that are left ask for a
 * directory. */
static bool at_end(struct walk *w, const char *rest)
{
	const struct link_frame *f = w->frames;
	bool slashes = false;

	for (;;) {
		const char *s = skip_slashes(rest);

		if (*s != '\0')
			return false;
		slashes = slashes || s != rest;
		if (f == NULL)
			break;
		rest = f->rest;
		f = f->up;
	}
	if (slashes)
		w->need_dir = true;
	return true;
}

/* Drop strings that are used up. False: nothing is left at all. */
static bool refill(struct walk *w)
{
	for (;;) {
		w->rest = skip_slashes(w->rest);
		if (*w->rest != '\0')
			return true;
		if (w->frames == NULL)
			return false;
		pop_frame(w);
	}
}

static err_t check_searchable(struct walk *w)
{
	struct inode *i = w->cur.dentry->inode;

	if (!S_ISDIR(i->mode))
		return E_NOTDIR;
	return inode_permission(i, 1);
}

static enum last_kind kind_of(const char *name, size_t len)
{
	if (len == 1 && name[0] == '.')
		return LAST_DOT;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return LAST_DOTDOT;
	return LAST_NAME;
}

static err_t step(struct walk *w, bool follow)
{
	switch (w->last_kind) {
	case LAST_DOT: return OK;
	case LAST_DOTDOT: return step_up(w);
	default: return step_down(w, w->last, w->last_len, follow);
	}
}

err_t walk_parent(struct walk *w)
{
	for (;;) {
		const char *end;

		if (!refill(w)) {
			w->last_kind = LAST_ROOT; /* "/", or a magic link's target */
			return OK;
		}
		TRY(check_searchable(w));
		for (end = w->rest; *end != '\0' && *end != '/'; end++)
			;
		w->last = w->rest;
		w->last_len = (size_t)(end - w->rest);
		w->last_kind = kind_of(w->last, w->last_len);
		if (at_end(w, end))
			return OK;
		w->rest = end;
		TRY(step(w, true));
	}
}

err_t walk_last(struct walk *w, bool follow, bool *again)
{
	*again = false;
	if (w->last_kind == LAST_ROOT)
		return OK;
	w->rest = w->last + w->last_len;
	TRY(step(w, follow || w->need_dir));
	/* After a link was followed its target is the rest; otherwise the rest is empty or
	 * slashes. */
	*again = refill(w);
	return OK;
}

/* Take the whole path. */
static err_t walk_all(struct walk *w, bool follow)
{
	bool again;

	do {
		TRY(walk_parent(w));
		TRY(walk_last(w, follow, &again));
	} while (again);
	if ((w->need_dir || (w->flags & LOOK_DIR) != 0) && !S_ISDIR(w->cur.dentry->inode->mode))
		return E_NOTDIR;
	return OK;
}

err_t path_lookup(int dirfd, const char *name, unsigned flags, struct path *out)
{
	struct walk w;
	err_t err;

	TRY(walk_begin(&w, dirfd, name, flags));
	err = walk_all(&w, (flags & LOOK_FOLLOW) != 0);
	if (err == OK) {
		*out = w.cur;
		path_get(out);
	}
	walk_end(&w);
	return err;
}

err_t path_lookup_parent(int dirfd, const char *name, struct path *dir, const char **last,
			 size_t *last_len, bool *trailing_slash)
{
	struct walk w;
	err_t err;

	TRY(walk_begin(&w, dirfd, name, 0));
	err = walk_parent(&w);
	if (err == OK) {
		/* The last component lies in `name`: only links before it were followed, and their
		 * strings are used up. */
		*dir = w.cur;
		path_get(dir);
		*last = w.last_kind == LAST_ROOT ? "/" : w.last;
		*last_len = w.last_kind == LAST_ROOT ? 1 : w.last_len;
		*trailing_slash = w.need_dir;
	}
	walk_end(&w);
	return err;
}

/* ---- back from a path to its name ---- */

/* Put a string before *at within buf. */
static bool put_before(char *buf, char **at, const char *s, size_t len)
{
	if ((size_t)(*at - buf) < len)
		return false;
	*at -= len;
	memcpy(*at, s, len);
	return true;
}

static err_t string_before(const struct path *p, char *buf, char **at)
{
	const struct path *root = &current_fs()->root;
	struct path cur = *p;

	for (;;) {
		if (path_same(&cur, root))
			return OK;
		if (cur.mnt == NULL)
			return E_NOENT; /* a way to a file without a name (anon.c) */
		if (cur.dentry == cur.mnt->root || cur.dentry->parent == cur.dentry) {
			if (cur.mnt->internal)
				return OK;
			if (cur.mnt->parent == NULL)
				return E_NOENT;
			cur = cur.mnt->at;
			continue;
		}
		if (!put_before(buf, at, cur.dentry->name, cur.dentry->len) ||
		    !put_before(buf, at, "/", 1))
			return E_NAMETOOLONG;
		cur.dentry = cur.dentry->parent;
	}
}

err_t path_string(const struct path *p, char *buf, size_t size, size_t *len)
{
	static const char deleted[] = " (deleted)";
	char *at = buf + size;

	if (!put_before(buf, &at, "", 1))
		return E_NAMETOOLONG;
	if (p->dentry->unlinked && !put_before(buf, &at, deleted, sizeof(deleted) - 1))
		return E_NAMETOOLONG;
	TRY(string_before(p, buf, &at));
	if (*at == '\0' && !put_before(buf, &at, "/", 1))
		return E_NAMETOOLONG;
	*len = (size_t)(buf + size - 1 - at);
	memmove(buf, at, *len + 1);
	return OK;
}
