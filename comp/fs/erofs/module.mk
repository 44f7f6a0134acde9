# SPDX-License-Identifier: BSD-2-Clause
# The read-only root image.
DEPS := abi base core mem vfs
SRCS := image.c dir.c xattr.c file.c erofs.c

# kernel/vfs as it is, on the host (kernel/vfs/test/rig.h).
VFS_RIG := $(addprefix kernel/vfs/,async.c attr.c dnotify.c dentry.c device.c fd.c file.c inode.c inotify.c lock.c mount.c name.c object.c open.c path.c \
	perm.c test/rig.c test/host.c) kernel/mem/uio.c kernel/mem/ubuf.c \
	$(addprefix comp/fs/erofs/,image.c dir.c xattr.c file.c erofs.c) \
	$(addprefix comp/fs/tmpfs/,pages.c node.c dir.c file.c xattr.c tmpfs.c)

UNIT := test/u_erofs.c
UNIT_SRCS_u_erofs := $(VFS_RIG)
UNIT_CFLAGS_u_erofs := -ffreestanding
