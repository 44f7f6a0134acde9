/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace(2): the requests. What a tracee does meanwhile is kernel/task/ptrace.c. */
#include <linux/audit.h>
#include <linux/elf.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/linux/ptrace_regs.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/ptrace.h"

/* Requests of x86-64 that <linux/ptrace.h> does not number. */
#define REQ_GETREGS           12
#define REQ_SETREGS           13
#define REQ_GETFPREGS         14
#define REQ_SETFPREGS         15
#define REQ_ARCH_PRCTL        30
#define REQ_SYSEMU            31
#define REQ_SYSEMU_SINGLESTEP 32
#define OPTIONS_ALL           (0xffu | PTRACE_O_EXITKILL)
#define PEEK_INFO_MAX         32

/* ---- memory ---- */

static long peek(const struct ptrace *p, uint64_t addr, uaddr_t to)
{
	uint64_t word;

	if (p->task->mm == NULL ||
	    aspace_read(p->task->mm, addr, &word, sizeof(word)) != sizeof(word))
		return E_IO;
	return USER_OUT(to, &word);
}

static long poke(const struct ptrace *p, uint64_t addr, uint64_t word)
{
	if (p->task->mm == NULL ||
	    aspace_write(p->task->mm, addr, &word, sizeof(word), true) != sizeof(word))
		return E_IO;
	return 0;
}

/* ---- struct user ---- */

static bool is_user_word(uint64_t addr)
{
	return addr < USER_AREA_SIZE && addr % sizeof(uint64_t) == 0;
}

#define DEBUG_REGS 8u

static bool is_debugreg(uint64_t addr)
{
	return addr >= USER_DEBUGREG && addr < USER_DEBUGREG + DEBUG_REGS * sizeof(uint64_t);
}

static long peek_user(const struct ptrace *p, uint64_t addr, uaddr_t to)
{
	struct user_regs regs;
	uint64_t word = 0;

	if (!is_user_word(addr))
		return E_IO;
	regs_get(p->thread, &regs);
	if (addr < sizeof(regs))
		memcpy(&word, (const char *)&regs + addr, sizeof(word));
	else if (is_debugreg(addr))
		word = ptrace_debug_get(p, (unsigned)((addr - USER_DEBUGREG) / sizeof(word)));
	return USER_OUT(to, &word);
}

static long poke_user(struct ptrace *p, uint64_t addr, uint64_t word)
{
	if (!is_user_word(addr))
		return E_IO;
	if (addr < sizeof(struct user_regs))
		return regs_set_one(p->thread, (unsigned)(addr / sizeof(word)), word);
	if (!is_debugreg(addr))
		return E_IO;
	return ptrace_debug_set(p, (unsigned)((addr - USER_DEBUGREG) / sizeof(word)), word);
}

/* ---- register sets ---- */

/* The first `len` bytes of a set, whole registers: what stands behind them stays. */
static err_t set_regs(struct thread *t, const struct user_regs *r, size_t len)
{
	const uint64_t *v = (const uint64_t *)r;

	for (unsigned i = 0; i < len / sizeof(uint64_t); i++)
		TRY(regs_set_one(t, i, v[i]));
	return OK;
}

static long regs_out(struct thread *t, uaddr_t to, size_t len)
{
	struct user_regs r;

	regs_get(t, &r);
	return user_out(to, &r, len);
}

static long regs_in(struct thread *t, uaddr_t from, size_t len)
{
	struct user_regs r;

	TRY(user_in(&r, from, len));
	return set_regs(t, &r, len);
}

static long fx_out(struct thread *t, uaddr_t to, size_t len)
{
	void *fx = kmem_alloc(FXSAVE_SIZE);
	err_t err = fx == NULL ? E_NOMEM : regs_fx_get(t, fx);

	if (err == OK)
		err = user_out(to, fx, len);
	kmem_free(fx);
	return err;
}

