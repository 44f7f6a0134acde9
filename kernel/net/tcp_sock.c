/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP sockets: making, binding, polling, shutting down, closing (tcp_sock.h). */
#include <asm/ioctls.h>
#include <linux/in.h>
#include <linux/sockios.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/x86/x86.h"

#define TX_LIMIT 262144u /* what SO_SNDBUF is when nobody has set it */

/* ---- making ---- */

static void set_tx_limit(struct tcp_sock *t)
{
	t->tx_limit = t->i.s.sndbuf == TCP_SNDBUF_DEF ? TX_LIMIT : t->i.s.sndbuf;
}

static void tcp_buffers_changed(struct socket *s)
{
	set_tx_limit(tcp_sock_of(s));
	tcp_set_window(tcp_sock_of(s));
}

static void tcp_options_changed(struct socket *s)
{
	tcp_push_options(tcp_sock_of(s));
}

err_t tcp_sock_create(int family, int protocol, struct socket **out)
{
	struct tcp_sock *t;

	if (protocol != 0 && protocol != IPPROTO_TCP)
		return E_PROTONOSUPPORT;
	t = kmem_zalloc(sizeof(*t));
	if (t == NULL)
		return E_NOMEM;
	inet_sock_init(&t->i, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP);
	t->i.s.sndbuf = TCP_SNDBUF_DEF;
	t->i.s.rcvbuf = TCP_RCVBUF_DEF;
	list_init(&t->accepts);
	list_init(&t->waiting);
	t->keepidle_s = 7200;
	t->keepintvl_s = 75;
	t->keepcnt = 9;
	set_tx_limit(t);
	tcp_set_window(t);
	*out = &t->i.s;
	return OK;
}

static err_t tcp_bind_op(struct socket *s, const struct sock_addr *a)
{
	struct tcp_sock *t = tcp_sock_of(s);

	if (t->state != TS_CLOSE)
		return E_INVAL;
	return inet_sock_bind(&t->i, INET_TCP, a);
}

static err_t tcp_name(struct socket *s, bool peer, struct sock_addr *out)
{
	const struct tcp_sock *t = tcp_sock_of(s);

	if (peer && (t->state == TS_CLOSE || t->state == TS_SYN_SENT))
		return E_NOTCONN;
	return inet_sock_name(s, peer, out);
}

/* ---- looking ---- */

static uint32_t tcp_poll_op(struct socket *s)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint32_t ev = 0;

	if (t->state == TS_LISTEN)
		return list_empty(&t->accepts) ? 0 : EPOLLIN | EPOLLRDNORM;
	if (s->shut == SHUT_BOTH || t->state == TS_CLOSE)
		ev |= EPOLLHUP;
	if (s->shut & SHUT_RD_BIT)
		ev |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (t->state != TS_SYN_SENT) {
		if (tcp_readable(t))
			ev |= EPOLLIN | EPOLLRDNORM;
		if (tcp_urgent_here(t))
			ev |= EPOLLPRI;
		if ((s->shut & SHUT_WR_BIT) || tcp_writable(t))
			ev |= EPOLLOUT | EPOLLWRNORM;
		else
			t->tx_full = true;
	}
	if (s->error != OK)
		ev |= EPOLLERR;
	return ev;
}

static long tcp_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	const struct tcp_sock *t = tcp_sock_of(s);
	uint32_t n;

	switch (cmd) {
	case SIOCINQ:
		if (t->state == TS_LISTEN)
			return E_INVAL;
		n = tcp_unread(t);
		break;
	case SIOCOUTQ:
		if (t->state == TS_LISTEN)
			return E_INVAL;
		n = t->tx_mem;
		break;
	case SIOCOUTQNSD:
		if (t->state == TS_LISTEN)
			return E_INVAL;
		n = t->tx_unsent;
		break;
	case SIOCATMARK: n = tcp_at_mark(t); break;
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD: return E_NOENT; /* bytes have no time */
	default: return E_NOTTY;
	}
	return USER_OUT(UADDR(arg), &n);
}

