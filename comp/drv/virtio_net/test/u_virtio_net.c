/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver against a model of the device: one that keeps the rules, and ones that break them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>

#include "abi/nk.h"
#include "base/str.h"
#include "comp/drv/net_conform.h"
#include "comp/drv/virtio/test/model.h"
#include "comp/drv/virtio_net/virtio_net.h"

#define F(name) (1ull << VIRTIO_NET_F_##name)
#define ALL                                                                                      \
	(F(CSUM) | F(GUEST_CSUM) | F(MAC) | F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN) |       \
	 F(GUEST_UFO) | F(HOST_TSO4) | F(HOST_TSO6) | F(HOST_ECN) | F(HOST_UFO) | F(MRG_RXBUF) | \
	 F(STATUS) | F(CTRL_VQ) | F(MQ) | F(MTU) | 1ull << VIRTIO_RING_F_EVENT_IDX |             \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define PAIRS     4u
#define RING      64u
#define HDR       12u
#define CTL_QUEUE (2 * PAIRS)

static struct virtio_dev vdev;
static struct net_dev *dev;
static unsigned pairs_set;

/* ---- the model ---- */

static bool negotiated(uint64_t f)
{
	return (model.driver_features & f) != 0;
}

static uint8_t *desc_data(const struct vring_desc *d)
{
	return dm_ptr(PADDR(d->addr));
}

/* All that a chain has to read, in one piece. */
static uint32_t gather(const struct model_queue *q, uint16_t head, uint8_t *to, uint32_t max)
{
	struct vring_desc *d = model_desc(q, head);
	uint32_t len = 0;

	for (;;) {
		assert_false(d->flags & VRING_DESC_F_WRITE);
		assert_true(len + d->len <= max);
		memcpy(to + len, desc_data(d), d->len);
		len += d->len;
		if ((d->flags & VRING_DESC_F_NEXT) == 0)
			return len;
		d = model_desc(q, d->next);
	}
}

static void control(struct model_queue *q)
{
	uint16_t head;

	while (model_next(q, &head)) {
		struct vring_desc *d = model_desc(q, head);
		struct vring_desc *mq = model_desc(q, d->next), *ack = model_desc(q, mq->next);
		uint8_t *hdr = desc_data(d), *n = desc_data(mq);

		assert_int_equal(d->len, 2);
		assert_int_equal(hdr[0], VIRTIO_NET_CTRL_MQ);
		assert_int_equal(hdr[1], VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET);
		assert_true(ack->flags & VRING_DESC_F_WRITE);
		pairs_set = n[0] | (unsigned)n[1] << 8;
		*desc_data(ack) = pairs_set <= PAIRS ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		model_give_back(q, head, 1, true);
	}
}

static void notify(unsigned queue)
{
	if (queue == CTL_QUEUE)
		control(&model.q[queue]);
}

static struct virtio_net_hdr_mrg_rxbuf header(const struct net_offload *o, uint16_t buffers)
{
	struct virtio_net_hdr_mrg_rxbuf h = { 0 };

	h.num_buffers = buffers;
	if (o == NULL)
		return h;
	if (o->flags & NET_CSUM_GOOD)
		h.hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	if (o->flags & NET_TSO4)
		h.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	h.hdr.gso_size = o->seg_size;
	return h;
}

/* Into as many buffers as it takes: all of them become visible at once. */
static bool deliver(unsigned queue, const struct virtio_net_hdr_mrg_rxbuf *h, const void *data,
		    uint32_t len)
{
	static uint8_t all[80000];
	struct model_queue *q = &model.q[queue];
	uint16_t heads[RING], before = q->avail_seen;
	uint32_t lens[RING], done = 0;
	unsigned n = 0;

	memcpy(all, h, HDR);
	memcpy(all + HDR, data, len);
	len += HDR;
	while (done < len) {
		struct vring_desc *d;

		if (!model_next(q, &heads[n])) {
			q->avail_seen = before;
			return false;
		}
		d = model_desc(q, heads[n]);
		assert_true(d->flags & VRING_DESC_F_WRITE);
		lens[n] = len - done < d->len ? len - done : d->len;
		memcpy(desc_data(d), all + done, lens[n]);
		done += lens[n++];
		assert_true(n == 1 || negotiated(F(MRG_RXBUF)));
	}
	((struct virtio_net_hdr_mrg_rxbuf *)desc_data(model_desc(q, heads[0])))->num_buffers =
		h->num_buffers != 0 ? h->num_buffers : (uint16_t)n;
	for (unsigned i = 0; i < n; i++)
		model_give_back(q, heads[i], lens[i], i + 1 == n);
	return true;
}

