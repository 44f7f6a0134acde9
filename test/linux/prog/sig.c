/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: actions, masks, queues, siginfo, alternate stack, waiting for them. */
#include "test/linux/prog/check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <ucontext.h>

#define FIRST_RT 36

static volatile int order[64], order_count;
static volatile siginfo_t last;
static volatile int depth, max_depth;
static volatile bool raised;

static void note(int sig)
{
	if (order_count < 64)
		order[order_count++] = sig;
}

static void on_info(int sig, siginfo_t *si, void *context UNUSED)
{
	note(sig == si->si_signo ? sig : -sig);
	memcpy((void *)&last, si, sizeof(last));
}

static void say_order(const char *name)
{
	char text[512] = "";
	size_t n = 0;

	for (int i = 0; i < order_count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", signal_name(order[i]));
	say("%s:%s", name, text);
	order_count = 0;
}

static void catch_(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO | flags };

	MUST(sigaction(sig, &sa, NULL));
}

static sigset_t set_of(int a, int b, int c)
{
	sigset_t s;

	sigemptyset(&s);
	if (a)
		sigaddset(&s, a);
	if (b)
		sigaddset(&s, b);
	if (c)
		sigaddset(&s, c);
	return s;
}

static void errors(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigset_t set;
	uint64_t raw = ~0ull;

	RET("SIGKILL action", sigaction(SIGKILL, &sa, NULL));
	RET("SIGSTOP action", sigaction(SIGSTOP, &sa, NULL));
	RET("SIGKILL read only", syscall(SYS_rt_sigaction, SIGKILL, NULL, &(char[64]){ 0 }, 8));
	RET("signal 0", syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
	RET("signal 65", syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	RET("signal 64", syscall(SYS_rt_sigaction, 64, NULL, NULL, 8));
	RET("wrong set size", syscall(SYS_rt_sigaction, 10, NULL, NULL, 16));
	RET("bad pointer", syscall(SYS_rt_sigaction, 10, 8, NULL, 8));
	RET("sigprocmask wrong how", syscall(SYS_rt_sigprocmask, 9, &raw, NULL, 8));
	RET("sigprocmask wrong how without set", syscall(SYS_rt_sigprocmask, 9, NULL, &raw, 8));
	raw = ~0ull;
	RET("sigprocmask wrong size", syscall(SYS_rt_sigprocmask, 0, &raw, NULL, 4));
	RET("sigprocmask bad pointer", syscall(SYS_rt_sigprocmask, 0, 8, NULL, 8));
	RET("block everything", syscall(SYS_rt_sigprocmask, SIG_SETMASK, &raw, NULL, 8));
	sigprocmask(SIG_BLOCK, NULL, &set);
	VAL("SIGKILL is blocked", sigismember(&set, SIGKILL));
	VAL("SIGSTOP is blocked", sigismember(&set, SIGSTOP));
	VAL("SIGTERM is blocked", sigismember(&set, SIGTERM));
	RET("sigpending size 4", ({
		    raw = 0;
		    syscall(SYS_rt_sigpending, &raw, 4);
	    }));
	RET("sigpending size 16", syscall(SYS_rt_sigpending, &raw, 16));
	RET("sigsuspend wrong size", syscall(SYS_rt_sigsuspend, &raw, 4));
	RET("sigaltstack too small", sigaltstack(&(stack_t){ .ss_sp = &sa, .ss_size = 100 }, NULL));
	RET("sigaltstack wrong flags",
	    sigaltstack(&(stack_t){ .ss_sp = &sa, .ss_size = 65536, .ss_flags = 77 }, NULL));
}

static void actions(void)
{
	struct sigaction sa, old;
	sigset_t set;

	sa = (struct sigaction){ .sa_sigaction = on_info,
				 .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK };
	sigfillset(&sa.sa_mask);
	MUST(sigaction(SIGUSR1, &sa, NULL));
	MUST(sigaction(SIGUSR1, NULL, &old));
	HEX("flags as given", old.sa_flags & ~0x04000000);
	VAL("mask without SIGKILL", sigismember(&old.sa_mask, SIGKILL));
	VAL("mask with SIGTERM", sigismember(&old.sa_mask, SIGTERM));
	/* Ignoring drops what is pending. */
	set = set_of(SIGUSR2, 0, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_IGN);
	sigpending(&set);
	VAL("pending after SIG_IGN", sigismember(&set, SIGUSR2));
	raise(SIGUSR2);
	sigpending(&set);
	VAL("ignored but blocked is pending", sigismember(&set, SIGUSR2));
	raise(SIGCHLD);
	catch_(SIGCHLD, 0);
	sigpending(&set);
	VAL("SIGCHLD by default is dropped", sigismember(&set, SIGCHLD));
	catch_(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	YES("SA_RESETHAND", old.sa_handler == SIG_DFL);
	say_order("caught once");
	say_status("default: SIGURG", CHILD(raise(SIGURG)));
	say_status("default: SIGWINCH", CHILD(raise(SIGWINCH)));
	say_status("default: SIGCONT", CHILD(raise(SIGCONT)));
	say_status("default: SIGPIPE", CHILD(raise(SIGPIPE)));
	say_status("default: SIGIO", CHILD(raise(SIGIO)));
	say_status("default: SIGPWR", CHILD(raise(SIGPWR)));
	say_status("default: SIGSTKFLT", CHILD(raise(SIGSTKFLT)));
	say_status("default: SIGXCPU", CHILD(raise(SIGXCPU)));
}

static void nested(int sig)
{
	sigset_t set;

	if (++depth > max_depth)
		max_depth = depth;
	sigprocmask(SIG_BLOCK, NULL, &set);
	if (!raised) {
		raised = true;
		VAL("own signal is blocked", sigismember(&set, sig));
		VAL("sa_mask is blocked", sigismember(&set, SIGUSR2));
		raise(sig);
		raise(SIGUSR2);
	}
	note(sig);
	depth--;
}

static void masks(void)
{
	struct sigaction sa = { .sa_handler = nested };
	sigset_t set;

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &sa, NULL);
	catch_(SIGUSR2, 0);
	raise(SIGUSR1);
	VAL("deepest without SA_NODEFER", max_depth);
	say_order("order");
	max_depth = 0;
	raised = false;
	sa.sa_flags = SA_NODEFER;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	VAL("deepest with SA_NODEFER", max_depth);
	say_order("order");
	sigprocmask(SIG_BLOCK, NULL, &set);
	VAL("mask afterwards", sigismember(&set, SIGUSR1) | sigismember(&set, SIGUSR2));
}

static void queues(void)
{
	sigset_t all, set;
	union sigval v;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int i = FIRST_RT; i < FIRST_RT + 3; i++)
		catch_(i, 0);
	catch_(SIGUSR1, 0);
	catch_(SIGHUP, 0);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGHUP);
	for (int i = 2; i >= 0; i--)
		for (int k = 0; k < 3; k++) {
			v.sival_int = k;
			MUST(sigqueue(getpid(), FIRST_RT + i, v));
		}
	sigpending(&set);
	VAL("all are pending", sigismember(&set, SIGUSR1) + sigismember(&set, SIGHUP) +
				       sigismember(&set, FIRST_RT) +
				       sigismember(&set, FIRST_RT + 2));
	/* One at a time, so that the order of delivery is the order of the queue. */
	for (int i = 0; i < 12; i++) {
		siginfo_t si;
		struct timespec zero = { 0 };

		errno = 0;
		if (sigtimedwait(&all, &si, &zero) == -1) {
			say("empty: %s", error_name(errno));
			break;
		}
		say("%s code %d value %d", signal_name(si.si_signo), si.si_code,
		    si.si_signo >= FIRST_RT ? si.si_value.sival_int : 0);
	}
	/* Delivered together: handlers are entered from the last to the first. */
	raise(SIGUSR1);
	raise(SIGHUP);
	raise(FIRST_RT + 1);
	raise(FIRST_RT);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	say_order("delivered together");
}

