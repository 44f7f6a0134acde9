/* SPDX-License-Identifier: BSD-2-Clause */
/* Ids, keys and permissions of System V IPC objects. */
#include "base/str.h"
#include "kernel/ipc/internal.h"

#define SLOT_BITS 15u
#define SEQ_MAX   (0x7fffffffu >> SLOT_BITS)
/* A slot is not used again before so many others have been: an old id stays invalid for a while. */
#define MIN_CYCLE 64u

struct ipc_limits ipc_limits = {
	.shmmax = UINT64_MAX - (1ull << 24),
	.shmall = UINT64_MAX - (1ull << 24),
	.shmmni = 4096,
	.semmsl = 32000,
	.semmns = 1024000000,
	.semopm = 500,
	.semmni = 32000,
	.msgmax = 8192,
	.msgmnb = 16384,
	.msgmni = 32000,
};

int64_t ipc_now(void)
{
	return (int64_t)(time_real_ns() / 1000000000u);
}

void ipc_set_init(struct ipc_set *s, void (*free)(struct ipc_object *o))
{
	*s = (struct ipc_set){ .last_slot = -1, .free = free };
	for (unsigned i = 0; i < ARRAY_SIZE(s->keys); i++)
		list_init(&s->keys[i]);
}

static struct list *bucket(struct ipc_set *s, int key)
{
	return &s->keys[((uint32_t)key ^ (uint32_t)key >> 16) % ARRAY_SIZE(s->keys)];
}

struct ipc_object *ipc_in_slot(const struct ipc_set *s, unsigned slot)
{
	return slot < s->slots ? s->slot[slot] : NULL;
}

err_t ipc_find(struct ipc_set *s, int id, struct ipc_object **out)
{
	struct ipc_object *o = id >= 0 ? ipc_in_slot(s, (unsigned)id % IPC_SLOTS) : NULL;

	if (o == NULL)
		return E_INVAL;
	if (o->id != id)
		return E_INVAL;
	*out = o;
	return OK;
}

struct ipc_object *ipc_find_key(struct ipc_set *s, int key)
{
	LIST_FOR_EACH(pos, bucket(s, key)) {
		struct ipc_object *o = list_entry(pos, struct ipc_object, by_key);

		if (o->key == key)
			return o;
	}
	return NULL;
}

long ipc_highest(const struct ipc_set *s)
{
	for (unsigned i = s->slots; i > 0; i--)
		if (s->slot[i - 1] != NULL)
			return i - 1;
	return 0;
}

/* ---- slots ---- */

static err_t grow(struct ipc_set *s)
{
	unsigned n = s->slots == 0 ? 16 : s->slots * 2;
	struct ipc_object **slot;

	if (n > IPC_SLOTS)
		return E_NOSPC;
	slot = kmem_realloc(s->slot, n * sizeof(*slot));
	if (slot == NULL)
		return E_NOMEM;
	memset(slot + s->slots, 0, (n - s->slots) * sizeof(*slot));
	s->slot = slot;
	s->slots = n;
	return OK;
}

/* The next free slot behind the last one given out, in a cycle that grows with what is in use. */
static err_t take_slot(struct ipc_set *s, int *out)
{
	unsigned cycle = s->used * 3 / 2, i;

	if (cycle < MIN_CYCLE)
		cycle = MIN_CYCLE;
	if (cycle > IPC_SLOTS)
		cycle = IPC_SLOTS;
	for (unsigned n = 0; n <= cycle; n++) {
		i = ((unsigned)(s->last_slot + 1) + n) % cycle;
		while (i >= s->slots)
			TRY(grow(s));
		if (s->slot[i] == NULL) {
			*out = (int)i;
			return OK;
		}
	}
	return E_NOSPC;
}

