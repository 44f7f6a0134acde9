/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Received frames. A buffer is a page: the pbuf that describes it, then the frame's bytes. It is in
 * one of four places: with the device; in the pool, ready for it; with lwIP or a socket ("held");
 * or given back to the frame allocator.
 *
 * The device is never left without buffers: when there is no memory for new ones and it has few, a
 * frame is copied to memory of its size, or lost, and its buffers go back at once. So packets get
 * lost when memory is short, and connections do not.
 */
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/net/local.h"
#include "kernel/net/netdev_local.h"

#define TARGET_REST 64u  /* buffers with the device at rest; all it can have under load */
#define RX_LOW      16u  /* fewer than that: frames do not keep their buffers */
#define HELD_MANY   256u /* pages: from here on waste counts */

struct rx_buf {
	struct pbuf_custom custom; /* first */
	struct rx_buf *next;
	uint8_t data[] __attribute__((aligned(64)));
};
#define DATA_BYTES ((uint32_t)(PAGE_SIZE - offsetof(struct rx_buf, data)))

static struct rx_buf *pool;
static unsigned pooled, with_device, target = TARGET_REST;

/* ---- buffers ---- */

static struct rx_buf *buf_take(void)
{
	struct rx_buf *b = pool;
	paddr_t pa;

	if (b != NULL) {
		pool = b->next;
		pooled--;
		return b;
	}
	pa = frame_alloc(0);
	return paddr_is_none(pa) ? NULL : dm_ptr(pa);
}

static void buf_give(struct rx_buf *b)
{
	if (pooled >= target) {
		frame_put(dm_paddr(b));
		return;
	}
	b->next = pool;
	pool = b;
	pooled++;
}

size_t netdev_rx_reclaim(void)
{
	size_t n = pooled;

	while (pool != NULL) {
		struct rx_buf *b = pool;

		pool = b->next;
		frame_put(dm_paddr(b));
	}
	pooled = 0;
	return n;
}

/* lwIP: the last reference to a frame's pbuf is gone. */
static void pbuf_released(struct pbuf *p)
{
	nd.stats.held--;
	buf_give((struct rx_buf *)p);
}

void netdev_rx_drop(void *token)
{
	with_device--;
	buf_give(token);
}

static bool offer(struct rx_buf *b)
{
	if (!nd.running || nd.dev->ops->rx_add(nd.dev, 0, b->data, DATA_BYTES, b) != OK) {
		buf_give(b);
		return false;
	}
	with_device++;
	return true;
}

void netdev_refill(void)
{
	while (with_device < target) {
		struct rx_buf *b = buf_take();

		if (b == NULL || !offer(b))
			return;
	}
}

/* ---- frames ---- */

static void give_back(const struct net_rx *rx)
{
	for (unsigned i = 0; i < rx->n; i++)
		(void)offer(rx->piece[i].token);
}

/* The packet behind the Ethernet header, in the buffers where it lies. */
static struct pbuf *wrap(const struct net_rx *rx)
{
	uint32_t skip = rx->skip + NET_ETH_HLEN, left = rx->len - skip;
	struct pbuf *first = NULL, **end = &first;

	for (unsigned i = 0; i < rx->n; i++, skip = 0) {
		struct rx_buf *b = rx->piece[i].token;
		uint16_t len = (uint16_t)(rx->piece[i].len - skip);
		struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &b->custom,
						     b->data + skip, len);

		b->custom.custom_free_function = pbuf_released;
		p->tot_len = (uint16_t)left;
		left -= len;
		*end = p;
		end = &p->next;
	}
	nd.stats.held += rx->n;
	return first;
}

static struct pbuf *copy(const struct net_rx *rx)
{
	uint32_t skip = rx->skip + NET_ETH_HLEN;
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (uint16_t)(rx->len - skip), PBUF_RAM);
	uint8_t *to;

	if (p == NULL)
		return NULL;
	to = p->payload;
	for (unsigned i = 0; i < rx->n; i++, skip = 0) {
		const struct rx_buf *b = rx->piece[i].token;

		memcpy(to, b->data + skip, rx->piece[i].len - skip);
		to += rx->piece[i].len - skip;
	}
	nd.stats.rx_copied++;
	return p;
}

/* Its buffers are worth more than a copy costs. */
static bool better_copied(const struct net_rx *rx)
{
	return with_device < RX_LOW ||
	       (nd.stats.held >= HELD_MANY && rx->n == 1 && rx->len < DATA_BYTES / 2);
}

void netdev_set_checksums(bool rx_good)
{
	bool tx = (nd.dev->features & NET_TX_CSUM) != 0;
	uint16_t flags = NETIF_CHECKSUM_ENABLE_ALL;

	if (tx)
		flags &= (uint16_t)~NETIF_CHECKSUM_GEN_TCP;
	if (rx_good)
		flags &= (uint16_t) ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
	NETIF_SET_CHECKSUM_CTRL(&nd.netif, flags);
}

static bool for_us(const struct eth_hdr *h)
{
	return (h->dest.addr[0] & 1) != 0 || memcmp(h->dest.addr, nd.netif.hwaddr, 6) == 0;
}

/* As lwIP's ethernet_input, which cannot take the largest frames: their length with the Ethernet
 * header does not fit into 16 bits. */
static void deliver(struct pbuf *p, uint16_t type)
{
	switch (type) {
	case ETHTYPE_IP: (void)ip4_input(p, &nd.netif); return;
	case ETHTYPE_IPV6: (void)ip6_input(p, &nd.netif); return;
	case ETHTYPE_ARP: etharp_input(p, &nd.netif); return;
	default: pbuf_free(p); return;
	}
}

static void receive(const struct net_rx *rx)
{
	const struct rx_buf *b = rx->piece[0].token;
	const struct eth_hdr *h = (const struct eth_hdr *)(b->data + rx->skip);
	bool copied = better_copied(rx), broadcast;
	struct pbuf *p = NULL;
	uint16_t type;

	with_device -= rx->n;
	if (rx->piece[0].len > rx->skip + NET_ETH_HLEN && for_us(h) &&
	    (nd.netif.flags & NETIF_FLAG_UP))
		p = copied ? copy(rx) : wrap(rx);
	if (p == NULL) {
		nd.stats.rx_dropped++;
		give_back(rx);
		return;
	}
	type = lwip_ntohs(h->type);
	p->if_idx = netif_get_index(&nd.netif);
	if (h->dest.addr[0] & 1) {
		broadcast = (h->dest.addr[0] & h->dest.addr[1] & h->dest.addr[5]) == 0xff;
		p->flags |= broadcast ? PBUF_FLAG_LLBCAST : PBUF_FLAG_LLMCAST;
	}
	if (copied)
		give_back(rx);
	netdev_set_checksums((rx->o.flags & NET_CSUM_GOOD) != 0);
	deliver(p, type);
}

/* What is beyond the need at rest goes: the pool at once, of the device as it is used up. */
void netdev_rx_rest(void)
{
	target = TARGET_REST;
	(void)netdev_rx_reclaim();
}

unsigned netdev_receive(struct net_rx *rx)
{
	unsigned frames = 0, buffers = 0;

	do {
		buffers += rx->n;
		receive(rx);
		frames++;
	} while (frames < RX_BUDGET && nd.dev->ops->rx_take(nd.dev, 0, rx));
	/* Most of the stock in one go: the device should have more. */
	if (buffers >= target / 2 && target < nd.dev->rx_size)
		target = target * 2 < nd.dev->rx_size ? target * 2 : nd.dev->rx_size;
	return frames;
}