static bool to_guest(unsigned q, const void *frame, uint32_t len, const struct net_offload *o)
{
	struct virtio_net_hdr_mrg_rxbuf h = header(o, 0);

	return deliver(2 * q, &h, frame, len);
}

static uint32_t from_guest(unsigned q, void *frame, uint32_t max, struct net_offload *o)
{
	static uint8_t all[80000];
	struct virtio_net_hdr_mrg_rxbuf h;
	struct model_queue *mq = &model.q[2 * q + 1];
	uint16_t head;
	uint32_t len;

	if (!model_next(mq, &head))
		return 0;
	len = gather(mq, head, all, sizeof(all));
	assert_true(len > HDR && len - HDR <= max);
	memcpy(&h, all, HDR);
	memcpy(frame, all + HDR, len - HDR);
	model_give_back(mq, head, 0, true);
	if (o == NULL)
		return len - HDR;
	*o = (struct net_offload){ 0 };
	if (h.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		*o = (struct net_offload){ .flags = NET_CSUM_PARTIAL,
					   .csum_start = h.hdr.csum_start,
					   .csum_offset = h.hdr.csum_offset };
	if (h.hdr.gso_type == VIRTIO_NET_HDR_GSO_TCPV4) {
		o->flags |= NET_TSO4;
		o->hdr_len = (uint8_t)h.hdr.hdr_len;
		o->seg_size = h.hdr.gso_size;
	}
	return len - HDR;
}

static bool interrupt(void)
{
	if (model.isr == 0)
		return false;
	virtio_poll(&vdev);
	assert_int_equal(model.isr, 0);
	return true;
}

static void set_link(bool up)
{
	model.config[6] = up;
	model.isr |= VIRTIO_MMIO_INT_CONFIG;
}

static void fail_alloc(unsigned n)
{
	model_fail_alloc = n;
}

static long allocated(void)
{
	return model_frames + model_objects;
}

static void make(uint64_t features)
{
	static const uint8_t config[12] = {
		0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0, PAIRS, 0, 0xe0, 5
	};

	model_init(&vdev, VIRTIO_ID_NET, features, 2 * PAIRS + 1, RING, notify);
	memcpy(model.config, config, sizeof(config));
	pairs_set = 0;
	dev = vnet_create(&vdev);
	assert_non_null(dev);
}

static int teardown(void **state)
{
	(void)state;
	vnet_destroy(dev);
	assert_int_equal(allocated(), 0);
	return 0;
}

/* ---- tests ---- */

static const uint64_t offers[] = {
	ALL,
	ALL & ~(1ull << VIRTIO_RING_F_EVENT_IDX),
	ALL & ~F(MRG_RXBUF),
	ALL & ~F(CSUM) & ~F(MQ),
	F(STATUS),
};

static void test_conforms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		make(offers[i]);
		struct net_peer peer = { dev,      to_guest,   from_guest, interrupt,
					 set_link, fail_alloc, allocated };

		net_conform(&peer);
		assert_int_equal(model_complaints, 0);
		teardown(NULL);
	}
	make(ALL);
}

static void test_identity(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, none[6];

	(void)state;
	make(ALL);
	assert_memory_equal(dev->mac, mac, 6);
	assert_int_equal(dev->mtu, 0x5e0);
	assert_int_equal(dev->queues_max, PAIRS);
	teardown(NULL);
	make(0);
	assert_memory_equal(dev->mac, none, 6);
	assert_int_equal(dev->mtu, 1500);
	assert_int_equal(dev->queues_max, 1);
	teardown(NULL);
	make(ALL);
	teardown(NULL);
	model.config[10] = 9; /* no MTU that IP could live with; no number of queues */
	model.config[11] = 0;
	model.config[8] = 0;
	dev = vnet_create(&vdev);
	assert_int_equal(dev->mtu, 1500);
	assert_int_equal(dev->queues_max, 1);
}

static void drop(struct net_dev *d, bool rx, void *token)
{
	(void)d;
	(void)rx;
	(void)token;
}

