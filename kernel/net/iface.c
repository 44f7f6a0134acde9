/* SPDX-License-Identifier: BSD-2-Clause */
/* Network interfaces: lwIP's, as programs see them. */
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/net/iface.h"
#include "kernel/net/local.h"
#include "kernel/net/netdev.h"
#include "kernel/net/netlink.h"
#include "kernel/net/netlink_route.h"

#define err_t lwip_err_t
#include <lwip/priv/nd6_priv.h>
#undef err_t

#define MTU_LO     65536u /* lwIP's packets are one byte shorter */
#define METRIC_RA  1024u
#define LINK_LOCAL 64u

/* ---- interfaces ---- */

static struct netif *by_index(int index)
{
	return index > 0 && index <= (int)UINT8_MAX ? netif_get_by_index((u8_t)index) : NULL;
}

static bool is_loop(const struct netif *n)
{
	return n == &net_loopback;
}

static void name_of(const struct netif *n, char name[IFNAMSIZ])
{
	memset(name, 0, IFNAMSIZ);
	if (is_loop(n))
		memcpy(name, "lo", 2);
	else
		fmt_snprintf(name, IFNAMSIZ, "eth%u", netif_get_index(n) - IFACE_LO - 1u);
}

static void device_stats(struct iface_stats *out)
{
	const struct net_stats *d = &netdev_device()->stats;
	struct netdev_stats s;

	netdev_stats(&s);
	*out = (struct iface_stats){ .rx_packets = d->rx_frames,
				     .rx_bytes = d->rx_bytes,
				     .rx_errors = d->rx_bad,
				     .rx_dropped = s.rx_dropped,
				     .tx_packets = d->tx_frames,
				     .tx_bytes = d->tx_bytes,
				     .tx_dropped = s.tx_dropped };
}

static void stats_of(const struct netif *n, struct iface_stats *out)
{
	const struct stats_mib2_netif_ctrs *c = &n->mib2_counters;

	*out = (struct iface_stats){ .rx_packets = (uint64_t)c->ifinucastpkts + c->ifinnucastpkts,
				     .rx_bytes = c->ifinoctets,
				     .rx_errors = c->ifinerrors,
				     .rx_dropped = c->ifindiscards,
				     .rx_multicast = c->ifinnucastpkts,
				     .tx_packets = (uint64_t)c->ifoutucastpkts + c->ifoutnucastpkts,
				     .tx_bytes = c->ifoutoctets,
				     .tx_errors = c->ifouterrors,
				     .tx_dropped = c->ifoutdiscards };
	if (n == netdev_netif())
		device_stats(out);
	if (is_loop(n)) {
		out->rx_packets = out->tx_packets = net_loop_stats.packets;
		out->rx_bytes = out->tx_bytes = net_loop_stats.bytes;
		out->tx_dropped = net_loop_stats.dropped;
	}
}

static uint32_t flags_of(const struct netif *n)
{
	uint32_t flags = is_loop(n) ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;

	if (netif_is_up(n))
		flags |= IFF_UP;
	if (netif_is_up(n) && netif_is_link_up(n))
		flags |= IFF_RUNNING | IFF_LOWER_UP;
	return flags;
}

static void describe(const struct netif *n, struct iface *out)
{
	*out = (struct iface){ .index = netif_get_index(n),
			       .flags = flags_of(n),
			       .type = is_loop(n) ? ARPHRD_LOOPBACK : ARPHRD_ETHER,
			       .mac_len = 6,
			       .mtu = is_loop(n) ? MTU_LO : n->mtu,
			       .tx_queue = 1000 };
	name_of(n, out->name);
	if (!is_loop(n))
		memcpy(out->mac, n->hwaddr, sizeof(out->mac));
	stats_of(n, &out->stats);
}

bool iface_get(int index, struct iface *out)
{
	const struct netif *n = by_index(index);

	if (n != NULL)
		describe(n, out);
	return n != NULL;
}

