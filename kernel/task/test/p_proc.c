/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: fork, vfork, exec, wait, groups, orphans, and what a program finds at its start. */
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>

#include "p.h"

extern char **environ;
static const char *self;

static int exits_5(void)
{
	return 5;
}

static bool exited(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static bool killed(int status, int sig)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static void fork_basics(void)
{
	static int value = 1;
	int status;
	pid_t pid;

	OK(exited(p_child(exits_5), 5), "exit status");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		value = 2;
		_exit(getppid() == 0 || value != 2);
	}
	OK(waitpid(pid, &status, 0) == pid && status == 0 && value == 1, "memory is copied");
	OK(waitpid(pid, &status, 0) == -1 && errno == ECHILD, "waited for once");
	OK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "no children: ECHILD");
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = fork();
	if (pid == 0) {
		m[0] = 7;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	OK(m[0] == 7, "shared memory is shared");
}

static void wait_kinds(void)
{
	siginfo_t info;
	int status, fds[2];
	pid_t a, b;
	char c;

	OK(pipe(fds) == 0, "pipe");
	fflush(stdout);
	a = fork();
	if (a == 0)
		_exit(read(fds[0], &c, 1) == 1 ? 3 : 4);
	OK(waitpid(a, &status, WNOHANG) == 0, "WNOHANG: still running");
	OK(write(fds[1], "x", 1) == 1, "let it end");
	memset(&info, 0, sizeof(info));
	OK(waitid(P_PID, (id_t)a, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == a &&
		   info.si_status == 3 && info.si_code == CLD_EXITED && info.si_signo == SIGCHLD,
	   "waitid with WNOWAIT");
	OK(waitpid(a, &status, 0) == a && exited(status, 3), "and again without");
	fflush(stdout);
	a = fork();
	if (a == 0)
		for (;;)
			pause();
	kill(a, SIGSTOP);
	OK(waitpid(a, &status, WUNTRACED) == a && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP,
	   "WUNTRACED");
	OK(waitpid(a, &status, WUNTRACED | WNOHANG) == 0, "a stop is reported once");
	kill(a, SIGCONT);
	OK(waitpid(a, &status, WCONTINUED) == a && WIFCONTINUED(status), "WCONTINUED");
	kill(a, SIGSTOP);
	waitpid(a, &status, WUNTRACED);
	kill(a, SIGKILL);
	OK(waitpid(a, &status, 0) == a && killed(status, SIGKILL),
	   "SIGKILL ends a stopped process");
	fflush(stdout);
	a = fork();
	if (a == 0) {
		setpgid(0, 0);
		_exit(1);
	}
	setpgid(a, a);
	b = fork();
	if (b == 0)
		_exit(2);
	OK(waitpid(-a, &status, 0) == a && exited(status, 1), "wait for a process group");
	OK(waitpid(0, &status, 0) == b && exited(status, 2), "wait for our own");
	struct rusage ru;
	a = fork();
	if (a == 0) {
		clock_t end = clock() + CLOCKS_PER_SEC / 20;

		while (clock() < end)
			;
		_exit(0);
	}
	OK(wait4(a, &status, 0, &ru) == a &&
		   ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec >=
			   40000 &&
		   ru.ru_maxrss > 0,
	   "wait4 gives the child's use");
}

static volatile int chld, chld_code, chld_pid, chld_status;

static void on_chld(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	chld++;
	chld_code = info->si_code;
	chld_pid = info->si_pid;
	chld_status = info->si_status;
}

static void child_signals(void)
{
	struct sigaction a = { .sa_sigaction = on_chld, .sa_flags = SA_SIGINFO };
	int status;
	pid_t pid;

	sigaction(SIGCHLD, &a, NULL);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(8);
	while (chld == 0)
		usleep(100);
	OK(chld_code == CLD_EXITED && chld_pid == pid && chld_status == 8,
	   "SIGCHLD tells who and how");
	waitpid(pid, &status, 0);
	chld = 0;
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	while (chld < 1)
		usleep(100);
	OK(chld_code == CLD_STOPPED && chld_status == SIGSTOP, "also of a stop");
	kill(pid, SIGCONT);
	while (chld < 2)
		usleep(100);
	OK(chld_code == CLD_CONTINUED && chld_status == SIGCONT, "and a continuation");
	kill(pid, SIGTERM);
	while (chld < 3)
		usleep(100);
	OK(chld_code == CLD_KILLED && chld_status == SIGTERM, "and a kill");
	waitpid(pid, &status, 0);
	a.sa_handler = SIG_IGN;
	a.sa_flags = 0;
	sigaction(SIGCHLD, &a, NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	OK(waitpid(pid, &status, 0) == -1 && errno == ECHILD,
	   "SIGCHLD ignored: nothing to wait for");
	a.sa_handler = SIG_DFL;
	a.sa_flags = SA_NOCLDWAIT;
	sigaction(SIGCHLD, &a, NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	OK(waitpid(-1, &status, 0) == -1 && errno == ECHILD, "SA_NOCLDWAIT too");
	a.sa_flags = 0;
	sigaction(SIGCHLD, &a, NULL);
}

static void vforks(void)
{
	volatile int changed = 0;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		changed = 1;
		_exit(4);
	}
	OK(changed == 1, "vfork: the parent waits and shares memory");
	OK(waitpid(pid, &status, 0) == pid && exited(status, 4), "and can be waited for");
	char *const argv[] = { "p_proc", "exit", "21", NULL };
	OK(posix_spawn(&pid, self, NULL, NULL, argv, environ) == 0, "posix_spawn");
	OK(waitpid(pid, &status, 0) == pid && exited(status, 21), "its status");
	char *const none[] = { "x", NULL };
	OK(posix_spawn(&pid, "/does/not/exist", NULL, NULL, none, environ) == ENOENT,
	   "posix_spawn of nothing");
	OK(system("exit 6") >> 8 == 6, "system");
}

static int try_exec(const char *path, char *const argv[])
{
	fflush(stdout);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execve(path, argv, environ);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	if (write(fd, text, strlen(text)) < 0)
		abort();
	fchmod(fd, mode);
	close(fd);
}

static void execs(void)
{
	char *const argv[] = { "p_proc", "exit", "33", NULL };
	char dir[] = "/tmp/p_procXXXXXX", path[64], path2[64], line[128];

	OK(mkdtemp(dir) != NULL, "a directory");
	OK(try_exec(self, argv) == 33, "execve");
	OK(try_exec("/nonexistent", argv) == ENOENT, "ENOENT");
	OK(try_exec(dir, argv) == EACCES, "a directory: EACCES");
	snprintf(path, sizeof(path), "%s/script", dir);
	snprintf(path2, sizeof(path2), "%s/script2", dir);
	write_file(path, "", 0755);
	OK(try_exec(path, argv) == ENOEXEC, "empty: ENOEXEC");
	write_file(path, "garbage\n", 0755);
	OK(try_exec(path, argv) == ENOEXEC, "no format: ENOEXEC");
	write_file(path, "#!/bin/sh\nexit 3\n", 0644);
	OK(try_exec(path, argv) == EACCES, "not executable: EACCES");
	write_file(path, "#!/bin/sh\nexit $(($# + 40))\n", 0755);
	OK(try_exec(path, argv) == 42, "script with arguments");
	snprintf(line, sizeof(line), "#! %s a b\n", path);
	write_file(path2, line, 0755);
	OK(try_exec(path2, argv) == 44, "script of a script, one argument");
	write_file(path, "#!/nonexistent\n", 0755);
	OK(try_exec(path, argv) == ENOENT, "interpreter missing: ENOENT");
	snprintf(line, sizeof(line), "#!%s\n", path);
	write_file(path, line, 0755);
	OK(try_exec(path, argv) == ELOOP, "its own interpreter: ELOOP");
	int fd = open(path, O_WRONLY);
	OK(try_exec(path, argv) == ETXTBSY, "open for writing: ETXTBSY");
	close(fd);
	static char big[140000];
	memset(big, 'x', sizeof(big) - 1);
	char *const huge[] = { "p_proc", big, NULL };
	OK(try_exec(self, huge) == E2BIG, "a string above 128 KiB: E2BIG");
	static char *many[200002];
	big[100] = '\0';
	for (int i = 0; i < 200000; i++)
		many[i] = big;
	OK(try_exec(self, many) == E2BIG, "too many: E2BIG");
	many[5000] = NULL;
	many[1] = "count";
	OK(try_exec(self, many) == 5000 % 251, "5,000 arguments arrive");
	unlink(path);
	unlink(path2);
	rmdir(dir);
}

static void on_usr2(int sig)
{
	(void)sig;
}

static void kept_and_lost(void)
{
	char *const argv[] = { "p_proc", "state", NULL };
	sigset_t s;

	fflush(stdout);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		dup2(1, 77);
		dup2(1, 78);
		fcntl(78, F_SETFD, FD_CLOEXEC);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGUSR2, on_usr2);
		sigemptyset(&s);
		sigaddset(&s, SIGHUP);
		sigprocmask(SIG_SETMASK, &s, NULL);
		kill(getpid(), SIGHUP);
		execve(self, argv, environ);
		_exit(100);
	}
	waitpid(pid, &status, 0);
	OK(exited(status, 0), "what exec keeps and what it resets (%x)", status);
}

