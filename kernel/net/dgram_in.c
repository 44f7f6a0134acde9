/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which socket is meant: what comes in by UDP, for raw sockets and ping sockets, and as an error
 * (ICMP) about what was sent. lwIP calls with whole packets, from within a bracket.
 */
#include <linux/icmpv6.h>
#include <linux/udp.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/dgram.h"
#include "kernel/net/tcp_sock.h"

#define BUCKETS   1024u /* UDP sockets by their local port */
#define ENONET_   64
#define EACCES_   13
#define EPROTO_   71
#define ENOPROTO_ 92

static struct list udp_table[BUCKETS];
static struct list raw_table = LIST_INIT(raw_table);

/* Protocols that lwIP hands over; UDP and both kinds of ICMP always are. */
struct tap {
	struct raw_pcb *pcb;
	unsigned users;
};
static struct tap taps[256];

/* ---- the tables ---- */

static struct list *bucket(uint16_t port)
{
	return &udp_table[port % BUCKETS];
}

void udp_table_add(struct dgram_sock *d)
{
	struct list *b = bucket(d->i.local_port);

	/* The last one bound is found first, as in Linux. */
	if (socket_option(&d->i.s, SO_REUSEPORT) && d->i.s.family == AF_INET6)
		list_push_back(b, &d->in_table);
	else
		list_push_front(b, &d->in_table);
}

void udp_each(void (*fn)(void *ctx, const struct dgram_sock *d), void *ctx)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_FOR_EACH(pos, &udp_table[i])
			fn(ctx, list_entry(pos, struct dgram_sock, in_table));
}

void raw_each(void (*fn)(void *ctx, const struct dgram_sock *d), void *ctx)
{
	LIST_FOR_EACH(pos, &raw_table)
		fn(ctx, list_entry(pos, struct dgram_sock, in_table));
}

/* ---- what came ---- */

struct packet {
	struct pbuf *p;   /* at the IP header */
	uint16_t headers; /* of IP */
	uint16_t covered; /* by the sum of UDP */
	bool v6, group, broadcast;
	struct dgram info; /* addresses, TTL and so on; off and len: behind the IP headers */
};

static void look_at(struct packet *k, struct pbuf *p)
{
	const struct netif *in = ip_current_input_netif();

	k->p = p;
	k->v6 = ip_current_is_v6();
	k->headers = (uint16_t)ip_current_header_tot_len();
	k->group = ip_addr_ismulticast(ip_current_dest_addr());
	k->broadcast = !k->v6 && ip4_addr_isbroadcast(ip4_current_dest_addr(), in);
	k->info = (struct dgram){ .off = k->headers,
				  .len = (uint16_t)(p->tot_len - k->headers),
				  .src = *ip_current_src_addr(),
				  .dst = *ip_current_dest_addr(),
				  .ifindex = netif_get_index(in) };
	if (k->v6) {
		k->info.ttl = IP6H_HOPLIM(ip6_current_header());
		k->info.tos = (uint8_t)IP6H_TC(ip6_current_header());
	} else {
		k->info.ttl = IPH_TTL(ip4_current_header());
		k->info.tos = IPH_TOS(ip4_current_header());
	}
}

/* ---- UDP: the best socket ---- */

static bool any(const ip_addr_t *a)
{
	return IP_IS_ANY_TYPE_VAL(*a) || ip_addr_isany(a);
}

static bool takes_family(const struct dgram_sock *d, bool v6)
{
	if (v6)
		return d->i.s.family == AF_INET6 && !IP_IS_V4_VAL(d->i.local);
	return d->i.s.family == AF_INET ||
	       (!d->i.v6only && (IP_IS_ANY_TYPE_VAL(d->i.local) || IP_IS_V4_VAL(d->i.local)));
}

/* As Linux' compute_score; -1: not meant. dst is the address of ours, src the other's. */
static int score(const struct dgram_sock *d, const struct dgram *k, bool v6)
{
	int points = d->i.s.family == AF_INET || v6 ? 2 : 1;

	if (d->i.local_port != k->dport || d->i.s.protocol != k->protocol || !takes_family(d, v6))
		return -1;
	if (!any(&d->i.local)) {
		if (!ip_addr_cmp_zoneless(&d->i.local, &k->dst))
			return -1;
		points += 4;
	}
	if (d->connected) {
		if (!ip_addr_cmp_zoneless(&d->i.remote, &k->src) ||
		    (d->i.remote_port != 0 && d->i.remote_port != k->sport))
			return -1;
		points += 8;
	}
	if (d->i.s.bound_if != 0) {
		if (d->i.s.bound_if != k->ifindex)
			return -1;
		points += 4;
	}
	return points;
}

