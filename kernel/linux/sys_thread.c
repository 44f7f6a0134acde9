/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on threads: futexes, thread areas, scheduling. */
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/aspace.h"
#include "kernel/task/sched_ops.h"
#include "kernel/task/task.h"

/* ---- futex ---- */

/* The time-out argument: relative for FUTEX_WAIT, absolute for the others. */
static err_t futex_deadline(int cmd, int op, uaddr_t uts, uint64_t *deadline)
{
	uint64_t ns;

	*deadline = WAIT_FOREVER;
	if (uts.v == 0)
		return OK;
	TRY(user_timespec(uts, &ns));
	if (cmd == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else if (cmd == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME))
		*deadline = deadline_of_clock(CLOCK_REALTIME, ns);
	else
		*deadline = ns;
	return OK;
}

long sys_futex(uaddr_t addr, int op, uint32_t val, uaddr_t uts, uaddr_t addr2, uint32_t val3)
{
	int cmd = op & FUTEX_CMD_MASK;
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	uint64_t deadline;

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET &&
	    cmd != FUTEX_LOCK_PI2 && cmd != FUTEX_WAIT_REQUEUE_PI)
		return E_NOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		val3 = FUTEX_BITSET_MATCH_ANY;
		/* fallthrough */
	case FUTEX_WAIT_BITSET:
		TRY(futex_deadline(cmd, op, uts, &deadline));
		return futex_wait(addr, val, val3, deadline, shared);
	case FUTEX_WAKE: return futex_wake(addr, val, FUTEX_BITSET_MATCH_ANY, shared);
	case FUTEX_WAKE_BITSET: return futex_wake(addr, val, val3, shared);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, val, (uint32_t)uts.v, addr2, false, 0, shared);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, val, (uint32_t)uts.v, addr2, true, val3, shared);
	case FUTEX_WAKE_OP: return futex_wake_op(addr, val, addr2, (uint32_t)uts.v, val3, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		TRY(futex_deadline(cmd, op, uts, &deadline));
		return futex_lock_pi(addr, deadline, shared, false);
	case FUTEX_TRYLOCK_PI: return futex_lock_pi(addr, 0, shared, true);
	case FUTEX_UNLOCK_PI: return futex_unlock_pi(addr, shared);
	default: return E_NOSYS;
	}
}

/* ---- thread areas ---- */

long sys_set_tid_address(uint64_t addr)
{
	current->clear_tid = addr;
	return current->tid;
}

#define ROBUST_HEAD_LEN 24 /* struct robust_list_head */

long sys_set_robust_list(uint64_t head, size_t len)
{
	if (len != ROBUST_HEAD_LEN)
		return E_INVAL;
	current->robust_list = head;
	current->robust_len = len;
	return 0;
}

long sys_get_robust_list(int tid, uaddr_t head, uaddr_t len)
{
	struct thread *t = tid == 0 ? current : thread_find(tid);
	uint64_t n = ROBUST_HEAD_LEN;

	if (t == NULL)
		return E_SRCH;
	TRY(task_may_access(t->task, ACCESS_REAL));
	TRY(USER_OUT(len, &n));
	return USER_OUT(head, &t->robust_list);
}

long sys_rseq(uint64_t area, uint32_t len, int flags, uint32_t sig)
{
	return rseq_register(area, len, (uint32_t)flags, sig);
}

/*
 * All threads of a program run on this core, and a thread switch passes through the kernel, which
 * orders memory: after any switch the others have seen everything. So the barrier is there whenever
 * this call is made.
 */
#define MEMBARRIER_ALL                                                                            \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |            \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	uint32_t *registered = &current_task->mm->membarrier;

	(void)cpu;
	if (flags != 0)
		return E_INVAL;
	switch (cmd) {
	case MEMBARRIER_CMD_QUERY: return MEMBARRIER_ALL;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED: return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		*registered |= (uint32_t)cmd;
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return *registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED ? 0 : E_PERM;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return *registered & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE ? 0
											 : E_PERM;
	default: return E_INVAL;
	}
}

/* ---- scheduling ---- */

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

