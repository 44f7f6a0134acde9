/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file system gives: inodes and operations on them. A file-system component (comp/fs/NAME)
 * implements inode_ops and fs_ops; everything above (names, mounts, permissions, descriptors) is
 * kernel/vfs. Operations run to completion and never block unless marked MAY_SWITCH.
 */
#pragma once

#include <linux/stat.h>

#include "abi/err.h"
#include "base/list.h"
#include "kernel/mem/aspace.h"
#include "kernel/mem/ubuf.h"

struct inode;
struct file;
struct super;
struct path;

struct kstat {
	uint64_t dev, ino, nlink, rdev, size, blocks; /* blocks of 512 bytes */
	uint32_t mode, uid, gid, blksize;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};

struct kstatfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags;
};

/* Called by readdir for each entry; false = buffer full, stop before this entry. `pos` is the
 * position after it. */
typedef bool (*dir_emit)(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			 uint64_t pos);

/* What setattr changes (ATTR_ bits) */
#define ATTR_MODE  1u
#define ATTR_UID   2u
#define ATTR_GID   4u
#define ATTR_SIZE  8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_READ \
	64u /* with ATTR_ATIME alone: because somebody read (relatime); nothing else changes */
/* now: of the times, those set to the present moment (write access is enough); the others need
 * ownership */
struct attr_change {
	unsigned valid, now;
	uint32_t mode, uid, gid;
	uint64_t size;
	int64_t atime_ns, mtime_ns;
};

struct inode_ops {
	/* directories; names are not NUL-terminated; results carry a reference */
	err_t (*lookup)(struct inode *dir, const char *name, size_t len, struct inode **out);
	err_t (*create)(struct inode *dir, const char *name, size_t len, uint32_t mode,
			uint64_t rdev, struct inode **out);
	/* A file without a name (O_TMPFILE), nlink 0; NULL: E_OPNOTSUPP */
	err_t (*tmpfile)(struct inode *dir, uint32_t mode, struct inode **out);
	err_t (*symlink)(struct inode *dir, const char *name, size_t len, const char *target,
			 struct inode **out);
	err_t (*link)(struct inode *dir, const char *name, size_t len, struct inode *target);
	err_t (*unlink)(struct inode *dir, const char *name, size_t len, bool dir_wanted);
	/* flags as renameat2; both in this file system; all checks of names and kinds are the file
	 * system's */
	err_t (*rename)(struct inode *from, const char *name, size_t len, struct inode *to,
			const char *name2, size_t len2, unsigned flags);
	/* pos 0 = start (the vfs emits "." and ".." itself) */
	err_t (*readdir)(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx);
	/* regular files */
	err_t (*read)(struct inode *i, uint64_t off, struct uio *to, size_t *done);
	/*
	 * Where up to len bytes (1 or more) at off lie in kernel memory, in at most `max` pieces,
	 * each with a reference for the caller on the frame it names. 0: they must be read. What is
	 * written to the file later may show in them; what is cut off stays till the reference
	 * goes. NULL: never.
	 */
	unsigned (*pieces)(struct inode *i, uint64_t off, size_t len, struct uio_piece *out,
			   unsigned max);
	err_t (*write)(struct inode *i, uint64_t off, struct uio *from, size_t *done);
	err_t (*allocate)(struct inode *i, int mode, uint64_t off,
			  uint64_t len); /* fallocate; NULL: E_OPNOTSUPP */
	err_t (*fsync)(struct inode *i, bool data_only);
	/* object for mmap, not referenced for the caller (vmobject get/put keep the inode); NULL:
	 * E_NODEV */
	struct vmobject *(*object)(struct inode *i);
	uint64_t (*seek_data)(
		struct inode *i, uint64_t off,
		bool hole); /* SEEK_DATA/SEEK_HOLE; UINT64_MAX: none; NULL: whole file is data */
	/* all */
	void (*stat)(struct inode *i, struct kstat *out); /* NULL: from the inode's fields */
	err_t (*setattr)(struct inode *i, const struct attr_change *c);
	err_t (*readlink)(struct inode *i, char *buf, size_t size, size_t *len);
	/* Magic link (/proc/self/fd/3): gives the path's target itself. NULL for ordinary symbolic
	 * links. */
	err_t (*follow)(struct inode *i, struct path *out);
	/* Devices, fifos, proc files: give the file its own operations. NULL: ordinary. MAY_SWITCH
	 * (fifo) */
	err_t (*open)(struct inode *i, struct file *f);
	err_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size, size_t *len);
	err_t (*setxattr)(struct inode *i, const char *name, const void *buf, size_t size,
			  int flags); /* buf NULL: remove */
	err_t (*listxattr)(struct inode *i, char *buf, size_t size, size_t *len);
	void (*release)(struct inode *i); /* the last reference is gone */
};

