# SPDX-License-Identifier: BSD-2-Clause
# The read-only root image.
DEPS := abi base core mem vfs
SRCS := image.c dir.c xattr.c file.c erofs.c