/* After exec: the bits of what is wrong. */
static int check_state(void)
{
	struct sigaction a;
	sigset_t s;
	int bad = 0;

	if (fcntl(77, F_GETFD) < 0)
		bad |= 1;
	if (fcntl(78, F_GETFD) >= 0)
		bad |= 2;
	sigaction(SIGUSR1, NULL, &a);
	if (a.sa_handler != SIG_IGN)
		bad |= 4;
	sigaction(SIGUSR2, NULL, &a);
	if (a.sa_handler != SIG_DFL)
		bad |= 8;
	sigprocmask(SIG_BLOCK, NULL, &s);
	if (!sigismember(&s, SIGHUP))
		bad |= 16;
	sigpending(&s);
	if (!sigismember(&s, SIGHUP))
		bad |= 32;
	return bad;
}

static void start_values(void)
{
	const Elf64_Phdr *ph = (void *)getauxval(AT_PHDR);
	bool has_load = false;

	OK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100, "AT_PAGESZ, AT_CLKTCK");
	OK(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid() &&
		   getauxval(AT_SECURE) == 0,
	   "AT_UID, AT_EGID, AT_SECURE");
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		has_load |= ph[i].p_type == PT_LOAD;
	OK(has_load && getauxval(AT_PHENT) == sizeof(*ph), "AT_PHDR shows the program headers");
	OK(getauxval(AT_RANDOM) != 0 && getauxval(AT_EXECFN) != 0 &&
		   strcmp((char *)getauxval(AT_EXECFN), self) == 0,
	   "AT_RANDOM, AT_EXECFN");
	OK(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0, "AT_PLATFORM");
	OK(memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, 4) == 0, "the vDSO is there");
	OK(getauxval(AT_MINSIGSTKSZ) >= 1000 && getauxval(AT_HWCAP) != 0,
	   "AT_MINSIGSTKSZ, AT_HWCAP");
	static int bss[5000];
	bool zero = true;
	for (int i = 0; i < 5000; i++)
		zero &= bss[i] == 0;
	OK(zero, "bss is zero");
	char *b = sbrk(0);
	OK(sbrk(100000) == b && (memset(b, 1, 100000), true), "the heap grows");
}

