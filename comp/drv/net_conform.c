/* SPDX-License-Identifier: BSD-2-Clause */
/* What every network driver must do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "comp/drv/net_conform.h"

#define BUFS     64u
#define BUF_LEN  2048u
#define SENDS    80u
#define HEADROOM 32u
#define FRAME    70000u

static const struct net_peer *peer;
static struct net_dev *dev;

/* ---- the user: buffers and frames, and who has them ---- */

static struct buffer {
	_Alignas(16) uint8_t data[BUF_LEN];
	bool out; /* with the device */
} bufs[BUFS];

static struct send {
	_Alignas(16) uint8_t data[HEADROOM + 3 * BUF_LEN];
	bool out;
} sends[SENDS];

static unsigned events, changes, dropped_rx, dropped_tx;
static uint8_t frame[FRAME], other[FRAME];

static void on_event(struct net_dev *d, unsigned q)
{
	assert_ptr_equal(d, dev);
	assert_true(q < d->queues);
	events++;
}

static void on_change(struct net_dev *d)
{
	assert_ptr_equal(d, dev);
	changes++;
}

static void drop(struct net_dev *d, bool rx, void *token)
{
	assert_ptr_equal(d, dev);
	if (rx) {
		assert_true(((struct buffer *)token)->out);
		((struct buffer *)token)->out = false;
		dropped_rx++;
	} else {
		assert_true(((struct send *)token)->out);
		((struct send *)token)->out = false;
		dropped_tx++;
	}
}

static unsigned count_out(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BUFS; i++)
		n += bufs[i].out;
	for (unsigned i = 0; i < SENDS; i++)
		n += sends[i].out;
	return n;
}

static void start(unsigned queues)
{
	memset(bufs, 0, sizeof(bufs));
	memset(sends, 0, sizeof(sends));
	events = changes = dropped_rx = dropped_tx = 0;
	dev->on_event = on_event;
	dev->on_change = on_change;
	assert_int_equal(dev->ops->start(dev, queues), OK);
	assert_int_equal(dev->queues, queues);
	assert_false(dev->broken);
}

static void stop(void)
{
	dev->ops->stop(dev, drop);
	assert_int_equal(count_out(), 0);
	assert_int_equal(dev->queues, 0);
}

static void give_buffers(unsigned q, unsigned n)
{
	for (unsigned i = 0; i < BUFS && n > 0; i++) {
		if (bufs[i].out)
			continue;
		assert_int_equal(dev->ops->rx_add(dev, q, bufs[i].data, BUF_LEN, &bufs[i]), OK);
		bufs[i].out = true;
		n--;
	}
	assert_int_equal(n, 0);
	dev->ops->flush(dev, q);
}

