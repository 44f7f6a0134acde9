/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters of system calls, seccomp(2). A filter is never changed once it is installed; it points to
 * the one that was there before, so that threads and processes share the older ones. A thread with
 * filters has WATCH_SECCOMP; others pay nothing.
 */
#pragma once

#include <linux/seccomp.h>

#include "kernel/task/bpf.h"
#include "kernel/task/task.h"

struct seccomp_filter {
	uint32_t refs;
	struct seccomp_filter *prev;
	unsigned n;                        /* instructions */
	bool log;                          /* SECCOMP_FILTER_FLAG_LOG */
	struct seccomp_notifier *notifier; /* of the listener, while it is open; or NULL */
	struct sock_filter insn[];
};

/* For the current thread: strict mode. E_INVAL when it has a filter. */
err_t seccomp_set_strict(void) MUST_CHECK;
/*
 * Put a filter in front of the current thread's (takes over the reference on success); with
 * `all_threads`, all threads of the process get the same ones. 0, or the id of a thread that has
 * others. E_INVAL (strict mode), E_NOMEM (too long altogether).
 */
long seccomp_install(struct seccomp_filter *f, bool all_threads);
/* n instructions of the program's at `from`, checked; refs = 1. E_FAULT, E_INVAL, E_NOMEM. */
err_t seccomp_filter_load(struct seccomp_filter **out, uaddr_t from, unsigned n) MUST_CHECK;
void seccomp_filter_put(struct seccomp_filter *f);
unsigned seccomp_filter_count(const struct thread *t);

/*
 * Before a call of a thread with WATCH_SECCOMP. False: it is not to be done, rax is set.
 * MAY_SWITCH; may end the thread.
 */
bool seccomp_call(struct trapframe *tf);

/* A descriptor on which calls that the filter answers with SECCOMP_RET_USER_NOTIF can be received.
 * E_NOMEM. */
struct file;
err_t seccomp_listener(struct seccomp_filter *f, struct file **out) MUST_CHECK;
/* Does a filter of the current thread have one already? */
bool seccomp_has_listener(void);
/* Ask the listener. False: the call is not to be done, rax is set. MAY_SWITCH */
bool seccomp_notify(struct seccomp_filter *f, const struct seccomp_data *data,
		    struct trapframe *tf);
