# SPDX-License-Identifier: BSD-2-Clause
# The default scheduling policy. From the kernel it sees its kind's header (kernel/task/sched_ops.h).
DEPS := abi base kernel/task
SRCS := fair.c
UNIT := test/u_fair.c
UNIT_SRCS_u_fair := fair.c comp/sched/conform.c