struct inode {
	const struct inode_ops *ops;
	struct super *super;
	uint32_t refs;
	uint32_t mode, uid, gid, nlink;
	uint64_t ino, rdev, size;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct list locks;    /* fcntl and flock locks (vfs/lock.c) */
	struct pipe *pipe;    /* fifo in use */
	struct list watches;  /* inotify */
	uint32_t writers;     /* files open for writing */
	uint32_t exec_denied; /* programs running from it: opening for writing gives E_TXTBSY */
	void *bound;          /* the AF_UNIX socket that has this name, or NULL (kernel/net) */
	bool linkable;        /* O_TMPFILE without O_EXCL: link() may give it a first name */
	bool secret;          /* only PrivUser opens it: vfs_make_secret() */
	bool may_have_caps;   /* the attribute security.capability was set */
	uint32_t seals;       /* F_SEAL_*; F_SEAL_SEAL alone where there can be none */
};

void inode_init(struct inode *i, struct super *s, const struct inode_ops *ops, uint64_t ino,
		uint32_t mode);
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i);

struct fs_ops {
	uint32_t version;
	const char *name; /* as in mount and /proc/mounts: "tmpfs" */
	uint64_t magic;
	/* Make a super; `source` and `options` as in mount(2); *root gets the root inode with a
	 * reference. */
	err_t (*mount)(struct super *s, const char *source, const char *options,
		       struct inode **root);
	void (*unmount)(struct super *s);
	void (*statfs)(struct super *s, struct kstatfs *out);
};
struct super {
	const struct fs_ops *ops;
	uint64_t dev;
	bool read_only;
	void *priv;
	const char *source;
	uint64_t magic;
	uint32_t refs;       /* mounts and inodes of it */
	bool volatile_names; /* names come and go by themselves (procfs): every look-up asks the
				file system */
	struct inode *lower; /* for file systems that show another's tree with changes on top (set
				before mount); or NULL */
	char options[64];    /* for /proc/mounts, behind "rw,relatime": "" or ",size=..." */
};

/* Programs may write to it (descriptors open for writing and programs running from it exclude each
 * other). */
err_t inode_get_write(struct inode *i) MUST_CHECK; /* E_TXTBSY */
void inode_put_write(struct inode *i);
/* execve: nobody may write while the program runs. */
err_t inode_deny_write(struct inode *i) MUST_CHECK; /* E_TXTBSY when somebody writes */
void inode_allow_write(struct inode *i);

/* The fields as kstat; what inode_ops.stat starts from. */
void inode_stat_fields(const struct inode *i, struct kstat *out);
/* All of stat: the file system's or the fields. */
void inode_stat(struct inode *i, struct kstat *out);
/* Owner and group of a fresh inode: the current task's, the directory's group where that has the
 * set-group-id bit (which a directory then inherits). The mode is set already. */
void inode_init_owner(struct inode *i, const struct inode *dir);
/* mtime and ctime are now. */
void inode_touch(struct inode *i);

/* Device numbers as programs see them in st_rdev. */
static inline uint64_t dev_make(uint32_t major, uint32_t minor)
{
	return (uint64_t)(major & 0xfffff000u) << 32 | (uint64_t)(major & 0xfffu) << 8 |
	       (uint64_t)(minor & 0xffffff00u) << 12 | (minor & 0xffu);
}
static inline uint32_t dev_major(uint64_t dev)
{
	return (uint32_t)((dev >> 32 & 0xfffff000u) | (dev >> 8 & 0xfffu));
}
static inline uint32_t dev_minor(uint64_t dev)
{
	return (uint32_t)((dev >> 12 & 0xffffff00u) | (dev & 0xffu));
}

/* A device number 0:N that no other super has. */
uint64_t super_new_dev(void);
struct super *super_get(struct super *s);
void super_put(struct super *s); /* the last one unmounts */

/* Make a file system known to mount(2) and /proc/filesystems. `nodev`: it needs no block device. */
void fs_register(const struct fs_ops *ops);
const struct fs_ops *fs_find(const char *name);
/* The i-th registered, NULL behind the last. */
const struct fs_ops *fs_at(unsigned i);
