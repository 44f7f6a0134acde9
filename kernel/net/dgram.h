/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets over IP that carry messages: UDP, raw, and ping (SOCK_DGRAM with ICMP). They do not use
 * lwIP's UDP: its raw interface hands over each packet after reassembly, dgram_in.c finds the
 * sockets as Linux would, and what nobody wants goes on to lwIP (which answers with ICMP, and keeps
 * what DHCP is waiting for).
 *
 * Copies: what a program sends is copied once, into the packet (dgram_out.c); loopback and drivers
 * refer to it there. What comes stays in the driver's or the sender's packet and is copied once, to
 * the program (dgram.c).
 */
#pragma once

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/time.h> /* for the next */

#include <linux/errqueue.h>

#include "kernel/net/inet.h"

/* A message that waits to be read. */
struct dgram {
	struct list node;
	struct pbuf *p;    /* a reference */
	uint16_t off, len; /* where in p the data is */
	ip_addr_t src, dst;
	uint16_t sport, dport;
	uint8_t ttl, tos, protocol;
	bool peeked;
	int ifindex;
	int64_t stamp_ns; /* 0: nobody wanted to know */
	uint32_t charge;
	uint32_t drops; /* of the socket until then */
};

/* An entry of the error queue. */
struct dgram_error {
	struct list node;
	struct sock_extended_err ee;
	ip_addr_t offender, dst;
	uint16_t dport, len;
	uint8_t data[]; /* of the message that failed, as far as it came back */
};

/* A group that a socket joined. */
struct dgram_group {
	struct dgram_group *next;
	struct list all; /* in the list of all sockets' */
	ip_addr_t group;
	int ifindex;
};

struct dgram_sock {
	struct inet_sock i; /* first */
	struct list in_table;
	struct list queue;
	uint32_t rmem; /* charged for what is in the queue */
	uint32_t drops;
	int64_t last_stamp_ns; /* SIOCGSTAMP: of what was read last; -1: nothing yet */
	struct list errors;
	unsigned nerrors;
	bool connected;
	bool bound_addr, bound_port; /* by bind(), not on the way */
	/* of groups */
	struct dgram_group *groups;
	uint8_t mc_ttl, mc_hops;
	bool mc_loop, mc_loop6;
	int mc_if, mc_if6;
	ip4_addr_t mc_source;
	/* UDP */
	unsigned segment;
	uint16_t coverage_out, coverage_in; /* UDP-Lite: UDPLITE_SEND_CSCOV, _RECV_CSCOV */
	bool cork, gro, no_check6_tx, no_check6_rx;
	struct pbuf *pending; /* MSG_MORE, UDP_CORK: to be sent with what comes */
	ip_addr_t pending_dst;
	uint16_t pending_port;
	/* raw and ping */
	bool header_included;
	int checksum_at; /* IPV6_CHECKSUM; -1: none */
	uint32_t filter; /* ICMP_FILTER */
	uint32_t filter6[8];
};

static inline struct dgram_sock *dgram_of(struct socket *s)
{
	return (struct dgram_sock *)s;
}
static inline bool dgram_is_ping(const struct dgram_sock *d)
{
	return d->i.s.type == SOCK_DGRAM && d->i.s.protocol != IPPROTO_UDP &&
	       d->i.s.protocol != IPPROTO_UDPLITE;
}
static inline bool dgram_is_lite(const struct dgram_sock *d)
{
	return d->i.s.protocol == IPPROTO_UDPLITE;
}
static inline bool dgram_ip_bit(const struct dgram_sock *d, unsigned opt)
{
	return (d->i.ip_bits >> opt & 1) != 0;
}
static inline bool dgram_ip6_bit(const struct dgram_sock *d, unsigned opt)
{
	return (d->i.ip6_bits[opt / 64] >> opt % 64 & 1) != 0;
}

/* ---- dgram.c: the life of a socket, receiving ---- */

