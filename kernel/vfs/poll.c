/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2) over referenced files. Files that are ready at once cost one look each; only then are
 * queues joined. */
#include "kernel/mem/kmem.h"
#include "kernel/vfs/poll.h"

#define INLINE_ENTRIES 6u
#define BLOCK_ENTRIES  50u

/* Entries beyond the inline ones; about half a page. */
struct poll_block {
	struct poll_block *next;
	unsigned n;
	struct wait_entry entry[BLOCK_ENTRIES];
};

struct poll_set {
	struct poll_table table;
	uint32_t wanted; /* by the file just looked at */
	bool nomem;
	unsigned n;
	struct wait_entry entry[INLINE_ENTRIES];
	struct poll_block *blocks;
};

static struct wait_entry *entry_new(struct poll_set *s)
{
	struct poll_block *b = s->blocks;

	if (s->n < INLINE_ENTRIES)
		return &s->entry[s->n++];
	if (b == NULL || b->n == BLOCK_ENTRIES) {
		b = kmem_alloc(sizeof(*b));
		if (b == NULL)
			return NULL;
		b->next = s->blocks;
		b->n = 0;
		s->blocks = b;
	}
	return &b->entry[b->n++];
}

static void set_add(struct poll_table *t, struct waitq *q, uint32_t events)
{
	struct poll_set *s = container_of(t, struct poll_set, table);
	struct wait_entry *e;

	if ((events & s->wanted) == 0)
		return;
	e = entry_new(s);
	if (e == NULL) {
		s->nomem = true;
		return;
	}
	e->thread = current;
	e->notify = NULL;
	e->exclusive = false;
	list_init(&e->node);
	wait_entry_add(q, e);
}

static void set_leave(struct poll_set *s)
{
	for (unsigned i = 0; i < s->n; i++)
		wait_entry_remove(&s->entry[i]);
	while (s->blocks != NULL) {
		struct poll_block *b = s->blocks;

		for (unsigned i = 0; i < b->n; i++)
			wait_entry_remove(&b->entry[i]);
		s->blocks = b->next;
		kmem_free(b);
	}
}

/* Look at all; join their queues when s is given. Answers how many have something to report. */
static long scan(struct poll_item *items, unsigned n, struct poll_set *s)
{
	long ready = 0;

	for (unsigned i = 0; i < n; i++) {
		struct poll_item *it = &items[i];
		uint32_t wanted = it->events | EPOLLERR | EPOLLHUP;

		it->revents = 0;
		if (it->file != NULL) {
			if (s != NULL)
				s->wanted = wanted;
			it->revents = file_poll(it->file, s != NULL ? &s->table : NULL) & wanted;
		} else if (it->fd >= 0) {
			it->revents = EPOLLNVAL;
		}
		if (it->revents != 0)
			ready++;
	}
	return ready;
}

static long wait_ready(struct poll_item *items, unsigned n, struct poll_set *s,
		       uint64_t deadline_ns)
{
	long ready;

	wait_prepare();
	ready = scan(items, n, s);
	while (ready == 0 && !s->nomem) {
		wait_result_t r = wait_commit(deadline_ns, true);

		wait_prepare();
		ready = scan(items, n, NULL);
		if (ready == 0 && r == WAIT_SIGNAL)
			return E_INTR;
		if (r == WAIT_TIMEOUT)
			break;
	}
	return ready == 0 && s->nomem ? E_NOMEM : ready;
}

long poll_files(struct poll_item *items, unsigned n, uint64_t deadline_ns)
{
	struct poll_set s;
	long ready = scan(items, n, NULL);

	if (ready != 0 || deadline_ns == 0)
		return ready;
	s.table.add = set_add;
	s.nomem = false;
	s.n = 0;
	s.blocks = NULL;
	ready = wait_ready(items, n, &s, deadline_ns);
	set_leave(&s);
	return ready;
}

void waitq_detach_all(struct waitq *q)
{
	struct list *node;

	wake_all(q);
	while ((node = list_first(&q->waiters)) != NULL)
		list_remove(node);
}
