/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fair shares by nice value, real-time priorities above them.
 *
 * A thread's vruntime is the time it ran, scaled by its weight: the one with the least goes next,
 * so that over time all runnable threads of one weight get the same. A thread that slept is placed
 * at most SLEEPER_BONUS behind the others: it goes first, but cannot claim the time it slept
 * through. SCHED_FIFO and SCHED_RR have one queue for each priority. SCHED_IDLE has the least
 * weight of all, so that it starves nobody and is not starved.
 */
#include "base/bitmap.h"
#include "base/tree.h"
#include "kernel/task/sched_ops.h"

#define SLICE_NS      4000000ull
#define SLEEPER_BONUS 3000000ull
#define WAKE_MARGIN \
	1000000ull /* a woken thread must be so far behind to take the processor at once */
#define RT_PRIORITIES 100u
#define WEIGHT_IDLE   3u

/*
 * 2^32 / weight, weight = 1024 / 1.25^nice, as in Linux: one step is ten per cent of the processor.
 */
static const uint32_t inverse_weight[40] = {
	48388,    59856,    76040,    92818,     118348,    147320,    184698,    229616,
	287308,   360437,   449829,   563644,    704093,    875809,    1099582,   1376151,
	1717300,  2157191,  2708050,  3363326,   4194304,   5237765,   6557202,   8165337,
	10153587, 12820798, 15790321, 19976592,  24970740,  31350126,  39045157,  49367440,
	61356676, 76695844, 95443717, 119304647, 148102320, 186737708, 238609294, 286331153,
};
#define INVERSE_IDLE (0xffffffffu / WEIGHT_IDLE)

static struct tree shares;  /* by vruntime */
static struct thread *lone; /* the only one: then the tree is empty. The common case by far */
static struct list rt[RT_PRIORITIES];
static uint64_t rt_used[BITMAP_WORDS(RT_PRIORITIES)];
static unsigned rt_count;
static bool ready;
static uint64_t floor_vruntime; /* never falls: where newcomers begin */