static bool same_group(const struct dgram_sock *a, const struct dgram_sock *b)
{
	return socket_option(&b->i.s, SO_REUSEPORT) && !b->connected &&
	       a->i.s.protocol == b->i.s.protocol && a->i.local_port == b->i.local_port &&
	       a->i.s.family == b->i.s.family && a->i.v6only == b->i.v6only &&
	       a->i.bind.uid == b->i.bind.uid && a->i.s.bound_if == b->i.s.bound_if &&
	       ip_addr_cmp(&a->i.local, &b->i.local);
}

static uint32_t flow_hash(const struct dgram *k)
{
	const uint32_t *a = (const uint32_t *)(const void *)&k->src;
	const uint32_t *b = (const uint32_t *)(const void *)&k->dst;
	uint32_t h = k->sport * 0x9e3779b1u ^ k->dport;

	for (unsigned i = 0; i < (IP_IS_V6_VAL(k->src) ? 4 : 1); i++)
		h = (h ^ a[i] ^ b[i] * 31) * 0x85ebca6bu;
	return h ^ h >> 16;
}

/* SO_REUSEPORT: one of those that share the port, always the same for the same two ends. */
static struct dgram_sock *one_of_group(struct dgram_sock *best, const struct dgram *k)
{
	struct list *b = bucket(k->dport);
	uint32_t n = 0, pick;

	LIST_FOR_EACH(pos, b)
		n += same_group(best, list_entry(pos, struct dgram_sock, in_table));
	pick = (uint32_t)(((uint64_t)flow_hash(k) * n) >> 32);
	LIST_FOR_EACH(pos, b) {
		struct dgram_sock *d = list_entry(pos, struct dgram_sock, in_table);

		if (same_group(best, d) && pick-- == 0)
			return d;
	}
	return best;
}

static struct dgram_sock *udp_find(const struct dgram *k, bool v6)
{
	struct dgram_sock *best = NULL;
	int most = -1;

	LIST_FOR_EACH(pos, bucket(k->dport)) {
		struct dgram_sock *d = list_entry(pos, struct dgram_sock, in_table);
		int points = score(d, k, v6);

		if (points > most) {
			most = points;
			best = d;
		}
	}
	if (best != NULL && !best->connected && socket_option(&best->i.s, SO_REUSEPORT))
		return one_of_group(best, k);
	return best;
}

/* ---- UDP: delivery ---- */

static bool udp_header(struct packet *k)
{
	struct udphdr h;
	uint16_t len;

	if (pbuf_copy_partial(k->p, &h, sizeof(h), k->headers) != sizeof(h))
		return false;
	len = lwip_ntohs(h.len);
	if (k->info.protocol == IPPROTO_UDPLITE) {
		k->covered = len == 0 ? k->info.len : len;
		if (k->covered < sizeof(h) || k->covered > k->info.len)
			return false;
		len = k->info.len;
	} else {
		if (len < sizeof(h) || len > k->info.len)
			return false;
		k->covered = len;
	}
	k->info.sport = lwip_ntohs(h.source);
	k->info.dport = lwip_ntohs(h.dest);
	k->info.off = (uint16_t)(k->headers + sizeof(h));
	k->info.len = (uint16_t)(len - sizeof(h));
	return true;
}

/* A datagram that was cut short or changed on the wire. What this machine sent is not looked at. */
static bool checksum_good(struct packet *k)
{
	struct netif *in = ip_current_input_netif();
	struct udphdr h;
	uint16_t sum = 1;

	if (k->info.protocol == IPPROTO_UDPLITE ? in == &net_loopback
						: !(in->chksum_flags & NETIF_CHECKSUM_CHECK_UDP))
		return true;
	if (inet_addr_is_ours(&k->info.src))
		return true;
	if (pbuf_copy_partial(k->p, &h, sizeof(h), k->headers) != sizeof(h))
		return false;
	if (h.check == 0)
		return !k->v6 && k->info.protocol == IPPROTO_UDP;
	pbuf_remove_header(k->p, k->headers);
	/* lwIP's sum over a part asserts that less than 32 KiB are left behind the first piece. */
	if (k->covered == k->info.len + sizeof(h))
		sum = ip_chksum_pseudo(k->p, k->info.protocol, k->covered, &k->info.src,
				       &k->info.dst);
	else if (k->covered < INT16_MAX)
		sum = ip_chksum_pseudo_partial(k->p, k->info.protocol,
					       (uint16_t)(k->info.len + sizeof(h)), k->covered,
					       &k->info.src, &k->info.dst);
	pbuf_add_header_force(k->p, k->headers);
	return sum == 0;
}

