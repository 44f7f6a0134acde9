/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_ROUTE: interfaces and addresses; routes are in netlink_fib.c. */
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "kernel/net/iface.h"
#include "kernel/net/netlink.h"
#include "kernel/net/netlink_route.h"
#include "kernel/task/task.h"

/* ---- interfaces ---- */

static void put_stats(struct nl_build *b, const struct iface_stats *s)
{
	struct rtnl_link_stats64 all = { .rx_packets = s->rx_packets,
					 .tx_packets = s->tx_packets,
					 .rx_bytes = s->rx_bytes,
					 .tx_bytes = s->tx_bytes,
					 .rx_errors = s->rx_errors,
					 .tx_errors = s->tx_errors,
					 .rx_dropped = s->rx_dropped,
					 .tx_dropped = s->tx_dropped,
					 .multicast = s->rx_multicast };
	struct rtnl_link_stats low = { .rx_packets = (uint32_t)s->rx_packets,
				       .tx_packets = (uint32_t)s->tx_packets,
				       .rx_bytes = (uint32_t)s->rx_bytes,
				       .tx_bytes = (uint32_t)s->tx_bytes,
				       .rx_errors = (uint32_t)s->rx_errors,
				       .tx_errors = (uint32_t)s->tx_errors,
				       .rx_dropped = (uint32_t)s->rx_dropped,
				       .tx_dropped = (uint32_t)s->tx_dropped,
				       .multicast = (uint32_t)s->rx_multicast };

	nl_attr(b, IFLA_STATS64, &all, sizeof(all));
	nl_attr(b, IFLA_STATS, &low, sizeof(low));
}

/* IF_OPER_*: the loop is never told. */
uint8_t iface_operstate(const struct iface *i)
{
	if (i->flags & IFF_LOOPBACK)
		return IF_OPER_UNKNOWN;
	return i->flags & IFF_LOWER_UP ? IF_OPER_UP : IF_OPER_DOWN;
}

static bool put_link(struct nl_build *b, uint16_t type, const struct iface *i)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	bool loop = (i->flags & IFF_LOOPBACK) != 0;
	struct ifinfomsg *h;
	uint32_t start;

	h = nl_message(b, type, sizeof(*h), &start);
	if (h == NULL)
		return nl_message_end(b, start);
	h->ifi_type = i->type;
	h->ifi_index = i->index;
	h->ifi_flags = i->flags;
	nl_attr_str(b, IFLA_IFNAME, i->name);
	nl_attr_u32(b, IFLA_TXQLEN, i->tx_queue);
	nl_attr_u8(b, IFLA_OPERSTATE, iface_operstate(i));
	nl_attr_u8(b, IFLA_LINKMODE, 0);
	nl_attr_u32(b, IFLA_MTU, i->mtu);
	nl_attr_u32(b, IFLA_MIN_MTU, loop ? 0 : 68);
	nl_attr_u32(b, IFLA_MAX_MTU, loop ? 0 : 65535);
	nl_attr_u32(b, IFLA_GROUP, 0);
	nl_attr_u32(b, IFLA_PROMISCUITY, 0);
	nl_attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
	nl_attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
	nl_attr_u8(b, IFLA_CARRIER, (i->flags & IFF_LOWER_UP) != 0);
	nl_attr_str(b, IFLA_QDISC, "noqueue");
	nl_attr_u32(b, IFLA_CARRIER_CHANGES, 0);
	nl_attr(b, IFLA_ADDRESS, i->mac, i->mac_len);
	nl_attr(b, IFLA_BROADCAST, loop ? i->mac : broadcast, i->mac_len);
	put_stats(b, &i->stats);
	return nl_message_end(b, start);
}

static bool dump_links(struct nl_dump *d, struct nl_build *b)
{
	struct iface i;

	while (iface_next((int)d->at[0], &i)) {
		if (!put_link(b, RTM_NEWLINK, &i))
			return false;
		d->at[0] = (uint64_t)i.index;
	}
	return true;
}

