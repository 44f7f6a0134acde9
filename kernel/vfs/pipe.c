/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes and FIFOs: a ring of bytes in page-sized chunks that are allocated when first written.
 *
 * Invariants: head - tail <= size; the byte at position x lies in pages[(x >> 12) & (size >> 12) -
 * 1]. Whenever the pipe runs empty both positions return to 0, so that small messages stay in one
 * page. Pages that hold no data are kept for the next write until memory is short (pipe_reclaim). A
 * write of at most PIPE_BUF bytes is never split; a sleeping writer is woken when PIPE_BUF bytes
 * are free.
 */
#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#include "base/checked.h"
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/pipe.h"
#include "kernel/vfs/poll.h"

#define PIPE_MAX_SIZE (1024 * 1024) /* /proc/sys/fs/pipe-max-size: more needs CAP_SYS_RESOURCE */
#define PIPE_LIMIT    (1ull << 30)  /* what the counters can hold with room to spare */

static struct list all_pipes = LIST_INIT(all_pipes);
static bool reclaim_registered;
static const struct file_ops pipe_ops;

/* ---- memory ---- */

static uint8_t *page_get(void)
{
	paddr_t pa = frame_alloc(0);

	return paddr_is_none(pa) ? NULL : dm_ptr(pa);
}

static size_t pages_drop(uint8_t **pages, uint32_t n)
{
	size_t freed = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (pages[i] == NULL)
			continue;
		frame_put(dm_paddr(pages[i]));
		pages[i] = NULL;
		freed++;
	}
	return freed;
}

/* Pages behind the head's up to the tail's, which in a full pipe may be one and the same. */
static size_t drop_empty(struct pipe *p)
{
	uint32_t at = ALIGN_UP(p->head, (uint32_t)PAGE_SIZE);
	uint32_t end = ALIGN_DOWN(p->tail, (uint32_t)PAGE_SIZE) + p->size;
	size_t freed = 0;

	for (; (int32_t)(end - at) > 0; at += PAGE_SIZE)
		freed += pages_drop(pipe_slot(p, at), 1);
	return freed;
}

/* Give back pages without data, of pipes that nobody is just copying from or to. */
static size_t pipe_reclaim(size_t want)
{
	size_t freed = 0;

	LIST_FOR_EACH(pos, &all_pipes) {
		struct pipe *p = list_entry(pos, struct pipe, all);

		if (!p->copying)
			freed += drop_empty(p);
		if (freed >= want)
			break;
	}
	return freed;
}

static struct pipe *pipe_new(void)
{
	struct pipe *p = kmem_zalloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	if (!reclaim_registered) {
		mem_register_reclaim(pipe_reclaim);
		reclaim_registered = true;
	}
	p->size = PIPE_PAGES * PAGE_SIZE;
	p->pages = p->first_pages;
	waitq_init(&p->rq);
	waitq_init(&p->wq);
	list_push_back(&all_pipes, &p->all);
	return p;
}

static void pipe_unref(struct pipe *p)
{
	if (--p->files > 0)
		return;
	if (p->inode != NULL)
		p->inode->pipe = NULL;
	pages_drop(p->pages, p->size >> PAGE_SHIFT);
	if (p->pages != p->first_pages)
		kmem_free(p->pages);
	kmem_free(p->packets);
	list_remove(&p->all);
	kmem_free(p);
}

/* ---- reading and writing ---- */

/* Move n bytes, which are there, to `to`. What a fault left out stays in the pipe. */
static inline __attribute__((always_inline)) err_t pipe_drain(struct pipe *p, struct uio *to,
							      uint32_t n, size_t *done)
{
	err_t err = OK;

	p->copying = true;
	while (n > 0 && err == OK) {
		uint32_t off = p->tail & PAGE_MASK;
		uint32_t chunk = n < PAGE_SIZE - off ? n : (uint32_t)PAGE_SIZE - off;
		size_t moved = 0;

		err = uio_out(to, *pipe_slot(p, p->tail) + off, chunk, &moved);
		p->tail += (uint32_t)moved;
		n -= (uint32_t)moved;
		*done += moved;
	}
	p->copying = false;
	if (p->head == p->tail)
		p->head = p->tail = 0;
	return err;
}

