/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue. The driver adds buffers (chains of up to VIRTQ_MAX_CHAIN pieces) with a token
 * and gets the token back when the device is done with them. Chains and lengths are remembered in
 * private memory, not in the table that the device sees.
 */
#pragma once

#include <linux/virtio_ring.h>

#include "abi/err.h"
#include "comp/drv/virtio/virtio.h"

#define VIRTQ_MAX_CHAIN 64u

struct virtq_buf { /* physically contiguous, in the direct map or (to read) in the image window */
	const void *data;
	uint32_t len;
};

struct virtq_slot {
	void *token;       /* NULL: not the head of a chain in flight */
	uint32_t writable; /* bytes the device may write */
	uint16_t next;     /* in the chain or in the free list */
	uint16_t count;    /* descriptors of the chain */
};

struct virtq {
	struct virtio_dev *dev;
	uint16_t index, size;
	uint16_t free, nfree;  /* free: also the head of the next chain */
	uint16_t avail_idx;    /* what the device sees after the next virtq_kick */
	uint16_t kicked_idx;   /* what it saw at the last */
	uint16_t notified_idx; /* the same, when it was notified last */
	uint16_t used_idx;     /* next entry of the used ring to look at */
	uint16_t taken;        /* head of the chain that virtq_take gave last */
	bool broken, event_idx;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct virtq_slot *slot;
	paddr_t memory;
};

/* Make queue `index` of the device with at most `max` entries (fewer if the device has fewer).
 * Before virtio_ready. E_NODEV when the device has no such queue, E_NOMEM. */
err_t virtq_create(struct virtq *q, struct virtio_dev *d, unsigned index, unsigned max) MUST_CHECK;
/* Free its memory: only after the device was reset. Harmless for a zeroed queue. */
void virtq_destroy(struct virtq *q);
/* Offer a chain: first `out` pieces for the device to read, then `in` for it to write. The device
 * learns of it by virtq_kick. token is not NULL. E_NOSPC when there are too few free descriptors,
 * E_IO when the queue is broken. */
err_t virtq_add(struct virtq *q, const struct virtq_buf *bufs, unsigned out, unsigned in,
		void *token) MUST_CHECK;
/* The device sees what was added since the last call, and is told if it wants to know (true). */
bool virtq_kick(struct virtq *q);
/* The next finished chain: its token, and how many bytes the device wrote (at most what it was
 * offered). NULL: none. */
void *virtq_take(struct virtq *q, uint32_t *written);
/* Is there something to take? */
bool virtq_has_used(const struct virtq *q);
/* How many there are, as the device says: not to be believed. */
unsigned virtq_used_count(const struct virtq *q);
/* Ask for interrupts on finished chains, or not. A hint to the device; after switching on look with
 * virtq_has_used. With VIRTIO_RING_F_EVENT_IDX, on is for the next finished chain only. */
void virtq_want_interrupts(struct virtq *q, bool on);
/* As on, but if possible not before n more chains are finished. */
void virtq_want_interrupt_after(struct virtq *q, unsigned n);
/* The device broke a rule that only the driver knows: as if virtq_take had found it. Says so once.
 */
void virtq_break(struct virtq *q, const char *why);
/* A token that virtq_take gave counts as still out; `head` is q->taken of that time. Of a broken
 * queue only. */
void virtq_put_back(struct virtq *q, uint16_t head, void *token);
/*
 * After a reset of the device: the token of a chain that is still out, which is forgotten with
 * that.
 * NULL: none is left. */
void *virtq_abandon(struct virtq *q);
/* Chains in flight. */
static inline unsigned virtq_in_flight(const struct virtq *q)
{
	return (uint16_t)(q->avail_idx - q->used_idx);
}
