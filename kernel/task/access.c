/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may look into another process, or take it over: Linux's rules for ptrace and /proc. */
#include <linux/capability.h>

#include "kernel/core/core.h"
#include "kernel/task/internal.h"

static bool same_user(const struct cred *c, uint32_t uid, uint32_t gid)
{
	return uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid &&
	       gid == c->sgid && gid == c->gid;
}

err_t task_may_access(const struct task *t, unsigned how)
{
	const struct cred *me, *c = &t->cred;
	uint64_t caps;
	bool real = (how & ACCESS_REAL) != 0;

	if (current == NULL || t == current_task)
		return OK;
	me = &current_task->cred;
	if (me->cap_effective >> CAP_SYS_PTRACE & 1)
		return OK;
	if (!same_user(c, real ? me->uid : me->fsuid, real ? me->gid : me->fsgid) || !t->dumpable)
		return E_PERM;
	caps = real ? me->cap_permitted : me->cap_effective;
	return (c->cap_permitted & ~caps) == 0 ? OK : E_PERM;
}
