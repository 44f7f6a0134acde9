/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of scripts, first lines of scripts, sizes, paths, control lines, checksums. */
#include "base/test/test.h"

#include "tool/control.h"
#include "base/sha256.h"
#include "tool/util.h"
#include "tool/words.h"

static void has_words(const char *text, enum catalog_words mode, const char *const *expected)
{
	struct strv got = { 0 };
	size_t n = 0;

	words_collect(text, mode, &got);
	for (; expected[n] != NULL; n++)
		assert_true(n < got.n && strcmp(got.v[n], expected[n]) == 0);
	assert_int_equal(got.n, n);
	strv_release(&got);
}

static void words_of_a_shell_script(void **state)
{
	(void)state;
	has_words("#!/bin/sh\nls -l | grep 'a b' # sed\nX=1 /bin/cat \"$f\"; [ -n x ]\n", WORDS_ALL,
		  (const char *const[]){ "ls", "grep", "a", "b", "1", "/bin/cat", "f", "[", "x",
					 NULL });
	has_words("ls ls ls", WORDS_ALL, (const char *const[]){ "ls", NULL });
	has_words("ls", WORDS_NO, (const char *const[]){ NULL });
	has_words("", WORDS_ALL, (const char *const[]){ NULL });
}

static void words_inside_quotes(void **state)
{
	(void)state;
	has_words("import os; run(['ls', \"-l\"]); os.system(`date +%s`) # 'sed'\n", WORDS_QUOTED,
		  (const char *const[]){ "ls", "date", "+", "s", NULL });
	has_words("x = 'it\\'s ls'", WORDS_QUOTED, (const char *const[]){ "it", "s", "ls", NULL });
}

static void long_words_are_left_out(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	has_words(text, WORDS_ALL, (const char *const[]){ NULL });
}

static void first_line(const char *text, const char *interp, const char *arg)
{
	char *i = NULL, *a = NULL;
	bool ok = words_shebang(text, strlen(text), &i, &a);

	assert_int_equal(ok, interp != NULL);
	if (ok) {
		assert_string_equal(i, interp);
		assert_int_equal(a != NULL, arg != NULL);
		if (a != NULL && arg != NULL)
			assert_string_equal(a, arg);
		free(i);
		free(a);
	}
}

static void first_lines_of_scripts(void **state)
{
	(void)state;
	first_line("#!/bin/sh\necho", "/bin/sh", NULL);
	first_line("#! /bin/sh", "/bin/sh", NULL);
	first_line("#!/usr/bin/env python3 -u \nx", "/usr/bin/env", "python3 -u");
	first_line("#!/bin/sh\r\n", "/bin/sh\r", NULL);
	first_line("#!\n", NULL, NULL);
	first_line("#!   \n", NULL, NULL);
	first_line("#", NULL, NULL);
	first_line("", NULL, NULL);
	first_line("echo", NULL, NULL);
}

