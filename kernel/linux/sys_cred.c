/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on users, groups and capabilities: Linux's rules for who may become whom. */
#include <linux/capability.h>
#include <linux/securebits.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"

#define KEEP UINT32_MAX

static struct cred *cred(void)
{
	return &current_task->cred;
}

static bool capable(unsigned cap)
{
	return (cred()->cap_effective >> cap & 1) != 0;
}

bool cred_may_control(const struct task *t)
{
	const struct cred *me = cred(), *o = &t->cred;

	return capable(CAP_SYS_RESOURCE) ||
	       (me->uid == o->uid && me->uid == o->euid && me->uid == o->suid &&
		me->gid == o->gid && me->gid == o->egid && me->gid == o->sgid);
}

/* Capabilities follow the user ids as capabilities(7) says: root has them, others lose them. */
static void caps_after_uid_change(struct cred *c, const struct cred *old)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = c->uid == 0 || c->euid == 0 || c->suid == 0;

	if (c->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (had_root && !has_root) {
		if (!c->keep_caps)
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
}

static void commit_uids(uint32_t uid, uint32_t euid, uint32_t suid)
{
	struct cred *c = cred(), old = *c;

	c->uid = uid;
	c->euid = c->fsuid = euid;
	c->suid = suid;
	if (old.euid != euid)
		current_task->dumpable = false;
	caps_after_uid_change(c, &old);
}

static void commit_gids(uint32_t gid, uint32_t egid, uint32_t sgid)
{
	struct cred *c = cred();

	c->gid = gid;
	c->egid = c->fsgid = egid;
	c->sgid = sgid;
}

long sys_getuid(void)
{
	return cred()->uid;
}

long sys_geteuid(void)
{
	return cred()->euid;
}

long sys_getgid(void)
{
	return cred()->gid;
}

long sys_getegid(void)
{
	return cred()->egid;
}

static long three_out(uaddr_t a, uint32_t va, uaddr_t b, uint32_t vb, uaddr_t c, uint32_t vc)
{
	TRY(USER_OUT(a, &va));
	TRY(USER_OUT(b, &vb));
	return USER_OUT(c, &vc);
}

long sys_getresuid(uaddr_t r, uaddr_t e, uaddr_t s)
{
	return three_out(r, cred()->uid, e, cred()->euid, s, cred()->suid);
}

long sys_getresgid(uaddr_t r, uaddr_t e, uaddr_t s)
{
	return three_out(r, cred()->gid, e, cred()->egid, s, cred()->sgid);
}

/* True when id is KEEP or one of the three. */
static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == KEEP || id == a || id == b || id == c;
}

long sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
	const struct cred *c = cred();

	if (!capable(CAP_SETUID) &&
	    (!one_of(r, c->uid, c->euid, c->suid) || !one_of(e, c->uid, c->euid, c->suid) ||
	     !one_of(s, c->uid, c->euid, c->suid)))
		return E_PERM;
	commit_uids(r == KEEP ? c->uid : r, e == KEEP ? c->euid : e, s == KEEP ? c->suid : s);
	return 0;
}

long sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
	const struct cred *c = cred();

	if (!capable(CAP_SETGID) &&
	    (!one_of(r, c->gid, c->egid, c->sgid) || !one_of(e, c->gid, c->egid, c->sgid) ||
	     !one_of(s, c->gid, c->egid, c->sgid)))
		return E_PERM;
	commit_gids(r == KEEP ? c->gid : r, e == KEEP ? c->egid : e, s == KEEP ? c->sgid : s);
	return 0;
}

long sys_setreuid(uint32_t r, uint32_t e)
{
	const struct cred *c = cred();
	uint32_t nr = r == KEEP ? c->uid : r, ne = e == KEEP ? c->euid : e;

	if (!capable(CAP_SETUID) &&
	    (!one_of(r, c->uid, c->euid, c->euid) || !one_of(e, c->uid, c->euid, c->suid)))
		return E_PERM;
	commit_uids(nr, ne, r != KEEP || (e != KEEP && ne != c->uid) ? ne : c->suid);
	return 0;
}

long sys_setregid(uint32_t r, uint32_t e)
{
	const struct cred *c = cred();
	uint32_t nr = r == KEEP ? c->gid : r, ne = e == KEEP ? c->egid : e;

	if (!capable(CAP_SETGID) &&
	    (!one_of(r, c->gid, c->egid, c->egid) || !one_of(e, c->gid, c->egid, c->sgid)))
		return E_PERM;
	commit_gids(nr, ne, r != KEEP || (e != KEEP && ne != c->gid) ? ne : c->sgid);
	return 0;
}

long sys_setuid(uint32_t uid)
{
	const struct cred *c = cred();

	if (uid == KEEP)
		return E_INVAL;
	if (capable(CAP_SETUID))
		commit_uids(uid, uid, uid);
	else if (uid == c->uid || uid == c->suid)
		commit_uids(c->uid, uid, c->suid);
	else
		return E_PERM;
	return 0;
}

long sys_setgid(uint32_t gid)
{
	const struct cred *c = cred();

	if (gid == KEEP)
		return E_INVAL;
	if (capable(CAP_SETGID))
		commit_gids(gid, gid, gid);
	else if (gid == c->gid || gid == c->sgid)
		commit_gids(c->gid, gid, c->sgid);
	else
		return E_PERM;
	return 0;
}

/* These two answer the previous id, whether they changed it or not. */
long sys_setfsuid(uint32_t uid)
{
	struct cred *c = cred();
	uint32_t old = c->fsuid;

	if (uid != KEEP && (capable(CAP_SETUID) || uid == c->uid || uid == c->euid ||
			    uid == c->suid || uid == old))
		c->fsuid = uid;
	return old;
}

