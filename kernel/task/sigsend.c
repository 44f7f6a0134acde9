/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending signals: who may, what is ignored, stopped or continued at once, and which thread is
 * woken for it.
 */
#include <linux/capability.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

bool signal_is_ignored(const struct task *t, int sig)
{
	uint64_t h = t->sighand->action[sig - 1].handler;

	return h == (uint64_t)SIG_IGN ||
	       (h == (uint64_t)SIG_DFL && (SIG_MASK_IGNORED_ & SIG_BIT(sig)));
}

static bool kills(const struct task *t, int sig)
{
	return t->sighand->action[sig - 1].handler == (uint64_t)SIG_DFL &&
	       !((SIG_MASK_IGNORED_ | SIG_MASK_STOP_) & SIG_BIT(sig));
}

static bool deliverable(const struct task *t)
{
	return t->state == TASK_ALIVE && t->sighand != NULL;
}

/* ---- stop and continue ---- */

static void drop_everywhere(struct task *t, sigmask_t mask)
{
	struct thread *th;

	sigqueue_drop(&t->pending, mask);
	TASK_FOR_EACH_THREAD(th, t)
	sigqueue_drop(&th->pending, mask);
}

static void leave_stop(struct task *t)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	{
		if (th->trace == NULL || !th->trace->stop_seen)
			continue;
		th->trace->stop_seen = false;
		t->nstopped--;
	}
}

static void go_on(struct task *t)
{
	if (!t->stopped)
		return;
	t->stopped = false;
	t->stop_reported = false;
	t->continued = true;
	leave_stop(t);
	task_notify_stopped(t, CLD_CONTINUED);
	wake_all(&t->stop_wait);
	ptrace_group_changed(t);
}

/* A stop and a continuation cancel each other, whether or not they are blocked or ignored. */
static void stop_and_continue(struct task *t, int sig)
{
	if (SIG_MASK_STOP_ & SIG_BIT(sig)) {
		drop_everywhere(t, SIG_BIT(SIGCONT));
	} else if (sig == SIGCONT) {
		drop_everywhere(t, SIG_MASK_STOP_);
		go_on(t);
	}
}

/* ---- waking a thread for it ---- */

static void notify_thread(struct thread *th)
{
	thread_add_work(th, USER_WORK_SIGNAL);
	if (th->wait_interruptible)
		sched_wake(th, WAIT_SIGNAL);
}

/* A stopped thread looks at its signals when it goes on, not before. */
static bool wants(const struct thread *th, int sig)
{
	if (th->exiting || (th->blocked & SIG_BIT(sig)))
		return false;
	return sig == SIGKILL || !(th->in_stop || (ptraced(th) && th->trace->stopped));
}

static struct thread *pick_thread(struct task *t, int sig)
{
	struct thread *th, *any = NULL;

	if (current != NULL && current->task == t && wants(current, sig))
		return current;
	TASK_FOR_EACH_THREAD(th, t)
	{
		if (!wants(th, sig))
			continue;
		if (th->state == THREAD_WAITING && th->wait_interruptible)
			return th;
		if (any == NULL)
			any = th;
	}
	return any;
}

/* `th` is the receiver (thread-directed) or NULL. */
static void queued(struct task *t, struct thread *th, int sig)
{
	if (th == NULL)
		th = pick_thread(t, sig);
	else if (!wants(th, sig))
		th = NULL;
	trace(TRACE_SIGNAL, (uint64_t)t->pid, (uint64_t)sig);
	if (th != NULL && kills(t, sig) &&
	    (sig == SIGKILL || (!(SIG_MASK_CORE_ & SIG_BIT(sig)) && !ptraced(th))))
		task_begin_exit(t, sig);
	else if (th != NULL)
		notify_thread(th);
	wake_all(&t->signal_wait);
}

/* ---- sending ---- */

static void kernel_info(siginfo_t *info, int sig)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = SI_KERNEL;
}

