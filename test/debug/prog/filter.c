/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp: strict mode, filters and what they answer. */
#include "test/linux/prog/check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#define LOAD(field)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value)      BPF_STMT(BPF_RET | BPF_K, value)

static long seccomp(unsigned op, unsigned flags, void *args)
{
	return syscall(SYS_seccomp, op, flags, args);
}

static long install(unsigned flags, struct sock_filter *f, unsigned n)
{
	struct sock_fprog p = { (unsigned short)n, f };

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* Answer `action` to call `nr`, allow the rest. */
static long answer(unsigned flags, long nr, unsigned action)
{
	struct sock_filter f[] = { LOAD(nr), IS((unsigned)nr, 0, 1), RETURN(action),
				   RETURN(SECCOMP_RET_ALLOW) };

	return install(flags, f, COUNT(f));
}

static void no_gain(void)
{
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void say_seccomp(const char *name)
{
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Seccomp", 7) == 0 || strncmp(line, "NoNewPrivs", 10) == 0) {
			line[strcspn(line, "\n")] = 0;
			say("%s: %s", name, line);
		}
	if (f != NULL)
		fclose(f);
}

/* ---- the calls themselves ---- */

static void arguments(void)
{
	unsigned action = SECCOMP_RET_ERRNO, short_sizes[2];
	struct seccomp_notif_sizes sizes;
	struct sock_filter ok[] = { RETURN(SECCOMP_RET_ALLOW) }, big[1];
	struct sock_fprog p = { 1, (void *)8 };

	RET("no such operation", seccomp(99, 0, NULL));
	RET("strict with flags", seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL));
	RET("strict with arguments", seccomp(SECCOMP_SET_MODE_STRICT, 0, &action));
	RET("filter with flags", install(0x1000, ok, 1));
	RET("filter without instructions", install(0, ok, 0));
	RET("filter too long", install(0, ok, 4097));
	RET("no arguments", seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
	RET("bad arguments", seccomp(SECCOMP_SET_MODE_FILTER, 0, (void *)8));
	RET("bad instructions", seccomp(SECCOMP_SET_MODE_FILTER, 0, &p));
	RET("TSYNC and listener",
	    install(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, ok, 1));
	RET("action", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	RET("action with flags", seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action));
	action = 0x12340000;
	RET("no such action", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action));
	RET("action nowhere", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, (void *)8));
	RET("sizes", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	say("sizes %d %d %d", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
	RET("sizes nowhere", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, (void *)8));
	(void)short_sizes;
	big[0] = (struct sock_filter){ 0xffff, 0, 0, 0 };
	RET("no instruction", install(0, big, 1));
	big[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	RET("no end", install(0, big, 1));
	RET("mode", prctl(PR_GET_SECCOMP));
	RET("prctl, no mode", prctl(PR_SET_SECCOMP, 7, NULL));
	say_seccomp("before");
	say_status("stranger", CHILD({
			   MUST(setresuid(5000, 5000, 5000));
			   RET("without no_new_privs", install(0, ok, 1));
			   no_gain();
			   RET("with", install(0, ok, 1));
			   RET("strict behind it", seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
			   RET("mode", prctl(PR_GET_SECCOMP));
		   }));
}

static void checker(void)
{
#define TRY_PROGRAM(name, ...)                                           \
	do {                                                             \
		struct sock_filter f_[] = { __VA_ARGS__ };               \
		say_status(name, CHILD({                                 \
				   no_gain();                            \
				   RET(name, install(0, f_, COUNT(f_))); \
			   }));                                          \
	} while (0)
	TRY_PROGRAM("beyond the record", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0));
	TRY_PROGRAM("not aligned", BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3), RETURN(0));
	TRY_PROGRAM("halfword", BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0));
	TRY_PROGRAM("indirect", BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0));
	TRY_PROGRAM("divide by 0", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0x7fff0000));
	TRY_PROGRAM("modulo", BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RETURN(0x7fff0000));
	TRY_PROGRAM("shift too far", BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0x7fff0000));
	TRY_PROGRAM("jump too far", BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0x7fff0000));
	TRY_PROGRAM("jump back", BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN(0x7fff0000));
	TRY_PROGRAM("scratch 16", BPF_STMT(BPF_ST, 16), RETURN(0x7fff0000));
	TRY_PROGRAM("unwritten scratch", BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0x7fff0000));
	TRY_PROGRAM("scratch", BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_MEM, 15),
		    RETURN(0x7fff0000));
	TRY_PROGRAM("length", BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RETURN(0x7fff0000));
	TRY_PROGRAM("return X", BPF_STMT(BPF_RET | BPF_X, 0));
}

