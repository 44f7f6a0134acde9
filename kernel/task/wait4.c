/* SPDX-License-Identifier: BSD-2-Clause */
/* Parents and children: telling about an end, a stop, a continuation, and waiting for it. */
#include <linux/wait.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

#define NS_PER_CLOCK_TICK (NS_PER_SEC / 100)

/* ---- telling ---- */

static void child_info(const struct task *t, int code, int status, struct ksiginfo *info)
{
	uint64_t u, s;

	task_times(t, &u, &s);
	memset(info, 0, sizeof(*info));
	info->si_signo = SIGCHLD;
	info->si_code = code;
	info->si_pid = t->pid;
	info->si_uid = t->cred.uid;
	info->si_status = status;
	info->si_utime = (long)(u / NS_PER_CLOCK_TICK);
	info->si_stime = (long)(s / NS_PER_CLOCK_TICK);
}

static int exit_code_of(int wait_status, int *value)
{
	int sig = wait_status & 0x7f;

	*value = sig == 0 ? wait_status >> 8 & 0xff : sig;
	if (sig == 0)
		return CLD_EXITED;
	return wait_status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

bool task_notify_exit(struct task *t)
{
	struct task *p = t->parent;
	const struct sig_action *a;
	struct ksiginfo info;
	int sig = t->exit_signal, value, code = exit_code_of(t->wait_status, &value);
	bool unwanted = false;

	if (p->state != TASK_ALIVE || p->sighand == NULL)
		return false;
	a = &p->sighand->action[SIGCHLD - 1];
	if (sig == SIGCHLD && (a->handler == (uint64_t)SIG_IGN || (a->flags & SA_NOCLDWAIT))) {
		unwanted = true;
		if (a->handler == (uint64_t)SIG_IGN)
			sig = 0;
	}
	if (sig != 0) {
		child_info(t, code, value, &info);
		info.si_signo = sig;
		signal_force_send(p, sig, &info);
	}
	wake_all(&p->child_wait);
	return unwanted;
}

void task_notify_stopped(struct task *t, int code)
{
	struct task *p = t->parent;
	const struct sig_action *a;
	struct ksiginfo info;

	if (code == CLD_STOPPED)
		t->stop_reported = true;
	if (p == NULL || p->sighand == NULL)
		return;
	a = &p->sighand->action[SIGCHLD - 1];
	if (a->handler != (uint64_t)SIG_IGN && !(a->flags & SA_NOCLDSTOP)) {
		child_info(t, code, code == CLD_CONTINUED ? SIGCONT : t->stop_signal, &info);
		signal_force_send(p, SIGCHLD, &info);
	}
	wake_all(&p->child_wait);
}

/* ---- waiting ---- */

static bool matches(const struct task *c, int idtype, int id, unsigned options)
{
	if (idtype == P_PID && c->pid != id)
		return false;
	if (idtype == P_PGID && c->pgid != id)
		return false;
	if (options & __WALL)
		return true;
	return (c->exit_signal != SIGCHLD) == !!(options & __WCLONE);
}

static void fill(const struct task *c, struct wait_out *out, int status, int code)
{
	*out = (struct wait_out){
		.pid = c->pid, .status = status, .uid = (int)c->cred.uid, .si_code = code
	};
	task_rusage(c, 0, &out->ru);
	/* What a parent is told of a child includes the child's own children. */
	out->ru.utime_ns += c->cutime_ns;
	out->ru.stime_ns += c->cstime_ns;
	out->ru.minflt += c->cminflt;
	out->ru.majflt += c->cmajflt;
	out->ru.nvcsw += c->cnvcsw;
	out->ru.nivcsw += c->cnivcsw;
	if (out->ru.maxrss_kb < c->cmaxrss_pages * 4)
		out->ru.maxrss_kb = c->cmaxrss_pages * 4;
}

static void add_to_parent(struct task *p, const struct rusage_k *ru)
{
	p->cutime_ns += ru->utime_ns;
	p->cstime_ns += ru->stime_ns;
	p->cminflt += ru->minflt;
	p->cmajflt += ru->majflt;
	p->cnvcsw += ru->nvcsw;
	p->cnivcsw += ru->nivcsw;
	if (p->cmaxrss_pages < ru->maxrss_kb / 4)
		p->cmaxrss_pages = ru->maxrss_kb / 4;
}

static void take_zombie(struct task *c, unsigned options, struct wait_out *out)
{
	int value, code = exit_code_of(c->wait_status, &value);

	fill(c, out, c->wait_status, code);
	if (options & WNOWAIT)
		return;
	add_to_parent(c->parent, &out->ru);
	io_counts_add(&c->parent->io, &c->io);
	task_reap(c);
}

/* The child's state, if it is one that is waited for. */
static bool take_state(struct task *c, unsigned options, struct wait_out *out)
{
	if (c->state == TASK_ZOMBIE) {
		if (!(options & WEXITED) || ptrace_holds_zombie(c))
			return false;
		take_zombie(c, options, out);
		return true;
	}
	if (c->stopped && c->stop_reported && !c->stop_waited && (options & WUNTRACED)) {
		fill(c, out, c->stop_signal << 8 | 0x7f, CLD_STOPPED);
		if (!(options & WNOWAIT))
			c->stop_waited = true;
		return true;
	}
	if (c->continued && (options & WCONTINUED)) {
		fill(c, out, 0xffff, CLD_CONTINUED);
		if (!(options & WNOWAIT))
			c->continued = false;
		return true;
	}
	return false;
}

/* A zombie whose last thread is still on its way out is not one yet: it has threads. */
static bool settled(const struct task *c)
{
	return c->state != TASK_ZOMBIE || c->nthreads == 0;
}

/* ---- what is traced ---- */

static bool traced_matches(const struct ptrace *p, int idtype, int id)
{
	int pgid = p->task != NULL ? p->task->pgid : p->pgid;

	return idtype == P_ALL || (idtype == P_PID ? p->tid == id : pgid == id);
}

/* A process that somebody else's child is: we hear of its end first, its parent afterwards. */
static bool take_foreign_zombie(struct ptrace *p, unsigned options, struct wait_out *out)
{
	struct task *t = p->task;
	int value, code = exit_code_of(t->wait_status, &value);

	fill(t, out, t->wait_status, code);
	if (!(options & WNOWAIT))
		ptrace_zombie_released(t);
	return true;
}

static bool take_ended(struct ptrace *p, unsigned options, struct wait_out *out)
{
	int value, code = exit_code_of(p->status, &value);

	if (!(options & WEXITED))
		return false;
	if (p->task == NULL) {
		*out = (struct wait_out){
			.pid = p->tid, .status = p->status, .uid = (int)p->uid, .si_code = code
		};
		if (!(options & WNOWAIT))
			ptrace_release(p);
		return true;
	}
	/* A main thread's end is that of the process. */
	if (!task_has_ended(p->task))
		return false;
	if (ptrace_holds_zombie(p->task))
		return take_foreign_zombie(p, options, out);
	take_zombie(p->task, options, out);
	return true;
}

static bool take_traced(struct ptrace *p, unsigned options, struct wait_out *out)
{
	if (p->ended)
		return take_ended(p, options, out);
	if (p->stopped && !p->listening && p->code != 0) {
		fill(p->task, out, p->code << 8 | 0x7f, CLD_TRAPPED);
		out->pid = p->tid;
		if (!(options & WNOWAIT))
			p->code = 0;
		return true;
	}
	if (p->tid == p->task->pid && p->task->continued && (options & WCONTINUED))
		return take_state(p->task, options & ~(unsigned)WUNTRACED, out);
	return false;
}

static bool scan_traced(int idtype, int id, unsigned options, struct wait_out *out, bool *any)
{
	LIST_FOR_EACH_SAFE(l, &current_task->tracees) {
		struct ptrace *p = list_entry(l, struct ptrace, in_tracer);

		if (!traced_matches(p, idtype, id))
			continue;
		*any = true;
		if (take_traced(p, options, out))
			return true;
	}
	return false;
}

/* Our child, whose main thread we trace: scan_traced speaks of it. */
static bool is_traced_by_us(const struct task *c)
{
	LIST_FOR_EACH(l, &current_task->tracees) {
		const struct ptrace *p = list_entry(l, struct ptrace, in_tracer);

		if (p->task == c && p->tid == c->pid)
			return true;
	}
	return false;
}

static long scan(int idtype, int id, unsigned options, struct wait_out *out)
{
	bool any = false;

	LIST_FOR_EACH(l, &current_task->children) {
		struct task *c = list_entry(l, struct task, sibling);

		if (is_traced_by_us(c) || !matches(c, idtype, id, options))
			continue;
		any = true;
		if (settled(c) && take_state(c, options, out))
			return out->pid;
	}
	if (scan_traced(idtype, id, options, out, &any))
		return out->pid;
	return any ? 0 : E_CHILD;
}

long task_wait(int idtype, int id, unsigned options, struct wait_out *out)
{
	if (idtype == P_PGID && id == 0)
		id = current_task->pgid;
	/* A child's end sends a signal, too: the child counts, as in Linux. */
	for (bool interrupted = false;;) {
		long r = scan(idtype, id, options, out);

		if (r != 0 || (options & WNOHANG))
			return r;
		if (interrupted)
			return E_RESTARTSYS;
		interrupted = wait_on(&current_task->child_wait, WAIT_FOREVER, true) == WAIT_SIGNAL;
	}
}
