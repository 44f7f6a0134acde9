/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tracee's breakpoint registers. nk alone writes the processor's, and only for addresses of
 * programs; they are put in place when a thread that uses them is switched to, and taken away with
 * the next one.
 */
#include "kernel/core/core.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"

#define DR6_HITS   0xfu
#define DR6_STEP   0x4000u
#define DR7_ENABLE 0xffu
#define KIND_EXEC  0u
#define DR_STATUS  6u
#define DR_CONTROL 7u

bool debug_armed;

static uint64_t read_status(void)
{
	uint64_t v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

static void load(const uint64_t addr[4], uint64_t control)
{
	debug_armed = (control & DR7_ENABLE) != 0;
	if (nk_set_debug(addr, control) != OK)
		/* ptrace_debug_set checks the same */
		log_error("breakpoint registers were refused");
}

void debug_load(const struct thread *t)
{
	static const uint64_t none[4];

	if (t->watched & WATCH_DEBUG)
		load(t->trace->debug_addr, t->trace->debug_control);
	else
		load(none, 0);
}

void debug_clear(struct ptrace *p)
{
	for (unsigned i = 0; i < 4; i++)
		p->debug_addr[i] = 0;
	p->debug_status = p->debug_control = 0;
	thread_watch(p->thread, WATCH_DEBUG, false);
	if (p->thread == current && debug_armed)
		debug_load(current);
}

/* ---- hits ---- */

int debug_exception(void)
{
	struct ptrace *p = current->trace;
	uint64_t status;

	if (!debug_armed || p == NULL) {
		if (p != NULL)
			p->debug_status |= DR6_STEP;
		return TRAP_TRACE;
	}
	status = read_status();
	debug_load(current); /* clears it */
	p->debug_status |= status & (DR6_HITS | DR6_STEP);
	if (status & DR6_STEP)
		return TRAP_TRACE;
	return status & DR6_HITS ? TRAP_HWBKPT : TRAP_BRKPT;
}

static bool debug_in_kernel(void)
{
	if (!debug_armed || current == NULL)
		return false;
	debug_load(current);
	return true;
}

void debug_init(void)
{
	trap_hooks.debug_in_kernel = debug_in_kernel;
}

/* ---- what the tracer sets ---- */

static bool enabled(uint64_t control, unsigned i)
{
	return (control >> 2 * i & 3) != 0;
}

static err_t check(const uint64_t addr[4], uint64_t control)
{
	static const uint8_t align[4] = { 1, 2, 8, 4 };

	for (unsigned i = 0; i < 4; i++) {
		unsigned kind = control >> (16 + 4 * i) & 3, len = control >> (18 + 4 * i) & 3;

		if (addr[i] >= USER_END)
			return E_INVAL;
		if (!enabled(control, i))
			continue;
		if (kind == NK_DR7_IO || (kind == KIND_EXEC && len != 0) ||
		    addr[i] % align[len] != 0)
			return E_INVAL;
	}
	return OK;
}

/* Of slots that are not enabled the kind is dropped: nothing then can be refused by nk. */
static uint64_t clean(uint64_t control)
{
	control &= NK_DR7_BITS & ~0x300ul;
	for (unsigned i = 0; i < 4; i++)
		if (!enabled(control, i))
			control &= ~(0xful << (16 + 4 * i));
	return control;
}

uint64_t ptrace_debug_get(const struct ptrace *p, unsigned n)
{
	if (n < 4)
		return p->debug_addr[n];
	return n == DR_STATUS ? p->debug_status : n == DR_CONTROL ? p->debug_control : 0;
}

static err_t set_address(struct ptrace *p, unsigned n, uint64_t value)
{
	uint64_t addr[4] = { p->debug_addr[0], p->debug_addr[1], p->debug_addr[2],
			     p->debug_addr[3] };

	addr[n] = value;
	TRY(check(addr, p->debug_control));
	p->debug_addr[n] = value;
	return OK;
}

err_t ptrace_debug_set(struct ptrace *p, unsigned n, uint64_t value)
{
	if (n < 4)
		return set_address(p, n, value);
	if (n == DR_STATUS) {
		p->debug_status = value;
		return OK;
	}
	if (n != DR_CONTROL)
		return E_IO;
	value = clean(value);
	TRY(check(p->debug_addr, value));
	p->debug_control = value;
	thread_watch(p->thread, WATCH_DEBUG, (value & DR7_ENABLE) != 0);
	return OK;
}
