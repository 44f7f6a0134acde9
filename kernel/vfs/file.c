/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: life, positions, data in and out. */
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "base/checked.h"
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/internal.h"
#include "kernel/vfs/lock.h"
#include "kernel/vfs/object.h"
#include "kernel/vfs/poll.h"

#define FILE_POS_MAX ((uint64_t)INT64_MAX)
#define COPY_CHUNK   65536u
#define COPY_PIECES  16u
#define READ_PART    (1u << 20)

static uint64_t last_anon_ino = 1000;
static uint64_t open_files;

uint64_t file_count(void)
{
	return open_files;
}

static struct file *file_new(uint32_t flags)
{
	struct file *f = kmem_zalloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	open_files++;
	f->refs = 1;
	f->flags = flags;
	list_init(&f->epoll_items);
	return f;
}

struct file *file_create(const struct file_ops *ops, void *priv, uint32_t flags, uint32_t mode)
{
	struct file *f = file_new(flags);

	if (f == NULL)
		return NULL;
	f->ops = ops;
	f->priv = priv;
	f->anon_mode = mode;
	f->anon_ino = ++last_anon_ino;
	f->anon_time_ns = (int64_t)time_real_ns();
	return f;
}

struct file *file_create_inode(const struct path *p, uint32_t flags)
{
	struct file *f = file_new(flags);

	if (f == NULL)
		return NULL;
	path_get(p);
	f->path = *p;
	f->inode = inode_get(p->dentry->inode);
	return f;
}

static void file_end(struct file *f)
{
	if ((f->flags & O_PATH) == 0)
		notify_path(&f->path, file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (!list_empty(&f->epoll_items))
		epoll_file_gone(f);
	if (f->async != NULL)
		async_gone(f);
	if (f->ops != NULL && f->ops->release != NULL)
		f->ops->release(f);
	if (f->inode != NULL) {
		lock_close_file(f);
		if (f->wrote_access)
			inode_put_write(f->inode);
		inode_put(f->inode);
	}
	path_put(&f->path);
	kmem_free(f);
	open_files--;
}

void file_put_last(struct file *f)
{
	BUG_ON(f->refs != 1);
	f->refs = 0;
	file_end(f);
}

/* ---- reading and writing ---- */

err_t file_size_limit(uint64_t off, uint64_t *len)
{
	uint64_t limit = RLIM64_INFINITY;

	if (current != NULL)
		limit = current_task->rlimit[RLIMIT_FSIZE].rlim_cur;
	if (off >= limit) {
		if (signal_send_thread(current, SIGXFSZ, NULL) != OK)
			log_debug("SIGXFSZ could not be queued");
		return E_FBIG;
	}
	if (off >= FILE_POS_MAX)
		return E_FBIG;
	if (*len > FILE_POS_MAX - off)
		*len = FILE_POS_MAX - off;
	if (*len > limit - off)
		*len = limit - off;
	return OK;
}

/* Device or pipe, at a position or (stream) without. */
static err_t ops_transfer(struct file *f, uint64_t off, struct uio *u, bool write, size_t *done)
{
	if (write)
		return f->ops->write != NULL ? f->ops->write(f, off, u, done) : E_INVAL;
	return f->ops->read != NULL ? f->ops->read(f, off, u, done) : E_INVAL;
}

/*
 * One call may ask for 2 GiB: others get their turn in between. (A write is not divided: nothing
 * may come between its parts. What it can take is limited by the memory there is.)
 */
static err_t read_in_parts(struct inode *i, uint64_t off, struct uio *to, size_t *done)
{
	size_t all = to->left;
	err_t err;

	for (;;) {
		size_t part = all - *done < READ_PART ? all - *done : READ_PART, got = 0;

		to->left = part;
		err = i->ops->read(i, off + *done, to, &got);
		*done += got;
		if (err != OK || got < part || *done == all || sched_breathe())
			break;
	}
	to->left = all - *done;
	return err;
}

static err_t inode_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct inode *i = f->inode;
	err_t err;

	if (S_ISDIR(i->mode))
		return E_ISDIR;
	if (i->ops->read == NULL)
		return E_INVAL;
	if (to->left == 0)
		return OK;
	if (off >= FILE_POS_MAX)
		return E_INVAL;
	err = read_in_parts(i, off, to, done);
	if ((f->flags & O_NOATIME) == 0)
		path_accessed(&f->path, i);
	if (*done > 0)
		notify_path(&f->path, IN_ACCESS);
	return err;
}