static void test_features(void **state)
{
	(void)state;
	make(ALL);
	assert_int_equal(dev->ops->start(dev, 1), OK);
	assert_false(negotiated(F(MQ) | F(CTRL_VQ) | F(HOST_UFO) | F(GUEST_UFO)));
	assert_int_equal(dev->features, NET_TX_CSUM | NET_TX_TSO4 | NET_TX_TSO6 | NET_RX_CSUM |
						NET_RX_LARGE | NET_RX_MERGE);
	dev->ops->stop(dev, drop);
	assert_int_equal(dev->ops->start(dev, 3), OK);
	assert_int_equal(pairs_set, 3);
	dev->ops->stop(dev, drop);
	assert_int_equal(dev->ops->start(dev, PAIRS + 1), E_INVAL);
	assert_int_equal(dev->ops->start(dev, 0), E_INVAL);
	teardown(NULL);
	make(ALL & ~F(CSUM) & ~F(GUEST_CSUM));
	assert_int_equal(dev->ops->start(dev, 1), OK);
	assert_int_equal(dev->features, NET_RX_MERGE);
	dev->ops->stop(dev, drop);
	model.refuse_features = true;
	assert_int_equal(dev->ops->start(dev, 1), E_NODEV);
	assert_int_equal(model.status, VIRTIO_CONFIG_S_FAILED);
}

/* ---- a device that lies ---- */

#define BUFS 24u
static struct {
	uint8_t data[2048];
	int out;
} bufs[BUFS];
static int tx_out[64];
static uint8_t tx_data[64][256];
static unsigned changes;

static void on_change(struct net_dev *d)
{
	(void)d;
	changes++;
}

static void drop_counted(struct net_dev *d, bool rx, void *token)
{
	(void)d;
	(void)rx;
	assert_int_equal(*(int *)token, 1);
	*(int *)token = 0;
}

static void refill(void)
{
	for (unsigned i = 0; i < BUFS; i++) {
		if (bufs[i].out || dev->ops->rx_add(dev, 0, bufs[i].data, sizeof(bufs[i].data),
						    &bufs[i].out) != OK)
			continue;
		bufs[i].out = 1;
	}
	dev->ops->flush(dev, 0);
}

static unsigned receive_all(void)
{
	struct net_rx rx;
	unsigned n = 0;

	while (dev->ops->rx_take(dev, 0, &rx)) {
		uint32_t sum = 0;

		assert_in_range(rx.n, 1, NET_PIECES_MAX);
		for (unsigned i = 0; i < rx.n; i++) {
			int *out = rx.piece[i].token;

			assert_int_equal(*out, 1);
			*out = 0;
			assert_in_range(rx.piece[i].len, 1, sizeof(bufs[0].data));
			sum += rx.piece[i].len;
		}
		assert_int_equal(sum, rx.len);
		assert_true(rx.skip < rx.piece[0].len || rx.n > 1);
		assert_in_range(rx.len - rx.skip, NET_ETH_HLEN, NET_FRAME_MAX);
		n++;
	}
	return n;
}

static void send_one(unsigned i)
{
	struct net_piece piece = { tx_data[i] + 16, 200 };
	struct net_tx t = { .piece = &piece, .n = 1, .headroom = i % 2 * 16, .token = &tx_out[i] };

	if (!tx_out[i] && dev->ops->tx(dev, 0, &t) == OK)
		tx_out[i] = 1;
}

static void reap(void)
{
	int *out;

	while ((out = dev->ops->tx_done(dev, 0)) != NULL) {
		assert_int_equal(*out, 1);
		*out = 0;
	}
}

static void begin(void)
{
	make(ALL);
	memset(bufs, 0, sizeof(bufs));
	memset(tx_out, 0, sizeof(tx_out));
	changes = 0;
	dev->on_change = on_change;
	assert_int_equal(dev->ops->start(dev, 1), OK);
	refill();
	changes = 0;
}

static void end(void)
{
	dev->ops->stop(dev, drop_counted);
	for (unsigned i = 0; i < BUFS; i++)
		assert_int_equal(bufs[i].out, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(tx_out); i++)
		assert_int_equal(tx_out[i], 0);
	teardown(NULL);
}

