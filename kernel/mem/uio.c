/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of ranges that file operations read from or write to: a program's, or one piece of kernel
 * memory.
 */
#include <linux/uio.h>

#include "base/checked.h"
#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/x86/x86.h"

_Static_assert(sizeof(struct ubuf) == sizeof(struct iovec), "iovecs are copied in as they stand");

void uio_kernel(struct uio *u, void *buf, size_t len)
{
	*u = (struct uio){ .kbuf = buf, .left = len, .piece_left = len };
}

void uio_pieces(struct uio *u, const struct uio_piece *pieces, unsigned n)
{
	uio_kernel(u, pieces->at, pieces->len);
	u->piece = pieces + 1;
	u->npieces = n - 1;
	for (unsigned i = 1; i < n; i++)
		u->left += pieces[i].len;
}

static void advance_kernel(struct uio *u, size_t n)
{
	u->kbuf += n;
	u->piece_left -= n;
	if (u->piece_left > 0 || u->npieces == 0)
		return;
	u->kbuf = u->piece->at;
	u->piece_left = u->piece->len;
	u->piece++;
	u->npieces--;
}

/* Check the segments, and cut off what one call may not move. */
static err_t check_segments(struct ubuf *seg, unsigned n, size_t *total)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if ((int64_t)seg[i].len < 0)
			return E_INVAL;
		TRY(ubuf_make(&seg[i], seg[i].base, seg[i].len));
		if (seg[i].len > UIO_MAX_BYTES - sum)
			seg[i].len = UIO_MAX_BYTES - sum;
		sum += seg[i].len;
	}
	*total = sum;
	return OK;
}

err_t uio_iovec(struct uio *u, uaddr_t iov, unsigned n, struct ubuf **alloc)
{
	struct ubuf *seg = &u->one;
	err_t err;

	*alloc = NULL;
	*u = (struct uio){ .nsegs = n };
	if (n > UIO_MAX_SEGS)
		return E_INVAL;
	if (n > 1) {
		seg = kmem_alloc(n * sizeof(*seg));
		if (seg == NULL)
			return E_NOMEM;
	}
	err = user_in(seg, iov, n * sizeof(*seg));
	if (err == OK)
		err = check_segments(seg, n, &u->left);
	if (n > 1 && err != OK)
		kmem_free(seg);
	if (err != OK)
		return err;
	if (n > 1)
		*alloc = seg;
	u->seg = seg;
	return OK;
}

/* `n` bytes of the first segment (or of the kernel's memory) are done. */
static void advance(struct uio *u, size_t n)
{
	u->left -= n;
	if (u->kbuf != NULL) {
		advance_kernel(u, n);
		return;
	}
	u->seg_off += n;
	while (u->nsegs > 0 && u->seg_off == u->seg->len) {
		u->seg++;
		u->nsegs--;
		u->seg_off = 0;
	}
}

enum direction { TO_UIO, FROM_UIO, ZERO_UIO };

/* Returns the bytes not moved. */
static size_t move_user(enum direction d, uint64_t addr, void *mem, size_t n)
{
	switch (d) {
	case TO_UIO: return x86_copy_to_user(addr, mem, n);
	case FROM_UIO: return x86_copy_from_user(mem, addr, n);
	default: return x86_zero_user(addr, n);
	}
}

static void move_kernel(enum direction d, char *kbuf, void *mem, size_t n)
{
	switch (d) {
	case TO_UIO: memcpy(kbuf, mem, n); break;
	case FROM_UIO: memcpy(mem, kbuf, n); break;
	default: memset(kbuf, 0, n);
	}
}

static err_t transfer(struct uio *u, enum direction d, char *mem, size_t len, size_t *done)
{
	size_t moved = 0, missing = 0;

	if (len > u->left)
		len = u->left;
	if (u->kbuf == NULL && len != 0)
		advance(u, 0); /* leading segments may be empty */
	while (moved < len && missing == 0) {
		char *at = mem != NULL ? mem + moved : NULL;
		size_t n = len - moved;

		if (u->kbuf != NULL) {
			if (n > u->piece_left)
				n = u->piece_left;
			move_kernel(d, u->kbuf, at, n);
		} else {
			if (n > u->seg->len - u->seg_off)
				n = u->seg->len - u->seg_off;
			missing = move_user(d, u->seg->base.v + u->seg_off, at, n);
		}
		moved += n - missing;
		advance(u, n - missing);
	}
	if (done != NULL)
		*done += moved;
	return missing == 0 ? OK : E_FAULT;
}

/* By far the most: all of it from or to the rest of one segment of the program's. */
static inline bool in_one_piece(const struct uio *u, size_t len)
{
	return u->kbuf == NULL && len != 0 && len <= u->left && len <= u->seg->len - u->seg_off;
}

static inline err_t piece_done(struct uio *u, size_t len, size_t missing, size_t *done)
{
	size_t moved = len - missing;

	u->left -= moved;
	u->seg_off += moved; /* at the segment's end: the next transfer goes on to another */
	if (done != NULL)
		*done += moved;
	return missing == 0 ? OK : E_FAULT;
}

err_t uio_out(struct uio *u, const void *src, size_t len, size_t *done)
{
	if (in_one_piece(u, len))
		return piece_done(u, len, x86_copy_to_user(u->seg->base.v + u->seg_off, src, len),
				  done);
	return transfer(u, TO_UIO, (char *)src, len, done);
}

err_t uio_in(struct uio *u, void *dst, size_t len, size_t *done)
{
	if (in_one_piece(u, len))
		return piece_done(u, len, x86_copy_from_user(dst, u->seg->base.v + u->seg_off, len),
				  done);
	return transfer(u, FROM_UIO, dst, len, done);
}

err_t uio_out_zero(struct uio *u, size_t len, size_t *done)
{
	return transfer(u, ZERO_UIO, NULL, len, done);
}
