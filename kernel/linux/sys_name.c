/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on names: open, create, remove, rename, links, directories, mounts. */
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"

/* Buffers for paths: a call needs one or two, so a few are kept. */
static char *path_cache[4];
static unsigned path_cached;

err_t path_buf_get(char **out, uaddr_t path)
{
	char *p = path_cached > 0 ? path_cache[--path_cached] : kmem_alloc(PATH_MAX_);
	err_t err;

	if (p == NULL)
		return E_NOMEM;
	err = user_string(p, path, PATH_MAX_);
	if (err != OK) {
		path_buf_put(p);
		return err;
	}
	*out = p;
	return OK;
}

void path_buf_put(char *p)
{
	if (p == NULL)
		return;
	if (path_cached < ARRAY_SIZE(path_cache))
		path_cache[path_cached++] = p;
	else
		kmem_free(p);
}

/* Two paths of one call; both or none. */
static err_t two_paths(char **a, uaddr_t ua, char **b, uaddr_t ub)
{
	err_t err;

	TRY(path_buf_get(a, ua));
	err = path_buf_get(b, ub);
	if (err != OK)
		path_buf_put(*a);
	return err;
}

#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | \
	 __O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
	 O_CLOEXEC | O_PATH | __O_TMPFILE)

static long do_open(int dirfd, uaddr_t upath, uint32_t flags, uint32_t mode, unsigned look)
{
	struct file *f;
	char *path;
	err_t err;
	int fd;

	TRY(path_buf_get(&path, upath));
	err = vfs_open(dirfd, path, flags & OPEN_FLAGS, mode, look, &f);
	missing_file_note(err, path);
	path_buf_put(path);
	if (err != OK)
		return err;
	err = fd_install(f, 0, (flags & O_CLOEXEC) != 0, &fd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return fd;
}

long sys_openat(int dirfd, uaddr_t path, uint32_t flags, uint32_t mode)
{
	return do_open(dirfd, path, flags, mode & 07777, 0);
}

long sys_open(uaddr_t path, uint32_t flags, uint32_t mode)
{
	return do_open(AT_FDCWD_, path, flags, mode & 07777, 0);
}

long sys_creat(uaddr_t path, uint32_t mode)
{
	return do_open(AT_FDCWD_, path, O_CREAT | O_WRONLY | O_TRUNC, mode & 07777, 0);
}

long sys_openat2(int dirfd, uaddr_t path, uaddr_t uhow, size_t size)
{
	static const struct {
		uint64_t resolve;
		unsigned look;
	} map[] = {
		{ RESOLVE_NO_XDEV, LOOK_NO_XDEV },
		{ RESOLVE_NO_MAGICLINKS, LOOK_NO_MAGIC },
		{ RESOLVE_NO_SYMLINKS, LOOK_NO_SYMLINKS | LOOK_NO_MAGIC },
		{ RESOLVE_BENEATH, LOOK_BENEATH },
		{ RESOLVE_IN_ROOT, LOOK_IN_ROOT },
	};
	struct open_how how;
	uint64_t known = RESOLVE_CACHED;
	unsigned look = 0;

	if (size < sizeof(how))
		return E_INVAL;
	TRY(user_in_struct(&how, sizeof(how), uhow, size));
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		known |= map[i].resolve;
		if (how.resolve & map[i].resolve)
			look |= map[i].look;
	}
	if ((how.flags & ~(uint64_t)OPEN_FLAGS) != 0 || (how.resolve & ~known) != 0 ||
	    (how.mode & ~07777ull) != 0)
		return E_INVAL;
	if (how.mode != 0 && !(how.flags & (O_CREAT | __O_TMPFILE)))
		return E_INVAL;
	if ((look & LOOK_BENEATH) && (look & LOOK_IN_ROOT))
		return E_INVAL;
	if (how.resolve & RESOLVE_CACHED)
		return E_AGAIN; /* as when a lookup could not be served from a cache */
	return do_open(dirfd, path, (uint32_t)how.flags, (uint32_t)how.mode, look);
}

long sys_mkdirat(int dirfd, uaddr_t upath, uint32_t mode)
{
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = vfs_mkdir(dirfd, path, mode & 07777);
	path_buf_put(path);
	return err;
}

long sys_mkdir(uaddr_t path, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD_, path, mode);
}

/* A device number as programs pass it (mknod) in the form that stat shows. */
long sys_mknodat(int dirfd, uaddr_t upath, uint32_t mode, unsigned dev)
{
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = vfs_mknod(dirfd, path, mode, dev);
	path_buf_put(path);
	return err;
}