static err_t inode_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct inode *i = f->inode;
	uint64_t len = from->left;
	size_t beyond;
	err_t err;

	if (i->ops->write == NULL)
		return E_INVAL;
	if (len == 0)
		return OK;
	TRY(file_size_limit(off, &len));
	TRY(inode_drop_privileges(i));
	beyond = from->left - len;
	from->left = len;
	err = i->ops->write(i, off, from, done);
	from->left += beyond;
	if (*done > 0)
		notify_path(&f->path, IN_MODIFY);
	return err;
}

err_t file_read_inode(struct file *f, struct uio *to, size_t *done)
{
	err_t err = inode_read(f, f->pos, to, done);

	f->pos += *done;
	return err;
}

err_t file_write_inode(struct file *f, struct uio *from, size_t *done)
{
	uint64_t pos = (f->flags & O_APPEND) != 0 ? f->inode->size : f->pos;
	err_t err = inode_write(f, pos, from, done);

	if (*done > 0)
		f->pos = pos + *done;
	return err;
}

err_t file_pread(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	*done = 0;
	if (!file_readable(f))
		return E_BADF;
	if (file_is_stream(f))
		return E_SPIPE;
	if (off > FILE_POS_MAX)
		return E_INVAL;
	return f->ops == NULL ? inode_read(f, off, to, done)
			      : ops_transfer(f, off, to, false, done);
}

err_t file_pwrite(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	*done = 0;
	if (!file_writable(f))
		return E_BADF;
	if (file_is_stream(f))
		return E_SPIPE;
	if (off > FILE_POS_MAX)
		return E_INVAL;
	if (f->ops != NULL)
		return ops_transfer(f, off, from, true, done);
	/* As Linux: with O_APPEND also pwrite() appends. */
	return inode_write(f, (f->flags & O_APPEND) != 0 ? f->inode->size : off, from, done);
}

err_t file_read_kernel(struct file *f, uint64_t off, void *buf, size_t len, size_t *done)
{
	struct uio to;

	*done = 0;
	if (f->inode == NULL || f->ops != NULL || !S_ISREG(f->inode->mode) ||
	    f->inode->ops->read == NULL)
		return E_ACCES;
	uio_kernel(&to, buf, len);
	return f->inode->ops->read(f->inode, off, &to, done);
}

/* ---- copying inside the kernel ---- */

static err_t copy_read(struct file *in, const uint64_t *off, void *buf, size_t len, size_t *done)
{
	struct uio to;

	uio_kernel(&to, buf, len);
	return off != NULL ? file_pread(in, *off, &to, done) : file_read(in, &to, done);
}

static err_t copy_write(struct file *out, const uint64_t *off, void *buf, size_t len, size_t *done)
{
	struct uio from;

	uio_kernel(&from, buf, len);
	return off != NULL ? file_pwrite(out, *off, &from, done) : file_write(out, &from, done);
}

static err_t copy_chunk(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off,
			char *buf, size_t len, size_t *moved)
{
	size_t got, put = 0;
	err_t err = copy_read(in, in_off, buf, len, &got);

	*moved = 0;
	if (got == 0)
		return err;
	err = copy_write(out, out_off, buf, got, &put);
	if (in_off != NULL)
		*in_off += put;
	else if (!file_is_stream(in))
		in->pos -= got - put; /* what was not written was not read either */
	if (out_off != NULL)
		*out_off += put;
	*moved = put;
	return err;
}

/* What can be taken from where it lies. Not into the same file, where it may move meanwhile. */
static unsigned copy_pieces(struct file *in, uint64_t off, const struct file *out, size_t len,
			    struct uio_piece *pieces)
{
	struct inode *i = in->inode;

