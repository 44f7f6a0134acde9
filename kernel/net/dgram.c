/* SPDX-License-Identifier: BSD-2-Clause */
/* Message sockets over IP: their life, their queue, receiving. */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/dgram.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

/* What Linux charges beside the data: struct sk_buff, struct skb_shared_info, room for headers. */
#define CHARGE_HEAD 256u
#define CHARGE_TAIL 320u
#define CHARGE_ROOM 92u
#define ERRORS_MAX  64u
#define REFS_MAX    60000u /* of one packet that many sockets get */

/* ---- life ---- */

struct dgram_sock *dgram_new(const struct socket_ops *ops, int family, int type, int protocol)
{
	struct dgram_sock *d = kmem_zalloc(sizeof(*d));

	if (d == NULL)
		return NULL;
	inet_sock_init(&d->i, ops, family, type, protocol);
	list_init(&d->in_table);
	list_init(&d->queue);
	list_init(&d->errors);
	d->mc_ttl = d->mc_hops = 1;
	d->mc_loop = d->mc_loop6 = true;
	d->checksum_at = -1;
	d->last_stamp_ns = -1;
	d->i.ip_bits |= 1ull << IP_MULTICAST_ALL;
	return d;
}

static void dgram_drop(struct dgram *g)
{
	pbuf_free(g->p);
	kmem_free(g);
}

void dgram_free(struct dgram_sock *d)
{
	struct list *node;

	dgram_leave_all(d);
	while ((node = list_pop_front(&d->queue)) != NULL)
		dgram_drop(list_entry(node, struct dgram, node));
	while ((node = list_pop_front(&d->errors)) != NULL)
		kmem_free(list_entry(node, struct dgram_error, node));
	if (d->pending != NULL)
		pbuf_free(d->pending);
	kmem_free(d);
}

/* ---- the queue ---- */

static uint32_t charge_for(uint32_t len)
{
	uint32_t size = 512;

	while (size < len + CHARGE_ROOM + CHARGE_TAIL)
		size *= 2;
	return size + CHARGE_HEAD;
}

void dgram_deliver(struct dgram_sock *d, struct pbuf *p, const struct dgram *info)
{
	struct dgram *g;

	if (d->i.s.shut & SHUT_RD_BIT)
		return;
	/* lwIP counts references in 16 bits, and asserts that they suffice. */
	g = d->rmem > d->i.s.rcvbuf || p->ref >= REFS_MAX ? NULL : kmem_alloc(sizeof(*g));
	if (g == NULL) {
		d->drops++;
		return;
	}
	*g = *info;
	g->p = p;
	pbuf_ref(p);
	g->charge = charge_for(g->len);
	g->drops = d->drops;
	if (d->i.s.stamp != STAMP_NONE)
		g->stamp_ns = (int64_t)time_real_ns();
	d->rmem += g->charge;
	list_push_back(&d->queue, &g->node);
	socket_wake(&d->i.s.rq);
}

static struct dgram *first_of(const struct dgram_sock *d)
{
	struct list *node = list_first(&d->queue);

	return node != NULL ? list_entry(node, struct dgram, node) : NULL;
}

/* The message in which byte *skip of the queue is, and where in it. NULL: none. */
static struct dgram *message_at(const struct dgram_sock *d, size_t *skip)
{
	LIST_FOR_EACH(pos, (struct list *)&d->queue) {
		struct dgram *g = list_entry(pos, struct dgram, node);

		if (d->i.s.peek_off < 0 || *skip < g->len ||
		    (g->len == 0 && *skip == 0 && !g->peeked))
			return g;
		*skip -= g->len;
	}
	return NULL;
}

/* The message to read or to look at, or NULL at the end. MAY_SWITCH */
static err_t wait_for_message(struct dgram_sock *d, const struct sock_msg *m, uint64_t deadline,
			      struct dgram **out, size_t *skip)
{
	for (;;) {
		TRY(socket_error(&d->i.s));
		*skip = socket_peek_at(&d->i.s, m);
		*out = m->flags & MSG_PEEK ? message_at(d, skip) : first_of(d);
		if (*out != NULL)
			return OK;
		if ((d->i.s.shut & SHUT_RD_BIT) && deadline != 0)
			return OK;
		TRY(socket_sleep(&d->i.s.rq, deadline));
	}
}

/* The only copy of what is received. */
static err_t copy_out(const struct pbuf *p, uint32_t off, uint32_t len, struct uio *to)
{
	for (; len > 0 && p != NULL; p = p->next) {
		uint32_t n;

		if (off >= p->len) {
			off -= p->len;
			continue;
		}
		n = p->len - off < len ? p->len - off : len;
		TRY(uio_out(to, (const uint8_t *)p->payload + off, n, NULL));
		len -= n;
		off = 0;
	}
	return OK;
}

/* ---- control data ---- */

