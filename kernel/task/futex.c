/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes: threads that wait for a word of the program's memory to change, in a hash table by the
 * word's key (object and offset for shared memory, space and address for private). Between reading
 * the word and queueing nothing else runs (R3), so no wake-up is lost and there is nothing to lock.
 */
#include <linux/futex.h>

#include "base/hash.h"
#include "kernel/core/core.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/futex.h"
#include "kernel/task/internal.h"

#define BUCKETS 256u

static struct list table[BUCKETS];

static struct list *bucket(const struct futex_key *k)
{
	return &table[hash_u64((uint64_t)k->object ^ k->offset * 0x9e3779b97f4a7c15ull) % BUCKETS];
}

bool futex_same_key(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

err_t futex_key_of(uaddr_t addr, bool shared, struct futex_key *out)
{
	struct ubuf word;

	if (addr.v % sizeof(uint32_t) != 0)
		return E_INVAL;
	TRY(ubuf_make(&word, addr, sizeof(uint32_t)));
	return aspace_futex_key(current_task->mm, addr.v, shared, out);
}

static void enqueue(struct thread *t, const struct futex_key *key, uint32_t bitset)
{
	t->futex_key = *key;
	t->futex_bitset = bitset;
	t->futex_state.waiting = true;
	list_push_back(bucket(key), &t->futex_node);
}

static void dequeue(struct thread *t)
{
	t->futex_state.waiting = false;
	list_remove(&t->futex_node);
}

/* ---- waiting ---- */

static long futex_wait_restart(struct thread *t)
{
	return futex_wait(UADDR(t->restart.arg[0]), (uint32_t)t->restart.arg[1],
			  (uint32_t)t->restart.arg[2], t->restart.arg[3], t->restart.arg[4]);
}

static long interrupted(uaddr_t addr, uint32_t val, uint32_t bitset, uint64_t deadline_ns,
			bool shared)
{
	struct thread *t = current;

	if (deadline_ns == WAIT_FOREVER)
		return E_RESTARTSYS;
	t->restart.fn = futex_wait_restart;
	t->restart.arg[0] = addr.v;
	t->restart.arg[1] = val;
	t->restart.arg[2] = bitset;
	t->restart.arg[3] = deadline_ns;
	t->restart.arg[4] = shared;
	return E_RESTART_BLOCK;
}

long futex_wait(uaddr_t addr, uint32_t val, uint32_t bitset, uint64_t deadline_ns, bool shared)
{
	struct thread *t = current;
	struct futex_key key;
	uint32_t now;

	if (bitset == 0)
		return E_INVAL;
	TRY(futex_key_of(addr, shared, &key));
	if (!x86_user_load32(addr.v, &now))
		return E_FAULT;
	if (now != val)
		return E_AGAIN;
	enqueue(t, &key, bitset);
	wait_prepare();
	for (;;) {
		wait_result_t r = wait_commit(deadline_ns, true);

		/* Who was woken is out of the table, whatever else happened. */
		if (!t->futex_state.waiting)
			return 0;
		if (r == WAIT_WOKEN) {
			wait_prepare();
			continue;
		}
		dequeue(t);
		return r == WAIT_TIMEOUT ? E_TIMEDOUT
					 : interrupted(addr, val, bitset, deadline_ns, shared);
	}
}

/* ---- waking ---- */

static void wake_one(struct thread *t)
{
	dequeue(t);
	thread_wake(t);
}

static long wake_key(const struct futex_key *key, uint32_t n, uint32_t bitset)
{
	struct list *b = bucket(key);
	uint32_t woken = 0;

	LIST_FOR_EACH_SAFE(l, b) {
		struct thread *t = list_entry(l, struct thread, futex_node);

		if (woken == n)
			break;
		if (!futex_same_key(&t->futex_key, key))
			continue;
		if (!(t->futex_bitset & bitset))
			continue;
		wake_one(t);
		woken++;
	}
	return (long)woken;
}

long futex_wake(uaddr_t addr, uint32_t n, uint32_t bitset, bool shared)
{
	struct futex_key key;

	if (bitset == 0)
		return E_INVAL;
	TRY(futex_key_of(addr, shared, &key));
	if (futex_pi_waited_for(&key))
		return E_INVAL; /* such a word is unlocked, not woken */
	return wake_key(&key, n, bitset);
}

long futex_requeue_keys(const struct futex_key *from, const struct futex_key *to, uint32_t nwake,
			uint32_t nmove)
{
	uint32_t woken = 0, moved = 0;
	struct list movers = LIST_INIT(movers);

	LIST_FOR_EACH_SAFE(l, bucket(from)) {
		struct thread *t = list_entry(l, struct thread, futex_node);

		if (!futex_same_key(&t->futex_key, from))
			continue;
		if (woken < nwake) {
			wake_one(t);
			woken++;
		} else if (moved < nmove) {
			list_remove(&t->futex_node);
			list_push_back(&movers, &t->futex_node);
			t->futex_key = *to;
			moved++;
		} else {
			break;
		}
	}
	/* Afterwards, because both keys may be in one bucket. */
	list_splice_back(bucket(to), &movers);
	return (long)woken + moved;
}

long futex_requeue(uaddr_t addr, uint32_t nwake, uint32_t nmove, uaddr_t addr2, bool cmp,
		   uint32_t val, bool shared)
{
	struct futex_key from, to;
	uint32_t now;

	if ((int32_t)nwake < 0 || (int32_t)nmove < 0)
		return E_INVAL;
	TRY(futex_key_of(addr, shared, &from));
	TRY(futex_key_of(addr2, shared, &to));
	if (cmp) {
		if (!x86_user_load32(addr.v, &now))
			return E_FAULT;
		if (now != val)
			return E_AGAIN;
	}
	return futex_requeue_keys(&from, &to, nwake, nmove);
}

/* ---- FUTEX_WAKE_OP ---- */

static int32_t sign_extend12(uint32_t v)
{
	return (int32_t)(v << 20) >> 20;
}

static bool compare(uint32_t cmp, int32_t old, int32_t arg, bool *known)
{
	*known = true;
	switch (cmp) {
	case FUTEX_OP_CMP_EQ: return old == arg;
	case FUTEX_OP_CMP_NE: return old != arg;
	case FUTEX_OP_CMP_LT: return old < arg;
	case FUTEX_OP_CMP_LE: return old <= arg;
	case FUTEX_OP_CMP_GT: return old > arg;
	case FUTEX_OP_CMP_GE: return old >= arg;
	default: *known = false; return false;
	}
}

long futex_wake_op(uaddr_t addr, uint32_t n1, uaddr_t addr2, uint32_t n2, uint32_t op, bool shared)
{
	uint32_t opcode = op >> 28 & 7, cmp = op >> 24 & 15, old;
	int32_t oparg = sign_extend12(op >> 12 & 0xfff), cmparg = sign_extend12(op & 0xfff);
	struct futex_key key1, key2;
	bool known, also;
	long woken, more;

	if (op >> 28 & FUTEX_OP_OPARG_SHIFT)
		oparg = 1 << (oparg & 31);
	if (opcode > FUTEX_OP_XOR)
		return E_NOSYS;
	(void)compare(cmp, 0, 0, &known);
	if (!known)
		return E_NOSYS;
	TRY(futex_key_of(addr, shared, &key1));
	TRY(futex_key_of(addr2, shared, &key2));
	if (!x86_user_xchg_op32(addr2.v, opcode, (uint32_t)oparg, &old))
		return E_FAULT;
	also = compare(cmp, (int32_t)old, cmparg, &known);
	woken = wake_key(&key1, n1, UINT32_MAX);
	if (woken < 0 || !also)
		return woken;
	more = wake_key(&key2, n2, UINT32_MAX);
	return more < 0 ? more : woken + more;
}

void futex_init(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		list_init(&table[i]);
}