bool iface_next(int after, struct iface *out)
{
	for (int i = after + 1; i > 0 && i <= (int)UINT8_MAX; i++)
		if (iface_get(i, out))
			return true;
	return false;
}

int iface_index(const char *name)
{
	char its[IFNAMSIZ];

	for (int i = 1; i <= (int)UINT8_MAX; i++)
		if (iface_name(i, its) && strcmp(its, name) == 0)
			return i;
	return 0;
}

bool iface_name(int index, char name[IFNAMSIZ])
{
	const struct netif *n = by_index(index);

	if (n != NULL)
		name_of(n, name);
	return n != NULL;
}

/* ---- addresses ---- */

static uint8_t prefix_of(const ip4_addr_t *mask)
{
	uint32_t not_mask = ~lwip_ntohl(ip4_addr_get_u32(mask));

	return not_mask == 0 ? 32 : (uint8_t)__builtin_clz(not_mask);
}

static uint8_t scope4(const struct netif *n)
{
	if (is_loop(n))
		return RT_SCOPE_HOST;
	return ip4_addr_islinklocal(netif_ip4_addr(n)) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/* Seconds that a lease has left; UINT32_MAX: there is none. */
static uint32_t lease_of(const struct netif *n)
{
	const struct dhcp *d = netif_dhcp_data(n);
	uint32_t used;

	if (d == NULL || !dhcp_supplied_address(n) || d->offered_t0_lease == UINT32_MAX)
		return UINT32_MAX;
	used = (uint32_t)d->lease_used * DHCP_COARSE_TIMER_SECS;
	return d->offered_t0_lease > used ? d->offered_t0_lease - used : 0;
}

static bool address4(const struct netif *n, struct iface_addr *out)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(n));
	uint32_t all = ip | ~ip4_addr_get_u32(netif_ip4_netmask(n));

	if (ip == 0)
		return false;
	*out = (struct iface_addr){ .index = netif_get_index(n),
				    .family = AF_INET,
				    .prefix = prefix_of(netif_ip4_netmask(n)),
				    .scope = scope4(n),
				    .valid_s = lease_of(n) };
	out->preferred_s = out->valid_s;
	out->flags = out->valid_s == UINT32_MAX ? IFA_F_PERMANENT : 0;
	memcpy(out->addr, &ip, sizeof(ip));
	if (!is_loop(n))
		memcpy(out->broadcast, &all, sizeof(all));
	return true;
}

static uint8_t flags6(uint8_t state, bool fixed)
{
	uint8_t flags = fixed ? IFA_F_PERMANENT : 0;

	if (ip6_addr_istentative(state))
		flags |= IFA_F_TENTATIVE;
	else if (!ip6_addr_ispreferred(state))
		flags |= IFA_F_DEPRECATED;
	return flags;
}

static bool address6(const struct netif *n, unsigned i, struct iface_addr *out)
{
	uint8_t state = netif_ip6_addr_state(n, i);
	const ip6_addr_t *ip = netif_ip6_addr(n, i);
	bool fixed = netif_ip6_addr_isstatic(n, i) || is_loop(n);

	if (!ip6_addr_isvalid(state) && !ip6_addr_istentative(state))
		return false;
	*out = (struct iface_addr){ .index = netif_get_index(n),
				    .family = AF_INET6,
				    .prefix = is_loop(n) ? 128 : LINK_LOCAL,
				    .scope = is_loop(n)                 ? RT_SCOPE_HOST
					     : ip6_addr_islinklocal(ip) ? RT_SCOPE_LINK
									: RT_SCOPE_UNIVERSE,
				    .flags = flags6(state, fixed),
				    .valid_s = UINT32_MAX,
				    .preferred_s = UINT32_MAX };
	if (!fixed) {
		out->valid_s = netif_ip6_addr_valid_life(n, i);
		out->preferred_s = netif_ip6_addr_pref_life(n, i);
	}
	memcpy(out->addr, ip->addr, sizeof(out->addr));
	return true;
}

