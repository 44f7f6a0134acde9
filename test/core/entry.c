/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that tries to come into the kernel, and back, in ways that compilers never make. TAP.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t got_signal;
static volatile uint64_t got_address;
static unsigned tests;

static void ok(int good, const char *name)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++tests, name);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = sig;
	got_address = (uint64_t)info->si_addr;
	siglongjmp(back, 1);
}

/* Run `code`; leaves the signal it ended with (0: none) in got_signal. */
#define TRY_CODE(code)                         \
	do {                                   \
		got_signal = 0;                \
		if (sigsetjmp(back, 1) == 0) { \
			code;                  \
		}                              \
	} while (0)

static void jump_to(uint64_t where)
{
	__asm__ volatile("jmp *%0" ::"r"(where));
}

static void syscall_before(uint64_t stack)
{
	/* getpid with a stack pointer that is no address at all: the kernel must not use it */
	__asm__ volatile(
		"movq %%rsp, %%rbx; movq %0, %%rsp; movl $39, %%eax; syscall; movq %%rbx, %%rsp"
		:
		: "r"(stack)
		: "rax", "rbx", "rcx", "r11", "memory");
}

static uint64_t syscall_with_flags(uint64_t flags)
{
	uint64_t after;

	__asm__ volatile(
		"pushfq; orq %1, (%%rsp); popfq; movl $39, %%eax; syscall; pushfq; popq %0; "
		"pushq %0; andq $~0x44400, (%%rsp); popfq"
		: "=r"(after)
		: "r"(flags)
		: "rax", "rcx", "r11", "memory", "cc");
	return after;
}

static int registers_survive(void)
{
	uint64_t r[8];

	__asm__ volatile(
		"movq $11, %%rbx; movq $12, %%r12; movq $13, %%r13; movq $14, %%r14; movq $15, %%r15;"
		"movq $8, %%r8; movq $9, %%r9; movq $10, %%r10; movl $110, %%eax; syscall;"
		"movq %%rbx, 0(%0); movq %%r12, 8(%0); movq %%r13, 16(%0); movq %%r14, 24(%0);"
		"movq %%r15, 32(%0); movq %%r8, 40(%0); movq %%r9, 48(%0); movq %%r10, 56(%0)"
		:
		: "D"(r)
		: "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "memory");
	return r[0] == 11 && r[1] == 12 && r[2] == 13 && r[3] == 14 && r[4] == 15 && r[5] == 8 &&
	       r[6] == 9 && r[7] == 10;
}

/* A signal handler that changes where the program goes on. */
static void (*edit)(ucontext_t *);

static void on_usr1(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	edit(context);
}

static void rip_not_canonical(ucontext_t *u)
{
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000ull;
}

static void rip_at_the_edge(ucontext_t *u)
{
	u->uc_mcontext.gregs[REG_RIP] = 0x7fffffffffff;
}

static void rip_in_the_kernel(ucontext_t *u)
{
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)0xffffffff80100000ull;
}

static void cs_of_the_kernel(ucontext_t *u)
{
	/* cs, gs, fs, ss as 16 bits each */
	u->uc_mcontext.gregs[REG_CSGSFS] = 0x0010000000000008;
}

static void flags_of_the_kernel(ucontext_t *u)
{
	u->uc_mcontext.gregs[REG_EFL] = 0x3002; /* IOPL 3, interrupts off */
}

static uint64_t flags_now(void)
{
	uint64_t f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f));
	return f;
}

static void with_edited_context(void (*how)(ucontext_t *))
{
	edit = how;
	raise(SIGUSR1);
}

