/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: fork, vfork, clone, wait, process groups and sessions, orphans. */
#include "test/linux/prog/check.h"
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void exit_codes(void)
{
	static const int codes[] = { 0, 1, 127, 255, 256, -1, 0x1ff };
	static const int signals[] = {
		SIGHUP, SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGALRM, 34, 64
	};

	for (size_t i = 0; i < COUNT(codes); i++) {
		say("exit(%d)", codes[i]);
		say_status("  status", CHILD(_exit(codes[i])));
	}
	for (size_t i = 0; i < COUNT(signals); i++)
		say_status("raised", CHILD({
				   kill(getpid(), signals[i]);
				   for (;;)
					   pause();
			   }));
	say_status("abort", CHILD(abort()));
	say_status("abort with a blocked signal", CHILD({
			   sigset_t all;

			   sigfillset(&all);
			   sigprocmask(SIG_SETMASK, &all, NULL);
			   abort();
		   }));
}

static void handler(int sig UNUSED)
{
}

static void fork_copies(void)
{
	static int value = 1;
	int fd = MUST(open("file", O_RDWR | O_CREAT, 0644));
	char buf[8] = "";
	sigset_t set, old;
	int st;

	MUST(write(fd, "abcdef", 6));
	MUST(lseek(fd, 1, SEEK_SET));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGUSR2, handler);
	raise(SIGUSR1);
	alarm(100);
	umask(033);
	st = CHILD({
		struct sigaction sa;

		value = 2;
		YES("own parent", getppid() > 0);
		sigpending(&set);
		VAL("pending in the child", sigismember(&set, SIGUSR1));
		sigprocmask(SIG_BLOCK, NULL, &set);
		VAL("mask in the child", sigismember(&set, SIGUSR1));
		VAL("alarm in the child", alarm(0));
		sigaction(SIGUSR2, NULL, &sa);
		YES("handler in the child", sa.sa_handler == handler);
		VAL("umask in the child", umask(0));
		MUST(read(fd, buf, 2));
		STR("read in the child", buf);
		close(fd);
		_exit(value);
	});
	say_status("child", st);
	VAL("value of the parent", value);
	sigpending(&set);
	VAL("pending in the parent", sigismember(&set, SIGUSR1));
	YES("alarm of the parent", alarm(0) > 90);
	MUST(read(fd, buf, 2));
	STR("read goes on after the child's", buf);
	VAL("umask of the parent", umask(0));
}

static void vforks(void)
{
	static volatile int value;
	pid_t pid = vfork();
	int st;

	if (pid == 0) {
		value = 5;
		_exit(3);
	}
	VAL("value set by the child", value);
	say_status("child", wait_for(pid));
	pid = vfork();
	if (pid == 0) {
		execl("/no/such/program", "x", NULL);
		value = errno;
		_exit(4);
	}
	say("execve in the child: %s", error_name(value));
	say_status("child", wait_for(pid));
	pid = vfork();
	if (pid == 0) {
		execl("/bin/false", "false", NULL);
		_exit(5);
	}
	waitpid(pid, &st, 0);
	say_status("false", st);
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(6);
	}
	waitpid(pid, &st, 0);
	say_status("killed", st);
}

static long do_clone(unsigned long flags, void *stack, int *ptid, int *ctid)
{
	return syscall(SYS_clone, flags, stack, ptid, ctid, 0);
}

