/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, removing and renaming names. */
#include <linux/capability.h>
#include <linux/fs.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/internal.h"

/* A name found by its directory. */
struct name {
	struct path dir; /* referenced */
	const char *last;
	size_t len;
	bool slash;       /* a slash stood behind it */
	struct dentry *d; /* referenced, NULL: not there */
};

static enum last_kind name_kind(const struct name *n)
{
	if (n->len == 1 && n->last[0] == '/')
		return LAST_ROOT;
	if (n->len == 1 && n->last[0] == '.')
		return LAST_DOT;
	if (n->len == 2 && n->last[0] == '.' && n->last[1] == '.')
		return LAST_DOTDOT;
	return LAST_NAME;
}

static err_t name_find(int dirfd, const char *path, struct name *n)
{
	n->d = NULL;
	return path_lookup_parent(dirfd, path, &n->dir, &n->last, &n->len, &n->slash);
}

/* Look the entry itself up; E_NOENT leaves n->d NULL. */
static err_t name_entry(struct name *n)
{
	return lookup_child(n->dir.dentry, n->last, n->len, &n->d);
}

static void name_release(struct name *n)
{
	if (n->d != NULL)
		dentry_put(n->d);
	path_put(&n->dir);
}

/* A name that is to be made: must not be there. On OK it is to be released. */
static err_t name_for_creation(int dirfd, const char *path, bool directory, struct name *n)
{
	err_t err;

	TRY(name_find(dirfd, path, n));
	err = name_kind(n) != LAST_NAME ? E_EXIST : name_entry(n);
	if (err == OK)
		err = E_EXIST;
	else if (err == E_NOENT && !(n->slash && !directory) && !dir_is_fixed(n->dir.dentry->inode))
		err = may_create(&n->dir);
	if (err != OK)
		name_release(n);
	return err;
}

static err_t create_entry(struct name *n, uint32_t mode, uint64_t rdev)
{
	struct inode *dir = n->dir.dentry->inode, *i;

	if (dir->ops->create == NULL)
		return E_PERM;
	TRY(dir->ops->create(dir, n->last, n->len, mode, rdev, &i));
	notify_name(dir, IN_CREATE | notify_isdir(i), 0, n->last, n->len);
	inode_put(i);
	return OK;
}

err_t vfs_mkdir(int dirfd, const char *name, uint32_t mode)
{
	struct name n;
	err_t err;

	TRY(name_for_creation(dirfd, name, true, &n));
	err = create_entry(&n, (mode & 01777 & ~current_fs()->umask) | S_IFDIR, 0);
	name_release(&n);
	return err;
}

static err_t mknod_mode(uint32_t *mode, uint64_t rdev)
{
	switch (*mode & S_IFMT) {
	case 0: *mode |= S_IFREG; return OK;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK: return OK;
	case S_IFCHR:
		if (rdev == 0) /* a white-out: harmless, anybody may */
			return OK;
		return task_capable(CAP_MKNOD) ? OK : E_PERM;
	case S_IFBLK: return task_capable(CAP_MKNOD) ? OK : E_PERM;
	case S_IFDIR: return E_PERM;
	default: return E_INVAL;
	}
}

err_t vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
	struct name n;
	err_t err;

	TRY(mknod_mode(&mode, rdev));
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		rdev = 0;
	TRY(name_for_creation(dirfd, name, false, &n));
	err = create_entry(&n, (mode & S_IFMT) | (mode & 07777 & ~current_fs()->umask), rdev);
	name_release(&n);
	return err;
}

err_t vfs_symlink(const char *target, int dirfd, const char *name)
{
	struct inode *dir, *i;
	struct name n;
	err_t err;

	if (target[0] == '\0')
		return E_NOENT;
	TRY(name_for_creation(dirfd, name, false, &n));
	dir = n.dir.dentry->inode;
	err = dir->ops->symlink != NULL ? dir->ops->symlink(dir, n.last, n.len, target, &i)
					: E_PERM;
	if (err == OK) {
		notify_name(dir, IN_CREATE, 0, n.last, n.len);
		inode_put(i);
	}
	name_release(&n);
	return err;
}

