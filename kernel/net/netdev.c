/* SPDX-License-Identifier: BSD-2-Clause */
/* The device's life, and when it is looked at. netdev.h says how. */
#include <linux/virtio_ids.h>

#include "base/str.h"
#include "comp/drv/virtio/virtio.h"
#include "comp/drv/virtio_net/virtio_net.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/net/local.h"
#include "kernel/net/netdev_local.h"
#include "kernel/net/watch.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

#define POLL_NS 500000ull
#define QUIET   2u /* looks by the timer that found nothing */

struct netdev nd;
static struct timer poll_timer;
static bool polling; /* no interrupts are asked for: somebody looks soon */
static bool changed; /* the device told of its link, or broke the rules */
static unsigned quiet;
static struct watch watch;

struct netif *netdev_netif(void)
{
	return nd.dev != NULL ? &nd.netif : NULL;
}

const struct net_dev *netdev_device(void)
{
	return nd.dev;
}

void netdev_stats(struct netdev_stats *out)
{
	*out = nd.stats;
}

/* ---- changes ---- */

static void drop(struct net_dev *d, bool rx, void *token)
{
	(void)d;
	if (rx)
		netdev_rx_drop(token);
	else
		netdev_tx_drop(token);
}

static void on_change(struct net_dev *d)
{
	(void)d;
	changed = true;
}

/* In a bracket. */
static void follow_changes(void)
{
	changed = false;
	if (nd.dev->broken && nd.running) {
		nd.running = false;
		user_log("network: the device does not keep to the rules; it is not used any more");
		nd.dev->ops->stop(nd.dev, drop);
		netdev_tx_clear();
	}
	if (nd.dev->link_up && nd.running)
		netif_set_link_up(&nd.netif);
	else
		netif_set_link_down(&nd.netif);
}

/* ---- looking ---- */

static bool poll(void)
{
	static struct net_rx rx;
	unsigned frames = 0;

	if (!nd.running)
		return false;
	netdev_reap();
	if (changed || nd.dev->ops->rx_take(nd.dev, 0, &rx)) {
		net_enter();
		if (changed)
			follow_changes();
		else
			frames = netdev_receive(&rx);
		netdev_refill();
		net_leave();
		nd.stats.polls++;
	}
	if (nd.running)
		nd.dev->ops->flush(nd.dev, 0);
	return frames > 0;
}

bool netdev_poll(void)
{
	bool some = poll();

	if (some) {
		quiet = 0;
		watch_end(&watch);
	}
	return some;
}

/* True: there is work already. */
static bool await_interrupt(void)
{
	polling = nd.dev->ops->interrupts(nd.dev, 0, true, netdev_tx_waits());
	return polling;
}

/* Runs as long as frames come, and a little longer. */
static void timer_fired(struct timer *t)
{
	if (!nd.running)
		return;
	if ((polling && netdev_poll()) || ++quiet < QUIET) {
		timer_set(t, time_mono_ns() + POLL_NS, timer_fired);
		return;
	}
	netdev_rx_rest();
	if (polling && nd.running && await_interrupt())
		timer_set(t, time_mono_ns() + POLL_NS, timer_fired);
}

static void start_polling(void)
{
	if (!polling) {
		nd.dev->ops->interrupts(nd.dev, 0, false, false);
		polling = true;
	}
	quiet = 0;
	if (!poll_timer.armed)
		timer_set(&poll_timer, time_mono_ns() + POLL_NS, timer_fired);
}

static void on_event(struct net_dev *d, unsigned q)
{
	(void)d;
	(void)q;
	if (!nd.running)
		return;
	start_polling();
	(void)netdev_poll();
}

/* Nothing to do: look for frames a while, with interrupts taken. True: there may be work. */
static bool watch_device(void)
{
	uint64_t now = time_mono_ns(), end = watch_begin(&watch, now);

	for (; now < end; now = time_mono_ns()) {
		x86_poll_interrupts();
		if (sched_runnable() != 0 || !polling || netdev_poll())
			return true;
	}
	return false;
}

/* A thread gives up the core; or (idle) there is none that could run, and the core is about to
 * halt. */
static bool on_rest(bool idle)
{
	if (!nd.running)
		return false;
	if (!polling && !changed) {
		if (idle)
			/* should the fence of virtq.c not count, a doorbell was missed */
			nd.dev->ops->flush(nd.dev, 0);
		return false;
	}
	if (netdev_poll())
		return true;
	if (!idle || !nd.running)
		return false;
	return watch_device() || (nd.running && await_interrupt());
}

/* ---- beginning ---- */

static lwip_err_t netif_init_device(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = 't';
	n->mtu = nd.dev->mtu;
	n->hwaddr_len = sizeof(nd.dev->mac);
	memcpy(n->hwaddr, nd.dev->mac, sizeof(nd.dev->mac));
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
		   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	n->output = etharp_output;
	n->output_ip6 = ethip6_output;
	n->linkoutput = netdev_linkoutput;
	netdev_set_checksums(false);
	return ERR_OK;
}

/* A device without an address of its own gets one at random, of those that anybody may use. */
static void ensure_mac(struct net_dev *d)
{
	static const uint8_t none[sizeof(d->mac)];

	if (memcmp(d->mac, none, sizeof(none)) != 0 && (d->mac[0] & 1) == 0)
		return;
	random_bytes(d->mac, sizeof(d->mac));
	d->mac[0] = (uint8_t)((d->mac[0] & ~1u) | 2u);
}

static size_t reclaim(size_t want)
{
	(void)want;
	return netdev_rx_reclaim();
}

static err_t start_device(struct net_dev *d)
{
	nd.dev = d;
	d->on_event = on_event;
	d->on_change = on_change;
	watch_init(&watch);
	ensure_mac(d);
	TRY(d->ops->start(d, 1));
	nd.running = true;
	netdev_refill();
	d->ops->flush(d, 0);
	return OK;
}

static bool add_netif(void)
{
	uint32_t tso = NET_TX_TSO4 | NET_TX_TSO6;
	bool ok;

	netdev_tx_init();
	net_enter();
	ok = netif_add(&nd.netif, NULL, NULL, NULL, NULL, netif_init_device, ethernet_input) !=
	     NULL;
	if (ok) {
		netif_set_default(&nd.netif);
		netif_set_up(&nd.netif);
		if (nd.dev->link_up)
			netif_set_link_up(&nd.netif);
		net_netif_added();
		net_set_gso(&nd.netif, (nd.dev->features & tso) == tso ? NET_GSO_MAX : 0);
	}
	net_leave();
	return ok;
}

err_t netdev_start(void)
{
	struct virtio_dev *v = virtio_claim(VIRTIO_ID_NET);
	struct net_dev *d;
	err_t err;

	if (v == NULL)
		return E_NODEV;
	d = vnet_create(v);
	if (d == NULL)
		return E_NOMEM;
	err = start_device(d);
	if (err == OK && !add_netif())
		err = E_NOMEM;
	if (err != OK) {
		if (nd.running)
			d->ops->stop(d, drop);
		nd.running = false;
		nd.dev = NULL;
		return err;
	}
	mem_register_reclaim(reclaim);
	sched_rest_hook = on_rest;
	start_polling();
	log_info("eth0: %s, %u + %u descriptors, features %#x", d->driver, d->rx_size, d->tx_size,
		 d->features);
	return OK;
}
