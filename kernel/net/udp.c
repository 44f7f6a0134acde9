/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP, and UDP-Lite (RFC 3828): ports and sending. Receiving is dgram.c's. */
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/net/dgram.h"

#define UDP_MAX 65507u /* data of a datagram of IPv4 */
/* of IPv6: lwIP's packets have at most 65,535 bytes, headers included */
#define UDP6_MAX     65487u
#define SEGMENTS_MAX 64u

static const struct socket_ops udp_ops;

err_t udp_sock_create(int family, int protocol, struct socket **out)
{
	struct dgram_sock *d;

	if (protocol == 0)
		protocol = IPPROTO_UDP;
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)
		return E_PROTONOSUPPORT;
	d = dgram_new(&udp_ops, family, SOCK_DGRAM, protocol);
	if (d == NULL)
		return E_NOBUFS;
	*out = &d->i.s;
	return OK;
}

/* ---- ports ---- */

static enum inet_proto ports_of(const struct dgram_sock *d)
{
	return dgram_is_lite(d) ? INET_UDPLITE : INET_UDP;
}

static err_t udp_sock_bind(struct socket *s, const struct sock_addr *a)
{
	struct dgram_sock *d = dgram_of(s);
	ip_addr_t ip;
	uint16_t port;

	TRY(inet_sock_bind(&d->i, ports_of(d), a));
	TRY(inet_addr_in(s->family, a, &ip, &port));
	d->bound_addr = !ip_addr_isany_val(ip);
	d->bound_port = port != 0;
	udp_table_add(d);
	return OK;
}

static err_t autobind(struct dgram_sock *d)
{
	struct inet_bind *b = &d->i.bind;

	if (d->i.local_port != 0)
		return OK;
	b->ip = d->i.local;
	if (inet_bind(b, ports_of(d), 0) != OK)
		return E_AGAIN;
	d->i.local_port = inet_bound_port(b);
	udp_table_add(d);
	return OK;
}

static void unbind(struct dgram_sock *d)
{
	if (d->i.local_port == 0)
		return;
	list_remove(&d->in_table);
	inet_unbind(&d->i.bind);
	d->i.local_port = 0;
}

static err_t udp_sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
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
		if (!d->bound_port)
			unbind(d);
		return OK;
	}
	TRY(autobind(d));
	TRY(inet_addr_in(s->family == AF_INET6 && a->family == AF_INET ? AF_INET : s->family, a,
			 &ip, &port));
	if (d->i.v6only && IP_IS_V4_VAL(ip))
		return E_NETUNREACH;
	net_enter();
	err = dgram_connect_to(d, &ip, port);
	net_leave();
	return err;
}

static void udp_sock_release(struct socket *s)
{
	struct dgram_sock *d = dgram_of(s);

	net_enter();
	unbind(d);
	dgram_free(d);
	net_leave();
}

/* Also when it is bound already: the next one asks what we allow now. */
static void udp_options_changed(struct socket *s)
{
	struct inet_bind *b = &dgram_of(s)->i.bind;

	b->reuse_addr = socket_option(s, SO_REUSEADDR);
	b->reuse_port = socket_option(s, SO_REUSEPORT);
}

static err_t udp_sock_name(struct socket *s, bool peer, struct sock_addr *out)
{
	if (peer && !dgram_of(s)->connected)
		return E_NOTCONN;
	return inet_sock_name(s, peer, out);
}

/* ---- sending ---- */

/* UDP-Lite always has a sum, and says of how much: here of all, or what the program wants. */
static void lite_header(const struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w)
{
	struct udphdr *h = p->payload;
	uint16_t covered = d->coverage_out != 0 && d->coverage_out < p->tot_len ? d->coverage_out
										: p->tot_len;

	h->len = covered == p->tot_len ? 0 : lwip_htons(covered);
	h->check = ip_chksum_pseudo_partial(p, IPPROTO_UDPLITE, p->tot_len, covered, &w->src,
					    &w->dst);
	if (h->check == 0)
		h->check = 0xffff;
}

/* p is the data; freed in every case. In a bracket. */
static err_t send_packet(struct dgram_sock *d, struct pbuf *p, const struct dgram_way *w,
			 uint16_t port)
{
	struct udphdr *h;

	if (pbuf_add_header(p, sizeof(*h)) != 0) {
		pbuf_free(p);
		return E_MSGSIZE;
	}
	h = p->payload;
	*h = (struct udphdr){ .source = lwip_htons(d->i.local_port),
			      .dest = lwip_htons(port),
			      .len = lwip_htons(p->tot_len) };
	if (dgram_is_lite(d))
		lite_header(d, p, w);
	else if ((w->netif->chksum_flags & NETIF_CHECKSUM_GEN_UDP) &&
		 (!socket_option(&d->i.s, SO_NO_CHECK) || IP_IS_V6_VAL(w->dst))) {
		h->check = ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len, &w->src, &w->dst);
		if (h->check == 0)
			h->check = 0xffff;
	}
	MIB2_STATS_INC(mib2.udpoutdatagrams);
	return dgram_output(d, p, w, (uint8_t)d->i.s.protocol);
}

