/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll: a set of (file, descriptor) pairs, each with entries in the wait queues of its file. A
 * wake-up there puts the item on the set's ready list; epoll_wait looks only at that list.
 *
 * Invariants: an item whose file may have something new since the last look is on the ready list; a
 * level-triggered item stays there as long as a look finds something. Items hold no reference to
 * their file: the last file_put calls epoll_file_gone. Nothing here switches threads while it walks
 * a list.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "base/str.h"
#include "base/tree.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/poll.h"

#define ALWAYS  ((uint32_t)(EPOLLERR | EPOLLHUP))
#define PRIVATE ((uint32_t)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))
#define EXCLUSIVE_OK                                                                   \
	((uint32_t)(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | \
		    EPOLLEXCLUSIVE))
#define MAX_NESTING 5 /* sets in a chain, the innermost included */

struct item;

/* An entry in one queue of an item's file. */
struct watch {
	struct wait_entry entry;
	struct item *item;
	uint32_t events; /* what a wake-up of this queue can mean */
	struct watch *next;
};

#define INLINE_WATCHES 2u

struct item {
	struct tree_node node; /* in set->items, by file and descriptor */
	struct list in_ready;  /* set->ready, or alone */
	struct list in_file;   /* file->epoll_items */
	struct epoll *set;
	struct file *file;
	int fd;
	/* wanted, with ALWAYS and the private bits; only these after EPOLLONESHOT fired */
	uint32_t events;
	uint64_t data;
	struct watch *watches;
	unsigned nwatches;
	struct watch inl[INLINE_WATCHES];
};

struct epoll {
	struct tree items;
	struct list ready;
	struct waitq waiters; /* threads in epoll_wait */
	struct waitq pollers; /* sets and polls that watch this set */
	struct file *file;
};

static const struct file_ops epoll_ops;

/* ---- readiness ---- */

static inline uint32_t item_look(const struct item *it)
{
	/* Only files that can be polled come into a set. */
	return it->file->ops->poll(it->file, NULL) & it->events & ~PRIVATE;
}

static void item_ready(struct item *it)
{
	struct epoll *ep = it->set;

	if (!list_linked(&it->in_ready))
		list_push_back(&ep->ready, &it->in_ready);
	wake_up(&ep->waiters, 1);
	wake_all(&ep->pollers);
}

/* A queue of the item's file was woken. */
static void watch_notify(struct wait_entry *e)
{
	struct watch *w = container_of(e, struct watch, entry);
	struct item *it = w->item;

	if ((w->events & it->events & ~PRIVATE) != 0)
		item_ready(it);
}

/* Is anything ready in fact? Items that turn out not to be leave the list. */
static bool any_ready(struct epoll *ep)
{
	LIST_FOR_EACH_SAFE(pos, &ep->ready) {
		if (item_look(list_entry(pos, struct item, in_ready)) != 0)
			return true;
		list_remove(pos);
	}
	return false;
}

/*
 * Move up to max events of the ready list to ev. An item that stays ready goes to the end: those
 * not looked at come first next time, and nobody starves.
 */
static unsigned collect(struct epoll *ep, struct epoll_event *ev, unsigned max)
{
	const struct list *last = ep->ready.prev, *node = &ep->ready;
	unsigned n = 0;

	while (node != last && n < max) {
		struct item *it = list_entry(ep->ready.next, struct item, in_ready);
		uint32_t events = item_look(it);

		node = &it->in_ready;
		if (events != 0) {
			ev[n].events = events;
			ev[n++].data = it->data;
			if ((it->events & (EPOLLONESHOT | EPOLLET)) == 0) {
				/* The only one is the last already. */
				if (ep->ready.prev != node)
					list_push_back(&ep->ready, list_pop_front(&ep->ready));
				continue;
			}
			if (it->events & EPOLLONESHOT)
				it->events &= PRIVATE;
		}
		list_remove(&it->in_ready);
	}
	return n;
}

long epoll_wait_events(struct file *f, struct epoll_event *ev, unsigned max, uint64_t deadline_ns)
{
	struct epoll *ep = f->priv;
	wait_result_t r = WAIT_WOKEN;

	if (f->ops != &epoll_ops || max == 0)
		return E_INVAL;
	for (;;) {
		unsigned n = collect(ep, ev, max);

		if (n > 0) {
			/* What is left may be work for another thread. */
			if (!list_empty(&ep->ready) && !list_empty(&ep->waiters.waiters))
				wake_up(&ep->waiters, 1);
			return n;
		}
		if (r == WAIT_SIGNAL)
			return E_INTR;
		if (r == WAIT_TIMEOUT || deadline_ns == 0)
			return 0;
		r = wait_on(&ep->waiters, deadline_ns, true);
	}
}

