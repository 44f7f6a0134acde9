/* SPDX-License-Identifier: BSD-2-Clause */
/* Process groups and sessions. */
#include "kernel/task/internal.h"

static struct task *self_or(int pid)
{
	return pid == 0 ? current_task : task_find(pid);
}

bool pgrp_exists(int pgid, int sid)
{
	LIST_FOR_EACH(l, &all_tasks) {
		const struct task *t = list_entry(l, struct task, all);

		if (t->pgid == pgid && t->sid == sid)
			return true;
	}
	return false;
}

err_t task_setpgid(int pid, int pgid)
{
	struct task *t = self_or(pid);

	if (pgid < 0)
		return E_INVAL;
	if (t == NULL || (t != current_task && t->parent != current_task))
		return E_SRCH;
	if (pgid == 0)
		pgid = t->pid;
	if (t != current_task && t->sid != current_task->sid)
		return E_PERM;
	if (t != current_task && t->execed)
		return E_ACCES;
	if (t->sid == t->pid)
		return E_PERM;
	if (pgid != t->pid && !pgrp_exists(pgid, current_task->sid))
		return E_PERM;
	t->pgid = pgid;
	return OK;
}

static bool is_group(int pgid)
{
	LIST_FOR_EACH(l, &all_tasks)
		if (list_entry(l, struct task, all)->pgid == pgid)
			return true;
	return false;
}

long task_setsid(void)
{
	struct task *t = current_task;

	if (t->sid == t->pid || is_group(t->pid))
		return E_PERM;
	t->sid = t->pgid = t->pid;
	t->tty = NULL;
	return t->pid;
}

long task_getpgid(int pid)
{
	const struct task *t = self_or(pid);

	return t == NULL ? E_SRCH : t->pgid;
}

long task_getsid(int pid)
{
	const struct task *t = self_or(pid);

	return t == NULL ? E_SRCH : t->sid;
}

/* Orphaned: no member has a parent in another group of the same session, who could continue it. */
bool pgrp_is_orphaned(int pgid)
{
	LIST_FOR_EACH(l, &all_tasks) {
		const struct task *t = list_entry(l, struct task, all);

		if (t->pgid != pgid || t->state == TASK_ZOMBIE || t->parent == NULL)
			continue;
		if (t->parent->pgid != pgid && t->parent->sid == t->sid)
			return false;
	}
	return true;
}

err_t pgrp_background(int sig)
{
	struct task *t = current_task;

	if ((current->blocked & SIG_BIT(sig)) || signal_is_ignored(t, sig))
		return E_IO;
	if (pgrp_is_orphaned(t->pgid))
		return E_IO;
	signal_send_pgrp(t->pgid, sig, NULL);
	return E_RESTARTSYS;
}