static inline __attribute__((always_inline)) err_t fill(struct pipe *p, struct uio *from,
							uint32_t n, size_t *done)
{
	err_t err = OK;

	p->copying = true;
	while (n > 0 && err == OK) {
		uint8_t **slot = pipe_slot(p, p->head);
		uint32_t off = p->head & PAGE_MASK;
		uint32_t chunk = n < PAGE_SIZE - off ? n : (uint32_t)PAGE_SIZE - off;

		if (*slot == NULL && (*slot = page_get()) == NULL) {
			err = E_NOMEM;
			break;
		}
		err = uio_in(from, *slot + off, chunk, NULL);
		if (err != OK)
			break;
		p->head += chunk;
		n -= chunk;
		*done += chunk;
	}
	p->copying = false;
	return err;
}

err_t pipe_fill(struct pipe *p, struct uio *from, uint32_t n, size_t *done)
{
	return fill(p, from, n, done);
}

static err_t pipe_wait(struct waitq *q, bool nonblock)
{
	if (nonblock)
		return E_AGAIN;
	return wait_on(q, WAIT_FOREVER, true) == WAIT_SIGNAL ? E_RESTARTSYS : OK;
}

err_t pipe_wait_data(struct pipe *p, bool nonblock)
{
	while (pipe_count(p) == 0 || p->claimed) {
		if (p->claimed) {
			TRY(pipe_wait(&p->rq, false));
			continue;
		}
		if (p->writers == 0)
			return OK;
		TRY(pipe_wait(&p->rq, nonblock));
	}
	return OK;
}

err_t pipe_wait_room(struct pipe *p, uint32_t bytes, bool nonblock)
{
	for (;;) {
		if (p->readers == 0) {
			(void)!signal_send_thread(current, SIGPIPE, NULL);
			return E_PIPE;
		}
		if (pipe_space(p) >= bytes)
			return OK;
		TRY(pipe_wait(&p->wq, nonblock));
	}
}

void pipe_room_made(struct pipe *p, uint32_t space)
{
	if (space < PIPE_BUF && pipe_count(p) <= p->size - PIPE_BUF)
		wake_waiters(&p->wq);
}

void *pipe_peek(struct pipe *p, uint32_t at, uint32_t *len)
{
	uint32_t pos = p->tail + at, off = pos & PAGE_MASK, there = p->head - pos;

	*len = there < PAGE_SIZE - off ? there : (uint32_t)PAGE_SIZE - off;
	return *pipe_slot(p, pos) + off;
}

void pipe_consume(struct pipe *p, uint32_t n)
{
	p->tail += n;
	if (p->packets != NULL)
		pipe_packet_consumed(p);
	if (p->head == p->tail)
		p->head = p->tail = 0;
}

/* The pipe has packets in it: n bytes at most, as they lie. */
static err_t read_packets(struct pipe *p, struct uio *to, uint32_t n, size_t *done)
{
	uint32_t drop;
	size_t got = 0;
	err_t err;

	n = pipe_packet_limit(p, n, &drop);
	err = pipe_drain(p, to, n, &got);
	*done += got;
	pipe_consume(p, got == n ? drop : 0);
	return err;
}

static err_t pipe_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct pipe *p = f->priv;
	uint32_t n, space;
	err_t err;

	(void)off;
	if (to->left == 0)
		return OK;
	if (pipe_count(p) == 0 || p->claimed)
		TRY(pipe_wait_data(p, (f->flags & O_NONBLOCK) != 0));
	n = pipe_count(p);
	if (n == 0)
		return OK;
	space = p->size - n;
	if (n > to->left)
		n = (uint32_t)to->left;
	err = p->packets == NULL ? pipe_drain(p, to, n, done) : read_packets(p, to, n, done);
	pipe_room_made(p, space);
	return err;
}

static err_t pipe_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct pipe *p = f->priv;
	uint32_t whole = from->left <= PIPE_BUF ? (uint32_t)from->left : 1;
	bool nonblock = (f->flags & O_NONBLOCK) != 0;
	err_t err = OK;

	(void)off;
	if ((f->flags & O_DIRECT) != 0)
		return pipe_packet_write(p, from, nonblock, done);
	while (from->left > 0 && err == OK) {
		uint32_t space;

		if (p->readers == 0 || pipe_space(p) < whole)
			TRY(pipe_wait_room(p, whole, nonblock));
		space = pipe_space(p);
		err = fill(p, from, from->left < space ? (uint32_t)from->left : space, done);
		wake_waiters(&p->rq);
	}
	return err;
}

