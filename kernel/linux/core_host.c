/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A core file to the host (core=1 in the run configuration), by the control port. The process must
 * not change meanwhile, so nothing is switched: while the host is slow the machine stands still,
 * and after HOST_NS without progress the rest is given up.
 */
#include "abi/control.h"
#include "base/fmt.h"
#include "kernel/core/core.h"
#include "kernel/linux/core.h"
#include "kernel/vfs/control.h"
#include "kernel/x86/x86.h"

#define HOST_NS 10000000000ull

bool core_to_host(void)
{
	return run_config_flag("core");
}

static bool send(const char *line, const void *data, size_t len)
{
	uint64_t deadline = time_mono_ns() + HOST_NS;

	while (!control_send(line, data, len)) {
		if (time_mono_ns() > deadline)
			return false;
		x86_poll_interrupts();
	}
	return true;
}

bool core_host_begin(void)
{
	char line[64];

	fmt_snprintf(line, sizeof(line), "core-begin=%d", current_task->pid);
	return send(line, NULL, 0);
}

bool core_host_put(uint64_t at, const void *data, size_t len)
{
	for (size_t n; len > 0; at += n, len -= n, data = (const char *)data + n) {
		char line[64];

		n = len < CONTROL_DATA_MAX ? len : CONTROL_DATA_MAX;
		fmt_snprintf(line, sizeof(line), "core=%lu %lu", (unsigned long)at,
			     (unsigned long)n);
		if (!send(line, data, n))
			return false;
	}
	return true;
}

bool core_host_end(uint64_t size)
{
	char line[64];

	fmt_snprintf(line, sizeof(line), "core-end=%lu", (unsigned long)size);
	return send(line, NULL, 0);
}
