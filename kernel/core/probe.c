/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers other cores' questions about this core's own variables: for the tests that cores share
 * nothing.
 */
#include "kernel/core/local.h"
#include "kernel/core/probe.h"

#include "abi/nk.h"
#include "kernel/msg/msg.h"
#include "kernel/x86/x86.h"

/* One variable in .data, one in .bss. */
static volatile uint64_t probe_data = 0x5eed;
static volatile uint64_t probe_bss;
static uint64_t sides_right, sides_wrong;

static void touch(void *arg)
{
	*(volatile uint64_t *)arg;
}

static uint64_t frame_behind(const volatile void *p)
{
	return nk_entry((nk_space_t){ 0 }, (uint64_t)p) & NK_PTE_ADDR;
}

void probe_answer(const uint64_t question[MSG_WORDS], uint64_t answer[MSG_WORDS])
{
	struct x86_fault fault = { 0 };

	switch ((enum probe_what)question[0]) {
	case PROBE_SET:
		probe_data = question[1];
		probe_bss = question[2];
		/* fall through */
	case PROBE_GET:
		answer[0] = probe_data;
		answer[1] = probe_bss;
		answer[2] = frame_behind(&probe_data);
		answer[3] = frame_behind(&probe_bss);
		answer[4] = boot_info.core;
		return;
	case PROBE_CHUNK: answer[0] = boot_info.first_chunk; return;
	case PROBE_TOUCH:
		answer[0] = x86_try(touch, (void *)question[1], &fault);
		answer[1] = fault.vector;
		answer[2] = fault.addr;
		return;
	case PROBE_CLOCK: answer[0] = time_mono_ns(); return;
	case PROBE_SIDES:
		answer[0] = sides_right;
		answer[1] = sides_wrong;
		return;
	case PROBE_SIDE:
	case PROBE_NOTHING: return;
	case PROBE_DIE: panic("asked to, by a test");
	}
}

void core_on_probe(const struct msg_in *m)
{
	uint64_t answer[MSG_WORDS] = { 0 };

	if (m->body[0] == PROBE_SIDE) {
		if (probe_sum(m->side, m->side_len) == m->body[1])
			sides_right++;
		else
			sides_wrong++;
	}
	probe_answer(m->body, answer);
	if (m->token != 0 && msg_reply(m, answer) != OK)
		log_warn("probe from core %u was not a call", m->from);
}
