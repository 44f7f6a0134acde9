/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a core with nothing to do looks at a device for a while before it halts. To halt and to
 * be woken costs tens of microseconds under a hypervisor, interrupt included; a peer that answers
 * at once is back sooner than that. But where the host has no processor to spare, looking takes it
 * from that very peer. So both are tried, and what makes a round (from one rest, over a frame and
 * the work for it, to the next rest) shorter is done: mostly that, and now and then the other, to
 * see whether it is still so. Where frames come seldom nobody looks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WATCH_MAX_NS    200000ull /* longest look */
#define WATCH_SELDOM_NS 500000ull /* with longer rounds nobody looks */
#define WATCH_TRY       32u       /* each so many rounds the other is tried */

struct watch {
	uint64_t began_ns;    /* this round; 0: none yet */
	uint64_t round_ns[2]; /* how long rounds are on average: halted, looked */
	unsigned rounds;
	bool resting; /* no frame has come since it began */
	bool looks, tries;
};

void watch_init(struct watch *w);
/* The core has nothing to do: it may look at the device until the time in the answer. */
uint64_t watch_begin(struct watch *w, uint64_t now);
/* A frame has come. */
void watch_end(struct watch *w);