static void sizes(void **state)
{
	uint64_t b = 0;

	(void)state;
	assert_true(parse_size("64M", &b) && b == 64ull << 20);
	assert_true(parse_size("64", &b) && b == 64ull << 20);
	assert_true(parse_size("1G", &b) && b == 1ull << 30);
	assert_true(parse_size("65536k", &b) && b == 64ull << 20);
	assert_true(parse_size("8MiB", &b) && b == 8ull << 20);
	static const char *const bad[] = {
		"",         "0",    "M",   "-1",   "64X",
		"64MM",     "1.5G", " 64", "64 M", "9999999999999999999999",
		"99999999G"
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(parse_size(bad[i], &b));
}

static void paths(void **state)
{
	char *p;

	(void)state;
	p = path_join("/a", "b");
	assert_string_equal(p, "/a/b");
	free(p);
	p = path_join("/", "b");
	assert_string_equal(p, "/b");
	free(p);
	p = path_join("/a", "/b");
	assert_string_equal(p, "/b");
	free(p);
	p = path_parent("/a");
	assert_string_equal(p, "/");
	free(p);
	p = path_parent("a");
	assert_string_equal(p, ".");
	free(p);
	assert_true(path_within("/proc/1", "/proc") && path_within("/proc", "/proc"));
	assert_false(path_within("/process", "/proc"));
}

struct heard {
	char text[256];
};

static void hear(void *ctx, const struct control_event *e)
{
	struct heard *h = ctx;
	size_t n = strlen(h->text);

	snprintf(h->text + n, sizeof(h->text) - n, "%d:%d:%.20s;", e->kind, e->status,
		 e->text != NULL ? e->text : "");
}

static void control_lines(void **state)
{
	static const char text[] =
		"ready\nlog=a=b\ntime\nkilled-by=oom\nexit=9\nexit=x\nexit=70000\nwhat\n";
	struct control_reader r = { 0 };
	struct heard whole = { 0 }, pieces = { 0 };

	(void)state;
	control_feed(&r, text, sizeof(text) - 1, hear, &whole);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		control_feed(&r, text + i, 1, hear, &pieces);
	assert_string_equal(whole.text, pieces.text);
	assert_string_equal(whole.text,
			    "0:0:ready;3:0:a=b;16:0:time;2:0:killed-by=oom;1:9:exit=9;17:0:exit=x;"
			    "17:0:exit=70000;17:0:what;");
}

struct core_heard {
	char data[64];
	uint64_t size;
	unsigned begun, unknown;
};

static void hear_core(void *ctx, const struct control_event *e)
{
	struct core_heard *h = ctx;

	if (e->kind == CONTROL_CORE)
		memcpy(h->data + e->at, e->data, e->len);
	else if (e->kind == CONTROL_CORE_END)
		h->size = e->at;
	else
		*(e->kind == CONTROL_CORE_BEGIN ? &h->begun : &h->unknown) += 1;
}

static void core_file_in_pieces(void **state)
{
	static const char text[] = "core-begin=7\ncore=3 5\na\nbcdcore=20 2\nxycore-end=4096\n"
				   "core=1\ncore=0 99999999\ncore-end=-1\ncore-what=1\n";

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		struct control_reader r = { 0 };
		struct core_heard h = { 0 };

		for (size_t i = 0; i < sizeof(text) - 1; i += piece)
			control_feed(&r, text + i,
				     piece < sizeof(text) - 1 - i ? piece : sizeof(text) - 1 - i,
				     hear_core, &h);
		assert_memory_equal(h.data + 3, "a\nbcd", 5);
		assert_memory_equal(h.data + 20, "xy", 2);
		assert_int_equal(h.size, 4096);
		assert_int_equal(h.begun, 1);
		assert_int_equal(h.unknown, 4);
	}
}

static void overlong_control_line_is_cut(void **state)
{
	struct control_reader r = { 0 };
	struct heard h = { 0 };

	(void)state;
	control_feed(&r, "log=", 4, hear, &h);
	for (int i = 0; i < 5000; i++)
		control_feed(&r, "x", 1, hear, &h);
	control_feed(&r, "\nready\n", 7, hear, &h);
	assert_string_equal(h.text, "3:0:xxxxxxxxxxxxxxxxxxxx;0:0:ready;");
}

static void known_checksums(void **state)
{
	struct sha256 s;
	char hex[SHA256_HEX];

	(void)state;
	sha256_init(&s);
	sha256_add(&s, "abc", 3);
	sha256_hex(&s, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_init(&s);
	for (int i = 0; i < 1000000; i++)
		sha256_add(&s, "a", 1);
	sha256_hex(&s, hex);
	assert_string_equal(hex,
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_shell_script),
		cmocka_unit_test(words_inside_quotes),
		cmocka_unit_test(long_words_are_left_out),
		cmocka_unit_test(first_lines_of_scripts),
		cmocka_unit_test(sizes),
		cmocka_unit_test(paths),
		cmocka_unit_test(control_lines),
		cmocka_unit_test(core_file_in_pieces),
		cmocka_unit_test(overlong_control_line_is_cut),
		cmocka_unit_test(known_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
