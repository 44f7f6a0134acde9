# SPDX-License-Identifier: BSD-2-Clause
# Programs of ipc.t.
DEPS := test/linux
PROGS := prog/shm.c prog/sem.c prog/msg.c
PROG_CFLAGS_sem := -pthread
