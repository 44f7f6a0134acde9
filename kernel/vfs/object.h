/* SPDX-License-Identifier: BSD-2-Clause */
/* The mappable object of an inode: what all file systems' objects share. */
#pragma once

#include "kernel/vfs/inode.h"
#include "kernel/vfs/path.h"

/*
 * Embedded in a file system's inode. While somebody maps the object (users > 0) it holds the inode
 * and the path by which it was first mapped, for /proc/PID/maps. The file system defines its own
 * vmobject_ops with its `page` and inode_object_get, _put, _describe.
 */
struct inode_object {
	struct vmobject obj;
	struct inode *inode;
	uint32_t users;
	struct path path;
};

void inode_object_init(struct inode_object *o, struct inode *i, const struct vmobject_ops *ops);
void inode_object_get(struct vmobject *o);
void inode_object_put(struct vmobject *o);
void inode_object_describe(struct vmobject *o, char *path, size_t size, uint64_t *dev,
			   uint64_t *ino);
/* Remember the path of a mapping (file_mmap); nothing for objects of other kinds. */
void inode_object_set_path(struct vmobject *o, const struct path *p);
