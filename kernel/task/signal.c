/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receiving signals: masks and actions, and what happens to pending ones on the way out to the
 * program.
 */
#include <asm/unistd_64.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

#define SYSCALL_INSN_LEN 2
#define WAIT_DUMPED      0x80 /* in a wait status */

bool (*core_dump_hook)(int sig, const struct ksiginfo *info);

/* ---- what is pending ---- */

bool signal_pending_current(void)
{
	return (user_work & USER_WORK_SIGNAL) != 0;
}

sigmask_t signal_pending_set(const struct thread *t)
{
	return (t->pending.pending | t->task->pending.pending) & t->blocked;
}

static bool has_work(const struct thread *t)
{
	return t->killed || ptrace_stop_due(t) || ptrace_trap_due(t) ||
	       ((t->pending.pending | t->task->pending.pending) & ~t->blocked) != 0;
}

void signal_recalc(void)
{
	if (has_work(current))
		user_work |= USER_WORK_SIGNAL;
	else
		user_work &= ~USER_WORK_SIGNAL;
}

/* ---- masks ---- */

void signal_set_mask(struct thread *t, sigmask_t mask)
{
	t->blocked = mask & ~SIG_MASK_UNBLOCKABLE_;
	if (t == current)
		signal_recalc();
	else if (has_work(t))
		thread_add_work(t, USER_WORK_SIGNAL);
}

void signal_mask_temporary(sigmask_t mask)
{
	struct thread *t = current;

	if (!t->restore_mask)
		t->saved_mask = t->blocked;
	t->restore_mask = true;
	signal_set_mask(t, mask);
}

void signal_mask_restore(void)
{
	struct thread *t = current;

	if (!t->restore_mask)
		return;
	t->restore_mask = false;
	signal_set_mask(t, t->saved_mask);
}

/* ---- actions ---- */

err_t signal_set_action(struct task *t, int sig, const struct sig_action *new_action,
			struct sig_action *old)
{
	struct sig_action *a;
	struct thread *th;

	if (sig < 1 || sig > SIG_COUNT)
		return E_INVAL;
	if (new_action != NULL && (SIG_MASK_UNBLOCKABLE_ & SIG_BIT(sig)))
		return E_INVAL;
	a = &t->sighand->action[sig - 1];
	if (old != NULL)
		*old = *a;
	if (new_action == NULL)
		return OK;
	*a = *new_action;
	a->mask &= ~SIG_MASK_UNBLOCKABLE_;
	if (!signal_is_ignored(t, sig))
		return OK;
	/* POSIX: what becomes ignored is no longer pending. */
	sigqueue_drop(&t->pending, SIG_BIT(sig));
	TASK_FOR_EACH_THREAD(th, t)
	sigqueue_drop(&th->pending, SIG_BIT(sig));
	return OK;
}

void signal_reset_for_exec(struct task *t)
{
	for (unsigned i = 0; i < SIG_COUNT; i++) {
		struct sig_action *a = &t->sighand->action[i];

		if (a->handler != (uint64_t)SIG_IGN)
			a->handler = (uint64_t)SIG_DFL;
		a->flags = a->restorer = a->mask = 0;
	}
}

/* ---- taking ---- */

static int take_from(struct sig_queue *q, sigmask_t blocked, struct ksiginfo *out)
{
	int sig = sigqueue_next(q, blocked);

	if (sig == 0)
		return 0;
	sigqueue_take(q, sig, out);
	return sig;
}

static int dequeue(sigmask_t blocked, struct ksiginfo *out)
{
	struct thread *t = current;
	int sig;

	if (((t->pending.pending | t->task->pending.pending) & ~blocked) == 0)
		return 0;
	sig = take_from(&t->pending, blocked, out);
	if (sig == 0)
		sig = take_from(&t->task->pending, blocked, out);
	if (sig != 0 && out->si_code == SI_TIMER)
		posix_timer_dequeued(t->task, out);
	return sig;
}

int signal_take(sigmask_t set, struct ksiginfo *out)
{
	int sig = dequeue(~(set & ~SIG_MASK_UNBLOCKABLE_), out);

	signal_recalc();
	return sig;
}

/* ---- stopping ---- */

