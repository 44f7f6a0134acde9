/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/flow.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

void flow_init(struct flow *f, int from, int to)
{
	f->from = from;
	f->to = to;
	f->ended = from < 0;
	f->broken = to < 0;
	f->head = f->tail = 0;
}

bool flow_done(const struct flow *f)
{
	return f->ended && f->head == f->tail;
}

void flow_want(const struct flow *f, struct pollfd *p)
{
	*p = (struct pollfd){ .fd = -1 };
	if (f->head < f->tail)
		*p = (struct pollfd){ .fd = f->to, .events = POLLOUT };
	else if (!f->ended)
		*p = (struct pollfd){ .fd = f->from, .events = POLLIN };
}

static bool try_again(int e)
{
	return e == EAGAIN || e == EWOULDBLOCK || e == EINTR;
}

static void take(struct flow *f)
{
	ssize_t n = read(f->from, f->buffer, sizeof(f->buffer));

	if (n > 0) {
		f->head = 0;
		f->tail = f->broken ? 0 : (size_t)n;
	} else if (n == 0 || !try_again(errno)) {
		f->ended = true;
	}
}

static void pass_on(struct flow *f)
{
	size_t left = f->tail - f->head;
	ssize_t n = send(f->to, f->buffer + f->head, left, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(f->to, f->buffer + f->head, left < PIPE_BUF ? left : PIPE_BUF);
	if (n > 0) {
		f->head += (size_t)n;
	} else if (n < 0 && !try_again(errno)) {
		f->broken = true;
		f->head = f->tail = 0;
	}
}

void flow_step(struct flow *f, const struct pollfd *p)
{
	if (p->fd < 0 || p->revents == 0)
		return;
	if (f->head < f->tail)
		pass_on(f);
	else
		take(f);
}
