/* SPDX-License-Identifier: BSD-2-Clause */
/* splice, tee, vmsplice. */
#include <linux/fcntl.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/pipe.h"
#include "kernel/vfs/poll.h"
#include "kernel/vfs/splice.h"

#define CHUNK 65536u

static bool is_nonblock(const struct file *f)
{
	return (f->flags & O_NONBLOCK) != 0;
}

/* Files that are nothing but a descriptor's (eventfd, epoll ...) take no part. */
static bool can_splice(const struct file *f)
{
	uint32_t mode = f->inode != NULL ? f->inode->mode : f->anon_mode;

	return S_ISREG(mode) || S_ISCHR(mode) || S_ISSOCK(mode) || S_ISFIFO(mode);
}

/* ---- from a pipe ---- */

static void unclaim(struct pipe *p)
{
	p->claimed = false;
	wake_waiters(&p->rq);
}

static err_t write_some(struct file *out, uint64_t *off, void *data, size_t len, size_t *put)
{
	struct uio from;
	err_t err;

	uio_kernel(&from, data, len);
	*put = 0;
	err = off != NULL ? file_pwrite(out, *off, &from, put) : file_write(out, &from, put);
	if (off != NULL)
		*off += *put;
	return err;
}

/* What the pipe has, to the file; nobody else reads meanwhile, even if writing sleeps. */
static err_t drain_to(struct pipe *p, struct file *out, uint64_t *off, size_t len, size_t *done)
{
	uint32_t space = pipe_space(p), n;
	err_t err = OK;
	size_t put;

	p->claimed = true;
	while (len > 0 && pipe_count(p) > 0 && err == OK) {
		void *data = pipe_peek(p, 0, &n);

		if (n > len)
			n = (uint32_t)len;
		err = write_some(out, off, data, n, &put);
		pipe_consume(p, (uint32_t)put);
		*done += put;
		len -= put;
		if (put < n)
			break;
	}
	unclaim(p);
	pipe_room_made(p, space);
	return err;
}

static err_t from_pipe(struct file *in, struct file *out, uint64_t *off, size_t len, bool nonblock,
		       size_t *done)
{
	struct pipe *p = pipe_of(in);

	if ((out->flags & O_APPEND) != 0 || !can_splice(out))
		return E_INVAL;
	if (off != NULL && file_is_stream(out))
		return E_INVAL;
	TRY(pipe_wait_data(p, nonblock));
	return drain_to(p, out, off, len, done);
}

/* ---- to a pipe ---- */

static err_t read_some(struct file *in, uint64_t *off, void *data, size_t len, size_t *got)
{
	struct uio to;
	err_t err;

	uio_kernel(&to, data, len);
	*got = 0;
	err = off != NULL ? file_pread(in, *off, &to, got) : file_read(in, &to, got);
	if (off != NULL)
		*off += *got;
	return *got > 0 ? OK : err;
}

/* All of it, whatever others have written since there was room. */
static err_t push(struct pipe *p, void *data, size_t len, size_t *done)
{
	struct uio from;

	uio_kernel(&from, data, len);
	while (from.left > 0) {
		uint32_t space;
		err_t err;

		TRY(pipe_wait_room(p, 1, false));
		space = pipe_space(p);
		err = pipe_fill(p, &from, from.left < space ? (uint32_t)from.left : space, done);
		wake_waiters(&p->rq);
		TRY(err);
	}
	return OK;
}

static err_t to_pipe(struct file *in, uint64_t *off, struct file *out, size_t len, bool nonblock,
		     size_t *done)
{
	struct pipe *p = pipe_of(out);
	size_t got;
	void *buf;
	err_t err;

	if (!can_splice(in))
		return E_INVAL;
	if (off != NULL && file_is_stream(in))
		return E_INVAL;
	TRY(pipe_wait_room(p, 1, nonblock));
	if (nonblock && file_is_stream(in) && (file_poll(in, NULL) & (EPOLLIN | EPOLLHUP)) == 0)
		return E_AGAIN;
	if (len > pipe_space(p))
		len = pipe_space(p);
	if (len > CHUNK)
		len = CHUNK;
	buf = kmem_alloc(len);
	if (buf == NULL)
		return E_NOMEM;
	err = read_some(in, off, buf, len, &got);
	if (err == OK)
		err = push(p, buf, got, done);
	kmem_free(buf);
	return err;
}

