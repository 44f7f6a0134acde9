/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one place where a program's address becomes memory (R6). A ubuf is a range that was checked
 * against what the caller may reach; a uio is a list of such ranges (or of kernel memory) that file
 * operations read from or write to. All copies go through the current address space and serve page
 * faults; none blocks.
 */
#pragma once

#include "abi/err.h"
#include "abi/layout.h"
#include "abi/types.h"
#include "base/checked.h"

struct ubuf {
	uaddr_t base;
	size_t len;
};

/*
 * Check [base, +len) for the calling program. E_FAULT when it leaves the program's half or wraps.
 * len 0 is fine.
 */
static inline MUST_CHECK err_t ubuf_make(struct ubuf *out, uaddr_t base, size_t len)
{
	if (!range_inside(base.v, len, 0, USER_END))
		return E_FAULT;
	out->base = base;
	out->len = len;
	return OK;
}
/*
 * Copy len bytes at offset off. E_FAULT when memory is not there (part may have been copied). BUG
 * if outside the ubuf.
 */
err_t ubuf_in(void *dst, const struct ubuf *src, size_t off, size_t len) MUST_CHECK;
err_t ubuf_out(const struct ubuf *dst, size_t off, const void *src, size_t len) MUST_CHECK;

/* ubuf_make and a copy in one. */
err_t user_in(void *dst, uaddr_t src, size_t len) MUST_CHECK;
err_t user_out(uaddr_t dst, const void *src, size_t len) MUST_CHECK;
err_t user_zero(uaddr_t dst, size_t len) MUST_CHECK;
#define USER_IN(obj, addr)  user_in((obj), (addr), sizeof(*(obj)))
#define USER_OUT(addr, obj) user_out((addr), (obj), sizeof(*(obj)))
/*
 * A structure that grows from version to version of Linux: the program's has usize bytes, ours has
 * size. What ours has more is zero; what the program's has more must be zero. E_2BIG otherwise, and
 * for more than a page.
 */
err_t user_in_struct(void *dst, size_t size, uaddr_t src, size_t usize) MUST_CHECK;
/* NUL-terminated string of at most size - 1 bytes. E_NAMETOOLONG when longer. */
err_t user_string(char *dst, uaddr_t src, size_t size) MUST_CHECK;
/* As above into fresh kernel memory (kmem_free it); E_2BIG beyond max. */
err_t user_strdup(char **out, uaddr_t src, size_t max) MUST_CHECK;

#define UIO_MAX_SEGS 1024
/* A piece of kernel memory, maybe of a frame that is held for it by a reference. */
struct uio_piece {
	char *at;
	size_t len;   /* not 0 */
	paddr_t held; /* PADDR_NONE: it stays by itself */
};
struct uio {
	struct ubuf one;        /* storage for the common single range */
	const struct ubuf *seg; /* segments not yet done, program memory; NULL: kernel memory */
	unsigned nsegs;
	size_t seg_off; /* done within seg[0] */
	char *kbuf;     /* kernel memory instead of segments */
	size_t left;    /* bytes not yet transferred */
	/* kernel memory only: what is left at kbuf, and pieces behind it */
	size_t piece_left;
	const struct uio_piece *piece;
	unsigned npieces;
};
#define UIO_MAX_BYTES 0x7ffff000u /* as Linux: one call moves no more */
/* One range of the program's. E_FAULT: nothing can be moved. (Inline: on the way of every read.) */
static inline MUST_CHECK err_t uio_user(struct uio *u, uaddr_t base, size_t len)
{
	u->kbuf = NULL;
	u->seg_off = 0;
	if (!range_inside(base.v, len, 0, USER_END)) {
		u->nsegs = 0;
		u->left = 0;
		return E_FAULT;
	}
	if (len > UIO_MAX_BYTES)
		len = UIO_MAX_BYTES;
	u->one.base = base;
	u->one.len = len;
	u->seg = &u->one;
	u->nsegs = 1;
	u->left = len;
	return OK;
}
/*
 * From a program's iovec array; *alloc (maybe NULL) is to be kmem_free()d after use. E_INVAL,
 * E_FAULT, E_NOMEM.
 */
err_t uio_iovec(struct uio *u, uaddr_t iov, unsigned n, struct ubuf **alloc) MUST_CHECK;
void uio_kernel(struct uio *u, void *buf, size_t len);
/* n >= 1 pieces, to be read from; they must stay as long as the uio. */
void uio_pieces(struct uio *u, const struct uio_piece *pieces, unsigned n);
/*
 * Transfer min(len, left) bytes and advance; what was moved is ADDED to *done (may be NULL).
 * E_FAULT after a partial transfer too.
 */
err_t uio_out(struct uio *u, const void *src, size_t len,
	      size_t *done) MUST_CHECK; /* kernel -> uio (read) */
err_t uio_in(struct uio *u, void *dst, size_t len,
	     size_t *done) MUST_CHECK; /* uio -> kernel (write) */
err_t uio_out_zero(struct uio *u, size_t len, size_t *done) MUST_CHECK;