static err_t link_named(struct nl_request *r, struct iface *out)
{
	const struct ifinfomsg *h = (const struct ifinfomsg *)(const void *)r->payload;
	char name[IFNAMSIZ] = "";
	const char *given;
	uint32_t n;
	int index;

	if (r->len < sizeof(*h))
		return E_INVAL;
	index = h->ifi_index;
	given = nl_find_attr(r, sizeof(*h), IFLA_IFNAME, &n);
	if (index == 0 && given == NULL)
		given = nl_find_attr(r, sizeof(*h), IFLA_ALT_IFNAME, &n);
	if (index == 0) {
		if (given == NULL)
			return E_INVAL;
		memcpy(name, given, n < IFNAMSIZ ? n : IFNAMSIZ - 1);
		index = iface_index(name);
	}
	return index > 0 && iface_get(index, out) ? OK : E_NODEV;
}

static err_t get_link(struct nl_request *r)
{
	struct nl_build b;
	struct iface i;

	TRY(link_named(r, &i));
	TRY(nl_build_init(&b, NL_CHUNK, r));
	(void)put_link(&b, RTM_NEWLINK, &i);
	return nl_answer(r->from, &b);
}

void nl_route_link_changed(int index)
{
	struct nl_build b;
	struct iface i;

	if (!iface_get(index, &i) || nl_build_init(&b, NL_CHUNK, NULL) != OK)
		return;
	if (put_link(&b, RTM_NEWLINK, &i))
		nl_broadcast(NETLINK_ROUTE, RTNLGRP_LINK, b.buf, b.len);
	nl_build_end(&b);
}

static err_t set_link(struct nl_request *r)
{
	const struct ifinfomsg *h = (const struct ifinfomsg *)(const void *)r->payload;
	const uint32_t *mtu;
	struct iface i;
	uint32_t n;
	err_t err;

	err = link_named(r, &i);
	if (err == E_NODEV && r->h->nlmsg_type == RTM_NEWLINK &&
	    (r->h->nlmsg_flags & NLM_F_CREATE)) {
		r->why = "Interfaces cannot be made";
		return E_OPNOTSUPP;
	}
	TRY(err);
	if (r->h->nlmsg_flags & NLM_F_EXCL)
		return E_EXIST;
	mtu = nl_find_attr(r, sizeof(*h), IFLA_MTU, &n);
	if (mtu != NULL && n >= sizeof(*mtu))
		TRY(iface_set_mtu(i.index, *mtu));
	if ((h->ifi_change & IFF_UP) || (h->ifi_change == 0 && h->ifi_flags != 0))
		TRY(iface_set_up(i.index, (h->ifi_flags & IFF_UP) != 0));
	return OK;
}

/* ---- addresses ---- */

