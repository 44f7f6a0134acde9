/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/needle.h"

#include <stdlib.h>
#include <string.h>

#include "tool/base64.h"
#include "tool/util.h"

#define PIECE 16u    /* bytes of a secret: never found by chance */
#define BLOCK 65536u /* of text, at a time */

void needles_init(struct needles *n)
{
	*n = (struct needles){ 0 };
}

void needles_release(struct needles *n)
{
	for (size_t i = 0; i < n->n; i++) {
		explicit_bzero(n->list[i].bytes, n->list[i].size);
		free(n->list[i].bytes);
		free(n->list[i].name);
	}
	free(n->list);
	*n = (struct needles){ 0 };
}

static unsigned pair(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static void add(struct needles *n, bool text, const char *name, const char *bytes, size_t size)
{
	n->list = xrealloc(n->list, (n->n + 1) * sizeof(*n->list));
	n->list[n->n] = (struct needle){ xmalloc(size), size, text, xstrdup(name) };
	memcpy(n->list[n->n].bytes, bytes, size);
	n->first[text][pair(bytes) / 8] |= (uint8_t)(1u << pair(bytes) % 8);
	n->n++;
}

static void add_hex(struct needles *n, const char *name, const uint8_t *piece)
{
	char lower[2 * PIECE + 1], upper[2 * PIECE + 1];

	for (unsigned i = 0; i < PIECE; i++) {
		snprintf(lower + 2 * i, 3, "%02x", piece[i]);
		snprintf(upper + 2 * i, 3, "%02X", piece[i]);
	}
	add(n, true, name, lower, 2 * PIECE);
	add(n, true, name, upper, 2 * PIECE);
}

/* In base64 a piece looks in three ways, by how many bytes stand before it. */
static void add_base64(struct needles *n, const char *name, const uint8_t *piece)
{
	char out[PIECE / 3 * 4];

	for (unsigned skip = 0; skip < 3; skip++) {
		size_t groups = (PIECE - skip) / 3;

		base64_groups(piece + skip, PIECE - skip, out);
		add(n, true, name, out, groups * 4);
	}
}

void needles_add(struct needles *n, const char *name, const uint8_t *bytes, size_t size)
{
	const uint8_t *piece = bytes + (size - PIECE) / 2;
	uint8_t turned[PIECE];

	if (size < PIECE)
		return;
	for (unsigned i = 0; i < PIECE; i++)
		turned[i] = piece[PIECE - 1 - i];
	add(n, false, name, (const char *)piece, PIECE);
	add(n, false, name, (const char *)turned, PIECE);
	add_hex(n, name, piece);
	add_base64(n, name, piece);
}

static const char *find(const struct needles *n, bool text, const char *data, size_t size)
{
	const uint8_t *first = n->first[text];

	for (size_t at = 0; at + PIECE <= size; at++) {
		unsigned two = pair(data + at);

		if ((first[two / 8] >> two % 8 & 1) == 0)
			continue;
		for (size_t i = 0; i < n->n; i++)
			if (n->list[i].text == text && n->list[i].size <= size - at &&
			    memcmp(data + at, n->list[i].bytes, n->list[i].size) == 0)
				return n->list[i].name;
	}
	return NULL;
}

/* What counts of a text: no blanks, colons, ends of lines (also as "\n"); base64 of both kinds. */
static size_t condense(const char *data, size_t size, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		char c = data[i];

		if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':')
			continue;
		if (c == '\\' && i + 1 < size && (data[i + 1] == 'n' || data[i + 1] == 'r')) {
			i++;
			continue;
		}
		out[used++] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	return used;
}

static const char *find_in_text(const struct needles *n, const char *data, size_t size)
{
	char *buf = xmalloc(BLOCK + 2 * PIECE);
	const char *found = NULL;
	size_t kept = 0;

	for (size_t at = 0; at < size && found == NULL; at += BLOCK) {
		size_t len = kept;

		len += condense(data + at, size - at < BLOCK ? size - at : BLOCK, buf + kept);
		found = find(n, true, buf, len);
		/* One that begins in this block may end in the next. */
		kept = len < 2 * PIECE ? len : 2 * PIECE;
		memmove(buf, buf + len - kept, kept);
	}
	explicit_bzero(buf, BLOCK + 2 * PIECE);
	free(buf);
	return found;
}

const char *needles_find(const struct needles *n, const char *data, size_t size)
{
	const char *found = find(n, false, data, size);

	return found != NULL ? found : find_in_text(n, data, size);
}
