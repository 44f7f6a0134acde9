/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending: from the program to segments (tcp_sock.h says how). */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

#define CHUNK_SMALL    2048u /* with its header */
#define CHUNK_LARGE    16384u
#define COPY_MAX       256u /* up to here data is copied behind the headers */
#define WRITE_ROUND    131072u
#define INITIAL_WINDOW 10u /* segments, as RFC 6928 has it */
#define CORK_TICKS     2u  /* of the slow timer: held data goes after 200 ms */
#define NS_PER_MS      1000000ull

struct tcp_chunk {
	struct tcp_chunk *next;
	uint32_t refs; /* the socket's, and each pbuf's that points into it */
	uint32_t start, end, size;
	char data[];
};

struct chunk_pbuf {
	struct pbuf_custom custom; /* first */
	struct tcp_chunk *chunk;
};

/* ---- chunks ---- */

static void chunk_put(struct tcp_chunk *c)
{
	if (--c->refs == 0)
		kmem_free(c);
}

static struct tcp_chunk *chunk_new(struct tcp_sock *t, size_t wanted)
{
	uint32_t size = wanted + sizeof(struct tcp_chunk) <= CHUNK_SMALL ? CHUNK_SMALL
									 : CHUNK_LARGE;
	struct tcp_chunk *c = kmem_alloc(size);

	if (c == NULL && size > CHUNK_SMALL) {
		size = CHUNK_SMALL;
		c = kmem_alloc(size);
	}
	if (c == NULL)
		return NULL;
	*c = (struct tcp_chunk){ .refs = 1, .size = size - (uint32_t)sizeof(*c) };
	if (t->tx_last != NULL)
		t->tx_last->next = c;
	else
		t->tx_first = c;
	t->tx_last = c;
	return c;
}

static void drop_first_chunk(struct tcp_sock *t)
{
	struct tcp_chunk *c = t->tx_first;

	t->tx_first = c->next;
	if (t->tx_first == NULL)
		t->tx_last = NULL;
	chunk_put(c);
}

/* Bytes less that wait or fly. */
static void tx_gone(struct tcp_sock *t, uint32_t n)
{
	t->tx_mem -= n;
	tcp_queued_bytes -= n;
}

static void tx_new(struct tcp_sock *t, uint32_t n)
{
	t->tx_mem += n;
	tcp_queued_bytes += n;
}

void tcp_tx_drop(struct tcp_sock *t)
{
	while (t->tx_first != NULL)
		drop_first_chunk(t);
	tx_gone(t, t->tx_mem);
	t->tx_unsent = 0;
}

/* ---- segments ---- */

static void chunk_pbuf_free(struct pbuf *p)
{
	struct chunk_pbuf *c = (struct chunk_pbuf *)p;

	chunk_put(c->chunk);
	kmem_free(c);
}

static struct pbuf *chunk_pbuf(struct tcp_chunk *chunk, void *data, u16_t len)
{
	struct chunk_pbuf *c = kmem_alloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	c->custom.custom_free_function = chunk_pbuf_free;
	c->chunk = chunk;
	chunk->refs++;
	return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &c->custom, data, len);
}

/* As lwIP's tcp_create_segment(): takes p over, whose payload is the data. NULL: out of memory. */
static struct tcp_seg *segment(const struct tcp_pcb *pcb, struct pbuf *p, u32_t seq, u8_t flags)
{
	struct tcp_seg *s = memp_malloc(MEMP_TCP_SEG);

	if (s == NULL) {
		pbuf_free(p);
		return NULL;
	}
	s->next = NULL;
	s->p = p;
	s->len = p->tot_len;
	s->flags = 0;
	BUG_ON(pbuf_add_header(p, TCP_HLEN) != 0);
	s->tcphdr = p->payload;
	s->tcphdr->src = lwip_htons(pcb->local_port);
	s->tcphdr->dest = lwip_htons(pcb->remote_port);
	s->tcphdr->seqno = lwip_htonl(seq);
	TCPH_HDRLEN_FLAGS_SET(s->tcphdr, TCP_HLEN / 4, flags);
	s->tcphdr->urgp = 0;
	return s;
}

static void append_segment(struct tcp_pcb *pcb, struct tcp_seg *s)
{
	struct tcp_seg **at = &pcb->unsent;

	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	pcb->snd_lbb += s->len;
	pcb->snd_buf -= s->len;
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen + pbuf_clen(s->p));
}

