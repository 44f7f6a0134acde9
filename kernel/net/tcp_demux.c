/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose packet is it? lwIP looks through a list of all connections; with thousands of them that is
 * too long. Here they are in a hash as well, and before lwIP's tcp_input() gets a packet, the
 * connection it belongs to is brought to the front of its list - or the lists are taken away for
 * the moment, when there is none. lwIP then finds at once what we have found.
 *
 * The lists are changed through net_tcp_reg() and net_tcp_rmv() only (lwip/override), but for
 * lwIP's slow timer, which takes connections out by itself: tcp_after_timer() mends the links.
 *
 * Half-open connections stand in a queue. When there are too many the oldest one goes: under a
 * flood of SYNs from nowhere, a peer that answers within the time of HALF_OPEN_MAX of them gets in.
 */
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"

#define BUCKETS        4096u
#define LISTEN_BUCKETS 64u
#define HALF_OPEN_MAX  1024u
#define TIME_WAIT_MAX  4096u
#define HEADER_MAX     60u

_Static_assert(TCP_EXT_COUNT == LWIP_TCP_PCB_NUM_EXT_ARGS, "lwipopts.h");

static struct tcp_pcb *buckets[BUCKETS];
static struct tcp_sock *listeners[LISTEN_BUCKETS];
static struct tcp_pcb *half_first, *half_last;
static unsigned nhalf;
static struct tcp_pcb *tw_last; /* the oldest in TIME_WAIT */
static unsigned ntw;
static bool unlinked; /* the slow timer has taken some out */

/* ---- hash ---- */

static uint64_t hash_key[6];

/*
 * A sum of products with secret odd numbers: somebody who does not know them cannot choose
 * addresses that meet in one bucket.
 */
static unsigned hash(const ip_addr_t *local, u16_t lport, const ip_addr_t *remote, u16_t rport)
{
	uint64_t h = (lport | (uint64_t)rport << 16) * hash_key[0];

	if (IP_IS_V4(remote)) {
		h += (ip4_addr_get_u32(ip_2_ip4(remote)) | 1ull << 32) * hash_key[1];
		h += ip4_addr_get_u32(ip_2_ip4(local)) * hash_key[2];
	} else {
		const uint32_t *r = ip_2_ip6(remote)->addr, *l = ip_2_ip6(local)->addr;

		h += (r[0] | (uint64_t)r[1] << 32) * hash_key[1];
		h += (r[2] | (uint64_t)r[3] << 32) * hash_key[2];
		h += (l[0] | (uint64_t)l[1] << 32) * hash_key[3];
		h += (l[2] | (uint64_t)l[3] << 32) * hash_key[4];
	}
	return (unsigned)(h >> 40) % BUCKETS;
}

static struct tcp_pcb **bucket_of(const struct tcp_pcb *pcb)
{
	return &buckets[hash(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port)];
}

static void hash_add(struct tcp_pcb *pcb)
{
	struct tcp_pcb **at;

	if (hash_key[0] == 0) {
		random_bytes(hash_key, sizeof(hash_key));
		for (size_t i = 0; i < ARRAY_SIZE(hash_key); i++)
			hash_key[i] |= 1;
	}
	at = bucket_of(pcb);
	TCP_EXT(pcb, TCP_EXT_HASH) = *at;
	*at = pcb;
}

static void hash_remove(struct tcp_pcb *pcb)
{
	struct tcp_pcb **at = bucket_of(pcb);

	while (*at != pcb) {
		BUG_ON(*at == NULL);
		at = (struct tcp_pcb **)&TCP_EXT(*at, TCP_EXT_HASH);
	}
	*at = TCP_EXT(pcb, TCP_EXT_HASH);
}

struct tcp_pcb *tcp_find(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
			 uint16_t remote_port)
{
	struct tcp_pcb *p = buckets[hash(local, local_port, remote, remote_port)];

	for (; p != NULL; p = TCP_EXT(p, TCP_EXT_HASH)) {
		if (p->remote_port == remote_port && p->local_port == local_port &&
		    ip_addr_cmp(&p->remote_ip, remote) && ip_addr_cmp(&p->local_ip, local))
			return p;
	}
	return NULL;
}

