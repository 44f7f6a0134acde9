/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/list.h"
#include "base/test/test.h"

struct item {
	int value;
	struct list link;
};

static int value_of(struct list *l)
{
	return list_entry(l, struct item, link)->value;
}

static void expect(const struct list *head, const int *values, size_t n)
{
	size_t i = 0;

	assert_int_equal(list_length(head), n);
	LIST_FOR_EACH(pos, (struct list *)head) {
		assert_int_equal(value_of(pos), values[i++]);
		assert_ptr_equal(pos->next->prev, pos);
	}
	assert_int_equal(i, n);
}

static void keeps_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_last(&head));
	list_push_back(&head, &b.link);
	list_push_back(&head, &c.link);
	list_push_front(&head, &a.link);
	expect(&head, (int[]){ 1, 2, 3 }, 3);
	assert_int_equal(value_of(list_first(&head)), 1);
	assert_int_equal(value_of(list_last(&head)), 3);
}

static void removes(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };

	(void)state;
	list_push_back(&head, &a.link);
	list_push_back(&head, &b.link);
	list_push_back(&head, &c.link);
	list_remove(&b.link);
	assert_false(list_linked(&b.link));
	list_remove(&b.link); /* harmless */
	expect(&head, (int[]){ 1, 3 }, 2);
	assert_int_equal(value_of(list_pop_front(&head)), 1);
	assert_int_equal(value_of(list_pop_front(&head)), 3);
	assert_null(list_pop_front(&head));
}

static void safe_walk_may_remove(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		items[i].value = i;
		list_push_back(&head, &items[i].link);
	}
	LIST_FOR_EACH_SAFE(pos, &head) {
		if (value_of(pos) % 2 == 0)
			list_remove(pos);
	}
	expect(&head, (int[]){ 1, 3, 5 }, 3);
}

static void splices(void **state)
{
	struct list one = LIST_INIT(one), two = LIST_INIT(two);
	struct item items[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		items[i].value = i;
		list_push_back(i < 2 ? &one : &two, &items[i].link);
	}
	list_splice_back(&one, &two);
	assert_true(list_empty(&two));
	list_splice_back(&one, &two); /* nothing to move */
	expect(&one, (int[]){ 0, 1, 2, 3 }, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(removes),
		cmocka_unit_test(safe_walk_may_remove),
		cmocka_unit_test(splices),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