	if (in->ops != NULL || i == NULL || !S_ISREG(i->mode) || i->ops->pieces == NULL ||
	    i == out->inode)
		return 0;
	return i->ops->pieces(i, off, len, pieces, COPY_PIECES);
}

/* *moved < *taken: the target does not take more now. */
static err_t copy_in_place(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off,
			   const struct uio_piece *pieces, unsigned n, size_t *taken, size_t *moved)
{
	struct uio from;
	err_t err;

	*moved = 0;
	uio_pieces(&from, pieces, n);
	*taken = from.left;
	err = out_off != NULL ? file_pwrite(out, *out_off, &from, moved)
			      : file_write(out, &from, moved);
	for (unsigned k = 0; k < n; k++)
		if (!paddr_is_none(pieces[k].held))
			frame_put(pieces[k].held);
	if (in_off != NULL)
		*in_off += *moved;
	else
		in->pos += *moved;
	if (out_off != NULL)
		*out_off += *moved;
	if ((in->flags & O_NOATIME) == 0)
		path_accessed(&in->path, in->inode);
	if (*moved > 0)
		notify_path(&in->path, IN_ACCESS);
	return err;
}

/* *buf: made when it is first needed. */
static err_t copy_some(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off,
		       char **buf, size_t len, size_t *taken, size_t *moved)
{
	struct uio_piece pieces[COPY_PIECES];
	unsigned n = copy_pieces(in, in_off != NULL ? *in_off : in->pos, out, len, pieces);

	*taken = len < COPY_CHUNK ? len : COPY_CHUNK;
	*moved = 0;
	if (n > 0)
		return copy_in_place(in, in_off, out, out_off, pieces, n, taken, moved);
	if (*buf == NULL)
		*buf = kmem_alloc(*taken);
	if (*buf == NULL)
		return E_NOMEM;
	return copy_chunk(in, in_off, out, out_off, *buf, *taken, moved);
}

err_t file_copy(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off, size_t len,
		size_t *done)
{
	char *buf = NULL;
	err_t err = OK;

	*done = 0;
	if (!file_readable(in) || !file_writable(out))
		return E_BADF;
	while (*done < len) {
		size_t taken, moved, want = len - *done;

		err = copy_some(in, in_off, out, out_off, &buf, want < READ_PART ? want : READ_PART,
				&taken, &moved);
		*done += moved;
		if (err != OK || moved < taken || (*done < len && sched_breathe()))
			break;
	}
	kmem_free(buf);
	return err;
}

/* ---- positions and directories ---- */

static long seek_hole(struct file *f, int64_t off, int whence)
{
	struct inode *i = f->inode;
	uint64_t at;

	if (off < 0 || (uint64_t)off >= i->size)
		return E_NXIO;
	if (i->ops->seek_data == NULL)
		at = whence == SEEK_HOLE ? i->size : (uint64_t)off;
	else
		at = i->ops->seek_data(i, (uint64_t)off, whence == SEEK_HOLE);
	if (at == UINT64_MAX)
		return E_NXIO;
	f->pos = at;
	return (long)at;
}

long file_seek(struct file *f, int64_t off, int whence)
{
	int64_t base = 0, to;

	if (f->ops != NULL && f->ops->seek != NULL)
		return f->ops->seek(f, off, whence);
	if (f->inode == NULL || file_is_stream(f) || S_ISFIFO(f->inode->mode) ||
	    S_ISSOCK(f->inode->mode))
		return E_SPIPE;
	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = (int64_t)f->pos; break;
	case SEEK_END:
		if (S_ISDIR(f->inode->mode))
			return E_INVAL;
		base = (int64_t)f->inode->size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE: return S_ISREG(f->inode->mode) ? seek_hole(f, off, whence) : E_INVAL;
	default: return E_INVAL;
	}
	if (!checked_add(base, off, &to) || to < 0)
		return E_INVAL;
	f->pos = (uint64_t)to;
	return (long)to;
}

long file_seek_nowhere(struct file *f, int64_t off, int whence)
{
	(void)f, (void)off, (void)whence;
	return 0;
}

