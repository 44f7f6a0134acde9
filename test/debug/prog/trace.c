/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace: what a tracer sees of its tracees, stop by stop. */
#include "test/linux/prog/check.h"
#include <elf.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/user.h>

static long pt(int req, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, req, pid, addr, data);
}

#define PT(req, pid, addr, data) pt((int)(req), pid, (unsigned long)(addr), (unsigned long)(data))

static void say_stop(const char *name, int st)
{
	if (WIFSTOPPED(st))
		say("%s: stop %s event %#x", name, signal_name(WSTOPSIG(st) & 0x7f),
		    st >> 8 & ~0x7f);
	else
		say_status(name, st);
}

/* Wait for the next stop of one tracee, and say it. */
static int next(const char *name, pid_t pid)
{
	int st = -1;

	MUST(waitpid(pid, &st, __WALL));
	say_stop(name, st);
	return st;
}

static void say_info(const char *name, pid_t pid)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	if (PT(PTRACE_GETSIGINFO, pid, 0, &si) == -1)
		say("%s: no siginfo: %s", name, error_name(errno));
	else
		say("%s: signo %d code %#x", name, si.si_signo, si.si_code);
}

static struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct r;

	MUST(PT(PTRACE_GETREGS, pid, 0, &r));
	return r;
}

/* A child that asks to be traced and stops itself. */
#define TRACED(...)                                \
	START({                                    \
		MUST(PT(PTRACE_TRACEME, 0, 0, 0)); \
		raise(SIGSTOP);                    \
		__VA_ARGS__;                       \
	})

static volatile long shared = 0x1122334455667788;
static const long constant = 0x0102030405060708;

static void traceme(void)
{
	pid_t pid = TRACED({
		VAL("shared", shared == 0x99);
		VAL("constant", *(volatile const long *)&constant == 0x77);
		raise(SIGUSR1);
		_exit(7);
	});
	long word = 0;
	char state[64] = "", path[64];
	int st, fd;

	st = next("first", pid);
	say_info("first", pid);
	RET("wait again", waitpid(pid, &st, WNOHANG | __WALL));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = (int)MUST(open(path, O_RDONLY));
	MUST(read(fd, state, 60));
	say("state %c", strrchr(state, ')')[2]);
	RET("peek", PT(PTRACE_PEEKDATA, pid, &shared, &word));
	HEX("word", word);
	RET("peek nothing", PT(PTRACE_PEEKDATA, pid, 8, &word));
	RET("peek kernel", PT(PTRACE_PEEKDATA, pid, 0xffff800000000000ul, &word));
	RET("peek to nowhere", PT(PTRACE_PEEKDATA, pid, &shared, 8));
	RET("poke", PT(PTRACE_POKEDATA, pid, &shared, 0x99));
	RET("poke constant", PT(PTRACE_POKETEXT, pid, &constant, 0x77));
	VAL("own constant is as it was", *(volatile const long *)&constant == 0x0102030405060708);
	RET("poke nothing", PT(PTRACE_POKEDATA, pid, 8, 1));
	RET("unknown request", PT(0x7777, pid, 0, 0));
	RET("wrong signal", PT(PTRACE_CONT, pid, 0, 65));
	PT(PTRACE_CONT, pid, 0, 0);
	next("raise", pid);
	say_info("raise", pid);
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
	RET("gone", PT(PTRACE_CONT, pid, 0, 0));
}

static void signals(void)
{
	pid_t pid = TRACED({
		signal(SIGUSR2, SIG_IGN);
		raise(SIGUSR2);
		raise(SIGUSR1);
		raise(SIGTERM);
	});
	siginfo_t si;

	next("stop", pid);
	PT(PTRACE_CONT, pid, 0, 0);
	next("ignored signals stop, too", pid);
	PT(PTRACE_CONT, pid, 0, SIGUSR2);
	next("deadly", pid);
	PT(PTRACE_CONT, pid, 0, SIGUSR2); /* another, ignored, instead */
	next("deadly", pid);
	MUST(PT(PTRACE_GETSIGINFO, pid, 0, &si));
	YES("from itself", si.si_pid == pid);
	si.si_code = SI_QUEUE;
	RET("set information", PT(PTRACE_SETSIGINFO, pid, 0, &si));
	say_info("now", pid);
	PT(PTRACE_CONT, pid, 0, SIGTERM);
	next("end", pid);
}

