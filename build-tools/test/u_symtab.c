/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's search in the table of function names, on a table made here. */
#include <stdio.h>
#include <stdlib.h>

#include "abi/layout.h"
#include "base/test/test.h"
#include "kernel/core/symtab.h"
#include "kernel/core/symtab_format.h"

#define FUNCTIONS 40u

/*
 * Function i begins at 0x100000 + i * 0x20 and is called "f<i>", each name padded to 3 characters.
 */
#define ADDR(i)  (0x100000u + (i)*0x20u)
#define ROW4(i)  ADDR(i), ADDR((i) + 1), ADDR((i) + 2), ADDR((i) + 3)
#define ROW16(i) ROW4(i), ROW4((i) + 4), ROW4((i) + 8), ROW4((i) + 12)

const uint32_t symtab_count = FUNCTIONS;
const uint32_t symtab_addrs[FUNCTIONS + 1] = { ROW16(0), ROW16(16), ROW4(32), ROW4(36), ADDR(40) };
const uint32_t symtab_index[] = { 0, 16 * 4, 32 * 4 };
const char symtab_names[] =
	"f00\0f01\0f02\0f03\0f04\0f05\0f06\0f07\0f08\0f09\0f10\0f11\0f12\0f13\0f14\0f15\0"
	"f16\0f17\0f18\0f19\0f20\0f21\0f22\0f23\0f24\0f25\0f26\0f27\0f28\0f29\0f30\0f31\0"
	"f32\0f33\0f34\0f35\0f36\0f37\0f38\0f39";

static void finds_each(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		for (unsigned at = 0; at < 0x20; at += 31) {
			uint64_t offset = 99;
			char expected[8];

			snprintf(expected, sizeof(expected), "f%02u", i);
			assert_string_equal(symbol_lookup(KERNEL_BASE + ADDR(i) + at, &offset),
					    expected);
			assert_int_equal(offset, at);
		}
	}
}

static void nothing_outside(void **state)
{
	static const uint64_t outside[] = { 0,
					    0x100000,
					    KERNEL_BASE,
					    KERNEL_BASE + ADDR(0) - 1,
					    KERNEL_BASE + ADDR(FUNCTIONS),
					    UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		uint64_t offset = 99;

		assert_null(symbol_lookup(outside[i], &offset));
		assert_int_equal(offset, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each),
		cmocka_unit_test(nothing_outside),
	};

	return cmocka_run_group_tests_name("symtab", tests, NULL, NULL);
}
