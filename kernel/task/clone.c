/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork, vfork, clone, clone3, pthread_create: all are task_clone. The first program is made here
 * too.
 */
#include <linux/capability.h>
#include <linux/sched.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/poll.h"

#define NAMESPACES_                                                                    \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

static bool both(uint64_t flags, uint64_t mask)
{
	return (flags & mask) == mask;
}

/*
 * There are no namespaces here but those of mounts. As Linux without the others: who may make one
 * is told E_INVAL, others E_PERM.
 */
static err_t check_namespaces(uint64_t flags)
{
	if (!(flags & NAMESPACES_))
		return OK;
	if (!(flags & CLONE_NEWUSER) && !(current_task->cred.cap_effective & 1ull << CAP_SYS_ADMIN))
		return E_PERM;
	return (flags & NAMESPACES_) == CLONE_NEWNS ? OK : E_INVAL;
}

static err_t check_flags(const struct clone_args_k *a)
{
	uint64_t f = a->flags;

	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return E_INVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return E_INVAL;
	if (both(f, CLONE_SIGHAND | CLONE_CLEAR_SIGHAND))
		return E_INVAL;
	if (both(f, CLONE_NEWNS | CLONE_FS) || both(f, CLONE_NEWUSER | CLONE_FS))
		return E_INVAL;
	if ((f & CLONE_PARENT) && current_task->parent == NULL)
		return E_INVAL;
	if (f & CLONE_INTO_CGROUP)
		return E_INVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return E_INVAL;
	if (both(f, CLONE_PIDFD | CLONE_PARENT_SETTID) && a->pidfd == a->parent_tid)
		return E_INVAL;
	if (a->exit_signal < 0 || a->exit_signal > SIG_COUNT)
		return E_INVAL;
	return check_namespaces(f);
}

static err_t check_limit(void)
{
	const struct task *me = current_task;
	uint64_t limit = me->rlimit[RLIMIT_NPROC].rlim_cur, n = 0;

	if (limit == RLIM64_INFINITY || me->cred.uid == 0)
		return OK;
	LIST_FOR_EACH(l, &all_tasks) {
		const struct task *t = list_entry(l, struct task, all);

		if (t->cred.uid == me->cred.uid)
			n += t->nthreads;
	}
	return n >= limit ? E_AGAIN : OK;
}

/* ---- what a new process has of its own, or shares ---- */

static err_t clone_mm(struct task *t, const struct task *from, uint64_t flags)
{
	if (!(flags & CLONE_VM)) {
		err_t err;

		TRY(privuser_fork_begin());
		err = aspace_fork(from->mm, &t->mm);
		if (err == OK)
			err = privuser_fork(from->mm, t->mm);
		privuser_fork_end();
		return err;
	}
	aspace_get(from->mm);
	t->mm = from->mm;
	return OK;
}

static err_t clone_files(struct task *t, const struct task *from, uint64_t flags)
{
	t->files = flags & CLONE_FILES ? fdtable_get(from->files) : fdtable_clone(from->files);
	if (t->files == NULL)
		return E_NOMEM;
	t->fs = flags & CLONE_FS ? fs_context_get(from->fs) : fs_context_clone(from->fs);
	if (t->fs == NULL)
		return E_NOMEM;
	return flags & CLONE_NEWNS ? mount_ns_unshare(t->fs) : OK;
}

static err_t clone_sighand(struct task *t, const struct task *from, uint64_t flags)
{
	if (flags & CLONE_SIGHAND) {
		from->sighand->refs++;
		t->sighand = from->sighand;
		return OK;
	}
	t->sighand = sighand_create();
	if (t->sighand == NULL)
		return E_NOMEM;
	memcpy(t->sighand->action, from->sighand->action, sizeof(t->sighand->action));
	if (flags & CLONE_CLEAR_SIGHAND)
		for (unsigned i = 0; i < SIG_COUNT; i++)
			if (t->sighand->action[i].handler != (uint64_t)SIG_IGN)
				t->sighand->action[i] = (struct sig_action){ 0 };
	return OK;
}

err_t (*task_share_undo_hook)(struct task *child);

static void copy_fields(struct task *t, const struct task *from)
{
	t->pgid = from->pgid;
	t->sid = from->sid;
	t->tty = from->tty;
	t->cred = from->cred;
	(void)group_list_get(t->cred.groups);
	memcpy(t->rlimit, from->rlimit, sizeof(t->rlimit));
	t->dumpable = from->dumpable;
	t->personality = from->personality;
	t->oom_score_adj = from->oom_score_adj;
	t->oom_score_adj_min = from->oom_score_adj_min;
	t->core_filter = from->core_filter;
	memcpy(t->comm, current->comm, sizeof(t->comm));
	memcpy(t->exe, from->exe, sizeof(t->exe));
	t->exe_file = exe_file_get(from->exe_file);
}