static void handler_of(int sig, siginfo_t *si, void *uc UNUSED)
{
	say("handler: %s code %d from tracer %d", signal_name(sig), si->si_code,
	    si->si_pid == getppid());
}

static void injected(void)
{
	pid_t pid = TRACED({
		struct sigaction sa = { .sa_sigaction = handler_of, .sa_flags = SA_SIGINFO };

		sigaction(SIGUSR1, &sa, NULL);
		sigaction(SIGUSR2, &sa, NULL);
		raise(SIGUSR1);
		_exit(0);
	});

	next("stop", pid);
	PT(PTRACE_CONT, pid, 0, 0);
	next("signal", pid);
	PT(PTRACE_CONT, pid, 0, SIGUSR2);
	next("end", pid);
}

static void calls(void)
{
	pid_t pid = TRACED({
		syscall(SYS_getppid);
		VAL("changed number", syscall(SYS_getppid) == getpid());
		VAL("changed result", syscall(SYS_getppid));
		VAL("skipped", syscall(SYS_getppid));
		_exit(0);
	});
	struct ptrace_syscall_info info;
	struct user_regs_struct r;
	long n;
	int k = 0;

	next("stop", pid);
	RET("options", PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	RET("wrong options", PT(PTRACE_SETOPTIONS, pid, 0, 0x80000000ul));
	MUST(PT(PTRACE_SYSCALL, pid, 0, 0));
	/* The exit of tgkill comes first. */
	for (;;) {
		int st = -1;

		MUST(waitpid(pid, &st, __WALL));
		if (!WIFSTOPPED(st)) {
			say_status("end", st);
			break;
		}
		if (WSTOPSIG(st) != (SIGTRAP | 0x80)) {
			say_stop("other", st);
			MUST(PT(PTRACE_SYSCALL, pid, 0, 0));
			continue;
		}
		memset(&info, 0, sizeof(info));
		n = PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		r = regs_of(pid);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getppid) {
			say("entry: size %ld nr %ld rax %ld", n, (long)r.orig_rax, (long)r.rax);
			YES("arch", info.arch == 0xc000003e);
			YES("places",
			    info.instruction_pointer == r.rip && info.stack_pointer == r.rsp);
			k++;
			if (k == 2)
				MUST(PT(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax),
					SYS_getpid));
			if (k == 4)
				MUST(PT(PTRACE_POKEUSR, pid, offsetof(struct user, regs.orig_rax),
					-1));
			if (k == 4)
				MUST(PT(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rax),
					4711));
		} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && k > 0 && k < 5) {
			say("exit: size %ld error %d", n, info.exit.is_error);
			if (k == 3)
				MUST(PT(PTRACE_POKEUSR, pid, offsetof(struct user, regs.rax), 42));
			if (k >= 4)
				k = 5;
		}
		MUST(PT(PTRACE_SYSCALL, pid, 0, 0));
	}
}

static void restart(void)
{
	struct event e = event_new();
	pid_t pid = TRACED({
		char c;

		VAL("read", read(e.fd[0], &c, 1));
		_exit(0);
	});
	int st;

	next("stop", pid);
	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	PT(PTRACE_CONT, pid, 0, 0);
	wait_state(pid, 'S');
	kill(pid, SIGUSR1);
	next("interrupted", pid);
	VAL("result so far", (long)regs_of(pid).rax);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	next("read again", pid);
	VAL("number", (long)regs_of(pid).orig_rax);
	event_set(&e);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	next("read done", pid);
	VAL("result", (long)regs_of(pid).rax);
	PT(PTRACE_CONT, pid, 0, 0);
	st = next("end", pid);
	(void)st;
}

/* ---- registers ---- */

extern char step_first[], step_call[], step_after[], step_trap[], step_end[];