static uint32_t ip4_of(const ip_addr_t *a)
{
	return IP_IS_V4(a) ? ip4_addr_get_u32(ip_2_ip4(a)) : 0;
}

static void in6_of(const ip_addr_t *a, struct in6_addr *out)
{
	struct sock_addr whole;
	struct sockaddr_in6 in;

	inet_addr_out(AF_INET6, a, 0, &whole);
	memcpy(&in, whole.bytes, sizeof(in));
	*out = in.sin6_addr;
}

static void tell_ip4(struct dgram_sock *d, struct sock_msg *m, const struct dgram *g)
{
	struct in_pktinfo info = { .ipi_ifindex = g->ifindex,
				   .ipi_spec_dst.s_addr = ip4_of(&g->dst),
				   .ipi_addr.s_addr = ip4_of(&g->dst) };
	struct sockaddr_in dst = { .sin_family = AF_INET,
				   .sin_port = lwip_htons(g->dport),
				   .sin_addr.s_addr = ip4_of(&g->dst) };
	int ttl = g->ttl;

	if (dgram_ip_bit(d, IP_PKTINFO))
		sock_put_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	if (dgram_ip_bit(d, IP_RECVTTL))
		sock_put_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (dgram_ip_bit(d, IP_RECVTOS))
		sock_put_control(m, SOL_IP, IP_TOS, &g->tos, sizeof(g->tos));
	if (dgram_ip_bit(d, IP_RECVORIGDSTADDR))
		sock_put_control(m, SOL_IP, IP_ORIGDSTADDR, &dst, sizeof(dst));
}

