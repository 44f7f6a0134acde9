/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"
#include "base/test/test.h"

/* Key 00 01 .. 0f, message 00 01 .. : lines 0, 8 and 16 of the reference's test vectors. */
static void as_the_reference(void **state)
{
	const struct siphash_key key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	const uint64_t words[] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	(void)state;
	assert_int_equal(siphash(&key, words, 0), 0x726fdb47dd0e0e31);
	assert_int_equal(siphash(&key, words, 1), 0x93f5f5799a932462);
	assert_int_equal(siphash(&key, words, 2), 0x3f2acc7f57c29bdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_the_reference) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