static void infos(void)
{
	siginfo_t si;
	pid_t pid;
	sigset_t set = set_of(SIGUSR1, FIRST_RT, SIGCHLD);

	catch_(SIGUSR1, 0);
	catch_(FIRST_RT, 0);
	kill(getpid(), SIGUSR1);
	say("kill: code SI_USER %d, own pid %d, uid %d", last.si_code == SI_USER,
	    last.si_pid == getpid(), last.si_uid == getuid());
	raise(SIGUSR1);
	say("raise: code SI_TKILL %d, own pid %d", last.si_code == SI_TKILL,
	    last.si_pid == getpid());
	sigqueue(getpid(), FIRST_RT, (union sigval){ .sival_ptr = (void *)0x123456789abcdef });
	say("sigqueue: code SI_QUEUE %d, value %#lx, own pid %d", last.si_code == SI_QUEUE,
	    (long)last.si_value.sival_ptr, last.si_pid == getpid());
	memset(&si, 0, sizeof(si));
	si.si_code = SI_ASYNCIO;
	si.si_pid = 12345;
	RET("rt_sigqueueinfo to oneself", syscall(SYS_rt_sigqueueinfo, getpid(), FIRST_RT, &si));
	say("code %d, pid %d", last.si_code, last.si_pid);
	si.si_code = SI_USER;
	pid = START(for (;;) pause());
	RET("forged SI_USER to another", syscall(SYS_rt_sigqueueinfo, pid, FIRST_RT, &si));
	si.si_code = SI_TKILL;
	RET("forged SI_TKILL to another", syscall(SYS_rt_sigqueueinfo, pid, FIRST_RT, &si));
	si.si_code = SI_QUEUE;
	RET("bad signal", syscall(SYS_rt_sigqueueinfo, pid, 65, &si));
	RET("bad pointer", syscall(SYS_rt_sigqueueinfo, pid, FIRST_RT, 8));
	RET("rt_tgsigqueueinfo, group 0", syscall(SYS_rt_tgsigqueueinfo, 0, pid, FIRST_RT, &si));
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(pid, SIGTERM);
	RET("sigwaitinfo", sigwaitinfo(&set, &si));
	say("code CLD_KILLED %d, right pid %d, status %d", si.si_code == CLD_KILLED,
	    si.si_pid == pid, si.si_status);
	wait_for(pid);
}

