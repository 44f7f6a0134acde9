/* SPDX-License-Identifier: BSD-2-Clause */
/* The directories /dev and /dev/pts. */
#include <linux/magic.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/dev/local.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/core/core.h"
#include "kernel/vfs/internal.h"

#define TTY_GID      5u
#define TTYAUX_MAJOR 5u
#define DEVPTS_MAGIC 0x1cd1

const struct fs_ops devtmpfs_fs = {
	.version = 1,
	.name = "devtmpfs",
	.magic = TMPFS_MAGIC,
	.mount = tmpfs_mount,
	.unmount = tmpfs_unmount,
	.statfs = tmpfs_statfs,
};

static struct inode *devpts_root; /* of the first mount, the one at /dev/pts; referenced */

static err_t devpts_mount(struct super *s, const char *source, const char *options,
			  struct inode **root)
{
	s->volatile_names = true; /* the pty driver removes them below the cache of names */
	TRY(tmpfs_mount(s, source, options, root));
	if (devpts_root == NULL)
		devpts_root = inode_get(*root);
	return OK;
}

const struct fs_ops devpts_fs = {
	.version = 1,
	.name = "devpts",
	.magic = DEVPTS_MAGIC,
	.mount = devpts_mount,
	.unmount = tmpfs_unmount,
};

/* ---- /dev/pts ---- */

err_t devpts_add(unsigned index, uint32_t uid)
{
	char name[12];
	size_t len = fmt_snprintf(name, sizeof(name), "%u", index);
	struct inode *i;

	if (devpts_root == NULL)
		return E_NODEV;
	TRY(devpts_root->ops->create(devpts_root, name, len, S_IFCHR | 0620,
				     dev_make(DEVPTS_MAJOR, index), &i));
	i->uid = uid;
	i->gid = TTY_GID;
	inode_put(i);
	return OK;
}

void devpts_remove(unsigned index)
{
	char name[12];
	size_t len = fmt_snprintf(name, sizeof(name), "%u", index);

	if (devpts_root == NULL || devpts_root->ops->unlink(devpts_root, name, len, false) != OK)
		log_debug("devpts: no node %s", name);
}

/* ---- /dev ---- */

static err_t add_node(const char *name, uint32_t mode, uint64_t rdev, uint32_t gid)
{
	struct attr_change c = { .valid = ATTR_MODE | ATTR_GID, .mode = mode & 07777, .gid = gid };
	struct path p;
	char path[64];
	err_t err;

	if (fmt_snprintf(path, sizeof(path), "/dev/%s", name) >= sizeof(path))
		return E_NAMETOOLONG;
	TRY(vfs_mknod(AT_FDCWD_, path, mode, rdev));
	TRY(path_lookup(AT_FDCWD_, path, 0, &p));
	err = vfs_setattr(&p, &c, 0); /* the umask took something away */
	path_put(&p);
	return err;
}

err_t dev_add(const char *name, uint32_t mode, uint64_t rdev)
{
	return add_node(name, mode, rdev, 0);
}

static const struct node {
	const char *name;
	uint32_t mode, major, minor, gid;
} nodes[] = {
	{ "null", 0666, MEM_MAJOR, MEM_NULL, 0 },
	{ "zero", 0666, MEM_MAJOR, MEM_ZERO, 0 },
	{ "full", 0666, MEM_MAJOR, MEM_FULL, 0 },
	{ "random", 0666, MEM_MAJOR, MEM_RANDOM, 0 },
	{ "urandom", 0666, MEM_MAJOR, MEM_URANDOM, 0 },
	{ "kmsg", 0644, MEM_MAJOR, MEM_KMSG, 0 },
	{ "tty", 0666, TTYAUX_MAJOR, 0, TTY_GID },
	{ "console", 0600, TTYAUX_MAJOR, 1, 0 },
	{ "ptmx", 0666, TTYAUX_MAJOR, 2, TTY_GID },
};

static const struct link {
	const char *path, *target;
} links[] = {
	{ "/dev/fd", "/proc/self/fd" },       { "/dev/stdin", "/proc/self/fd/0" },
	{ "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
	{ "/dev/pts/ptmx", "../ptmx" },
};

err_t dev_init(void)
{
	TRY(dev_mem_register());
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		TRY(add_node(nodes[i].name, S_IFCHR | nodes[i].mode,
			     dev_make(nodes[i].major, nodes[i].minor), nodes[i].gid));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		TRY(vfs_symlink(links[i].target, AT_FDCWD_, links[i].path));
	return OK;
}
