/* SPDX-License-Identifier: BSD-2-Clause */
/* Where lwIP asks us (LWIP_HOOK_FILENAME). */
#pragma once

#include <lwip/ip_addr.h>
#include <lwip/netif.h>

/* RFC 6528: random, and growing with time for the same two ends. */
u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
		  u16_t remote_port);
#define LWIP_HOOK_TCP_ISN net_tcp_isn

/* Packets to our own addresses go over loopback. NULL: lwIP finds the way. */
struct netif *net_route4(const ip4_addr_t *src, const ip4_addr_t *dst);
struct netif *net_route6(const ip6_addr_t *src, const ip6_addr_t *dst);
#define LWIP_HOOK_IP6_ROUTE(src, dst) net_route6(src, dst)

/* The configured way out for IPv6 (netconf.h). */
const ip6_addr_t *net_gateway6(struct netif *n, const ip6_addr_t *dst);
#define LWIP_HOOK_ND6_GET_GW(netif, dst) net_gateway6(netif, dst)