/* The first n waiting bytes as pbufs behind room for headers; nothing is taken away yet. */
static struct pbuf *gather(struct tcp_sock *t, uint32_t n)
{
	bool copy = n <= COPY_MAX;
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, copy ? (u16_t)n : 0, PBUF_RAM);
	uint32_t at = 0;

	if (p == NULL)
		return NULL;
	for (struct tcp_chunk *c = t->tx_first; at < n; c = c->next) {
		uint32_t len = c->end - c->start < n - at ? c->end - c->start : n - at;
		struct pbuf *q;

		if (copy) {
			memcpy((char *)p->payload + at, c->data + c->start, len);
			at += len;
			continue;
		}
		if (len == 0)
			continue; /* a copy into it failed at once */
		q = chunk_pbuf(c, c->data + c->start, (u16_t)len);
		if (q == NULL) {
			pbuf_free(p);
			return NULL;
		}
		pbuf_cat(p, q);
		at += len;
	}
	return p;
}

static void consume(struct tcp_sock *t, uint32_t n)
{
	t->tx_unsent -= n;
	while (n > 0) {
		struct tcp_chunk *c = t->tx_first;
		uint32_t len = c->end - c->start < n ? c->end - c->start : n;

		c->start += len;
		n -= len;
		if (c->start == c->end)
			drop_first_chunk(t);
	}
}

/* A full segment: when the peer's whole window is small, half of that is enough. */
static uint32_t full_size(const struct tcp_pcb *pcb)
{
	uint32_t half = pcb->snd_wnd_max / 2;

	return half < pcb->mss && half > 0 ? half : pcb->mss;
}

static void note_segment(struct tcp_sock *t, const struct tcp_pcb *pcb, uint32_t n)
{
	if (n < full_size(pcb)) {
		t->tx_small = true;
		t->tx_small_end = pcb->snd_lbb;
	}
	t->cork_ticks = 0;
}

/* As Linux: the pointer names what follows the urgent byte. */
static void mark_urgent(struct tcp_sock *t, const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	uint32_t ahead = t->tx_urgent_end - lwip_ntohl(s->tcphdr->seqno);

	if (!seq_after(t->tx_urgent_end, pcb->lastack)) {
		t->tx_urgent = false;
	} else if ((int32_t)ahead > 0) {
		s->tcphdr->urgp = lwip_htons(ahead < UINT16_MAX ? (u16_t)ahead : UINT16_MAX);
		TCPH_SET_FLAG(s->tcphdr, TCP_URG);
	}
}

static bool make_segment(struct tcp_sock *t, struct tcp_pcb *pcb, uint32_t n)
{
	struct pbuf *p = gather(t, n);
	struct tcp_seg *s;

	if (p == NULL)
		return false;
	s = segment(pcb, p, pcb->snd_lbb, n == t->tx_unsent ? TCP_PSH : 0);
	if (s == NULL)
		return false;
	if (t->tx_urgent)
		mark_urgent(t, pcb, s);
	append_segment(pcb, s);
	consume(t, n);
	note_segment(t, pcb, n);
	return true;
}

/* ---- how much may leave ---- */

/* May less than a full segment go, which is all there is? */
static bool may_send_small(const struct tcp_sock *t, const struct tcp_pcb *pcb)
{
	if (t->tx_fin || t->tx_urgent || t->cork_ticks >= CORK_TICKS)
		return true;
	if (t->cork || t->tx_more)
		return false;
	/* Nagle's algorithm as Minshall changed it: one small segment at a time. */
	return t->nodelay || !t->tx_small || !seq_after(t->tx_small_end, pcb->lastack);
}

/* A device that cuts segments itself takes many at once. */
static uint32_t segment_max(const struct tcp_sock *t, const struct tcp_pcb *pcb, uint32_t wanted)
{
	/* A device that cuts would give each piece the same pointer to urgent data. */
	bool cut = wanted > pcb->mss && !t->tx_urgent;
	uint32_t full = full_size(pcb), max = cut ? net_gso_max(pcb) : 0;

	return max < full || full < pcb->mss ? full : max - max % full;
}