/* Frames that make no sense are thrown away, and the queue lives. */
static void test_bad_frames(void **state)
{
	static uint8_t data[9000];
	const struct {
		struct virtio_net_hdr_v1 h;
		uint32_t len;
	} bad[] = {
		{ { .num_buffers = 0 }, 0 },
		{ { .num_buffers = 0 }, 13 },
		{ { .gso_type = 3, .gso_size = 100 }, 100 }, /* UDP fragments: not negotiated */
		{ { .gso_type = 99, .gso_size = 100 }, 100 },
		{ { .gso_type = 99, .gso_size = 100 }, 9000 }, /* several buffers */
		{ { .gso_type = 1, .gso_size = 0 }, 100 },
		{ { .flags = 1, .csum_start = 99, .csum_offset = 0 }, 100 },
		{ { .flags = 1, .csum_start = 65535, .csum_offset = 65535 }, 100 },
		{ { .flags = 1, .csum_start = 2, .csum_offset = 2 }, 100 },
	};

	(void)state;
	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(deliver(0, (const void *)&bad[i].h, data, bad[i].len));
		assert_int_equal(receive_all(), 0);
		assert_int_equal(dev->stats.rx_bad, i + 1);
		dev->ops->flush(dev, 0);
	}
	/* Fewer bytes than the header; none at all. */
	for (uint32_t len = 0; len < 12; len += 11) {
		uint16_t head;

		assert_true(model_next(&model.q[0], &head));
		model_give_back(&model.q[0], head, len, true);
		assert_int_equal(receive_all(), 0);
	}
	dev->ops->flush(dev, 0);
	/* Whether a buffer got lost: all of them can still be filled, with one frame. */
	struct virtio_net_hdr_mrg_rxbuf h = { .hdr.gso_type = 1, .hdr.gso_size = 1000 };

	for (unsigned i = 0; i < 5; i++) {
		assert_true(deliver(0, &h, data, 9000));
		assert_int_equal(receive_all(), 1);
		refill();
	}
	assert_false(dev->broken);
	assert_int_equal(model_complaints, 0);
	end();
	make(ALL);
}

/* Counts of buffers that cannot be, indices that were not earned: the device is not used any more,
 * it is said once, and no buffer is lost. */
static void test_lies(void **state)
{
	static uint8_t data[4000];
	const uint16_t counts[] = { 2, 35, 65535 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		struct virtio_net_hdr_mrg_rxbuf h = { .num_buffers = counts[i] };

		begin();
		assert_true(deliver(0, &h, data, 100));
		assert_int_equal(receive_all(), 0);
		assert_true(dev->broken);
		assert_int_equal(changes, 1);
		assert_int_equal(receive_all(), 0);
		send_one(0);
		reap();
		assert_int_equal(model_complaints, 1);
		assert_int_equal(changes, 1);
		end();
	}
	for (unsigned q = 0; q < 2; q++) {
		const uint32_t ids[] = { 4000000000u, RING, RING - 1 };

		for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
			begin();
			send_one(1);
			dev->ops->flush(dev, 0);
			model_lie(q, ids[i], 100, 1);
			assert_int_equal(receive_all(), 0);
			reap();
			assert_true(dev->broken);
			end();
		}
	}
	make(ALL);
}

static uint64_t seed;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 20;
}

static void random_step(void)
{
	static uint8_t data[70000];
	struct virtio_net_hdr_mrg_rxbuf h = { 0 };
	uint16_t head;

	switch (next_random() % 8) {
	case 0:
		model_lie(next_random() % 2,
			  next_random() % 2 ? next_random() % RING : next_random(),
			  (uint32_t)next_random(), 1 + next_random() % 3);
		break;
	case 1:
	case 2: /* a header of noise */
		for (unsigned i = 0; i < sizeof(h); i++)
			((uint8_t *)&h)[i] = next_random() % 3 == 0 ? (uint8_t)next_random() : 0;
		(void)deliver(0, &h, data, next_random() % 3000);
		break;
	case 3: (void)deliver(0, &h, data, next_random() % sizeof(data)); break;
	case 4:
	case 5: (void)deliver(0, &h, data, 60 + next_random() % 1000); break;
	case 6:
		send_one(next_random() % 64);
		dev->ops->flush(dev, 0);
		break;
	default:
		if (model_next(&model.q[1], &head))
			model_give_back(&model.q[1], head, (uint32_t)next_random(), true);
	}
}

static void test_random_lies(void **state)
{
	unsigned lived = 0;

	(void)state;
	seed = 4711;
	for (unsigned round = 0; round < 400; round++) {
		begin();
		for (unsigned i = 0; i < 60; i++) {
			random_step();
			(void)interrupt();
			(void)receive_all();
			reap();
			refill();
			(void)dev->ops->interrupts(dev, 0, next_random() % 2, next_random() % 2);
		}
		lived += !dev->broken;
		assert_int_equal(changes, dev->broken);
		end();
	}
	assert_in_range(lived, 0, 399);
	make(ALL);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(test_conforms),   T(test_identity), T(test_features),
		T(test_bad_frames), T(test_lies),     T(test_random_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
