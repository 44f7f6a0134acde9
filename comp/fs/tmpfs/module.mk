# SPDX-License-Identifier: BSD-2-Clause
# Files in memory, alone or over the root image.
DEPS := abi base x86 core mem task vfs
SRCS := pages.c node.c dir.c file.c xattr.c tmpfs.c

include kernel/vfs/test/rig.mk

UNIT := test/m_tmpfs.c
UNIT_SRCS_m_tmpfs := $(VFS_RIG)
UNIT_CFLAGS_m_tmpfs := -ffreestanding