/* ---- between pipes ---- */

/* Copy what lies at [at, +n) of one pipe into the other, which has room. */
static err_t copy_across(struct pipe *from, uint32_t at, struct pipe *to, uint32_t n, size_t *done)
{
	while (n > 0) {
		struct uio src;
		uint32_t piece;
		void *data = pipe_peek(from, at, &piece);
		size_t put = 0;
		err_t err;

		if (piece > n)
			piece = n;
		uio_kernel(&src, data, piece);
		err = pipe_fill(to, &src, piece, &put);
		*done += put;
		at += (uint32_t)put;
		n -= (uint32_t)put;
		TRY(err);
	}
	return OK;
}

static err_t across(struct file *in, struct file *out, size_t len, bool nonblock, bool keep,
		    size_t *done)
{
	struct pipe *from = pipe_of(in), *to = pipe_of(out);
	uint32_t n, space;
	err_t err;

	/* One may be gone again when the other has come. */
	do {
		TRY(pipe_wait_data(from, nonblock));
		if (pipe_count(from) == 0)
			return OK;
		TRY(pipe_wait_room(to, 1, nonblock));
	} while (pipe_count(from) == 0 || from->claimed);
	n = pipe_count(from) < pipe_space(to) ? pipe_count(from) : pipe_space(to);
	if (n > len)
		n = (uint32_t)len;
	space = pipe_space(from);
	err = copy_across(from, 0, to, n, done);
	if (!keep) {
		pipe_consume(from, (uint32_t)*done);
		pipe_room_made(from, space);
	}
	if (*done > 0)
		wake_waiters(&to->rq);
	return err;
}

/* ---- the calls ---- */

err_t splice(struct file *in, uint64_t *in_off, struct file *out, uint64_t *out_off, size_t len,
	     bool nonblock, size_t *done)
{
	bool from = file_is_pipe(in), to = file_is_pipe(out);

	*done = 0;
	if (!file_readable(in) || !file_writable(out))
		return E_BADF;
	if ((from && in_off != NULL) || (to && out_off != NULL))
		return E_SPIPE;
	if (!from && !to)
		return E_INVAL;
	if (from && to) {
		if (pipe_of(in) == pipe_of(out))
			return E_INVAL;
		return across(in, out, len, nonblock || is_nonblock(in) || is_nonblock(out), false,
			      done);
	}
	if (from)
		return from_pipe(in, out, out_off, len, nonblock || is_nonblock(in), done);
	return to_pipe(in, in_off, out, len, nonblock || is_nonblock(out), done);
}

err_t splice_tee(struct file *in, struct file *out, size_t len, bool nonblock, size_t *done)
{
	*done = 0;
	if (!file_readable(in) || !file_writable(out))
		return E_BADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || pipe_of(in) == pipe_of(out))
		return E_INVAL;
	return across(in, out, len, nonblock || is_nonblock(in) || is_nonblock(out), true, done);
}

err_t splice_user(struct file *f, struct uio *u, bool nonblock, size_t *done)
{
	struct pipe *p = pipe_of(f);
	uint32_t n;
	err_t err;

	*done = 0;
	if (!file_is_pipe(f))
		return E_BADF;
	if (u->left == 0)
		return OK;
	nonblock = nonblock || is_nonblock(f);
	if (file_writable(f)) {
		TRY(pipe_wait_room(p, 1, nonblock));
		n = pipe_space(p);
		err = pipe_fill(p, u, u->left < n ? (uint32_t)u->left : n, done);
		wake_waiters(&p->rq);
		return err;
	}
	TRY(pipe_wait_data(p, nonblock));
	while (u->left > 0 && pipe_count(p) > 0) {
		uint32_t space = pipe_space(p);
		size_t moved = 0;
		void *data = pipe_peek(p, 0, &n);

		p->copying = true;
		err = uio_out(u, data, u->left < n ? u->left : n, &moved);
		p->copying = false;
		pipe_consume(p, (uint32_t)moved);
		*done += moved;
		pipe_room_made(p, space);
		TRY(err);
	}
	return OK;
}
