/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving: pbufs wait in the socket until the program reads them (tcp_sock.h). */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"

#define SMALL       256u  /* data shorter than this is put together with what came before */
#define MERGED_SIZE 1900u /* a pbuf for that: with its header, one kernel object of 2 KiB */
#define PBUF_MEM    2048u /* what one pbuf is taken to need */
#define WINDOW_MIN  2048u
#define WINDOW_MAX  4194240u /* what a scaled window can say */

/* ---- from lwIP ---- */

static void append(struct tcp_sock *t, struct pbuf *p)
{
	p->next = NULL;
	if (t->rx_last != NULL)
		t->rx_last->next = p;
	else
		t->rx_first = p;
	t->rx_last = p;
	t->rx_merge = NULL;
	t->rx_mem += PBUF_MEM;
	tcp_queued_bytes += PBUF_MEM;
}

/*
 * Many small pieces that nobody reads would each keep a whole packet's memory: they are copied
 * together. False: not possible, or not worth it.
 */
static bool merge(struct tcp_sock *t, struct pbuf *p)
{
	if (p->len > SMALL || t->rx_last == NULL)
		return false;
	if (t->rx_merge == NULL || t->rx_merge_room < p->len) {
		struct pbuf *m = pbuf_alloc(PBUF_RAW, MERGED_SIZE, PBUF_RAM);

		if (m == NULL)
			return false;
		append(t, m);
		t->rx_merge = m->payload;
		t->rx_merge_room = m->len;
		m->len = m->tot_len = 0;
	}
	memcpy(t->rx_merge, p->payload, p->len);
	t->rx_merge += p->len;
	t->rx_merge_room -= p->len;
	t->rx_last->len = (u16_t)(t->rx_last->len + p->len);
	pbuf_free(p);
	return true;
}

static void queue_data(struct tcp_sock *t, struct pbuf *p)
{
	struct pbuf *next;

	for (; p != NULL; p = next) {
		uint32_t len = p->len;

		next = p->next;
		p->next = NULL;
		if (len == 0) {
			pbuf_free(p);
			continue;
		}
		if (!merge(t, p))
			append(t, p);
		t->rx_len += len;
		t->bytes_received += len;
	}
}

bool tcp_readable(const struct tcp_sock *t)
{
	uint32_t low = t->i.s.rcvlowat;

	if (low > t->rx_window / 2) /* as much as may ever come */
		low = t->rx_window / 2;
	return t->rx_len > 0 && t->rx_len >= low;
}

static void got_fin(struct tcp_sock *t, const struct tcp_pcb *pcb)
{
	t->rx_fin = true;
	t->i.s.shut |= SHUT_RD_BIT;
	if (t->parent != NULL && t->deferred)
		tcp_ready(t);
	if (pcb->state == TIME_WAIT) {
		tcp_ended(t, OK);
		return;
	}
	socket_wake(&t->i.s.rq);
	socket_wake(&t->i.s.wq);
}

lwip_err_t tcp_got_data(void *arg, struct tcp_pcb *pcb, struct pbuf *p, lwip_err_t err)
{
	struct tcp_sock *t = arg;

	(void)err;
	if (t == NULL) { /* lwIP is alone with it, and waits for its end */
		if (p != NULL)
			pbuf_free(p);
		return ERR_OK;
	}
	if (p == NULL) {
		got_fin(t, pcb);
		return ERR_OK;
	}
	queue_data(t, p);
	if (t->parent != NULL && t->deferred)
		tcp_ready(t);
	if (t->quickack)
		tcp_ack_now(pcb);
	if (tcp_readable(t))
		socket_wake(&t->i.s.rq);
	return ERR_OK;
}

/* ---- the window ---- */

/* lwIP's upper bound. */
static void set_limit(const struct tcp_sock *t, struct tcp_pcb *pcb, uint32_t size)
{
	TCP_EXT(pcb, TCP_EXT_WND) = (void *)(uintptr_t)(size + t->rx_debt);
}

static void note_read(struct tcp_sock *t, uint32_t n)
{
	uint32_t pays = n < t->rx_debt ? n : t->rx_debt;

	t->rx_credit += n - pays;
	if (pays == 0)
		return;
	t->rx_debt -= pays;
	if (t->pcb != NULL)
		set_limit(t, t->pcb, t->rx_window);
}

/*
 * What was promised to the peer stays: what is on its way, unread, or read and not told yet. A
 * smaller window begins when so much has been read.
 */
static void resize(struct tcp_sock *t, struct tcp_pcb *pcb, uint32_t size)
{
	uint32_t now = pcb->rcv_wnd + t->rx_len + t->rx_credit;

	t->rx_debt = now > size ? now - size : 0;
	if (size > t->rx_window && now < size)
		t->rx_credit += size - now;
	set_limit(t, pcb, size);
}

void tcp_set_window(struct tcp_sock *t)
{
	uint32_t size = t->i.s.rcvbuf == TCP_RCVBUF_DEF ? TCP_WND_DEFAULT : t->i.s.rcvbuf;

	if (size < WINDOW_MIN)
		size = WINDOW_MIN;
	if (size > WINDOW_MAX)
		size = WINDOW_MAX;
	if (t->pcb != NULL)
		resize(t, t->pcb, size);
	t->rx_window = size;
}

