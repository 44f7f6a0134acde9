/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "user/cc/cc.h"

/* Options whose value is the next word: of these the private part gets both. */
static const char *const shared_with_value[] = { "-I",      "-D",  "-U",  "-include", "-isystem",
						 "-iquote", "-MF", "-MT", "-MQ",      NULL };
static const char *const with_value[] = {
	"-o",          "-x", "-L",         "-l",       "-T",    "-z",      "-u", "-Xlinker",
	"-Xassembler", "-e", "-idirafter", "-imacros", "-arch", "--param", NULL
};
/* What ring 2 decides for itself. */
static const char *const own_features[] = { "pic",     "PIC",        "pie",   "PIE",
					    "lto",     "sanitize",   "stack", "cf-prot",
					    "profile", "instrument", "plt",   "no-plt",
					    NULL };

static bool is_one_of(const char *word, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool begins_with_one_of(const char *word, const char *const list[])
{
	for (size_t i = 0; list[i] != NULL; i++)
		if (str_begins(word, list[i]))
			return true;
	return false;
}

static bool takes_value(const char *a)
{
	return is_one_of(a, with_value) || is_one_of(a, shared_with_value);
}

/* What is made, when it is no program. */
static bool is_mode(const char *a)
{
	return strcmp(a, "-c") == 0 || strcmp(a, "-S") == 0 || strcmp(a, "-E") == 0;
}

/* Of the caller's flags, these are for ring 2 as well; the rest of the machine and the linker's
 * are not. */
static bool is_shared(const char *a)
{
	if (a[0] != '-' || a[1] == '\0')
		return false;
	if (strchr("DUIOgM", a[1]) != NULL)
		return true;
	switch (a[1]) {
	case 'W': return !str_begins(a, "-Wl,");
	case 's': return str_begins(a, "-std=");
	case 'f': return !begins_with_one_of(a + 2, own_features);
	case 'p': return str_begins(a, "-pedantic");
	case 'w': return a[2] == '\0';
	default: return false;
	}
}

static bool is_object(const char *a)
{
	return str_ends(a, ".o") || str_ends(a, ".a") || str_ends(a, ".lo");
}

static void take(struct args *args, const char *a, const char *value)
{
	strv_add(&args->rest, a);
	if (value != NULL)
		strv_add(&args->rest, value);
	if (a[0] != '-') {
		args->ordinary++;
		if (is_object(a))
			strv_add(&args->inputs, a);
	}
	/* Dependencies are the ordinary part's when both are made: there is one file for them. */
	if (str_begins(a, "-M") && args->mode == NULL)
		return;
	if (value != NULL ? !is_one_of(a, shared_with_value) : !is_shared(a))
		return;
	strv_add(&args->common, a);
	if (value != NULL)
		strv_add(&args->common, value);
}

/* Which part the rest is for depends on what is made. */
static const char *find_mode(char **argv)
{
	const char *mode = NULL;

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (takes_value(argv[i])) {
			if (argv[i + 1] == NULL)
				break;
			i++;
		} else if (is_mode(argv[i])) {
			mode = argv[i];
		}
	}
	return mode;
}

static void take_word(struct args *args, const char *a, const char *value)
{
	if (strcmp(a, "--plain") == 0)
		args->plain = true;
	else if (str_begins(a, "--header="))
		args->header = a + strlen("--header=");
	else if (strcmp(a, "-o") == 0 && value == NULL)
		fail("-o needs a name");
	else if (strcmp(a, "-o") == 0)
		args->output = value;
	else if (str_begins(a, "-o"))
		args->output = a + 2;
	else if (is_mode(a))
		return; /* find_mode() */
	else if (a[0] != '-' && str_ends(a, ".priv.c"))
		strv_add(&args->private, a);
	else
		take(args, a, value);
}

void args_parse(struct args *args, char **argv)
{
	const char *plain = getenv("RINGFENCE_CC_PLAIN");

	*args = (struct args){ .mode = find_mode(argv) };
	args->plain = plain != NULL && *plain != '\0' && strcmp(plain, "0") != 0;
	for (size_t i = 0; argv[i] != NULL; i++) {
		const char *a = argv[i], *value = NULL;

		if (argv[i + 1] != NULL && takes_value(a))
			value = argv[++i];
		take_word(args, a, value);
	}
}
