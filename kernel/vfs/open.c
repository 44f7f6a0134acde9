/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files by name, with all that the O_ flags ask for. */
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/core/core.h"
#include "kernel/vfs/device.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/internal.h"
#include "kernel/vfs/poll.h"

#define O_TMPFILE_BIT 020000000u /* O_TMPFILE is this and O_DIRECTORY */

/* Permission bits that opening with these flags needs. */
static unsigned access_needed(uint32_t flags)
{
	static const unsigned by_mode[4] = { 4, 2, 6, 6 };
	unsigned mask = by_mode[flags & O_ACCMODE];

	return (flags & O_TRUNC) != 0 ? mask | 2 : mask;
}

static bool wants_write(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

/* Checks of an existing inode that do not depend on how it was reached. */
static err_t may_open(const struct path *p, uint32_t flags)
{
	struct inode *i = p->dentry->inode;

	if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(i->mode))
		return E_NOTDIR;
	if (S_ISLNK(i->mode))
		return E_LOOP;
	if (S_ISDIR(i->mode) && wants_write(flags))
		return E_ISDIR;
	if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && p->mnt != NULL &&
	    (p->mnt->flags & MS_NODEV) != 0)
		return E_ACCES;
	TRY(path_permission(p, access_needed(flags)));
	if ((flags & O_NOATIME) != 0 && !inode_owner_or_capable(i))
		return E_PERM;
	return OK;
}

/* Let the inode (or its device) give the file its operations. MAY_SWITCH */
static err_t open_inode(struct inode *i, struct file *f)
{
	if (i->ops->open != NULL)
		return i->ops->open(i, f);
	switch (i->mode & S_IFMT) {
	case S_IFCHR: return device_open(i, f);
	case S_IFIFO: return fifo_open(i, f);
	case S_IFREG:
	case S_IFDIR: return OK;
	default: return E_NXIO; /* block devices: no driver; sockets: not by open */
	}
}

static err_t truncate_opened(struct inode *i)
{
	struct attr_change c = { .valid = ATTR_SIZE };

	if (!S_ISREG(i->mode))
		return OK;
	if (i->ops->setattr == NULL)
		return E_ROFS;
	TRY(inode_drop_privileges(i));
	return i->ops->setattr(i, &c);
}

/* The open file of a path whose permissions were checked. MAY_SWITCH */
static err_t open_checked(const struct path *p, uint32_t flags, bool created, struct file **out)
{
	const uint32_t not_kept = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
	struct inode *i = p->dentry->inode;
	struct file *f = file_create_inode(p, (flags & ~(not_kept & ~O_NOCTTY)) | O_LARGEFILE);
	err_t err = OK;

	if (f == NULL)
		return E_NOMEM;
	if (S_ISREG(i->mode) && wants_write(flags) && (flags & O_PATH) == 0) {
		err = inode_get_write(i);
		f->wrote_access = err == OK;
	}
	if (err == OK && (flags & O_PATH) == 0) {
		err = open_inode(i, f);
		if (err != OK)
			f->ops = NULL; /* nothing was opened: nothing to release */
	}
	f->flags &= ~O_NOCTTY; /* terminals want to know it while they are opened */
	if (err == OK && (flags & O_TRUNC) != 0 && !created)
		err = truncate_opened(i);
	if (err != OK) {
		file_put(f);
		return err;
	}
	if ((flags & O_TRUNC) != 0 && !created && S_ISREG(i->mode))
		notify_path(p, IN_MODIFY);
	if ((flags & O_PATH) == 0)
		notify_path(p, IN_OPEN);
	*out = f;
	return OK;
}

err_t vfs_open_path(const struct path *p, uint32_t flags, struct file **out)
{
	if ((flags & O_PATH) == 0)
		TRY(may_open(p, flags));
	else if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(p->dentry->inode->mode))
		return E_NOTDIR;
	return open_checked(p, flags, false, out);
}

/* Make the file that is not there yet: cur of the walk becomes it. */
static err_t create_last(struct walk *w, uint32_t mode)
{
	struct inode *dir = w->cur.dentry->inode, *i;
	struct dentry *d;

	TRY(may_create(&w->cur));
	if (dir->ops->create == NULL)
		return E_ACCES;
	mode = (mode & 07777 & ~current_fs()->umask) | S_IFREG;
	TRY(dir->ops->create(dir, w->last, w->last_len, mode, 0, &i));
	inode_put(i);
	notify_name(dir, IN_CREATE, 0, w->last, w->last_len);
	/* By name again: the cache has one way in. */
	TRY(lookup_child(w->cur.dentry, w->last, w->last_len, &d));
	dentry_put(w->cur.dentry);
	w->cur.dentry = d;
	return OK;
}

