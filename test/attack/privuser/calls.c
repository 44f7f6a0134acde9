/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call with every argument in PrivUser, whatever the argument is (groups 12 and 13):
 * the kernel must not read or write there for ring 3. The calls and their pointers are those of the
 * kernel's own table. For each pointer EFAULT must be seen: who adds a call to the table either has
 * it refused by the trials here, or says in commands.c with which arguments its pointer is looked
 * at. What lies behind a second pointer (iovec, msghdr, robust list) follows by hand. TAP.
 */
#include "attack.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "abi/privuser.h"

#define SYSCALL(nr, name, args) { nr, #name, args },
static const struct call {
	int nr;
	const char *name, *args;
} calls[] = {
#include "kernel/linux/syscall.def"
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

#define MARKER "RINGFENCE-MARKER"

/* They end or leave the child before it could look at what happened. */
static const int left_out[] = { SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_vfork, SYS_reboot };

static uint64_t target;
static char *room;          /* where other pointers point: zeros */
static bool seen[CALLS][6]; /* EFAULT, for this argument */

/* ---- descriptors of each kind; what is written to them can be read at the other end ---- */

enum kind { PIPE_IN, PIPE_OUT, SOCKET, FILE_RW, DIRECTORY, COUNTER, KINDS };
static int mine, other;

static bool make_fd(enum kind k)
{
	int p[2];

	mine = other = -1;
	switch (k) {
	case PIPE_IN:
	case PIPE_OUT:
		if (pipe2(p, O_NONBLOCK) != 0 || write(p[1], "0123456789abcdef", 16) != 16)
			return false;
		mine = p[k == PIPE_OUT];
		other = p[k != PIPE_OUT];
		return true;
	case SOCKET:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) != 0 ||
		    write(p[1], "0123456789abcdef", 16) != 16)
			return false;
		mine = p[0];
		other = p[1];
		return true;
	case FILE_RW:
		mine = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		other = dup(mine);
		return mine >= 0 && pwrite(mine, room, 256, 0) == 256;
	case DIRECTORY: mine = open("/", O_RDONLY | O_DIRECTORY); return mine >= 0;
	default: mine = eventfd(1, EFD_NONBLOCK); return mine >= 0;
	}
}

static bool leaked(void)
{
	static char buf[16384];
	ssize_t n;

	if (other < 0)
		return false;
	fcntl(other, F_SETFL, O_NONBLOCK);
	if (lseek(other, 0, SEEK_SET) == 0)
		n = pread(other, buf, sizeof(buf), 0);
	else
		n = read(other, buf, sizeof(buf));
	return n >= 8 && memmem(buf, (size_t)n, MARKER, 8) != NULL;
}

/* ---- one call ---- */

static uint64_t benign(char letter)
{
	switch (letter) {
	case 'f': return (uint64_t)mine;
	case 'F': return (uint64_t)AT_FDCWD;
	case 's': return (uint64_t) "/tmp";
	case 'n': return 64;
	case 'd':
	case 'u': return 1;
	case 'i': return 0x541b; /* FIONREAD */
	case 'P': return PROT_READ;
	case 'M': return MAP_PRIVATE | MAP_ANONYMOUS;
	case 'a': return R_OK;
	case 'p':
	case 'b':
	case 'w':
	case 'v':
	case 't':
	case 'T':
	case 'A':
	case 'e': return (uint64_t)room;
	default: return 0;
	}
}

#define POINTERS "pbwsvtTAe"
#define NUMBERS  "duxnlfFomPMgcCaki"
#define REFUSED  1
#define TOUCHED  2
#define UNMADE   64

static int make_call(int nr, const uint64_t a[6])
{
	struct itimerval limit = { { 0, 0 }, { 0, 200000 } };
	long r;
	int result;

	setitimer(ITIMER_REAL, &limit, NULL);
	r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	result = r == -1 && errno == EFAULT ? REFUSED : 0;
	if (privcall(intact) != 1 || leaked())
		result |= TOUCHED;
	return result;
}

