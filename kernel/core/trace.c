/* SPDX-License-Identifier: BSD-2-Clause */
/* The last things that happened on this core, for the panic report. */
#include "kernel/core/local.h"
#include "kernel/x86/x86.h"

#define TRACE_LEN   64u
#define TRACE_SHOWN 24u

struct event {
	uint64_t tsc, a, b;
	enum trace_kind kind;
};
static struct event events[TRACE_LEN];
static uint32_t written;

static const char *const kind_name[] = {
	[TRACE_NONE] = "?",        [TRACE_SYSCALL] = "syscall", [TRACE_FAULT] = "fault",
	[TRACE_SWITCH] = "switch", [TRACE_SIGNAL] = "signal",   [TRACE_IRQ] = "irq",
	[TRACE_MSG] = "msg",       [TRACE_EXEC] = "exec",       [TRACE_EXIT] = "exit",
};

void trace(enum trace_kind kind, uint64_t a, uint64_t b)
{
	events[written++ % TRACE_LEN] = (struct event){ rdtsc(), a, b, kind };
}

void trace_print(void)
{
	uint32_t n = written < TRACE_SHOWN ? written : TRACE_SHOWN;

	log_raw("last events (newest first, TSC ticks before now):\n");
	for (uint32_t i = 1; i <= n; i++) {
		const struct event *e = &events[(written - i) % TRACE_LEN];

		log_raw("  -%-12llu %-8s %#llx %#llx\n", (unsigned long long)(rdtsc() - e->tsc),
			e->kind < ARRAY_SIZE(kind_name) ? kind_name[e->kind] : "?",
			(unsigned long long)e->a, (unsigned long long)e->b);
	}
}
