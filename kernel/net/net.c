/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network stack of this core: getting in and out, its timers, its beginning.
 *
 * Timers: lwIP has a handful of functions that want to be called every so often as long as there
 * is something for them to do. Each is a line of `cyclic`; when no line is needed, no timer is
 * armed and an idle machine stays halted.
 */
#include "base/siphash.h"
#include "kernel/core/core.h"
#include "kernel/net/dgram.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/net/iface.h"
#include "kernel/net/local.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

#define NS_PER_MS 1000000ull

static bool entered;
static struct siphash_key isn_key;

/* ---- timers ---- */

struct cyclic {
	uint32_t interval_ms;
	void (*run)(void);
	bool (*needed)(void);
	uint64_t due_ns; /* 0: not running */
};

/*
 * TCP's timer stops when nothing has happened for a while and no connection waits for anything but
 * its peer: thousands of idle ones cost nothing then. The next packet starts it again, and lwIP's
 * clock is set to what it would be.
 */
#define TCP_IDLE_RUNS 20u
bool tcp_activity;
static unsigned tcp_idle_runs;
static uint64_t tcp_stopped_ns; /* 0: the timer runs, or there is no connection */

static bool waits_for_time(const struct tcp_pcb *pcb)
{
	if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT &&
	    (pcb->state != FIN_WAIT_2 || (pcb->flags & TF_RXCLOSED)))
		return true;
	return pcb->unsent != NULL || pcb->unacked != NULL || pcb->ooseq != NULL ||
	       (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) ||
	       ip_get_option(pcb, SOF_KEEPALIVE) || pcb->pollinterval != UINT8_MAX;
}

static bool tcp_is_idle(void)
{
	if (tcp_activity || tcp_tw_pcbs != NULL) {
		tcp_activity = false;
		tcp_idle_runs = 0;
		return false;
	}
	if (++tcp_idle_runs < TCP_IDLE_RUNS || tcp_any_deferred())
		return false;
	tcp_idle_runs = 0;
	for (const struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next) {
		if (waits_for_time(p))
			return false;
	}
	return true;
}

static bool tcp_timer_wanted(void)
{
	if (tcp_active_pcbs == NULL && tcp_tw_pcbs == NULL)
		return false;
	if (!tcp_is_idle())
		return true;
	tcp_stopped_ns = time_mono_ns();
	return false;
}

static bool have_real; /* an interface besides loopback */

static bool real_needed(void)
{
	return have_real;
}

static bool dhcp_asks(void)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		const struct dhcp *d = netif_dhcp_data(n);

		if (d != NULL && d->request_timeout > 0)
			return true;
	}
	return false;
}

static bool dhcp_has_lease(void)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		if (netif_dhcp_data(n) != NULL)
			return true;
	}
	return false;
}

static bool autoip_runs(void)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		if (netif_autoip_data(n) != NULL)
			return true;
	}
	return false;
}

static bool groups_wait(void)
{
	const struct netif *n;

	NETIF_FOREACH(n)
	{
		for (const struct igmp_group *g = netif_igmp_data(n); g != NULL; g = g->next) {
			if (g->timer > 0)
				return true;
		}
		for (const struct mld_group *g = netif_mld6_data(n); g != NULL; g = g->next) {
			if (g->timer > 0)
				return true;
		}
	}
	return false;
}

static void run_groups(void)
{
	igmp_tmr();
	mld6_tmr();
}

static void run_seconds(void)
{
	net_neighbour_timers();
	ip_reass_tmr();
	ip6_reass_tmr();
}

static void run_tcp(void)
{
	tcp_tmr();
	tcp_after_timer();
	tcp_check_deferred();
	if (tcp_lingers)
		tcp_linger_look();
}

static void run_dhcp_coarse(void)
{
	dhcp_coarse_tmr();
}

enum { TIMER_TCP, TIMER_SECOND, TIMER_DHCP, TIMER_DHCP_COARSE, TIMER_AUTOIP, TIMER_GROUPS };
static struct cyclic cyclic[] = {
	[TIMER_TCP] = { TCP_TMR_INTERVAL, run_tcp, tcp_timer_wanted, 0 },
	[TIMER_SECOND] = { 1000, run_seconds, real_needed, 0 },
	[TIMER_DHCP] = { DHCP_FINE_TIMER_MSECS, dhcp_fine_tmr, dhcp_asks, 0 },
	[TIMER_DHCP_COARSE] = { DHCP_COARSE_TIMER_MSECS, run_dhcp_coarse, dhcp_has_lease, 0 },
	[TIMER_AUTOIP] = { AUTOIP_TMR_INTERVAL, autoip_tmr, autoip_runs, 0 },
	[TIMER_GROUPS] = { IGMP_TMR_INTERVAL, run_groups, groups_wait, 0 },
};
static struct timer net_timer;