struct trial {
	const struct call *c;
	unsigned at; /* which argument */
	enum kind kind;
};

static int do_trial(uint64_t trial, uint64_t unused)
{
	const struct trial *t = (const struct trial *)trial;
	uint64_t a[6] = { 0 };

	(void)unused;
	memset(room, 0, 65536);
	if (!make_fd(t->kind))
		return UNMADE;
	for (unsigned i = 0; t->c->args[i] != '\0'; i++)
		a[i] = i == t->at ? target : benign(t->c->args[i]);
	return make_call(t->c->nr, a);
}

static bool is_left_out(int nr)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i] == nr)
			return true;
	return false;
}

static unsigned tried, refused_n, touched_n, lost_n, unseen_n;

static void one(const struct call *c, unsigned at, enum kind kind)
{
	struct trial t = { c, at, kind };
	int status = in_child(do_trial, (uint64_t)&t, 0), code = EXITED(status);

	tried++;
	if (code < 0 || code > 3) {
		/* By a signal: time is up, or what the call does. */
		lost_n++;
		return;
	}
	refused_n += code & REFUSED;
	seen[c - calls][at] |= (code & REFUSED) != 0;
	if (code & TOUCHED) {
		touched_n++;
		if (on)
			printf("# %s, argument %u, descriptor %d: reaches PrivUser\n", c->name,
			       at + 1, kind);
	}
}

/* Each argument, also of those that the table does not call a pointer. */
static void arguments_of(const struct call *c)
{
	for (unsigned at = 0; c->args[at] != '\0'; at++) {
		bool all = strchr(POINTERS, c->args[at]) != NULL && strchr(c->args, 'f') != NULL;

		if (strchr(POINTERS NUMBERS, c->args[at]) == NULL)
			unseen_n += printf("# %s: what is the letter %c?\n", c->name, c->args[at]) >
				    0;
		for (enum kind k = 0; k < (all ? KINDS : 1); k++)
			one(c, at, k);
	}
}

/* ---- those that look only when other arguments make sense (commands.c) ---- */

static uint64_t place(uint64_t word)
{
	switch (word >> 40) {
	case T >> 40: return target;
	case FD >> 40: return (uint64_t)trial_fd;
	case R(0) >> 40: return (uint64_t)room + (word & 0xffffffff);
	default: return word;
	}
}

static int do_command(uint64_t command, uint64_t unused)
{
	const struct command *m = (const struct command *)command;
	uint64_t a[6];

	(void)unused;
	other = -1;
	memset(room, 0, 65536);
	if (m->prepare != NULL && !m->prepare())
		return UNMADE;
	for (unsigned i = 0; i < 6; i++)
		a[i] = place(m->a[i]);
	return make_call(m->nr, a);
}

