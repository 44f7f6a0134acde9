/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/outbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tool/report.h"

void outbuf_add(struct outbuf *b, const void *data, size_t n)
{
	if (b->head > 0 && b->size - b->tail < n) {
		memmove(b->data, b->data + b->head, b->tail - b->head);
		b->tail -= b->head;
		b->head = 0;
	}
	if (b->size - b->tail < n) {
		b->size = (b->tail + n) * 2;
		b->data = xrealloc(b->data, b->size);
	}
	memcpy(b->data + b->tail, data, n);
	b->tail += n;
}

void outbuf_printf(struct outbuf *b, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		die_oom();
	outbuf_add(b, text, (size_t)n);
	free(text);
}

void outbuf_send(struct outbuf *b, int fd)
{
	while (!outbuf_empty(b)) {
		ssize_t n = send(fd, b->data + b->head, b->tail - b->head,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			b->head += (size_t)n;
		else if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		else
			b->head = b->tail; /* the other side is gone */
	}
	b->head = b->tail = 0;
}

void outbuf_release(struct outbuf *b)
{
	free(b->data);
	*b = (struct outbuf){ 0 };
}
