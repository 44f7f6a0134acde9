/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP connections: how they begin, are accepted, and end. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"
#include "kernel/x86/x86.h"

#define NS_PER_S 1000000000ull

/* For the next connection that somebody makes to us: lwIP cannot wait when there is no memory. */
static struct tcp_sock *spare;
static unsigned ndeferred; /* wait for data before they are accepted */

/* ---- between lwIP's connection and the socket ---- */

static lwip_err_t got_connected(void *arg, struct tcp_pcb *pcb, lwip_err_t err)
{
	struct tcp_sock *t = arg;

	(void)err;
	t->state = TS_OPEN;
	ip_addr_copy(t->i.local, pcb->local_ip);
	socket_wake(&t->i.s.rq);
	socket_wake(&t->i.s.wq);
	return ERR_OK;
}

static err_t error_of(const struct tcp_sock *t, lwip_err_t e)
{
	switch (e) {
	case ERR_CLSD: return OK; /* both sides have ended */
	case ERR_RST:
		if (t->state == TS_SYN_SENT)
			return E_CONNREFUSED;
		return t->pcb->state == CLOSE_WAIT ? E_PIPE : E_CONNRESET;
	default: return t->soft_error != OK ? t->soft_error : E_TIMEDOUT;
	}
}

static void got_error(void *arg, lwip_err_t e)
{
	struct tcp_sock *t = arg;
	err_t err;

	if (t == NULL)
		return;
	err = error_of(t, e);
	if (e == ERR_RST || e == ERR_CLSD)
		tcp_detach(t); /* it is freed soon */
	else
		t->pcb = NULL; /* it is gone */
	tcp_ended(t, err);
}

void tcp_push_options(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (pcb == NULL)
		return;
	tcp_nagle_disable(pcb); /* we hold back what is small */
	pcb->ttl = t->i.ttl;
	pcb->tos = t->i.s.family == AF_INET ? t->i.tos : t->i.tclass;
	if (socket_option(&t->i.s, SO_KEEPALIVE)) {
		ip_set_option(pcb, SOF_KEEPALIVE);
		tcp_timer_needed();
	} else {
		ip_reset_option(pcb, SOF_KEEPALIVE);
	}
	pcb->keep_idle = (u32_t)t->keepidle_s * 1000;
	pcb->keep_intvl = (u32_t)t->keepintvl_s * 1000;
	pcb->keep_cnt = (u32_t)t->keepcnt;
	if (t->maxseg != 0 && pcb->mss > t->maxseg)
		pcb->mss = (u16_t)t->maxseg;
}

void tcp_attach(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	t->pcb = pcb;
	tcp_arg(pcb, t);
	tcp_recv(pcb, tcp_got_data);
	tcp_poll(pcb, tcp_waiting_tick, UINT8_MAX);
	tcp_sent(pcb, tcp_got_ack);
	tcp_err(pcb, got_error);
	tcp_push_options(t);
}

void tcp_detach(struct tcp_sock *t)
{
	if (t->pcb != NULL)
		tcp_arg(t->pcb, NULL);
	t->pcb = NULL;
}

void tcp_ended(struct tcp_sock *t, err_t err)
{
	tcp_detach(t);
	tcp_tx_drop(t);
	t->state = TS_CLOSE;
	t->i.s.shut = SHUT_BOTH;
	if (err != OK)
		t->i.s.error = err;
	if (t->orphan) {
		tcp_sock_free(t);
		return;
	}
	if (t->parent != NULL && t->deferred)
		tcp_ready(t);
	socket_wake(&t->i.s.rq);
	socket_wake(&t->i.s.wq);
}

