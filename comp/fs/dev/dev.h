/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev: the memory devices, and the directories devtmpfs and devpts (both are tmpfs underneath). */
#pragma once

#include "kernel/vfs/device.h"

extern const struct fs_ops devtmpfs_fs, devpts_fs;

/* Register the memory devices and fill /dev; both file systems are mounted already. */
err_t dev_init(void) MUST_CHECK;
