/* SPDX-License-Identifier: BSD-2-Clause */
/* eventfd(2): a counter that is read to zero (or by ones) and added to. */
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/vfs/poll.h"

/* As the system call has them; Linux keeps them out of its user headers. */
#define FLAG_SEMAPHORE 1u
#define FLAGS_ALL      (FLAG_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)

struct eventfd {
	uint64_t count; /* never above COUNT_MAX */
	bool semaphore;
	struct waitq readers, writers;
};
#define COUNT_MAX (UINT64_MAX - 1)

static err_t eventfd_wait(struct waitq *q, const struct file *f)
{
	if (f->flags & O_NONBLOCK)
		return E_AGAIN;
	return wait_on(q, WAIT_FOREVER, true) == WAIT_SIGNAL ? E_RESTARTSYS : OK;
}

static err_t eventfd_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct eventfd *e = f->priv;
	uint64_t value;

	(void)off;
	if (to->left < sizeof(value))
		return E_INVAL;
	while (e->count == 0)
		TRY(eventfd_wait(&e->readers, f));
	value = e->semaphore ? 1 : e->count;
	e->count -= value;
	wake_all(&e->writers);
	return uio_out(to, &value, sizeof(value), done);
}

static err_t eventfd_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct eventfd *e = f->priv;
	uint64_t value;
	size_t got = 0;

	(void)off;
	if (from->left < sizeof(value))
		return E_INVAL;
	TRY(uio_in(from, &value, sizeof(value), &got));
	if (value == UINT64_MAX)
		return E_INVAL;
	while (value > COUNT_MAX - e->count)
		TRY(eventfd_wait(&e->writers, f));
	e->count += value;
	*done += got;
	wake_all(&e->readers);
	return OK;
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *t)
{
	struct eventfd *e = f->priv;

	poll_wait_for(t, &e->readers, EPOLLIN | EPOLLRDNORM);
	poll_wait_for(t, &e->writers, EPOLLOUT | EPOLLWRNORM);
	return (e->count > 0 ? EPOLLIN : 0) | (e->count < COUNT_MAX ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
	kmem_free(f->priv);
}

static void eventfd_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:[eventfd]");
}

static void eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	const struct eventfd *e = f->priv;

	fmt_snprintf(buf, size, "eventfd-count: %16llx\n", (unsigned long long)e->count);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.name = eventfd_name,
	.fdinfo = eventfd_fdinfo,
	.seek = file_seek_nowhere,
	.stream = true,
};

err_t eventfd_create(uint64_t initial, unsigned flags, struct file **out)
{
	struct eventfd *e;

	if ((flags & ~FLAGS_ALL) != 0)
		return E_INVAL;
	e = kmem_zalloc(sizeof(*e));
	if (e == NULL)
		return E_NOMEM;
	e->count = initial;
	e->semaphore = (flags & FLAG_SEMAPHORE) != 0;
	waitq_init(&e->readers);
	waitq_init(&e->writers);
	*out = file_create(&eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK), 0600);
	if (*out == NULL) {
		kmem_free(e);
		return E_NOMEM;
	}
	return OK;
}
