/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run has cost. `stats=1` on the kernel's command line: one line of the log. stats=1 in the
 * run configuration: at the program's end these lines to the host (abi/control.h):
 *   stat=call NAME CALLS ERRORS ELAPSED_NS WORKING_NS   one for each system call that was made
 *   stat=total KEY=VALUE ...
 * Elapsed time goes on while a call sleeps, working time does not.
 */
#include "base/fmt.h"
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

bool stats_on;

struct call_cost {
	uint64_t errors, elapsed, working_ns;
};

/* By number; made when statistics are asked for. */
static struct call_cost *cost;
static uint64_t most_used; /* bytes */

void stats_setup(void)
{
	if (!run_config_flag("stats"))
		return;
	cost = kmem_zalloc(SYSCALL_LIMIT * sizeof(*cost));
	stats_on = cost != NULL;
	if (!stats_on)
		log_error("there is not enough memory for statistics");
}

/* Memory is given back in calls: before each is the moment of the most. */
static void look_at_memory(void)
{
	struct mem_stats m;

	mem_stats(&m);
	if (m.total - m.free > most_used)
		most_used = m.total - m.free;
}

long stats_call(const struct syscall *s, const struct trapframe *tf)
{
	struct call_cost *c = &cost[s - syscall_table];
	uint64_t began = rdtsc(), worked = thread_cpu_ns(current);
	long ret;

	look_at_memory();
	ret = s->fn(tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9);
	c->elapsed += rdtsc() - began;
	c->working_ns += thread_cpu_ns(current) - worked;
	c->errors += ret < 0 && ret > -4096;
	return ret;
}

static uint64_t ticks_to_us(uint64_t ticks)
{
	return ticks * 1000 / tsc_khz();
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
	return ticks / tsc_khz() * 1000000 + ticks % tsc_khz() * 1000000 / tsc_khz();
}

static uint64_t total_calls(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SYSCALL_LIMIT; i++)
		n += syscall_count[i];
	return n;
}

static uint64_t operations(void)
{
	return nk_status.ops[NK_MAP] + nk_status.ops[NK_UNMAP] + nk_status.ops[NK_PROTECT] +
	       nk_status.ops[NK_PROTECT_RO] + nk_status.ops[NK_CLONE];
}

/* ---- to the host ---- */

static void tell_calls(void)
{
	char line[128];

	for (unsigned nr = 0; nr < SYSCALL_LIMIT; nr++) {
		if (syscall_count[nr] == 0)
			continue;
		fmt_snprintf(line, sizeof(line), "stat=call %s %lu %lu %lu %lu",
			     syscall_table[nr].name, syscall_count[nr], cost[nr].errors,
			     ticks_to_ns(cost[nr].elapsed), cost[nr].working_ns);
		console_control(line);
	}
}

static void tell_totals(void)
{
	struct rusage_k self = { 0 }, children = { 0 };
	struct task *first = task_find(1);
	struct mem_stats m;
	char line[320];

	look_at_memory();
	mem_stats(&m);
	if (first != NULL) {
		task_rusage(first, 0, &self);
		task_rusage(first, -1, &children);
	}
	fmt_snprintf(
		line, sizeof(line),
		"stat=total wall_us=%lu idle_us=%lu calls=%lu minor_faults=%lu major_faults=%lu "
		"switches=%lu crossings=%lu",
		ticks_to_us(rdtsc() - boot_info.entry_tsc), sched_idle_ns() / 1000, total_calls(),
		self.minflt + children.minflt, self.majflt + children.majflt, sched_switches(),
		nk_status.crossings);
	console_control(line);
	fmt_snprintf(line, sizeof(line),
		     "stat=total nk_us=%lu operations=%lu ptes=%lu peak_kib=%lu memory_kib=%lu",
		     ticks_to_us(nk_status.crossing_ticks), operations(), nk_status.pages,
		     most_used / 1024, m.total / 1024);
	console_control(line);
}

void stats_tell(void)
{
	if (!stats_on)
		return;
	tell_calls();
	tell_totals();
}

/* ---- to the log ---- */

void linux_stats(const char *when)
{
	uint64_t all_us = ticks_to_us(rdtsc() - boot_info.entry_tsc);
	uint64_t nk_us = ticks_to_us(nk_status.crossing_ticks);
	struct mem_stats m;

	if (cmdline_get("stats") == NULL)
		return;
	mem_stats(&m);
	log_line(
		LOG_ERROR, /* asked for: at any log level */
		"stats: %s: %lu us since the kernel's first instruction; %lu crossings, %lu us in nk (%lu.%lu%%), "
		"%lu operations on %lu page-table entries, %u tables spare; %lu system calls, %lu thread switches; "
		"memory %lu KiB used of %lu",
		when, all_us, nk_status.crossings, nk_us, nk_us * 100 / (all_us + 1),
		nk_us * 1000 / (all_us + 1) % 10, operations(), nk_status.pages, nk_status.pool,
		total_calls(), sched_switches(), (m.total - m.free) / 1024, m.total / 1024);
}
