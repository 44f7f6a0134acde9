/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of semaphores: making, looking, changing, removing. */
#include <asm/sembuf.h>

#include "kernel/ipc/sem.h"

struct ipc_set sem_sets;
static uint64_t total_sems;

static void set_free(struct ipc_object *o)
{
	kmem_free(sem_set_of(o));
}

void sem_init(void)
{
	ipc_set_init(&sem_sets, set_free);
}

/* ---- making ---- */

static err_t count_fits(const struct ipc_object *o, uint64_t want)
{
	return want > container_of(o, struct sem_set, ipc)->n ? E_INVAL : OK;
}

static err_t set_new(int key, unsigned n, int flags, struct sem_set **out)
{
	struct sem_set *s;
	err_t err;

	if (n == 0)
		return E_INVAL;
	if (total_sems + n > ipc_limits.semmns)
		return E_NOSPC;
	s = kmem_zalloc(sizeof(*s) + n * sizeof(s->sem[0]));
	if (s == NULL)
		return E_NOMEM;
	s->n = n;
	list_init(&s->waiting);
	list_init(&s->undos);
	err = ipc_add(&sem_sets, &s->ipc, key, flags, ipc_limits.semmni);
	if (err != OK) {
		kmem_free(s);
		return err;
	}
	total_sems += n;
	*out = s;
	return OK;
}

long sem_get(int key, int n, int flags)
{
	struct ipc_object *o;
	struct sem_set *s;

	if (n < 0 || (uint64_t)n > ipc_limits.semmsl)
		return E_INVAL;
	TRY(ipc_lookup(&sem_sets, key, flags, count_fits, (uint64_t)n, &o));
	if (o != NULL)
		return o->id;
	TRY(set_new(key, (unsigned)n, flags, &s));
	return s->ipc.id;
}

/* ---- looking ---- */

static long info_out(int cmd, uaddr_t buf)
{
	struct seminfo i = { .semmap = SEMMAP,
			     .semmni = (int)ipc_limits.semmni,
			     .semmns = (int)ipc_limits.semmns,
			     .semmnu = SEMMNU,
			     .semmsl = (int)ipc_limits.semmsl,
			     .semopm = (int)ipc_limits.semopm,
			     .semume = SEMUME,
			     .semusz = SEMUSZ,
			     .semvmx = SEMVMX,
			     .semaem = SEMAEM };

	if (cmd == SEM_INFO) {
		i.semusz = (int)sem_sets.used;
		i.semaem = (int)total_sems;
	}
	TRY(USER_OUT(buf, &i));
	return ipc_highest(&sem_sets);
}

static long stat_out(int id, int cmd, uaddr_t buf)
{
	struct semid64_ds d = { 0 };
	struct ipc_object *o;

	TRY(ipc_find_stat(&sem_sets, id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &o));
	ipc_perm_out(o, &d.sem_perm);
	d.sem_otime = sem_set_of(o)->otime;
	d.sem_ctime = o->ctime;
	d.sem_nsems = sem_set_of(o)->n;
	TRY(USER_OUT(buf, &d));
	return cmd == IPC_STAT ? 0 : o->id;
}

void sem_show(struct text *t)
{
	text_puts(t,
		  "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
		  "ctime\n");
	for (unsigned i = 0; i < sem_sets.slots; i++) {
		const struct ipc_object *o = sem_sets.slot[i];
		const struct sem_set *s;

		if (o == NULL)
			continue;
		s = container_of(o, struct sem_set, ipc);
		text_printf(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", o->key, o->id,
			    o->mode, s->n, o->uid, o->gid, o->cuid, o->cgid, (long long)s->otime,
			    (long long)o->ctime);
	}
}

/* How many wait for semaphore i to grow (or, `zero`, to become 0). */
static long count_waiting(const struct sem_set *s, unsigned i, bool zero)
{
	long n = 0;

	LIST_FOR_EACH(pos, &s->waiting) {
		const struct sembuf *op = list_entry(pos, struct sem_waiter, node)->blocking;

		n += op->sem_num == i && (op->sem_op == 0) == zero;
	}
	return n;
}

