/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving: pbufs wait in the socket until the program reads them (tcp_sock.h). */
#include <linux/tcp.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"
#include "kernel/vfs/async.h"

#define SMALL       256u  /* data shorter than this is put together with what came before */
#define MERGED_SIZE 1900u /* a pbuf for that: with its header, one kernel object of 2 KiB */
#define PBUF_MEM    2048u /* what one pbuf is taken to need */
#define WINDOW_MIN  2048u
#define WINDOW_MAX  4194240u /* what a scaled window can say */

/* ---- taking ---- */

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

static uint64_t read_so_far(const struct tcp_sock *t)
{
	return t->bytes_received - t->rx_len;
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
	if (t->urg && t->urg_at < read_so_far(t))
		t->urg = false;
}

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

/* ---- urgent data ---- */

static bool urgent_has_come(const struct tcp_sock *t)
{
	return t->urg && t->urg_at < t->bytes_received;
}

static bool in_line(const struct tcp_sock *t)
{
	return socket_option(&t->i.s, SO_OOBINLINE);
}

bool tcp_urgent_here(const struct tcp_sock *t)
{
	return urgent_has_come(t) && !t->urg_read;
}

bool tcp_at_mark(const struct tcp_sock *t)
{
	return t->urg && t->urg_at == read_so_far(t);
}

uint32_t tcp_unread(const struct tcp_sock *t)
{
	if (in_line(t) || !urgent_has_come(t))
		return t->rx_len;
	return (uint32_t)(t->urg_at - read_so_far(t));
}

void tcp_note_urgent(struct tcp_sock *t, const struct tcp_hdr *h, const struct tcp_pcb *pcb)
{
	uint16_t pointer = lwip_ntohs(h->urgp);
	uint32_t ahead; /* of the urgent byte: bytes that come before it */

	/* It points behind the byte, as BSD has it. */
	ahead = lwip_ntohl(h->seqno) + (pointer != 0 ? pointer - 1u : 0) - pcb->rcv_nxt;
	if (ahead > pcb->rcv_wnd + (uint32_t)UINT16_MAX)
		return; /* old, or nothing that the peer could send now */
	if (t->urg && t->bytes_received + ahead <= t->urg_at)
		return;
	/* What was urgent and is the next to read is dropped for it. */
	if (tcp_at_mark(t) && urgent_has_come(t) && !in_line(t))
		take(t, 1);
	t->urg = true;
	t->urg_read = false;
	t->urg_at = t->bytes_received + ahead;
	if (t->i.s.file != NULL)
		async_urgent(t->i.s.file);
}

/* Data is about to be queued. */
static void look_for_urgent(struct tcp_sock *t, const struct pbuf *p)
{
	if (t->urg && t->urg_at >= t->bytes_received && t->urg_at - t->bytes_received < p->len)
		t->urg_byte = ((const uint8_t *)p->payload)[t->urg_at - t->bytes_received];
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
		look_for_urgent(t, p);
		if (!merge(t, p))
			append(t, p);
		t->rx_len += len;
		t->bytes_received += len;
	}
}

bool tcp_readable(const struct tcp_sock *t)
{
	uint32_t low = t->i.s.rcvlowat, len = t->rx_len;

	if (urgent_has_come(t) && tcp_at_mark(t) && !in_line(t))
		len--;
	if (low > t->rx_window / 2) /* as much as may ever come */
		low = t->rx_window / 2;
	return len > 0 && len >= low;
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
	if (tcp_readable(t) || tcp_urgent_here(t))
		socket_wake(&t->i.s.rq);
	return ERR_OK;
}

/* ---- the window ---- */

/*
 * What was promised to the peer stays: what is on its way, unread, or read and not told yet. A
 * smaller window begins when so much has been read.
 */
