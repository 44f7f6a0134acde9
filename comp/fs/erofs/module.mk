# SPDX-License-Identifier: BSD-2-Clause
# The read-only root image.
DEPS := abi base core mem vfs
SRCS := image.c dir.c xattr.c file.c erofs.c

include kernel/vfs/test/rig.mk

UNIT := test/u_erofs.c
UNIT_SRCS_u_erofs := $(VFS_RIG)
UNIT_CFLAGS_u_erofs := -ffreestanding