static const struct thread *mask_holder(const struct task *t, const struct thread *th)
{
	const struct thread *leader;

	if (th != NULL)
		return th;
	leader = thread_find(t->pid);
	return leader != NULL ? leader : task_first_thread(t);
}

static err_t send(struct task *t, struct thread *th, int sig, const siginfo_t *info, bool limited)
{
	struct sig_queue *q = th != NULL ? &th->pending : &t->pending;
	const struct thread *holder;
	siginfo_t own;
	uint64_t limit = limited ? t->rlimit[RLIMIT_SIGPENDING].rlim_cur : UINT64_MAX;

	if (!deliverable(t) || t->exiting) {
		if (sig == SIGKILL)
			ptrace_kill(t);
		return OK;
	}
	stop_and_continue(t, sig);
	holder = mask_holder(t, th);
	/* Blocked ones are kept: the program may install a handler before it unblocks them. */
	if (holder != NULL && !(holder->blocked & SIG_BIT(sig)) && !ptraced(holder) &&
	    signal_is_ignored(t, sig))
		return OK;
	if (info == NULL) {
		kernel_info(&own, sig);
		info = &own;
	}
	TRY(sigqueue_add(q, sig, info, limit));
	queued(t, th, sig);
	return OK;
}

err_t signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	return sig == 0 ? OK : send(t, NULL, sig, info, true);
}

err_t signal_send_thread(struct thread *t, int sig, const siginfo_t *info)
{
	return sig == 0 ? OK : send(t->task, t, sig, info, true);
}

void signal_force_send(struct task *t, int sig, const siginfo_t *info)
{
	/*
	 * Without a limit only memory can be missing, and then just the information is lost; a
	 * real-time
	 * signal of an exit or timer is lost with it, as in Linux. */
	(void)!send(t, NULL, sig, info, false);
}

void signal_force_send_thread(struct thread *t, int sig)
{
	(void)!send(t->task, t, sig, NULL, false);
}

unsigned signal_send_pgrp(int pgid, int sig, const siginfo_t *info)
{
	unsigned n = 0;

	LIST_FOR_EACH(l, &all_tasks) {
		struct task *t = list_entry(l, struct task, all);

		if (t->pgid != pgid)
			continue;
		if (info != NULL && info->si_code <= 0 && !signal_allowed(t, sig))
			continue;
		if (signal_send_task(t, sig, info) == OK)
			n++;
	}
	return n;
}

unsigned signal_send_all(int sig, const siginfo_t *info)
{
	unsigned n = 0;

	LIST_FOR_EACH(l, &all_tasks) {
		struct task *t = list_entry(l, struct task, all);

		if (t == current_task || t->pid == 1 || !signal_allowed(t, sig))
			continue;
		if (signal_send_task(t, sig, info) == OK)
			n++;
	}
	return n;
}

bool signal_allowed(struct task *t, int sig)
{
	const struct cred *me = &current_task->cred, *to = &t->cred;

	if (t == current_task || me->cap_effective & 1ull << CAP_KILL)
		return true;
	if (me->euid == to->suid || me->euid == to->uid || me->uid == to->suid ||
	    me->uid == to->uid)
		return true;
	return sig == SIGCONT && t->sid == current_task->sid;
}

void signal_info_user(siginfo_t *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = current_task->pid;
	info->si_uid = current_task->cred.uid;
}

const char *signal_name(int sig)
{
	static const char *const names[] = {
		"signal 0", "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",  "SIGTRAP",   "SIGABRT",
		"SIGBUS",   "SIGFPE",  "SIGKILL",   "SIGUSR1", "SIGSEGV", "SIGUSR2",   "SIGPIPE",
		"SIGALRM",  "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",   "SIGTSTP",
		"SIGTTIN",  "SIGTTOU", "SIGURG",    "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
		"SIGWINCH", "SIGIO",   "SIGPWR",    "SIGSYS",
	};

	return sig >= 0 && (size_t)sig < ARRAY_SIZE(names) ? names[sig] : "real-time signal";
}
