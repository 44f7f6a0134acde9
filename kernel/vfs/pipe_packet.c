/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets in a pipe: where the writes of O_DIRECT begin and end in the ring of bytes. They lie in
 * order, do not overlap, and all lie between tail and head; bytes between them are a stream's.
 * Linux gives each packet a page of the pipe: there are as many as the pipe has pages.
 */
#include <linux/limits.h>

#include "kernel/mem/kmem.h"
#include "kernel/vfs/pipe.h"

struct pipe_packets {
	uint32_t max, first, count;
	struct packet {
		uint32_t start, end; /* positions, as head and tail */
	} at[];
};

static struct packet *packet(const struct pipe_packets *k, uint32_t i)
{
	return (struct packet *)&k->at[(k->first + i) % k->max];
}

static struct pipe_packets *packets_new(uint32_t max)
{
	struct pipe_packets *k = kmem_zalloc(sizeof(*k) + max * sizeof(k->at[0]));

	if (k != NULL)
		k->max = max;
	return k;
}

static err_t wait_slot(struct pipe *p, uint32_t bytes, bool nonblock)
{
	for (;;) {
		TRY(pipe_wait_room(p, bytes, nonblock));
		if (p->packets->count < p->packets->max)
			return OK;
		if (nonblock)
			return E_AGAIN;
		if (wait_on(&p->wq, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return E_RESTARTSYS;
	}
}

err_t pipe_packet_write(struct pipe *p, struct uio *from, bool nonblock, size_t *done)
{
	if (p->packets == NULL)
		p->packets = packets_new(p->size >> PAGE_SHIFT);
	if (p->packets == NULL)
		return E_NOMEM;
	while (from->left > 0) {
		uint32_t n = from->left < PIPE_BUF ? (uint32_t)from->left : PIPE_BUF, start;
		err_t err;

		TRY(wait_slot(p, n, nonblock));
		start = p->head;
		err = pipe_fill(p, from, n, done);
		if (p->head != start)
			*packet(p->packets, p->packets->count++) = (struct packet){ start,
										    p->head };
		wake_waiters(&p->rq);
		TRY(err);
	}
	return OK;
}

uint32_t pipe_packet_limit(const struct pipe *p, uint32_t n, uint32_t *drop)
{
	const struct packet *first = packet(p->packets, 0);

	*drop = 0;
	if (p->packets->count == 0 || first->start - p->tail >= n)
		return n; /* all before the first packet */
	if (first->end - p->tail <= n)
		return first->end - p->tail;
	*drop = first->end - p->tail - n;
	return n;
}

void pipe_packet_consumed(struct pipe *p)
{
	struct pipe_packets *k = p->packets;
	uint32_t before = k->count;

	if (pipe_count(p) == 0)
		k->count = 0;
	while (k->count > 0 && (int32_t)(packet(k, 0)->end - p->tail) <= 0) {
		k->first = (k->first + 1) % k->max;
		k->count--;
	}
	if (k->count > 0 && (int32_t)(packet(k, 0)->start - p->tail) < 0)
		packet(k, 0)->start = p->tail;
	if (before == k->max && k->count < k->max)
		wake_waiters(&p->wq);
}

err_t pipe_packet_resize(struct pipe *p, uint32_t slots)
{
	struct pipe_packets *old = p->packets, *k;

	if (old->count > slots)
		return E_BUSY;
	k = packets_new(slots);
	if (k == NULL)
		return E_NOMEM;
	for (k->count = 0; k->count < old->count; k->count++) {
		const struct packet *from = packet(old, k->count);

		k->at[k->count] = (struct packet){ from->start - p->tail, from->end - p->tail };
	}
	p->packets = k;
	kmem_free(old);
	return OK;
}