static bool wants_copy(const struct dgram_sock *d, const struct packet *k)
{
	return score(d, &k->info, k->v6) >= 0 &&
	       (!k->group || dgram_wants_group(d, &k->info.dst, k->info.ifindex));
}

/* To a group, or broadcast: everybody who listens gets one. */
static bool udp_to_all(const struct packet *k)
{
	bool taken = false;

	LIST_FOR_EACH(pos, bucket(k->info.dport)) {
		struct dgram_sock *d = list_entry(pos, struct dgram_sock, in_table);

		if (wants_copy(d, k)) {
			dgram_deliver(d, k->p, &k->info);
			taken = true;
		}
	}
	return taken;
}

/* True: it found its socket. */
static bool udp_arrived(struct packet *k)
{
	struct dgram_sock *d;

	if (!udp_header(k))
		return false;
	if (k->group || k->broadcast) {
		if (!checksum_good(k))
			return true;
		return udp_to_all(k);
	}
	d = udp_find(&k->info, k->v6);
	if (d == NULL)
		return false;
	if (k->covered >= d->coverage_in && checksum_good(k)) {
		MIB2_STATS_INC(mib2.udpindatagrams);
		dgram_deliver(d, k->p, &k->info);
	} else {
		MIB2_STATS_INC(mib2.udpinerrors);
	}
	return true;
}

/* ---- raw and ping ---- */

static bool filtered(const struct dgram_sock *d, const struct packet *k, uint8_t protocol)
{
	uint8_t type;

	if (pbuf_copy_partial(k->p, &type, 1, k->headers) != 1)
		return false;
	if (protocol == IPPROTO_ICMP && !k->v6)
		return type < 32 && (d->filter >> type & 1) != 0;
	if (protocol == IPPROTO_ICMPV6 && k->v6)
		return (d->filter6[type / 32] >> type % 32 & 1) != 0;
	return false;
}

static bool raw_matches(const struct dgram_sock *d, const struct packet *k)
{
	if ((d->i.s.family == AF_INET6) != k->v6)
		return false;
	if (!any(&d->i.local) && !ip_addr_cmp_zoneless(&d->i.local, &k->info.dst))
		return false;
	if (d->connected && !ip_addr_cmp_zoneless(&d->i.remote, &k->info.src))
		return false;
	if (d->i.s.bound_if != 0 && d->i.s.bound_if != k->info.ifindex)
		return false;
	return !k->group || dgram_wants_group(d, &k->info.dst, k->info.ifindex);
}

/* An answer to what the ping socket sent. */
static bool ping_matches(const struct dgram_sock *d, const struct packet *k)
{
	struct icmp_echo_hdr h; /* of ICMPv6 the same here */

	return pbuf_copy_partial(k->p, &h, sizeof(h), k->headers) == sizeof(h) &&
	       h.type == (k->v6 ? ICMPV6_ECHO_REPLY : ICMP_ER) &&
	       lwip_ntohs(h.id) == d->i.local_port;
}

static void raw_deliver(struct dgram_sock *d, const struct packet *k)
{
	/* lwIP changes it when it goes on */
	struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, k->p);
	struct dgram info = k->info;

	if (copy == NULL) {
		d->drops++;
		return;
	}
	if (!k->v6 && !dgram_is_ping(d)) {
		info.off = 0;
		info.len = k->p->tot_len;
	}
	if (dgram_is_ping(d))
		info.sport = 0;
	dgram_deliver(d, copy, &info);
	pbuf_free(copy);
}

static void raw_arrived(const struct packet *k, uint8_t protocol)
{
	LIST_FOR_EACH(pos, &raw_table) {
		struct dgram_sock *d = list_entry(pos, struct dgram_sock, in_table);

		if (d->i.s.protocol != protocol || !raw_matches(d, k))
			continue;
		if (dgram_is_ping(d) ? ping_matches(d, k) : !filtered(d, k, protocol))
			raw_deliver(d, k);
	}
}

