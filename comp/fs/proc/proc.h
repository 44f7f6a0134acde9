/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc: processes and the kernel's state as text, in Linux's formats. */
#pragma once

#include "kernel/vfs/inode.h"

extern const struct fs_ops proc_fs;
struct task;
/* The process of a directory /proc/PID. E_BADF: it is none; E_SRCH: the process is gone. */
err_t proc_dir_task(struct inode *dir, struct task **out) MUST_CHECK;
