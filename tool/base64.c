/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/base64.h"

#include <string.h>

#include "tool/util.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_decode(const char *text, size_t size, uint8_t *out, size_t *out_size)
{
	uint32_t group = 0;
	unsigned bits = 0;

	*out_size = 0;
	for (size_t i = 0; i < size && text[i] != '='; i++) {
		const char *digit = strchr(digits, text[i]);

		if (strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0')
			continue;
		if (digit == NULL || text[i] == '\0')
			return false;
		group = group << 6 | (uint32_t)(digit - digits);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		out[(*out_size)++] = (uint8_t)(group >> bits);
	}
	return bits < 6;
}

void base64_groups(const uint8_t *data, size_t size, char *out)
{
	for (size_t i = 0; i + 3 <= size; i += 3) {
		uint32_t group = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];

		for (unsigned k = 0; k < 4; k++)
			*out++ = digits[group >> (18 - 6 * k) & 63];
	}
}

char *base64_lines(const uint8_t *data, size_t size)
{
	size_t groups = (size + 2) / 3, n = 0;
	char *out = xmalloc(groups * 4 + groups / 16 + 2);

	for (size_t g = 0; g < groups; g++) {
		uint8_t last[3] = { 0 };
		size_t there = size - 3 * g < 3 ? size - 3 * g : 3;

		memcpy(last, data + 3 * g, there);
		base64_groups(last, 3, out + n);
		memset(out + n + there + 1, '=', 3 - there);
		n += 4;
		if (g % 16 == 15 || g == groups - 1)
			out[n++] = '\n';
	}
	out[n] = '\0';
	return out;
}
