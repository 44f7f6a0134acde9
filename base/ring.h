/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ring of bytes over a buffer whose size is a power of two (for pipes, terminals, serial ports).
 * For one core: not made for two writers or for shared memory. The buffer belongs to the caller.
 *
 * Invariant: head - tail <= size. Both counters run freely and wrap at 2^32.
 */
#pragma once

#include "base/str.h"

struct ring {
	uint8_t *buf;
	uint32_t size;
	uint32_t head; /* bytes ever written */
	uint32_t tail; /* bytes ever read */
};

/* `size` is a power of two, at most 2^31. */
static inline void ring_init(struct ring *r, void *buf, uint32_t size)
{
	*r = (struct ring){ .buf = buf, .size = size };
}

/* Bytes that can be read, and bytes that can be written. */
static inline uint32_t ring_count(const struct ring *r)
{
	return r->head - r->tail;
}

static inline uint32_t ring_space(const struct ring *r)
{
	return r->size - ring_count(r);
}

static inline void ring_clear(struct ring *r)
{
	r->tail = r->head;
}

/*
 * The first bytes that can be read without a wrap (*len of them, 0 when empty), for copying
 * elsewhere in place; ring_skip() then takes away what was used.
 */
static inline const void *ring_read_span(const struct ring *r, uint32_t *len)
{
	uint32_t at = r->tail & (r->size - 1);
	uint32_t n = ring_count(r);

	*len = n < r->size - at ? n : r->size - at;
	return r->buf + at;
}

/* Drop `n` bytes, at most ring_count(). */
static inline void ring_skip(struct ring *r, uint32_t n)
{
	r->tail += n;
}

/* The first place that can be written without a wrap (*len bytes, 0 when full); ring_commit() makes
 * it readable. */
static inline void *ring_write_span(const struct ring *r, uint32_t *len)
{
	uint32_t at = r->head & (r->size - 1);
	uint32_t n = ring_space(r);

	*len = n < r->size - at ? n : r->size - at;
	return r->buf + at;
}

/* `n` bytes of the write span are filled, at most ring_space(). */
static inline void ring_commit(struct ring *r, uint32_t n)
{
	r->head += n;
}

/* Append up to `n` bytes; answers how many there was room for. */
static inline uint32_t ring_put(struct ring *r, const void *data, size_t n)
{
	uint32_t done = n < ring_space(r) ? (uint32_t)n : ring_space(r);
	uint32_t at = r->head & (r->size - 1);
	uint32_t first = done < r->size - at ? done : r->size - at;

	if (done == 0)
		return 0;
	memcpy(r->buf + at, data, first);
	memcpy(r->buf, (const uint8_t *)data + first, done - first);
	r->head += done;
	return done;
}

/* Copy up to `n` bytes, leaving out the first `skip`, without taking them away; answers how many
 * there were. */
static inline uint32_t ring_peek(const struct ring *r, uint32_t skip, void *data, size_t n)
{
	uint32_t count = ring_count(r);
	uint32_t left = skip < count ? count - skip : 0;
	uint32_t done = n < left ? (uint32_t)n : left;
	uint32_t at = (r->tail + skip) & (r->size - 1);
	uint32_t first = done < r->size - at ? done : r->size - at;

	if (done == 0)
		return 0;
	memcpy(data, r->buf + at, first);
	memcpy((uint8_t *)data + first, r->buf, done - first);
	return done;
}

/* Take up to `n` bytes; answers how many there were. */
static inline uint32_t ring_get(struct ring *r, void *data, size_t n)
{
	uint32_t done = ring_peek(r, 0, data, n);

	r->tail += done;
	return done;
}

/* One byte: false when full, or when empty. */
static inline bool ring_put_byte(struct ring *r, uint8_t byte)
{
	if (ring_space(r) == 0)
		return false;
	r->buf[r->head++ & (r->size - 1)] = byte;
	return true;
}

static inline bool ring_get_byte(struct ring *r, uint8_t *byte)
{
	if (ring_count(r) == 0)
		return false;
	*byte = r->buf[r->tail++ & (r->size - 1)];
	return true;
}
