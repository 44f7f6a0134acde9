/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64 (RFC 4648), as PEM has it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decode; blanks and ends of lines do not count, nor does what follows "=". `out` needs as many
 * bytes as the text. False: another character, or a text that ends within a byte.
 */
bool base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size);
/* Encode into lines of 64 characters. The caller frees. */
char *base64_lines(const uint8_t *data, size_t size);
/* Encode size / 3 whole groups, without an end: size / 3 * 4 characters. */
void base64_groups(const uint8_t *data, size_t size, char *out);