static void clone_errors(void)
{
	struct clone_args ca;
	char big[256] = "";

	RET("SIGHAND without VM", do_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL));
	RET("THREAD without SIGHAND", do_clone(CLONE_THREAD | CLONE_VM, NULL, NULL, NULL));
	RET("FS with NEWNS", do_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL));
	memset(&ca, 0, sizeof(ca));
	RET("clone3 short", syscall(SYS_clone3, &ca, 32));
	RET("clone3 long with zeros", ({
		    struct clone_args *c = (void *)big;
		    long r;

		    c->exit_signal = SIGCHLD;
		    r = syscall(SYS_clone3, big, sizeof(big));
		    if (r == 0)
			    _exit(0);
		    if (r > 0)
			    wait_for((pid_t)r);
		    r > 0 ? 1 : r;
	    }));
	big[200] = 1;
	RET("clone3 long with more", syscall(SYS_clone3, big, sizeof(big)));
	RET("clone3 over a page", syscall(SYS_clone3, big, 5000));
	RET("clone3 bad pointer", syscall(SYS_clone3, (void *)8, sizeof(ca)));
	ca.exit_signal = 65;
	RET("clone3 bad signal", syscall(SYS_clone3, &ca, sizeof(ca)));
	ca.exit_signal = SIGCHLD;
	ca.stack_size = 4096;
	RET("clone3 size without stack", syscall(SYS_clone3, &ca, sizeof(ca)));
	ca.stack = (uintptr_t)&ca;
	ca.stack_size = 0;
	RET("clone3 stack without size", syscall(SYS_clone3, &ca, sizeof(ca)));
	memset(&ca, 0, sizeof(ca));
	ca.flags = CLONE_DETACHED;
	RET("clone3 CLONE_DETACHED", syscall(SYS_clone3, &ca, sizeof(ca)));
	ca.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
	RET("clone3 CLEAR_SIGHAND with SIGHAND", syscall(SYS_clone3, &ca, sizeof(ca)));
	ca.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
	ca.exit_signal = SIGCHLD;
	RET("clone3 thread with a signal", syscall(SYS_clone3, &ca, sizeof(ca)));
	ca.flags = 1ull << 60;
	RET("clone3 unknown flag", syscall(SYS_clone3, &ca, sizeof(ca)));
}

/*
 * `flags`, with a child that shares nothing on its stack: raw clone without stack behaves as fork.
 */
#define CLONED(flags, ptid, ctid, ...)                                     \
	({                                                                 \
		pid_t c_ = (pid_t)MUST(do_clone(flags, NULL, ptid, ctid)); \
		if (c_ == 0) {                                             \
			__VA_ARGS__;                                       \
			_exit(0);                                          \
		}                                                          \
		c_;                                                        \
	})

static void clone_shares(void)
{
	int fd = MUST(open("file", O_RDWR | O_CREAT, 0644));
	static int tid[2];
	pid_t pid;
	char cwd[256];
	struct clone_args ca = { .exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND };

	wait_for(CLONED(CLONE_FILES | SIGCHLD, NULL, NULL, close(fd)));
	RET("closed by the child", fcntl(fd, F_GETFD));
	MUST(mkdir("sub", 0755));
	wait_for(CLONED(CLONE_FS | SIGCHLD, NULL, NULL, {
		MUST(chdir("sub"));
		umask(045);
	}));
	STR("folder set by the child", strrchr(getcwd(cwd, sizeof(cwd)), '/'));
	VAL("umask set by the child", umask(022));
	wait_for(CLONED(SIGCHLD, NULL, NULL, chdir("/")));
	STR("folder after a child without CLONE_FS", strrchr(getcwd(cwd, sizeof(cwd)), '/'));
	pid = CLONED(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &tid[0], &tid[1],
		     _exit(tid[1] == getpid() ? 0 : 1));
	YES("PARENT_SETTID", tid[0] == pid);
	VAL("CHILD_SETTID in the parent", tid[1]);
	say_status("CHILD_SETTID in the child", wait_for(pid));
	pid = CLONED(0, NULL, NULL, _exit(9));
	RET("no exit signal: plain wait", waitpid(pid, NULL, 0));
	int st;
	RET("no exit signal: __WCLONE", waitpid(pid, &st, __WCLONE) == pid);
	say_status("status", st);
	pid = CLONED(SIGUSR1, NULL, NULL, _exit(8));
	signal(SIGUSR1, SIG_IGN);
	RET("SIGUSR1 as exit signal: __WALL", waitpid(pid, &st, __WALL) == pid);
	say_status("status", st);
	signal(SIGUSR2, handler);
	signal(SIGHUP, SIG_IGN);
	pid = (pid_t)MUST(syscall(SYS_clone3, &ca, sizeof(ca)));
	if (pid == 0) {
		struct sigaction sa;

		sigaction(SIGUSR2, NULL, &sa);
		YES("CLEAR_SIGHAND resets handlers", sa.sa_handler == SIG_DFL);
		sigaction(SIGHUP, NULL, &sa);
		YES("CLEAR_SIGHAND keeps ignored ones", sa.sa_handler == SIG_IGN);
		_exit(0);
	}
	wait_for(pid);
}