static void strict(void)
{
	say_status("allowed calls", CHILD({
			   MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
			   say("written in strict mode");
			   syscall(SYS_exit, 5);
		   }));
	say_status("another call", CHILD({
			   MUST(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
			   syscall(SYS_getpid);
			   syscall(SYS_exit, 5);
		   }));
	say_status("exit_group", CHILD({
			   MUST(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
			   syscall(SYS_exit_group, 5);
		   }));
}

/* ---- what a filter answers ---- */

static void errors(void)
{
	struct utsname u;

	no_gain();
	RET("install", answer(0, SYS_uname, SECCOMP_RET_ERRNO | 42));
	RET("uname", uname(&u));
	VAL("errno", errno);
	RET("mode", prctl(PR_GET_SECCOMP));
	say_seccomp("one filter");
	/* The lowest action wins; of equal ones the newest. */
	RET("another", answer(0, SYS_uname, SECCOMP_RET_ERRNO | 43));
	RET("uname", uname(&u));
	VAL("errno", errno);
	RET("a third", answer(0, SYS_uname, SECCOMP_RET_LOG));
	RET("uname", uname(&u));
	VAL("errno", errno);
	say_seccomp("three filters");
	RET("large", answer(0, SYS_sysinfo, SECCOMP_RET_ERRNO | 0xffff));
	VAL("errno of large", (syscall(SYS_sysinfo, NULL), errno));
	RET("zero", answer(0, SYS_times, SECCOMP_RET_ERRNO));
	RET("times", syscall(SYS_times, NULL));
	say_status("child", CHILD(RET("uname", uname(&u)); say_seccomp("child")));
	VAL("errno still", (uname(&u), errno));
}

static void arguments_seen(void)
{
	/* getpriority(7, ...) fails with E2BIG, by the low word of the first argument. */
	struct sock_filter f[] = {
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		IS(SYS_getpriority, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		IS(7, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4),
		IS(0x11223344, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | E2BIG),
		RETURN(SECCOMP_RET_ALLOW)
	};

	no_gain();
	MUST(install(0, f, COUNT(f)));
	RET("other", syscall(SYS_getpriority, 8, 0, 0, 0, 0, 0x1122334400000000));
	RET("half", syscall(SYS_getpriority, 7, 0, 0, 0, 0, 0));
	RET("both", syscall(SYS_getpriority, 7, 0, 0, 0, 0, 0x1122334400000000));
}

static void kills(void)
{
	static const unsigned actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD,
					    0x12340000 };

	for (size_t i = 0; i < COUNT(actions); i++)
		say_status("killed", CHILD({
					     signal(SIGSYS, SIG_IGN);
					     no_gain();
					     MUST(answer(0, SYS_getppid, actions[i]));
					     syscall(SYS_getppid);
				     }) & 0x7f);
}

static void *call_getppid(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

static void kill_thread(void)
{
	say_status("thread", CHILD({
			   pthread_t t;

			   no_gain();
			   MUST(answer(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
			   pthread_create(&t, NULL, call_getppid, NULL);
			   pthread_join(t, NULL);
			   say("the process goes on");
			   _exit(4);
		   }));
	say_status("process", CHILD({
				      pthread_t t;

				      no_gain();
				      MUST(answer(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
				      pthread_create(&t, NULL, call_getppid, NULL);
				      pthread_join(t, NULL);
				      _exit(4);
			      }) & 0x7f);
}

static void on_sys(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	say("handler: %s code %d errno %d call %d arch %#x", signal_name(sig), si->si_code,
	    si->si_errno, si->si_syscall, si->si_arch);
	YES("address", (greg_t)si->si_call_addr == u->uc_mcontext.gregs[REG_RIP]);
	VAL("rax", u->uc_mcontext.gregs[REG_RAX]);
	u->uc_mcontext.gregs[REG_RAX] = 777;
}

static void traps(void)
{
	struct sigaction sa = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };

	no_gain();
	sigaction(SIGSYS, &sa, NULL);
	MUST(answer(0, SYS_getppid, SECCOMP_RET_TRAP | 55));
	RET("trapped", syscall(SYS_getppid));
	say_status("no handler", CHILD(signal(SIGSYS, SIG_DFL); syscall(SYS_getppid)) & 0x7f);
}

static void exec_keeps(void)
{
	no_gain();
	MUST(answer(0, SYS_getppid, SECCOMP_RET_ERRNO | 33));
	execl(own_path(), "filter", "-n", "after_exec", NULL);
}

static void after_exec(void)
{
	if (prctl(PR_GET_SECCOMP) == 0)
		return; /* not started by exec_keeps */
	RET("after execve", syscall(SYS_getppid));
	VAL("errno", errno);
	say_seccomp("after execve");
}

static pthread_barrier_t together;

static void *waiting_thread(void *arg)
{
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	syscall(SYS_getppid);
	VAL("errno in the thread", errno);
	return arg;
}

static void *own_filter(void *arg)
{
	MUST(answer(0, SYS_times, SECCOMP_RET_ERRNO | 9));
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&together);
	return arg;
}

static void sync_threads(void)
{
	pthread_t t;
	long r;

	no_gain();
	pthread_barrier_init(&together, NULL, 2);
	pthread_create(&t, NULL, waiting_thread, NULL);
	pthread_barrier_wait(&together);
	RET("TSYNC", answer(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 77));
	pthread_barrier_wait(&together);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, own_filter, NULL);
	pthread_barrier_wait(&together);
	r = answer(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 78);
	YES("a thread in the way", r > 0 && r != getpid());
	RET("as an error", answer(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
				  SYS_getppid, SECCOMP_RET_ERRNO | 78));
	say_seccomp("filters");
	pthread_barrier_wait(&together);
	pthread_join(t, NULL);
}

/* ---- with a tracer ---- */

static void traced(void)
{
	pid_t pid;
	int st;

	no_gain();
	say_status("no tracer", CHILD({
			   MUST(answer(0, SYS_getppid, SECCOMP_RET_TRACE | 5));
			   RET("getppid", syscall(SYS_getppid));
		   }));
	pid = START({
		MUST(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		MUST(answer(0, SYS_getppid, SECCOMP_RET_TRACE | 5));
		YES("getppid", syscall(SYS_getppid) == getpid());
		_exit(1);
	});
	MUST(waitpid(pid, &st, 0));
	MUST(syscall(SYS_ptrace, PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	MUST(syscall(SYS_ptrace, PTRACE_CONT, pid, 0, 0));
	MUST(waitpid(pid, &st, 0));
	say("stop %#x", st);
	{
		struct ptrace_syscall_info i;
		unsigned long msg = 0;

		memset(&i, 0, sizeof(i));
		MUST(syscall(SYS_ptrace, PTRACE_GETEVENTMSG, pid, 0, &msg));
		RET("size", syscall(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i));
		say("message %lu op %d nr %d data %u", msg, i.op, (int)i.seccomp.nr,
		    i.seccomp.ret_data);
	}
	MUST(syscall(SYS_ptrace, PTRACE_POKEUSR, pid, 15 * 8, SYS_getpid));
	MUST(syscall(SYS_ptrace, PTRACE_CONT, pid, 0, 0));
	say_status("end", wait_for(pid));
}

/* ---- a listener ---- */

static void listener(void)
{
	struct seccomp_notif n;
	struct seccomp_notif_resp r;
	struct pollfd p;
	int fd;
	pid_t pid;

	no_gain();
	fd = (int)answer(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF);
	YES("descriptor", fd > 0);
	VAL("close on exec", fcntl(fd, F_GETFD));
	RET("a second one",
	    answer(SECCOMP_FILTER_FLAG_NEW_LISTENER, SYS_getppid, SECCOMP_RET_USER_NOTIF));
	pid = START({
		close(fd);
		RET("value", syscall(SYS_getppid));
		RET("error", syscall(SYS_getppid));
		YES("continued", syscall(SYS_getppid) > 0);
		RET("nobody listens", syscall(SYS_getppid));
	});
	for (int i = 0; i < 3; i++) {
		p = (struct pollfd){ fd, POLLIN, 0 };
		RET("poll", poll(&p, 1, -1));
		HEX("events", p.revents);
		memset(&n, 0xff, sizeof(n));
		RET("receive into dirt", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
		memset(&n, 0, sizeof(n));
		RET("receive", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
		YES("from", (pid_t)n.pid == pid);
		VAL("number", n.data.nr);
		RET("valid", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
		memset(&r, 0, sizeof(r));
		r.id = n.id + 1000;
		RET("another's", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
		r.id = n.id;
		r.flags = 2;
		RET("flags", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
		r.flags = 0;
		if (i == 0)
			r.val = 4711;
		else if (i == 1)
			r.error = -EXDEV;
		else
			r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		MUST(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
	}
	memset(&n, 0, sizeof(n));
	MUST(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n));
	close(fd);
	say_status("end", wait_for(pid));
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "arguments", arguments },
		{ "checker", checker },
		{ "strict", strict },
		{ "errors", errors },
		{ "arguments_seen", arguments_seen },
		{ "kills", kills },
		{ "kill_thread", kill_thread },
		{ "traps", traps },
		{ "exec_keeps", exec_keeps },
		{ "after_exec", after_exec },
		{ "sync_threads", sync_threads },
		{ "traced", traced },
		{ "listener", listener },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
