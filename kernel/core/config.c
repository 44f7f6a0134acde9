/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of the kernel command line, and the run configuration (abi/boot.h lists its keys). */
#include "kernel/core/core.h"

#include "base/str.h"

static char words[BOOT_CMDLINE_MAX + 1]; /* the command line, each word ended by a NUL */
static size_t words_len;

static void split_words(void)
{
	words_len = strnlen(boot_info.cmdline, BOOT_CMDLINE_MAX);
	memcpy(words, boot_info.cmdline, words_len);
	for (size_t i = 0; i < words_len; i++)
		if (words[i] == ' ' || words[i] == '\t' || words[i] == '\n')
			words[i] = '\0';
	words[words_len] = '\0';
}

/* The value if `word` is `key=value` or `key`, else NULL. */
static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n) != 0)
		return NULL;
	if (word[n] == '=')
		return word + n + 1;
	return word[n] == '\0' ? word + n : NULL;
}

const char *cmdline_get(const char *key)
{
	if (words_len == 0)
		split_words();
	for (const char *w = words; w < words + words_len; w += strlen(w) + 1) {
		const char *value = value_of(w, key);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* ---- run configuration ---- */

enum value_kind { TEXT, NAME, PATH, NUMBER, OCTAL, FLAG, SIZE, ENV };

static const struct run_key {
	const char *name;
	enum value_kind kind;
	bool many;
} run_keys[] = {
	{ "exe", NAME, false },       { "arg", TEXT, true },         { "env", ENV, true },
	{ "cwd", PATH, false },       { "uid", NUMBER, false },      { "gid", NUMBER, false },
	{ "umask", OCTAL, false },    { "hostname", TEXT, false },   { "tty", SIZE, false },
	{ "tty-out", NUMBER, false }, { "strace", FLAG, false },     { "missing", FLAG, false },
	{ "time", NUMBER, false },    { "init", FLAG, false },       { "net", NAME, true },
	{ "dns", NAME, true },        { "etc-net", FLAG, false },    { "stats", FLAG, false },
	{ "core", FLAG, false },      { "debug", FLAG, false },      { "privuser", FLAG, false },
	{ "secret", PATH, true },     { "secret-code", NAME, true },
};

/* The string after `s`, NULL at the end. Only after check_strings. */
static const char *next_string(const char *s)
{
	s += strlen(s) + 1;
	return s < boot_info.run + boot_info.run_len ? s : NULL;
}

const char *run_config_get(const char *key, unsigned i)
{
	if (boot_info.run_len == 0)
		return NULL;
	for (const char *s = boot_info.run; s != NULL; s = next_string(s)) {
		const char *value = value_of(s, key);

		if (value != NULL && i-- == 0)
			return value;
	}
	return NULL;
}

bool run_config_flag(const char *key)
{
	const char *value = run_config_get(key, 0);

	return value != NULL && value[0] == '1';
}

static const struct run_key *find_key(const char *s, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(run_keys); i++)
		if (strlen(run_keys[i].name) == len && memcmp(run_keys[i].name, s, len) == 0)
			return &run_keys[i];
	return NULL;
}

static bool rows_and_columns(const char *s)
{
	uint64_t rows, cols;
	const char *rest;

	return str_parse_u64(s, 10, &rows, &rest) && *rest == 'x' &&
	       str_to_u64(rest + 1, 10, &cols) && rows > 0 && rows <= UINT16_MAX && cols > 0 &&
	       cols <= UINT16_MAX;
}

static bool value_ok(enum value_kind kind, const char *value)
{
	uint64_t n;

	switch (kind) {
	case TEXT: return true;
	case NAME: return value[0] != '\0';
	case PATH: return value[0] == '/';
	case NUMBER: return str_to_u64(value, 10, &n);
	case OCTAL: return str_to_u64(value, 8, &n) && n <= 0777;
	case FLAG: return strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
	case SIZE: return rows_and_columns(value);
	case ENV: return strchr(value, '=') != NULL;
	}
	return false;
}

static err_t check_string(const char *s)
{
	const char *eq = strchr(s, '=');
	const struct run_key *key = eq != NULL ? find_key(s, (size_t)(eq - s)) : NULL;

	if (key == NULL) {
		log_error("run configuration: unknown key in \"%s\"", s);
		return E_INVAL;
	}
	if (!value_ok(key->kind, eq + 1)) {
		log_error("run configuration: bad value in \"%s\"", s);
		return E_INVAL;
	}
	if (!key->many && run_config_get(key->name, 1) != NULL) {
		log_error("run configuration: %s= is given twice", key->name);
		return E_INVAL;
	}
	return OK;
}

err_t run_config_check(void)
{
	if (boot_info.run_len == 0 || boot_info.run_len > BOOT_RUN_MAX ||
	    boot_info.run[boot_info.run_len - 1] != '\0') {
		log_error("run configuration: %s", boot_info.run_len == 0 ? "there is none"
						   : boot_info.run_len > BOOT_RUN_MAX
							   ? "larger than 1 MiB"
							   : "the last string has no end");
		return E_INVAL;
	}
	for (const char *s = boot_info.run; s != NULL; s = next_string(s))
		TRY(check_string(s));
	if (run_config_get("exe", 0) == NULL || run_config_get("arg", 0) == NULL) {
		log_error("run configuration: exe= and at least one arg= are required");
		return E_INVAL;
	}
	return OK;
}
