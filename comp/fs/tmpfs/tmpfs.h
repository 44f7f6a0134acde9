/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmpfs: files in memory. With a lower tree (super.lower, the root image) it shows that tree and
 * holds the changes: a node for each lower file that was looked up, pages copied when first
 * written, white-outs for names that are gone. Mount options: size= (bytes, k, m, g, or % of
 * memory; default 50%), nr_inodes=, mode=, uid=, gid=.
 */
#pragma once

#include "kernel/vfs/file.h"

extern const struct fs_ops tmpfs_fs;

/* A regular file without a name (memfd_create, shared memory), open for reading and writing, shown
 * as
 * "/NAME (deleted)"; `name` as memfd's: "memfd:x". Sealing is off (inode->seals = F_SEAL_SEAL); the
 * caller may set it to 0. E_NOMEM */
err_t tmpfs_create_anonymous(const char *name, struct file **out) MUST_CHECK;

/* Drop nodes that say nothing beyond the lower tree; frames freed, estimated. */
size_t tmpfs_reclaim(size_t want);

/* Bytes that the contents of all tmpfs take. */
uint64_t tmpfs_bytes_used(void);

/* For file systems made of tmpfs (devtmpfs, devpts): a tmpfs root with other names. Use as
 * fs_ops.mount and so on. */
err_t tmpfs_mount(struct super *s, const char *source, const char *options, struct inode **root);
void tmpfs_unmount(struct super *s);
void tmpfs_statfs(struct super *s, struct kstatfs *out);
