/* SPDX-License-Identifier: BSD-2-Clause */
/* System V IPC. */
#include "kernel/ipc/ipc.h"
#include "kernel/linux/linux.h"

long sys_shmget(int key, size_t size, int flags)
{
	return shm_get(key, size, flags);
}

long sys_shmat(int id, uint64_t addr, int flags)
{
	return shm_attach(id, addr, flags);
}

long sys_shmdt(uint64_t addr)
{
	return shm_detach(addr);
}

long sys_shmctl(int id, int cmd, uaddr_t buf)
{
	return shm_control(id, cmd, buf);
}

long sys_semget(int key, int n, int flags)
{
	return sem_get(key, n, flags);
}

long sys_semop(int id, uaddr_t ops, unsigned n)
{
	return sem_operate(id, ops, n, UADDR(0));
}

long sys_semtimedop(int id, uaddr_t ops, unsigned n, uaddr_t timeout)
{
	return sem_operate(id, ops, n, timeout);
}

long sys_semctl(int id, int index, int cmd, uint64_t arg)
{
	return sem_control(id, index, cmd, arg);
}

long sys_msgget(int key, int flags)
{
	return queue_get(key, flags);
}

long sys_msgsnd(int id, uaddr_t msg, size_t size, int flags)
{
	return queue_send(id, msg, size, flags);
}

long sys_msgrcv(int id, uaddr_t msg, size_t size, long type, int flags)
{
	return queue_receive(id, msg, size, type, flags);
}

long sys_msgctl(int id, int cmd, uaddr_t buf)
{
	return queue_control(id, cmd, buf);
}