/* ---- items ---- */

struct key {
	const struct file *file;
	int fd;
};

static int item_cmp(const struct tree_node *n, const void *key)
{
	const struct item *it = tree_entry(n, struct item, node);
	const struct key *k = key;

	if (it->file != k->file)
		return (uintptr_t)it->file < (uintptr_t)k->file ? -1 : 1;
	return it->fd < k->fd ? -1 : it->fd > k->fd;
}

static bool item_less(const struct tree_node *a, const struct tree_node *b)
{
	const struct item *it = tree_entry(b, struct item, node);
	struct key k = { it->file, it->fd };

	return item_cmp(a, &k) < 0;
}

static struct item *item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct key k = { f, fd };

	return tree_entry_or_null(tree_find(&ep->items, &k, item_cmp), struct item, node);
}

err_t epoll_target(struct file *f, int fd, uint32_t nth, struct file **out)
{
	struct epoll *ep = f->priv;

	if (f->ops != &epoll_ops)
		return E_INVAL;
	TREE_FOR_EACH(pos, &ep->items) {
		const struct item *it = tree_entry(pos, struct item, node);

		if (it->fd == fd && nth-- == 0) {
			*out = it->file;
			return OK;
		}
	}
	return E_NOENT;
}

static void item_free(struct item *it)
{
	while (it->watches != NULL) {
		struct watch *w = it->watches;

		it->watches = w->next;
		wait_entry_remove(&w->entry);
		if (w < it->inl || w >= it->inl + INLINE_WATCHES)
			kmem_free(w);
	}
	list_remove(&it->in_ready);
	list_remove(&it->in_file);
	tree_remove(&it->set->items, &it->node);
	kmem_free(it);
}

void epoll_file_gone(struct file *f)
{
	LIST_FOR_EACH_SAFE(pos, &f->epoll_items)
		item_free(list_entry(pos, struct item, in_file));
}

struct watch_table {
	struct poll_table table;
	struct item *item;
	bool nomem;
};

static void watch_add(struct poll_table *t, struct waitq *q, uint32_t events)
{
	struct watch_table *wt = container_of(t, struct watch_table, table);
	struct item *it = wt->item;
	struct watch *w = it->nwatches < INLINE_WATCHES ? &it->inl[it->nwatches]
							: kmem_zalloc(sizeof(*w));

	if (w == NULL) {
		wt->nomem = true;
		return;
	}
	it->nwatches++;
	w->item = it;
	w->events = events;
	w->next = it->watches;
	it->watches = w;
	w->entry.notify = watch_notify;
	w->entry.exclusive = (it->events & EPOLLEXCLUSIVE) != 0;
	list_init(&w->entry.node);
	wait_entry_add(q, &w->entry);
}

/* ---- nesting ---- */

/* Sets in the longest chain from ep downwards, itself included; more than MAX_NESTING when
 * `forbidden` is among them. */
static int depth_below(struct epoll *ep, const struct epoll *forbidden, int limit)
{
	int deepest = 0;

	if (ep == forbidden || limit == 0)
		return MAX_NESTING + 1;
	TREE_FOR_EACH(pos, &ep->items) {
		struct item *it = tree_entry(pos, struct item, node);
		int d;

		if (it->file->ops != &epoll_ops)
			continue;
		d = depth_below(it->file->priv, forbidden, limit - 1);
		deepest = d > deepest ? d : deepest;
	}
	return deepest + 1;
}

/* Sets in the longest chain from ep upwards, itself included. */
static int depth_above(const struct epoll *ep, int limit)
{
	int highest = 0;

	if (limit == 0)
		return MAX_NESTING + 1;
	LIST_FOR_EACH(pos, &ep->file->epoll_items) {
		int d = depth_above(list_entry(pos, struct item, in_file)->set, limit - 1);

		highest = d > highest ? d : highest;
	}
	return highest + 1;
}

static err_t check_nesting(const struct epoll *ep, struct epoll *inner)
{
	int below = depth_below(inner, ep, MAX_NESTING);

	if (below + depth_above(ep, MAX_NESTING) > MAX_NESTING)
		return E_LOOP;
	return OK;
}

/* ---- epoll_ctl ---- */