static long fx_in(struct thread *t, uaddr_t from, size_t len)
{
	void *fx = kmem_alloc(FXSAVE_SIZE);
	err_t err = fx == NULL ? E_NOMEM : regs_fx_get(t, fx);

	if (err == OK)
		err = user_in(fx, from, len);
	if (err == OK)
		err = regs_fx_set(t, fx);
	kmem_free(fx);
	return err;
}

static long xstate_out(struct thread *t, uaddr_t to, size_t len)
{
	void *image = kmem_alloc(fpu_size());
	err_t err;

	if (image == NULL)
		return E_NOMEM;
	regs_xstate_get(t, image);
	err = user_out(to, image, len);
	kmem_free(image);
	return err;
}

static long xstate_in(struct thread *t, uaddr_t from, size_t len)
{
	void *image;
	err_t err;

	if (len != fpu_size())
		return E_FAULT; /* only as a whole, as Linux */
	image = kmem_alloc(fpu_size());
	if (image == NULL)
		return E_NOMEM;
	err = user_in(image, from, len);
	if (err == OK)
		err = regs_xstate_set(t, image);
	kmem_free(image);
	return err;
}

struct regset {
	unsigned type;
	uint32_t (*size)(void);
	long (*get)(struct thread *t, uaddr_t to, size_t len);
	long (*set)(struct thread *t, uaddr_t from, size_t len);
};

static uint32_t general_size(void)
{
	return sizeof(struct user_regs);
}

static uint32_t fx_size(void)
{
	return FXSAVE_SIZE;
}

static const struct regset regsets[] = {
	{ NT_PRSTATUS, general_size, regs_out, regs_in },
	{ NT_PRFPREG, fx_size, fx_out, fx_in },
	{ NT_X86_XSTATE, fpu_size, xstate_out, xstate_in },
};

static const struct regset *find_regset(unsigned type)
{
	for (size_t i = 0; i < ARRAY_SIZE(regsets); i++)
		if (regsets[i].type == type && (type != NT_X86_XSTATE || boot_info.cpu.xsave))
			return &regsets[i];
	return NULL;
}

static long regset(struct ptrace *p, bool set, unsigned type, uaddr_t uiov)
{
	const struct regset *s = find_regset(type);
	struct ubuf iov;
	long ret;

	TRY(USER_IN(&iov, uiov));
	if (s == NULL || iov.len % sizeof(uint64_t) != 0)
		return E_INVAL;
	if (iov.len > s->size())
		iov.len = s->size();
	ret = (set ? s->set : s->get)(p->thread, iov.base, iov.len);
	if (ret != 0)
		return ret;
	return user_out(UADDR(uiov.v + offsetof(struct ubuf, len)), &iov.len, sizeof(iov.len));
}

/* ---- signals ---- */

static long get_siginfo(const struct ptrace *p, uaddr_t to)
{
	return p->has_info ? siginfo_out(to, &p->info) : E_INVAL;
}

static long set_siginfo(struct ptrace *p, uaddr_t from)
{
	struct ksiginfo info;

	TRY(siginfo_in(&info, from));
	if (!p->has_info)
		return E_INVAL;
	p->info = info;
	return 0;
}

struct peek_args {
	uint64_t off;
	uint32_t flags;
	int32_t nr;
};

/* Copies of queued signals; number of them. */
static long peek_siginfo(const struct ptrace *p, uaddr_t uargs, uint64_t to)
{
	const struct sig_queue *q;
	struct peek_args a;
	uint64_t i = 0;
	long n = 0;

	TRY(USER_IN(&a, uargs));
	if ((a.flags & ~(uint32_t)PTRACE_PEEKSIGINFO_SHARED) || a.nr < 0)
		return E_INVAL;
	q = a.flags & PTRACE_PEEKSIGINFO_SHARED ? &p->task->pending : &p->thread->pending;
	LIST_FOR_EACH(l, &q->infos) {
		const struct sig_info *s = list_entry(l, struct sig_info, node);

		if (i++ < a.off)
			continue;
		if (n >= a.nr)
			break;
		if (siginfo_out(UADDR(to), &s->info) != OK)
			return n > 0 ? n : E_FAULT;
		to += sizeof(siginfo_t);
		n++;
	}
	return n;
}