/* One datagram of `size` bytes after the other: all of m's data. */
static err_t send_pieces(struct dgram_sock *d, struct sock_msg *m, const struct dgram_way *w,
			 uint16_t port, size_t size)
{
	do {
		struct pbuf *p;
		err_t err;

		TRY(dgram_packet(m, (uint16_t)(m->data.left < size ? m->data.left : size), &p));
		net_enter();
		err = send_packet(d, p, w, port);
		net_leave();
		TRY(err);
	} while (m->data.left > 0);
	return OK;
}

/* Add to what waits for more. */
static err_t hold(struct dgram_sock *d, struct sock_msg *m, const ip_addr_t *dst, uint16_t port)
{
	struct pbuf *p;

	TRY(dgram_packet(m, (uint16_t)m->data.left, &p));
	if (d->pending == NULL) {
		d->pending = p;
		d->pending_dst = *dst;
		d->pending_port = port;
	} else {
		pbuf_cat(d->pending, p);
	}
	return OK;
}

err_t udp_push(struct dgram_sock *d)
{
	struct pbuf *whole = d->pending, *p;
	struct dgram_way w;
	err_t err;

	d->pending = NULL;
	if (whole == NULL)
		return OK;
	/* In one piece, with room for headers. */
	p = pbuf_clone(PBUF_TRANSPORT, PBUF_RAM, whole);
	pbuf_free(whole);
	if (p == NULL)
		return E_NOBUFS;
	net_enter();
	err = dgram_find_way(d, &d->pending_dst, NULL, &w);
	if (err == OK)
		err = send_packet(d, p, &w, d->pending_port);
	else
		pbuf_free(p);
	net_leave();
	return err;
}

static err_t send_held(struct dgram_sock *d, struct sock_msg *m, const ip_addr_t *dst,
		       uint16_t port)
{
	size_t held = d->pending != NULL ? d->pending->tot_len : 0;

	if (held + m->data.left > UDP_MAX)
		return E_MSGSIZE;
	TRY(hold(d, m, dst, port));
	return d->cork || (m->flags & MSG_MORE) ? OK : udp_push(d);
}

static err_t check_segments(const struct dgram_sock *d, const struct dgram_way *w, size_t len,
			    size_t size)
{
	size_t headers = (IP_IS_V6_VAL(w->dst) ? IP6_HLEN : IP_HLEN) + sizeof(struct udphdr);

	if (size + headers > w->netif->mtu || len > size * SEGMENTS_MAX)
		return E_INVAL;
	return socket_option(&d->i.s, SO_NO_CHECK) ? E_INVAL : OK;
}

static err_t udp_sock_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct dgram_sock *d = dgram_of(s);
	size_t len = m->data.left, size;
	struct dgram_way w;
	ip_addr_t dst;
	uint16_t port;
	err_t err;

	if (len > UINT16_MAX)
		return E_MSGSIZE;
	if ((m->flags & MSG_OOB) && s->family == AF_INET)
		return E_OPNOTSUPP;
	TRY(dgram_destination(d, m, &dst, &port));
	if (port == 0)
		return E_INVAL;
	net_enter();
	err = dgram_find_way(d, &dst, &m->inet, &w);
	net_leave();
	TRY(err);
	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	TRY(autobind(d));
	TRY(socket_error(s));
	if (s->shut & SHUT_WR_BIT)
		return E_PIPE;
	if (d->cork || d->pending != NULL || (m->flags & MSG_MORE)) {
		TRY(send_held(d, m, &dst, port));
		*done += len;
		return OK;
	}
	size = m->inet.segment != 0 ? (size_t)m->inet.segment : d->segment;
	if (size != 0 && size < len)
		TRY(check_segments(d, &w, len, size));
	else
		size = UINT16_MAX;
	if (size == UINT16_MAX && len > (IP_IS_V6_VAL(dst) ? UDP6_MAX : UDP_MAX))
		return E_MSGSIZE;
	TRY(send_pieces(d, m, &w, port, size));
	*done += len;
	return OK;
}

static const struct socket_ops udp_ops = {
	.peeks_at = true,
	.bind = udp_sock_bind,
	.listen = socket_no_listen,
	.connect = udp_sock_connect,
	.accept_wait = socket_no_accept,
	.name = udp_sock_name,
	.send = udp_sock_send,
	.recv = dgram_recv,
	.shutdown = dgram_shutdown,
	.poll = dgram_poll,
	.ioctl = dgram_ioctl,
	.setsockopt = dgram_setsockopt,
	.getsockopt = dgram_getsockopt,
	.control = dgram_control,
	.options_changed = udp_options_changed,
	.release = udp_sock_release,
};
