/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lwIP needs of its surroundings (port.c). It is included by lwIP's own sources, where names
 * of the kernel mean something else (err_t): nothing of the kernel is included here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_LIMITS_H                      1
#define LWIP_NO_INTTYPES_H                    1
#define LWIP_NO_CTYPE_H                       1
#define LWIP_NO_UNISTD_H                      1
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1
#define LWIP_ERRNO_STDINCLUDE                 0
#define SSIZE_MAX                             INT64_MAX
typedef ptrdiff_t ssize_t;

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#define htonl(x)      __builtin_bswap32(x) /* a slip in nd6.c */

void *net_alloc(size_t size);
void *net_calloc(size_t n, size_t size);
void net_free(void *p);
uint32_t net_rand(void);
uint16_t net_checksum(const void *data, int len);
__attribute__((noreturn)) void net_assert_failed(const char *what, const char *file, int line);

#define LWIP_RAND()             net_rand()
#define LWIP_CHKSUM             net_checksum
#define LWIP_PLATFORM_DIAG(x)   ((void)0)
#define LWIP_PLATFORM_ASSERT(x) net_assert_failed(x, __FILE__, __LINE__)
/* Arguments that lwIP checks itself: the call fails. */
#define LWIP_ERROR(message, expression, handler) \
	do {                                     \
		if (!(expression)) {             \
			handler;                 \
		}                                \
	} while (0)
