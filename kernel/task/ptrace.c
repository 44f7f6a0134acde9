/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracing: attaching, stopping, going on, and how tracer and tracee part (ptrace.h). */
#include <linux/capability.h>
#include <linux/sched.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

#define RFLAGS_TF (1u << 8)
#define POPF      0x9d

static struct ptrace *own(void)
{
	return current->trace;
}

/* ---- attaching ---- */

static struct ptrace *record_for(struct thread *t)
{
	struct ptrace *p = t->trace;

	if (p != NULL)
		return p;
	p = kmem_zalloc(sizeof(*p));
	if (p == NULL)
		return NULL;
	p->thread = t;
	p->task = t->task;
	list_init(&p->in_tracer);
	waitq_init(&p->wait);
	t->trace = p;
	return p;
}

static void link(struct ptrace *p, struct thread *tracer, bool seize, uint32_t options)
{
	p->tid = p->thread->tid;
	p->tracer = tracer;
	p->seized = seize;
	p->options = options;
	p->trap = p->notify = p->listening = p->stop_seen = false;
	p->mode = TRACE_NO_CALLS;
	p->step = p->forced_tf = false;
	p->message = 0;
	p->code = 0;
	list_push_back(&tracer->task->tracees, &p->in_tracer);
}

/* A child has at most its tracer's capabilities, or the tracer may trace everybody. */
static err_t check_traceme(const struct task *parent)
{
	const struct cred *c = &current_task->cred, *by = &parent->cred;

	if ((c->cap_permitted & ~by->cap_permitted) == 0 ||
	    (by->cap_effective >> CAP_SYS_PTRACE & 1))
		return OK;
	return E_PERM;
}

static struct thread *parent_thread(const struct task *parent)
{
	struct thread *t = thread_find(current_task->parent_tid);

	return t != NULL && t->task == parent ? t : task_first_thread(parent);
}

err_t ptrace_traceme(void)
{
	struct task *parent = current_task->parent;
	struct thread *tracer;

	if (ptraced(current) || parent == NULL || parent->state != TASK_ALIVE || parent->exiting)
		return E_PERM;
	TRY(check_traceme(parent));
	tracer = parent_thread(parent);
	if (tracer == NULL)
		return E_PERM;
	if (record_for(current) == NULL)
		return E_NOMEM;
	link(own(), tracer, false, 0);
	return OK;
}

err_t ptrace_attach(struct thread *t, bool seize, uint32_t options)
{
	if (t->task == current_task || t->task == &kernel_task || t->exiting)
		return E_PERM;
	TRY(task_may_access(t->task, ACCESS_REAL));
	if (ptraced(t))
		return E_PERM;
	if (record_for(t) == NULL)
		return E_NOMEM;
	link(t->trace, current, seize, options);
	if (!seize)
		signal_force_send_thread(t, SIGSTOP);
	/* One that is stopped already stops again for us. */
	if (t->task->stopped)
		wake_all(&t->task->stop_wait);
	return OK;
}

/* ---- waking ---- */

static void kick(struct thread *t)
{
	thread_add_work(t, USER_WORK_SIGNAL);
	if (t->wait_interruptible)
		sched_wake(t, WAIT_SIGNAL);
}

static void let_go(struct ptrace *p)
{
	p->stopped = p->listening = false;
	wake_all(&p->wait);
}

/* A listening tracee stops anew, so that its tracer sees why. */
static void trap_soon(struct ptrace *p)
{
	if (p->stopped) {
		if (p->listening)
			let_go(p);
		return;
	}
	kick(p->thread);
}

void ptrace_interrupt(struct ptrace *p)
{
	p->trap = true;
	trap_soon(p);
}

void ptrace_group_changed(struct task *t)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	{
		if (!ptraced(th) || !th->trace->seized)
			continue;
		th->trace->notify = true;
		trap_soon(th->trace);
	}
}

/* ---- single steps ---- */

/* The next instruction puts flags from the stack: then TF is the program's own. */
static bool at_popf(const struct ptrace *p)
{
	uint8_t op;

	return aspace_read(p->task->mm, p->thread->regs->rip, &op, 1) == 1 && op == POPF;
}

