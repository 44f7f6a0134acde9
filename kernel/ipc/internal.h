/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of kernel/ipc only. */
#pragma once

#include <asm/ipcbuf.h>
#include <linux/capability.h>
#include <linux/ipc.h>
#include <linux/stat.h>

#include "base/list.h"
#include "kernel/core/core.h"
#include "kernel/ipc/ipc.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/task.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/pseudo.h"
#include "kernel/x86/x86.h"

#define S_IRUGO_ 0444u
#define S_IWUGO_ 0222u
#define S_IXUGO_ 0111u

/* ---- ids.c: what segments, semaphore sets and queues have in common ---- */

struct ipc_object {
	int id, key;
	uint32_t uid, gid, cuid, cgid, mode;
	uint16_t seq;
	bool deleted;  /* has no id any more */
	uint32_t refs; /* its slot, and who sleeps on it */
	int64_t ctime; /* seconds */
	struct list by_key;
};

struct ipc_set {
	struct ipc_object **slot;
	unsigned slots, used;
	int last_slot;
	uint16_t next_seq;
	struct list keys[32];
	void (*free)(struct ipc_object *o); /* the last reference is gone */
};

void ipc_set_init(struct ipc_set *s, void (*free)(struct ipc_object *o));
/* By id. E_INVAL: no such, also when the slot has another object now. */
err_t ipc_find(struct ipc_set *s, int id, struct ipc_object **out) MUST_CHECK;
struct ipc_object *ipc_find_key(struct ipc_set *s, int key);
/* Fill in owner, mode and times of a fresh object, and give it an id. E_NOSPC, E_NOMEM. */
err_t ipc_add(struct ipc_set *s, struct ipc_object *o, int key, int flags,
	      uint64_t limit) MUST_CHECK;
/* Take the id away; drops the slot's reference. */
void ipc_delete(struct ipc_set *s, struct ipc_object *o);
void ipc_get(struct ipc_object *o);
void ipc_put(struct ipc_set *s, struct ipc_object *o);
/* The object cannot be found by its key any more. */
void ipc_hide_key(struct ipc_object *o);
/* The object in a slot (for *_STAT), or NULL. Slots in use are below ipc_slots(). */
struct ipc_object *ipc_in_slot(const struct ipc_set *s, unsigned slot);
/* Highest slot in use, 0 when there is none: the result of IPC_INFO. */
long ipc_highest(const struct ipc_set *s);
/*
 * By id, or for the STAT commands of ipcs (`by_slot`) by slot, for reading by the current task
 * unless `any`. E_INVAL, E_ACCES
 */
err_t ipc_find_stat(struct ipc_set *s, int id, bool by_slot, bool any,
		    struct ipc_object **out) MUST_CHECK;
/* May the current task use it so? Mode bits of any class: 0444 and the like. E_ACCES */
err_t ipc_may(const struct ipc_object *o, uint32_t mode) MUST_CHECK;
/* IPC_SET, IPC_RMID: the owner, the creator, or CAP_SYS_ADMIN. E_PERM */
err_t ipc_may_control(const struct ipc_object *o) MUST_CHECK;
void ipc_perm_out(const struct ipc_object *o, struct ipc64_perm *out);
/* IPC_SET's part for all kinds. */
void ipc_set_perm(struct ipc_object *o, const struct ipc64_perm *in);
int64_t ipc_now(void);

/*
 * The ways of *get: E_NOENT, E_EXIST, E_ACCES, an existing object that `fits` (E_INVAL if not), or
 * OK with *out NULL: make one.
 */
err_t ipc_lookup(struct ipc_set *s, int key, int flags,
		 err_t (*fits)(const struct ipc_object *o, uint64_t want), uint64_t want,
		 struct ipc_object **out) MUST_CHECK;

/* ---- start-up of the kinds ---- */
void shm_init(void);
void sem_init(void);
void msg_init_queues(void);
/* ---- a process ends, or leaves its memory ---- */
void shm_task_exit(struct task *t);
void sem_task_exit(struct task *t);
/* The child of the current process shares its undos. E_NOMEM */
err_t sem_task_share(struct task *child) MUST_CHECK;
