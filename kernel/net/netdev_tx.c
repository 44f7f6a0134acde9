/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames to send. The device reads the pbufs where they lie; a reference is held until it is done,
 * and lwIP leaves a segment alone as long as somebody has one. When the device is full, frames wait
 * in a line; when that is full, too, lwIP is told and keeps TCP's segments for later.
 */
#include "kernel/core/core.h"
#include "kernel/net/local.h"
#include "kernel/net/netdev_local.h"

#define LINE_MAX 1024u

/* Offset of the checksum in a TCP header. */
#define TCP_CSUM_OFFSET    16u
#define IP4_MORE_OR_OFFSET 0x3fffu

struct waiting {
	struct pbuf *p;
	uint16_t seg_size;
};
static struct waiting line[LINE_MAX];
static unsigned line_first, line_len;
static bool bell; /* the device has not been told of all frames */

/* ---- what the device is asked to do ---- */

/* One's complement sum of 16-bit words in the order of the wire, folded. */
static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t add_words(const void *data, unsigned words)
{
	const uint16_t *w = data;
	uint64_t sum = 0;

	for (unsigned i = 0; i < words; i++)
		sum += w[i];
	return sum;
}

/* TCP, whose header begins at `off` and whose length with data is `len`: the device sums all up,
 * beginning with what the pseudo-header gave; and cuts it if it is too long for one packet. */
static void offload_tcp(uint8_t *frame, uint32_t off, uint32_t len, uint64_t addresses, bool ip6,
			uint16_t seg_size, struct net_offload *o)
{
	struct tcp_hdr *tcp = (struct tcp_hdr *)(frame + off);

	if ((nd.dev->features & NET_TX_CSUM) == 0)
		return;
	tcp->chksum = fold(addresses + lwip_htons(IP_PROTO_TCP) + lwip_htons((uint16_t)len));
	o->flags = NET_CSUM_PARTIAL;
	o->csum_start = (uint16_t)off;
	o->csum_offset = TCP_CSUM_OFFSET;
	if (off - NET_ETH_HLEN + len <= nd.netif.mtu)
		return;
	o->flags |= ip6 ? NET_TSO6 : NET_TSO4;
	o->seg_size = seg_size;
	o->hdr_len = (uint8_t)(off + TCPH_HDRLEN_BYTES(tcp));
}

/* Headers are in the first pbuf: lwIP makes them so. */
static void find_offload(struct pbuf *p, uint16_t seg_size, struct net_offload *o)
{
	uint8_t *frame = p->payload;
	const struct eth_hdr *eth = p->payload;
	const struct ip_hdr *ip4 = (const struct ip_hdr *)(frame + NET_ETH_HLEN);
	const struct ip6_hdr *ip6 = (const struct ip6_hdr *)(frame + NET_ETH_HLEN);
	uint32_t off;

	*o = (struct net_offload){ 0 };
	if (eth->type == PP_HTONS(ETHTYPE_IP)) {
		off = NET_ETH_HLEN + IPH_HL_BYTES(ip4);
		if (p->len >= off + TCP_HLEN && IPH_PROTO(ip4) == IP_PROTO_TCP &&
		    (lwip_ntohs(IPH_OFFSET(ip4)) & IP4_MORE_OR_OFFSET) == 0)
			offload_tcp(frame, off, p->tot_len - off, add_words(&ip4->src, 4), false,
				    seg_size, o);
	} else if (eth->type == PP_HTONS(ETHTYPE_IPV6)) {
		off = NET_ETH_HLEN + IP6_HLEN;
		if (p->len >= off + TCP_HLEN && IP6H_NEXTH(ip6) == IP6_NEXTH_TCP)
			offload_tcp(frame, off, p->tot_len - off, add_words(&ip6->src, 16), true,
				    seg_size, o);
	}
}

/* ---- where it lies ---- */

/* The device can read it there: in the direct map or the window of the image. Not so constants of
 * the kernel. */
static bool reachable(const void *data)
{
	uint64_t at = (uint64_t)data;

	return (at >= DM_BASE && at < IMAGE_BASE) ||
	       at - (uint64_t)boot_info.image_va < boot_info.image_len;
}

