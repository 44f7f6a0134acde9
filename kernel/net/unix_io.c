/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending and receiving over AF_UNIX, step by step as Linux does it. */
#include "kernel/net/unix.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

#define OVERFLOW_ID 65534u /* a user or group that is not told */
/* How Linux cuts data into pieces: that decides how much a socket takes before it is full. */
#define STREAM_LINEAR 3776u  /* in the head of a piece of a stream */
#define STREAM_PAGED  32768u /* and beside it */
#define PACKET_LINEAR 16064u
#define PACKET_PAGED  (17u * 4096u)

/* ---- what goes beside the data ---- */

static bool wants_cred(const struct unix_sock *u)
{
	return socket_option(&u->sock, SO_PASSCRED) || (u->sock.file == NULL && !u->dead);
}

static void attach(struct unix_msg *msg, struct sock_msg *m, const struct unix_sock *to)
{
	const struct unix_sock *from = msg->from;

	msg->cred = m->scm.cred;
	if (!m->scm.cred_set && (socket_option(&from->sock, SO_PASSCRED) || wants_cred(to)))
		msg->cred = (struct ucred_k){ current_task->pid, current_task->cred.uid,
					      current_task->cred.gid };
	msg->files = m->scm.files;
	m->scm.files = NULL;
	if (msg->files != NULL)
		scm_fly(msg->files);
	if (to->sock.stamp != STAMP_NONE)
		msg->stamp_ns = (int64_t)time_real_ns();
}

static void take_cred(struct sock_msg *m, const struct unix_msg *msg)
{
	m->scm.cred = msg->cred;
	if (m->scm.cred.uid == UINT32_MAX)
		m->scm.cred.uid = OVERFLOW_ID;
	if (m->scm.cred.gid == UINT32_MAX)
		m->scm.cred.gid = OVERFLOW_ID;
}

static bool same_cred(const struct unix_msg *a, const struct ucred_k *c)
{
	return a->cred.pid == c->pid && a->cred.uid == c->uid && a->cred.gid == c->gid;
}

static err_t take_files(struct sock_msg *m, struct unix_msg *msg, bool peek)
{
	if (msg->files == NULL)
		return OK;
	if (peek) {
		m->scm.files = scm_files_copy(msg->files);
		return m->scm.files != NULL ? OK : E_NOMEM;
	}
	scm_land(msg->files);
	m->scm.files = msg->files;
	msg->files = NULL;
	return OK;
}

static void take_name(struct sock_msg *m, const struct unix_msg *msg)
{
	if (msg->from->addr != NULL)
		m->name = msg->from->addr->a;
}

/* Room for one more message of u. MAY_SWITCH */
static err_t wait_for_room(struct unix_sock *u, uint64_t deadline)
{
	for (;;) {
		TRY(socket_error(&u->sock));
		if (u->sock.shut & SHUT_WR_BIT)
			return E_PIPE;
		if (u->wmem < u->sock.sndbuf)
			return OK;
		TRY(socket_sleep(&u->sock.wq, deadline));
	}
}

/* ---- streams ---- */

static err_t broken_pipe(const struct sock_msg *m, size_t done)
{
	if (done == 0 && (m->flags & MSG_NOSIGNAL) == 0)
		(void)!signal_send_thread(current, SIGPIPE, NULL);
	return E_PIPE;
}

static uint32_t piece_size(const struct unix_sock *u, size_t left)
{
	uint32_t max = u->sock.sndbuf / 2 - 64; /* two pieces fit */

	if (max > STREAM_LINEAR + STREAM_PAGED)
		max = STREAM_LINEAR + STREAM_PAGED;
	return left < max ? (uint32_t)left : max;
}

static uint32_t stream_linear(uint32_t size)
{
	uint32_t paged = size > STREAM_LINEAR ? ALIGN_UP(size - STREAM_LINEAR, 4096u) : 0;

	return paged < size ? size - paged : 0;
}

/* One piece; *done counts it. MAY_SWITCH */
static err_t send_piece(struct unix_sock *u, struct sock_msg *m, uint64_t deadline, size_t *done)
{
	uint32_t size = piece_size(u, m->data.left);
	struct unix_sock *to = u->peer;
	struct unix_msg *msg;

	TRY(wait_for_room(u, deadline));
	TRY(unix_msg_new(u, &m->data, size, stream_linear(size), &msg));
	if (to->dead || (to->sock.shut & SHUT_RD_BIT)) {
		unix_msg_free(msg);
		return broken_pipe(m, *done);
	}
	attach(msg, m, to);
	unix_msg_queue(to, msg);
	*done += size;
	return OK;
}

err_t unix_stream_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct unix_sock *u = unix_of(s);
	uint64_t deadline = socket_deadline(s->sndtimeo_ns, m->nonblock);
	err_t err = OK;

	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	if (m->name.len != 0)
		return u->state == UNIX_CONNECTED ? E_ISCONN : E_OPNOTSUPP;
	if (u->peer == NULL)
		return E_NOTCONN;
	if (s->shut & SHUT_WR_BIT)
		return broken_pipe(m, 0);
	while (m->data.left > 0 && err == OK)
		err = send_piece(u, m, deadline, done);
	return err;
}