static bool address_of(const struct netif *n, unsigned which, struct iface_addr *out)
{
	return which == 0 ? address4(n, out) : address6(n, which - 1, out);
}

bool iface_addr_at(unsigned want, struct iface_addr *out)
{
	for (int i = 1; i <= (int)UINT8_MAX; i++) {
		const struct netif *n = by_index(i);

		for (unsigned k = 0; n != NULL && k <= LWIP_IPV6_NUM_ADDRESSES; k++)
			if (address_of(n, k, out) && want-- == 0)
				return true;
	}
	return false;
}

/* ---- routes ---- */

/* A list that is made again for each of its entries: it is short. */
struct pick {
	unsigned left;
	bool found;
	struct iface_route *out;
};

static void offer(struct pick *p, const struct iface_route *r)
{
	if (!p->found && p->left-- == 0) {
		*p->out = *r;
		p->found = true;
	}
}

static struct iface_route route4(const struct netif *n, uint32_t dst, uint8_t prefix, uint8_t type,
				 uint8_t scope)
{
	struct iface_route r = { .index = netif_get_index(n),
				 .family = AF_INET,
				 .prefix = prefix,
				 .type = type,
				 .scope = scope,
				 .table = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
				 .protocol = RTPROT_KERNEL,
				 .source = true };

	memcpy(r.dst, &dst, sizeof(dst));
	memcpy(r.prefsrc, netif_ip4_addr(n), sizeof(dst));
	return r;
}

static struct iface_route default4(const struct netif *n)
{
	struct iface_route r = route4(n, 0, 0, RTN_UNICAST, RT_SCOPE_UNIVERSE);

	r.via = true;
	r.source = false;
	r.protocol = dhcp_supplied_address(n) ? RTPROT_DHCP : RTPROT_BOOT;
	memcpy(r.gateway, netif_ip4_gw(n), sizeof(uint32_t));
	return r;
}

static void routes4(const struct netif *n, struct pick *p)
{
	uint32_t ip = ip4_addr_get_u32(netif_ip4_addr(n));
	uint32_t mask = ip4_addr_get_u32(netif_ip4_netmask(n));
	uint8_t prefix = prefix_of(netif_ip4_netmask(n));
	struct iface_route r;

	if (ip == 0)
		return;
	if (n == netif_default && !ip4_addr_isany(netif_ip4_gw(n))) {
		r = default4(n);
		offer(p, &r);
	}
	if (!is_loop(n)) {
		r = route4(n, ip & mask, prefix, RTN_UNICAST, RT_SCOPE_LINK);
		offer(p, &r);
	} else {
		r = route4(n, ip & mask, prefix, RTN_LOCAL, RT_SCOPE_HOST);
		offer(p, &r);
	}
	r = route4(n, ip, 32, RTN_LOCAL, RT_SCOPE_HOST);
	offer(p, &r);
	if (prefix < 31) {
		r = route4(n, ip | ~mask, 32, RTN_BROADCAST, RT_SCOPE_LINK);
		offer(p, &r);
	}
}

static struct iface_route route6(const struct netif *n, const uint8_t *dst, uint8_t prefix,
				 uint8_t type)
{
	struct iface_route r = { .index = netif_get_index(n),
				 .family = AF_INET6,
				 .prefix = prefix,
				 .type = type,
				 .scope = RT_SCOPE_UNIVERSE,
				 .table = type == RTN_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
				 .protocol = RTPROT_KERNEL,
				 .metric = type == RTN_LOCAL ? 0 : 256 };

	memcpy(r.dst, dst, prefix / 8);
	return r;
}

static void routes6(const struct netif *n, struct pick *p)
{
	struct iface_addr a;
	struct iface_route r;

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (!address6(n, i, &a))
			continue;
		if (a.prefix < 128) {
			r = route6(n, a.addr, a.prefix, RTN_UNICAST);
			offer(p, &r);
		}
		r = route6(n, a.addr, 128, RTN_LOCAL);
		offer(p, &r);
	}
}

