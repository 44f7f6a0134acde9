/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP over loopback while memory cannot be had, and a flood of connections: packets get lost, data
 * and connections do not.
 */
#include <linux/in.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/tcp_sock.h"
#include "kernel/task/task.h"

#define DATA      60000u
#define TICKS_MAX 4000u
#define FOREVER   700u /* ticks: longer than TIME_WAIT */

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* The functions ask who calls: they run in a thread. */
static void in_thread(void (*fn)(void *arg), void *arg)
{
	EXPECT_EQ(kthread_start("ktest", fn, arg), OK);
	sched_run_ready();
}

/*
 * A tenth of a second goes by. Failures come a little more rarely then: a fixed pattern of them
 * could hit the same call for ever.
 */
static void tick(void)
{
	static unsigned n;

	if (kmem_fail_every != 0 && ++n % 16 == 0)
		kmem_fail_every++;
	net_enter();
	tcp_tmr();
	tcp_after_timer();
	net_leave();
}

static void loop_address(struct sock_addr *a, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = lwip_htons(port),
				  .sin_addr.s_addr = __builtin_bswap32(INADDR_LOOPBACK) };

	memcpy(a->bytes, &in, sizeof(in));
	a->len = sizeof(in);
}

/* A socket, and whatever it needs, or nothing. */
static struct socket *make_listener(uint16_t *port)
{
	struct sock_addr a;
	struct socket *s;

	if (tcp_sock_create(AF_INET, 0, &s) != OK)
		return NULL;
	loop_address(&a, 0);
	if (s->ops->bind(s, &a) != OK || s->ops->listen(s, 8) != OK) {
		s->ops->release(s);
		return NULL;
	}
	*port = tcp_sock_of(s)->i.local_port;
	return s;
}

static struct socket *connect_for(uint16_t port, err_t other)
{
	struct sock_addr a;
	struct socket *s;
	err_t err;

	if (tcp_sock_create(AF_INET, 0, &s) != OK)
		return NULL;
	loop_address(&a, port);
	err = s->ops->connect(s, &a, true);
	EXPECT(err == E_INPROGRESS || err == E_NOMEM || err == E_NOBUFS || err == other);
	if (err == E_INPROGRESS)
		return s;
	s->ops->release(s);
	return NULL;
}

static struct socket *connect_to(uint16_t port)
{
	return connect_for(port, E_INPROGRESS);
}

static struct socket *accept_from(struct socket *l)
{
	for (unsigned i = 0; i < TICKS_MAX; i++, tick()) {
		if (l->ops->accept_wait(l, true) == OK)
			return l->ops->accept_take(l);
	}
	return NULL;
}

/* One piece each way; false when the connection is broken. */
static bool step(struct socket *from, struct socket *to, size_t *sent, size_t *got)
{
	static uint8_t buf[3000];
	struct sock_msg m = { .nonblock = true, .flags = MSG_NOSIGNAL };
	size_t n = DATA - *sent < sizeof(buf) ? DATA - *sent : sizeof(buf), done = 0;
	err_t err;

	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(*sent + i);
	uio_kernel(&m.data, buf, n);
	err = n > 0 ? from->ops->send(from, &m, sent) : OK;
	if (err != OK && err != E_AGAIN)
		return false;
	uio_kernel(&m.data, buf, sizeof(buf));
	err = to->ops->recv(to, &m, &done);
	if (err != OK && err != E_AGAIN)
		return false;
	for (size_t i = 0; i < done; i++) {
		if (buf[i] != pattern(*got + i))
			return false;
	}
	*got += done;
	return true;
}

static void exchange(struct socket *a, struct socket *b)
{
	size_t sent = 0, got = 0;

	for (unsigned i = 0; i < TICKS_MAX && got < DATA; i++) {
		if (!step(a, b, &sent, &got))
			break;
		if (i % 4 == 3)
			tick();
	}
	EXPECT_EQ(got, DATA);
}

static void starved(void *arg)
{
	struct socket *l, *c, *a;
	uint16_t port;

	(void)arg;

	while ((l = make_listener(&port)) == NULL)
		tick();
	while ((c = connect_to(port)) == NULL)
		tick();
	a = accept_from(l);
	EXPECT(a != NULL);
	if (a != NULL) {
		exchange(c, a);
		exchange(a, c);
		a->ops->release(a);
	}
	c->ops->release(c);
	l->ops->release(l);
	kmem_fail_every = 0;
	for (unsigned i = 0; i < FOREVER; i++)
		tick();
	EXPECT_EQ(tcp_queued_bytes, 0);
	EXPECT(tcp_active_pcbs == NULL && tcp_tw_pcbs == NULL);
}

KTEST(tcp_out_of_memory)
{
	static const uint32_t every[] = { 2, 3, 5, 7, 11, 17, 29, 50 };

	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		EXPECT_EQ(kthread_start("ktest", starved, NULL), OK);
		kmem_fail_every = every[i];
		sched_run_ready();
		kmem_fail_every = 0;
	}
}

/* ---- a flood of SYNs from nowhere ---- */

static void send_syn(uint32_t from, uint16_t port, uint16_t to)
{
	struct pbuf *p = pbuf_alloc(PBUF_IP, TCP_HLEN, PBUF_RAM);
	struct tcp_hdr *h = p->payload;
	ip_addr_t src, dst;

	memset(h, 0, TCP_HLEN);
	h->src = lwip_htons(port);
	h->dest = lwip_htons(to);
	h->seqno = from;
	h->wnd = 0xffff;
	TCPH_HDRLEN_FLAGS_SET(h, TCP_HLEN / 4, TCP_SYN);
	ip_addr_set_ip4_u32_val(src, from);
	ip_addr_set_loopback_val(false, dst);
	net_enter();
	(void)!ip_output_if(p, &src, &dst, 64, 0, IP_PROTO_TCP, &net_loopback);
	pbuf_free(p);
	net_leave();
}

