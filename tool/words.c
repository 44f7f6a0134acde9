/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX    255u
#define WORDS_MAX   4096u /* words of one text; a script has fewer */
#define SHEBANG_MAX 255u  /* as in Linux */

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || strchr("_.+-/[", c) != NULL;
}

static void add_word(const char *start, size_t n, struct strv *out)
{
	char word[WORD_MAX + 1];

	if (n == 0 || n > WORD_MAX || out->n >= WORDS_MAX || *start == '-')
		return;
	memcpy(word, start, n);
	word[n] = '\0';
	if (!strv_has(out, word))
		strv_add(out, word);
}

void words_collect(const char *text, enum catalog_words mode, struct strv *out)
{
	char quote = '\0';

	for (const char *p = text; *p != '\0' && mode != WORDS_NO;) {
		bool at_blank = p == text || isspace((unsigned char)p[-1]);

		if (*p == '#' && at_blank && quote == '\0') {
			p += strcspn(p, "\n");
		} else if (in_word(*p)) {
			size_t n = 1;

			while (p[n] != '\0' && in_word(p[n]))
				n++;
			if (p[n] != '=' && (mode == WORDS_ALL || quote != '\0'))
				add_word(p, n, out);
			p += n;
		} else {
			if (quote == '\0' && strchr("'\"`", *p) != NULL)
				quote = *p;
			else if (*p == quote)
				quote = '\0';
			if (*p == '\\' && p[1] != '\0')
				p++;
			p++;
		}
	}
}

bool words_shebang(const char *text, size_t size, char **interp, char **arg)
{
	if (size < 3 || text[0] != '#' || text[1] != '!')
		return false;
	const char *p = text + 2;
	const char *limit = text + (size < SHEBANG_MAX ? size : SHEBANG_MAX);
	const char *end = memchr(p, '\n', (size_t)(limit - p));

	if (end == NULL)
		end = limit;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\0'))
		end--;
	const char *stop = p;

	while (stop < end && *stop != ' ' && *stop != '\t')
		stop++;
	if (stop == p || memchr(p, '\0', (size_t)(end - p)) != NULL)
		return false;
	*interp = xstrndup(p, (size_t)(stop - p));
	while (stop < end && (*stop == ' ' || *stop == '\t'))
		stop++;
	*arg = stop < end ? xstrndup(stop, (size_t)(end - stop)) : NULL;
	return true;
}