static void resize(struct tcp_sock *t, struct tcp_pcb *pcb, uint32_t size)
{
	uint32_t now = pcb->rcv_wnd + t->rx_len + t->rx_credit;

	if (pcb->state == SYN_SENT && size > now) {
		/* lwIP asserts that it is what a header can say, until the answer allows more. */
		set_limit(t, pcb, size);
		pcb->rcv_wnd = pcb->rcv_ann_wnd = LWIP_MIN(size, (uint32_t)UINT16_MAX);
		return;
	}
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

void tcp_rx_drop(struct tcp_sock *t)
{
	while (t->rx_first != NULL)
		drop_first(t);
	t->rx_len = 0;
}

static err_t copy_out(struct sock_msg *m, const void *from, size_t n, size_t *done)
{
	if (!(m->flags & MSG_TRUNC))
		return uio_out(&m->data, from, n, done);
	m->data.left -= n; /* thrown away, and counted */
	*done += n;
	return OK;
}

/* Of n bytes from place `at` on, those before the urgent one; all, if it is the first or none. */
static size_t before_mark(const struct tcp_sock *t, uint64_t at, size_t n)
{
	return t->urg && t->urg_at > at && t->urg_at - at < n ? (size_t)(t->urg_at - at) : n;
}

/* *mark: urgent data is next, and something before it was read: that is all for this call. */
static err_t read_queue(struct tcp_sock *t, struct sock_msg *m, size_t *done, bool *mark)
{
	bool any = *done > 0;

	while (t->rx_len > 0 && m->data.left > 0) {
		struct pbuf *p = t->rx_first;
		size_t n = p->len < m->data.left ? p->len : m->data.left, got = 0;
		err_t err;

		if (t->urg && tcp_at_mark(t) && !any && !in_line(t)) {
			take(t, 1);
			continue;
		}
		if (t->urg)
			n = before_mark(t, read_so_far(t), n);
		err = copy_out(m, p->payload, n, &got);
		take(t, got);
		*done += got;
		any = true;
		*mark = tcp_at_mark(t);
		if (err != OK || *mark)
			return err;
	}
	return OK;
}

/* The same without taking anything, from byte `skip` on; *done bytes of that are looked at. */
static err_t peek_queue(const struct tcp_sock *t, struct sock_msg *m, size_t skip, size_t *done,
			bool *mark)
{
	uint64_t at = read_so_far(t) + skip;

	if (t->urg && t->urg_at == at && !in_line(t))
		skip++;
	skip += *done;
	at = read_so_far(t) + skip;
	for (const struct pbuf *p = t->rx_first; p != NULL && m->data.left > 0; p = p->next) {
		size_t n;

		if (skip >= p->len) {
			skip -= p->len;
			continue;
		}
		n = p->len - skip < m->data.left ? p->len - skip : m->data.left;
		n = before_mark(t, at, n);
		TRY(copy_out(m, (const char *)p->payload + skip, n, done));
		at += n;
		*mark = t->urg && t->urg_at == at;
		if (*mark)
			return OK;
		skip = 0;
	}
	return OK;
}

/* The urgent byte itself (MSG_OOB). */
static err_t recv_urgent(struct tcp_sock *t, struct sock_msg *m, size_t *done)
{
	if (in_line(t) || !t->urg || t->urg_read)
		return E_INVAL;
	if (t->state == TS_CLOSE && !t->rx_fin)
		return E_NOTCONN;
	if (!urgent_has_come(t))
		return t->state == TS_CLOSE || (t->i.s.shut & SHUT_RD_BIT) ? OK : E_AGAIN;
	if (!(m->flags & MSG_PEEK))
		t->urg_read = true;
	m->out_flags |= MSG_OOB;
	if (m->data.left == 0) {
		m->out_flags |= MSG_TRUNC;
		return OK;
	}
	return copy_out(m, &t->urg_byte, 1, done);
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

/* TCP_INQ: what is left; 1 at the end, so that the program comes back for it. */
static void tell_unread(const struct tcp_sock *t, struct sock_msg *m)
{
	int left = t->rx_len == 0 && t->rx_fin ? 1 : (int)t->rx_len;

	sock_put_control(m, SOL_TCP, TCP_CM_INQ, &left, sizeof(left));
}

err_t tcp_op_recv(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint64_t deadline = socket_deadline(s->rcvtimeo_ns, m->nonblock);
	size_t size = m->data.left, got = 0, target;
	bool end, mark = false;
	err_t err = OK;

	if (t->state == TS_LISTEN)
		return E_NOTCONN;
	if (m->flags & MSG_OOB)
		return recv_urgent(t, m, done);
	if (m->flags & MSG_ERRQUEUE)
		return E_AGAIN;
	target = (m->flags & MSG_WAITALL) || size < s->rcvlowat ? size : s->rcvlowat;
	if (target == 0 && t->rx_len == 0)
		target = 1; /* asking for nothing waits for something */
	for (;;) {
		if (m->flags & MSG_PEEK)
			err = peek_queue(t, m, socket_peek_at(s, m), &got, &mark);
		else
			err = read_queue(t, m, &got, &mark);
		if (err != OK || mark || got >= target || (size == 0 && t->rx_len > 0))
			break;
		/* What was read is told before an error is. */
		if (got > 0 && (s->error != OK || t->state == TS_CLOSE || t->rx_fin))
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
	socket_peek_moves(s, m, got);
	*done += got;
	if (t->inq && (got > 0 || err == OK))
		tell_unread(t, m);
	return got > 0 ? OK : err;
}