static void clone_parent(void)
{
	int st;
	/* The grandchild becomes a child of this process. */
	st = CHILD({
		pid_t me = getppid();
		pid_t pid = CLONED(CLONE_PARENT | SIGCHLD, NULL, NULL,
				   _exit(getppid() == me ? 7 : 8));

		RET("not a child of the caller", waitpid(pid, NULL, 0));
	});
	say_status("caller", st);
	RET("any child", wait(&st) > 0);
	say_status("made with CLONE_PARENT", st);
}

static int vm_child(void *arg)
{
	*(int *)arg = 77;
	return 11;
}

static void clone_vm(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static int value;
	pid_t pid = MUST(clone(vm_child, stack + sizeof(stack), CLONE_VM | SIGCHLD, &value));

	say_status("child in the same memory", wait_for(pid));
	VAL("value set by the child", value);
	pid = MUST(
		clone(vm_child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &value));
	VAL("value after vfork", value);
	say_status("child", wait_for(pid));
}

static void wait_errors(void)
{
	int st;
	siginfo_t si;
	pid_t pid;
	struct event e = event_new();

	RET("wait without children", wait(&st));
	RET("WNOHANG without children", waitpid(-1, &st, WNOHANG));
	RET("waitid without children", waitid(P_ALL, 0, &si, WEXITED));
	pid = START(event_wait(&e));
	RET("WNOHANG with a child", waitpid(pid, &st, WNOHANG));
	RET("unknown option", waitpid(pid, &st, 0x100));
	RET("a process that is no child", waitpid(0x3ffffff, &st, 0));
	RET("group without member", waitpid(-0x3ffffff, &st, 0));
	RET("smallest pid", waitpid(INT_MIN, &st, 0));
	RET("waitid without a kind", waitid(P_ALL, 0, &si, WNOHANG));
	RET("waitid bad type", waitid((idtype_t)9, 0, &si, WEXITED));
	RET("waitid P_PID 0", waitid(P_PID, 0, &si, WEXITED));
	memset(&si, 0xff, sizeof(si));
	RET("waitid WNOHANG", waitid(P_ALL, 0, &si, WEXITED | WNOHANG));
	VAL("its si_pid", si.si_pid);
	VAL("its si_signo", si.si_signo);
	RET("bad status pointer", ({
		    event_set(&e);
		    waitpid(pid, (int *)8, 0);
	    }));
	RET("reaped all the same", waitpid(pid, &st, 0));
	RET("own group", ({
		    pid = START(_exit(3));
		    waitpid(0, &st, 0) == pid;
	    }));
	RET("its status", WEXITSTATUS(st));
	pid = START(_exit(4));
	RET("group by number", waitpid(-getpgrp(), &st, 0) == pid);
	pid = START(_exit(4));
	struct rusage ru;
	memset(&ru, 0, sizeof(ru));
	RET("wait4 with usage", wait4(pid, &st, 0, &ru) == pid);
	YES("resident size", ru.ru_maxrss > 0);
}

static void say_info(const char *name, const siginfo_t *si, pid_t pid)
{
	static const char *const codes[] = { "?",       "EXITED",  "KILLED",   "DUMPED",
					     "TRAPPED", "STOPPED", "CONTINUED" };
	int code = si->si_code;

	/* Whether a core is written is the host's setting. */
	if (code == CLD_DUMPED)
		code = CLD_KILLED;
	say("%s: %s %s %d, right pid %d, uid %d", name, signal_name(si->si_signo),
	    code >= 1 && code <= 6 ? codes[code] : "?", si->si_status, si->si_pid == pid,
	    (int)si->si_uid);
}

static void waitids(void)
{
	siginfo_t si;
	pid_t pid = START(_exit(42));
	int st;

	RET("WNOWAIT", waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	say_info("first", &si, pid);
	RET("again", waitid(P_PID, pid, &si, WEXITED));
	say_info("second", &si, pid);
	RET("third", waitid(P_PID, pid, &si, WEXITED));
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	RET("WSTOPPED", waitid(P_PID, pid, &si, WSTOPPED));
	say_info("stopped", &si, pid);
	RET("WSTOPPED once only", waitid(P_PID, pid, &si, WSTOPPED | WNOHANG));
	kill(pid, SIGCONT);
	RET("WCONTINUED", waitid(P_PID, pid, &si, WCONTINUED));
	say_info("continued", &si, pid);
	kill(pid, SIGSTOP);
	RET("WUNTRACED", waitpid(pid, &st, WUNTRACED) == pid);
	say_status("status", st);
	HEX("raw", st);
	kill(pid, SIGCONT);
	RET("WCONTINUED", waitpid(pid, &st, WCONTINUED) == pid);
	say_status("status", st);
	HEX("raw", st);
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGKILL);
	RET("killed while stopped", waitid(P_PGID, getpgrp(), &si, WEXITED));
	say_info("killed", &si, pid);
	pid = START(abort());
	RET("aborted", waitid(P_PID, pid, &si, WEXITED));
	say_info("aborted", &si, pid);
}

