# SPDX-License-Identifier: BSD-2-Clause
# System V shared memory, semaphores and message queues.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs
SRCS := ids.c init.c msg.c msg_queue.c sem.c sem_op.c sem_undo.c shm.c shm_map.c
KTESTS := test/k_ipc.c
