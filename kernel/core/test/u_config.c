/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "kernel/core/core.h"

struct boot_info fake_info;
/* The kernel's record is constant; the test fills it. */
extern const struct boot_info boot_info __attribute__((alias("fake_info")));

static char last_log[256];
enum log_level log_level = LOG_DEBUG;

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(last_log, sizeof(last_log), fmt, args);
	va_end(args);
}

#define RUN(s) run(s, sizeof(s))
/* The literal's own NUL ends the last string. */
static err_t run(const char *text, size_t len)
{
	fake_info.run = text;
	fake_info.run_len = len;
	last_log[0] = '\0';
	return run_config_check();
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(RUN("exe=/bin/true\0arg=true"), OK);
	assert_int_equal(
		RUN("arg=sh\0arg=-c\0arg=\0exe=/bin/sh\0env=A=b=c\0env=E=\0cwd=/tmp\0uid=1000\0gid=0\0"
		    "umask=077\0hostname=\0tty=24x80\0tty-out=6\0strace=1\0missing=0\0time=1700000000000000000\0"
		    "init=1\0net=10.0.0.2/24,10.0.0.1\0net=fd00::2/64\0dns=10.0.0.1\0etc-net=1"),
		OK);
	assert_string_equal(run_config_get("net", 1), "fd00::2/64");
	assert_string_equal(run_config_get("arg", 0), "sh");
	assert_string_equal(run_config_get("arg", 2), "");
	assert_null(run_config_get("arg", 3));
	assert_string_equal(run_config_get("env", 0), "A=b=c");
	assert_string_equal(run_config_get("exe", 0), "/bin/sh");
	assert_string_equal(run_config_get("tty", 0), "24x80"); /* not tty-out's */
	assert_null(run_config_get("en", 0));
}

static void test_bad(void **state)
{
	(void)state;
	assert_int_equal(RUN("exe=/bin/true\0arg=x\0colour=red"), E_INVAL);
	assert_non_null(strstr(last_log, "colour=red"));
	assert_int_equal(RUN("exe=/bin/true"), E_INVAL);
	assert_int_equal(RUN("arg=x"), E_INVAL);
	assert_int_equal(RUN("exe=\0arg=x"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0exe=/b\0arg=x"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0uid=-1"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0umask=999"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0strace=yes"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0tty=80"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0tty=0x80"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0env=NOVALUE"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0nonsense"), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0net="), E_INVAL);
	assert_int_equal(RUN("exe=/a\0arg=x\0\0"), E_INVAL);  /* an empty string */
	assert_int_equal(run("exe=/a\0arg=xy", 12), E_INVAL); /* no end */
	assert_int_equal(run(NULL, 0), E_INVAL);
}

static void test_command_line(void **state)
{
	(void)state;
	str_copy(fake_info.cmdline, sizeof(fake_info.cmdline),
		 "  test=mem.*\tlog=debug run virtio_mmio.device=512@0xfeb00e00:12 empty= ");
	assert_string_equal(cmdline_get("test"), "mem.*");
	assert_string_equal(cmdline_get("run"), "");
	assert_string_equal(cmdline_get("empty"), "");
	assert_string_equal(cmdline_get("virtio_mmio.device"), "512@0xfeb00e00:12");
	assert_null(cmdline_get("tes"));
	assert_null(cmdline_get("mem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
