/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments of shared memory: making, looking, changing, removing. */
#include <asm/shmbuf.h>

#include "kernel/ipc/shm.h"
#include "kernel/mem/frame.h"

struct shm_info_k { /* struct shm_info */
	int used_ids;
	uint64_t tot, rss, swp, swap_attempts, swap_successes;
};

struct ipc_set shm_set;
static uint64_t total_pages;

static void shm_free(struct ipc_object *o)
{
	struct shm *s = shm_of(o);

	total_pages -= shm_pages(s);
	s->memory->ops->put(s->memory);
	kmem_free(s);
}

void shm_init(void)
{
	ipc_set_init(&shm_set, shm_free);
}

/* ---- making ---- */

static err_t size_fits(const struct ipc_object *o, uint64_t want)
{
	return want > container_of(o, struct shm, ipc)->size ? E_INVAL : OK;
}

/* Memory is given when it is touched; but nobody gets a promise of more than there is. */
static err_t check_size(size_t size, int flags)
{
	uint64_t pages = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
	struct mem_stats m;

	if (size == 0 || size > ipc_limits.shmmax)
		return E_INVAL;
	if (pages << PAGE_SHIFT < size || total_pages + pages < total_pages ||
	    total_pages + pages > ipc_limits.shmall)
		return E_NOSPC;
	if (size > INT64_MAX)
		return E_INVAL;
	if ((flags & SHM_HUGETLB_) != 0)
		return E_NOMEM; /* there is no pool of huge pages */
	mem_stats(&m);
	return pages << PAGE_SHIFT > m.total && (flags & SHM_NORESERVE_) == 0 ? E_NOMEM : OK;
}

static err_t shm_new(int key, size_t size, int flags, struct shm **out)
{
	struct shm *s;
	err_t err;

	TRY(check_size(size, flags));
	s = kmem_zalloc(sizeof(*s));
	if (s == NULL)
		return E_NOMEM;
	vmobject_init(&s->vm, &shm_object_ops);
	s->size = size;
	s->cpid = current_task->pid;
	s->memory = anon_object_create(shm_pages(s));
	err = s->memory != NULL ? ipc_add(&shm_set, &s->ipc, key, flags, ipc_limits.shmmni)
				: E_NOMEM;
	if (err != OK) {
		if (s->memory != NULL)
			s->memory->ops->put(s->memory);
		kmem_free(s);
		return err;
	}
	total_pages += shm_pages(s);
	*out = s;
	return OK;
}

long shm_get(int key, size_t size, int flags)
{
	struct ipc_object *o;
	struct shm *s;

	TRY(ipc_lookup(&shm_set, key, flags, size_fits, size, &o));
	if (o != NULL)
		return o->id;
	TRY(shm_new(key, size, flags, &s));
	return s->ipc.id;
}

/* ---- looking ---- */

static long info_out(uaddr_t buf)
{
	struct shminfo64 i = { .shmmax = ipc_limits.shmmax,
			       .shmmin = 1,
			       .shmmni = ipc_limits.shmmni,
			       .shmseg = ipc_limits.shmmni,
			       .shmall = ipc_limits.shmall };

	TRY(USER_OUT(buf, &i));
	return ipc_highest(&shm_set);
}

static long usage_out(uaddr_t buf)
{
	struct shm_info_k i = { .used_ids = (int)shm_set.used, .tot = total_pages };

	for (unsigned n = 0; n < shm_set.slots; n++)
		if (shm_set.slot[n] != NULL)
			i.rss += anon_object_present(shm_of(shm_set.slot[n])->memory);
	TRY(USER_OUT(buf, &i));
	return ipc_highest(&shm_set);
}

static long stat_out(int id, int cmd, uaddr_t buf)
{
	struct shmid64_ds d = { 0 };
	struct ipc_object *o;
	const struct shm *s;

	TRY(ipc_find_stat(&shm_set, id, cmd != IPC_STAT, cmd == SHM_STAT_ANY_, &o));
	s = shm_of(o);
	ipc_perm_out(o, &d.shm_perm);
	d.shm_segsz = s->size;
	d.shm_atime = s->atime;
	d.shm_dtime = s->dtime;
	d.shm_ctime = o->ctime;
	d.shm_cpid = s->cpid;
	d.shm_lpid = s->lpid;
	d.shm_nattch = s->attached;
	TRY(USER_OUT(buf, &d));
	return cmd == IPC_STAT ? 0 : o->id;
}

void shm_show(struct text *t)
{
	text_puts(t, "       key      shmid perms                  size  cpid  lpid nattch   uid   "
		     "gid  cuid  cgid      atime      dtime      ctime                   rss       "
		     "           swap\n");
	for (unsigned n = 0; n < shm_set.slots; n++) {
		const struct ipc_object *o = shm_set.slot[n];
		const struct shm *s;

		if (o == NULL)
			continue;
		s = container_of(o, struct shm, ipc);
		text_printf(t,
			    "%10d %10d  %4o %21llu %5d %5d  %5llu %5u %5u %5u %5u %10lld %10lld "
			    "%10lld %21llu %21u\n",
			    o->key, o->id, o->mode, (unsigned long long)s->size, s->cpid, s->lpid,
			    (unsigned long long)s->attached, o->uid, o->gid, o->cuid, o->cgid,
			    (long long)s->atime, (long long)s->dtime, (long long)o->ctime,
			    (unsigned long long)anon_object_present(s->memory) * PAGE_SIZE, 0u);
	}
}

/* ---- changing ---- */

void shm_remove(struct shm *s)
{
	if (s->attached == 0) {
		ipc_delete(&shm_set, &s->ipc);
		return;
	}
	s->ipc.mode |= SHM_DEST_;
	ipc_hide_key(&s->ipc);
}

static long change(int id, int cmd, uaddr_t buf)
{
	struct shmid64_ds d;
	struct ipc_object *o;

	if (cmd == IPC_SET)
		TRY(USER_IN(&d, buf));
	TRY(ipc_find(&shm_set, id, &o));
	TRY(ipc_may_control(o));
	if (cmd == IPC_SET)
		ipc_set_perm(o, &d.shm_perm);
	else
		shm_remove(shm_of(o));
	return 0;
}

/* Memory is never paged out: only the mark is kept. */
static long lock(int id, int cmd)
{
	struct ipc_object *o;

	TRY(ipc_find(&shm_set, id, &o));
	if (!task_capable(CAP_IPC_LOCK)) {
		uint32_t euid = current_task->cred.euid;

		if (euid != o->uid && euid != o->cuid)
			return E_PERM;
		if (cmd == SHM_LOCK_ && current_task->rlimit[RLIMIT_MEMLOCK].rlim_cur == 0)
			return E_PERM;
	}
	if (cmd == SHM_LOCK_)
		o->mode |= SHM_LOCKED_;
	else
		o->mode &= ~SHM_LOCKED_;
	return 0;
}

long shm_control(int id, int cmd, uaddr_t buf)
{
	if (cmd < 0 || id < 0)
		return E_INVAL;
	switch (cmd) {
	case IPC_INFO: return info_out(buf);
	case SHM_INFO_: return usage_out(buf);
	case IPC_STAT:
	case SHM_STAT_:
	case SHM_STAT_ANY_: return stat_out(id, cmd, buf);
	case IPC_SET:
	case IPC_RMID: return change(id, cmd, buf);
	case SHM_LOCK_:
	case SHM_UNLOCK_: return lock(id, cmd);
	default: return E_INVAL;
	}
}
