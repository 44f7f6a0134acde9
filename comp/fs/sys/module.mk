# SPDX-License-Identifier: BSD-2-Clause
# /sys.
DEPS := abi base mem vfs
SRCS := sys.c
