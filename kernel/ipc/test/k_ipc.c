/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of System V IPC: ids, limits, and memory that cannot be had. */
#include "kernel/ipc/internal.h"
#include "kernel/ipc/sem.h"
#include "kernel/ipc/shm.h"

#define KEY 0x1234

/* The functions ask who calls: they run in a thread. */
static void in_thread(void (*fn)(void *arg), void *arg)
{
	EXPECT_EQ(kthread_start("ktest", fn, arg), OK);
	sched_run_ready();
}

static unsigned made(void)
{
	return shm_set.used + sem_sets.used;
}

/* Make and remove objects of all kinds; each call either works or leaves nothing behind. */
static void make_all(void *arg)
{
	long id[3] = { shm_get(KEY, 8 * PAGE_SIZE, IPC_CREAT), sem_get(KEY, 9, IPC_CREAT),
		       queue_get(KEY, IPC_CREAT) };
	unsigned *failed = arg;

	for (unsigned i = 0; i < ARRAY_SIZE(id); i++) {
		EXPECT(id[i] >= 0 || id[i] == E_NOMEM);
		*failed += id[i] < 0;
	}
	if (id[0] >= 0)
		EXPECT_EQ(shm_control((int)id[0], IPC_RMID, UADDR(0)), 0);
	if (id[1] >= 0)
		EXPECT_EQ(sem_control((int)id[1], 0, IPC_RMID, 0), 0);
	if (id[2] >= 0)
		EXPECT_EQ(queue_control((int)id[2], IPC_RMID, UADDR(0)), 0);
}

KTEST(ipc_out_of_memory)
{
	unsigned before = made(), failed = 0;

	for (uint32_t k = 2; k < 12; k++) {
		kmem_fail_every = 0;
		EXPECT_EQ(kthread_start("ktest", make_all, &failed), OK);
		kmem_fail_every = k;
		sched_run_ready();
	}
	kmem_fail_every = 0;
	EXPECT(failed > 0);
	EXPECT_EQ(made(), before);
}

static void fill(void *arg)
{
	int first = (int)sem_get(IPC_PRIVATE, 1, IPC_CREAT), n = 1;
	long id = first;

	(void)arg;
	ipc_limits.semmni = 300;
	while ((id = sem_get(IPC_PRIVATE, 1, IPC_CREAT)) >= 0)
		n++;
	EXPECT_EQ(id, E_NOSPC);
	EXPECT_EQ(n, 300);
	EXPECT_EQ(sem_control(first, 0, IPC_RMID, 0), 0);
	id = sem_get(IPC_PRIVATE, 1, IPC_CREAT);
	EXPECT(id >= 0 && id != first);
	for (unsigned i = 0; i < sem_sets.slots; i++)
		if (sem_sets.slot[i] != NULL)
			EXPECT_EQ(sem_control(sem_sets.slot[i]->id, 0, IPC_RMID, 0), 0);
	ipc_limits.semmni = 32000;
}

KTEST(ipc_limit_and_ids)
{
	in_thread(fill, NULL);
	EXPECT_EQ(sem_sets.used, 0);
}
