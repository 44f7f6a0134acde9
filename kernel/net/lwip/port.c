/* SPDX-License-Identifier: BSD-2-Clause */
/* What lwIP needs of its surroundings: arch/cc.h and hooks.h. */
#include "base/hash.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/lwip/lwip.h"
#include "kernel/task/task.h"
#include "kernel/x86/x86.h"

void *net_alloc(size_t size)
{
	return kmem_alloc(size);
}

void *net_calloc(size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kmem_zalloc(bytes);
}

void net_free(void *p)
{
	kmem_free(p);
}

uint32_t net_rand(void)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

void net_assert_failed(const char *what, const char *file, int line)
{
	panic("lwIP: %s, at %s:%d", what, file, line);
}

u32_t sys_now(void)
{
	return (u32_t)(time_mono_ns() / 1000000);
}

/* The sum that RFC 1071 describes, in the order of the bytes in memory, not complemented. */
uint16_t net_checksum(const void *data, int len)
{
	const uint8_t *p = data;
	uint64_t sum = 0;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;

		__builtin_memcpy(&v, p, sizeof(v));
		sum += v;
		sum += sum < v;
	}
	for (; len >= 2; len -= 2, p += 2) {
		uint64_t v = p[0] | (uint64_t)p[1] << 8;

		sum += v;
		sum += sum < v;
	}
	if (len > 0) {
		sum += p[0];
		sum += sum < p[0];
	}
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}
