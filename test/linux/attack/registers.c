/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers and flags that a program may not have, by sigreturn, by popf, by far jumps; privileged
 * instructions.
 */
#include "test/linux/attack/attack.h"

static void (*volatile change)(mcontext_t *);

static void on_usr1(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	change(&((ucontext_t *)context)->uc_mcontext);
}

static void rip_noncanonical(mcontext_t *m)
{
	m->gregs[REG_RIP] = (greg_t)NON_CANONICAL;
}
static void rip_high(mcontext_t *m)
{
	m->gregs[REG_RIP] = (greg_t)0x1234567890abcdefull;
}
static void rip_kernel(mcontext_t *m)
{
	m->gregs[REG_RIP] = (greg_t)KERNEL_IMAGE;
}
static void rip_last(mcontext_t *m)
{
	m->gregs[REG_RIP] = (greg_t)USER_TOP - 1;
}
static void rsp_noncanonical(mcontext_t *m)
{
	m->gregs[REG_RSP] = (greg_t)NON_CANONICAL;
}
static void rsp_kernel(mcontext_t *m)
{
	m->gregs[REG_RSP] = (greg_t)KERNEL_IMAGE + 0x1000;
}
static void rsp_zero(mcontext_t *m)
{
	m->gregs[REG_RSP] = 0;
}

/* cs, gs, fs, ss are 16 bits each, from the lowest up. */
static void set_selectors(mcontext_t *m, unsigned cs, unsigned ss)
{
	m->gregs[REG_CSGSFS] = (greg_t)((m->gregs[REG_CSGSFS] & 0x0000ffffffff0000ull) | cs |
					(uint64_t)ss << 48);
}
static void selectors_kernel(mcontext_t *m)
{
	set_selectors(m, 0x08, 0x10);
}
static void selectors_kernel_rpl3(mcontext_t *m)
{
	set_selectors(m, 0x0b, 0x13);
}
static void selectors_null(mcontext_t *m)
{
	set_selectors(m, 0, 0);
}
static void selectors_far(mcontext_t *m)
{
	set_selectors(m, 0xfffb, 0xfffb);
}
static void selectors_swapped(mcontext_t *m)
{
	set_selectors(m, 0x2b, 0x33);
}
static void flags_iopl(mcontext_t *m)
{
	m->gregs[REG_EFL] |= 0x3000;
}
static void flags_all(mcontext_t *m)
{
	m->gregs[REG_EFL] = (greg_t)~0x100ull;
}
static void flags_none(mcontext_t *m)
{
	m->gregs[REG_EFL] = 0;
}
static void flags_nt(mcontext_t *m)
{
	m->gregs[REG_EFL] |= 0x4000;
}
static void flags_vm(mcontext_t *m)
{
	m->gregs[REG_EFL] |= 0x20000;
}
static void fpu_bad(mcontext_t *m)
{
	m->fpregs = (void *)KERNEL_IMAGE;
}
static void fpu_unaligned(mcontext_t *m)
{
	m->fpregs = (void *)((char *)m->fpregs + 1);
}
static void fpu_garbage(mcontext_t *m)
{
	memset(m->fpregs, 0xff, 512);
}
static void fpu_mxcsr(mcontext_t *m)
{
	((uint32_t *)m->fpregs)[6] = 0xffffffff;
}
static void fpu_none(mcontext_t *m)
{
	m->fpregs = NULL;
}

