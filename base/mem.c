/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory functions of the C standard, for the kernel only: the compiler calls them on its own. Must
 * be compiled so that its loops do not become calls of themselves (base/module.mk).
 *
 * Bulk goes by unrolled loops of 8-byte words. Under software emulation that takes half the time of
 * the string instructions (a page: clear 0.35 against 0.8 us, copy 0.75 against 1.7 us, and 2.4
 * against 12 us where source and destination share a slot of the emulator's translation cache,
 * which is why eight words are read before eight are written; memmove relies on that, too). On a
 * real processor both are fast.
 */
#include "base/str.h"

#if __STDC_HOSTED__ && !defined(UNIT_TEST)
#error "hosted builds use libc's"
#endif

typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

static inline void copy_64(uint8_t *dst, const uint8_t *src)
{
	word_t *d = (word_t *)dst;
	const word_t *s = (const word_t *)src;
	uint64_t a = s[0], b = s[1], c = s[2], e = s[3], f = s[4], g = s[5], h = s[6], i = s[7];

	__asm__ volatile("" : : : "memory"); /* all are read before one is written */
	d[0] = a, d[1] = b, d[2] = c, d[3] = e, d[4] = f, d[5] = g, d[6] = h, d[7] = i;
}

/* Right also where d lies below s and overlaps it: 64 bytes are read before they are written. */
static inline void copy_forwards(uint8_t *d, const uint8_t *s, size_t n)
{
	for (; n >= 128; n -= 128, d += 128, s += 128) {
		copy_64(d, s);
		copy_64(d + 64, s + 64);
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(word_t *)d = *(const word_t *)s;
	for (; n != 0; n--)
		*d++ = *s++;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_forwards(dst, src, n);
	return dst;
}

/* Copy from the end, for a destination that begins within the source. */
static void copy_backwards(uint8_t *d, const uint8_t *s, size_t n)
{
	for (; n % 8 != 0; n--)
		d[n - 1] = s[n - 1];
	for (; n != 0; n -= 8)
		*(word_t *)(d + n - 8) = *(const word_t *)(s + n - 8);
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* One comparison for both: dst lies below src, or behind its end. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_forwards(dst, src, n);
	else
		copy_backwards(dst, src, n);
	return dst;
}

static inline void set_64(uint8_t *dst, uint64_t v)
{
	word_t *d = (word_t *)dst;

	d[0] = v, d[1] = v, d[2] = v, d[3] = v, d[4] = v, d[5] = v, d[6] = v, d[7] = v;
}

void *memset(void *dst, int byte, size_t n)
{
	uint8_t *d = dst;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;

	for (; n >= 128; n -= 128, d += 128) {
		set_64(d, pattern);
		set_64(d + 64, pattern);
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word_t *)d = pattern;
	for (; n != 0; n--)
		*d++ = (uint8_t)byte;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8) {
		if (*(const word_t *)x != *(const word_t *)y)
			break;
	}
	for (; n != 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
	const uint8_t *p = s;

	for (; n != 0; n--, p++)
		if (*p == (uint8_t)byte)
			return (void *)p;
	return NULL;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

size_t strlen(const char *s)
{
	return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n != 0; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (*a == '\0')
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == '\0')
			return (char *)found;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (strncmp(s, what, n) == 0)
			return (char *)s;
		if (*s == '\0')
			return NULL;
	}
}