/* What routers told of themselves. */
static void default_routes6(struct pick *p)
{
	static const uint8_t any[16];

	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
		const struct nd6_neighbor_cache_entry *e = default_router_list[i].neighbor_entry;
		struct iface_route r;

		if (e == NULL || e->netif == NULL)
			continue;
		r = route6(e->netif, any, 0, RTN_UNICAST);
		r.via = true;
		r.protocol = RTPROT_RA;
		r.metric = METRIC_RA;
		memcpy(r.gateway, e->next_hop_address.addr, sizeof(r.gateway));
		offer(p, &r);
	}
}

bool iface_route_at(unsigned want, struct iface_route *out)
{
	struct pick p = { .left = want, .out = out };
	const struct netif *n;

	/* The default route first, as Linux sorts them by length of their prefix. */
	NETIF_FOREACH(n)
	{
		routes4(n, &p);
	}
	default_routes6(&p);
	NETIF_FOREACH(n)
	{
		routes6(n, &p);
	}
	return p.found;
}

static err_t route_to4(const uint8_t *dst, struct iface_route *out)
{
	const struct netif *n;
	ip_addr_t ip;
	uint32_t a;

	memcpy(&a, dst, sizeof(a));
	ip_addr_set_ip4_u32_val(ip, a);
	if (inet_addr_is_ours(&ip)) {
		*out = route4(&net_loopback, a, 32, RTN_LOCAL, RT_SCOPE_HOST);
		memcpy(out->prefsrc, &a, sizeof(a));
		return OK;
	}
	n = ip4_route(ip_2_ip4(&ip));
	if (n == NULL)
		return E_NETUNREACH;
	*out = route4(n, a, 32, RTN_UNICAST, RT_SCOPE_UNIVERSE);
	if (!ip4_addr_netcmp(ip_2_ip4(&ip), netif_ip4_addr(n), netif_ip4_netmask(n))) {
		if (ip4_addr_isany(netif_ip4_gw(n)))
			return E_NETUNREACH;
		out->via = true;
		memcpy(out->gateway, netif_ip4_gw(n), sizeof(a));
	}
	return OK;
}

static err_t route_to6(const uint8_t *dst, struct iface_route *out)
{
	const ip_addr_t *src;
	struct netif *n;
	ip_addr_t ip;

	ip_addr_set_zero_ip6(&ip);
	memcpy(ip_2_ip6(&ip)->addr, dst, sizeof(ip_2_ip6(&ip)->addr));
	n = inet_addr_is_ours(&ip) ? &net_loopback : ip6_route(IP6_ADDR_ANY6, ip_2_ip6(&ip));
	if (n == NULL)
		return E_NETUNREACH;
	*out = route6(n, dst, 128, is_loop(n) ? RTN_LOCAL : RTN_UNICAST);
	src = is_loop(n) ? &ip : ip6_select_source_address(n, ip_2_ip6(&ip));
	out->source = src != NULL;
	if (src != NULL)
		memcpy(out->prefsrc, ip_2_ip6(src)->addr, sizeof(out->prefsrc));
	return OK;
}

err_t iface_route_to(uint8_t family, const uint8_t *dst, struct iface_route *out)
{
	return family == AF_INET ? route_to4(dst, out) : route_to6(dst, out);
}

/* ---- neighbours ---- */

static bool neigh4(unsigned i, struct iface_neigh *out)
{
	struct eth_addr *mac;
	struct netif *n;
	ip4_addr_t *ip;

	if (!etharp_get_entry(i, &ip, &n, &mac) || n == NULL)
		return false;
	*out = (struct iface_neigh){ .index = netif_get_index(n),
				     .family = AF_INET,
				     .state = NUD_REACHABLE };
	memcpy(out->addr, ip, sizeof(*ip));
	memcpy(out->mac, mac->addr, sizeof(out->mac));
	return true;
}

