/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes seen from outside: pidfds, another's memory and descriptors, kcmp, and who may. */
#include "test/linux/prog/check.h"
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <grp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open_(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int pidfd_signal(int fd, int sig, siginfo_t *info, unsigned flags)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, info, flags);
}

static short ready(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	poll(&p, 1, ms);
	return p.revents & POLLIN;
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void pidfd_basic(void)
{
	pid_t pid = START(sleep_for_ever());
	siginfo_t si;
	int fd;

	RET("pid 0", pidfd_open_(0, 0));
	RET("negative", pidfd_open_(-5, 0));
	RET("nobody", pidfd_open_(30000, 0));
	RET("flags", pidfd_open_(pid, 1));
	fd = (int)MUST(pidfd_open_(pid, 0));
	VAL("close on exec", fcntl(fd, F_GETFD));
	VAL("ready while it lives", ready(fd, 0));
	RET("signal 0", pidfd_signal(fd, 0, NULL, 0));
	RET("flags", pidfd_signal(fd, 0, NULL, 8));
	RET("signal 65", pidfd_signal(fd, 65, NULL, 0));
	RET("no pidfd", pidfd_signal(0, 0, NULL, 0));
	RET("no descriptor", pidfd_signal(999, 0, NULL, 0));
	RET("read", read(fd, &si, sizeof(si)));
	RET("kill", pidfd_signal(fd, SIGTERM, NULL, 0));
	VAL("ready", ready(fd, -1));
	memset(&si, 0, sizeof(si));
	RET("waitid WNOWAIT", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED | WNOWAIT));
	VAL("code", si.si_code);
	VAL("status", si.si_status);
	RET("waitid", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
	YES("pid", si.si_pid == pid);
	VAL("ready when gone", ready(fd, 0));
	RET("signal when gone", pidfd_signal(fd, 0, NULL, 0));
	RET("waitid when gone", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
	RET("waitid on no pidfd", waitid((idtype_t)P_PIDFD, 0, &si, WEXITED));
	RET("waitid on nothing", waitid((idtype_t)P_PIDFD, 999, &si, WEXITED));
	close(fd);
}

static void pidfd_info(void)
{
	pid_t pid = START(sleep_for_ever());
	int fd = (int)MUST(pidfd_open_(pid, 0));
	char path[64], line[128];
	siginfo_t si;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f) != NULL) {
		int n;

		if (sscanf(line, "Pid: %d", &n) == 1)
			YES("fdinfo Pid", n == pid);
		if (sscanf(line, "NSpid: %d", &n) == 1)
			YES("fdinfo NSpid", n == pid);
	}
	fclose(f);
	/* Information of one's own: only with a code that the kernel does not use. */
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGTERM;
	si.si_code = SI_USER;
	RET("code of the kernel's", pidfd_signal(fd, SIGTERM, &si, 0));
	si.si_code = SI_QUEUE;
	RET("another number", pidfd_signal(fd, SIGUSR1, &si, 0));
	RET("bad pointer", pidfd_signal(fd, SIGTERM, (void *)8, 0));
	RET("code of a program's", pidfd_signal(fd, SIGTERM, &si, 0));
	say_status("end", wait_for(pid));
	f = fopen(path, "r");
	while (fgets(line, sizeof(line), f) != NULL) {
		int n;

		if (sscanf(line, "Pid: %d", &n) == 1)
			VAL("fdinfo Pid when gone", n);
	}
	fclose(f);
}

static void pidfd_nonblock(void)
{
	pid_t pid = START(sleep_for_ever());
	int fd = (int)MUST(pidfd_open_(pid, O_NONBLOCK));
	siginfo_t si;

	RET("waitid", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
	RET("waitid WNOHANG", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED | WNOHANG));
	kill(pid, SIGKILL);
	VAL("ready", ready(fd, -1));
	RET("waitid", waitid((idtype_t)P_PIDFD, (id_t)fd, &si, WEXITED));
	VAL("status", si.si_status);
}

static long clone3_(uint64_t flags, int *pidfd, pid_t *parent_tid, uint64_t sig)
{
	struct clone_args a = { .flags = flags,
				.pidfd = (uint64_t)pidfd,
				.parent_tid = (uint64_t)parent_tid,
				.exit_signal = sig };

	return syscall(SYS_clone3, &a, sizeof(a));
}