static void waits(void)
{
	siginfo_t si;
	sigset_t set = set_of(SIGUSR1, SIGUSR2, 0), other = set_of(SIGHUP, 0, 0);
	struct timespec zero = { 0 }, some = { .tv_nsec = 20000000 },
			bad = { .tv_nsec = 1000000000 };
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } };
	int64_t t;

	RET("nothing pending", sigtimedwait(&set, &si, &zero));
	RET("bad time", sigtimedwait(&set, &si, &bad));
	t = now_ns(CLOCK_MONOTONIC);
	RET("20 ms", sigtimedwait(&set, &si, &some));
	YES("waited", now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR2);
	raise(SIGUSR1);
	RET("lower number first", sigtimedwait(&set, &si, &zero));
	RET("then the other", sigtimedwait(&set, NULL, NULL));
	catch_(SIGALRM, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	RET("interrupted by a handler", sigtimedwait(&set, &si, NULL));
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	pid_t me = getpid();
	pid_t pid = START({
		wait_state(me, 'S');
		kill(me, SIGUSR1);
	});
	RET("sent by another while waiting", sigwaitinfo(&set, &si));
	VAL("from", si.si_pid == pid);
	wait_for(pid);
	RET("SIGKILL cannot be waited for", ({
		    sigset_t k = set_of(SIGKILL, 0, 0);
		    sigtimedwait(&k, &si, &zero);
	    }));
	(void)other;
}

static void suspend(void)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2, 0), wait = set_of(SIGUSR2, 0, 0), now;

	order_count = 0;
	catch_(SIGUSR1, 0);
	catch_(SIGUSR2, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	raise(SIGUSR2);
	RET("sigsuspend", sigsuspend(&wait));
	say_order("delivered");
	sigprocmask(SIG_BLOCK, NULL, &now);
	VAL("mask is back", sigismember(&now, SIGUSR1) + sigismember(&now, SIGUSR2));
	sigpending(&now);
	VAL("still pending", sigismember(&now, SIGUSR2));
	sigemptyset(&wait);
	RET("sigsuspend", sigsuspend(&wait));
	say_order("delivered");
	pid_t me = getpid();
	pid_t pid = START({
		wait_state(me, 'S');
		kill(me, SIGUSR1);
	});
	RET("sigsuspend that waits", sigsuspend(&wait));
	say_order("delivered");
	wait_for(pid);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	pid = START({
		wait_state(me, 'S');
		kill(me, SIGUSR1);
	});
	RET("pause", pause());
	wait_for(pid);
}

