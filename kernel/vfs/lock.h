/* SPDX-License-Identifier: BSD-2-Clause */
/* Advisory locks on files: POSIX record locks (owner: descriptor table), OFD record locks and flock
 * (owner: open file). */
#pragma once

#include <asm/fcntl.h>

#include "kernel/vfs/file.h"

struct fdtable;

/*
 * fcntl(F_GETLK, F_SETLK, F_SETLKW and the F_OFD_ forms) on a kernel copy of the program's struct
 * flock; F_GETLK writes its answer there. E_AGAIN (held by another), E_DEADLK, E_INTR, E_INVAL,
 * E_BADF (open mode), E_OVERFLOW, E_NOLCK (out of memory). MAY_SWITCH (the W forms)
 */
err_t lock_fcntl(struct file *f, int cmd, struct flock *fl) MUST_CHECK;
/* flock: LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB. E_AGAIN, E_INTR, E_INVAL, E_NOLCK.
 * MAY_SWITCH */
err_t lock_flock(struct file *f, int op) MUST_CHECK;

/* A descriptor of `owner` for f was closed: the owner's POSIX locks on the inode go (fd.c). */
void lock_close_posix(struct file *f, struct fdtable *owner);
/* The last reference to f goes: its OFD and flock locks go (file.c). */
void lock_close_file(struct file *f);

/* For /proc/locks and fdinfo: calls fn for each lock on the inode. */
struct lock_info {
	const char *kind;
	bool write, waiting;
	int pid;
	uint64_t start, end;
};
void lock_for_each(struct inode *i, void (*fn)(void *ctx, const struct lock_info *l), void *ctx);