static void pidfd_clone(void)
{
	int fd = -1;
	pid_t tid = 0;
	long pid = clone3_(CLONE_PIDFD | CLONE_PARENT_SETTID, &fd, &tid, SIGCHLD);

	if (pid == 0) {
		/* The child's table was copied before. */
		_exit(fcntl(fd, F_GETFD) == -1 ? 3 : 4);
	}
	YES("pid", pid > 0 && tid == pid);
	VAL("close on exec", fcntl(fd, F_GETFD));
	VAL("ready", ready(fd, -1));
	say_status("end", wait_for((pid_t)pid));
	close(fd);
	RET("bad address", clone3_(CLONE_PIDFD, (int *)8, NULL, SIGCHLD));
	RET("same place", clone3_(CLONE_PIDFD | CLONE_PARENT_SETTID, &fd, &fd, SIGCHLD));
	fd = -1;
	pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &fd, NULL, 0);
	if (pid == 0)
		_exit(7);
	VAL("clone: ready", ready(fd, -1));
	say_status("clone: end", wait_for((pid_t)pid));
	RET("clone: with PARENT_SETTID",
	    syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &fd, NULL, 0));
	RET("nothing left", waitpid(-1, NULL, WNOHANG));
}

static void pidfd_getfd(void)
{
	struct event e = event_new(), go = event_new();
	int p[2], fd, got;
	char c = 0;
	pid_t pid;

	MUST(pipe(p));
	pid = START({
		int mine = dup2(p[1], 77);

		close(p[0]);
		close(p[1]);
		MUST(write(mine, "a", 1));
		event_set(&e);
		event_wait(&go);
	});
	close(p[1]);
	event_wait(&e);
	fd = (int)MUST(pidfd_open_(pid, 0));
	RET("flags", syscall(SYS_pidfd_getfd, fd, 77, 1));
	RET("none such", syscall(SYS_pidfd_getfd, fd, 78, 0));
	RET("no pidfd", syscall(SYS_pidfd_getfd, 0, 77, 0));
	got = (int)MUST(syscall(SYS_pidfd_getfd, fd, 77, 0));
	VAL("close on exec", fcntl(got, F_GETFD));
	MUST(write(got, "b", 1));
	MUST(read(p[0], &c, 1));
	say("first %c", c);
	MUST(read(p[0], &c, 1));
	say("second %c", c);
	event_set(&go);
	say_status("end", wait_for(pid));
	RET("when gone", syscall(SYS_pidfd_getfd, fd, 77, 0));
	/* Not for other users, and not for what may not be looked into. */
	pid = START(prctl(PR_SET_DUMPABLE, 0); event_set(&e); event_wait(&go));
	event_wait(&e);
	fd = (int)MUST(pidfd_open_(pid, 0));
	say_status("stranger", CHILD({
			   MUST(setresgid(5000, 5000, 5000));
			   MUST(setresuid(5000, 5000, 5000));
			   RET("getfd of root's", syscall(SYS_pidfd_getfd, fd, 1, 0));
			   RET("signal to root's", pidfd_signal(fd, 0, NULL, 0));
		   }));
	event_set(&go);
	wait_for(pid);
}

/* ---- memory ---- */

static char text_page[8192] __attribute__((aligned(4096))) = "constant";
static char target[16384] __attribute__((aligned(4096)));

static ssize_t vm_read(pid_t pid, void *to, const void *from, size_t n)
{
	struct iovec l = { to, n }, r = { (void *)from, n };

	return process_vm_readv(pid, &l, 1, &r, 1, 0);
}

static ssize_t vm_write(pid_t pid, const void *from, void *to, size_t n)
{
	struct iovec l = { (void *)from, n }, r = { to, n };

	return process_vm_writev(pid, &l, 1, &r, 1, 0);
}

