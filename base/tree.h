/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive balanced search tree (AVL): at most 1.44 log2(n) deep. The order is the caller's: a
 * `less` function for inserting, a `cmp` function against a key for looking up; both must agree.
 * Equal nodes are allowed and keep the order in which they were inserted. Nothing allocates.
 */
#pragma once

#include "abi/types.h"

struct tree_node {
	struct tree_node *left, *right, *parent;
	uint32_t height; /* of the subtree; 0: in no tree */
};

struct tree {
	struct tree_node *root;
};

/* An empty tree is all zeroes. */
#define TREE_INIT            \
	{                    \
		.root = NULL \
	}

/* The structure that holds `node` as its field `member`; the second form passes NULL on. */
#define tree_entry(node, type, member) container_of(node, type, member)
#define tree_entry_or_null(node, type, member)                                              \
	({                                                                                  \
		struct tree_node *tree_node_ = (node);                                      \
		tree_node_ != NULL ? container_of(tree_node_, type, member) : (type *)NULL; \
	})

/* `pos` (struct tree_node *) walks in ascending order. The body must not change the tree. */
#define TREE_FOR_EACH(pos, tree) \
	for (struct tree_node *pos = tree_first(tree); pos != NULL; pos = tree_next(pos))

/* Does a stand strictly before b? */
typedef bool (*tree_less_fn)(const struct tree_node *a, const struct tree_node *b);
/* Below 0: the node stands before the key; 0: equal; above 0: after it. */
typedef int (*tree_cmp_fn)(const struct tree_node *node, const void *key);

static inline void tree_init(struct tree *t)
{
	t->root = NULL;
}

static inline bool tree_empty(const struct tree *t)
{
	return t->root == NULL;
}

/* Is the node in a tree? Only for nodes that were zeroed before, or removed by tree_remove(). */
static inline bool tree_linked(const struct tree_node *n)
{
	return n->height != 0;
}

/* Insert a node that is in no tree; its links need not be initialised. Goes after its equals. */
void tree_insert(struct tree *t, struct tree_node *node, tree_less_fn less);

/* Take a node out of its tree; its links are zeroed. */
void tree_remove(struct tree *t, struct tree_node *node);

/* Neighbours in order; NULL at the end (or for an empty tree). */
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_last(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_prev(const struct tree_node *node);

/* First node equal to the key; NULL if there is none. */
struct tree_node *tree_find(const struct tree *t, const void *key, tree_cmp_fn cmp);
/* First node that is equal to the key or after it; NULL if there is none. */
struct tree_node *tree_find_ge(const struct tree *t, const void *key, tree_cmp_fn cmp);
/* Last node that is equal to the key or before it; NULL if there is none. */
struct tree_node *tree_find_le(const struct tree *t, const void *key, tree_cmp_fn cmp);
