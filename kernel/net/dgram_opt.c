/* SPDX-License-Identifier: BSD-2-Clause */
/* Message sockets over IP: options, and membership in groups. */
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/dgram.h"

#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
#define SOL_RAW            255
#define SOL_ICMPV6         58
#define ICMP_FILTER        1
#define ICMPV6_FILTER      1
#define SEGMENT_MAX        65535
#define GROUPS_MAX         20u /* net.ipv4.igmp_max_memberships */

/* The level of UDP's own options; -1: it is no UDP socket. */
static int udp_level(const struct dgram_sock *d)
{
	return dgram_is_ping(d) || d->i.s.type == SOCK_RAW ? -1 : d->i.s.protocol;
}

/* ---- groups ---- */

static struct list dgram_groups = LIST_INIT(dgram_groups); /* of all sockets */

static struct netif *interface_of(int index, const ip4_addr_t *address, const ip_addr_t *group)
{
	static const ip_addr_t none;
	struct netif *n;

	if (index != 0)
		return index > 0 && index <= (int)UINT8_MAX ? netif_get_by_index((u8_t)index)
							    : NULL;
	if (address == NULL || ip4_addr_isany(address))
		return IP_IS_V6(group) ? netif_default : ip_route(&none, group);
	NETIF_FOREACH(n)
	{
		if (ip4_addr_cmp(netif_ip4_addr(n), address))
			return n;
	}
	return NULL;
}

static bool same(const struct dgram_group *g, const ip_addr_t *group, int ifindex)
{
	return g->ifindex == ifindex && ip_addr_cmp_zoneless(&g->group, group);
}

static struct dgram_group **find(struct dgram_sock *d, const ip_addr_t *group, int ifindex)
{
	struct dgram_group **at = &d->groups;

	while (*at != NULL && !same(*at, group, ifindex))
		at = &(*at)->next;
	return at;
}

/* lwIP counts members in a byte: it is told of the first and the last only. */
static unsigned members(const ip_addr_t *group, int ifindex)
{
	unsigned n = 0;

	LIST_FOR_EACH(pos, &dgram_groups)
		n += same(list_entry(pos, struct dgram_group, all), group, ifindex);
	return n;
}

/* 224.0.0.1 has everybody anyway, and lwIP refuses to be told. */
static bool everybody(const ip_addr_t *group)
{
	return IP_IS_V4(group) && ip4_addr_get_u32(ip_2_ip4(group)) == PP_HTONL(0xe0000001);
}

static lwip_err_t join_netif(struct netif *n, const ip_addr_t *group)
{
	if (everybody(group))
		return ERR_OK;
	return IP_IS_V6(group) ? mld6_joingroup_netif(n, ip_2_ip6(group))
			       : igmp_joingroup_netif(n, ip_2_ip4(group));
}

static void leave_netif(const struct dgram_group *g)
{
	struct netif *n = netif_get_by_index((u8_t)g->ifindex);

	if (n == NULL || everybody(&g->group) || members(&g->group, g->ifindex) > 0)
		return;
	if (IP_IS_V6_VAL(g->group))
		mld6_leavegroup_netif(n, ip_2_ip6(&g->group));
	else
		igmp_leavegroup_netif(n, ip_2_ip4(&g->group));
}

static unsigned count(const struct dgram_sock *d)
{
	unsigned n = 0;

	for (const struct dgram_group *g = d->groups; g != NULL; g = g->next)
		n++;
	return n;
}

static err_t join(struct dgram_sock *d, const ip_addr_t *group, struct netif *n)
{
	struct dgram_group *g;
	int ifindex;

	if (n == NULL)
		return E_NODEV;
	ifindex = netif_get_index(n);
	if (*find(d, group, ifindex) != NULL)
		return E_ADDRINUSE;
	if (count(d) >= GROUPS_MAX)
		return E_NOBUFS;
	g = kmem_zalloc(sizeof(*g));
	if (g == NULL)
		return E_NOBUFS;
	if (members(group, ifindex) == 0 && join_netif(n, group) != ERR_OK) {
		kmem_free(g);
		return E_NOBUFS;
	}
	g->group = *group;
	g->ifindex = ifindex;
	g->next = d->groups;
	d->groups = g;
	list_push_back(&dgram_groups, &g->all);
	return OK;
}

static void leave_at(struct dgram_group **at)
{
	struct dgram_group *g = *at;

	*at = g->next;
	list_remove(&g->all);
	leave_netif(g);
	kmem_free(g);
}

