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

static struct socket *connect_to(uint16_t port)
{
	struct sock_addr a;
	struct socket *s;
	err_t err;

	if (tcp_sock_create(AF_INET, 0, &s) != OK)
		return NULL;
	loop_address(&a, port);
	err = s->ops->connect(s, &a, true);
	EXPECT(err == E_INPROGRESS || err == E_NOMEM || err == E_NOBUFS);
	if (err == E_INPROGRESS)
		return s;
	s->ops->release(s);
	return NULL;
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
	if (err != OK && err != E_AGAIN && err != E_NOMEM)
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