static const struct call *call_of(int nr)
{
	for (size_t i = 0; i < CALLS; i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

static void command(const struct command *m)
{
	const struct call *c = call_of(m->nr);
	int status, code;

	if (c == NULL)
		return;
	status = in_child(do_command, (uint64_t)m, 0);
	code = EXITED(status);
	tried++;
	touched_n += code >= 0 && code <= 3 && (code & TOUCHED) != 0;
	if (code == REFUSED && m->at < NESTED)
		seen[c - calls][m->at] = true;
	if (code == REFUSED || !on)
		return;
	if (code == 0 && m->silent != NULL)
		return;
	unseen_n++;
	printf("# %s(%#lx, %#lx, %#lx): %s (%#x)\n", c->name, (unsigned long)m->a[0],
	       (unsigned long)m->a[1], (unsigned long)m->a[2],
	       code == 0        ? "no EFAULT"
	       : code == UNMADE ? "cannot be prepared"
	       : code & TOUCHED ? "reaches PrivUser"
				: "ended",
	       (unsigned)status);
}

static bool needs_no_look(int nr, unsigned at)
{
	for (unsigned i = 0; i < nno_looks; i++)
		if (no_looks[i].nr == nr && no_looks[i].at == at)
			return true;
	return false;
}

static void account(void)
{
	for (size_t i = 0; i < CALLS; i++)
		for (unsigned at = 0; calls[i].args[at] != '\0'; at++) {
			if (strchr(POINTERS, calls[i].args[at]) == NULL || seen[i][at] ||
			    needs_no_look(calls[i].nr, at))
				continue;
			unseen_n++;
			printf("# %s, argument %u: EFAULT was never seen; commands.c needs a row\n",
			       calls[i].name, at + 1);
		}
}

static void table(void)
{
	for (size_t i = 0; i < CALLS; i++)
		if (!is_left_out(calls[i].nr))
			arguments_of(&calls[i]);
	printf("# %u calls with an argument in PrivUser: %u EFAULT, %u ended by a signal\n", tried,
	       refused_n, lost_n);
	attack(touched_n != 0, "12: no system call reads or writes PrivUser for ring 3");
	ok(lost_n < 60, "12: nearly all were seen to their end");
	touched_n = 0;
	for (unsigned i = 0; i < ncommands; i++)
		command(&commands[i]);
	attack(touched_n != 0,
	       "12: nor does one that looks at its pointer for some arguments only");
	if (on) {
		account();
		ok(unseen_n == 0, "12: for each pointer of each system call EFAULT was seen");
	}
}

/* ---- behind a second pointer ---- */

static int nested_io(uint64_t nr, uint64_t kind)
{
	struct iovec v = { (void *)target, 64 };

	if (!make_fd((enum kind)kind))
		return 64;
	(void)syscall((long)nr, mine, &v, 1, 0, 0, 0);
	return privcall(intact) != 1 || leaked() ? TOUCHED : 0;
}

static int nested_msg(uint64_t nr, uint64_t field)
{
	struct iovec v = { field == 0 ? (void *)target : room, 64 };
	struct msghdr m = { .msg_iov = field == 3 ? (void *)target : &v, .msg_iovlen = 1 };
	int err;

	if (!make_fd(SOCKET))
		return 64;
	if (field == 1)
		m.msg_control = (void *)target, m.msg_controllen = 64;
	if (field == 2)
		m.msg_name = (void *)target, m.msg_namelen = 64;
	err = (int)syscall((long)nr, mine, &m, MSG_DONTWAIT);
	(void)err;
	return privcall(intact) != 1 || leaked() ? TOUCHED : 0;
}

static int vm_access(uint64_t nr, uint64_t local)
{
	struct iovec here = { room, 64 }, there = { (void *)target, 64 };

	memset(room, 0, 64);
	(void)syscall((long)nr, getpid(), local ? &there : &here, 1, local ? &here : &there, 1, 0);
	return privcall(intact) != 1 || memcmp(room, MARKER, 8) == 0 ? TOUCHED : 0;
}

static int proc_mem(uint64_t write_it, uint64_t unused)
{
	int fd = open("/proc/self/mem", O_RDWR);

	(void)unused;
	memset(room, 0, 64);
	if (write_it)
		(void)!pwrite(fd, room, 64, (off_t)target);
	else
		(void)!pread(fd, room, 64, (off_t)target);
	return privcall(intact) != 1 || memcmp(room, MARKER, 8) == 0 ? TOUCHED : 0;
}

static unsigned nested_touched;

static void nested(int (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b, const char *name)
{
	int code = EXITED(in_child(fn, a, b));

	if (code & TOUCHED || code < 0) {
		nested_touched++;
		if (on)
			printf("# %s (%lu, %lu): reaches PrivUser, or died\n", name,
			       (unsigned long)a, (unsigned long)b);
	}
}

static void second_pointers(void)
{
	static const int io[] = { SYS_readv,   SYS_writev,   SYS_preadv,  SYS_pwritev,
				  SYS_preadv2, SYS_pwritev2, SYS_vmsplice };

	for (unsigned i = 0; i < sizeof(io) / sizeof(io[0]); i++)
		for (uint64_t k = 0; k < KINDS; k++)
			nested(nested_io, (uint64_t)io[i], k, "vector");
	for (uint64_t field = 0; field < 4; field++) {
		nested(nested_msg, SYS_sendmsg, field, "sendmsg");
		nested(nested_msg, SYS_recvmsg, field, "recvmsg");
	}
	for (uint64_t local = 0; local < 2; local++) {
		nested(vm_access, SYS_process_vm_readv, local, "process_vm_readv");
		nested(vm_access, SYS_process_vm_writev, local, "process_vm_writev");
	}
	attack(nested_touched != 0, "12: nor through iovec, msghdr, process_vm_readv");
	nested_touched = 0;
	nested(proc_mem, 0, 0, "/proc/self/mem read");
	nested(proc_mem, 1, 0, "/proc/self/mem write");
	attack(nested_touched != 0, "13: nor through /proc/self/mem");
}

/* ---- what the kernel does later ---- */

struct robust {
	struct robust *next;
	long offset;
	struct robust *pending;
};

static void *leaver(void *how)
{
	static struct robust head;

	switch ((uintptr_t)how) {
	case 0: syscall(SYS_set_tid_address, target); break;
	case 1:
		head = (struct robust){ (struct robust *)(target - 0), 0, NULL };
		syscall(SYS_set_robust_list, &head, sizeof(head));
		break;
	case 2:
		head = (struct robust){ &head, 0, (struct robust *)target };
		syscall(SYS_set_robust_list, &head, sizeof(head));
		break;
	default: syscall(SYS_rseq, target, 32, 0, 0x53053053); break;
	}
	syscall(SYS_exit, 0); /* not pthread_exit: the word that join waits for is another now */
	return NULL;
}

static int later(uint64_t how, uint64_t unused)
{
	pthread_t t;
	pthread_attr_t attr;

	(void)unused;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, leaver, (void *)(uintptr_t)how) != 0)
		return 64;
	for (;;) { /* the thread is gone when we are alone */
		struct privuser_status s;
		int fd = open("/dev/privuser", O_RDWR);

		if (syscall(SYS_ioctl, fd, PRIVUSER_STATUS, &s) != 0)
			return 65;
		close(fd);
		if (s.threads == 1)
			break;
		sched_yield();
	}
	return privcall(intact) != 1 ? TOUCHED : 0;
}

/* A signal stack in PrivUser: the frame cannot be written, and the program ends as Linux says. */
static int bad_altstack(uint64_t unused, uint64_t unused2)
{
	stack_t s = { .ss_sp = (void *)target, .ss_size = 8192 };
	struct sigaction a = { .sa_handler = (void (*)(int))(uintptr_t)target,
			       .sa_flags = SA_ONSTACK };

	(void)unused;
	(void)unused2;
	if (sigaltstack(&s, NULL) != 0 || sigaction(SIGUSR1, &a, NULL) != 0)
		return 64;
	raise(SIGUSR1);
	return privcall(intact) == 1 ? 0 : TOUCHED;
}

/*
 * The words in which clone tells the new thread's number: shared memory, so that all can be seen.
 */
static int thread_ids(uint64_t flags, uint64_t unused)
{
	register uint64_t tid __asm__("r10") = target;
	register uint64_t tls __asm__("r8") = 0;
	long r = SYS_clone;

	(void)unused;
	__asm__ volatile(
		"syscall\n\ttestq %%rax, %%rax\n\tjne 1f\n\tmovl $60, %%eax\n\txorl %%edi, %%edi\n\t"
		"syscall\n1:"
		: "+a"(r)
		: "D"(flags | CLONE_VM | CLONE_VFORK | SIGCHLD), "S"(0), "d"(target), "r"(tid),
		  "r"(tls)
		: "rcx", "r11", "memory");
	return privcall(intact) != 1 ? TOUCHED : 0;
}

static void delayed(void)
{
	static const uint64_t tid_flags[] = { CLONE_PARENT_SETTID, CLONE_CHILD_SETTID,
					      CLONE_CHILD_CLEARTID };

	nested_touched = 0;
	for (unsigned i = 0; i < 3; i++)
		nested(thread_ids, tid_flags[i], 0, "clone");
	attack(nested_touched != 0, "12: numbers of threads that clone tells");
	nested_touched = 0;
	for (uint64_t how = 0; how < 4; how++)
		nested(later, how, 0, "at the end of a thread");
	ok(!on || nested_touched == 0, "12: clear_child_tid, robust list, rseq");
	if (on)
		ok(DIED(in_child(bad_altstack, 0, 0)), "12: a signal stack in PrivUser");
	ok(privcall(intact) == 1, "12: this process's PrivUser is as it was");
}

/* ---- 13: a debugger ---- */

static int tracee(uint64_t unused, uint64_t unused2)
{
	(void)unused;
	(void)unused2;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	return privcall(intact) == 1 ? 11 : 12;
}

/*
 * Breakpoint registers on PrivUser's entry and on a word of it, then step by step: the tracer must
 * see no place inside, and no hit.
 */
static bool watching_sees(pid_t pid, int *status)
{
	const size_t dr = offsetof(struct user, u_debugreg[0]);
	bool seen = false;

	if (ptrace(PTRACE_POKEUSER, pid, dr, (void *)(PRIVUSER_BASE + 0x20ul)) != 0 ||
	    ptrace(PTRACE_POKEUSER, pid, dr + 8, (void *)target) != 0 ||
	    ptrace(PTRACE_POKEUSER, pid, dr + 7 * 8, (void *)(5ul | 15ul << 20)) != 0)
		return false;
	for (int i = 0; i < 3000 && !seen; i++) {
		struct user_regs_struct r;

		ptrace(i < 2900 ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, NULL);
		if (waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status))
			break;
		ptrace(PTRACE_GETREGS, pid, NULL, &r);
		seen = (r.rip >= PRIVUSER_BASE && r.rip <= PRIVUSER_END) || (r.cs & 3) != 3 ||
		       (ptrace(PTRACE_PEEKUSER, pid, dr + 6 * 8, NULL) & 15) != 0;
	}
	return seen;
}

