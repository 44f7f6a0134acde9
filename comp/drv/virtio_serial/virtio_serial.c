/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output: a port has slots of one buffer each. One slot is being filled; with tx_flush, or when it
 * is full, it goes to the device, which gives it back through the used ring. No interrupt is asked
 * for while there are free slots, and the slot given back last is used first, so that a program
 * which prints little touches one buffer only. Input: all buffers lie with the device; a filled one
 * is handed out where it lies and goes back when it is used up. A slow reader thus stops the
 * device, which stops the host.
 */
#include <linux/virtio_console.h>

#include "abi/nk.h"
#include "base/list.h"
#include "base/str.h"
#include "comp/drv/virtio/virtq.h"
#include "comp/drv/virtio_serial/virtio_serial.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"

#define TX_SLOTS  32u
#define TX_ORDER  2u /* of a slot's buffer; single pages when memory is short */
#define RX_BUFS   4u
#define CTL_BUFS  16u
#define CTL_BYTES 128u
#define QUEUE_MAX 128u

/* Queues: receive and transmit of port 0, those of the control channel, then those of ports 1, 2,
 * ... */
#define QUEUE_CTL_RX 2u
#define QUEUE_CTL_TX 3u
#define QUEUE_RX(nr) (2 + 2 * (nr))
#define QUEUE_TX(nr) (3 + 2 * (nr))

struct tx_slot {
	uint8_t *buf; /* NULL: none yet */
	uint32_t cap, len;
	struct tx_slot *next_free;
};

struct rx_buf {
	uint8_t *data;
	uint32_t len, off;
	struct list node; /* filled, in order of arrival */
};

struct vport {
	struct serial_port port;
	unsigned nr;
	struct virtq rx, tx;
	struct tx_slot slot[TX_SLOTS];
	struct tx_slot *free;    /* slots with a buffer first */
	struct tx_slot *filling; /* not with the device, or NULL */
	unsigned slots_made;     /* slot[0..) that have been used before */
	bool room_wanted;
	struct rx_buf buf[RX_BUFS];
	struct list filled;
};

static struct {
	struct virtio_dev *dev;
	unsigned nports; /* ports [1, nports) have queues */
	struct virtq ctl_rx, ctl_tx;
	uint8_t *ctl_rx_page, *ctl_tx_page;
	uint32_t ctl_tx_busy; /* bit map over ctl_tx_page's messages */
	struct vport *port[VSERIAL_PORTS];
} vs;

/* ---- output ---- */

static void tx_reclaim(struct vport *v)
{
	struct tx_slot *s;

	while ((s = virtq_take(&v->tx, NULL)) != NULL) {
		s->next_free = v->free;
		v->free = s;
	}
}

static bool slot_buffer(struct tx_slot *s)
{
	unsigned order = TX_ORDER;
	paddr_t pa = frame_alloc_order(order, 0);

	if (paddr_is_none(pa)) {
		order = 0;
		pa = frame_alloc_order(order, 0);
	}
	if (paddr_is_none(pa))
		return false;
	s->buf = dm_ptr(pa);
	s->cap = (uint32_t)(PAGE_SIZE << order);
	return true;
}

static struct tx_slot *slot_take(struct vport *v)
{
	struct tx_slot *s;

	tx_reclaim(v);
	s = v->free;
	if (s != NULL) {
		v->free = s->next_free;
	} else if (v->slots_made < TX_SLOTS && v->slots_made < v->tx.size &&
		   slot_buffer(&v->slot[v->slots_made])) {
		s = &v->slot[v->slots_made++];
	}
	if (s != NULL)
		s->len = 0;
	return s;
}

static void slot_post(struct vport *v)
{
	struct tx_slot *s = v->filling;
	struct virtq_buf b = { s->buf, s->len };

	v->filling = NULL;
	if (virtq_add(&v->tx, &b, 1, 0, s) != OK) {
		/* Only a broken queue refuses: there are no more slots than descriptors. The output
		 * is lost. */
		s->next_free = v->free;
		v->free = s;
	}
}

