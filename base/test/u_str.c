/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/test/test.h"

static void copies(void **state)
{
	char buf[4];

	(void)state;
	assert_true(str_copy(buf, sizeof(buf), "abc"));
	assert_string_equal(buf, "abc");
	assert_false(str_copy(buf, sizeof(buf), "wxyz"));
	assert_string_equal(buf, "wxy");
	assert_true(str_copy(buf, 1, ""));
	assert_false(str_copy(buf, 1, "a"));
	assert_string_equal(buf, "");
}

static void starts(void **state)
{
	(void)state;
	assert_true(str_starts("exe=/bin/sh", "exe="));
	assert_true(str_starts("a", ""));
	assert_false(str_starts("ex", "exe="));
}

static void good_number(const char *s, unsigned base, uint64_t expected)
{
	uint64_t v = 0;

	assert_true(str_to_u64(s, base, &v));
	assert_int_equal(v, expected);
}

static void bad_number(const char *s, unsigned base)
{
	uint64_t v = 77;

	assert_false(str_to_u64(s, base, &v));
	assert_int_equal(v, 77);
}

static void numbers(void **state)
{
	uint64_t v;
	const char *end;

	(void)state;
	good_number("0", 10, 0);
	good_number("18446744073709551615", 10, UINT64_MAX);
	good_number("ffffffffffffffff", 16, UINT64_MAX);
	good_number("0x1F", 0, 31);
	good_number("017", 0, 15);
	good_number("17", 0, 17);
	good_number("0", 0, 0);
	good_number("zz", 36, 35 * 36 + 35);
	bad_number("", 10);
	bad_number("18446744073709551616", 10);
	bad_number("99999999999999999999", 10);
	bad_number("10000000000000000", 16);
	bad_number("12a", 10);
	bad_number("-1", 10);
	bad_number(" 1", 10);
	bad_number("8", 8);
	bad_number("0x", 0);
	assert_true(str_parse_u64("24x80", 10, &v, &end));
	assert_int_equal(v, 24);
	assert_string_equal(end, "x80");
	assert_true(str_parse_u64("0xg", 0, &v, &end));
	assert_string_equal(end, "xg");
}

static void patterns(void **state)
{
	(void)state;
	assert_true(str_match("*", ""));
	assert_true(str_match("*", "mem_x"));
	assert_true(str_match("mem*", "mem_x"));
	assert_true(str_match("*a*b", "xxaybab"));
	assert_true(str_match("a?c", "abc"));
	assert_true(str_match("", ""));
	assert_false(str_match("mem*", "me"));
	assert_false(str_match("a?c", "ac"));
	assert_false(str_match("*b", "abc"));
	assert_false(str_match("", "a"));
}

static void hashes(void **state)
{
	(void)state;
	assert_int_equal(hash_str(""), HASH_SEED);
	assert_int_equal(hash_str("foobar"), 0x85944171f73967e8ull); /* published vector */
	assert_int_equal(hash_bytes("bar", 3, hash_str("foo")), hash_str("foobar"));
	assert_int_not_equal(hash_u64(1), hash_u64(2));
}

static void errors(void **state)
{
	(void)state;
	assert_string_equal(err_name(E_NOENT), "ENOENT");
	assert_string_equal(err_text(E_NOENT), "no such file or directory");
	assert_string_equal(err_name(E_2BIG), "E2BIG");
	assert_string_equal(err_name(E_NOTRECOVERABLE), "ENOTRECOVERABLE");
	assert_string_equal(err_name(E_RESTART_BLOCK), "ERESTART_BLOCK");
	assert_string_equal(err_text(OK), "no error");
	assert_string_equal(err_name(-9999), "E?");
	assert_string_equal(err_text(5), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),   cmocka_unit_test(starts), cmocka_unit_test(numbers),
		cmocka_unit_test(patterns), cmocka_unit_test(hashes), cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
