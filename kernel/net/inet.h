/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP/IP: lwIP in this kernel, and what the inet sockets share.
 *
 * One network stack per core, which is entered at one place at a time:
 *
 *   net_enter();             nothing of lwIP is running on this core, and nobody else gets in
 *   ... lwIP functions ...   sockets: tcp_write(), udp_sendto(); drivers: net_input()
 *   net_leave();             packets to ourselves are delivered, drivers told to send, timers set
 *
 * Who: system calls on sockets, on the thread's stack; interrupt handlers of network drivers; the
 * timer. As the kernel runs with interrupts off, an interrupt never arrives between net_enter()
 * and net_leave(), unless somebody switches threads, calls sched_breathe(), or polls interrupts
 * there: forbidden (net_enter() is a BUG then). Copies from and to programs are allowed.
 *
 * lwIP calls back (a packet came, a connection ended) from within. Callbacks put data into a
 * socket's queues and wake threads, which run later; they never call net_enter(), nor free what
 * lwIP did not hand them.
 */
#pragma once

#include "kernel/net/lwip/lwip.h"
#include "kernel/net/socket.h"

/* Levels of options; those of <linux/socket.h> that it has only for the kernel itself. */
#define SOL_IP   0
#define SOL_TCP  6
#define SOL_UDP  17
#define SOL_IPV6 41
#define SOL_RAW  255

/* Start-up: lwIP, its timers, loopback (127.0.0.1/8, ::1). E_NOMEM. */
err_t net_init(void) MUST_CHECK;

void net_enter(void);
void net_leave(void);
/* Between net_enter() and net_leave(). */
bool net_entered(void);

/* ---- for drivers' glue ---- */

/*
 * A new interface: netif_add() and netif_set_up() of lwIP, between net_enter() and net_leave(),
 * with a struct netif that stays for ever. Its init function sets mtu, hwaddr, flags, output
 * (etharp_output), output_ip6 (ethip6_output), linkoutput, and what checksums the device does:
 * NETIF_SET_CHECKSUM_CTRL. Afterwards call net_netif_added(), which starts the timers that only
 * real interfaces need (ARP, neighbours, DHCP).
 */
void net_netif_added(void);
/*
 * A received packet (with its Ethernet header), in a bracket; takes p over. Several packets of one
 * interrupt belong in one bracket: what they cause to be sent leaves together.
 */
void net_input(struct netif *n, struct pbuf *p);
/*
 * `fn` is called at the end of each bracket in which `*wanted` was set (and clears it): a driver
 * that collected frames in linkoutput rings its doorbell there. At most NET_FLUSHERS.
 */
#define NET_FLUSHERS 4u
void net_add_flusher(void (*fn)(void), const bool *wanted);
/*
 * The name servers that DHCP told, newest first; returns how many were written to out[]. Called by
 * whoever writes resolv.conf.
 */
unsigned net_dns_servers(ip_addr_t *out, unsigned max);
extern struct netif net_loopback;
/*
 * Segmentation by the device: the interface takes TCP packets longer than its mtu, of up to `max`
 * bytes of data (at most NET_GSO_MAX), and cuts them into segments of net_gso_mss bytes of data,
 * which it reads in linkoutput (0: an ordinary packet). `max` 0: not any more.
 */
#define NET_GSO_MAX 65000u
void net_set_gso(struct netif *n, uint32_t max);
extern uint16_t net_gso_mss;

/* ---- errors and addresses ---- */

/* lwIP's error as the kernel's. */
err_t inet_error(lwip_err_t e);

/*
 * An address that a program gave to a socket of `family`, without AF_UNSPEC. An IPv4-mapped IPv6
 * address becomes the IPv4 one. E_INVAL (too short), E_AFNOSUPPORT.
 */
err_t inet_addr_in(int family, const struct sock_addr *a, ip_addr_t *ip, uint16_t *port) MUST_CHECK;
/* The other way: what a socket of `family` shows; IPv4 on AF_INET6 as a mapped address. */
void inet_addr_out(int family, const ip_addr_t *ip, uint16_t port, struct sock_addr *out);
/* Is it an address of one of our interfaces (all of 127/8 counts)? */
bool inet_addr_is_ours(const ip_addr_t *ip);

/* ---- ports: who is bound where; Linux's rules for sharing (inet_port.c) ---- */

enum inet_proto { INET_TCP, INET_UDP, INET_UDPLITE, INET_PROTOS };