long sys_setfsgid(uint32_t gid)
{
	struct cred *c = cred();
	uint32_t old = c->fsgid;

	if (gid != KEEP && (capable(CAP_SETGID) || gid == c->gid || gid == c->egid ||
			    gid == c->sgid || gid == old))
		c->fsgid = gid;
	return old;
}

long sys_getgroups(int n, uaddr_t to)
{
	const struct group_list *g = cred()->groups;
	unsigned count = group_count(g);

	if (n < 0)
		return E_INVAL;
	if (n == 0 || count == 0)
		return count;
	if ((unsigned)n < count)
		return E_INVAL;
	TRY(user_out(to, g->gids, count * sizeof(g->gids[0])));
	return count;
}

static void sift_down(uint32_t *v, size_t root, size_t n)
{
	for (;;) {
		size_t child = 2 * root + 1;
		uint32_t tmp;

		if (child >= n)
			return;
		if (child + 1 < n && v[child] < v[child + 1])
			child++;
		if (v[root] >= v[child])
			return;
		tmp = v[root];
		v[root] = v[child];
		v[child] = tmp;
		root = child;
	}
}

/* In place, and in bounded time whatever the program has thought up. */
static void sort(uint32_t *v, size_t n)
{
	for (size_t i = n / 2; i > 0; i--)
		sift_down(v, i - 1, n);
	for (size_t end = n; end > 1; end--) {
		uint32_t tmp = v[0];

		v[0] = v[end - 1];
		v[end - 1] = tmp;
		sift_down(v, 0, end - 1);
	}
}

long sys_setgroups(size_t n, uaddr_t from)
{
	struct group_list *g;
	struct cred *c = cred();
	err_t err;

	if (!capable(CAP_SETGID))
		return E_PERM;
	if (n > GROUPS_MAX)
		return E_INVAL;
	g = kmem_alloc(sizeof(*g) + n * sizeof(g->gids[0]));
	if (g == NULL)
		return E_NOMEM;
	g->refs = 1;
	g->n = (uint32_t)n;
	err = user_in(g->gids, from, n * sizeof(g->gids[0]));
	for (size_t i = 0; err == OK && i < n; i++)
		if (g->gids[i] == KEEP)
			err = E_INVAL;
	if (err != OK) {
		kmem_free(g);
		return err;
	}
	sort(g->gids, n);
	group_list_put(c->groups);
	c->groups = g;
	return 0;
}

/* ---- capabilities ---- */

/*
 * Number of 32-bit words for a header's version; 0 when unknown (the header then gets the one we
 * prefer).
 */
static unsigned cap_words(uint32_t version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1: return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3: return 2;
	default: return 0;
	}
}

static err_t cap_header(uaddr_t uhdr, struct __user_cap_header_struct *h, unsigned *words,
			uaddr_t data)
{
	TRY(USER_IN(h, uhdr));
	*words = cap_words(h->version);
	if (*words > 0)
		return h->pid < 0 ? E_INVAL : OK;
	h->version = _LINUX_CAPABILITY_VERSION_3;
	TRY(USER_OUT(uhdr, h));
	return data.v == 0 ? OK : E_INVAL;
}

long sys_capget(uaddr_t uhdr, uaddr_t udata)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2];
	const struct task *t;
	unsigned words;

	TRY(cap_header(uhdr, &h, &words, udata));
	if (words == 0 || udata.v == 0)
		return 0;
	t = h.pid == 0 ? current_task : task_find(h.pid);
	if (t == NULL)
		return E_SRCH;
	for (unsigned i = 0; i < 2; i++)
		d[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(t->cred.cap_effective >> 32 * i),
			.permitted = (uint32_t)(t->cred.cap_permitted >> 32 * i),
			.inheritable = (uint32_t)(t->cred.cap_inheritable >> 32 * i),
		};
	return user_out(udata, d, words * sizeof(d[0]));
}

long sys_capset(uaddr_t uhdr, uaddr_t udata)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = { 0 };
	struct cred *c = cred();
	uint64_t e, p, i;
	unsigned words;

	TRY(cap_header(uhdr, &h, &words, udata));
	if (words == 0)
		return E_INVAL;
	if (h.pid != 0 && h.pid != current_task->pid)
		return E_PERM;
	TRY(user_in(d, udata, words * sizeof(d[0])));
	e = d[0].effective | (uint64_t)d[1].effective << 32;
	p = d[0].permitted | (uint64_t)d[1].permitted << 32;
	i = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	if ((p & ~c->cap_permitted) || (e & ~p))
		return E_PERM;
	if ((i & ~(c->cap_inheritable | c->cap_bounding)) ||
	    (!capable(CAP_SETPCAP) && (i & ~(c->cap_inheritable | c->cap_permitted))))
		return E_PERM;
	c->cap_effective = e;
	c->cap_permitted = p;
	c->cap_inheritable = i;
	c->cap_ambient &= p & i;
	return 0;
}

/* ---- securebits ---- */

long prctl_get_securebits(void)
{
	return cred()->securebits | (cred()->keep_caps ? SECBIT_KEEP_CAPS : 0);
}

long prctl_set_securebits(uint64_t bits)
{
	uint64_t old = (uint64_t)prctl_get_securebits();
	struct cred *c = cred();

	/* What is locked stays, and so do the locks. */
	if (((old & SECURE_ALL_LOCKS) >> 1 & (old ^ bits)) || (old & SECURE_ALL_LOCKS & ~bits) ||
	    (bits & ~(uint64_t)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)) || !capable(CAP_SETPCAP))
		return E_PERM;
	c->keep_caps = (bits & SECBIT_KEEP_CAPS) != 0;
	c->securebits = (uint8_t)(bits & ~(uint64_t)SECBIT_KEEP_CAPS);
	return 0;
}