/* Give back what clone_process took, after an error. */
static void release_process(struct task *t)
{
	if (task_exit_hook != NULL)
		task_exit_hook(t);
	exe_file_put(t->exe_file);
	if (t->fs != NULL)
		fs_context_put(t->fs);
	if (t->files != NULL)
		fdtable_put(t->files);
	sighand_put(t->sighand);
	if (t->mm != NULL)
		aspace_put(t->mm);
	task_free(t);
}

static err_t clone_process(uint64_t flags, struct task **out)
{
	struct task *t = task_alloc();
	const struct task *from = current_task;
	err_t err;

	if (t == NULL)
		return E_NOMEM;
	err = clone_sighand(t, from, flags);
	if (err == OK)
		err = clone_files(t, from, flags);
	if (err == OK)
		err = clone_mm(t, from, flags);
	if (err == OK && (flags & CLONE_SYSVSEM) && task_share_undo_hook != NULL)
		err = task_share_undo_hook(t);
	if (err != OK) {
		release_process(t);
		return err;
	}
	copy_fields(t, from);
	*out = t;
	return OK;
}

/* ---- the thread ---- */

/* What others lent to `from` is not passed on. */
static void inherit_sched(struct thread *t, const struct sched_own *from)
{
	t->own = *from;
	if (from->reset_on_fork) {
		t->own.reset_on_fork = false;
		if (from->rt_priority != 0)
			t->own = (struct sched_own){ .policy = SCHED_NORMAL };
		else if (from->nice < 0)
			t->own.nice = 0;
	}
	t->policy = t->own.policy;
	t->rt_priority = t->own.rt_priority;
	t->nice = t->own.nice;
}