static volatile sig_atomic_t chld_count, chld_code;

static void on_chld(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	chld_count++;
	chld_code = si->si_code;
}

static void reaping(void)
{
	struct sigaction sa = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_NOCLDSTOP };
	struct event e = event_new();
	pid_t pid;
	int st;

	signal(SIGCHLD, SIG_IGN);
	pid = START(event_wait(&e));
	START(_exit(1));
	event_set(&e);
	RET("wait with SIGCHLD ignored", wait(&st));
	RET("zombie", kill(pid, 0));
	signal(SIGCHLD, SIG_DFL);
	pid = START(_exit(2));
	RET("wait with the default", wait(&st) == pid);
	sigaction(SIGCHLD, &sa, NULL);
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, &st, WCONTINUED);
	VAL("SA_NOCLDSTOP: signals", chld_count);
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
	while (chld_count == 0)
		;
	VAL("signals after the end", chld_count);
	YES("code", chld_code == CLD_KILLED);
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGCHLD, &sa, NULL);
	chld_count = 0;
	pid = START(for (;;) pause());
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	while (chld_count == 0)
		;
	YES("code of a stop", chld_code == CLD_STOPPED);
	kill(pid, SIGCONT);
	while (chld_count == 1)
		;
	YES("code of a continue", chld_code == CLD_CONTINUED);
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
	sa.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
	sigaction(SIGCHLD, &sa, NULL);
	chld_count = 0;
	pid = START(_exit(1));
	while (wait(&st) == -1 && errno == EINTR)
		;
	RET("SA_NOCLDWAIT", wait(&st));
	VAL("signals", chld_count);
}

static void orphans(void)
{
	struct event dead = event_new(), checked = event_new();
	pid_t me = getpid();
	int st;

	RET("PR_SET_CHILD_SUBREAPER", prctl(PR_SET_CHILD_SUBREAPER, 1));
	st = CHILD({
		pid_t parent = getpid();

		START({
			event_wait(&dead);
			while (getppid() == parent)
				usleep(1000);
			YES("parent is the reaper", getppid() == me);
			event_set(&checked);
			_exit(33);
		});
		_exit(0);
	});
	say_status("middle", st);
	event_set(&dead);
	event_wait(&checked);
	RET("reaped orphan", wait(&st) > 0);
	say_status("orphan", st);
	st = CHILD({
		pid_t pid = START({
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			event_set(&dead);
			for (;;)
				pause();
		});

		(void)pid;
		event_wait(&dead);
	});
	RET("killed by PR_SET_PDEATHSIG", wait(&st) > 0);
	say_status("orphan", st);
	/* A zombie whose parent ends is reaped by the reaper. */
	st = CHILD({
		pid_t pid = START(_exit(21));
		siginfo_t si;

		waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	});
	RET("zombie is handed on", wait(&st) > 0);
	say_status("zombie", st);
}

static void groups(void)
{
	struct event e = event_new(), f = event_new();
	pid_t pid;
	int st;

	st = CHILD({
		RET("setsid", setsid() == getpid());
		RET("setsid again", setsid());
		RET("setpgid of a leader", setpgid(0, 0));
		YES("group and session", getpgrp() == getpid() && getsid(0) == getpid());
		pid = START({
			event_wait(&e);
			YES("group set by the parent", getpgrp() == getpid());
			RET("session leader by setpgid", setpgid(0, 0));
			event_set(&f);
			event_wait(&e);
			char *argv[] = { "sleep", "1000", NULL };
			execv("/bin/sleep", argv);
		});
		RET("setpgid of a child", setpgid(pid, pid));
		RET("setpgid to a missing group", setpgid(pid, 0x3ffffff));
		RET("setpgid negative", setpgid(pid, -1));
		RET("setpgid of a stranger", setpgid(0x3ffffff, 0));
		RET("setpgid of the parent", setpgid(getppid(), 0));
		RET("getpgid", getpgid(pid) == pid);
		RET("getpgid of nobody", getpgid(0x3ffffff));
		RET("getsid of nobody", getsid(0x3ffffff));
		event_set(&e);
		event_wait(&f);
		RET("back to our group", setpgid(pid, getpgrp()));
		event_set(&e);
		/* The child runs another program some time later. */
		while (setpgid(pid, pid) == 0)
			setpgid(pid, getpgrp());
		say("setpgid after execve: %s", error_name(errno));
		RET("kill of the own group", ({
			    signal(SIGTERM, SIG_IGN);
			    kill(0, SIGTERM);
		    }));
		kill(pid, SIGKILL);
		wait_for(pid);
	});
	say_status("session leader", st);
}

