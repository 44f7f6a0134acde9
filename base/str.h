/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and strings. In the kernel these are the real symbols (the compiler calls memcpy, memmove,
 * memset and memcmp on its own); in hosted builds (tool, unit tests) libc has them, and only what
 * is ours is added.
 */
#pragma once

#include "abi/types.h"

#if __STDC_HOSTED__
#include <string.h>
#else
/* As in the C standard. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
#endif

/*
 * Copy a string into a buffer of `size` bytes (at least 1), always ending it with a NUL.
 * True if all of it fitted; else dst holds the first size - 1 bytes.
 */
bool str_copy(char *dst, size_t size, const char *src);

/* Does `s` begin with `prefix`? */
bool str_starts(const char *s, const char *prefix);

/*
 * Read an unsigned number: the whole string, digits of `base` (2 to 36; 0: by prefix 0x, 0 or
 * none), no sign, no blanks. False, with *out untouched: empty, another character in it, or above
 * UINT64_MAX.
 */
bool str_to_u64(const char *s, unsigned base, uint64_t *out) MUST_CHECK;

/* As str_to_u64, but stops at the first character that is no digit and points *end at it (at least
 * one digit). */
bool str_parse_u64(const char *s, unsigned base, uint64_t *out, const char **end) MUST_CHECK;

/*
 * Does `s` match the pattern? `*` stands for any characters, `?` for one; everything else for
 * itself.
 */
bool str_match(const char *pattern, const char *s);