static bool tcp_listening(const struct socket *s)
{
	return ((const struct tcp_sock *)s)->state == TS_LISTEN;
}

/* ---- ending ---- */

static err_t tcp_shutdown_op(struct socket *s, unsigned how)
{
	struct tcp_sock *t = tcp_sock_of(s);
	err_t err = OK;

	net_enter();
	switch (t->state) {
	case TS_CLOSE:
		s->shut |= how;
		err = E_NOTCONN;
		break;
	case TS_LISTEN:
		if (how & SHUT_RD_BIT)
			tcp_unlisten(t);
		break;
	case TS_SYN_SENT: tcp_disconnect(t); break;
	case TS_OPEN:
		s->shut |= how;
		if ((how & SHUT_WR_BIT) && !t->tx_fin) {
			t->tx_fin = true;
			tcp_push(t);
		}
		break;
	}
	net_leave();
	socket_wake(&s->rq);
	socket_wake(&s->wq);
	return err;
}

/* The program is gone; the peer gets what was sent, and then the end. */
static void close_open(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (t->rx_len > 0 || (socket_option(&t->i.s, SO_LINGER) && t->i.s.linger_s == 0)) {
		tcp_disconnect(t); /* a reset: data was lost, or the program wants it so */
		tcp_sock_free(t);
		return;
	}
	tcp_set_flags(pcb, TF_RXCLOSED);
	tcp_timer_needed();
	t->orphan = true;
	if (t->fin_given) {
		tcp_leave_alone(t);
		return;
	}
	t->tx_fin = true;
	inet_unbind(&t->i.bind); /* the connection itself holds the port */
	tcp_push(t);             /* may free t */
}

static struct waitq lingering = WAITQ_INIT(lingering);
bool tcp_lingers;

/* Our end is not acknowledged yet. */
static bool ending(const struct tcp_sock *t)
{
	enum tcp_state now;

	if (t->state != TS_OPEN)
		return false;
	if (!t->fin_given)
		return true;
	now = t->pcb->state;
	return now == FIN_WAIT_1 || now == CLOSING || now == LAST_ACK;
}

void tcp_linger_look(void)
{
	tcp_lingers = false;
	wake_all(&lingering);
}

void tcp_op_linger(struct socket *s)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint64_t deadline;

	if (t->state != TS_OPEN || t->rx_len > 0)
		return;
	deadline = time_mono_ns() + (uint64_t)(uint32_t)s->linger_s * 1000000000ull;
	(void)!tcp_shutdown_op(s, SHUT_BOTH);
	while (ending(t)) {
		tcp_lingers = true;
		if (socket_sleep(&lingering, deadline) != OK)
			return;
	}
}

static void tcp_release(struct socket *s)
{
	struct tcp_sock *t = tcp_sock_of(s);

	net_enter();
	switch (t->state) {
	case TS_LISTEN:
		tcp_unlisten(t);
		tcp_sock_free(t);
		break;
	case TS_OPEN: close_open(t); break;
	case TS_SYN_SENT: tcp_disconnect(t); __attribute__((fallthrough));
	case TS_CLOSE: tcp_sock_free(t); break;
	}
	net_leave();
}

const struct socket_ops tcp_ops = {
	.bind = tcp_bind_op,
	.listen = tcp_op_listen,
	.connect = tcp_op_connect,
	.accept_wait = tcp_op_accept_wait,
	.accept_take = tcp_op_accept_take,
	.name = tcp_name,
	.send = tcp_op_send,
	.recv = tcp_op_recv,
	.shutdown = tcp_shutdown_op,
	.peeks_at = true,
	.poll = tcp_poll_op,
	.ioctl = tcp_ioctl,
	.setsockopt = tcp_op_setsockopt,
	.getsockopt = tcp_op_getsockopt,
	.linger = tcp_op_linger,
	.listening = tcp_listening,
	.buffers_changed = tcp_buffers_changed,
	.options_changed = tcp_options_changed,
	.release = tcp_release,
};