/* The size of the next segment; 0: nothing can go now. */
static uint32_t next_size(const struct tcp_sock *t, const struct tcp_pcb *pcb)
{
	uint32_t wnd = pcb->snd_wnd < pcb->cwnd ? pcb->snd_wnd : pcb->cwnd;
	uint32_t flying = pcb->snd_lbb - pcb->lastack;
	uint32_t room = wnd > flying ? wnd - flying : 0, full = full_size(pcb);
	uint32_t n = t->tx_unsent, max = segment_max(t, pcb, n);

	if (n > max)
		n = max;
	if (n > room) {
		n = room - room % full;
		if (n == 0 && full < pcb->mss && room >= full / 2)
			n = room; /* in a small window everything is small */
		if (n > 0 || flying > 0)
			return n;
		/* The rest of a small window; a closed one lwIP probes with what it is given. */
		n = room > 0 ? room : full;
		return n < t->tx_unsent ? n : t->tx_unsent;
	}
	if (n < t->tx_unsent)
		return n - n % full;
	/* All there is. The part that fills segments need not wait for the rest. */
	if (n % full != 0 && !may_send_small(t, pcb))
		n -= n % full;
	return n;
}

static bool can_send(const struct tcp_pcb *pcb)
{
	return (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT) &&
	       TCP_EXT(pcb, TCP_EXT_LIST) == &tcp_active_pcbs;
}

static void give_fin(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	t->fin_given = true;
	pcb->tmr = tcp_ticks; /* the time for the rest of the end begins */
	(void)!tcp_shutdown(pcb, 0, 1);
	if (t->orphan)
		tcp_leave_alone(t);
}

/* lwIP begins with the few segments of RFC 2581. */
static void open_window(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	if (t->cwnd_set)
		return;
	t->cwnd_set = true;
	if (pcb->cwnd < INITIAL_WINDOW * pcb->mss)
		pcb->cwnd = INITIAL_WINDOW * pcb->mss;
}

/* May free t. */
static void feed(struct tcp_sock *t, struct tcp_pcb *pcb)
{
	uint32_t n;

	if (t->fin_given || !can_send(pcb))
		return;
	open_window(t, pcb);
	while (t->tx_unsent > 0 && (n = next_size(t, pcb)) > 0) {
		if (!make_segment(t, pcb, n)) {
			tcp_set_flags(pcb, TF_NAGLEMEMERR);
			return;
		}
	}
	if (t->tx_fin && t->tx_unsent == 0)
		give_fin(t, pcb);
}

/* ---- segments that must be cut ---- */

/* pbufs for the data of `from` behind its first `skip` bytes, which include headers. */
static struct pbuf *tail_of(struct pbuf *from, uint32_t skip)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 0, PBUF_RAM);

	if (p == NULL)
		return NULL;
	for (struct pbuf *q = from; q != NULL; q = q->next) {
		struct pbuf *r;

		if (skip >= q->len) {
			skip -= q->len;
			continue;
		}
		if (q->flags & PBUF_FLAG_IS_CUSTOM) {
			r = chunk_pbuf(((struct chunk_pbuf *)q)->chunk, (char *)q->payload + skip,
				       (u16_t)(q->len - skip));
		} else {
			r = pbuf_alloc(PBUF_RAW, (u16_t)(q->len - skip), PBUF_RAM);
			if (r != NULL)
				memcpy(r->payload, (char *)q->payload + skip, r->len);
		}
		if (r == NULL) {
			pbuf_free(p);
			return NULL;
		}
		skip = 0;
		pbuf_cat(p, r);
	}
	return p;
}

/*
 * The first segment to send keeps `keep` bytes, the rest becomes one of its own. On failure nothing
 * has changed.
 */
static bool split_first(struct tcp_pcb *pcb, uint32_t keep)
{
	struct tcp_seg *s = pcb->unsent, *rest;
	u8_t flags = TCPH_FLAGS(s->tcphdr);
	struct pbuf *p;

	if (s->p->ref != 1)
		return false; /* the driver still has it */
	p = tail_of(s->p, s->p->tot_len - s->len + keep);
	if (p == NULL)
		return false;
	rest = segment(pcb, p, lwip_ntohl(s->tcphdr->seqno) + keep, flags & (TCP_PSH | TCP_FIN));
	if (rest == NULL)
		return false;
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen - pbuf_clen(s->p));
	pbuf_realloc(s->p, (u16_t)(s->p->tot_len - s->len + keep));
	s->len = (u16_t)keep;
	TCPH_FLAGS_SET(s->tcphdr, flags & ~(TCP_PSH | TCP_FIN));
	pcb->snd_queuelen = (u16_t)(pcb->snd_queuelen + pbuf_clen(s->p) + pbuf_clen(rest->p));
	rest->next = s->next;
	s->next = rest;
	return true;
}