static void step_on(struct ptrace *p)
{
	struct trapframe *tf = p->thread->regs;

	p->step = true;
	if (!(tf->rflags & RFLAGS_TF))
		p->forced_tf = true;
	tf->rflags |= RFLAGS_TF;
	if (at_popf(p))
		p->forced_tf = false;
}

static void step_off(struct ptrace *p)
{
	p->step = false;
	if (p->forced_tf)
		p->thread->regs->rflags &= ~(uint64_t)RFLAGS_TF;
	p->forced_tf = false;
}

bool ptrace_step_pause(void)
{
	struct ptrace *p = own();

	if (p == NULL || p->tracer == NULL || !p->step)
		return false;
	step_off(p);
	return true;
}

void ptrace_step_report(void)
{
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGTRAP;
	info.si_code = SIGTRAP;
	info.si_pid = current->tid;
	info.si_uid = current_task->cred.uid;
	(void)ptrace_stop(SIGTRAP, CLD_TRAPPED, &info, 0);
}

static void watch_calls(struct ptrace *p)
{
	thread_watch(p->thread, WATCH_TRACE, p->mode != TRACE_NO_CALLS || p->step);
}

/* ---- going on ---- */

void ptrace_resume(struct ptrace *p, enum ptrace_mode mode, bool step, int sig)
{
	p->mode = mode;
	if (step)
		step_on(p);
	else
		step_off(p);
	watch_calls(p);
	p->code = sig;
	thread_add_work(p->thread, USER_WORK_SPECIAL);
	let_go(p);
}

static void unlink(struct ptrace *p)
{
	list_remove(&p->in_tracer);
	p->tracer = NULL;
	p->trap = p->notify = false;
	p->mode = TRACE_NO_CALLS;
	if (p->stop_seen)
		p->task->nstopped--;
	p->stop_seen = false;
	if (p->thread == NULL)
		return;
	step_off(p);
	watch_calls(p);
	debug_clear(p);
	thread_add_work(p->thread, USER_WORK_SPECIAL);
	/* It joins the stop of its process, or handles what came meanwhile. */
	kick(p->thread);
}

void ptrace_detach(struct ptrace *p, int sig)
{
	p->code = sig;
	unlink(p);
	let_go(p);
}

err_t ptrace_listen(struct ptrace *p)
{
	if (!p->seized || !p->has_info || p->info.si_code >> 8 != PTRACE_EVENT_STOP)
		return E_IO;
	p->listening = true;
	if (p->notify)
		let_go(p);
	return OK;
}

/* ---- telling the tracer ---- */

static void tell_tracer(const struct ptrace *p, int code, int status)
{
	struct task *t = p->tracer->task;
	const struct sig_action *a;
	struct ksiginfo info;

	if (t->sighand == NULL)
		return;
	a = &t->sighand->action[SIGCHLD - 1];
	if (a->handler != (uint64_t)SIG_IGN && !(a->flags & SA_NOCLDSTOP)) {
		memset(&info, 0, sizeof(info));
		info.si_signo = SIGCHLD;
		info.si_code = code;
		info.si_pid = p->tid;
		info.si_uid = p->task != NULL ? p->task->cred.uid : p->uid;
		info.si_status = status;
		signal_force_send(t, SIGCHLD, &info);
	}
	wake_all(&t->child_wait);
}

/* ---- stopping ---- */

/* Sleeps until the tracer lets it go. A thread that ends anyway (PTRACE_EVENT_EXIT) stays, killed
 * or not. */
static void sleep_stopped(struct ptrace *p)
{
	bool ending = current->exiting;

	while (p->stopped && (ending || !current->killed)) {
		if (ending)
			(void)wait_on(&p->wait, WAIT_FOREVER, false);
		else
			(void)wait_on_killable(&p->wait, WAIT_FOREVER);
	}
	p->stopped = p->listening = false;
}

