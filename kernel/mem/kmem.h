/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel objects: slabs by size class over frames; large ones whole blocks. */
#pragma once

#include "abi/types.h"

/*
 * NULL when out of memory, and for more than KMEM_MAX bytes. kmem_free(NULL) is allowed. Not zeroed
 * unless the name says so. Aligned to 16 bytes at least. Larger than 2 KiB takes a power of two of
 * whole frames.
 */
#define KMEM_MAX (1024u * 1024u)
void *kmem_alloc(size_t size);
void *kmem_zalloc(size_t size);
void *kmem_alloc_aligned(size_t size, size_t align);
void *kmem_realloc(void *p, size_t size); /* NULL: p still stands */
void kmem_free(void *p);
char *kmem_strdup(const char *s);
char *kmem_strndup(const char *s, size_t n);

/*
 * What the kernel's objects take: size classes, then blocks of 4 KiB to KMEM_MAX. Looks at every
 * frame that is online.
 */
#define KMEM_SIZES 22u
struct kmem_usage {
	uint32_t size;   /* bytes of an object at most */
	uint32_t used;   /* objects */
	uint32_t frames; /* that they and their free neighbours lie in */
};
void kmem_usage(struct kmem_usage out[KMEM_SIZES]);

/*
 * A kernel stack of KSTACK_SIZE bytes with an unmapped page below; returns its TOP, NULL when out
 * of memory. Freed stacks are kept and reused (a mapping costs a crossing).
 */
#define KSTACK_SIZE 16384u
void *kstack_alloc(void);
void kstack_free(void *top);
/* True when addr lies in the guard page below some stack (for the panic report). */
bool kstack_is_guard(uint64_t addr);

/* Fail every k-th allocation from now on (0 = never): tests of the out-of-memory paths. */
extern uint32_t kmem_fail_every;

/*
 * Fill freed objects with a pattern and check it when they are handed out again (tests; before the
 * first allocation).
 */
extern bool kmem_poison;
