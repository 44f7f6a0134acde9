/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that take a process's sharing apart, and what is kept for a process without effect here:
 * there are no namespaces but those of mounts, no block devices, no other execution domain.
 */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/fcntl.h>
#include <linux/personality.h>
#include <linux/sched.h>

#include "kernel/ipc/ipc.h"
#include "kernel/linux/linux.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"

#define NAMESPACES                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

/* ---- unshare, setns ---- */

static err_t unshare_check(unsigned long flags)
{
	const unsigned long alone = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;

	if ((flags &
	     ~(unsigned long)(alone | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | NAMESPACES)) != 0)
		return E_INVAL;
	if ((flags & (alone | CLONE_NEWUSER | CLONE_NEWPID)) != 0 && current_task->nthreads > 1)
		return E_INVAL;
	if ((flags & CLONE_VM) != 0 && current_task->mm->refs > 1)
		return E_INVAL;
	if ((flags & NAMESPACES) == 0)
		return OK;
	if ((flags & CLONE_NEWUSER) == 0 && !task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	/* As Linux built without the others. */
	return (flags & NAMESPACES) == CLONE_NEWNS ? OK : E_INVAL;
}

static err_t own_files(void)
{
	struct fdtable *own, *old = current_task->files;

	if (fdtable_refs(old) == 1)
		return OK;
	own = fdtable_clone(old);
	if (own == NULL)
		return E_NOMEM;
	current_task->files = own;
	fdtable_put(old);
	return OK;
}

static err_t own_fs(void)
{
	struct fs_context *own, *old = current_task->fs;

	if (old->refs == 1)
		return OK;
	own = fs_context_clone(old);
	if (own == NULL)
		return E_NOMEM;
	current_task->fs = own;
	fs_context_put(old);
	return OK;
}

/*
 * A process's threads share files and directories here, always: to take one thread's apart is not
 * possible.
 */
long sys_unshare(unsigned long flags)
{
	TRY(unshare_check(flags));
	if ((flags & CLONE_NEWNS) != 0)
		flags |= CLONE_FS;
	if ((flags & (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM)) != 0 && current_task->nthreads > 1)
		return E_INVAL;
	if ((flags & CLONE_FILES) != 0)
		TRY(own_files());
	if ((flags & CLONE_FS) != 0)
		TRY(own_fs());
	if ((flags & CLONE_NEWNS) != 0)
		TRY(mount_ns_unshare(current_task->fs));
	if ((flags & CLONE_SYSVSEM) != 0)
		ipc_leave_undos();
	return 0;
}

long sys_setns(int fd, int type)
{
	struct file *f = fd_get(fd);

	(void)type;
	if (f == NULL)
		return E_BADF;
	file_put(f);
	return E_INVAL; /* no file stands for a namespace */
}

/* ---- priorities of input and output: kept for each thread, there is no queue to order ---- */

static err_t ioprio_check(int value)
{
	int class = IOPRIO_PRIO_CLASS(value), data = value & ((1 << IOPRIO_CLASS_SHIFT) - 1);

	switch (class) {
	case IOPRIO_CLASS_RT:
		if (!task_capable(CAP_SYS_ADMIN) && !task_capable(CAP_SYS_NICE))
			return E_PERM;
		return data >= 8 ? E_INVAL : OK;
	case IOPRIO_CLASS_BE: return data >= 8 ? E_INVAL : OK;
	case IOPRIO_CLASS_IDLE: return OK;
	case IOPRIO_CLASS_NONE: return data != 0 ? E_INVAL : OK;
	default: return E_INVAL;
	}
}

struct ioprio_request {
	bool set;
	int value; /* to set, or the best so far; -1: none */
	err_t err;
};

/* The value in effect: by nice when none was set. */
static int ioprio_of(const struct thread *t)
{
	return t->ioprio != 0 ? t->ioprio : IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 0);
}

