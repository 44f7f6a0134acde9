# SPDX-License-Identifier: BSD-2-Clause
# VFS_RIG: the whole of names, files and file systems as they are, on the host (rig.h); for module.mk of those that have
# unit tests with it.
VFS_RIG := $(addprefix kernel/vfs/,async.c attr.c dnotify.c dentry.c device.c fd.c file.c inode.c inotify.c lock.c mount.c mountns.c name.c object.c open.c path.c \
	perm.c test/rig.c test/host.c) kernel/mem/uio.c kernel/mem/ubuf.c \
	$(addprefix comp/fs/erofs/,image.c dir.c xattr.c file.c erofs.c) \
	$(addprefix comp/fs/tmpfs/,pages.c node.c dir.c file.c xattr.c tmpfs.c)
