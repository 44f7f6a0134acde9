/* SPDX-License-Identifier: BSD-2-Clause */
/* Start-up, and the end of processes. */
#include "kernel/ipc/mq_internal.h"

static void task_gone(struct task *t)
{
	sem_task_exit(t);
	shm_task_exit(t);
}

void ipc_leave_undos(void)
{
	sem_task_exit(current_task);
}

err_t ipc_init(void)
{
	shm_init();
	sem_init();
	msg_init_queues();
	task_exit_hook = task_gone;
	task_share_undo_hook = sem_task_share;
	/* Programs run on core 0's kernel: only that has files. */
	return boot_info.core == 0 ? mq_init() : OK;
}
