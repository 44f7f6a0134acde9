/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EROFS: the read-only root image. Everything is read straight from memory where the image lies; no
 * byte of it is believed before it was checked: an offset that leads outside, a name or size that
 * cannot be, gives E_IO and a line in the log.
 */
#pragma once

#include "kernel/vfs/inode.h"

extern const struct fs_ops erofs_fs; /* mounts the root image of the boot record */

/* The same for an image elsewhere: `va` is page-aligned memory that stays, `pa` its physical
 * address. */
err_t erofs_mount_at(struct super *s, const uint8_t *va, uint64_t len, paddr_t pa,
		     struct inode **root) MUST_CHECK;
/* Highest inode number that the image can have. */
uint64_t erofs_max_ino(const struct super *s);
