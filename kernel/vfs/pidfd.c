/* SPDX-License-Identifier: BSD-2-Clause */
/* pidfd: a descriptor that stands for one process, also when its number has gone to another. */
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

static uint32_t pidfd_poll(struct file *f, struct poll_table *t)
{
	struct pidref *p = f->priv;

	poll_wait_for(t, &p->ended, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	if (p->task == NULL)
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return task_has_ended(p->task) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	pidref_put(f->priv);
}

static void pidfd_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:[pidfd]");
}

static void pidfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct pidref *p = f->priv;
	int pid = p->task != NULL ? p->task->pid : -1;

	fmt_snprintf(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
	.name = pidfd_name,
	.fdinfo = pidfd_fdinfo,
	.stream = true,
};

err_t pidfd_create(struct task *t, unsigned flags, struct file **out)
{
	struct pidref *p = task_pidref(t);

	if (p == NULL)
		return E_NOMEM;
	*out = file_create(&pidfd_ops, p, O_RDWR | (flags & O_NONBLOCK), 0600);
	if (*out != NULL)
		return OK;
	pidref_put(p);
	return E_NOMEM;
}

err_t pidfd_task(struct file *f, struct task **out)
{
	struct pidref *p = f->priv;

	if (f->ops != &pidfd_ops)
		return E_BADF;
	*out = p->task;
	return p->task != NULL ? OK : E_SRCH;
}