static void ioprio_one(struct thread *t, struct ioprio_request *q)
{
	const struct cred *me = &current_task->cred, *c = &t->task->cred;
	int value = ioprio_of(t);

	if (q->set) {
		if (c->uid != me->euid && c->uid != me->uid && !task_capable(CAP_SYS_NICE))
			q->err = E_PERM;
		else
			t->ioprio = (uint16_t)q->value;
		return;
	}
	if (q->value == -1 || IOPRIO_PRIO_CLASS(q->value) == IOPRIO_CLASS_NONE ||
	    (IOPRIO_PRIO_CLASS(value) != IOPRIO_CLASS_NONE && value < q->value))
		q->value = value;
}

static err_t ioprio_each(int which, int who, struct ioprio_request *q)
{
	unsigned n = 0;

	if (which == IOPRIO_WHO_PROCESS) {
		struct thread *t = who == 0 ? current : thread_find(who);

		if (t == NULL)
			return E_SRCH;
		ioprio_one(t, q);
		return q->err;
	}
	if (which != IOPRIO_WHO_PGRP && which != IOPRIO_WHO_USER)
		return E_INVAL;
	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);
		bool hit = which == IOPRIO_WHO_PGRP
				   ? t->pgid == (who == 0 ? current_task->pgid : who)
				   : t->cred.uid ==
					     (who == 0 ? current_task->cred.uid : (uint32_t)who);

		if (!hit || t->pid == 0)
			continue;
		LIST_FOR_EACH(node, &t->threads) {
			ioprio_one(list_entry(node, struct thread, in_task), q);
			n++;
		}
	}
	return n == 0 ? E_SRCH : q->err;
}

long sys_ioprio_set(int which, int who, int value)
{
	struct ioprio_request q = { .set = true, .value = value };

	TRY(ioprio_check(value));
	return ioprio_each(which, who, &q);
}

long sys_ioprio_get(int which, int who)
{
	struct ioprio_request q = { .value = -1 };

	TRY(ioprio_each(which, who, &q));
	return q.value;
}

/* ---- execution domain ---- */

/*
 * Kept and inherited as in Linux. ADDR_NO_RANDOMIZE is obeyed by execve, PER_LINUX32 by uname; the
 * rest asks for ways of old systems that are not here.
 */
long sys_personality(uint32_t persona)
{
	uint32_t old = current_task->personality;

	if (persona != UINT32_MAX)
		current_task->personality = persona;
	return (long)old;
}

/* ---- handles of files ---- */

struct file_handle_k {
	uint32_t bytes;
	int32_t type;
};

/* No file system here can find a file by a handle: E_OPNOTSUPP, as Linux says of such. */
long sys_name_to_handle_at(int dirfd, uaddr_t uname, uaddr_t handle, uaddr_t mount_id, int flags)
{
	struct file_handle_k h;
	struct path p;
	char *name;
	err_t err;

	(void)mount_id;
	if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return E_INVAL;
	TRY(path_buf_get(&name, uname));
	err = path_lookup(dirfd, name,
			  ((flags & AT_SYMLINK_FOLLOW) != 0 ? LOOK_FOLLOW : 0) |
				  ((flags & AT_EMPTY_PATH) != 0 ? LOOK_EMPTY : 0),
			  &p);
	path_buf_put(name);
	if (err != OK)
		return err;
	path_put(&p);
	TRY(USER_IN(&h, handle));
	return h.bytes > 128 ? E_INVAL : E_OPNOTSUPP;
}

long sys_open_by_handle_at(int mount_fd, uaddr_t handle, int flags)
{
	struct file_handle_k h;
	struct file *f;

	(void)flags;
	if (!task_capable(CAP_DAC_READ_SEARCH))
		return E_PERM;
	if (mount_fd != AT_FDCWD) {
		f = fd_get_raw(mount_fd);
		if (f == NULL)
			return E_BADF;
		file_put(f);
	}
	TRY(USER_IN(&h, handle));
	return h.bytes == 0 || h.bytes > 128 ? E_INVAL : E_STALE;
}
