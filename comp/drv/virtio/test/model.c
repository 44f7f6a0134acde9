/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "abi/nk.h"
#include "base/str.h"
#include "comp/drv/virtio/internal.h"
#include "comp/drv/virtio/test/model.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t size);
void free(void *p);

struct model model;

/* ---- what drivers stand on ---- */

long model_frames, model_objects;
unsigned model_complaints, model_fail_alloc;
const struct boot_info boot_info;

static bool fails(void)
{
	return model_fail_alloc > 0 && --model_fail_alloc == 0;
}

paddr_t frame_alloc_order(unsigned order, unsigned flags)
{
	void *p = fails() ? NULL : aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

	if (p == NULL)
		return PADDR_NONE;
	memset(p, flags & FRAME_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
	model_frames++;
	return dm_paddr(p);
}

paddr_t frame_alloc(unsigned flags)
{
	return frame_alloc_order(0, flags);
}

void frame_put(paddr_t pa)
{
	model_frames--;
	free(dm_ptr(pa));
}

void *kmem_zalloc(size_t size)
{
	void *p = fails() ? NULL : calloc(1, size);

	model_objects += p != NULL;
	return p;
}

void kmem_free(void *p)
{
	if (p != NULL)
		model_objects--;
	free(p);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	model_complaints++;
}

void panic(const char *fmt, ...)
{
	fail_msg("panic: %s", fmt);
	__builtin_trap();
}

uint64_t time_mono_ns(void)
{
	static uint64_t now;

	return now += 1000;
}

/* The test hands the device to the driver itself. */
void virtio_scan_mmio(void)
{
}

void virtio_scan_pci(void)
{
}

/* ---- queues ---- */

struct vring_avail *model_avail(const struct model_queue *q)
{
	return dm_ptr(PADDR(q->avail));
}

struct vring_used *model_used(const struct model_queue *q)
{
	return dm_ptr(PADDR(q->used));
}

struct vring_desc *model_desc(const struct model_queue *q, unsigned i)
{
	assert_true(i < q->num);
	return (struct vring_desc *)dm_ptr(PADDR(q->desc)) + i;
}

static bool event_idx(void)
{
	return (model.driver_features >> VIRTIO_RING_F_EVENT_IDX & 1) != 0;
}

bool model_next(struct model_queue *q, uint16_t *head)
{
	if (!q->ready)
		return false;
	/* With event indices: "ring when something comes behind this". */
	if (event_idx())
		*(uint16_t *)&model_used(q)->ring[q->num] = q->avail_seen;
	if (q->avail_seen == model_avail(q)->idx)
		return false;
	*head = model_avail(q)->ring[q->avail_seen++ % q->num];
	assert_true(*head < q->num);
	return true;
}

static bool driver_wants_interrupt(const struct model_queue *q)
{
	if (event_idx())
		return vring_need_event(model_avail(q)->ring[q->num], q->used_idx, q->signalled);
	return (model_avail(q)->flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
}

void model_give_back(struct model_queue *q, uint32_t id, uint32_t len, bool now)
{
	struct vring_used *u = model_used(q);

	u->ring[q->used_idx++ % q->num] = (struct vring_used_elem){ id, len };
	if (!now)
		return;
	u->idx = q->used_idx;
	if (driver_wants_interrupt(q))
		model.isr |= VIRTIO_MMIO_INT_VRING;
	q->signalled = q->used_idx;
}

void model_lie(unsigned queue, uint32_t id, uint32_t len, unsigned ahead)
{
	struct model_queue *q = &model.q[queue];
	struct vring_used *u = model_used(q);

	u->ring[q->used_idx % q->num] = (struct vring_used_elem){ id, len };
	q->used_idx = (uint16_t)(q->used_idx + ahead);
	u->idx = q->used_idx;
	model.isr |= VIRTIO_MMIO_INT_VRING;
}

/* ---- registers ---- */

static uint32_t reg_read(struct virtio_dev *d, unsigned off)
{
	uint32_t v;

	(void)d;
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return (uint32_t)(model.features >> (model.features_sel * 32));
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return model.sel < model.queues ? model.queue_max : 0;
	case VIRTIO_MMIO_QUEUE_READY: return model.sel < model.queues && model.q[model.sel].ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return model.isr;
	case VIRTIO_MMIO_STATUS: return model.status;
	default:
		if (off < VIRTIO_MMIO_CONFIG || off + 4 > VIRTIO_MMIO_CONFIG + sizeof(model.config))
			fail_msg("read of register %#x", off);
		memcpy(&v, model.config + (off - VIRTIO_MMIO_CONFIG), sizeof(v));
		return v;
	}
}

static void set_half(uint64_t *v, bool high, uint32_t value)
{
	*v = high ? (*v & 0xffffffff) | (uint64_t)value << 32 : (*v & ~0xffffffffull) | value;
}

static void write_status(uint32_t value)
{
	if (value == 0) {
		memset(model.q, 0, sizeof(model.q));
		model.isr = 0;
	}
	model.status = value;
	if (model.refuse_features)
		model.status &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
}

static void notify(unsigned queue)
{
	model.notifies++;
	assert_true(queue < model.queues);
	assert_true(model.status & VIRTIO_CONFIG_S_DRIVER_OK);
	model.notify(queue);
}

static void reg_write(struct virtio_dev *d, unsigned off, uint32_t value)
{
	struct model_queue *q = &model.q[model.sel < model.queues ? model.sel : 0];

	(void)d;
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: model.features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: model.drv_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_half(&model.driver_features, model.drv_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL: model.sel = value; break;
	case VIRTIO_MMIO_QUEUE_NUM: q->num = value; break;
	case VIRTIO_MMIO_QUEUE_READY: q->ready = value; break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: notify(value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK: model.isr &= ~value; break;
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

static err_t interrupt_setup(struct virtio_dev *d)
{
	(void)d;
	return OK;
}

void model_init(struct virtio_dev *d, uint32_t id, uint64_t features, unsigned queues,
		unsigned queue_max, void (*notify_fn)(unsigned queue))
{
	memset(&model, 0, sizeof(model));
	model.features = 1ull << VIRTIO_F_VERSION_1 | features;
	model.queues = queues;
	model.queue_max = queue_max;
	model.notify = notify_fn;
	*d = (struct virtio_dev){
		.read = reg_read, .write = reg_write, .interrupt_setup = interrupt_setup, .id = id
	};
	model_complaints = model_fail_alloc = 0;
}