static void fill(uint8_t *to, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

/* The next frame, joined; 0: none. Its buffers are ours again. */
static uint32_t take(unsigned q, struct net_rx *rx)
{
	uint32_t len = 0, skip;

	if (!dev->ops->rx_take(dev, q, rx))
		return 0;
	assert_in_range(rx->n, 1, NET_PIECES_MAX);
	skip = rx->skip;
	for (unsigned i = 0; i < rx->n; i++) {
		struct buffer *b = rx->piece[i].token;

		assert_true(b->out);
		b->out = false;
		assert_in_range(rx->piece[i].len, skip + 1, BUF_LEN);
		memcpy(other + len, b->data + skip, rx->piece[i].len - skip);
		len += rx->piece[i].len - skip;
		skip = 0;
	}
	assert_int_equal(rx->len - rx->skip, len);
	return len;
}

static err_t post(unsigned q, struct send *s, uint32_t len, unsigned pieces, uint32_t headroom,
		  const struct net_offload *o)
{
	struct net_piece piece[NET_PIECES_MAX];
	struct net_tx t = { .piece = piece, .n = pieces, .headroom = headroom, .token = s };
	uint8_t *at = s->data + HEADROOM;
	err_t err;

	if (o != NULL)
		t.o = *o;
	for (unsigned i = 0; i < pieces; i++) {
		uint32_t n = i + 1 < pieces ? 1 + len / pieces / 2 : len;

		piece[i] = (struct net_piece){ at, n };
		at += n;
		len -= n;
	}
	err = dev->ops->tx(dev, q, &t);
	if (err == OK)
		s->out = true;
	return err;
}

static unsigned reap(unsigned q)
{
	struct send *s;
	unsigned n = 0;

	while ((s = dev->ops->tx_done(dev, q)) != NULL) {
		assert_true(s->out);
		s->out = false;
		n++;
	}
	return n;
}

/* ---- what is asked for ---- */

static void starts_and_stops(void)
{
	for (unsigned round = 0; round < 3; round++) {
		long before = peer->allocated();

		start(1);
		assert_in_range(dev->mtu, 68, 65535);
		assert_true(dev->rx_size > 0 && dev->tx_size > 0);
		assert_int_equal(dev->ops->rx_room(dev, 0), dev->rx_size);
		give_buffers(0, 5);
		assert_int_equal(dev->ops->rx_room(dev, 0), dev->rx_size - 5);
		assert_int_equal(post(0, &sends[0], 60, 1, 0, NULL), OK);
		stop();
		assert_int_equal(dropped_rx, 5);
		assert_int_equal(dropped_tx, 1);
		assert_int_equal(peer->allocated(), before);
	}
}

static void survives_without_memory(void)
{
	long before = peer->allocated();
	unsigned n = 0;
	err_t err;

	do {
		peer->fail_alloc(++n);
		err = dev->ops->start(dev, 1);
		peer->fail_alloc(0);
		if (err != OK) {
			assert_int_equal(err, E_NOMEM);
			assert_int_equal(peer->allocated(), before);
			assert_int_equal(dev->queues, 0);
		}
	} while (err != OK);
	assert_true(n > 1);
	stop();
}

static void receives(void)
{
	static const uint32_t lengths[] = { 60, 14, 1514, 64, 999 };
	struct net_rx rx;

	start(1);
	assert_int_equal(take(0, &rx), 0);
	give_buffers(0, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(frame, lengths[i], i);
		assert_true(peer->to_guest(0, frame, lengths[i], NULL));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(frame, lengths[i], i);
		assert_int_equal(take(0, &rx), lengths[i]);
		assert_memory_equal(frame, other, lengths[i]);
		assert_int_equal(rx.o.flags, 0);
	}
	assert_int_equal(take(0, &rx), 0);
	assert_int_equal(dev->stats.rx_bad, 0);
	assert_int_equal(count_out(), 16 - ARRAY_SIZE(lengths));
	stop();
}

static void receives_until_it_has_no_buffers(void)
{
	struct net_rx rx;

	start(1);
	give_buffers(0, 2);
	assert_true(peer->to_guest(0, frame, 60, NULL));
	assert_true(peer->to_guest(0, frame, 60, NULL));
	assert_false(peer->to_guest(0, frame, 60, NULL));
	assert_int_equal(take(0, &rx), 60);
	give_buffers(0, 1);
	assert_true(peer->to_guest(0, frame, 61, NULL));
	assert_int_equal(take(0, &rx), 60);
	assert_int_equal(take(0, &rx), 61);
	stop();
}

static void receives_joined_segments(void)
{
	struct net_offload o = { .flags = NET_CSUM_GOOD | NET_TSO4, .seg_size = 1460 };
	struct net_rx rx;
	uint32_t len = 30000;

	start(1);
	if ((dev->features & NET_RX_LARGE) == 0 || (dev->features & NET_RX_MERGE) == 0) {
		stop();
		return;
	}
	give_buffers(0, 40);
	for (unsigned i = 0; i < 3; i++) {
		fill(frame, len, i);
		assert_true(peer->to_guest(0, frame, len, &o));
		assert_int_equal(take(0, &rx), len);
		assert_memory_equal(frame, other, len);
		assert_int_equal(rx.o.flags, NET_CSUM_GOOD | NET_TSO4);
		assert_int_equal(rx.o.seg_size, 1460);
		assert_true(rx.n > 10);
		give_buffers(0, rx.n);
	}
	/* The largest that there is. */
	fill(frame, NET_FRAME_MAX, 9);
	assert_true(peer->to_guest(0, frame, NET_FRAME_MAX, &o));
	assert_int_equal(take(0, &rx), NET_FRAME_MAX);
	assert_memory_equal(frame, other, NET_FRAME_MAX);
	stop();
}

static void says_what_was_checked(void)
{
	struct net_offload o = { .flags = NET_CSUM_GOOD };
	struct net_rx rx;

	start(1);
	give_buffers(0, 4);
	if (dev->features & NET_RX_CSUM) {
		assert_true(peer->to_guest(0, frame, 100, &o));
		assert_int_equal(take(0, &rx), 100);
		assert_int_equal(rx.o.flags, NET_CSUM_GOOD);
	}
	assert_true(peer->to_guest(0, frame, 100, NULL));
	assert_int_equal(take(0, &rx), 100);
	assert_int_equal(rx.o.flags, 0);
	stop();
}

static void send_and_compare(uint32_t len, unsigned pieces, uint32_t headroom)
{
	struct net_offload o;
	struct send *s = &sends[3];

	memset(s->data, 0xee, HEADROOM);
	fill(s->data + HEADROOM, len, pieces);
	assert_int_equal(post(0, s, len, pieces, headroom, NULL), OK);
	dev->ops->flush(dev, 0);
	assert_int_equal(peer->from_guest(0, other, FRAME, &o), len);
	assert_memory_equal(other, s->data + HEADROOM, len);
	assert_int_equal(o.flags, 0);
	for (unsigned i = 0; i < HEADROOM - headroom; i++)
		assert_int_equal(s->data[i], 0xee);
	assert_int_equal(reap(0), 1);
}

static void sends_gather_lists(void)
{
	start(1);
	for (unsigned pieces = 1; pieces <= NET_PIECES_MAX; pieces++) {
		send_and_compare(1514, pieces, 0);
		send_and_compare(1514, pieces, HEADROOM);
		send_and_compare(1514, pieces, 5);
	}
	send_and_compare(14, 1, HEADROOM);
	assert_int_equal(peer->from_guest(0, other, FRAME, NULL), 0);
	stop();
}

static void passes_offloads_on(void)
{
	struct net_offload csum = { .flags = NET_CSUM_PARTIAL,
				    .csum_start = 34,
				    .csum_offset = 16 };
	struct net_offload tso = { .flags = NET_CSUM_PARTIAL | NET_TSO4,
				   .hdr_len = 54,
				   .csum_start = 34,
				   .csum_offset = 16,
				   .seg_size = 1448 };
	struct net_offload o;

	start(1);
	if (dev->features & NET_TX_CSUM) {
		assert_int_equal(post(0, &sends[0], 100, 2, HEADROOM, &csum), OK);
		dev->ops->flush(dev, 0);
		assert_int_equal(peer->from_guest(0, other, FRAME, &o), 100);
		assert_memory_equal(&o, &csum, sizeof(o));
	}
	if (dev->features & NET_TX_TSO4) {
		assert_int_equal(post(0, &sends[1], 6000, 3, 0, &tso), OK);
		dev->ops->flush(dev, 0);
		assert_int_equal(peer->from_guest(0, other, FRAME, &o), 6000);
		assert_memory_equal(&o, &tso, sizeof(o));
	}
	stop();
}

static void says_when_it_is_full(void)
{
	unsigned sent = 0, more = 0;

	start(1);
	while (sent < SENDS && post(0, &sends[sent], 60, 1, HEADROOM, NULL) == OK)
		sent++;
	assert_true(sent < SENDS); /* the test's device is small */
	assert_int_equal(post(0, &sends[sent], 60, 1, HEADROOM, NULL), E_NOSPC);
	assert_false(sends[sent].out);
	dev->ops->flush(dev, 0);
	assert_int_equal(reap(0), 0);
	while (peer->from_guest(0, other, FRAME, NULL) != 0)
		more++;
	assert_int_equal(more, sent);
	assert_int_equal(reap(0), sent);
	assert_int_equal(post(0, &sends[0], 60, 1, HEADROOM, NULL), OK);
	stop();
}

static void interrupts_as_told(void)
{
	struct net_rx rx;

	start(1);
	give_buffers(0, 8);
	/* Off from the beginning. */
	assert_true(peer->to_guest(0, frame, 60, NULL));
	(void)peer->interrupt();
	assert_int_equal(events, 0);
	/* There is work already: no interrupt for it, but the answer says so. */
	assert_true(dev->ops->interrupts(dev, 0, true, false));
	assert_int_equal(take(0, &rx), 60);
	assert_false(dev->ops->interrupts(dev, 0, true, false));
	assert_true(peer->to_guest(0, frame, 60, NULL));
	assert_true(peer->interrupt());
	assert_true(events > 0);
	/* Off again, several frames long. */
	assert_false(dev->ops->interrupts(dev, 0, false, false));
	events = 0;
	for (unsigned i = 0; i < 4; i++)
		assert_true(peer->to_guest(0, frame, 60, NULL));
	(void)peer->interrupt();
	assert_int_equal(events, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(take(0, &rx), 60);
	stop();
}

static void tells_when_there_is_room(void)
{
	struct net_offload o;

	start(1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(post(0, &sends[i], 60, 1, HEADROOM, NULL), OK);
	dev->ops->flush(dev, 0);
	assert_false(dev->ops->interrupts(dev, 0, true, true));
	while (peer->from_guest(0, other, FRAME, &o) != 0)
		;
	assert_true(peer->interrupt());
	assert_true(events > 0);
	assert_int_equal(reap(0), 4);
	stop();
}

static void follows_the_link(void)
{
	start(1);
	assert_true(dev->link_up);
	peer->set_link(false);
	assert_true(peer->interrupt());
	assert_false(dev->link_up);
	assert_int_equal(changes, 1);
	peer->set_link(true);
	assert_true(peer->interrupt());
	assert_true(dev->link_up);
	assert_int_equal(changes, 2);
	stop();
}

static void keeps_queues_apart(void)
{
	unsigned n = dev->queues_max < 4 ? dev->queues_max : 4;
	struct net_offload o;
	struct net_rx rx;

	if (n < 2)
		return;
	start(n);
	for (unsigned q = 0; q < n; q++)
		give_buffers(q, 4);
	for (unsigned q = 0; q < n; q++)
		assert_true(peer->to_guest(q, frame, 100 + q, NULL));
	for (unsigned q = n; q-- > 0;) {
		assert_int_equal(take(q, &rx), 100 + q);
		assert_int_equal(take(q, &rx), 0);
		assert_int_equal(post(q, &sends[q], 200 + q, 1, 0, NULL), OK);
		dev->ops->flush(dev, q);
	}
	for (unsigned q = 0; q < n; q++)
		assert_int_equal(peer->from_guest(q, other, FRAME, &o), 200 + q);
	stop();
}

void net_conform(const struct net_peer *p)
{
	peer = p;
	dev = p->dev;
	starts_and_stops();
	survives_without_memory();
	receives();
	receives_until_it_has_no_buffers();
	receives_joined_segments();
	says_what_was_checked();
	sends_gather_lists();
	passes_offloads_on();
	says_when_it_is_full();
	interrupts_as_told();
	tells_when_there_is_room();
	follows_the_link();
	keeps_queues_apart();
}
