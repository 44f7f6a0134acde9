/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp(2), and prctl's way to it. */
#include <linux/capability.h>

#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/seccomp.h"
#include "kernel/vfs/fd.h"

#define FLAGS_ALL                                                                               \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
	 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

/* struct sock_fprog */
struct filter_user {
	uint16_t n;
	uint8_t pad[6];
	uaddr_t insns;
};

static err_t load_filter(struct seccomp_filter **out, uaddr_t from)
{
	const struct cred *c = &current_task->cred;
	struct filter_user u;

	TRY(USER_IN(&u, from));
	if (u.n == 0 || u.n > BPF_MAXINSNS)
		return E_INVAL;
	/* Otherwise a set-user-ID program could be confused by it. */
	if (!current->no_new_privs && !(c->cap_effective >> CAP_SYS_ADMIN & 1))
		return E_ACCES;
	return seccomp_filter_load(out, u.insns, u.n);
}

/* The filter is installed last: a listener that cannot be had leaves nothing behind. */
static long install_with_listener(struct seccomp_filter *f, bool all_threads)
{
	struct file *file;
	long ret;
	int fd;

	if (seccomp_has_listener())
		return E_BUSY;
	TRY(seccomp_listener(f, &file));
	ret = fd_install(file, 0, true, &fd);
	if (ret != OK) {
		file_put(file);
		return ret;
	}
	ret = seccomp_install(f, all_threads);
	if (ret != 0)
		(void)!fd_close(fd);
	return ret != 0 ? ret : fd;
}

static long set_filter(unsigned flags, uaddr_t from)
{
	bool all = (flags & SECCOMP_FILTER_FLAG_TSYNC) != 0;
	bool listener = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
	struct seccomp_filter *f;
	long ret;

	if (flags & ~(unsigned)FLAGS_ALL)
		return E_INVAL;
	if (all && listener && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return E_INVAL;
	TRY(load_filter(&f, from));
	f->log = (flags & SECCOMP_FILTER_FLAG_LOG) != 0;
	f->refs++; /* ours, beside the one that is handed over */
	ret = listener ? install_with_listener(f, all) : seccomp_install(f, all);
	if (ret < 0 || (!listener && ret > 0) || (listener && current->filters != f))
		f->refs--; /* it was not taken */
	/*
	 * A thread in the way is told by its id, or as an error where an id could be a descriptor.
	 */
	if (current->filters != f && ret > 0 && (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		ret = E_SRCH;
	seccomp_filter_put(f);
	return ret;
}

static long action_available(uaddr_t from)
{
	uint32_t action;

	TRY(USER_IN(&action, from));
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return 0;
	default: return E_OPNOTSUPP;
	}
}

static long notif_sizes(uaddr_t to)
{
	struct seccomp_notif_sizes s = { sizeof(struct seccomp_notif),
					 sizeof(struct seccomp_notif_resp),
					 sizeof(struct seccomp_data) };

	return USER_OUT(to, &s);
}

long sys_seccomp(unsigned op, unsigned flags, uaddr_t args)
{
	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags != 0 || args.v != 0 ? E_INVAL : seccomp_set_strict();
	case SECCOMP_SET_MODE_FILTER: return set_filter(flags, args);
	case SECCOMP_GET_ACTION_AVAIL: return flags != 0 ? E_INVAL : action_available(args);
	case SECCOMP_GET_NOTIF_SIZES: return flags != 0 ? E_INVAL : notif_sizes(args);
	default: return E_INVAL;
	}
}

long prctl_set_seccomp(uint64_t mode, uaddr_t args)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT: return seccomp_set_strict();
	case SECCOMP_MODE_FILTER: return set_filter(0, args);
	default: return E_INVAL;
	}
}
