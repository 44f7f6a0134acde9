/* SPDX-License-Identifier: BSD-2-Clause */
/* AF_UNIX: the life of a socket, and connections. */
#include <asm/ioctls.h>
#include <linux/sockios.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/unix.h"
#include "kernel/task/task.h"

#define DGRAM_BACKLOG 10u /* net.unix.max_dgram_qlen */

static const struct socket_ops stream_ops, packet_ops, dgram_ops;
static struct list sockets = LIST_INIT(sockets);

/* ---- life ---- */

static const struct socket_ops *ops_of(int type)
{
	switch (type) {
	case SOCK_STREAM: return &stream_ops;
	case SOCK_SEQPACKET: return &packet_ops;
	default: return &dgram_ops;
	}
}

static struct unix_sock *unix_new(int type)
{
	struct unix_sock *u = kmem_zalloc(sizeof(*u));

	if (u == NULL)
		return NULL;
	socket_init(&u->sock, ops_of(type), AF_UNIX, type, 0);
	u->refs = 1;
	u->backlog = DGRAM_BACKLOG;
	u->peer_is.cred = (struct ucred_k){ 0, UINT32_MAX, UINT32_MAX };
	list_push_back(&sockets, &u->all);
	list_init(&u->in_abstract);
	list_init(&u->connected);
	list_init(&u->in_connected);
	list_init(&u->queue);
	list_init(&u->pending);
	list_init(&u->in_pending);
	waitq_init(&u->peer_wait);
	return u;
}

err_t unix_create(int type, int protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol != 0 && protocol != AF_UNIX)
		return E_PROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return E_SOCKTNOSUPPORT;
	u = unix_new(type);
	if (u == NULL)
		return E_NOMEM;
	*out = &u->sock;
	return OK;
}

struct unix_sock *unix_get(struct unix_sock *u)
{
	u->refs++;
	return u;
}

void unix_put(struct unix_sock *u)
{
	if (--u->refs > 0)
		return;
	if (u->addr != NULL && --u->addr->refs == 0)
		kmem_free(u->addr);
	if (list_linked(&u->all))
		list_remove(&u->all);
	group_list_put(u->peer_is.groups);
	kmem_free(u);
}

void unix_wake_all(struct unix_sock *u)
{
	socket_wake(&u->sock.rq);
	socket_wake(&u->sock.wq);
}

static void set_peer(struct unix_sock *u, struct unix_sock *peer)
{
	u->peer = unix_get(peer);
	if (!unix_connection_based(u))
		list_push_back(&peer->connected, &u->in_connected);
}

static void tell_peer_of_end(struct unix_sock *u, bool unread)
{
	struct unix_sock *peer = u->peer;

	if (peer == NULL)
		return;
	if (!unix_connection_based(u)) {
		unix_dgram_disconnect(u);
		return;
	}
	peer->sock.shut = SHUT_BOTH;
	if (unread)
		peer->sock.error = E_CONNRESET;
	unix_wake_all(peer);
	u->peer = NULL;
	unix_put(peer);
}

void unix_drop_messages(struct unix_sock *u)
{
	struct list *node;

	while ((node = list_first(&u->queue)) != NULL) {
		struct unix_msg *m = list_entry(node, struct unix_msg, node);

		unix_msg_unqueue(u, m);
		unix_msg_free(m);
	}
	unix_room_in_queue(u);
}

/* `waiting`: nobody accepted it. */
static void end(struct unix_sock *u, bool waiting)
{
	struct list *node;

	u->dead = true;
	list_remove(&u->all);
	u->state = UNIX_CLOSED;
	u->sock.shut = SHUT_BOTH;
	unix_forget_name(u);
	tell_peer_of_end(u, waiting || !list_empty(&u->queue));
	while ((node = list_pop_front(&u->pending)) != NULL) {
		u->npending--;
		end(list_entry(node, struct unix_sock, in_pending), true);
	}
	unix_drop_messages(u);
	unix_put(u);
}

static void unix_release(struct socket *s)
{
	end(unix_of(s), false);
}

/* ---- connections ---- */

static void peer_is_current(struct unix_peer *p)
{
	const struct cred *c = &current_task->cred;

	p->cred = (struct ucred_k){ current_task->pid, c->euid, c->egid };
	group_list_put(p->groups);
	p->groups = group_list_get(c->groups);
}

static void peer_is(struct unix_peer *p, const struct unix_peer *other)
{
	(void)group_list_get(other->groups);
	group_list_put(p->groups);
	*p = *other;
}

static err_t unix_pair(struct socket *a, struct socket *b)
{
	struct unix_sock *ua = unix_of(a), *ub = unix_of(b);

	set_peer(ua, ub);
	set_peer(ub, ua);
	ua->state = ub->state = UNIX_CONNECTED;
	peer_is_current(&ua->peer_is);
	peer_is(&ub->peer_is, &ua->peer_is);
	return OK;
}

