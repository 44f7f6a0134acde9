/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending signals: who may, what is ignored, stopped or continued at once, and which thread is
 * woken for it.
 */
#include <linux/capability.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/ubuf.h"
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

static void kernel_info(struct ksiginfo *info, int sig)
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

/* An ignored signal that is blocked: the program may install a handler before it unblocks it. */
static bool kept_for_later(const struct thread *holder, int sig)
{
	return holder == NULL || (holder->blocked & SIG_BIT(sig)) || ptraced(holder);
}

static err_t send(struct task *t, struct thread *th, int sig, const struct ksiginfo *info,
		  bool limited)
{
	struct sig_queue *q = th != NULL ? &th->pending : &t->pending;
	struct ksiginfo own;
	uint64_t limit = limited ? t->rlimit[RLIMIT_SIGPENDING].rlim_cur : UINT64_MAX;

	if (!deliverable(t) || t->exiting) {
		if (sig == SIGKILL)
			ptrace_kill(t);
		return OK;
	}
	stop_and_continue(t, sig);
	if (signal_is_ignored(t, sig) && !kept_for_later(mask_holder(t, th), sig))
		return OK;
	if (info == NULL) {
		kernel_info(&own, sig);
		info = &own;
	}
	TRY(sigqueue_add(q, sig, info, limit));
	queued(t, th, sig);
	return OK;
}

err_t signal_send_task(struct task *t, int sig, const struct ksiginfo *info)
{
	return sig == 0 ? OK : send(t, NULL, sig, info, true);
}

err_t signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	return sig == 0 ? OK : send(t->task, t, sig, info, true);
}

void signal_force_send(struct task *t, int sig, const struct ksiginfo *info)
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

unsigned signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info)
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

unsigned signal_send_all(int sig, const struct ksiginfo *info)
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

void signal_info_user(struct ksiginfo *info, int sig, int code)
{
	uint64_t *words = (uint64_t *)info;

	/* Not by memset: a call of it is dearer than these few words. */
#pragma GCC unroll 8
	for (unsigned i = 0; i < sizeof(*info) / sizeof(*words); i++)
		words[i] = 0;
	info->si_signo = sig;
	info->si_code = code;
	info->si_pid = current_task->pid;
	info->si_uid = current_task->cred.uid;
}

/* ---- as programs have it ---- */

#define REST (sizeof(siginfo_t) - sizeof(struct ksiginfo))

err_t siginfo_out(uaddr_t to, const struct ksiginfo *info)
{
	TRY(USER_OUT(to, info));
	return user_zero(UADDR(to.v + sizeof(*info)), REST);
}

/* Does Linux know what such information consists of? Then it looks no further. */
static bool is_known(const struct ksiginfo *info)
{
	static const uint8_t codes[] = {
		[SIGILL] = NSIGILL,   [SIGFPE] = NSIGFPE,   [SIGSEGV] = NSIGSEGV,
		[SIGBUS] = NSIGBUS,   [SIGTRAP] = NSIGTRAP, [SIGCHLD] = NSIGCHLD,
		[SIGPOLL] = NSIGPOLL, [SIGSYS] = NSIGSYS,
	};
	int sig = info->si_signo, code = info->si_code;

	if (code <= SI_USER)
		return code >= SI_DETHREAD || code == SI_ASYNCNL;
	if (code == SI_KERNEL || code <= NSIGPOLL)
		return true;
	return sig > 0 && (size_t)sig < sizeof(codes) && code <= codes[sig];
}

err_t siginfo_in(struct ksiginfo *info, uaddr_t from)
{
	uint64_t rest[REST / sizeof(uint64_t)];

	TRY(USER_IN(info, from));
	TRY(USER_IN(&rest, UADDR(from.v + sizeof(*info))));
	if (is_known(info))
		return OK;
	for (unsigned i = 0; i < ARRAY_SIZE(rest); i++)
		if (rest[i] != 0)
			return E_2BIG;
	return OK;
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
