/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A way by name to a file that has none: opening /dev/stdout, that is /proc/self/fd/1, when it is a
 * pipe or a port. The inode is made when somebody goes that way; it holds the file, whose
 * operations make another open file of the same object.
 */
#include <linux/magic.h>

#include "kernel/mem/kmem.h"
#include "kernel/vfs/internal.h"

struct anon_inode {
	struct inode vfs;
	struct file *file; /* referenced */
};

static const struct fs_ops anon_fs = { .version = 1, .name = "pipefs", .magic = PIPEFS_MAGIC };
static struct super anon_super = {
	.ops = &anon_fs, .source = "pipefs", .magic = PIPEFS_MAGIC, .refs = 1
};

static err_t anon_open(struct inode *i, struct file *f)
{
	struct file *old = container_of(i, struct anon_inode, vfs)->file;

	return old->ops->reopen(old, f);
}

static void anon_stat(struct inode *i, struct kstat *out)
{
	if (file_stat(container_of(i, struct anon_inode, vfs)->file, out) != OK)
		inode_stat_fields(i, out);
}

static void anon_release(struct inode *i)
{
	struct anon_inode *a = container_of(i, struct anon_inode, vfs);

	file_put(a->file);
	kmem_free(a);
}

static const struct inode_ops anon_ops = {
	.open = anon_open,
	.stat = anon_stat,
	.release = anon_release,
};

static struct inode *anon_inode(struct file *f)
{
	struct anon_inode *a = kmem_zalloc(sizeof(*a));

	if (a == NULL)
		return NULL;
	if (anon_super.dev == 0)
		anon_super.dev = super_new_dev();
	inode_init(&a->vfs, &anon_super, &anon_ops, f->anon_ino, f->anon_mode);
	a->vfs.uid = current_cred()->fsuid;
	a->vfs.gid = current_cred()->fsgid;
	a->file = file_get(f);
	return &a->vfs;
}

err_t file_path(struct file *f, struct path *out)
{
	struct inode *i;

	*out = f->path;
	if (f->path.dentry != NULL) {
		path_get(out);
		return OK;
	}
	if (f->ops == NULL || f->ops->reopen == NULL)
		return E_NXIO;
	i = anon_inode(f);
	if (i == NULL)
		return E_NOMEM;
	out->mnt = NULL;
	out->dentry = dentry_create(NULL, "anon", 4, i);
	inode_put(i);
	return out->dentry != NULL ? OK : E_NOMEM;
}
