/* SPDX-License-Identifier: BSD-2-Clause */
/* Traps from a program: page faults that can be served, and exceptions that become signals. */
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/task/internal.h"

#define VEC_DE 0
#define VEC_DB 1
#define VEC_BP 3
#define VEC_OF 4
#define VEC_BR 5
#define VEC_UD 6
#define VEC_NM 7
#define VEC_NP 11
#define VEC_SS 12
#define VEC_GP 13
#define VEC_PF 14
#define VEC_MF 16
#define VEC_AC 17
#define VEC_XF 19

#define PF_PKEY 32u

static bool from_user(const struct trapframe *tf)
{
	return (tf->cs & 3) != 0;
}

/* ---- page faults ---- */

/* The fault of a program, or of the kernel on its behalf or on PrivUser's. */
static enum fault_result serve(bool inner, uint64_t addr, uint32_t code)
{
	struct aspace *a = current_task->mm;

	return inner ? aspace_priv_fault(a, addr, code) : aspace_fault(a, addr, code);
}

/*
 * Make room, by somebody's end if need be, and try again. A program's own access may wait until
 * those who end have given their memory back: it is simply done again. A copy of the kernel's
 * cannot wait. False: current is to end.
 */
static bool out_of_memory(bool can_wait, bool inner, uint64_t addr, uint32_t code)
{
	struct thread *t = current;
	enum fault_result r = FAULT_NOMEM;

	while (r == FAULT_NOMEM && !t->task->exiting) {
		if (can_wait && oom_somebody_ends()) {
			sched_yield();
			return true;
		}
		if (!oom_kill())
			task_begin_exit(t->task, SIGKILL);
		if (!t->task->exiting)
			r = serve(inner, addr, code);
	}
	return r == FAULT_OK;
}

void task_out_of_memory(void)
{
	if (oom_somebody_ends())
		sched_yield();
	else if (!oom_kill())
		task_begin_exit(current_task, SIGKILL);
}

static void fault_signal(uint64_t addr, uint32_t code, enum fault_result r)
{
	if (addr >= USER_END)
		code |= PF_PRESENT; /* as Linux: nothing is told about the kernel's half */
	switch (r) {
	case FAULT_MAPERR: signal_fault(SIGSEGV, SEGV_MAPERR, addr, VEC_PF, code); break;
	case FAULT_ACCERR:
		signal_fault(SIGSEGV, code & PF_PKEY ? SEGV_PKUERR : SEGV_ACCERR, addr, VEC_PF,
			     code);
		break;
	default: signal_fault(SIGBUS, BUS_ADRERR, addr, VEC_PF, code); break;
	}
}

/*
 * True: the access can be done again. From the kernel (a user copy) false makes the copy end with
 * E_FAULT. From the program the signal is queued here already, and true lets it be delivered on the
 * way out.
 */
static bool page_fault(struct trapframe *tf, uint64_t addr, uint32_t code)
{
	struct thread *t = current;
	enum fault_result r;
	bool inner;

	if (t == NULL || t->task->mm == NULL || t->task->mm != aspace_current)
		return false;
	if (from_user(tf) && (code & (PF_PRESENT | PF_USER)) == PF_PRESENT) {
		/*
		 * A page that is there, refused to the processor itself on the program's behalf:
		 * QEMU's emulation reads the frame of a program's own iret with the kernel's
		 * rights, which SMAP forbids. Serving it would not help.
		 */
		signal_fault(SIGSEGV, SI_KERNEL, 0, VEC_GP, 0);
		return true;
	}
	inner = !from_user(tf) && privuser_is_calling(t);
	r = serve(inner, addr, code);
	if (r == FAULT_OK) {
		t->minflt++;
		t->last_fault_rip = tf->rip;
		return true;
	}
	if (r == FAULT_NOMEM)
		return out_of_memory(from_user(tf), inner, addr, code) || from_user(tf);
	if (from_user(tf)) {
		privuser_check_lost(tf, addr);
		fault_signal(addr, code, r);
	}
	return from_user(tf);
}

/* ---- other exceptions ---- */

static int fpu_code(void)
{
	/* The first 32 bytes of the FXSAVE area: control, status; MXCSR at 24. */
	const uint8_t *a;
	uint16_t cwd, swd;
	uint32_t bits;

	fpu_sync(current->fpu);
	a = fpu_data(current->fpu);
	__builtin_memcpy(&cwd, a, 2);
	__builtin_memcpy(&swd, a + 2, 2);
	bits = (uint32_t)swd & ~(uint32_t)cwd;
	if (current->regs->vector == VEC_XF) {
		uint32_t mxcsr;

		__builtin_memcpy(&mxcsr, a + 24, 4);
		bits = mxcsr & ~(mxcsr >> 7);
	}
	if (bits & 1)
		return FPE_FLTINV;
	if (bits & 4)
		return FPE_FLTDIV;
	if (bits & 8)
		return FPE_FLTOVF;
	if (bits & (2 | 16))
		return FPE_FLTUND;
	return bits & 32 ? FPE_FLTRES : FPE_FLTUNK;
}

/*
 * What a handler is told. A selector that the processor refused may have come from memory that
 * the program cannot read: emulators have been seen to read frames with the kernel's rights.
 */
static uint64_t told_error(const struct trapframe *tf)
{
	return current_task->mm->priv != NULL ? 0 : tf->error;
}

static void user_exception(struct trapframe *tf, uint64_t addr)
{
	int vec = (int)tf->vector;

	if (privuser_serve_off(tf))
		return;
	switch (vec) {
	case VEC_DE: signal_fault(SIGFPE, FPE_INTDIV, tf->rip, vec, 0); return;
	case VEC_DB: signal_fault(SIGTRAP, debug_exception(), tf->rip, vec, 0); return;
	case VEC_BP: signal_fault(SIGTRAP, SI_KERNEL, 0, vec, 0); return;
	case VEC_UD: signal_fault(SIGILL, ILL_ILLOPN, tf->rip, vec, 0); return;
	case VEC_MF:
	case VEC_XF: signal_fault(SIGFPE, fpu_code(), tf->rip, vec, 0); return;
	case VEC_AC: signal_fault(SIGBUS, BUS_ADRALN, 0, vec, tf->error); return;
	case VEC_NP:
	case VEC_SS: signal_fault(SIGBUS, SI_KERNEL, 0, vec, told_error(tf)); return;
	case VEC_PF: /* an address that is no program's */
		signal_fault(SIGSEGV, SEGV_MAPERR, addr, vec,
			     tf->error | (addr >= USER_END ? PF_PRESENT : 0));
		return;
	default: /* general protection, overflow, bounds, segments */
		signal_fault(SIGSEGV, SI_KERNEL, 0, vec, told_error(tf));
		return;
	}
}

void fault_init(void)
{
	trap_hooks.page_fault = page_fault;
	trap_hooks.user_exception = user_exception;
	debug_init();
}