int ptrace_stop(int code, int why, struct ksiginfo *info, uint64_t message)
{
	struct ptrace *p = own();
	int result;

	if (p->tracer == NULL || (current->killed && !current->exiting))
		return code;
	p->trap = false;
	if (info != NULL && info->si_code >> 8 == PTRACE_EVENT_STOP)
		p->notify = false;
	p->has_info = info != NULL;
	if (info != NULL)
		p->info = *info;
	p->message = message;
	p->code = code;
	p->why = why;
	p->stopped = true;
	tell_tracer(p, why, why == CLD_STOPPED ? current_task->stop_signal & 0x7f : p->code & 0x7f);
	sleep_stopped(p);
	if (info != NULL)
		*info = p->info;
	p->has_info = false;
	result = p->code;
	p->code = 0;
	user_work |= USER_WORK_SPECIAL;
	signal_recalc(); /* what came meanwhile found nobody to wake */
	return result;
}

/* A stop for a reason of the kernel's own, with the information that Linux makes up for it. */
static int notify_stop(int sig, int code, int why, uint64_t message)
{
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_pid = current->tid;
	info.si_uid = current_task->cred.uid;
	return ptrace_stop(code, why, &info, message);
}

bool ptrace_event_wanted(const struct thread *t, unsigned event)
{
	return ptraced(t) && (t->trace->options & 1u << event) != 0;
}

bool ptrace_event(unsigned event, uint64_t message)
{
	if (ptrace_event_wanted(current, event)) {
		(void)notify_stop(SIGTRAP, SIGTRAP | (int)event << 8, CLD_TRAPPED, message);
		return true;
	}
	/* The old way to tell of execve. */
	if (event == PTRACE_EVENT_EXEC && ptraced(current) && !own()->seized)
		signal_force_send_thread(current, SIGTRAP);
	return false;
}

/* ---- group stops ---- */