static void kick_all(struct task *t)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	{
		thread_add_work(th, USER_WORK_SIGNAL);
		if (th->wait_interruptible)
			sched_wake(th, WAIT_SIGNAL);
	}
}

static void stop_again(struct task *t)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	{
		if (!ptraced(th) || th->trace->stopped || !th->trace->stop_seen)
			continue;
		th->trace->stop_seen = false;
		t->nstopped--;
	}
}

static void begin_stop(int sig)
{
	struct task *t = current_task;

	if (sig != SIGSTOP && pgrp_is_orphaned(t->pgid))
		return;
	t->stop_signal = sig;
	if (!t->stopped) {
		t->stopped = true;
		t->continued = false;
		t->stop_reported = t->stop_waited = false;
	}
	/* Those that their tracers let run stop once more. */
	stop_again(t);
	kick_all(t);
	ptrace_group_changed(t);
}

/* Sleep until the process is continued or killed. The last thread to come here reports the stop. */
static void stay_stopped(void)
{
	struct thread *me = current;
	struct task *t = me->task;

	t->nstopped++;
	if (t->nstopped == t->nthreads && !t->stop_reported)
		task_notify_stopped(t, CLD_STOPPED);
	me->in_stop = true;
	while (t->stopped && !me->killed && !ptraced(me))
		wait_on_killable(&t->stop_wait, WAIT_FOREVER);
	me->in_stop = false;
	t->nstopped--;
}

static void join_stop(void)
{
	if (ptraced(current))
		ptrace_join_stop();
	else
		stay_stopped();
}

/* ---- delivering ---- */

static bool is_restart(const struct trapframe *tf)
{
	return (int64_t)tf->orig_rax >= 0 && (int64_t)tf->rax <= E_RESTARTSYS &&
	       (int64_t)tf->rax >= E_RESTART_BLOCK;
}

static void again(struct trapframe *tf, uint64_t nr)
{
	tf->rax = nr;
	tf->rip -= SYSCALL_INSN_LEN;
	tf->orig_rax = UINT64_MAX; /* decided: not a second time */
}

static void restart_without_handler(struct trapframe *tf)
{
	if (!is_restart(tf))
		return;
	if ((int64_t)tf->rax == E_RESTART_BLOCK)
		again(tf, __NR_restart_syscall);
	else
		again(tf, tf->orig_rax);
}

static void restart_with_handler(struct trapframe *tf, const struct sig_action *a)
{
	if (!is_restart(tf))
		return;
	switch ((int64_t)tf->rax) {
	case E_RESTARTSYS:
		if (a->flags & SA_RESTART) {
			again(tf, tf->orig_rax);
			return;
		}
		break;
	case E_RESTARTNOINTR: again(tf, tf->orig_rax); return;
	default: break;
	}
	tf->rax = (uint64_t)E_INTR;
	tf->orig_rax = UINT64_MAX;
}

static NORETURN void die(struct trapframe *tf, int sig, const struct ksiginfo *info)
{
	bool dumped = false;

	if (SIG_MASK_CORE_ & SIG_BIT(sig)) {
		crash_report(tf, sig, info);
		dumped = core_dump_hook != NULL && core_dump_hook(sig, info);
	}
	task_exit_group(sig | (dumped ? WAIT_DUMPED : 0));
}

static void call_handler(struct trapframe *tf, int sig, const struct ksiginfo *info)
{
	struct thread *t = current;
	struct sig_action *slot = &t->task->sighand->action[sig - 1], a = *slot;
	sigmask_t before = t->restore_mask ? t->saved_mask : t->blocked;
	sigmask_t mask = t->blocked | a.mask;
	bool stepping;

	stepping = ptrace_step_pause();
	restart_with_handler(tf, &a);
	if (t->rseq != 0)
		rseq_interrupted(tf);
	if (a.flags & SA_RESETHAND)
		slot->handler = (uint64_t)SIG_DFL;
	if (!sigframe_push(tf, sig, info, &a, before)) {
		/* As Linux: when SIGSEGV's own frame has no room, nothing can help. */
		if (sig == SIGSEGV)
			slot->handler = (uint64_t)SIG_DFL;
		signal_fault(SIGSEGV, SI_KERNEL, 0, 0, 0);
		return;
	}
	t->restore_mask = false;
	if (!(a.flags & SA_NODEFER))
		mask |= SIG_BIT(sig);
	/* Whether anything is deliverable now, handle_signals sees. */
	t->blocked = mask & ~SIG_MASK_UNBLOCKABLE_;
	user_work |= USER_WORK_SPECIAL;
	if (stepping)
		ptrace_step_report();
}

