/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System V IPC: shared memory, semaphores, message queues, as on Linux 6.1 with its default limits.
 * The functions are the system calls: flags, commands, structures and errors are Linux's. They read
 * and write the program's memory themselves, since when they do so is part of what they do.
 *
 * An object is found by its id, which holds a slot number (15 bits) and a sequence number, so that
 * an old id does not reach what took its slot. An object that somebody sleeps on stays until the
 * sleeper has looked at it: `deleted` tells that it is gone (E_IDRM).
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

err_t ipc_init(void) MUST_CHECK;
/*
 * The current process gives back now what SEM_UNDO has noted, and shares it with nobody (unshare).
 */
void ipc_leave_undos(void);

/* ---- shared memory ---- */
long shm_get(int key, size_t size, int flags);
long shm_attach(int id, uint64_t addr, int flags); /* the address */
long shm_detach(uint64_t addr);
long shm_control(int id, int cmd, uaddr_t buf);

/* ---- semaphores ---- */
long sem_get(int key, int n, int flags);
/* timeout: a timespec of the program, or 0 for none. MAY_SWITCH */
long sem_operate(int id, uaddr_t ops, unsigned n, uaddr_t timeout);
long sem_control(int id, int index, int cmd, uint64_t arg);

/* ---- messages ---- */
long queue_get(int key, int flags);
long queue_send(int id, uaddr_t msg, size_t size, int flags);               /* MAY_SWITCH */
long queue_receive(int id, uaddr_t msg, size_t size, long type, int flags); /* MAY_SWITCH */
long queue_control(int id, int cmd, uaddr_t buf);

/* ---- for /proc ---- */
struct text;
void shm_show(struct text *t); /* /proc/sysvipc/shm, with its heading */
void sem_show(struct text *t);
void queue_show(struct text *t);

/*
 * Limits that /proc/sys/kernel shows and changes; what exists already is not touched by a change.
 */
struct ipc_limits {
	uint64_t shmmax, shmall, shmmni; /* bytes of a segment, pages of all, segments */
	uint64_t semmsl, semmns, semopm, semmni;
	uint64_t msgmax, msgmnb, msgmni;
};
extern struct ipc_limits ipc_limits;
#define IPC_SLOTS 32768u /* no limit of a number of objects may be higher */