/* With O_CREAT at the last component: is it there? Creates it if not. */
static err_t open_or_create(struct walk *w, uint32_t flags, uint32_t mode, bool *created)
{
	struct dentry *d;
	err_t err;

	if (w->last_kind != LAST_NAME || w->need_dir)
		return E_ISDIR;
	err = lookup_child(w->cur.dentry, w->last, w->last_len, &d);
	if (err == E_NOENT && !dir_is_fixed(w->cur.dentry->inode)) {
		*created = true;
		return create_last(w, mode);
	}
	if (err != OK)
		return err;
	dentry_put(d);
	return (flags & O_EXCL) != 0 ? E_EXIST : OK;
}

static err_t open_walk(struct walk *w, uint32_t flags, uint32_t mode, bool *created)
{
	bool follow = (flags & O_NOFOLLOW) == 0, again = true;

	while (again) {
		TRY(walk_parent(w));
		/* (a magic link leads to the file itself: LAST_ROOT, nothing to create) */
		if ((flags & O_CREAT) != 0 && !(w->last_kind == LAST_ROOT && w->links > 0)) {
			TRY(open_or_create(w, flags, mode, created));
			if (*created)
				return OK;
		}
		TRY(walk_last(w, follow, &again));
	}
	if (w->need_dir && !S_ISDIR(w->cur.dentry->inode->mode))
		return E_NOTDIR;
	return OK;
}

static err_t open_tmpfile(int dirfd, const char *name, uint32_t flags, uint32_t mode, unsigned look,
			  struct file **out)
{
	struct inode *i = NULL;
	struct path dir, p;
	err_t err;

	if ((flags & O_DIRECTORY) == 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_CREAT) != 0)
		return E_INVAL;
	TRY(path_lookup(dirfd, name,
			look | LOOK_DIR | ((flags & O_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW), &dir));
	err = path_permission(&dir, 3);
	if (err == OK && dir.dentry->inode->ops->tmpfile == NULL)
		err = E_OPNOTSUPP;
	mode = (mode & 07777 & ~current_fs()->umask) | S_IFREG;
	if (err == OK)
		err = dir.dentry->inode->ops->tmpfile(dir.dentry->inode, mode, &i);
	if (err == OK) {
		i->linkable = (flags & O_EXCL) == 0;
		p = (struct path){ dir.mnt, dentry_create(dir.dentry, "#tmpfile", 8, i) };
		inode_put(i);
		err = p.dentry != NULL ? OK : E_NOMEM;
	}
	if (err == OK) {
		p.dentry->unlinked = true;
		err = open_checked(&p, flags & ~(O_TMPFILE_BIT | O_DIRECTORY), true, out);
		dentry_put(p.dentry);
	}
	path_put(&dir);
	return err;
}

/* What a walk that has begun leads to; ends the walk. */
static err_t open_by_walk(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
	bool created = false;
	err_t err;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		flags |= O_NOFOLLOW;
	err = open_walk(w, flags, mode, &created);
	if (err == OK && created)
		err = open_checked(&w->cur, flags, true, out);
	else if (err == OK && (flags & O_CREAT) != 0 && S_ISDIR(w->cur.dentry->inode->mode))
		err = E_ISDIR;
	else if (err == OK)
		err = vfs_open_path(&w->cur, flags, out);
	walk_end(w);
	return err;
}

err_t vfs_open_in(const struct path *dir, const char *name, uint32_t flags, uint32_t mode,
		  struct file **out)
{
	struct walk w;

	walk_begin_in(&w, dir, name);
	return open_by_walk(&w, flags, mode, out);
}

err_t vfs_open(int dirfd, const char *name, uint32_t flags, uint32_t mode, unsigned look,
	       struct file **out)
{
	const unsigned limits = LOOK_NO_XDEV | LOOK_NO_MAGIC | LOOK_NO_SYMLINKS | LOOK_BENEATH |
				LOOK_IN_ROOT | LOOK_EMPTY;
	struct walk w;

	look &= limits;
	if ((flags & O_PATH) != 0)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	else if ((flags & O_TMPFILE_BIT) != 0)
		return open_tmpfile(dirfd, name, flags, mode, look, out);
	if ((flags & O_CREAT) != 0 && (flags & O_DIRECTORY) != 0)
		return E_INVAL;
	TRY(walk_begin(&w, dirfd, name, look));
	return open_by_walk(&w, flags, mode, out);
}
