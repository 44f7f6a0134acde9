/* SPDX-License-Identifier: BSD-2-Clause */
/* Message sockets over IP: the way of what they send. */
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/net/dgram.h"
#include "kernel/net/iface.h"
#include "kernel/task/task.h"

#define SOL_UDP 17

/* ---- control data ---- */

static err_t number(const void *data, size_t n, int min, int max, int *out)
{
	int v;

	if (n != sizeof(v))
		return E_INVAL;
	memcpy(&v, data, sizeof(v));
	if (v < min || v > max)
		return E_INVAL;
	*out = v;
	return OK;
}

static err_t source4(struct inet_control *c, const void *data, size_t n)
{
	struct in_pktinfo info;

	if (n != sizeof(info))
		return E_INVAL;
	memcpy(&info, data, sizeof(info));
	c->ifindex = info.ipi_ifindex;
	c->family = info.ipi_spec_dst.s_addr != 0 ? AF_INET : 0;
	memcpy(c->src, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
	return OK;
}

static err_t source6(struct inet_control *c, const void *data, size_t n)
{
	static const struct in6_addr any;
	struct in6_pktinfo info;

	if (n < sizeof(info))
		return E_INVAL;
	memcpy(&info, data, sizeof(info));
	c->ifindex = (int)info.ipi6_ifindex;
	c->family = memcmp(&info.ipi6_addr, &any, sizeof(any)) != 0 ? AF_INET6 : 0;
	memcpy(c->src, &info.ipi6_addr, sizeof(info.ipi6_addr));
	return OK;
}

static err_t control4(struct inet_control *c, int type, const void *data, size_t n)
{
	uint8_t byte;

	switch (type) {
	case IP_PKTINFO: return source4(c, data, n);
	case IP_TTL: return number(data, n, 1, 255, &c->ttl);
	case IP_TOS:
		if (n == sizeof(byte)) {
			memcpy(&byte, data, sizeof(byte));
			c->tos = byte;
			return OK;
		}
		return number(data, n, 0, 255, &c->tos);
	default: return E_INVAL;
	}
}

static err_t control6(struct inet_control *c, int type, const void *data, size_t n)
{
	int ignored;

	switch (type) {
	case IPV6_PKTINFO:
	case IPV6_2292PKTINFO: return source6(c, data, n);
	case IPV6_HOPLIMIT:
	case IPV6_2292HOPLIMIT: return number(data, n, -1, 255, &c->ttl);
	case IPV6_TCLASS: return number(data, n, -1, 255, &c->tos);
	case IPV6_DONTFRAG: return number(data, n, 0, 1, &ignored);
	default: return E_INVAL;
	}
}

err_t dgram_control(struct socket *s, struct sock_msg *m, int level, int type, const void *data,
		    size_t n)
{
	uint16_t size;

	if (level == SOL_UDP && s->protocol == IPPROTO_UDP) {
		if (type != UDP_SEGMENT || n != sizeof(size))
			return E_INVAL;
		memcpy(&size, data, sizeof(size));
		m->inet.segment = size;
		return OK;
	}
	if (level == SOL_IP)
		return control4(&m->inet, type, data, n);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return control6(&m->inet, type, data, n);
	return OK;
}

/* ---- where to ---- */

err_t dgram_destination(struct dgram_sock *d, const struct sock_msg *m, ip_addr_t *ip,
			uint16_t *port)
{
	int family = d->i.s.family;

	if (m->name.len == 0 || (family == AF_INET6 && m->name.len >= sizeof(m->name.family) &&
				 m->name.family == AF_UNSPEC)) {
		*ip = d->i.remote;
		*port = d->i.remote_port;
		return d->connected ? OK : E_DESTADDRREQ;
	}
	if (family == AF_INET6 && m->name.len >= sizeof(m->name.family) &&
	    m->name.family == AF_INET)
		family = AF_INET;
	TRY(inet_addr_in(family, &m->name, ip, port));
	if (d->i.s.family == AF_INET6 && d->i.v6only && IP_IS_V4(ip))
		return E_NETUNREACH;
	return OK;
}

/* "Any address" as a destination is ourselves. */
static void any_is_us(const struct dgram_sock *d, ip_addr_t *dst)
{
	if (!ip_addr_isany(dst))
		return;
	if (IP_IS_V4(dst) && IP_IS_V4_VAL(d->i.local) && !ip_addr_isany_val(d->i.local))
		*dst = d->i.local;
	else
		ip_addr_set_loopback(IP_IS_V6(dst), dst);
}

static bool has_source(const ip_addr_t *a, bool v6)
{
	return !IP_IS_ANY_TYPE_VAL(*a) && (bool)IP_IS_V6(a) == v6 && !ip_addr_isany(a);
}

/* The address to send from, as far as the program says. */
static void asked_source(const struct dgram_sock *d, const struct inet_control *c, bool v6,
			 ip_addr_t *src)
{
	ip_addr_set_zero(src);
	IP_SET_TYPE(src, v6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
	if (c != NULL && c->family == AF_INET && !v6) {
		uint32_t a;

		memcpy(&a, c->src, sizeof(a));
		ip_addr_set_ip4_u32(src, a);
	} else if (c != NULL && c->family == AF_INET6) {
		uint32_t low[4];

		memcpy(low, c->src, sizeof(low));
		if (v6)
			memcpy(ip_2_ip6(src)->addr, low, sizeof(low));
		else
			ip_addr_set_ip4_u32(src, low[3]); /* a mapped one */
	} else if (has_source(&d->i.local, v6) && !ip_addr_ismulticast(&d->i.local)) {
		*src = d->i.local;
	}
}

static int asked_interface(const struct dgram_sock *d, const struct inet_control *c,
			   const ip_addr_t *dst)
{
	if (d->i.s.bound_if != 0)
		return d->i.s.bound_if;
	if (c != NULL && c->ifindex != 0)
		return c->ifindex;
	if (IP_IS_V6(dst) && ip6_addr_has_zone(ip_2_ip6(dst)))
		return ip6_addr_zone(ip_2_ip6(dst));
	if (!ip_addr_ismulticast(dst))
		return 0;
	return IP_IS_V6(dst) ? d->mc_if6 : d->mc_if;
}

static struct netif *interface_with(const ip4_addr_t *a)
{
	struct netif *n;

	NETIF_FOREACH(n)
	{
		if (ip4_addr_cmp(netif_ip4_addr(n), a))
			return n;
	}
	return NULL;
}

static err_t find_interface(const struct dgram_sock *d, const struct inet_control *c,
			    struct dgram_way *w)
{
	int index = asked_interface(d, c, &w->dst);

	if (IP_IS_V6_VAL(w->dst) && ip6_addr_lacks_zone(ip_2_ip6(&w->dst), IP6_UNKNOWN)) {
		if (index == 0 || index > (int)UINT8_MAX)
			return ip_addr_ismulticast(&w->dst) ? E_NETUNREACH : E_INVAL;
		ip6_addr_set_zone(ip_2_ip6(&w->dst), (u8_t)index);
	}
	if (index != 0) {
		w->netif = index > (int)UINT8_MAX ? NULL : netif_get_by_index((u8_t)index);
		if (w->netif == NULL)
			return E_NODEV;
	} else if (IP_IS_V4_VAL(w->dst) && ip_addr_ismulticast(&w->dst) &&
		   !ip4_addr_isany_val(d->mc_source)) {
		w->netif = interface_with(&d->mc_source);
	} else if (IP_IS_V4_VAL(w->dst) && ip_addr_ismulticast(&w->dst) &&
		   has_source(&w->src, false)) {
		w->netif = interface_with(ip_2_ip4(&w->src));
	} else {
		w->netif = ip_route(&w->src, &w->dst);
	}
	if (w->netif == NULL || !netif_is_up(w->netif))
		return E_NETUNREACH;
	/* There is no route for groups of IPv6 on the loop, as on Linux. */
	if (w->netif == &net_loopback && IP_IS_V6_VAL(w->dst) && ip_addr_ismulticast(&w->dst))
		return E_NETUNREACH;
	/* What is for ourselves never leaves. */
	if (w->netif != &net_loopback && !ip_addr_ismulticast(&w->dst) &&
	    inet_addr_is_ours(&w->dst))
		w->netif = &net_loopback;
	return OK;
}

static err_t find_source(struct dgram_way *w)
{
	const ip_addr_t *best;

	if (!ip_addr_isany_val(w->src))
		return OK;
	if (w->netif == &net_loopback && !ip_addr_ismulticast(&w->dst)) {
		if (IP_IS_V4_VAL(w->dst) && ip4_addr_isloopback(ip_2_ip4(&w->dst)))
			ip_addr_set_loopback_val(false, w->src);
		else
			w->src = w->dst;
		return OK;
	}
	if (IP_IS_V4_VAL(w->dst)) {
		ip_addr_copy_from_ip4(w->src, *netif_ip4_addr(w->netif));
		return OK;
	}
	best = ip6_select_source_address(w->netif, ip_2_ip6(&w->dst));
	if (best == NULL)
		return E_ADDRNOTAVAIL;
	w->src = *best;
	return OK;
}

/* The loop has a broadcast address, too, though lwIP knows of none. */
static bool is_broadcast(const ip4_addr_t *a, const struct netif *n)
{
	return ip4_addr_isbroadcast(a, n) ||
	       (n == &net_loopback && ip4_addr_get_u32(a) == PP_HTONL(0x7fffffff));
}

static uint8_t chosen(int asked, uint8_t own)
{
	return asked >= 0 ? (uint8_t)asked : own;
}

err_t dgram_find_way(struct dgram_sock *d, const ip_addr_t *dst, const struct inet_control *c,
		     struct dgram_way *w)
{
	bool group, v6 = IP_IS_V6(dst);

	*w = (struct dgram_way){ .dst = *dst };
	any_is_us(d, &w->dst);
	asked_source(d, c, v6, &w->src);
	if (c != NULL && c->family != 0 && !ip_addr_isany_val(w->src) && !d->i.freebind &&
	    !inet_addr_is_ours(&w->src))
		return v6 ? E_INVAL : E_NETUNREACH;
	TRY(find_interface(d, c, w));
	if (!v6 && is_broadcast(ip_2_ip4(&w->dst), w->netif) &&
	    !socket_option(&d->i.s, SO_BROADCAST))
		return E_ACCES;
	group = ip_addr_ismulticast(&w->dst);
	w->ttl = chosen(c != NULL ? c->ttl : -1, !group ? d->i.ttl : v6 ? d->mc_hops : d->mc_ttl);
	w->tos = chosen(c != NULL ? c->tos : -1, v6 ? d->i.tclass : d->i.tos);
	w->loop = group && w->netif != &net_loopback && (v6 ? d->mc_loop6 : d->mc_loop);
	return find_source(w);
}

/* ---- out ---- */

/* The only copy of what is sent. */
err_t dgram_packet(struct sock_msg *m, uint16_t len, struct pbuf **out)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, len, PBUF_RAM);
	err_t err;

	if (p == NULL)
		return E_NOBUFS;
	err = uio_in(&m->data, p->payload, len, NULL);
	if (err != OK) {
		pbuf_free(p);
		return err;
	}
	*out = p;
	return OK;
}

