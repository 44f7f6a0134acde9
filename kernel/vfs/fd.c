/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor tables: an array of files with two bit maps (in use, close on exec). They grow by
 * doubling up to the limit RLIMIT_NOFILE and never shrink, as on Linux. A bit of `used` is set
 * exactly when its file is there.
 */
#include <linux/fcntl.h>

#include "base/bitmap.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/internal.h"
#include "kernel/vfs/lock.h"

#define FD_FIRST 64u        /* a multiple of BITMAP_BITS, as all sizes are */
#define FD_LIMIT (1u << 20) /* as fs.nr_open */

/* How many descriptors so many bytes hold: a pointer and two bits for each. */
static uint32_t fitting(size_t bytes)
{
	return (uint32_t)(bytes * 8 / (8 * sizeof(struct file *) + 2)) & ~(BITMAP_BITS - 1);
}

/*
 * Objects are powers of two in size: a table has as many descriptors as fill one. Else the bit
 * maps would double what 2^n descriptors take.
 */
static uint32_t size_above(uint32_t fd)
{
	size_t bytes = 2048;

	while (fitting(bytes) <= fd)
		bytes *= 2;
	return fitting(bytes);
}

/* Arrays for `size` descriptors in one block. */
static err_t table_alloc(struct fdtable *t, uint32_t size)
{
	size_t words = BITMAP_WORDS(size);
	char *block = kmem_zalloc(size * sizeof(struct file *) + 2 * words * sizeof(uint64_t));

	if (block == NULL)
		return E_NOMEM;
	t->size = size;
	t->files = (struct file **)block;
	t->used = (uint64_t *)(block + size * sizeof(struct file *));
	t->cloexec = t->used + words;
	return OK;
}

static err_t table_grow(struct fdtable *t, uint32_t fd)
{
	struct fdtable big = *t;

	TRY(table_alloc(&big, size_above(fd)));
	memcpy(big.files, t->files, t->size * sizeof(struct file *));
	memcpy(big.used, t->used, t->size / 8);
	memcpy(big.cloexec, t->cloexec, t->size / 8);
	kmem_free(t->files);
	*t = big;
	return OK;
}

static struct fdtable *table_create(uint32_t size)
{
	struct fdtable *t = kmem_zalloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	t->refs = 1;
	if (table_alloc(t, size) != OK) {
		kmem_free(t);
		return NULL;
	}
	return t;
}

struct fdtable *fdtable_create(void)
{
	return table_create(FD_FIRST);
}

struct fdtable *fdtable_clone(const struct fdtable *from)
{
	struct fdtable *t = table_create(from->size);

	if (t == NULL)
		return NULL;
	t->low = from->low;
	memcpy(t->used, from->used, from->size / 8);
	memcpy(t->cloexec, from->cloexec, from->size / 8);
	for (size_t fd = 0; (fd = bitmap_find_set(t->used, fd, t->size)) != BITMAP_NONE; fd++)
		t->files[fd] = file_get(from->files[fd]);
	return t;
}

struct fdtable *fdtable_get(struct fdtable *t)
{
	t->refs++;
	return t;
}

uint32_t fdtable_refs(const struct fdtable *t)
{
	return t->refs;
}

/* What closing one descriptor of a file means, whether or not others stay open. */
static void close_file(struct fdtable *t, struct file *f)
{
	if (f->ops != NULL && f->ops->flush != NULL)
		f->ops->flush(f);
	if (f->dnotifies != 0)
		dnotify_close(f, t);
	lock_close_posix(f, t);
	file_put(f);
}

/* Take a file out of the table; NULL when the descriptor is free. */
static struct file *table_take(struct fdtable *t, uint32_t fd)
{
	struct file *f = fd < t->size ? t->files[fd] : NULL;

	if (f == NULL)
		return NULL;
	t->files[fd] = NULL;
	bitmap_clear(t->used, fd);
	bitmap_clear(t->cloexec, fd);
	if (fd < t->low)
		t->low = fd;
	return f;
}

static void table_put(struct fdtable *t, uint32_t fd, struct file *f, bool cloexec)
{
	t->files[fd] = f;
	bitmap_set(t->used, fd);
	bitmap_assign(t->cloexec, fd, cloexec);
}

void fdtable_put(struct fdtable *t)
{
	BUG_ON(t->refs == 0);
	if (--t->refs > 0)
		return;
	for (size_t fd = 0; (fd = bitmap_find_set(t->used, fd, t->size)) != BITMAP_NONE; fd++)
		close_file(t, table_take(t, (uint32_t)fd));
	kmem_free(t->files);
	kmem_free(t);
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (size_t fd = 0; (fd = bitmap_find_set(t->cloexec, fd, t->size)) != BITMAP_NONE; fd++)
		close_file(t, table_take(t, (uint32_t)fd));
}

