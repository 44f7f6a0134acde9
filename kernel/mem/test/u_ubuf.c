/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checked ranges and lists of ranges. The program's memory is the test's own; a page that cannot be
 * touched ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/x86/x86.h"

#define BYTES 8192u

static uint8_t *user, *user_end;

/* ---- what is below: the copies, which stop where memory ends; and an allocator ---- */

static size_t reachable(uint64_t addr, size_t len)
{
	uint64_t end = (uint64_t)user_end;

	if (addr >= end && addr < end + PAGE_SIZE)
		return 0;
	return addr < end && addr + len > end ? end - addr : len;
}

size_t x86_copy_from_user(void *dst, uint64_t src, size_t len)
{
	size_t n = reachable(src, len);

	memcpy(dst, (const void *)src, n);
	return len - n;
}

size_t x86_copy_to_user(uint64_t dst, const void *src, size_t len)
{
	size_t n = reachable(dst, len);

	memcpy((void *)dst, src, n);
	return len - n;
}

size_t x86_zero_user(uint64_t dst, size_t len)
{
	size_t n = reachable(dst, len);

	memset((void *)dst, 0, n);
	return len - n;
}

void *kmem_alloc(size_t size)
{
	return malloc(size);
}

void kmem_free(void *p)
{
	free(p);
}

