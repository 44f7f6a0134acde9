/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: the tree of directory entries, mounts, and looking a path up. */
#pragma once

#include "abi/err.h"
#include "base/list.h"
#include "kernel/vfs/inode.h"

struct mount;
struct dentry {                /* a name in a directory; negative entries are not kept */
	struct dentry *parent; /* itself for a root */
	struct inode *inode;
	uint32_t refs;
	struct list hash, lru;
	uint64_t key;          /* hash of parent and name */
	struct mount *mounted; /* what is mounted here, one for each mount that shows this name */
	bool unlinked;
	uint16_t len;
	char *name;
};
struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

/*
 * A tree of mounts of its own. Trees know nothing of each other: a mount in one does not spread.
 * The last fs_context that is in it takes it apart.
 */
struct mount_ns {
	uint32_t refs, id;
	struct mount *root;
};
extern struct mount_ns first_mount_ns;

struct fs_context {
	uint32_t refs;
	struct mount_ns *ns;
	struct path root, cwd;
	uint32_t umask;
};
/* A fresh one: root and working directory are the root of the tree, umask 022. NULL: out of
 * memory. */
struct fs_context *fs_context_create(void);
/* Of code that runs outside tasks; the first task starts with a clone. */
extern struct fs_context kernel_fs;
struct fs_context *fs_context_clone(const struct fs_context *f); /* NULL: out of memory */
struct fs_context *fs_context_get(struct fs_context *f);
void fs_context_put(struct fs_context *f);

void path_get(const struct path *p);
void path_put(const struct path *p);

#define AT_FDCWD_        (-100)
#define LOOK_FOLLOW      1u /* follow a symbolic link at the end */
#define LOOK_EMPTY       2u /* "" means dirfd itself (AT_EMPTY_PATH) */
#define LOOK_DIR         4u /* must be a directory */
#define LOOK_NO_XDEV     8u /* openat2 RESOLVE_* */
#define LOOK_NO_MAGIC    16u
#define LOOK_NO_SYMLINKS 32u
#define LOOK_BENEATH     64u
#define LOOK_IN_ROOT     128u
/* Look up `name` (kernel string) from dirfd of the current task. The result is referenced. Checks
 * search permission. MAY_SWITCH */
err_t path_lookup(int dirfd, const char *name, unsigned flags, struct path *out) MUST_CHECK;
/* The directory that holds (or would hold) the last component; *last points into name, *last_len
 * its length.
 * "." ".." and "/" as last component: E_EXIST for creation, E_INVAL/E_BUSY/E_NOTEMPTY as Linux for
 * removal (the callers below). */
err_t path_lookup_parent(int dirfd, const char *name, struct path *dir, const char **last,
			 size_t *last_len, bool *trailing_slash) MUST_CHECK;
/* From now on only PrivUser may open this regular file (kernel string, of the first program's
 * tree), whatever its mode says. Stays so through rename and link. E_INVAL, errors of the walk. */
err_t vfs_make_secret(const char *name) MUST_CHECK;
/* Absolute path as seen from the task's root; " (deleted)" is added for unlinked entries.
 * E_NAMETOOLONG, E_NOENT (outside root). */
err_t path_string(const struct path *p, char *buf, size_t size, size_t *len) MUST_CHECK;

/* As the *at system calls, on kernel strings, with all of Linux's checks for the current task.
 * MAY_SWITCH */
err_t vfs_open(int dirfd, const char *name, uint32_t flags, uint32_t mode, unsigned look,
	       struct file **out) MUST_CHECK;
/*
 * As vfs_open, of a name in (or below) a directory of the kernel's own choice, and never outside.
 */
err_t vfs_open_in(const struct path *dir, const char *name, uint32_t flags, uint32_t mode,
		  struct file **out) MUST_CHECK;
err_t vfs_open_path(const struct path *p, uint32_t flags, struct file **out) MUST_CHECK;
err_t vfs_mkdir(int dirfd, const char *name, uint32_t mode) MUST_CHECK;
err_t vfs_mknod(int dirfd, const char *name, uint32_t mode, uint64_t rdev) MUST_CHECK;
err_t vfs_symlink(const char *target, int dirfd, const char *name) MUST_CHECK;
err_t vfs_link(int olddir, const char *oldname, int newdir, const char *newname,
	       unsigned look) MUST_CHECK;
err_t vfs_unlink(int dirfd, const char *name, bool dir) MUST_CHECK;
err_t vfs_unlink_in(const struct path *dir, const char *name) MUST_CHECK; /* a plain name */
err_t vfs_rename(int olddir, const char *oldname, int newdir, const char *newname,
		 unsigned flags) MUST_CHECK;
