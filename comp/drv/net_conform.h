/* SPDX-License-Identifier: BSD-2-Clause */
/* What every network driver must do (host tests, cmocka). */
#pragma once

#include "comp/drv/net.h"

/* The other side of the device: the test's model of it. */
struct net_peer {
	struct net_dev *dev; /* at rest */
	/* Put a frame into the guest's buffers of queue q. False: there were not enough. `o` as the
	 * driver is to report it; NULL: nothing to say. */
	bool (*to_guest)(unsigned q, const void *frame, uint32_t len, const struct net_offload *o);
	/* The next frame that the guest sent on queue q, taken as a whole: its length, 0 when there
	 * is none. The guest gets its pieces back (is told, if it wants to be). */
	uint32_t (*from_guest)(unsigned q, void *frame, uint32_t max, struct net_offload *o);
	/* Deliver an interrupt if one is pending. */
	bool (*interrupt)(void);
	void (*set_link)(bool up);
	/* Let the n-th allocation from now fail (0: none), and what is allocated now. */
	void (*fail_alloc)(unsigned n);
	long (*allocated)(void);
};

/* Runs on the host; stops at the first thing that is wrong. The device is at rest afterwards. */
void net_conform(const struct net_peer *peer);
