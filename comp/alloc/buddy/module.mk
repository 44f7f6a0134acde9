# SPDX-License-Identifier: BSD-2-Clause
# The default frame allocator; its interface is kernel/mem/alloc_ops.h.
SRCS := buddy.c
DEPS := abi base mem
UNIT := test/u_buddy.c
UNIT_SRCS_u_buddy := buddy.c comp/alloc/conform.c
UNIT_CFLAGS_u_buddy := -iquote kernel/mem/test/shadow
