/* SPDX-License-Identifier: BSD-2-Clause */
/* The second half of a crash report: what the personality knows, in a few lines. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/aspace.h"
#include "kernel/mem/frame.h"
#include "kernel/task/task.h"

#define CALLS_SHOWN 12u
#define NULL_AREA   65536u
#define STACK_NEAR  65536u /* so far below its end an access still means the stack */

/* The last system calls, oldest first; of all processes of this core. */
static void print_calls(void)
{
	char text[256];
	size_t len = 0;

	for (unsigned i = CALLS_SHOWN; i > 0; i--) {
		unsigned nr = recent_calls[(uint8_t)(recent_calls_at - i)];
		const char *name = nr < SYSCALL_LIMIT ? syscall_table[nr].name : NULL;

		/* Number 0 is also what stands there before there were so many calls. */
		if (name != NULL && (nr != 0 || len > 0))
			len += (size_t)fmt_snprintf(text + len, sizeof(text) - len, " %s", name);
	}
	if (len > 0)
		user_log("  last calls:%s", text);
}

static void print_memory(void)
{
	struct mem_stats m;

	mem_stats(&m);
	user_log("  memory: %lu MiB of %lu free; the program has %lu KiB", m.free >> 20,
		 m.total >> 20, current_task->mm->pages_mapped << (PAGE_SHIFT - 10));
}

static bool is_below_stack(uint64_t addr, uint64_t rsp)
{
	const struct vma *v = aspace_find(current_task->mm, rsp);

	if (addr > rsp + STACK_NEAR || rsp > addr + STACK_NEAR)
		return false;
	return v == NULL || addr < v->start;
}

static const char *advice(int sig, const struct ksiginfo *info, const struct trapframe *tf)
{
	uint64_t addr = (uint64_t)info->si_addr;

	switch (sig) {
	case SIGSEGV:
		if (info->si_code <= 0)
			return "a process sent the signal, maybe the program itself";
		if (addr < NULL_AREA)
			return "a null pointer was followed";
		if (is_below_stack(addr, tf->rsp))
			return "the stack is full: endless recursion, or a limit that is too low "
			       "(ulimit -s)";
		if (info->si_code == SEGV_ACCERR)
			return "the memory is there, but not for this kind of access";
		return "nothing is mapped at the address: a bad pointer, or memory used after it "
		       "was given back";
	case SIGBUS: return "a mapped file is shorter than its mapping, or memory ran out";
	case SIGILL:
		return "an instruction that this processor does not know: was the program built "
		       "for a newer one?";
	case SIGFPE: return "a division by zero, or one whose result does not fit";
	case SIGABRT:
		return "the program ended itself (abort, a failed assertion): see its own messages";
	case SIGSYS: return "a system-call filter (seccomp) refused a call";
	case SIGTRAP: return "a breakpoint without a debugger";
	default: return NULL;
	}
}

void crash_context(int sig, const struct ksiginfo *info, const struct trapframe *tf)
{
	const char *why = advice(sig, info, tf);
	struct mem_stats m;

	print_calls();
	print_memory();
	if (why != NULL)
		user_log("  cause: %s", why);
	mem_stats(&m);
	user_log("  try: ringfence run --gdb (stop inside), --strace (all calls)%s%s",
		 missing_files_on ? "" : ", --missing-files (files that were not found)",
		 m.free < m.total / 16 ? ", more memory (-m)" : "");
}
