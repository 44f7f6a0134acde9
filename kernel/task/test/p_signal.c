/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: handlers and their frames, masks, alternate stacks, restarting, real-time queues,
 * default actions.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "p.h"

static volatile sig_atomic_t hits, last_sig, last_code, last_pid, last_value, on_stack;
static char altstack[65536];

static void handler(int sig, siginfo_t *info, void *ctx)
{
	char here;

	(void)ctx;
	hits++;
	last_sig = sig;
	last_code = info->si_code;
	last_pid = info->si_pid;
	last_value = info->si_value.sival_int;
	on_stack = &here >= altstack && &here < altstack + sizeof(altstack);
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&a.sa_mask);
	sigaction(sig, &a, NULL);
	hits = last_sig = 0;
}

static void basics(void)
{
	install(SIGUSR1, handler, 0);
	raise(SIGUSR1);
	OK(hits == 1 && last_sig == SIGUSR1 && last_code == SI_TKILL,
	   "raise calls the handler with SI_TKILL");
	kill(getpid(), SIGUSR1);
	OK(hits == 2 && last_code == SI_USER && last_pid == getpid(),
	   "kill gives SI_USER and the sender");
	install(SIGUSR1, handler, SA_RESETHAND);
	raise(SIGUSR1);
	struct sigaction a;
	sigaction(SIGUSR1, NULL, &a);
	OK(a.sa_handler == SIG_DFL, "SA_RESETHAND resets");
	OK(sigaction(SIGKILL, &a, NULL) == -1 && errno == EINVAL, "SIGKILL has no handler");
}

static void masks(void)
{
	sigset_t set, old, pending;

	install(SIGUSR2, handler, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR2);
	raise(SIGUSR2);
	sigpending(&pending);
	OK(hits == 0 && sigismember(&pending, SIGUSR2), "a blocked signal stays pending");
	sigprocmask(SIG_SETMASK, &old, NULL);
	OK(hits == 1, "a standard signal is delivered once");
}

static void realtime(void)
{
	sigset_t set, old;
	siginfo_t info;
	struct timespec zero = { 0, 0 };
	bool in_order = true;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i });
	for (int i = 0; i < 5; i++)
		if (sigwaitinfo(&set, &info) != SIGRTMIN + 1 || info.si_value.sival_int != i ||
		    info.si_code != SI_QUEUE)
			in_order = false;
	OK(in_order, "real-time signals queue in order");
	OK(sigtimedwait(&set, &info, &zero) == -1 && errno == EAGAIN, "sigtimedwait times out");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void frame(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	hits++;
	last_sig = sig;
	last_code = info->si_code;
	if (sig == SIGSEGV) {
		OK(info->si_addr == (void *)0x1234, "si_addr is the address");
		OK((uint64_t)uc->uc_mcontext.gregs[REG_CR2] == 0x1234, "cr2 in the frame");
		OK(uc->uc_mcontext.gregs[REG_TRAPNO] == 14, "trap number 14 in the frame");
		OK((uc->uc_mcontext.gregs[REG_ERR] & ~1) == 6,
		   "error code: a write by the program");
		uc->uc_mcontext.gregs[REG_RIP] += 3; /* over movb $1, (%rdi) */
		uc->uc_mcontext.gregs[REG_RBX] = 0x55aa;
	}
}

static void faults(void)
{
	uint64_t rbx = 0;

	install(SIGSEGV, frame, 0);
	__asm__ volatile("movq $0x1234, %%rdi; .byte 0xc6, 0x07, 0x01"
			 : "=b"(rbx)
			 :
			 : "rdi", "memory");
	OK(hits == 1 && last_code == SEGV_MAPERR, "SIGSEGV with SEGV_MAPERR");
	OK(rbx == 0x55aa, "registers changed in the frame come back");
}

static sigjmp_buf jump;

static void jumper(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	last_sig = sig;
	last_code = info->si_code;
	siglongjmp(jump, 1);
}