/* ---- the other file operations ---- */

static inline bool reads(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_WRONLY;
}

static inline bool writes(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY;
}

/* By itself, as most looks at a pipe do not wait for it. */
static __attribute__((noinline)) void pipe_wait_for(struct file *f, struct poll_table *t)
{
	struct pipe *p = f->priv;

	if (reads(f))
		poll_wait_for(t, &p->rq, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	if (writes(f))
		poll_wait_for(t, &p->wq, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
}

static uint32_t pipe_poll(struct file *f, struct poll_table *t)
{
	const struct pipe *p = f->priv;
	uint32_t ready = 0;

	if (t != NULL)
		pipe_wait_for(f, t);
	if (reads(f)) {
		if (pipe_count(p) > 0)
			ready |= EPOLLIN | EPOLLRDNORM;
		/* dir_gen: writers that had ever come when a FIFO was opened without waiting for
		 * one. */
		if (p->writers == 0 && f->dir_gen != p->writer_opens)
			ready |= EPOLLHUP;
	}
	if (writes(f)) {
		if (pipe_space(p) >= PIPE_BUF)
			ready |= EPOLLOUT | EPOLLWRNORM;
		if (p->readers == 0)
			ready |= EPOLLERR;
	}
	return ready;
}

static long pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pipe *p = f->priv;
	int n = (int)pipe_count(p);

	return cmd == FIONREAD ? USER_OUT(UADDR(arg), &n) : E_NOTTY;
}

/* One end less; the other side learns of the last. */
static void end_gone(struct pipe *p, const struct file *f)
{
	if (reads(f))
		p->readers--;
	if (writes(f))
		p->writers--;
	if (p->readers == 0 || p->writers == 0) {
		wake_waiters(&p->rq);
		wake_waiters(&p->wq);
	}
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	end_gone(p, f);
	pipe_unref(p);
}

/* Without waiting for the other side, as it exists or is gone for ever. */
static err_t pipe_reopen(struct file *old, struct file *f)
{
	struct pipe *p = old->priv;

	p->files++;
	if (reads(f)) {
		p->readers++;
		p->reader_opens++;
	}
	if (writes(f)) {
		p->writers++;
		p->writer_opens++;
	}
	f->ops = old->ops;
	f->priv = p;
	return OK;
}

static void pipe_name(struct file *f, char *buf, size_t size)
{
	struct kstat st;

	if (file_stat(f, &st) != OK)
		st.ino = 0;
	fmt_snprintf(buf, size, "pipe:[%llu]", (unsigned long long)st.ino);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
	.reopen = pipe_reopen,
	.name = pipe_name,
	.stream = true,
	.async = true,
};

/* The path says more than a number. */
static const struct file_ops fifo_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
	.stream = true,
	.async = true,
};

bool file_is_pipe(struct file *f)
{
	return f->ops == &pipe_ops || f->ops == &fifo_ops;
}

/* ---- making ---- */

err_t pipe_create(uint32_t flags, struct file *ends[2])
{
	struct pipe *p;

	if ((flags & ~(uint32_t)(O_NONBLOCK | O_CLOEXEC | O_DIRECT)) != 0)
		return E_INVAL;
	flags &= O_NONBLOCK | O_DIRECT;
	p = pipe_new();
	if (p == NULL)
		return E_NOMEM;
	p->files = p->readers = p->reader_opens = 1;
	ends[0] = file_create(&pipe_ops, p, O_RDONLY | (flags & O_NONBLOCK), S_IFIFO | 0600);
	if (ends[0] == NULL) {
		pipe_unref(p);
		return E_NOMEM;
	}
	p->files++;
	p->writers = p->writer_opens = 1;
	ends[1] = file_create(&pipe_ops, p, O_WRONLY | flags, S_IFIFO | 0600);
	if (ends[1] == NULL) {
		p->files--;
		p->writers = 0;
		file_put(ends[0]);
		return E_NOMEM;
	}
	ends[1]->anon_ino = ends[0]->anon_ino; /* both ends are one inode */
	return OK;
}

/* Wait until *opens grows: the other side has come (it may be gone again). */
static err_t wait_for_partner(struct pipe *p, const uint64_t *opens)
{
	uint64_t seen = *opens;

	while (*opens == seen) {
		if (wait_on(&p->rq, WAIT_FOREVER, true) == WAIT_SIGNAL && *opens == seen)
			return E_RESTARTSYS;
	}
	return OK;
}