/* 32-bit code in low memory: a system call from there, then back to 64-bit code. */
static int compat_syscall(void)
{
	/* mov $20, %eax (getpid in the 32-bit table); syscall; ljmp $cs, $0x10000100 */
	static const uint8_t code[] = {
		0xb8, 0x14, 0, 0, 0, 0x0f, 0x05, 0xea, 0, 1, 0, 0x10, 0, 0
	};
	uint8_t *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	static struct {
		uint32_t off;
		uint16_t sel;
	} __attribute__((packed)) to = { 0x10000000, 0 };
	static uint64_t saved_rsp;
	uint16_t cs;
	int32_t result;

	if (low == MAP_FAILED)
		return 0;
	__asm__ volatile("movw %%cs, %0" : "=r"(cs));
	to.sel = cs == 0x2b ? 0x1b : 0x23; /* ours and Linux's 32-bit code segment */
	memcpy(low, code, sizeof(code));
	memcpy(low + 12, &cs, sizeof(cs));
	low[0x100] = 0xff; /* jmp *%rbx */
	low[0x101] = 0xe3;
	/* Only memory is sure to be as it was: such a call need not keep the upper registers. */
	__asm__ volatile(
		"movq %%rsp, %2; leaq 1f(%%rip), %%rbx; movl $0x10000800, %%esp; ljmp *%1; "
		"1: movq %2, %%rsp"
		: "=a"(result), "+m"(to), "+m"(saved_rsp)
		:
		: "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
	munmap(low, 4096);
	return result == -ENOSYS || result > 0; /* Linux has the 32-bit call */
}

static void traps(void)
{
	TRY_CODE(__asm__ volatile("int3"));
	ok(got_signal == SIGTRAP, "int3 is SIGTRAP");
	TRY_CODE(__asm__ volatile("ud2"));
	ok(got_signal == SIGILL, "an invalid instruction is SIGILL");
	TRY_CODE(__asm__ volatile("int $14"));
	ok(got_signal == SIGSEGV, "int $14 is no page fault");
	TRY_CODE(__asm__ volatile("int $0x40"));
	ok(got_signal == SIGSEGV, "int of the timer's vector is refused");
	TRY_CODE(__asm__ volatile("hlt"));
	ok(got_signal == SIGSEGV, "hlt is SIGSEGV");
	TRY_CODE(__asm__ volatile("cli"));
	ok(got_signal == SIGSEGV, "cli is SIGSEGV");
	TRY_CODE(__asm__ volatile("outb %%al, $0xf4" ::"a"(0)));
	ok(got_signal == SIGSEGV, "port output is SIGSEGV");
	TRY_CODE(__asm__ volatile("divl %0" ::"r"(0), "a"(1), "d"(0)));
	ok(got_signal == SIGFPE, "division by zero is SIGFPE");
	TRY_CODE(*(volatile uint64_t *)0xffffffff80100000ull = 1);
	ok(got_signal == SIGSEGV, "the kernel's memory cannot be written");
	TRY_CODE((void)*(volatile uint64_t *)0xffff800000000000ull);
	ok(got_signal == SIGSEGV, "the kernel's memory cannot be read");
	TRY_CODE(*(volatile int *)0x1234 = 1);
	ok(got_signal == SIGSEGV && got_address == 0x1234, "a fault tells its address");
	TRY_CODE(jump_to(0x8000000000000000ull));
	ok(got_signal == SIGSEGV, "a jump to a non-canonical address is SIGSEGV");
	TRY_CODE(jump_to(0xffffffff80100000ull));
	ok(got_signal == SIGSEGV, "a jump into the kernel is SIGSEGV");
}

static void contexts(void)
{
	TRY_CODE(with_edited_context(rip_not_canonical));
	ok(got_signal == SIGSEGV, "signal return to a non-canonical address is SIGSEGV");
	TRY_CODE(with_edited_context(rip_at_the_edge));
	ok(got_signal == SIGSEGV, "signal return to the last address is SIGSEGV");
	TRY_CODE(with_edited_context(rip_in_the_kernel));
	ok(got_signal == SIGSEGV, "signal return into the kernel is SIGSEGV");
	TRY_CODE(with_edited_context(cs_of_the_kernel); got_signal = -1);
	ok(got_signal == SIGSEGV || got_signal == -1,
	   "signal return with a kernel segment stays outside");
	uint16_t cs;

	__asm__ volatile("movw %%cs, %0" : "=r"(cs));
	ok((cs & 3) == 3, "and leaves the program in ring 3");
	TRY_CODE(with_edited_context(flags_of_the_kernel));
	ok((flags_now() & 0x3200) == 0x200, "IOPL and IF cannot be set by signal return");
}

int main(void)
{
	struct sigaction fatal = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction usr1 = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };
	static uint8_t stack[65536];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaltstack(&alt, NULL);
	fatal.sa_flags |= SA_ONSTACK;
	sigaction(SIGSEGV, &fatal, NULL);
	sigaction(SIGILL, &fatal, NULL);
	sigaction(SIGTRAP, &fatal, NULL);
	sigaction(SIGFPE, &fatal, NULL);
	sigaction(SIGBUS, &fatal, NULL);
	sigaction(SIGUSR1, &usr1, NULL);

	traps();
	ok(registers_survive(), "a system call leaves the registers alone");
	TRY_CODE(syscall_before(0x8000000000000000ull));
	ok(got_signal == 0, "a system call works with any stack pointer");
	ok(syscall_with_flags(0x400) & 0x400, "the direction flag survives a system call");
	ok(syscall_with_flags(0x40000) & 0x40000, "the AC flag survives a system call");
	ok(syscall_with_flags(0x4000) & 0x4000, "the NT flag survives a system call");
	contexts();
	volatile int answered = 0;

	TRY_CODE(answered = compat_syscall());
	ok(answered, "a system call from 32-bit code is answered");
	ok(getpid() > 0, "and the program goes on");
	printf("1..%u\n", tests);
	return 0;
}