static struct thread *thread_of_pid(int pid)
{
	return pid == 0 ? current : thread_find(pid);
}

static bool may_schedule(const struct thread *t)
{
	const struct cred *me = &current_task->cred;

	return (me->cap_effective & 1ull << CAP_SYS_NICE) != 0 || me->euid == t->task->cred.uid ||
	       me->euid == t->task->cred.euid;
}

/* Programs run on the core that started them; one processor is what they are shown. */
#define CPUSET_BYTES 8

long sys_sched_getaffinity(int pid, size_t len, uaddr_t to)
{
	uint64_t mask = 1;

	if (thread_of_pid(pid) == NULL)
		return E_SRCH;
	if (len < CPUSET_BYTES || (len & 7) != 0)
		return E_INVAL;
	TRY(USER_OUT(to, &mask));
	return CPUSET_BYTES;
}

long sys_sched_setaffinity(int pid, size_t len, uaddr_t from)
{
	struct thread *t = thread_of_pid(pid);
	uint64_t mask = 0;

	if (t == NULL)
		return E_SRCH;
	if (!may_schedule(t))
		return E_PERM;
	TRY(user_in(&mask, from, len < sizeof(mask) ? len : sizeof(mask)));
	return mask & 1 ? 0 : E_INVAL;
}

long sys_getcpu(uaddr_t cpu, uaddr_t node, uaddr_t unused)
{
	uint32_t zero = 0;

	(void)unused;
	if (cpu.v != 0)
		TRY(USER_OUT(cpu, &zero));
	return node.v != 0 ? USER_OUT(node, &zero) : 0;
}

static bool policy_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static err_t policy_check(int policy, int priority)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR: return priority >= 1 && priority <= 99 ? OK : E_INVAL;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE: return priority == 0 ? OK : E_INVAL;
	default: return E_INVAL;
	}
}

static long policy_set(int pid, int policy, int priority, bool reset_on_fork)
{
	struct thread *t = thread_of_pid(pid);
	const struct cred *me = &current_task->cred;

	if (t == NULL)
		return E_SRCH;
	TRY(policy_check(policy, priority));
	if (!may_schedule(t))
		return E_PERM;
	if (policy_realtime(policy) && !(me->cap_effective & 1ull << CAP_SYS_NICE) &&
	    (uint64_t)priority > t->task->rlimit[RLIMIT_RTPRIO].rlim_cur)
		return E_PERM;
	if (t->own.reset_on_fork && !reset_on_fork && !(me->cap_effective & 1ull << CAP_SYS_NICE))
		return E_PERM;
	t->own.reset_on_fork = reset_on_fork;
	thread_set_sched(t, policy, priority, t->own.nice);
	return 0;
}

long sys_sched_setscheduler(int pid, int policy, uaddr_t param)
{
	int priority;

	if (policy < 0)
		return E_INVAL;
	TRY(USER_IN(&priority, param));
	return policy_set(pid, policy & ~SCHED_RESET_ON_FORK, priority,
			  policy & SCHED_RESET_ON_FORK);
}

long sys_sched_setparam(int pid, uaddr_t param)
{
	struct thread *t = thread_of_pid(pid);
	int priority;

	TRY(USER_IN(&priority, param));
	return t == NULL ? E_SRCH : policy_set(pid, t->own.policy, priority, t->own.reset_on_fork);
}

