/* SPDX-License-Identifier: BSD-2-Clause */
/* In-kernel tests: run on core 0 before there is a program; TAP on COM1. */
#include "kernel/core/local.h"

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/x86/x86.h"

#define NAME_MAX_ 80
#define VEC_GP    13
#define VEC_PF    14

extern const struct ktest ktests_start[], ktests_end[]; /* linker script */

static unsigned failures_now; /* of the test that runs */

void ktest_fail(const char *file, int line, const char *what, int64_t got, int64_t want)
{
	failures_now++;
	log_raw("# %s:%d: %s: got %lld (%#llx), want %lld (%#llx)\n", file, line, what,
		(long long)got, (unsigned long long)got, (long long)want, (unsigned long long)want);
}

void ktest_note(const char *fmt, ...)
{
	static char text[256];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_raw("# %s\n", text);
}

bool ktest_expect_fault(void (*fn)(void *), void *arg, uint64_t *fault_addr)
{
	struct x86_fault fault;

	if (!x86_try(fn, arg, &fault) || (fault.vector != VEC_GP && fault.vector != VEC_PF))
		return false;
	if (fault_addr != NULL)
		*fault_addr = fault.addr;
	return true;
}

/* mem_frame_give -> mem.frame_give */
static void dotted(char *out, const char *name)
{
	str_copy(out, NAME_MAX_, name);
	char *underscore = strchr(out, '_');

	if (underscore != NULL)
		*underscore = '.';
}

unsigned ktest_run(const char *pattern)
{
	char name[NAME_MAX_];
	unsigned planned = 0, n = 0, failed = 0;

	for (const struct ktest *t = ktests_start; t < ktests_end; t++) {
		dotted(name, t->name);
		planned += str_match(pattern, name);
	}
	log_raw("TAP version 13\n1..%u%s\n", planned,
		planned == 0 ? " # SKIP no test matches" : "");
	for (const struct ktest *t = ktests_start; t < ktests_end; t++) {
		dotted(name, t->name);
		if (!str_match(pattern, name))
			continue;
		failures_now = 0;
		t->run();
		log_raw("%sok %u - %s\n", failures_now != 0 ? "not " : "", ++n, name);
		failed += failures_now != 0;
	}
	return failed;
}
