# SPDX-License-Identifier: BSD-2-Clause
# The default frame allocator; its interface is kernel/mem/alloc_ops.h.
SRCS := buddy.c
DEPS := abi base mem
