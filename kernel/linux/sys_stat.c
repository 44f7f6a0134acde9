/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on what is said about files: stat, access, modes, owners, times, extended
 * attributes, space.
 */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/inotify.h"

#define NS 1000000000ll

static int64_t ns_sec(int64_t ns)
{
	return ns >= 0 ? ns / NS : -((-ns + NS - 1) / NS);
}

static uint32_t ns_rest(int64_t ns)
{
	return (uint32_t)(ns - ns_sec(ns) * NS);
}

static err_t stat_out(uaddr_t to, const struct kstat *k)
{
	struct stat st = {
		.st_dev = k->dev,
		.st_ino = k->ino,
		.st_nlink = k->nlink,
		.st_mode = k->mode,
		.st_uid = k->uid,
		.st_gid = k->gid,
		.st_rdev = k->rdev,
		.st_size = (long)k->size,
		.st_blksize = (long)k->blksize,
		.st_blocks = (long)k->blocks,
		.st_atime = (unsigned long)ns_sec(k->atime_ns),
		.st_atime_nsec = ns_rest(k->atime_ns),
		.st_mtime = (unsigned long)ns_sec(k->mtime_ns),
		.st_mtime_nsec = ns_rest(k->mtime_ns),
		.st_ctime = (unsigned long)ns_sec(k->ctime_ns),
		.st_ctime_nsec = ns_rest(k->ctime_ns),
	};

	return USER_OUT(to, &st);
}

/* stat of a path, or of dirfd itself for "" with LOOK_EMPTY. */
static err_t stat_path(int dirfd, uaddr_t upath, unsigned look, struct kstat *k)
{
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = vfs_stat(dirfd, path, look, k);
	missing_file_note(err, path);
	path_buf_put(path);
	return err;
}

long sys_newfstatat(int dirfd, uaddr_t path, uaddr_t to, unsigned flags)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;
	struct kstat k;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return E_INVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	TRY(stat_path(dirfd, path, look, &k));
	return stat_out(to, &k);
}

long sys_stat(uaddr_t path, uaddr_t to)
{
	return sys_newfstatat(AT_FDCWD_, path, to, 0);
}

