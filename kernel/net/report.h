/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc/net and sock_diag tell of sockets and of the stack; nothing of lwIP is in here. */
#pragma once

#include "abi/types.h"

/* TCP_* of <netinet/tcp.h>; UDP and raw sockets are ESTABLISHED (connected) or CLOSE. */
enum net_line_state {
	NET_ESTABLISHED = 1,
	NET_SYN_SENT,
	NET_SYN_RECV,
	NET_FIN_WAIT1,
	NET_FIN_WAIT2,
	NET_TIME_WAIT,
	NET_CLOSE,
	NET_CLOSE_WAIT,
	NET_LAST_ACK,
	NET_LISTEN,
	NET_CLOSING,
};

struct net_line {
	uint8_t family; /* of the socket; AF_INET6 may have IPv4-mapped addresses */
	uint8_t state;
	uint16_t local_port, remote_port;
	uint32_t local[4], remote[4]; /* as on the wire; AF_INET: the first word */
	uint32_t tx_queue, rx_queue;  /* bytes; of a listener: its backlog, who waits */
	uint32_t uid, drops;
	int bound_if;
	uint64_t ino; /* 0: no file */
	uint64_t cookie;
};
typedef void net_visit(void *ctx, const struct net_line *l);

/* Each calls fn for every socket of its kind (connections without a socket, too). */
void net_each_tcp(net_visit *fn, void *ctx);
void net_each_udp(net_visit *fn, void *ctx);
void net_each_udplite(net_visit *fn, void *ctx);
void net_each_raw(net_visit *fn, void *ctx);
void net_each_ping(net_visit *fn, void *ctx);

/* A line of AF_NETLINK. */
struct net_netlink_line {
	int protocol;
	uint32_t port, groups, rmem, drops;
	bool dump;
	uint64_t ino;
};
void net_each_netlink(void (*fn)(void *ctx, const struct net_netlink_line *l), void *ctx);

/* Figures of the stack, by the names of MIB-II (RFC 1213). */
struct net_figures {
	uint32_t ip_in_receives, ip_in_hdr_errors, ip_in_addr_errors, ip_in_unknown_protos;
	uint32_t ip_in_discards, ip_in_delivers, ip_out_requests, ip_out_discards, ip_out_no_routes;
	uint32_t ip_reasm_reqds, ip_reasm_oks, ip_reasm_fails;
	uint32_t ip_frag_oks, ip_frag_fails, ip_frag_creates;
	uint32_t icmp_in_msgs, icmp_in_errors, icmp_in_unreachable, icmp_in_echos,
		icmp_in_echo_replies;
	uint32_t icmp_out_msgs, icmp_out_errors, icmp_out_unreachable, icmp_out_echos,
		icmp_out_echo_replies;
	uint32_t tcp_active_opens, tcp_passive_opens, tcp_attempt_fails, tcp_estab_resets;
	uint32_t tcp_in_segs, tcp_out_segs, tcp_retrans_segs, tcp_in_errs, tcp_out_rsts;
	uint32_t udp_in, udp_no_ports, udp_in_errors, udp_out, udp_rcvbuf_errors;
	uint64_t tcp_memory; /* bytes of data in sockets */
};
void net_figures(struct net_figures *out);