static void copy_thread(struct thread *t, const struct trapframe *tf, const struct clone_args_k *a)
{
	struct thread *me = current;

	sched_save_bases(me);
	*t->regs = *tf;
	t->regs->rax = 0;
	t->regs->orig_rax = UINT64_MAX;
	if (a->stack != 0)
		t->regs->rsp = a->stack;
	fpu_copy(t->fpu, me->fpu);
	t->fs_base = a->flags & CLONE_SETTLS ? a->tls : me->fs_base;
	t->gs_base = me->gs_base;
	memcpy(t->comm, me->comm, sizeof(t->comm));
	inherit_sched(t, &me->own);
	t->ioprio = me->ioprio;
	t->no_new_privs = me->no_new_privs;
	t->vruntime = me->vruntime;
	t->blocked = me->blocked;
	if (a->flags & CLONE_CHILD_CLEARTID)
		t->clear_tid = a->child_tid;
	if (a->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = a->child_tid;
	/*
	 * A new program image in the same memory, but for vfork, does not keep the alternate stack.
	 */
	if (!(a->flags & CLONE_VM) || (a->flags & CLONE_VFORK)) {
		t->altstack_sp = me->altstack_sp;
		t->altstack_size = me->altstack_size;
		t->altstack_flags = me->altstack_flags;
	}
	/* rseq is registered by address: valid in a copy of the memory, not in the same memory. */
	if (!(a->flags & CLONE_VM)) {
		t->rseq = me->rseq;
		t->rseq_sig = me->rseq_sig;
	}
}

static struct task *parent_for(uint64_t flags)
{
	return flags & CLONE_PARENT ? current_task->parent : current_task;
}

static void publish(struct task *task, struct thread *t, int id, const struct clone_args_k *a)
{
	if (!(a->flags & CLONE_THREAD)) {
		task->parent = parent_for(a->flags);
		task->exit_signal = a->flags & CLONE_PARENT ? current_task->exit_signal
							    : a->exit_signal;
		task->parent_tid = a->flags & CLONE_PARENT ? current_task->parent_tid
							   : current->tid;
		task_publish(task, id);
		list_push_back(&task->parent->children, &task->sibling);
	}
	thread_publish(t, id);
	if (a->flags & CLONE_PARENT_SETTID) {
		uint32_t tid = (uint32_t)id;

		/* A bad address is no error in Linux either. */
		(void)!user_out(UADDR(a->parent_tid), &tid, sizeof(tid));
	}
}

static void wait_for_vfork(struct vfork_wait *w, struct thread *child)
{
	while (!w->done) {
		if (wait_on_killable(&w->q, WAIT_FOREVER) != WAIT_SIGNAL)
			continue;
		if (!w->done)
			child->vfork_wait = NULL; /* we are killed; our stack goes */
		return;
	}
}

/* What the tracer of the parent is told of; 0: nothing. */
static unsigned event_of(const struct clone_args_k *a)
{
	unsigned event = a->flags & CLONE_VFORK      ? PTRACE_EVENT_VFORK
			 : a->exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
						     : PTRACE_EVENT_FORK;

	return !(a->flags & CLONE_UNTRACED) && ptrace_event_wanted(current, event) ? event : 0;
}

/* The parent's descriptor for the child; the child's own table was copied before. */
static err_t make_pidfd(struct task *child, uint64_t to)
{
	struct file *f;
	err_t err;
	int fd;

	TRY(pidfd_create(child, 0, &f));
	err = fd_install(f, 0, true, &fd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	err = USER_OUT(UADDR(to), &fd);
	if (err != OK)
		(void)!fd_close(fd);
	return err;
}

static err_t make(const struct trapframe *tf, const struct clone_args_k *a, struct thread **out)
{
	struct task *task = current_task;
	struct thread *t;
	err_t err = OK;

	if (!(a->flags & CLONE_THREAD))
		err = clone_process(a->flags, &task);
	if (err != OK)
		return err;
	t = thread_create(task);
	if (t == NULL) {
		if (task != current_task)
			release_process(task);
		return E_NOMEM;
	}
	copy_thread(t, tf, a);
	seccomp_inherit(t);
	err = ptrace_new_thread(t, a->flags, event_of(a));
	if (err == OK && (a->flags & CLONE_PIDFD))
		err = make_pidfd(task, a->pidfd);
	if (err != OK) {
		thread_free(t);
		if (task != current_task)
			release_process(task);
		return err;
	}
	privuser_thread_start(t);
	sched_prepare(t);
	*out = t;
	return OK;
}

long task_clone(struct trapframe *tf, const struct clone_args_k *a)
{
	struct vfork_wait vfork = { .q = WAITQ_INIT(vfork.q), .done = false };
	struct thread *t;
	unsigned event;
	int id;

	TRY(check_flags(a));
	TRY(check_limit());
	/*
	 * A signal that came before the fork is for the parent alone: a child that starts with the
	 * same
	 * registers must not lose it. */
	if (!(a->flags & CLONE_THREAD) && signal_pending_current())
		return E_RESTARTNOINTR;
	if (current->killed)
		return E_INTR;
	id = pid_alloc();
	if (id == 0)
		return E_AGAIN;
	TRY(make(tf, a, &t));
	publish(t->task, t, id, a);
	ptrace_start_child(t);
	if (a->flags & CLONE_VFORK)
		t->vfork_wait = &vfork;
	sched_enqueue(t);
	event = event_of(a);
	if (event != 0)
		(void)ptrace_event(event, (uint64_t)id);
	if (a->flags & CLONE_VFORK) {
		wait_for_vfork(&vfork, t);
		(void)ptrace_event(PTRACE_EVENT_VFORK_DONE, (uint64_t)id);
	}
	return id;
}

/* ---- programs without a parent ---- */

static void first_limits(struct task *t)
{
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		t->rlimit[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	t->rlimit[RLIMIT_STACK].rlim_cur = 8u << 20;
	t->rlimit[RLIMIT_CORE].rlim_cur = 0;
	t->rlimit[RLIMIT_NOFILE] = (struct rlimit64){ 1024, 1048576 };
	t->rlimit[RLIMIT_MEMLOCK] = (struct rlimit64){ 8u << 20, 8u << 20 };
	t->rlimit[RLIMIT_MSGQUEUE] = (struct rlimit64){ 819200, 819200 };
	t->rlimit[RLIMIT_SIGPENDING] = (struct rlimit64){ 4096, 4096 };
	t->rlimit[RLIMIT_NICE] = (struct rlimit64){ 0, 0 };
	t->rlimit[RLIMIT_RTPRIO] = (struct rlimit64){ 0, 0 };
}

#define CORE_FILTER_DEFAULT 0x33u /* what is private or anonymous, and ELF headers */
#define CAP_ALL_            ((1ull << (CAP_LAST_CAP + 1)) - 1)

err_t task_create_program(struct task **out)
{
	int pid = task_find(1) == NULL ? 1 : pid_alloc();
	struct task *t = pid == 0 ? NULL : task_alloc();
	struct thread *th;

	if (t == NULL)
		return pid == 0 ? E_AGAIN : E_NOMEM;
	t->sighand = sighand_create();
	th = t->sighand == NULL ? NULL : thread_create(t);
	if (th == NULL || aspace_create(&t->mm) != OK) {
		if (th != NULL)
			thread_free(th);
		sighand_put(t->sighand);
		task_free(t);
		return E_NOMEM;
	}
	first_limits(t);
	t->cred.cap_effective = t->cred.cap_permitted = t->cred.cap_bounding = CAP_ALL_;
	t->exit_signal = SIGCHLD;
	t->core_filter = CORE_FILTER_DEFAULT;
	t->pgid = t->sid = pid;
	task_publish(t, pid);
	thread_publish(th, pid);
	memset(th->regs, 0, sizeof(*th->regs));
	fpu_reset(th->fpu);
	*out = t;
	return OK;
}

void task_start_program(struct task *t, void (*fn)(void *arg), void *arg)
{
	struct thread *th = task_first_thread(t);

	th->start_fn = fn;
	th->start_arg = arg;
	sched_prepare(th);
	sched_enqueue(th);
}
