/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tracing: one thread (the tracer) stops, looks at and steers another (the tracee), as ptrace(2)
 * says.
 *
 * struct ptrace belongs to the tracee; it is made at the first attach and stays until the thread's
 * memory goes, so thread.trace != NULL says "was traced once" and ptraced() "is traced now". A
 * tracee that ends leaves its record (thread NULL) with its tracer, until that has waited for it;
 * the main thread's record stays with its process (task.leader_trace).
 *
 * A tracee stops itself, in ptrace_stop(), on its own kernel stack, with all of the program's
 * registers in thread.regs. Everything the tracer does happens while the tracee sleeps there.
 */
#pragma once

#include <linux/ptrace.h>

#include "kernel/task/task.h"

enum ptrace_mode { TRACE_NO_CALLS, TRACE_CALLS, TRACE_EMULATE };

struct ptrace {
	struct thread *thread; /* NULL: it has ended */
	struct task *task;     /* its process; NULL when a thread's record outlives it */
	int tid, pgid;
	uint32_t uid;
	struct thread *tracer; /* NULL: not traced */
	struct list in_tracer; /* in tracer->task->tracees */
	bool seized;
	uint32_t options; /* PTRACE_O_* */
	/* The stop. `code` as in Linux' exit_code: what wait gives (shifted by 8), 0 when that was
	 * taken; then what the tracer resumed it with. */
	bool stopped, listening, has_info;
	int code, why;
	struct ksiginfo info;
	uint64_t message;
	struct waitq wait;
	/* what to do next */
	bool trap;      /* stop as soon as possible: PTRACE_INTERRUPT, a new seized tracee */
	bool notify;    /* of a seized one: the group stop began or ended */
	bool stop_seen; /* took part in the current group stop; counted in task.nstopped */
	enum ptrace_mode mode;
	bool step, forced_tf;
	bool ended; /* thread is NULL, status is its last word */
	int status;
	/* the program's breakpoint registers as the tracer sees them: DR0-3, DR6, DR7 */
	uint64_t debug_addr[4], debug_status, debug_control;
};

static inline bool ptraced(const struct thread *t)
{
	return t->trace != NULL && t->trace->tracer != NULL;
}

/* Inside signal.c: must the thread join its process's stop, or stop for its tracer? */
static inline bool ptrace_stop_due(const struct thread *t)
{
	return t->task->stopped && (!ptraced(t) || !t->trace->stop_seen);
}
static inline bool ptrace_trap_due(const struct thread *t)
{
	return ptraced(t) && (t->trace->trap || t->trace->notify);
}

/* ---- the tracer's side ---- */

/* ptrace(PTRACE_TRACEME): the parent becomes tracer. E_PERM, E_NOMEM. */
err_t ptrace_traceme(void) MUST_CHECK;
/* PTRACE_ATTACH, or PTRACE_SEIZE with options. E_PERM, E_NOMEM. */
err_t ptrace_attach(struct thread *t, bool seize, uint32_t options) MUST_CHECK;
/* Let a stopped tracee go on with a signal (or 0). */
void ptrace_resume(struct ptrace *p, enum ptrace_mode mode, bool step, int sig);
void ptrace_detach(struct ptrace *p, int sig);
/* PTRACE_INTERRUPT. The tracee is seized. */
void ptrace_interrupt(struct ptrace *p);
/* PTRACE_LISTEN: stays stopped, but hears of the end of the group stop. E_IO when it is in another
 * stop. */
err_t ptrace_listen(struct ptrace *p) MUST_CHECK;

/*
 * Breakpoint registers of a stopped tracee (debug.c), by number. E_INVAL: an address that is not
 * the program's or not aligned, a kind that is none; E_IO: no such register.
 */
uint64_t ptrace_debug_get(const struct ptrace *p, unsigned n);
err_t ptrace_debug_set(struct ptrace *p, unsigned n, uint64_t value) MUST_CHECK;

/* ---- the tracee's side; all may switch (MAY_SWITCH) ---- */

/* Before and after a system call of a thread with WATCH_TRACE. enter: false when it is not to be
 * done. */
bool ptrace_call_enter(struct trapframe *tf);
void ptrace_call_leave(struct trapframe *tf);
/* An event of PTRACE_O_TRACE*: stops when the tracer asked for it; false: it did not. */
bool ptrace_event(unsigned event, uint64_t message);
bool ptrace_event_wanted(const struct thread *t, unsigned event);
