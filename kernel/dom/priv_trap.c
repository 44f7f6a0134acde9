/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and system calls from rings 1 and 2. What cannot be served ends the process: a handler
 * in ring 3, or a debugger, would see registers of PrivUser, and an answer to ring 3 would leave
 * PrivUser's data half-changed.
 */
#include "kernel/core/core.h"
#include "kernel/dom/local.h"
#include "kernel/mem/ubuf.h"

#define VEC_DB 1
#define VEC_GP 13
#define VEC_PF 14

#define RFLAGS_ALWAYS 2ull /* IF is set on the way back */
#define RFLAGS_TF     (1ull << 8)
#define RFLAGS_RF     (1ull << 16)
#define RFLAGS_AC     (1ull << 18)
#define INT_LEN       2u /* bytes of INT n */

static const char *exception_name(uint64_t vector)
{
	switch (vector) {
	case 0: return "division error";
	case 3:
	case 4:
	case 5: return "trap instruction";
	case 6: return "invalid instruction";
	case 8: return "double fault";
	case 11:
	case 12:
	case VEC_GP: return "protection fault";
	case VEC_PF: return "page fault";
	default: return "exception";
	}
}

NORETURN void privuser_die(const struct trapframe *tf, const char *what)
{
	const struct privuser *p = current_task->mm->priv;

	if (p != NULL && tf->rip >= p->base && tf->rip < p->code_end)
		user_log("%s (pid %d, thread %d) died in PrivUser: %s at 0x%lx", current->comm,
			 current_task->pid, current->tid, what, (unsigned long)tf->rip);
	else
		user_log("%s (pid %d, thread %d) died in PrivUser: %s outside its code",
			 current->comm, current_task->pid, current->tid, what);
	task_exit_group(SIGSEGV);
}

/* ---- page faults ---- */

static bool is_guard(const struct privuser *p, uint64_t addr)
{
	return addr >= p->stacks && addr < p->end && (addr - p->stacks) % p->stack_len < PAGE_SIZE;
}

/*
 * PrivUser's own pages come when they are touched. Others are ring 3's: for data, and only where
 * PrivUser has said so by AC (priv_copy_in, priv_copy_out).
 */
static enum fault_result serve(struct privuser *p, const struct trapframe *tf, uint64_t addr)
{
	struct aspace *a = current_task->mm;

	if (addr >= p->base && addr < p->end)
		return is_guard(p, addr) ? FAULT_ACCERR
					 : aspace_priv_fault(a, addr, (uint32_t)tf->error);
	if (!(tf->rflags & RFLAGS_AC) || tf->error & PF_FETCH || addr >= PRIV_END)
		return FAULT_ACCERR;
	return aspace_fault(a, addr, (uint32_t)tf->error);
}

static void page_fault(struct privuser *p, struct trapframe *tf, uint64_t addr)
{
	switch (serve(p, tf, addr)) {
	case FAULT_OK: current->minflt++; return;
	case FAULT_NOMEM: task_out_of_memory(); return;
	default: break;
	}
	privuser_die(tf, is_guard(p, addr) ? "stack overflow" : exception_name(VEC_PF));
}

/* ---- back to ring 3 ---- */

static void clear_scratch(struct trapframe *tf)
{
	tf->rcx = tf->rdx = tf->rsi = tf->rdi = 0;
	tf->r8 = tf->r9 = tf->r10 = tf->r11 = 0;
}

/* The words that the Enter gate has kept: the caller in ring 3. */
static void take_caller(struct trapframe *tf)
{
	tf->rip = priv_gate[PRIV_GATE_RIP];
	tf->cs = priv_gate[PRIV_GATE_CS];
	tf->rsp = priv_gate[PRIV_GATE_RSP];
	tf->ss = priv_gate[PRIV_GATE_SS];
	BUG_ON((tf->cs & 3) != 3);
	tf->orig_rax = UINT64_MAX;
}

/*
 * The processor's four words lie above the copy, and are whole all the time: only a call from ring
 * 2 would overwrite them. rbx and rbp are the caller's at each instruction of this way.
 */
void privuser_refuse(struct trapframe *tf)
{
	const uint64_t *pushed = &priv_gate[PRIV_GATE_SS + 1];

	BUG_ON(priv_stack != 0);
	clear_scratch(tf);
	tf->rax = priv_error;
	tf->rip = pushed[0];
	tf->cs = pushed[1];
	tf->rsp = pushed[2];
	tf->ss = pushed[3];
	tf->rflags = RFLAGS_ALWAYS;
	tf->orig_rax = UINT64_MAX;
	BUG_ON((tf->cs & 3) != 3);
}

