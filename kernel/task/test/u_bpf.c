/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker and the machine of filters. Random programs: what passes the check must end, and stay
 * inside its record and scratch words (the sanitiser watches). */
#include "kernel/task/test/host.h"

#include "kernel/task/bpf.h"

void *kmem_alloc(size_t n)
{
	return malloc(n);
}

void kmem_free(void *p)
{
	free(p);
}

#define SIZE 64u
#define S    BPF_STMT
#define J    BPF_JUMP

static uint32_t record[SIZE / 4];

static uint32_t run(const struct sock_filter *f, unsigned n)
{
	assert_int_equal(bpf_check(f, n, SIZE), OK);
	return bpf_run(f, record, SIZE);
}
#define RUN(...)                                                 \
	({                                                       \
		const struct sock_filter f_[] = { __VA_ARGS__ }; \
		run(f_, ARRAY_SIZE(f_));                         \
	})
#define REFUSED(...)                                                            \
	do {                                                                    \
		const struct sock_filter f_[] = { __VA_ARGS__ };                \
		assert_int_equal(bpf_check(f_, ARRAY_SIZE(f_), SIZE), E_INVAL); \
	} while (0)

#define RET_A S(BPF_RET | BPF_A, 0)

static void computes(void **state)
{
	(void)state;
	record[0] = 42;
	record[15] = 7;
	assert_int_equal(RUN(S(BPF_RET | BPF_K, 5)), 5);
	assert_int_equal(RUN(S(BPF_LD | BPF_W | BPF_ABS, 0), RET_A), 42);
	assert_int_equal(RUN(S(BPF_LD | BPF_W | BPF_ABS, 60), RET_A), 7);
	assert_int_equal(RUN(S(BPF_LD | BPF_W | BPF_LEN, 0), RET_A), SIZE);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 10), S(BPF_ALU | BPF_SUB | BPF_K, 3), RET_A), 7);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 6), S(BPF_LDX | BPF_IMM, 7),
			     S(BPF_ALU | BPF_MUL | BPF_X, 0), RET_A),
			 42);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 6), S(BPF_LDX | BPF_IMM, 0),
			     S(BPF_ALU | BPF_DIV | BPF_X, 0), RET_A),
			 0);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 5), S(BPF_ALU | BPF_NEG, 0), RET_A),
			 UINT32_MAX - 4);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 9), S(BPF_ST, 15), S(BPF_LD | BPF_IMM, 0),
			     S(BPF_LDX | BPF_MEM, 15), S(BPF_MISC | BPF_TXA, 0), RET_A),
			 9);
	assert_int_equal(RUN(S(BPF_LD | BPF_IMM, 9), J(BPF_JMP | BPF_JGT | BPF_K, 9, 0, 1),
			     S(BPF_RET | BPF_K, 1), J(BPF_JMP | BPF_JSET | BPF_K, 8, 0, 1),
			     S(BPF_RET | BPF_K, 2), S(BPF_RET | BPF_K, 3)),
			 2);
	assert_int_equal(RUN(S(BPF_JMP | BPF_JA, 1), S(BPF_RET | BPF_K, 1), S(BPF_RET | BPF_K, 2)),
			 2);
}

static void refuses(void **state)
{
	(void)state;
	assert_int_equal(bpf_check(NULL, 0, SIZE), E_INVAL);
	REFUSED(S(BPF_LD | BPF_IMM, 1));                 /* no end */
	REFUSED(S(BPF_LD | BPF_W | BPF_ABS, 64), RET_A); /* beyond the record */
	REFUSED(S(BPF_LD | BPF_W | BPF_ABS, 2), RET_A);  /* not aligned */
	REFUSED(S(BPF_LD | BPF_H | BPF_ABS, 0), RET_A);  /* no halves */
	REFUSED(S(BPF_LD | BPF_W | BPF_IND, 0), RET_A);  /* no computed places */
	REFUSED(S(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A);
	REFUSED(S(BPF_ALU | BPF_LSH | BPF_K, 32), RET_A);
	REFUSED(S(BPF_ALU | BPF_MOD | BPF_K, 3), RET_A);
	REFUSED(S(BPF_LD | BPF_MEM, 16), RET_A);
	REFUSED(S(BPF_ST, 16), RET_A);
	REFUSED(S(BPF_LD | BPF_MEM, 3), RET_A); /* never written */
	REFUSED(S(BPF_JMP | BPF_JA, 1), RET_A); /* behind the end */
	REFUSED(S(BPF_JMP | BPF_JA, UINT32_MAX), RET_A);
	REFUSED(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), RET_A);
	REFUSED(S(0xffff, 0), RET_A);
	/* Written on one way only. */
	REFUSED(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), S(BPF_ST, 3), S(BPF_LD | BPF_MEM, 3), RET_A);
}

static uint64_t seed = 1;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11);
}

static void random_programs(void **state)
{
	static const uint16_t codes[] = { 0x00, 0x01, 0x20, 0x60, 0x61, 0x80, 0x81, 0x02, 0x03,
					  0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44,
					  0x54, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x05, 0x15, 0x1d,
					  0x25, 0x35, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87, 0xa4 };
	struct sock_filter f[24];
	unsigned passed = 0;

	(void)state;
	for (unsigned round = 0; round < 300000; round++) {
		unsigned n = 1 + rnd() % ARRAY_SIZE(f);

		for (unsigned i = 0; i < n; i++)
			f[i] = (struct sock_filter){ codes[rnd() % ARRAY_SIZE(codes)],
						     (uint8_t)(rnd() % 6), (uint8_t)(rnd() % 6),
						     rnd() % 8 == 0 ? rnd() : rnd() % 20 };
		f[n - 1].code = BPF_RET | BPF_K;
		if (bpf_check(f, n, SIZE) != OK)
			continue;
		passed++;
		(void)bpf_run(f, record, SIZE);
	}
	assert_true(passed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