void panic(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

/* ---- tests ---- */

static uaddr_t at(const void *p)
{
	return UADDR((uint64_t)p);
}

static void ranges(void **ctx)
{
	struct ubuf b;
	uint8_t byte;

	(void)ctx;
	assert_int_equal(ubuf_make(&b, UADDR(USER_END), 0), OK);
	assert_int_equal(ubuf_make(&b, UADDR(USER_END), 1), E_FAULT);
	assert_int_equal(ubuf_make(&b, UADDR(USER_END - 1), 1), OK);
	assert_int_equal(ubuf_make(&b, UADDR(UINT64_MAX), 2), E_FAULT);
	assert_int_equal(ubuf_make(&b, UADDR(16), UINT64_MAX), E_FAULT);
	assert_int_equal(ubuf_make(&b, UADDR(0xffff800000000000), 8), E_FAULT);
	assert_int_equal(user_in(&byte, UADDR(0xffff800000000000), 1), E_FAULT);
	assert_int_equal(user_out(UADDR(0xffff800000000000), &byte, 1), E_FAULT);
	assert_int_equal(user_zero(UADDR(0xffff800000000000), 1), E_FAULT);
	user[100] = 42;
	assert_int_equal(ubuf_make(&b, at(user), 200), OK);
	assert_int_equal(ubuf_in(&byte, &b, 100, 1), OK);
	assert_int_equal(byte, 42);
	byte = 43;
	assert_int_equal(ubuf_out(&b, 199, &byte, 1), OK);
	assert_int_equal(user[199], 43);
	assert_int_equal(user_in(&byte, at(user_end), 1), E_FAULT);
}

static void strings(void **ctx)
{
	char s[300], *copy;

	(void)ctx;
	for (unsigned len = 0; len < 200; len++) {
		for (unsigned shift = 0; shift < 70; shift += 7) {
			char *src = (char *)user + PAGE_SIZE - shift;

			memset(user, 'x', BYTES);
			memset(src, 'a', len);
			src[len] = '\0';
			assert_int_equal(user_string(s, at(src), sizeof(s)), OK);
			assert_string_equal(s, src);
			assert_int_equal(user_string(s, at(src), len + 1), OK);
			assert_int_equal(user_string(s, at(src), len), E_NAMETOOLONG);
			assert_int_equal(user_strdup(&copy, at(src), len + 1), OK);
			assert_string_equal(copy, src);
			kmem_free(copy);
			assert_int_equal(user_strdup(&copy, at(src), len), E_2BIG);
		}
	}
	memcpy(user_end - 4, "abc", 4);
	assert_int_equal(user_string(s, at(user_end - 4), sizeof(s)),
			 OK); /* nothing behind it is touched */
	assert_string_equal(s, "abc");
	user_end[-1] = 'd';
	assert_int_equal(user_string(s, at(user_end - 4), sizeof(s)), E_FAULT);
	assert_int_equal(user_strdup(&copy, at(user_end - 4), 100), E_FAULT);
	assert_int_equal(user_string(s, UADDR(0xffff800000000000), sizeof(s)), E_FAULT);
}

static void one_range(void **ctx)
{
	struct uio u;
	size_t done = 0;
	char k[64];

	(void)ctx;
	memcpy(user, "0123456789", 10);
	assert_int_equal(uio_user(&u, at(user), 10), OK);
	assert_int_equal(uio_in(&u, k, 4, &done), OK);
	assert_int_equal(done, 4);
	assert_int_equal(u.left, 6);
	assert_int_equal(uio_in(&u, k + 4, 60, &done), OK); /* added to what was done before */
	assert_int_equal(done, 10);
	assert_memory_equal(k, "0123456789", 10);
	assert_int_equal(uio_in(&u, k, 1, &done), OK);
	assert_int_equal(done, 10);
	done = 0;
	assert_int_equal(uio_user(&u, at(user_end - 3), 10), OK);
	assert_int_equal(uio_out(&u, "abcdef", 6, &done), E_FAULT);
	assert_int_equal(done, 3);
	assert_int_equal(u.left, 7);
	assert_int_equal(uio_user(&u, UADDR(0xffff800000000000), 1), E_FAULT);
	uio_kernel(&u, k, sizeof(k));
	assert_int_equal(uio_out(&u, "xyz", 3, NULL), OK);
	assert_int_equal(uio_out_zero(&u, 2, NULL), OK);
	assert_memory_equal(k, "xyz\0\0", 5);
	assert_int_equal(u.left, sizeof(k) - 5);
}

static void many_ranges(void **ctx)
{
	static struct {
		uint64_t base, len;
	} iov[UIO_MAX_SEGS + 1];
	struct ubuf *alloc;
	struct uio u;
	size_t done = 0;
	char k[100];

	(void)ctx;
	memset(user, 0, BYTES);
	for (unsigned i = 0; i < 10; i++) { /* every second one is empty */
		iov[i].base = (uint64_t)user + i * 100;
		iov[i].len = i % 2 ? 7 : 0;
	}
	assert_int_equal(uio_iovec(&u, at(iov), 10, &alloc), OK);
	assert_int_equal(u.left, 35);
	for (unsigned i = 0; i < 35; i++)
		k[i] = (char)('a' + i);
	assert_int_equal(uio_out(&u, k, 10, &done), OK);
	assert_int_equal(uio_out_zero(&u, 1, &done), OK);
	assert_int_equal(uio_out(&u, k + 11, 50, &done), OK);
	assert_int_equal(done, 35);
	kmem_free(alloc);
	k[10] = 0;
	for (unsigned i = 0; i < 5; i++)
		assert_memory_equal(user + (2 * i + 1) * 100, k + i * 7, 7);
	assert_int_equal(uio_iovec(&u, at(iov), 0, &alloc), OK);
	assert_int_equal(u.left, 0);
	assert_int_equal(uio_iovec(&u, at(iov), UIO_MAX_SEGS + 1, &alloc), E_INVAL);
	assert_int_equal(uio_iovec(&u, at(user_end - 16), 2, &alloc), E_FAULT);
	iov[1].len = UINT64_MAX;
	assert_int_equal(uio_iovec(&u, at(iov), 2, &alloc), E_INVAL);
	iov[1].len = 1;
	iov[1].base = 0xffff800000000000;
	assert_int_equal(uio_iovec(&u, at(iov), 2, &alloc), E_FAULT);
	iov[0].base = iov[1].base = 0x1000;
	iov[0].len = iov[1].len = 0x60000000;
	assert_int_equal(uio_iovec(&u, at(iov), 2, &alloc), OK);
	assert_int_equal(u.left, 0x7ffff000);
	kmem_free(alloc);
	iov[0].base = (uint64_t)user;
	iov[0].len = 5;
	assert_int_equal(uio_iovec(&u, at(iov), 1, &alloc), OK);
	assert_null(alloc);
	done = 0;
	assert_int_equal(uio_out(&u, "hello world", 11, &done), OK);
	assert_int_equal(done, 5);
}

static int start(void **ctx)
{
	(void)ctx;
	user = mmap(NULL, BYTES + PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	user_end = user + BYTES;
	return user == MAP_FAILED ? -1 : mprotect(user_end, PAGE_SIZE, PROT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(strings),
		cmocka_unit_test(one_range),
		cmocka_unit_test(many_ranges),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
