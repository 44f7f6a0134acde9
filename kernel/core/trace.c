/* SPDX-License-Identifier: BSD-2-Clause */
/* The last things that happened on this core, for the panic report. */
#include "kernel/core/local.h"
#include "kernel/x86/x86.h"

#define TRACE_SHOWN 24u

struct trace_event trace_events[TRACE_LEN];
uint32_t trace_written;

static const char *const kind_name[] = {
	[TRACE_NONE] = "?",        [TRACE_FAULT] = "fault", [TRACE_SWITCH] = "switch",
	[TRACE_SIGNAL] = "signal", [TRACE_IRQ] = "irq",     [TRACE_MSG] = "msg",
	[TRACE_EXEC] = "exec",     [TRACE_EXIT] = "exit",
};

static void print_recent_calls(void)
{
	log_raw("last system calls, newest first:");
	for (unsigned i = 1; i <= TRACE_SHOWN; i++)
		log_raw(" %u", recent_calls[(uint8_t)(recent_calls_at - i)]);
	log_raw("\n");
}

void trace_print(void)
{
	uint32_t n = trace_written < TRACE_SHOWN ? trace_written : TRACE_SHOWN;

	log_raw("last events, newest first:\n");
	for (uint32_t i = 1; i <= n; i++) {
		const struct trace_event *e = &trace_events[(trace_written - i) % TRACE_LEN];

		log_raw("  %-8s %#llx %#llx\n",
			e->kind < ARRAY_SIZE(kind_name) ? kind_name[e->kind] : "?",
			(unsigned long long)e->a, (unsigned long long)e->b);
	}
	print_recent_calls();
}