static int orphan_pipe[2];

static int make_orphan(void)
{
	pid_t old = getpid(), pid = fork();

	if (pid == 0) {
		for (int i = 0; i < 1000 && getppid() == old; i++)
			usleep(1000);
		char c = getppid() != old;
		_exit(write(orphan_pipe[1], &c, 1) != 1);
	}
	return 0;
}

static int orphan_stopped(void)
{
	pid_t pid;

	setpgid(0, 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGHUP, SIG_IGN);
		raise(SIGSTOP);
		char c = 1; /* SIGHUP and SIGCONT came */
		_exit(write(orphan_pipe[1], &c, 1) != 1);
	}
	waitpid(pid, NULL, WUNTRACED);
	return 0;
}

/* In a session of its own, so that whoever adopts the orphan is outside of it. */
static int orphan_session(void)
{
	setsid();
	return p_child(orphan_stopped);
}

static void orphans(void)
{
	char c = 0;

	OK(pipe(orphan_pipe) == 0, "pipe");
	p_child(make_orphan);
	OK(read(orphan_pipe[0], &c, 1) == 1 && c == 1, "an orphan gets another parent");
	c = 0;
	p_child(orphan_session);
	OK(read(orphan_pipe[0], &c, 1) == 1 && c == 1, "a stopped orphaned group is continued");
	OK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
	p_child(make_orphan);
	OK(read(orphan_pipe[0], &c, 1) == 1, "orphan");
	OK(waitpid(-1, NULL, 0) > 0, "comes to the subreaper");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static int pdeath(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char c = 'r';
		if (write(orphan_pipe[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char c;
	_exit(read(orphan_pipe[0], &c, 1) != 1);
}

static void groups(void)
{
	int status;

	OK(getpgrp() == getpgid(0) && getsid(0) > 0, "own group and session");
	OK(getpgid(999999) == -1 && errno == ESRCH, "ESRCH");
	OK(setpgid(0, -1) == -1 && errno == EINVAL, "EINVAL");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		int bad = 0;

		if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
			bad |= 1;
		if (setsid() != -1 || errno != EPERM)
			bad |= 2;
		if (setpgid(0, 0) != -1 || errno != EPERM)
			bad |= 4;
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	OK(exited(status, 0), "setsid (%x)", status);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				for (;;)
					pause();
		kill(0, SIGTERM);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	OK(killed(status, SIGTERM), "kill(0) reaches the group");
	OK(p_child(pdeath) == 0, "PR_SET_PDEATHSIG");
	OK(kill(999999, 0) == -1 && errno == ESRCH, "kill: ESRCH");
	OK(kill(getpid(), 0) == 0 && kill(getpid(), 65) == -1 && errno == EINVAL,
	   "kill: signal 0, bad signal");
}

static void copy_self(const char *to, mode_t mode)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
	static char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			abort();
	fchmod(out, mode);
	close(in);
	close(out);
}

static void privileges(void)
{
	char dir[] = "/tmp/p_suidXXXXXX", path[64];
	char *const argv[] = { "p_proc", "suid", NULL };
	struct rlimit none = { 0, 0 };
	struct statvfs fs;
	int status;
	pid_t pid;

	if (getuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || mkdtemp(dir) == NULL ||
	    statvfs(dir, &fs) != 0 || (fs.f_flag & ST_NOSUID)) {
		OK(true, "set-user-id # SKIP not root, no new privileges, or /tmp is nosuid");
		OK(true, "PR_SET_NO_NEW_PRIVS # SKIP");
		OK(true, "RLIMIT_NPROC # SKIP");
		return;
	}
	chmod(dir, 0755);
	snprintf(path, sizeof(path), "%s/suid", dir);
	copy_self(path, 04755);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setuid(12345) != 0)
			_exit(99);
		execve(path, argv, environ);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	OK(exited(status, 7), "set-user-id: effective root, real user, AT_SECURE (%x)", status);
	pid = fork();
	if (pid == 0) {
		if (setuid(12345) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
			_exit(99);
		execve(path, argv, environ);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	OK(exited(status, 2), "PR_SET_NO_NEW_PRIVS keeps it from that (%x)", status);
	unlink(path);
	rmdir(dir);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_NPROC, &none);
		if (setuid(12345) != 0)
			_exit(99);
		_exit(fork() == -1 && errno == EAGAIN ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	OK(exited(status, 0), "RLIMIT_NPROC: EAGAIN");
}

static int burns(void)
{
	struct rlimit one = { 1, 2 };

	setrlimit(RLIMIT_CPU, &one);
	for (;;)
		;
	return 0;
}

static void limits(void)
{
	int s = p_child(burns);

	OK(killed(s, SIGXCPU), "RLIMIT_CPU: SIGXCPU");
	struct rlimit q = { 4, 4 };
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t set;
		int n = 0;

		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		setrlimit(RLIMIT_SIGPENDING, &q);
		while (n < 1000 && sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
			n++;
		_exit(errno == EAGAIN && n <= 4 ? 0 : 1);
	}
	waitpid(pid, &s, 0);
	OK(exited(s, 0), "RLIMIT_SIGPENDING: EAGAIN");
}

static int child_thread(void *arg)
{
	*(int *)arg = 1;
	return 6;
}

static void clones(void)
{
	static char stack[65536];
	int done = 0, status;

	pid_t pid = clone(child_thread, stack + sizeof(stack), CLONE_VM | SIGCHLD, &done);
	OK(pid > 0 && waitpid(pid, &status, 0) == pid && exited(status, 6) && done == 1,
	   "clone with CLONE_VM");
	pid = clone(child_thread, stack + sizeof(stack), CLONE_VM, &done);
	OK(waitpid(pid, &status, 0) == -1 && errno == ECHILD,
	   "without a signal plain wait does not see it");
	OK(waitpid(pid, &status, __WCLONE) == pid, "__WCLONE does");
	OK(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) == -1 && errno == EINVAL,
	   "CLONE_THREAD alone: EINVAL");
	OK(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0) == -1 && errno == EINVAL,
	   "CLONE_SIGHAND alone: EINVAL");
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (argc == 2 && strcmp(argv[1], "state") == 0)
		return check_state();
	if (argc == 2 && strcmp(argv[1], "suid") == 0)
		return (geteuid() == 0) | (getuid() == 12345) << 1 |
		       (getauxval(AT_SECURE) == 1) << 2;
	if (argc > 2 && strcmp(argv[1], "count") == 0)
		return argc % 251;
	start_values();
	fork_basics();
	wait_kinds();
	child_signals();
	vforks();
	execs();
	kept_and_lost();
	orphans();
	groups();
	clones();
	privileges();
	limits();
	return p_done();
}