static long sigmask(struct thread *t, bool set, uint64_t size, uaddr_t at)
{
	sigmask_t mask = t->restore_mask ? t->saved_mask : t->blocked;

	if (size != sizeof(mask))
		return E_INVAL;
	if (!set)
		return USER_OUT(at, &mask);
	TRY(USER_IN(&mask, at));
	t->restore_mask = false;
	signal_set_mask(t, mask & ~(SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP)));
	return 0;
}

/* ---- PTRACE_GET_SYSCALL_INFO ---- */

static size_t fill_entry(const struct trapframe *tf, struct ptrace_syscall_info *i)
{
	i->op = PTRACE_SYSCALL_INFO_ENTRY;
	i->entry.nr = tf->orig_rax;
	i->entry.args[0] = tf->rdi;
	i->entry.args[1] = tf->rsi;
	i->entry.args[2] = tf->rdx;
	i->entry.args[3] = tf->r10;
	i->entry.args[4] = tf->r8;
	i->entry.args[5] = tf->r9;
	return offsetof(struct ptrace_syscall_info, entry) + sizeof(i->entry);
}

#define MAX_ERRNO 4095

static size_t fill_exit(const struct trapframe *tf, struct ptrace_syscall_info *i)
{
	int64_t r = (int64_t)tf->rax;

	i->op = PTRACE_SYSCALL_INFO_EXIT;
	i->exit.rval = r;
	i->exit.is_error = r < 0 && r >= -MAX_ERRNO;
	return offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof(i->exit.is_error);
}

static size_t fill_seccomp(const struct ptrace *p, const struct trapframe *tf,
			   struct ptrace_syscall_info *i)
{
	(void)fill_entry(tf, i);
	i->op = PTRACE_SYSCALL_INFO_SECCOMP;
	i->seccomp.ret_data = (uint32_t)p->message;
	return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(uint32_t);
}

