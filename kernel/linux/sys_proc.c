/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on processes: creation, programs, ends, identity, limits, accounts. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <linux/times.h>
#include <linux/wait.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"

/* ---- clone ---- */

long sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
	       uint64_t tls)
{
	struct clone_args_k a = {
		.flags = flags & ~(uint64_t)CSIGNAL,
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
		.exit_signal = (int)(flags & CSIGNAL),
	};

	return task_clone(current->regs, &a);
}

long sys_fork(void)
{
	struct clone_args_k a = { .exit_signal = SIGCHLD };

	return task_clone(current->regs, &a);
}

long sys_vfork(void)
{
	struct clone_args_k a = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return task_clone(current->regs, &a);
}

long sys_clone3(uaddr_t uargs, size_t size)
{
	struct clone_args u = { 0 };
	struct clone_args_k a;

	if (size < CLONE_ARGS_SIZE_VER0)
		return E_INVAL;
	TRY(user_in_struct(&u, sizeof(u), uargs, size));
	if ((u.flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND)) ||
	    (u.flags & (CLONE_DETACHED | CSIGNAL)))
		return E_INVAL;
	if ((u.stack == 0) != (u.stack_size == 0) || u.exit_signal > SIG_COUNT ||
	    u.set_tid_size != 0)
		return E_INVAL;
	if ((u.flags & (CLONE_THREAD | CLONE_PARENT)) && u.exit_signal != 0)
		return E_INVAL;
	a = (struct clone_args_k){
		.flags = u.flags,
		.stack = u.stack + u.stack_size,
		.tls = u.tls,
		.parent_tid = u.parent_tid,
		.child_tid = u.child_tid,
		.pidfd = u.pidfd,
		.exit_signal = (int)u.exit_signal,
	};
	return task_clone(current->regs, &a);
}

/* ---- execve ---- */

#define ARG_MAX_STRINGS 0x20000u
#define ARG_MAX_ONE     (128u * 1024u)

static void strings_free(struct exec_strings *s)
{
	for (unsigned i = 0; i < s->n; i++)
		kmem_free(s->v[i]);
	kmem_free(s->v);
}

static err_t strings_add(struct exec_strings *s, unsigned *room, char *str)
{
	if (s->n + 1 >= *room) {
		unsigned more = *room == 0 ? 16 : *room * 2;
		char **v = kmem_realloc(s->v, more * sizeof(*v));

		if (v == NULL)
			return E_NOMEM;
		s->v = v;
		*room = more;
	}
	s->v[s->n++] = str;
	s->v[s->n] = NULL;
	s->bytes += strlen(str) + 1;
	return OK;
}

/*
 * A program's NULL-ended array of strings in kernel memory, at most `limit` bytes with their
 * pointers.
 */
static err_t strings_load(struct exec_strings *s, uaddr_t array, size_t limit)
{
	unsigned room = 0;

	*s = (struct exec_strings){ 0 };
	for (; array.v != 0; array.v += 8) {
		uaddr_t at;
		char *str;
		err_t err;

		TRY(USER_IN(&at.v, array));
		if (at.v == 0)
			break;
		if (s->n >= ARG_MAX_STRINGS || s->bytes + s->n * 8ul > limit)
			return E_2BIG;
		TRY(user_strdup(&str, at, ARG_MAX_ONE));
		err = strings_add(s, &room, str);
		if (err != OK) {
			kmem_free(str);
			return err;
		}
	}
	return OK;
}

static size_t arg_limit(void)
{
	uint64_t quarter = current_task->rlimit[RLIMIT_STACK].rlim_cur / 4;

	if (quarter > 6ul << 20)
		quarter = 6ul << 20;
	return quarter < ARG_MAX_ONE ? ARG_MAX_ONE : quarter;
}

long sys_execveat(int dirfd, uaddr_t upath, uaddr_t uargv, uaddr_t uenvp, unsigned flags)
{
	struct exec_strings argv = { 0 }, envp = { 0 };
	char *path;
	err_t err;

	if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return E_INVAL;
	TRY(path_buf_get(&path, upath));
	err = strings_load(&argv, uargv, arg_limit());
	if (err == OK)
		err = strings_load(&envp, uenvp, arg_limit() - argv.bytes);
	if (err == OK)
		err = task_exec(current->regs, dirfd, path, flags, &argv, &envp);
	missing_file_note(err, path);
	strings_free(&argv);
	strings_free(&envp);
	path_buf_put(path);
	/* The new program's registers are set; rax is among them. */
	return err == OK ? (long)current->regs->rax : err;
}

