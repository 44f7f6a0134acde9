/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trap is, and who handles it. */
#include "kernel/x86/frame.h"
#include "kernel/x86/local.h"

_Static_assert(offsetof(struct trapframe, r11) == TF_R11, "frame.h");
_Static_assert(offsetof(struct trapframe, r10) == TF_R10, "frame.h");
_Static_assert(offsetof(struct trapframe, rax) == TF_RAX, "frame.h");
_Static_assert(offsetof(struct trapframe, rcx) == TF_RCX, "frame.h");
_Static_assert(offsetof(struct trapframe, orig_rax) == TF_ORIG_RAX, "frame.h");
_Static_assert(offsetof(struct trapframe, rip) == TF_RIP, "frame.h");
_Static_assert(offsetof(struct trapframe, cs) == TF_CS, "frame.h");
_Static_assert(offsetof(struct trapframe, rflags) == TF_RFLAGS, "frame.h");
_Static_assert(offsetof(struct trapframe, rsp) == TF_RSP, "frame.h");
_Static_assert(sizeof(struct trapframe) == TF_SIZE, "frame.h");
_Static_assert(TRAP_SYSCALL == TRAP_SYSCALL_VECTOR, "frame.h");
_Static_assert(USER_WORK_SPECIAL == USER_WORK_SPECIAL_BIT, "frame.h");

#define VEC_DEBUG      1
#define VEC_PAGE_FAULT 14
#define VEC_EXCEPTIONS 32
#define RFLAGS_AC      (1ull << 18)

struct trap_hooks trap_hooks;

/* Pairs that entry.S and usercopy.S made: an instruction that may fault, and where to go on. */
struct extable_entry {
	uint64_t at, fixup;
};
extern const struct extable_entry extable_start[], extable_end[]; /* linker script */

static bool try_active;
static struct x86_fault try_fault;

bool x86_try_call(void (*fn)(void *), void *arg);
void x86_try_abort(void);

void trap_init(void)
{
	x86_smap = boot_info.cpu.smap;
	irq_init();
}

static uint64_t read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr2, %0" : "=r"(v));
	return v;
}

static uint64_t extable_find(uint64_t rip)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++)
		if (e->at == rip)
			return e->fixup;
	return 0;
}

static bool page_fault_served(struct trapframe *tf, uint64_t addr)
{
	return addr < USER_END && trap_hooks.page_fault != NULL &&
	       trap_hooks.page_fault(tf, addr, (uint32_t)tf->error);
}

uint64_t trap_count_timer, trap_count_ipi;

static void interrupt(uint64_t vector)
{
	switch (vector) {
	case VEC_SPURIOUS: return; /* not in service: no EOI */
	case VEC_TIMER:
		apic_eoi();
		trap_count_timer++;
		timer_interrupt();
		return;
	case VEC_IPI:
		apic_eoi();
		trap_count_ipi++;
		if (trap_hooks.ipi != NULL)
			trap_hooks.ipi();
		return;
	default: apic_eoi(); irq_dispatch((uint8_t)vector);
	}
}

/* From PrivUser or its gates: exceptions and system calls are not a program's. */
static void trap_from_inner(struct trapframe *tf)
{
	if (tf->vector >= VEC_EXCEPTIONS && tf->vector != VEC_PRIVUSER)
		interrupt(tf->vector);
	else if (trap_hooks.privuser != NULL)
		trap_hooks.privuser(tf, tf->vector == VEC_PAGE_FAULT ? read_cr2() : 0);
	else
		kernel_fault(tf, 0);
}

/* Called by entry.S with the frame at the top of the thread's kernel stack. */
void trap_from_user(struct trapframe *tf)
{
	if (__builtin_expect((tf->cs & 3) != 3, 0)) {
		trap_from_inner(tf);
		return;
	}
	if (tf->vector >= VEC_EXCEPTIONS) {
		interrupt(tf->vector);
		return;
	}
	uint64_t addr = tf->vector == VEC_PAGE_FAULT ? read_cr2() : 0;

	if (tf->vector == VEC_PAGE_FAULT && page_fault_served(tf, addr))
		return;
	if (trap_hooks.user_exception == NULL)
		kernel_fault(tf, addr);
	trap_hooks.user_exception(tf, addr);
}

/* Called by entry.S: a trap in the kernel itself, the frame is on the interrupted stack. */
void trap_from_kernel(struct trapframe *tf)
{
	if (tf->vector >= VEC_EXCEPTIONS) {
		interrupt(tf->vector);
		return;
	}
	/*
	 * A program's watchpoint on memory that the kernel copies to or from: as on Linux, no hit.
	 */
	if (tf->vector == VEC_DEBUG && trap_hooks.debug_in_kernel != NULL &&
	    trap_hooks.debug_in_kernel())
		return;
	uint64_t addr = tf->vector == VEC_PAGE_FAULT ? read_cr2() : 0;
	uint64_t fixup = extable_find(tf->rip);

	/* A user copy that faults on its kernel side is no user's fault. */
	if (fixup != 0 && addr < USER_END) {
		if (tf->vector != VEC_PAGE_FAULT || !page_fault_served(tf, addr))
			tf->rip = fixup;
		return;
	}
	if (!try_active)
		kernel_fault(tf, addr);
	try_active = false;
	try_fault = (struct x86_fault){ tf->vector, tf->error, addr, tf->rip };
	tf->rflags &= ~RFLAGS_AC;
	tf->rip = (uint64_t)x86_try_abort;
}

void kernel_fault(struct trapframe *tf, uint64_t addr)
{
	if (trap_hooks.kernel_fault != NULL)
		trap_hooks.kernel_fault(tf, addr);
	for (;;)
		__asm__ volatile("cli; hlt");
}

bool x86_try(void (*fn)(void *), void *arg, struct x86_fault *fault)
{
	try_active = true;
	bool trapped = x86_try_call(fn, arg);

	try_active = false;
	if (trapped && fault != NULL)
		*fault = try_fault;
	return trapped;
}

uint64_t x86_prepare_stack(uint64_t top, void (*entry)(void))
{
	uint64_t *sp = (uint64_t *)top;

	*--sp = 0;               /* no caller: ends a backtrace */
	*--sp = (uint64_t)entry; /* where x86_switch_stack returns to */
	for (unsigned i = 0; i < 6; i++)
		*--sp = 0; /* rbp, rbx, r12 to r15 */
	return (uint64_t)sp;
}
