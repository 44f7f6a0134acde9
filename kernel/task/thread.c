/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and tables of threads and processes; numbers for them. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"
#include "kernel/vfs/poll.h"

#define TABLE_BUCKETS 256u
#define PID_MAX       32768
#define CACHE_MAX     16u

uint64_t task_forks;
static struct list threads_by_tid[TABLE_BUCKETS], tasks_by_pid[TABLE_BUCKETS];
struct list all_tasks = LIST_INIT(all_tasks);
static unsigned tasks;
static int last_pid =
	1; /* 1 is the first program's, whatever threads the kernel has started before */
static bool pids_wrapped;
/*
 * Dead threads with their kernel stack and FPU area, which are what a new thread would cost most.
 * The area's content
 * is old: clone copies over it, exec resets it. */
static struct list cache = LIST_INIT(cache);
static unsigned cached;

struct task kernel_task;

static unsigned bucket(int id)
{
	return (unsigned)id % TABLE_BUCKETS;
}

/* ---- look-up ---- */

struct task *task_find(int pid)
{
	LIST_FOR_EACH(l, &tasks_by_pid[bucket(pid)]) {
		struct task *t = list_entry(l, struct task, hash_node);

		if (t->pid == pid)
			return t;
	}
	return NULL;
}

struct thread *thread_find(int tid)
{
	LIST_FOR_EACH(l, &threads_by_tid[bucket(tid)]) {
		struct thread *t = list_entry(l, struct thread, in_table);

		if (t->tid == tid)
			return t;
	}
	return NULL;
}

struct thread *task_first_thread(const struct task *t)
{
	return list_empty(&t->threads) ? NULL : list_entry(t->threads.next, struct thread, in_task);
}

unsigned task_count(void)
{
	return tasks;
}

/* A number also stands for the process group and session that began with it. */
static bool pid_in_use(int pid)
{
	if (thread_find(pid) != NULL)
		return true;
	LIST_FOR_EACH(l, &all_tasks) {
		const struct task *t = list_entry(l, struct task, all);

		if (t->pid == pid || t->pgid == pid || t->sid == pid)
			return true;
		LIST_FOR_EACH(m, &t->tracees)
			if (list_entry(m, struct ptrace, in_tracer)->tid == pid)
				return true;
	}
	return false;
}

int pid_alloc(void)
{
	for (int tries = 0; tries < PID_MAX; tries++) {
		if (++last_pid >= PID_MAX) {
			last_pid = 300; /* as Linux: low numbers are not used again */
			pids_wrapped = true;
		}
		if (!pids_wrapped || !pid_in_use(last_pid))
			return last_pid;
	}
	return 0;
}

/* ---- threads ---- */

static struct thread *thread_alloc(void)
{
	struct thread *t;

	if (cached != 0) {
		cached--;
		return list_entry(list_pop_front(&cache), struct thread, in_table);
	}
	t = kmem_zalloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	t->kstack_top = kstack_alloc();
	t->fpu = fpu_alloc();
	if (t->kstack_top != NULL && t->fpu != NULL)
		return t;
	if (t->kstack_top != NULL)
		kstack_free(t->kstack_top);
	if (t->fpu != NULL)
		fpu_free(t->fpu);
	kmem_free(t);
	return NULL;
}

struct thread *thread_create(struct task *task)
{
	struct thread *t = thread_alloc();

	if (t == NULL)
		return NULL;
	*t = (struct thread){ .kstack_top = t->kstack_top, .fpu = t->fpu, .task = task };
	t->regs = (struct trapframe *)((uint64_t)t->kstack_top - sizeof(struct trapframe));
	t->state = THREAD_WAITING;
	list_init(&t->in_task);
	list_init(&t->in_table);
	list_init(&t->run_node);
	list_init(&t->runnable_node);
	list_init(&t->wait.node);
	list_init(&t->futex_node);
	sigqueue_init(&t->pending);
	t->wait.thread = t;
	return t;
}

void thread_publish(struct thread *t, int tid)
{
	task_forks++;
	t->tid = tid;
	list_push_back(&threads_by_tid[bucket(tid)], &t->in_table);
	list_push_back(&t->task->threads, &t->in_task);
	t->task->nthreads++;
}

void thread_unpublish(struct thread *t)
{
	list_remove(&t->in_table);
	list_remove(&t->in_task);
	t->task->nthreads--;
}

void thread_rename_tid(struct thread *t, int tid)
{
	list_remove(&t->in_table);
	t->tid = tid;
	list_push_back(&threads_by_tid[bucket(tid)], &t->in_table);
}

void thread_watch(struct thread *t, uint8_t why, bool on)
{
	t->watched = (uint8_t)(on ? t->watched | why : t->watched & ~why);
	if (t == current)
		thread_load_watch(t);
}

