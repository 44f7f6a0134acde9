/* SPDX-License-Identifier: BSD-2-Clause */
/* Files whose text is made when they are read (procfs, sysfs). */
#pragma once

#include "kernel/vfs/file.h"

/* Text that grows. When memory runs out it is marked as failed and takes no more. */
struct text {
	char *buf;
	size_t len, room;
	bool failed;
};
void text_printf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_put(struct text *t, const char *s, size_t len);
void text_puts(struct text *t, const char *s);
/* A string of a file system (path, name) with blank, tab, newline and backslash as \040 and the
 * like. */
void text_escaped(struct text *t, const char *s);
void text_release(struct text *t);

struct pseudo_ops {
	/* The text of the whole file. */
	err_t (*show)(struct inode *i, struct text *t);
	/* One write: `data` is NUL-terminated at [len] and may be changed. NULL: not writable
	 * (E_IO). */
	err_t (*store)(struct inode *i, char *data, size_t len);
};
#define PSEUDO_WRITE_MAX 4096u

/* For inode_ops.open: makes f such a file. The text is made at the first read and again whenever
 * one starts at position 0. `ops` stays. E_NOMEM */
err_t pseudo_open(struct file *f, const struct pseudo_ops *ops) MUST_CHECK;
