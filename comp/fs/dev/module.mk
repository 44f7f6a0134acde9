# SPDX-License-Identifier: BSD-2-Clause
# /dev: memory devices, and the directories of device nodes.
DEPS := abi base core mem task vfs comp/fs/tmpfs
SRCS := mem.c dev.c
