/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on signals. */
#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/task/task.h"

#define UNMASKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* struct sigaction as the kernel interface has it. */
struct sigaction_user {
	uint64_t handler, flags, restorer;
	sigmask_t mask;
};

long sys_rt_sigaction(int sig, uaddr_t unew, uaddr_t uold, size_t size)
{
	struct sigaction_user u;
	struct sig_action now, old;

	if (size != sizeof(sigmask_t))
		return E_INVAL;
	if (unew.v != 0) {
		TRY(USER_IN(&u, unew));
		now = (struct sig_action){ u.handler, u.flags, u.restorer, u.mask & ~UNMASKABLE };
	}
	TRY(signal_set_action(current_task, sig, unew.v != 0 ? &now : NULL, &old));
	if (uold.v == 0)
		return 0;
	u = (struct sigaction_user){ old.handler, old.flags, old.restorer, old.mask };
	return USER_OUT(uold, &u);
}

long sys_rt_sigprocmask(int how, uaddr_t unew, uaddr_t uold, size_t size)
{
	sigmask_t old = current->blocked, set;

	if (size != sizeof(sigmask_t))
		return E_INVAL;
	if (unew.v != 0) {
		TRY(USER_IN(&set, unew));
		switch (how) {
		case SIG_BLOCK: set |= old; break;
		case SIG_UNBLOCK: set = old & ~set; break;
		case SIG_SETMASK: break;
		default: return E_INVAL;
		}
		signal_set_mask(current, set & ~UNMASKABLE);
	}
	return uold.v != 0 ? USER_OUT(uold, &old) : 0;
}

long sys_rt_sigpending(uaddr_t to, size_t size)
{
	sigmask_t set = signal_pending_set(current);

	if (size > sizeof(set))
		return E_INVAL;
	return user_out(to, &set, size);
}

long sys_rt_sigreturn(void)
{
	return signal_return(current->regs);
}

long sys_rt_sigsuspend(uaddr_t umask, size_t size)
{
	sigmask_t mask;

	if (size != sizeof(mask))
		return E_INVAL;
	TRY(USER_IN(&mask, umask));
	signal_mask_temporary(mask & ~UNMASKABLE);
	while (!signal_pending_current()) {
		wait_prepare();
		if (!signal_pending_current())
			(void)wait_commit(WAIT_FOREVER, true);
	}
	return E_RESTARTNOHAND;
}

long sys_pause(void)
{
	while (!signal_pending_current()) {
		wait_prepare();
		if (!signal_pending_current())
			(void)wait_commit(WAIT_FOREVER, true);
	}
	return E_RESTARTNOHAND;
}

/* ---- sending ---- */

static err_t kill_task(struct task *t, int sig, const struct ksiginfo *info)
{
	if (!signal_allowed(t, sig))
		return E_PERM;
	return sig == 0 ? OK : signal_send_task(t, sig, info);
}

/*
 * kill(-1) and kill(-group): all that match; success when one was reached. pid 1 and the sender are
 * spared by -1.
 */
static long kill_many(int pgid, int sig, const struct ksiginfo *info)
{
	struct list *pos, *next;
	err_t last = E_SRCH;
	bool any = false;

	for (pos = all_tasks.next; pos != &all_tasks; pos = next) {
		struct task *t = list_entry(pos, struct task, all);
		err_t err;

		next = pos->next;
		if (pgid != 0 ? t->pgid != pgid : t->pid == 1 || t == current_task)
			continue;
		err = kill_task(t, sig, info);
		if (err == OK)
			any = true;
		else
			last = err;
	}
	return any ? 0 : last;
}

long sys_kill(int pid, int sig)
{
	struct task *t;
	struct ksiginfo info;

	if (sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	signal_info_user(&info, sig, SI_USER);
	if (pid == 0)
		return kill_many(current_task->pgid, sig, &info);
	if (pid == -1)
		return kill_many(0, sig, &info);
	if (pid < 0)
		return pid == INT32_MIN ? E_SRCH : kill_many(-pid, sig, &info);
	t = task_find(pid);
	return t == NULL ? E_SRCH : kill_task(t, sig, &info);
}

/* One thread; tgid 0 = any group (tkill). */
static long kill_thread(int tgid, int tid, int sig, const struct ksiginfo *info)
{
	struct thread *t = thread_find(tid);

	if (t == NULL || (tgid != 0 && t->task->pid != tgid))
		return E_SRCH;
	if (!signal_allowed(t->task, sig))
		return E_PERM;
	return sig == 0 ? OK : signal_send_thread(t, sig, info);
}

long sys_tgkill(int tgid, int tid, int sig)
{
	struct ksiginfo info;

	if (tgid <= 0 || tid <= 0 || sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	signal_info_user(&info, sig, SI_TKILL);
	return kill_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	struct ksiginfo info;

	if (tid <= 0 || sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	signal_info_user(&info, sig, SI_TKILL);
	return kill_thread(0, tid, sig, &info);
}

/*
 * A program's own siginfo: only codes that cannot be mistaken for the kernel's, unless it signals
 * itself.
 */
static err_t queue_info(struct ksiginfo *info, uaddr_t from, int sig, int target)
{
	TRY(siginfo_in(info, from));
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && target != current_task->pid)
		return E_PERM;
	return OK;
}

long sys_rt_sigqueueinfo(int pid, int sig, uaddr_t from)
{
	struct ksiginfo info;
	struct task *t = task_find(pid);

	if (sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	TRY(queue_info(&info, from, sig, pid));
	return t == NULL ? E_SRCH : kill_task(t, sig, &info);
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, uaddr_t from)
{
	struct ksiginfo info;

	if (tgid <= 0 || tid <= 0 || sig < 0 || sig > SIG_COUNT)
		return E_INVAL;
	TRY(queue_info(&info, from, sig, tgid));
	return kill_thread(tgid, tid, sig, &info);
}

/* ---- waiting ---- */

long sys_rt_sigtimedwait(uaddr_t uset, uaddr_t uinfo, uaddr_t uts, size_t size)
{
	uint64_t deadline = WAIT_FOREVER, ns;
	sigmask_t set;
	struct ksiginfo info;
	int sig;

	if (size != sizeof(set))
		return E_INVAL;
	TRY(USER_IN(&set, uset));
	set &= ~UNMASKABLE;
	if (uts.v != 0) {
		TRY(user_timespec(uts, &ns));
		deadline = deadline_after(ns);
	}
	while ((sig = signal_take(set, &info)) == 0) {
		if (signal_pending_current())
			return E_INTR;
		if (wait_on(&current_task->signal_wait, deadline, true) == WAIT_TIMEOUT)
			return E_AGAIN;
	}
	if (uinfo.v != 0)
		TRY(siginfo_out(uinfo, &info));
	return sig;
}

/* ---- alternate stack ---- */

struct stack_user {
	uint64_t sp;
	int32_t flags;
	uint64_t size;
};

long sys_sigaltstack(uaddr_t unew, uaddr_t uold)
{
	struct altstack now, old;
	struct stack_user u;

	if (unew.v != 0) {
		TRY(USER_IN(&u, unew));
		now = (struct altstack){ u.sp, u.size, (uint32_t)u.flags };
	}
	TRY(signal_altstack(current->regs->rsp, unew.v != 0 ? &now : NULL, &old));
	u = (struct stack_user){ .sp = old.sp, .flags = (int32_t)old.flags, .size = old.size };
	return uold.v != 0 ? USER_OUT(uold, &u) : 0;
}