static err_t link_checked(const struct path *old, struct name *n)
{
	struct inode *dir = n->dir.dentry->inode, *i = old->dentry->inode;

	if (old->mnt != n->dir.mnt || i->super != dir->super)
		return E_XDEV;
	if (S_ISDIR(i->mode) || dir->ops->link == NULL)
		return E_PERM;
	if (i->nlink == 0 && !i->linkable)
		return E_NOENT;
	TRY(dir->ops->link(dir, n->last, n->len, i));
	notify_path(old, IN_ATTRIB);
	notify_name(dir, IN_CREATE, 0, n->last, n->len);
	return OK;
}

err_t vfs_link(int olddir, const char *oldname, int newdir, const char *newname, unsigned look)
{
	struct path old;
	struct name n;
	err_t err;

	if ((look & LOOK_EMPTY) != 0 && oldname[0] == '\0' && !task_capable(CAP_DAC_READ_SEARCH))
		return E_NOENT;
	TRY(path_lookup(olddir, oldname, look, &old));
	err = name_for_creation(newdir, newname, false, &n);
	if (err == OK) {
		err = link_checked(&old, &n);
		name_release(&n);
	}
	path_put(&old);
	return err;
}

/* ---- removing ---- */

/* Kinds of the last component that cannot be removed. */
static err_t removable_kind(const struct name *n, bool dir)
{
	switch (name_kind(n)) {
	case LAST_NAME: return OK;
	case LAST_DOT: return dir ? E_INVAL : E_ISDIR;
	case LAST_DOTDOT: return dir ? E_NOTEMPTY : E_ISDIR;
	default: return dir ? E_BUSY : E_ISDIR;
	}
}

static err_t unlink_checked(struct name *n, bool dir)
{
	struct inode *di = n->dir.dentry->inode, *victim = n->d->inode;
	bool is_dir = S_ISDIR(victim->mode);

	if (!dir && n->slash)
		return is_dir ? E_ISDIR : E_NOTDIR;
	TRY(may_delete(&n->dir, victim));
	if (dir != is_dir)
		return dir ? E_NOTDIR : E_ISDIR;
	if (n->d->mounted != NULL)
		return E_BUSY;
	if (di->ops->unlink == NULL)
		return E_PERM;
	TRY(di->ops->unlink(di, n->last, n->len, dir));
	dentry_unlinked(n->d);
	notify_unlinked(victim);
	notify_name(di, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0, n->last, n->len);
	return OK;
}

err_t vfs_unlink(int dirfd, const char *name, bool dir)
{
	struct name n;
	err_t err;

	TRY(name_find(dirfd, name, &n));
	err = removable_kind(&n, dir);
	if (err == OK)
		err = name_entry(&n);
	if (err == OK)
		err = unlink_checked(&n, dir);
	name_release(&n);
	return err;
}

err_t vfs_unlink_in(const struct path *dir, const char *name)
{
	struct name n = { .dir = *dir, .last = name, .len = strlen(name) };
	err_t err;

	path_get(dir);
	err = removable_kind(&n, false);
	if (err == OK)
		err = name_entry(&n);
	if (err == OK)
		err = unlink_checked(&n, false);
	name_release(&n);
	return err;
}

/* ---- renaming ---- */

/* Is `a` on the way from `d` up to its root? */
static bool is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (;; d = d->parent) {
		if (d == a)
			return true;
		if (d->parent == d)
			return false;
	}
}

static err_t rename_kinds(const struct name *from, const struct name *to, unsigned flags)
{
	bool exchange = (flags & RENAME_EXCHANGE) != 0;
	bool dir = S_ISDIR(from->d->inode->mode);

	if (!dir && (from->slash || (!exchange && to->slash)))
		return E_NOTDIR;
	if (exchange && to->slash && !S_ISDIR(to->d->inode->mode))
		return E_NOTDIR;
	if (dir && is_ancestor(from->d, to->dir.dentry))
		return E_INVAL;
	if (to->d != NULL && S_ISDIR(to->d->inode->mode) && is_ancestor(to->d, from->dir.dentry))
		return exchange ? E_INVAL : E_NOTEMPTY;
	return OK;
}