/* All that share a port number of one protocol. */
struct inet_port;

/*
 * One socket's claim to a local address and port. The owner fills in the upper part before
 * inet_bind(); it may change reuse_addr, reuse_port and listening later.
 */
struct inet_bind {
	ip_addr_t ip; /* IPADDR_TYPE_ANY: both families' wildcard (AF_INET6 without V6ONLY) */
	uint32_t uid; /* SO_REUSEPORT shares among sockets of one user */
	bool reuse_addr, reuse_port;
	bool listening; /* TCP */
	/* inet_port.c's */
	struct list node;
	struct inet_port *port; /* NULL: not bound */
};
/*
 * Claim b->ip and `port`, 0: any free one of the range for such (random). E_ADDRINUSE, E_NOMEM.
 * Privileged ports are the caller's to check (inet_may_bind).
 */
err_t inet_bind(struct inet_bind *b, enum inet_proto proto, uint16_t port) MUST_CHECK;
/*
 * The same for connect(), which may share the port with others that connect() chose: `fits` says
 * whether the connection would be the only one between its two ends. E_ADDRNOTAVAIL, E_NOMEM.
 */
err_t inet_bind_to_connect(struct inet_bind *b, enum inet_proto proto,
			   bool (*fits)(const void *ctx, uint16_t port),
			   const void *ctx) MUST_CHECK;
/* Give it up; allowed when not bound. */
void inet_unbind(struct inet_bind *b);
/* The number, 0 when not bound. */
uint16_t inet_bound_port(const struct inet_bind *b);
/* Is there another claim beside which b, already bound, may not listen? */
bool inet_bind_conflicts(const struct inet_bind *b);
/* The current task may bind this port (below 1024: CAP_NET_BIND_SERVICE, that is root). */
bool inet_may_bind(uint16_t port);

/* ---- what all inet sockets have ---- */

struct inet_sock {
	struct socket s; /* first */
	struct inet_bind bind;
	ip_addr_t local;  /* as getsockname() tells; IPADDR_TYPE_ANY: :: of both families */
	ip_addr_t remote; /* connected to */
	uint16_t local_port, remote_port; /* 0: none */
	bool v6only;
	bool freebind;
	uint8_t ttl, tos, tclass; /* IP_TTL and IPV6_UNICAST_HOPS, IP_TOS, IPV6_TCLASS */
	uint8_t pmtu, pmtu6;      /* IP_MTU_DISCOVER, IPV6_MTU_DISCOVER */
	uint64_t ip_bits;         /* bit x: the yes-or-no option x of SOL_IP is set */
	uint64_t ip6_bits[2];     /* the same for SOL_IPV6, whose numbers reach 127 */
};

/* Fields above with their defaults; socket_init() included. */
void inet_sock_init(struct inet_sock *i, const struct socket_ops *ops, int family, int type,
		    int protocol);
/* Its own address is none again: the wildcard of its family. */
void inet_no_address(struct inet_sock *i);
/*
 * bind() as all protocols have it: the address is checked (E_ADDRNOTAVAIL, E_ACCES, E_INVAL when
 * already bound), claimed, and entered in local and local_port.
 */
err_t inet_sock_bind(struct inet_sock *i, enum inet_proto proto,
		     const struct sock_addr *a) MUST_CHECK;
/* getsockname() and getpeername(). E_NOTCONN. */
err_t inet_sock_name(struct socket *s, bool peer, struct sock_addr *out);
/*
 * Options of SOL_IP and SOL_IPV6 that all protocols share. E_NOPROTOOPT for the rest, which a
 * protocol looks at first; E_OPNOTSUPP for other levels.
 */
err_t inet_setsockopt(struct inet_sock *i, int level, int opt, uaddr_t val, int len) MUST_CHECK;
err_t inet_getsockopt(struct inet_sock *i, int level, int opt, uaddr_t val, uaddr_t len) MUST_CHECK;
/* A number as setsockopt() takes it: four bytes, or one. E_INVAL, E_FAULT. */
err_t inet_option_int(uaddr_t val, int len, int *out) MUST_CHECK;

/* The makers, by type. Errors as socket(2): E_PROTONOSUPPORT, E_SOCKTNOSUPPORT, E_NOMEM. */
err_t inet_create(int family, int type, int protocol, struct socket **out) MUST_CHECK;
err_t tcp_sock_create(int family, int protocol, struct socket **out) MUST_CHECK;
