/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes that know their owner (PTHREAD_PRIO_INHERIT), and what a thread leaves behind when it
 * ends: robust lists and PI futexes whose owner died.
 *
 * The word of a PI futex holds the owner's tid and FUTEX_WAITERS; who waits is woken as the owner:
 * the waiter of the highest priority, among equals the first. Meanwhile the owner counts as much as
 * the most urgent of those who wait for anything it owns, and so does the owner of what the owner
 * itself waits for (futex_pi_update). A circle of waiters cannot come to be: the one who would
 * close it gets E_DEADLK, and who is handed a futex waits for none.
 */
#include <linux/futex.h>

#include "kernel/core/core.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/futex.h"
#include "kernel/task/internal.h"

#define ROBUST_MAX 2048 /* as Linux: a list may be a circle */
#define PI_BIT     1ull

static struct list waiters = LIST_INIT(waiters); /* all of this core: few programs use these */

static bool waits_for(const struct thread *t, const struct futex_key *key)
{
	return futex_same_key(&t->futex_key, key);
}

bool futex_pi_waited_for(const struct futex_key *key)
{
	LIST_FOR_EACH(l, &waiters)
		if (waits_for(list_entry(l, struct thread, futex_node), key))
			return true;
	return false;
}

static struct thread *next_owner(const struct futex_key *key)
{
	struct thread *best = NULL;

	LIST_FOR_EACH(l, &waiters) {
		struct thread *t = list_entry(l, struct thread, futex_node);

		if (waits_for(t, key) && (best == NULL || t->rt_priority > best->rt_priority))
			best = t;
	}
	return best;
}

/* ---- priority ---- */

static bool more_urgent(const struct thread *a, const struct thread *b)
{
	if (a->rt_priority != b->rt_priority)
		return a->rt_priority > b->rt_priority;
	return a->nice < b->nice;
}

static const struct thread *most_urgent_waiter(int owner)
{
	const struct thread *best = NULL;

	LIST_FOR_EACH(l, &waiters) {
		const struct thread *w = list_entry(l, struct thread, futex_node);

		if (w->futex_state.owner == owner && (best == NULL || more_urgent(w, best)))
			best = w;
	}
	return best;
}

static struct thread *owner_of_wanted(const struct thread *t)
{
	return t->futex_state.for_owner ? thread_find(t->futex_state.owner) : NULL;
}

void futex_pi_update(struct thread *t)
{
	while (t != NULL && thread_lend_priority(t, most_urgent_waiter(t->tid)))
		t = owner_of_wanted(t);
}

static bool would_wait_for_itself(int owner)
{
	const struct thread *t = thread_find(owner);

	while (t != NULL && t != current)
		t = owner_of_wanted(t);
	return t != NULL;
}

/* ---- the list of waiters ---- */

static void waiter_add(struct thread *t, int owner)
{
	t->futex_state.for_owner = true;
	t->futex_state.owner = owner;
	list_push_back(&waiters, &t->futex_node);
	futex_pi_update(thread_find(owner));
}

static void waiter_remove(struct thread *t)
{
	t->futex_state.for_owner = false;
	list_remove(&t->futex_node);
	futex_pi_update(thread_find(t->futex_state.owner));
}

static bool others_wait(const struct futex_key *key, const struct thread *t)
{
	LIST_FOR_EACH(l, &waiters) {
		const struct thread *w = list_entry(l, struct thread, futex_node);

		if (w != t && waits_for(w, key))
			return true;
	}
	return false;
}

/* The waiter `t` has it now: it goes on, and the others wait for it. */
static void give(const struct futex_key *key, struct thread *t)
{
	struct thread *before = thread_find(t->futex_state.owner);

	t->futex_state.for_owner = false;
	list_remove(&t->futex_node);
	LIST_FOR_EACH(l, &waiters) {
		struct thread *w = list_entry(l, struct thread, futex_node);

		if (waits_for(w, key))
			w->futex_state.owner = t->tid;
	}
	futex_pi_update(before);
	futex_pi_update(t);
	t->futex_state.acquired = true;
	t->futex_state.waiting = false;
	thread_wake(t);
}

/* ---- the word ---- */

static bool word_store(uint64_t addr, uint32_t value)
{
	uint32_t old, seen;

	if (!x86_user_load32(addr, &old))
		return false;
	for (;;) {
		if (!x86_user_cmpxchg32(addr, old, value, &seen))
			return false;
		if (seen == old)
			return true;
		old = seen;
	}
}

/*
 * The waiter `t` becomes the owner of the word in the current address space (both processes have it
 * mapped when it is shared; the address may differ, so the current one's is given).
 */
static bool hand_over(uint64_t addr, const struct futex_key *key, struct thread *t)
{
	if (!word_store(addr, (uint32_t)t->tid | (others_wait(key, t) ? FUTEX_WAITERS : 0)))
		return false;
	give(key, t);
	return true;
}

/* ---- locking ---- */

/*
 * One look at the word. OK: it is ours. E_AGAIN: look again. E_BUSY: somebody has it and knows that
 * we wait.
 */
static long try_lock(uint64_t addr, bool may_mark, int *owner)
{
	uint32_t me = (uint32_t)current->tid, old, seen, want;
	const struct thread *t;

	if (!x86_user_load32(addr, &old))
		return E_FAULT;
	*owner = (int)(old & FUTEX_TID_MASK);
	if (*owner == (int)me)
		return E_DEADLK;
	if (*owner == 0) {
		want = me | (old & (FUTEX_OWNER_DIED | FUTEX_WAITERS));
	} else {
		t = thread_find(*owner);
		if (t == NULL || t->exiting) {
			if (!(old & FUTEX_OWNER_DIED))
				return E_SRCH;
			want = me | (old & (FUTEX_OWNER_DIED | FUTEX_WAITERS));
			*owner = 0;
		} else {
			if (!may_mark || (old & FUTEX_WAITERS))
				return may_mark ? E_BUSY : E_AGAIN;
			want = old | FUTEX_WAITERS;
		}
	}
	if (!x86_user_cmpxchg32(addr, old, want, &seen))
		return E_FAULT;
	if (seen != old)
		return E_AGAIN;
	return *owner == 0 ? OK : E_BUSY;
}

