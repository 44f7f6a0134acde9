/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of /proc's root: the machine as a whole. */
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/core/core.h"
#include "kernel/ipc/ipc.h"
#include "kernel/linux/version.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"

#define NS_PER_S    1000000000ul
#define NS_PER_TICK 10000000ul

/* ---- memory ---- */

static void mem_line(struct text *t, const char *name, uint64_t bytes)
{
	text_printf(t, "%-15s %8lu kB\n", name, UL(bytes / 1024));
}

void proc_rss_of_all(struct proc_rss *sum)
{
	*sum = (struct proc_rss){ 0 };
	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);
		struct proc_rss r;

		if (t->mm == NULL)
			continue;
		proc_rss_of(t->mm, &r);
		sum->anon += r.anon;
		sum->file += r.file;
		sum->shmem += r.shmem;
	}
}

err_t proc_meminfo(const struct proc_ref *r, struct text *t)
{
	uint64_t shmem = tmpfs_bytes_used(), committed = 0;
	struct proc_rss rss;
	struct mem_stats m;

	(void)r;
	mem_stats(&m);
	proc_rss_of_all(&rss);
	LIST_FOR_EACH(pos, &all_tasks) {
		const struct task *task = list_entry(pos, struct task, all);

		if (task->mm != NULL)
			committed += task->mm->bytes_data;
	}
	mem_line(t, "MemTotal:", m.total);
	mem_line(t, "MemFree:", m.free);
	mem_line(t, "MemAvailable:", m.free);
	mem_line(t, "Buffers:", 0);
	mem_line(t, "Cached:", shmem); /* the root image is no cache: it never takes memory that
					  programs could have */
	mem_line(t, "SwapCached:", 0);
	mem_line(t, "Active:", rss.anon * PAGE_SIZE + shmem);
	mem_line(t, "Inactive:", 0);
	mem_line(t, "SwapTotal:", 0);
	mem_line(t, "SwapFree:", 0);
	mem_line(t, "Dirty:", 0);
	mem_line(t, "Writeback:", 0);
	mem_line(t, "AnonPages:", rss.anon * PAGE_SIZE);
	mem_line(t, "Mapped:", (rss.file + rss.shmem) * PAGE_SIZE);
	mem_line(t, "Shmem:", shmem);
	mem_line(t, "KReclaimable:", 0);
	mem_line(t, "Slab:", m.kernel_heap);
	mem_line(t, "SReclaimable:", 0);
	mem_line(t, "SUnreclaim:", m.kernel_heap);
	mem_line(t, "KernelStack:", m.kernel_stacks);
	mem_line(t, "PageTables:", m.tables);
	mem_line(t, "CommitLimit:", m.total);
	mem_line(t, "Committed_AS:", committed);
	text_puts(t,
		  "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		  "HugePages_Surp:        0\nHugepagesize:       2048 kB\n");
	return OK;
}

/* Version 2.1. Objects of one size share a cache here, whatever they are. */
err_t proc_slabinfo(const struct proc_ref *r, struct text *t)
{
	struct kmem_usage usage[KMEM_SIZES];

	(void)r;
	_Static_assert(sizeof(usage) <= 512, "on the stack");
	kmem_usage(usage);
	text_puts(t, "slabinfo - version: 2.1\n"
		     "# name            <active_objs> <num_objs> <objsize> <objperslab> "
		     "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
		     "<active_slabs> <num_slabs> <sharedavail>\n");
	for (unsigned i = KMEM_SIZES; i-- > 0;) {
		const struct kmem_usage *u = &usage[i];
		uint32_t pages = u->size > PAGE_SIZE ? u->size / (uint32_t)PAGE_SIZE : 1;
		uint32_t per = pages * (uint32_t)PAGE_SIZE / u->size, slabs = u->frames / pages;

		text_printf(t,
			    "kmalloc-%-9u %6u %6u %6u %4u %4u : tunables    0    0    0 : "
			    "slabdata %6u %6u      0\n",
			    u->size, u->used, slabs * per, u->size, per, pages, slabs, slabs);
	}
	return OK;
}

err_t proc_swaps(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return OK;
}

err_t proc_partitions(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "major minor  #blocks  name\n\n");
	return OK;
}

/* ---- time ---- */

struct busy {
	uint64_t user, system; /* nanoseconds of all processes that are or were */
	unsigned running, blocked, threads;
};

static void busy_of_all(struct busy *b)
{
	*b = (struct busy){ 0 };
	LIST_FOR_EACH(pos, &all_tasks) {
		const struct task *t = list_entry(pos, struct task, all);
		uint64_t user, system;

		task_times(t, &user, &system);
		b->user += user + t->cutime_ns; /* of children that were waited for */
		b->system += system + t->cstime_ns;
		b->threads += t->nthreads;
		LIST_FOR_EACH(node, &t->threads) {
			const struct thread *th = list_entry(node, struct thread, in_task);

			b->running += th->state == THREAD_RUNNABLE || th->state == THREAD_RUNNING;
			b->blocked += th->state == THREAD_WAITING && !th->wait_interruptible;
		}
	}
}