static bool realtime(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

/* vruntime may wrap; differences do not. */
static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static bool less(const struct tree_node *a, const struct tree_node *b)
{
	return before(tree_entry(a, struct thread, run_tree)->vruntime,
		      tree_entry(b, struct thread, run_tree)->vruntime);
}

static uint64_t scaled(const struct thread *t, uint64_t ns)
{
	uint32_t inverse = t->policy == SCHED_IDLE ? INVERSE_IDLE : inverse_weight[t->nice + 20];

	/* ns * 1024 / weight, without a division: 2^32 / 1024 = 2^22. */
	return (ns >> 22) * inverse + ((ns & 0x3fffff) * inverse >> 22);
}

static void init_once(void)
{
	if (ready)
		return;
	for (unsigned i = 0; i < RT_PRIORITIES; i++)
		list_init(&rt[i]);
	ready = true;
}

static unsigned rt_index(const struct thread *t)
{
	return RT_PRIORITIES - 1 - (unsigned)t->rt_priority; /* first set bit = highest priority */
}

static void rt_enqueue(struct thread *t, enum sched_why why)
{
	struct list *q = &rt[rt_index(t)];

	init_once();
	/*
	 * POSIX: who was preempted stays first of its priority, unless its SCHED_RR slice is over.
	 */
	if (why == SCHED_PREEMPTED && t->policy == SCHED_FIFO)
		list_push_front(q, &t->run_node);
	else
		list_push_back(q, &t->run_node);
	bitmap_set(rt_used, rt_index(t));
	rt_count++;
}

static void rt_remove(struct thread *t)
{
	/*
	 * The priority may have changed since: the list is empty if its neighbours are the same
	 * node.
	 */
	struct list *next = t->run_node.next;

	list_remove(&t->run_node);
	if (list_empty(next) && next >= rt && next < rt + RT_PRIORITIES)
		bitmap_clear(rt_used, (size_t)(next - rt));
	rt_count--;
}

static __attribute__((noinline)) void shares_insert_among(struct thread *t)
{
	if (lone != NULL) {
		tree_insert(&shares, &lone->run_tree, less);
		lone = NULL;
	}
	tree_insert(&shares, &t->run_tree, less);
}

static inline void shares_insert(struct thread *t)
{
	if (lone == NULL && tree_empty(&shares)) {
		lone = t;
		return;
	}
	shares_insert_among(t);
}

static void shares_remove(struct thread *t)
{
	if (t == lone)
		lone = NULL;
	else
		tree_remove(&shares, &t->run_tree);
}

static struct thread *shares_first(void)
{
	if (lone != NULL || tree_empty(&shares))
		return lone;
	return tree_entry(tree_first(&shares), struct thread, run_tree);
}

static struct thread *shares_last(void)
{
	if (lone != NULL || tree_empty(&shares))
		return lone;
	return tree_entry(tree_last(&shares), struct thread, run_tree);
}

static void place(struct thread *t, enum sched_why why)
{
	const struct thread *last;

	switch (why) {
	case SCHED_WAKE:
		if (before(t->vruntime, floor_vruntime - SLEEPER_BONUS))
			t->vruntime = floor_vruntime - SLEEPER_BONUS;
		break;
	case SCHED_YIELD:
		last = shares_last();
		if (last != NULL && before(t->vruntime, last->vruntime))
			t->vruntime = last->vruntime;
		break;
	case SCHED_NEW:
	case SCHED_CHANGED:
		if (before(t->vruntime, floor_vruntime))
			t->vruntime = floor_vruntime;
		break;
	case SCHED_PREEMPTED: break;
	}
}

__attribute__((flatten)) static void fair_enqueue(struct thread *t, enum sched_why why)
{
	if (realtime(t)) {
		rt_enqueue(t, why);
		return;
	}
	place(t, why);
	shares_insert(t);
}

static void fair_dequeue(struct thread *t)
{
	if (t == lone || tree_linked(&t->run_tree))
		shares_remove(t);
	else
		rt_remove(t);
}

static void raise_floor(uint64_t v)
{
	if (before(floor_vruntime, v))
		floor_vruntime = v;
}

static struct thread *fair_pick(void)
{
	struct thread *t;

	if (rt_count != 0) {
		t = list_entry(list_first(&rt[bitmap_find_set(rt_used, 0, RT_PRIORITIES)]),
			       struct thread, run_node);
		rt_remove(t);
		return t;
	}
	t = shares_first();
	if (t != NULL)
		shares_remove(t);
	return t;
}

/* The floor follows the one who has had least, among the running thread and those that wait. */
static void fair_charge(struct thread *t, uint64_t ns)
{
	const struct thread *first;
	uint64_t least;

	if (realtime(t))
		return;
	t->vruntime += t->nice == 0 && t->policy != SCHED_IDLE ? ns : scaled(t, ns);
	least = t->vruntime;
	first = shares_first();
	if (first != NULL && before(first->vruntime, least))
		least = first->vruntime;
	raise_floor(least);
}

static uint64_t fair_slice(const struct thread *t)
{
	switch (t->policy) {
	case SCHED_FIFO: return UINT64_MAX;
	case SCHED_RR: return SCHED_RR_SLICE_NS;
	default: return SLICE_NS;
	}
}

static bool fair_preempts(const struct thread *woken, const struct thread *running)
{
	if (realtime(woken))
		return !realtime(running) || woken->rt_priority > running->rt_priority;
	if (realtime(running) || woken->policy == SCHED_BATCH || woken->policy == SCHED_IDLE)
		return false;
	if (running->policy == SCHED_IDLE)
		return true;
	return before(woken->vruntime + WAKE_MARGIN, running->vruntime);
}

static err_t fair_adopt(const struct list *runnable)
{
	LIST_FOR_EACH(l, runnable) {
		struct thread *t = list_entry(l, struct thread, runnable_node);

		if (realtime(t))
			rt_enqueue(t, SCHED_CHANGED);
		else
			shares_insert(t);
	}
	if (shares_first() != NULL)
		raise_floor(shares_first()->vruntime);
	return OK;
}

static void fair_release(void)
{
	while (fair_pick() != NULL)
		;
}

const struct sched_ops sched_fair = {
	.version = SCHED_OPS_VERSION,
	.name = "fair",
	.enqueue = fair_enqueue,
	.dequeue = fair_dequeue,
	.pick = fair_pick,
	.charge = fair_charge,
	.slice = fair_slice,
	.preempts = fair_preempts,
	.adopt = fair_adopt,
	.release = fair_release,
};
