/* SPDX-License-Identifier: BSD-2-Clause */
/* splice, tee, vmsplice. */
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/splice.h"

/* As fcntl.h of the C library has them. */
#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      15u
#define RW_MAX            0x7ffff000ull

/* Two descriptors as files, both referenced, or none. E_BADF */
static err_t two_files(int a, int b, struct file **fa, struct file **fb)
{
	*fa = fd_get(a);
	*fb = fd_get(b);
	if (*fa != NULL && *fb != NULL)
		return OK;
	if (*fa != NULL)
		file_put(*fa);
	if (*fb != NULL)
		file_put(*fb);
	return E_BADF;
}

static long result(err_t err, size_t done)
{
	return done > 0 ? (long)done : err;
}

static err_t offset_in(uaddr_t at, uint64_t *off)
{
	if (at.v == 0)
		return OK;
	TRY(USER_IN(off, at));
	return (int64_t)*off < 0 ? E_INVAL : OK;
}

static long splice_files(struct file *in, uaddr_t in_off, struct file *out, uaddr_t out_off,
			 size_t len, bool nonblock)
{
	uint64_t ioff = 0, ooff = 0;
	size_t done = 0;
	err_t err;

	/* A pipe has no positions: that is found before the offset is looked at. */
	if ((in_off.v != 0 && file_is_stream(in)) || (out_off.v != 0 && file_is_stream(out)))
		return splice(in, in_off.v != 0 ? &ioff : NULL, out, out_off.v != 0 ? &ooff : NULL,
			      0, nonblock, &done);
	TRY(offset_in(in_off, &ioff));
	TRY(offset_in(out_off, &ooff));
	err = splice(in, in_off.v != 0 ? &ioff : NULL, out, out_off.v != 0 ? &ooff : NULL, len,
		     nonblock, &done);
	if (done > 0 && in_off.v != 0)
		TRY(USER_OUT(in_off, &ioff));
	if (done > 0 && out_off.v != 0)
		TRY(USER_OUT(out_off, &ooff));
	return result(err, done);
}

long sys_splice(int in_fd, uaddr_t in_off, int out_fd, uaddr_t out_off, size_t len, unsigned flags)
{
	struct file *in, *out;
	long ret;

	if (len == 0)
		return 0;
	if ((flags & ~SPLICE_F_ALL) != 0)
		return E_INVAL;
	TRY(two_files(in_fd, out_fd, &in, &out));
	ret = splice_files(in, in_off, out, out_off, len < RW_MAX ? len : RW_MAX,
			   (flags & SPLICE_F_NONBLOCK) != 0);
	file_put(in);
	file_put(out);
	return ret;
}

long sys_tee(int in_fd, int out_fd, size_t len, unsigned flags)
{
	struct file *in, *out;
	size_t done;
	err_t err;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return E_INVAL;
	if (len == 0)
		return 0;
	TRY(two_files(in_fd, out_fd, &in, &out));
	err = splice_tee(in, out, len < RW_MAX ? len : RW_MAX, (flags & SPLICE_F_NONBLOCK) != 0,
			 &done);
	file_put(in);
	file_put(out);
	return result(err, done);
}

long sys_vmsplice(int fd, uaddr_t iov, unsigned n, unsigned flags)
{
	struct ubuf *alloc = NULL;
	struct file *f;
	size_t done = 0;
	struct uio u;
	err_t err;

	if ((flags & ~SPLICE_F_ALL) != 0)
		return E_INVAL;
	f = fd_get(fd);
	if (f == NULL)
		return E_BADF;
	err = uio_iovec(&u, iov, n, &alloc);
	if (err == OK) {
		err = splice_user(f, &u, (flags & SPLICE_F_NONBLOCK) != 0, &done);
		kmem_free(alloc);
	}
	file_put(f);
	return result(err, done);
}