/* ---- lists ---- */

static bool hashed(struct tcp_pcb **list)
{
	return list == &tcp_active_pcbs || list == &tcp_tw_pcbs;
}

/* The oldest of TIME_WAIT has to go for a new one. */
static void limit_time_wait(void)
{
	if (++ntw > TIME_WAIT_MAX)
		tcp_abort(tw_last);
}

void net_tcp_reg(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
	BUG_ON(TCP_EXT(pcb, TCP_EXT_LIST) != NULL);
	TCP_EXT(pcb, TCP_EXT_LIST) = list;
	TCP_EXT(pcb, TCP_EXT_PREV) = NULL;
	pcb->next = *list;
	if (*list != NULL)
		TCP_EXT(*list, TCP_EXT_PREV) = pcb;
	*list = pcb;
	if (hashed(list))
		hash_add(pcb);
	if (list == &tcp_tw_pcbs) {
		if (pcb->next == NULL)
			tw_last = pcb;
		limit_time_wait();
	}
	tcp_timer_needed();
}

static void unlink(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
	struct tcp_pcb *prev = TCP_EXT(pcb, TCP_EXT_PREV);

	if (prev == NULL) {
		BUG_ON(*list != pcb);
		*list = pcb->next;
	} else {
		prev->next = pcb->next;
	}
	if (pcb->next != NULL)
		TCP_EXT(pcb->next, TCP_EXT_PREV) = prev;
	if (pcb == tw_last)
		tw_last = prev;
}

void net_tcp_rmv(struct tcp_pcb **list, struct tcp_pcb *pcb)
{
	BUG_ON(TCP_EXT(pcb, TCP_EXT_LIST) != list);
	unlink(list, pcb);
	if (list == &tcp_tw_pcbs)
		ntw--;
	if (hashed(list))
		hash_remove(pcb);
	pcb->next = NULL;
	TCP_EXT(pcb, TCP_EXT_LIST) = NULL;
}

static void to_front(struct tcp_pcb *pcb)
{
	if (tcp_active_pcbs == pcb)
		return;
	unlink(&tcp_active_pcbs, pcb);
	pcb->next = tcp_active_pcbs;
	TCP_EXT(pcb->next, TCP_EXT_PREV) = pcb;
	TCP_EXT(pcb, TCP_EXT_PREV) = NULL;
	tcp_active_pcbs = pcb;
}

static struct tcp_pcb *relink(struct tcp_pcb *first, unsigned *n)
{
	struct tcp_pcb *prev = NULL;

	*n = 0;
	for (struct tcp_pcb *p = first; p != NULL; p = p->next) {
		TCP_EXT(p, TCP_EXT_PREV) = prev;
		prev = p;
		(*n)++;
	}
	return prev;
}

void tcp_after_timer(void)
{
	unsigned n;

	if (!unlinked)
		return;
	unlinked = false;
	relink(tcp_active_pcbs, &n);
	tw_last = relink(tcp_tw_pcbs, &ntw);
}

/* ---- half-open ---- */

static void half_add(struct tcp_pcb *pcb)
{
	TCP_EXT(pcb, TCP_EXT_HALF_PREV) = half_last;
	TCP_EXT(pcb, TCP_EXT_HALF_NEXT) = NULL;
	if (half_last != NULL)
		TCP_EXT(half_last, TCP_EXT_HALF_NEXT) = pcb;
	else
		half_first = pcb;
	half_last = pcb;
	nhalf++;
}

static bool is_half(const struct tcp_pcb *pcb)
{
	return half_first == pcb || TCP_EXT(pcb, TCP_EXT_HALF_PREV) != NULL;
}

