/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on the host, for drivers' tests (cmocka): registers and queues as the
 * specification has them, without its purpose, which the test adds. With it come the pieces of the
 * kernel that drivers stand on: frames and objects are counted.
 */
#pragma once

#include <linux/virtio_ring.h>

#include "comp/drv/virtio/virtio.h"

#define MODEL_QUEUES 18u

struct model_queue {
	uint32_t num;
	uint64_t desc, avail, used;
	bool ready;
	uint16_t avail_seen, used_idx;
	uint16_t signalled; /* used_idx when the driver was last asked whether it wants to know */
};

struct model {
	uint32_t sel, features_sel, drv_features_sel, status, isr;
	uint64_t features, driver_features;
	unsigned queues, queue_max; /* queues that there are, entries of one */
	struct model_queue q[MODEL_QUEUES];
	bool refuse_features;
	unsigned notifies;
	uint8_t config[64];
	/* The driver rang for a queue. */
	void (*notify)(unsigned queue);
};
extern struct model model;

/* A fresh device of this kind (VIRTIO_ID_...), with VIRTIO_F_VERSION_1, and all counters at 0. */
void model_init(struct virtio_dev *d, uint32_t id, uint64_t features, unsigned queues,
		unsigned queue_max, void (*notify)(unsigned queue));

struct vring_avail *model_avail(const struct model_queue *q);
struct vring_used *model_used(const struct model_queue *q);
struct vring_desc *model_desc(const struct model_queue *q, unsigned i);
/* The next chain that the driver offered. */
bool model_next(struct model_queue *q, uint16_t *head);
/* A chain goes back; with `now` the driver sees it, and is interrupted if it wants that. */
void model_give_back(struct model_queue *q, uint32_t id, uint32_t len, bool now);
/* Lies: an entry of the used ring that was never earned, and the index `ahead` further. */
void model_lie(unsigned queue, uint32_t id, uint32_t len, unsigned ahead);

/* What the driver stands on. */
extern long model_frames, model_objects; /* allocated and not freed */
extern unsigned model_complaints;        /* lines in the log */
extern unsigned model_fail_alloc;        /* n > 0: the n-th allocation from now fails */
