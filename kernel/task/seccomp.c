/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/task/seccomp.h"

#include <asm/unistd_64.h>
#include <linux/audit.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

#define INSNS_MAX     32768u /* of all filters of a thread together, as Linux counts */
#define INSNS_PENALTY 4u
#define ERRNO_MAX     4095u
#define SYS_SECCOMP_  1 /* si_code */

/* ---- filters ---- */

err_t seccomp_filter_load(struct seccomp_filter **out, uaddr_t from, unsigned n)
{
	struct seccomp_filter *f;
	err_t err;

	if (n == 0 || n > BPF_MAXINSNS)
		return E_INVAL;
	f = kmem_zalloc(sizeof(*f) + n * sizeof(f->insn[0]));
	if (f == NULL)
		return E_NOMEM;
	f->refs = 1;
	f->n = n;
	err = user_in(f->insn, from, n * sizeof(f->insn[0]));
	if (err == OK)
		err = bpf_check(f->insn, n, sizeof(struct seccomp_data));
	if (err != OK) {
		kmem_free(f);
		return err;
	}
	*out = f;
	return OK;
}

void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f != NULL && --f->refs == 0) {
		struct seccomp_filter *prev = f->prev;

		kmem_free(f);
		f = prev;
	}
}

unsigned seccomp_filter_count(const struct thread *t)
{
	unsigned n = 0;

	for (const struct seccomp_filter *f = t->filters; f != NULL; f = f->prev)
		n++;
	return n;
}

/* ---- installing ---- */

static void give(struct thread *t, struct seccomp_filter *f, int mode)
{
	struct seccomp_filter *old = t->filters;

	if (f != NULL)
		f->refs++;
	t->filters = f;
	t->seccomp_mode = (uint8_t)mode;
	thread_watch(t, WATCH_SECCOMP, mode != SECCOMP_MODE_DISABLED);
	seccomp_filter_put(old);
}

void seccomp_inherit(struct thread *child)
{
	if (current->seccomp_mode != SECCOMP_MODE_DISABLED)
		give(child, current->filters, current->seccomp_mode);
}

void seccomp_leave(struct thread *t)
{
	if (t->seccomp_mode != SECCOMP_MODE_DISABLED)
		give(t, NULL, SECCOMP_MODE_DISABLED);
}

err_t seccomp_set_strict(void)
{
	if (current->seccomp_mode == SECCOMP_MODE_FILTER)
		return E_INVAL;
	give(current, NULL, SECCOMP_MODE_STRICT);
	return OK;
}

/* Every thread has none, or some that ours were put in front of. */
static int thread_in_the_way(void)
{
	struct thread *th;

	TASK_FOR_EACH_THREAD(th, current_task)
	{
		const struct seccomp_filter *f = current->filters;

		if (th == current || th->exiting || th->seccomp_mode == SECCOMP_MODE_DISABLED)
			continue;
		while (f != NULL && f != th->filters)
			f = f->prev;
		if (th->seccomp_mode == SECCOMP_MODE_STRICT || f == NULL)
			return th->tid;
	}
	return 0;
}

static err_t check_length(const struct seccomp_filter *f)
{
	unsigned total = f->n;

	for (const struct seccomp_filter *p = current->filters; p != NULL; p = p->prev)
		total += p->n + INSNS_PENALTY;
	return total > INSNS_MAX ? E_NOMEM : OK;
}

long seccomp_install(struct seccomp_filter *f, bool all_threads)
{
	struct thread *th;
	int other;

	if (current->seccomp_mode == SECCOMP_MODE_STRICT)
		return E_INVAL;
	TRY(check_length(f));
	other = all_threads ? thread_in_the_way() : 0;
	if (other != 0)
		return other;
	f->prev = current->filters; /* with the reference that the thread had */
	current->filters = NULL;
	give(current, f, SECCOMP_MODE_FILTER);
	seccomp_filter_put(f); /* the caller's */
	if (!all_threads)
		return 0;
	TASK_FOR_EACH_THREAD(th, current_task)
	if (th != current && !th->exiting) {
		/* As Linux: what let this thread install it holds for the others. */
		th->no_new_privs |= current->no_new_privs;
		give(th, f, SECCOMP_MODE_FILTER);
	}
	return 0;
}

