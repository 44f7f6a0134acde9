/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what: modes, groups, capabilities, read-only mounts. */
#include <linux/xattr.h>
#include <linux/capability.h>
#include <linux/fs.h>

#include "kernel/core/core.h"
#include "kernel/vfs/internal.h"

#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u

struct fs_context kernel_fs = { .refs = 1, .umask = 022 };
static const struct cred kernel_cred = { .cap_effective = ~0ull,
					 .cap_permitted = ~0ull,
					 .cap_bounding = ~0ull };

static struct task *task_now(void)
{
	return current != NULL ? current_task : NULL;
}

struct fs_context *current_fs(void)
{
	struct task *t = task_now();

	return t != NULL && t->fs != NULL ? t->fs : &kernel_fs;
}

const struct cred *current_cred(void)
{
	struct task *t = task_now();

	return t != NULL ? &t->cred : &kernel_cred;
}

bool task_capable(unsigned cap)
{
	return (current_cred()->cap_effective >> cap & 1) != 0;
}

static bool cred_in_group(const struct cred *c, uint32_t gid, uint32_t own)
{
	if (gid == own)
		return true;
	return group_list_has(c->groups, gid);
}

bool task_in_group(uint32_t gid)
{
	return cred_in_group(current_cred(), gid, current_cred()->fsgid);
}

bool inode_owner_or_capable(const struct inode *i)
{
	return current_cred()->fsuid == i->uid || task_capable(CAP_FOWNER);
}

/* What capabilities allow that the mode does not. */
static bool capable_of_access(const struct inode *i, unsigned mask, uint64_t caps)
{
	bool override = (caps >> CAP_DAC_OVERRIDE & 1) != 0;
	bool read_search = (caps >> CAP_DAC_READ_SEARCH & 1) != 0;

	if (S_ISDIR(i->mode))
		return override || (read_search && (mask & MAY_WRITE) == 0);
	if (read_search && mask == MAY_READ)
		return true;
	/* Executing needs some execute bit even for the superuser. */
	return override && ((mask & MAY_EXEC) == 0 || (i->mode & 0111) != 0);
}

static err_t access_rule(const struct inode *i, unsigned mask, uint32_t uid, uint32_t gid,
			 uint64_t caps)
{
	unsigned bits = i->mode & 7;

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (i->secret)
		return mask == MAY_READ && current != NULL && current->opens_secrets ? OK : E_ACCES;
	if (uid == i->uid)
		bits = i->mode >> 6 & 7;
	else if (cred_in_group(current_cred(), i->gid, gid))
		bits = i->mode >> 3 & 7;
	if ((mask & ~bits) == 0 || capable_of_access(i, mask, caps))
		return OK;
	return E_ACCES;
}

err_t vfs_make_secret(const char *name)
{
	struct path p;

	TRY(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p));
	if (!S_ISREG(p.dentry->inode->mode)) {
		path_put(&p);
		return E_INVAL;
	}
	/* The reference stays for ever: the mark must not go with the inode. */
	p.dentry->inode->secret = true;
	return OK;
}

err_t inode_permission(struct inode *i, unsigned mask)
{
	const struct cred *c = current_cred();

	return access_rule(i, mask, c->fsuid, c->fsgid, c->cap_effective);
}

err_t inode_permission_real(struct inode *i, unsigned mask)
{
	const struct cred *c = current_cred();

	/* As access(2): root's real uid counts with all permitted capabilities, another's with
	 * none. */
	return access_rule(i, mask, c->uid, c->gid, c->uid == 0 ? c->cap_permitted : 0);
}

err_t path_writable(const struct path *p)
{
	bool read_only = p->dentry->inode->super->read_only ||
			 (p->mnt != NULL && (p->mnt->flags & MS_RDONLY) != 0);

	return read_only ? E_ROFS : OK;
}

err_t path_permission(const struct path *p, unsigned mask)
{
	struct inode *i = p->dentry->inode;

	if ((mask & MAY_WRITE) != 0 && (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		TRY(path_writable(p));
	/* A mount without execution hides the execute bits of its files. */
	if ((mask & MAY_EXEC) != 0 && S_ISREG(i->mode) && p->mnt != NULL &&
	    (p->mnt->flags & MS_NOEXEC) != 0)
		return E_ACCES;
	return inode_permission(i, mask);
}

err_t may_create(const struct path *dir)
{
	if (dir->dentry->unlinked)
		return E_NOENT;
	TRY(path_writable(dir));
	return inode_permission(dir->dentry->inode, MAY_WRITE | MAY_EXEC);
}

err_t may_delete(const struct path *dir, struct inode *victim)
{
	struct inode *d = dir->dentry->inode;
	uint32_t uid = current_cred()->fsuid;

	TRY(path_writable(dir));
	TRY(inode_permission(d, MAY_WRITE | MAY_EXEC));
	if ((d->mode & S_ISVTX) != 0 && victim->uid != uid && d->uid != uid &&
	    !task_capable(CAP_FOWNER))
		return E_PERM;
	return OK;
}

#define DAY_NS (24ll * 3600 * 1000000000)

void path_accessed(const struct path *p, struct inode *i)
{
	uint32_t flags = p->mnt != NULL ? p->mnt->flags : 0;
	struct attr_change c = { .valid = ATTR_ATIME | ATTR_READ };

	if ((flags & (MS_NOATIME | MS_RDONLY)) != 0 || i->super->read_only ||
	    i->ops->setattr == NULL)
		return;
	if ((flags & MS_NODIRATIME) != 0 && S_ISDIR(i->mode))
		return;
	c.atime_ns = (int64_t)time_real_ns();
	if ((flags & MS_STRICTATIME) == 0 && i->atime_ns > i->mtime_ns &&
	    i->atime_ns > i->ctime_ns && c.atime_ns - i->atime_ns < DAY_NS)
		return;
	if (i->ops->setattr(i, &c) != OK)
		return; /* a time that cannot be stored is not the reader's error */
}

err_t inode_drop_privileges(struct inode *i)
{
	struct attr_change c = { .valid = ATTR_MODE, .mode = i->mode };

	if (i->may_have_caps) {
		err_t err = i->ops->setxattr(i, XATTR_NAME_CAPS, NULL, 0, XATTR_REPLACE);

		if (err != OK && err != E_NODATA)
			return err;
		i->may_have_caps = false;
	}
	if (!S_ISREG(i->mode) || (i->mode & (S_ISUID | S_ISGID)) == 0 || task_capable(CAP_FSETID))
		return OK;
	c.mode &= ~(uint32_t)S_ISUID;
	if ((i->mode & S_IXGRP) != 0)
		c.mode &= ~(uint32_t)S_ISGID;
	if (c.mode == i->mode || i->ops->setattr == NULL)
		return OK;
	return i->ops->setattr(i, &c);
}

void inode_init_owner(struct inode *i, const struct inode *dir)
{
	const struct cred *c = current_cred();

	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir == NULL || (dir->mode & S_ISGID) == 0)
		return;
	i->gid = dir->gid;
	if (S_ISDIR(i->mode))
		i->mode |= S_ISGID;
	else if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !task_in_group(i->gid) &&
		 !task_capable(CAP_FSETID))
		i->mode &= ~(uint32_t)S_ISGID;
}
