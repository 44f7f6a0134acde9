/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of <string.h> that privcall.h names, and what the compiler calls by itself. */
#include "privcall.h"

/*
 * By words, then what is left. The functions of numbers copy and clear some hundred bytes at once.
 */
void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;
	size_t words = n / 4, rest = n % 4;

	__asm__ volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(words)::"memory");
	if (rest != 0)
		__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest)::"memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if ((uintptr_t)t - (uintptr_t)f >= n)
		return memcpy(to, from, n);
	while (n-- > 0)
		t[n] = f[n];
	return to;
}

void *memset(void *p, int c, size_t n)
{
	void *at = p;
	size_t words = n / 4, rest = n % 4;
	uint32_t word = (uint32_t)(c & 0xff) * 0x01010101u;

	__asm__ volatile("rep stosl" : "+D"(at), "+c"(words) : "a"(word) : "memory");
	if (rest != 0)
		__asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(word) : "memory");
	return p;
}

void priv_zero(void *p, size_t bytes)
{
	memset(p, 0, bytes);
	__asm__ volatile("" ::"r"(p) : "memory");
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *p = a, *q = b;

	for (; n > 0; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *p, int c, size_t n)
{
	const unsigned char *s = p;

	for (; n > 0; n--, s++)
		if (*s == (unsigned char)c)
			return (void *)s;
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
	return strnlen(s, (size_t)-1);
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++)
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
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

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; *s != '\0' || n == 0; s++) {
		if (strncmp(s, what, n) == 0)
			return (char *)s;
		if (*s == '\0')
			break;
	}
	return NULL;
}

/* ---- 64-bit division on a 32-bit processor: libgcc's names, one bit at a time ---- */

uint64_t __udivmoddi4(uint64_t a, uint64_t b, uint64_t *rest);
uint64_t __udivmoddi4(uint64_t a, uint64_t b, uint64_t *rest)
{
	uint64_t q = 0, r = 0;

	if (b == 0)
		priv_abort();
	for (int i = 63; i >= 0; i--) {
		r = r << 1 | (a >> i & 1);
		if (r >= b) {
			r -= b;
			q |= 1ull << i;
		}
	}
	if (rest != NULL)
		*rest = r;
	return q;
}

uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b)
{
	return __udivmoddi4(a, b, NULL);
}

uint64_t __umoddi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b)
{
	uint64_t r;

	(void)__udivmoddi4(a, b, &r);
	return r;
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

int64_t __divdi3(int64_t a, int64_t b);
int64_t __divdi3(int64_t a, int64_t b)
{
	uint64_t q = __udivmoddi4(magnitude(a), magnitude(b), NULL);

	return (int64_t)((a < 0) != (b < 0) ? 0 - q : q);
}

int64_t __moddi3(int64_t a, int64_t b);
int64_t __moddi3(int64_t a, int64_t b)
{
	uint64_t r;

	(void)__udivmoddi4(magnitude(a), magnitude(b), &r);
	return (int64_t)(a < 0 ? 0 - r : r);
}