/* ---- descriptors of the current task ---- */

static struct fdtable *table_now(void)
{
	return current_task->files;
}

static uint32_t fd_limit(void)
{
	uint64_t limit = current_task->rlimit[RLIMIT_NOFILE].rlim_cur;

	return limit < FD_LIMIT ? (uint32_t)limit : FD_LIMIT;
}

struct file *fd_get_raw(int fd)
{
	return current != NULL ? fdtable_file(table_now(), fd) : NULL;
}

/* Lowest free descriptor >= min, with room in the table. */
static err_t find_free(struct fdtable *t, uint32_t min, uint32_t *out)
{
	uint32_t from = min > t->low ? min : t->low;
	size_t fd = bitmap_find_clear(t->used, from, t->size);

	if (fd == BITMAP_NONE)
		fd = from > t->size ? from : t->size;
	if (fd >= fd_limit())
		return E_MFILE;
	if (fd >= t->size)
		TRY(table_grow(t, (uint32_t)fd));
	*out = (uint32_t)fd;
	if (min <= t->low)
		t->low = (uint32_t)fd; /* the caller takes it: the next search starts there */
	return OK;
}

err_t fd_install(struct file *f, int min, bool cloexec, int *fd)
{
	struct fdtable *t = table_now();
	uint32_t n;

	if (min < 0 || (uint32_t)min >= fd_limit())
		return min > 0 ? E_INVAL : E_MFILE; /* F_DUPFD beyond the limit; no descriptors
						       allowed at all */
	TRY(find_free(t, (uint32_t)min, &n));
	table_put(t, n, f, cloexec);
	*fd = (int)n;
	return OK;
}

err_t fd_install_in(struct fdtable *t, struct file *f, int fd, bool cloexec)
{
	struct file *old;

	if (fd < 0 || (uint32_t)fd >= FD_LIMIT)
		return E_BADF;
	if ((uint32_t)fd >= t->size)
		TRY(table_grow(t, (uint32_t)fd));
	old = table_take(t, (uint32_t)fd);
	table_put(t, (uint32_t)fd, f, cloexec);
	if (old != NULL)
		close_file(t, old);
	return OK;
}

/* The same for a program that goes on: it may have to wait. MAY_SWITCH */
static void close_and_linger(struct fdtable *t, struct file *f)
{
	if (f->refs == 1 && f->ops != NULL && f->ops->linger != NULL)
		f->ops->linger(f);
	close_file(t, f);
}

err_t fd_close(int fd)
{
	struct fdtable *t = table_now();
	struct file *f = fd >= 0 ? table_take(t, (uint32_t)fd) : NULL;

	if (f == NULL)
		return E_BADF;
	close_and_linger(t, f);
	return OK;
}

err_t fd_close_range(unsigned first, unsigned last, bool cloexec_only)
{
	struct fdtable *t = table_now();
	size_t end;

	if (first > last)
		return E_INVAL;
	end = last < t->size ? (size_t)last + 1 : t->size;
	for (size_t fd = first; fd < end && (fd = bitmap_find_set(t->used, fd, end)) != BITMAP_NONE;
	     fd++) {
		if (cloexec_only)
			bitmap_set(t->cloexec, fd);
		else
			close_and_linger(t, table_take(t, (uint32_t)fd));
	}
	return OK;
}

err_t fd_dup2(int oldfd, int newfd, bool cloexec, bool same_ok)
{
	struct file *f = fd_get_raw(oldfd);
	err_t err;

	if (f == NULL)
		return E_BADF;
	if (newfd == oldfd) {
		file_put(f);
		return same_ok ? OK : E_INVAL;
	}
	if (newfd < 0 || (uint32_t)newfd >= fd_limit())
		err = E_BADF;
	else
		err = fd_install_in(table_now(), f, newfd, cloexec);
	if (err != OK)
		file_put(f);
	return err;
}

static bool fd_used(int fd)
{
	return fd >= 0 && (uint32_t)fd < table_now()->size && table_now()->files[fd] != NULL;
}

bool fd_get_cloexec(int fd)
{
	return fd_used(fd) && bitmap_test(table_now()->cloexec, (size_t)fd);
}

err_t fd_set_cloexec(int fd, bool on)
{
	if (!fd_used(fd))
		return E_BADF;
	bitmap_assign(table_now()->cloexec, (size_t)fd, on);
	return OK;
}

int fdtable_next(struct fdtable *t, int fd)
{
	size_t next;

	if (t == NULL || fd < 0 || (uint32_t)fd >= t->size)
		return -1;
	next = bitmap_find_set(t->used, (size_t)fd, t->size);
	return next == BITMAP_NONE ? -1 : (int)next;
}
