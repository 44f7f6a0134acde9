/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of TCP/IP share among themselves. */
#pragma once

#include "base/str.h"
#include "kernel/net/inet.h"

/* ---- loop.c ---- */
void net_loop_init(void);
struct net_loop_stats {
	uint64_t packets, bytes, dropped;
};
extern struct net_loop_stats net_loop_stats;
/* Hand over what was sent to ourselves, and what that causes in turn. In a bracket. */
void net_loop_deliver(void);

/* ---- unreach.c ---- */
/* Once a second: entries of neighbours age; what waited for those that do not answer is given up,
 * and its senders are told. In a bracket. */
void net_neighbour_timers(void);
/* In the place of pbuf_free() in the files of ARP and neighbour discovery. */
u8_t net_give_up(struct pbuf *p);

/* ---- inet_port.c ---- */
struct inet_port {
	struct inet_port *next; /* in its bucket */
	enum inet_proto proto;
	uint16_t port;
	struct list binds;
	/* TCP connections with this local port, also those whose sockets are closed; and those of
	 * them whose sockets had SO_REUSEADDR or SO_REUSEPORT. */
	unsigned connections, reusable;
	bool own; /* somebody has bound it; else connect() chose it, perhaps for several */
};
/* A connection begins and ends to use the port. */
void inet_port_hold(struct inet_port *p, bool reusable);
void inet_port_release(struct inet_port *p, bool reusable);

/* ---- net.c ---- */
/* How many bytes of data the interface of this connection takes in one packet; 0: one segment. */
uint32_t net_gso_max(const struct tcp_pcb *pcb);
/* Something happens that TCP's timer may have to see to the end. */
extern bool tcp_activity;
