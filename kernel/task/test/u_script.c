/* SPDX-License-Identifier: BSD-2-Clause */
/* "#!" lines, by the rules of Linux's binfmt_script. */
#include "kernel/task/test/host.h"

static char line[SCRIPT_LINE];
static char *interp, *arg;

static err_t parse(const char *text)
{
	memset(line, 0, sizeof(line));
	memcpy(line, text, strnlen(text, sizeof(line)));
	return script_parse(line, &interp, &arg);
}

static void plain(void **state)
{
	(void)state;
	assert_int_equal(parse("#!/bin/sh\necho\n"), OK);
	assert_string_equal(interp, "/bin/sh");
	assert_null(arg);
	assert_int_equal(parse("#! \t /usr/bin/env\tpython3 -u \t\nx"), OK);
	assert_string_equal(interp, "/usr/bin/env");
	assert_string_equal(arg, "python3 -u");
}

static void no_newline(void **state)
{
	(void)state;
	assert_int_equal(parse("#!/bin/sh"), OK);
	assert_string_equal(interp, "/bin/sh");
	assert_null(arg);
}

static void refused(void **state)
{
	(void)state;
	assert_int_equal(parse("#!"), E_NOEXEC);
	assert_int_equal(parse("#!\n/bin/sh\n"), E_NOEXEC);
	assert_int_equal(parse("#!   \t\n"), E_NOEXEC);
	assert_int_equal(parse("# !/bin/sh\n"), E_NOEXEC);
	assert_int_equal(parse(""), E_NOEXEC);
}

static void long_lines(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "#!/", 3);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse(text), E_NOEXEC); /* the name may be cut off */
	memcpy(text, "#!/bin/sh ", 10);
	assert_int_equal(parse(text), OK); /* the argument is cut off, as in Linux */
	assert_string_equal(interp, "/bin/sh");
	assert_int_equal(strlen(arg), SCRIPT_LINE - 1 - 10);
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "#!", 2);
	assert_int_equal(parse(text), E_NOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(no_newline),
		cmocka_unit_test(refused),
		cmocka_unit_test(long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
