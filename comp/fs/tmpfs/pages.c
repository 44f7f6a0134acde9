/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots of a file's pages: a radix tree of 64 slots a node. */
#include "comp/fs/tmpfs/local.h"

#define FAN_BITS 6u
#define FAN      (1u << FAN_BITS)

struct page_node {
	uint64_t slot[FAN];
};

static struct page_node *node_of(uint64_t slot)
{
	return (struct page_node *)(uintptr_t)slot;
}

/* Does the tree reach as far as index? */
static bool reaches(const struct pages *p, uint64_t index)
{
	unsigned bits = p->height * FAN_BITS;

	return bits >= 64 || index >> bits == 0;
}

static unsigned digit(uint64_t index, unsigned level)
{
	return (unsigned)(index >> (level * FAN_BITS)) & (FAN - 1);
}

uint64_t pages_get(const struct pages *p, uint64_t index)
{
	uint64_t at = p->root;

	if (!reaches(p, index))
		return SLOT_EMPTY;
	for (unsigned level = p->height; level > 0 && at != 0; level--)
		at = node_of(at)->slot[digit(index, level - 1)];
	return at;
}

static bool grow(struct pages *p, uint64_t index)
{
	while (!reaches(p, index)) {
		if (p->root != 0) {
			struct page_node *top = kmem_zalloc(sizeof(*top));

			if (top == NULL)
				return false;
			top->slot[0] = p->root;
			p->root = (uintptr_t)top;
		}
		p->height++;
	}
	return true;
}

uint64_t *pages_slot(struct pages *p, uint64_t index)
{
	uint64_t *at = &p->root;

	if (!grow(p, index))
		return NULL;
	for (unsigned level = p->height; level > 0; level--) {
		if (*at == 0) {
			struct page_node *n = kmem_zalloc(sizeof(*n));

			if (n == NULL)
				return NULL;
			*at = (uintptr_t)n;
		}
		at = &node_of(*at)->slot[digit(index, level - 1)];
	}
	return at;
}

static uint64_t next_below(uint64_t at, unsigned level, uint64_t base, uint64_t from)
{
	uint64_t span;

	if (at == 0)
		return UINT64_MAX;
	if (level == 0)
		return base >= from ? base : UINT64_MAX;
	span = 1ull << ((level - 1) * FAN_BITS);
	for (unsigned i = 0; i < FAN; i++) {
		uint64_t start = base + i * span, hit;

		if (start + (span - 1) < from)
			continue;
		hit = next_below(node_of(at)->slot[i], level - 1, start, from);
		if (hit != UINT64_MAX)
			return hit;
	}
	return UINT64_MAX;
}

uint64_t pages_next(const struct pages *p, uint64_t from)
{
	return reaches(p, from) ? next_below(p->root, p->height, 0, from) : UINT64_MAX;
}

static uint64_t slot_drop(uint64_t slot)
{
	if (!slot_is_frame(slot))
		return 0;
	frame_put(PADDR(slot));
	return 1;
}

/* Recursion as deep as the tree is high: at most 9. */
static uint64_t cut_below(uint64_t *at, unsigned level, uint64_t base, uint64_t from)
{
	uint64_t span, n = 0;

	if (*at == 0)
		return 0;
	if (level == 0) {
		n = slot_drop(*at);
		*at = SLOT_EMPTY;
		return n;
	}
	span = 1ull << ((level - 1) * FAN_BITS);
	for (unsigned i = 0; i < FAN; i++) {
		uint64_t start = base + i * span;

		if (start + (span - 1) >= from)
			n += cut_below(&node_of(*at)->slot[i], level - 1, start, from);
	}
	if (base >= from) { /* all of it is empty now */
		kmem_free(node_of(*at));
		*at = 0;
	}
	return n;
}

uint64_t pages_cut(struct pages *p, uint64_t from)
{
	uint64_t n = reaches(p, from) ? cut_below(&p->root, p->height, 0, from) : 0;

	p->frames -= n;
	if (from == 0)
		p->height = 0;
	return n;
}
