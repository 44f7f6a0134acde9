# SPDX-License-Identifier: BSD-2-Clause
# Programs of ipc.t.
DEPS := test/linux
PROGS := prog/shm.c prog/sem.c prog/msg.c prog/mq.c
PROG_CFLAGS_sem := -pthread
PROG_CFLAGS_mq := -pthread
PROG_LIBS_mq := -lrt