static err_t unix_listen(struct socket *s, unsigned backlog)
{
	struct unix_sock *u = unix_of(s);

	if (u->addr == NULL || u->state == UNIX_CONNECTED)
		return E_INVAL;
	if (backlog > u->backlog)
		socket_wake(&u->peer_wait);
	u->backlog = backlog;
	u->state = UNIX_LISTENING;
	peer_is_current(&u->peer_is);
	return OK;
}

/* A listener at the address with room for one more, referenced. MAY_SWITCH */
static err_t find_listener(const struct sock_addr *a, int type, uint64_t deadline,
			   struct unix_sock **out)
{
	for (;;) {
		struct unix_sock *to;
		err_t err;

		TRY(unix_find(a, type, &to));
		if (to->state != UNIX_LISTENING || (to->sock.shut & SHUT_RD_BIT)) {
			unix_put(to);
			return E_CONNREFUSED;
		}
		if (to->npending <= to->backlog) {
			*out = to;
			return OK;
		}
		err = socket_sleep(&to->peer_wait, deadline);
		unix_put(to);
		TRY(err);
	}
}

static void connect_to(struct unix_sock *u, struct unix_sock *to, struct unix_sock *accepted)
{
	accepted->state = u->state = UNIX_CONNECTED;
	peer_is_current(&accepted->peer_is);
	peer_is(&u->peer_is, &to->peer_is);
	accepted->addr = to->addr;
	accepted->addr->refs++;
	set_peer(accepted, u);
	set_peer(u, accepted);
	list_push_back(&to->pending, &accepted->in_pending);
	to->npending++;
	socket_wake(&to->sock.rq);
}

static err_t unix_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to, *accepted;
	err_t err;

	TRY(unix_check_addr(a));
	if (socket_option(s, SO_PASSCRED))
		TRY(unix_autobind(u));
	accepted = unix_new(s->type);
	if (accepted == NULL)
		return E_NOMEM;
	err = find_listener(a, s->type, socket_deadline(s->sndtimeo_ns, nonblock), &to);
	if (err != OK) {
		unix_put(accepted);
		return err;
	}
	if (u->state == UNIX_CLOSED) {
		connect_to(u, to, accepted);
	} else {
		err = u->state == UNIX_CONNECTED ? E_ISCONN : E_INVAL;
		unix_put(accepted);
	}
	unix_put(to);
	return err;
}

/* Another peer, or none: what the old one sent is lost, and it is told if it had us as peer. */
static void leave_peer(struct unix_sock *u, const struct unix_sock *next)
{
	struct unix_sock *old = u->peer;

	if (old == NULL)
		return;
	unix_get(old);
	unix_dgram_disconnect(u);
	if (old != next && !list_empty(&u->queue)) {
		unix_drop_messages(u);
		if (!old->dead && old->peer == u) {
			old->sock.error = E_CONNRESET;
			unix_wake_all(old);
		}
	}
	unix_put(old);
}

static err_t dgram_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;

	(void)nonblock;
	if (a->len < sizeof(a->family))
		return E_INVAL;
	if (a->family == AF_UNSPEC) {
		leave_peer(u, NULL);
		u->state = UNIX_CLOSED;
		socket_wake(&s->wq);
		return OK;
	}
	TRY(unix_check_addr(a));
	if (socket_option(s, SO_PASSCRED))
		TRY(unix_autobind(u));
	TRY(unix_find(a, s->type, &to));
	if (to->peer != NULL && to->peer != u) {
		unix_put(to);
		return E_PERM;
	}
	leave_peer(u, to);
	set_peer(u, to);
	u->state = UNIX_CONNECTED;
	unix_put(to);
	socket_wake(&s->wq);
	return OK;
}

static err_t unix_accept_wait(struct socket *s, bool nonblock)
{
	struct unix_sock *u = unix_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns, nonblock);

	if (u->state != UNIX_LISTENING)
		return E_INVAL;
	while (list_empty(&u->pending)) {
		if (s->shut & SHUT_RD_BIT)
			return deadline == 0 ? E_AGAIN : E_INVAL;
		TRY(socket_sleep(&s->rq, deadline));
	}
	return OK;
}

static struct socket *unix_accept_take(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *got;

	got = list_entry(list_pop_front(&u->pending), struct unix_sock, in_pending);
	u->npending--;
	socket_wake(&u->peer_wait);
	got->sock.option_bits |= s->option_bits & (1ull << SO_PASSCRED | 1ull << SO_PASSSEC);
	return &got->sock;
}

static err_t unix_shutdown(struct socket *s, unsigned how)
{
	struct unix_sock *u = unix_of(s);

	s->shut |= how;
	unix_wake_all(u);
	if (u->peer == NULL || !unix_connection_based(u))
		return OK;
	if (how & SHUT_RD_BIT)
		u->peer->sock.shut |= SHUT_WR_BIT;
	if (how & SHUT_WR_BIT)
		u->peer->sock.shut |= SHUT_RD_BIT;
	unix_wake_all(u->peer);
	return OK;
}

/* ---- the rest ---- */