static uint32_t addr_size(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static bool put_addr(struct nl_build *b, uint16_t type, const struct iface_addr *a)
{
	struct ifa_cacheinfo cache = { .ifa_valid = a->valid_s, .ifa_prefered = a->preferred_s };
	char name[IFNAMSIZ];
	struct ifaddrmsg *h;
	uint32_t start;

	h = nl_message(b, type, sizeof(*h), &start);
	if (h == NULL)
		return nl_message_end(b, start);
	*h = (struct ifaddrmsg){ .ifa_family = a->family,
				 .ifa_prefixlen = a->prefix,
				 .ifa_flags = a->flags,
				 .ifa_scope = a->scope,
				 .ifa_index = (uint32_t)a->index };
	nl_attr(b, IFA_ADDRESS, a->addr, addr_size(a->family));
	if (a->family == AF_INET) {
		nl_attr(b, IFA_LOCAL, a->addr, 4);
		if (memcmp(a->broadcast, "\0\0\0\0", 4) != 0)
			nl_attr(b, IFA_BROADCAST, a->broadcast, 4);
		if (iface_name(a->index, name))
			nl_attr_str(b, IFA_LABEL, name);
	}
	nl_attr_u32(b, IFA_FLAGS, a->flags);
	nl_attr(b, IFA_CACHEINFO, &cache, sizeof(cache));
	return nl_message_end(b, start);
}

static bool dump_addrs(struct nl_dump *d, struct nl_build *b)
{
	const struct ifaddrmsg *want = (const struct ifaddrmsg *)(const void *)d->request;
	bool strict = nl_option(d->sock, NETLINK_GET_STRICT_CHK);
	struct iface_addr a;

	for (; iface_addr_at((unsigned)d->at[0], &a); d->at[0]++) {
		if (want->ifa_family != AF_UNSPEC && want->ifa_family != a.family)
			continue;
		if (strict && want->ifa_index != 0 && want->ifa_index != (uint32_t)a.index)
			continue;
		if (!put_addr(b, RTM_NEWADDR, &a))
			return false;
	}
	return true;
}

static void tell_addr(uint16_t type, const struct iface_addr *a)
{
	struct nl_build b;

	if (nl_build_init(&b, 256, NULL) != OK)
		return;
	if (put_addr(&b, type, a))
		nl_broadcast(NETLINK_ROUTE,
			     a->family == AF_INET ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR,
			     b.buf, b.len);
	nl_build_end(&b);
}

void nl_route_addr_changed(const struct iface_addr *a, bool gone)
{
	tell_addr(gone ? RTM_DELADDR : RTM_NEWADDR, a);
}

static err_t addr_asked(struct nl_request *r, struct iface_addr *a)
{
	const struct ifaddrmsg *h = (const struct ifaddrmsg *)(const void *)r->payload;
	const void *at;
	uint32_t n, size;

	if (r->len < sizeof(*h))
		return E_INVAL;
	*a = (struct iface_addr){ .index = (int)h->ifa_index,
				  .family = h->ifa_family,
				  .prefix = h->ifa_prefixlen,
				  .scope = h->ifa_scope,
				  .valid_s = UINT32_MAX,
				  .preferred_s = UINT32_MAX };
	if (a->family != AF_INET && a->family != AF_INET6)
		return E_OPNOTSUPP;
	size = addr_size(a->family);
	at = nl_find_attr(r, sizeof(*h), IFA_LOCAL, &n);
	if (at == NULL)
		at = nl_find_attr(r, sizeof(*h), IFA_ADDRESS, &n);
	if (at == NULL || n < size || a->prefix > size * 8)
		return E_INVAL;
	memcpy(a->addr, at, size);
	return OK;
}

static err_t change_addr(struct nl_request *r)
{
	bool add = r->h->nlmsg_type == RTM_NEWADDR;
	struct iface_addr a;

	TRY(addr_asked(r, &a));
	return add ? iface_addr_add(&a) : iface_addr_del(&a);
}

/* ---- all ---- */

static err_t dump(struct nl_request *r)
{
	switch (r->h->nlmsg_type) {
	case RTM_GETLINK: return nl_dump_start(r, dump_links);
	case RTM_GETADDR: return nl_dump_start(r, dump_addrs);
	case RTM_GETROUTE: return nl_dump_start(r, nl_dump_routes);
	case RTM_GETNEIGH: return nl_dump_start(r, nl_dump_neighs);
	default: return E_OPNOTSUPP;
	}
}

err_t nl_route_receive(struct nl_request *r)
{
	uint16_t type = r->h->nlmsg_type;
	bool get = (type & 3) == 2;

	if (type > RTM_MAX)
		return E_OPNOTSUPP;
	if (r->len < sizeof(struct rtgenmsg))
		return OK;
	if (!get && !task_capable(CAP_NET_ADMIN))
		return E_PERM;
	if (get && (r->h->nlmsg_flags & NLM_F_DUMP))
		return dump(r);
	switch (type) {
	case RTM_GETLINK: return get_link(r);
	case RTM_NEWLINK:
	case RTM_SETLINK: return set_link(r);
	case RTM_NEWADDR:
	case RTM_DELADDR: return change_addr(r);
	case RTM_GETROUTE: return nl_get_route(r);
	case RTM_NEWROUTE:
	case RTM_DELROUTE: return nl_change_route(r);
	default: return E_OPNOTSUPP;
	}
}
