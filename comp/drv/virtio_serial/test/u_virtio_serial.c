/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver against a model of the device: one that keeps the rules, and ones that break them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "abi/nk.h"
#include "base/str.h"
#include "comp/drv/virtio_serial/virtio_serial.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t size);
void free(void *p);

/* ---- what the driver stands on ---- */

static long frames, objects;
static unsigned complaints;
const struct boot_info boot_info;

paddr_t frame_alloc_order(unsigned order, unsigned flags)
{
	void *p = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

	memset(p, flags & FRAME_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
	frames++;
	return dm_paddr(p);
}

paddr_t frame_alloc(unsigned flags)
{
	return frame_alloc_order(0, flags);
}

void frame_put(paddr_t pa)
{
	frames--;
	free(dm_ptr(pa));
}

void *kmem_zalloc(size_t size)
{
	objects++;
	return calloc(1, size);
}

void kmem_free(void *p)
{
	if (p != NULL)
		objects--;
	free(p);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	complaints++;
}

err_t irq_alloc(void (*handler)(void *arg), void *arg, uint8_t *vector)
{
	(void)handler;
	(void)arg;
	*vector = VEC_DEVICE0;
	return OK;
}

err_t irq_route_gsi(unsigned gsi, uint8_t vector, bool level, bool active_low)
{
	(void)gsi;
	(void)vector;
	(void)level;
	(void)active_low;
	return OK;
}

volatile void *x86_map_device(uint64_t pa, size_t len)
{
	(void)pa;
	(void)len;
	return NULL;
}

/* ---- the model ---- */

#define QUEUES  12u
#define OUT_MAX 1000000u

struct queue {
	uint32_t num;
	uint64_t desc, avail, used;
	bool ready;
	uint16_t avail_seen, used_idx;
};

static struct {
	uint32_t sel, features_sel, drv_features_sel, status, isr;
	uint64_t features, driver_features;
	uint32_t max_ports;
	struct queue q[QUEUES];
	bool hold_output; /* the host does not read */
	bool refuse_features;
	uint8_t out[5][OUT_MAX];
	size_t out_len[5];
	bool ready, port_ready[5], port_open[5];
	unsigned notifies;
} m;

static struct vring_avail *avail_of(struct queue *q)
{
	return dm_ptr(PADDR(q->avail));
}

static struct vring_used *used_of(struct queue *q)
{
	return dm_ptr(PADDR(q->used));
}

static void give_back(struct queue *q, uint32_t id, uint32_t len)
{
	struct vring_used *u = used_of(q);

	u->ring[q->used_idx % q->num] = (struct vring_used_elem){ id, len };
	u->idx = ++q->used_idx;
	if ((avail_of(q)->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0)
		m.isr |= VIRTIO_MMIO_INT_VRING;
}

static bool next_chain(struct queue *q, uint16_t *head)
{
	if (q->avail_seen == avail_of(q)->idx)
		return false;
	*head = avail_of(q)->ring[q->avail_seen++ % q->num];
	return true;
}

static struct vring_desc *desc_of(struct queue *q, unsigned i)
{
	return (struct vring_desc *)dm_ptr(PADDR(q->desc)) + i;
}

/* The host sends: into as many buffers of the guest as it takes; answers what found room. */
static size_t to_guest(unsigned queue, const void *data, size_t len)
{
	struct queue *q = &m.q[queue];
	uint16_t head;
	size_t done = 0;

	while (done < len && next_chain(q, &head)) {
		struct vring_desc *d = desc_of(q, head);
		size_t n = len - done < d->len ? len - done : d->len;

		assert_true(d->flags & VRING_DESC_F_WRITE);
		memcpy(dm_ptr(PADDR(d->addr)), (const uint8_t *)data + done, n);
		give_back(q, head, (uint32_t)n);
		done += n;
	}
	return done;
}

static void control_to_guest(uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control c = { id, event, value };

	assert_int_equal(to_guest(2, &c, sizeof(c)), sizeof(c));
}

static void control_from_guest(const struct virtio_console_control *c)
{
	if (c->event == VIRTIO_CONSOLE_DEVICE_READY) {
		m.ready = c->value == 1;
		for (unsigned i = 1; i < 5; i++)
			control_to_guest(i, VIRTIO_CONSOLE_PORT_ADD, 1);
		return;
	}
	assert_in_range(c->id, 1, 4);
	if (c->event == VIRTIO_CONSOLE_PORT_READY) {
		m.port_ready[c->id] = c->value == 1;
		control_to_guest(c->id, VIRTIO_CONSOLE_PORT_OPEN, 1);
	} else if (c->event == VIRTIO_CONSOLE_PORT_OPEN) {
		m.port_open[c->id] = c->value == 1;
	}
}

static void from_guest(unsigned queue)
{
	struct queue *q = &m.q[queue];
	unsigned port = queue / 2 - 1;
	uint16_t head;

	while (next_chain(q, &head)) {
		struct vring_desc *d = desc_of(q, head);
		void *data = dm_ptr(PADDR(d->addr));

		assert_int_equal(d->flags, 0);
		if (queue == 3) {
			control_from_guest(data);
		} else {
			assert_true(m.out_len[port] + d->len <= OUT_MAX);
			memcpy(m.out[port] + m.out_len[port], data, d->len);
			m.out_len[port] += d->len;
		}
		give_back(q, head, 0);
	}
}

static void notify(unsigned queue)
{
	m.notifies++;
	assert_true(m.status & VIRTIO_CONFIG_S_DRIVER_OK);
	if (queue == 3 || (queue >= 4 && queue % 2 == 1 && !m.hold_output))
		from_guest(queue);
}

static uint32_t reg_read(struct virtio_dev *d, unsigned off)
{
	(void)d;
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES: return (uint32_t)(m.features >> (m.features_sel * 32));
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return m.sel < QUEUES ? 128 : 0;
	case VIRTIO_MMIO_QUEUE_READY: return m.sel < QUEUES && m.q[m.sel].ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return m.isr;
	case VIRTIO_MMIO_STATUS: return m.status;
	case VIRTIO_MMIO_CONFIG + 4: return m.max_ports;
	default: fail_msg("read of register %#x", off); return 0;
	}
}

static void set_half(uint64_t *v, bool high, uint32_t value)
{
	*v = high ? (*v & 0xffffffff) | (uint64_t)value << 32 : (*v & ~0xffffffffull) | value;
}

static void reset_device(void)
{
	memset(m.q, 0, sizeof(m.q));
	m.status = m.isr = 0;
}

static void write_status(uint32_t value)
{
	if (value == 0)
		reset_device();
	m.status = value;
	if (m.refuse_features)
		m.status &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
}

static void reg_write(struct virtio_dev *d, unsigned off, uint32_t value)
{
	struct queue *q = &m.q[m.sel < QUEUES ? m.sel : 0];

	(void)d;
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: m.features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: m.drv_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_half(&m.driver_features, m.drv_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL: m.sel = value; break;
	case VIRTIO_MMIO_QUEUE_NUM: q->num = value; break;
	case VIRTIO_MMIO_QUEUE_READY: q->ready = value; break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: notify(value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK: m.isr &= ~value; break;
	case VIRTIO_MMIO_STATUS: write_status(value); break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: set_half(&q->desc, off & 4, value); break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH: set_half(&q->avail, off & 4, value); break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH: set_half(&q->used, off & 4, value); break;
	default: fail_msg("write of register %#x", off);
	}
}

static struct virtio_dev dev;
static unsigned inputs, rooms;

static void on_input(struct serial_port *p)
{
	(void)p;
	inputs++;
}

static void on_room(struct serial_port *p)
{
	(void)p;
	rooms++;
}

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_CONSOLE_F_MULTIPORT | 1;
	m.max_ports = 31;
	dev = (struct virtio_dev){ .read = reg_read, .write = reg_write, .id = VIRTIO_ID_CONSOLE };
	complaints = inputs = rooms = 0;
	return 0;
}

/* Each test brings its own device up; the driver's memory of the last one goes by a device that
 * fails. */
static int teardown(void **state)
{
	(void)state;
	m.features = 0;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	assert_null(vserial_port(1));
	assert_int_equal(frames, 0);
	assert_int_equal(objects, 0);
	return 0;
}

static void bring_up(void)
{
	assert_int_equal(vserial_init(&dev), OK);
	for (unsigned i = 1; i < 5; i++) {
		vserial_port(i)->on_input = on_input;
		vserial_port(i)->on_room = on_room;
	}
}

static bool send(unsigned nr, const void *data, size_t len)
{
	struct serial_port *p = vserial_port(nr);
	size_t done = 0;

	while (done < len) {
		size_t room;
		void *to = p->ops->tx_space(p, &room);

		if (to == NULL)
			return false;
		room = room < len - done ? room : len - done;
		memcpy(to, (const uint8_t *)data + done, room);
		p->ops->tx_commit(p, room);
		done += room;
	}
	p->ops->tx_flush(p);
	return true;
}

static size_t recv(unsigned nr, void *buf, size_t max)
{
	struct serial_port *p = vserial_port(nr);
	size_t done = 0, len;
	const void *data;

	while (done < max && (data = p->ops->rx_data(p, &len)) != NULL) {
		len = len < max - done ? len : max - done;
		memcpy((uint8_t *)buf + done, data, len);
		p->ops->rx_take(p, len);
		done += len;
	}
	p->ops->rx_done(p);
	return done;
}

/* ---- tests ---- */

static void test_handshake(void **state)
{
	(void)state;
	bring_up();
	assert_true(m.ready);
	assert_int_equal(m.driver_features,
			 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_CONSOLE_F_MULTIPORT);
	assert_false(vserial_port(1)->present);
	assert_true(m.isr != 0);
	vserial_poll();
	for (unsigned i = 1; i < 5; i++) {
		assert_true(vserial_port(i)->present);
		assert_true(m.port_ready[i]);
		assert_true(m.port_open[i]);
	}
	assert_int_equal(m.isr & VIRTIO_MMIO_INT_VRING, m.isr);
	assert_null(vserial_port(5));
}

static void test_devices_that_do_not_fit(void **state)
{
	(void)state;
	m.features = 1ull << VIRTIO_F_VERSION_1;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	m.features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	m.features |= 1ull << VIRTIO_F_VERSION_1;
	m.refuse_features = true;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	assert_int_equal(m.status, VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(frames, 0);
}

static void test_output(void **state)
{
	static uint8_t data[200000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31);
	bring_up();
	/* Before the handshake has ended. */
	assert_true(send(2, "hello\n", 6));
	assert_memory_equal(m.out[2], "hello\n", 6);
	assert_true(send(2, data, sizeof(data)));
	assert_true(send(3, "err", 3));
	assert_int_equal(m.out_len[2], 6 + sizeof(data));
	assert_memory_equal(m.out[2] + 6, data, sizeof(data));
	assert_memory_equal(m.out[3], "err", 3);
	assert_int_equal(vserial_port(2)->ops->tx_pending(vserial_port(2)), 0);
}

static void test_one_notification_a_write(void **state)
{
	static uint8_t data[100000];
	unsigned before;

	(void)state;
	bring_up();
	before = m.notifies;
	assert_true(send(2, data, sizeof(data)));
	assert_int_equal(m.notifies, before + 1);
	assert_int_equal(m.isr & ~VIRTIO_MMIO_INT_VRING, 0);
}

static void test_host_that_does_not_read(void **state)
{
	static uint8_t data[OUT_MAX];

	(void)state;
	bring_up();
	vserial_poll();
	m.hold_output = true;
	assert_false(send(2, data, sizeof(data)));
	assert_int_equal(rooms, 0);
	m.hold_output = false;
	from_guest(5 + 2);
	assert_true(m.isr != 0); /* the driver waits: this time it wants to know */
	vserial_poll();
	assert_int_equal(rooms, 1);
	assert_true(send(2, "x", 1));
	m.isr = 0;
	assert_true(send(2, "y", 1));
	assert_int_equal(m.isr, 0);
}

static void test_input_and_back_pressure(void **state)
{
	static uint8_t data[40000], back[40000];
	size_t sent, got;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13);
	bring_up();
	vserial_poll();
	inputs = 0;
	sent = to_guest(4, data, sizeof(data));
	assert_int_equal(sent, 4 * 4096); /* all buffers, and no more until they are read */
	vserial_poll();
	assert_true(inputs > 0);
	assert_int_equal(to_guest(4, data, 1), 0);
	got = recv(1, back, 5000);
	while (got < sizeof(data)) {
		sent += to_guest(4, data + sent, sizeof(data) - sent);
		got += recv(1, back + got, 5000);
	}
	assert_int_equal(got, sizeof(data));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(vserial_port(1)->received, sizeof(data));
}

static void test_host_closes(void **state)
{
	char buf[8];

	(void)state;
	bring_up();
	vserial_poll();
	to_guest(4, "last", 4);
	control_to_guest(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	vserial_poll();
	assert_true(vserial_port(1)->closed);
	assert_int_equal(recv(1, buf, 8), 4);
	assert_memory_equal(buf, "last", 4);
}

static void test_strange_control_messages(void **state)
{
	(void)state;
	bring_up();
	vserial_poll();
	control_to_guest(77, VIRTIO_CONSOLE_PORT_OPEN, 1);
	control_to_guest(0xffffffff, VIRTIO_CONSOLE_PORT_REMOVE, 1);
	control_to_guest(2, 9999, 1);
	assert_int_equal(to_guest(2, "abc", 3), 3);
	vserial_poll();
	assert_true(send(2, "ok", 2));
	assert_int_equal(m.out_len[2], 2);
}

/* A device that lies about its used ring: the queue dies, the kernel does not. */
static void lie(unsigned queue, uint32_t id, uint32_t len, unsigned ahead)
{
	struct queue *q = &m.q[queue];
	struct vring_used *u = used_of(q);

	u->ring[q->used_idx % q->num] = (struct vring_used_elem){ id, len };
	q->used_idx = (uint16_t)(q->used_idx + ahead);
	u->idx = q->used_idx;
	m.isr = 1;
}

static void test_lies_about_input(void **state)
{
	const struct {
		uint32_t id, len;
		unsigned ahead;
		bool dies;
	} lies[] = {
		{ 4000000000u, 1, 1, true }, { 100, 1, 1, true },          { 0, 1, 500, true },
		{ 0, 1, 40000, true },       { 0, 4000000000u, 1, false },
	};
	static char buf[100000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		setup(NULL);
		bring_up();
		vserial_poll();
		lie(4, lies[i].id, lies[i].len, lies[i].ahead);
		vserial_poll();
		assert_int_equal(vserial_port(1)->closed, lies[i].dies);
		/* A length beyond the buffer is cut to the buffer. */
		assert_int_equal(recv(1, buf, sizeof(buf)), lies[i].dies ? 0 : 4096);
		assert_int_equal(complaints, lies[i].dies);
		teardown(NULL);
	}
}

static void test_same_buffer_twice(void **state)
{
	static char buf[10000];

	(void)state;
	bring_up();
	vserial_poll();
	assert_int_equal(to_guest(4, "a", 1), 1);
	vserial_poll();
	lie(4, 0, 1, 1); /* buffer 0 is not with the device any more */
	vserial_poll();
	assert_true(vserial_port(1)->closed);
	assert_int_equal(recv(1, buf, sizeof(buf)), 1);
}

static void test_lies_about_output(void **state)
{
	(void)state;
	bring_up();
	vserial_poll();
	m.hold_output = true;
	assert_true(send(2, "x", 1));
	lie(7, 99, 0, 1);
	for (unsigned i = 0; i < 200; i++)
		assert_true(send(2, "never arrives, never blocks", 20));
	assert_int_equal(vserial_port(2)->ops->tx_pending(vserial_port(2)), 0);
	assert_int_equal(complaints, 1);
	assert_true(send(3, "works", 5));
}

static void test_random_lies(void **state)
{
	static char buf[10000];
	uint64_t seed = 99;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		setup(NULL);
		bring_up();
		for (unsigned i = 0; i < 50; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			unsigned queue = 2 + (seed >> 60) % 10;
			uint32_t id = seed >> 40 & 1 ? (uint32_t)(seed >> 20) % 8
						     : (uint32_t)(seed >> 13);

			if (seed >> 41 & 1)
				lie(queue, id, (uint32_t)seed, 1 + (seed >> 50) % 3);
			else if (queue % 2 == 0 && m.q[queue].ready)
				(void)to_guest(queue, &seed, sizeof(seed));
			vserial_poll();
			for (unsigned nr = 1; nr < 5; nr++) {
				(void)send(nr, "some output", 11);
				(void)recv(nr, buf, sizeof(buf));
			}
		}
		teardown(NULL);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_handshake),
		T(test_devices_that_do_not_fit),
		T(test_output),
		T(test_one_notification_a_write),
		T(test_host_that_does_not_read),
		T(test_input_and_back_pressure),
		T(test_host_closes),
		T(test_strange_control_messages),
		T(test_lies_about_input),
		T(test_same_buffer_twice),
		T(test_lies_about_output),
		T(test_random_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
