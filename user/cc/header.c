/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header that --header writes. The sources are not compiled for it: PRIVCALL_DEFINE stands at
 * the beginning of a definition and its arguments are pairs in parentheses, which is easily read.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/cc/cc.h"

#define SOURCE_MAX (16u << 20)

/* Overwrite comments by blanks. */
static void blank_comments(char *text)
{
	for (char *p = strchr(text, '/'); p != NULL; p = strchr(p, '/')) {
		char *end = p[1] == '*' ? strstr(p + 2, "*/") : p[1] == '/' ? strchr(p, '\n') : p;

		if (end == p) {
			p++;
			continue;
		}
		end = end == NULL ? p + strlen(p) : p[1] == '*' ? end + 2 : end;
		memset(p, ' ', (size_t)(end - p));
		p = end;
	}
}

static const char *skip_blanks(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t word_length(const char *p)
{
	size_t n = 0;

	while (is_word(p[n]))
		n++;
	return n;
}

/* "type argument" of "(type, argument)"; NULL: it is none. *at goes behind it. */
static char *pair(const char **at)
{
	const char *p = skip_blanks(*at + 1), *comma = strchr(p, ','), *end = strchr(p, ')'), *name;
	const char *type_end;

	if (**at != '(' || comma == NULL || end == NULL || comma > end)
		return NULL;
	type_end = comma;
	while (type_end > p && isspace((unsigned char)type_end[-1]))
		type_end--;
	name = skip_blanks(comma + 1);
	*at = skip_blanks(end + 1);
	return xasprintf("%.*s %.*s", (int)(type_end - p), p, (int)word_length(name), name);
}

/* What follows PRIVCALL_DEFINE; nothing when it is something else, as its own definition is. */
static void announce(FILE *to, const char *p)
{
	char *signature = xstrdup(""), *argument, *longer;
	const char *name;
	size_t length;

	p = skip_blanks(p);
	if (*p != '(')
		goto out;
	name = skip_blanks(p + 1);
	length = word_length(name);
	p = skip_blanks(name + length);
	while (*p == ',') {
		p = skip_blanks(p + 1);
		argument = pair(&p);
		if (argument == NULL)
			goto out;
		longer = xasprintf("%s%s%s", signature, *signature != '\0' ? ", " : "", argument);
		free(argument);
		free(signature);
		signature = longer;
	}
	if (*p == ')' && length > 0)
		fprintf(to, "/* long %.*s(%s) */\nPRIVCALL(%.*s);\n", (int)length, name,
			*signature != '\0' ? signature : "void", (int)length, name);
out:
	free(signature);
}

static void announce_all(FILE *to, const char *source)
{
	static const char define[] = "PRIVCALL_DEFINE";
	size_t size;
	char *text;

	if (read_whole_file(source, SOURCE_MAX, &text, &size) != 0)
		fail("cannot read %s: %s", source, strerror(errno));
	blank_comments(text);
	for (const char *p = text; (p = strstr(p, define)) != NULL; p += sizeof(define) - 1)
		if ((p == text || !is_word(p[-1])) && !is_word(p[sizeof(define) - 1]))
			announce(to, p + sizeof(define) - 1);
	free(text);
}

void header_write(const struct strv *sources, const char *to)
{
	FILE *f = fopen(to, "w");

	if (f == NULL)
		fail("cannot write %s: %s", to, strerror(errno));
	fputs("/* Calls of the private part; made by ringfence-cc. */\n#pragma once\n"
	      "#include <privcall.h>\n\n",
	      f);
	for (size_t i = 0; i < sources->n; i++)
		announce_all(f, sources->v[i]);
	if (ferror(f) || fclose(f) != 0)
		fail("cannot write %s: %s", to, strerror(errno));
}