static void through_sigreturn(void)
{
	static const struct {
		const char *name;
		void (*change)(mcontext_t *);
		int sig; /* -1: any end but a hang */
	} tries[] = {
		{ "non-canonical RIP", rip_noncanonical, SIGSEGV },
		{ "high RIP", rip_high, SIGSEGV },
		{ "kernel's RIP", rip_kernel, SIGSEGV },
		{ "last RIP", rip_last, SIGSEGV },
		{ "non-canonical RSP", rsp_noncanonical, -1 },
		{ "kernel's RSP", rsp_kernel, SIGSEGV },
		{ "RSP 0", rsp_zero, SIGSEGV },
		{ "kernel's selectors", selectors_kernel, -1 },
		{ "kernel's selectors with ring 3", selectors_kernel_rpl3, -1 },
		{ "null selectors", selectors_null, -1 },
		{ "selectors beyond the table", selectors_far, -1 },
		{ "data and code swapped", selectors_swapped, -1 },
		{ "IOPL 3", flags_iopl, -1 },
		{ "all flags", flags_all, -1 },
		{ "no flags", flags_none, 0 },
		{ "NT", flags_nt, -1 },
		{ "VM", flags_vm, -1 },
		{ "FPU state in the kernel", fpu_bad, -1 },
		{ "FPU state unaligned", fpu_unaligned, -1 },
		{ "FPU state all ones", fpu_garbage, -1 },
		{ "MXCSR all ones", fpu_mxcsr, -1 },
		{ "no FPU state", fpu_none, -1 },
	};
	struct sigaction sa = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &sa, NULL);
	for (size_t i = 0; i < COUNT(tries); i++) {
		int st = 0;
		pid_t pid = START({
			uint64_t flags;
			uint16_t cs;

			change = tries[i].change;
			raise(SIGUSR1);
			/* Whoever gets here is an ordinary program still. */
			__asm__ volatile("pushf; pop %0; mov %%cs, %1" : "=r"(flags), "=r"(cs));
			if ((flags & 0x3000) || !(flags & 0x200) || (cs & 3) != 3)
				_exit(66);
		});
		EXPECT(wait_or_kill(pid, 5000, &st), "%s: no end", tries[i].name);
		EXPECT(!WIFEXITED(st) || WEXITSTATUS(st) != 66, "%s: the program has got it",
		       tries[i].name);
		if (tries[i].sig >= 0)
			expect_signal(st, tries[i].sig, tries[i].name);
	}
	expect_alive("sigreturn");
	finish("sigreturn");
}

/* rt_sigreturn without a frame, with stacks of all kinds. */
static void without_frame(void)
{
	static const uint64_t stacks[] = { 0,
					   8,
					   PAGE,
					   USER_TOP - 8,
					   USER_TOP,
					   NON_CANONICAL - 8,
					   NON_CANONICAL,
					   KERNEL_LOW,
					   KERNEL_IMAGE,
					   ~0ull - 7 };
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	for (size_t i = 0; i < COUNT(stacks); i++) {
		int st = CHILD(__asm__ volatile(
			"mov %0, %%rsp; mov $15, %%eax; syscall" ::"r"(stacks[i])));

		expect_signal(st, SIGSEGV, "rt_sigreturn on a strange stack");
		st = CHILD(__asm__ volatile(
			"mov %0, %%rsp; mov $39, %%eax; syscall; mov $60, %%eax; xor %%edi, %%edi; syscall" ::
				"r"(stacks[i])));
		expect_signal(st, 0, "getpid on a strange stack");
		/* A signal that must be delivered on such a stack. */
		st = CHILD({
			signal(SIGALRM, (void (*)(int))1234);
			signal(SIGUSR1, (void (*)(int))finish);
			__asm__ volatile(
				"mov $39, %%eax; syscall; mov %%eax, %%edi; mov %0, %%rsp\n\t"
				"mov $10, %%esi; mov $62, %%eax; syscall; hlt" ::"r"(stacks[i])
				: "rax");
		});
		expect_signal(st, SIGSEGV, "signal on a strange stack");
	}
	for (int fill = 0; fill < 256; fill += 51) {
		memset(page, fill, 2 * PAGE);
		int st = 0;
		pid_t pid = START(__asm__ volatile(
			"mov %0, %%rsp; mov $15, %%eax; syscall; hlt" ::"r"(page + 1024)));

		EXPECT(wait_or_kill(pid, 5000, &st), "frame filled with %d", fill);
	}
	expect_alive("frames");
	finish("stacks");
}