struct dgram_sock *dgram_new(const struct socket_ops *ops, int family, int type, int protocol);
void dgram_free(struct dgram_sock *d); /* what it holds, too; it is in no table any more */
err_t dgram_recv(struct socket *s, struct sock_msg *m, size_t *done);
uint32_t dgram_poll(struct socket *s);
long dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg);
err_t dgram_shutdown(struct socket *s, unsigned how);
/* Put *info with a reference to p at the end of the queue, if there is room. */
void dgram_deliver(struct dgram_sock *d, struct pbuf *p, const struct dgram *info);
/* An error came for what d sent: `fatal` ones are told to connected sockets, all to those that want
 * to know (IP_RECVERR), with the message. */
void dgram_error(struct dgram_sock *d, const struct sock_extended_err *ee, bool fatal,
		 const ip_addr_t *offender, const ip_addr_t *dst, uint16_t dport, struct pbuf *p,
		 uint16_t off);

/* ---- dgram_out.c: sending ---- */

/* Where a message goes, and how. */
struct dgram_way {
	ip_addr_t dst, src;
	struct netif *netif;
	uint8_t ttl, tos;
	bool loop; /* to a group, and wanted here too */
};
/* Control data of SOL_IP and SOL_IPV6 (and SOL_UDP). */
err_t dgram_control(struct socket *s, struct sock_msg *m, int level, int type, const void *data,
		    size_t n);
/*
 * The address that m is for; the one connected to if it says none. E_DESTADDRREQ, E_NETUNREACH ...
 */
err_t dgram_destination(struct dgram_sock *d, const struct sock_msg *m, ip_addr_t *ip,
			uint16_t *port) MUST_CHECK;
/* E_NETUNREACH, E_ACCES (a broadcast is not allowed), E_NODEV, E_INVAL. In a bracket. */
err_t dgram_find_way(struct dgram_sock *d, const ip_addr_t *dst, const struct inet_control *c,
		     struct dgram_way *w) MUST_CHECK;
/* p, without an IP header, which it gets; freed in every case. In a bracket. */
err_t dgram_output(struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w,
		   uint8_t protocol) MUST_CHECK;
/* The next len bytes of the program's, with room for headers before them. E_NOBUFS, E_FAULT. */
err_t dgram_packet(struct sock_msg *m, uint16_t len, struct pbuf **out) MUST_CHECK;
/* connect() and its undoing, but for ports. In a bracket. */
err_t dgram_connect_to(struct dgram_sock *d, const ip_addr_t *ip, uint16_t port) MUST_CHECK;
void dgram_disconnect(struct dgram_sock *d);

/* ---- dgram_opt.c: options and groups ---- */
err_t dgram_setsockopt(struct socket *s, int level, int opt, uaddr_t val, int len);
err_t dgram_getsockopt(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len);
void dgram_leave_all(struct dgram_sock *d);
/* Does d take what is sent to the group? */
bool dgram_wants_group(const struct dgram_sock *d, const ip_addr_t *group, int ifindex);

/* ---- dgram_in.c: which socket is meant ---- */
err_t dgram_init(void) MUST_CHECK; /* lwIP hands packets over from now on. In a bracket. */
/* UDP sockets with a local port, and raw and ping sockets, are found after this. E_NOBUFS. */
void udp_table_add(struct dgram_sock *d);
err_t raw_table_add(struct dgram_sock *d) MUST_CHECK;
void raw_table_remove(struct dgram_sock *d);

/* What /proc/net and sock_diag show. `fn` must not change anything. */
void udp_each(void (*fn)(void *ctx, const struct dgram_sock *d), void *ctx);
void raw_each(void (*fn)(void *ctx, const struct dgram_sock *d), void *ctx);

/* ---- makers ---- */
/* Send what waits for more. */
err_t udp_push(struct dgram_sock *d);
err_t udp_sock_create(int family, int protocol, struct socket **out) MUST_CHECK;
err_t raw_sock_create(int family, int protocol, struct socket **out) MUST_CHECK;
err_t ping_sock_create(int family, int protocol, struct socket **out) MUST_CHECK;