static err_t leave(struct dgram_sock *d, const ip_addr_t *group, const struct netif *n)
{
	struct dgram_group **at;

	if (n == NULL)
		return E_NODEV;
	at = find(d, group, netif_get_index(n));
	if (*at == NULL)
		return E_ADDRNOTAVAIL;
	leave_at(at);
	return OK;
}

void dgram_leave_all(struct dgram_sock *d)
{
	while (d->groups != NULL)
		leave_at(&d->groups);
}

bool dgram_wants_group(const struct dgram_sock *d, const ip_addr_t *group, int ifindex)
{
	for (const struct dgram_group *g = d->groups; g != NULL; g = g->next)
		if (same(g, group, ifindex))
			return true;
	return dgram_ip_bit(d, IP_MULTICAST_ALL);
}

static err_t membership(struct dgram_sock *d, const ip_addr_t *group, struct netif *n, bool add)
{
	err_t err;

	if (!ip_addr_ismulticast(group))
		return E_INVAL;
	net_enter();
	err = add ? join(d, group, n) : leave(d, group, n);
	net_leave();
	return err;
}

/* struct ip_mreqn, or what it begins with. */
static err_t request4(uaddr_t val, int len, struct ip_mreqn *r)
{
	*r = (struct ip_mreqn){ .imr_ifindex = 0 };
	if (len >= (int)sizeof(*r))
		return USER_IN(r, val);
	return len < (int)sizeof(struct ip_mreq) ? E_INVAL
						 : user_in(r, val, sizeof(struct ip_mreq));
}

static err_t membership4(struct dgram_sock *d, uaddr_t val, int len, bool add)
{
	struct ip_mreqn r;
	ip4_addr_t address;
	ip_addr_t group;

	TRY(request4(val, len, &r));
	ip_addr_set_ip4_u32_val(group, r.imr_multiaddr.s_addr);
	ip4_addr_set_u32(&address, r.imr_address.s_addr);
	return membership(d, &group, interface_of(r.imr_ifindex, &address, &group), add);
}

static err_t membership6(struct dgram_sock *d, uaddr_t val, int len, bool add)
{
	struct ipv6_mreq r;
	ip_addr_t group;
	struct netif *n;

	if (len < (int)sizeof(r))
		return E_INVAL;
	TRY(USER_IN(&r, val));
	ip_addr_set_zero_ip6(&group);
	memcpy(ip_2_ip6(&group)->addr, &r.ipv6mr_multiaddr, sizeof(r.ipv6mr_multiaddr));
	n = interface_of(r.ipv6mr_ifindex, NULL, &group);
	if (n != NULL && ip6_addr_lacks_zone(ip_2_ip6(&group), IP6_MULTICAST))
		ip6_addr_assign_zone(ip_2_ip6(&group), IP6_MULTICAST, n);
	return membership(d, &group, n, add);
}

/* Either family: MCAST_JOIN_GROUP. */
static err_t membership_any(struct dgram_sock *d, uaddr_t val, int len, bool add)
{
	struct group_req r;
	struct sock_addr a;
	ip_addr_t group;
	struct netif *n;
	uint16_t port;

	if (len < (int)sizeof(r))
		return E_INVAL;
	TRY(USER_IN(&r, val));
	a.len = sizeof(r.gr_group);
	memcpy(a.bytes, &r.gr_group, sizeof(r.gr_group));
	if (a.family != d->i.s.family)
		return E_ADDRNOTAVAIL;
	TRY(inet_addr_in(a.family, &a, &group, &port));
	n = interface_of((int)r.gr_interface, NULL, &group);
	if (n != NULL && IP_IS_V6_VAL(group) &&
	    ip6_addr_lacks_zone(ip_2_ip6(&group), IP6_MULTICAST))
		ip6_addr_assign_zone(ip_2_ip6(&group), IP6_MULTICAST, n);
	return membership(d, &group, n, add);
}

/* ---- where groups are sent to ---- */

static err_t mc_interface4(struct dgram_sock *d, uaddr_t val, int len)
{
	struct ip_mreqn r = { .imr_ifindex = 0 };
	ip_addr_t group;
	struct netif *n;

	if (len < (int)sizeof(struct in_addr))
		return E_INVAL;
	if (len < (int)sizeof(struct ip_mreq))
		TRY(USER_IN(&r.imr_address, val));
	else
		TRY(request4(val, len, &r));
	ip4_addr_set_u32(&d->mc_source, r.imr_address.s_addr);
	d->mc_if = 0;
	if (r.imr_ifindex == 0 && r.imr_address.s_addr == 0)
		return OK;
	ip_addr_set_zero_ip4(&group);
	n = interface_of(r.imr_ifindex, &d->mc_source, &group);
	if (n == NULL) {
		ip4_addr_set_zero(&d->mc_source);
		return E_ADDRNOTAVAIL;
	}
	d->mc_if = netif_get_index(n);
	return OK;
}