long sys_lstat(uaddr_t path, uaddr_t to)
{
	return sys_newfstatat(AT_FDCWD_, path, to, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, uaddr_t to)
{
	struct file *f = fd_get_raw(fd);
	struct kstat k;
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = file_stat(f, &k);
	file_put(f);
	return err == OK ? stat_out(to, &k) : err;
}

static struct statx_timestamp statx_time(int64_t ns)
{
	return (struct statx_timestamp){ .tv_sec = ns_sec(ns), .tv_nsec = ns_rest(ns) };
}

long sys_statx(int dirfd, uaddr_t path, unsigned flags, unsigned mask, uaddr_t to)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;
	struct kstat k;
	struct statx sx;

	if (flags &
	    ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return E_INVAL;
	if ((mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return E_INVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	TRY(stat_path(dirfd, path, look, &k));
	sx = (struct statx){
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME,
		.stx_blksize = k.blksize,
		.stx_nlink = (uint32_t)k.nlink,
		.stx_uid = k.uid,
		.stx_gid = k.gid,
		.stx_mode = (uint16_t)k.mode,
		.stx_ino = k.ino,
		.stx_size = k.size,
		.stx_blocks = k.blocks,
		.stx_atime = statx_time(k.atime_ns),
		.stx_btime = statx_time(k.btime_ns),
		.stx_ctime = statx_time(k.ctime_ns),
		.stx_mtime = statx_time(k.mtime_ns),
		.stx_rdev_major = dev_major(k.rdev),
		.stx_rdev_minor = dev_minor(k.rdev),
		.stx_dev_major = dev_major(k.dev),
		.stx_dev_minor = dev_minor(k.dev),
	};
	return USER_OUT(to, &sx);
}

/* ---- access ---- */

static long do_access(int dirfd, uaddr_t upath, int mode, unsigned flags)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;
	char *path;
	err_t err;

	if ((mode & ~7) || (flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return E_INVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	TRY(path_buf_get(&path, upath));
	err = vfs_access(dirfd, path, mode, look, (flags & AT_EACCESS) != 0);
	missing_file_note(err, path);
	path_buf_put(path);
	return err;
}

long sys_access(uaddr_t path, int mode)
{
	return do_access(AT_FDCWD_, path, mode, 0);
}

long sys_faccessat(int dirfd, uaddr_t path, int mode)
{
	return do_access(dirfd, path, mode, 0);
}

long sys_faccessat2(int dirfd, uaddr_t path, int mode, unsigned flags)
{
	return do_access(dirfd, path, mode, flags);
}

/* ---- changes ---- */

static long set_path(int dirfd, uaddr_t upath, unsigned look, struct attr_change *c)
{
	struct path p;
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = path_lookup(dirfd, path, look, &p);
	missing_file_note(err, path);
	path_buf_put(path);
	if (err != OK)
		return err;
	err = vfs_setattr(&p, c, c->valid);
	path_put(&p);
	return err;
}

static long set_fd(int fd, struct attr_change *c)
{
	struct file *f = fd_get(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = file_setattr(f, c);
	file_put(f);
	return err;
}

long sys_fchmodat(int dirfd, uaddr_t path, uint32_t mode)
{
	struct attr_change c = { .valid = ATTR_MODE, .mode = mode & 07777 };

	return set_path(dirfd, path, LOOK_FOLLOW, &c);
}

long sys_chmod(uaddr_t path, uint32_t mode)
{
	return sys_fchmodat(AT_FDCWD_, path, mode);
}

long sys_fchmod(int fd, uint32_t mode)
{
	struct attr_change c = { .valid = ATTR_MODE, .mode = mode & 07777 };

	return set_fd(fd, &c);
}

/* -1 leaves an id as it is. */
static struct attr_change owner_change(uint32_t uid, uint32_t gid)
{
	struct attr_change c = { .uid = uid, .gid = gid };

	c.valid = (uid != UINT32_MAX ? ATTR_UID : 0) | (gid != UINT32_MAX ? ATTR_GID : 0);
	return c;
}

long sys_fchownat(int dirfd, uaddr_t path, uint32_t uid, uint32_t gid, unsigned flags)
{
	struct attr_change c = owner_change(uid, gid);
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return E_INVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	return set_path(dirfd, path, look, &c);
}

long sys_chown(uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD_, path, uid, gid, 0);
}

long sys_lchown(uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD_, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	struct attr_change c = owner_change(uid, gid);

	return set_fd(fd, &c);
}

/* ---- times ---- */

#define TIME_NOW  ((1l << 30) - 1l) /* UTIME_NOW */
#define TIME_OMIT ((1l << 30) - 2l) /* UTIME_OMIT */

/*
 * One of the two times of utimensat as a change. *explicit is set when it needs ownership rather
 * than write access.
 */
static err_t time_change(const struct timespec_k *t, unsigned bit, int64_t *field,
			 struct attr_change *c)
{
	if (t->tv_nsec == TIME_OMIT)
		return OK;
	if (t->tv_nsec == TIME_NOW) {
		*field = (int64_t)time_real_ns();
		c->now |= bit;
	} else if (t->tv_nsec < 0 || t->tv_nsec >= NS) {
		return E_INVAL;
	} else {
		*field = t->tv_sec * NS + t->tv_nsec;
	}
	c->valid |= bit;
	return OK;
}

static long set_times(int dirfd, uaddr_t path, const struct timespec_k ts[2], unsigned flags)
{
	static const struct timespec_k now[2] = { { 0, TIME_NOW }, { 0, TIME_NOW } };
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;
	struct attr_change c = { 0 };

	if (ts == NULL)
		ts = now;
	TRY(time_change(&ts[0], ATTR_ATIME, &c.atime_ns, &c));
	TRY(time_change(&ts[1], ATTR_MTIME, &c.mtime_ns, &c));
	if (c.valid == 0)
		return 0;
	if (path.v == 0)
		return dirfd == AT_FDCWD_ ? E_FAULT : set_fd(dirfd, &c);
	if (flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	return set_path(dirfd, path, look, &c);
}

long sys_utimensat(int dirfd, uaddr_t path, uaddr_t uts, unsigned flags)
{
	struct timespec_k ts[2];

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return E_INVAL;
	if (uts.v == 0)
		return set_times(dirfd, path, NULL, flags);
	TRY(USER_IN(&ts, uts));
	return set_times(dirfd, path, ts, flags);
}

long sys_futimesat(int dirfd, uaddr_t path, uaddr_t utv)
{
	struct timeval_k tv[2];
	struct timespec_k ts[2];

	if (utv.v == 0)
		return set_times(dirfd, path, NULL, 0);
	TRY(USER_IN(&tv, utv));
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return E_INVAL;
		ts[i] = (struct timespec_k){ tv[i].tv_sec, tv[i].tv_usec * 1000 };
	}
	return set_times(dirfd, path, ts, 0);
}

long sys_utimes(uaddr_t path, uaddr_t tv)
{
	return sys_futimesat(AT_FDCWD_, path, tv);
}

long sys_utime(uaddr_t path, uaddr_t ut)
{
	int64_t t[2];
	struct timespec_k ts[2];

	if (ut.v == 0)
		return set_times(AT_FDCWD_, path, NULL, 0);
	TRY(USER_IN(&t, ut));
	ts[0] = (struct timespec_k){ t[0], 0 };
	ts[1] = (struct timespec_k){ t[1], 0 };
	return set_times(AT_FDCWD_, path, ts, 0);
}

/* ---- space ---- */

static long statfs_out(uaddr_t to, const struct kstatfs *k)
{
	struct statfs st = {
		.f_type = (long)k->type,
		.f_bsize = (long)k->bsize,
		.f_blocks = (long)k->blocks,
		.f_bfree = (long)k->bfree,
		.f_bavail = (long)k->bavail,
		.f_files = (long)k->files,
		.f_ffree = (long)k->ffree,
		.f_fsid = { { (int)k->fsid, (int)(k->fsid >> 32) } },
		.f_namelen = (long)k->namelen,
		.f_frsize = (long)k->frsize,
		.f_flags = (long)k->flags,
	};

	return USER_OUT(to, &st);
}

long sys_statfs(uaddr_t upath, uaddr_t to)
{
	struct kstatfs k;
	struct path p;
	char *path;
	long ret;

	TRY(path_buf_get(&path, upath));
	ret = path_lookup(AT_FDCWD_, path, LOOK_FOLLOW, &p);
	path_buf_put(path);
	if (ret != OK)
		return ret;
	ret = vfs_statfs(&p, &k);
	if (ret == OK)
		ret = statfs_out(to, &k);
	path_put(&p);
	return ret;
}

/* What a pipe or another file without a name lies in. */
static void statfs_nameless(const struct file *f, struct kstatfs *k)
{
	*k = (struct kstatfs){ .type = S_ISFIFO(f->anon_mode) ? PIPEFS_MAGIC : ANON_INODE_FS_MAGIC,
			       .bsize = PAGE_SIZE,
			       .frsize = PAGE_SIZE,
			       .namelen = NAME_MAX,
			       .flags = 0x20 }; /* ST_VALID */
}

long sys_fstatfs(int fd, uaddr_t to)
{
	struct file *f = fd_get_raw(fd);
	struct kstatfs k;
	long ret = OK;

	if (f == NULL)
		return E_BADF;
	if (f->path.dentry == NULL)
		statfs_nameless(f, &k);
	else
		ret = vfs_statfs(&f->path, &k);
	if (ret == OK)
		ret = statfs_out(to, &k);
	file_put(f);
	return ret;
}

/* ---- extended attributes: the file by path or descriptor, then one operation on it ---- */

/* `path` is empty for files without a name. */
struct xattr_file {
	struct path path;
	struct inode *inode;
};

static err_t xattr_by_path(uaddr_t upath, unsigned look, struct xattr_file *out)
{
	char *path;
	err_t err;

	TRY(path_buf_get(&path, upath));
	err = path_lookup(AT_FDCWD_, path, look, &out->path);
	path_buf_put(path);
	if (err == OK)
		out->inode = inode_get(out->path.dentry->inode);
	return err;
}

static err_t xattr_by_fd(int fd, struct xattr_file *out)
{
	struct file *f = fd_get(fd);

	if (f == NULL)
		return E_BADF;
	if (f->inode == NULL) {
		file_put(f);
		return E_OPNOTSUPP;
	}
	out->path = f->path;
	path_get(&out->path);
	out->inode = inode_get(f->inode);
	file_put(f);
	return OK;
}

static void xattr_done(const struct xattr_file *f)
{
	inode_put(f->inode);
	path_put(&f->path);
}

static err_t xattr_name(char name[XATTR_NAME_MAX + 1], uaddr_t uname)
{
	err_t err = user_string(name, uname, XATTR_NAME_MAX + 1);

	if (err == E_NAMETOOLONG || (err == OK && name[0] == '\0'))
		return E_RANGE;
	return err;
}

/*
 * Who may use the name, by its first part as xattr(7) says: "security." asks for rights of its own
 * and not for those of the file. Access control lists ("system.") are not kept: answering otherwise
 * would make programs believe that permissions were set.
 */
static err_t xattr_allowed(struct inode *i, const char *name, bool change)
{
	bool admin = (current_task->cred.cap_effective & 1ull << CAP_SYS_ADMIN) != 0;
	err_t refused = change ? E_PERM : E_NODATA;

	if (change && strcmp(name, XATTR_NAME_CAPS) == 0)
		return current_task->cred.cap_effective & 1ull << CAP_SETFCAP ? OK : E_PERM;
	if (strncmp(name, XATTR_SECURITY_PREFIX, XATTR_SECURITY_PREFIX_LEN) == 0)
		return admin || !change ? OK : E_PERM;
	if (strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) == 0) {
		if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
			return refused;
		if (change && S_ISDIR(i->mode) && (i->mode & S_ISVTX) != 0 &&
		    !inode_owner_or_capable(i))
			return E_PERM;
	} else if (strncmp(name, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN) == 0) {
		if (!admin)
			return refused;
	} else {
		return E_OPNOTSUPP;
	}
	return inode_permission(i, change ? 2 : 4);
}

static err_t xattr_may_change(const struct xattr_file *f, const char *name)
{
	if (f->path.dentry != NULL)
		TRY(path_writable(&f->path));
	if (f->inode->ops->setxattr == NULL)
		return E_OPNOTSUPP;
	return xattr_allowed(f->inode, name, true);
}

static void xattr_changed(const struct xattr_file *f)
{
	if (f->path.dentry != NULL)
		notify_path(&f->path, IN_ATTRIB);
}

static long xattr_set(const struct xattr_file *f, uaddr_t uname, uaddr_t uval, size_t size,
		      int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *buf = NULL;
	err_t err = xattr_name(name, uname);

	if (err == OK && (flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		err = E_INVAL;
	if (err == OK && size > XATTR_SIZE_MAX)
		err = E_2BIG;
	if (err == OK && (buf = kmem_alloc(size + 1)) == NULL)
		err = E_NOMEM;
	if (err == OK)
		err = user_in(buf, uval, size);
	if (err == OK)
		err = xattr_may_change(f, name);
	if (err == OK)
		err = inode_setxattr(f->inode, name, buf, size, flags);
	if (err == OK)
		xattr_changed(f);
	kmem_free(buf);
	xattr_done(f);
	return err;
}

static long xattr_remove(const struct xattr_file *f, uaddr_t uname)
{
	char name[XATTR_NAME_MAX + 1];
	err_t err = xattr_name(name, uname);

	if (err == OK)
		err = xattr_may_change(f, name);
	if (err == OK)
		err = f->inode->ops->setxattr(f->inode, name, NULL, 0, XATTR_REPLACE);
	if (err == OK)
		xattr_changed(f);
	xattr_done(f);
	return err;
}

/* getxattr (name given) and listxattr (name 0): size 0 asks for the length only. */
static long xattr_get(const struct xattr_file *f, uaddr_t uname, bool list, uaddr_t to, size_t size)
{
	struct inode *i = f->inode;
	char name[XATTR_NAME_MAX + 1];
	size_t len = 0;
	void *buf = NULL;
	err_t err = list ? OK : xattr_name(name, uname);

	if (size > XATTR_SIZE_MAX)
		size = XATTR_SIZE_MAX;
	if (err == OK && (list ? i->ops->listxattr == NULL : i->ops->getxattr == NULL))
		err = E_OPNOTSUPP;
	if (err == OK && !list)
		err = xattr_allowed(i, name, false);
	if (err == OK && size > 0 && (buf = kmem_alloc(size)) == NULL)
		err = E_NOMEM;
	if (err == OK)
		err = list ? i->ops->listxattr(i, buf, size, &len)
			   : i->ops->getxattr(i, name, buf, size, &len);
	if (err == OK && size > 0)
		err = len > size ? E_RANGE : user_out(to, buf, len);
	kmem_free(buf);
	xattr_done(f);
	return err == OK ? (long)len : err;
}

#define BY_PATH(path, look)  \
	struct xattr_file f; \
	TRY(xattr_by_path((path), (look), &f))
#define BY_FD(fd)            \
	struct xattr_file f; \
	TRY(xattr_by_fd((fd), &f))

long sys_setxattr(uaddr_t path, uaddr_t name, uaddr_t val, size_t size, int flags)
{
	BY_PATH(path, LOOK_FOLLOW);
	return xattr_set(&f, name, val, size, flags);
}

long sys_lsetxattr(uaddr_t path, uaddr_t name, uaddr_t val, size_t size, int flags)
{
	BY_PATH(path, 0);
	return xattr_set(&f, name, val, size, flags);
}

long sys_fsetxattr(int fd, uaddr_t name, uaddr_t val, size_t size, int flags)
{
	BY_FD(fd);
	return xattr_set(&f, name, val, size, flags);
}

long sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t to, size_t size)
{
	BY_PATH(path, LOOK_FOLLOW);
	return xattr_get(&f, name, false, to, size);
}

long sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t to, size_t size)
{
	BY_PATH(path, 0);
	return xattr_get(&f, name, false, to, size);
}

long sys_fgetxattr(int fd, uaddr_t name, uaddr_t to, size_t size)
{
	BY_FD(fd);
	return xattr_get(&f, name, false, to, size);
}

long sys_listxattr(uaddr_t path, uaddr_t to, size_t size)
{
	BY_PATH(path, LOOK_FOLLOW);
	return xattr_get(&f, UADDR(0), true, to, size);
}

long sys_llistxattr(uaddr_t path, uaddr_t to, size_t size)
{
	BY_PATH(path, 0);
	return xattr_get(&f, UADDR(0), true, to, size);
}

long sys_flistxattr(int fd, uaddr_t to, size_t size)
{
	BY_FD(fd);
	return xattr_get(&f, UADDR(0), true, to, size);
}

long sys_removexattr(uaddr_t path, uaddr_t name)
{
	BY_PATH(path, LOOK_FOLLOW);
	return xattr_remove(&f, name);
}

long sys_lremovexattr(uaddr_t path, uaddr_t name)
{
	BY_PATH(path, 0);
	return xattr_remove(&f, name);
}

long sys_fremovexattr(int fd, uaddr_t name)
{
	BY_FD(fd);
	return xattr_remove(&f, name);
}