static unsigned pieces_of(const struct pbuf *p, struct net_piece *piece)
{
	unsigned n = 0;

	for (; p != NULL; p = p->next) {
		if (p->len == 0)
			continue;
		if (n == NET_PIECES_MAX || !reachable(p->payload))
			return 0;
		piece[n++] = (struct net_piece){ p->payload, p->len };
	}
	return n;
}

static uint32_t headroom_of(const struct pbuf *p)
{
	if ((p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS) == 0 || p->len == 0)
		return 0;
	return (uint32_t)((uint8_t *)p->payload - (uint8_t *)(p + 1));
}

static err_t post(struct pbuf *p, uint16_t seg_size)
{
	static struct net_piece piece[NET_PIECES_MAX];
	struct net_tx t = { .piece = piece, .headroom = headroom_of(p), .token = p };

	t.n = pieces_of(p, piece);
	find_offload(p, seg_size, &t.o);
	TRY(nd.dev->ops->tx(nd.dev, 0, &t));
	bell = true;
	return OK;
}

/* ---- the line ---- */

bool netdev_tx_waits(void)
{
	return line_len > 0;
}

static bool line_up(struct pbuf *p, uint16_t seg_size)
{
	if (line_len == LINE_MAX)
		return false;
	line[(line_first + line_len++) % LINE_MAX] = (struct waiting){ p, seg_size };
	nd.stats.tx_queued++;
	return true;
}

static struct pbuf *line_pop(void)
{
	struct pbuf *p = line[line_first].p;

	line_first = (line_first + 1) % LINE_MAX;
	line_len--;
	return p;
}

static void send_waiting(void)
{
	while (line_len > 0) {
		err_t err = post(line[line_first].p, line[line_first].seg_size);

		if (err == E_NOSPC)
			return;
		if (err != OK) {
			nd.stats.tx_dropped++;
			pbuf_free(line_pop());
			continue;
		}
		(void)line_pop();
	}
}

void netdev_tx_clear(void)
{
	while (line_len > 0)
		pbuf_free(line_pop());
	bell = false;
}

static unsigned free_done(void)
{
	struct pbuf *p;
	unsigned n = 0;

	while ((p = nd.dev->ops->tx_done(nd.dev, 0)) != NULL) {
		pbuf_free(p);
		n++;
	}
	return n;
}

void netdev_reap(void)
{
	if (!nd.running)
		return;
	(void)free_done();
	if (line_len > 0)
		send_waiting();
}

void netdev_tx_drop(void *token)
{
	pbuf_free(token);
}

/* ---- lwIP's side ---- */

/* p, with a reference of ours; in one piece if the device cannot take it as it is. NULL: no
 * memory. */
static struct pbuf *hold(struct pbuf *p)
{
	unsigned n = 0;
	bool odd = false;

	for (const struct pbuf *q = p; q != NULL; q = q->next, n++)
		odd |= q->len > 0 && !reachable(q->payload);
	if (n > NET_PIECES_MAX || odd)
		return pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	pbuf_ref(p);
	return p;
}

lwip_err_t netdev_linkoutput(struct netif *n, struct pbuf *p)
{
	uint16_t seg_size = net_gso_mss;
	err_t err = E_NOSPC;

	(void)n;
	if (!nd.running)
		return ERR_IF;
	if (p->tot_len < NET_ETH_HLEN)
		return ERR_ARG;
	p = hold(p);
	if (p == NULL)
		return ERR_MEM;
	if (line_len == 0)
		err = post(p, seg_size);
	if (err == E_NOSPC) {
		netdev_reap();
		err = line_len == 0 ? post(p, seg_size) : E_NOSPC;
	}
	if (err == OK || (err == E_NOSPC && line_up(p, seg_size)))
		return ERR_OK;
	nd.stats.tx_dropped++;
	pbuf_free(p);
	return ERR_MEM;
}

static void ring_bell(void)
{
	bell = false;
	if (nd.running)
		nd.dev->ops->flush(nd.dev, 0);
}

void netdev_tx_init(void)
{
	net_add_flusher(ring_bell, &bell);
}
