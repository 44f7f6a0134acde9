/* SPDX-License-Identifier: BSD-2-Clause */
/* /sys: the few files that programs read there. */
#pragma once

#include "kernel/vfs/inode.h"

extern const struct fs_ops sys_fs;