long sys_execve(uaddr_t path, uaddr_t argv, uaddr_t envp)
{
	return sys_execveat(AT_FDCWD_, path, argv, envp, 0);
}

/* ---- end and wait ---- */

long sys_exit(int code)
{
	thread_exit(code & 0xff);
}

long sys_exit_group(int code)
{
	task_exit_group((code & 0xff) << 8);
}

/* struct rusage as Linux lays it out. */
struct rusage_user {
	struct timeval_k utime, stime;
	int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd,
		msgrcv, nsignals, nvcsw, nivcsw;
};

static struct timeval_k ns_to_timeval(uint64_t ns)
{
	return (struct timeval_k){ (int64_t)(ns / 1000000000u),
				   (int64_t)(ns % 1000000000u / 1000u) };
}

static long rusage_out(uaddr_t to, const struct rusage_k *r)
{
	struct rusage_user u = {
		.utime = ns_to_timeval(r->utime_ns),
		.stime = ns_to_timeval(r->stime_ns),
		.maxrss = (int64_t)r->maxrss_kb,
		.minflt = (int64_t)r->minflt,
		.majflt = (int64_t)r->majflt,
		.nvcsw = (int64_t)r->nvcsw,
		.nivcsw = (int64_t)r->nivcsw,
	};

	return USER_OUT(to, &u);
}

