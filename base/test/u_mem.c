/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's memory functions, under other names, against libc's. */
#include "base/test/test.h"

#define memcpy  k_memcpy
#define memmove k_memmove
#define memset  k_memset
#define memcmp  k_memcmp
#define memchr  k_memchr
#define strlen  k_strlen
#define strnlen k_strnlen
#define strcmp  k_strcmp
#define strncmp k_strncmp
#define strchr  k_strchr
#define strrchr k_strrchr
#define strstr  k_strstr
#include "base/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

#define AREA  512u
#define STEPS 100000

static _Alignas(8) uint8_t ours[AREA], host[AREA];

static void fill(uint8_t *p, size_t n, unsigned values)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd(values);
}

/* Whole areas are compared, so that a byte too many is seen. */
static void copies_and_sets(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t i = 0; i < STEPS; i++) {
		size_t n = rnd(AREA / 2), from = rnd(AREA / 2), to = rnd(AREA / 2);
		int byte = (int)rnd(1024) - 512;

		for (size_t at = 0; at < AREA; at += 8) /* new each time: copies make it uniform */
			*(uint64_t *)(ours + at) = rnd64();
		memcpy(host, ours, AREA);
		if (rnd(8) == 0) {
			assert_ptr_equal(k_memset(ours + to, byte, n), ours + to);
			memset(host + to, byte, n);
		} else if (from + n <= to || to + n <= from) {
			assert_ptr_equal(k_memcpy(ours + to, ours + from, n), ours + to);
			memcpy(host + to, host + from, n);
		} else {
			assert_ptr_equal(k_memmove(ours + to, ours + from, n), ours + to);
			memmove(host + to, host + from, n);
		}
		assert_memory_equal(ours, host, AREA);
	}
}

static int sign(int v)
{
	return v < 0 ? -1 : v > 0;
}

static void compares(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t i = 0; i < STEPS; i++) {
		uint8_t a[40], b[40];
		size_t n = rnd(sizeof(a));

		fill(a, sizeof(a), 256);
		memcpy(b, a, sizeof(b));
		if (rnd(4) != 0)
			b[rnd(sizeof(b))] ^= (uint8_t)(1u << rnd(8));
		assert_int_equal(sign(k_memcmp(a, b, n)), sign(memcmp(a, b, n)));
		assert_ptr_equal(k_memchr(a, b[3], n), memchr(a, b[3], n));
	}
}

/* Strings of few letters, some with the high bit set. */
static void make_string(char *s, size_t max)
{
	size_t n = rnd(max);

	for (size_t i = 0; i < n; i++)
		s[i] = "ab\xe9"[rnd(3)];
	s[n] = '\0';
}

static void strings(void **state)
{
	(void)state;
	rnd_seed();
	for (size_t i = 0; i < STEPS; i++) {
		char a[24], b[6];
		size_t n = rnd(10);
		int c = "ab\xe9\0x"[rnd(5)];

		make_string(a, sizeof(a));
		make_string(b, sizeof(b));
		assert_int_equal(k_strlen(a), strlen(a));
		assert_int_equal(k_strnlen(a, n), strnlen(a, n));
		assert_int_equal(sign(k_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(k_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_ptr_equal(k_strchr(a, c), strchr(a, c));
		assert_ptr_equal(k_strrchr(a, c), strrchr(a, c));
		assert_ptr_equal(k_strstr(a, b), strstr(a, b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_sets),
		cmocka_unit_test(compares),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