static bool neigh6(unsigned i, struct iface_neigh *out)
{
	const struct nd6_neighbor_cache_entry *e = &neighbor_cache[i];
	static const uint16_t state[] = { [ND6_INCOMPLETE] = NUD_INCOMPLETE,
					  [ND6_REACHABLE] = NUD_REACHABLE,
					  [ND6_STALE] = NUD_STALE,
					  [ND6_DELAY] = NUD_DELAY,
					  [ND6_PROBE] = NUD_PROBE };

	if (e->state == ND6_NO_ENTRY || e->netif == NULL)
		return false;
	*out = (struct iface_neigh){ .index = netif_get_index(e->netif),
				     .family = AF_INET6,
				     .state = state[e->state] };
	memcpy(out->addr, e->next_hop_address.addr, sizeof(out->addr));
	memcpy(out->mac, e->lladdr, sizeof(out->mac));
	return true;
}

bool iface_neigh_at(unsigned want, struct iface_neigh *out)
{
	for (unsigned i = 0; i < ARP_TABLE_SIZE; i++)
		if (neigh4(i, out) && want-- == 0)
			return true;
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		if (neigh6(i, out) && want-- == 0)
			return true;
	return false;
}

/* ---- changes ---- */

err_t iface_set_up(int index, bool up)
{
	struct netif *n = by_index(index);

	if (n == NULL)
		return E_NODEV;
	net_enter();
	if (up)
		netif_set_up(n);
	else
		netif_set_down(n);
	net_leave();
	return OK;
}

err_t iface_set_mtu(int index, uint32_t mtu)
{
	struct netif *n = by_index(index);

	if (n == NULL)
		return E_NODEV;
	if (is_loop(n) || mtu > n->mtu) /* what the device was started with is the most */
		return mtu == n->mtu ? OK : E_INVAL;
	if (mtu < 576)
		return E_INVAL;
	n->mtu = (u16_t)mtu;
	return OK;
}

static err_t add4(struct netif *n, const struct iface_addr *a)
{
	ip4_addr_t ip, mask;

	memcpy(&ip, a->addr, sizeof(ip));
	ip4_addr_set_u32(&mask, a->prefix == 0 ? 0 : lwip_htonl(UINT32_MAX << (32 - a->prefix)));
	if (ip4_addr_cmp(&ip, netif_ip4_addr(n)))
		return E_EXIST;
	if (!ip4_addr_isany(netif_ip4_addr(n)))
		return E_NOBUFS; /* there is room for one */
	netif_set_addr(n, &ip, &mask, netif_ip4_gw(n));
	return OK;
}

static err_t add6(struct netif *n, const struct iface_addr *a)
{
	ip6_addr_t ip = { .zone = 0 };
	s8_t at;

	memcpy(ip.addr, a->addr, sizeof(ip.addr));
	if (ip6_addr_lacks_zone(&ip, IP6_UNICAST))
		ip6_addr_assign_zone(&ip, IP6_UNICAST, n);
	if (netif_get_ip6_addr_match(n, &ip) >= 0)
		return E_EXIST;
	if (netif_add_ip6_address(n, &ip, &at) != ERR_OK)
		return E_NOBUFS;
	netif_ip6_addr_set_state(n, at, IP6_ADDR_PREFERRED);
	return OK;
}

err_t iface_addr_add(const struct iface_addr *a)
{
	struct netif *n = by_index(a->index);
	err_t err;

	if (n == NULL)
		return E_NODEV;
	net_enter();
	err = a->family == AF_INET ? add4(n, a) : add6(n, a);
	net_leave();
	return err;
}

static err_t del4(struct netif *n, const struct iface_addr *a)
{
	if (memcmp(a->addr, netif_ip4_addr(n), 4) != 0)
		return E_ADDRNOTAVAIL;
	netif_set_addr(n, NULL, NULL, NULL);
	return OK;
}

static err_t del6(struct netif *n, const struct iface_addr *a)
{
	for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isinvalid(netif_ip6_addr_state(n, i)) ||
		    memcmp(netif_ip6_addr(n, i)->addr, a->addr, sizeof(a->addr)) != 0)
			continue;
		netif_ip6_addr_set_state(n, i, IP6_ADDR_INVALID);
		return OK;
	}
	return E_ADDRNOTAVAIL;
}