/* ---- deciding ---- */

static void fill_data(const struct trapframe *tf, struct seccomp_data *d)
{
	*d = (struct seccomp_data){ .nr = (int)tf->orig_rax,
				    .arch = AUDIT_ARCH_X86_64,
				    .instruction_pointer = tf->rip,
				    .args = { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8,
					      tf->r9 } };
}

static int32_t action_of(uint32_t result)
{
	return (int32_t)(result & SECCOMP_RET_ACTION_FULL);
}

/* The strictest answer of all filters: the lowest, killing the process being negative. */
static uint32_t ask_filters(const struct seccomp_data *d, struct seccomp_filter **match)
{
	uint32_t strictest = SECCOMP_RET_ALLOW;

	*match = current->filters;
	for (struct seccomp_filter *f = current->filters; f != NULL; f = f->prev) {
		uint32_t r = bpf_run(f->insn, d, sizeof(*d));

		if (action_of(r) < action_of(strictest)) {
			strictest = r;
			*match = f;
		}
	}
	return strictest;
}

static void note(const struct seccomp_data *d, const char *what)
{
	log_info("%s[%d]: seccomp: system call %d %s", current->comm, current_task->pid, d->nr,
		 what);
}

static void send_sigsys(const struct seccomp_data *d, uint32_t result, bool fatal)
{
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSYS;
	info.si_code = SYS_SECCOMP_;
	info.si_errno = (int)(result & SECCOMP_RET_DATA);
	info.si_call_addr = (void *)d->instruction_pointer;
	info.si_syscall = d->nr;
	info.si_arch = d->arch;
	signal_force(SIGSYS, &info, fatal);
}

static void deny(struct trapframe *tf, const struct seccomp_data *d, uint32_t result)
{
	bool whole = action_of(result) != (int32_t)SECCOMP_RET_KILL_THREAD;

	note(d, whole ? "ends the process" : "ends the thread");
	if (!whole && current_task->nthreads > 1)
		thread_die(SIGSYS);
	tf->rax = tf->orig_rax;
	send_sigsys(d, result, true);
}

static bool do_trace(struct trapframe *tf, uint32_t result)
{
	if (!ptrace_event(PTRACE_EVENT_SECCOMP, result & SECCOMP_RET_DATA)) {
		tf->rax = (uint64_t)E_NOSYS;
		return false;
	}
	return !current->killed && (int32_t)tf->orig_rax >= 0;
}

/* `again`: the tracer has seen it, its changes are looked at once more. */
static bool filter_call(struct trapframe *tf, bool again)
{
	struct seccomp_filter *match;
	struct seccomp_data d;
	uint32_t result, data;

	fill_data(tf, &d);
	result = ask_filters(&d, &match);
	data = result & SECCOMP_RET_DATA;
	switch ((uint32_t)action_of(result)) {
	case SECCOMP_RET_ALLOW: return true;
	case SECCOMP_RET_LOG: note(&d, "is logged"); return true;
	case SECCOMP_RET_ERRNO:
		tf->rax = -(uint64_t)(data < ERRNO_MAX ? data : ERRNO_MAX);
		return false;
	case SECCOMP_RET_TRAP:
		tf->rax = tf->orig_rax;
		send_sigsys(&d, result, false);
		return false;
	case SECCOMP_RET_TRACE:
		if (again)
			return true;
		return do_trace(tf, result) && filter_call(tf, true);
	case SECCOMP_RET_USER_NOTIF: return seccomp_notify(match, &d, tf);
	default: deny(tf, &d, result); return false;
	}
}

static bool strict_call(const struct trapframe *tf)
{
	struct seccomp_data d;

	switch ((uint32_t)tf->orig_rax) {
	case __NR_read:
	case __NR_write:
	case __NR_exit:
	case __NR_rt_sigreturn: return true;
	default:
		fill_data(tf, &d);
		note(&d, "ends the thread");
		thread_die(SIGKILL);
	}
}

bool seccomp_call(struct trapframe *tf)
{
	switch (current->seccomp_mode) {
	case SECCOMP_MODE_STRICT: return strict_call(tf);
	case SECCOMP_MODE_FILTER: return filter_call(tf, false);
	default: return true;
	}
}