void tcp_blamed(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
		uint16_t remote_port, uint32_t seq, err_t error)
{
	struct tcp_pcb *pcb = tcp_find(local, local_port, remote, remote_port);
	struct tcp_sock *t = pcb != NULL ? pcb->callback_arg : NULL;

	if (t == NULL || t->pcb != pcb || !TCP_SEQ_BETWEEN(seq, pcb->lastack, pcb->snd_nxt))
		return;
	if (t->state != TS_SYN_SENT) {
		t->soft_error = error;
		return;
	}
	tcp_detach(t);
	tcp_abandon(pcb, 0);
	tcp_ended(t, error);
}

void tcp_sock_free(struct tcp_sock *t)
{
	BUG_ON(t->pcb != NULL || t->lpcb != NULL);
	tcp_rx_drop(t);
	tcp_tx_drop(t);
	inet_unbind(&t->i.bind);
	waitq_detach_all(&t->i.s.rq);
	waitq_detach_all(&t->i.s.wq);
	kmem_free(t);
}

void tcp_disconnect(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;
	bool asked = t->state == TS_SYN_SENT;

	tcp_detach(t);
	if (pcb != NULL)
		tcp_abandon(pcb, !asked);
	tcp_tx_drop(t);
	tcp_rx_drop(t);
	t->state = TS_CLOSE;
	t->connecting = t->connected = false;
	t->soft_error = OK;
	t->rx_credit = t->rx_debt = 0;
	t->urg = t->tx_urgent = false;
	t->rx_fin = t->tx_fin = t->fin_given = t->ended_told = t->cwnd_set = t->tx_small = false;
	t->i.s.shut = 0;
	t->i.remote_port = 0;
	if (t->auto_port) {
		inet_unbind(&t->i.bind); /* getsockname() still tells it, as in Linux */
		t->auto_port = false;
	}
	if (t->i.bind.port == NULL)
		inet_no_address(&t->i);
	t->i.local = t->i.bind.ip;
	socket_wake(&t->i.s.rq);
	socket_wake(&t->i.s.wq);
}

/* ---- connecting ---- */

/* To nobody in particular means to ourselves. Groups do not speak TCP. */
static err_t check_remote(const struct tcp_sock *t, ip_addr_t *to)
{
	if (ip_addr_isany(to)) {
		if (IP_IS_V4(to))
			ip_addr_set_loopback_val(false, *to);
		else
			ip_addr_set_loopback_val(true, *to);
	}
	if (ip_addr_ismulticast(to) ||
	    (IP_IS_V4(to) && ip4_addr_get_u32(ip_2_ip4(to)) == IPADDR_BROADCAST))
		return E_NETUNREACH;
	if (IP_IS_V4(to) && t->i.v6only)
		return E_NETUNREACH;
	return OK;
}

/* Where packets to `to` come from. */
static err_t choose_local(const struct tcp_sock *t, const ip_addr_t *to, ip_addr_t *from)
{
	const ip_addr_t *any = IP_IS_V4(to) ? IP4_ADDR_ANY : IP6_ADDR_ANY, *best;
	struct netif *n;

	if (t->i.bind.port != NULL && !ip_addr_isany(&t->i.bind.ip)) {
		if (IP_IS_V4(&t->i.bind.ip) != IP_IS_V4(to))
			return IP_IS_V6(to) ? E_AFNOSUPPORT : E_NETUNREACH;
		*from = t->i.bind.ip;
		return OK;
	}
	n = ip_route(any, to);
	if (n == NULL)
		return E_NETUNREACH;
	if (n == &net_loopback && (IP_IS_V6(to) || !ip4_addr_isloopback(ip_2_ip4(to)))) {
		*from = *to; /* an address of ours */
		return OK;
	}
	best = ip_netif_get_local_ip(n, to);
	if (best == NULL)
		return E_ADDRNOTAVAIL;
	*from = *best;
	return OK;
}

struct ends {
	const ip_addr_t *from, *to;
	uint16_t to_port;
};

static bool no_connection_between(const void *ctx, uint16_t port)
{
	const struct ends *e = ctx;

	return tcp_find(e->from, port, e->to, e->to_port) == NULL;
}

