/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4): names cached images, and the code that may open secrets. */
#pragma once

#include "abi/types.h"

struct sha256 {
	uint32_t state[8];
	uint64_t length;
	uint8_t block[64];
};

#define SHA256_HEX 65 /* characters of the hexadecimal form, with its NUL */

void sha256_init(struct sha256 *ctx);
void sha256_add(struct sha256 *ctx, const void *data, size_t size);
/* A string with its NUL, so that "ab","c" and "a","bc" differ. */
void sha256_add_string(struct sha256 *ctx, const char *s);
void sha256_add_u64(struct sha256 *ctx, uint64_t v);
/* Ends the sum; the context must be initialised again before further use. */
void sha256_hex(struct sha256 *ctx, char out[SHA256_HEX]);