struct dir_shift {
	dir_emit emit;
	void *ctx;
	struct file *f;
	bool full;
};

/* Positions 0 and 1 are "." and "..": the file system's begin at 2. */
#define DIR_POS_FS 2u

static bool emit_shifted(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			 uint64_t pos)
{
	struct dir_shift *s = ctx;

	if (!s->emit(s->ctx, name, len, ino, type, pos + DIR_POS_FS)) {
		s->full = true;
		return false;
	}
	s->f->pos = pos + DIR_POS_FS;
	return true;
}

static uint64_t parent_ino(const struct path *p)
{
	struct path up = *p;
	uint64_t ino;

	path_get(&up);
	path_leave_mounts(&up);
	ino = up.dentry->parent->inode->ino;
	path_put(&up);
	return ino;
}

err_t file_readdir(struct file *f, dir_emit emit, void *ctx)
{
	struct inode *i = f->inode;
	struct dir_shift s = { emit, ctx, f, false };

	if (i == NULL || !S_ISDIR(i->mode) || i->ops->readdir == NULL)
		return E_NOTDIR;
	if (f->path.dentry->unlinked)
		return E_NOENT;
	if ((f->flags & O_NOATIME) == 0)
		path_accessed(&f->path, i);
	if (f->pos == 0) {
		if (!emit(ctx, ".", 1, i->ino, 4, 1))
			return OK;
		f->pos = 1;
	}
	if (f->pos == 1) {
		if (!emit(ctx, "..", 2, parent_ino(&f->path), 4, DIR_POS_FS))
			return OK;
		f->pos = DIR_POS_FS;
	}
	TRY(i->ops->readdir(i, f->pos - DIR_POS_FS, emit_shifted, &s));
	notify_path(&f->path, IN_ACCESS);
	return OK;
}

/* ---- the rest ---- */

long file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	return f->ops != NULL && f->ops->ioctl != NULL ? f->ops->ioctl(f, cmd, arg) : E_NOTTY;
}

err_t file_stat(struct file *f, struct kstat *out)
{
	if (f->inode != NULL) {
		inode_stat(f->inode, out);
		return OK;
	}
	*out = (struct kstat){
		.dev = dev_make(0,
				13), /* all anonymous files show one device, as anon_inodefs has */
		.ino = f->anon_ino,
		.nlink = 1,
		.mode = f->anon_mode,
		.uid = current_cred()->fsuid,
		.gid = current_cred()->fsgid,
		.blksize = (uint32_t)PAGE_SIZE,
		.atime_ns = f->anon_time_ns,
		.mtime_ns = f->anon_time_ns,
		.ctime_ns = f->anon_time_ns,
		.btime_ns = f->anon_time_ns,
	};
	return OK;
}

err_t file_truncate(struct file *f, uint64_t size)
{
	struct attr_change c = { .valid = ATTR_SIZE, .size = size };

	if (f->inode == NULL || !S_ISREG(f->inode->mode) || !file_writable(f) || f->ops != NULL)
		return E_INVAL;
	return vfs_setattr(&f->path, &c, SETATTR_OPEN);
}

err_t file_setattr(struct file *f, struct attr_change *c)
{
	if (f->inode != NULL)
		return vfs_setattr(&f->path, c, 0);
	/* A pipe, a socket: its mode is its own, its owner and times are nobody's business. */
	if ((c->valid & ATTR_MODE) != 0)
		f->anon_mode = (f->anon_mode & S_IFMT) | (c->mode & 07777);
	return OK;
}