/* The process stops, or PTRACE_INTERRUPT and the like ask for a stop. */
static void trap(struct task *t)
{
	struct ptrace *p = own();
	int sig = t->stopped ? t->stop_signal : SIGTRAP;

	if (p->seized)
		(void)notify_stop(sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
	else
		(void)ptrace_stop(sig, CLD_STOPPED, NULL, 0);
}

void ptrace_join_stop(void)
{
	struct task *t = current_task;
	struct ptrace *p = own();

	p->stop_seen = true;
	t->nstopped++;
	if (t->nstopped == t->nthreads && !t->stop_reported) {
		if (p->tracer->task != t->parent)
			task_notify_stopped(t, CLD_STOPPED);
		t->stop_reported = true;
	}
	trap(t);
}

void ptrace_trap(void)
{
	trap(current_task);
}

/* ---- signals ---- */

int ptrace_signal(int sig, struct ksiginfo *info)
{
	struct ptrace *p = own();
	int now = ptrace_stop(sig, CLD_TRAPPED, info, 0);

	if (now == 0)
		return 0;
	if (now != sig) {
		memset(info, 0, sizeof(*info));
		info->si_signo = now;
		info->si_code = SI_USER;
		if (p->tracer != NULL) {
			info->si_pid = p->tracer->task->pid;
			info->si_uid = p->tracer->task->cred.uid;
		}
	}
	if (!(current->blocked & SIG_BIT(now)) && !current->killed)
		return now;
	/* Blocked meanwhile: it waits like any other. */
	if (sigqueue_add(&current->pending, now, info, UINT64_MAX) != OK)
		current->pending.pending |= SIG_BIT(now);
	return 0;
}

/* ---- system calls ---- */

static void call_stop(uint64_t message)
{
	struct ptrace *p = own();
	int code = SIGTRAP | (p->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);
	int sig = notify_stop(SIGTRAP, code, CLD_TRAPPED, message);

	if (sig != 0)
		signal_force_send_thread(current, sig);
}

bool ptrace_call_enter(struct trapframe *tf)
{
	struct ptrace *p = own();
	bool emulate = p->mode == TRACE_EMULATE;

	if (p->tracer == NULL || p->mode == TRACE_NO_CALLS)
		return true;
	(void)tf;
	call_stop(PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !emulate && !current->killed;
}

void ptrace_call_leave(struct trapframe *tf)
{
	struct ptrace *p = own();

	if (p->tracer == NULL || current->killed)
		return;
	if (p->step)
		signal_fault(SIGTRAP, TRAP_BRKPT, tf->rip, 1, 0);
	else if (p->mode == TRACE_CALLS)
		call_stop(PTRACE_EVENTMSG_SYSCALL_EXIT);
}

/* ---- children of a tracee ---- */

/* `event`: what the parent will report, 0 when nothing. */
err_t ptrace_new_thread(struct thread *child, uint64_t flags, unsigned event)
{
	if (!ptraced(current))
		return OK;
	if (own()->forced_tf)
		child->regs->rflags &= ~(uint64_t)RFLAGS_TF;
	if (event == 0 && !(flags & CLONE_PTRACE))
		return OK;
	return record_for(child) != NULL ? OK : E_NOMEM;
}

void ptrace_start_child(struct thread *child)
{
	struct ptrace *p = own();

	if (child->trace == NULL || !ptraced(current))
		return;
	link(child->trace, p->tracer, p->seized, p->options);
	if (p->seized)
		child->trace->trap = true;
	else
		child->pending.pending |= SIG_BIT(SIGSTOP);
	thread_add_work(child, USER_WORK_SIGNAL);
}

/* ---- ends ---- */

static void forget(struct ptrace *p)
{
	kmem_free(p);
}

/* The thread ends: what is left of it is for the tracer. */
void ptrace_thread_ends(struct thread *t, int status)
{
	struct ptrace *p = t->trace;
	bool leader = t->tid == t->task->pid;

	if (p == NULL)
		return;
	if (p->stop_seen)
		t->task->nstopped--;
	p->stop_seen = false;
	t->trace = NULL;
	p->thread = NULL;
	p->ended = true;
	p->status = status;
	p->uid = t->task->cred.uid;
	p->pgid = t->task->pgid;
	p->tid = t->tid;
	if (p->tracer == NULL) {
		forget(p);
		return;
	}
	if (leader) {
		t->task->leader_trace = p;
		return;
	}
	p->task = NULL;
	tell_tracer(p, status & 0x7f ? CLD_KILLED : CLD_EXITED,
		    status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
}

bool ptrace_holds_zombie(const struct task *t)
{
	const struct ptrace *p = t->leader_trace;

	return p != NULL && p->tracer != NULL && p->tracer->task != t->parent;
}

void ptrace_process_ended(struct task *t)
{
	const struct ptrace *p = t->leader_trace;
	int status = t->wait_status;

	tell_tracer(p, status & 0x7f ? CLD_KILLED : CLD_EXITED,
		    status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
}

void ptrace_release(struct ptrace *p)
{
	struct task *t = p->task;

	if (p->tracer != NULL)
		list_remove(&p->in_tracer);
	if (t != NULL && t->leader_trace == p)
		t->leader_trace = NULL;
	forget(p);
}

/* The tracer has seen the end of a process that is not its child: now the parent may. */
void ptrace_zombie_released(struct task *t)
{
	ptrace_release(t->leader_trace);
	if (t->parent == NULL || task_notify_exit(t))
		task_reap(t);
}

void ptrace_leader_replaced(struct thread *t)
{
	struct task *task = t->task;

	if (task->leader_trace != NULL)
		ptrace_release(task->leader_trace);
	if (t->trace != NULL)
		t->trace->tid = t->tid;
}

static void tracer_leaves(struct ptrace *p)
{
	struct thread *t = p->thread;
	bool kill = (p->options & PTRACE_O_EXITKILL) != 0;

	if (!p->ended) {
		unlink(p);
		let_go(p);
		if (kill)
			signal_force_send(t->task, SIGKILL, NULL);
		return;
	}
	if (p->task != NULL && ptrace_holds_zombie(p->task) && task_has_ended(p->task))
		ptrace_zombie_released(p->task);
	else
		ptrace_release(p);
}

void ptrace_tracer_ends(struct thread *t)
{
	LIST_FOR_EACH_SAFE(l, &t->task->tracees) {
		struct ptrace *p = list_entry(l, struct ptrace, in_tracer);

		if (p->tracer == t)
			tracer_leaves(p);
	}
}

void ptrace_let_end(struct thread *t)
{
	if (t->trace != NULL && t->trace->stopped)
		let_go(t->trace);
}

void ptrace_kill(struct task *t)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	if (th->exiting)
		ptrace_let_end(th);
}