static void fault_kinds(void)
{
	int zero = 0;
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	install(SIGSEGV, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		*(volatile char *)ro = 1;
	OK(last_sig == SIGSEGV && last_code == SEGV_ACCERR,
	   "write to read-only memory: SEGV_ACCERR");
	install(SIGFPE, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("idivl %0" : : "m"(zero), "a"(1), "d"(0));
	OK(last_sig == SIGFPE && last_code == FPE_INTDIV, "division by zero: FPE_INTDIV");
	install(SIGILL, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("ud2");
	OK(last_sig == SIGILL && last_code == ILL_ILLOPN, "ud2: ILL_ILLOPN");
	install(SIGTRAP, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("int3");
	OK(last_sig == SIGTRAP && last_code == SI_KERNEL, "int3: SIGTRAP");
	install(SIGSEGV, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		__asm__ volatile("hlt");
	OK(last_sig == SIGSEGV && last_code == SI_KERNEL,
	   "privileged instruction: SIGSEGV, SI_KERNEL");
	if (sigsetjmp(jump, 1) == 0)
		*(volatile char *)0x8000000000000000ull = 1;
	OK(last_sig == SIGSEGV && last_code == SI_KERNEL, "non-canonical address: SI_KERNEL");
	if (sigsetjmp(jump, 1) == 0)
		*(volatile char *)0xffffffff80000000ull = 1;
	OK(last_sig == SIGSEGV && last_code == SEGV_MAPERR, "kernel address: SEGV_MAPERR");
	int fd = memfd_create("x", 0);
	OK(ftruncate(fd, 4096) == 0, "memfd");
	char *m = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	install(SIGBUS, jumper, 0);
	if (sigsetjmp(jump, 1) == 0)
		(void)*(volatile char *)(m + 4096);
	OK(last_sig == SIGBUS && last_code == BUS_ADRERR, "beyond the end of a file: SIGBUS");
}

static void altstacks(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) }, old;

	OK(sigaltstack(&ss, NULL) == 0, "sigaltstack");
	install(SIGUSR1, handler, SA_ONSTACK);
	raise(SIGUSR1);
	OK(hits == 1 && on_stack, "SA_ONSTACK uses the alternate stack");
	install(SIGUSR1, handler, 0);
	raise(SIGUSR1);
	OK(hits == 1 && !on_stack, "without SA_ONSTACK not");
	sigaltstack(NULL, &old);
	OK(old.ss_sp == altstack && old.ss_flags == 0, "sigaltstack tells");
	ss.ss_size = 100;
	OK(sigaltstack(&ss, NULL) == -1 && errno == ENOMEM, "too small: ENOMEM");
	ss.ss_flags = SS_DISABLE;
	OK(sigaltstack(&ss, NULL) == 0, "SS_DISABLE");
}

/* A stack overflow is survived on the alternate stack. */
static int overflow(volatile int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	return n < 0 ? 0 : overflow(n + 1) + big[0];
}

static void stack_overflow(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sigaltstack(&ss, NULL);
	install(SIGSEGV, jumper, SA_ONSTACK);
	last_sig = 0;
	if (sigsetjmp(jump, 1) == 0)
		overflow(0);
	OK(last_sig == SIGSEGV, "stack overflow is a SIGSEGV that can be handled");
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static void vector_registers(int sig)
{
	(void)sig;
	double x[16];

	for (int i = 0; i < 16; i++)
		x[i] = i * 1.5;
	__asm__ volatile(
		"xorps %%xmm0, %%xmm0; xorps %%xmm1, %%xmm1; xorps %%xmm15, %%xmm15" ::"m"(x)
		: "xmm0", "xmm1", "xmm15");
	hits++;
}

static void fpu(void)
{
	uint64_t in = 0x1122334455667788, out0, out15;
	struct sigaction a = { .sa_handler = vector_registers };

	sigaction(SIGUSR1, &a, NULL);
	hits = 0;
	__asm__ volatile(
		"movq %2, %%xmm0; movq %2, %%xmm15; movq %%rbx, %%rdi; movl $10, %%esi; movl $62, %%eax;"
		"syscall;"
		"movq %%xmm0, %0; movq %%xmm15, %1"
		: "=&r"(out0), "=&r"(out15)
		: "r"(in), "b"((uint64_t)getpid())
		: "rax", "rdi", "rsi", "rcx", "r11", "xmm0", "xmm15", "memory");
	OK(hits == 1 && out0 == in && out15 == in, "vector registers survive a handler");
}

static void alarm_in(int us)
{
	struct itimerval v = { .it_value = { 0, us } };

	setitimer(ITIMER_REAL, &v, NULL);
}

static void restarts(void)
{
	int fds[2];
	char c;
	struct timespec ts = { 0, 50000000 }, rem = { 0, 0 }, a, b;

	OK(pipe(fds) == 0, "pipe");
	install(SIGALRM, handler, 0);
	alarm_in(10000);
	OK(read(fds[0], &c, 1) == -1 && errno == EINTR, "read without SA_RESTART: EINTR");
	install(SIGALRM, handler, SA_RESTART);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		usleep(60000);
		_exit(write(fds[1], "x", 1) != 1);
	}
	alarm_in(10000);
	OK(read(fds[0], &c, 1) == 1 && hits == 1, "read with SA_RESTART goes on");
	waitpid(pid, NULL, 0);
	alarm_in(10000);
	OK(nanosleep(&ts, &rem) == -1 && errno == EINTR && rem.tv_nsec > 0,
	   "nanosleep: EINTR and the rest");
	struct pollfd p = { fds[0], POLLIN, 0 };
	alarm_in(10000);
	OK(poll(&p, 1, 1000) == -1 && errno == EINTR, "poll is never restarted");
	/* stop and continue, without a handler: the sleep is continued */
	clock_gettime(CLOCK_MONOTONIC, &a);
	fflush(stdout);
	pid_t me = getpid();
	pid = fork();
	if (pid == 0) {
		usleep(10000);
		kill(me, SIGSTOP);
		usleep(10000);
		kill(me, SIGCONT);
		_exit(0);
	}
	ts.tv_nsec = 100000000;
	OK(nanosleep(&ts, &rem) == 0, "nanosleep goes on after SIGSTOP and SIGCONT");
	clock_gettime(CLOCK_MONOTONIC, &b);
	OK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 >= 99,
	   "for its whole time");
	waitpid(pid, NULL, 0);
	/* sigsuspend and ppoll: the mask is in force during the wait only */
	sigset_t none, block, old;
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	install(SIGUSR1, handler, 0);
	sigprocmask(SIG_BLOCK, &block, &old);
	raise(SIGUSR1);
	OK(hits == 0, "blocked");
	OK(sigsuspend(&none) == -1 && errno == EINTR && hits == 1, "sigsuspend");
	raise(SIGUSR1);
	OK(hits == 1, "blocked again");
	struct timespec zero = { 1, 0 };
	OK(ppoll(&p, 1, &zero, &none) == -1 && errno == EINTR && hits == 2, "ppoll with a mask");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static bool blocked_or_ignored;

static int die_segv(void)
{
	if (!blocked_or_ignored)
		signal(SIGSEGV, SIG_DFL);
	*(volatile int *)8 = 1;
	return 0;
}

static int die_abort(void)
{
	abort();
}

static int die_term(void)
{
	raise(SIGTERM);
	return 0;
}

static int ignored_segv(void)
{
	blocked_or_ignored = true;
	signal(SIGSEGV, SIG_IGN);
	return die_segv();
}

static int blocked_segv(void)
{
	sigset_t s;

	blocked_or_ignored = true;
	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	return die_segv();
}

static int default_ignored(void)
{
	raise(SIGCHLD);
	raise(SIGURG);
	raise(SIGWINCH);
	raise(SIGCONT);
	return 9;
}

static bool killed_by(int status, int sig)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static void defaults(void)
{
	OK(killed_by(p_child(die_segv), SIGSEGV), "SIGSEGV kills");
	OK(killed_by(p_child(die_abort), SIGABRT), "abort kills");
	OK(killed_by(p_child(die_term), SIGTERM), "SIGTERM kills");
	OK(killed_by(p_child(ignored_segv), SIGSEGV), "a fault cannot be ignored");
	OK(killed_by(p_child(blocked_segv), SIGSEGV), "a fault cannot be blocked");
	int s = p_child(default_ignored);
	OK(WIFEXITED(s) && WEXITSTATUS(s) == 9, "signals that are ignored by default");
}

static int depth_seen;

static void nested(int sig)
{
	depth_seen++;
	if (sig == SIGUSR1 && depth_seen == 1) {
		raise(SIGUSR1); /* blocked in its own handler */
		OK(depth_seen == 1, "a handler's own signal is blocked");
		raise(SIGUSR2);
		OK(depth_seen == 2, "another is not");
	}
}

static void nesting(void)
{
	struct sigaction a = { .sa_handler = nested };

	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR1);
	OK(depth_seen == 3, "and comes when the handler is done");
	a.sa_flags = SA_NODEFER;
	a.sa_handler = SIG_IGN;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	OK(depth_seen == 3, "SIG_IGN");
}

int main(void)
{
	basics();
	masks();
	realtime();
	faults();
	fault_kinds();
	altstacks();
	stack_overflow();
	fpu();
	restarts();
	defaults();
	nesting();
	return p_done();
}