/*
 * Tell lwIP what was read, when it makes a difference to the peer. True if so: more may have come
 * meanwhile.
 */
static bool give_credit(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	/* Without window scaling the peer knows of 64 KiB only. */
	if (pcb == NULL || t->rx_credit < LWIP_MIN(t->rx_window, TCP_WND_MAX(pcb)) / 4)
		return false;
	net_enter();
	while (t->rx_credit > 0) {
		u16_t n = t->rx_credit < UINT16_MAX ? (u16_t)t->rx_credit : UINT16_MAX;

		t->rx_credit -= n;
		tcp_recved(pcb, n);
	}
	net_leave();
	return true;
}

/*
 * The program has read all there was, has not answered, and comes back for more: what it waits for
 * may in turn wait for our acknowledgement.
 */
static bool acknowledge(struct tcp_sock *t)
{
	struct tcp_pcb *pcb = t->pcb;

	if (pcb == NULL || !(pcb->flags & TF_ACK_DELAY))
		return false;
	net_enter();
	tcp_ack_now(pcb);
	(void)!tcp_output(pcb);
	net_leave();
	return true;
}

/* ---- to the program ---- */

static void drop_first(struct tcp_sock *t)
{
	struct pbuf *p = t->rx_first;

	t->rx_first = p->next;
	if (t->rx_first == NULL) {
		t->rx_last = NULL;
		t->rx_merge = NULL;
	}
	p->next = NULL;
	pbuf_free(p);
	t->rx_mem -= PBUF_MEM;
	tcp_queued_bytes -= PBUF_MEM;
}

void tcp_rx_drop(struct tcp_sock *t)
{
	while (t->rx_first != NULL)
		drop_first(t);
	t->rx_len = 0;
}

static void take(struct tcp_sock *t, size_t n)
{
	struct pbuf *p = t->rx_first;

	p->payload = (char *)p->payload + n;
	p->len = (u16_t)(p->len - n);
	t->rx_len -= (uint32_t)n;
	note_read(t, (uint32_t)n);
	if (p->len == 0)
		drop_first(t);
}

static err_t copy_out(struct sock_msg *m, const void *from, size_t n, size_t *done)
{
	if (!(m->flags & MSG_TRUNC))
		return uio_out(&m->data, from, n, done);
	m->data.left -= n; /* thrown away, and counted */
	*done += n;
	return OK;
}

static err_t read_queue(struct tcp_sock *t, struct sock_msg *m, size_t *done)
{
	while (t->rx_len > 0 && m->data.left > 0) {
		struct pbuf *p = t->rx_first;
		size_t n = p->len < m->data.left ? p->len : m->data.left, got = 0;
		err_t err;

		err = copy_out(m, p->payload, n, &got);
		take(t, got);
		*done += got;
		if (err != OK)
			return err;
	}
	return OK;
}

/* The same without taking anything, from byte `skip` on. */
static err_t peek_queue(const struct tcp_sock *t, struct sock_msg *m, size_t skip, size_t *done)
{
	for (const struct pbuf *p = t->rx_first; p != NULL && m->data.left > 0; p = p->next) {
		size_t n;

		if (skip >= p->len) {
			skip -= p->len;
			continue;
		}
		n = p->len - skip < m->data.left ? p->len - skip : m->data.left;
		TRY(copy_out(m, (const char *)p->payload + skip, n, done));
		skip = 0;
	}
	return OK;
}

/* Nothing is there: why, if waiting makes no sense. OK with *end: it has ended. */
static err_t nothing(struct tcp_sock *t, bool *end)
{
	struct socket *s = &t->i.s;

	*end = true;
	if (t->ended_told)
		return OK;
	if (s->error != OK) {
		t->ended_told = t->state == TS_CLOSE;
		return socket_error(s);
	}
	if (s->shut & SHUT_RD_BIT)
		return OK;
	if (t->state == TS_CLOSE)
		return E_NOTCONN;
	*end = false;
	return OK;
}

err_t tcp_op_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns, m->nonblock);
	size_t before = *done, size = m->data.left, target;
	bool end;
	err_t err = OK;

	if (t->state == TS_LISTEN)
		return E_NOTCONN;
	if (m->flags & MSG_OOB)
		return E_INVAL; /* there is no urgent data */
	if (m->flags & MSG_ERRQUEUE)
		return E_AGAIN;
	target = (m->flags & MSG_WAITALL) || size < s->rcvlowat ? size : s->rcvlowat;
	if (target == 0 && t->rx_len == 0)
		target = 1; /* asking for nothing waits for something */
	for (;;) {
		if (m->flags & MSG_PEEK)
			err = peek_queue(t, m, *done - before, done);
		else
			err = read_queue(t, m, done);
		if (err != OK || *done - before >= target || (size == 0 && t->rx_len > 0))
			break;
		/* What was read is told before an error is. */
		if (*done > before && (s->error != OK || t->state == TS_CLOSE || t->rx_fin))
			break;
		err = nothing(t, &end);
		if (err != OK || end)
			break;
		if (give_credit(t) || acknowledge(t))
			continue;
		err = socket_sleep(&s->rq, deadline);
		if (err != OK)
			break;
	}
	(void)give_credit(t);
	return *done > before ? OK : err;
}
