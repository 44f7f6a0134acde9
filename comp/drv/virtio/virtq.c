/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/nk.h"
#include "base/str.h"
#include "comp/drv/virtio/virtq.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"

#include <linux/virtio_mmio.h>

/* Offsets of the three parts in the queue's memory, and their whole size. */
struct layout {
	uint32_t avail, used, bytes;
};

static struct layout layout_of(unsigned size)
{
	struct layout l;

	l.avail = size * (uint32_t)sizeof(struct vring_desc);
	l.used = ALIGN_UP(l.avail + (3u + size) * 2u, 4u);
	l.bytes = l.used + 6u + size * (uint32_t)sizeof(struct vring_used_elem);
	return l;
}

static unsigned order_of(uint32_t bytes)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static void write64(struct virtio_dev *d, unsigned low, uint64_t value)
{
	d->write(d, low, (uint32_t)value);
	d->write(d, low + 4, (uint32_t)(value >> 32));
}

/*
 * What was written is visible to the device before what comes next is read; the device does its two
 * the other way round, so that one of both sees the other. QEMU's emulator leaves fences out for
 * machines with one processor, although its devices run in another thread (before version 8.0). It
 * reads the TSC under a lock, which is a fence of the host. Without one a machine may wait for ever
 * for an interrupt that the device believes unwanted, or the device for a doorbell.
 */
static void device_fence(void)
{
	__asm__ volatile("mfence\n\trdtsc" ::: "eax", "edx", "memory");
}

/* With VIRTIO_RING_F_EVENT_IDX each side says at which index it wants to hear of the other; the two
 * fields lie behind the rings. */
static uint16_t *used_event(struct virtq *q)
{
	return &q->avail->ring[q->size];
}

static const uint16_t *avail_event(const struct virtq *q)
{
	return (const uint16_t *)&q->used->ring[q->size];
}

static unsigned power_of_two_below(unsigned n)
{
	unsigned p = 1;

	while (p * 2 <= n)
		p *= 2;
	return p;
}

err_t virtq_create(struct virtq *q, struct virtio_dev *d, unsigned index, unsigned max)
{
	struct layout l;
	uint32_t device_max;
	uint8_t *mem;

	memset(q, 0, sizeof(*q));
	d->write(d, VIRTIO_MMIO_QUEUE_SEL, index);
	device_max = d->read(d, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (device_max == 0 || d->read(d, VIRTIO_MMIO_QUEUE_READY) != 0)
		return E_NODEV;
	q->dev = d;
	q->event_idx = d->event_idx;
	q->index = (uint16_t)index;
	q->size = (uint16_t)power_of_two_below(device_max < max ? device_max : max);
	l = layout_of(q->size);
	q->slot = kmem_zalloc(q->size * sizeof(*q->slot));
	if (q->slot == NULL)
		return E_NOMEM;
	q->memory = frame_alloc_order(order_of(l.bytes), FRAME_ZERO);
	if (paddr_is_none(q->memory)) {
		kmem_free(q->slot);
		q->slot = NULL;
		return E_NOMEM;
	}
	mem = dm_ptr(q->memory);
	q->desc = (struct vring_desc *)mem;
	q->avail = (struct vring_avail *)(mem + l.avail);
	q->used = (struct vring_used *)(mem + l.used);
	q->nfree = q->size;
	for (unsigned i = 0; i < q->size; i++)
		q->slot[i].next = (uint16_t)(i + 1);
	d->write(d, VIRTIO_MMIO_QUEUE_NUM, q->size);
	write64(d, VIRTIO_MMIO_QUEUE_DESC_LOW, q->memory.v);
	write64(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->memory.v + l.avail);
	write64(d, VIRTIO_MMIO_QUEUE_USED_LOW, q->memory.v + l.used);
	d->write(d, VIRTIO_MMIO_QUEUE_READY, 1);
	return OK;
}

void virtq_destroy(struct virtq *q)
{
	if (q->slot == NULL)
		return;
	kmem_free(q->slot);
	frame_put(q->memory);
	memset(q, 0, sizeof(*q));
}

/* Where the device finds it: in the direct map, or in the window of the root image. */
static uint64_t bus_address(const void *p)
{
	uint64_t in_image = (uint64_t)p - (uint64_t)boot_info.image_va;

	return in_image < boot_info.image_len ? boot_info.image.v + in_image : dm_paddr(p).v;
}

err_t virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
		void *token)
{
	unsigned n = out + in;
	uint16_t head = q->free, at = head;
	uint32_t writable = 0;

	if (q->broken)
		return E_IO;
	if (n == 0 || n > VIRTQ_MAX_CHAIN || n > q->nfree)
		return E_NOSPC;
	for (unsigned i = 0; i < n; i++) {
		struct vring_desc *desc = &q->desc[at];

		desc->addr = bus_address(bufs[i].data);
		desc->len = bufs[i].len;
		desc->flags = (i >= out ? VRING_DESC_F_WRITE : 0) |
			      (i + 1 < n ? VRING_DESC_F_NEXT : 0);
		desc->next = q->slot[at].next;
		if (i >= out)
			writable += bufs[i].len;
		if (i + 1 < n)
			at = q->slot[at].next;
	}
	q->free = q->slot[at].next;
	q->nfree = (uint16_t)(q->nfree - n);
	q->slot[head].token = token;
	q->slot[head].writable = writable;
	q->slot[head].count = (uint16_t)n;
	q->avail->ring[q->avail_idx & (q->size - 1)] = head;
	q->avail_idx++;
	return OK;
}