static void *vport_tx_space(struct serial_port *p, size_t *len)
{
	struct vport *v = container_of(p, struct vport, port);

	if (v->filling == NULL)
		v->filling = slot_take(v);
	if (v->filling == NULL) {
		virtq_kick(&v->tx);
		virtq_want_interrupts(&v->tx, true);
		v->room_wanted = true;
		v->filling = slot_take(v); /* it may have come back meanwhile */
	}
	if (v->filling == NULL)
		return NULL;
	if (v->room_wanted) {
		v->room_wanted = false;
		virtq_want_interrupts(&v->tx, false);
	}
	*len = v->filling->cap - v->filling->len;
	return v->filling->buf + v->filling->len;
}

static void vport_tx_commit(struct serial_port *p, size_t n)
{
	struct vport *v = container_of(p, struct vport, port);

	v->filling->len += (uint32_t)n;
	if (v->filling->len == v->filling->cap)
		slot_post(v);
}

static void vport_tx_flush(struct serial_port *p)
{
	struct vport *v = container_of(p, struct vport, port);

	if (v->filling != NULL && v->filling->len > 0)
		slot_post(v);
	virtq_kick(&v->tx);
}

static unsigned vport_tx_pending(struct serial_port *p)
{
	struct vport *v = container_of(p, struct vport, port);

	tx_reclaim(v);
	if (v->tx.broken)
		return 0;
	return virtq_in_flight(&v->tx) + (v->filling != NULL && v->filling->len > 0);
}

/* ---- input ---- */

static void rx_post(struct vport *v, struct rx_buf *b)
{
	struct virtq_buf vb = { b->data, (uint32_t)PAGE_SIZE };

	/* Refused only when the queue is broken: then nothing comes any more. */
	if (virtq_add(&v->rx, &vb, 0, 1, b) != OK)
		v->port.closed = true;
}

static void rx_collect(struct vport *v)
{
	struct rx_buf *b;
	uint32_t len;

	while ((b = virtq_take(&v->rx, &len)) != NULL) {
		if (len == 0) {
			rx_post(v, b);
			continue;
		}
		b->len = len;
		b->off = 0;
		v->port.received += len;
		list_push_back(&v->filled, &b->node);
	}
	if (v->rx.broken)
		v->port.closed = true;
}

static const void *vport_rx_data(struct serial_port *p, size_t *len)
{
	struct vport *v = container_of(p, struct vport, port);
	struct rx_buf *b;

	if (list_empty(&v->filled))
		rx_collect(v);
	if (list_empty(&v->filled))
		return NULL;
	b = list_entry(list_first(&v->filled), struct rx_buf, node);
	*len = b->len - b->off;
	return b->data + b->off;
}

static void vport_rx_take(struct serial_port *p, size_t n)
{
	struct vport *v = container_of(p, struct vport, port);
	struct rx_buf *b = list_entry(list_first(&v->filled), struct rx_buf, node);

	b->off += (uint32_t)n;
	if (b->off == b->len) {
		list_remove(&b->node);
		rx_post(v, b);
	}
}

static void vport_rx_done(struct serial_port *p)
{
	virtq_kick(&container_of(p, struct vport, port)->rx);
}

static const struct serial_ops vport_ops = {
	.tx_space = vport_tx_space,
	.tx_commit = vport_tx_commit,
	.tx_flush = vport_tx_flush,
	.tx_pending = vport_tx_pending,
	.rx_data = vport_rx_data,
	.rx_take = vport_rx_take,
	.rx_done = vport_rx_done,
};

/* ---- the control channel ---- */

static struct virtio_console_control *ctl_message(unsigned i)
{
	return (struct virtio_console_control *)vs.ctl_tx_page + i;
}

