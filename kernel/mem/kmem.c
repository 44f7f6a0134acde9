/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel objects. Up to 2 KiB: slabs of one frame each, all objects of one size class; the whole
 * state of a slab is in its struct frame, so that an address is enough to free an object and
 * nothing of the frame is lost to a header:
 *   order  size class            refs   1 + objects in use
 *   pad    first free object     link   neighbours in the class's list of slabs with room
 *          (alloc_link)
 * A free object is named by its offset in the frame; it holds that of the next free one. Larger
 * objects are whole blocks.
 */
#include "base/str.h"
#include "kernel/mem/alloc_ops.h"
#include "kernel/mem/mem.h"

#define NO_OBJECT 0xffffu
#define POISON    0x6b

static const uint16_t class_size[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048
};
#define CLASSES       ARRAY_SIZE(class_size)
#define BLOCK_SIZES   (KMEM_SIZES - (unsigned)CLASSES) /* orders 0 to 8 */
#define SLAB_MAX_SIZE 2048u
_Static_assert((PAGE_SIZE << (BLOCK_SIZES - 1)) == KMEM_MAX, "a line for each size");

/* 2^32 / size, rounded up: exact for all offsets in a frame. */
#define INVERSE(size) (uint32_t)((0x100000000ull + (size)-1) / (size))
static const uint32_t inverse[] = {
	INVERSE(16),  INVERSE(32),   INVERSE(48),   INVERSE(64),  INVERSE(96),
	INVERSE(128), INVERSE(192),  INVERSE(256),  INVERSE(384), INVERSE(512),
	INVERSE(768), INVERSE(1024), INVERSE(2048),
};
_Static_assert(ARRAY_SIZE(inverse) == CLASSES, "one for each class");
/* Classes by size in steps of 16 bytes, rounded up. */
static const uint8_t class_of_step[] = {
	0,  0,  1,  2,  3,  4,  4,  5,  5,  6,  6,  6,  6,  7,  7,  7,  7,  8,  8,  8,  8,  8,
	8,  8,  8,  9,  9,  9,  9,  9,  9,  9,  9,  10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
	10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 12,
	12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
	12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
	12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
};
_Static_assert(sizeof(class_of_step) == SLAB_MAX_SIZE / 16 + 1, "one for each step");

/* first + 1 of the slabs with room, by class; 0 when there is none (this is .bss). */
static uint32_t with_room[CLASSES];
static uint32_t empty_slabs[CLASSES]; /* wholly free ones, kept in stock */
bool kmem_poison;

static inline unsigned class_of(size_t size)
{
	return class_of_step[(size + 15) / 16];
}

static char *slab_memory(uint32_t slab)
{
	return dm_ptr(PADDR((uint64_t)slab << PAGE_SHIFT));
}

static void room_add(uint32_t slab, struct frame *f)
{
	uint32_t *head = &with_room[f->order], next = *head != 0 ? *head - 1 : ALLOC_NONE;

	f->link = alloc_link(ALLOC_NONE, next);
	if (next != ALLOC_NONE)
		alloc_frame(next)->link = alloc_link(slab, alloc_next(alloc_frame(next)));
	*head = slab + 1;
}

static void room_del(struct frame *f)
{
	uint32_t prev = alloc_prev(f), next = alloc_next(f);

	if (prev == ALLOC_NONE)
		with_room[f->order] = next != ALLOC_NONE ? next + 1 : 0;
	else
		alloc_frame(prev)->link = alloc_link(alloc_prev(alloc_frame(prev)), next);
	if (next != ALLOC_NONE)
		alloc_frame(next)->link = alloc_link(prev, alloc_next(alloc_frame(next)));
}

/* All objects free, in order of their addresses. */
static void slab_format(char *mem, size_t size)
{
	unsigned n = (unsigned)(PAGE_SIZE / size);

	if (kmem_poison)
		memset(mem, POISON, PAGE_SIZE);
	for (unsigned i = 0; i < n; i++)
		*(uint16_t *)(mem + i * size) = (uint16_t)(i + 1 < n ? (i + 1) * size : NO_OBJECT);
}

