/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on open files: data in and out, positions, sizes. */
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/lock.h"

/* What a transfer returns: bytes moved, unless nothing moved and there was an error. */
static long transfer_result(err_t err, size_t done)
{
	return done > 0 ? (long)done : (long)err;
}

/* "At the file's own position" where an offset stands. */
#define POS_FILE (-1)

static inline err_t move_data(struct file *f, struct uio *u, int64_t off, bool writing,
			      size_t *done)
{
	if (off == POS_FILE)
		return writing ? file_write(f, u, done) : file_read(f, u, done);
	return writing ? file_pwrite(f, (uint64_t)off, u, done)
		       : file_pread(f, (uint64_t)off, u, done);
}

static inline err_t move(struct file *f, struct uio *u, int64_t off, bool writing, size_t *done)
{
	err_t err = move_data(f, u, off, writing, done);

	if (writing) {
		current->io.writes++;
		current->io.written_bytes += *done;
	} else {
		current->io.reads++;
		current->io.read_bytes += *done;
	}
	return err;
}

/* One range. Inlined into its four callers, each of which needs a quarter of it. */
static inline __attribute__((always_inline)) long single(int fd, uaddr_t base, size_t len,
							 int64_t off, bool writing)
{
	struct file *f = fd_get(fd);
	struct uio u;
	size_t done = 0;
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = uio_user(&u, base, len);
	if (err == OK)
		err = move(f, &u, off, writing, &done);
	file_put(f);
	return transfer_result(err, done);
}

long sys_read(int fd, uaddr_t base, size_t len)
{
	return single(fd, base, len, POS_FILE, false);
}

long sys_write(int fd, uaddr_t base, size_t len)
{
	return single(fd, base, len, POS_FILE, true);
}

long sys_pread64(int fd, uaddr_t base, size_t len, int64_t off)
{
	return off < 0 ? E_INVAL : single(fd, base, len, off, false);
}

long sys_pwrite64(int fd, uaddr_t base, size_t len, int64_t off)
{
	return off < 0 ? E_INVAL : single(fd, base, len, off, true);
}

static long vectored(int fd, uaddr_t iov, unsigned n, int64_t off, bool writing)
{
	struct file *f = fd_get(fd);
	struct ubuf *segs = NULL;
	struct uio u;
	size_t done = 0;
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = uio_iovec(&u, iov, n, &segs);
	if (err == OK)
		err = move(f, &u, off, writing, &done);
	kmem_free(segs);
	file_put(f);
	return transfer_result(err, done);
}

long sys_readv(int fd, uaddr_t iov, unsigned n)
{
	return vectored(fd, iov, n, POS_FILE, false);
}

long sys_writev(int fd, uaddr_t iov, unsigned n)
{
	return vectored(fd, iov, n, POS_FILE, true);
}

long sys_preadv(int fd, uaddr_t iov, unsigned n, int64_t off)
{
	return off < 0 ? E_INVAL : vectored(fd, iov, n, off, false);
}

long sys_pwritev(int fd, uaddr_t iov, unsigned n, int64_t off)
{
	return off < 0 ? E_INVAL : vectored(fd, iov, n, off, true);
}

/* Of the RWF_ flags only hints are served; the others would promise something. */
static err_t rwf_check(int flags)
{
	return (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC)) == 0 ? OK : E_OPNOTSUPP;
}

long sys_preadv2(int fd, uaddr_t iov, unsigned n, int64_t off, uint64_t high, int flags)
{
	(void)high; /* the upper half of the offset on 32-bit machines */
	TRY(rwf_check(flags));
	return off < POS_FILE ? E_INVAL : vectored(fd, iov, n, off, false);
}

long sys_pwritev2(int fd, uaddr_t iov, unsigned n, int64_t off, uint64_t high, int flags)
{
	(void)high;
	TRY(rwf_check(flags));
	return off < POS_FILE ? E_INVAL : vectored(fd, iov, n, off, true);
}

long sys_lseek(int fd, int64_t off, int whence)
{
	struct file *f = fd_get(fd);
	long ret;

	if (f == NULL)
		return E_BADF;
	ret = file_seek(f, off, whence);
	file_put(f);
	return ret;
}

/* As uio_user does it for the others: Linux moves at most this much in one call. */
#define RW_MAX 0x7ffff000ull

static size_t rw_len(size_t len)
{
	return len > RW_MAX ? RW_MAX : len;
}

/* What sendfile asks of its files: the source has positions, and the target does not append. */
static err_t check_sendfile(const struct file *in, const struct file *out)
{
	return file_is_stream(in) || (out->flags & O_APPEND) ? E_INVAL : OK;
}

/* What copy_file_range asks of its files; `from` and `to` are the positions. */
static err_t check_copy_range(const struct file *in, const struct file *out, uint64_t from,
			      uint64_t to, size_t len)
{
	if (in->inode == NULL || out->inode == NULL)
		return E_INVAL;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return E_ISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return E_INVAL;
	if (out->flags & O_APPEND)
		return E_BADF;
	if (len > in->inode->size - from)
		len = from < in->inode->size ? in->inode->size - from : 0;
	return in->inode == out->inode && to + len > from && to < from + len ? E_INVAL : OK;
}