/* Flags that a program can set itself, then system calls and interrupts. */
static void flags(void)
{
	static const uint64_t bits[] = { 0x4000, 0x40000, 0x400, 0x3000, 0x10000, 0x200000, 0x8d5 };

	for (size_t i = 0; i < COUNT(bits); i++) {
		int st = 0;
		pid_t pid = START({
			for (int k = 0; k < 1000; k++) {
				__asm__ volatile(
					"pushf; pop %%rcx; or %0, %%rcx; push %%rcx; popf\n\t"
					"mov $39, %%eax; syscall; mov $24, %%eax; syscall\n\t"
					"pushf; andq $~0x444000, (%%rsp); popf; cld"
					:
					: "r"(bits[i])
					: "rax", "rcx", "r11", "memory", "cc");
			}
			/* and in a loop that interrupts hit */
			int64_t end = now_ns(CLOCK_MONOTONIC) + 30000000;
			while (now_ns(CLOCK_MONOTONIC) < end)
				__asm__ volatile(
					"pushf; pop %%rcx; or %0, %%rcx; push %%rcx; popf\n\t"
					"mov $100000, %%ecx; 1: dec %%ecx; jnz 1b\n\t"
					"pushf; andq $~0x444000, (%%rsp); popf; cld"
					:
					: "r"(bits[i])
					: "rcx", "memory", "cc");
		});
		EXPECT(wait_or_kill(pid, 8000, &st), "flags %#lx: no end", (long)bits[i]);
		expect_signal(st, 0, "flags");
	}
	/* IF and IOPL cannot be changed by popf. */
	uint64_t after;
	__asm__ volatile("pushf; andq $~0x200, (%%rsp); orq $0x3000, (%%rsp); popf; pushf; pop %0"
			 : "=r"(after)::"cc");
	EXPECT((after & 0x3200) == 0x200, "popf: flags %#lx", (long)after);
	expect_alive("flags");
	finish("flags");
}

static volatile int steps;

static void on_trap(int sig UNUSED)
{
	steps++;
}

/* Single steps over everything that enters the kernel. */
static void stepping(void)
{
	signal(SIGTRAP, on_trap);
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf\n\t"
			 "nop; mov $39, %%eax; syscall; nop; mov $39, %%eax; syscall; nop\n\t"
			 "pushf; andq $~0x100, (%%rsp); popf" ::
				 : "rax", "rcx", "r11", "memory", "cc");
	EXPECT(steps >= 6 && steps < 100, "%d steps", steps);
	expect_signal(CHILD({
			      signal(SIGTRAP, SIG_DFL);
			      __asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop; nop" ::
						       : "memory", "cc");
		      }),
		      SIGTRAP, "trap flag");
	/* Loads of SS hold back the trap for one instruction. */
	steps = 0;
	__asm__ volatile("mov %%ss, %%ecx; pushf; orq $0x100, (%%rsp); popf\n\t"
			 "mov %%ecx, %%ss; mov $39, %%eax; mov %%ecx, %%ss; syscall; nop\n\t"
			 "pushf; andq $~0x100, (%%rsp); popf" ::
				 : "rax", "rcx", "r11", "memory", "cc");
	EXPECT(steps >= 2, "%d steps around SS", steps);
	/* A step over a call that forks, execs, sleeps. */
	expect_signal(CHILD({
			      signal(SIGTRAP, SIG_IGN);
			      __asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop" ::
						       : "memory", "cc");
		      }),
		      SIGTRAP, "trap flag with SIGTRAP ignored");
	expect_alive("stepping");
	finish("stepping");
}

#define TRY(name, sig, text) expect_signal(CHILD(__asm__ volatile(text)), sig, name)

