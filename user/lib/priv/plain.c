/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runtime of a private part as ordinary code for plain Linux: for developing, not for secrets.
 */
#include "privcall.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma GCC visibility push(hidden)

int priv_copy_in(void *to, priv_uaddr from, size_t bytes)
{
	struct iovec ours = { to, bytes }, theirs = { (void *)(uintptr_t)from, bytes };

	return process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

int priv_copy_out(priv_uaddr to, const void *from, size_t bytes)
{
	struct iovec ours = { (void *)from, bytes }, theirs = { (void *)(uintptr_t)to, bytes };

	return process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0) == (ssize_t)bytes ? 0 : -EFAULT;
}

void *priv_malloc(size_t bytes)
{
	return malloc(bytes);
}

void *priv_calloc(size_t n, size_t bytes)
{
	return calloc(n, bytes);
}

void priv_zero(void *p, size_t bytes)
{
	memset(p, 0, bytes);
	__asm__ volatile("" ::"r"(p) : "memory");
}

void priv_free(void *p)
{
	if (p != NULL)
		priv_zero(p, malloc_usable_size(p));
	free(p);
}

int priv_random(void *to, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = getrandom(to, bytes, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			to = (char *)to + n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

int priv_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

int priv_read(int file, void *to, size_t bytes)
{
	ssize_t n = read(file, to, bytes < 0x7fffffff ? bytes : 0x7fffffff);

	return n < 0 ? -errno : (int)n;
}

int priv_close(int file)
{
	return close(file) != 0 ? -errno : 0;
}

static int read_file(int file, size_t max, uint8_t *to, size_t *bytes)
{
	size_t done = 0;

	while (done <= max) {
		int n = priv_read(file, to + done, max + 1 - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*bytes = done;
	return done > max ? -EFBIG : 0;
}

int priv_read_file(const char *path, size_t max, void **data, size_t *bytes)
{
	int file = priv_open(path), err;
	uint8_t *to;

	if (file < 0)
		return file;
	to = malloc(max + 1);
	err = to != NULL ? read_file(file, max, to, bytes) : -ENOMEM;
	(void)priv_close(file);
	if (err == 0) {
		to[*bytes] = 0;
		*data = to;
	} else {
		free(to);
	}
	return err;
}

void priv_lock(priv_lock_t *l)
{
	while (__atomic_exchange_n(&l->word, 1, __ATOMIC_ACQUIRE) != 0)
		sched_yield();
}

void priv_unlock(priv_lock_t *l)
{
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}

void priv_abort(void)
{
	abort();
}
