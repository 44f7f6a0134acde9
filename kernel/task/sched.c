/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switching threads on this core.
 *
 * The scheduling policy (sched_ops.h) decides who is next; this file owns the threads' states, the
 * switch itself and the time slices. A thread that blocks looks for the next one on its own stack
 * and, when there is none, idles there: the common case "blocks, sleeps, is woken" then takes no
 * stack switch at all. `current` is NULL meanwhile.
 *
 * States: RUNNABLE = in `runnable` and in the policy's index; RUNNING = `current`; WAITING = in
 * neither; DEAD = its stack is freed by the thread that runs next.
 */
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/msg/msg.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"
#include "kernel/task/sched_ops.h"

#define TICK_NS (10 * NS_PER_MS)

struct thread *current;
bool (*sched_rest_hook)(bool idle);
static struct thread *stack_owner; /* whose kernel stack we are on; NULL: the boot stack */
static struct thread
	*to_free; /* dead, and its stack is not in use any more after the next switch */
static uint64_t boot_rsp;
static bool back_to_boot; /* sched_run_ready waits on the boot stack */
static const struct sched_ops *policy = &sched_fair;
static struct list runnable = LIST_INIT(runnable);
static unsigned nrunnable;
static uint64_t switches, idle_ns;
static uint64_t clock_ns; /* up to here time was charged to somebody */
static uint64_t slice_end_ns;
bool watch_all_calls;
static uint64_t loaded_fs, loaded_gs; /* what the processor has */

uint64_t sched_switches(void)
{
	return switches;
}

unsigned sched_runnable(void)
{
	return nrunnable;
}

uint64_t sched_idle_ns(void)
{
	return idle_ns;
}

const struct sched_ops *sched_current(void)
{
	return policy;
}

void thread_add_work(struct thread *t, uint32_t bits)
{
	if (t == current)
		user_work |= bits;
	else
		t->work |= bits;
}

/* ---- the set of runnable threads ---- */

static void set_slice(const struct thread *t)
{
	uint64_t slice = policy->slice(t);

	slice_end_ns = slice > UINT64_MAX - clock_ns ? UINT64_MAX : clock_ns + slice;
	timer_need(slice_end_ns);
}

static void enqueue(struct thread *t, enum sched_why why)
{
	t->state = THREAD_RUNNABLE;
	t->queued = true;
	list_push_back(&runnable, &t->runnable_node);
	policy->enqueue(t, why);
	if (nrunnable++ == 0 && current != NULL && current != t)
		set_slice(current);
}

static struct thread *take_next(void)
{
	struct thread *t = policy->pick();

	if (t == NULL) {
		BUG_ON(nrunnable != 0);
		return NULL;
	}
	list_remove(&t->runnable_node);
	t->queued = false;
	nrunnable--;
	return t;
}

void sched_enqueue(struct thread *t)
{
	BUG_ON(t->queued || t == current);
	enqueue(t, SCHED_NEW);
}

void sched_wake(struct thread *t, wait_result_t result)
{
	if (t->state != THREAD_WAITING)
		return;
	t->wait_result = result;
	enqueue(t, SCHED_WAKE);
	if (current != NULL && policy->preempts(t, current))
		user_work |= USER_WORK_RESCHED;
}

/* ---- time ---- */

static void charge(struct thread *t, uint64_t now)
{
	uint64_t ns = now - clock_ns;

	clock_ns = now;
	t->ran_ns += ns;
	policy->charge(t, ns);
}

void sched_account(void)
{
	uint64_t now = time_mono_ns();

	if (current == NULL)
		return;
	charge(current, now);
	if (nrunnable == 0)
		timer_need(now + TICK_NS);
	else if (now >= slice_end_ns)
		user_work |= USER_WORK_RESCHED;
	else
		timer_need(slice_end_ns);
}

/* ---- switching ---- */