static void vm_copies(void)
{
	struct event e = event_new(), go = event_new();
	static char buf[16384];
	pid_t pid;

	pid = START({
		memset(target, 'x', sizeof(target));
		strcpy(target + 4090, "across a page");
		MUST(mprotect(text_page, 4096, PROT_READ));
		event_set(&e);
		event_wait(&go);
		STR("written by the parent", target + 8188);
		STR("constant", text_page);
	});
	event_wait(&e);
	RET("read", vm_read(pid, buf, target + 4090, 14));
	STR("text", buf);
	RET("all", vm_read(pid, buf, target, sizeof(target)));
	VAL("last", buf[16383]);
	strcpy(buf, "hello");
	RET("write", vm_write(pid, buf, target + 8188, 6));
	RET("write to read-only", vm_write(pid, buf, text_page, 6));
	RET("read read-only", vm_read(pid, buf, text_page, 9));
	STR("text", buf);
	RET("nothing there", vm_read(pid, buf, (void *)8, 8));
	RET("kernel's half", vm_read(pid, buf, (void *)0xffff800000000000ul, 8));
	RET("own buffer bad", vm_read(pid, (void *)8, target, 8));
	RET("nobody", vm_read(30000, buf, target, 8));
	RET("no bytes, nobody", vm_read(30000, buf, target, 0));
	{
		struct iovec l[3] = { { buf, 3 }, { buf + 100, 5 }, { buf + 200, 100 } };
		struct iovec r[3] = { { target + 8188, 4 }, { target, 0 }, { target + 8192, 3 } };

		memset(buf, 0, 400);
		RET("vectors", process_vm_readv(pid, l, 3, r, 3, 0));
		STR("one", buf);
		STR("two", buf + 100);
		r[1].iov_base = (void *)8;
		r[1].iov_len = 4;
		RET("part", process_vm_readv(pid, l, 3, r, 3, 0));
		RET("flags", process_vm_readv(pid, l, 3, r, 3, 1));
		RET("too many local", process_vm_readv(pid, l, 1025, r, 3, 0));
		RET("too many remote", process_vm_readv(pid, l, 3, r, 1025, 0));
		r[0].iov_len = (size_t)-1;
		RET("negative length", process_vm_readv(pid, l, 3, r, 3, 0));
		RET("bad vector", process_vm_readv(pid, l, 3, (void *)8, 3, 0));
		RET("bad local vector", process_vm_readv(pid, (void *)8, 3, r, 3, 0));
	}
	say_status("stranger", CHILD({
			   MUST(setresgid(5000, 5000, 5000));
			   MUST(setresuid(5000, 5000, 5000));
			   RET("read of root's", vm_read(pid, buf, target, 8));
			   RET("write to root's", vm_write(pid, buf, target, 8));
			   RET("read of own", vm_read(getpid(), buf, target, 8));
		   }));
	event_set(&go);
	say_status("end", wait_for(pid));
	RET("when gone", vm_read(pid, buf, target, 8));
}

/* A process of the same user, but with more rights or closed to others. */
static void who_may(void)
{
	struct event e = event_new(), go = event_new();
	char buf[8];
	pid_t closed, open;

	MUST(setresgid(5000, 5000, 5000));
	MUST(setresuid(5000, 5000, 5000));
	closed = START(prctl(PR_SET_DUMPABLE, 0); event_set(&e); event_wait(&go));
	event_wait(&e);
	open = START(prctl(PR_SET_DUMPABLE, 1); event_set(&e); event_wait(&go));
	event_wait(&e);
	/* This process itself is not dumpable after the change of user. */
	RET("closed", vm_read(closed, buf, target, 8));
	RET("open", vm_read(open, buf, target, 8));
	RET("kcmp closed", syscall(SYS_kcmp, getpid(), closed, KCMP_VM, 0, 0));
	YES("kcmp open", syscall(SYS_kcmp, getpid(), open, KCMP_VM, 0, 0) > 0);
	RET("robust list of closed", syscall(SYS_get_robust_list, closed, buf, buf));
	event_set(&go);
	event_set(&go);
	wait_for(closed);
	wait_for(open);
}

/* ---- kcmp ---- */

