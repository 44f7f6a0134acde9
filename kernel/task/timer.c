/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time-outs of this core: a tree by deadline, and the one hardware deadline that serves it.
 *
 * Programming the hardware is dear, cancelling is frequent (most time-outs never fire). So the
 * interrupt is only ever moved to an earlier time; when one comes that nothing needs any more, it
 * is programmed anew.
 */
#include "kernel/task/internal.h"

static struct tree timers;
uint64_t timer_programmed = UINT64_MAX;

static bool timer_less(const struct tree_node *a, const struct tree_node *b)
{
	return tree_entry(a, struct timer, node)->deadline_ns <
	       tree_entry(b, struct timer, node)->deadline_ns;
}

static struct timer *timer_first(void)
{
	return tree_entry_or_null(tree_first(&timers), struct timer, node);
}

uint64_t timer_next_deadline(void)
{
	const struct timer *t = timer_first();

	return t == NULL ? UINT64_MAX : t->deadline_ns;
}

void timer_program(uint64_t deadline_ns)
{
	timer_programmed = deadline_ns;
	timer_arm(deadline_ns);
}

void timer_set(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t))
{
	if (t->armed)
		tree_remove(&timers, &t->node);
	t->deadline_ns = deadline_ns;
	t->fire = fire;
	t->armed = true;
	tree_insert(&timers, &t->node, timer_less);
	timer_need(deadline_ns);
}

void timer_cancel(struct timer *t)
{
	if (!t->armed)
		return;
	tree_remove(&timers, &t->node);
	t->armed = false;
}

/* A timer that re-arms itself must do so for later than `now`. */
static void fire_due(uint64_t now)
{
	struct timer *t;

	while ((t = timer_first()) != NULL && t->deadline_ns <= now) {
		timer_cancel(t);
		t->fire(t);
	}
}

static void timer_interrupted(void)
{
	timer_programmed = UINT64_MAX;
	fire_due(time_mono_ns());
	if (current != NULL)
		account_tick();
	timer_need(timer_next_deadline());
}

void timer_init(void)
{
	trap_hooks.timer = timer_interrupted;
}
