/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw sockets of IP, and ping sockets, which anybody may have. Receiving is dgram.c's. */
#include <linux/capability.h>
#include <linux/icmpv6.h>

#include "base/str.h"
#include "kernel/net/dgram.h"
#include "kernel/task/task.h"

#define RAW_MAX 65515u /* behind the shortest header of IP */

static const struct socket_ops raw_ops, ping_ops;

/* ---- making ---- */

static err_t make(const struct socket_ops *ops, int family, int type, int protocol,
		  struct socket **out)
{
	struct dgram_sock *d = dgram_new(ops, family, type, protocol);
	err_t err;

	if (d == NULL)
		return E_NOBUFS;
	net_enter();
	err = raw_table_add(d);
	if (err != OK)
		dgram_free(d);
	net_leave();
	*out = &d->i.s;
	return err;
}

err_t raw_sock_create(int family, int protocol, struct socket **out)
{
	if (protocol == 0)
		return E_PROTONOSUPPORT;
	if (!task_capable(CAP_NET_RAW))
		return E_PERM;
	TRY(make(&raw_ops, family, SOCK_RAW, protocol, out));
	dgram_of(*out)->header_included = protocol == IPPROTO_RAW;
	if (protocol == IPPROTO_ICMPV6 && family == AF_INET6)
		dgram_of(*out)->checksum_at = offsetof(struct icmp6hdr, icmp6_cksum);
	return OK;
}

err_t ping_sock_create(int family, int protocol, struct socket **out)
{
	if (protocol != (family == AF_INET ? (int)IPPROTO_ICMP : (int)IPPROTO_ICMPV6))
		return E_PROTONOSUPPORT;
	return make(&ping_ops, family, SOCK_DGRAM, protocol, out);
}

static void raw_release(struct socket *s)
{
	struct dgram_sock *d = dgram_of(s);

	net_enter();
	raw_table_remove(d);
	dgram_free(d);
	net_leave();
}

/* ---- names ---- */

static err_t local_address(struct dgram_sock *d, const struct sock_addr *a, ip_addr_t *ip,
			   uint16_t *port)
{
	TRY(inet_addr_in(d->i.s.family, a, ip, port));
	if (d->i.s.family == AF_INET6 && IP_IS_V4(ip))
		return E_ADDRNOTAVAIL;
	if (!ip_addr_isany(ip) && !ip_addr_ismulticast(ip) && !d->i.freebind &&
	    !inet_addr_is_ours(ip))
		return E_ADDRNOTAVAIL;
	return OK;
}

static void set_local(struct dgram_sock *d, const ip_addr_t *ip)
{
	d->i.local = *ip;
	d->bound_addr = !ip_addr_isany(ip);
	if (!d->bound_addr && d->i.s.family == AF_INET6)
		d->i.local = ip_addr_any_type;
}

static err_t raw_sock_bind(struct socket *s, const struct sock_addr *a)
{
	ip_addr_t ip;
	uint16_t port;

	TRY(local_address(dgram_of(s), a, &ip, &port));
	set_local(dgram_of(s), &ip);
	return OK;
}

static err_t raw_sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct dgram_sock *d = dgram_of(s);
	ip_addr_t ip;
	uint16_t port;
	err_t err;

	(void)nonblock;
	if (a->len < sizeof(a->family))
		return E_INVAL;
	if (a->family == AF_UNSPEC) {
		dgram_disconnect(d);
		return OK;
	}
	TRY(inet_addr_in(s->family, a, &ip, &port));
	net_enter();
	err = dgram_connect_to(d, &ip, port);
	net_leave();
	return err;
}

/* The number of a raw socket is its protocol, as Linux shows it. */
static err_t raw_name(struct socket *s, bool peer, struct sock_addr *out)
{
	struct dgram_sock *d = dgram_of(s);

	if (peer && !d->connected)
		return E_NOTCONN;
	inet_addr_out(s->family, peer ? &d->i.remote : &d->i.local,
		      peer               ? d->i.remote_port
		      : dgram_is_ping(d) ? d->i.local_port
					 : (uint16_t)s->protocol,
		      out);
	return OK;
}

/* ---- raw: sending ---- */

/* The program made the IP header; what Linux fills in is filled in. */
static err_t send_whole(struct pbuf *p, const struct dgram_way *w)
{
	struct ip_hdr *h = p->payload;
	lwip_err_t err;

	if (p->len < sizeof(*h) || IPH_V(h) != 4 || IPH_HL_BYTES(h) > p->len ||
	    IPH_HL_BYTES(h) < sizeof(*h)) {
		pbuf_free(p);
		return E_INVAL;
	}
	IPH_LEN_SET(h, lwip_htons(p->tot_len));
	if (ip4_addr_isany_val(h->src))
		ip4_addr_copy(h->src, *ip_2_ip4(&w->src));
	if (IPH_ID(h) == 0)
		IPH_ID_SET(h, (u16_t)LWIP_RAND());
	IPH_CHKSUM_SET(h, 0);
	IPH_CHKSUM_SET(h, inet_chksum(h, IPH_HL_BYTES(h)));
	if (p->tot_len > w->netif->mtu)
		err = ERR_VAL;
	else
		err = w->netif->output(w->netif, p, ip_2_ip4(&w->dst));
	pbuf_free(p);
	return err == ERR_VAL ? E_MSGSIZE : inet_error(err);
}

static err_t add_checksum(const struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w)
{
	uint16_t sum = 0, at = (uint16_t)d->checksum_at;

	if (d->checksum_at < 0 || IP_IS_V4_VAL(w->dst))
		return OK;
	if (at + sizeof(sum) > p->len)
		return E_INVAL;
	memcpy((char *)p->payload + at, &sum, sizeof(sum));
	sum = ip_chksum_pseudo(p, (u8_t)d->i.s.protocol, p->tot_len, &w->src, &w->dst);
	memcpy((char *)p->payload + at, &sum, sizeof(sum));
	return OK;
}

