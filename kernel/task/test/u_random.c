/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator: the cipher against RFC 8439, and that requests of all sizes differ. */
#include "kernel/task/test/host.h"

#include "kernel/task/random.c" /* its functions are static */

const struct boot_info boot_info;
static uint64_t now_ns;

uint64_t time_mono_ns(void)
{
	return now_ns++;
}

uint64_t time_real_ns(void)
{
	return 1;
}

bool x86_rdrand(uint64_t *out)
{
	*out = 42;
	return true;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* RFC 8439, 2.3.2; its 32-bit counter and 96-bit nonce are our two 64-bit numbers. */
static void rfc_block(void **state)
{
	static const uint8_t want[BLOCK_BYTES] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
		0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
		0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
		0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	uint8_t key_bytes[32];
	uint32_t k[KEY_WORDS], out[16];

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		key_bytes[i] = (uint8_t)i;
	memcpy(k, key_bytes, sizeof(k));
	chacha_block(k, 1 | 0x09000000ull << 32, 0x4a000000, out);
	assert_memory_equal(out, want, sizeof(want));
}

static void no_repetition(void **state)
{
	static uint64_t seen[4096];
	static uint8_t big[2][5000];

	(void)state;
	random_init();
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = random_u64();
		for (unsigned j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
	random_bytes(big[0], sizeof(big[0]));
	random_bytes(big[1], sizeof(big[1]));
	assert_memory_not_equal(big[0], big[1], sizeof(big[0]));
}

/* What was given out is in the pool no more, and the key is another after each refill. */
static void erased(void **state)
{
	uint8_t out[100], before[sizeof(key)];

	(void)state;
	memcpy(before, key, sizeof(key));
	pool_left = 0;
	random_bytes(out, sizeof(out));
	assert_memory_not_equal(before, key, sizeof(key));
	for (unsigned i = 0; i < sizeof(out); i++)
		assert_int_equal(pool[i], 0);
}

static void sizes(void **state)
{
	uint8_t buf[300];

	(void)state;
	for (size_t n = 0; n <= 299; n++) {
		memset(buf, 0x5a, sizeof(buf));
		random_bytes(buf, n);
		assert_int_equal(buf[n], 0x5a);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_true(random_below(7) < 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_block),
		cmocka_unit_test(no_repetition),
		cmocka_unit_test(erased),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
