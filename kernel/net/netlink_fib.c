/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_ROUTE: routes and neighbours. */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "kernel/net/netlink.h"
#include "kernel/net/netlink_route.h"
#include "kernel/task/task.h"

#define RTCF_LOCAL (1u << 31) /* <linux/in_route.h> */

static uint32_t size_of(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

static struct rtmsg *route_header(struct nl_build *b, const struct iface_route *r, uint32_t *start)
{
	struct rtmsg *h = nl_message(b, RTM_NEWROUTE, sizeof(*h), start);

	if (h != NULL)
		*h = (struct rtmsg){ .rtm_family = r->family,
				     .rtm_dst_len = r->prefix,
				     .rtm_table = r->table,
				     .rtm_protocol = r->protocol,
				     .rtm_scope = r->scope,
				     .rtm_type = r->type };
	return h;
}

static void route_attrs(struct nl_build *b, const struct iface_route *r)
{
	uint32_t size = size_of(r->family);

	nl_attr_u32(b, RTA_TABLE, r->table);
	if (r->prefix > 0)
		nl_attr(b, RTA_DST, r->dst, size);
	if (r->metric > 0)
		nl_attr_u32(b, RTA_PRIORITY, r->metric);
	if (r->source)
		nl_attr(b, RTA_PREFSRC, r->prefsrc, size);
	if (r->via)
		nl_attr(b, RTA_GATEWAY, r->gateway, size);
	nl_attr_u32(b, RTA_OIF, (uint32_t)r->index);
}

static bool put_route(struct nl_build *b, const struct iface_route *r)
{
	struct rta_cacheinfo cache = { 0 };
	uint32_t start;

	if (route_header(b, r, &start) == NULL)
		return nl_message_end(b, start);
	route_attrs(b, r);
	if (r->family == AF_INET6) {
		nl_attr(b, RTA_CACHEINFO, &cache, sizeof(cache));
		nl_attr_u8(b, RTA_PREF, 0);
	}
	return nl_message_end(b, start);
}

bool nl_dump_routes(struct nl_dump *d, struct nl_build *b)
{
	const struct rtmsg *want = (const struct rtmsg *)(const void *)d->request;
	bool strict = nl_option(d->sock, NETLINK_GET_STRICT_CHK);
	struct iface_route r;

	for (; iface_route_at((unsigned)d->at[0], &r); d->at[0]++) {
		if (want->rtm_family != AF_UNSPEC && want->rtm_family != r.family)
			continue;
		if (strict && want->rtm_table != RT_TABLE_UNSPEC && want->rtm_table != r.table)
			continue;
		if (!put_route(b, &r))
			return false;
	}
	return true;
}

/* The route to one address, as `ip route get` asks for it. */
err_t nl_get_route(struct nl_request *req)
{
	const struct rtmsg *want = (const struct rtmsg *)(const void *)req->payload;
	struct rta_cacheinfo cache = { 0 };
	struct iface_route r;
	struct nl_build b;
	struct rtmsg *h;
	const void *dst;
	uint32_t n = 0, start;

	if (req->len < sizeof(*want))
		return E_INVAL;
	if (want->rtm_family != AF_INET && want->rtm_family != AF_INET6)
		return E_OPNOTSUPP;
	dst = nl_find_attr(req, sizeof(*want), RTA_DST, &n);
	if (dst == NULL || n < size_of(want->rtm_family))
		return E_INVAL;
	TRY(iface_route_to(want->rtm_family, dst, &r));
	memcpy(r.dst, dst, size_of(r.family));
	r.prefix = (uint8_t)(size_of(r.family) * 8);
	r.scope = RT_SCOPE_UNIVERSE;
	if (r.family == AF_INET) {
		r.protocol = RTPROT_UNSPEC;
		r.table = RT_TABLE_MAIN;
	}
	TRY(nl_build_init(&b, 512, req));
	h = route_header(&b, &r, &start);
	if (h != NULL) {
		if (r.family == AF_INET)
			h->rtm_flags = RTM_F_CLONED | (r.type == RTN_LOCAL ? RTCF_LOCAL : 0);
		route_attrs(&b, &r);
		nl_attr_u32(&b, RTA_UID, current_task->cred.uid);
		nl_attr(&b, RTA_CACHEINFO, &cache, sizeof(cache));
	}
	(void)nl_message_end(&b, start);
	return nl_answer(req->from, &b);
}

/* Default routes only: the others follow from the addresses. */
err_t nl_change_route(struct nl_request *req)
{
	const struct rtmsg *h = (const struct rtmsg *)(const void *)req->payload;
	bool add = req->h->nlmsg_type == RTM_NEWROUTE;
	const uint32_t *oif;
	const void *gw;
	uint32_t n, n_gw = 0;

	if (req->len < sizeof(*h))
		return E_INVAL;
	if (h->rtm_family != AF_INET && h->rtm_family != AF_INET6)
		return E_OPNOTSUPP;
	oif = nl_find_attr(req, sizeof(*h), RTA_OIF, &n);
	if (oif != NULL && n < sizeof(*oif))
		return E_INVAL;
	gw = nl_find_attr(req, sizeof(*h), RTA_GATEWAY, &n_gw);
	if (h->rtm_dst_len != 0 || (add && (gw == NULL || n_gw < size_of(h->rtm_family)))) {
		req->why = "Only a default route through a gateway can be set";
		return E_OPNOTSUPP;
	}
	return iface_gateway_set(h->rtm_family, oif != NULL ? (int)*oif : 0, gw, !add);
}

/* ---- neighbours ---- */

static bool put_neigh(struct nl_build *b, const struct iface_neigh *n)
{
	struct ndmsg *h;
	uint32_t start;

	h = nl_message(b, RTM_NEWNEIGH, sizeof(*h), &start);
	if (h == NULL)
		return nl_message_end(b, start);
	*h = (struct ndmsg){ .ndm_family = n->family,
			     .ndm_ifindex = n->index,
			     .ndm_state = n->state,
			     .ndm_type = RTN_UNICAST };
	nl_attr(b, NDA_DST, n->addr, size_of(n->family));
	if (n->state != NUD_INCOMPLETE)
		nl_attr(b, NDA_LLADDR, n->mac, sizeof(n->mac));
	return nl_message_end(b, start);
}

bool nl_dump_neighs(struct nl_dump *d, struct nl_build *b)
{
	const struct ndmsg *want = (const struct ndmsg *)(const void *)d->request;
	struct iface_neigh n;

	for (; iface_neigh_at((unsigned)d->at[0], &n); d->at[0]++)
		if ((want->ndm_family == AF_UNSPEC || want->ndm_family == n.family) &&
		    !put_neigh(b, &n))
			return false;
	return true;
}