static void tell_ip6(struct dgram_sock *d, struct sock_msg *m, const struct dgram *g)
{
	struct in6_pktinfo info = { .ipi6_ifindex = g->ifindex };
	int ttl = g->ttl, tclass = g->tos;

	in6_of(&g->dst, &info.ipi6_addr);
	if (dgram_ip6_bit(d, IPV6_RECVPKTINFO))
		sock_put_control(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	if (IP_IS_V4_VAL(g->dst)) {
		tell_ip4(d, m, g);
		return;
	}
	if (dgram_ip6_bit(d, IPV6_RECVHOPLIMIT))
		sock_put_control(m, SOL_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (dgram_ip6_bit(d, IPV6_RECVTCLASS))
		sock_put_control(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
}

static void tell(struct dgram_sock *d, struct sock_msg *m, const struct dgram *g)
{
	m->scm.stamp_ns = g->stamp_ns != 0 ? g->stamp_ns : (int64_t)time_real_ns();
	d->last_stamp_ns = m->scm.stamp_ns;
	sock_put_stamp(&d->i.s, m);
	if (socket_option(&d->i.s, SO_RXQ_OVFL) && g->drops != 0)
		sock_put_control(m, SOL_SOCKET, SO_RXQ_OVFL, &g->drops, sizeof(g->drops));
	if (d->i.s.family == AF_INET)
		tell_ip4(d, m, g);
	else
		tell_ip6(d, m, g);
}

/* ---- errors ---- */

static bool wants_errors(const struct dgram_sock *d, bool v6)
{
	if (d->i.s.family == AF_INET6 && v6)
		return dgram_ip6_bit(d, IPV6_RECVERR);
	return dgram_ip_bit(d, IP_RECVERR);
}

static void queue_error(struct dgram_sock *d, struct dgram_error *e)
{
	list_push_back(&d->errors, &e->node);
	d->nerrors++;
}

void dgram_error(struct dgram_sock *d, const struct sock_extended_err *ee, bool fatal,
		 const ip_addr_t *offender, const ip_addr_t *dst, uint16_t dport, struct pbuf *p,
		 uint16_t off)
{
	uint16_t len = p != NULL && off < p->tot_len ? (uint16_t)(p->tot_len - off) : 0;

	if (wants_errors(d, IP_IS_V6(dst))) {
		struct dgram_error *e = d->nerrors < ERRORS_MAX ? kmem_alloc(sizeof(*e) + len)
								: NULL;

		if (e != NULL) {
			*e = (struct dgram_error){ .ee = *ee,
						   .offender = *offender,
						   .dst = *dst,
						   .dport = dport,
						   .len = len };
			if (len > 0)
				pbuf_copy_partial(p, e->data, len, off);
			queue_error(d, e);
		}
	} else if (!fatal || !d->connected) {
		return;
	}
	d->i.s.error = (err_t) - (int)ee->ee_errno;
	socket_wake(&d->i.s.rq);
	socket_wake(&d->i.s.wq);
}

/* struct sock_extended_err with the address of who reported it behind it. */
struct told_error {
	struct sock_extended_err ee;
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

static void tell_error(struct dgram_sock *d, struct sock_msg *m, const struct dgram_error *e)
{
	bool v4 = d->i.s.family == AF_INET || IP_IS_V4_VAL(e->dst);
	struct told_error t = { .ee = e->ee };
	struct sock_addr a;

	if (e->ee.ee_origin != SO_EE_ORIGIN_LOCAL) {
		inet_addr_out(v4 ? AF_INET : AF_INET6, &e->offender, 0, &a);
		memcpy(&t.in, a.bytes, a.len);
	}
	if (v4)
		sock_put_control(m, SOL_IP, IP_RECVERR, &t,
				 offsetof(struct told_error, in) + sizeof(t.in));
	else
		sock_put_control(m, SOL_IPV6, IPV6_RECVERR, &t, sizeof(t));
}

static err_t recv_error(struct dgram_sock *d, struct sock_msg *m, size_t *done)
{
	struct list *node = list_pop_front(&d->errors);
	struct dgram_error *e;
	uint32_t n;
	err_t err;

	if (node == NULL)
		return E_AGAIN;
	e = list_entry(node, struct dgram_error, node);
	d->nerrors--;
	n = e->len;
	if (n > m->data.left) {
		n = (uint32_t)m->data.left;
		m->out_flags |= MSG_TRUNC;
	}
	err = uio_out(&m->data, e->data, n, NULL);
	inet_addr_out(d->i.s.family, &e->dst, e->dport, &m->name);
	tell_error(d, m, e);
	m->out_flags |= MSG_ERRQUEUE;
	*done += n;
	kmem_free(e);
	/* The next one, if it is an error too. */
	d->i.s.error = list_empty(&d->errors) ? OK
					      : (err_t) - (int)list_entry(list_first(&d->errors),
									  struct dgram_error, node)
								  ->ee.ee_errno;
	return err;
}

/* ---- receiving ---- */

static void take_name(struct dgram_sock *d, struct sock_msg *m, const struct dgram *g)
{
	inet_addr_out(d->i.s.family, &g->src, g->sport, &m->name);
}

err_t dgram_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct dgram_sock *d = dgram_of(s);
	bool peek = (m->flags & MSG_PEEK) != 0;
	struct dgram *g;
	uint32_t n, len;
	size_t skip;
	err_t err;

	if (m->flags & MSG_ERRQUEUE)
		return recv_error(d, m, done);
	if ((m->flags & MSG_OOB) && s->type == SOCK_RAW)
		return E_OPNOTSUPP;
	TRY(wait_for_message(d, m, socket_deadline(s->rcvtimeo_ns, m->nonblock), &g, &skip));
	if (g == NULL)
		return OK;
	if (!peek) {
		list_remove(&g->node);
		d->rmem -= g->charge;
	}
	g->peeked = peek;
	n = len = g->len - (uint32_t)skip;
	if (n > m->data.left) {
		n = (uint32_t)m->data.left;
		m->out_flags |= MSG_TRUNC;
	}
	err = copy_out(g->p, g->off + (uint32_t)skip, n, &m->data);
	if (err == OK) {
		take_name(d, m, g);
		tell(d, m, g);
		socket_peek_moves(s, m, n);
		*done += m->flags & MSG_TRUNC ? len : n;
	}
	if (!peek)
		dgram_drop(g);
	return err;
}

uint32_t dgram_poll(struct socket *s)
{
	struct dgram_sock *d = dgram_of(s);
	uint32_t ready = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;

	if (s->error != OK || !list_empty(&d->errors))
		ready |= EPOLLERR;
	if (!list_empty(&d->errors) && socket_option(s, SO_SELECT_ERR_QUEUE))
		ready |= EPOLLPRI;
	if (s->shut & SHUT_RD_BIT)
		ready |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (s->shut == SHUT_BOTH)
		ready |= EPOLLHUP;
	if (!list_empty(&d->queue))
		ready |= EPOLLIN | EPOLLRDNORM;
	return ready;
}

/* When the last message came that was read; the first question asks for it to be noted. */
static long stamp_ioctl(struct dgram_sock *d, unsigned cmd, uint64_t arg)
{
	int64_t ns = d->last_stamp_ns, part = ns % 1000000000;
	int64_t stamp[2] = { ns / 1000000000, cmd == SIOCGSTAMP_OLD ? part / 1000 : part };

	return ns < 0 ? E_NOENT : USER_OUT(UADDR(arg), &stamp);
}

long dgram_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	const struct dgram *g = first_of(dgram_of(s));
	int n = 0;

	switch (cmd) {
	case SIOCINQ: n = g != NULL ? g->len : 0; break;
	case SIOCOUTQ: break; /* what is sent is gone at once */
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD: return stamp_ioctl(dgram_of(s), cmd, arg);
	default: return E_NOTTY;
	}
	return USER_OUT(UADDR(arg), &n);
}

err_t dgram_shutdown(struct socket *s, unsigned how)
{
	s->shut |= how;
	socket_wake(&s->rq);
	socket_wake(&s->wq);
	return dgram_of(s)->connected ? OK : E_NOTCONN;
}