void tcp_pcb_established(struct tcp_pcb *pcb)
{
	struct tcp_pcb *next = TCP_EXT(pcb, TCP_EXT_HALF_NEXT),
		       *prev = TCP_EXT(pcb, TCP_EXT_HALF_PREV);

	if (!is_half(pcb))
		return;
	if (prev != NULL)
		TCP_EXT(prev, TCP_EXT_HALF_NEXT) = next;
	else
		half_first = next;
	if (next != NULL)
		TCP_EXT(next, TCP_EXT_HALF_PREV) = prev;
	else
		half_last = prev;
	TCP_EXT(pcb, TCP_EXT_HALF_NEXT) = TCP_EXT(pcb, TCP_EXT_HALF_PREV) = NULL;
	nhalf--;
}

/* ---- life of a pcb ---- */

static void pcb_freed(u8_t id, void *data)
{
	struct tcp_pcb *pcb = data;
	uintptr_t port = (uintptr_t)TCP_EXT(pcb, TCP_EXT_PORT);
	struct tcp_pcb **list = TCP_EXT(pcb, TCP_EXT_LIST);

	(void)id;
	tcp_pcb_established(pcb);
	tcp_orphan_gone(pcb);
	if (list != NULL) { /* by the slow timer */
		hash_remove(pcb);
		unlinked = true;
	}
	if (port != 0)
		inet_port_release((struct inet_port *)(port & ~1ul), port & 1);
}

static const struct tcp_ext_arg_callbacks pcb_callbacks = { .destroy = pcb_freed };

void tcp_pcb_prepare(struct tcp_pcb *pcb, struct inet_port *port, bool reusable)
{
	pcb->ext_args[TCP_EXT_SELF].callbacks = &pcb_callbacks;
	TCP_EXT(pcb, TCP_EXT_SELF) = pcb;
	inet_port_hold(port, reusable);
	TCP_EXT(pcb, TCP_EXT_PORT) = (void *)((uintptr_t)port | reusable);
}

/* A SYN has made a connection; the answer is not sent yet. */
static lwip_err_t passive_open(u8_t id, struct tcp_pcb_listen *lpcb, struct tcp_pcb *pcb)
{
	struct tcp_sock *l = lpcb->callback_arg;
	u32_t wnd;

	(void)id;
	pcb->callback_arg = NULL;
	tcp_pcb_prepare(pcb, l->i.bind.port, l->i.bind.reuse_addr || l->i.bind.reuse_port);
	TCP_EXT(pcb, TCP_EXT_WND) = (void *)(uintptr_t)l->rx_window;
	wnd = TCP_WND_MAX(pcb);
	pcb->rcv_wnd = pcb->rcv_ann_wnd = wnd;
	pcb->ttl = l->i.ttl;
	pcb->tos = l->i.tos;
	half_add(pcb);
	return ERR_OK;
}

static const struct tcp_ext_arg_callbacks listen_callbacks = { .passive_open = passive_open };

void tcp_listen_prepare(struct tcp_pcb_listen *lpcb)
{
	lpcb->ext_args[TCP_EXT_SELF].callbacks = &listen_callbacks;
}

/* ---- listeners ---- */

static struct tcp_sock **listen_bucket(uint16_t port)
{
	return &listeners[port % LISTEN_BUCKETS];
}

void tcp_listener_add(struct tcp_sock *t)
{
	struct tcp_sock **at = listen_bucket(t->i.local_port);

	t->listen_next = *at;
	*at = t;
}

void tcp_listener_remove(struct tcp_sock *t)
{
	struct tcp_sock **at = listen_bucket(t->i.local_port);

	while (*at != t)
		at = &(*at)->listen_next;
	*at = t->listen_next;
}

void tcp_each_listener(void (*fn)(struct tcp_sock *t))
{
	for (unsigned i = 0; i < LISTEN_BUCKETS; i++) {
		for (struct tcp_sock *t = listeners[i]; t != NULL; t = t->listen_next)
			fn(t);
	}
}

/* How well a listener fits, as Linux scores it; 0: not at all. */
static unsigned fits(const struct tcp_sock *t, const ip_addr_t *local, uint16_t port)
{
	const ip_addr_t *ip = &t->i.local;

	if (t->i.local_port != port)
		return 0;
	if (IP_IS_ANY_TYPE_VAL(*ip))
		return 1;
	if (IP_IS_V4(ip) != IP_IS_V4(local))
		return 0;
	if (ip_addr_isany(ip))
		return 2;
	return ip_addr_cmp(ip, local) ? 3 : 0;
}