static long sleep_until_owner(const struct futex_key *key, uint64_t addr, uint64_t deadline_ns,
			      int owner)
{
	struct thread *t = current;

	t->futex_key = *key;
	t->futex_state.waiting = true;
	t->futex_state.acquired = false;
	t->futex_state.word = addr;
	waiter_add(t, owner);
	wait_prepare();
	while (!t->futex_state.acquired) {
		wait_result_t r = wait_commit(deadline_ns, true);

		if (t->futex_state.acquired)
			break;
		wait_prepare();
		if (r == WAIT_WOKEN)
			continue;
		t->futex_state.waiting = false;
		waiter_remove(t);
		return r == WAIT_TIMEOUT ? E_TIMEDOUT : E_RESTARTNOINTR;
	}
	return 0;
}

long futex_lock_pi(uaddr_t addr, uint64_t deadline_ns, bool shared, bool try)
{
	struct futex_key key;
	int owner;
	long r;

	TRY(futex_key_of(addr, shared, &key));
	do
		r = try_lock(addr.v, !try, &owner);
	while (r == E_AGAIN && !try);
	if (r != E_BUSY)
		return r;
	if (would_wait_for_itself(owner))
		return E_DEADLK;
	return sleep_until_owner(&key, addr.v, deadline_ns, owner);
}

long futex_unlock_pi(uaddr_t addr, bool shared)
{
	struct futex_key key;
	struct thread *next;
	uint32_t old, seen;

	TRY(futex_key_of(addr, shared, &key));
	if (!x86_user_load32(addr.v, &old))
		return E_FAULT;
	if ((old & FUTEX_TID_MASK) != (uint32_t)current->tid)
		return E_PERM;
	next = next_owner(&key);
	if (next != NULL)
		return hand_over(addr.v, &key, next) ? 0 : E_FAULT;
	if (!x86_user_cmpxchg32(addr.v, old, 0, &seen))
		return E_FAULT;
	return seen == old ? 0 : E_AGAIN;
}

/* ---- the end of an owner ---- */

/*
 * Waiters of a futex whose owner is `t`: the first of each gets it, marked as inherited from the
 * dead. The word is written through the waiter's own mapping, which exists as long as it waits.
 */
void futex_pi_exit(struct thread *t)
{
	for (;;) {
		struct thread *found = NULL;
		struct futex_key key;
		uint32_t value;

		LIST_FOR_EACH(l, &waiters) {
			struct thread *w = list_entry(l, struct thread, futex_node);

			if (w->futex_state.owner == t->tid) {
				found = w;
				break;
			}
		}
		if (found == NULL)
			return;
		key = found->futex_key;
		found = next_owner(&key);
		value = (uint32_t)found->tid | FUTEX_OWNER_DIED;
		if (others_wait(&key, found))
			value |= FUTEX_WAITERS;
		(void)!aspace_write(found->task->mm, found->futex_state.word, &value, sizeof(value),
				    false);
		give(&key, found);
	}
}

/* ---- robust lists ---- */

/* The dead thread's word: marked, and one waiter woken to find the mark. */
static void handle_death(struct thread *t, uint64_t addr, bool pi, bool pending)
{
	uint32_t old, want, seen;

	if (addr % sizeof(uint32_t) != 0 || addr >= USER_END - sizeof(uint32_t))
		return;
	for (;;) {
		if (!x86_user_load32(addr, &old))
			return;
		/* It died between the unlock of the word and the wake-up: do the wake-up for it. */
		if (pending && !pi && old == 0) {
			(void)futex_wake(UADDR(addr), 1, UINT32_MAX, true);
			return;
		}
		if ((old & FUTEX_TID_MASK) != (uint32_t)t->tid)
			return;
		want = (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (!x86_user_cmpxchg32(addr, old, want, &seen))
			return;
		if (seen == old)
			break;
	}
	if (!pi && (old & FUTEX_WAITERS)) {
		(void)futex_wake(UADDR(addr), 1, UINT32_MAX, true);
		(void)futex_wake(UADDR(addr), 1, UINT32_MAX, false);
	}
}

struct robust_head {
	uint64_t next;
	int64_t futex_offset;
	uint64_t pending;
};

void futex_robust_exit(struct thread *t)
{
	struct robust_head head;
	uint64_t entry, pending, next;
	bool pi, next_pi;

	if (t->robust_list == 0 || USER_IN(&head, UADDR(t->robust_list)) != OK)
		return;
	pending = head.pending & ~PI_BIT;
	entry = head.next & ~PI_BIT;
	pi = head.next & PI_BIT;
	for (int left = ROBUST_MAX; entry != t->robust_list && left > 0; left--) {
		/* First the link: the one who is woken may free the memory. */
		bool more = user_in(&next, UADDR(entry), sizeof(next)) == OK;

		next_pi = more && (next & PI_BIT);
		if (entry != pending)
			handle_death(t, entry + (uint64_t)head.futex_offset, pi, false);
		if (!more)
			break;
		entry = next & ~PI_BIT;
		pi = next_pi;
	}
	if (pending != 0)
		handle_death(t, pending + (uint64_t)head.futex_offset, head.pending & PI_BIT, true);
	t->robust_list = 0;
}
