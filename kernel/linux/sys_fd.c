/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on descriptors: duplicates, flags, control, and the makers of files without a name.
 */
#include <asm/ioctls.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>

#include "base/str.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/lock.h"
#include "kernel/vfs/poll.h"

long sys_close(int fd)
{
	return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	if ((flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return E_INVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && fdtable_refs(current_task->files) > 1) {
		struct fdtable *own = fdtable_clone(current_task->files);

		if (own == NULL)
			return E_NOMEM;
		fdtable_put(current_task->files);
		current_task->files = own;
	}
	return fd_close_range(first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

static long dup_to_lowest(int fd, int min, bool cloexec)
{
	struct file *f = fd_get_raw(fd);
	err_t err;
	int newfd;

	if (f == NULL)
		return E_BADF;
	err = fd_install(f, min, cloexec, &newfd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return newfd;
}

long sys_dup(int fd)
{
	return dup_to_lowest(fd, 0, false);
}

long sys_dup2(int oldfd, int newfd)
{
	TRY(fd_dup2(oldfd, newfd, false, true));
	return newfd;
}

long sys_dup3(int oldfd, int newfd, int flags)
{
	if (flags & ~O_CLOEXEC)
		return E_INVAL;
	TRY(fd_dup2(oldfd, newfd, (flags & O_CLOEXEC) != 0, false));
	return newfd;
}

/* ---- fcntl ---- */

static long fcntl_dupfd(int fd, uint64_t min, bool cloexec)
{
	if (min >= current_task->rlimit[RLIMIT_NOFILE].rlim_cur)
		return E_INVAL;
	return dup_to_lowest(fd, (int)min, cloexec);
}

static long fcntl_getown_ex(const struct file *f, uaddr_t to)
{
	struct f_owner_ex ex;

	async_get_owner(f, &ex.type, &ex.pid);
	return USER_OUT(to, &ex);
}

static long fcntl_setown_ex(struct file *f, uaddr_t from)
{
	struct f_owner_ex ex;

	TRY(USER_IN(&ex, from));
	if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP)
		return E_INVAL;
	return async_set_owner(f, ex.type, ex.pid);
}

static long fcntl_setfl(int fd, struct file *f, uint32_t flags)
{
	TRY(file_set_flags(f, flags));
	if (!file_can_signal(f) || ((flags ^ f->flags) & FASYNC) == 0)
		return OK;
	return async_enable(f, fd, (flags & FASYNC) != 0);
}

static long fcntl_lock(struct file *f, unsigned cmd, uaddr_t arg)
{
	struct flock fl;
	long ret;

	TRY(USER_IN(&fl, arg));
	ret = lock_fcntl(f, cmd, &fl);
	if (ret == 0 && (cmd == F_GETLK || cmd == F_OFD_GETLK))
		ret = USER_OUT(arg, &fl);
	return ret;
}

/* The commands that need the file; F_DUPFD and the descriptor's own flag are dealt with before. */
static long fcntl_file(int fd, struct file *f, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case F_GETFL: return (long)f->flags;
	case F_SETFL: return fcntl_setfl(fd, f, (uint32_t)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return fcntl_lock(f, cmd, UADDR(arg));
	case F_NOTIFY: return dnotify_set(f, fd, (unsigned)arg);
	case F_GETOWN: return async_get_owner_number(f);
	case F_SETOWN: return async_set_owner_number(f, (int)arg);
	case F_GETOWN_EX: return fcntl_getown_ex(f, UADDR(arg));
	case F_SETOWN_EX: return fcntl_setown_ex(f, UADDR(arg));
	case F_GETSIG: return async_get_signal(f);
	case F_SETSIG: return arg > SIG_COUNT ? E_INVAL : async_set_signal(f, (int)arg);
	case F_SETPIPE_SZ: return pipe_set_size(f, arg);
	case F_GETPIPE_SZ: return pipe_get_size(f);
	case F_ADD_SEALS: return file_seals(f, (uint32_t)arg, false);
	case F_GET_SEALS: return file_seals(f, 0, true);
	default: return E_INVAL;
	}
}

long sys_fcntl(int fd, unsigned cmd, uint64_t arg)
{
	struct file *f;
	long ret;

	switch (cmd) {
	case F_DUPFD: return fcntl_dupfd(fd, arg, false);
	case F_DUPFD_CLOEXEC: return fcntl_dupfd(fd, arg, true);
	default: break;
	}
	f = fd_get_raw(fd);
	if (f == NULL)
		return E_BADF;
	if (cmd == F_GETFD)
		ret = fd_get_cloexec(fd) ? FD_CLOEXEC : 0;
	else if (cmd == F_SETFD)
		ret = fd_set_cloexec(fd, (arg & FD_CLOEXEC) != 0);
	else if ((f->flags & O_PATH) && cmd != F_GETFL)
		ret = E_BADF;
	else
		ret = fcntl_file(fd, f, cmd, arg);
	file_put(f);
	return ret;
}

static long ioctl_file(int fd, struct file *f, unsigned cmd, uint64_t arg)
{
	int value;

	switch (cmd) {
	case FIOCLEX: return fd_set_cloexec(fd, true);
	case FIONCLEX: return fd_set_cloexec(fd, false);
	case FIONBIO:
		TRY(USER_IN(&value, UADDR(arg)));
		f->flags = value != 0 ? f->flags | O_NONBLOCK : f->flags & ~(uint32_t)O_NONBLOCK;
		return 0;
	case FIOASYNC:
		TRY(USER_IN(&value, UADDR(arg)));
		if ((value != 0) == ((f->flags & FASYNC) != 0))
			return OK;
		return file_can_signal(f) ? async_enable(f, fd, value != 0) : E_NOTTY;
	default: return file_ioctl(f, cmd, arg);
	}
}

long sys_ioctl(int fd, unsigned cmd, uint64_t arg)
{
	struct file *f = fd_get(fd);
	long ret;

	if (f == NULL)
		return E_BADF;
	ret = ioctl_file(fd, f, cmd, arg);
	file_put(f);
	return ret;
}

/* ---- makers ---- */

/* A new anonymous file gets a descriptor; takes over the reference in every case. */
static long install(struct file *f, bool cloexec)
{
	err_t err;
	int fd;

	err = fd_install(f, 0, cloexec, &fd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return fd;
}

long sys_pipe2(uaddr_t to, int flags)
{
	struct file *ends[2];
	int fd[2];
	err_t err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return E_INVAL;
	TRY(pipe_create((uint32_t)(flags & ~O_CLOEXEC), ends));
	err = fd_install(ends[0], 0, (flags & O_CLOEXEC) != 0, &fd[0]);
	if (err != OK) {
		file_put(ends[0]);
		file_put(ends[1]);
		return err;
	}
	err = fd_install(ends[1], 0, (flags & O_CLOEXEC) != 0, &fd[1]);
	if (err != OK) {
		file_put(ends[1]);
		(void)!fd_close(fd[0]);
		return err;
	}
	err = USER_OUT(to, &fd);
	if (err != OK) {
		(void)!fd_close(fd[0]);
		(void)!fd_close(fd[1]);
	}
	return err;
}

long sys_pipe(uaddr_t to)
{
	return sys_pipe2(to, 0);
}

/* As in Linux, eventfd.h for programs has them only in the C library. */
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

long sys_eventfd2(unsigned initial, int flags)
{
	struct file *f;

	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return E_INVAL;
	TRY(eventfd_create(initial, (unsigned)flags, &f));
	return install(f, (flags & EFD_CLOEXEC) != 0);
}

long sys_eventfd(unsigned initial)
{
	return sys_eventfd2(initial, 0);
}

#define MEMFD_NAME_MAX 249

long sys_memfd_create(uaddr_t uname, unsigned flags)
{
	char name[sizeof("memfd:") + MEMFD_NAME_MAX] = "memfd:";
	struct file *f;
	err_t err;

	if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return E_INVAL; /* huge pages among them: callers fall back */
	err = user_string(name + strlen(name), uname, MEMFD_NAME_MAX + 1);
	if (err != OK)
		return err == E_NAMETOOLONG ? E_INVAL : err;
	TRY(tmpfs_create_anonymous(name, &f));
	if (flags & MFD_ALLOW_SEALING)
		f->inode->seals = 0;
	return install(f, (flags & MFD_CLOEXEC) != 0);
}

long sys_timerfd_create(int clock, int flags)
{
	struct file *f;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return E_INVAL;
	TRY(timerfd_create(clock, (unsigned)flags, &f));
	return install(f, (flags & O_CLOEXEC) != 0);
}

struct itimerspec_user {
	struct timespec_k interval, value;
};

static err_t itimerspec_in(struct itimerspec_k *out, uaddr_t from)
{
	TRY(user_timespec(from, &out->interval_ns));
	return user_timespec(UADDR(from.v + sizeof(struct timespec_k)), &out->value_ns);
}

static err_t itimerspec_out(uaddr_t to, const struct itimerspec_k *k)
{
	struct itimerspec_user u = { ns_to_timespec(k->interval_ns), ns_to_timespec(k->value_ns) };

	return USER_OUT(to, &u);
}

long sys_timerfd_settime(int fd, unsigned flags, uaddr_t now, uaddr_t old)
{
	struct itimerspec_k k, before;
	struct file *f;
	err_t err;

	TRY(itimerspec_in(&k, now));
	f = fd_get(fd);
	if (f == NULL)
		return E_BADF;
	err = timerfd_settime(f, flags, &k, &before);
	file_put(f);
	if (err == OK && old.v != 0)
		err = itimerspec_out(old, &before);
	return err;
}

long sys_timerfd_gettime(int fd, uaddr_t to)
{
	struct itimerspec_k k;
	struct file *f = fd_get(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = timerfd_gettime(f, &k);
	file_put(f);
	return err == OK ? itimerspec_out(to, &k) : err;
}

long sys_signalfd4(int fd, uaddr_t umask, size_t size, int flags)
{
	struct file *old = NULL, *f = NULL;
	uint64_t mask;
	err_t err;

	if (size != sizeof(mask) || (flags & ~(O_CLOEXEC | O_NONBLOCK)))
		return E_INVAL;
	TRY(USER_IN(&mask, umask));
	if (fd != -1) {
		old = fd_get(fd);
		if (old == NULL)
			return E_BADF;
	}
	err = signalfd_create(old, mask, (unsigned)flags, &f);
	if (old != NULL)
		file_put(old);
	if (err != OK)
		return err;
	return old != NULL ? fd : install(f, (flags & O_CLOEXEC) != 0);
}

long sys_signalfd(int fd, uaddr_t mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}

long sys_epoll_create1(int flags)
{
	struct file *f;

	if (flags & ~O_CLOEXEC)
		return E_INVAL;
	TRY(epoll_create((unsigned)flags, &f));
	return install(f, (flags & O_CLOEXEC) != 0);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? E_INVAL : sys_epoll_create1(0);
}