/* In the place of lwIP's, which copies, and leaves an end where it was. */
lwip_err_t net_tcp_split(struct tcp_pcb *pcb, u16_t keep)
{
	if (pcb->unsent == NULL)
		return ERR_MEM;
	if (pcb->unsent->len <= keep)
		return ERR_OK;
	return split_first(pcb, keep) ? ERR_OK : ERR_MEM;
}

/*
 * A segment larger than mss was made for a window that has shrunk since: a retransmission begins
 * with one segment. lwIP would never send it.
 */
static void fit_first(struct tcp_pcb *pcb)
{
	const struct tcp_seg *s = pcb->unsent;
	uint32_t wnd, flying, keep;

	if (s == NULL || s->len <= pcb->mss)
		return;
	wnd = pcb->snd_wnd < pcb->cwnd ? pcb->snd_wnd : pcb->cwnd;
	flying = lwip_ntohl(s->tcphdr->seqno) - pcb->lastack;
	if ((int32_t)flying < 0)
		flying = 0; /* partly acknowledged */
	if (flying + s->len <= wnd)
		return;
	keep = wnd > flying ? (wnd - flying) - (wnd - flying) % pcb->mss : 0;
	if (!split_first(pcb, keep == 0 ? pcb->mss : keep))
		tcp_set_flags(pcb, TF_NAGLEMEMERR); /* tried again at the next tick */
}

/* Does something have to be looked at again at the next tick? */
static bool waits(const struct tcp_pcb *pcb)
{
	const struct tcp_sock *t = pcb->callback_arg;

	if (t == NULL)
		return pcb->unsent != NULL || pcb->unacked != NULL;
	return pcb->unsent != NULL || t->tx_unsent > 0 || t->tx_starved ||
	       (t->tx_mem > 0 && (t->user_timeout_ms > 0 || t->orphan));
}

/* For how long nothing may be acknowledged; 0: as long as lwIP likes. */
static uint64_t patience_ns(const struct tcp_sock *t)
{
	if (t->orphan)
		return TCP_ORPHAN_MS * NS_PER_MS;
	return (uint64_t)t->user_timeout_ms * NS_PER_MS;
}

static lwip_err_t give_up(struct tcp_pcb *pcb)
{
	tcp_after_timer();
	tcp_abort(pcb);
	return ERR_ABRT;
}

lwip_err_t tcp_waiting_tick(void *arg, struct tcp_pcb *pcb)
{
	struct tcp_sock *t = arg;
	uint64_t now;

	if (t == NULL)
		return tcp_orphan_given_up(pcb) ? give_up(pcb) : ERR_OK;
	if (t->tx_starved) { /* perhaps there is memory now */
		t->tx_starved = false;
		socket_wake(&t->i.s.wq);
	}
	if (t->tx_mem == 0)
		return ERR_OK;
	if (t->cork_ticks < UINT8_MAX)
		t->cork_ticks++;
	if (patience_ns(t) == 0)
		return ERR_OK;
	now = time_mono_ns();
	if (t->stuck_since_ns == 0)
		t->stuck_since_ns = now;
	if (now - t->stuck_since_ns < patience_ns(t))
		return ERR_OK;
	tcp_ended(t, E_TIMEDOUT);
	return give_up(pcb);
}

/* In the place of lwIP's: called after whatever may allow something to be sent. */
lwip_err_t tcp_output(struct tcp_pcb *pcb)
{
	struct tcp_sock *t = pcb->callback_arg;
	lwip_err_t err;

	if (tcp_input_pcb == pcb)
		return ERR_OK; /* when the packet has been dealt with */
	if (pcb->unsent != NULL || (t != NULL && (t->tx_unsent > 0 || t->tx_fin)))
		tcp_timer_needed();
	if (t != NULL && (t->tx_unsent > 0 || t->tx_fin))
		feed(t, pcb);
	fit_first(pcb);
	net_gso_mss = pcb->mss;
	err = lwip_tcp_output(pcb);
	net_gso_mss = 0;
	/* lwIP forgets it when the peer took the probe of a closed window, and stumbles later. */
	if (pcb->unsent == NULL)
		pcb->persist_backoff = 0;
	pcb->pollinterval = waits(pcb) ? 1 : UINT8_MAX;
	t = pcb->callback_arg;
	if (t != NULL && pcb->state == TIME_WAIT)
		tcp_ended(t, OK);
	return err;
}

