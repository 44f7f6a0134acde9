/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loopback: 127.0.0.1/8 and ::1, and what goes to other addresses of our own.
 *
 * A packet is not delivered while it is being sent, which would enter lwIP from within, but waits
 * in a queue until the bracket ends (net_leave). lwIP keeps what it sends for a retransmission, and
 * changes headers in place when it receives them: the receiver gets a copy of the headers, and
 * pbufs that point at the sender's data.
 */
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/local.h"

#define LOOP_MTU       65535
#define LOOP_QUEUE_MAX 1024u /* packets; more are lost, as on a wire */
#define HEADERS_MAX    128u  /* of IP and what is above it */

struct netif net_loopback;
struct net_loop_stats net_loop_stats;

struct loop_pbuf {
	struct pbuf_custom custom; /* first */
	struct pbuf *of;           /* referenced; the packet, not the part */
};

struct loop_packet {
	struct loop_packet *next;
	struct pbuf *p;
};
static struct loop_packet *queue, **queue_end = &queue;
static unsigned queued;

static void loop_pbuf_free(struct pbuf *p)
{
	struct loop_pbuf *l = (struct loop_pbuf *)p;

	pbuf_free(l->of);
	kmem_free(l);
}

/* A pbuf for data of `whole`. */
static struct pbuf *shadow(struct pbuf *whole, void *data, u16_t len)
{
	struct loop_pbuf *l = kmem_alloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	l->custom.custom_free_function = loop_pbuf_free;
	l->of = whole;
	pbuf_ref(whole);
	return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &l->custom, data, len);
}

/* What a packet is for its receiver; NULL: out of memory. */
static struct pbuf *packet_for_receiver(struct pbuf *whole)
{
	u16_t skip = whole->len < HEADERS_MAX ? whole->len : HEADERS_MAX;
	struct pbuf *first = pbuf_alloc(PBUF_RAW, skip, PBUF_RAM);

	if (first == NULL)
		return NULL;
	memcpy(first->payload, whole->payload, skip);
	for (struct pbuf *q = whole; q != NULL; q = q->next, skip = 0) {
		struct pbuf *s;

		if (q->len == skip)
			continue;
		s = shadow(whole, (char *)q->payload + skip, (u16_t)(q->len - skip));
		if (s == NULL) {
			pbuf_free(first);
			return NULL;
		}
		pbuf_cat(first, s);
	}
	return first;
}

static lwip_err_t loop_send(struct pbuf *p)
{
	struct loop_packet *k;

	if (queued >= LOOP_QUEUE_MAX) {
		net_loop_stats.dropped++;
		return ERR_OK; /* lost */
	}
	k = kmem_alloc(sizeof(*k));
	if (k == NULL)
		return ERR_MEM;
	k->p = packet_for_receiver(p);
	if (k->p == NULL) {
		kmem_free(k);
		return ERR_MEM;
	}
	k->next = NULL;
	*queue_end = k;
	queue_end = &k->next;
	queued++;
	net_loop_stats.packets++;
	net_loop_stats.bytes += p->tot_len;
	return ERR_OK;
}

static lwip_err_t loop_output4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	(void)n;
	(void)to;
	return loop_send(p);
}

static lwip_err_t loop_output6(struct netif *n, struct pbuf *p, const ip6_addr_t *to)
{
	(void)n;
	(void)to;
	return loop_send(p);
}

/*
 * All of 127/8 is ours, but lwIP takes only what is sent to the interface's one address: it gets
 * the address that is wanted.
 */
static void deliver(struct pbuf *p)
{
	const struct ip_hdr *h = p->payload;
	ip4_addr_t to;

	if (p->len < IP_HLEN || IPH_V(h) != 4) {
		net_input(&net_loopback, p);
		return;
	}
	ip4_addr_copy(to, h->dest);
	if (ip4_addr_isloopback(&to))
		ip_addr_copy_from_ip4(net_loopback.ip_addr, to);
	net_input(&net_loopback, p);
	ip_addr_set_loopback_val(false, net_loopback.ip_addr);
}

void net_loop_deliver(void)
{
	struct loop_packet *k;

	while ((k = queue) != NULL) {
		queue = k->next;
		if (queue == NULL)
			queue_end = &queue;
		queued--;
		deliver(k->p);
		kmem_free(k);
	}
}

static lwip_err_t loop_netif_init(struct netif *n)
{
	n->name[0] = 'l';
	n->name[1] = 'o';
	n->mtu = LOOP_MTU;
	n->output = loop_output4;
	n->output_ip6 = loop_output6;
	/* Nothing gets lost in memory; but programs look at what answers their pings. */
	NETIF_SET_CHECKSUM_CTRL(n, NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_GEN_ICMP6);
	/* Groups can be joined here, too. */
	n->flags |= NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	return ERR_OK;
}

void net_loop_init(void)
{
	ip4_addr_t ip, mask, none;

	IP4_ADDR(&ip, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	ip4_addr_set_any(&none);
	BUG_ON(netif_add(&net_loopback, &ip, &mask, &none, NULL, loop_netif_init, ip_input) ==
	       NULL);
	IP_ADDR6_HOST(&net_loopback.ip6_addr[0], 0, 0, 0, 1);
	net_loopback.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
	netif_set_link_up(&net_loopback);
	netif_set_up(&net_loopback);
}

/* ---- which way ---- */

static bool is_own4(const ip4_addr_t *a)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		if (ip4_addr_cmp(a, netif_ip4_addr(n)))
			return true;
	}
	return false;
}

static bool is_own6(const ip6_addr_t *a)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		if (netif_get_ip6_addr_match((struct netif *)n, a) >= 0)
			return true;
	}
	return false;
}

bool inet_addr_is_ours(const ip_addr_t *ip)
{
	if (IP_IS_V4(ip))
		return ip4_addr_isloopback(ip_2_ip4(ip)) || is_own4(ip_2_ip4(ip));
	return is_own6(ip_2_ip6(ip));
}

struct netif *net_route4(const ip4_addr_t *src, const ip4_addr_t *dst)
{
	(void)src;
	return dst != NULL && !ip4_addr_isany(dst) && is_own4(dst) ? &net_loopback : NULL;
}

struct netif *net_route6(const ip6_addr_t *src, const ip6_addr_t *dst)
{
	(void)src;
	return dst != NULL && !ip6_addr_isany(dst) && is_own6(dst) ? &net_loopback : NULL;
}