__attribute__((noinline)) static void stepped(void)
{
	__asm__ volatile("step_first: nop\n\tmov $39, %%eax\n\tstep_call: syscall\n\t"
			 "step_after: nop\n\tmov $7, %%ebx\n\tpushfq\n\tpopq %%rcx\n\t"
			 "step_trap: int3\n\tstep_end: nop\n\t" ::
				 : "rax", "rbx", "rcx", "r11", "memory", "cc");
}

static void steps(void)
{
	pid_t pid = TRACED({
		stepped();
		_exit(0);
	});
	struct user_regs_struct r;
	int st;

	next("stop", pid);
	/* A breakpoint at the first instruction. */
	{
		long word = 0;

		MUST(PT(PTRACE_PEEKTEXT, pid, step_first, &word));
		MUST(PT(PTRACE_POKETEXT, pid, step_first, (word & ~0xffl) | 0xcc));
		PT(PTRACE_CONT, pid, 0, 0);
		next("breakpoint", pid);
		say_info("breakpoint", pid);
		r = regs_of(pid);
		VAL("rip behind it", (char *)r.rip - step_first);
		MUST(PT(PTRACE_POKETEXT, pid, step_first, word));
		r.rip = (unsigned long)step_first;
		MUST(PT(PTRACE_SETREGS, pid, 0, &r));
	}
	for (int i = 0; i < 9; i++) {
		MUST(PT(PTRACE_SINGLESTEP, pid, 0, 0));
		MUST(waitpid(pid, &st, __WALL));
		say_stop("step", st);
		say_info("step", pid);
		r = regs_of(pid);
		say("at %ld, trap flag %d", (long)((char *)r.rip - step_first),
		    (int)(r.eflags >> 8 & 1));
		if ((char *)r.rip == step_after)
			YES("getpid", (pid_t)r.rax == pid);
		if ((char *)r.rip == step_end)
			break;
	}
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
}

static volatile int handled;
static void on_usr1(int sig UNUSED)
{
	handled = 1;
}

static void step_into_handler(void)
{
	pid_t pid = TRACED({
		signal(SIGUSR1, on_usr1);
		raise(SIGUSR1);
		_exit(handled);
	});
	struct user_regs_struct r;

	next("stop", pid);
	PT(PTRACE_CONT, pid, 0, 0);
	next("signal", pid);
	PT(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
	next("step", pid);
	say_info("step", pid);
	r = regs_of(pid);
	YES("at the handler", (void *)r.rip == (void *)on_usr1);
	VAL("signal number", (long)r.rdi);
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
}

static void registers(void)
{
	pid_t pid = TRACED(_exit(0));
	struct user_regs_struct r, old;
	struct user_fpregs_struct fp;
	struct iovec v;
	static char big[8192];
	size_t off = offsetof(struct user_regs_struct, rip);
	long word = 0;

	next("stop", pid);
	old = r = regs_of(pid);
	HEX("cs", r.cs);
	HEX("ss", r.ss);
	HEX("ds", r.ds);
	RET("peek rip", PT(PTRACE_PEEKUSR, pid, off, &word));
	YES("the same", (unsigned long)word == r.rip);
	RET("peek unaligned", PT(PTRACE_PEEKUSR, pid, 3, &word));
	RET("peek beyond", PT(PTRACE_PEEKUSR, pid, sizeof(struct user), &word));
	RET("peek the rest", PT(PTRACE_PEEKUSR, pid, sizeof(struct user_regs_struct), &word));
	RET("poke the rest", PT(PTRACE_POKEUSR, pid, sizeof(struct user_regs_struct), 1));
	RET("poke beyond", PT(PTRACE_POKEUSR, pid, sizeof(struct user), 1));
	RET("kernel's cs", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, cs), 0x10));
	RET("no cs", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, cs), 0));
	RET("own cs", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, cs), 0x33));
	RET("no ss", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, ss), 0));
	RET("kernel's fs base", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, fs_base),
				   0xffff800000000000ul));
	RET("all flags", PT(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, eflags),
			    0xffffffff & ~0x4100));
	r = regs_of(pid);
	HEX("flags", r.eflags);
	RET("back", PT(PTRACE_SETREGS, pid, 0, &old));
	v = (struct iovec){ big, sizeof(big) };
	RET("PRSTATUS", PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
	VAL("length", v.iov_len);
	YES("the same", memcmp(big, &old, sizeof(old)) == 0);
	v = (struct iovec){ big, 16 };
	RET("part", PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
	VAL("length", v.iov_len);
	v = (struct iovec){ big, 13 };
	RET("odd", PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v));
	v = (struct iovec){ big, sizeof(big) };
	RET("unknown set", PT(PTRACE_GETREGSET, pid, 0x7777, &v));
	RET("FPREGSET", PT(PTRACE_GETREGSET, pid, NT_PRFPREG, &v));
	VAL("length", v.iov_len);
	RET("GETFPREGS", PT(PTRACE_GETFPREGS, pid, 0, &fp));
	HEX("control word", fp.cwd);
	HEX("mxcsr", fp.mxcsr);
	fp.mxcsr = 0xffffffff;
	RET("bad mxcsr", PT(PTRACE_SETFPREGS, pid, 0, &fp));
	fp.mxcsr = 0x1f80;
	fp.xmm_space[0] = 0x1234;
	RET("SETFPREGS", PT(PTRACE_SETFPREGS, pid, 0, &fp));
	memset(&fp, 0, sizeof(fp));
	RET("GETFPREGS", PT(PTRACE_GETFPREGS, pid, 0, &fp));
	HEX("xmm0", fp.xmm_space[0]);
	v = (struct iovec){ big, sizeof(big) };
	RET("XSTATE", PT(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &v));
	YES("xmm0", *(unsigned *)(big + 160) == 0x1234);
	YES("XCR0", (*(unsigned long *)(big + 464) & 3) == 3);
	RET("XSTATE back", PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v));
	v.iov_len = 64;
	RET("XSTATE in part", PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &v));
	*(unsigned long *)(big + 520) = 1; /* compacted: not for ptrace */
	v.iov_len = sizeof(big);
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
}

