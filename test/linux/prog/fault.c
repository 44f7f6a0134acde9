/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults as signals: number, code, address, and the context that the handler sees and may change.
 */
#include "test/linux/prog/check.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile siginfo_t info;
static volatile uintptr_t at_rip, trap_no, error_code, cr2;
static char *page, *expected;

static void on_fault(int sig UNUSED, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	memcpy((void *)&info, si, sizeof(info));
	at_rip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	trap_no = (uintptr_t)uc->uc_mcontext.gregs[REG_TRAPNO];
	error_code = (uintptr_t)uc->uc_mcontext.gregs[REG_ERR];
	cr2 = (uintptr_t)uc->uc_mcontext.gregs[REG_CR2];
	siglongjmp(back, 1);
}

static const char *code_name(int sig, int code)
{
	static const char *const segv[] = { "?", "MAPERR", "ACCERR" };
	static const char *const bus[] = { "?", "ADRALN", "ADRERR", "OBJERR" };
	static const char *const fpe[] = { "?",      "INTDIV", "INTOVF", "FLTDIV", "FLTOVF",
					   "FLTUND", "FLTRES", "FLTINV", "FLTSUB" };
	static const char *const ill[] = { "?", "ILLOPC", "ILLOPN" };
	static const char *const trap[] = { "?", "BRKPT", "TRACE" };
	static char number[32];

	if (code == SI_KERNEL)
		return "SI_KERNEL";
	if (sig == SIGSEGV && code > 0 && code < (int)COUNT(segv))
		return segv[code];
	if (sig == SIGBUS && code > 0 && code < (int)COUNT(bus))
		return bus[code];
	if (sig == SIGFPE && code > 0 && code < (int)COUNT(fpe))
		return fpe[code];
	if (sig == SIGILL && code > 0 && code < (int)COUNT(ill))
		return ill[code];
	if (sig == SIGTRAP && code > 0 && code < (int)COUNT(trap))
		return trap[code];
	snprintf(number, sizeof(number), "%d", code);
	return number;
}

