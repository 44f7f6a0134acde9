/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking for secrets where they must not be: pieces of 16 bytes of each secret number, as they
 * stand in DER (big-endian), in memory dumps (little-endian), in PEM and other base64 at any
 * alignment and line length, and in hexadecimal digits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct needles {
	/* private */
	struct needle {
		char *bytes;
		size_t size;
		bool text; /* looked for where blanks, ends of lines and colons are left out */
		char *name;
	} * list;
	size_t n;
	uint8_t first[2][8192]; /* bit maps: first two bytes of the needles; [1]: of text */
};

void needles_init(struct needles *n);
/* A secret number, big-endian, known to people as `name`. Too short ones are not looked for. */
void needles_add(struct needles *n, const char *name, const uint8_t *bytes, size_t size);
/* The name of a secret that is in there, or NULL. */
const char *needles_find(const struct needles *n, const char *data, size_t size);
void needles_release(struct needles *n);