/* The state of one receiving call. */
struct reader {
	struct unix_sock *u;
	struct sock_msg *m;
	struct list *at; /* the next message to look at */
	size_t skip;     /* SO_PEEK_OFF: bytes from there on that are not looked at */
	struct ucred_k cred;
	bool cred_known;
};

/* Bytes of one message. True: go on with the next. */
static bool read_piece(struct reader *r, struct unix_msg *msg, size_t *done, err_t *err)
{
	bool peek = (r->m->flags & MSG_PEEK) != 0;
	uint32_t n = msg->len - msg->off;
	bool had_files = msg->files != NULL;

	if (r->skip >= n && r->skip > 0) {
		r->skip -= n;
		r->at = msg->node.next;
		return true;
	}
	n -= (uint32_t)r->skip;
	if (r->cred_known) {
		if (!same_cred(msg, &r->cred))
			return false;
	} else if (socket_option(&r->u->sock, SO_PASSCRED)) {
		r->cred = msg->cred;
		r->cred_known = true;
		take_cred(r->m, msg);
	}
	if (r->m->name.len == 0)
		take_name(r->m, msg);
	if (n > r->m->data.left)
		n = (uint32_t)r->m->data.left;
	*err = unix_msg_read(msg, msg->off + (uint32_t)r->skip, n, &r->m->data);
	if (*err == OK)
		*err = take_files(r->m, msg, peek);
	if (*err != OK)
		return false;
	*done += n;
	r->skip = 0;
	socket_peek_moves(&r->u->sock, r->m, n);
	r->at = msg->node.next;
	if (!peek) {
		msg->off += n;
		if (msg->off < msg->len)
			return false;
		unix_msg_unqueue(r->u, msg);
		unix_msg_free(msg);
	}
	return !had_files && r->m->data.left > 0;
}

/* Nothing more is there. True: something came, go on. MAY_SWITCH */
static bool read_wait(struct reader *r, size_t target, uint64_t deadline, size_t done, err_t *err)
{
	struct socket *s = &r->u->sock;

	if (done >= target || (done > 0 && (r->m->flags & MSG_PEEK)))
		return false;
	*err = socket_error(s);
	if (*err != OK || (s->shut & SHUT_RD_BIT))
		return false;
	*err = socket_sleep(&s->rq, deadline);
	r->at = r->u->queue.next;
	r->skip = socket_peek_at(s, r->m);
	return *err == OK;
}

err_t unix_stream_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct unix_sock *u = unix_of(s);
	struct reader r = { .u = u, .m = m, .at = u->queue.next, .skip = socket_peek_at(s, m) };
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns, m->nonblock);
	size_t size = m->data.left;
	size_t target = (m->flags & MSG_WAITALL) || size < s->rcvlowat ? size : s->rcvlowat;
	bool more = true;
	err_t err = OK;

	if (u->state != UNIX_CONNECTED || (m->flags & MSG_OOB))
		return E_INVAL;
	if (target == 0)
		target = 1;
	while (more) {
		if (r.at == &u->queue)
			more = read_wait(&r, target, deadline, *done, &err);
		else
			more = read_piece(&r, list_entry(r.at, struct unix_msg, node), done, &err);
	}
	return err;
}

/* ---- datagrams and packets ---- */

void unix_dgram_disconnect(struct unix_sock *u)
{
	struct unix_sock *old = u->peer;

	u->peer = NULL;
	list_remove(&u->in_connected);
	unix_put(old);
}

/* The socket that a message goes to, referenced. */
static err_t destination(struct unix_sock *u, const struct sock_msg *m, struct unix_sock **out)
{
	if (m->name.len != 0)
		return unix_find(&m->name, u->sock.type, out);
	if (u->peer == NULL)
		return E_NOTCONN;
	*out = unix_get(u->peer);
	return OK;
}

/* May a message of u go to `to` now? E_AGAIN: its queue is full. */
static err_t may_deliver(struct unix_sock *u, const struct unix_sock *to)
{
	if (to->peer != NULL && to->peer != u)
		return E_PERM;
	if (to->dead) {
		if (u->peer == to && u->sock.type == SOCK_DGRAM) {
			unix_dgram_disconnect(u);
			unix_drop_messages(u);
		}
		return E_CONNREFUSED;
	}
	if (to->sock.shut & SHUT_RD_BIT)
		return E_PIPE;
	if (to != u && to->peer != u && unix_queue_full(to))
		return E_AGAIN;
	return OK;
}