/* Moving a directory writes its "..". */
static err_t may_move(const struct name *from, const struct name *to, const struct dentry *d)
{
	if (!S_ISDIR(d->inode->mode) || from->dir.dentry == to->dir.dentry)
		return OK;
	return inode_permission(d->inode, 2);
}

static err_t rename_permissions(const struct name *from, const struct name *to, unsigned flags)
{
	bool exchange = (flags & RENAME_EXCHANGE) != 0;

	TRY(may_delete(&from->dir, from->d->inode));
	if (to->d == NULL) {
		TRY(may_create(&to->dir));
	} else {
		bool dir = S_ISDIR(from->d->inode->mode), to_dir = S_ISDIR(to->d->inode->mode);

		TRY(may_delete(&to->dir, to->d->inode));
		if (!exchange && dir != to_dir)
			return dir ? E_NOTDIR : E_ISDIR;
		if (to->d->mounted != NULL)
			return E_BUSY;
		if (exchange)
			TRY(may_move(from, to, to->d));
	}
	if (from->d->mounted != NULL)
		return E_BUSY;
	return may_move(from, to, from->d);
}

static void notify_moved(const struct name *from, const struct name *to, struct inode *i)
{
	uint32_t cookie = inotify_watches != 0 ? inotify_new_cookie() : 0, dir = notify_isdir(i);

	notify_name(from->dir.dentry->inode, IN_MOVED_FROM | dir, cookie, from->last, from->len);
	notify_name(to->dir.dentry->inode, IN_MOVED_TO | dir, cookie, to->last, to->len);
	notify_name(from->dir.dentry->inode, WATCH_RENAMED, 0, from->last, from->len);
	notify_name(i, IN_MOVE_SELF | dir, 0, "", 0);
}

static err_t rename_apply(struct name *from, struct name *to, unsigned flags)
{
	struct inode *fi = from->dir.dentry->inode, *ti = to->dir.dentry->inode;
	char *name;
	err_t err;

	if (fi->ops->rename == NULL || fi->super != ti->super)
		return fi->ops->rename == NULL ? E_PERM : E_XDEV;
	name = kmem_strndup(to->last, to->len);
	if (name == NULL)
		return E_NOMEM;
	err = fi->ops->rename(fi, from->last, from->len, ti, to->last, to->len, flags);
	if (err != OK || (flags & RENAME_EXCHANGE) != 0) {
		kmem_free(name);
		if (err == OK) {
			dentry_exchange(from->d, to->d);
			notify_moved(from, to, from->d->inode);
			notify_moved(to, from, to->d->inode);
		}
		return err;
	}
	if (to->d != NULL)
		dentry_unlinked(to->d);
	dentry_rename(from->d, to->dir.dentry, name, to->len);
	notify_moved(from, to, from->d->inode);
	if (to->d != NULL)
		notify_unlinked(to->d->inode);
	return OK;
}

static err_t rename_found(struct name *from, struct name *to, unsigned flags)
{
	err_t err;

	if (from->dir.mnt != to->dir.mnt)
		return E_XDEV;
	if (name_kind(from) != LAST_NAME)
		return E_BUSY;
	if (name_kind(to) != LAST_NAME)
		return (flags & RENAME_NOREPLACE) != 0 ? E_EXIST : E_BUSY;
	TRY(name_entry(from));
	err = name_entry(to);
	if (err != OK && err != E_NOENT)
		return err;
	if (to->d == NULL && (flags & RENAME_EXCHANGE) != 0)
		return E_NOENT;
	if (to->d != NULL && (flags & RENAME_NOREPLACE) != 0)
		return E_EXIST;
	TRY(rename_kinds(from, to, flags));
	if (to->d != NULL && to->d->inode == from->d->inode)
		return OK; /* two names of one file: nothing happens */
	TRY(rename_permissions(from, to, flags));
	return rename_apply(from, to, flags);
}

err_t vfs_rename(int olddir, const char *oldname, int newdir, const char *newname, unsigned flags)
{
	struct name from, to;
	err_t err;

	if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return E_INVAL;
	TRY(name_find(olddir, oldname, &from));
	err = name_find(newdir, newname, &to);
	if (err == OK) {
		err = rename_found(&from, &to, flags);
		name_release(&to);
	}
	name_release(&from);
	return err;
}