static err_t fifo_meet(struct pipe *p, struct file *f)
{
	bool nonblock = (f->flags & O_NONBLOCK) != 0;

	if (reads(f) && writes(f))
		return OK;
	if (reads(f) && p->writers == 0) {
		if (!nonblock)
			return wait_for_partner(p, &p->writer_opens);
		f->dir_gen = p->writer_opens;
	}
	if (writes(f) && p->readers == 0)
		return wait_for_partner(p, &p->reader_opens);
	return OK;
}

err_t fifo_open(struct inode *i, struct file *f)
{
	struct pipe *p = i->pipe;
	err_t err;

	if ((f->flags & O_ACCMODE) == O_WRONLY && (f->flags & O_NONBLOCK) &&
	    (p == NULL || p->readers == 0))
		return E_NXIO;
	if (p == NULL) {
		p = pipe_new();
		if (p == NULL)
			return E_NOMEM;
		p->inode = i;
		i->pipe = p;
	}
	p->files++;
	if (reads(f)) {
		p->readers++;
		p->reader_opens++;
	}
	if (writes(f)) {
		p->writers++;
		p->writer_opens++;
	}
	wake_waiters(&p->rq);
	err = fifo_meet(p, f);
	if (err != OK) {
		end_gone(p, f);
		pipe_unref(p);
		return err;
	}
	f->ops = &fifo_ops;
	f->priv = p;
	return OK;
}

/* ---- F_SETPIPE_SZ, F_GETPIPE_SZ ---- */

/* Copy the data to the start of new pages. */
static err_t pipe_move(struct pipe *p, uint8_t **pages)
{
	uint32_t count = pipe_count(p);

	for (uint32_t at = 0; at < count;) {
		uint32_t from = (p->tail + at) & PAGE_MASK, to = at & PAGE_MASK;
		uint32_t chunk = (uint32_t)PAGE_SIZE - (from > to ? from : to);
		uint8_t **slot = &pages[at >> PAGE_SHIFT];

		if (chunk > count - at)
			chunk = count - at;
		if (*slot == NULL && (*slot = page_get()) == NULL)
			return E_NOMEM;
		memcpy(*slot + to, *pipe_slot(p, p->tail + at) + from, chunk);
		at += chunk;
	}
	return OK;
}

long pipe_set_size(struct file *f, uint64_t size)
{
	struct pipe *p = f->priv;
	uint64_t rounded = PAGE_SIZE;
	uint8_t **pages;
	uint32_t count;

	if (!file_is_pipe(f))
		return E_BADF;
	size = (uint32_t)size; /* all that Linux looks at */
	if (size > 1u << 31)
		return E_INVAL;
	while (rounded < size)
		rounded <<= 1;
	if (rounded > p->size && rounded > PIPE_MAX_SIZE &&
	    (current_task->cred.cap_effective & (1ull << CAP_SYS_RESOURCE)) == 0)
		return E_PERM;
	if (rounded > PIPE_LIMIT)
		return E_NOMEM;
	count = pipe_count(p);
	if (count > rounded || p->claimed)
		return E_BUSY;
	pages = kmem_zalloc((rounded >> PAGE_SHIFT) * sizeof(*pages));
	if (pages == NULL)
		return E_NOMEM;
	p->copying = true;
	err_t err = pipe_move(p, pages);
	p->copying = false;
	if (err == OK && p->packets != NULL)
		err = pipe_packet_resize(p, (uint32_t)(rounded >> PAGE_SHIFT));
	if (err != OK) {
		pages_drop(pages, (uint32_t)(rounded >> PAGE_SHIFT));
		kmem_free(pages);
		return err;
	}
	pages_drop(p->pages, p->size >> PAGE_SHIFT);
	if (p->pages != p->first_pages)
		kmem_free(p->pages);
	p->pages = pages;
	p->size = (uint32_t)rounded;
	p->tail = 0;
	p->head = count;
	if (pipe_space(p) >= PIPE_BUF)
		wake_waiters(&p->wq);
	return (long)rounded;
}

long pipe_get_size(struct file *f)
{
	return file_is_pipe(f) ? (long)((struct pipe *)f->priv)->size : E_BADF;
}