static __attribute__((noinline)) bool slab_new(unsigned class)
{
	paddr_t pa = frame_alloc(0);
	struct frame *f;

	if (paddr_is_none(pa))
		return false;
	f = frame_at(pa);
	f->flags |= FRAME_IS_SLAB;
	f->order = (uint8_t) class;
	f->pad = 0;
	slab_format(dm_ptr(pa), class_size[class]);
	room_add((uint32_t)PAGES(pa.v), f);
	empty_slabs[class]++;
	mem_account.heap_frames++;
	return true;
}

static void slab_release(uint32_t slab, struct frame *f)
{
	room_del(f);
	empty_slabs[f->order]--;
	mem_account.heap_frames--;
	f->flags &= (uint8_t)~FRAME_IS_SLAB;
	f->order = 0;
	frame_put(PADDR((uint64_t)slab << PAGE_SHIFT));
}

/* The bytes after the link must be as they were when the object was freed. */
static void check_poison(const char *obj, size_t size)
{
	for (size_t i = sizeof(uint16_t); i < size; i++) {
		if (obj[i] != POISON)
			panic("kmem: object %p of %u bytes was written at offset %u after it was freed",
			      (const void *)obj, (unsigned)size, (unsigned)i);
	}
}

static __attribute__((noinline)) void full(struct frame *f)
{
	room_del(f);
}

static inline void *slab_alloc(unsigned class)
{
	uint32_t slab = with_room[class] - 1;
	struct frame *f = alloc_frame(slab);
	char *obj = slab_memory(slab) + f->pad;

	if (f->refs++ == 1)
		empty_slabs[class]--;
	f->pad = *(uint16_t *)obj;
	if (f->pad == NO_OBJECT)
		full(f);
	if (kmem_poison)
		check_poison(obj, class_size[class]);
	return obj;
}

static __attribute__((noinline)) void *slab_new_alloc(unsigned class)
{
	return slab_new(class) ? slab_alloc(class) : NULL;
}

/* Is this a multiple of the class's size? 2^32 / size, rounded up, stands in for a division. */
static bool is_object(size_t offset, unsigned class)
{
	uint32_t size = class_size[class];

	return (uint32_t)(offset * inverse[class] >> 32) * size == offset;
}

/* The slab had no room, or has no object in use any more. */
static __attribute__((noinline)) void room_again(paddr_t pa, struct frame *f)
{
	room_add((uint32_t)PAGES(pa.v), f);
}

static __attribute__((noinline)) void empty(paddr_t pa, struct frame *f)
{
	if (++empty_slabs[f->order] > 1) /* one stays, against going to and fro */
		slab_release((uint32_t)PAGES(pa.v), f);
}

static inline void slab_free(paddr_t pa, struct frame *f, char *obj)
{
	size_t offset = pa.v & PAGE_MASK;

	BUG_ON(!is_object(offset, f->order) || f->refs < 2);
	if (kmem_poison)
		memset(obj, POISON, class_size[f->order]);
	*(uint16_t *)obj = f->pad;
	if (f->pad == NO_OBJECT)
		room_again(pa, f);
	f->pad = (uint16_t)offset;
	if (--f->refs == 1)
		empty(pa, f);
}

static __attribute__((noinline)) void *block_alloc(size_t size)
{
	unsigned order = 0;
	paddr_t pa;

	if (size > KMEM_MAX)
		return NULL;
	while ((PAGE_SIZE << order) < size)
		order++;
	pa = frame_alloc_order(order, 0);
	if (paddr_is_none(pa))
		return NULL;
	frame_at(pa)->flags |= FRAME_IS_BLOCK;
	mem_account.heap_frames += 1u << order;
	return dm_ptr(pa);
}

