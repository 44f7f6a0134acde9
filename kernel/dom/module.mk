# SPDX-License-Identifier: BSD-2-Clause
# Domains inside a process: PrivUser, the protected layer in ring 2.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs
SRCS := privuser.c priv_setup.c priv_trap.c priv_call.c