static void timer_fired(struct timer *t);

static void start_timer(struct cyclic *c, uint64_t now)
{
	c->due_ns = now + c->interval_ms * NS_PER_MS;
	if (!net_timer.armed || c->due_ns < net_timer.deadline_ns)
		timer_set(&net_timer, c->due_ns, timer_fired);
}

/*
 * Those that became needed; looked for once a second. Those that run see for themselves whether
 * they are needed any longer.
 */
static void start_timers(void)
{
	uint64_t now = 0;

	for (size_t i = TIMER_TCP + 1; i < ARRAY_SIZE(cyclic); i++) {
		struct cyclic *c = &cyclic[i];

		if (c->due_ns != 0 || !c->needed())
			continue;
		if (now == 0)
			now = time_mono_ns();
		start_timer(c, now);
	}
}

static void timer_fired(struct timer *t)
{
	uint64_t now = time_mono_ns(), next = UINT64_MAX;

	net_enter();
	for (size_t i = 0; i < ARRAY_SIZE(cyclic); i++) {
		struct cyclic *c = &cyclic[i];

		if (c->due_ns == 0 || c->due_ns > now)
			continue;
		c->run();
		c->due_ns = c->needed() ? now + c->interval_ms * NS_PER_MS : 0;
	}
	if (have_real)
		start_timers();
	for (size_t i = 0; i < ARRAY_SIZE(cyclic); i++) {
		if (cyclic[i].due_ns != 0 && cyclic[i].due_ns < next)
			next = cyclic[i].due_ns;
	}
	if (next != UINT64_MAX)
		timer_set(t, next, timer_fired);
	net_leave();
}

/* lwIP: a connection was made. */
void tcp_timer_needed(void)
{
	uint64_t now;

	tcp_activity = true;
	if (cyclic[TIMER_TCP].due_ns != 0)
		return;
	now = time_mono_ns();
	if (tcp_stopped_ns != 0)
		tcp_ticks += (u32_t)((now - tcp_stopped_ns) / (TCP_SLOW_INTERVAL * NS_PER_MS));
	tcp_stopped_ns = 0;
	start_timer(&cyclic[TIMER_TCP], now);
}

/* ---- in and out ---- */

struct flusher {
	void (*fn)(void);
	const bool *wanted;
};
static struct flusher flushers[NET_FLUSHERS];
static unsigned nflushers;

void net_add_flusher(void (*fn)(void), const bool *wanted)
{
	BUG_ON(nflushers == NET_FLUSHERS);
	flushers[nflushers++] = (struct flusher){ fn, wanted };
}

bool net_entered(void)
{
	return entered;
}

void net_enter(void)
{
	BUG_ON(entered);
	entered = true;
}

void net_leave(void)
{
	BUG_ON(!entered);
	net_loop_deliver();
	for (unsigned i = 0; i < nflushers; i++) {
		if (*flushers[i].wanted)
			flushers[i].fn();
	}
	entered = false;
}

void net_input(struct netif *n, struct pbuf *p)
{
	if (n->input(p, n) != ERR_OK)
		pbuf_free(p);
}

void net_netif_added(void)
{
	have_real = true;
	start_timers();
}

/* ---- what lwIP asks ---- */

u32_t net_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
		  u16_t remote_port)
{
	uint64_t key[5];

	memcpy(key, ip_2_ip6(local)->addr, 16);
	memcpy(key + 2, ip_2_ip6(remote)->addr, 16);
	key[4] = local_port | (uint32_t)remote_port << 16;
	/* 4 us, as RFC 6528 proposes. */
	return (u32_t)(siphash(&isn_key, key, ARRAY_SIZE(key)) + time_mono_ns() / 4096);
}

/* In the place of lwIP's resolver: DHCP and router advertisements tell it what they found. */
#define DNS_MAX DNS_MAX_SERVERS
static ip_addr_t dns_servers[DNS_MAX];

void dns_init(void)
{
}

void dns_setserver(u8_t number, const ip_addr_t *server)
{
	if (number < DNS_MAX)
		dns_servers[number] = server != NULL ? *server : (ip_addr_t){ 0 };
}

const ip_addr_t *dns_getserver(u8_t number)
{
	return number < DNS_MAX ? &dns_servers[number] : IP_ADDR_ANY;
}

unsigned net_dns_servers(ip_addr_t *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DNS_MAX && n < max; i++) {
		if (!ip_addr_isany_val(dns_servers[i]))
			out[n++] = dns_servers[i];
	}
	return n;
}

/* ---- segmentation by devices ---- */

uint16_t net_gso_mss;
static uint32_t gso_max[UINT8_MAX + 1]; /* by the interface's number */
static bool gso_any;

