/* SPDX-License-Identifier: BSD-2-Clause */
/* What every file system must do, whatever it holds. Failures go to EXPECT (kernel/core/core.h). */
#pragma once

#include "kernel/vfs/inode.h"

/*
 * Walk a tree of names from its root (at most a few thousand inodes) and check: what a directory
 * lists can be looked up, with the same number and type; no name comes twice; a listing can stop at
 * each entry and go on; what is not there is E_NOENT; attributes make sense; texts and contents can
 * be read to their end; references are given back.
 */
void fs_conform_read(struct inode *root);
/* For one that can be written: files, folders, links and names come, change and go in an empty
 * directory. */
void fs_conform_write(struct inode *dir);
