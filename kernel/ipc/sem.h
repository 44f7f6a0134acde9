/* SPDX-License-Identifier: BSD-2-Clause */
/* Semaphores: what sem.c, sem_op.c and sem_undo.c share. */
#pragma once

#include <linux/sem.h>

#include "kernel/ipc/internal.h"

struct semaphore {
	uint16_t value;
	int pid; /* of the last operation */
};

/*
 * A set. Operations that cannot be done now stand in `waiting` in the order in which they came;
 * whoever changes a value does for them what has become possible (sem_serve), so that nobody can
 * slip in between a wake-up and the operation.
 */
struct sem_set {
	struct ipc_object ipc;
	int64_t otime;
	unsigned n;
	struct list waiting; /* struct sem_waiter.node */
	struct list undos;   /* struct sem_undo.of_set */
	struct semaphore sem[];
};

struct sem_waiter {
	struct list node;
	struct thread *thread;
	const struct sembuf *ops;
	unsigned nops;
	const struct sembuf *blocking; /* the operation that must wait */
	struct sem_undo *undo;
	int pid;
	bool alters;
	bool done;
	long result;
};

/* What a process gives back of one set when it ends. */
struct sem_undo {
	struct list of_set, of_list;
	struct sem_set *set; /* NULL: the set is gone */
	int16_t adjust[];
};

/* The undos of the processes that share them (CLONE_SYSVSEM). */
struct sem_undo_list {
	uint32_t refs;
	struct list undos;
};

extern struct ipc_set sem_sets;
static inline struct sem_set *sem_set_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, ipc);
}

/* ---- sem_op.c ---- */
/* Values have changed: do what can be done now. */
void sem_serve(struct sem_set *s);
/* The set is gone: all waiters get E_IDRM. */
void sem_end_waiting(struct sem_set *s);

/* ---- sem_undo.c ---- */
/* The current process's undo of a set, made when there is none. E_NOMEM */
err_t sem_undo_get(struct sem_set *s, struct sem_undo **out) MUST_CHECK;
/* No adjustments of semaphore i (all: i == s->n) any more. */
void sem_undo_clear(struct sem_set *s, unsigned i);
/* The set is gone. */
void sem_undo_detach(struct sem_set *s);
