/* SPDX-License-Identifier: BSD-2-Clause */
/* Start-up: the file systems that are known, and the tree that the program sees. */
#include <linux/fs.h>

#include "base/str.h"
#include "comp/fs/dev/dev.h"
#include "comp/fs/erofs/erofs.h"
#include "comp/fs/proc/proc.h"
#include "comp/fs/sys/sys.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/vfs/internal.h"

#define RECLAIM_NAMES 1024u

/* Memory is short: unused names first, they hold the inodes that the file systems can then drop. */
static size_t reclaim(size_t want)
{
	size_t names = dentry_shrink(RECLAIM_NAMES);

	return names * sizeof(struct dentry) / PAGE_SIZE + tmpfs_reclaim(want);
}

static void register_all(void)
{
	static const struct fs_ops *const all[] = {
		&tmpfs_fs, &proc_fs, &sys_fs, &devtmpfs_fs, &devpts_fs, &erofs_fs,
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		fs_register(all[i]);
}

/* The root of the image, if there is one; its mount stays for ever. */
static err_t image_root(struct inode **out)
{
	struct mount *m;

	*out = NULL;
	if (boot_info.image_len == 0)
		return OK;
	TRY(mount_new(&erofs_fs, "image", NULL, MS_RDONLY, NULL, &m));
	m->internal = true;
	*out = m->root->inode;
	return OK;
}

static err_t mount_root(void)
{
	struct inode *lower;
	struct mount *m;

	TRY(image_root(&lower));
	TRY(mount_new_over(&tmpfs_fs, "rootfs", lower == NULL ? "mode=755" : NULL, MS_RELATIME,
			   NULL, lower, &m));
	mount_set_root(m);
	kernel_fs.root = kernel_fs.cwd = (struct path){ m, m->root };
	path_get(&kernel_fs.root);
	path_get(&kernel_fs.cwd);
	return OK;
}

/* A directory that must be there, whatever the image has. */
static err_t ensure_dir(const char *name, uint32_t mode)
{
	struct attr_change c = { .valid = ATTR_MODE, .mode = mode };
	struct path p;
	err_t err = vfs_mkdir(AT_FDCWD_, name, 0755);

	if (err == E_EXIST)
		return OK; /* the image knows better */
	TRY(err);
	TRY(path_lookup(AT_FDCWD_, name, 0, &p));
	err = vfs_setattr(&p, &c, 0);
	path_put(&p);
	return err;
}

static const struct standard_mount {
	const char *target, *type, *options;
	unsigned long flags;
	uint32_t dir_mode;
} standard_mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0555 },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, 0555 },
	{ "/dev", "devtmpfs", "mode=755", MS_NOSUID, 0755 },
	{ "/dev/pts", "devpts", "gid=5,mode=755", MS_NOSUID | MS_NOEXEC, 0755 },
	{ "/dev/shm", "tmpfs", NULL, MS_NOSUID | MS_NODEV, 01777 },
};

static err_t mount_standard(const struct standard_mount *m)
{
	err_t err = ensure_dir(m->target, m->dir_mode);

	if (err == OK)
		err = vfs_mount(m->type, m->target, m->type, m->flags, m->options);
	if (err != OK)
		log_error("%s cannot be mounted: %s", m->target, err_text(err));
	return err;
}

err_t vfs_init(void)
{
	/* Programs run on core 0's kernel; the others need no tree of their own until programs can
	 * be placed there. */
	if (boot_info.core != 0)
		return OK;
	TRY(dentry_cache_init());
	register_all();
	TRY(mount_root());
	mem_register_reclaim(reclaim);
	for (size_t i = 0; i < ARRAY_SIZE(standard_mounts); i++)
		TRY(mount_standard(&standard_mounts[i]));
	TRY(ensure_dir("/tmp", 01777));
	TRY(ensure_dir("/run", 0755));
	return dev_init();
}