void thread_free(struct thread *t)
{
	sigqueue_flush(&t->pending);
	kmem_free(t->trace);
	t->trace = NULL;
	seccomp_leave(t);
	if (cached < CACHE_MAX) {
		fpu_drop(t->fpu);
		list_push_front(&cache, &t->in_table);
		cached++;
		return;
	}
	kstack_free(t->kstack_top);
	fpu_free(t->fpu);
	kmem_free(t);
}

/* ---- processes ---- */

struct sighand *sighand_create(void)
{
	struct sighand *s = kmem_zalloc(sizeof(*s));

	if (s != NULL)
		s->refs = 1;
	return s;
}

void sighand_put(struct sighand *s)
{
	if (s != NULL && --s->refs == 0)
		kmem_free(s);
}

static void task_init_fields(struct task *t)
{
	list_init(&t->children);
	list_init(&t->sibling);
	list_init(&t->all);
	list_init(&t->threads);
	list_init(&t->hash_node);
	list_init(&t->tracees);
	list_init(&t->posix_timers);
	sigqueue_init(&t->pending);
	waitq_init(&t->signal_wait);
	waitq_init(&t->child_wait);
	waitq_init(&t->exec_wait);
	waitq_init(&t->stop_wait);
	t->start_ns = time_mono_ns();
	t->dumpable = true;
}

struct task *task_alloc(void)
{
	struct task *t = kmem_zalloc(sizeof(*t));

	if (t != NULL)
		task_init_fields(t);
	return t;
}

void task_publish(struct task *t, int pid)
{
	t->pid = pid;
	list_push_back(&tasks_by_pid[bucket(pid)], &t->hash_node);
	list_push_back(&all_tasks, &t->all);
	tasks++;
}

void task_unpublish(struct task *t)
{
	list_remove(&t->hash_node);
	list_remove(&t->all);
	list_remove(&t->sibling);
	tasks--;
}

void group_list_put(struct group_list *g)
{
	if (g != NULL && --g->refs == 0)
		kmem_free(g);
}

struct pidref *task_pidref(struct task *t)
{
	struct pidref *p = t->pidref;

	if (p == NULL) {
		p = kmem_zalloc(sizeof(*p));
		if (p == NULL)
			return NULL;
		p->refs = 1; /* the task's own */
		p->task = t;
		waitq_init(&p->ended);
		t->pidref = p;
	}
	p->refs++;
	return p;
}

void pidref_put(struct pidref *p)
{
	if (--p->refs == 0)
		kmem_free(p);
}

static void pidref_leave(struct task *t)
{
	struct pidref *p = t->pidref;

	if (p == NULL)
		return;
	p->task = NULL;
	wake_all(&p->ended);
	pidref_put(p);
}

void task_free(struct task *t)
{
	pidref_leave(t);
	group_list_put(t->cred.groups);
	if (t->leader_trace != NULL)
		ptrace_release(t->leader_trace);
	sigqueue_flush(&t->pending);
	waitq_detach_all(
		&t->signal_wait); /* a set shared with another process may watch a signalfd here */
	kmem_free(t);
}

/* ---- threads of the kernel ---- */

err_t kthread_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_create(&kernel_task);
	int tid;

	if (t == NULL)
		return E_NOMEM;
	tid = pid_alloc();
	if (tid == 0) {
		thread_free(t);
		return E_AGAIN;
	}
	str_copy(t->comm, sizeof(t->comm), name);
	t->blocked = ~0ull;
	t->start_fn = fn;
	t->start_arg = arg;
	sched_prepare(t);
	thread_publish(t, tid);
	sched_enqueue(t);
	return OK;
}

/* ---- start-up ---- */

static const char *describe_current(void)
{
	static char text[64];

	if (current == NULL)
		return "no thread";
	fmt_snprintf(text, sizeof(text), "pid %d tid %d %s", current->task->pid, current->tid,
		     current->comm);
	return text;
}

err_t task_init(void)
{
	for (unsigned i = 0; i < TABLE_BUCKETS; i++) {
		list_init(&threads_by_tid[i]);
		list_init(&tasks_by_pid[i]);
	}
	task_init_fields(&kernel_task);
	kernel_task.cred.cap_effective = kernel_task.cred.cap_permitted = ~0ull;
	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		kernel_task.rlimit[i] = (struct rlimit64){ RLIM64_INFINITY, RLIM64_INFINITY };
	kernel_task.sighand = sighand_create();
	if (kernel_task.sighand == NULL)
		return E_NOMEM;
	panic_describe = describe_current;
	random_init();
	timer_init();
	wait_init();
	futex_init();
	fault_init();
	return exec_init();
}
