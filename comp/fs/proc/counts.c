/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine has counted: interrupts, faults, pages. */
#include "comp/fs/proc/local.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/mem/frame.h"

/* ---- interrupts ---- */

uint64_t proc_interrupt_total(void)
{
	struct irq_count c;
	uint64_t total = 0;

	for (unsigned n = 0; irq_count_of(n, &c); n++)
		total += c.count;
	return total;
}

/* Devices are told apart by their vector: there are no lines that they would share. */
err_t proc_interrupts(const struct proc_ref *r, struct text *t)
{
	static const char *const names[] = { "LOC", "RES", "SPU" };
	unsigned others = 0;
	struct irq_count c;

	(void)r;
	text_puts(t, "           CPU0       \n");
	for (unsigned n = 0; irq_count_of(n, &c); n++) {
		if (c.vector != 0)
			text_printf(t, "%3u: %10lu   vector  %s\n", c.vector, c.count, c.name);
		else
			text_printf(t, "%s: %10lu   %s\n", names[others++], c.count, c.name);
	}
	return OK;
}

/* Interrupts leave no work for later here: Linux's kinds, of which none came. */
err_t proc_softirqs(const struct proc_ref *r, struct text *t)
{
	static const char *const names[] = { "HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
					     "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU" };

	(void)r;
	text_puts(t, "                    CPU0       \n");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		text_printf(t, "%12s: %10u\n", names[i], 0u);
	return OK;
}

/* ---- memory ---- */

static void faults_of_all(uint64_t *all, uint64_t *major)
{
	*all = *major = 0;
	LIST_FOR_EACH(pos, &all_tasks) {
		const struct task *task = list_entry(pos, struct task, all);

		*major += task->majflt + task->cmajflt;
		*all += task->minflt + task->cminflt;
		LIST_FOR_EACH(node, &task->threads) {
			const struct thread *th = list_entry(node, struct thread, in_task);

			*major += th->majflt;
			*all += th->minflt;
		}
	}
	*all += *major;
}

err_t proc_vmstat(const struct proc_ref *r, struct text *t)
{
	uint64_t faults, major;
	struct mem_stats m;
	struct proc_rss rss;

	(void)r;
	mem_stats(&m);
	proc_rss_of_all(&rss);
	faults_of_all(&faults, &major);
	text_printf(t, "nr_free_pages %lu\nnr_mlock 0\nnr_anon_pages %lu\nnr_mapped %lu\n",
		    UL(m.free / PAGE_SIZE), UL(rss.anon), UL(rss.file + rss.shmem));
	text_printf(t, "nr_file_pages %lu\nnr_dirty 0\nnr_writeback 0\nnr_shmem %lu\n",
		    UL(tmpfs_bytes_used() / PAGE_SIZE), UL(tmpfs_bytes_used() / PAGE_SIZE));
	text_printf(t, "nr_slab_reclaimable 0\nnr_slab_unreclaimable %lu\n",
		    UL(m.kernel_heap / PAGE_SIZE));
	text_printf(t, "nr_page_table_pages %lu\nnr_kernel_stack %lu\n", UL(m.tables / PAGE_SIZE),
		    UL(m.kernel_stacks / 1024));
	/* Nothing is paged in or out. */
	text_puts(t, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n");
	text_printf(t, "pgfault %lu\npgmajfault %lu\n", faults, major);
	return OK;
}

/* ---- devices ---- */

/* There is no disk. */
err_t proc_diskstats(const struct proc_ref *r, struct text *t)
{
	(void)r;
	(void)t;
	return OK;
}

err_t proc_tty_drivers(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		     "/dev/console         /dev/console    5       1 system:console\n"
		     "/dev/ptmx            /dev/ptmx       5       2 system\n"
		     "pty_slave            /dev/pts      136 0-1048575 pty:slave\n");
	return OK;
}