/* In the place of lwIP's, which calls its own tcp_output(). */
void tcp_rexmit_rto_commit(struct tcp_pcb *pcb)
{
	if (pcb->nrtx < UINT8_MAX)
		pcb->nrtx++;
	(void)!tcp_output(pcb);
}

void tcp_push(struct tcp_sock *t)
{
	if (t->pcb != NULL)
		(void)!tcp_output(t->pcb);
}

/* ---- acknowledgements ---- */

static uint32_t free_room(const struct tcp_sock *t)
{
	return t->tx_limit > t->tx_mem ? t->tx_limit - t->tx_mem : 0;
}

bool tcp_writable(const struct tcp_sock *t)
{
	if (t->tx_starved || (t->tx_mem > 0 && tcp_memory_short()))
		return false;
	/* As Linux: a third must be free, so that a program does not come for every segment. */
	return free_room(t) >= t->tx_mem / 2 && t->tx_mem < t->tx_limit;
}

lwip_err_t tcp_got_ack(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct tcp_sock *t = arg;

	if (t == NULL) { /* lwIP is alone with it */
		tcp_orphan_acked(pcb, len);
		return ERR_OK;
	}
	tx_gone(t, len);
	t->bytes_acked += len;
	t->stuck_since_ns = 0;
	t->soft_error = OK;
	if (t->tx_full && tcp_writable(t)) {
		t->tx_full = false;
		socket_wake(&t->i.s.wq);
	}
	return ERR_OK;
}

/* ---- from the program ---- */

/* The connection is there. MAY_SWITCH */
static err_t wait_connected(struct tcp_sock *t, uint64_t deadline)
{
	while (t->state == TS_SYN_SENT) {
		TRY(socket_error(&t->i.s));
		TRY(socket_sleep(&t->i.s.wq, deadline));
	}
	return OK;
}

static err_t may_send(struct tcp_sock *t)
{
	if (t->i.s.error != OK)
		return socket_error(&t->i.s);
	return t->state != TS_OPEN || (t->i.s.shut & SHUT_WR_BIT) ? E_PIPE : OK;
}

/* Nothing waits, and n bytes may leave at once as one segment. */
static bool direct(const struct tcp_sock *t, const struct tcp_pcb *pcb, size_t n, bool more)
{
	uint32_t wnd = pcb->snd_wnd < pcb->cwnd ? pcb->snd_wnd : pcb->cwnd;

	return t->tx_unsent == 0 && n <= pcb->mss && n < CHUNK_SMALL && !more && can_send(pcb) &&
	       pcb->snd_lbb - pcb->lastack + n <= wnd && (n == pcb->mss || may_send_small(t, pcb));
}

/* Straight into a segment: no chunk, one copy. E_NOBUFS: not this way. */
static err_t write_direct(struct tcp_sock *t, struct tcp_pcb *pcb, struct uio *from, size_t n,
			  size_t *done)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)n, PBUF_RAM);
	struct tcp_seg *s;
	size_t got = 0;
	err_t err;

	if (p == NULL)
		return E_NOBUFS;
	s = segment(pcb, p, pcb->snd_lbb, TCP_PSH);
	if (s == NULL)
		return E_NOBUFS;
	err = uio_in(from, s->tcphdr + 1, n, &got);
	if (got == 0) {
		tcp_seg_free(s);
		return err;
	}
	if (got < n)
		pbuf_realloc(p, (u16_t)(TCP_HLEN + got));
	s->len = (u16_t)got;
	append_segment(pcb, s);
	note_segment(t, pcb, (uint32_t)got);
	tx_new(t, (uint32_t)got);
	*done += got;
	return err;
}