static void compares(void)
{
	struct event e = event_new(), go = event_new();
	pid_t me = getpid(), pid;
	int a, b, c;

	a = (int)MUST(open("/dev/null", O_RDONLY));
	b = (int)MUST(dup(a));
	c = (int)MUST(open("/dev/null", O_RDONLY));
	pid = START(event_set(&e); event_wait(&go));
	event_wait(&e);
	RET("same file", syscall(SYS_kcmp, me, me, KCMP_FILE, a, b));
	RET("same file in the child", syscall(SYS_kcmp, me, pid, KCMP_FILE, a, b));
	YES("other file", syscall(SYS_kcmp, me, me, KCMP_FILE, a, c) > 0);
	YES("order", syscall(SYS_kcmp, me, me, KCMP_FILE, a, c) +
				     syscall(SYS_kcmp, me, me, KCMP_FILE, c, a) ==
			     3);
	RET("no such file", syscall(SYS_kcmp, me, pid, KCMP_FILE, a, 999));
	RET("own memory", syscall(SYS_kcmp, me, me, KCMP_VM, 0, 0));
	YES("child's memory", syscall(SYS_kcmp, me, pid, KCMP_VM, 0, 0) > 0);
	YES("child's table", syscall(SYS_kcmp, me, pid, KCMP_FILES, 0, 0) > 0);
	YES("child's folder", syscall(SYS_kcmp, me, pid, KCMP_FS, 0, 0) > 0);
	YES("child's handlers", syscall(SYS_kcmp, me, pid, KCMP_SIGHAND, 0, 0) > 0);
	RET("child's I/O", syscall(SYS_kcmp, me, pid, KCMP_IO, 0, 0));
	RET("kind", syscall(SYS_kcmp, me, pid, 99, 0, 0));
	RET("nobody", syscall(SYS_kcmp, me, 30000, KCMP_VM, 0, 0));
	event_set(&go);
	wait_for(pid);
}

static void barriers(void)
{
	long all = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	YES("private", all & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	YES("sync core", all & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
	RET("unregistered", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	RET("unregistered sync core",
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	RET("global", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
	RET("register", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	RET("registered", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	RET("other kind",
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	RET("flags", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 2, 0));
	RET("unknown", syscall(SYS_membarrier, 1 << 20, 0, 0));
	say_status("child",
		   CHILD(RET("inherited",
			     syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))));
}

static void limits_of_others(void)
{
	struct event go = event_new();
	pid_t pid = START(event_wait(&go));
	struct rlimit l = { 77, 88 }, old;

	RET("set", prlimit(pid, RLIMIT_NOFILE, &l, NULL));
	RET("get", prlimit(pid, RLIMIT_NOFILE, NULL, &old));
	VAL("soft", old.rlim_cur);
	VAL("hard", old.rlim_max);
	RET("nobody", prlimit(30000, RLIMIT_NOFILE, NULL, &old));
	say_status("stranger", CHILD({
			   MUST(setresgid(5000, 5000, 5000));
			   MUST(setresuid(5000, 5000, 5000));
			   RET("get of root's", prlimit(pid, RLIMIT_NOFILE, NULL, &old));
		   }));
	event_set(&go);
	wait_for(pid);
}

/* ---- groups and securebits ---- */

static gid_t many[65537], got[65536];

static void groups(void)
{
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = (gid_t)(200000 - 2 * i);
	RET("as many as there may be", setgroups(65536, many));
	RET("one more", setgroups(65537, many));
	RET("number", getgroups(0, NULL));
	RET("all", getgroups(65536, got));
	say("from %u to %u", got[0], got[65535]);
	RET("not enough room", getgroups(10, got));
	RET("bad address", setgroups(10, (gid_t *)8));
	many[3] = (gid_t)-1;
	RET("no group", setgroups(5, many));
	say_status("child", CHILD(RET("inherited", getgroups(0, NULL))));
	RET("none", setgroups(0, NULL));
	RET("number", getgroups(0, NULL));
}

static void securebits(void)
{
	RET("at first", prctl(PR_GET_SECUREBITS));
	RET("set", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT));
	RET("now", prctl(PR_GET_SECUREBITS));
	RET("keep caps", prctl(PR_GET_KEEPCAPS));
	RET("lock", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
	RET("locked", prctl(PR_SET_KEEPCAPS, 1));
	RET("unlock", prctl(PR_SET_SECUREBITS, 0));
	RET("no such bit", prctl(PR_SET_SECUREBITS, 1 << 12));
	RET("no ambient",
	    prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE));
	RET("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "pidfd_basic", pidfd_basic },
		{ "pidfd_info", pidfd_info },
		{ "pidfd_nonblock", pidfd_nonblock },
		{ "pidfd_clone", pidfd_clone },
		{ "pidfd_getfd", pidfd_getfd },
		{ "vm_copies", vm_copies },
		{ "who_may", who_may },
		{ "compares", compares },
		{ "barriers", barriers },
		{ "limits_of_others", limits_of_others },
		{ "groups", groups },
		{ "securebits", securebits },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
