# SPDX-License-Identifier: BSD-2-Clause
# The ways into the kernel, tried from a program; panics. entry.t, panic.t
PROGS := entry.c
PROG_CFLAGS_entry := -static -fno-pie
