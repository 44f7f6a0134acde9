/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a core's kernel, with a report on COM1. On core 0 the machine ends with it. */
#include "kernel/core/local.h"

#include "base/fmt.h"
#include "kernel/core/symtab.h"
#include "kernel/x86/x86.h"

#define BACKTRACE_MAX 24
#define KERNEL_HALF   0xffff800000000000ull

const char *(*panic_describe)(void);

static unsigned depth; /* of panics within the report of a panic */
static char cause[256];

static const char *const exception_name[] = {
	[0] = "divide error",
	[1] = "debug",
	[2] = "NMI",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound",
	[6] = "invalid opcode",
	[7] = "no FPU",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack fault",
	[13] = "general protection",
	[14] = "page fault",
	[16] = "x87 error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "SIMD error",
	[21] = "control protection",
};

static void print_address(const char *what, uint64_t addr)
{
	uint64_t offset;
	const char *name = symbol_lookup(addr, &offset);

	if (name != NULL)
		log_raw("%s%016llx %s+%#llx\n", what, (unsigned long long)addr, name,
			(unsigned long long)offset);
	else
		log_raw("%s%016llx\n", what, (unsigned long long)addr);
}

struct walk {
	uint64_t rip, rbp;
};

/* Follow frame pointers. A broken chain may fault: runs under x86_try. */
static void backtrace(void *arg)
{
	const struct walk *w = arg;
	uint64_t rbp = w->rbp;

	log_raw("backtrace:\n");
	print_address("  ", w->rip);
	for (unsigned i = 0; i < BACKTRACE_MAX && rbp >= KERNEL_HALF && rbp % 8 == 0; i++) {
		const uint64_t *frame = (const uint64_t *)rbp;
		uint64_t next = frame[0];

		if (frame[1] < KERNEL_HALF)
			return;
		print_address("  ", frame[1]);
		if (next <= rbp)
			return;
		rbp = next;
	}
}

static void print_thread(void *arg)
{
	(void)arg;
	log_raw("thread: %s\n", panic_describe != NULL ? panic_describe() : "none");
}

static void print_events(void *arg)
{
	(void)arg;
	trace_print();
}

static void print_registers(const struct trapframe *tf)
{
#define P(name) #name " %016llx "
#define V(name) (unsigned long long)tf->name
	log_raw(P(rax) P(rbx) P(rcx) P(rdx) "\n", V(rax), V(rbx), V(rcx), V(rdx));
	log_raw(P(rsi) P(rdi) P(rbp) P(rsp) "\n", V(rsi), V(rdi), V(rbp), V(rsp));
	log_raw(P(r8) " " P(r9) " " P(r10) P(r11) "\n", V(r8), V(r9), V(r10), V(r11));
	log_raw(P(r12) P(r13) P(r14) P(r15) "\n", V(r12), V(r13), V(r14), V(r15));
	log_raw(P(rip) "cs %llx ss %llx rflags %llx vector %llu error %llx\n", V(rip), V(cs), V(ss),
		V(rflags), V(vector), V(error));
#undef P
#undef V
}

static NORETURN void stop_core(void)
{
	if (boot_info.core == 0)
		power_off(BOOT_EXIT_PANIC);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static NORETURN void report(const struct trapframe *tf, const struct walk *from)
{
	struct x86_fault fault;

	switch (depth++) {
	case 0: break;
	case 1: log_raw("\nPANIC within the report: %s\n", cause); stop_core();
	default: /* printing itself is what fails */ stop_core();
	}
	log_raw("\nPANIC core %u: %s\n", boot_info.core, cause);
	x86_try(print_thread, NULL, &fault);
	if (tf != NULL)
		print_registers(tf);
	x86_try(backtrace, (void *)from, &fault);
	x86_try(print_events, NULL, &fault);
	log_raw("end of report\n");
	cores_announce_down(tf != NULL ? tf->vector : UINT64_MAX);
	stop_core();
}

void panic(const char *fmt, ...)
{
	va_list args;
	struct walk from = { (uint64_t)__builtin_return_address(0),
			     *(uint64_t *)__builtin_frame_address(0) };

	va_start(args, fmt);
	fmt_vsnprintf(cause, sizeof(cause), fmt, args);
	va_end(args);
	report(NULL, &from);
}

void panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
	va_list args;
	struct walk from = { tf->rip, tf->rbp };

	va_start(args, fmt);
	fmt_vsnprintf(cause, sizeof(cause), fmt, args);
	va_end(args);
	report(tf, &from);
}

static void on_kernel_fault(struct trapframe *tf, uint64_t addr)
{
	const char *name = tf->vector < ARRAY_SIZE(exception_name) ? exception_name[tf->vector]
								   : NULL;

	if (name == NULL)
		name = "exception";
	if (kstack_is_guard(tf->vector == 14 ? addr : tf->rsp))
		panic_trap(tf, "kernel stack overflow (%s)", name);
	if (tf->vector == 14)
		panic_trap(tf, "%s in the kernel, address %#llx (%s)", name,
			   (unsigned long long)addr,
			   tf->error & PF_FETCH   ? "fetch"
			   : tf->error & PF_WRITE ? "write"
						  : "read");
	panic_trap(tf, "%s in the kernel, error code %#llx", name, (unsigned long long)tf->error);
}

void panic_init(void)
{
	trap_hooks.kernel_fault = on_kernel_fault;
}
