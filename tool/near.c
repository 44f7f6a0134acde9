/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/near.h"

#include <string.h>

#define WORD_MAX 64u

/* Edits (change, add, drop, swap of neighbours) that lead from one word to the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n % 3][m];
}

const char *near_word(const char *word, const struct strv *list)
{
	unsigned limit = strlen(word) < 4 ? 1 : (unsigned)strlen(word) / 3 + 1;
	const char *best = NULL;

	for (size_t i = 0; i < list->n; i++) {
		unsigned d = distance(word, list->v[i]);

		/* "web" for "web-2" and the other way round is near, too. */
		if (d > limit && (strlen(word) < 3 || !str_begins(list->v[i], word)))
			continue;
		if (d <= limit) {
			if (best == NULL || d < limit)
				best = list->v[i];
			limit = d;
		} else if (best == NULL) {
			best = list->v[i];
		}
	}
	return best;
}