err_t vfs_readlink(int dirfd, const char *name, char *buf, size_t size, size_t *len) MUST_CHECK;
err_t vfs_stat(int dirfd, const char *name, unsigned look, struct kstat *out) MUST_CHECK;
err_t vfs_access(int dirfd, const char *name, int mode, unsigned look, bool effective) MUST_CHECK;
/* chmod chown utimens truncate: permission rules by c->valid. */
err_t vfs_setattr(const struct path *p, struct attr_change *c, unsigned what) MUST_CHECK;
err_t vfs_chdir(const struct path *p) MUST_CHECK;
err_t vfs_chroot(const struct path *p) MUST_CHECK;
err_t vfs_mount(const char *source, const char *target, const char *type, unsigned long flags,
		const char *options) MUST_CHECK;
err_t vfs_umount(const char *target, unsigned flags) MUST_CHECK;
/* pivot_root(2): E_PERM, E_BUSY, E_INVAL, E_NOENT, errors of the walk. */
err_t vfs_pivot_root(const char *new_root, const char *put_old) MUST_CHECK;
/* A copy of its tree of mounts for `fs`, which nobody shares. E_NOMEM */
err_t mount_ns_unshare(struct fs_context *fs) MUST_CHECK;
void mount_ns_put(struct mount_ns *ns);
err_t vfs_statfs(const struct path *p, struct kstatfs *out) MUST_CHECK;
/* Bit of vfs_setattr's `what`: the size, through a descriptor open for writing (ftruncate): no
 * permission check. */
#define SETATTR_OPEN 0x200u
/* Without a question for rights; what cannot be stored (capabilities of a file) is E_INVAL. */
err_t inode_setxattr(struct inode *i, const char *name, const void *buf, size_t size,
		     int flags) MUST_CHECK;
/* Access rule for the current task: mask of 4 (read) 2 (write) 1 (execute or search). */
err_t inode_permission(struct inode *i, unsigned mask) MUST_CHECK;
/* The same for the real ids (access). */
err_t inode_permission_real(struct inode *i, unsigned mask) MUST_CHECK;
/* E_ROFS when the mount or its file system is read-only. */
err_t path_writable(const struct path *p) MUST_CHECK;
/* inode_permission and the mount: E_ROFS for writing to a read-only one. */
err_t path_permission(const struct path *p, unsigned mask) MUST_CHECK;
/* Has the current task this capability (CAP_ of linux/capability.h)? Start-up code without a task
 * has all. */
bool task_capable(unsigned cap);
/* Is the current task the owner, or may it act as one? */
bool inode_owner_or_capable(const struct inode *i);
/* Is gid the current task's file-system group or one of its supplementary groups? */
bool task_in_group(uint32_t gid);

/* List of mounts for /proc/self/mounts. */
struct mount {
	struct list all; /* in all_mounts, oldest first */
	struct super *super;
	struct dentry *root;
	struct path at;     /* where it is mounted; {NULL} for the root and for internal mounts */
	uint32_t id, flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_NODIRATIME,
			       MS_RELATIME */
	struct mount *parent; /* NULL: root, internal, or taken out of the tree by MNT_DETACH */
	struct mount *here;   /* the next one on the same name, in another view of it */
	struct mount *copy;   /* while a tree is copied (mountns.c) */
	bool unbindable;      /* MS_UNBINDABLE */
	uint32_t refs;        /* paths, and one for being in the tree */
	uint32_t children;    /* mounts whose parent this is */
	bool internal;        /* never in the tree: memfd and the like */
};
extern struct list all_mounts;

/* Mount without names: a new super of `ops`. On OK *out has one reference (the tree's, or the
 * caller's if `at` is NULL). */
err_t mount_new(const struct fs_ops *ops, const char *source, const char *options, uint32_t flags,
		const struct path *at, struct mount **out) MUST_CHECK;
/* The same for a file system that shows the tree of `lower` (a directory of another) and keeps
 * changes itself. */
err_t mount_new_over(const struct fs_ops *ops, const char *source, const char *options,
		     uint32_t flags, const struct path *at, struct inode *lower,
		     struct mount **out) MUST_CHECK;
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m);

/* Start-up: root = EROFS image (or an empty tmpfs when there is none) under tmpfs, /proc, /dev,
 * /dev/pts, /dev/shm, /tmp, /run, /sys. */
err_t vfs_init(void) MUST_CHECK;
