/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of threads and processes.
 *
 * Only a thread itself leaves: others mark it (`killed`) and wake it, and it ends on its way out to
 * the program, with nothing of the kernel half-done. The last thread of a process takes the
 * resources down and leaves a zombie: struct task without threads, until the parent has waited for
 * it.
 */
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/poll.h"

void (*task_first_exited)(int wait_status);
void (*task_exit_hook)(struct task *t);
void (*task_program_exited)(int pid, int wait_status);

/* ---- marking ---- */

void task_kill_threads(struct task *t, struct thread *except)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, t)
	{
		if (th == except)
			continue;
		if (th->exiting) {
			ptrace_let_end(th);
			continue;
		}
		th->killed = true;
		thread_add_work(th, USER_WORK_SIGNAL);
		if (th->wait_interruptible || th->wait_killable)
			sched_wake(th, WAIT_SIGNAL);
	}
	wake_all(&t->stop_wait);
}

void task_begin_exit(struct task *t, int wait_status)
{
	if (t->exiting || t->state != TASK_ALIVE)
		return;
	t->exiting = true;
	t->stopped = false;
	t->wait_status = wait_status;
	task_kill_threads(t, NULL);
}

/* ---- a thread leaves its program ---- */

void vfork_release(struct thread *t)
{
	struct vfork_wait *w = t->vfork_wait;

	if (w == NULL)
		return;
	t->vfork_wait = NULL;
	w->done = true;
	wake_all(&w->q);
}

void thread_leave_program(struct thread *t)
{
	uint32_t zero = 0;

	privuser_thread_end(t);
	futex_robust_exit(t);
	futex_pi_exit(t);
	if (t->clear_tid != 0 && (t->task->nthreads > 1 || t->task->mm->refs > 1)) {
		/*
		 * Somebody (pthread_join) waits for this word; a bad address is the program's own
		 * loss.
		 */
		if (user_out(UADDR(t->clear_tid), &zero, sizeof(zero)) == OK)
			(void)futex_wake(UADDR(t->clear_tid), 1, UINT32_MAX, true);
	}
	t->clear_tid = 0;
	vfork_release(t);
}

/* ---- children of a process that ends ---- */

static struct task *reaper_for(const struct task *dead)
{
	for (struct task *p = dead->parent; p != NULL; p = p->parent)
		if ((p->is_subreaper || p->pid == 1) && p->state == TASK_ALIVE && !p->exiting)
			return p;
	return task_find(1) != dead ? task_find(1) : NULL;
}

static void child_gets_parent(struct task *child, struct task *parent)
{
	list_remove(&child->sibling);
	child->parent = parent;
	if (parent == NULL)
		return;
	list_push_back(&parent->children, &child->sibling);
	child->exit_signal = SIGCHLD;
	if (task_has_ended(child) && !ptrace_holds_zombie(child) && task_notify_exit(child))
		task_reap(child);
}

/* A stopped group that nobody is left to continue must not stay stopped for ever. */
static void orphan_check(const struct task *gone, int pgid, int sid)
{
	bool stopped = false;

	if (sid == 0 || !pgrp_is_orphaned(pgid))
		return;
	LIST_FOR_EACH(l, &all_tasks) {
		const struct task *t = list_entry(l, struct task, all);

		if (t != gone && t->pgid == pgid && t->stopped && t->state == TASK_ALIVE)
			stopped = true;
	}
	if (!stopped)
		return;
	signal_send_pgrp(pgid, SIGHUP, NULL);
	signal_send_pgrp(pgid, SIGCONT, NULL);
}

static void leave_children(struct task *t)
{
	struct task *reaper = list_empty(&t->children) ? NULL : reaper_for(t);

	while (!list_empty(&t->children)) {
		struct task *c = list_entry(t->children.next, struct task, sibling);

		if (c->pdeath_signal != 0 && c->state == TASK_ALIVE)
			signal_force_send(c, c->pdeath_signal, NULL);
		child_gets_parent(c, reaper);
		if (c->sid == t->sid && c->pgid != t->pgid)
			orphan_check(t, c->pgid, c->sid);
	}
}