static long syscall_info(const struct ptrace *p, uint64_t size, uaddr_t to)
{
	const struct trapframe *tf = p->thread->regs;
	struct ptrace_syscall_info i;
	size_t len = offsetof(struct ptrace_syscall_info, entry);
	int code = p->has_info ? p->info.si_code : 0;

	memset(&i, 0, sizeof(i));
	i.op = PTRACE_SYSCALL_INFO_NONE;
	i.arch = AUDIT_ARCH_X86_64;
	i.instruction_pointer = tf->rip;
	i.stack_pointer = tf->rsp;
	if (code == (SIGTRAP | 0x80) && p->message == PTRACE_EVENTMSG_SYSCALL_ENTRY)
		len = fill_entry(tf, &i);
	else if (code == (SIGTRAP | 0x80) && p->message == PTRACE_EVENTMSG_SYSCALL_EXIT)
		len = fill_exit(tf, &i);
	else if (code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		len = fill_seccomp(p, tf, &i);
	TRY(user_out(to, &i, size < len ? size : len));
	return (long)len;
}

/* ---- all requests ---- */

static long resume(struct ptrace *p, enum ptrace_mode mode, bool step, uint64_t sig)
{
	if (sig > SIG_COUNT)
		return E_IO;
	ptrace_resume(p, mode, step, (int)sig);
	return 0;
}

static long set_options(struct ptrace *p, uint64_t options)
{
	if (options & ~(uint64_t)OPTIONS_ALL)
		return E_INVAL;
	p->options = (uint32_t)options;
	return 0;
}

static long bases(struct ptrace *p, uint64_t code, uaddr_t addr)
{
	struct thread *t = p->thread;

	switch (code) {
	case 0x1001: return addr.v >= USER_END ? E_PERM : (t->gs_base = addr.v, 0);
	case 0x1002: return addr.v >= USER_END ? E_PERM : (t->fs_base = addr.v, 0);
	case 0x1003: return USER_OUT(addr, &t->fs_base);
	case 0x1004: return USER_OUT(addr, &t->gs_base);
	default: return E_INVAL;
	}
}

static long request_regs(struct ptrace *p, int req, uint64_t addr, uint64_t data)
{
	struct thread *t = p->thread;

	switch (req) {
	case PTRACE_PEEKUSR: return peek_user(p, addr, UADDR(data));
	case PTRACE_POKEUSR: return poke_user(p, addr, data);
	case REQ_GETREGS: return regs_out(t, UADDR(data), sizeof(struct user_regs));
	case REQ_SETREGS: return regs_in(t, UADDR(data), sizeof(struct user_regs));
	case REQ_GETFPREGS: return fx_out(t, UADDR(data), FXSAVE_SIZE);
	case REQ_SETFPREGS: return fx_in(t, UADDR(data), FXSAVE_SIZE);
	case PTRACE_GETREGSET: return regset(p, false, (unsigned)addr, UADDR(data));
	case PTRACE_SETREGSET: return regset(p, true, (unsigned)addr, UADDR(data));
	case REQ_ARCH_PRCTL: return bases(p, data, UADDR(addr));
	default: return E_IO;
	}
}

static long request_stopped(struct ptrace *p, int req, uint64_t addr, uint64_t data)
{
	switch (req) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA: return peek(p, addr, UADDR(data));
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA: return poke(p, addr, data);
	case PTRACE_CONT: return resume(p, TRACE_NO_CALLS, false, data);
	case PTRACE_SYSCALL: return resume(p, TRACE_CALLS, false, data);
	case PTRACE_SINGLESTEP: return resume(p, TRACE_NO_CALLS, true, data);
	case REQ_SYSEMU: return resume(p, TRACE_EMULATE, false, data);
	case REQ_SYSEMU_SINGLESTEP: return resume(p, TRACE_EMULATE, true, data);
	case PTRACE_DETACH:
		if (data > SIG_COUNT)
			return E_IO;
		ptrace_detach(p, (int)data);
		return 0;
	case PTRACE_SETOPTIONS: return set_options(p, data);
	case PTRACE_GETEVENTMSG: return USER_OUT(UADDR(data), &p->message);
	case PTRACE_GETSIGINFO: return get_siginfo(p, UADDR(data));
	case PTRACE_SETSIGINFO: return set_siginfo(p, UADDR(data));
	case PTRACE_PEEKSIGINFO: return peek_siginfo(p, UADDR(addr), data);
	case PTRACE_GETSIGMASK: return sigmask(p->thread, false, addr, UADDR(data));
	case PTRACE_SETSIGMASK: return sigmask(p->thread, true, addr, UADDR(data));
	case PTRACE_GET_SYSCALL_INFO: return syscall_info(p, addr, UADDR(data));
	case PTRACE_LISTEN: return ptrace_listen(p);
	default: return request_regs(p, req, addr, data);
	}
}

static long attach(int req, struct thread *t, uint64_t addr, uint64_t data)
{
	bool seize = req == PTRACE_SEIZE;

	if (seize && (addr != 0 || (data & ~(uint64_t)OPTIONS_ALL)))
		return E_IO;
	return ptrace_attach(t, seize, seize ? (uint32_t)data : 0);
}

long sys_ptrace(int req, int pid, uint64_t addr, uint64_t data)
{
	struct thread *t;
	struct ptrace *p;

	if (req == PTRACE_TRACEME)
		return ptrace_traceme();
	t = thread_find(pid);
	if (t == NULL || t->task == NULL)
		return E_SRCH;
	if (req == PTRACE_ATTACH || req == PTRACE_SEIZE)
		return attach(req, t, addr, data);
	p = t->trace;
	if (p == NULL || p->tracer != current)
		return E_SRCH;
	if (req == PTRACE_KILL) {
		struct ksiginfo info;

		signal_info_user(&info, SIGKILL, SI_USER);
		return signal_send_task(t->task, SIGKILL, &info);
	}
	if (req == PTRACE_INTERRUPT) {
		if (!p->seized)
			return E_IO;
		ptrace_interrupt(p);
		return 0;
	}
	if (!p->stopped || p->listening)
		return E_SRCH;
	return request_stopped(p, req, addr, data);
}
