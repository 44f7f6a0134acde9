/* SPDX-License-Identifier: BSD-2-Clause */
/* What a path's inode says of itself, and changing that: stat, access, chmod, chown, utimens,
 * truncate, xattr, chdir. */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/xattr.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/internal.h"

err_t vfs_stat(int dirfd, const char *name, unsigned look, struct kstat *out)
{
	struct path p;

	if (name[0] == '\0' && (look & LOOK_EMPTY) != 0 && dirfd != AT_FDCWD_) {
		struct file *f = fd_get_raw(dirfd); /* maybe a pipe, which has no path */
		err_t err = f != NULL ? file_stat(f, out) : E_BADF;

		if (f != NULL)
			file_put(f);
		return err;
	}
	TRY(path_lookup(dirfd, name, look, &p));
	inode_stat(p.dentry->inode, out);
	path_put(&p);
	return OK;
}

err_t vfs_access(int dirfd, const char *name, int mode, unsigned look, bool effective)
{
	struct inode *i;
	struct path p;
	err_t err = OK;

	if ((mode & ~7) != 0)
		return E_INVAL;
	TRY(path_lookup(dirfd, name, look, &p));
	i = p.dentry->inode;
	if ((mode & 1) != 0 && S_ISREG(i->mode) && p.mnt != NULL && (p.mnt->flags & MS_NOEXEC) != 0)
		err = E_ACCES;
	else if (mode != 0)
		err = effective ? inode_permission(i, (unsigned)mode)
				: inode_permission_real(i, (unsigned)mode);
	if (err == OK && (mode & 2) != 0 &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		err = path_writable(&p);
	path_put(&p);
	return err;
}

err_t vfs_readlink(int dirfd, const char *name, char *buf, size_t size, size_t *len)
{
	struct inode *i;
	struct path p;
	err_t err;

	TRY(path_lookup(dirfd, name, LOOK_EMPTY, &p));
	i = p.dentry->inode;
	if (i->ops->readlink == NULL || !S_ISLNK(i->mode))
		err = name[0] == '\0' ? E_NOENT : E_INVAL;
	else
		err = i->ops->readlink(i, buf, size, len);
	if (err == OK)
		path_accessed(&p, i);
	path_put(&p);
	return err;
}

/* ---- setattr ---- */

static err_t may_chown(const struct inode *i, const struct attr_change *c)
{
	uint32_t uid = current_cred()->fsuid;

	if (task_capable(CAP_CHOWN))
		return OK;
	if (uid != i->uid || ((c->valid & ATTR_UID) != 0 && c->uid != i->uid))
		return E_PERM;
	if ((c->valid & ATTR_GID) != 0 && c->gid != i->gid && !task_in_group(c->gid))
		return E_PERM;
	return OK;
}

static err_t may_set_times(struct inode *i, const struct attr_change *c)
{
	if (inode_owner_or_capable(i))
		return OK;
	/* Who may write may say "now", but only for both times. */
	if (c->now != (ATTR_ATIME | ATTR_MTIME))
		return E_PERM;
	return inode_permission(i, 2);
}

static err_t may_truncate(const struct path *p, const struct attr_change *c, unsigned what)
{
	struct inode *i = p->dentry->inode;
	uint64_t len = c->size;

	if (S_ISDIR(i->mode))
		return E_ISDIR;
	if (!S_ISREG(i->mode) || (int64_t)c->size < 0)
		return E_INVAL;
	if ((what & SETATTR_OPEN) == 0) {
		TRY(inode_permission(i, 2));
		if (i->exec_denied > 0)
			return E_TXTBSY;
	}
	if (c->size <= i->size)
		return OK;
	TRY(file_size_limit(0, &len));
	if (len < c->size)
		return file_size_limit(UINT64_MAX, &len); /* beyond it: with the signal */
	return OK;
}

/* Bits that go with a change of owner: set-user-id always, set-group-id where the group may
 * execute. */
static void chown_clears_bits(const struct inode *i, struct attr_change *c)
{
	uint32_t mode = (c->valid & ATTR_MODE) != 0 ? c->mode : i->mode;

	if (S_ISDIR(i->mode))
		return;
	if ((mode & S_IXGRP) != 0)
		mode &= ~(uint32_t)S_ISGID;
	mode &= ~(uint32_t)S_ISUID;
	if (mode != i->mode) {
		c->valid |= ATTR_MODE;
		c->mode = mode;
	}
}

/* As Linux: the size or the time of writing alone tell of a change of the contents. */
static uint32_t change_event(const struct attr_change *c)
{
	uint32_t mask = (c->valid & ATTR_SIZE) != 0 ? IN_MODIFY : 0;

	if ((c->valid & (ATTR_MODE | ATTR_UID | ATTR_GID)) != 0)
		mask |= IN_ATTRIB;
	switch (c->valid & (ATTR_ATIME | ATTR_MTIME)) {
	case ATTR_ATIME | ATTR_MTIME: return mask | IN_ATTRIB;
	case ATTR_ATIME: return mask | IN_ACCESS;
	case ATTR_MTIME: return mask | IN_MODIFY;
	default: return mask;
	}
}

err_t vfs_setattr(const struct path *p, struct attr_change *c, unsigned what)
{
	struct inode *i = p->dentry->inode;

	TRY(path_writable(p));
	if ((c->valid & ATTR_SIZE) != 0)
		TRY(may_truncate(p, c, what));
	if ((c->valid & ATTR_MODE) != 0) {
		if (S_ISLNK(i->mode))
			return E_OPNOTSUPP;
		if (!inode_owner_or_capable(i))
			return E_PERM;
		c->mode = (c->mode & 07777) | (i->mode & S_IFMT);
		if (!S_ISDIR(i->mode) && !task_in_group(i->gid) && !task_capable(CAP_FSETID))
			c->mode &= ~(uint32_t)S_ISGID;
	}
	if ((c->valid & (ATTR_UID | ATTR_GID)) != 0) {
		TRY(may_chown(i, c));
		chown_clears_bits(i, c);
	}
	if ((c->valid & (ATTR_ATIME | ATTR_MTIME)) != 0)
		TRY(may_set_times(i, c));
	if (i->ops->setattr == NULL)
		return E_PERM;
	if ((c->valid & ATTR_SIZE) != 0)
		TRY(inode_drop_privileges(i));
	TRY(i->ops->setattr(i, c));
	notify_path(p, change_event(c));
	return OK;
}

/* ---- extended attributes ---- */

/* As Linux stores them: of the second revision, with nothing unknown in the first word. */
static err_t caps_valid(const void *buf, size_t size)
{
	struct vfs_cap_data d;

	if (size != XATTR_CAPS_SZ_2)
		return E_INVAL;
	memcpy(&d, buf, sizeof(d));
	return (d.magic_etc & ~(uint32_t)VFS_CAP_FLAGS_EFFECTIVE) == VFS_CAP_REVISION_2 ? OK
											: E_INVAL;
}

err_t inode_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	if (strcmp(name, XATTR_NAME_CAPS) == 0) {
		TRY(caps_valid(buf, size));
		i->may_have_caps = true;
	}
	return i->ops->setxattr(i, name, buf, size, flags);
}