/* Two files and up to two offsets in the program's memory: sendfile and copy_file_range. */
static long copy_between(int in_fd, uaddr_t in_off, int out_fd, uaddr_t out_off, size_t len,
			 bool range)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	uint64_t ioff = 0, ooff = 0;
	size_t done = 0;
	err_t err = OK;

	if (in == NULL || out == NULL)
		err = E_BADF;
	if (err == OK && in_off.v != 0)
		err = USER_IN(&ioff, in_off);
	if (err == OK && out_off.v != 0)
		err = USER_IN(&ooff, out_off);
	if (err == OK && ((int64_t)ioff < 0 || (int64_t)ooff < 0))
		err = E_INVAL;
	if (err == OK && range)
		err = check_copy_range(in, out, in_off.v != 0 ? ioff : in->pos,
				       out_off.v != 0 ? ooff : out->pos, rw_len(len));
	else if (err == OK)
		err = check_sendfile(in, out);
	if (err == OK)
		err = file_copy(in, in_off.v != 0 ? &ioff : NULL, out,
				out_off.v != 0 ? &ooff : NULL, rw_len(len), &done);
	io_counts_add(&current->io, &(struct io_counts){ done, done, 1, 1 });
	if (done > 0 && in_off.v != 0 && USER_OUT(in_off, &ioff) != OK)
		err = E_FAULT, done = 0;
	if (done > 0 && out_off.v != 0 && USER_OUT(out_off, &ooff) != OK)
		err = E_FAULT, done = 0;
	if (in != NULL)
		file_put(in);
	if (out != NULL)
		file_put(out);
	return transfer_result(err, done);
}

long sys_sendfile(int out_fd, int in_fd, uaddr_t off, size_t len)
{
	return copy_between(in_fd, off, out_fd, UADDR(0), len, false);
}

long sys_copy_file_range(int in_fd, uaddr_t in_off, int out_fd, uaddr_t out_off, size_t len,
			 unsigned flags)
{
	if (flags != 0)
		return E_INVAL;
	return copy_between(in_fd, in_off, out_fd, out_off, len, true);
}

static long sync_fd(int fd, bool data_only)
{
	struct file *f = fd_get(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = file_fsync(f, data_only);
	file_put(f);
	return err;
}

long sys_fsync(int fd)
{
	return sync_fd(fd, false);
}

long sys_fdatasync(int fd)
{
	return sync_fd(fd, true);
}

/*
 * All writable file systems of a core live in its memory: there is nothing that a sync could bring
 * to a disk.
 */
long sys_sync(void)
{
	return 0;
}

long sys_syncfs(int fd)
{
	struct file *f = fd_get(fd);

	if (f == NULL)
		return E_BADF;
	file_put(f);
	return 0;
}

long sys_sync_file_range(int fd, int64_t off, int64_t len, unsigned flags)
{
	if (off < 0 || len < 0 || (flags & ~7u) != 0)
		return E_INVAL;
	return sync_fd(fd, true);
}

/*
 * Advice about read-ahead: pages are in memory already, so taking it changes nothing; the checks
 * are Linux's.
 */
long sys_fadvise64(int fd, int64_t off, int64_t len, int advice)
{
	struct file *f = fd_get(fd);
	err_t err = OK;

	(void)off;
	if (f == NULL)
		return E_BADF;
	if (file_is_stream(f))
		err = E_SPIPE;
	else if (len < 0 || advice < 0 || advice > 5)
		err = E_INVAL;
	file_put(f);
	return err;
}

long sys_readahead(int fd, int64_t off, size_t len)
{
	struct file *f = fd_get(fd);
	err_t err = OK;

	(void)len;
	if (f == NULL)
		return E_BADF;
	if (off < 0 || f->inode == NULL || !S_ISREG(f->inode->mode))
		err = E_INVAL;
	file_put(f);
	return err;
}

long sys_fallocate(int fd, int mode, int64_t off, int64_t len)
{
	struct file *f = fd_get(fd);
	err_t err;
	int64_t end;

	if (f == NULL)
		return E_BADF;
	if (off < 0 || len <= 0)
		err = E_INVAL;
	else if (__builtin_add_overflow(off, len, &end))
		err = E_FBIG;
	else
		err = file_allocate(f, mode, (uint64_t)off, (uint64_t)len);
	file_put(f);
	return err;
}

long sys_ftruncate(int fd, int64_t size)
{
	struct file *f = fd_get(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = size < 0 ? E_INVAL : file_truncate(f, (uint64_t)size);
	file_put(f);
	return err;
}

long sys_truncate(uaddr_t upath, int64_t size)
{
	struct attr_change c = { .valid = ATTR_SIZE, .size = (uint64_t)size };
	struct path p;
	char *path;
	err_t err;

	if (size < 0)
		return E_INVAL;
	TRY(path_buf_get(&path, upath));
	err = path_lookup(AT_FDCWD_, path, LOOK_FOLLOW, &p);
	if (err == OK) {
		err = vfs_setattr(&p, &c, ATTR_SIZE);
		path_put(&p);
	}
	path_buf_put(path);
	return err;
}

long sys_flock(int fd, int op)
{
	struct file *f = fd_get(fd);
	long ret;

	if (f == NULL)
		return E_BADF;
	ret = lock_flock(f, op);
	file_put(f);
	return ret;
}