static uint64_t read_fs_base(void)
{
	uint64_t v;

	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static uint64_t read_gs_base(void)
{
	uint64_t v;

	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return v;
}

/* What the processor has now. With FSGSBASE the program may have changed it without us. */
void sched_save_bases(struct thread *t)
{
	if (boot_info.cpu.fsgsbase) {
		t->fs_base = read_fs_base();
		t->gs_base = read_gs_base();
	}
	loaded_fs = t->fs_base;
	loaded_gs = t->gs_base;
}

void thread_save_bases(void)
{
	sched_save_bases(current);
}

static void load_bases(const struct thread *t)
{
	if (t->fs_base != loaded_fs)
		nk_set_fs_base(t->fs_base);
	if (t->gs_base != loaded_gs)
		nk_set_gs_base(t->gs_base);
	loaded_fs = t->fs_base;
	loaded_gs = t->gs_base;
}

static void load_program(struct thread *t)
{
	struct aspace *mm = t->task->mm;

	if (mm == NULL)
		return;
	if (mm != aspace_current)
		aspace_load(mm);
	load_bases(t);
	fpu_switch(t->fpu);
	if (debug_armed || (t->watched & WATCH_DEBUG))
		debug_load(t);
	if (mm->priv != NULL || privuser_loaded)
		privuser_switch_in(t);
}

static void become(struct thread *t)
{
	t->state = THREAD_RUNNING;
	t->slice_start_ns = clock_ns;
	current = t;
	user_work = t->work;
	thread_load_watch(t);
	cur_kstack_top = (uint64_t)t->kstack_top;
	if (nrunnable != 0)
		set_slice(t);
	else
		timer_need(clock_ns + TICK_NS);
}

/* A dead thread's memory goes as soon as we are on another stack. */
static __attribute__((noinline)) void free_thread(struct thread *t)
{
	to_free = NULL;
	if (t->dead_mm != NULL)
		aspace_put(t->dead_mm);
	thread_free(t);
}

static inline void free_dead(void)
{
	if (to_free != NULL && to_free != stack_owner)
		free_thread(to_free);
}

static __attribute__((noinline)) void leave_for_boot(void)
{
	struct thread *from = stack_owner;

	stack_owner = NULL;
	x86_switch_stack(&from->save_rsp, boot_rsp);
	free_dead();
}

/* next NULL: to the boot stack, where no thread runs. */
static void switch_to(struct thread *next)
{
	struct thread *from = stack_owner;

	if (next == NULL) {
		leave_for_boot();
		return;
	}
	become(next);
	if (next == from)
		return;
	switches++;
	trace(TRACE_SWITCH, (uint64_t)(from == NULL ? 0 : from->tid), (uint64_t)next->tid);
	load_program(next);
	stack_owner = next;
	x86_switch_stack(from == NULL ? &boot_rsp : &from->save_rsp, next->save_rsp);
	free_dead();
}

static __attribute__((noinline)) struct thread *wait_for_runnable(void)
{
	struct thread *t;

	while ((t = take_next()) == NULL) {
		if (sched_rest_hook != NULL && sched_rest_hook(true))
			continue;
		if (!msg_idle(&nrunnable))
			x86_wait_for_interrupt();
	}
	return t;
}

/* Find the next thread; the core may idle before there is one. */
static struct thread *next_thread(void)
{
	struct thread *t;
	uint64_t now;

	if (sched_rest_hook != NULL && nrunnable != 0)
		(void)sched_rest_hook(false);
	t = take_next();
	if (t != NULL || back_to_boot)
		return t;
	t = wait_for_runnable();
	now = time_mono_ns();
	idle_ns += now - clock_ns;
	clock_ns = now;
	return t;
}

static void leave(struct thread *t)
{
	charge(t, clock_runs ? time_running_ns() : time_mono_ns());
	t->work = user_work & ~USER_WORK_RESCHED;
	rseq_switched_out(t);
	if (t->task->mm != NULL)
		sched_save_bases(t);
	if (t->priv != NULL) {
		privuser_switch_out(t);
		/* Ring 2 can load FS and GS, and with them another base. */
		loaded_fs = loaded_gs = UINT64_MAX;
	}
	current = NULL;
}

/* As one function, like sched_yield: calls and returns are a third of a switch. */
__attribute__((flatten)) void sched_block(void)
{
	struct thread *t = current;

	t->nvcsw++;
	leave(t);
	switch_to(next_thread());
}

static void reschedule(enum sched_why why)
{
	struct thread *t = current;

	leave(t);
	enqueue(t, why);
	switch_to(take_next());
}

__attribute__((flatten)) void sched_yield(void)
{
	user_work &= ~USER_WORK_RESCHED;
	if (nrunnable == 0)
		return;
	current->nvcsw++;
	reschedule(SCHED_YIELD);
}

void sched_preempt(void)
{
	user_work &= ~USER_WORK_RESCHED;
	if (nrunnable == 0)
		return;
	current->nivcsw++;
	reschedule(SCHED_PREEMPTED);
}

#define BREATHE_NS NS_PER_MS

bool sched_breathe(void)
{
	static uint64_t last_ns;

	if (current == NULL)
		return false;
	if (time_mono_ns() - last_ns >= BREATHE_NS) {
		x86_poll_interrupts();
		if (user_work & USER_WORK_RESCHED)
			sched_preempt();
		last_ns = time_mono_ns();
	}
	return current->killed;
}

void sched_exit_current(void)
{
	struct thread *t = current;

	leave(t);
	t->state = THREAD_DEAD;
	fpu_drop(t->fpu);
	BUG_ON(to_free != NULL);
	to_free = t;
	switch_to(next_thread());
	BUG();
}

/* ---- beginning ---- */

/* First code of each thread, on its own stack. */
static void thread_first_run(void)
{
	struct thread *t = current;

	free_dead();
	if (t->start_fn != NULL)
		t->start_fn(t->start_arg);
	if (t->task == &kernel_task)
		thread_exit(0);
	if (t->set_child_tid != 0) {
		uint32_t tid = (uint32_t)t->tid;

		/* As in Linux, a bad address is the program's own loss. */
		(void)!user_out(UADDR(t->set_child_tid), &tid, sizeof(tid));
		t->set_child_tid = 0;
	}
	x86_return_to_user(t->regs);
}

void sched_prepare(struct thread *t)
{
	/* The frame for the return to the program keeps its place at the top. */
	t->save_rsp = x86_prepare_stack((uint64_t)t->regs & ~15ull, thread_first_run);
}

void sched_run(void)
{
	clock_ns = time_mono_ns();
	switch_to(next_thread());
	BUG(); /* nobody comes back to the boot stack: who blocks idles on its own */
}

void sched_run_ready(void)
{
	struct thread *t;

	BUG_ON(current != NULL || stack_owner != NULL);
	clock_ns = time_mono_ns();
	t = take_next();
	if (t == NULL)
		return;
	back_to_boot = true;
	switch_to(t);
	back_to_boot = false;
	free_dead();
}

/* ---- changes ---- */

/*
 * The running thread is in no index; it goes through it once all the same, since time that counted
 * for nothing (as a real-time thread) must not become a claim.
 */
static void change_sched(struct thread *t, int new_policy, int rt_priority, int nice)
{
	bool indexed = t->queued || t == current;

	if (t->queued)
		policy->dequeue(t);
	t->policy = new_policy;
	t->rt_priority = rt_priority;
	t->nice = nice;
	if (indexed)
		policy->enqueue(t, SCHED_CHANGED);
	if (t == current)
		policy->dequeue(t);
	if (current != NULL && nrunnable != 0)
		user_work |= USER_WORK_RESCHED;
}

bool thread_lend_priority(struct thread *t, const struct thread *waiter)
{
	struct sched_own now = t->own;

	if (waiter != NULL && waiter->rt_priority > now.rt_priority) {
		if (now.rt_priority == 0)
			now.policy = SCHED_FIFO;
		now.rt_priority = waiter->rt_priority;
	} else if (waiter != NULL && waiter->nice < now.nice) {
		now.nice = waiter->nice;
	}
	if (now.policy == t->policy && now.rt_priority == t->rt_priority && now.nice == t->nice)
		return false;
	change_sched(t, now.policy, now.rt_priority, now.nice);
	return true;
}

void thread_set_sched(struct thread *t, int new_policy, int rt_priority, int nice)
{
	t->own.policy = new_policy;
	t->own.rt_priority = rt_priority;
	t->own.nice = nice;
	if (current != NULL && nrunnable != 0)
		user_work |= USER_WORK_RESCHED;
	futex_pi_update(t);
}

static bool ops_complete(const struct sched_ops *o)
{
	return o->version == SCHED_OPS_VERSION && o->enqueue && o->dequeue && o->pick &&
	       o->charge && o->slice && o->preempts && o->adopt && o->release;
}

/*
 * The links belong to one policy at a time: the old one lets go first, and takes all back when the
 * new one refuses.
 */
err_t sched_replace(const struct sched_ops *ops)
{
	const struct sched_ops *old = policy;
	err_t err;

	if (!ops_complete(ops))
		return E_INVAL;
	old->release();
	err = ops->adopt(&runnable);
	if (err != OK) {
		BUG_ON(old->adopt(&runnable) != OK);
		return err;
	}
	policy = ops;
	return OK;
}
