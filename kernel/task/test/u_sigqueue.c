/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pending signals: what is kept, in which order it comes out, and what a full queue or no memory
 * does.
 */
#include "kernel/task/test/host.h"

static bool no_memory;
static int allocated;

void *kmem_alloc(size_t size)
{
	if (no_memory)
		return NULL;
	allocated++;
	return malloc(size);
}

void kmem_free(void *p)
{
	allocated -= p != NULL;
	free(p);
}

static struct sig_queue q;

static int setup(void **state)
{
	(void)state;
	sigqueue_init(&q);
	no_memory = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sigqueue_flush(&q);
	assert_in_range(allocated, 0, 1); /* one record may be kept for the next signal */
	assert_int_equal(q.count, 0);
	return 0;
}

static err_t add(int sig, int code, int value)
{
	struct ksiginfo info = { 0 };

	info.si_code = code;
	info.si_int = value;
	return sigqueue_add(&q, sig, &info, 8);
}

static int take(sigmask_t blocked, int *value)
{
	struct ksiginfo info;
	int sig = sigqueue_next(&q, blocked);

	if (sig == 0)
		return 0;
	sigqueue_take(&q, sig, &info);
	assert_int_equal(info.si_signo, sig);
	*value = info.si_int;
	return sig;
}

static void standard_kept_once(void **state)
{
	int v;

	(void)state;
	assert_int_equal(add(SIGUSR1, SI_QUEUE, 1), OK);
	assert_int_equal(add(SIGUSR1, SI_QUEUE, 2), OK);
	assert_int_equal(take(0, &v), SIGUSR1);
	assert_int_equal(v, 1);
	assert_int_equal(take(0, &v), 0);
}

static void realtime_all_kept_in_order(void **state)
{
	int v;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(add(SIGRTMIN + 2, SI_QUEUE, i), OK);
	assert_int_equal(add(SIGRTMIN + 1, SI_QUEUE, 100), OK);
	assert_int_equal(take(0, &v), SIGRTMIN + 1);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(take(0, &v), SIGRTMIN + 2);
		assert_int_equal(v, i);
	}
	assert_int_equal(take(0, &v), 0);
}

static void faults_first_then_lowest(void **state)
{
	int v;

	(void)state;
	add(SIGHUP, SI_USER, 0);
	add(SIGTERM, SI_USER, 0);
	add(SIGSEGV, 1, 0);
	assert_int_equal(take(0, &v), SIGSEGV);
	assert_int_equal(take(SIG_BIT(SIGHUP), &v), SIGTERM);
	assert_int_equal(take(SIG_BIT(SIGHUP), &v), 0);
	assert_int_equal(take(0, &v), SIGHUP);
}

static void full_queue(void **state)
{
	int v;

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(add(40, SI_QUEUE, i), OK);
	assert_int_equal(add(40, SI_QUEUE, 8), E_AGAIN);
	/* kill() of a real-time signal sets the bit even so; a standard one is never lost. */
	assert_int_equal(add(41, SI_USER, 0), OK);
	assert_int_equal(add(SIGTERM, SI_USER, 0), OK);
	assert_int_equal(take(0, &v), SIGTERM);
	assert_int_equal(take(SIG_BIT(40), &v), 41);
	/* The kernel's own standard signals keep their information. */
	assert_int_equal(add(SIGCHLD, CLD_EXITED, 7), OK);
	assert_int_equal(take(0, &v), SIGCHLD);
	assert_int_equal(v, 7);
}

static void no_memory_keeps_the_signal(void **state)
{
	int v = 5;

	(void)state;
	assert_int_equal(add(40, SI_QUEUE, 9), OK); /* and there is no record in reserve any more */
	no_memory = true;
	assert_int_equal(add(SIGCHLD, CLD_EXITED, 7), OK);
	assert_int_equal(add(50, SI_QUEUE, 1), E_AGAIN);
	assert_int_equal(take(0, &v), SIGCHLD);
	assert_int_equal(v, 0);
	assert_int_equal(take(0, &v), 40);
	assert_int_equal(v, 9);
}

static void drop_by_mask(void **state)
{
	int v;

	(void)state;
	add(SIGTSTP, SI_USER, 0);
	add(SIGTTIN, SI_USER, 0);
	add(SIGCONT, SI_USER, 0);
	add(60, SI_QUEUE, 0);
	add(60, SI_QUEUE, 1);
	sigqueue_drop(&q, SIG_MASK_STOP_ | SIG_BIT(60));
	assert_int_equal(q.count, 1);
	assert_int_equal(take(0, &v), SIGCONT);
	assert_int_equal(take(0, &v), 0);
}

/* Random adds and takes against a model: a list for each signal. */
static void against_model(void **state)
{
	static int model[SIG_COUNT + 1][64];
	static int len[SIG_COUNT + 1];
	uint64_t rng = 0x9e3779b97f4a7c15ull;

	(void)state;
	for (int step = 0; step < 50000; step++) {
		struct ksiginfo info = { 0 };
		int sig, want = 0, v;

		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		sig = 1 + (int)(rng >> 33) % SIG_COUNT;
		if (rng >> 62 != 0 && len[sig] < 64) {
			info.si_code = SI_QUEUE;
			info.si_int = step;
			assert_int_equal(sigqueue_add(&q, sig, &info, UINT64_MAX), OK);
			if (sig >= SIGRTMIN || len[sig] == 0)
				model[sig][len[sig]++] = step;
			continue;
		}
		for (int s = SIG_COUNT; s > 0; s--)
			if (len[s] > 0)
				want = s;
		for (int s = SIG_COUNT; s > 0; s--)
			if (len[s] > 0 && (SIG_MASK_SYNC_ & SIG_BIT(s)))
				want = s;
		assert_int_equal(take(0, &v), want);
		if (want == 0)
			continue;
		assert_int_equal(v, model[want][0]);
		len[want]--;
		for (int i = 0; i < len[want]; i++)
			model[want][i] = model[want][i + 1];
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(standard_kept_once, setup, teardown),
		cmocka_unit_test_setup_teardown(realtime_all_kept_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(faults_first_then_lowest, setup, teardown),
		cmocka_unit_test_setup_teardown(full_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory_keeps_the_signal, setup, teardown),
		cmocka_unit_test_setup_teardown(drop_by_mask, setup, teardown),
		cmocka_unit_test_setup_teardown(against_model, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
