# SPDX-License-Identifier: BSD-2-Clause
# /sys.
DEPS := abi base mem vfs kernel/net
SRCS := sys.c net.c
