/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device behind lwIP (eth0): the first virtio network device of the machine. Core 0
 * drives it, with one pair of queues, since programs run there.
 *
 * Nothing is copied on the way. A received frame lies in pages that belong to the device's buffers;
 * lwIP gets them as custom pbufs, and with their last reference they are the device's again. Only
 * when programs hold many of them is a frame that leaves most of its page empty copied to memory of
 * its size. A frame to send is handed to the device as the chain of pbufs that it is; the device
 * holds a reference until it is done. With the copy between pbuf and program that makes one copy
 * each way.
 *
 * Interrupts: the first frame after a rest raises one. From then on the device is looked at
 * whenever a thread gives up the core, and every POLL_NS; not before the core has nothing to do, or
 * twice nothing came, are interrupts asked for again. A core with nothing to do looks a little
 * longer first, where a peer's next frame comes sooner so (watch.h).
 */
#pragma once

#include "comp/drv/net.h"
#include "kernel/net/inet.h"

/* Find the device, start it and make it an interface of lwIP, up, without addresses. E_NODEV: there
 * is none; E_NOMEM, E_NOSPC as net_ops.start. */
err_t netdev_start(void) MUST_CHECK;
/* NULL: none. */
struct netif *netdev_netif(void);
const struct net_dev *netdev_device(void);

struct netdev_stats {
	uint64_t rx_dropped; /* no memory, or not for us */
	uint64_t rx_copied;
	uint64_t tx_dropped, tx_queued; /* queued: the device was full at the time */
	uint64_t polls, held;           /* held: pages of received frames that lwIP has now */
};
void netdev_stats(struct netdev_stats *out);

/* Look at the device now, outside of a bracket: take what came, up to a budget. True when there was
 * something. */
bool netdev_poll(void);