static volatile long watched;

static void watchpoints(void)
{
	pid_t pid = TRACED({
		watched = 5;
		_exit((int)watched);
	});
	size_t dr = offsetof(struct user, u_debugreg);
	long word = 0;

	next("stop", pid);
	RET("kernel's address", PT(PTRACE_POKEUSR, pid, dr, 0xffff800000000000ul));
	RET("address", PT(PTRACE_POKEUSR, pid, dr, &watched));
	RET("register 4", PT(PTRACE_POKEUSR, pid, dr + 32, 1));
	RET("I/O", PT(PTRACE_POKEUSR, pid, dr + 56, 0x20001));
	RET("write, 8 bytes", PT(PTRACE_POKEUSR, pid, dr + 56, 0x90001));
	PT(PTRACE_CONT, pid, 0, 0);
	next("hit", pid);
	say_info("hit", pid);
	RET("status", PT(PTRACE_PEEKUSR, pid, dr + 48, &word));
	VAL("which", word & 15);
	word = 0;
	MUST(PT(PTRACE_PEEKDATA, pid, &watched, &word));
	VAL("written", word);
	RET("off", PT(PTRACE_POKEUSR, pid, dr + 56, 0));
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
}

/* ---- children and programs ---- */

static void follow(const char *what, int options, void (*run)(void))
{
	pid_t pid = TRACED({
		run();
		_exit(0);
	});
	int stops = 0, live = 1;

	say("%s", what);
	next("stop", pid);
	MUST(PT(PTRACE_SETOPTIONS, pid, 0, options));
	PT(PTRACE_CONT, pid, 0, 0);
	while (live > 0 && stops++ < 40) {
		int st = -1, sig = 0;
		unsigned long msg = 0;
		pid_t got = (pid_t)waitpid(-1, &st, __WALL);

		if (got == -1)
			break;
		if (!WIFSTOPPED(st)) {
			say_status(got == pid ? "  parent" : "  child", st);
			live--;
			continue;
		}
		if (got != pid && st >> 16 == 0 && WSTOPSIG(st) == SIGSTOP) {
			say("  child: first stop");
			live++;
		} else {
			say_stop(got == pid ? "  parent" : "  child", st);
			if (st >> 16 == 0)
				sig = WSTOPSIG(st) == SIGTRAP ? 0 : WSTOPSIG(st);
		}
		if (st >> 16 != 0) {
			MUST(PT(PTRACE_GETEVENTMSG, got, 0, &msg));
			if (st >> 16 == PTRACE_EVENT_EXIT)
				HEX("  message", msg);
			else
				YES("  message is a process",
				    msg != (unsigned long)pid || st >> 16 == PTRACE_EVENT_EXEC);
		}
		MUST(PT(PTRACE_CONT, got, 0, sig));
	}
}

