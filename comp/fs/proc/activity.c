/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process or thread is doing, and has done: calls, bytes, time on the processor, children.
 */
#include "comp/fs/proc/local.h"
#include "kernel/linux/linux.h"
#include "kernel/vfs/fd.h"

/* In a system call, and asleep there, or just now reading about itself. */
static const struct syscall *call_slept_in(const struct thread *th)
{
	if (th == NULL || th->regs->orig_rax >= SYSCALL_LIMIT)
		return NULL;
	if (th->state != THREAD_WAITING && th != current)
		return NULL;
	return &syscall_table[th->regs->orig_rax];
}

bool proc_sleeps_in_call(const struct thread *th)
{
	return th != current && call_slept_in(th) != NULL;
}

/* The kernel function that it sleeps in: the call's own. */
err_t proc_wchan(const struct proc_ref *r, struct text *t)
{
	const struct syscall *call = call_slept_in(proc_thread(r));
	struct task *ignored;

	if (call != NULL && proc_thread(r) != current && call->name != NULL &&
	    proc_may_inspect(r, &ignored) == OK)
		text_printf(t, "sys_%s", call->name);
	else
		text_puts(t, "0");
	return OK;
}

err_t proc_syscall(const struct proc_ref *r, struct text *t)
{
	const struct thread *th = proc_thread(r);
	const struct trapframe *tf;
	struct task *ignored;

	TRY(proc_may_inspect(r, &ignored));
	if (th == NULL)
		return E_SRCH;
	tf = th->regs;
	if (th->state != THREAD_WAITING && th != current)
		text_puts(t, "running\n");
	else if (call_slept_in(th) == NULL)
		text_printf(t, "-1 0x%lx 0x%lx\n", tf->rsp, tf->rip);
	else
		text_printf(t, "%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n",
			    tf->orig_rax, tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9,
			    tf->rsp, tf->rip);
	return OK;
}

/*
 * Those that the thread made itself; what threads left behind that are gone is the main thread's.
 */
static bool is_child_of(const struct task *child, const struct task *task, int tid)
{
	const struct thread *maker = thread_find(child->parent_tid);

	if (maker == NULL || maker->task != task)
		return tid == task->pid;
	return maker->tid == tid;
}

err_t proc_children(const struct proc_ref *r, struct text *t)
{
	const struct task *task = proc_task(r);

	LIST_FOR_EACH(pos, &task->children) {
		const struct task *child = list_entry(pos, struct task, sibling);

		if (is_child_of(child, task, r->tid))
			text_printf(t, "%d ", child->pid);
	}
	return OK;
}

/* Nothing lies on a disk, so what is moved there is nothing. */
static void show_io(struct text *t, const struct io_counts *c)
{
	text_printf(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n", c->read_bytes,
		    c->written_bytes, c->reads, c->writes);
	text_puts(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
}

err_t proc_io(const struct proc_ref *r, struct text *t)
{
	struct io_counts sum;
	struct task *task;

	TRY(proc_may_inspect(r, &task));
	sum = task->io;
	LIST_FOR_EACH(pos, &task->threads)
		io_counts_add(&sum, &list_entry(pos, struct thread, in_task)->io);
	show_io(t, &sum);
	return OK;
}

err_t proc_io_thread(const struct proc_ref *r, struct text *t)
{
	const struct thread *th = proc_thread(r);
	struct task *ignored;

	TRY(proc_may_inspect(r, &ignored));
	if (th == NULL)
		return E_SRCH;
	show_io(t, &th->io);
	return OK;
}

err_t proc_personality(const struct proc_ref *r, struct text *t)
{
	struct task *task;

	TRY(proc_may_inspect(r, &task));
	text_printf(t, "%08x\n", task->personality);
	return OK;
}
