/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AVL tree. Invariants, from a node's view: height = 1 + the larger height of the children (0 for
 * none); the children's heights differ by at most 1. Insertion and removal change one leaf-ward
 * place and then walk up from there, mending heights and rotating, until a subtree's height has not
 * changed.
 */
#include "base/tree.h"

static uint32_t height(const struct tree_node *n)
{
	return n != NULL ? n->height : 0;
}

static void update_height(struct tree_node *n)
{
	uint32_t l = height(n->left), r = height(n->right);

	n->height = 1 + (l > r ? l : r);
}

/* Left height minus right height. */
static int balance(const struct tree_node *n)
{
	return (int)height(n->left) - (int)height(n->right);
}

/* Where the pointer to `n` stands: in its parent, or in the tree. */
static struct tree_node **link_of(struct tree *t, struct tree_node *n)
{
	if (n->parent == NULL)
		return &t->root;
	return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

/* Put `to` (may be NULL) in the place of `from`, as seen from above. */
static void replace(struct tree *t, struct tree_node *from, struct tree_node *to)
{
	*link_of(t, from) = to;
	if (to != NULL)
		to->parent = from->parent;
}

/* The right child takes the place of `n`, which becomes its left child. Returns the new top. */
static struct tree_node *rotate_left(struct tree *t, struct tree_node *n)
{
	struct tree_node *top = n->right;

	replace(t, n, top);
	n->right = top->left;
	if (n->right != NULL)
		n->right->parent = n;
	top->left = n;
	n->parent = top;
	update_height(n);
	update_height(top);
	return top;
}

static struct tree_node *rotate_right(struct tree *t, struct tree_node *n)
{
	struct tree_node *top = n->left;

	replace(t, n, top);
	n->left = top->right;
	if (n->left != NULL)
		n->left->parent = n;
	top->right = n;
	n->parent = top;
	update_height(n);
	update_height(top);
	return top;
}

/* Restore the invariants at `n`, whose children's heights may differ by 2. Returns the new top. */
static struct tree_node *rebalance(struct tree *t, struct tree_node *n)
{
	int b = balance(n);

	if (b > 1) {
		if (balance(n->left) < 0)
			rotate_left(t, n->left);
		return rotate_right(t, n);
	}
	if (b < -1) {
		if (balance(n->right) > 0)
			rotate_right(t, n->right);
		return rotate_left(t, n);
	}
	update_height(n);
	return n;
}

static void rebalance_upwards(struct tree *t, struct tree_node *n)
{
	while (n != NULL) {
		uint32_t before = n->height;

		n = rebalance(t, n);
		if (n->height == before)
			return;
		n = n->parent;
	}
}

void tree_insert(struct tree *t, struct tree_node *node, tree_less_fn less)
{
	struct tree_node **link = &t->root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = less(node, parent) ? &parent->left : &parent->right;
	}
	*node = (struct tree_node){ .parent = parent, .height = 1 };
	*link = node;
	rebalance_upwards(t, parent);
}

/* Let the next node in order, which has no left child, take the place of `node`, which has two. */
static struct tree_node *replace_by_next(struct tree *t, struct tree_node *node)
{
	struct tree_node *next = tree_next(node);
	struct tree_node *changed = next;

	if (next->parent != node) {
		changed = next->parent;
		replace(t, next, next->right);
		next->right = node->right;
		next->right->parent = next;
	}
	next->left = node->left;
	next->left->parent = next;
	next->height = node->height;
	replace(t, node, next);
	return changed;
}

void tree_remove(struct tree *t, struct tree_node *node)
{
	struct tree_node *changed = node->parent;

	if (node->left != NULL && node->right != NULL)
		changed = replace_by_next(t, node);
	else
		replace(t, node, node->left != NULL ? node->left : node->right);
	rebalance_upwards(t, changed);
	*node = (struct tree_node){ 0 };
}

static struct tree_node *leftmost(struct tree_node *n)
{
	while (n != NULL && n->left != NULL)
		n = n->left;
	return n;
}

static struct tree_node *rightmost(struct tree_node *n)
{
	while (n != NULL && n->right != NULL)
		n = n->right;
	return n;
}

struct tree_node *tree_first(const struct tree *t)
{
	return leftmost(t->root);
}

struct tree_node *tree_last(const struct tree *t)
{
	return rightmost(t->root);
}

struct tree_node *tree_next(const struct tree_node *n)
{
	if (n->right != NULL)
		return leftmost(n->right);
	while (n->parent != NULL && n->parent->right == n)
		n = n->parent;
	return n->parent;
}

struct tree_node *tree_prev(const struct tree_node *n)
{
	if (n->left != NULL)
		return rightmost(n->left);
	while (n->parent != NULL && n->parent->left == n)
		n = n->parent;
	return n->parent;
}

struct tree_node *tree_find_ge(const struct tree *t, const void *key, tree_cmp_fn cmp)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n != NULL) {
		if (cmp(n, key) >= 0) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct tree_node *tree_find_le(const struct tree *t, const void *key, tree_cmp_fn cmp)
{
	struct tree_node *n = t->root, *best = NULL;

	while (n != NULL) {
		if (cmp(n, key) <= 0) {
			best = n;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

struct tree_node *tree_find(const struct tree *t, const void *key, tree_cmp_fn cmp)
{
	struct tree_node *n = tree_find_ge(t, key, cmp);

	return n != NULL && cmp(n, key) == 0 ? n : NULL;
}