/* Members of the group on this machine get a copy, as if it came in. */
static void loop_back(const struct pbuf *p, struct netif *n, bool v6)
{
	struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, (struct pbuf *)p);

	if (copy != NULL && (v6 ? ip6_input(copy, n) : ip4_input(copy, n)) != ERR_OK)
		pbuf_free(copy);
}

static bool too_long(const struct dgram_sock *d, const struct pbuf *p, const struct dgram_way *w)
{
	bool v6 = IP_IS_V6_VAL(w->dst);
	uint8_t pmtu = v6 ? d->i.pmtu6 : d->i.pmtu;
	unsigned mtu = w->netif->mtu - (v6 ? IP6_HLEN : IP_HLEN);

	return (pmtu == IP_PMTUDISC_DO || pmtu == IP_PMTUDISC_PROBE ||
		(v6 && dgram_ip6_bit(d, IPV6_DONTFRAG))) &&
	       p->tot_len > mtu;
}

err_t dgram_output(struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w,
		   uint8_t protocol)
{
	bool v6 = IP_IS_V6_VAL(w->dst);
	lwip_err_t err;

	if (too_long(d, p, w)) {
		struct sock_extended_err ee = { .ee_errno = -(int)E_MSGSIZE,
						.ee_origin = SO_EE_ORIGIN_LOCAL,
						.ee_info = w->netif->mtu };

		dgram_error(d, &ee, false, &w->dst, &w->dst, 0, p, 0);
		pbuf_free(p);
		return E_MSGSIZE;
	}
	if (v6)
		err = ip6_output_if_src(p, ip_2_ip6(&w->src), ip_2_ip6(&w->dst), w->ttl, w->tos,
					protocol, w->netif);
	else
		err = ip4_output_if_src(p, ip_2_ip4(&w->src), ip_2_ip4(&w->dst), w->ttl, w->tos,
					protocol, w->netif);
	if (err == ERR_OK && w->loop)
		loop_back(p, w->netif, v6);
	pbuf_free(p);
	/* A full device loses packets, which is not the program's to know. */
	if (err == ERR_MEM || err == ERR_BUF)
		return dgram_ip_bit(d, IP_RECVERR) ? E_NOBUFS : OK;
	return inet_error(err);
}

/* ---- connections ---- */

err_t dgram_connect_to(struct dgram_sock *d, const ip_addr_t *ip, uint16_t port)
{
	struct dgram_way w;

	TRY(dgram_find_way(d, ip, NULL, &w));
	if (IP_IS_ANY_TYPE_VAL(d->i.local) || ip_addr_isany_val(d->i.local)) {
		d->i.local = w.src;
		d->i.bind.ip = w.src;
	}
	d->i.remote = w.dst;
	d->i.remote_port = port;
	d->connected = true;
	return OK;
}

void dgram_disconnect(struct dgram_sock *d)
{
	d->connected = false;
	d->i.remote_port = 0;
	if (d->i.s.family == AF_INET)
		ip_addr_set_zero_ip4(&d->i.remote);
	else
		ip_addr_set_zero_ip6(&d->i.remote);
	if (d->bound_addr)
		return;
	if (d->i.s.family == AF_INET)
		ip_addr_set_zero_ip4(&d->i.local);
	else if (d->i.v6only)
		ip_addr_set_zero_ip6(&d->i.local);
	else
		d->i.local = ip_addr_any_type;
	d->i.bind.ip = d->i.local;
}