long sys_wait4(int pid, uaddr_t status, int options, uaddr_t ru)
{
	struct wait_out out = { 0 };
	int idtype = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	int id = pid;
	long ret;

	if (options & ~(int)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return E_INVAL;
	if (pid == INT32_MIN)
		return E_SRCH;
	if (pid <= 0)
		id = pid == 0 ? current_task->pgid : -pid;
	ret = task_wait(idtype, id, (unsigned)options | WEXITED, &out);
	if (ret <= 0)
		return ret;
	if (status.v != 0)
		TRY(USER_OUT(status, &out.status));
	if (ru.v != 0)
		TRY(rusage_out(ru, &out.ru));
	return ret;
}

/* waitid(P_PIDFD): the process's number, and whether the descriptor forbids to wait. */
static long pid_of_pidfd(int fd, bool *nonblock)
{
	struct file *f = fd_get(fd);
	struct task *t;
	err_t err;

	if (f == NULL)
		return E_BADF;
	*nonblock = (f->flags & O_NONBLOCK) != 0;
	err = pidfd_task(f, &t);
	file_put(f);
	if (err != OK)
		return err == E_SRCH ? E_CHILD : err;
	return t->pid;
}

long sys_waitid(int idtype, int id, uaddr_t info, int options, uaddr_t ru)
{
	struct wait_out out = { 0 };
	bool nonblock = false;
	struct ksiginfo si;
	long ret;

	if ((options & ~(int)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			      __WCLONE | __WALL)) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return E_INVAL;
	if (idtype != P_ALL && idtype != P_PID && idtype != P_PGID && idtype != P_PIDFD)
		return E_INVAL;
	if (idtype == P_PIDFD) {
		ret = id < 0 ? E_INVAL : pid_of_pidfd(id, &nonblock);
		if (ret < 0)
			return ret;
		idtype = P_PID;
		id = (int)ret;
	}
	if ((idtype == P_PID && id <= 0) || (idtype == P_PGID && id < 0))
		return E_INVAL;
	if (idtype == P_PGID && id == 0)
		id = current_task->pgid;
	ret = task_wait(idtype, id, (unsigned)options | (nonblock ? WNOHANG : 0), &out);
	if (ret == 0 && nonblock && !(options & WNOHANG))
		return E_AGAIN;
	if (ret < 0)
		return ret;
	if (ret > 0 && ru.v != 0)
		TRY(rusage_out(ru, &out.ru));
	if (info.v == 0)
		return 0;
	memset(&si, 0, sizeof(si));
	if (ret > 0) {
		si.si_signo = SIGCHLD;
		si.si_code = out.si_code;
		si.si_pid = out.pid;
		si.si_uid = (uint32_t)out.uid;
		si.si_status = out.si_code == CLD_EXITED      ? out.status >> 8 & 0xff
			       : out.si_code == CLD_STOPPED   ? out.status >> 8 & 0xff
			       : out.si_code == CLD_TRAPPED   ? out.status >> 8
			       : out.si_code == CLD_CONTINUED ? SIGCONT
							      : out.status & 0x7f;
	}
	return siginfo_out(info, &si);
}

/* ---- identity ---- */

long sys_getpid(void)
{
	return current_task->pid;
}

long sys_gettid(void)
{
	return current->tid;
}

long sys_getppid(void)
{
	const struct task *p = current_task->parent;

	return p == NULL ? 0 : p->pid;
}

long sys_setpgid(int pid, int pgid)
{
	return task_setpgid(pid, pgid);
}

long sys_getpgid(int pid)
{
	return task_getpgid(pid);
}

long sys_getpgrp(void)
{
	return current_task->pgid;
}

long sys_setsid(void)
{
	return task_setsid();
}

long sys_getsid(int pid)
{
	return task_getsid(pid);
}

/* ---- arch_prctl, prctl ---- */

long sys_arch_prctl(unsigned code, uint64_t addr)
{
	switch (code) {
	case ARCH_SET_FS:
		if (addr >= USER_END)
			return E_PERM;
		current->fs_base = addr;
		nk_set_fs_base(addr);
		return 0;
	case ARCH_SET_GS:
		if (addr >= USER_END)
			return E_PERM;
		current->gs_base = addr;
		nk_set_gs_base(addr);
		return 0;
	case ARCH_GET_FS: return USER_OUT(UADDR(addr), &current->fs_base);
	case ARCH_GET_GS: return USER_OUT(UADDR(addr), &current->gs_base);
	default: return E_INVAL;
	}
}

static long prctl_name(uaddr_t from)
{
	char name[16];
	err_t err = user_string(name, from, sizeof(name));

	if (err == E_NAMETOOLONG) { /* cut, as Linux does */
		TRY(user_in(name, from, sizeof(name) - 1));
		name[sizeof(name) - 1] = '\0';
		err = OK;
	}
	if (err == OK)
		memcpy(current->comm, name, sizeof(name));
	return err;
}

static long prctl_cap_ambient(struct cred *c, uint64_t op, uint64_t cap)
{
	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		c->cap_ambient = 0;
		return 0;
	}
	if (cap > CAP_LAST_CAP)
		return E_INVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET: return (long)(c->cap_ambient >> cap & 1);
	case PR_CAP_AMBIENT_LOWER: c->cap_ambient &= ~(1ull << cap); return 0;
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_permitted & c->cap_inheritable & 1ull << cap) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return E_PERM;
		c->cap_ambient |= 1ull << cap;
		return 0;
	default: return E_INVAL;
	}
}

long sys_prctl(int op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct task *t = current_task;
	int value;

	switch (op) {
	case PR_SET_NAME: return prctl_name(UADDR(a));
	case PR_GET_NAME: return user_out(UADDR(a), current->comm, sizeof(current->comm));
	case PR_SET_PDEATHSIG:
		if (a > SIG_COUNT)
			return E_INVAL;
		t->pdeath_signal = (int)a;
		return 0;
	case PR_GET_PDEATHSIG: return USER_OUT(UADDR(a), &t->pdeath_signal);
	case PR_GET_DUMPABLE: return t->dumpable;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return E_INVAL;
		t->dumpable = a != 0;
		return 0;
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || b != 0 || c != 0 || d != 0)
			return E_INVAL;
		current->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a != 0 || b != 0 || c != 0 || d != 0 ? E_INVAL : current->no_new_privs;
	case PR_SET_CHILD_SUBREAPER: t->is_subreaper = a != 0; return 0;
	case PR_GET_CHILD_SUBREAPER: value = t->is_subreaper; return USER_OUT(UADDR(a), &value);
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? E_INVAL : (long)(t->cred.cap_bounding >> a & 1);
	case PR_CAPBSET_DROP:
		if (a > CAP_LAST_CAP)
			return E_INVAL;
		if (!(t->cred.cap_effective & 1ull << CAP_SETPCAP))
			return E_PERM;
		t->cred.cap_bounding &= ~(1ull << a);
		return 0;
	case PR_CAP_AMBIENT: return c != 0 || d != 0 ? E_INVAL : prctl_cap_ambient(&t->cred, a, b);
	case PR_GET_KEEPCAPS: return t->cred.keep_caps;
	case PR_SET_KEEPCAPS:
		if (a > 1)
			return E_INVAL;
		if (t->cred.securebits & SECBIT_KEEP_CAPS_LOCKED)
			return E_PERM;
		t->cred.keep_caps = a != 0;
		return 0;
	case PR_GET_SECUREBITS: return prctl_get_securebits();
	case PR_SET_SECUREBITS: return prctl_set_securebits(a);
	case PR_GET_TIMERSLACK:
		return 50000; /* deadlines are exact to the timer; the value is Linux's default */
	case PR_SET_TIMERSLACK:
	case PR_SET_VMA: /* names of anonymous areas: a hint for reports */
		return op == PR_SET_TIMERSLACK ? 0 : E_INVAL;
	case PR_GET_TID_ADDRESS: return USER_OUT(UADDR(a), &current->clear_tid);
	case PR_GET_SECCOMP: return current->seccomp_mode;
	case PR_SET_SECCOMP: return prctl_set_seccomp(a, UADDR(b));
	default: return E_INVAL;
	}
}

