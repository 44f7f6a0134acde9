/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of sockets and figures of the stack, in terms of report.h. */
#include "base/str.h"
#include "kernel/net/dgram.h"
#include "kernel/net/report.h"
#include "kernel/net/tcp_sock.h"

static void words_of(int family, const ip_addr_t *a, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	if (IP_IS_ANY_TYPE_VAL(*a) || ip_addr_isany(a))
		return;
	if (family == AF_INET) {
		out[0] = ip4_addr_get_u32(ip_2_ip4(a));
	} else if (IP_IS_V4(a)) {
		out[2] = PP_HTONL(0xffff);
		out[3] = ip4_addr_get_u32(ip_2_ip4(a));
	} else {
		memcpy(out, ip_2_ip6(a)->addr, 4 * sizeof(out[0]));
	}
}

static void socket_part(const struct socket *s, struct net_line *l)
{
	l->uid = s->uid;
	l->bound_if = s->bound_if;
	l->ino = s->file != NULL ? s->file->anon_ino : 0;
	l->cookie = s->cookie;
}

/* ---- TCP ---- */

static uint8_t state_of(enum tcp_state s)
{
	static const uint8_t its[] = { [CLOSED] = NET_CLOSE,
				       [LISTEN] = NET_LISTEN,
				       [SYN_SENT] = NET_SYN_SENT,
				       [SYN_RCVD] = NET_SYN_RECV,
				       [ESTABLISHED] = NET_ESTABLISHED,
				       [FIN_WAIT_1] = NET_FIN_WAIT1,
				       [FIN_WAIT_2] = NET_FIN_WAIT2,
				       [CLOSE_WAIT] = NET_CLOSE_WAIT,
				       [CLOSING] = NET_CLOSING,
				       [LAST_ACK] = NET_LAST_ACK,
				       [TIME_WAIT] = NET_TIME_WAIT };

	return its[s];
}

static void visit_pcb(const struct tcp_pcb *p, net_visit *fn, void *ctx)
{
	const struct tcp_sock *t = p->state == TIME_WAIT ? NULL : p->callback_arg;
	struct net_line l = { .state = state_of(p->state),
			      .local_port = p->local_port,
			      .remote_port = p->remote_port };

	l.family = t != NULL                    ? (uint8_t)t->i.s.family
		   : IP_IS_V6_VAL(p->remote_ip) ? AF_INET6
						: AF_INET;
	words_of(l.family, &p->local_ip, l.local);
	words_of(l.family, &p->remote_ip, l.remote);
	if (t != NULL) {
		socket_part(&t->i.s, &l);
		l.tx_queue = t->tx_mem;
		l.rx_queue = t->rx_len;
	}
	fn(ctx, &l);
}

static void visit_listener(const struct tcp_pcb_listen *p, net_visit *fn, void *ctx)
{
	const struct tcp_sock *t = p->callback_arg;
	struct net_line l = { .state = NET_LISTEN,
			      .family = (uint8_t)t->i.s.family,
			      .local_port = t->i.local_port,
			      .rx_queue = t->naccepts,
			      .tx_queue = t->backlog };

	words_of(l.family, &t->i.local, l.local);
	socket_part(&t->i.s, &l);
	fn(ctx, &l);
}

void net_each_tcp(net_visit *fn, void *ctx)
{
	for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p != NULL; p = p->next)
		visit_listener(p, fn, ctx);
	for (const struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next)
		visit_pcb(p, fn, ctx);
	for (const struct tcp_pcb *p = tcp_tw_pcbs; p != NULL; p = p->next)
		visit_pcb(p, fn, ctx);
}

/* ---- message sockets ---- */

struct visit {
	net_visit *fn;
	void *ctx;
	int type, protocol; /* protocol -1: any but ping */
};