static stack_t alt;
static volatile int on_alt;

static void on_stack(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	char here;
	stack_t now;
	ucontext_t *uc = context;

	on_alt = &here >= (char *)alt.ss_sp && &here < (char *)alt.ss_sp + alt.ss_size;
	sigaltstack(NULL, &now);
	VAL("flags in the handler", now.ss_flags);
	RET("change in the handler", sigaltstack(&alt, NULL));
	YES("uc_stack", uc->uc_stack.ss_sp == alt.ss_sp && uc->uc_stack.ss_size == alt.ss_size);
	VAL("uc_stack.ss_flags", uc->uc_stack.ss_flags);
}

static void overflow(int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	overflow(n + 1 + big[0]);
	big[1] = 0;
}

static void on_overflow(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	YES("SIGSEGV code MAPERR or ACCERR",
	    si->si_code == SEGV_MAPERR || si->si_code == SEGV_ACCERR);
	_exit(12);
}

static void alternate(void)
{
	struct sigaction sa = { .sa_sigaction = on_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t old;

	sigaltstack(NULL, &old);
	VAL("flags at first", old.ss_flags);
	alt = (stack_t){ .ss_sp = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			 .ss_size = 65536 };
	RET("set", sigaltstack(&alt, NULL));
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	VAL("handler ran on it", on_alt);
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_sigaction = on_info;
	raise(SIGUSR1);
	VAL("without SA_ONSTACK", on_alt);
	say_status("stack overflow with SA_ONSTACK", CHILD({
			   sa.sa_sigaction = on_overflow;
			   sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
			   sigaction(SIGSEGV, &sa, NULL);
			   overflow(0);
		   }));
	say_status("stack overflow without", CHILD({
			   sa.sa_sigaction = on_overflow;
			   sa.sa_flags = SA_SIGINFO;
			   sigaction(SIGSEGV, &sa, NULL);
			   overflow(0);
		   }));
	alt.ss_flags = (int)(1u << 31);
	RET("SS_AUTODISARM", sigaltstack(&alt, NULL));
	sa.sa_sigaction = on_stack;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaltstack(NULL, &old);
	HEX("flags afterwards", old.ss_flags);
	old.ss_flags = SS_DISABLE;
	RET("switch off", sigaltstack(&old, NULL));
}

static void stopping(void)
{
	pid_t pid = START(for (;;) pause());
	sigset_t set;
	int st;

	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	say_status("SIGSTOP", st);
	kill(pid, SIGTERM);
	RET("SIGTERM waits while stopped", waitpid(pid, &st, WNOHANG));
	kill(pid, SIGCONT);
	say_status("then", wait_for(pid));
	/* SIGCONT drops pending stops, a stop drops a pending SIGCONT. */
	pid = START({
		set = set_of(SIGTSTP, SIGCONT, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTSTP);
		raise(SIGCONT);
		sigpending(&set);
		VAL("SIGTSTP pending", sigismember(&set, SIGTSTP));
		VAL("SIGCONT pending", sigismember(&set, SIGCONT));
		raise(SIGTSTP);
		sigpending(&set);
		VAL("SIGTSTP pending", sigismember(&set, SIGTSTP));
		VAL("SIGCONT pending", sigismember(&set, SIGCONT));
	});
	say_status("child", wait_for(pid));
	pid = START({
		catch_(SIGCONT, 0);
		raise(SIGSTOP);
		say_order("handler after SIGCONT");
	});
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGCONT);
	say_status("child", wait_for(pid));
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGKILL);
	say_status("SIGKILL while stopped", wait_for(pid));
	pid = START({
		signal(SIGTSTP, SIG_IGN);
		raise(SIGTSTP);
		_exit(4);
	});
	say_status("SIGTSTP ignored", wait_for(pid));
}

