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

#include "abi/nk.h"
#include "base/str.h"
#include "comp/drv/virtio/test/model.h"
#include "comp/drv/virtio_serial/virtio_serial.h"

/* ---- the model ---- */

#define QUEUES  12u
#define OUT_MAX 1000000u

static struct {
	bool hold_output; /* the host does not read */
	uint8_t out[5][OUT_MAX];
	size_t out_len[5];
	bool ready, port_ready[5], port_open[5];
} m;

/* The host sends: into as many buffers of the guest as it takes; answers what found room. */
static size_t to_guest(unsigned queue, const void *data, size_t len)
{
	struct model_queue *q = &model.q[queue];
	uint16_t head;
	size_t done = 0;

	while (done < len && model_next(q, &head)) {
		struct vring_desc *d = model_desc(q, head);
		size_t n = len - done < d->len ? len - done : d->len;

		assert_true(d->flags & VRING_DESC_F_WRITE);
		memcpy(dm_ptr(PADDR(d->addr)), (const uint8_t *)data + done, n);
		model_give_back(q, head, (uint32_t)n, true);
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
	struct model_queue *q = &model.q[queue];
	unsigned port = queue / 2 - 1;
	uint16_t head;

	while (model_next(q, &head)) {
		struct vring_desc *d = model_desc(q, head);
		void *data = dm_ptr(PADDR(d->addr));

		assert_int_equal(d->flags, 0);
		if (queue == 3) {
			control_from_guest(data);
		} else {
			assert_true(m.out_len[port] + d->len <= OUT_MAX);
			memcpy(m.out[port] + m.out_len[port], data, d->len);
			m.out_len[port] += d->len;
		}
		model_give_back(q, head, 0, true);
	}
}

static void notify(unsigned queue)
{
	if (queue == 3 || (queue >= 4 && queue % 2 == 1 && !m.hold_output))
		from_guest(queue);
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
	model_init(&dev, VIRTIO_ID_CONSOLE, 1ull << VIRTIO_CONSOLE_F_MULTIPORT | 1, QUEUES, 128,
		   notify);
	model.config[offsetof(struct virtio_console_config, max_nr_ports)] = 31;
	inputs = rooms = 0;
	return 0;
}

/* Each test brings its own device up; the driver's memory of the last one goes by a device that
 * fails. */
static int teardown(void **state)
{
	(void)state;
	model.features = 0;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	assert_null(vserial_port(1));
	assert_int_equal(model_frames, 0);
	assert_int_equal(model_objects, 0);
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
	assert_int_equal(model.driver_features,
			 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_CONSOLE_F_MULTIPORT);
	assert_false(vserial_port(1)->present);
	assert_true(model.isr != 0);
	vserial_poll();
	for (unsigned i = 1; i < 5; i++) {
		assert_true(vserial_port(i)->present);
		assert_true(m.port_ready[i]);
		assert_true(m.port_open[i]);
	}
	assert_int_equal(model.isr & VIRTIO_MMIO_INT_VRING, model.isr);
	assert_null(vserial_port(5));
}

static void test_devices_that_do_not_fit(void **state)
{
	(void)state;
	model.features = 1ull << VIRTIO_F_VERSION_1;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	model.features = 1ull << VIRTIO_CONSOLE_F_MULTIPORT;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	model.features |= 1ull << VIRTIO_F_VERSION_1;
	model.refuse_features = true;
	assert_int_equal(vserial_init(&dev), E_NODEV);
	assert_int_equal(model.status, VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(model_frames, 0);
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
	before = model.notifies;
	assert_true(send(2, data, sizeof(data)));
	assert_int_equal(model.notifies, before + 1);
	assert_int_equal(model.isr & ~VIRTIO_MMIO_INT_VRING, 0);
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
	assert_true(model.isr != 0); /* the driver waits: this time it wants to know */
	vserial_poll();
	assert_int_equal(rooms, 1);
	assert_true(send(2, "x", 1));
	model.isr = 0;
	assert_true(send(2, "y", 1));
	assert_int_equal(model.isr, 0);
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
		model_lie(4, lies[i].id, lies[i].len, lies[i].ahead);
		vserial_poll();
		assert_int_equal(vserial_port(1)->closed, lies[i].dies);
		/* A length beyond the buffer is cut to the buffer. */
		assert_int_equal(recv(1, buf, sizeof(buf)), lies[i].dies ? 0 : 4096);
		assert_int_equal(model_complaints, lies[i].dies);
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
	model_lie(4, 0, 1, 1); /* buffer 0 is not with the device any more */
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
	model_lie(7, 99, 0, 1);
	for (unsigned i = 0; i < 200; i++)
		assert_true(send(2, "never arrives, never blocks", 20));
	assert_int_equal(vserial_port(2)->ops->tx_pending(vserial_port(2)), 0);
	assert_int_equal(model_complaints, 1);
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
				model_lie(queue, id, (uint32_t)seed, 1 + (seed >> 50) % 3);
			else if (queue % 2 == 0 && model.q[queue].ready)
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
