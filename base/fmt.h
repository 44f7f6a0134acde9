/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted text, as printf: d i u x X o c s p %, flags - 0 # + and blank, width and precision
 * (numbers or *), lengths hh h l ll z j t. %p prints 0x and hexadecimal digits, also for NULL; %s
 * of NULL prints "(null)". No floating point, no %n. A conversion that is not known is printed as
 * it stands.
 */
#pragma once

#include <stdarg.h>

#include "abi/types.h"

/* Takes one character of the output. */
typedef void (*fmt_put_fn)(void *ctx, char c);

/* Print through `put`; answers how many characters that were. */
size_t fmt_vprint(fmt_put_fn put, void *ctx, const char *format, va_list args) PRINTF(3, 0);
size_t fmt_print(fmt_put_fn put, void *ctx, const char *format, ...) PRINTF(3, 4);

/*
 * Print into a buffer of `size` bytes, ended by a NUL (unless size is 0; then buf may be NULL).
 * Answers the length that the whole text has without the NUL: it was cut off if that is >= size.
 */
size_t fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args) PRINTF(3, 0);
size_t fmt_snprintf(char *buf, size_t size, const char *format, ...) PRINTF(3, 4);