/* ---- resources ---- */

static void leave_terminal(struct task *t)
{
	if (t->tty != NULL && t->sid == t->pid)
		tty_session_leader_exit(t->tty, t->sid);
	t->tty = NULL;
}

static void release_resources(struct task *t)
{
	struct fdtable *files = t->files;
	struct fs_context *fs = t->fs;
	struct file *exe = t->exe_file;

	itimer_release(t);
	posix_timers_release(t);
	if (task_exit_hook != NULL)
		task_exit_hook(t);
	/* Closing may block: others must not find what is going. */
	t->files = NULL;
	t->fs = NULL;
	t->exe_file = NULL;
	fdtable_put(files);
	fs_context_put(fs);
	exe_file_put(exe);
	if (t->mm->pages_peak > t->maxrss_pages)
		t->maxrss_pages = t->mm->pages_peak;
	current->dead_mm = t->mm; /* it is loaded: it goes when we have left this stack */
	t->mm = NULL;
}

/* ---- the end ---- */

void task_reap(struct task *t)
{
	task_unpublish(t);
	task_free(t);
}

static void become_zombie(struct task *t)
{
	int status;

	if (!t->exiting) {
		t->exiting = true;
		t->wait_status = t->leader_status;
	}
	status = t->wait_status;
	leave_terminal(t);
	release_resources(t);
	leave_children(t);
	sighand_put(t->sighand);
	t->sighand = NULL;
	sigqueue_flush(&t->pending);
	t->state = TASK_ZOMBIE;
	trace(TRACE_EXIT, (uint64_t)t->pid, (uint64_t)status);
	if (t->pid == 1 && task_first_exited != NULL)
		task_first_exited(status);
	if (t->pid != 1 && t->parent == NULL && task_program_exited != NULL)
		task_program_exited(t->pid, status);
	if (t->parent != NULL && t->parent->pgid != t->pgid && t->parent->sid == t->sid)
		orphan_check(t, t->pgid, t->sid);
}

/* The process goes on without this thread. */
static void leave_process(struct task *t)
{
	if (t->execing != NULL && t->nthreads == 1)
		wake_all(&t->exec_wait);
	/* A stop may have waited for us only. */
	if (t->stopped && t->nstopped == t->nthreads && !t->stop_reported)
		task_notify_stopped(t, CLD_STOPPED);
}

static NORETURN void thread_end(int leader_status)
{
	struct thread *me = current;
	struct task *t = me->task;
	bool last;

	me->exiting = true;
	(void)ptrace_event(PTRACE_EVENT_EXIT, (uint64_t)leader_status);
	ptrace_tracer_ends(me);
	last = t->nthreads == 1;
	sched_account();
	if (t != &kernel_task) {
		sched_save_bases(me); /* after this it counts as one without a program */
		thread_leave_program(me);
		if (me->tid == t->pid) {
			t->leader_status = leader_status;
			__builtin_memcpy(t->comm, me->comm, sizeof(t->comm));
		}
		if (last)
			become_zombie(t);
	}
	account_thread_gone(me);
	ptrace_thread_ends(me, leader_status);
	thread_unpublish(me);
	if (t == &kernel_task)
		sched_exit_current();
	if (!last) {
		/* The address space must not go before we have left our stack. */
		leave_process(t);
		sched_exit_current();
	}
	me->task = &kernel_task; /* the zombie may be gone before we are freed */
	if (t->pidref != NULL)
		wake_all(&t->pidref->ended);
	if (ptrace_holds_zombie(t))
		ptrace_process_ended(t);
	else if (t->parent == NULL || task_notify_exit(t))
		task_reap(t);
	sched_exit_current();
}

void thread_exit(int code)
{
	thread_end((code & 0xff) << 8);
}

void thread_die(int wait_status)
{
	thread_end(wait_status);
}

void thread_exit_killed(void)
{
	thread_end(current->task->exiting ? current->task->wait_status : 0);
}

void task_exit_group(int wait_status)
{
	task_begin_exit(current->task, wait_status);
	thread_end(current->task->wait_status);
}
