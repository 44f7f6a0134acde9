/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on other processes: pidfds, their memory, what they share. */
#include <linux/fcntl.h>
#include <linux/kcmp.h>
#include <linux/mman.h>

#include "base/str.h"
#include "comp/fs/proc/proc.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/aspace.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"

/* ---- pidfd ---- */

long sys_pidfd_open(int pid, unsigned flags)
{
	struct task *t;
	struct file *f;
	err_t err;
	int fd;

	if ((flags & ~(unsigned)O_NONBLOCK) || pid <= 0)
		return E_INVAL;
	t = task_find(pid);
	if (t == NULL)
		return thread_find(pid) != NULL ? E_INVAL : E_SRCH;
	TRY(pidfd_create(t, flags, &f));
	err = fd_install(f, 0, true, &fd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return fd;
}

/* The process of a descriptor; it cannot go before the next switch. */
static err_t task_of_pidfd(int pidfd, struct task **t)
{
	struct file *f = fd_get(pidfd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = pidfd_task(f, t);
	file_put(f);
	return err;
}

/* For signals a directory /proc/PID will do as well. */
static err_t task_to_signal(int fd, struct task **t)
{
	struct file *f = fd_get(fd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	err = pidfd_task(f, t);
	if (err == E_BADF && f->inode != NULL)
		err = proc_dir_task(f->inode, t);
	file_put(f);
	return err;
}

long sys_pidfd_send_signal(int pidfd, int sig, uaddr_t uinfo, unsigned flags)
{
	struct ksiginfo info;
	struct task *t;

	if (flags != 0)
		return E_INVAL;
	TRY(task_to_signal(pidfd, &t));
	if (sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	signal_info_user(&info, sig, SI_USER);
	if (uinfo.v != 0) {
		TRY(siginfo_in(&info, uinfo));
		if (info.si_signo != sig)
			return E_INVAL;
		if ((info.si_code >= 0 || info.si_code == SI_TKILL) && t != current_task)
			return E_PERM;
	}
	if (!signal_allowed(t, sig))
		return E_PERM;
	return signal_send_task(t, sig, &info);
}

long sys_pidfd_getfd(int pidfd, int fd, unsigned flags)
{
	struct task *t;
	struct file *f;
	err_t err;
	int newfd;

	if (flags != 0)
		return E_INVAL;
	TRY(task_of_pidfd(pidfd, &t));
	TRY(task_may_access(t, ACCESS_REAL));
	if (t->files == NULL)
		return E_SRCH; /* it is ending */
	f = fdtable_file(t->files, fd);
	if (f == NULL)
		return E_BADF;
	err = fd_install(f, 0, true, &newfd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return newfd;
}

/* ---- another's memory ---- */

/*
 * The other's segments: addresses that only its own space can judge, so nothing but their number
 * and sign is checked here.
 */
static err_t remote_segments(uaddr_t iov, uint64_t n, struct ubuf **out, size_t *total)
{
	struct ubuf *seg;
	err_t err;

	*total = 0;
	if (n > UIO_MAX_SEGS)
		return E_INVAL;
	seg = kmem_alloc(n == 0 ? sizeof(*seg) : n * sizeof(*seg));
	if (seg == NULL)
		return E_NOMEM;
	err = user_in(seg, iov, n * sizeof(*seg));
	for (uint64_t i = 0; err == OK && i < n; i++) {
		if ((int64_t)seg[i].len < 0)
			err = E_INVAL;
		else if (__builtin_add_overflow(*total, seg[i].len, total))
			err = E_INVAL;
	}
	if (err != OK) {
		kmem_free(seg);
		return err;
	}
	*out = seg;
	return OK;
}

static err_t space_of(int pid, struct aspace **out)
{
	struct thread *th = thread_find(pid);

	if (th == NULL || th->task->mm == NULL)
		return E_SRCH;
	TRY(task_may_access(th->task, ACCESS_REAL));
	aspace_get(th->task->mm);
	*out = th->task->mm;
	return OK;
}

/* Up to n bytes, at most a page, through `page`. */
static err_t move_piece(struct aspace *mm, uint64_t addr, struct uio *local, char *page, size_t n,
			bool write, size_t *done)
{
	size_t got = n;

	if (write) {
		TRY(uio_in(local, page, n, NULL));
		got = aspace_write(mm, addr, page, n, false);
		*done += got;
	} else {
		got = aspace_read(mm, addr, page, n);
		TRY(uio_out(local, page, got, done));
	}
	return got == n ? OK : E_FAULT;
}

static err_t move_all(struct aspace *mm, const struct ubuf *seg, uint64_t nsegs, struct uio *local,
		      char *page, bool write, size_t *done)
{
	for (uint64_t i = 0; i < nsegs; i++) {
		for (size_t at = 0; at < seg[i].len && local->left > 0;) {
			uint64_t addr = seg[i].base.v + at;
			size_t n = PAGE_SIZE - (addr & (PAGE_SIZE - 1));

			if (n > seg[i].len - at)
				n = seg[i].len - at;
			if (n > local->left)
				n = local->left;
			TRY(move_piece(mm, addr, local, page, n, write, done));
			at += n;
			if (sched_breathe())
				return E_INTR;
		}
	}
	return OK;
}

static long move_checked(int pid, struct uio *local, const struct ubuf *seg, uint64_t nsegs,
			 bool write)
{
	struct aspace *mm;
	size_t done = 0;
	char *page;
	err_t err;

	TRY(space_of(pid, &mm));
	page = kmem_alloc(PAGE_SIZE);
	err = page == NULL ? E_NOMEM : move_all(mm, seg, nsegs, local, page, write, &done);
	kmem_free(page);
	aspace_put(mm);
	return done > 0 ? (long)done : err;
}

static long vm_move(int pid, uaddr_t lvec, uint64_t nl, uaddr_t rvec, uint64_t nr, uint64_t flags,
		    bool write)
{
	struct ubuf *alloc, *seg;
	struct uio local;
	size_t total;
	long ret = 0;

	if (flags != 0)
		return E_INVAL;
	if (nl > UIO_MAX_SEGS)
		return E_INVAL;
	TRY(uio_iovec(&local, lvec, (unsigned)nl, &alloc));
	if (local.left > 0) {
		ret = remote_segments(rvec, nr, &seg, &total);
		if (ret == OK) {
			if (total > 0)
				ret = move_checked(pid, &local, seg, nr, write);
			kmem_free(seg);
		}
	}
	kmem_free(alloc);
	return ret;
}

long sys_process_vm_readv(int pid, uaddr_t lvec, uint64_t nl, uaddr_t rvec, uint64_t nr,
			  uint64_t flags)
{
	return vm_move(pid, lvec, nl, rvec, nr, flags, false);
}

long sys_process_vm_writev(int pid, uaddr_t lvec, uint64_t nl, uaddr_t rvec, uint64_t nr,
			   uint64_t flags)
{
	return vm_move(pid, lvec, nl, rvec, nr, flags, true);
}

/* Bytes advised, or the error of the first range. Only hints are allowed on others. */
static long advise_all(struct aspace *mm, const struct ubuf *seg, uint64_t n, int advice)
{
	long done = 0;

	for (uint64_t i = 0; i < n; i++) {
		err_t err = aspace_advise(mm, seg[i].base.v, seg[i].len, advice);

		if (err != OK)
			return done > 0 ? done : err;
		done += (long)seg[i].len;
	}
	return done;
}

long sys_process_madvise(int pidfd, uaddr_t vec, uint64_t n, int advice, unsigned flags)
{
	struct ubuf *seg;
	struct task *t;
	size_t total;
	long ret;

	if (flags != 0)
		return E_INVAL;
	TRY(remote_segments(vec, n, &seg, &total));
	ret = task_of_pidfd(pidfd, &t);
	if (ret == OK && advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED)
		ret = E_INVAL;
	if (ret == OK)
		ret = task_may_access(t, ACCESS_REAL);
	if (ret == OK)
		ret = t->mm == NULL ? E_SRCH : advise_all(t->mm, seg, n, advice);
	kmem_free(seg);
	return ret;
}

/* ---- kcmp ---- */

/* Order without telling addresses: 0 equal, 1 less, 2 greater, the same way for one pair always. */
static long compare(const void *a, const void *b)
{
	static uint64_t key[2];
	uint64_t x, y;

	if (key[1] == 0) {
		random_bytes(key, sizeof(key));
		key[1] |= 1;
	}
	x = ((uint64_t)a ^ key[0]) * key[1];
	y = ((uint64_t)b ^ key[0]) * key[1];
	return x == y ? 0 : x < y ? 1 : 2;
}

static long compare_files(const struct task *a, const struct task *b, int fd_a, int fd_b)
{
	struct file *fa = fdtable_file(a->files, fd_a), *fb = fdtable_file(b->files, fd_b);
	long ret = fa == NULL || fb == NULL ? E_BADF : compare(fa, fb);

	if (fa != NULL)
		file_put(fa);
	if (fb != NULL)
		file_put(fb);
	return ret;
}

/* Is fd_a of a what b's epoll set watches as the slot's descriptor? */
static long compare_watched(const struct task *a, const struct task *b, int fd_a, uaddr_t uslot)
{
	struct kcmp_epoll_slot slot;
	struct file *fa, *ep, *watched;
	long ret = E_BADF;

	TRY(USER_IN(&slot, uslot));
	fa = fdtable_file(a->files, fd_a);
	ep = fdtable_file(b->files, (int)slot.efd);
	if (fa != NULL && ep != NULL) {
		ret = epoll_target(ep, (int)slot.tfd, slot.toff, &watched);
		if (ret == OK)
			ret = compare(fa, watched);
	}
	if (fa != NULL)
		file_put(fa);
	if (ep != NULL)
		file_put(ep);
	return ret;
}

long sys_kcmp(int pid1, int pid2, int type, uint64_t idx1, uint64_t idx2)
{
	const struct thread *t1 = thread_find(pid1), *t2 = thread_find(pid2);
	const struct task *a, *b;

	if (t1 == NULL || t2 == NULL)
		return E_SRCH;
	a = t1->task;
	b = t2->task;
	TRY(task_may_access(a, ACCESS_REAL));
	TRY(task_may_access(b, ACCESS_REAL));
	switch (type) {
	case KCMP_FILE: return compare_files(a, b, (int)idx1, (int)idx2);
	case KCMP_VM: return compare(a->mm, b->mm);
	case KCMP_FILES: return compare(a->files, b->files);
	case KCMP_FS: return compare(a->fs, b->fs);
	case KCMP_SIGHAND: return compare(a->sighand, b->sighand);
	case KCMP_IO: return 0; /* no thread has a queue of its own to a disk */
	case KCMP_SYSVSEM: return compare(a->sem_undos, b->sem_undos);
	case KCMP_EPOLL_TFD: return compare_watched(a, b, (int)idx1, UADDR(idx2));
	default: return E_INVAL;
	}
}