/* A stopped member of a group that becomes orphaned gets SIGHUP and SIGCONT. */
static void orphaned_group(void)
{
	struct event e = event_new();
	int st;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	st = CHILD({
		pid_t pid;

		setsid();
		pid = START({
			setpgid(0, 0);
			event_set(&e);
			raise(SIGSTOP);
			for (;;)
				pause();
		});
		event_wait(&e);
		waitpid(pid, &st, WUNTRACED);
		say_status("member", st);
	});
	say_status("leader", st);
	wait(&st);
	say_status("member after the leader's end", st);
	/* The default action of SIGTSTP is ignored in an orphaned group. */
	st = CHILD({
		setsid();
		raise(SIGTSTP);
		_exit(6);
	});
	say_status("SIGTSTP in an orphaned group", st);
}

static void kills(void)
{
	pid_t pid = START(_exit(0));
	siginfo_t si;

	waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
	RET("kill a zombie", kill(pid, SIGTERM));
	wait_for(pid);
	RET("kill a reaped one", kill(pid, 0));
	RET("kill nobody", kill(0x3ffffff, 0));
	RET("kill a missing group", kill(-0x3ffffff, 0));
	RET("kill with a bad signal", kill(getpid(), 65));
	RET("kill with a negative signal", kill(getpid(), -1));
	RET("kill with signal 0", kill(getpid(), 0));
	RET("tgkill pid 0", syscall(SYS_tgkill, 0, getpid(), 0));
	RET("tgkill of another group", syscall(SYS_tgkill, getppid(), getpid(), 0));
	RET("tkill negative", syscall(SYS_tkill, -1, 0));
	RET("tkill of nobody", syscall(SYS_tkill, 0x3ffffff, 0));
	RET("tkill", syscall(SYS_tkill, getpid(), 0));
	pid = START(for (;;) pause());
	RET("kill a group of one", ({
		    setpgid(pid, pid);
		    kill(-pid, SIGTERM);
	    }));
	say_status("member", wait_for(pid));
	if (geteuid() != 0)
		return;
	pid = START(for (;;) pause());
	say_status("another user", CHILD({
			   MUST(setresuid(65534, 65534, 65534));
			   RET("kill", kill(pid, SIGTERM));
			   RET("kill with signal 0", kill(pid, 0));
			   RET("kill with SIGCONT in the same session", kill(pid, SIGCONT));
			   RET("tgkill", syscall(SYS_tgkill, pid, pid, SIGTERM));
		   }));
	kill(pid, SIGKILL);
	wait_for(pid);
}

/* Many children one after another and at once. */
static void many(void)
{
	int sum = 0, st;

	for (int i = 0; i < 200; i++) {
		st = CHILD(_exit(i & 1));
		sum += WEXITSTATUS(st);
	}
	VAL("one after another", sum);
	sum = 0;
	for (int i = 0; i < 100; i++)
		START(_exit(i & 3));
	for (int i = 0; i < 100; i++) {
		MUST(wait(&st));
		sum += WEXITSTATUS(st);
	}
	VAL("at once", sum);
	RET("no more", wait(&st));
}

static const struct section sections[] = {
	{ "exit_codes", exit_codes },
	{ "fork_copies", fork_copies },
	{ "vforks", vforks },
	{ "clone_errors", clone_errors },
	{ "clone_shares", clone_shares },
	{ "clone_parent", clone_parent },
	{ "clone_vm", clone_vm },
	{ "wait_errors", wait_errors },
	{ "waitids", waitids },
	{ "reaping", reaping },
	{ "orphans", orphans },
	{ "groups", groups },
	{ "kills", kills },
	{ "orphaned_group", orphaned_group },
	{ "many", many },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
