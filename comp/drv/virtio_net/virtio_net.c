/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queue pair i is virtqueues 2i (receive) and 2i + 1 (send); one control queue behind all pairs
 * that the device has sets how many are in use.
 *
 * A frame to send is one chain. The device wants a header before it: it is written in front of the
 * first piece where there is headroom (no descriptor of its own), else into memory that belongs to
 * the chain's head. Receive buffers begin with the device's header, too; a frame that is larger
 * than a buffer goes on in the next ones, which come directly behind it in the used ring.
 */
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>

#include "base/str.h"
#include "comp/drv/virtio/virtq.h"
#include "comp/drv/virtio_net/virtio_net.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

#define RX_MAX      256u
#define TX_MAX      256u
#define CTL_MAX     4u
#define CTL_WAIT_NS 200000000ull
#define MTU_DEFAULT 1500u
#define MTU_MIN     68u
#define VLAN_BYTES  4u

#define HDR_BYTES sizeof(struct virtio_net_hdr_mrg_rxbuf)
_Static_assert(HDR_BYTES == 12, "without mergeable buffers virtio 1 has the same header");

#define F(name) (1ull << VIRTIO_NET_F_##name)

struct pair {
	struct virtq rx, tx;
	uint8_t **rx_data;                       /* by head: the buffer */
	struct virtio_net_hdr_mrg_rxbuf *tx_hdr; /* by head: for frames without headroom */
};

struct vnet {
	struct net_dev dev;
	struct virtio_dev *vd;
	uint64_t features;
	unsigned pairs_there; /* of the device, used or not */
	struct pair pair[NET_QUEUES_MAX];
	struct virtq ctl;
	uint8_t *ctl_page;
};

static struct vnet *vnet_of(struct net_dev *d)
{
	return container_of(d, struct vnet, dev);
}

static bool has(const struct vnet *v, uint64_t feature)
{
	return (v->features & feature) != 0;
}

/* A queue may have found out that its device lies. */
static void look_if_broken(struct vnet *v, const struct pair *p)
{
	if ((!p->rx.broken && !p->tx.broken) || v->dev.broken)
		return;
	v->dev.broken = true;
	if (v->dev.on_change != NULL)
		v->dev.on_change(&v->dev);
}

/* ---- receiving ---- */

static unsigned vnet_rx_room(struct net_dev *d, unsigned q)
{
	const struct virtq *rx = &vnet_of(d)->pair[q].rx;

	return rx->broken ? 0 : rx->nfree;
}

static err_t rx_add(struct pair *p, uint8_t *data, uint32_t len, void *token)
{
	struct virtq_buf b = { data, len };
	uint16_t head = p->rx.free;

	BUG_ON(len < NET_BUF_MIN);
	TRY(virtq_add(&p->rx, &b, 0, 1, token));
	p->rx_data[head] = data;
	return OK;
}

static err_t vnet_rx_add(struct net_dev *d, unsigned q, void *data, uint32_t len, void *token)
{
	return rx_add(&vnet_of(d)->pair[q], data, len, token);
}

/* Buffers on their way from the device to the user, or back to the device. */
struct taken {
	unsigned n;
	uint16_t head[NET_PIECES_MAX];
};
static struct taken taken;

static bool take_piece(struct pair *p, struct net_rx *out)
{
	struct net_rx_piece *piece = &out->piece[out->n];

	piece->token = virtq_take(&p->rx, &piece->len);
	if (piece->token == NULL)
		return false;
	taken.head[out->n++] = p->rx.taken;
	out->len += piece->len;
	return true;
}

/* The frame is not for the user. The last first: each then gets its own head again, and what is
 * known of the others by their heads stands. */
static void throw_away(struct vnet *v, struct pair *p, const struct net_rx *rx)
{
	v->dev.stats.rx_bad++;
	for (unsigned i = rx->n; i-- > 0;) {
		uint16_t head = taken.head[i];
		uint8_t *data = p->rx_data[head];
		uint32_t len = p->rx.slot[head].writable;

		if (rx_add(p, data, len, rx->piece[i].token) != OK)
			virtq_put_back(&p->rx, head, rx->piece[i].token);
	}
}

