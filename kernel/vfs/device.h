/* SPDX-License-Identifier: BSD-2-Clause */
/* Character devices: what opening a device node does, and the directory /dev. */
#pragma once

#include "kernel/vfs/file.h"

/* Gives f its operations (f->ops, f->priv), for a node of `i->rdev`. MAY_SWITCH */
typedef err_t (*device_open_fn)(struct inode *i, struct file *f);

/* Character devices major:[minor, minor + count) are opened by `open`. A later registration of the
 * same numbers wins. E_NOMEM. */
err_t device_register(uint32_t major, uint32_t minor, uint32_t count,
		      device_open_fn open) MUST_CHECK;
/* Open a character device node; E_NXIO when the number has no driver. MAY_SWITCH */
err_t device_open(struct inode *i, struct file *f) MUST_CHECK;

/* Add a node to /dev ("ttyS0") or, with a slash, to a directory that is there ("net/tun"). After
 * vfs_init(). */
err_t dev_add(const char *name, uint32_t mode, uint64_t rdev) MUST_CHECK;

/* Nodes of /dev/pts (major 136), for the pty driver: owner as given, group 5 (tty), mode 0620. */
#define DEVPTS_MAJOR 136u
err_t devpts_add(unsigned index, uint32_t uid) MUST_CHECK;
void devpts_remove(unsigned index);
