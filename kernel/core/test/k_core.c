/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/nk.h"
#include "kernel/core/cores.h"
#include "kernel/core/core.h"
#include "kernel/core/probe.h"
#include "kernel/msg/msg.h"
#include "kernel/x86/x86.h"

/* Messages only come in while we look for them, so nothing is slept through. */
static void wait_for_all_cores(void)
{
	uint32_t all = ((1u << boot_info.ncores) - 1) & ~1u;

	while ((cores_up() & all) != all)
		if (msg_poll() == 0)
			x86_wait_for_interrupt();
}

static void read_at(void *arg)
{
	*(volatile uint64_t *)arg;
}

KTEST(core_all_cores_come_up)
{
	wait_for_all_cores();
	EXPECT_EQ(cores_up(), ((1u << boot_info.ncores) - 1) & ~1u);
}

static void probe(unsigned core, uint64_t body[MSG_WORDS])
{
	uint64_t answer[MSG_WORDS] = { 0 };

	if (core != boot_info.core) {
		EXPECT_EQ(msg_call(core, MSG_probe, body, 0), OK);
		return;
	}
	probe_answer(body, answer);
	for (unsigned i = 0; i < MSG_WORDS; i++)
		body[i] = answer[i];
}

KTEST(core_variables_are_private)
{
	static uint64_t data_frame[MAX_CORES], bss_frame[MAX_CORES];

	wait_for_all_cores();
	for (unsigned c = 0; c < boot_info.ncores; c++)
		probe(c, (uint64_t[MSG_WORDS]){ PROBE_SET, 0xda7a0000 + c, 0xb5500000 + c });
	for (unsigned c = 0; c < boot_info.ncores; c++) {
		uint64_t b[MSG_WORDS] = { PROBE_GET };

		probe(c, b);
		EXPECT_EQ(b[0], 0xda7a0000 + c);
		EXPECT_EQ(b[1], 0xb5500000 + c);
		EXPECT_EQ(b[4], c);
		data_frame[c] = b[2];
		bss_frame[c] = b[3];
		ktest_note("core %u: .data at %#llx, .bss at %#llx", c, (unsigned long long)b[2],
			   (unsigned long long)b[3]);
		for (unsigned o = 0; o < c; o++) {
			EXPECT(data_frame[o] != data_frame[c]);
			EXPECT(bss_frame[o] != bss_frame[c]);
		}
	}
}

KTEST(core_touching_another_cores_memory_faults)
{
	wait_for_all_cores();
	for (unsigned c = 1; c < boot_info.ncores; c++) {
		uint64_t b[MSG_WORDS] = { PROBE_CHUNK };
		uint64_t fault_addr = 0;

		probe(c, b);
		uint64_t theirs = DM_BASE + b[0];

		EXPECT(ktest_expect_fault(read_at, (void *)theirs, &fault_addr));
		EXPECT_EQ(fault_addr, theirs);

		uint64_t ours = DM_BASE + boot_info.first_chunk;
		uint64_t t[MSG_WORDS] = { PROBE_TOUCH, ours };

		EXPECT(!ktest_expect_fault(read_at, (void *)ours, NULL));
		probe(c, t);
		EXPECT_EQ(t[0], 1);
		EXPECT_EQ(t[1], 14);
		EXPECT_EQ(t[2], ours);
	}
}

KTEST(core_incoming_ring_is_read_only)
{
	uint64_t addr = 0;

	if (boot_info.ncores == 1)
		return;
	EXPECT(!ktest_expect_fault(read_at, (void *)boot_ring_va(1, 0), NULL));
	EXPECT((nk_entry((nk_space_t){ 0 }, boot_ring_va(1, 0)) & NK_PTE_W) == 0);
	if (boot_info.ncores > 2) /* a ring between two others is none of our business */
		EXPECT(ktest_expect_fault(read_at, (void *)boot_ring_va(1, 2), &addr));
}

KTEST(core_clocks_agree)
{
	wait_for_all_cores();
	time_mono_ns(); /* measured now at the latest, and the others told */
	for (unsigned c = 1; c < boot_info.ncores; c++) {
		uint64_t b[MSG_WORDS] = { PROBE_CLOCK };
		uint64_t before, after;

		before = time_mono_ns();
		probe(c, b);
		after = time_mono_ns();
		EXPECT(b[0] + 1000 >= before); /* two TSCs may differ by a little */
		EXPECT(b[0] <= after + 1000);
	}
}

KTEST(core_command_line)
{
	EXPECT(cmdline_get("test") != NULL);
	EXPECT(cmdline_get("tes") == NULL);
	EXPECT(cmdline_get("no-such-word") == NULL);
}
