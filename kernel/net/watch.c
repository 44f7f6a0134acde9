/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/net/watch.h"

#define SLOW_NS (2 * WATCH_SELDOM_NS) /* longer rounds count as so long */

void watch_init(struct watch *w)
{
	*w = (struct watch){ .round_ns = { SLOW_NS, 0 } };
}

/* One in eight is new; of what is seldom tried, one in two. */
static void round_over(struct watch *w, uint64_t took)
{
	uint64_t *average = &w->round_ns[w->looks];
	unsigned parts = w->tries ? 2 : 8;

	if (took > SLOW_NS)
		took = SLOW_NS;
	*average = (*average * (parts - 1) + took) / parts;
}

static void choose(struct watch *w)
{
	/* By a margin: looking has its price. */
	bool better = w->round_ns[true] < w->round_ns[false] - w->round_ns[false] / 8;

	w->tries = ++w->rounds % WATCH_TRY == 0;
	w->looks = better != w->tries && w->round_ns[false] <= WATCH_SELDOM_NS;
	w->tries = w->tries && w->looks != better;
}

uint64_t watch_begin(struct watch *w, uint64_t now)
{
	if (!w->resting) {
		if (w->began_ns != 0)
			round_over(w, now - w->began_ns);
		w->began_ns = now;
		w->resting = true;
		choose(w);
	}
	return w->looks ? w->began_ns + WATCH_MAX_NS : w->began_ns;
}

void watch_end(struct watch *w)
{
	w->resting = false;
}