struct tcp_sock *tcp_find_listener(const ip_addr_t *local, uint16_t port, const ip_addr_t *remote,
				   uint16_t remote_port)
{
	struct tcp_sock *best = NULL;
	unsigned best_fit = 0, n = 0, pick;

	for (struct tcp_sock *t = *listen_bucket(port); t != NULL; t = t->listen_next) {
		unsigned fit = fits(t, local, port);

		if (fit > best_fit) {
			best = t;
			best_fit = fit;
			n = 0;
		}
		n += fit != 0 && fit == best_fit;
	}
	if (n <= 1)
		return best;
	/* SO_REUSEPORT: the same one for the same peer. */
	pick = hash(local, port, remote, remote_port) % n;
	for (struct tcp_sock *t = *listen_bucket(port); t != NULL; t = t->listen_next) {
		if (fits(t, local, port) == best_fit && pick-- == 0)
			return t;
	}
	return best;
}

/* ---- packets ---- */

/* lwIP's lists while it is to see only one listener, or nothing. */
struct hidden {
	struct tcp_pcb *active, *tw;
	struct tcp_pcb_listen *listen, *next;
};

static void hide(struct hidden *h, struct tcp_pcb_listen *only)
{
	*h = (struct hidden){ tcp_active_pcbs, tcp_tw_pcbs, tcp_listen_pcbs.listen_pcbs,
			      only != NULL ? only->next : NULL };
	tcp_active_pcbs = NULL;
	tcp_tw_pcbs = NULL;
	tcp_listen_pcbs.listen_pcbs = only;
	if (only != NULL)
		only->next = NULL;
}

/* What was made meanwhile stands in front of the rest. */
static void show(const struct hidden *h, struct tcp_pcb_listen *only)
{
	struct tcp_pcb *last = tcp_active_pcbs;

	while (last != NULL && last->next != NULL)
		last = last->next;
	if (last == NULL)
		tcp_active_pcbs = h->active;
	else
		last->next = h->active;
	if (h->active != NULL)
		TCP_EXT(h->active, TCP_EXT_PREV) = last;
	BUG_ON(tcp_tw_pcbs != NULL);
	tcp_tw_pcbs = h->tw;
	tcp_listen_pcbs.listen_pcbs = h->listen;
	if (only != NULL)
		only->next = h->next;
}

static void input_hidden(struct pbuf *p, struct netif *in, struct tcp_pcb_listen *only)
{
	struct hidden h;

	hide(&h, only);
	tcp_input(p, in);
	show(&h, only);
}

/* Linux: a full queue drops what would make it longer; the peer tries again. */
static bool accepts_full(const struct tcp_sock *l)
{
	return l->naccepts > l->backlog;
}