static bool device_wants_kick(const struct virtq *q, uint16_t before)
{
	if (q->event_idx)
		return vring_need_event(__atomic_load_n(avail_event(q), __ATOMIC_RELAXED),
					q->avail_idx, before);
	return (__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY) == 0;
}

bool virtq_kick(struct virtq *q)
{
	if (q->avail_idx == q->notified_idx || q->broken)
		return false;
	q->kicked_idx = q->avail_idx;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	device_fence();
	if (!device_wants_kick(q, q->notified_idx)) {
		/* The device is behind by the queue's size at most; the distance must not wrap. */
		if ((uint16_t)(q->avail_idx - q->notified_idx) > q->size)
			q->notified_idx = (uint16_t)(q->avail_idx - q->size);
		return false;
	}
	q->notified_idx = q->avail_idx;
	q->dev->write(q->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
	return true;
}

bool virtq_has_used(const struct virtq *q)
{
	return q->slot != NULL && !q->broken &&
	       __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->used_idx;
}

void virtq_break(struct virtq *q, const char *why)
{
	if (!q->broken)
		log_error("virtio: device %u, queue %u: %s; the queue is not used any more",
			  q->dev->id, q->index, why);
	q->broken = true;
}

static void *broken(struct virtq *q, const char *why)
{
	virtq_break(q, why);
	return NULL;
}

void *virtq_take(struct virtq *q, uint32_t *written)
{
	struct vring_used_elem elem;
	struct virtq_slot *s;
	uint16_t ahead, last;
	void *token;

	if (!virtq_has_used(q))
		return NULL;
	ahead = (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->used_idx);
	if (ahead > (uint16_t)(q->kicked_idx - q->used_idx))
		return broken(q, "more buffers come back than were sent");
	elem = *(volatile struct vring_used_elem *)&q->used->ring[q->used_idx & (q->size - 1)];
	if (elem.id >= q->size)
		return broken(q, "a buffer number beyond the end");
	s = &q->slot[elem.id];
	token = s->token;
	if (token == NULL)
		return broken(q, "a buffer comes back that was not sent");
	if (written != NULL)
		*written = elem.len < s->writable ? elem.len : s->writable;
	q->used_idx++;
	s->token = NULL;
	last = (uint16_t)elem.id;
	for (unsigned i = 1; i < s->count; i++)
		last = q->slot[last].next;
	q->slot[last].next = q->free;
	q->free = (uint16_t)elem.id;
	q->nfree = (uint16_t)(q->nfree + s->count);
	q->taken = (uint16_t)elem.id;
	return token;
}

unsigned virtq_used_count(const struct virtq *q)
{
	if (q->slot == NULL || q->broken)
		return 0;
	return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->used_idx);
}

void virtq_put_back(struct virtq *q, uint16_t head, void *token)
{
	q->slot[head].token = token;
}

void *virtq_abandon(struct virtq *q)
{
	for (unsigned i = 0; q->slot != NULL && i < q->size; i++) {
		void *token = q->slot[i].token;

		q->slot[i].token = NULL;
		if (token != NULL)
			return token;
	}
	return NULL;
}

static void interrupts_at(struct virtq *q, uint16_t index)
{
	__atomic_store_n(used_event(q), index, __ATOMIC_RELAXED);
}

void virtq_want_interrupts(struct virtq *q, bool on)
{
	if (q->slot == NULL)
		return;
	/* Off: at an index that lies behind; it comes round after 65,535 chains, when one interrupt
	 * too many does no harm. */
	if (q->event_idx)
		interrupts_at(q, on ? q->used_idx : (uint16_t)(q->used_idx - 1));
	else
		__atomic_store_n(&q->avail->flags, on ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
	device_fence();
}

void virtq_want_interrupt_after(struct virtq *q, unsigned n)
{
	if (q->event_idx && n > 0) {
		interrupts_at(q, (uint16_t)(q->used_idx + n - 1));
		device_fence();
		return;
	}
	virtq_want_interrupts(q, true);
}
