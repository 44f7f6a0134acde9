/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap of a private part: first fit over a list of free blocks in the order of addresses,
 * joined with their neighbours when they come back. Simple, and what is given back is zeroed first.
 */
#include "privcall.h"

#include "image.h"

#define ALIGN  16u
#define IN_USE 0x75736564u /* a block's owner word while it is the caller's */

struct block {
	size_t bytes; /* with this header */
	struct block *next;
	uint32_t owner;
	uint32_t pad;
};

extern struct priv_places priv_places_;

static priv_lock_t lock;
static struct block *first_free;
static int started;

static void start(void)
{
	started = 1;
	if (priv_places_.heap_end - priv_places_.heap < sizeof(struct block))
		return;
	first_free = (struct block *)priv_places_.heap;
	first_free->bytes = priv_places_.heap_end - priv_places_.heap;
	first_free->next = NULL;
}

/* Cut `bytes` off the front of a free block that is large enough; what is left stays free. */
static struct block *take(struct block **link, size_t bytes)
{
	struct block *b = *link;

	if (b->bytes - bytes < 2 * sizeof(struct block)) {
		*link = b->next;
	} else {
		struct block *rest = (struct block *)((char *)b + bytes);

		rest->bytes = b->bytes - bytes;
		rest->next = b->next;
		*link = rest;
		b->bytes = bytes;
	}
	b->next = NULL;
	b->owner = IN_USE;
	return b;
}

void *priv_malloc(size_t bytes)
{
	struct block **link, *b = NULL;

	if (bytes > 0x7fffffff)
		return NULL;
	bytes = (bytes + sizeof(struct block) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	priv_lock(&lock);
	if (!started)
		start();
	for (link = &first_free; *link != NULL; link = &(*link)->next)
		if ((*link)->bytes >= bytes) {
			b = take(link, bytes);
			break;
		}
	priv_unlock(&lock);
	return b != NULL ? b + 1 : NULL;
}

void *priv_calloc(size_t n, size_t bytes)
{
	void *p;

	if (bytes != 0 && n > (size_t)-1 / bytes)
		return NULL;
	p = priv_malloc(n * bytes);
	if (p != NULL)
		memset(p, 0, n * bytes);
	return p;
}

static void join(struct block *b)
{
	struct block *next = b->next;

	if (next == NULL || (char *)b + b->bytes != (char *)next)
		return;
	b->bytes += next->bytes;
	b->next = next->next;
}

void priv_free(void *p)
{
	struct block *b, *before = NULL;

	if (p == NULL)
		return;
	b = (struct block *)p - 1;
	if (b->owner != IN_USE)
		priv_abort(); /* freed twice, or never ours */
	b->owner = 0;
	priv_zero(p, b->bytes - sizeof(*b));
	priv_lock(&lock);
	for (struct block *f = first_free; f != NULL && f < b; f = f->next)
		before = f;
	b->next = before != NULL ? before->next : first_free;
	if (before != NULL)
		before->next = b;
	else
		first_free = b;
	join(b);
	if (before != NULL)
		join(before);
	priv_unlock(&lock);
}
