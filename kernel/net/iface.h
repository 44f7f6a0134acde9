/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network interfaces as programs see them: numbers and names of Linux (1 lo, 2 eth0), whatever the
 * stack below calls them. What is asked here is copied out; nothing stays referenced.
 */
#pragma once

#include "abi/err.h"
#include "abi/types.h"

#define IFACE_LO 1

/* As <linux/if.h>, which wants a C library. */
#define IFNAMSIZ        16
#define IFF_UP          0x1u
#define IFF_BROADCAST   0x2u
#define IFF_LOOPBACK    0x8u
#define IFF_RUNNING     0x40u
#define IFF_NOARP       0x80u
#define IFF_MULTICAST   0x1000u
#define IFF_LOWER_UP    0x10000u
#define ARPHRD_ETHER    1
#define ARPHRD_LOOPBACK 772
#define IF_OPER_UNKNOWN 0
#define IF_OPER_DOWN    2
#define IF_OPER_UP      6

struct iface_stats {
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped, rx_multicast;
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct iface {
	int index; /* from 1 */
	char name[IFNAMSIZ];
	uint32_t flags;  /* IFF_* */
	uint16_t type;   /* ARPHRD_* */
	uint8_t mac_len; /* 6 */
	uint8_t mac[6];
	uint32_t mtu, tx_queue;
	struct iface_stats stats;
};

struct iface_addr {
	int index;      /* of the interface */
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t prefix; /* bits */
	uint8_t scope;  /* RT_SCOPE_* */
	uint8_t flags;  /* IFA_F_* */
	uint8_t addr[16];
	uint8_t broadcast[4];          /* AF_INET; all zero: none */
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};

struct iface_route {
	int index;
	/* RT_SCOPE_, RTN_, RT_TABLE_, RTPROT_ */
	uint8_t family, prefix, scope, type, table, protocol;
	bool via;    /* gateway is set */
	bool source; /* prefsrc is set */
	uint8_t dst[16], gateway[16], prefsrc[16];
	uint32_t metric;
};

struct iface_neigh {
	int index;
	uint8_t family;
	uint16_t state; /* NUD_* */
	uint8_t addr[16], mac[6];
};

/* Changes of interfaces and addresses are told to netlink from now on. In a bracket. */
void iface_init(void);
/* The interface with the lowest number above `after`. */
bool iface_next(int after, struct iface *out);
bool iface_get(int index, struct iface *out);
/* 0: there is none of that name. */
int iface_index(const char *name);
bool iface_name(int index, char name[IFNAMSIZ]);
/* The n-th of all addresses (routes, neighbours), interface by interface, AF_INET first. */
bool iface_addr_at(unsigned n, struct iface_addr *out);
bool iface_route_at(unsigned n, struct iface_route *out);
bool iface_neigh_at(unsigned n, struct iface_neigh *out);
/* The route to dst (16 bytes used for AF_INET6, 4 else). E_NETUNREACH. */
err_t iface_route_to(uint8_t family, const uint8_t *dst, struct iface_route *out) MUST_CHECK;
/* Changes, as root asks for them. E_NODEV, E_EXIST, E_ADDRNOTAVAIL, E_OPNOTSUPP, E_NOBUFS. */
err_t iface_set_up(int index, bool up) MUST_CHECK;
err_t iface_set_mtu(int index, uint32_t mtu) MUST_CHECK;
err_t iface_addr_add(const struct iface_addr *a) MUST_CHECK;
err_t iface_addr_del(const struct iface_addr *a) MUST_CHECK;
/* The default route of an interface; others follow from the addresses. */
err_t iface_gateway_set(uint8_t family, int index, const uint8_t *gateway, bool remove) MUST_CHECK;

/* SIOCGIF* and their like, for sockets of all families (ifconf.c). E_NOTTY: none of them. */
long ifconf_ioctl(unsigned cmd, uaddr_t arg);