/* ---- system calls ---- */

static void system_call(struct privuser *p, struct trapframe *tf)
{
	uint32_t nr = (uint32_t)tf->rax;
	long r;

	if (nr == PRIVUSER_ABORT)
		privuser_die(tf, "abort");
	if (nr >= PRIVUSER_CALLS)
		r = E_NOSYS;
	else if (!(p->filter >> nr & 1))
		r = E_PERM;
	else
		r = privuser_call(p, tf);
	if (r <= E_RESTARTSYS && r >= E_RESTART_BLOCK)
		r = E_INTR; /* the signal is delivered when the thread is back in ring 3 */
	tf->rax = (uint32_t)r;
}

static void interrupt_call(struct privuser *p, struct trapframe *tf)
{
	if ((tf->cs & 3) == 2)
		system_call(p, tf);
	else if (tf->rip == (uint64_t)nk_priv_left)
		take_caller(tf);
	else
		privuser_die(tf, "call from the gates");
}

/*
 * With the protection switched off PrivUser's stack is ring 3's, and SMAP keeps the Enter gate off
 * it: the first argument that it stores brings us here, and we do the rest of its work.
 */
static void enter_off(struct trapframe *tf)
{
	const uint64_t slots[] = { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9 };

	if (user_out(UADDR(priv_stack), slots, sizeof(slots)) != OK)
		privuser_die(tf, "no stack");
	tf->rip = priv_entry;
	tf->cs = priv_cs;
	tf->rsp = priv_stack;
	tf->ss = priv_ss;
	if (tf->rax >> 32 != 0)
		tf->rax = 0; /* no number: the entry point refuses it */
}

/*
 * Ring 3 came with TF set, in order to follow PrivUser's steps, or a debugger watches an address in
 * it: nobody hears of it.
 */
static void debug_exception(struct trapframe *tf)
{
	tf->rflags = (tf->rflags & ~RFLAGS_TF) | RFLAGS_RF;
	if (trap_hooks.debug_in_kernel != NULL)
		(void)trap_hooks.debug_in_kernel();
}

void privuser_trap(struct trapframe *tf, uint64_t addr)
{
	struct privuser *p = current != NULL && current_task->mm != NULL ? current_task->mm->priv
									 : NULL;

	if (p == NULL)
		panic_trap(tf, "trap from ring %u without PrivUser", (unsigned)(tf->cs & 3));
	switch (tf->vector) {
	case VEC_PRIVUSER: interrupt_call(p, tf); return;
	case VEC_PF:
		if (!p->isolated && (tf->cs & 3) == 1)
			enter_off(tf);
		else
			page_fault(p, tf, addr);
		return;
	case VEC_DB: debug_exception(tf); return;
	default: privuser_die(tf, exception_name(tf->vector));
	}
}

/* ---- with the protection switched off ---- */

bool privuser_serve_off(struct trapframe *tf)
{
	struct privuser *p = current_task->mm->priv;

	if (p == NULL || p->isolated || current->priv == NULL || tf->cs != SEL_UCODE32 ||
	    tf->vector != VEC_GP)
		return false;
	/* The processor's number, and QEMU's (7.2). */
	if (tf->error == VEC_PRIVUSER * 8 + 2 || tf->error == VEC_PRIVUSER * 16 + 2) {
		tf->rip += INT_LEN;
		system_call(p, tf);
		return true;
	}
	if (tf->error != (PRIVUSER_SEL_EXIT & ~3u))
		return false;
	tf->rax = (uint64_t)(int32_t)tf->rax;
	clear_scratch(tf);
	tf->rbp = priv_gate[PRIV_GATE_RBP];
	tf->rbx = priv_gate[PRIV_GATE_RBX];
	take_caller(tf);
	return true;
}

void privuser_check_lost(const struct trapframe *tf, uint64_t addr)
{
	const struct privuser *p = current_task->mm->priv;

	if (p != NULL && p->isolated && p->state == PRIVUSER_LOCKED && tf->cs == SEL_UCODE32 &&
	    addr == tf->rip && addr >= p->base && addr < p->end)
		privuser_die(tf, "SYSCALL instruction");
}