static err_t mc_interface6(struct dgram_sock *d, int index)
{
	if (index < 0 || index > (int)UINT8_MAX ||
	    (index != 0 && netif_get_by_index((u8_t)index) == NULL))
		return E_NODEV;
	d->mc_if6 = index;
	return OK;
}

/* ---- setting ---- */

static err_t hops(uint8_t *to, int value)
{
	if (value < -1 || value > 255)
		return E_INVAL;
	*to = value == -1 ? 1 : (uint8_t)value;
	return OK;
}

static err_t set4(struct dgram_sock *d, int opt, uaddr_t val, int len)
{
	int v;

	switch (opt) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP: return membership4(d, val, len, opt == IP_ADD_MEMBERSHIP);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP: return membership_any(d, val, len, opt == MCAST_JOIN_GROUP);
	case IP_MULTICAST_IF: return mc_interface4(d, val, len);
	case IP_MULTICAST_TTL: TRY(inet_option_int(val, len, &v)); return hops(&d->mc_ttl, v);
	case IP_MULTICAST_LOOP:
		TRY(inet_option_int(val, len, &v));
		d->mc_loop = v != 0;
		return OK;
	case IP_HDRINCL:
		if (d->i.s.type != SOCK_RAW)
			return E_NOPROTOOPT;
		TRY(inet_option_int(val, len, &v));
		d->header_included = v != 0;
		return OK;
	default: return inet_setsockopt(&d->i, SOL_IP, opt, val, len);
	}
}

static err_t checksum_set(struct dgram_sock *d, int v)
{
	if (d->i.s.type != SOCK_RAW)
		return E_NOPROTOOPT;
	if (d->i.s.protocol == IPPROTO_ICMPV6)
		return E_INVAL; /* the kernel's own affair (RFC 3542) */
	if (v > 0 && (v & 1))
		return E_INVAL;
	d->checksum_at = v < 0 ? -1 : v;
	return OK;
}

static err_t set6(struct dgram_sock *d, int opt, uaddr_t val, int len)
{
	int v;

	switch (opt) {
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP: return membership6(d, val, len, opt == IPV6_ADD_MEMBERSHIP);
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP: return membership_any(d, val, len, opt == MCAST_JOIN_GROUP);
	case IPV6_MULTICAST_IF: TRY(inet_option_int(val, len, &v)); return mc_interface6(d, v);
	case IPV6_MULTICAST_HOPS: TRY(inet_option_int(val, len, &v)); return hops(&d->mc_hops, v);
	case IPV6_MULTICAST_LOOP:
		TRY(inet_option_int(val, len, &v));
		if (v != 0 && v != 1)
			return E_INVAL;
		d->mc_loop6 = v != 0;
		return OK;
	case IPV6_CHECKSUM: TRY(inet_option_int(val, len, &v)); return checksum_set(d, v);
	default: return inet_setsockopt(&d->i, SOL_IPV6, opt, val, len);
	}
}

/* 0: all; at least the header. */
static err_t lite_coverage(const struct dgram_sock *d, uint16_t *to, int v)
{
	if (!dgram_is_lite(d))
		return E_NOPROTOOPT;
	if (v != 0 && v < 8)
		v = 8;
	*to = v > (int)UINT16_MAX ? UINT16_MAX : (uint16_t)v;
	return OK;
}

static err_t set_udp(struct dgram_sock *d, int opt, uaddr_t val, int len)
{
	int v;

	if (len < (int)sizeof(v))
		return E_INVAL;
	TRY(USER_IN(&v, val));
	switch (opt) {
	case UDPLITE_SEND_CSCOV: return lite_coverage(d, &d->coverage_out, v);
	case UDPLITE_RECV_CSCOV: return lite_coverage(d, &d->coverage_in, v);
	case UDP_CORK: d->cork = v != 0; return v == 0 ? udp_push(d) : OK;
	case UDP_NO_CHECK6_TX: d->no_check6_tx = v != 0; return OK;
	case UDP_NO_CHECK6_RX: d->no_check6_rx = v != 0; return OK;
	case UDP_GRO: d->gro = v != 0; return OK; /* datagrams are never joined, which is allowed */
	case UDP_SEGMENT:
		if (v < 0 || v > SEGMENT_MAX)
			return E_INVAL;
		d->segment = (unsigned)v;
		return OK;
	default: return E_NOPROTOOPT;
	}
}

