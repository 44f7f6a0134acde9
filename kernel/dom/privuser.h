/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PrivUser: code and data of a process in ring 2, which ring 3 enters through a call gate
 * (docs/life-of-a-privcall.md; the programs' side is abi/privuser.h). What belongs to an address
 * space is struct privuser, what belongs to a thread struct priv_thread. This core's only; nothing
 * here blocks unless it says so.
 */
#pragma once

#include "abi/err.h"
#include "abi/privuser.h"
#include "kernel/mem/aspace.h"
#include "kernel/task/task.h"

/* Start-up: /dev/privuser, and the traps of rings 1 and 2. */
err_t privuser_init(void) MUST_CHECK;

/*
 * A thread with a stack in PrivUser. While it is in ring 1 or 2 and does not run, `gate` is what
 * the core's gate stack held.
 */
struct priv_thread {
	uint32_t slot;
	bool calling; /* the kernel works for PrivUser: only its memory may be named */
	uint64_t gate[PRIV_GATE_WORDS];
};

/* `t` is about to run, or its address space or PrivUser has changed while it runs. */
void privuser_switch_in(struct thread *t);
/* False: what the gates and the checks of user memory look at says that there is no PrivUser. */
extern bool privuser_loaded;
/* `t` is about to leave the processor. */
void privuser_switch_out(struct thread *t);

/*
 * t's task->mm has PrivUser: give t a stack there. Without room, or memory, its privcalls answer
 * EAGAIN. Nothing happens for other spaces.
 */
void privuser_thread_start(struct thread *t);
/* t leaves its program: its stack is zeroed and free. */
void privuser_thread_end(struct thread *t);

/*
 * A fork of the current task's space begins: wait until no other thread of it is inside PrivUser,
 * so that its data is copied whole. Whoever comes out, or out of the kernel, meanwhile and until
 * privuser_fork_end(), is held there. E_AGAIN: one has been inside for 10 s, and nobody is held;
 * E_INTR: killed. MAY_SWITCH
 */
err_t privuser_fork_begin(void) MUST_CHECK;
/* `to` was forked from `from`, and gets a copy or an end of what PrivUser that has. E_NOMEM. */
err_t privuser_fork(const struct aspace *from, struct aspace *to) MUST_CHECK;
void privuser_fork_end(void);
/* USER_WORK_HOLD: wait until no fork of the current task's space is under way. MAY_SWITCH */
void privuser_hold(void);

/* The kernel works for PrivUser of the current thread: a fault of its copies is PrivUser's. */
static inline bool privuser_is_calling(const struct thread *t)
{
	return t->priv != NULL && t->priv->calling;
}
/* Does the frame belong to PrivUser or its gates? Signals wait, and nobody may look at it. */
static inline bool privuser_is_inside(const struct trapframe *tf)
{
	return (tf->cs & 3) != 3;
}
/*
 * A thread without a stack in PrivUser was interrupted in the gates, on its way back with an error:
 * there is no room to keep what it has on the gate stack. The frame becomes that of ring 3, with
 * the error.
 */
void privuser_refuse(struct trapframe *tf);
/*
 * With the protection switched off PrivUser runs in ring 3, and its exits and system calls come as
 * exceptions: serve one. False: the exception is a program's own.
 */
bool privuser_serve_off(struct trapframe *tf);
/*
 * A page fault of ring 3 at `addr` that only PrivUser can have caused, by SYSCALL on a processor
 * that takes it there and returns to the wrong ring: ends the process.
 */
void privuser_check_lost(const struct trapframe *tf, uint64_t addr);
