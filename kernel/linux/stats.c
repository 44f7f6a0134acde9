/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run has cost, in one line of the log: `stats=1` on the kernel's command line. */
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/frame.h"
#include "kernel/task/task.h"

static bool stats_on(void)
{
	return cmdline_get("stats") != NULL;
}

static uint64_t ticks_to_us(uint64_t ticks)
{
	return ticks * 1000 / tsc_khz();
}

static uint64_t total_calls(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SYSCALL_LIMIT; i++)
		n += syscall_count[i];
	return n;
}

void linux_stats(const char *when)
{
	uint64_t all_us = ticks_to_us(rdtsc() - boot_info.entry_tsc);
	uint64_t nk_us = ticks_to_us(nk_status.crossing_ticks);
	struct mem_stats m;

	if (!stats_on())
		return;
	mem_stats(&m);
	log_line(
		LOG_ERROR, /* asked for: at any log level */
		"stats: %s: %lu us since the kernel's first instruction; %lu crossings, %lu us in nk (%lu.%lu%%), "
		"%lu operations on %lu page-table entries, %u tables spare; %lu system calls, %lu thread switches; "
		"memory %lu KiB used of %lu",
		when, all_us, nk_status.crossings, nk_us, nk_us * 100 / (all_us + 1),
		nk_us * 1000 / (all_us + 1) % 10,
		nk_status.ops[NK_MAP] + nk_status.ops[NK_UNMAP] + nk_status.ops[NK_PROTECT] +
			nk_status.ops[NK_PROTECT_RO] + nk_status.ops[NK_CLONE],
		nk_status.pages, nk_status.pool, total_calls(), sched_switches(),
		(m.total - m.free) / 1024, m.total / 1024);
}
