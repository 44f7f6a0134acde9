/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/core/cores.h"
#include "kernel/core/probe.h"
#include "kernel/msg/msg.h"
#include "kernel/x86/x86.h"

#define SECOND_NS 1000000000ull

static void wait_for_all_cores(void)
{
	uint32_t all = ((1u << boot_info.ncores) - 1) & ~1u;

	while ((cores_up() & all) != all)
		if (msg_poll() == 0)
			x86_wait_for_interrupt();
}

static uint64_t seed = 88172645463325252ull;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void sort(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint64_t x = v[i];
		unsigned j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

#define ROUNDS 400
static uint64_t took[ROUNDS];

static void ping(unsigned core, uint64_t i)
{
	uint64_t body[MSG_WORDS];

	for (unsigned w = 0; w < MSG_WORDS; w++)
		body[w] = i * 1000 + w;
	EXPECT_EQ(msg_call(core, MSG_ping, body, 10 * SECOND_NS), OK);
	for (unsigned w = 0; w < MSG_WORDS; w++)
		EXPECT_EQ(body[w], i * 1000 + w);
}

KTEST(msg_ping_every_core)
{
	wait_for_all_cores();
	for (unsigned c = 1; c < boot_info.ncores; c++) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			uint64_t t = time_mono_ns();

			ping(c, i);
			took[i] = time_mono_ns() - t;
		}
		sort(took, ROUNDS);
		ktest_note("ping core %u: min %llu, median %llu, p99 %llu ns", c,
			   (unsigned long long)took[0], (unsigned long long)took[ROUNDS / 2],
			   (unsigned long long)took[ROUNDS * 99 / 100]);
	}
	ktest_note("IPIs sent %llu, saved %llu, got %llu", (unsigned long long)msg_stats.ipis_sent,
		   (unsigned long long)msg_stats.ipis_saved,
		   (unsigned long long)msg_stats.ipis_got);
}

/* Both sides halt at random moments; a wake-up that is lost shows as a time-out. */
KTEST(msg_no_wakeup_is_lost)
{
	if (boot_info.ncores == 1)
		return;
	wait_for_all_cores();
	for (unsigned i = 0; i < 5000; i++) {
		for (uint64_t n = random64() % 64; n > 0; n--)
			cpu_relax();
		ping(1 + i % (boot_info.ncores - 1), i);
	}
}

/* Many more messages than lines, without waiting for answers in between. */
KTEST(msg_ring_wraps_and_fills)
{
	uint64_t body[MSG_WORDS] = { PROBE_NOTHING }, full = 0;

	if (boot_info.ncores == 1)
		return;
	wait_for_all_cores();
	uint64_t t = time_mono_ns();

	for (unsigned i = 0; i < 100000; i++) {
		while (msg_send(1, MSG_probe, body) == E_AGAIN) {
			full++;
			msg_poll_for(1000);
		}
	}
	ping(1, 1); /* in order: all before it have been handled */
	t = time_mono_ns() - t;
	ktest_note("100000 one-way messages: %llu ns each, ring was full %llu times",
		   (unsigned long long)t / 100000, (unsigned long long)full);
}

KTEST(msg_wrong_cores_are_refused)
{
	uint64_t body[MSG_WORDS] = { 0 };

	EXPECT_EQ(msg_send(boot_info.ncores, MSG_ping, body), E_INVAL);
	EXPECT_EQ(msg_send(boot_info.core, MSG_ping, body), E_INVAL);
	EXPECT_EQ(msg_send(1000, MSG_ping, body), E_INVAL);
	EXPECT_EQ(msg_call(1000, MSG_ping, body, 0), E_INVAL);
	struct msg_in none = { .from = 1 };

	EXPECT_EQ(msg_reply(&none, body), E_INVAL);
}

KTEST(msg_side_buffer_carries_a_page)
{
	static uint8_t data[MSG_SIDE_MAX];
	uint64_t body[MSG_WORDS] = { PROBE_SIDE };

	if (boot_info.ncores == 1)
		return;
	wait_for_all_cores();
	for (unsigned round = 0; round < 200; round++) {
		size_t len = round % 8 == 0 ? sizeof(data) : 1 + random64() % sizeof(data);

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)random64();
		body[1] = probe_sum(data, len);
		while (msg_send_side(1, MSG_probe, body, data, len) == E_AGAIN)
			msg_poll_for(1000);
	}
	uint64_t b[MSG_WORDS] = { PROBE_SIDES };

	EXPECT_EQ(msg_call(1, MSG_probe, b, 10 * SECOND_NS), OK);
	EXPECT_EQ(b[0], 200);
	EXPECT_EQ(b[1], 0);
}
