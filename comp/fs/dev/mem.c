/* SPDX-License-Identifier: BSD-2-Clause */
/* null, zero, full, random, urandom, kmsg. */
#include <linux/ioctl.h>
#include <linux/random.h>

#include "base/str.h"
#include "comp/fs/dev/local.h"
#include "kernel/core/core.h"
#include "kernel/mem/aspace.h"
#include "kernel/task/task.h"

#define BATCH     256u
#define ZERO_PART (1u << 20)

/* ---- null, zero, full ---- */

static err_t read_nothing(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	(void)f;
	(void)off;
	(void)to;
	*done = 0;
	return OK;
}

/* Taken and forgotten, without looking at the program's memory, as in Linux. */
static err_t write_away(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	(void)f;
	(void)off;
	*done = from->left;
	return OK;
}

static err_t read_zeros(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	(void)f;
	(void)off;
	*done = 0;
	while (to->left > 0) {
		TRY(uio_out_zero(to, to->left < ZERO_PART ? to->left : ZERO_PART, done));
		if (sched_breathe())
			break;
	}
	return OK;
}

static err_t write_full(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	(void)f;
	(void)off;
	*done = 0;
	return from->left > 0 ? E_NOSPC : OK;
}

/* Private: as anonymous memory (no object). Shared: fresh memory that the mapping's heirs share. */
static err_t map_zeros(struct file *f, uint64_t pgoff, uint64_t len, uint32_t flags,
		       struct vmobject **out)
{
	(void)f;
	*out = NULL;
	if ((flags & VM_SHARED) == 0)
		return OK;
	*out = anon_object_create(pgoff + (len + PAGE_MASK) / PAGE_SIZE);
	return *out != NULL ? OK : E_NOMEM;
}

/* Positions mean nothing, but seeking is allowed. */
static long seek_anywhere(struct file *f, int64_t off, int whence)
{
	(void)off;
	(void)whence;
	f->pos = 0;
	return 0;
}

static const struct file_ops null_ops = { .read = read_nothing,
					  .write = write_away,
					  .seek = seek_anywhere };
static const struct file_ops zero_ops = {
	.read = read_zeros, .write = write_away, .seek = seek_anywhere, .mmap = map_zeros
};
static const struct file_ops full_ops = { .read = read_zeros,
					  .write = write_full,
					  .seek = seek_anywhere };

/* ---- random, urandom: one generator, seeded before the first program runs ---- */

static err_t random_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	uint8_t buf[BATCH];

	(void)f;
	(void)off;
	*done = 0;
	while (to->left > 0) {
		size_t n = to->left < sizeof(buf) ? to->left : sizeof(buf);

		random_bytes(buf, n);
		TRY(uio_out(to, buf, n, done));
		if (sched_breathe())
			break;
	}
	return OK;
}

static err_t random_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	uint8_t buf[BATCH];

	(void)f;
	(void)off;
	*done = 0;
	while (from->left > 0) {
		size_t n = from->left < sizeof(buf) ? from->left : sizeof(buf), got = 0;
		err_t err = uio_in(from, buf, n, &got);

		random_mix(buf, got);
		*done += got;
		TRY(err);
		if (sched_breathe())
			break;
	}
	return OK;
}

static long random_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	int bits = RANDOM_POOL_BITS;

	(void)f;
	return cmd == RNDGETENTCNT ? USER_OUT(UADDR(arg), &bits) : E_NOTTY;
}

static const struct file_ops random_ops = {
	.read = random_read, .write = random_write, .ioctl = random_ioctl, .seek = seek_anywhere
};

/* ---- kmsg: what is written goes to the kernel's log ---- */

static err_t kmsg_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	char line[BATCH];
	size_t n = from->left < sizeof(line) - 1 ? from->left : sizeof(line) - 1, got = 0,
	       all = from->left;

	(void)f;
	(void)off;
	*done = 0;
	TRY(uio_in(from, line, n, &got));
	while (got > 0 && line[got - 1] == '\n')
		got--;
	line[got] = '\0';
	log_info("%s", line);
	*done = all; /* a longer line is cut, as one record */
	return OK;
}

static const struct file_ops kmsg_ops = { .write = kmsg_write, .seek = seek_anywhere };

/* ---- opening ---- */

static err_t mem_open(struct inode *i, struct file *f)
{
	switch (dev_minor(i->rdev)) {
	case MEM_NULL: f->ops = &null_ops; return OK;
	case MEM_ZERO: f->ops = &zero_ops; return OK;
	case MEM_FULL: f->ops = &full_ops; return OK;
	case MEM_RANDOM:
	case MEM_URANDOM: f->ops = &random_ops; return OK;
	case MEM_KMSG: f->ops = &kmsg_ops; return OK;
	default: return E_NXIO;
	}
}

err_t dev_mem_register(void)
{
	return device_register(MEM_MAJOR, 0, 256, mem_open);
}