static err_t claim_port(struct tcp_sock *t, const ip_addr_t *from, const ip_addr_t *to,
			uint16_t to_port)
{
	struct ends ends = { from, to, to_port };

	if (t->i.bind.port != NULL)
		return OK;
	t->i.bind.ip = *from;
	t->i.bind.reuse_addr = socket_option(&t->i.s, SO_REUSEADDR);
	t->i.bind.reuse_port = socket_option(&t->i.s, SO_REUSEPORT);
	TRY(inet_bind_to_connect(&t->i.bind, INET_TCP, no_connection_between, &ends));
	t->i.local_port = inet_bound_port(&t->i.bind);
	t->auto_port = true;
	return OK;
}

static struct tcp_pcb *new_pcb(struct tcp_sock *t, const ip_addr_t *from)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(from));

	if (pcb == NULL)
		return NULL;
	tcp_pcb_prepare(pcb, t->i.bind.port, t->i.bind.reuse_addr || t->i.bind.reuse_port);
	ip_addr_copy(pcb->local_ip, *from);
	pcb->local_port = t->i.local_port;
	pcb->netif_idx = (u8_t)t->i.s.bound_if;
	TCP_EXT(pcb, TCP_EXT_WND) = (void *)(uintptr_t)t->rx_window;
	TCP_REG(&tcp_bound_pcbs, pcb);
	return pcb;
}

/* In a bracket. */
static err_t start_connect(struct tcp_sock *t, const ip_addr_t *to, uint16_t port)
{
	ip_addr_t from;
	struct tcp_pcb *pcb;
	lwip_err_t e;

	TRY(choose_local(t, to, &from));
	TRY(claim_port(t, &from, to, port));
	pcb = tcp_find(&from, t->i.local_port, to, port);
	if (pcb != NULL) {
		if (pcb->state != TIME_WAIT)
			return E_ADDRNOTAVAIL;
		tcp_abort(pcb); /* silently */
	}
	pcb = new_pcb(t, &from);
	if (pcb == NULL)
		return E_NOMEM;
	tcp_attach(t, pcb);
	t->state = TS_SYN_SENT;
	ip_addr_copy(t->i.local, from);
	ip_addr_copy(t->i.remote, *to);
	t->i.remote_port = port;
	e = tcp_connect(pcb, to, port, got_connected);
	if (e == ERR_OK)
		return OK;
	tcp_disconnect(t);
	return e == ERR_MEM ? E_NOMEM : inet_error(e);
}

/* connect() that came to an end, as the program is told. */
static err_t connect_result(struct tcp_sock *t)
{
	err_t err;

	if (t->state == TS_OPEN) {
		t->connecting = false;
		t->connected = true;
		return OK;
	}
	err = socket_error(&t->i.s);
	tcp_disconnect(t); /* nothing is left to reset: no bracket is needed */
	return err != OK ? err : E_CONNABORTED;
}

static err_t wait_connect(struct tcp_sock *t, bool nonblock, err_t now)
{
	uint64_t deadline = socket_deadline(t->i.s.sndtimeo_ns, nonblock);

	while (t->state == TS_SYN_SENT) {
		err_t err = socket_sleep(&t->i.s.wq, deadline);

		if (err != OK)
			return err == E_AGAIN ? now : err;
	}
	return connect_result(t);
}

static err_t disconnect_by_program(struct tcp_sock *t)
{
	net_enter();
	if (t->state == TS_LISTEN)
		tcp_unlisten(t);
	tcp_disconnect(t);
	net_leave();
	return OK;
}