/* A handler may leave by siglongjmp or change the context it returns to. */
static void skip(int sig UNUSED, siginfo_t *si UNUSED, void *context)
{
	ucontext_t *uc = context;

	uc->uc_mcontext.gregs[REG_RAX] = 1234;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void context(void)
{
	struct sigaction sa = { .sa_sigaction = skip, .sa_flags = SA_SIGINFO };
	long rax = SYS_getpid, check[2];
	sigset_t set;
	double a = 1.5, b = 2.25, c;

	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &set);
	VAL("mask set through uc_sigmask", sigismember(&set, SIGUSR2));
	/*
	 * Registers live through a signal: caller-saved ones, too, when it comes from outside the
	 * program's code.
	 */
	sa.sa_sigaction = on_info;
	sigaction(SIGALRM, &sa, NULL);
	struct itimerval it = { { 0, 1000 }, { 0, 1000 } };
	setitimer(ITIMER_REAL, &it, NULL);
	order_count = 0;
	rax = 0;
	check[0] = check[1] = 0;
	while (order_count < 20) {
		__asm__ volatile("mov $0x1111, %%rax; mov $0x2222, %%r11; mov $0x3333, %%rcx\n\t"
				 "movq %%rax, %%xmm15; mov $100000, %%rdx\n"
				 "1: dec %%rdx; jnz 1b\n\t"
				 "movq %%xmm15, %%rdx; cmp %%rdx, %%rax; jne 2f\n\t"
				 "cmp $0x1111, %%rax; jne 2f; cmp $0x2222, %%r11; jne 2f\n\t"
				 "cmp $0x3333, %%rcx; jne 2f; jmp 3f\n"
				 "2: incq %0\n3:"
				 : "+m"(check[0])
				 :
				 : "rax", "rcx", "rdx", "r11", "xmm15", "cc", "memory");
		c = a * b;
		if (c != 3.375)
			check[1]++;
	}
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	(void)rax;
	VAL("registers changed", check[0]);
	VAL("wrong floating point", check[1]);
	order_count = 0;
}

static void descriptor(void)
{
	sigset_t set = set_of(SIGUSR1, FIRST_RT, 0);
	struct signalfd_siginfo si[3];
	struct pollfd p;
	int fd;

	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = MUST(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	RET("empty", read(fd, si, sizeof(si)));
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	RET("poll", poll(&p, 1, 0));
	raise(SIGUSR1);
	sigqueue(getpid(), FIRST_RT, (union sigval){ .sival_int = 77 });
	sigqueue(getpid(), FIRST_RT, (union sigval){ .sival_int = 78 });
	RET("poll", poll(&p, 1, 0));
	RET("too small", read(fd, si, 100));
	RET("two", read(fd, si, 2 * sizeof(si[0])));
	say("%s code %d, %s code %d value %d", signal_name((int)si[0].ssi_signo), si[0].ssi_code,
	    signal_name((int)si[1].ssi_signo), si[1].ssi_code, si[1].ssi_int);
	RET("rest", read(fd, si, sizeof(si)));
	VAL("value", si[0].ssi_int);
	RET("empty again", read(fd, si, sizeof(si)));
	set = set_of(SIGUSR2, 0, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	RET("change of the set", signalfd(fd, &set, 0) == fd);
	raise(SIGUSR1);
	RET("not in the set", read(fd, si, sizeof(si)));
	raise(SIGUSR2);
	RET("in the set", read(fd, si, sizeof(si)));
	RET("not a signalfd", signalfd(1, &set, 0));
	RET("bad flags", signalfd(-1, &set, 1));
	RET("write", write(fd, si, sizeof(si)));
	RET("lseek", lseek(fd, 0, SEEK_SET));
}

static const struct section sections[] = {
	{ "errors", errors },   { "actions", actions },       { "masks", masks },
	{ "queues", queues },   { "infos", infos },           { "waits", waits },
	{ "suspend", suspend }, { "alternate", alternate },   { "stopping", stopping },
	{ "context", context }, { "descriptor", descriptor },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
