/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions, process groups and their terminal. */
#include <linux/capability.h>

#include "kernel/task/task.h"
#include "kernel/vfs/tty_job.h"

#define FOR_EACH_TASK(pos) LIST_FOR_EACH(pos, &all_tasks)

static struct task *task_at(struct list *pos)
{
	return list_entry(pos, struct task, all);
}

/* A group is orphaned when no member has a parent in the session but outside the group: nobody
 * would continue it. */
static bool group_orphaned(int pgid)
{
	FOR_EACH_TASK(pos)
	{
		const struct task *p = task_at(pos);

		if (p->pgid == pgid && p->state == TASK_ALIVE && p->parent != NULL &&
		    p->parent->pgid != pgid && p->parent->sid == p->sid)
			return false;
	}
	return true;
}

static bool ignored_or_blocked(int sig)
{
	return current_task->sighand->action[sig - 1].handler == (uint64_t)SIG_IGN ||
	       (current->blocked & SIG_BIT(sig)) != 0;
}

static bool in_background(const struct tty *t)
{
	const struct task *p = current_task;

	return p->tty == t && t->pgrp != 0 && p->pgid != t->pgrp;
}

err_t tty_check_read(struct tty *t)
{
	if (!in_background(t))
		return OK;
	if (ignored_or_blocked(SIGTTIN) || group_orphaned(current_task->pgid))
		return E_IO;
	signal_send_pgrp(current_task->pgid, SIGTTIN, NULL);
	return E_RESTARTSYS;
}

err_t tty_check_change(struct tty *t)
{
	if (!in_background(t) || ignored_or_blocked(SIGTTOU))
		return OK;
	if (group_orphaned(current_task->pgid))
		return E_IO;
	signal_send_pgrp(current_task->pgid, SIGTTOU, NULL);
	return E_RESTARTSYS;
}

err_t tty_check_write(struct tty *t)
{
	return (t->termios.c_lflag & TOSTOP) != 0 ? tty_check_change(t) : OK;
}

void tty_signal(struct tty *t, int sig)
{
	if (t->pgrp != 0)
		signal_send_pgrp(t->pgrp, sig, NULL);
}

/* ---- who has the terminal ---- */

static void take(struct tty *t, struct task *p)
{
	t->session = p->sid;
	t->pgrp = p->pgid;
	p->tty = t;
}

void tty_take_if_free(struct tty *t, struct task *p)
{
	if (p->pid == p->sid && p->tty == NULL && t->session == 0)
		take(t, p);
}

static void session_loses(struct tty *t)
{
	FOR_EACH_TASK(pos)
	{
		if (task_at(pos)->tty == t)
			task_at(pos)->tty = NULL;
	}
	t->session = 0;
	t->pgrp = 0;
}

void tty_forget(struct tty *t)
{
	session_loses(t);
	waitq_detach_all(&t->readers);
	waitq_detach_all(&t->writers);
}

void tty_hangup_session(struct tty *t)
{
	int pgrp = t->pgrp;
	struct task *leader = t->session != 0 ? task_find(t->session) : NULL;

	session_loses(t);
	if (leader != NULL && leader->state == TASK_ALIVE) {
		(void)!signal_send_task(leader, SIGHUP, NULL);
		(void)!signal_send_task(leader, SIGCONT, NULL);
	}
	if (pgrp != 0 && (leader == NULL || leader->pgid != pgrp)) {
		signal_send_pgrp(pgrp, SIGHUP, NULL);
		signal_send_pgrp(pgrp, SIGCONT, NULL);
	}
}

void tty_hangup(struct tty *t)
{
	t->hung_up = true;
	ldisc_flush_input(t);
	tty_hangup_session(t);
	wake_all(&t->readers);
	wake_all(&t->writers);
}

void tty_session_leader_exit(struct tty *t, int sid)
{
	int pgrp;

	if (t == NULL || t->session != sid)
		return;
	pgrp = t->pgrp;
	session_loses(t);
	if (pgrp != 0) {
		signal_send_pgrp(pgrp, SIGHUP, NULL);
		signal_send_pgrp(pgrp, SIGCONT, NULL);
	}
}

/* ---- ioctls ---- */

static long set_controlling(struct tty *t, uint64_t steal)
{
	struct task *p = current_task;

	if (p->tty == t && t->session == p->sid)
		return 0;
	if (p->pid != p->sid || p->tty != NULL)
		return E_PERM;
	if (t->session != 0) {
		if (steal != 1 || (p->cred.cap_effective & (1ull << CAP_SYS_ADMIN)) == 0)
			return E_PERM;
		session_loses(t);
	}
	take(t, p);
	return 0;
}

static long give_up(struct tty *t)
{
	struct task *p = current_task;

	if (p->tty != t)
		return E_NOTTY;
	if (p->pid == p->sid)
		tty_session_leader_exit(t, p->sid);
	p->tty = NULL;
	return 0;
}

static long set_group(struct tty *t, uint64_t arg)
{
	struct task *p = current_task;
	bool found = false, ours = false;
	int pgrp;

	TRY(tty_check_change(t));
	if (p->tty != t || t->session != p->sid)
		return E_NOTTY;
	TRY(USER_IN(&pgrp, UADDR(arg)));
	if (pgrp < 0)
		return E_INVAL;
	FOR_EACH_TASK(pos)
	{
		if (task_at(pos)->pgid != pgrp)
			continue;
		found = true;
		ours = ours || task_at(pos)->sid == p->sid;
	}
	if (!found)
		return E_SRCH;
	if (!ours)
		return E_PERM;
	t->pgrp = pgrp;
	return 0;
}

long tty_job_ioctl(struct tty *t, unsigned cmd, uint64_t arg, bool master)
{
	bool own = master || current_task->tty == t;

	switch (cmd) {
	case TIOCSCTTY: return master ? E_NOTTY : set_controlling(t, arg);
	case TIOCNOTTY: return master ? E_NOTTY : give_up(t);
	case TIOCSPGRP: return master ? E_NOTTY : set_group(t, arg);
	case TIOCGPGRP: return own ? USER_OUT(UADDR(arg), &t->pgrp) : E_NOTTY;
	case TIOCGSID: return own && t->session != 0 ? USER_OUT(UADDR(arg), &t->session) : E_NOTTY;
	default: return E_NOTTY;
	}
}