err_t iface_addr_del(const struct iface_addr *a)
{
	struct netif *n = by_index(a->index);
	err_t err;

	if (n == NULL)
		return E_NODEV;
	if (is_loop(n))
		return E_OPNOTSUPP; /* everything counts on these */
	net_enter();
	err = a->family == AF_INET ? del4(n, a) : del6(n, a);
	net_leave();
	return err;
}

/* The interface that reaches a gateway directly. */
static struct netif *reaches(const ip4_addr_t *gw)
{
	struct netif *n;

	NETIF_FOREACH(n)
	{
		if (!is_loop(n) && !ip4_addr_isany(netif_ip4_addr(n)) &&
		    ip4_addr_netcmp(gw, netif_ip4_addr(n), netif_ip4_netmask(n)))
			return n;
	}
	return NULL;
}

static err_t set_gateway(struct netif *n, const ip4_addr_t *gw)
{
	if (n == NULL || !ip4_addr_netcmp(gw, netif_ip4_addr(n), netif_ip4_netmask(n)))
		return E_NETUNREACH;
	if (n == netif_default && !ip4_addr_isany(netif_ip4_gw(n)))
		return E_EXIST;
	netif_set_gw(n, gw);
	netif_set_default(n);
	return OK;
}

static err_t clear_gateway(struct netif *n, const ip4_addr_t *gw)
{
	if (n == NULL || ip4_addr_isany(netif_ip4_gw(n)) ||
	    (gw != NULL && !ip4_addr_cmp(gw, netif_ip4_gw(n))))
		return E_SRCH;
	netif_set_gw(n, IP4_ADDR_ANY4);
	return OK;
}

err_t iface_gateway_set(uint8_t family, int index, const uint8_t *gateway, bool remove)
{
	struct netif *n = by_index(index);
	ip4_addr_t gw;
	err_t err;

	if (family != AF_INET)
		return E_OPNOTSUPP; /* routers tell of themselves */
	if (index != 0 && n == NULL)
		return E_NODEV;
	if (gateway != NULL)
		memcpy(&gw, gateway, sizeof(gw));
	if (n == NULL)
		n = gateway != NULL ? reaches(&gw) : netif_default;
	net_enter();
	err = remove ? clear_gateway(n, gateway != NULL ? &gw : NULL) : set_gateway(n, &gw);
	net_leave();
	return err;
}

/* ---- telling of changes ---- */

static void tell4(struct netif *n, const ip_addr_t *old)
{
	struct iface_addr a;

	if (old != NULL && !ip_addr_isany(old)) {
		a = (struct iface_addr){ .index = netif_get_index(n),
					 .family = AF_INET,
					 .prefix = prefix_of(netif_ip4_netmask(n)) };
		memcpy(a.addr, ip_2_ip4(old), sizeof(ip4_addr_t));
		nl_route_addr_changed(&a, true);
	}
	if (address4(n, &a))
		nl_route_addr_changed(&a, false);
}

static void changed(struct netif *n, netif_nsc_reason_t why, const netif_ext_callback_args_t *args)
{
	struct iface_addr a;

	if (!nl_in_use())
		return;
	if (why & (LWIP_NSC_LINK_CHANGED | LWIP_NSC_STATUS_CHANGED | LWIP_NSC_NETIF_ADDED))
		nl_route_link_changed(netif_get_index(n));
	if (why & LWIP_NSC_IPV4_ADDRESS_CHANGED)
		tell4(n, args->ipv4_changed.old_address);
	if ((why & LWIP_NSC_IPV6_ADDR_STATE_CHANGED) &&
	    address6(n, (unsigned)args->ipv6_addr_state_changed.addr_index, &a))
		nl_route_addr_changed(&a, false);
}

void iface_init(void)
{
	static netif_ext_callback_t callback;

	netif_add_ext_callback(&callback, changed);
}