static void debugger(void)
{
	long word;
	int status = 0;
	pid_t pid;

	if (ptrace(PTRACE_TRACEME + 999, 0, NULL, NULL) != 0 && errno == ENOSYS) {
		ok(true, "13: ptrace # SKIP this kernel has none");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(tracee(0, 0));
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
		ok(false, "13: a debugger sees its child stop");
		return;
	}
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, (void *)target, NULL);
	attack(errno == 0 && memcmp(&word, MARKER, 8) == 0, "13: ptrace reads PrivUser");
	attack(ptrace(PTRACE_POKEDATA, pid, (void *)target, (void *)0) == 0,
	       "13: ptrace writes PrivUser");
	if (on) {
		ok(!watching_sees(pid, &status),
		   "13: breakpoints and single steps inside PrivUser");
	} else {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	ok(!on || EXITED(status) == 11, "13: the traced PrivUser is as it was");
}

static int all(void)
{
	if (!privuser_up(NULL))
		return 1;
	room = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok(room != MAP_FAILED && privcall(load) == 0, "the secret is read inside");
	target = (uint64_t)(uint32_t)privcall(where_target);
	trial_target = target;
	trial_room = room;
	table();
	second_pointers();
	delayed();
	debugger();
	printf("1..%d\n", tests);
	fflush(stdout);
	return failures != 0;
}

/* In a child: what the trials do to process 1 (limits, signals, priorities) is not done to them. */
int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	/* execve() with a word of PrivUser: this program, with it as argument or environment. */
	if (argc > 0 && (strstr(argv[0], MARKER) != NULL ||
			 (environ[0] != NULL && strstr(environ[0], MARKER) != NULL)))
		return TOUCHED;
	pid = fork();

	if (pid == 0)
		_exit(all());
	waitpid(pid, &status, 0);
	return EXITED(status);
}
