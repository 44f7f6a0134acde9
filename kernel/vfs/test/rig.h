/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole of names, files and file systems on the host: kernel/vfs as it is, over memory from
 * malloc, one process that never sleeps, and a clock that ticks with each look. Physical addresses
 * are pointers less DM_BASE, so that the direct map is the host's memory.
 */
#pragma once

/* The kernel's headers first: behind libc's, linux/stat.h hides its constants. */
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern struct task rig_task;
extern struct thread rig_thread;
extern long rig_objects, rig_frames; /* kmem objects and frames alive */
extern uint32_t kmem_fail_every;     /* every n-th allocation fails; 0: none */
extern uint64_t rig_total_memory;    /* what mem_stats says */
extern uint64_t rig_invalidated;     /* pages that vmobject_invalidate was asked to drop */
extern int rig_signal;               /* the last one sent */
extern bool (*rig_on_wait)(void); /* called when a thread would sleep; false: it is interrupted */

/* A root process with a root file system: tmpfs, over an EROFS image if image is not NULL. */
void rig_start(const void *image, size_t len);
/* Everything goes; fails the test when memory or frames are left. */
void rig_stop(void);

/* Become somebody without capabilities (uid != 0), or root. */
void rig_become(uint32_t uid, uint32_t gid);

/* Shorthands: whole files by name. Answers as the system calls. */
long rig_open(const char *name, uint32_t flags, uint32_t mode, struct file **out);
long rig_write_at(struct file *f, uint64_t off, const void *buf, size_t len);
long rig_read_at(struct file *f, uint64_t off, void *buf, size_t len);
/* Make a file with this text. */
void rig_put(const char *name, const char *text);
