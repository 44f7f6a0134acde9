/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "comp/alloc/conform.h"

static void conforms(void **ctx)
{
	(void)ctx;
	alloc_conform(&alloc_buddy);
}

static void takes_over(void **ctx)
{
	(void)ctx;
	alloc_conform_adopt(&alloc_buddy, &alloc_buddy);
}

static void refuses(void **ctx)
{
	(void)ctx;
	alloc_conform_refuse(&alloc_buddy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conforms),
		cmocka_unit_test(takes_over),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