long sys_mknod(uaddr_t path, uint32_t mode, unsigned dev)
{
	return sys_mknodat(AT_FDCWD_, path, mode, dev);
}

long sys_unlinkat(int dirfd, uaddr_t upath, unsigned flags)
{
	char *path;
	err_t err;

	if (flags & ~(unsigned)AT_REMOVEDIR)
		return E_INVAL;
	TRY(path_buf_get(&path, upath));
	err = vfs_unlink(dirfd, path, (flags & AT_REMOVEDIR) != 0);
	path_buf_put(path);
	return err;
}

long sys_unlink(uaddr_t path)
{
	return sys_unlinkat(AT_FDCWD_, path, 0);
}

long sys_rmdir(uaddr_t path)
{
	return sys_unlinkat(AT_FDCWD_, path, AT_REMOVEDIR);
}

long sys_renameat2(int olddir, uaddr_t uold, int newdir, uaddr_t unew, unsigned flags)
{
	char *from, *to;
	err_t err;

	TRY(two_paths(&from, uold, &to, unew));
	err = vfs_rename(olddir, from, newdir, to, flags);
	path_buf_put(from);
	path_buf_put(to);
	return err;
}

long sys_renameat(int olddir, uaddr_t from, int newdir, uaddr_t to)
{
	return sys_renameat2(olddir, from, newdir, to, 0);
}

long sys_rename(uaddr_t from, uaddr_t to)
{
	return sys_renameat2(AT_FDCWD_, from, AT_FDCWD_, to, 0);
}

long sys_linkat(int olddir, uaddr_t uold, int newdir, uaddr_t unew, unsigned flags)
{
	char *from, *to;
	unsigned look = 0;
	err_t err;

	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return E_INVAL;
	if (flags & AT_SYMLINK_FOLLOW)
		look |= LOOK_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	TRY(two_paths(&from, uold, &to, unew));
	err = vfs_link(olddir, from, newdir, to, look);
	path_buf_put(from);
	path_buf_put(to);
	return err;
}

long sys_link(uaddr_t from, uaddr_t to)
{
	return sys_linkat(AT_FDCWD_, from, AT_FDCWD_, to, 0);
}

long sys_symlinkat(uaddr_t utarget, int dirfd, uaddr_t upath)
{
	char *target, *path;
	err_t err;

	TRY(two_paths(&target, utarget, &path, upath));
	err = target[0] == '\0' ? E_NOENT : vfs_symlink(target, dirfd, path);
	path_buf_put(target);
	path_buf_put(path);
	return err;
}

long sys_symlink(uaddr_t target, uaddr_t path)
{
	return sys_symlinkat(target, AT_FDCWD_, path);
}

long sys_readlinkat(int dirfd, uaddr_t upath, uaddr_t ubuf, int size)
{
	char *path, *target = NULL;
	size_t len = 0;
	err_t err;

	if (size <= 0)
		return E_INVAL;
	TRY(path_buf_get(&path, upath));
	target = kmem_alloc(PATH_MAX_);
	err = target == NULL ? E_NOMEM : vfs_readlink(dirfd, path, target, PATH_MAX_, &len);
	missing_file_note(err, path);
	if (err == OK) {
		if (len > (size_t)size)
			len = (size_t)size;
		err = user_out(ubuf, target, len);
	}
	kmem_free(target);
	path_buf_put(path);
	return err == OK ? (long)len : err;
}

long sys_readlink(uaddr_t path, uaddr_t buf, int size)
{
	return sys_readlinkat(AT_FDCWD_, path, buf, size);
}

/* chdir, chroot and the like: a path, then one function on it. */
static long with_path(uaddr_t upath, unsigned look, err_t (*fn)(const struct path *p))
{
	struct path p;
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = path_lookup(AT_FDCWD_, path, look, &p);
	missing_file_note(err, path);
	path_buf_put(path);
	if (err != OK)
		return err;
	err = fn(&p);
	path_put(&p);
	return err;
}

long sys_chdir(uaddr_t path)
{
	return with_path(path, LOOK_FOLLOW | LOOK_DIR, vfs_chdir);
}

long sys_chroot(uaddr_t path)
{
	return with_path(path, LOOK_FOLLOW | LOOK_DIR, vfs_chroot);
}