void *kmem_alloc(size_t size)
{
	unsigned class;

	if (size > SLAB_MAX_SIZE)
		return block_alloc(size);
	if (kmem_fail_every != 0 && mem_inject_failure())
		return NULL;
	class = class_of(size);
	return with_room[class] != 0 ? slab_alloc(class) : slab_new_alloc(class);
}

void *kmem_zalloc(size_t size)
{
	void *p = kmem_alloc(size);

	if (p != NULL)
		memset(p, 0, size);
	return p;
}

/* Objects whose size is a power of two, and blocks, are aligned to their size. */
void *kmem_alloc_aligned(size_t size, size_t align)
{
	size_t pow = align;

	if (align <= 16)
		return kmem_alloc(size);
	while (pow < size && pow <= KMEM_MAX)
		pow *= 2;
	return kmem_alloc(pow);
}

static size_t object_capacity(const struct frame *f)
{
	if ((f->flags & FRAME_IS_SLAB) != 0)
		return class_size[f->order];
	BUG_ON((f->flags & FRAME_IS_BLOCK) == 0);
	return PAGE_SIZE << f->order;
}

static __attribute__((noinline)) void block_free(paddr_t pa, struct frame *f)
{
	BUG_ON((f->flags & FRAME_IS_BLOCK) == 0 || (pa.v & PAGE_MASK) != 0);
	f->flags &= (uint8_t)~FRAME_IS_BLOCK;
	mem_account.heap_frames -= 1u << f->order;
	frame_put(pa);
}

void kmem_free(void *p)
{
	paddr_t pa;
	struct frame *f;

	if (p == NULL)
		return;
	pa = dm_paddr(p);
	f = frame_of(pa);
	if ((f->flags & FRAME_IS_SLAB) != 0)
		slab_free(pa, f, p);
	else
		block_free(pa, f);
}

void *kmem_realloc(void *p, size_t size)
{
	size_t have;
	void *q;

	if (p == NULL)
		return kmem_alloc(size);
	have = object_capacity(frame_of(dm_paddr(p)));
	if (size <= have && size * 4 >= have)
		return p;
	q = kmem_alloc(size);
	if (q == NULL)
		return NULL;
	memcpy(q, p, size < have ? size : have);
	kmem_free(p);
	return q;
}

char *kmem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = kmem_alloc(len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *kmem_strdup(const char *s)
{
	return kmem_strndup(s, SIZE_MAX);
}

/* ---- what there is ---- */

static void count_frame(const struct frame *f, void *arg)
{
	struct kmem_usage *out = arg;

	if ((f->flags & FRAME_IS_SLAB) != 0) {
		out[f->order].used += f->refs - 1;
		out[f->order].frames++;
	} else if ((f->flags & FRAME_IS_BLOCK) != 0) {
		out[CLASSES + f->order].used++;
		out[CLASSES + f->order].frames += 1u << f->order;
	}
}

void kmem_usage(struct kmem_usage out[KMEM_SIZES])
{
	memset(out, 0, KMEM_SIZES * sizeof(out[0]));
	for (unsigned i = 0; i < CLASSES; i++)
		out[i].size = class_size[i];
	for (unsigned order = 0; order < BLOCK_SIZES; order++)
		out[CLASSES + order].size = (uint32_t)PAGE_SIZE << order;
	chunk_each_frame(count_frame, out);
}

static size_t reclaim_class(unsigned class)
{
	size_t freed = 0;

	for (uint32_t slab = with_room[class] != 0 ? with_room[class] - 1 : ALLOC_NONE;
	     slab != ALLOC_NONE;) {
		struct frame *f = alloc_frame(slab);
		uint32_t next = alloc_next(f);

		if (f->refs == 1) {
			slab_release(slab, f);
			freed++;
		}
		slab = next;
	}
	return freed;
}

size_t kmem_reclaim(size_t want)
{
	size_t freed = 0;

	for (unsigned class = 0; class < CLASSES && freed < want; class ++)
		if (empty_slabs[class] != 0)
			freed += reclaim_class(class);
	return freed;
}
