/* SPDX-License-Identifier: BSD-2-Clause */
/* The mappable object of an inode. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/vfs/object.h"

void inode_object_init(struct inode_object *o, struct inode *i, const struct vmobject_ops *ops)
{
	*o = (struct inode_object){ .obj = { .ops = ops }, .inode = i };
}

void inode_object_get(struct vmobject *obj)
{
	struct inode_object *o = container_of(obj, struct inode_object, obj);

	if (o->users++ == 0)
		inode_get(o->inode);
}

void inode_object_put(struct vmobject *obj)
{
	struct inode_object *o = container_of(obj, struct inode_object, obj);
	struct inode *i = o->inode;
	struct path path;

	BUG_ON(o->users == 0);
	if (--o->users > 0)
		return;
	path = o->path;
	o->path = (struct path){ NULL, NULL };
	path_put(&path);
	inode_put(i); /* o may be gone now */
}

void inode_object_describe(struct vmobject *obj, char *path, size_t size, uint64_t *dev,
			   uint64_t *ino)
{
	struct inode_object *o = container_of(obj, struct inode_object, obj);
	size_t len;

	*dev = o->inode->super->dev;
	*ino = o->inode->ino;
	if (o->path.dentry == NULL || path_string(&o->path, path, size, &len) != OK)
		str_copy(path, size, "");
}

void inode_object_set_path(struct vmobject *obj, const struct path *p)
{
	struct inode_object *o = container_of(obj, struct inode_object, obj);

	if (obj->ops->put != inode_object_put || o->path.dentry != NULL || p->dentry == NULL)
		return;
	path_get(p);
	o->path = *p;
}