/* Up to n bytes into chunks. E_NOBUFS: out of memory, with what fitted in *done. */
static err_t write_chunks(struct tcp_sock *t, struct uio *from, size_t n, size_t *done)
{
	while (n > 0) {
		struct tcp_chunk *c = t->tx_last;
		size_t got = 0, len;
		err_t err;

		if (c == NULL || c->end == c->size)
			c = chunk_new(t, n);
		if (c == NULL)
			return E_NOBUFS;
		len = c->size - c->end < n ? c->size - c->end : n;
		err = uio_in(from, c->data + c->end, len, &got);
		c->end += (uint32_t)got;
		t->tx_unsent += (uint32_t)got;
		tx_new(t, (uint32_t)got);
		*done += got;
		n -= got;
		if (err != OK)
			return err;
	}
	return OK;
}

/* One round: what fits into the socket's buffer. In a bracket. */
static err_t write_some(struct tcp_sock *t, struct sock_msg *m, size_t *done)
{
	size_t n = m->data.left < free_room(t) ? m->data.left : free_room(t);
	bool more = (m->flags & MSG_MORE) != 0, urgent = (m->flags & MSG_OOB) != 0;
	err_t err = E_NOBUFS;

	if (n > WRITE_ROUND)
		n = WRITE_ROUND;
	if (n > t->pcb->mss && tcp_memory_short())
		n = t->pcb->mss; /* everybody gets that far */
	t->tx_more = more && n == m->data.left;
	open_window(t, t->pcb);
	if (!urgent && direct(t, t->pcb, n, t->tx_more))
		err = write_direct(t, t->pcb, &m->data, n, done);
	if (err == E_NOBUFS)
		err = write_chunks(t, &m->data, n, done);
	if (urgent && m->data.left == 0) { /* the last byte of all is the urgent one */
		t->tx_urgent = true;
		t->tx_urgent_end = t->pcb->snd_lbb + t->tx_unsent;
	}
	tcp_push(t);
	return err;
}

static bool has_room(const struct tcp_sock *t)
{
	if (t->tx_mem > 0 && tcp_memory_short())
		return false;
	return free_room(t) > 0;
}

/* A program that writes to what has ended is told by a signal, too. */
static err_t send_failed(const struct sock_msg *m, err_t err, size_t done)
{
	if (done > 0)
		return OK;
	if (err == E_PIPE && !(m->flags & MSG_NOSIGNAL))
		(void)!signal_send_thread(current, SIGPIPE, NULL);
	return err;
}

static err_t wait_room(struct tcp_sock *t, uint64_t deadline)
{
	t->tx_full = true;
	return socket_sleep(&t->i.s.wq, deadline);
}

/* An acknowledgement gives some back; where none is awaited the next tick looks again. */
static err_t wait_memory(struct tcp_sock *t, uint64_t deadline)
{
	if (t->tx_mem == 0 && t->pcb != NULL) {
		t->tx_starved = true;
		t->pcb->pollinterval = 1;
		tcp_timer_needed();
	}
	return wait_room(t, deadline);
}

/* MSG_FASTOPEN, to a peer that has given no cookie: connecting, then sending. MAY_SWITCH */
static err_t connect_first(struct tcp_sock *t, const struct sock_msg *m)
{
	if (t->connected || t->connecting)
		return m->name.len != 0 ? E_ISCONN : OK;
	return m->name.len != 0 ? tcp_op_connect(&t->i.s, &m->name, m->nonblock) : E_INVAL;
}

err_t tcp_op_send(struct socket *s, struct sock_msg *m, size_t *done)
{
	struct tcp_sock *t = tcp_sock_of(s);
	uint64_t deadline = socket_deadline(s->sndtimeo_ns, m->nonblock);
	size_t before = *done;
	err_t err;

	err = m->flags & MSG_FASTOPEN ? connect_first(t, m) : OK;
	if (err == OK)
		err = wait_connected(t, deadline);
	if (err == OK)
		err = may_send(t);
	while (err == OK && m->data.left > 0) {
		if (!has_room(t)) {
			err = wait_room(t, deadline);
		} else {
			net_enter();
			err = write_some(t, m, done);
			net_leave();
			if (err == E_NOBUFS) /* no memory now: as if the buffer was full */
				err = wait_memory(t, deadline);
		}
		if (err == OK && m->data.left > 0)
			err = may_send(t);
	}
	return err == OK ? OK : send_failed(m, err, *done - before);
}