static void privileged(void)
{
	TRY("lidt", SIGSEGV, "lidt (%rsp)");
	TRY("lgdt", SIGSEGV, "lgdt (%rsp)");
	TRY("lldt", SIGSEGV, "xor %eax, %eax; lldt %ax");
	TRY("ltr", SIGSEGV, "mov $0x40, %eax; ltr %ax");
	TRY("lmsw", SIGSEGV, "xor %eax, %eax; lmsw %ax");
	TRY("clts", SIGSEGV, "clts");
	TRY("invd", SIGSEGV, "invd");
	TRY("wbinvd", SIGSEGV, "wbinvd");
	TRY("mov to CR0", SIGSEGV, "xor %eax, %eax; mov %rax, %cr0");
	TRY("mov to CR3", SIGSEGV, "xor %eax, %eax; mov %rax, %cr3");
	TRY("mov to CR4", SIGSEGV, "xor %eax, %eax; mov %rax, %cr4");
	TRY("mov to CR8", SIGSEGV, "xor %eax, %eax; mov %rax, %cr8");
	TRY("mov from CR2", SIGSEGV, "mov %cr2, %rax");
	TRY("mov from CR3", SIGSEGV, "mov %cr3, %rax");
	TRY("mov to DR7", SIGSEGV, "xor %eax, %eax; mov %rax, %db7");
	TRY("mov from DR6", SIGSEGV, "mov %db6, %rax");
	TRY("wrmsr of EFER", SIGSEGV,
	    "mov $0xc0000080, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr");
	TRY("rdmsr of LSTAR", SIGSEGV, "mov $0xc0000082, %ecx; rdmsr");
	TRY("xsetbv", SIGSEGV, "xor %ecx, %ecx; mov $7, %eax; xor %edx, %edx; xsetbv");
	TRY("invlpg", SIGSEGV, "invlpg (%rsp)");
	TRY("swapgs", SIGSEGV, "swapgs");
	TRY("sysretq", SIGSEGV, "sysretq");
	TRY("hlt", SIGSEGV, "hlt");
	TRY("cli", SIGSEGV, "cli");
	TRY("sti", SIGSEGV, "sti");
	TRY("in", SIGSEGV, "in $0x60, %al");
	TRY("out to the debug exit", SIGSEGV, "mov $0xf4, %edx; xor %eax, %eax; out %eax, %dx");
	TRY("outsb", SIGSEGV, "mov $0x3f8, %edx; mov %rsp, %rsi; outsb");
	TRY("stac", SIGILL, "stac");
	TRY("clac", SIGILL, "clac");
	TRY("ud2", SIGILL, "ud2");
	TRY("int3", SIGTRAP, "int3");
	TRY("into is no instruction", SIGILL, ".byte 0xce");
	TRY("lock on a register", SIGILL, ".byte 0xf0, 0x90");
	TRY("16 prefixes", SIGSEGV, ".fill 16, 1, 0x66; nop");
	for (int v = 0; v < 256; v++) {
		static char code[256][4] __attribute__((aligned(4096)));

		if (v == 0)
			mprotect(code, sizeof(code), PROT_READ | PROT_WRITE | PROT_EXEC);
		code[v][0] = (char)0xcd;
		code[v][1] = (char)v;
		code[v][2] = (char)0xc3;
		int st = CHILD({
			struct itimerval it = { { 0, 0 }, { 3, 0 } };

			setitimer(ITIMER_REAL, &it, NULL);
			((void (*)(void))code[v])();
		});
		bool good = WIFSIGNALED(st) &&
			    (v == 3 ? WTERMSIG(st) == SIGTRAP : WTERMSIG(st) == SIGSEGV);
		/* int 4 is what INTO did; int 0x80 may be a system call of 32-bit programs. */
		EXPECT(good || v == 0x80 || v == 1, "int %#x: %#x", v, st);
	}
	expect_alive("privileged instructions");
	finish("privileged instructions");
}

struct far {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed));

/* 32-bit code in low memory: reached, if the table has such a segment, by a far call. */
static void compat(void)
{
	static const unsigned char code32[][16] = {
		{ 0xcd, 0x80, 0xcb }, /* int $0x80; lret */
		{ 0x0f, 0x05, 0xcb }, /* syscall */
		{ 0x0f, 0x34, 0xcb }, /* sysenter */
		{ 0xce, 0xcb },       /* into */
		{ 0xcc, 0xcb },       /* int3 */
		/* NT, then int $0x80 */
		{ 0x9c, 0x81, 0x0c, 0x24, 0, 0x40, 0, 0, 0x9d, 0xcd, 0x80, 0xcb },
		{ 0xf4 },                   /* hlt */
		{ 0x62, 0x04, 0x24, 0xcb }, /* bound */
	};
	char *low = mmap((void *)0x10000000, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	EXPECT(low != MAP_FAILED, "low memory");
	for (unsigned sel = 0; sel < 0x100; sel++)
		for (size_t i = 0; i < (sel == 0x23 || sel == 0x1b ? COUNT(code32) : 1); i++) {
			int st = 0;
			pid_t pid = START({
				struct far *f = (void *)(low + PAGE);

				alarm(3);
				memcpy(low, code32[i], 16);
				*f = (struct far){ (uint32_t)(uintptr_t)low, (uint16_t)sel };
				__asm__ volatile(
					"mov %0, %%rsp; mov $4, %%eax; mov $1, %%ebx; xor %%ecx, %%ecx; xor %%edx, %%edx\n\t"
					"lcall *(%1)" ::"r"(low + 3 * PAGE),
					"S"(f)
					: "rax", "rbx", "rcx", "rdx", "memory");
			});
			EXPECT(wait_or_kill(pid, 6000, &st), "far call to %#x: no end", sel);
		}
	/* Data segments of all kinds. */
	for (unsigned sel = 0; sel < 0x100; sel++) {
		int st = CHILD({
			alarm(3);
			__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%gs;"
					 "mov $39, %%eax; syscall" ::"r"(sel)
					 : "rax", "rcx", "r11", "memory");
		});
		EXPECT(WIFEXITED(st) || (WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV),
		       "data segment %#x", sel);
	}
	/* FS and GS with an own selector: bases change, the kernel's must not. */
	expect_signal(CHILD({
			      for (int i = 0; i < 1000; i++)
				      __asm__ volatile(
					      "mov %0, %%gs; mov $39, %%eax; syscall" ::"r"(
						      i & 1 ? 0x2b : 0)
					      : "rax", "rcx", "r11", "memory");
		      }),
		      0, "GS selector");
	expect_alive("segments");
	finish("segments");
}