err_t tcp_op_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct tcp_sock *t = tcp_sock_of(s);
	ip_addr_t to;
	uint16_t port;
	err_t err;

	if (a->len < sizeof(a->family))
		return E_INVAL;
	if (a->family == AF_UNSPEC)
		return disconnect_by_program(t);
	if (t->connected || t->state == TS_LISTEN)
		return E_ISCONN;
	if (t->connecting)
		return wait_connect(t, nonblock, E_ALREADY);
	TRY(inet_addr_in(s->family, a, &to, &port));
	TRY(check_remote(t, &to));
	net_enter();
	err = start_connect(t, &to, port);
	if (err == OK)
		t->connecting = true;
	net_leave();
	return err != OK ? err : nonblock ? E_INPROGRESS : wait_connect(t, false, E_INPROGRESS);
}

/* ---- listening ---- */

static lwip_err_t got_connection(void *arg, struct tcp_pcb *pcb, lwip_err_t err);

/* In a bracket. */
static err_t start_listen(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&t->i.local)), *l;

	if (pcb == NULL)
		return E_NOMEM;
	ip_addr_copy(pcb->local_ip, t->i.local);
	pcb->local_port = t->i.local_port;
	pcb->netif_idx = (u8_t)t->i.s.bound_if;
	TCP_REG(&tcp_bound_pcbs, pcb);
	l = tcp_listen_with_backlog(pcb, 0);
	if (l == NULL) {
		tcp_abandon(pcb, 0);
		return E_NOMEM;
	}
	t->lpcb = (struct tcp_pcb_listen *)l;
	tcp_arg(l, t);
	tcp_accept(l, got_connection);
	tcp_listen_prepare(t->lpcb);
	t->state = TS_LISTEN;
	tcp_listener_add(t);
	return OK;
}

static err_t bind_for_listen(struct tcp_sock *t)
{
	if (t->i.bind.port == NULL) {
		TRY(inet_bind(&t->i.bind, INET_TCP, 0));
		t->i.local_port = inet_bound_port(&t->i.bind);
	}
	t->i.bind.listening = true;
	if (!inet_bind_conflicts(&t->i.bind))
		return OK;
	t->i.bind.listening = false;
	return E_ADDRINUSE;
}

/* The host may wait for a server to be ready (abi/control.h). */
static void tell_host(const struct tcp_sock *t)
{
	char line[40];

	fmt_snprintf(line, sizeof(line), "listen=%u%s", inet_bound_port(&t->i.bind),
		     ip_addr_isloopback(&t->i.bind.ip) ? " loopback" : "");
	console_control(line);
}

err_t tcp_op_listen(struct socket *s, unsigned backlog)
{
	struct tcp_sock *t = tcp_sock_of(s);
	err_t err;

	if (t->connecting || t->connected || (t->state != TS_CLOSE && t->state != TS_LISTEN))
		return E_INVAL;
	t->backlog = backlog;
	if (t->state == TS_LISTEN)
		return OK;
	TRY(bind_for_listen(t));
	net_enter();
	err = start_listen(t);
	net_leave();
	if (err != OK)
		t->i.bind.listening = false;
	else
		tell_host(t);
	return err;
}

/* Nobody will accept it: the peer is told. */
static void drop_child(struct tcp_sock *c)
{
	struct tcp_pcb *pcb = c->pcb;

	tcp_detach(c);
	if (pcb != NULL)
		tcp_abort(pcb);
	ndeferred -= c->deferred;
	c->parent = NULL;
	tcp_sock_free(c);
}

void tcp_unlisten(struct tcp_sock *t)
{
	struct tcp_pcb *l = (struct tcp_pcb *)t->lpcb;

	tcp_listener_remove(t);
	t->lpcb = NULL;
	t->state = TS_CLOSE;
	t->i.bind.listening = false;
	(void)!tcp_close(l);
	while (!list_empty(&t->accepts))
		drop_child(list_entry(list_pop_front(&t->accepts), struct tcp_sock, accept_node));
	while (!list_empty(&t->waiting))
		drop_child(list_entry(list_pop_front(&t->waiting), struct tcp_sock, accept_node));
	t->naccepts = 0;
	socket_wake(&t->i.s.rq);
}