/* ---- errors from the way ---- */

/* What an error message means; as Linux. */
struct meaning {
	uint8_t error;
	bool fatal;
};

static bool meaning4(const struct icmp_echo_hdr *h, struct meaning *m)
{
	static const struct meaning unreachable[] = {
		{ 101, false },    { 113, false }, { ENOPROTO_, true }, { 111, true },
		{ 90, false },     { 95, false },  { 101, true },       { 112, true },
		{ ENONET_, true }, { 101, true },  { 113, true },       { 101, false },
		{ 113, false },    { 113, true },  { 113, true },       { 113, true },
	};

	switch (h->type) {
	case ICMP_DUR:
		if (h->code >= ARRAY_SIZE(unreachable))
			return false;
		*m = unreachable[h->code];
		return true;
	case ICMP_TE: *m = (struct meaning){ 113, false }; return true;
	case ICMP_PP: *m = (struct meaning){ EPROTO_, true }; return true;
	default: return false;
	}
}

static bool meaning6(const struct icmp_echo_hdr *h, struct meaning *m)
{
	static const struct meaning unreachable[] = {
		{ 101, false }, { EACCES_, true }, { 113, false },    { 113, false },
		{ 111, true },  { EACCES_, true }, { EACCES_, true },
	};

	switch (h->type) {
	case ICMPV6_DEST_UNREACH:
		if (h->code >= ARRAY_SIZE(unreachable))
			return false;
		*m = unreachable[h->code];
		return true;
	case ICMPV6_PKT_TOOBIG: *m = (struct meaning){ 90, false }; return true;
	case ICMPV6_TIME_EXCEED: *m = (struct meaning){ 113, false }; return true;
	case ICMPV6_PARAMPROB: *m = (struct meaning){ EPROTO_, true }; return true;
	default: return false;
	}
}

/* The packet of ours that an error is about: its ends, as if it came the other way. */
struct blamed {
	struct dgram k;
	uint8_t protocol;
	uint16_t off; /* of its transport header */
};

static bool find_blamed4(const struct packet *k, struct blamed *b)
{
	struct ip_hdr h;
	uint16_t at = (uint16_t)(k->headers + sizeof(struct icmp_echo_hdr));

	if (pbuf_copy_partial(k->p, &h, sizeof(h), at) != sizeof(h) || IPH_V(&h) != 4)
		return false;
	ip_addr_copy_from_ip4(b->k.dst, h.src);
	ip_addr_copy_from_ip4(b->k.src, h.dest);
	b->protocol = IPH_PROTO(&h);
	b->off = (uint16_t)(at + IPH_HL_BYTES(&h));
	return true;
}

static bool find_blamed6(const struct packet *k, struct blamed *b)
{
	struct ip6_hdr h;
	uint16_t at = (uint16_t)(k->headers + sizeof(struct icmp_echo_hdr));

	if (pbuf_copy_partial(k->p, &h, sizeof(h), at) != sizeof(h) || IP6H_V(&h) != 6)
		return false;
	ip_addr_copy_from_ip6_packed(b->k.dst, h.src);
	ip_addr_copy_from_ip6_packed(b->k.src, h.dest);
	b->protocol = IP6H_NEXTH(&h);
	b->off = (uint16_t)(at + sizeof(h));
	return true;
}

static void tell_udp(const struct packet *k, struct blamed *b, const struct sock_extended_err *ee,
		     bool fatal)
{
	struct dgram_sock *d;
	struct udphdr h;

	if (pbuf_copy_partial(k->p, &h, sizeof(h), b->off) != sizeof(h))
		return;
	b->k.sport = lwip_ntohs(h.dest);
	b->k.dport = lwip_ntohs(h.source);
	b->k.ifindex = k->info.ifindex;
	b->k.protocol = b->protocol;
	d = udp_find(&b->k, k->v6);
	if (d != NULL)
		dgram_error(d, ee, fatal, &k->info.src, &b->k.src, b->k.sport, k->p,
			    (uint16_t)(b->off + sizeof(h)));
}

