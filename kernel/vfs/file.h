/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: what a descriptor refers to. */
#pragma once

#include <asm/poll.h>

#include "kernel/task/sched.h"
#include "kernel/vfs/inode.h"
#include "kernel/vfs/path.h"

struct file;
struct poll_table; /* poll.h */

struct file_ops {
	/* Regular files go through the inode; these are for everything else. off is the position,
	 * or (uint64_t)-1 for streams. Read and write block unless f->flags has O_NONBLOCK
	 * (E_AGAIN). MAY_SWITCH. *done counts bytes also when an error is returned. */
	err_t (*read)(struct file *f, uint64_t off, struct uio *to, size_t *done);
	err_t (*write)(struct file *f, uint64_t off, struct uio *from, size_t *done);
	/* Events now ready (EPOLLIN...); registers its wait queues with `t` when t is not NULL. */
	uint32_t (*poll)(struct file *f, struct poll_table *t);
	long (*ioctl)(struct file *f, unsigned cmd, uint64_t arg); /* E_NOTTY when unknown */
	err_t (*mmap)(struct file *f, uint64_t pgoff, uint64_t len, uint32_t flags,
		      struct vmobject **out);
	long (*seek)(struct file *f, int64_t off,
		     int whence);      /* NULL: E_SPIPE unless a regular file or directory */
	void (*flush)(struct file *f); /* a descriptor was closed */
	/*
	 * A program closes the last descriptor: release follows. NULL: nothing to wait for.
	 * MAY_SWITCH
	 */
	void (*linger)(struct file *f);
	void (*release)(struct file *f); /* the last reference is gone */
	/* Make f, with its flags set, another open file of what `old` (a file without a name) is:
	 * /proc/self/fd/N is opened. NULL: cannot be done. */
	err_t (*reopen)(struct file *old, struct file *f);
	/* What /proc/self/fd/N shows ("pipe:[12]", "anon_inode:[eventpoll]"); NULL: the path. */
	void (*name)(struct file *f, char *buf, size_t size);
	void (*fdinfo)(struct file *f, char *buf, size_t size);
	bool stream; /* no position: pread gives E_SPIPE */
	bool async;  /* can signal when it is ready (async.h); its poll has at most two queues */
};

struct file {
	const struct file_ops *ops; /* NULL: regular file or directory of the inode */
	uint32_t refs;
	uint32_t flags; /* O_ACCMODE, O_APPEND, O_NONBLOCK, O_DIRECT, O_PATH ... (O_CLOEXEC is the
			   descriptor's) */
	uint64_t pos;
	struct path path;        /* {NULL} for pipes and the like */
	struct inode *inode;     /* NULL for anonymous files */
	void *priv;              /* of ops */
	struct list epoll_items; /* epoll sets that watch this file (epoll.c) */
	struct async *async;     /* async.c: F_SETOWN, F_SETSIG, O_ASYNC; NULL: none of them */
	uint64_t dir_gen;
	uint64_t anon_ino; /* of a file without an inode: its own number, mode and times */
	uint32_t anon_mode;
	int64_t anon_time_ns;
	uint32_t dnotifies; /* watches of dnotify.c */
	bool wrote_access;  /* counted in inode->writers */
	bool async_wants_room;
};

/* A file without a name: ops and priv; refs = 1. NULL: out of memory. Its stat shows mode (S_IFIFO
 * ...) and a unique inode number. */
struct file *file_create(const struct file_ops *ops, void *priv, uint32_t flags, uint32_t mode);
static inline struct file *file_get(struct file *f)
{
	f->refs++;
	return f;
}
void file_put_last(struct file *f); /* for file_put */
static inline void file_put(struct file *f)
{
	if (f->refs > 1)
		f->refs--;
	else
		file_put_last(f);
}

/* As the system calls; position handling, access mode, O_APPEND, RLIMIT_FSIZE, S_ISDIR checks
 * included. MAY_SWITCH */
