/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours that do not answer: whoever sent something to them is told by an ICMP message from
 * ourselves, as Linux does it. lwIP's timers of ARP and neighbour discovery give up the packets
 * that waited for an address by freeing them; in those files, pbuf_free() is net_give_up()
 * (module.mk).
 */
#include <linux/icmpv6.h>

#include "kernel/net/local.h"
#include "kernel/net/netdev.h"

#define ICMP_LEN     8u /* of its header */
#define QUOTE4       548u
#define QUOTE6       1232u
#define ND_FIRST     133u /* ICMPv6 messages of neighbour discovery */
#define ND_LAST      137u
#define ADDR_UNREACH 3

static bool timers_run; /* what is freed now has not been sent */

/* An ICMP message with the beginning of p in it; the checksum is still 0. NULL: no memory. */
static struct pbuf *quote(struct pbuf *p, uint8_t type, uint8_t code, unsigned max)
{
	u16_t len = (u16_t)LWIP_MIN(p->tot_len, max);
	struct pbuf *q = pbuf_alloc(PBUF_IP, (u16_t)(ICMP_LEN + len), PBUF_RAM);
	struct icmp_echo_hdr *h;

	if (q == NULL)
		return NULL;
	h = q->payload;
	memset(h, 0, ICMP_LEN);
	h->type = type;
	h->code = code;
	pbuf_copy_partial(p, (char *)q->payload + ICMP_LEN, len, 0);
	return q;
}

static void tell4(struct pbuf *p, const struct ip_hdr *ip)
{
	ip4_addr_t us;
	struct pbuf *q;

	ip4_addr_copy(us, ip->src);
	/* About errors, groups and later fragments nobody is told. */
	if (ip4_addr_isany_val(us) || (lwip_ntohs(IPH_OFFSET(ip)) & IP_OFFMASK) != 0 ||
	    IPH_PROTO(ip) == IP_PROTO_IGMP || net_route4(NULL, &us) != &net_loopback)
		return;
	if (IPH_PROTO(ip) == IP_PROTO_ICMP && pbuf_try_get_at(p, IPH_HL_BYTES(ip)) != ICMP_ECHO)
		return;
	q = quote(p, ICMP_DUR, ICMP_DUR_HOST, QUOTE4);
	if (q == NULL)
		return;
	((struct icmp_echo_hdr *)q->payload)->chksum = inet_chksum(q->payload, q->len);
	(void)!ip4_output_if(q, &us, &us, IP_DEFAULT_TTL, 0, IP_PROTO_ICMP, &net_loopback);
	pbuf_free(q);
}

static void tell6(struct pbuf *p, const struct ip6_hdr *ip)
{
	ip6_addr_t us;
	struct pbuf *q;
	int type = pbuf_try_get_at(p, IP6_HLEN);

	ip6_addr_copy_from_packed(us, ip->src);
	if (ip6_addr_isany(&us) || ip6_addr_islinklocal(&us))
		return;
	if (IP6H_NEXTH(ip) == IP6_NEXTH_ICMP6 &&
	    (type < ICMPV6_ECHO_REQUEST || (type >= (int)ND_FIRST && type <= (int)ND_LAST)))
		return;
	q = quote(p, ICMPV6_DEST_UNREACH, ADDR_UNREACH, QUOTE6);
	if (q == NULL)
		return;
	((struct icmp_echo_hdr *)q->payload)->chksum = ip6_chksum_pseudo(q, IP6_NEXTH_ICMP6,
									 q->tot_len, &us, &us);
	(void)!ip6_output_if(q, &us, &us, IP_DEFAULT_TTL, 0, IP6_NEXTH_ICMP6, &net_loopback);
	pbuf_free(q);
}

/* Frames that lwIP made itself go through here, too: their first byte is no version of IP. */
u8_t net_give_up(struct pbuf *p)
{
	const struct ip_hdr *h = p->payload;

	if (timers_run && p->len >= IP6_HLEN && IPH_V(h) == 6)
		tell6(p, p->payload);
	else if (timers_run && p->len >= IP_HLEN && IPH_V(h) == 4)
		tell4(p, h);
	return pbuf_free(p);
}

void net_neighbour_timers(void)
{
	timers_run = true;
	etharp_tmr();
	nd6_tmr();
	timers_run = false;
}
