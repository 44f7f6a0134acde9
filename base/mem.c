/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory functions of the C standard, for the kernel only: the compiler calls them on its own. Bulk
 * goes by string instructions of 8 bytes, the rest by byte. Must be compiled so that its loops do
 * not become calls of themselves (base/module.mk). The direction flag is clear, as everywhere in C.
 */
#include "base/str.h"

#if __STDC_HOSTED__ && !defined(UNIT_TEST)
#error "hosted builds use libc's"
#endif

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;
	size_t words = n / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	for (n %= 8; n != 0; n--)
		*d++ = *s++;
	return dst;
}

/* Copy from the end, for a destination that begins within the source. */
static void copy_backwards(uint8_t *d, const uint8_t *s, size_t n)
{
	for (; n % 8 != 0; n--)
		d[n - 1] = s[n - 1];
	for (; n != 0; n -= 8) {
		uint64_t word;

		__builtin_memcpy(&word, s + n - 8, 8);
		__builtin_memcpy(d + n - 8, &word, 8);
	}
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n); /* forwards is right: dst is below src, or behind it */
	copy_backwards(dst, src, n);
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	uint8_t *d = dst;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
	size_t words = n / 8;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	for (n %= 8; n != 0; n--)
		*d++ = (uint8_t)byte;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8) {
		uint64_t u, v;

		__builtin_memcpy(&u, x, 8);
		__builtin_memcpy(&v, y, 8);
		if (u != v)
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
