/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of pipes: for pipe.c, pipe_packet.c and splice.c. The invariants stand in pipe.c. */
#pragma once

#include "kernel/mem/frame.h"
#include "kernel/task/sched.h"
#include "kernel/vfs/file.h"

#define PIPE_PAGES 16u /* as Linux: 64 KiB */

struct pipe {
	uint32_t head, tail, size;
	/* open files of each kind; a FIFO opened O_RDWR counts as both */
	uint32_t readers, writers;
	uint32_t files; /* open files, and opens of a FIFO that still wait */
	bool copying;   /* user memory is being touched: pages must stay */
	/* splice takes data out and may sleep meanwhile: other readers wait (on rq) */
	bool claimed;
	struct pipe_packets *packets; /* NULL until somebody writes with O_DIRECT */
	uint64_t reader_opens, writer_opens;
	struct waitq rq, wq; /* readers (and waiting opens), writers */
	struct inode *inode; /* of a FIFO; its open files keep it */
	struct list all;
	uint8_t **pages;
	uint8_t *first_pages[PIPE_PAGES];
};

static inline struct pipe *pipe_of(struct file *f)
{
	return f->priv;
}

static inline uint32_t pipe_count(const struct pipe *p)
{
	return p->head - p->tail;
}

static inline uint32_t pipe_space(const struct pipe *p)
{
	return p->size - pipe_count(p);
}

static inline uint8_t **pipe_slot(struct pipe *p, uint32_t pos)
{
	return &p->pages[(pos >> PAGE_SHIFT) & ((p->size >> PAGE_SHIFT) - 1)];
}

static inline void wake_waiters(struct waitq *q)
{
	if (!list_empty(&q->waiters))
		wake_all(q);
}

/* Take n bytes, for which there is room, out of `from`. A chunk that faults is left out whole. */
err_t pipe_fill(struct pipe *p, struct uio *from, uint32_t n, size_t *done) MUST_CHECK;
/* What lies `at` bytes behind the next byte to read, in one piece of *len bytes. */
void *pipe_peek(struct pipe *p, uint32_t at, uint32_t *len);
/* The next n bytes are read. */
void pipe_consume(struct pipe *p, uint32_t n);
/* Tell writers of room that was not there before; `space`: what there was. */
void pipe_room_made(struct pipe *p, uint32_t space);
/*
 * Until there is something to read: OK with pipe_count() 0 when no writer is left. E_AGAIN,
 * E_RESTARTSYS. MAY_SWITCH
 */
err_t pipe_wait_data(struct pipe *p, bool nonblock) MUST_CHECK;
/* Until there is room for `bytes`. E_PIPE (with SIGPIPE), E_AGAIN, E_RESTARTSYS. MAY_SWITCH */
err_t pipe_wait_room(struct pipe *p, uint32_t bytes, bool nonblock) MUST_CHECK;

/* ---- pipe_packet.c: O_DIRECT, each write is read as a whole ---- */

/* One write of a file with O_DIRECT. MAY_SWITCH */
err_t pipe_packet_write(struct pipe *p, struct uio *from, bool nonblock, size_t *done) MUST_CHECK;
/* How many bytes a reader who wants n gets, and (*drop) how many behind them are gone with it. */
uint32_t pipe_packet_limit(const struct pipe *p, uint32_t n, uint32_t *drop);
/* The tail has moved. */
void pipe_packet_consumed(struct pipe *p);
/* The pipe gets `slots` pages and starts at position 0. E_BUSY: too many packets. E_NOMEM */
err_t pipe_packet_resize(struct pipe *p, uint32_t slots) MUST_CHECK;
