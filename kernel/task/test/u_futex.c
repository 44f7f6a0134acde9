/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of waiters: wake, requeue and wake_op against a model of queues by word. */
#include <linux/futex.h>

#include "base/checked.h"
#include "kernel/core/core.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/futex.h"
#include "kernel/task/test/host.h"

#define WORDS   8u
#define THREADS 32u

static uint32_t words[WORDS];
static struct thread threads[THREADS];
static struct task task;
struct thread *current;
static struct thread *woken[THREADS];
static unsigned nwoken;

static uaddr_t addr(unsigned word)
{
	return UADDR(0x1000 + word * 4);
}

err_t aspace_futex_key(struct aspace *a, uint64_t at, bool shared, struct futex_key *out)
{
	(void)a;
	*out = (struct futex_key){ shared ? words : NULL, at };
	return at < 0x1000 || at >= 0x1000 + sizeof(words) ? E_FAULT : OK;
}

bool x86_user_load32(uint64_t at, uint32_t *out)
{
	*out = words[(at - 0x1000) / 4];
	return true;
}

bool x86_user_xchg_op32(uint64_t at, unsigned op, uint32_t arg, uint32_t *old)
{
	uint32_t *w = &words[(at - 0x1000) / 4];

	*old = *w;
	*w = op == FUTEX_OP_SET ? arg : op == FUTEX_OP_ADD ? *w + arg : *w;
	return true;
}

bool futex_pi_waited_for(const struct futex_key *key)
{
	(void)key;
	return false;
}

void thread_wake(struct thread *t)
{
	woken[nwoken++] = t;
}

void wait_prepare(void)
{
}

/* The sleeper stays in the table: its futex_wait never returns in this test. */
static jmp_buf asleep;

wait_result_t wait_commit(uint64_t deadline_ns, bool interruptible)
{
	(void)deadline_ns;
	(void)interruptible;
	longjmp(asleep, 1);
}

/* ---- model ---- */

static unsigned queue[WORDS][THREADS], length[WORDS];
static bool sleeping[THREADS];

static int setup(void **state)
{
	(void)state;
	memset(queue, 0, sizeof(queue));
	memset(length, 0, sizeof(length));
	memset(sleeping, 0, sizeof(sleeping));
	memset(words, 0, sizeof(words));
	nwoken = 0;
	futex_init();
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){ .task = &task, .tid = (int)i };
		list_init(&threads[i].futex_node);
	}
	return 0;
}

static void sleep_on(unsigned t, unsigned word)
{
	current = &threads[t];
	if (setjmp(asleep) == 0)
		(void)!futex_wait(addr(word), words[word], UINT32_MAX, WAIT_FOREVER, false);
	sleeping[t] = true;
	queue[word][length[word]++] = t;
}

static unsigned model_pop(unsigned word)
{
	unsigned t = queue[word][0];

	length[word]--;
	for (unsigned i = 0; i < length[word]; i++)
		queue[word][i] = queue[word][i + 1];
	return t;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void expect_woken(unsigned word, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned t = model_pop(word);

		assert_ptr_equal(woken[i], &threads[t]);
		assert_false(threads[t].futex_state.waiting);
		sleeping[t] = false;
	}
	assert_int_equal(nwoken, n);
}

static void model_requeue(unsigned from, unsigned to, unsigned nwake, unsigned nmove)
{
	unsigned wake = least(nwake, length[from]), move = least(nmove, length[from] - wake);

	nwoken = 0;
	assert_int_equal(futex_requeue(addr(from), nwake, nmove, addr(to), true, words[from],
				       false),
			 wake + move);
	expect_woken(from, wake);
	for (unsigned i = 0; i < move; i++) {
		unsigned t = model_pop(from);

		queue[to][length[to]++] = t;
	}
}

static void random_against_model(void **state)
{
	uint64_t rng = 1;

	(void)state;
	for (unsigned step = 0; step < 100000; step++) {
		unsigned t, w, n;

		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		t = (unsigned)(rng >> 40) % THREADS;
		w = (unsigned)(rng >> 50) % WORDS;
		n = (unsigned)(rng >> 34) % 4;
		switch (rng >> 62) {
		case 0:
		case 1:
			if (!sleeping[t])
				sleep_on(t, w);
			break;
		case 2:
			nwoken = 0;
			assert_int_equal(futex_wake(addr(w), n, UINT32_MAX, false),
					 least(n, length[w]));
			expect_woken(w, least(n, length[w]));
			break;
		default:
			if (t % WORDS != w)
				model_requeue(w, t % WORDS, n, (unsigned)(rng >> 30) % 6);
		}
	}
}

static void checks(void **state)
{
	(void)state;
	current = &threads[0];
	words[1] = 5;
	assert_int_equal(futex_wait(addr(1), 4, 1, WAIT_FOREVER, false), E_AGAIN);
	assert_int_equal(futex_wait(addr(1), 5, 0, WAIT_FOREVER, false), E_INVAL);
	assert_int_equal(futex_wait(UADDR(0x1001), 0, 1, WAIT_FOREVER, false), E_INVAL);
	assert_int_equal(futex_wait(UADDR(0x9000), 0, 1, WAIT_FOREVER, false), E_FAULT);
	assert_int_equal(futex_wake(addr(1), 1, 0, false), E_INVAL);
	assert_int_equal(futex_requeue(addr(1), 1, 1, addr(2), true, 4, false), E_AGAIN);
	assert_int_equal(futex_requeue(addr(1), 1, UINT32_MAX, addr(2), false, 0, false), E_INVAL);
}

static void private_and_shared_differ(void **state)
{
	(void)state;
	sleep_on(0, 0);
	assert_int_equal(futex_wake(addr(0), 1, UINT32_MAX, true), 0);
	assert_int_equal(futex_wake(addr(0), 1, UINT32_MAX, false), 1);
}

static void wake_op(void **state)
{
	(void)state;
	sleep_on(0, 0);
	sleep_on(1, 1);
	words[1] = 7;
	/* word 1: add 1; wake one of word 0; the old value 7 is > 6, so wake one of word 1 too */
	assert_int_equal(futex_wake_op(addr(0), 1, addr(1), 1,
				       FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_GT, 6), false),
			 2);
	assert_int_equal(words[1], 8);
	sleep_on(0, 0);
	sleep_on(1, 1);
	assert_int_equal(futex_wake_op(addr(0), 1, addr(1), 1,
				       FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_LT, -5), false),
			 1);
	assert_int_equal(words[1], 1);
	assert_int_equal(futex_wake_op(addr(0), 1, addr(1), 1, 15u << 24, false), E_NOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_against_model, setup),
		cmocka_unit_test_setup(checks, setup),
		cmocka_unit_test_setup(private_and_shared_differ, setup),
		cmocka_unit_test_setup(wake_op, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
