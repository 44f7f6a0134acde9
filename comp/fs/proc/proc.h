/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc: processes and the kernel's state as text, in Linux's formats. */
#pragma once

#include "kernel/vfs/inode.h"

extern const struct fs_ops proc_fs;