static void catch_faults(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alt = { .ss_sp = malloc(65536), .ss_size = 65536 };

	MUST(sigaltstack(&alt, NULL));
	for (size_t i = 0; i < COUNT(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
	page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(page == MAP_FAILED ? -1 : 0);
}

static void say_fault(const char *name)
{
	say("%s: %s %s, trap %ld, error %#lx", name, signal_name(info.si_signo),
	    code_name(info.si_signo, info.si_code), (long)trap_no, (long)error_code);
}

/* Statements that fault; `expected` is the address that must be told. */
#define FAULT(name, ...)                                                    \
	do {                                                                \
		expected = NULL;                                            \
		if (sigsetjmp(back, 1) == 0) {                              \
			__VA_ARGS__;                                        \
			say("%s: no fault", name);                          \
		} else {                                                    \
			say_fault(name);                                    \
			if (expected != NULL)                               \
				YES("  address", info.si_addr == expected); \
		}                                                           \
	} while (0)

#define READ(p)                             \
	({                                  \
		expected = (char *)(p);     \
		*(volatile char *)expected; \
	})
#define WRITE(p)                                \
	({                                      \
		expected = (char *)(p);         \
		*(volatile char *)expected = 1; \
	})

static void memory(void)
{
	catch_faults();
	FAULT("read of NULL", READ(0));
	FAULT("read of address 8", READ(8));
	FAULT("write of address 4095", WRITE(4095));
	munmap(page + 4096, 4096);
	FAULT("read in a hole", READ(page + 4096 + 17));
	FAULT("write in a hole", WRITE(page + 4096 + 17));
	mprotect(page, 4096, PROT_READ);
	FAULT("write of a read-only page never touched", WRITE(page + 5));
	(void)*(volatile char *)page;
	FAULT("write of a read-only page", WRITE(page + 5));
	mprotect(page, 4096, PROT_NONE);
	FAULT("read of PROT_NONE", READ(page + 4095));
	FAULT("write of PROT_NONE", WRITE(page + 4095));
	FAULT("read of the last user page", READ(0x7fffffffe000));
	FAULT("read of the first page past the user's", READ(0x7ffffffff000));
	FAULT("non-canonical address", *(volatile char *)0x800000000000);
	FAULT("non-canonical address, high", *(volatile char *)0x8000000000000000);
	FAULT("kernel address", READ(0xffff800000000000));
	FAULT("last address", READ(~0ul));
	FAULT("write of a kernel address", WRITE(0xffffffff80000000));
	mprotect(page, 4096, PROT_READ);
	FAULT("read across into a hole", {
		expected = page + 4096;
		(void)*(volatile long *)(page + 4096 - 4);
	});
}

static void code_pages(void)
{
	char *p;

	catch_faults();
	p = page + 2 * 4096;
	p[0] = (char)0xc3;
	FAULT("call of data", {
		expected = p;
		((void (*)(void))p)();
	});
	YES("RIP", at_rip == (uintptr_t)p);
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	FAULT("call of code", ((void (*)(void))p)());
	munmap(page + 4096, 4096);
	FAULT("call of a hole", {
		expected = page + 4096 + 3;
		((void (*)(void))(page + 4096 + 3))();
	});
	YES("RIP", at_rip == (uintptr_t)page + 4096 + 3);
	FAULT("call of NULL", {
		void (*volatile nowhere)(void) = NULL; /* a compiler may leave out a call of 0 */

		nowhere();
	});
	VAL("RIP", at_rip);
	FAULT("jump to a kernel address", {
		expected = (char *)0xffffffff80000000;
		((void (*)(void))0xffffffff80000000)();
	});
	FAULT("jump to a non-canonical address", ((void (*)(void))0x1234567812345678)());
}

static void bus(void)
{
	int fd = MUST(open("file", O_RDWR | O_CREAT, 0644));
	char *p;

	catch_faults();
	MUST(ftruncate(fd, 4096 + 100));
	p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[4096 + 99] = 'x';
	FAULT("write behind the end on the last page", p[4096 + 200] = 'y');
	VAL("stays there", p[4096 + 200]);
	FAULT("read of a page behind the end", READ(p + 2 * 4096 + 7));
	FAULT("write of a page behind the end", WRITE(p + 3 * 4096));
	MUST(ftruncate(fd, 100));
	FAULT("read after truncation", READ(p + 4096));
	MUST(ftruncate(fd, 4 * 4096));
	FAULT("read after growth", READ(p + 4096));
	VAL("is zero", p[4096 + 99]);
	munmap(p, 4 * 4096);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	p[0] = 1;
	MUST(ftruncate(fd, 0));
	FAULT("private page after truncation", READ(p));
	FAULT("private page never touched", READ(p + 4096));
}

/* The address of the faulting instruction, which RUN notes. */
static volatile uintptr_t where;

#define RUN(text)                                                        \
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0\n1: " text \
			 : "=m"(where)::"rax", "rcx", "rdx", "cc", "memory")

static void instructions(void)
{
	catch_faults();
	FAULT("ud2", RUN("ud2"));
	YES("  address is the instruction's", (uintptr_t)info.si_addr == where && at_rip == where);
	FAULT("int3", RUN("int3"));
	YES("  RIP is behind it", at_rip == where + 1);
	VAL("  address", (uintptr_t)info.si_addr == 0);
	FAULT("int 3 in two bytes", RUN(".byte 0xcd, 3"));
	YES("  RIP is behind it", at_rip == where + 2);
	FAULT("hlt", RUN("hlt"));
	YES("  RIP", at_rip == where && info.si_addr == NULL);
	FAULT("cli", RUN("cli"));
	FAULT("in", RUN("in $0x60, %%al"));
	FAULT("out", RUN("out %%al, $0x80"));
	FAULT("lgdt", RUN("lgdt (%%rsp)"));
	FAULT("mov to cr3", RUN("mov %%rax, %%cr3"));
	FAULT("mov from cr0", RUN("mov %%cr0, %%rax"));
	FAULT("wrmsr", RUN("wrmsr"));
	FAULT("rdmsr", RUN("rdmsr"));
	FAULT("invlpg", RUN("invlpg (%%rsp)"));
	FAULT("load of a null stack segment", RUN("xor %%eax, %%eax; mov %%eax, %%ss"));
	FAULT("load of a kernel segment", RUN("mov $0x10, %%eax; mov %%eax, %%ds"));
	FAULT("load of a segment beyond the table", RUN("mov $0xfff3, %%eax; mov %%eax, %%es"));
	FAULT("iret to nowhere", RUN("push $0; push $0; push $0; push $0; push $0; iretq"));
	FAULT("clac", RUN("clac"));
	FAULT("swapgs", RUN("swapgs"));
	FAULT("sysret", RUN("sysretq"));
}

static void arithmetic(void)
{
	volatile int zero = 0, most = INT_MIN, minus = -1;
	volatile double d = 0.0, one = 1.0;

	catch_faults();
	FAULT("division by zero", most = most / zero);
	YES("  address is the instruction's", (uintptr_t)info.si_addr == at_rip);
	FAULT("overflow of a division", most = INT_MIN, most = most / minus);
	FAULT("floating division by zero is no fault", d = one / d);
	/*
	 * SSE exceptions and reserved bits of MXCSR are not tested: not every emulator raises them.
	 */
	FAULT("x87 division by zero", {
		unsigned short cw = 0x37b;

		__asm__ volatile(
			"fninit; fldcw %0; fld1; fldz; fdivrp; fwait; fstp %%st(0)" ::"m"(cw));
	});
	__asm__ volatile("fninit");
	FAULT("bound is no instruction", RUN(".byte 0x62, 0x00"));
}

static volatile int fixed;

static void on_fix(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	ucontext_t *uc = context;

	if (++fixed > 3)
		_exit(77);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	YES("  error bits in the context", (uc->uc_mcontext.gregs[REG_ERR] & 7) == 7);
}

static void on_skip(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

/* What the handler may do about it. */
static void handlers(void)
{
	struct sigaction sa = { .sa_sigaction = on_fix, .sa_flags = SA_SIGINFO };
	long rax = 0;
	sigset_t set;

	catch_faults();
	page[9] = 7;
	mprotect(page, 4096, PROT_READ);
	sigaction(SIGSEGV, &sa, NULL);
	page[9]++;
	VAL("handler made the page writable", page[9]);
	VAL("handler ran", fixed);
	sa.sa_sigaction = on_skip;
	sigaction(SIGILL, &sa, NULL);
	__asm__ volatile("ud2" : "=a"(rax) : "0"(0L));
	VAL("handler stepped over ud2 and set RAX", rax);
	say_status("fault while blocked", CHILD({
			   sigfillset(&set);
			   sigprocmask(SIG_SETMASK, &set, NULL);
			   *(volatile char *)8 = 1;
		   }));
	say_status("fault while ignored", CHILD({
			   signal(SIGSEGV, SIG_IGN);
			   *(volatile char *)8 = 1;
		   }));
	say_status("fault in the handler", CHILD({
			   catch_faults();
			   if (sigsetjmp(back, 1) == 0)
				   *(volatile char *)8 = 1;
			   signal(SIGSEGV, SIG_DFL);
			   *(volatile char *)8 = 1;
		   }));
	say_status("handler at a bad address", CHILD({
			   signal(SIGSEGV, (void (*)(int))0x10);
			   *(volatile char *)8 = 1;
		   }));
	say_status("bad stack pointer", CHILD({
			   __asm__ volatile("mov $16, %%rsp; push %%rax" ::: "memory");
		   }));
	say_status("by kill", CHILD({
			   catch_faults();
			   if (sigsetjmp(back, 1) == 0)
				   kill(getpid(), SIGSEGV);
			   _exit(info.si_code == SI_USER ? 3 : 4);
		   }));
}

/* Error codes of system calls where a program of its own would fault. */
static void efault(void)
{
	int fd[2];
	char *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *hole;

	MUST(pipe(fd));
	munmap(ro + 4096, 4096);
	hole = ro + 4096;
	RET("write from a hole", write(fd[1], hole, 10));
	RET("write across into a hole", write(fd[1], hole - 6, 10));
	RET("write from NULL", write(fd[1], NULL, 1));
	RET("write of nothing from NULL", write(fd[1], NULL, 0));
	MUST(write(fd[1], "x", 1));
	RET("read into read-only memory", read(fd[0], ro, 1));
	RET("write from a kernel address", write(fd[1], (void *)0xffffffff80000000, 10));
	RET("write from a non-canonical address", write(fd[1], (void *)0x800000000000, 10));
	RET("write that wraps", write(fd[1], (void *)~0xful, 32));
	RET("huge write", write(fd[1], ro, ~0ul));
	RET("open in a hole", open(hole, O_RDONLY));
	ro = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(ro, '/', 4096);
	munmap(ro + 4096, 4096);
	RET("open of a path without end", open(ro + 4090, O_RDONLY));
	RET("stat into NULL", stat("/", NULL) ? -1 : 0);
	RET("pipe into NULL", syscall(SYS_pipe2, NULL, 0));
	RET("getcwd into NULL", syscall(SYS_getcwd, NULL, 100));
	RET("uname into NULL", syscall(SYS_uname, NULL));
	RET("times into NULL", syscall(SYS_times, NULL) != -1);
	RET("gettimeofday raw into NULL", syscall(SYS_gettimeofday, NULL, NULL));
	RET("clock_gettime raw into NULL", syscall(SYS_clock_gettime, 0, NULL));
	RET("clock_gettime raw into read-only", syscall(SYS_clock_gettime, 0, ({
								mprotect(ro, 4096, PROT_READ);
								ro;
							})));
}

static const struct section sections[] = {
	{ "memory", memory },
	{ "code_pages", code_pages },
	{ "bus", bus },
	{ "instructions", instructions },
	{ "arithmetic", arithmetic },
	{ "handlers", handlers },
	{ "efault", efault },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