static void run_fork(void)
{
	wait_for(START(_exit(5)));
}

static void run_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(6);
	wait_for(pid);
}

static void run_exec(void)
{
	execl(own_path(), "trace", "no section", NULL);
}

static void events(void)
{
	follow("exec without options", 0, run_exec);
	follow("exec", PTRACE_O_TRACEEXEC, run_exec);
	follow("exit", PTRACE_O_TRACEEXIT, run_vfork);
}

/* Which of the two stops first is the scheduler's: they are told apart, each in its order. */
static void fork_event(int option, void (*run)(void))
{
	pid_t pid = TRACED({
		run();
		_exit(0);
	});
	unsigned long child = 0;

	next("stop", pid);
	MUST(PT(PTRACE_SETOPTIONS, pid, 0, option | PTRACE_O_TRACEVFORKDONE));
	PT(PTRACE_CONT, pid, 0, 0);
	next("parent", pid);
	say_info("parent", pid);
	MUST(PT(PTRACE_GETEVENTMSG, pid, 0, &child));
	next("child", (pid_t)child);
	say_info("child", (pid_t)child);
	MUST(PT(PTRACE_CONT, (pid_t)child, 0, 0));
	if (option == PTRACE_O_TRACEFORK) {
		next("child", (pid_t)child);
		MUST(PT(PTRACE_CONT, pid, 0, 0));
		next("parent", pid); /* SIGCHLD */
		MUST(PT(PTRACE_CONT, pid, 0, 0));
		next("parent", pid);
		return;
	}
	next("child", (pid_t)child);
	MUST(PT(PTRACE_CONT, pid, 0, 0));
	next("parent", pid); /* vfork is done */
	MUST(PT(PTRACE_CONT, pid, 0, 0));
	next("parent", pid); /* SIGCHLD */
	MUST(PT(PTRACE_CONT, pid, 0, 0));
	next("parent", pid);
}

static void forks(void)
{
	fork_event(PTRACE_O_TRACEFORK, run_fork);
	fork_event(PTRACE_O_TRACEVFORK, run_vfork);
}

/* ---- attaching ---- */

static void idle(void)
{
	for (;;)
		pause();
}