static void visit_dgram(void *ctx, const struct dgram_sock *d)
{
	const struct visit *v = ctx;
	const struct socket *s = &d->i.s;
	struct net_line l = { .family = (uint8_t)s->family,
			      .state = d->connected ? NET_ESTABLISHED : NET_CLOSE,
			      .local_port = d->i.local_port,
			      .remote_port = d->i.remote_port,
			      .rx_queue = d->rmem,
			      .drops = d->drops };

	if (s->type != v->type || (v->protocol >= 0 && s->protocol != v->protocol))
		return;
	if (s->type == SOCK_RAW)
		l.local_port = (uint16_t)s->protocol;
	words_of(l.family, &d->i.local, l.local);
	words_of(l.family, &d->i.remote, l.remote);
	socket_part(s, &l);
	v->fn(v->ctx, &l);
}

void net_each_udp(net_visit *fn, void *ctx)
{
	struct visit v = { fn, ctx, SOCK_DGRAM, IPPROTO_UDP };

	udp_each(visit_dgram, &v);
}

void net_each_udplite(net_visit *fn, void *ctx)
{
	struct visit v = { fn, ctx, SOCK_DGRAM, IPPROTO_UDPLITE };

	udp_each(visit_dgram, &v);
}

void net_each_raw(net_visit *fn, void *ctx)
{
	struct visit v = { fn, ctx, SOCK_RAW, -1 };

	raw_each(visit_dgram, &v);
}

void net_each_ping(net_visit *fn, void *ctx)
{
	struct visit v = { fn, ctx, SOCK_DGRAM, -1 };

	raw_each(visit_dgram, &v);
}

/* ---- figures ---- */

static void add_drops(void *ctx, const struct dgram_sock *d)
{
	*(uint32_t *)ctx += d->drops;
}

void net_figures(struct net_figures *out)
{
	const struct stats_mib2 *m = &lwip_stats.mib2;

	*out = (struct net_figures){ .ip_in_receives = m->ipinreceives,
				     .ip_in_hdr_errors = m->ipinhdrerrors,
				     .ip_in_addr_errors = m->ipinaddrerrors,
				     .ip_in_unknown_protos = m->ipinunknownprotos,
				     .ip_in_discards = m->ipindiscards,
				     .ip_in_delivers = m->ipindelivers,
				     .ip_out_requests = m->ipoutrequests,
				     .ip_out_discards = m->ipoutdiscards,
				     .ip_out_no_routes = m->ipoutnoroutes,
				     .ip_reasm_reqds = m->ipreasmreqds,
				     .ip_reasm_oks = m->ipreasmoks,
				     .ip_reasm_fails = m->ipreasmfails,
				     .ip_frag_oks = m->ipfragoks,
				     .ip_frag_fails = m->ipfragfails,
				     .ip_frag_creates = m->ipfragcreates,
				     .icmp_in_msgs = m->icmpinmsgs,
				     .icmp_in_errors = m->icmpinerrors,
				     .icmp_in_unreachable = m->icmpindestunreachs,
				     .icmp_in_echos = m->icmpinechos,
				     .icmp_in_echo_replies = m->icmpinechoreps,
				     .icmp_out_msgs = m->icmpoutmsgs,
				     .icmp_out_errors = m->icmpouterrors,
				     .icmp_out_unreachable = m->icmpoutdestunreachs,
				     .icmp_out_echos = m->icmpoutechos,
				     .icmp_out_echo_replies = m->icmpoutechoreps,
				     .tcp_active_opens = m->tcpactiveopens,
				     .tcp_passive_opens = m->tcppassiveopens,
				     .tcp_attempt_fails = m->tcpattemptfails,
				     .tcp_estab_resets = m->tcpestabresets,
				     .tcp_in_segs = m->tcpinsegs,
				     .tcp_out_segs = m->tcpoutsegs,
				     .tcp_retrans_segs = m->tcpretranssegs,
				     .tcp_in_errs = m->tcpinerrs,
				     .tcp_out_rsts = m->tcpoutrsts,
				     .udp_in = m->udpindatagrams,
				     .udp_no_ports = m->udpnoports,
				     .udp_in_errors = m->udpinerrors,
				     .udp_out = m->udpoutdatagrams,
				     .tcp_memory = tcp_queued_bytes };
	udp_each(add_drops, &out->udp_rcvbuf_errors);
}