static void tell_tcp(const struct packet *k, const struct blamed *b, uint8_t error)
{
	struct {
		uint16_t source, dest;
		uint32_t seq;
	} h; /* this much of it is always there */

	if (error != 90 && pbuf_copy_partial(k->p, &h, sizeof(h), b->off) == sizeof(h))
		tcp_blamed(&b->k.dst, lwip_ntohs(h.source), &b->k.src, lwip_ntohs(h.dest),
			   lwip_ntohl(h.seq), (err_t)-error);
}

static void tell_ping(const struct packet *k, const struct blamed *b,
		      const struct sock_extended_err *ee, bool fatal)
{
	struct icmp_echo_hdr h;

	if (pbuf_copy_partial(k->p, &h, sizeof(h), b->off) != sizeof(h))
		return;
	LIST_FOR_EACH(pos, &raw_table) {
		struct dgram_sock *d = list_entry(pos, struct dgram_sock, in_table);

		if (d->i.s.protocol != b->protocol || (d->i.s.family == AF_INET6) != k->v6 ||
		    (dgram_is_ping(d) && lwip_ntohs(h.id) != d->i.local_port) ||
		    (!dgram_is_ping(d) && d->connected &&
		     !ip_addr_cmp_zoneless(&d->i.remote, &b->k.src)))
			continue;
		dgram_error(d, ee, fatal, &k->info.src, &b->k.src, 0, k->p, b->off);
	}
}

static void error_arrived(const struct packet *k)
{
	struct sock_extended_err ee = { .ee_origin = k->v6 ? SO_EE_ORIGIN_ICMP6
							   : SO_EE_ORIGIN_ICMP };
	struct blamed b = { .off = 0 };
	struct meaning m;
	struct icmp_echo_hdr h;

	if (pbuf_copy_partial(k->p, &h, sizeof(h), k->headers) != sizeof(h) ||
	    !(k->v6 ? meaning6(&h, &m) : meaning4(&h, &m)) ||
	    !(k->v6 ? find_blamed6(k, &b) : find_blamed4(k, &b)))
		return;
	ee.ee_errno = m.error;
	ee.ee_type = h.type;
	ee.ee_code = h.code;
	if (m.error == 90)
		ee.ee_info = k->v6 ? (uint32_t)lwip_ntohs(h.id) << 16 | lwip_ntohs(h.seqno)
				   : lwip_ntohs(h.seqno);
	if (b.protocol == IPPROTO_UDP || b.protocol == IPPROTO_UDPLITE)
		tell_udp(k, &b, &ee, m.fatal);
	else if (b.protocol == IPPROTO_TCP)
		tell_tcp(k, &b, m.error);
	else
		tell_ping(k, &b, &ee, m.fatal);
}

/* ---- what lwIP calls ---- */

static u8_t arrived(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	uint8_t protocol = (uint8_t)(uintptr_t)arg;
	struct packet k;

	(void)pcb;
	(void)from;
	if (p->tot_len < ip_current_header_tot_len())
		return 0;
	look_at(&k, p);
	k.info.protocol = protocol;
	raw_arrived(&k, protocol);
	if (protocol == (k.v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		error_arrived(&k);
	if ((protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE) || !udp_arrived(&k))
		return 0;
	pbuf_free(p);
	return 1;
}

static err_t tap_get(uint8_t protocol)
{
	struct tap *t = &taps[protocol];

	if (t->users == 0) {
		t->pcb = raw_new_ip_type(IPADDR_TYPE_ANY, protocol);
		if (t->pcb == NULL)
			return E_NOBUFS;
		raw_recv(t->pcb, arrived, (void *)(uintptr_t)protocol);
	}
	t->users++;
	return OK;
}

err_t raw_table_add(struct dgram_sock *d)
{
	if (d->i.s.protocol < 256)
		TRY(tap_get((uint8_t)d->i.s.protocol));
	list_push_back(&raw_table, &d->in_table);
	return OK;
}

void raw_table_remove(struct dgram_sock *d)
{
	struct tap *t;

	list_remove(&d->in_table);
	if (d->i.s.protocol >= 256)
		return;
	t = &taps[d->i.s.protocol];
	if (--t->users == 0)
		raw_remove(t->pcb);
}

err_t dgram_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&udp_table[i]);
	TRY(tap_get(IPPROTO_UDP));
	TRY(tap_get(IPPROTO_UDPLITE));
	TRY(tap_get(IPPROTO_ICMP));
	return tap_get(IPPROTO_ICMPV6);
}