/* The other buffers of a frame, as the header's count says. */
static bool take_rest(struct vnet *v, struct pair *p, unsigned count, struct net_rx *out)
{
	if (!has(v, F(MRG_RXBUF)))
		return true;
	if (count == 0 || count > NET_PIECES_MAX) {
		virtq_break(&p->rx, "a frame of an impossible number of buffers");
		return false;
	}
	while (out->n < count) {
		if (!take_piece(p, out)) {
			virtq_break(&p->rx, "a frame without its end");
			return false;
		}
		if (out->piece[out->n - 1].len == 0)
			out->len = 0; /* no frame */
	}
	return true;
}

static bool length_ok(const struct vnet *v, uint32_t len)
{
	uint32_t most = v->dev.features & NET_RX_LARGE
				? NET_FRAME_MAX
				: (uint32_t)v->dev.mtu + NET_ETH_HLEN + VLAN_BYTES;

	return len >= NET_ETH_HLEN && len <= most;
}

/* What the device says of a frame of `len` bytes. False: it makes no sense. */
static bool read_offload(const struct vnet *v, const struct virtio_net_hdr_mrg_rxbuf *h,
			 uint32_t len, struct net_offload *o)
{
	unsigned gso = h->hdr.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;

	*o = (struct net_offload){ 0 };
	if (has(v, F(GUEST_CSUM)) && (h->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		if (h->hdr.csum_start < NET_ETH_HLEN ||
		    (uint32_t)h->hdr.csum_start + h->hdr.csum_offset + 2 > len)
			return false;
		o->flags = NET_CSUM_GOOD;
	} else if (has(v, F(GUEST_CSUM)) && (h->hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID)) {
		o->flags = NET_CSUM_GOOD;
	}
	if (gso == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if (gso == VIRTIO_NET_HDR_GSO_TCPV4 && has(v, F(GUEST_TSO4)))
		o->flags |= NET_TSO4;
	else if (gso == VIRTIO_NET_HDR_GSO_TCPV6 && has(v, F(GUEST_TSO6)))
		o->flags |= NET_TSO6;
	else
		return false;
	o->seg_size = h->hdr.gso_size;
	return o->seg_size != 0;
}

/* True: *out is a frame, or (out->n = 0) there is none. False: it was thrown away. */
static bool take_frame(struct vnet *v, struct pair *p, struct net_rx *out)
{
	struct virtio_net_hdr_mrg_rxbuf h;

	out->n = 0;
	out->len = 0;
	if (!take_piece(p, out))
		return true;
	/* Once, into our memory: the device may go on writing. Buffers are larger than it. */
	memcpy(&h, p->rx_data[p->rx.taken], sizeof(h));
	if (out->len < HDR_BYTES)
		h.num_buffers = 1;
	if (take_rest(v, p, h.num_buffers, out) && out->len >= HDR_BYTES &&
	    length_ok(v, out->len - (uint32_t)HDR_BYTES) &&
	    read_offload(v, &h, out->len - (uint32_t)HDR_BYTES, &out->o)) {
		out->skip = HDR_BYTES;
		return true;
	}
	throw_away(v, p, out);
	return false;
}

static bool vnet_rx_take(struct net_dev *d, unsigned q, struct net_rx *out)
{
	struct vnet *v = vnet_of(d);
	struct pair *p = &v->pair[q];

	while (!take_frame(v, p, out))
		;
	if (out->n == 0) {
		look_if_broken(v, p);
		return false;
	}
	d->stats.rx_frames++;
	d->stats.rx_bytes += out->len - HDR_BYTES;
	return true;
}

/* ---- sending ---- */

static void write_header(struct virtio_net_hdr_mrg_rxbuf *h, const struct net_offload *o)
{
	*h = (struct virtio_net_hdr_mrg_rxbuf){ 0 };
	if (o->flags & NET_CSUM_PARTIAL) {
		h->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->hdr.csum_start = o->csum_start;
		h->hdr.csum_offset = o->csum_offset;
	}
	if (o->flags & (NET_TSO4 | NET_TSO6)) {
		h->hdr.gso_type = o->flags & NET_TSO4 ? VIRTIO_NET_HDR_GSO_TCPV4
						      : VIRTIO_NET_HDR_GSO_TCPV6;
		h->hdr.hdr_len = o->hdr_len;
		h->hdr.gso_size = o->seg_size;
	}
}

static err_t vnet_tx(struct net_dev *d, unsigned q, const struct net_tx *f)
{
	static struct virtq_buf bufs[NET_PIECES_MAX + 1];
	struct pair *p = &vnet_of(d)->pair[q];
	bool in_front = f->headroom >= HDR_BYTES;
	struct virtio_net_hdr_mrg_rxbuf *h;
	unsigned n = in_front ? 0 : 1;
	uint32_t bytes = 0;

	BUG_ON(f->n == 0 || f->n > NET_PIECES_MAX);
	if (!p->tx.broken && p->tx.nfree < f->n + n)
		return E_NOSPC;
	h = in_front ? (void *)((uint8_t *)f->piece[0].data - HDR_BYTES) : &p->tx_hdr[p->tx.free];
	write_header(h, &f->o);
	if (!in_front)
		bufs[0] = (struct virtq_buf){ h, HDR_BYTES };
	for (unsigned i = 0; i < f->n; i++) {
		bufs[n++] = (struct virtq_buf){ f->piece[i].data, f->piece[i].len };
		bytes += f->piece[i].len;
	}
	if (in_front)
		bufs[0] = (struct virtq_buf){ h, f->piece[0].len + (uint32_t)HDR_BYTES };
	TRY(virtq_add(&p->tx, bufs, n, 0, f->token));
	d->stats.tx_frames++;
	d->stats.tx_bytes += bytes;
	return OK;
}

static void *vnet_tx_done(struct net_dev *d, unsigned q)
{
	struct vnet *v = vnet_of(d);
	struct pair *p = &v->pair[q];
	void *token = virtq_take(&p->tx, NULL);

	if (token == NULL)
		look_if_broken(v, p);
	return token;
}

/* ---- notifications both ways ---- */

static void vnet_flush(struct net_dev *d, unsigned q)
{
	struct pair *p = &vnet_of(d)->pair[q];

	d->stats.kicks += virtq_kick(&p->tx);
	d->stats.kicks += virtq_kick(&p->rx);
}

static bool vnet_interrupts(struct net_dev *d, unsigned q, bool on, bool tx)
{
	struct pair *p = &vnet_of(d)->pair[q];

	virtq_want_interrupts(&p->rx, on);
	if (on && tx)
		virtq_want_interrupt_after(&p->tx, (virtq_in_flight(&p->tx) + 1) / 2);
	else
		virtq_want_interrupts(&p->tx, false);
	return on && (virtq_has_used(&p->rx) || (tx && virtq_has_used(&p->tx)));
}

static bool link_is_up(const struct vnet *v)
{
	const unsigned off = offsetof(struct virtio_net_config, status);

	if (!has(v, F(STATUS)))
		return true;
	return (virtio_config(v->vd, off & ~3u) >> (off % 4 * 8) & VIRTIO_NET_S_LINK_UP) != 0;
}

static void link_changed(struct vnet *v)
{
	bool up = link_is_up(v);

	if (up == v->dev.link_up)
		return;
	v->dev.link_up = up;
	if (v->dev.on_change != NULL)
		v->dev.on_change(&v->dev);
}

static void on_interrupt(struct virtio_dev *vd, uint32_t causes)
{
	struct vnet *v = vd->driver;

	v->dev.stats.interrupts++;
	if (causes & VIRTIO_MMIO_INT_CONFIG)
		link_changed(v);
	for (unsigned q = 0; q < v->dev.queues; q++) {
		struct pair *p = &v->pair[q];

		if ((virtq_has_used(&p->rx) || virtq_has_used(&p->tx)) && v->dev.on_event != NULL)
			v->dev.on_event(&v->dev, q);
	}
}

/* ---- start and stop ---- */

static void pair_destroy(struct pair *p)
{
	virtq_destroy(&p->rx);
	virtq_destroy(&p->tx);
	kmem_free(p->rx_data);
	kmem_free(p->tx_hdr);
	p->rx_data = NULL;
	p->tx_hdr = NULL;
}

static err_t pair_create(struct vnet *v, unsigned q)
{
	struct pair *p = &v->pair[q];

	TRY(virtq_create(&p->rx, v->vd, 2 * q, RX_MAX));
	TRY(virtq_create(&p->tx, v->vd, 2 * q + 1, TX_MAX));
	virtq_want_interrupts(&p->rx, false);
	virtq_want_interrupts(&p->tx, false);
	p->rx_data = kmem_zalloc(p->rx.size * sizeof(*p->rx_data));
	p->tx_hdr = kmem_zalloc(p->tx.size * sizeof(*p->tx_hdr));
	return p->rx_data == NULL || p->tx_hdr == NULL ? E_NOMEM : OK;
}

static void destroy_queues(struct vnet *v)
{
	for (unsigned q = 0; q < NET_QUEUES_MAX; q++)
		pair_destroy(&v->pair[q]);
	virtq_destroy(&v->ctl);
	if (v->ctl_page != NULL)
		frame_put(dm_paddr(v->ctl_page));
	v->ctl_page = NULL;
	v->dev.queues = 0;
}

static err_t control_create(struct vnet *v)
{
	paddr_t pa = frame_alloc(FRAME_ZERO);

	if (paddr_is_none(pa))
		return E_NOMEM;
	v->ctl_page = dm_ptr(pa);
	TRY(virtq_create(&v->ctl, v->vd, 2 * v->pairs_there, CTL_MAX));
	virtq_want_interrupts(&v->ctl, false);
	return OK;
}

/* One command at start-up; the device answers within microseconds. */
static err_t set_pairs(struct vnet *v, unsigned n)
{
	struct command {
		struct virtio_net_ctrl_hdr hdr;
		struct virtio_net_ctrl_mq mq;
		virtio_net_ctrl_ack ack;
	} *c = (struct command *)v->ctl_page;
	struct virtq_buf bufs[3] = { { &c->hdr, sizeof(c->hdr) },
				     { &c->mq, sizeof(c->mq) },
				     { &c->ack, sizeof(c->ack) } };
	uint64_t end = time_mono_ns() + CTL_WAIT_NS;

	c->hdr = (struct virtio_net_ctrl_hdr){ VIRTIO_NET_CTRL_MQ,
					       VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET };
	c->mq.virtqueue_pairs = (uint16_t)n;
	c->ack = VIRTIO_NET_ERR;
	TRY(virtq_add(&v->ctl, bufs, 2, 1, c));
	virtq_kick(&v->ctl);
	while (virtq_take(&v->ctl, NULL) == NULL) {
		if (v->ctl.broken || time_mono_ns() > end)
			return E_NODEV;
		cpu_relax();
	}
	return *(volatile uint8_t *)&c->ack == VIRTIO_NET_OK ? OK : E_NODEV;
}

/* What is wanted of what is offered, without features whose conditions are not met. */
static uint64_t choose_features(uint64_t offered, unsigned pairs)
{
	uint64_t f = F(CSUM) | F(GUEST_CSUM) | F(MAC) | F(STATUS) | F(MTU) | F(MRG_RXBUF) |
		     F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN) | F(HOST_TSO4) | F(HOST_TSO6) |
		     F(HOST_ECN) | 1ull << VIRTIO_RING_F_EVENT_IDX;

	if (pairs > 1)
		f |= F(CTRL_VQ) | F(MQ);
	f &= offered;
	if ((f & F(CSUM)) == 0)
		f &= ~(F(HOST_TSO4) | F(HOST_TSO6));
	/* A joined frame must not need a buffer of its own length. */
	if ((f & F(GUEST_CSUM)) == 0 || (f & F(MRG_RXBUF)) == 0)
		f &= ~(F(GUEST_TSO4) | F(GUEST_TSO6));
	if ((f & (F(HOST_TSO4) | F(HOST_TSO6))) == 0)
		f &= ~F(HOST_ECN);
	if ((f & (F(GUEST_TSO4) | F(GUEST_TSO6))) == 0)
		f &= ~F(GUEST_ECN);
	return f;
}

static uint32_t offloads(const struct vnet *v)
{
	return (has(v, F(CSUM)) ? NET_TX_CSUM : 0) | (has(v, F(HOST_TSO4)) ? NET_TX_TSO4 : 0) |
	       (has(v, F(HOST_TSO6)) ? NET_TX_TSO6 : 0) |
	       (has(v, F(GUEST_CSUM)) ? NET_RX_CSUM : 0) |
	       (has(v, F(GUEST_TSO4) | F(GUEST_TSO6)) ? NET_RX_LARGE : 0) |
	       (has(v, F(MRG_RXBUF)) ? NET_RX_MERGE : 0);
}

static err_t bring_up(struct vnet *v, unsigned n)
{
	uint64_t wanted = choose_features(virtio_offered(v->vd), n);

	TRY(virtio_begin(v->vd, wanted, &v->features));
	v->dev.features = offloads(v);
	for (unsigned q = 0; q < n; q++)
		TRY(pair_create(v, q));
	if (n > 1)
		TRY(control_create(v));
	TRY(virtio_interrupt_setup(v->vd));
	virtio_ready(v->vd);
	return n > 1 ? set_pairs(v, n) : OK;
}

static err_t vnet_start(struct net_dev *d, unsigned n)
{
	struct vnet *v = vnet_of(d);
	err_t err;

	if (n == 0 || n > d->queues_max || d->queues != 0)
		return E_INVAL;
	d->broken = false;
	err = bring_up(v, n);
	if (err != OK) {
		virtio_fail(v->vd);
		destroy_queues(v);
		return err;
	}
	d->queues = n;
	d->rx_size = v->pair[0].rx.size;
	d->tx_size = v->pair[0].tx.size;
	d->link_up = link_is_up(v);
	return OK;
}

static void vnet_stop(struct net_dev *d, void (*drop)(struct net_dev *d, bool rx, void *token))
{
	struct vnet *v = vnet_of(d);
	void *token;

	virtio_fail(v->vd); /* from here on it touches nothing */
	for (unsigned q = 0; q < d->queues; q++) {
		while ((token = virtq_abandon(&v->pair[q].rx)) != NULL)
			drop(d, true, token);
		while ((token = virtq_abandon(&v->pair[q].tx)) != NULL)
			drop(d, false, token);
	}
	destroy_queues(v);
	d->link_up = false;
}

static const struct net_ops vnet_ops = {
	.start = vnet_start,
	.stop = vnet_stop,
	.rx_room = vnet_rx_room,
	.rx_add = vnet_rx_add,
	.rx_take = vnet_rx_take,
	.tx = vnet_tx,
	.tx_done = vnet_tx_done,
	.flush = vnet_flush,
	.interrupts = vnet_interrupts,
};

/* ---- what it is ---- */

static uint16_t config16(struct virtio_dev *d, unsigned off)
{
	return (uint16_t)(virtio_config(d, off & ~3u) >> (off % 4 * 8));
}

static void read_identity(struct vnet *v, uint64_t offered)
{
	if (offered & F(MAC))
		for (unsigned i = 0; i < ETH_ALEN; i += 2) {
			uint16_t two = config16(v->vd, i);

			v->dev.mac[i] = (uint8_t)two;
			v->dev.mac[i + 1] = (uint8_t)(two >> 8);
		}
	v->dev.mtu = MTU_DEFAULT;
	if (offered & F(MTU)) {
		uint16_t mtu = config16(v->vd, offsetof(struct virtio_net_config, mtu));

		if (mtu >= MTU_MIN)
			v->dev.mtu = mtu;
	}
	v->pairs_there = 1;
	if ((offered & F(MQ)) && (offered & F(CTRL_VQ))) {
		uint16_t n = config16(v->vd,
				      offsetof(struct virtio_net_config, max_virtqueue_pairs));

		if (n >= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN && n <= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX)
			v->pairs_there = n;
	}
	v->dev.queues_max = v->pairs_there < NET_QUEUES_MAX ? v->pairs_there : NET_QUEUES_MAX;
}

struct net_dev *vnet_create(struct virtio_dev *d)
{
	struct vnet *v = kmem_zalloc(sizeof(*v));

	if (v == NULL)
		return NULL;
	v->vd = d;
	v->dev.ops = &vnet_ops;
	v->dev.driver = "virtio-net";
	d->driver = v;
	d->on_interrupt = on_interrupt;
	read_identity(v, virtio_offered(d));
	return &v->dev;
}

void vnet_destroy(struct net_dev *dev)
{
	struct vnet *v = vnet_of(dev);

	BUG_ON(dev->queues != 0);
	v->vd->on_interrupt = NULL;
	v->vd->driver = NULL;
	kmem_free(v);
}
