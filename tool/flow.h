/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One direction of bytes, from one descriptor to another, through one buffer: read only when the
 * buffer is empty, so that a slow reader holds the writer up. Never blocks on a socket; a write to
 * anything else is at most PIPE_BUF bytes after poll() said that there is room.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define FLOW_BUFFER 65536

struct flow {
	int from, to;
	bool ended;        /* `from` has nothing more */
	bool broken;       /* `to` takes nothing more: what comes is thrown away */
	size_t head, tail; /* buffer[head..tail) is to be written */
	char buffer[FLOW_BUFFER];
};

void flow_init(struct flow *f, int from, int to);
/* Everything that came was passed on, and no more will come. */
bool flow_done(const struct flow *f);
/* What to wait for: fills one entry (fd -1 if nothing). */
void flow_want(const struct flow *f, struct pollfd *p);
/* Act on poll()'s answer. */
void flow_step(struct flow *f, const struct pollfd *p);
