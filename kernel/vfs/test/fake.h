/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files, pipes and terminals of this folder stand on, for tests on the host: memory from
 * malloc, a clock that the test moves, one thread that never really sleeps. A wait calls
 * fake_on_wait, which may change the world; when it did nothing (NULL) the wait ends by a signal,
 * as a test that would hang is an error.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

extern struct task fake_task;
extern struct thread fake_thread;
extern uint64_t fake_now_ns;
extern unsigned fake_wakeups;      /* wait_entry and thread wake-ups so far */
extern void (*fake_on_wait)(void); /* called once per wait, then forgotten */
extern wait_result_t fake_wait_result;
/* Signals sent: to the thread, to a group (number of the group in fake_signal_pgrp). */
extern int fake_signal, fake_signal_pgrp;
/* Signals pending for signal_take. */
extern sigmask_t fake_pending;
extern long fake_frames;  /* frames handed out and not returned */
extern long fake_objects; /* kmem allocations alive */

/* What memory would call when it runs out. */
extern size_t (*fake_reclaim)(size_t want);

void fake_reset(void);
/* Move the clock; timers due fire. */
void fake_time_passes(uint64_t ns);

/* Read or write with a buffer of the test; answers bytes, or the error when there were none. */
long fake_read(struct file *f, void *buf, size_t len);
long fake_write(struct file *f, const void *buf, size_t len);
