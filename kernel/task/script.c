/* SPDX-License-Identifier: BSD-2-Clause */
/* The first line of a script, by Linux's rules: one argument at most, blanks within it kept. */
#include "base/str.h"
#include "kernel/task/internal.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p, const char *end)
{
	while (p < end && blank(*p))
		p++;
	return p;
}

/* First blank or NUL; `end` when there is none. */
static char *word_end(char *p, char *end)
{
	while (p < end && !blank(*p) && *p != '\0')
		p++;
	return p;
}

/*
 * Where the line ends; NULL when it is longer than what was read and even the interpreter's name is
 * cut off.
 */
static char *line_end(char line[SCRIPT_LINE])
{
	char *limit = line + SCRIPT_LINE - 1, *nl = memchr(line, '\n', SCRIPT_LINE), *name;

	if (nl != NULL)
		return nl;
	name = skip_blanks(line + 2, limit);
	if (name == limit || word_end(name, limit) == limit)
		return NULL;
	return limit;
}

err_t script_parse(char line[SCRIPT_LINE], char **interp, char **arg)
{
	char *end, *name, *sep;

	if (line[0] != '#' || line[1] != '!')
		return E_NOEXEC;
	end = line_end(line);
	if (end == NULL)
		return E_NOEXEC;
	while (end > line + 2 && blank(end[-1]))
		end--;
	*end = '\0';
	name = skip_blanks(line + 2, end);
	if (name == end || *name == '\0')
		return E_NOEXEC;
	sep = word_end(name, end);
	*arg = NULL;
	if (sep < end && *sep != '\0') {
		*arg = skip_blanks(sep, end);
		*sep = '\0';
	}
	*interp = name;
	return OK;
}