err_t file_pread(struct file *f, uint64_t off, struct uio *to, size_t *done) MUST_CHECK;
err_t file_pwrite(struct file *f, uint64_t off, struct uio *from, size_t *done) MUST_CHECK;
long file_seek(struct file *f, int64_t off, int whence);
/* For file_ops.seek: a file without a position that says 0 to every seek, as some of Linux's do. */
long file_seek_nowhere(struct file *f, int64_t off, int whence);
long file_ioctl(struct file *f, unsigned cmd, uint64_t arg);
err_t file_stat(struct file *f, struct kstat *out) MUST_CHECK;
err_t file_truncate(struct file *f, uint64_t size) MUST_CHECK;
/* fchmod, fchown, futimens: as vfs_setattr; works on pipes and other files without a name too. */
err_t file_setattr(struct file *f, struct attr_change *c) MUST_CHECK;
uint32_t file_poll(struct file *f, struct poll_table *t);
err_t file_mmap(struct file *f, uint64_t pgoff, uint64_t len, uint32_t vmflags,
		struct vmobject **out) MUST_CHECK; /* reference for the caller */
/* Kernel reads len bytes at off (exec, tests); E_NOEXEC-style short reads are reported through
 * *done. */
err_t file_read_kernel(struct file *f, uint64_t off, void *buf, size_t len,
		       size_t *done) MUST_CHECK;
/* Copy between two files inside the kernel (sendfile, copy_file_range, splice of files). off NULL:
 * the file's position. */
err_t file_copy(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off, size_t len,
		size_t *done) MUST_CHECK;
/* getdents: entries from the position on, "." and ".." included; the position moves behind each
 * entry that emit took. The names of the program's open directory may change between calls: no
 * entry comes twice. E_NOTDIR, E_NOENT (removed). */
err_t file_readdir(struct file *f, dir_emit emit, void *ctx) MUST_CHECK;
err_t file_fsync(struct file *f, bool data_only) MUST_CHECK;
err_t file_allocate(struct file *f, int mode, uint64_t off,
		    uint64_t len) MUST_CHECK; /* fallocate */
/* F_SETFL: O_APPEND O_NONBLOCK O_DIRECT O_NOATIME of `flags` replace the file's. E_PERM
 * (O_NOATIME of others' files). */
err_t file_set_flags(struct file *f, uint32_t flags) MUST_CHECK;
/* F_ADD_SEALS (seals != 0 adds), F_GET_SEALS: the seals, or E_INVAL where there can be none,
 * E_PERM, E_BUSY. */
long file_seals(struct file *f, uint32_t add, bool get);
/* Access modes are 0 (read), 1 (write), 2 (both) and 3 (neither). */
static inline bool file_readable(const struct file *f)
{
	return (f->flags & 1) == 0;
}
static inline bool file_writable(const struct file *f)
{
	return ((f->flags + 1) & 2) != 0;
}
/* Of files without operations, for file_read and file_write. */
err_t file_read_inode(struct file *f, struct uio *to, size_t *done) MUST_CHECK;
err_t file_write_inode(struct file *f, struct uio *from, size_t *done) MUST_CHECK;
/* At the file's position, which moves on. MAY_SWITCH */
static inline MUST_CHECK err_t file_read(struct file *f, struct uio *to, size_t *done)
{
	const struct file_ops *ops = f->ops;
	err_t err;

	*done = 0;
	if (!file_readable(f))
		return E_BADF;
	if (ops == NULL)
		return file_read_inode(f, to, done);
	if (ops->read == NULL)
		return E_INVAL;
	err = ops->read(f, ops->stream ? (uint64_t)-1 : f->pos, to, done);
	f->pos += *done;
	return err;
}
static inline MUST_CHECK err_t file_write(struct file *f, struct uio *from, size_t *done)
{
	const struct file_ops *ops = f->ops;
	err_t err;

	*done = 0;
	if (!file_writable(f))
		return E_BADF;
	if (ops == NULL)
		return file_write_inode(f, from, done);
	if (ops->write == NULL)
		return E_INVAL;
	err = ops->write(f, ops->stream ? (uint64_t)-1 : f->pos, from, done);
	f->pos += *done;
	return err;
}
/* Open files of this core. */
uint64_t file_count(void);
/* The path that leads to f again, referenced; made for the purpose when f has no name but can be
 * opened again (pipes). E_NXIO when it cannot, E_NOMEM. */
err_t file_path(struct file *f, struct path *out) MUST_CHECK;
/* Text for /proc/self/fd. */
void file_describe(struct file *f, char *buf, size_t size);

/* True for files without a position: pread and the like give E_SPIPE. */
static inline bool file_is_stream(const struct file *f)
{
	return f->ops != NULL && f->ops->stream;
}