static uint64_t idle_ns(const struct busy *b)
{
	uint64_t up = time_mono_ns(), used = b->user + b->system;

	return up > used ? up - used : 0;
}

/* One processor is shown: programs run on core 0's kernel. */
err_t proc_stat_system(const struct proc_ref *r, struct text *t)
{
	struct busy b;

	(void)r;
	busy_of_all(&b);
	for (unsigned i = 0; i < 2; i++)
		text_printf(t, "cpu%s %lu 0 %lu %lu 0 0 0 0 0 0\n", i == 0 ? " " : "0",
			    b.user / NS_PER_TICK, b.system / NS_PER_TICK,
			    idle_ns(&b) / NS_PER_TICK);
	text_printf(t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\n", proc_interrupt_total(),
		    sched_switches(), (time_real_ns() - time_mono_ns()) / NS_PER_S, task_forks);
	text_printf(t, "procs_running %u\nprocs_blocked %u\n", b.running, b.blocked);
	/* There is no work that interrupts leave for later: their kinds are Linux's, none came. */
	text_puts(t, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return OK;
}

static void seconds(struct text *t, uint64_t ns, char end)
{
	text_printf(t, "%lu.%02lu%c", ns / NS_PER_S, ns % NS_PER_S / NS_PER_TICK, end);
}

err_t proc_uptime(const struct proc_ref *r, struct text *t)
{
	struct busy b;

	(void)r;
	busy_of_all(&b);
	seconds(t, time_mono_ns(), ' ');
	seconds(t, idle_ns(&b), '\n');
	return OK;
}

/*
 * Load averages. The run queue is not sampled by a timer: between two readings of this file the
 * load counts as the share of time that the processor was busy, and decays as in Linux (1, 5 and 15
 * minutes). Fixed point, 16 bits.
 */
#define FIXED_ONE 65536ul

static int64_t decayed(int64_t old, int64_t load, uint64_t ns, int64_t period_s)
{
	uint64_t steps = ns / NS_PER_S;

	/* e^-x as repeated steps of one second: (1 - 1/period) each; after many periods nothing is
	 * left. */
	if (steps > (uint64_t)period_s * 8)
		return load;
	for (; steps > 0; steps--)
		old -= (old - load) / period_s;
	return old;
}

err_t proc_loadavg(const struct proc_ref *r, struct text *t)
{
	static int64_t avg[3];
	static uint64_t last_ns, last_busy;
	static const int64_t period_s[3] = { 60, 300, 900 };
	uint64_t now = time_mono_ns(), busy;
	int64_t load;
	struct busy b;

	(void)r;
	busy_of_all(&b);
	busy = b.user + b.system;
	if (now - last_ns >= NS_PER_S) {
		load = busy > last_busy
			       ? (int64_t)((busy - last_busy) * FIXED_ONE / (now - last_ns))
			       : 0;
		for (unsigned i = 0; i < 3; i++)
			avg[i] = decayed(avg[i], load, now - last_ns, period_s[i]);
		last_ns = now;
		last_busy = busy;
	}
	for (unsigned i = 0; i < 3; i++)
		text_printf(t, "%lu.%02lu ", UL(avg[i]) / FIXED_ONE,
			    UL(avg[i]) % FIXED_ONE * 100 / FIXED_ONE);
	text_printf(t, "%u/%u %d\n", b.running, b.threads, current != NULL ? current_task->pid : 0);
	return OK;
}

/* ---- System V IPC ---- */

err_t proc_sysvipc_shm(const struct proc_ref *r, struct text *t)
{
	(void)r;
	shm_show(t);
	return OK;
}

err_t proc_sysvipc_sem(const struct proc_ref *r, struct text *t)
{
	(void)r;
	sem_show(t);
	return OK;
}

err_t proc_sysvipc_msg(const struct proc_ref *r, struct text *t)
{
	(void)r;
	queue_show(t);
	return OK;
}

/* ---- names ---- */

err_t proc_version(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, LINUX_SYSNAME " version " LINUX_RELEASE " (ringfence) (" __VERSION__
				   ") " LINUX_VERSION "\n");
	return OK;
}

err_t proc_cmdline_kernel(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_printf(t, "%s\n", boot_info.cmdline);
	return OK;
}

err_t proc_filesystems(const struct proc_ref *r, struct text *t)
{
	(void)r;
	/* None of them lies on a block device. */
	for (unsigned i = 0; fs_at(i) != NULL; i++)
		text_printf(t, "nodev\t%s\n", fs_at(i)->name);
	return OK;
}

err_t proc_devices(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(
		t,
		"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
	return OK;
}