long sys_fchdir(int fd)
{
	struct file *f = fd_get_raw(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = f->inode == NULL || !S_ISDIR(f->inode->mode) ? E_NOTDIR : vfs_chdir(&f->path);
	file_put(f);
	return err;
}

long sys_getcwd(uaddr_t ubuf, size_t size)
{
	char *buf = kmem_alloc(PATH_MAX_);
	size_t len = 0;
	err_t err;

	if (buf == NULL)
		return E_NOMEM;
	err = path_string(&current_task->fs->cwd, buf, PATH_MAX_, &len);
	if (err == OK && current_task->fs->cwd.dentry->unlinked)
		err = E_NOENT;
	if (err == OK && len + 1 > size)
		err = E_RANGE;
	if (err == OK)
		err = user_out(ubuf, buf, len + 1);
	kmem_free(buf);
	return err == OK ? (long)len + 1 : err;
}

long sys_umask(uint32_t mask)
{
	uint32_t old = current_task->fs->umask;

	current_task->fs->umask = mask & 0777;
	return old;
}

/* ---- directories ---- */

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

struct linux_dirent {
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
	char d_name[]; /* then a zero byte and d_type as the last byte */
};

struct dents {
	uaddr_t to;
	size_t left;
	bool old;
	err_t err;
	size_t done;
};

static bool dents_emit(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
		       uint64_t pos)
{
	struct dents *d = ctx;
	size_t head = d->old ? offsetof(struct linux_dirent, d_name)
			     : offsetof(struct linux_dirent64, d_name);
	size_t reclen = ALIGN_UP(head + len + (d->old ? 2 : 1), 8ul);
	char rec[320];

	if (reclen > d->left || reclen > sizeof(rec)) {
		if (d->done == 0)
			d->err = E_INVAL;
		return false;
	}
	memset(rec, 0, reclen);
	if (d->old) {
		struct linux_dirent *e = (struct linux_dirent *)rec;

		*e = (struct linux_dirent){ .d_ino = ino,
					    .d_off = pos,
					    .d_reclen = (uint16_t)reclen };
		memcpy(e->d_name, name, len);
		rec[reclen - 1] = (char)type;
	} else {
		struct linux_dirent64 *e = (struct linux_dirent64 *)rec;

		*e = (struct linux_dirent64){ ino, (int64_t)pos, (uint16_t)reclen, (uint8_t)type };
		memcpy(e->d_name, name, len);
	}
	if (user_out(UADDR(d->to.v + d->done), rec, reclen) != OK) {
		d->err = E_FAULT;
		return false;
	}
	d->done += reclen;
	d->left -= reclen;
	return true;
}

static long do_getdents(int fd, uaddr_t to, unsigned size, bool old)
{
	struct file *f = fd_get(fd);
	struct dents d;
	err_t err;

	if (f == NULL)
		return E_BADF;
	d = (struct dents){ to, size, old, OK, 0 };
	err = file_readdir(f, dents_emit, &d);
	file_put(f);
	if (d.done > 0)
		return (long)d.done;
	return err != OK ? err : d.err;
}

long sys_getdents64(int fd, uaddr_t to, unsigned size)
{
	return do_getdents(fd, to, size, false);
}

long sys_getdents(int fd, uaddr_t to, unsigned size)
{
	return do_getdents(fd, to, size, true);
}

/* ---- mounts ---- */

long sys_mount(uaddr_t usource, uaddr_t utarget, uaddr_t utype, unsigned long flags, uaddr_t udata)
{
	char *source = NULL, *target = NULL, *type = NULL, *data = NULL;
	err_t err = OK;

	if (usource.v != 0)
		err = path_buf_get(&source, usource);
	if (err == OK)
		err = path_buf_get(&target, utarget);
	if (err == OK && utype.v != 0)
		err = path_buf_get(&type, utype);
	if (err == OK && udata.v != 0)
		err = path_buf_get(&data, udata);
	if (err == OK)
		err = vfs_mount(source, target, type, flags, data);
	path_buf_put(source);
	path_buf_put(target);
	path_buf_put(type);
	path_buf_put(data);
	return err;
}

long sys_umount2(uaddr_t upath, unsigned flags)
{
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = vfs_umount(path, flags);
	path_buf_put(path);
	return err;
}

long sys_pivot_root(uaddr_t unew, uaddr_t uold)
{
	char *to = NULL, *put = NULL;
	err_t err = path_buf_get(&to, unew);

	if (err == OK)
		err = path_buf_get(&put, uold);
	if (err == OK)
		err = vfs_pivot_root(to, put);
	path_buf_put(to);
	path_buf_put(put);
	return err;
}