static err_t add(struct epoll *ep, int fd, struct file *target, const struct epoll_event *ev)
{
	struct watch_table wt = { .table.add = watch_add };
	struct item *it;
	uint32_t now;

	if (target->ops == &epoll_ops)
		TRY(check_nesting(ep, target->priv));
	it = kmem_zalloc(sizeof(*it));
	if (it == NULL)
		return E_NOMEM;
	it->set = ep;
	it->file = target;
	it->fd = fd;
	it->events = ev->events | ALWAYS;
	it->data = ev->data;
	list_init(&it->in_ready);
	list_push_back(&target->epoll_items, &it->in_file);
	tree_insert(&ep->items, &it->node, item_less);
	wt.item = it;
	now = file_poll(target, &wt.table);
	if (wt.nomem) {
		item_free(it);
		return E_NOMEM;
	}
	if ((now & it->events & ~PRIVATE) != 0)
		item_ready(it);
	return OK;
}

static err_t modify(struct item *it, const struct epoll_event *ev)
{
	if (it->events & EPOLLEXCLUSIVE)
		return E_INVAL;
	it->events = ev->events | ALWAYS;
	it->data = ev->data;
	if (item_look(it) != 0)
		item_ready(it);
	return OK;
}

static err_t check_exclusive(int op, const struct file *target, uint32_t events)
{
	if (op == EPOLL_CTL_DEL || (events & EPOLLEXCLUSIVE) == 0)
		return OK;
	if (op == EPOLL_CTL_MOD || (events & ~EXCLUSIVE_OK) != 0 || target->ops == &epoll_ops)
		return E_INVAL;
	return OK;
}

err_t epoll_change(struct file *f, int op, int fd, struct file *target,
		   const struct epoll_event *ev)
{
	struct epoll *ep = f->priv;
	struct item *it;

	if (target->ops == NULL || target->ops->poll == NULL)
		return E_PERM;
	if (f == target || f->ops != &epoll_ops)
		return E_INVAL;
	TRY(check_exclusive(op, target, op == EPOLL_CTL_DEL ? 0 : ev->events));
	it = item_find(ep, target, fd);
	switch (op) {
	case EPOLL_CTL_ADD: return it != NULL ? E_EXIST : add(ep, fd, target, ev);
	case EPOLL_CTL_MOD: return it == NULL ? E_NOENT : modify(it, ev);
	case EPOLL_CTL_DEL:
		if (it == NULL)
			return E_NOENT;
		item_free(it);
		return OK;
	default: return E_INVAL;
	}
}

/* ---- the set as a file ---- */

static uint32_t epoll_poll(struct file *f, struct poll_table *t)
{
	struct epoll *ep = f->priv;

	poll_wait_for(t, &ep->pollers, EPOLLIN | EPOLLRDNORM);
	return any_ready(ep) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;
	struct tree_node *n;

	while ((n = tree_first(&ep->items)) != NULL)
		item_free(tree_entry(n, struct item, node));
	kmem_free(ep);
}

static void epoll_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:[eventpoll]");
}

static void epoll_fdinfo(struct file *f, char *buf, size_t size)
{
	struct epoll *ep = f->priv;

	buf[0] = '\0';
	TREE_FOR_EACH(pos, &ep->items) {
		const struct item *it = tree_entry(pos, struct item, node);
		size_t n = fmt_snprintf(buf, size, "tfd: %8d events: %8x data: %16llx\n", it->fd,
					it->events, (unsigned long long)it->data);

		if (n >= size) {
			buf[0] = '\0'; /* whole lines only */
			return;
		}
		buf += n;
		size -= n;
	}
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.release = epoll_release,
	.name = epoll_name,
	.fdinfo = epoll_fdinfo,
	.seek = file_seek_nowhere,
	.stream = true,
};

err_t epoll_create(unsigned flags, struct file **out)
{
	struct epoll *ep;

	if ((flags & ~(unsigned)EPOLL_CLOEXEC) != 0)
		return E_INVAL;
	ep = kmem_zalloc(sizeof(*ep));
	if (ep == NULL)
		return E_NOMEM;
	tree_init(&ep->items);
	list_init(&ep->ready);
	waitq_init(&ep->waiters);
	waitq_init(&ep->pollers);
	*out = file_create(&epoll_ops, ep, O_RDWR, 0600);
	if (*out == NULL) {
		kmem_free(ep);
		return E_NOMEM;
	}
	ep->file = *out;
	return OK;
}