static err_t filter_set(void *to, size_t size, uaddr_t val, int len)
{
	return user_in(to, val, (size_t)len < size ? (size_t)len : size);
}

err_t dgram_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len)
{
	struct dgram_sock *d = dgram_of(s);
	bool raw = s->type == SOCK_RAW;

	if (level == SOL_IP)
		return set4(d, opt, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return set6(d, opt, val, len);
	if (level == udp_level(d) && !raw)
		return set_udp(d, opt, val, len);
	if (level == SOL_RAW && raw && opt == ICMP_FILTER && s->family == AF_INET)
		return s->protocol == IPPROTO_ICMP
			       ? filter_set(&d->filter, sizeof(d->filter), val, len)
			       : E_OPNOTSUPP;
	if (level == SOL_ICMPV6 && raw && s->protocol == IPPROTO_ICMPV6 && opt == ICMPV6_FILTER)
		return filter_set(d->filter6, sizeof(d->filter6), val, len);
	return E_NOPROTOOPT;
}

/* ---- asking ---- */

static err_t number_out(uaddr_t val, uaddr_t len, int v)
{
	return socket_option_out(val, len, &v, sizeof(v));
}

static err_t get4(struct dgram_sock *d, int opt, uaddr_t val, uaddr_t len)
{
	uint8_t byte;

	switch (opt) {
	case IP_MULTICAST_TTL: byte = d->mc_ttl; break;
	case IP_MULTICAST_LOOP: byte = d->mc_loop; break;
	case IP_MULTICAST_IF:
		return socket_option_out(val, len, &d->mc_source, sizeof(d->mc_source));
	case IP_HDRINCL: return number_out(val, len, d->header_included);
	default: return inet_getsockopt(&d->i, SOL_IP, opt, val, len);
	}
	{
		int room;

		TRY(USER_IN(&room, len));
		if (room >= (int)sizeof(room))
			return number_out(val, len, byte);
	}
	return socket_option_out(val, len, &byte, sizeof(byte));
}

static err_t get6(struct dgram_sock *d, int opt, uaddr_t val, uaddr_t len)
{
	switch (opt) {
	case IPV6_MULTICAST_HOPS: return number_out(val, len, d->mc_hops);
	case IPV6_MULTICAST_LOOP: return number_out(val, len, d->mc_loop6);
	case IPV6_MULTICAST_IF: return number_out(val, len, d->mc_if6);
	case IPV6_CHECKSUM:
		return d->i.s.type == SOCK_RAW ? number_out(val, len, d->checksum_at)
					       : E_NOPROTOOPT;
	default: return inet_getsockopt(&d->i, SOL_IPV6, opt, val, len);
	}
}

static err_t get_udp(const struct dgram_sock *d, int opt, uaddr_t val, uaddr_t len)
{
	switch (opt) {
	case UDPLITE_SEND_CSCOV:
		return dgram_is_lite(d) ? number_out(val, len, d->coverage_out) : E_NOPROTOOPT;
	case UDPLITE_RECV_CSCOV:
		return dgram_is_lite(d) ? number_out(val, len, d->coverage_in) : E_NOPROTOOPT;
	case UDP_CORK: return number_out(val, len, d->cork);
	case UDP_NO_CHECK6_TX: return number_out(val, len, d->no_check6_tx);
	case UDP_NO_CHECK6_RX: return number_out(val, len, d->no_check6_rx);
	case UDP_SEGMENT: return number_out(val, len, (int)d->segment);
	case UDP_GRO: return number_out(val, len, d->gro);
	default: return E_NOPROTOOPT;
	}
}

err_t dgram_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len)
{
	struct dgram_sock *d = dgram_of(s);
	bool raw = s->type == SOCK_RAW;

	if (level == SOL_IP)
		return get4(d, opt, val, len);
	if (level == SOL_IPV6 && s->family == AF_INET6)
		return get6(d, opt, val, len);
	if (level == udp_level(d) && !raw)
		return get_udp(d, opt, val, len);
	if (level == SOL_RAW && raw && opt == ICMP_FILTER && s->protocol == IPPROTO_ICMP)
		return socket_option_out(val, len, &d->filter, sizeof(d->filter));
	if (level == SOL_ICMPV6 && raw && s->protocol == IPPROTO_ICMPV6 && opt == ICMPV6_FILTER)
		return socket_option_out(val, len, d->filter6, sizeof(d->filter6));
	return E_NOPROTOOPT;
}