/* Code at the very end of a program's memory: what comes after it is not a program's. */
static void edge(void)
{
	char *top = (char *)USER_TOP - PAGE;
	int st;

	EXPECT(mmap(top, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == top ||
		       errno == ENOMEM,
	       "mapping of the last page");
	EXPECT(mmap(top + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		       MAP_FAILED,
	       "a page behind the last");
	if (mprotect(top, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0) {
		memcpy(top + PAGE - 2, "\x0f\x05", 2);
		st = CHILD(__asm__ volatile("mov $39, %%eax; jmp *%0" ::"r"(top + PAGE - 2)
					    : "rax"));
		expect_signal(st, SIGSEGV, "syscall as the last instruction");
		memcpy(top + PAGE - 1, "\xcc", 1);
		st = CHILD({
			signal(SIGTRAP, SIG_IGN);
			__asm__ volatile("jmp *%0" ::"r"(top + PAGE - 1));
		});
		EXPECT(WIFSIGNALED(st), "int3 as the last instruction");
		memcpy(top + PAGE - 1, "\x90", 1);
		st = CHILD(__asm__ volatile("jmp *%0" ::"r"(top + PAGE - 1)));
		expect_signal(st, SIGSEGV, "nop as the last instruction");
		EXPECT(write(1, top + PAGE - 1, 2) == -1 && errno == EFAULT,
		       "write across the end");
		EXPECT(open(top + PAGE - 1, O_RDONLY) == -1, "path at the end");
	}
	finish("edge of memory");
}

/* Nothing of the kernel can be read or jumped to. */
static void kernel_memory(void)
{
	static const uint64_t at[] = { USER_TOP,
				       NON_CANONICAL - 1,
				       KERNEL_LOW,
				       0xffff888000000000ull,
				       0xffffc00000000000ull,
				       0xfffffe0000000000ull,
				       KERNEL_IMAGE,
				       KERNEL_IMAGE + 0x100000,
				       KERNEL_IMAGE + 0x200000,
				       0xffffffffff600000ull,
				       0xfffffffffffff000ull };
	int fd[2];

	MUST(pipe(fd));
	for (size_t i = 0; i < COUNT(at); i++) {
		expect_signal(CHILD((void)*(volatile char *)at[i]), SIGSEGV, "read");
		expect_signal(CHILD(*(volatile char *)at[i] = 1), SIGSEGV, "write");
		expect_signal(CHILD(((void (*)(void))at[i])()), SIGSEGV, "call");
		EXPECT(write(fd[1], (void *)at[i], 16) == -1 && errno == EFAULT, "write from %#lx",
		       (long)at[i]);
		EXPECT(munmap((void *)(at[i] & ~4095ull), PAGE) == -1, "munmap of %#lx",
		       (long)at[i]);
		EXPECT(mprotect((void *)(at[i] & ~4095ull), PAGE, PROT_READ) == -1,
		       "mprotect of %#lx", (long)at[i]);
		EXPECT(madvise((void *)(at[i] & ~4095ull), PAGE, MADV_DONTNEED) == -1,
		       "madvise of %#lx", (long)at[i]);
		EXPECT(mremap((void *)(at[i] & ~4095ull), PAGE, 2 * PAGE, MREMAP_MAYMOVE) ==
			       MAP_FAILED,
		       "mremap of %#lx", (long)at[i]);
	}
	finish("kernel's memory");
}

static const struct section sections[] = {
	{ "through_sigreturn", through_sigreturn },
	{ "without_frame", without_frame },
	{ "flags", flags },
	{ "stepping", stepping },
	{ "privileged", privileged },
	{ "compat", compat },
	{ "edge", edge },
	{ "kernel_memory", kernel_memory },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
