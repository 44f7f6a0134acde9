/* SPDX-License-Identifier: BSD-2-Clause */
/* NETLINK_ROUTE: what its files share, and what the stack tells it. */
#pragma once

#include "kernel/net/iface.h"

struct nl_build;
struct nl_dump;
struct nl_request;

/* For the groups of NETLINK_ROUTE: something is different now. */
void nl_route_link_changed(int index);
void nl_route_addr_changed(const struct iface_addr *a, bool gone);

/* IF_OPER_*, as IFLA_OPERSTATE and /sys/class/net show it. */
uint8_t iface_operstate(const struct iface *i);

/* netlink_fib.c: routes and neighbours */
bool nl_dump_routes(struct nl_dump *d, struct nl_build *b);
bool nl_dump_neighs(struct nl_dump *d, struct nl_build *b);
err_t nl_get_route(struct nl_request *r) MUST_CHECK;
err_t nl_change_route(struct nl_request *r) MUST_CHECK;