static err_t raw_out(struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w)
{
	err_t err;

	if (d->header_included && IP_IS_V4_VAL(w->dst))
		return send_whole(p, w);
	err = add_checksum(d, p, w);
	if (err != OK) {
		pbuf_free(p);
		return err;
	}
	return dgram_output(d, p, w, (uint8_t)d->i.s.protocol);
}

/* The checks that all sending begins with. */
static err_t prepare(struct dgram_sock *d, struct sock_msg *m, struct dgram_way *w)
{
	ip_addr_t dst;
	uint16_t port;
	err_t err;

	if (m->data.left > UINT16_MAX)
		return E_MSGSIZE;
	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	TRY(dgram_destination(d, m, &dst, &port));
	if (d->i.s.family == AF_INET6 && IP_IS_V4_VAL(dst))
		return E_INVAL;
	net_enter();
	err = dgram_find_way(d, &dst, &m->inet, w);
	net_leave();
	TRY(err);
	TRY(socket_error(&d->i.s));
	return d->i.s.shut & SHUT_WR_BIT ? E_PIPE : OK;
}

static err_t raw_sock_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct dgram_sock *d = dgram_of(s);
	size_t len = m->data.left;
	struct dgram_way w;
	struct pbuf *p;
	err_t err;

	TRY(prepare(d, m, &w));
	if (len > (d->header_included ? UINT16_MAX : RAW_MAX))
		return E_MSGSIZE;
	TRY(dgram_packet(m, (uint16_t)len, &p));
	net_enter();
	err = raw_out(d, p, &w);
	net_leave();
	if (err == OK)
		*done += len;
	return err;
}

/* ---- ping ---- */

struct search {
	uint16_t id;
	const struct dgram_sock *but;
	bool found;
};

static void look_for_id(void *ctx, const struct dgram_sock *d)
{
	struct search *s = ctx;

	if (d != s->but && dgram_is_ping(d) && d->i.s.family == s->but->i.s.family &&
	    d->i.local_port == s->id)
		s->found = true;
}

static bool id_taken(const struct dgram_sock *d, uint16_t id)
{
	struct search s = { id, d, false };

	raw_each(look_for_id, &s);
	return s.found;
}

static err_t any_id(struct dgram_sock *d)
{
	static uint16_t last;

	if (d->i.local_port != 0)
		return OK;
	for (unsigned i = 0; i < UINT16_MAX; i++) {
		last = last == UINT16_MAX ? 1 : (uint16_t)(last + 1);
		if (!id_taken(d, last)) {
			d->i.local_port = last;
			return OK;
		}
	}
	return E_AGAIN;
}

static err_t ping_bind(struct socket *s, const struct sock_addr *a)
{
	struct dgram_sock *d = dgram_of(s);
	ip_addr_t ip;
	uint16_t id;

	TRY(local_address(d, a, &ip, &id));
	if (d->i.local_port != 0)
		return E_INVAL;
	if (id != 0 && id_taken(d, id))
		return E_ADDRINUSE;
	d->i.local_port = id;
	TRY(any_id(d));
	set_local(d, &ip);
	return OK;
}

static err_t ping_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	TRY(any_id(dgram_of(s)));
	return raw_sock_connect(s, a, nonblock);
}

/* The kernel enters the socket's number and the sum; only requests may be sent. */
static err_t ping_header(const struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w)
{
	struct icmp_echo_hdr *h = p->payload; /* ICMPv6 has the same fields here */
	bool v6 = d->i.s.family == AF_INET6;

	if (h->type != (v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO) || h->code != 0)
		return E_INVAL;
	h->id = lwip_htons(d->i.local_port);
	h->chksum = 0;
	h->chksum = v6 ? ip_chksum_pseudo(p, IPPROTO_ICMPV6, p->tot_len, &w->src, &w->dst)
		       : inet_chksum(p->payload, p->len);
	return OK;
}

static err_t ping_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct dgram_sock *d = dgram_of(s);
	size_t len = m->data.left;
	struct dgram_way w;
	struct pbuf *p;
	err_t err;

	if (len < sizeof(struct icmp_echo_hdr))
		return E_INVAL;
	TRY(any_id(d));
	TRY(prepare(d, m, &w));
	if (len > RAW_MAX)
		return E_MSGSIZE;
	TRY(dgram_packet(m, (uint16_t)len, &p));
	net_enter();
	err = ping_header(d, p, &w);
	if (err == OK)
		err = dgram_output(d, p, &w, (uint8_t)s->protocol);
	else
		pbuf_free(p);
	net_leave();
	if (err == OK)
		*done += len;
	return err;
}

#define COMMON_OPS                                                                                \
	.listen = socket_no_listen, .accept_wait = socket_no_accept, .name = raw_name,            \
	.recv = dgram_recv, .shutdown = dgram_shutdown, .poll = dgram_poll, .ioctl = dgram_ioctl, \
	.setsockopt = dgram_setsockopt, .getsockopt = dgram_getsockopt, .control = dgram_control, \
	.release = raw_release

static const struct socket_ops raw_ops = {
	COMMON_OPS,
	.bind = raw_sock_bind,
	.connect = raw_sock_connect,
	.send = raw_sock_send,
};

static const struct socket_ops ping_ops = {
	COMMON_OPS, .peeks_at = true, .bind = ping_bind, .connect = ping_connect, .send = ping_send,
};