err_t ipc_add(struct ipc_set *s, struct ipc_object *o, int key, int flags, uint64_t limit)
{
	const struct cred *c = &current_task->cred;
	int slot;

	if (s->used >= limit)
		return E_NOSPC;
	TRY(take_slot(s, &slot));
	if (slot <= s->last_slot)
		s->next_seq = s->next_seq == SEQ_MAX ? 0 : s->next_seq + 1;
	s->last_slot = slot;
	o->seq = s->next_seq;
	o->id = (int)((uint32_t)o->seq << SLOT_BITS) | slot;
	o->key = key;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = (uint32_t)flags & 0777;
	o->ctime = ipc_now();
	o->refs = 1;
	list_init(&o->by_key);
	if (key != IPC_PRIVATE)
		list_push_back(bucket(s, key), &o->by_key);
	s->slot[slot] = o;
	s->used++;
	return OK;
}

void ipc_get(struct ipc_object *o)
{
	o->refs++;
}

void ipc_put(struct ipc_set *s, struct ipc_object *o)
{
	if (--o->refs == 0)
		s->free(o);
}

void ipc_hide_key(struct ipc_object *o)
{
	list_remove(&o->by_key);
	o->key = IPC_PRIVATE;
}

void ipc_delete(struct ipc_set *s, struct ipc_object *o)
{
	s->slot[(unsigned)o->id % IPC_SLOTS] = NULL;
	s->used--;
	list_remove(&o->by_key);
	o->deleted = true;
	ipc_put(s, o);
}

/* ---- permissions ---- */

err_t ipc_may(const struct ipc_object *o, uint32_t mode)
{
	const struct cred *c = &current_task->cred;
	uint32_t want = (mode >> 6 | mode >> 3 | mode) & 7, have = o->mode;

	if (c->euid == o->cuid || c->euid == o->uid)
		have >>= 6;
	else if (task_in_group(o->cgid) || task_in_group(o->gid))
		have >>= 3;
	if ((want & ~have & 7) != 0 && !task_capable(CAP_IPC_OWNER))
		return E_ACCES;
	return OK;
}

err_t ipc_may_control(const struct ipc_object *o)
{
	uint32_t euid = current_task->cred.euid;

	return euid == o->cuid || euid == o->uid || task_capable(CAP_SYS_ADMIN) ? OK : E_PERM;
}

err_t ipc_find_stat(struct ipc_set *s, int id, bool by_slot, bool any, struct ipc_object **out)
{
	if (by_slot) {
		*out = id >= 0 ? ipc_in_slot(s, (unsigned)id % IPC_SLOTS) : NULL;
		if (*out == NULL)
			return E_INVAL;
	} else {
		TRY(ipc_find(s, id, out));
	}
	return any ? OK : ipc_may(*out, S_IRUGO_);
}

void ipc_perm_out(const struct ipc_object *o, struct ipc64_perm *out)
{
	*out = (struct ipc64_perm){ .key = o->key,
				    .uid = o->uid,
				    .gid = o->gid,
				    .cuid = o->cuid,
				    .cgid = o->cgid,
				    .mode = (__kernel_mode_t)o->mode,
				    .seq = o->seq };
}

void ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *in)
{
	o->uid = in->uid;
	o->gid = in->gid;
	o->mode = (o->mode & ~0777u) | (in->mode & 0777u);
	o->ctime = ipc_now();
}

/* ---- *get ---- */

err_t ipc_lookup(struct ipc_set *s, int key, int flags,
		 err_t (*fits)(const struct ipc_object *o, uint64_t want), uint64_t want,
		 struct ipc_object **out)
{
	struct ipc_object *o = key != IPC_PRIVATE ? ipc_find_key(s, key) : NULL;

	*out = NULL;
	if (o == NULL)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) != 0 ? OK : E_NOENT;
	if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0)
		return E_EXIST;
	if (fits != NULL)
		TRY(fits(o, want));
	TRY(ipc_may(o, (uint32_t)flags & 0777));
	*out = o;
	return OK;
}