/* ---- the task's root and working directory ---- */

struct fs_context *fs_context_clone(const struct fs_context *f)
{
	struct fs_context *c = kmem_alloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = *f;
	c->refs = 1;
	c->ns->refs++;
	path_get(&c->root);
	path_get(&c->cwd);
	return c;
}

struct fs_context *fs_context_create(void)
{
	return fs_context_clone(&kernel_fs);
}

struct fs_context *fs_context_get(struct fs_context *f)
{
	f->refs++;
	return f;
}

void fs_context_put(struct fs_context *f)
{
	BUG_ON(f->refs == 0 || f == &kernel_fs);
	if (--f->refs > 0)
		return;
	path_put(&f->root);
	path_put(&f->cwd);
	mount_ns_put(f->ns);
	kmem_free(f);
}

static err_t enterable(const struct path *p)
{
	if (!S_ISDIR(p->dentry->inode->mode))
		return E_NOTDIR;
	return inode_permission(p->dentry->inode, 1);
}

err_t vfs_chdir(const struct path *p)
{
	struct path old = current_fs()->cwd;

	TRY(enterable(p));
	path_get(p);
	current_fs()->cwd = *p;
	path_put(&old);
	return OK;
}

err_t vfs_chroot(const struct path *p)
{
	struct path old = current_fs()->root;

	TRY(enterable(p));
	if (!task_capable(CAP_SYS_CHROOT))
		return E_PERM;
	path_get(p);
	current_fs()->root = *p;
	path_put(&old);
	return OK;
}
