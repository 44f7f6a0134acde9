/* SPDX-License-Identifier: BSD-2-Clause */
/* The types that must not be mixed up. Data only; used by kernel, nested kernel, tool and tests. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the standard has it, and gcc: of type int. clang's are unsigned. */
#undef UINT8_MAX
#define UINT8_MAX 255
#undef UINT16_MAX
#define UINT16_MAX 65535

typedef struct { uint64_t v; } paddr_t; /* physical address */
/* a program's address: a number until ubuf has checked it */
typedef struct { uint64_t v; } uaddr_t;

#define PADDR_NONE ((paddr_t){ UINT64_MAX })
#define PADDR(x)   ((paddr_t){ (uint64_t)(x) })
#define UADDR(x)   ((uaddr_t){ (uint64_t)(x) })

static inline bool paddr_is_none(paddr_t pa)
{
	return pa.v == UINT64_MAX;
}

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (PAGE_SIZE - 1)
#define CHUNK_SHIFT 21
#define CHUNK_SIZE  (1ull << CHUNK_SHIFT)
#define CHUNK_FRAMES 512u

/* In the type of x, so that a narrower `a` cannot cut it. */
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__((x) + 0))(a) - 1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + ((__typeof__((x) + 0))(a) - 1), a)
#define ARRAY_SIZE(a)    (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN   __attribute__((noreturn))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED     __attribute__((unused))
/* Other threads of this core may run before the function returns. */
#define MAY_SWITCH
