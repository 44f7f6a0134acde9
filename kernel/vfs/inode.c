/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes: reference counts, the fields that stat shows, writers against programs that run. */
#include <linux/fcntl.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/vfs/internal.h"

void inode_init(struct inode *i, struct super *s, const struct inode_ops *ops, uint64_t ino,
		uint32_t mode)
{
	memset(i, 0, sizeof(*i));
	i->ops = ops;
	i->super = super_get(s);
	i->refs = 1;
	i->mode = mode;
	i->nlink = 1;
	i->ino = ino;
	i->atime_ns = i->mtime_ns = i->ctime_ns = i->btime_ns = (int64_t)time_real_ns();
	i->seals = F_SEAL_SEAL;
	list_init(&i->locks);
	list_init(&i->watches);
}

struct inode *inode_get(struct inode *i)
{
	i->refs++;
	return i;
}

void inode_put(struct inode *i)
{
	struct super *s = i->super;

	BUG_ON(i->refs == 0);
	if (--i->refs > 0)
		return;
	BUG_ON(!list_empty(&i->locks));
	if (i->ops->release != NULL)
		i->ops->release(i);
	super_put(s);
}

err_t inode_get_write(struct inode *i)
{
	if (i->exec_denied > 0)
		return E_TXTBSY;
	i->writers++;
	return OK;
}

void inode_put_write(struct inode *i)
{
	BUG_ON(i->writers == 0);
	i->writers--;
}

err_t inode_deny_write(struct inode *i)
{
	if (i->writers > 0)
		return E_TXTBSY;
	i->exec_denied++;
	return OK;
}

void inode_allow_write(struct inode *i)
{
	BUG_ON(i->exec_denied == 0);
	i->exec_denied--;
}

void inode_stat_fields(const struct inode *i, struct kstat *out)
{
	*out = (struct kstat){
		.dev = i->super->dev,
		.ino = i->ino,
		.nlink = i->nlink,
		.rdev = i->rdev,
		.size = i->size,
		.blocks = (i->size + 511) / 512,
		.mode = i->mode,
		.uid = i->uid,
		.gid = i->gid,
		.blksize = (uint32_t)PAGE_SIZE,
		.atime_ns = i->atime_ns,
		.mtime_ns = i->mtime_ns,
		.ctime_ns = i->ctime_ns,
		.btime_ns = i->btime_ns,
	};
}

void inode_stat(struct inode *i, struct kstat *out)
{
	if (i->ops->stat != NULL)
		i->ops->stat(i, out);
	else
		inode_stat_fields(i, out);
}

void inode_touch(struct inode *i)
{
	i->mtime_ns = i->ctime_ns = (int64_t)time_real_ns();
}
