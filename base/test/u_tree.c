/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree against a sorted array: random inserts, removals and look-ups; invariants after each. */
#include "base/test/test.h"
#include "base/tree.h"

#define ITEMS 300
#define STEPS 40000
#define KEYS  128u /* fewer than items: many are equal */

struct item {
	unsigned key;
	uint64_t serial; /* order of insertion, for equal keys */
	struct tree_node node;
};

static struct item items[ITEMS];
static struct item *model[ITEMS]; /* those in the tree, in order */
static size_t model_count;
static struct tree tree;

static struct item *item_of(struct tree_node *n)
{
	return tree_entry_or_null(n, struct item, node);
}

static bool less(const struct tree_node *a, const struct tree_node *b)
{
	return tree_entry((struct tree_node *)a, struct item, node)->key <
	       tree_entry((struct tree_node *)b, struct item, node)->key;
}

static int compare(const struct tree_node *n, const void *key)
{
	unsigned a = tree_entry((struct tree_node *)n, struct item, node)->key;
	unsigned b = *(const unsigned *)key;

	return a < b ? -1 : a > b;
}

/* Checks parent links, heights and balance below n; returns the height. */
static uint32_t check_subtree(const struct tree_node *n, const struct tree_node *parent)
{
	uint32_t l, r;

	if (n == NULL)
		return 0;
	assert_ptr_equal(n->parent, parent);
	l = check_subtree(n->left, n);
	r = check_subtree(n->right, n);
	assert_int_equal(n->height, 1 + (l > r ? l : r));
	assert_true(l <= r + 1 && r <= l + 1);
	return n->height;
}

static void check_walks(void)
{
	size_t i = 0;
	struct tree_node *n;

	TREE_FOR_EACH(pos, &tree)
		assert_ptr_equal(item_of(pos), model[i++]);
	assert_int_equal(i, model_count);
	for (n = tree_last(&tree); n != NULL; n = tree_prev(n))
		assert_ptr_equal(item_of(n), model[--i]);
	assert_int_equal(i, 0);
}

static void check_lookups(unsigned key)
{
	struct item *ge = NULL, *le = NULL, *eq = NULL;

	for (size_t i = model_count; i-- > 0;)
		if (model[i]->key >= key)
			ge = model[i];
	for (size_t i = 0; i < model_count; i++)
		if (model[i]->key <= key)
			le = model[i];
	if (ge != NULL && ge->key == key)
		eq = ge;
	assert_ptr_equal(item_of(tree_find_ge(&tree, &key, compare)), ge);
	assert_ptr_equal(item_of(tree_find_le(&tree, &key, compare)), le);
	assert_ptr_equal(item_of(tree_find(&tree, &key, compare)), eq);
}

static void model_insert(struct item *it)
{
	size_t at = model_count;

	while (at > 0 && model[at - 1]->key > it->key)
		at--;
	memmove(&model[at + 1], &model[at], (model_count - at) * sizeof(model[0]));
	model[at] = it;
	model_count++;
}

static void model_remove(struct item *it)
{
	size_t at = 0;

	while (model[at] != it)
		at++;
	model_count--;
	memmove(&model[at], &model[at + 1], (model_count - at) * sizeof(model[0]));
}

static void random_against_model(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t step = 0; step < STEPS; step++) {
		struct item *it = &items[rnd(ITEMS)];

		if (tree_linked(&it->node)) {
			tree_remove(&tree, &it->node);
			model_remove(it);
			assert_false(tree_linked(&it->node));
		} else {
			it->key = (unsigned)rnd(KEYS);
			memset(&it->node, 0xa5, sizeof(it->node)); /* insert must not read it */
			tree_insert(&tree, &it->node, less);
			model_insert(it);
		}
		check_subtree(tree.root, NULL);
		check_lookups((unsigned)rnd(KEYS + 2));
		if (step % 64 == 0)
			check_walks();
	}
	while (model_count > 0) {
		struct item *it = model[rnd(model_count)];

		tree_remove(&tree, &it->node);
		model_remove(it);
		check_subtree(tree.root, NULL);
		check_walks();
	}
	assert_true(tree_empty(&tree));
}

static void stays_shallow(void **state)
{
	static struct item many[4096];
	struct tree t = TREE_INIT;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i].key = i; /* ascending: the worst case of an unbalanced tree */
		tree_insert(&t, &many[i].node, less);
	}
	assert_true(t.root->height <= 13);
	check_subtree(t.root, NULL);
}

static void empty_tree(void **state)
{
	struct tree t;
	unsigned key = 1;

	(void)state;
	tree_init(&t);
	assert_true(tree_empty(&t));
	assert_null(tree_first(&t));
	assert_null(tree_last(&t));
	assert_null(tree_find(&t, &key, compare));
	assert_null(tree_find_ge(&t, &key, compare));
	assert_null(tree_find_le(&t, &key, compare));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_tree),
		cmocka_unit_test(stays_shallow),
		cmocka_unit_test(random_against_model),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
