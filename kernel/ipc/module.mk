# SPDX-License-Identifier: BSD-2-Clause
# System V shared memory, semaphores and message queues; POSIX message queues.
DEPS := abi base kernel/x86 kernel/core kernel/mem kernel/task kernel/vfs kernel/net
SRCS := ids.c init.c msg.c msg_queue.c sem.c sem_op.c sem_undo.c shm.c shm_map.c
SRCS += mq.c mq_fs.c mq_notify.c
KTESTS := test/k_ipc.c