/* ---- limits ---- */

static long limit_set(struct task *t, unsigned res, const struct rlimit64 *new_limit)
{
	struct rlimit64 *l = &t->rlimit[res];

	if (new_limit->rlim_cur > new_limit->rlim_max)
		return E_INVAL;
	if (new_limit->rlim_max > l->rlim_max &&
	    !(current_task->cred.cap_effective & 1ull << CAP_SYS_RESOURCE))
		return E_PERM;
	if (res == RLIMIT_NOFILE && new_limit->rlim_max > 1024 * 1024)
		return E_PERM; /* as /proc/sys/fs/nr_open says */
	*l = *new_limit;
	if (res == RLIMIT_AS)
		t->mm->limit_as = l->rlim_cur;
	else if (res == RLIMIT_DATA)
		t->mm->limit_data = l->rlim_cur;
	else if (res == RLIMIT_STACK)
		t->mm->limit_stack = l->rlim_cur;
	return 0;
}

long sys_prlimit64(int pid, unsigned res, uaddr_t unew, uaddr_t uold)
{
	struct task *t = pid == 0 ? current_task : task_find(pid);
	struct rlimit64 new_limit, old;

	if (res >= RLIM_NLIMITS)
		return E_INVAL;
	if (unew.v != 0)
		TRY(USER_IN(&new_limit, unew));
	if (t == NULL)
		return E_SRCH;
	if (t != current_task && !cred_may_control(t))
		return E_PERM;
	old = t->rlimit[res];
	if (unew.v != 0)
		TRY(limit_set(t, res, &new_limit));
	return uold.v != 0 ? USER_OUT(uold, &old) : 0;
}

long sys_getrlimit(unsigned res, uaddr_t to)
{
	return to.v == 0 ? E_FAULT : sys_prlimit64(0, res, UADDR(0), to);
}

long sys_setrlimit(unsigned res, uaddr_t from)
{
	return from.v == 0 ? E_FAULT : sys_prlimit64(0, res, from, UADDR(0));
}

/* ---- accounts ---- */

long sys_getrusage(int who, uaddr_t to)
{
	struct rusage_k r;

	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return E_INVAL;
	task_rusage(current_task, who, &r);
	return rusage_out(to, &r);
}

#define TICKS_PER_SEC 100 /* what AT_CLKTCK says */

long sys_times(uaddr_t to)
{
	struct rusage_k self, children;
	int64_t t[4];

	if (to.v != 0) {
		task_rusage(current_task, RUSAGE_SELF, &self);
		task_rusage(current_task, RUSAGE_CHILDREN, &children);
		t[0] = (int64_t)(self.utime_ns / (1000000000u / TICKS_PER_SEC));
		t[1] = (int64_t)(self.stime_ns / (1000000000u / TICKS_PER_SEC));
		t[2] = (int64_t)(children.utime_ns / (1000000000u / TICKS_PER_SEC));
		t[3] = (int64_t)(children.stime_ns / (1000000000u / TICKS_PER_SEC));
		TRY(USER_OUT(to, &t));
	}
	return (long)(time_mono_ns() / (1000000000u / TICKS_PER_SEC));
}
