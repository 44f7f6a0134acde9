/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive circular doubly linked list. A head and a node are the same structure; a node that is
 * in no list points to itself, so list_remove() may be called twice and list_linked() can be asked.
 * Nothing allocates; every operation takes constant time (list_length excepted).
 */
#pragma once

#include "abi/types.h"

struct list {
	struct list *prev, *next;
};

/* Initialiser of a head or node: static struct list q = LIST_INIT(q); */
#define LIST_INIT(name)                          \
	{                                        \
		.prev = &(name), .next = &(name) \
	}

/* The structure that holds `node` as its field `member`. */
#define list_entry(node, type, member) container_of(node, type, member)

/* `pos` (struct list *) walks over the nodes of `head`. The body must not remove `pos`. */
#define LIST_FOR_EACH(pos, head) \
	for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

/* As LIST_FOR_EACH, but the body may remove `pos` (and nothing else). */
#define LIST_FOR_EACH_SAFE(pos, head)                                                  \
	for (struct list *pos = (head)->next, *pos##_next_ = pos->next; pos != (head); \
	     pos = pos##_next_, pos##_next_ = pos->next)

static inline void list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Is the node in a list? Only for nodes that were initialised or removed by list_remove(). */
static inline bool list_linked(const struct list *node)
{
	return node->next != node;
}

/* Put `node` (in no list) between `at` and the node after it. */
static inline void list_insert_after(struct list *at, struct list *node)
{
	node->prev = at;
	node->next = at->next;
	at->next->prev = node;
	at->next = node;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	list_insert_after(at->prev, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

/* Take `node` out of its list and make it point to itself. Harmless for a node in no list. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* First or last node; NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

static inline struct list *list_last(const struct list *head)
{
	return list_empty(head) ? NULL : head->prev;
}

/* Remove and return the first node; NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *node = list_first(head);

	if (node != NULL)
		list_remove(node);
	return node;
}

/* Move all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Number of nodes; walks the list. */
static inline size_t list_length(const struct list *head)
{
	size_t n = 0;

	for (const struct list *pos = head->next; pos != head; pos = pos->next)
		n++;
	return n;
}