static void flooded(void *arg)
{
	struct socket *l, *c, *a;
	struct mem_stats before, after;
	uint16_t port;

	(void)arg;
	l = make_listener(&port);
	EXPECT(l != NULL);
	for (uint32_t i = 0; i < 3000; i++)
		send_syn(__builtin_bswap32(0x0a000000 + i), (uint16_t)(1024 + i), port);
	mem_stats(&before);
	for (uint32_t i = 0; i < 20000; i++)
		send_syn(__builtin_bswap32(0x0b000000 + i), (uint16_t)(1024 + i), port);
	mem_stats(&after);
	EXPECT(after.kernel_heap <= before.kernel_heap + 65536);
	ktest_note("heap under a flood: %u KiB", (unsigned)(after.kernel_heap / 1024));
	c = connect_to(port);
	a = accept_from(l);
	EXPECT(c != NULL && a != NULL);
	exchange(c, a);
	a->ops->release(a);
	c->ops->release(c);
	l->ops->release(l);
	for (unsigned i = 0; i < FOREVER; i++)
		tick();
	EXPECT(tcp_active_pcbs == NULL && tcp_tw_pcbs == NULL);
}

KTEST(tcp_syn_flood)
{
	in_thread(flooded, NULL);
}

/* ---- options of open connections ---- */

static void set_later(void *arg)
{
	struct socket *l, *c, *a;
	uint16_t port;

	(void)arg;
	l = make_listener(&port);
	c = connect_to(port);
	a = accept_from(l);
	EXPECT(c != NULL && a != NULL);
	EXPECT(!ip_get_option(tcp_sock_of(c)->pcb, SOF_KEEPALIVE));
	c->option_bits |= 1ull << SO_KEEPALIVE;
	c->ops->options_changed(c); /* as setsockopt() has it */
	EXPECT(ip_get_option(tcp_sock_of(c)->pcb, SOF_KEEPALIVE));
	c->ops->release(c);
	a->ops->release(a);
	l->ops->release(l);
}

KTEST(tcp_keepalive_of_an_open_connection)
{
	in_thread(set_later, NULL);
}

/* ---- a peer that vanishes ---- */

static lwip_err_t lose4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	(void)n;
	(void)p;
	(void)to;
	return ERR_OK;
}

static unsigned ticks_until_quiet(void)
{
	unsigned n = 0;

	while (n < 10 * TICKS_MAX && (tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL)) {
		tick();
		n++;
	}
	return n;
}

static void left_alone(void *arg)
{
	netif_output_fn output = net_loopback.output;
	struct socket *l, *c, *a;
	size_t sent = 0, got = 0;
	uint16_t port;
	unsigned n;

	(void)arg;
	l = make_listener(&port);
	c = connect_to(port);
	a = accept_from(l);
	EXPECT(c != NULL && a != NULL);
	net_loopback.output = lose4;
	for (unsigned i = 0; i < 4; i++) /* what is in segments, and what still waits */
		EXPECT(step(a, c, &sent, &got));
	EXPECT(tcp_queued_bytes == sent && sent > 0 && got == 0);
	a->ops->release(a);
	EXPECT_EQ(tcp_queued_bytes, sent);
	c->ops->release(c);
	l->ops->release(l);
	n = ticks_until_quiet();
	ktest_note("given up after %u ms", n * TCP_TMR_INTERVAL);
	EXPECT(n * TCP_TMR_INTERVAL >= TCP_ORPHAN_MS);
	EXPECT(n * TCP_TMR_INTERVAL < TCP_ORPHAN_MS + 10000);
	EXPECT_EQ(tcp_queued_bytes, 0);
	net_loopback.output = output;
}

/* Closed connections do not keep what was sent for as long as lwIP would try. */
KTEST(tcp_orphans)
{
	in_thread(left_alone, NULL);
}

/* ---- ports that connect() chooses ---- */

#define PORTS 28232u /* of the range for that */

/* All but one are taken: two connections share it, if they lead to different places. */
static void shared_port(void *arg)
{
	struct inet_bind *all[PORTS / 1000 + 1] = { NULL }, *taken;
	struct socket *l[2], *c[3];
	uint16_t port[2];
	unsigned n = 0;

	(void)arg;
	for (unsigned i = 0; i < 2; i++)
		l[i] = make_listener(&port[i]);
	while (n < PORTS - 3) {
		if (n % 1000 == 0)
			all[n / 1000] = kmem_alloc(sizeof(*taken) * 1000);
		taken = &all[n / 1000][n % 1000];
		*taken = (struct inet_bind){ 0 };
		ip_addr_set_any(false, &taken->ip);
		if (inet_bind(taken, INET_TCP, 0) != OK)
			break;
		n++;
	}
	EXPECT_EQ(n, PORTS - 3);
	for (unsigned i = 0; i < 2; i++)
		c[i] = connect_to(port[i]);
	EXPECT(c[0] != NULL && c[1] != NULL);
	EXPECT(tcp_sock_of(c[0])->i.local_port == tcp_sock_of(c[1])->i.local_port);
	c[2] = connect_for(port[0], E_ADDRNOTAVAIL);
	EXPECT(c[2] == NULL);
	for (unsigned i = 0; i < 2; i++) {
		c[i]->ops->release(c[i]);
		l[i]->ops->release(l[i]);
	}
	while (n-- > 0)
		inet_unbind(&all[n / 1000][n % 1000]);
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		kmem_free(all[i]);
	(void)ticks_until_quiet();
}

KTEST(tcp_ports_are_shared)
{
	in_thread(shared_port, NULL);
}