/* ---- accepting ---- */

bool tcp_can_establish(const struct tcp_pcb *pcb)
{
	(void)pcb;
	if (spare == NULL)
		spare = kmem_alloc(sizeof(*spare));
	return spare != NULL;
}

/* A socket for a connection to l, with what sockets inherit. Cannot fail. */
static struct tcp_sock *child_of(struct tcp_sock *l, const struct tcp_pcb *pcb)
{
	struct tcp_sock *c = spare;

	spare = NULL;
	*c = (struct tcp_sock){ .i = l->i, .state = TS_OPEN, .connected = true, .parent = l };
	memcpy(&c->nodelay, &l->nodelay,
	       offsetof(struct tcp_sock, stuck_since_ns) - offsetof(struct tcp_sock, nodelay));
	c->i.s.file = NULL;
	waitq_init(&c->i.s.rq);
	waitq_init(&c->i.s.wq);
	c->i.s.shut = 0;
	c->i.s.error = OK;
	c->i.s.cookie = 0;
	c->i.bind.port = NULL;
	c->i.bind.listening = false;
	list_init(&c->accepts);
	list_init(&c->waiting);
	c->rx_window = l->rx_window;
	c->tx_limit = l->tx_limit;
	ip_addr_copy(c->i.local, pcb->local_ip);
	ip_addr_copy(c->i.remote, pcb->remote_ip);
	c->i.remote_port = pcb->remote_port;
	return c;
}

void tcp_ready(struct tcp_sock *c)
{
	struct tcp_sock *l = c->parent;

	c->deferred = false;
	ndeferred--;
	list_remove(&c->accept_node);
	list_push_back(&l->accepts, &c->accept_node);
	l->naccepts++;
	if (!list_empty(&l->i.s.rq.waiters))
		wake_up(&l->i.s.rq, 1);
}

static void check_deferred(struct tcp_sock *l)
{
	while (!list_empty(&l->waiting)) {
		struct tcp_sock *c = list_entry(list_first(&l->waiting), struct tcp_sock,
						accept_node);

		if (c->deferred_until_ns > time_mono_ns())
			return;
		tcp_ready(c);
	}
}

bool tcp_any_deferred(void)
{
	return ndeferred > 0;
}

void tcp_check_deferred(void)
{
	if (ndeferred > 0)
		tcp_each_listener(check_deferred);
}

static lwip_err_t got_connection(void *arg, struct tcp_pcb *pcb, lwip_err_t err)
{
	struct tcp_sock *l, *c;

	(void)arg; /* the connection's: nobody's yet */
	if (pcb == NULL || err != ERR_OK)
		return ERR_VAL; /* out of memory when the SYN came: it is sent again */
	l = pcb->listener->callback_arg;
	BUG_ON(spare == NULL);
	c = child_of(l, pcb);
	tcp_pcb_established(pcb);
	tcp_attach(c, pcb);
	list_push_back(&l->waiting, &c->accept_node);
	c->deferred = true;
	ndeferred++;
	c->deferred_until_ns = time_mono_ns() + (uint64_t)l->defer_s * NS_PER_S;
	if (l->defer_s == 0)
		tcp_ready(c);
	return ERR_OK;
}

err_t tcp_op_accept_wait(struct socket *s, bool nonblock)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns, nonblock);

	for (;;) {
		if (t->state != TS_LISTEN)
			return E_INVAL;
		if (!list_empty(&t->accepts))
			return OK;
		TRY(socket_sleep(&s->rq, deadline));
	}
}

struct socket *tcp_op_accept_take(struct socket *s)
{
	struct tcp_sock *t = tcp_sock_of(s);
	struct tcp_sock *c = list_entry(list_pop_front(&t->accepts), struct tcp_sock, accept_node);

	t->naccepts--;
	c->parent = NULL;
	return &c->i.s;
}