/* Bring msg to its destination; it is taken over when that succeeds. MAY_SWITCH */
static err_t deliver(struct unix_sock *u, struct sock_msg *m, struct unix_msg *msg,
		     uint64_t deadline)
{
	for (;;) {
		struct unix_sock *to;
		err_t err;

		TRY(destination(u, m, &to));
		err = may_deliver(u, to);
		if (err == OK) {
			attach(msg, m, to);
			unix_msg_queue(to, msg);
		} else if (err == E_AGAIN) {
			err = socket_sleep(&to->peer_wait, deadline);
			if (err == OK)
				err = E_AGAIN; /* look again */
			else if (err == E_AGAIN)
				err = E_TIME;
		}
		unix_put(to);
		if (err != E_AGAIN)
			return err == E_TIME ? E_AGAIN : err;
	}
}

static uint32_t packet_linear(uint32_t len)
{
	uint32_t paged = len > PACKET_LINEAR ? len - PACKET_LINEAR : 0;

	if (paged > PACKET_PAGED)
		paged = PACKET_PAGED;
	paged = ALIGN_UP(paged, 4096u);
	return paged < len ? len - paged : len;
}

err_t unix_packet_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct unix_sock *u = unix_of(s);
	uint64_t deadline = socket_deadline(s->sndtimeo_ns, m->nonblock);
	size_t len = m->data.left;
	struct unix_msg *msg;
	err_t err;

	if (s->type == SOCK_SEQPACKET) {
		TRY(socket_error(s));
		if (u->state != UNIX_CONNECTED)
			return E_NOTCONN;
		m->name.len = 0;
	}
	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	if (m->name.len != 0)
		TRY(unix_check_addr(&m->name));
	else if (u->peer == NULL)
		return E_NOTCONN;
	if (socket_option(s, SO_PASSCRED))
		TRY(unix_autobind(u));
	if (len > s->sndbuf - 32)
		return E_MSGSIZE;
	TRY(wait_for_room(u, deadline));
	TRY(unix_msg_new(u, &m->data, (uint32_t)len, packet_linear((uint32_t)len), &msg));
	err = deliver(u, m, msg, deadline);
	if (err != OK) {
		unix_msg_free(msg);
		return err;
	}
	*done += len;
	return OK;
}

/* The message in which byte *skip of the queue is, and where in it. NULL: none. */
static struct unix_msg *packet_at(const struct unix_sock *u, size_t *skip)
{
	LIST_FOR_EACH(pos, (struct list *)&u->queue) {
		struct unix_msg *msg = list_entry(pos, struct unix_msg, node);

		if (u->sock.peek_off < 0 || *skip < msg->len ||
		    (msg->len == 0 && *skip == 0 && !msg->peeked))
			return msg;
		*skip -= msg->len;
	}
	return NULL;
}

/* The message to read or to look at, or NULL at the end. MAY_SWITCH */
static err_t wait_for_packet(struct unix_sock *u, const struct sock_msg *m, uint64_t deadline,
			     struct unix_msg **out, size_t *skip)
{
	struct socket *s = &u->sock;

	for (;;) {
		struct list *first = list_first(&u->queue);

		*skip = socket_peek_at(s, m);
		TRY(socket_error(s));
		*out = first == NULL         ? NULL
		       : m->flags & MSG_PEEK ? packet_at(u, skip)
					     : list_entry(first, struct unix_msg, node);
		if (*out != NULL)
			return OK;
		if ((s->shut & SHUT_RD_BIT) && (deadline != 0 || s->type == SOCK_SEQPACKET))
			return OK;
		TRY(socket_sleep(&s->rq, deadline));
	}
}

void unix_room_in_queue(struct unix_sock *u)
{
	socket_wake(&u->peer_wait);
	LIST_FOR_EACH(pos, &u->connected)
		socket_wake(&list_entry(pos, struct unix_sock, in_connected)->sock.wq);
}

err_t unix_packet_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct unix_sock *u = unix_of(s);
	bool peek = (m->flags & MSG_PEEK) != 0;
	struct unix_msg *msg;
	uint32_t n, len;
	size_t skip;
	err_t err;

	if (s->type == SOCK_SEQPACKET && u->state != UNIX_CONNECTED)
		return E_NOTCONN;
	if (m->flags & MSG_OOB)
		return E_OPNOTSUPP;
	TRY(wait_for_packet(u, m, socket_deadline(s->rcvtimeo_ns, m->nonblock), &msg, &skip));
	if (msg == NULL)
		return OK;
	if (!peek) {
		unix_msg_unqueue(u, msg);
		unix_room_in_queue(u);
	}
	take_name(m, msg);
	m->scm.stamp_ns = msg->stamp_ns != 0 ? msg->stamp_ns : (int64_t)time_real_ns();
	sock_put_stamp(s, m);
	msg->peeked = peek;
	n = len = msg->len - (uint32_t)skip;
	if (n > m->data.left) {
		n = (uint32_t)m->data.left;
		m->out_flags |= MSG_TRUNC;
	}
	err = unix_msg_read(msg, (uint32_t)skip, n, &m->data);
	if (err == OK)
		err = take_files(m, msg, peek);
	if (err == OK) {
		take_cred(m, msg);
		socket_peek_moves(s, m, peek ? n : msg->len);
		*done += m->flags & MSG_TRUNC ? len : n;
	}
	if (!peek)
		unix_msg_free(msg);
	return err;
}