/* A datagram socket with a peer: is there room at the peer's? */
static bool peer_has_room(const struct unix_sock *u)
{
	const struct unix_sock *peer = u->peer;

	return unix_connection_based(u) || peer == NULL || peer->peer == u ||
	       !unix_queue_full(peer);
}

static uint32_t unix_poll(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	uint32_t ready = 0;

	if (s->error != OK)
		ready |= EPOLLERR;
	if (s->shut == SHUT_BOTH)
		ready |= EPOLLHUP;
	if (s->shut & SHUT_RD_BIT)
		ready |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&u->queue) || !list_empty(&u->pending))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (unix_connection_based(u) && u->state == UNIX_CLOSED)
		ready |= EPOLLHUP;
	if (unix_writable(u) && peer_has_room(u))
		ready |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return ready;
}

static uint64_t unread(const struct unix_sock *u)
{
	uint64_t n = 0;

	LIST_FOR_EACH(pos, &u->queue) {
		const struct unix_msg *m = list_entry(pos, struct unix_msg, node);

		n += m->len - m->off;
		if (!unix_connection_based(u))
			break;
	}
	return n;
}

static long unix_ioctl(struct socket *s, unsigned cmd, uint64_t arg)
{
	struct unix_sock *u = unix_of(s);
	int n = 0;

	switch (cmd) {
	case SIOCINQ:
		if (u->state == UNIX_LISTENING)
			return E_INVAL;
		n = (int)unread(u);
		break;
	case SIOCOUTQ: n = (int)u->wmem; break;
	case SIOCATMARK: break; /* no urgent data, therefore never at its mark */
	default: return E_NOTTY;
	}
	return USER_OUT(UADDR(arg), &n);
}

/* As /proc/net/unix and sock_diag show it. */
static void info_of(const struct unix_sock *u, struct unix_info *out)
{
	*out = (struct unix_info){
		.refs = u->refs,
		.type = u->sock.type,
		.state = u->state == UNIX_LISTENING   ? 10 /* TCP_LISTEN */
			 : u->state == UNIX_CONNECTED ? 1  /* TCP_ESTABLISHED */
						      : 7, /* TCP_CLOSE */
		.listening = u->state == UNIX_LISTENING,
		.ino = u->sock.file != NULL ? u->sock.file->anon_ino : 0,
		.uid = u->sock.uid,
		.shutdown = u->sock.shut,
		.addr = u->addr != NULL ? &u->addr->a : NULL,
		.rqueue = (uint32_t)unread(u),
		.wqueue = u->wmem,
	};
	if (u->state == UNIX_LISTENING) {
		out->rqueue = u->npending;
		out->wqueue = u->backlog;
	}
	if (u->peer != NULL && u->peer->sock.file != NULL)
		out->peer_ino = u->peer->sock.file->anon_ino;
}

void unix_each(void (*fn)(void *ctx, const struct unix_info *i), void *ctx)
{
	LIST_FOR_EACH(pos, &sockets) {
		struct unix_info i;

		info_of(list_entry(pos, struct unix_sock, all), &i);
		fn(ctx, &i);
	}
}

static bool unix_listening(const struct socket *s)
{
	return container_of(s, const struct unix_sock, sock)->state == UNIX_LISTENING;
}

static void unix_peer_cred(const struct socket *s, struct ucred_k *out)
{
	*out = container_of(s, const struct unix_sock, sock)->peer_is.cred;
}

static long unix_peer_groups(const struct socket *s, const uint32_t **out)
{
	const struct unix_peer *p = &container_of(s, const struct unix_sock, sock)->peer_is;

	*out = p->groups != NULL ? p->groups->gids : NULL;
	return p->cred.uid == UINT32_MAX ? E_NODATA : (long)group_count(p->groups);
}

static void unix_buffers_changed(struct socket *s)
{
	if (unix_writable(unix_of(s)))
		socket_wake(&s->wq);
}

#define COMMON_OPS                                                                                 \
	.bind = unix_bind, .accept_take = unix_accept_take, .pair = unix_pair, .name = unix_name,  \
	.shutdown = unix_shutdown, .poll = unix_poll, .ioctl = unix_ioctl,                         \
	.listening = unix_listening, .peer_cred = unix_peer_cred, .peer_groups = unix_peer_groups, \
	.buffers_changed = unix_buffers_changed, .peeks_at = true, .release = unix_release

static const struct socket_ops stream_ops = {
	COMMON_OPS,
	.listen = unix_listen,
	.connect = unix_connect,
	.accept_wait = unix_accept_wait,
	.send = unix_stream_send,
	.recv = unix_stream_recv,
};

static const struct socket_ops packet_ops = {
	COMMON_OPS,
	.listen = unix_listen,
	.connect = unix_connect,
	.accept_wait = unix_accept_wait,
	.send = unix_packet_send,
	.recv = unix_packet_recv,
};

static const struct socket_ops dgram_ops = {
	COMMON_OPS,
	.listen = socket_no_listen,
	.connect = dgram_connect,
	.accept_wait = socket_no_accept,
	.send = unix_packet_send,
	.recv = unix_packet_recv,
};