uint32_t file_poll(struct file *f, struct poll_table *t)
{
	if (f->ops != NULL && f->ops->poll != NULL)
		return f->ops->poll(f, t);
	return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

err_t file_mmap(struct file *f, uint64_t pgoff, uint64_t len, uint32_t vmflags,
		struct vmobject **out)
{
	struct inode *i = f->inode;
	uint64_t bytes, end;

	if (!file_readable(f))
		return E_ACCES;
	if ((vmflags & VM_SHARED) != 0 && (vmflags & VM_WRITE) != 0 && !file_writable(f))
		return E_ACCES;
	if ((vmflags & VM_EXEC) != 0 && f->path.mnt != NULL &&
	    (f->path.mnt->flags & MS_NOEXEC) != 0)
		return E_PERM;
	if (!checked_mul(pgoff, PAGE_SIZE, &bytes) || !checked_add(bytes, len, &end) ||
	    end > FILE_POS_MAX)
		return E_OVERFLOW;
	if (f->ops != NULL)
		return f->ops->mmap != NULL ? f->ops->mmap(f, pgoff, len, vmflags, out) : E_NODEV;
	if (!S_ISREG(i->mode) || i->ops->object == NULL)
		return E_NODEV;
	if ((vmflags & VM_SHARED) != 0 && (vmflags & VM_WRITE) != 0 &&
	    (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
		return E_PERM;
	*out = i->ops->object(i);
	if (*out == NULL)
		return E_NOMEM;
	(*out)->ops->get(*out);
	inode_object_set_path(*out, &f->path);
	if ((f->flags & O_NOATIME) == 0)
		path_accessed(&f->path, i);
	return OK;
}

err_t file_fsync(struct file *f, bool data_only)
{
	if (f->inode == NULL || f->ops != NULL)
		return E_INVAL; /* pipes, devices: nothing to write back */
	return f->inode->ops->fsync != NULL ? f->inode->ops->fsync(f->inode, data_only) : OK;
}

err_t file_allocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct inode *i = f->inode;
	uint64_t end, room;

	if (!file_writable(f))
		return E_BADF;
	if (i == NULL || file_is_stream(f))
		return E_SPIPE;
	if (!S_ISREG(i->mode))
		return S_ISDIR(i->mode) ? E_ISDIR : E_NODEV;
	if (len == 0)
		return E_INVAL;
	if (!checked_add(off, len, &end) || end > FILE_POS_MAX)
		return E_FBIG;
	if (i->ops->allocate == NULL)
		return E_OPNOTSUPP;
	room = end;
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && end > i->size) {
		TRY(file_size_limit(0, &room));
		if (room < end)
			return file_size_limit(UINT64_MAX, &room);
	}
	TRY(i->ops->allocate(i, mode, off, len));
	notify_path(&f->path, IN_MODIFY);
	return OK;
}

err_t file_set_flags(struct file *f, uint32_t flags)
{
	const uint32_t settable = O_APPEND | O_NONBLOCK | O_DIRECT | (O_NOATIME & ~O_RDONLY);

	if ((flags & ~f->flags & O_NOATIME) != 0 && f->inode != NULL &&
	    !inode_owner_or_capable(f->inode))
		return E_PERM;
	f->flags = (f->flags & ~settable) | (flags & settable);
	return OK;
}

long file_seals(struct file *f, uint32_t add, bool get)
{
	const uint32_t known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			       F_SEAL_FUTURE_WRITE;
	struct inode *i = f->inode;

	if (i == NULL || f->ops != NULL || i->super->magic != TMPFS_MAGIC)
		return E_INVAL;
	if (get)
		return (long)i->seals;
	if ((add & ~known) != 0)
		return E_INVAL;
	if (!file_writable(f) || (i->seals & F_SEAL_SEAL) != 0)
		return E_PERM;
	/* Any mapping counts as one that may write: which do is known only to the address
	 * spaces. */
	if ((add & F_SEAL_WRITE) != 0 &&
	    container_of(i->ops->object(i), struct inode_object, obj)->users > 0)
		return E_BUSY;
	i->seals |= add;
	return OK;
}

void file_describe(struct file *f, char *buf, size_t size)
{
	size_t len;

	if (f->ops != NULL && f->ops->name != NULL)
		f->ops->name(f, buf, size);
	else if (f->path.dentry == NULL)
		(void)fmt_snprintf(buf, size, "anon_inode:[%llu]", (unsigned long long)f->anon_ino);
	else if (path_string(&f->path, buf, size, &len) != OK)
		(void)str_copy(buf, size, "(unreachable)");
}