void net_set_gso(struct netif *n, uint32_t max)
{
	gso_max[netif_get_index(n)] = max < NET_GSO_MAX ? max : NET_GSO_MAX;
	gso_any |= max > 0;
}

uint32_t net_gso_max(const struct tcp_pcb *pcb)
{
	const struct netif *n = gso_any ? ip_route(&pcb->local_ip, &pcb->remote_ip) : NULL;

	return n == NULL ? 0 : gso_max[netif_get_index(n)];
}

/* Longer than the mtu: the device cuts it. */
static bool device_cuts(const struct pbuf *p, const struct netif *n)
{
	return net_gso_mss != 0 && gso_max[netif_get_index(n)] != 0 && p->tot_len > n->mtu;
}

/* lwIP: in the place of its fragmentation. */
lwip_err_t net_ip4_frag(struct pbuf *p, struct netif *n, const ip4_addr_t *to)
{
	return device_cuts(p, n) ? n->output(n, p, to) : ip4_frag(p, n, to);
}

/* A whole packet's; what is cut, the device does not sum. */
static void sum_tcp(struct pbuf *p)
{
	const struct ip6_hdr *h = p->payload;
	ip6_addr_t from, to;
	struct tcp_hdr *tcp;

	if (IP6H_NEXTH(h) != IP6_NEXTH_TCP || p->len < IP6_HLEN + TCP_HLEN)
		return;
	ip6_addr_copy_from_packed(from, h->src);
	ip6_addr_copy_from_packed(to, h->dest);
	pbuf_remove_header(p, IP6_HLEN);
	tcp = p->payload;
	tcp->chksum = 0;
	tcp->chksum = ip6_chksum_pseudo(p, IP6_NEXTH_TCP, p->tot_len, &from, &to);
	pbuf_add_header(p, IP6_HLEN);
}

/*
 * lwIP cuts the packet itself, header after header; but TCP keeps its own, to send it again. (It
 * cuts segments when a path has become narrower than they are.)
 */
lwip_err_t net_ip6_frag(struct pbuf *p, struct netif *n, const ip6_addr_t *to)
{
	struct pbuf *copy;
	lwip_err_t err;

	if (device_cuts(p, n))
		return n->output_ip6(n, p, to);
	copy = pbuf_clone(PBUF_LINK, PBUF_RAM, p);
	if (copy == NULL)
		return ERR_MEM;
	sum_tcp(copy);
	err = ip6_frag(copy, n, to);
	pbuf_free(copy);
	return err;
}

/*
 * In the place of lwIP's: no path of IPv6 is narrower than this (RFC 8200, section 5), and to cut
 * for 48 bytes would have no end.
 */
void net_nd6_input(struct pbuf *p, struct netif *n)
{
	const struct icmp6_hdr *h = p->payload;

	if (p->len >= sizeof(*h) && h->type == ICMP6_TYPE_PTB &&
	    lwip_ntohl(h->data) < IP6_MIN_MTU_LENGTH)
		pbuf_free(p);
	else
		nd6_input(p, n);
}

/*
 * In the place of lwIP's: for a packet that was put together it still knows the header of the
 * fragment that came last. A fragment in fragments, which nobody sends who means well, would be
 * measured from there, and asserts fail.
 */
struct pbuf *net_ip6_reass(struct pbuf *p)
{
	const u8_t *header = (const u8_t *)ip6_current_header();

	if ((u8_t *)p->payload != header + ip_current_header_tot_len() - IP6_FRAG_HLEN) {
		pbuf_free(p);
		return NULL;
	}
	return ip6_reass(p);
}

/* ---- errors ---- */

err_t inet_error(lwip_err_t e)
{
	switch (e) {
	case ERR_OK: return OK;
	case ERR_MEM:
	case ERR_BUF: return E_NOBUFS;
	case ERR_TIMEOUT: return E_TIMEDOUT;
	case ERR_RTE: return E_NETUNREACH;
	case ERR_INPROGRESS: return E_INPROGRESS;
	case ERR_WOULDBLOCK: return E_AGAIN;
	case ERR_USE: return E_ADDRINUSE;
	case ERR_ALREADY: return E_ALREADY;
	case ERR_ISCONN: return E_ISCONN;
	case ERR_CONN: return E_NOTCONN;
	case ERR_IF: return E_NETDOWN;
	case ERR_ABRT: return E_TIMEDOUT;
	case ERR_RST: return E_CONNRESET;
	case ERR_CLSD: return E_PIPE;
	default: return E_INVAL;
	}
}

/* ---- beginning ---- */

err_t net_init(void)
{
	err_t err;

	random_bytes(&isn_key, sizeof(isn_key));
	net_enter();
	lwip_init();
	net_loop_init();
	iface_init();
	err = dgram_init();
	net_leave();
	return err;
}