static long value_of(const struct sem_set *s, unsigned i, int cmd)
{
	switch (cmd) {
	case GETVAL: return s->sem[i].value;
	case GETPID: return s->sem[i].pid;
	case GETNCNT: return count_waiting(s, i, false);
	default: return count_waiting(s, i, true);
	}
}

static long get_one(int id, int index, int cmd)
{
	struct ipc_object *o;

	TRY(ipc_find(&sem_sets, id, &o));
	TRY(ipc_may(o, S_IRUGO_));
	if (index < 0 || (unsigned)index >= sem_set_of(o)->n)
		return E_INVAL;
	return value_of(sem_set_of(o), (unsigned)index, cmd);
}

static long get_all(int id, uaddr_t to)
{
	struct ipc_object *o;
	struct sem_set *s;
	struct ubuf out;

	TRY(ipc_find(&sem_sets, id, &o));
	TRY(ipc_may(o, S_IRUGO_));
	s = sem_set_of(o);
	TRY(ubuf_make(&out, to, s->n * sizeof(uint16_t)));
	for (unsigned i = 0; i < s->n; i++)
		TRY(ubuf_out(&out, i * sizeof(uint16_t), &s->sem[i].value, sizeof(uint16_t)));
	return 0;
}

/* ---- changing ---- */

static void set_changed(struct sem_set *s)
{
	s->ipc.ctime = ipc_now();
	sem_serve(s);
}

static long set_one(int id, int index, int value)
{
	struct ipc_object *o;
	struct sem_set *s;

	if (value < 0 || value > SEMVMX)
		return E_RANGE;
	TRY(ipc_find(&sem_sets, id, &o));
	s = sem_set_of(o);
	if (index < 0 || (unsigned)index >= s->n)
		return E_INVAL;
	TRY(ipc_may(o, S_IWUGO_));
	sem_undo_clear(s, (unsigned)index);
	s->sem[index].value = (uint16_t)value;
	s->sem[index].pid = current_task->pid;
	set_changed(s);
	return 0;
}

static long set_all(int id, uaddr_t from)
{
	struct ipc_object *o;
	struct sem_set *s;
	uint16_t *values;
	err_t err;

	TRY(ipc_find(&sem_sets, id, &o));
	TRY(ipc_may(o, S_IWUGO_));
	s = sem_set_of(o);
	values = kmem_alloc(s->n * sizeof(*values));
	if (values == NULL)
		return E_NOMEM;
	err = user_in(values, from, s->n * sizeof(*values));
	for (unsigned i = 0; err == OK && i < s->n; i++)
		if (values[i] > SEMVMX)
			err = E_RANGE;
	for (unsigned i = 0; err == OK && i < s->n; i++) {
		s->sem[i].value = values[i];
		s->sem[i].pid = current_task->pid;
	}
	kmem_free(values);
	if (err != OK)
		return err;
	sem_undo_clear(s, s->n);
	set_changed(s);
	return 0;
}

static void set_remove(struct sem_set *s)
{
	total_sems -= s->n;
	sem_undo_detach(s);
	sem_end_waiting(s);
	ipc_delete(&sem_sets, &s->ipc);
}

static long change(int id, int cmd, uaddr_t buf)
{
	struct semid64_ds d;
	struct ipc_object *o;

	if (cmd == IPC_SET)
		TRY(USER_IN(&d, buf));
	TRY(ipc_find(&sem_sets, id, &o));
	TRY(ipc_may_control(o));
	if (cmd == IPC_SET)
		ipc_set_perm(o, &d.sem_perm);
	else
		set_remove(sem_set_of(o));
	return 0;
}

long sem_control(int id, int index, int cmd, uint64_t arg)
{
	if (id < 0)
		return E_INVAL;
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO: return info_out(cmd, UADDR(arg));
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY: return stat_out(id, cmd, UADDR(arg));
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT: return get_one(id, index, cmd);
	case GETALL: return get_all(id, UADDR(arg));
	case SETVAL: return set_one(id, index, (int)arg);
	case SETALL: return set_all(id, UADDR(arg));
	case IPC_SET:
	case IPC_RMID: return change(id, cmd, UADDR(arg));
	default: return E_INVAL;
	}
}