static void attaching(void)
{
	pid_t pid = START(idle());

	RET("nobody", PT(PTRACE_ATTACH, 30000, 0, 0));
	RET("oneself", PT(PTRACE_ATTACH, getpid(), 0, 0));
	RET("not traced", PT(PTRACE_CONT, pid, 0, 0));
	RET("attach", PT(PTRACE_ATTACH, pid, 0, 0));
	RET("twice", PT(PTRACE_ATTACH, pid, 0, 0));
	next("attached", pid);
	say_info("attached", pid);
	RET("interrupt", PT(PTRACE_INTERRUPT, pid, 0, 0));
	RET("listen", PT(PTRACE_LISTEN, pid, 0, 0));
	RET("cont", PT(PTRACE_CONT, pid, 0, 0));
	RET("running", PT(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGUSR1);
	next("signal", pid);
	RET("detach", PT(PTRACE_DETACH, pid, 0, 0));
	RET("not traced", PT(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGTERM);
	next("end", pid);
}

static void seizing(void)
{
	pid_t pid = START(idle());
	int st;

	RET("with an address", PT(PTRACE_SEIZE, pid, 1, 0));
	RET("wrong options", PT(PTRACE_SEIZE, pid, 0, 0x80000000ul));
	RET("seize", PT(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	RET("no stop", waitpid(pid, &st, WNOHANG | __WALL));
	RET("interrupt", PT(PTRACE_INTERRUPT, pid, 0, 0));
	next("interrupted", pid);
	say_info("interrupted", pid);
	RET("cont", PT(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGSTOP);
	next("SIGSTOP", pid);
	say_info("SIGSTOP", pid);
	RET("cont", PT(PTRACE_CONT, pid, 0, SIGSTOP));
	next("group stop", pid);
	say_info("group stop", pid);
	RET("listen", PT(PTRACE_LISTEN, pid, 0, 0));
	RET("peek", PT(PTRACE_PEEKUSR, pid, 0, &st));
	kill(pid, SIGCONT);
	next("continued", pid);
	say_info("continued", pid);
	RET("cont", PT(PTRACE_CONT, pid, 0, 0));
	next("SIGCONT", pid);
	RET("detach", PT(PTRACE_DETACH, pid, 0, SIGTERM));
	next("end", pid);
}

static void group_stop(void)
{
	pid_t pid = TRACED(idle());

	next("stop", pid);
	PT(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGTSTP);
	next("SIGTSTP", pid);
	PT(PTRACE_CONT, pid, 0, SIGSTOP);
	next("stopped", pid);
	say_info("stopped", pid);
	/* It runs, though the process counts as stopped. */
	PT(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR1);
	next("signal", pid);
	PT(PTRACE_DETACH, pid, 0, 0);
	wait_state(pid, 'T');
	kill(pid, SIGKILL);
	next("end", pid);
}

static void killing(void)
{
	pid_t pid = TRACED(idle()), tracer;
	struct event e = event_new();
	int st;

	next("stop", pid);
	kill(pid, SIGKILL);
	next("killed in a stop", pid);
	pid = TRACED(idle());
	next("stop", pid);
	RET("PTRACE_KILL", PT(PTRACE_KILL, pid, 0, 0));
	next("end", pid);
	/* A tracer that ends lets its tracees go, or takes them along. */
	for (int kill_too = 0; kill_too < 2; kill_too++) {
		pid = START(idle());
		tracer = START({
			MUST(PT(PTRACE_SEIZE, pid, 0, kill_too ? PTRACE_O_EXITKILL : 0));
			MUST(PT(PTRACE_INTERRUPT, pid, 0, 0));
			MUST(waitpid(pid, &st, __WALL));
			event_set(&e);
		});
		event_wait(&e);
		wait_for(tracer);
		if (!kill_too) {
			wait_state(pid, 'S');
			RET("still there", waitpid(pid, &st, WNOHANG));
			kill(pid, SIGTERM);
		}
		say_status("end", wait_for(pid));
	}
}

static void others_child(void)
{
	struct event e = event_new(), go = event_new();
	pid_t pid = START(idle()), tracer;
	siginfo_t si;
	int st;

	tracer = START({
		MUST(PT(PTRACE_SEIZE, pid, 0, 0));
		event_set(&e);
		MUST(waitpid(pid, &st, __WALL));
		say_status("seen by the tracer", st);
		event_set(&e);
		event_wait(&go);
	});
	event_wait(&e);
	kill(pid, SIGKILL);
	event_wait(&e);
	memset(&si, 0, sizeof(si));
	MUST(waitid(P_PID, (id_t)pid, &si, WEXITED));
	say("then by the parent: code %d status %d", si.si_code, si.si_status);
	event_set(&go);
	wait_for(tracer);
}

static void *thread_main(void *arg)
{
	event_wait(arg);
	return NULL;
}

static void threads(void)
{
	static struct event go, over;
	unsigned long tid = 0;
	pid_t pid;

	go = event_new();
	over = event_new();
	pid = TRACED({
		pthread_t t;

		pthread_create(&t, NULL, thread_main, &go);
		pthread_join(t, NULL);
		event_wait(&over);
		_exit(9);
	});
	next("stop", pid);
	MUST(PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	PT(PTRACE_CONT, pid, 0, 0);
	next("clone", pid);
	MUST(PT(PTRACE_GETEVENTMSG, pid, 0, &tid));
	next("thread", (pid_t)tid);
	PT(PTRACE_CONT, (pid_t)tid, 0, 0);
	PT(PTRACE_CONT, pid, 0, 0);
	event_set(&go);
	next("thread's end", (pid_t)tid);
	event_set(&over);
	next("end", pid);
}

/* ---- who may ---- */

static void as_stranger(pid_t root)
{
	struct event e = event_new();
	pid_t own, closed;

	MUST(setresgid(5000, 5000, 5000));
	MUST(setresuid(5000, 5000, 5000));
	RET("root's", PT(PTRACE_ATTACH, root, 0, 0));
	RET("seize root's", PT(PTRACE_SEIZE, root, 0, 0));
	own = START(prctl(PR_SET_DUMPABLE, 1); event_set(&e); idle());
	event_wait(&e);
	RET("own", PT(PTRACE_SEIZE, own, 0, 0));
	closed = START(prctl(PR_SET_DUMPABLE, 0); event_set(&e); idle());
	event_wait(&e);
	RET("closed", PT(PTRACE_SEIZE, closed, 0, 0));
	kill(own, SIGKILL);
	kill(closed, SIGKILL);
}

static void who_may(void)
{
	pid_t root = START(idle());

	say_status("stranger", CHILD(as_stranger(root)));
	kill(root, SIGKILL);
	wait_for(root);
}

static void mem_file(void)
{
	pid_t pid = TRACED({
		VAL("shared", shared == 0x99);
		VAL("constant", *(volatile const long *)&constant == 0x77);
		_exit(0);
	});
	char path[64];
	long word = 0;
	int fd;

	next("stop", pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = (int)MUST(open(path, O_RDWR));
	RET("pread", pread(fd, &word, 8, (off_t)&shared));
	HEX("word", word);
	word = 0x99;
	RET("pwrite", pwrite(fd, &word, 8, (off_t)&shared));
	word = 0x77;
	RET("pwrite constant", pwrite(fd, &word, 8, (off_t)&constant));
	RET("pread nothing", pread(fd, &word, 8, 8));
	RET("pwrite nothing", pwrite(fd, &word, 8, 8));
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
	RET("pread when gone", pread(fd, &word, 8, (off_t)&shared));
}

static void masks(void)
{
	pid_t pid = TRACED({
		sigset_t s;

		sigprocmask(SIG_BLOCK, NULL, &s);
		VAL("blocked", sigismember(&s, SIGUSR1));
		_exit(0);
	});
	unsigned long mask = 0;

	next("stop", pid);
	RET("get", PT(PTRACE_GETSIGMASK, pid, 8, &mask));
	RET("wrong size", PT(PTRACE_GETSIGMASK, pid, 4, &mask));
	mask = ~0ul;
	RET("set", PT(PTRACE_SETSIGMASK, pid, 8, &mask));
	RET("get", PT(PTRACE_GETSIGMASK, pid, 8, &mask));
	HEX("mask", mask);
	kill(pid, SIGUSR2);
	kill(pid, SIGTERM);
	{
		struct {
			uint64_t off;
			uint32_t flags;
			int32_t nr;
		} a = { 0, 1, 4 };
		siginfo_t si[4];

		RET("peek queue", PT(PTRACE_PEEKSIGINFO, pid, &a, si));
		VAL("first", si[0].si_signo);
		VAL("second", si[1].si_signo);
		a.off = 1;
		RET("peek from 1", PT(PTRACE_PEEKSIGINFO, pid, &a, si));
		a.flags = 2;
		RET("peek flags", PT(PTRACE_PEEKSIGINFO, pid, &a, si));
	}
	PT(PTRACE_CONT, pid, 0, 0);
	next("end", pid);
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "traceme", traceme },
		{ "signals", signals },
		{ "injected", injected },
		{ "calls", calls },
		{ "restart", restart },
		{ "steps", steps },
		{ "step_into_handler", step_into_handler },
		{ "registers", registers },
		{ "watchpoints", watchpoints },
		{ "events", events },
		{ "forks", forks },
		{ "attaching", attaching },
		{ "seizing", seizing },
		{ "group_stop", group_stop },
		{ "killing", killing },
		{ "others_child", others_child },
		{ "threads", threads },
		{ "who_may", who_may },
		{ "mem_file", mem_file },
		{ "masks", masks },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