long sys_sched_getscheduler(int pid)
{
	struct thread *t = thread_of_pid(pid);

	if (pid < 0)
		return E_INVAL;
	return t == NULL ? E_SRCH
			 : t->own.policy | (t->own.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(int pid, uaddr_t to)
{
	struct thread *t = thread_of_pid(pid);

	if (pid < 0)
		return E_INVAL;
	return t == NULL ? E_SRCH : USER_OUT(to, &t->own.rt_priority);
}

long sys_sched_get_priority_max(int policy)
{
	return policy_realtime(policy) ? 99 : policy_check(policy, 0) == OK ? 0 : E_INVAL;
}

long sys_sched_get_priority_min(int policy)
{
	return policy_realtime(policy) ? 1 : policy_check(policy, 0) == OK ? 0 : E_INVAL;
}

long sys_sched_rr_get_interval(int pid, uaddr_t to)
{
	struct thread *t = thread_of_pid(pid);
	uint64_t slice;

	if (t == NULL)
		return E_SRCH;
	slice = sched_current()->slice(t);
	return user_timespec_out(to, slice == UINT64_MAX ? 0 : slice);
}

/* struct sched_attr, its first version. */
struct sched_attr_k {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

long sys_sched_setattr(int pid, uaddr_t uattr, unsigned flags)
{
	struct sched_attr_k a = { 0 };
	struct thread *t = thread_of_pid(pid);
	long ret;

	if (flags != 0)
		return E_INVAL;
	TRY(user_in(&a.size, uattr, sizeof(a.size)));
	if (a.size != 0 && a.size < sizeof(a))
		return E_2BIG;
	TRY(USER_IN(&a, uattr));
	if (t == NULL)
		return E_SRCH;
	ret = policy_set(pid, (int)a.policy, (int)a.priority, a.flags & SCHED_FLAG_RESET_ON_FORK);
	if (ret == 0 && !policy_realtime((int)a.policy))
		thread_set_sched(t, t->own.policy, t->own.rt_priority, a.nice);
	return ret;
}

long sys_sched_getattr(int pid, uaddr_t to, unsigned size, unsigned flags)
{
	struct thread *t = thread_of_pid(pid);
	struct sched_attr_k a;

	if (flags != 0 || size < sizeof(a))
		return E_INVAL;
	if (t == NULL)
		return E_SRCH;
	a = (struct sched_attr_k){ .size = sizeof(a),
				   .policy = (uint32_t)t->own.policy,
				   .flags = t->own.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
				   .nice = t->own.nice,
				   .priority = (uint32_t)t->own.rt_priority };
	return USER_OUT(to, &a);
}

/* Calls fn for each thread that (which, who) names; number of them. */
static unsigned for_each_priority(int which, int who, void (*fn)(struct thread *t, void *arg),
				  void *arg)
{
	unsigned n = 0;

	if (which == 0) { /* PRIO_PROCESS: one thread */
		struct thread *t = thread_of_pid(who);

		if (t == NULL)
			return 0;
		fn(t, arg);
		return 1;
	}
	LIST_FOR_EACH(p, &all_tasks) {
		struct task *t = list_entry(p, struct task, all);
		bool hit = which == 1 ? t->pgid == (who == 0 ? current_task->pgid : who)
				      : t->cred.uid ==
						(who == 0 ? current_task->cred.uid : (uint32_t)who);

		if (!hit)
			continue;
		LIST_FOR_EACH(q, &t->threads) {
			fn(list_entry(q, struct thread, in_task), arg);
			n++;
		}
	}
	return n;
}

static void lowest_nice(struct thread *t, void *arg)
{
	int *best = arg;

	if (t->own.nice < *best)
		*best = t->own.nice;
}

/* The call gives 20 - nice, so that it is never negative. */
long sys_getpriority(int which, int who)
{
	int nice = 20;

	if (which < 0 || which > 2)
		return E_INVAL;
	return for_each_priority(which, who, lowest_nice, &nice) == 0 ? E_SRCH : 20 - nice;
}

struct nice_change {
	int nice;
	err_t err;
};

static void change_nice(struct thread *t, void *arg)
{
	struct nice_change *c = arg;
	bool privileged = (current_task->cred.cap_effective & 1ull << CAP_SYS_NICE) != 0;

	if (!may_schedule(t))
		c->err = E_PERM;
	else if (c->nice < t->own.nice && !privileged &&
		 20 - c->nice > (int64_t)t->task->rlimit[RLIMIT_NICE].rlim_cur)
		c->err = E_ACCES;
	else
		thread_set_sched(t, t->own.policy, t->own.rt_priority, c->nice);
}

long sys_setpriority(int which, int who, int nice)
{
	struct nice_change c = { nice < -20 ? -20 : nice > 19 ? 19 : nice, OK };

	if (which < 0 || which > 2)
		return E_INVAL;
	return for_each_priority(which, who, change_nice, &c) == 0 ? E_SRCH : c.err;
}