/* No connection has it. */
static void input_syn(struct pbuf *p, struct netif *in, const struct tcp_hdr *h)
{
	struct tcp_sock *l = NULL;

	if ((TCPH_FLAGS(h) & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
		l = tcp_find_listener(ip_current_dest_addr(), lwip_ntohs(h->dest),
				      ip_current_src_addr(), lwip_ntohs(h->src));
	if (l == NULL) {
		input_hidden(p, in, NULL); /* a reset, unless it is one */
		return;
	}
	if (accepts_full(l) || tcp_memory_gone()) {
		pbuf_free(p);
		return;
	}
	if (nhalf >= HALF_OPEN_MAX)
		tcp_abandon(half_first, 0);
	input_hidden(p, in, l->lpcb);
}

static void input_time_wait(struct tcp_pcb *pcb, struct pbuf *p, struct netif *in,
			    const struct tcp_hdr *h)
{
	unsigned flags = TCPH_FLAGS(h);
	struct tcp_pcb *next = pcb->next, *first = tcp_tw_pcbs, *active = tcp_active_pcbs;

	if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
	    seq_after(lwip_ntohl(h->seqno), pcb->rcv_nxt)) {
		tcp_abort(pcb); /* silently: the old one is over, this is a new one */
		input_syn(p, in, h);
		return;
	}
	tcp_active_pcbs = NULL;
	tcp_tw_pcbs = pcb;
	pcb->next = NULL;
	tcp_input(p, in);
	BUG_ON(tcp_active_pcbs != NULL || tcp_tw_pcbs != pcb);
	tcp_active_pcbs = active;
	tcp_tw_pcbs = first;
	pcb->next = next;
}

/* The last packet of a handshake, when there is no room for the connection: as if it was lost. */
static bool no_room(const struct tcp_pcb *pcb, const struct tcp_hdr *h)
{
	const struct tcp_sock *l;

	if (!(TCPH_FLAGS(h) & TCP_ACK) || pcb->listener == NULL)
		return false;
	l = pcb->listener->callback_arg;
	return accepts_full(l) || !tcp_can_establish(pcb);
}

/*
 * Memory is short, and this is not the one segment that everybody may have: it is sent again later.
 * That one is small, for the next in order, and for a socket that has nothing to read.
 */
static bool no_memory(const struct tcp_pcb *pcb, const struct pbuf *p, const struct tcp_hdr *h)
{
	const struct tcp_sock *t = pcb->callback_arg;

	if (t == NULL || p->tot_len <= HEADER_MAX || !tcp_memory_short())
		return false;
	return t->rx_len > 0 || p->tot_len > pcb->mss + HEADER_MAX ||
	       lwip_ntohl(h->seqno) != pcb->rcv_nxt;
}

/* Where urgent data ends is not lwIP's affair. It must be a segment that lwIP will take. */
static void look_for_urgent(const struct tcp_pcb *pcb, struct pbuf *p, const struct netif *in,
			    const struct tcp_hdr *h)
{
	struct tcp_sock *t = pcb->callback_arg;
	uint32_t seq = lwip_ntohl(h->seqno), len = p->tot_len - TCPH_HDRLEN_BYTES(h);

	if (t == NULL || t->pcb != pcb || p->tot_len < TCPH_HDRLEN_BYTES(h) ||
	    (TCPH_FLAGS(h) & (TCP_ACK | TCP_SYN | TCP_RST)) != TCP_ACK ||
	    (pcb->state != ESTABLISHED && pcb->state != FIN_WAIT_1 && pcb->state != FIN_WAIT_2) ||
	    seq_after(pcb->rcv_nxt, seq + len) || seq_after(seq, pcb->rcv_nxt + pcb->rcv_wnd))
		return;
	if ((in->chksum_flags & NETIF_CHECKSUM_CHECK_TCP) &&
	    ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, ip_current_src_addr(),
			     ip_current_dest_addr()) != 0)
		return;
	tcp_note_urgent(t, h, pcb);
}

/* In the place of lwIP's tcp_input(). */
void net_tcp_input(struct pbuf *p, struct netif *in)
{
	const struct tcp_hdr *h = p->payload;
	struct tcp_pcb *pcb;

	tcp_timer_needed();
	if (p->len < TCP_HLEN) {
		input_hidden(p, in, NULL); /* it knows what to do */
		return;
	}
	pcb = tcp_find(ip_current_dest_addr(), lwip_ntohs(h->dest), ip_current_src_addr(),
		       lwip_ntohs(h->src));
	if (pcb == NULL) {
		input_syn(p, in, h);
	} else if (pcb->state == TIME_WAIT) {
		input_time_wait(pcb, p, in, h);
	} else if ((pcb->state == SYN_RCVD && no_room(pcb, h)) || no_memory(pcb, p, h)) {
		pbuf_free(p);
	} else {
		to_front(pcb);
		if (TCPH_FLAGS(h) & TCP_URG)
			look_for_urgent(pcb, p, in, h);
		tcp_input(p, in);
		if (tcp_lingers)
			tcp_linger_look();
	}
}
