/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that wait until a socket takes them. */
#pragma once

#include "tool/util.h"

struct outbuf {
	char *data;
	size_t head, tail, size;
};

void outbuf_add(struct outbuf *b, const void *data, size_t n);
void outbuf_printf(struct outbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline bool outbuf_empty(const struct outbuf *b)
{
	return b->head == b->tail;
}
/* Send what the socket takes now. When the other side is gone, all of it is dropped. */
void outbuf_send(struct outbuf *b, int fd);
void outbuf_release(struct outbuf *b);
