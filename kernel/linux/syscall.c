/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of system calls: the only list of what is served. They are read-only data, so nothing
 * in the outer kernel can hook them. entry.S calls through one; what is not usual comes to
 * syscall_dispatch.
 */
#include <asm/unistd_64.h>

#include "base/fmt.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/task/ptrace.h"
#include "kernel/task/seccomp.h"
#include "kernel/x86/frame.h"

#define SYSCALL(nr, name, args) long sys_##name();
#include "kernel/linux/syscall.def"
#undef SYSCALL

void syscall_no_function(void); /* entry.S */

#define SYSCALL(nr, name, args)                                                          \
	[nr] = { (long (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))( \
			 void (*)(void))sys_##name,                                      \
		 #name, args },
const struct syscall syscall_table[SYSCALL_LIMIT] = {
#include "kernel/linux/syscall.def"
};
#undef SYSCALL

/*
 * The functions alone, for entry.S. Numbers without one lead to syscall_dispatch, too: what stands
 * there first is overridden.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#define SYSCALL(nr, name, args) [nr] = (void (*)(void))sys_##name,
void (*const syscall_functions[SYSCALL_LIMIT])(void) = {
	[0 ... SYSCALL_LIMIT - 1] = syscall_no_function,
#include "kernel/linux/syscall.def"
};
#undef SYSCALL
#pragma GCC diagnostic pop

uint64_t syscall_count[SYSCALL_LIMIT];

/*
 * One log line for each number, and one for all that are none: a program that probes must not flood
 * the log.
 */
static long syscall_unknown(const struct trapframe *tf)
{
	static uint8_t told[SYSCALL_LIMIT / 8 + 1];
	uint32_t nr = (uint32_t)tf->orig_rax;
	uint32_t bit = nr < SYSCALL_LIMIT ? nr : SYSCALL_LIMIT;
	const char *name = nr < SYSCALL_LIMIT ? syscall_missing_name(nr) : NULL;

	if (told[bit / 8] & 1u << bit % 8)
		return E_NOSYS;
	told[bit / 8] |= (uint8_t)(1u << bit % 8);
	log_info("%s[%d]: system call %s (%u) is not there: ENOSYS", current->comm,
		 current_task->pid, name == NULL ? "?" : name, nr);
	if (strace_on && name != NULL)
		user_log("%s(...) = -1 ENOSYS (no such call here)", name);
	return E_NOSYS;
}

static long syscall_traced(const struct syscall *s, struct trapframe *tf)
{
	long ret;

	strace_enter(s, tf);
	ret = s->fn(tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9);
	strace_leave(s, tf, ret);
	return ret;
}

/* entry.S knows these. */
_Static_assert(E_RESTART_BLOCK == -RESTART_LOWEST &&
		       E_RESTARTSYS == -RESTART_LOWEST + RESTART_KINDS - 1,
	       "entry.S: restart codes");

static long syscall_do(struct trapframe *tf)
{
	uint32_t nr = (uint32_t)tf->orig_rax;
	const struct syscall *s = &syscall_table[nr];

	if (nr >= SYSCALL_LIMIT || s->fn == NULL)
		return syscall_unknown(tf);
	syscall_count[nr]++;
	recent_calls[recent_calls_at++] = (uint16_t)nr;
	if (strace_on)
		return syscall_traced(s, tf);
	if (stats_on)
		return stats_call(s, tf);
	return s->fn(tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9);
}

/*
 * A tracer may change number and arguments before the call, and the result behind it. Number -1 is
 * no call: rax is then what the tracer has put there.
 */
static void syscall_hooked(struct trapframe *tf)
{
	bool allowed;

	tf->rax = (uint64_t)E_NOSYS;
	if ((current->watched & WATCH_TRACE) && !ptrace_call_enter(tf))
		return;
	allowed = !(current->watched & WATCH_SECCOMP) || seccomp_call(tf);
	if (allowed && (uint32_t)tf->orig_rax != UINT32_MAX)
		tf->rax = (uint64_t)syscall_do(tf);
	if (current->watched & WATCH_TRACE)
		ptrace_call_leave(tf);
}

void syscall_dispatch(struct trapframe *tf)
{
	if (current->watched != 0)
		syscall_hooked(tf);
	else
		tf->rax = (uint64_t)syscall_do(tf);
	if ((int64_t)tf->rax <= E_RESTARTSYS && (int64_t)tf->rax >= E_RESTART_BLOCK)
		user_work |= USER_WORK_SIGNAL;
}

/* Numbers of Linux 6.1 that the table lacks, for the log line. */
const char *syscall_missing_name(unsigned nr)
{
	static const struct {
		uint16_t nr;
		const char *name;
	} missing[] = {
		{ __NR_uselib, "uselib" },
		{ __NR_modify_ldt, "modify_ldt" },
		{ __NR_acct, "acct" },
		{ __NR_init_module, "init_module" },
		{ __NR_delete_module, "delete_module" },
		{ __NR_quotactl, "quotactl" },
		{ __NR_io_setup, "io_setup" },
		{ __NR_io_destroy, "io_destroy" },
		{ __NR_io_getevents, "io_getevents" },
		{ __NR_io_submit, "io_submit" },
		{ __NR_io_cancel, "io_cancel" },
		{ __NR_remap_file_pages, "remap_file_pages" },
		{ __NR_mbind, "mbind" },
		{ __NR_set_mempolicy, "set_mempolicy" },
		{ __NR_get_mempolicy, "get_mempolicy" },
		{ __NR_kexec_load, "kexec_load" },
		{ __NR_add_key, "add_key" },
		{ __NR_request_key, "request_key" },
		{ __NR_keyctl, "keyctl" },
		{ __NR_migrate_pages, "migrate_pages" },
		{ __NR_move_pages, "move_pages" },
		{ __NR_perf_event_open, "perf_event_open" },
		{ __NR_fanotify_init, "fanotify_init" },
		{ __NR_fanotify_mark, "fanotify_mark" },
		{ __NR_finit_module, "finit_module" },
		{ __NR_kexec_file_load, "kexec_file_load" },
		{ __NR_bpf, "bpf" },
		{ __NR_userfaultfd, "userfaultfd" },
		{ __NR_pkey_mprotect, "pkey_mprotect" },
		{ __NR_pkey_alloc, "pkey_alloc" },
		{ __NR_pkey_free, "pkey_free" },
		{ __NR_io_pgetevents, "io_pgetevents" },
		{ __NR_io_uring_setup, "io_uring_setup" },
		{ __NR_io_uring_enter, "io_uring_enter" },
		{ __NR_io_uring_register, "io_uring_register" },
		{ __NR_open_tree, "open_tree" },
		{ __NR_move_mount, "move_mount" },
		{ __NR_fsopen, "fsopen" },
		{ __NR_fsconfig, "fsconfig" },
		{ __NR_fsmount, "fsmount" },
		{ __NR_fspick, "fspick" },
		{ __NR_mount_setattr, "mount_setattr" },
		{ __NR_quotactl_fd, "quotactl_fd" },
		{ __NR_landlock_create_ruleset, "landlock_create_ruleset" },
		{ __NR_landlock_add_rule, "landlock_add_rule" },
		{ __NR_landlock_restrict_self, "landlock_restrict_self" },
		{ __NR_memfd_secret, "memfd_secret" },
		{ __NR_process_mrelease, "process_mrelease" },
		{ __NR_futex_waitv, "futex_waitv" },
		{ __NR_set_mempolicy_home_node, "set_mempolicy_home_node" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (missing[i].nr == nr)
			return missing[i].name;
	return NULL;
}