static void ctl_send(uint32_t nr, uint16_t event, uint16_t value)
{
	struct virtio_console_control *m;
	struct virtq_buf b;

	while ((m = virtq_take(&vs.ctl_tx, NULL)) != NULL)
		vs.ctl_tx_busy &= ~(1u << (m - ctl_message(0)));
	if (vs.ctl_tx_busy == UINT32_MAX) {
		log_warn("virtio-serial: the device does not take control messages");
		return;
	}
	unsigned i = (unsigned)__builtin_ctz(~vs.ctl_tx_busy);

	m = ctl_message(i);
	*m = (struct virtio_console_control){ nr, event, value };
	b = (struct virtq_buf){ m, sizeof(*m) };
	if (virtq_add(&vs.ctl_tx, &b, 1, 0, m) == OK)
		vs.ctl_tx_busy |= 1u << i;
}

static void ctl_event(const struct virtio_console_control *m)
{
	struct vport *v = m->id < VSERIAL_PORTS ? vs.port[m->id] : NULL;

	if (m->event == VIRTIO_CONSOLE_PORT_ADD) {
		ctl_send(m->id, VIRTIO_CONSOLE_PORT_READY, v != NULL);
		if (v != NULL)
			ctl_send(m->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	}
	if (v == NULL)
		return;
	switch (m->event) {
	case VIRTIO_CONSOLE_PORT_ADD: v->port.present = true; return;
	case VIRTIO_CONSOLE_PORT_REMOVE:
		v->port.present = false;
		v->port.closed = true;
		break;
	case VIRTIO_CONSOLE_PORT_OPEN: v->port.closed = m->value == 0; break;
	default: return; /* names, sizes and the like: of no use here */
	}
	rx_collect(v);
	if (v->port.on_input != NULL)
		v->port.on_input(&v->port);
	if (v->port.closed && v->port.on_room != NULL)
		v->port.on_room(&v->port);
}

static void ctl_offer(uint8_t *buf)
{
	struct virtq_buf b = { buf, CTL_BYTES };

	(void)!virtq_add(&vs.ctl_rx, &b, 0, 1, buf); /* a broken queue only */
}

static void ctl_receive(void)
{
	struct virtio_console_control m;
	uint32_t len;
	uint8_t *buf;

	while ((buf = virtq_take(&vs.ctl_rx, &len)) != NULL) {
		if (len >= sizeof(m)) {
			memcpy(&m, buf, sizeof(m));
			ctl_event(&m);
		}
		ctl_offer(buf);
	}
	virtq_kick(&vs.ctl_rx);
	virtq_kick(&vs.ctl_tx);
}

/* ---- interrupts ---- */

static void port_events(struct vport *v)
{
	if (virtq_has_used(&v->rx)) {
		rx_collect(v);
		if (v->port.on_input != NULL)
			v->port.on_input(&v->port);
	}
	if (v->room_wanted && virtq_has_used(&v->tx)) {
		v->room_wanted = false;
		virtq_want_interrupts(&v->tx, false);
		if (v->port.on_room != NULL)
			v->port.on_room(&v->port);
	}
}

static void on_interrupt(struct virtio_dev *d, uint32_t causes)
{
	(void)d;
	(void)causes;
	if (virtq_has_used(&vs.ctl_rx))
		ctl_receive();
	for (unsigned nr = 1; nr < vs.nports; nr++)
		port_events(vs.port[nr]);
}

/* ---- start ---- */

static uint8_t *page(void)
{
	paddr_t pa = frame_alloc(0);

	return paddr_is_none(pa) ? NULL : dm_ptr(pa);
}

static void page_drop(uint8_t *p)
{
	if (p != NULL)
		frame_put(dm_paddr(p));
}

static err_t port_create(unsigned nr)
{
	struct vport *v = kmem_zalloc(sizeof(*v));

	if (v == NULL)
		return E_NOMEM;
	vs.port[nr] = v;
	v->nr = nr;
	v->port.ops = &vport_ops;
	list_init(&v->filled);
	TRY(virtq_create(&v->rx, vs.dev, QUEUE_RX(nr), QUEUE_MAX));
	TRY(virtq_create(&v->tx, vs.dev, QUEUE_TX(nr), QUEUE_MAX));
	virtq_want_interrupts(&v->tx, false);
	for (unsigned i = 0; i < RX_BUFS && i < v->rx.size; i++) {
		v->buf[i].data = page();
		if (v->buf[i].data == NULL)
			return E_NOMEM;
		list_init(&v->buf[i].node);
		rx_post(v, &v->buf[i]);
	}
	return OK;
}

static err_t control_create(void)
{
	vs.ctl_rx_page = page();
	vs.ctl_tx_page = page();
	if (vs.ctl_rx_page == NULL || vs.ctl_tx_page == NULL)
		return E_NOMEM;
	TRY(virtq_create(&vs.ctl_rx, vs.dev, QUEUE_CTL_RX, CTL_BUFS));
	TRY(virtq_create(&vs.ctl_tx, vs.dev, QUEUE_CTL_TX, 32));
	virtq_want_interrupts(&vs.ctl_tx, false);
	for (unsigned i = 0; i < CTL_BUFS && i < vs.ctl_rx.size; i++)
		ctl_offer(vs.ctl_rx_page + i * CTL_BYTES);
	return OK;
}

/* After a reset of the device: all memory back. */
static void destroy(void)
{
	for (unsigned nr = 1; nr < VSERIAL_PORTS; nr++) {
		struct vport *v = vs.port[nr];

		if (v == NULL)
			continue;
		virtq_destroy(&v->rx);
		virtq_destroy(&v->tx);
		for (unsigned i = 0; i < RX_BUFS; i++)
			page_drop(v->buf[i].data);
		for (unsigned i = 0; i < v->slots_made; i++)
			page_drop(v->slot[i].buf);
		kmem_free(v);
	}
	virtq_destroy(&vs.ctl_rx);
	virtq_destroy(&vs.ctl_tx);
	page_drop(vs.ctl_rx_page);
	page_drop(vs.ctl_tx_page);
	memset(&vs, 0, sizeof(vs));
}

static err_t bring_up(struct virtio_dev *d)
{
	uint64_t multiport = 1ull << VIRTIO_CONSOLE_F_MULTIPORT, features;
	uint32_t max;

	TRY(virtio_begin(d, multiport, &features));
	if ((features & multiport) == 0) {
		log_warn("virtio-serial: the device has one port only");
		return E_NODEV;
	}
	max = virtio_config(d, offsetof(struct virtio_console_config, max_nr_ports));
	vs.dev = d;
	vs.nports = max < VSERIAL_PORTS ? max : VSERIAL_PORTS;
	TRY(control_create());
	for (unsigned nr = 1; nr < vs.nports; nr++)
		TRY(port_create(nr));
	d->on_interrupt = on_interrupt;
	return virtio_interrupt_setup(d);
}

err_t vserial_init(struct virtio_dev *d)
{
	err_t err = bring_up(d);

	if (err != OK) {
		virtio_fail(d);
		destroy();
		return err;
	}
	virtio_ready(d);
	for (unsigned nr = 1; nr < vs.nports; nr++)
		virtq_kick(&vs.port[nr]->rx);
	virtq_kick(&vs.ctl_rx);
	ctl_send(VIRTIO_CONSOLE_BAD_ID, VIRTIO_CONSOLE_DEVICE_READY, 1);
	virtq_kick(&vs.ctl_tx);
	return OK;
}

struct serial_port *vserial_port(unsigned nr)
{
	return nr < VSERIAL_PORTS && vs.port[nr] != NULL ? &vs.port[nr]->port : NULL;
}

void vserial_poll(void)
{
	if (vs.dev != NULL)
		virtio_poll(vs.dev);
}