/* One pending signal; false when there is none left that matters. */
static bool deliver_one(struct trapframe *tf)
{
	struct task *t = current_task;
	struct ksiginfo info;
	int sig = dequeue(current->blocked, &info);
	uint64_t h;

	if (sig == 0)
		return false;
	if (ptraced(current) && sig != SIGKILL && !(current->unstoppable & SIG_BIT(sig))) {
		sig = ptrace_signal(sig, &info);
		if (sig == 0 || current->killed)
			return true;
	}
	h = t->sighand->action[sig - 1].handler;
	if (h == (uint64_t)SIG_IGN)
		return true;
	if (h != (uint64_t)SIG_DFL) {
		call_handler(tf, sig, &info);
		return true;
	}
	if (SIG_MASK_IGNORED_ & SIG_BIT(sig))
		return true;
	if (SIG_MASK_STOP_ & SIG_BIT(sig))
		begin_stop(sig);
	else
		die(tf, sig, &info);
	return true;
}

static void handle_signals(struct trapframe *tf)
{
	for (;;) {
		if (current->killed)
			thread_exit_killed();
		if (ptrace_stop_due(current))
			join_stop();
		else if (ptrace_trap_due(current))
			ptrace_trap();
		else if (!deliver_one(tf))
			break;
	}
	restart_without_handler(tf);
	signal_mask_restore();
	signal_recalc();
}

/*
 * On the way back to PrivUser: signals, stops and debuggers wait until the thread is in ring 3 (the
 * gate asks for us when something waits), but nothing delays the end.
 */
static void inner_return_work(void)
{
	for (;;) {
		if (current->killed)
			thread_exit_killed();
		if (!(user_work & USER_WORK_RESCHED))
			return;
		sched_preempt();
	}
}

void user_return_work(struct trapframe *tf)
{
	if (privuser_is_inside(tf) && current->priv != NULL) {
		inner_return_work();
		return;
	}
	if (privuser_is_inside(tf))
		privuser_refuse(tf);
	while (user_work &
	       (USER_WORK_SIGNAL | USER_WORK_RESCHED | USER_WORK_RSEQ | USER_WORK_HOLD)) {
		if (user_work & USER_WORK_HOLD)
			privuser_hold();
		if (user_work & USER_WORK_RSEQ)
			rseq_interrupted(tf);
		if (user_work & USER_WORK_SIGNAL)
			handle_signals(tf);
		if (user_work & USER_WORK_RESCHED)
			sched_preempt();
	}
}

/* ---- faults ---- */

void signal_force(int sig, const struct ksiginfo *info, bool fatal)
{
	struct thread *t = current;
	struct sig_action *a = &t->task->sighand->action[sig - 1];

	/* The instruction would fault for ever: a program that blocks or ignores it ends. */
	if (fatal || (t->blocked & SIG_BIT(sig)) || a->handler == (uint64_t)SIG_IGN) {
		a->handler = (uint64_t)SIG_DFL;
		signal_set_mask(t, t->blocked & ~SIG_BIT(sig));
	}
	if (fatal)
		t->unstoppable |= SIG_BIT(sig);
	if (sigqueue_add(&t->pending, sig, info, UINT64_MAX) != OK)
		t->pending.pending |= SIG_BIT(sig);
	user_work |= USER_WORK_SIGNAL;
	trace(TRACE_FAULT, (uint64_t)sig, (uint64_t)info->si_addr);
}

void signal_fault(int sig, int code, uint64_t addr, int trapno, uint64_t error)
{
	struct thread *t = current;
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void *)addr;
	t->trap_no = (uint64_t)trapno;
	t->trap_error = error;
	t->trap_addr = addr;
	signal_force(sig, &info, false);
}
