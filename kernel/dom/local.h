/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of kernel/dom only. */
#pragma once

#include "kernel/dom/privuser.h"

struct file;

struct privuser { /* of an address space; ends with it */
	enum privuser_state state;
	bool isolated; /* false: the run configuration has switched the protection off */
	bool fork_copy;
	bool opens_secrets; /* its code is what the run configuration wants it to be */
	uint32_t entry;
	uint64_t base, end; /* PrivUser; code begins at base */
	uint64_t code_end, data, data_end, heap;
	uint64_t stacks, stack_len; /* of one thread, with the empty page below it */
	uint64_t window, window_end;
	uint64_t filter;
	paddr_t ldt;
	uint32_t threads, max_threads;
	uint64_t *slots; /* bitmap of the stacks in use */
	bool wanted;     /* a thread has none for lack of stacks */
	/* Forks that are being made; they wait in `leaving`, threads that are held in `held`. */
	uint32_t forks;
	struct waitq leaving, held;
	struct file *files[PRIVUSER_FILES];
};

/* ---- privuser.c ---- */
struct privuser *privuser_alloc(uint32_t max_threads);
/* Everything but the pages. */
void privuser_free(struct privuser *p);
/*
 * The thread behind t of all that the space has, which may be of several processes (vfork); of t
 * NULL the first. NULL: there is no other.
 */
struct thread *privuser_next_thread(const struct aspace *a, const struct thread *t);
#define PRIVUSER_FOR_EACH_THREAD(t, a) \
	for (struct thread *t = NULL; (t = privuser_next_thread((a), t)) != NULL;)
/* Give the space its LDT. E_NOMEM. */
err_t privuser_make_ldt(struct privuser *p, struct aspace *a) MUST_CHECK;

/* ---- priv_setup.c ---- */
/* PRIVUSER_SETUP of the current task; results in *s. Errors as in abi/privuser.h. */
err_t privuser_setup(struct privuser_setup *s, uint64_t arg) MUST_CHECK;

/* ---- priv_call.c ---- */
/* One system call of PrivUser: registers of tf. MAY_SWITCH */
long privuser_call(struct privuser *p, const struct trapframe *tf);

/* ---- priv_trap.c ---- */
void privuser_trap(struct trapframe *tf, uint64_t addr);
/* End the process; `what` is all that is told beside the place in the code. */
NORETURN void privuser_die(const struct trapframe *tf, const char *what);
