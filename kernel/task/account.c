/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who used the processor. Running time is exact, taken from the clock at each switch. How it
 * divides into the program's own and the kernel's is estimated by sampling, every 10 ms that a
 * thread runs: reading the clock on each system call would cost more than many of them do.
 *
 * The kernel runs with interrupts off, so every sample is taken in the program. But one that came
 * due in the kernel is taken at the first instruction after the return: where rip is still what
 * SYSRET (or the fault) went back to.
 */
#include "kernel/core/core.h"
#include "kernel/task/internal.h"

enum { IN_PROGRAM, IN_KERNEL };

static void cpu_limit_check(struct task *t)
{
	const struct rlimit64 *r = &t->rlimit[RLIMIT_CPU];
	uint64_t used;

	if (r->rlim_cur == RLIM64_INFINITY)
		return;
	used = task_cpu_ns(t);
	if (used / NS_PER_SEC >= r->rlim_max) {
		signal_force_send(t, SIGKILL, NULL);
	} else if (used / NS_PER_SEC >= r->rlim_cur && used >= t->cpu_limit_next_ns) {
		t->cpu_limit_next_ns = used + NS_PER_SEC;
		signal_force_send(t, SIGXCPU, NULL);
	}
}

void account_tick(void)
{
	struct thread *t = current;
	const struct trapframe *tf = t->regs;
	bool held_back = (tf->rip == tf->rcx && tf->rflags == tf->r11) ||
			 tf->rip == t->last_fault_rip;

	t->ticks[held_back ? IN_KERNEL : IN_PROGRAM]++;
	t->last_fault_rip = 0;
	sched_account();
	itimer_tick(t->task);
	posix_timer_tick(t->task);
	cpu_limit_check(t->task);
}

void account_thread_gone(struct thread *t)
{
	struct task *task = t->task;

	task->dead_ns += t->ran_ns;
	task->dead_ticks[IN_PROGRAM] += t->ticks[IN_PROGRAM];
	task->dead_ticks[IN_KERNEL] += t->ticks[IN_KERNEL];
	task->minflt += t->minflt;
	task->majflt += t->majflt;
	task->nvcsw += t->nvcsw;
	task->nivcsw += t->nivcsw;
	io_counts_add(&task->io, &t->io);
}

uint64_t thread_cpu_ns(const struct thread *t)
{
	if (t == current)
		sched_account();
	return t->ran_ns;
}

uint64_t task_cpu_ns(const struct task *task)
{
	uint64_t ns = task->dead_ns;
	struct thread *t;

	TASK_FOR_EACH_THREAD(t, task)
	ns += thread_cpu_ns(t);
	return ns;
}

/* Without samples all counts as the program's. */
static void split(uint64_t ns, uint64_t user, uint64_t kernel, uint64_t *utime_ns,
		  uint64_t *stime_ns)
{
	*stime_ns = kernel == 0 ? 0 : ns / (user + kernel) * kernel;
	*utime_ns = ns - *stime_ns;
}

void thread_times(const struct thread *t, uint64_t *utime_ns, uint64_t *stime_ns)
{
	split(thread_cpu_ns(t), t->ticks[IN_PROGRAM], t->ticks[IN_KERNEL], utime_ns, stime_ns);
}

void task_times(const struct task *task, uint64_t *utime_ns, uint64_t *stime_ns)
{
	uint64_t ticks[2] = { task->dead_ticks[IN_PROGRAM], task->dead_ticks[IN_KERNEL] };
	struct thread *t;

	TASK_FOR_EACH_THREAD(t, task)
	{
		ticks[IN_PROGRAM] += t->ticks[IN_PROGRAM];
		ticks[IN_KERNEL] += t->ticks[IN_KERNEL];
	}
	split(task_cpu_ns(task), ticks[IN_PROGRAM], ticks[IN_KERNEL], utime_ns, stime_ns);
}

static uint64_t peak_pages(const struct task *task)
{
	uint64_t now = task->mm == NULL ? 0 : task->mm->pages_peak;

	return now > task->maxrss_pages ? now : task->maxrss_pages;
}

static void rusage_task(const struct task *task, struct rusage_k *out)
{
	struct thread *t;

	*out = (struct rusage_k){ .maxrss_kb = peak_pages(task) * 4,
				  .minflt = task->minflt,
				  .majflt = task->majflt,
				  .nvcsw = task->nvcsw,
				  .nivcsw = task->nivcsw };
	task_times(task, &out->utime_ns, &out->stime_ns);
	TASK_FOR_EACH_THREAD(t, task)
	{
		out->minflt += t->minflt;
		out->majflt += t->majflt;
		out->nvcsw += t->nvcsw;
		out->nivcsw += t->nivcsw;
	}
}

void task_rusage(const struct task *task, int who, struct rusage_k *out)
{
	const struct thread *t = current;

	if (who == 0) {
		rusage_task(task, out);
	} else if (who == 1) {
		*out = (struct rusage_k){ .maxrss_kb = peak_pages(task) * 4,
					  .minflt = t->minflt,
					  .majflt = t->majflt,
					  .nvcsw = t->nvcsw,
					  .nivcsw = t->nivcsw };
		thread_times(t, &out->utime_ns, &out->stime_ns);
	} else {
		*out = (struct rusage_k){ task->cutime_ns, task->cstime_ns, task->cmaxrss_pages * 4,
					  task->cminflt,   task->cmajflt,   task->cnvcsw,
					  task->cnivcsw };
	}
}
