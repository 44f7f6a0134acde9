/* SPDX-License-Identifier: BSD-2-Clause */
/* What every private part has: system calls, copies from and to ring 3, files, locks. */
#include "privcall.h"

#include "abi/privuser.h"
#include "image.h"

#define EFLAGS_AC 0x40000

#define EFAULT_ 14
#define ENOMEM_ 12
#define EFBIG_  27
#define EBUSY_  16

struct priv_places priv_places_;

static inline long call4(uint32_t nr, uint32_t b, uint32_t c, uint32_t d, uint32_t s)
{
	long r = (long)nr;

	__asm__ volatile("int $0x80" : "+a"(r) : "b"(b), "c"(c), "d"(d), "S"(s) : "memory");
	return r;
}

/* ---- start: call 1 ---- */

/*
 * Where everything lies, the kernel says: ring 3 could name a window that reaches into PrivUser,
 * and have this part copy its own memory out.
 */
long privw_start_(void);
long privw_start_(void)
{
	if (priv_places_.heap != 0)
		return -EBUSY_;
	return call4(PRIVUSER_PLACES, (uint32_t)&priv_places_, 0, 0, 0);
}

static long (*const start_entry)(void)
	__attribute__((used, section(".privcalls.first"))) = privw_start_;

/* ---- copies ---- */

static int in_window(priv_uaddr at, size_t bytes)
{
	return at >= priv_places_.window && at <= priv_places_.window_end &&
	       bytes <= priv_places_.window_end - at;
}

/* With SMAP lifted, for these instructions only. */
static void copy_open(void *to, const void *from, size_t bytes)
{
	__asm__ volatile("pushfl\n\torl %3, (%%esp)\n\tpopfl\n\t"
			 "rep movsb\n\t"
			 "pushfl\n\tandl %4, (%%esp)\n\tpopfl"
			 : "+D"(to), "+S"(from), "+c"(bytes)
			 : "i"(EFLAGS_AC), "i"(~EFLAGS_AC)
			 : "memory", "cc");
}

static int copy_far(uint32_t nr, const void *ours, priv_uaddr theirs, size_t bytes)
{
	return (int)call4(nr, (uint32_t)ours, bytes, (uint32_t)theirs, (uint32_t)(theirs >> 32));
}

int priv_copy_in(void *to, priv_uaddr from, size_t bytes)
{
	if (!in_window(from, bytes))
		return copy_far(PRIVUSER_COPY_IN, to, from, bytes);
	copy_open(to, (const void *)(uint32_t)from, bytes);
	return 0;
}

int priv_copy_out(priv_uaddr to, const void *from, size_t bytes)
{
	if (!in_window(to, bytes))
		return copy_far(PRIVUSER_COPY_OUT, from, to, bytes);
	copy_open((void *)(uint32_t)to, from, bytes);
	return 0;
}

/* ---- the rest of the kernel's services ---- */

int priv_random(void *to, size_t bytes)
{
	return (int)call4(PRIVUSER_RANDOM, (uint32_t)to, bytes, 0, 0);
}

int priv_open(const char *path)
{
	return (int)call4(PRIVUSER_OPEN, (uint32_t)path, 0, 0, 0);
}

int priv_read(int file, void *to, size_t bytes)
{
	return (int)call4(PRIVUSER_READ, (uint32_t)file, (uint32_t)to, bytes, 0);
}

int priv_close(int file)
{
	return (int)call4(PRIVUSER_CLOSE, (uint32_t)file, 0, 0, 0);
}

static int file_size(int file)
{
	return (int)call4(PRIVUSER_SIZE, (uint32_t)file, 0, 0, 0);
}

void priv_abort(void)
{
	for (;;)
		(void)call4(PRIVUSER_ABORT, 0, 0, 0, 0);
}

static int read_all(int file, uint8_t *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		int n = priv_read(file, to + done, bytes - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int)done;
}

/* Read up to `max` bytes and one more, which must not be there. */
static int read_file(int file, size_t max, void **data, size_t *bytes)
{
	int size = file_size(file), n;
	size_t room;
	uint8_t *to;

	if (size < 0)
		return size;
	room = (size_t)size < max ? (size_t)size : max;
	to = priv_malloc(room + 1);
	if (to == NULL)
		return -ENOMEM_;
	n = read_all(file, to, room + 1);
	if (n >= 0 && (size_t)n <= room) {
		to[n] = 0;
		*data = to;
		*bytes = (size_t)n;
		return 0;
	}
	priv_free(to);
	return n < 0 ? n : -EFBIG_;
}

int priv_read_file(const char *path, size_t max, void **data, size_t *bytes)
{
	int file = priv_open(path), err;

	if (file < 0)
		return file;
	err = read_file(file, max, data, bytes);
	(void)priv_close(file);
	return err;
}

/* ---- locks ---- */

/* A holder that was preempted must run to let go. */
void priv_lock(priv_lock_t *l)
{
	while (__atomic_exchange_n(&l->word, 1, __ATOMIC_ACQUIRE) != 0)
		(void)call4(PRIVUSER_YIELD, 0, 0, 0, 0);
}

void priv_unlock(priv_lock_t *l)
{
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}
