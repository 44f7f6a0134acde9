/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sha256.h"
#include "base/str.h"

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

static void add_block(struct sha256 *ctx, const uint8_t *p)
{
	uint32_t w[64], s[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(s, ctx->state, sizeof(s));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t e1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
		uint32_t choose = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t t1 = s[7] + e1 + choose + round_constants[i] + w[i];
		uint32_t e0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
		uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);

		memmove(&s[1], &s[0], 7 * sizeof(s[0]));
		s[4] += t1;
		s[0] = t1 + e0 + majority;
	}
	for (unsigned i = 0; i < 8; i++)
		ctx->state[i] += s[i];
}

void sha256_init(struct sha256 *ctx)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(ctx->state, start, sizeof(start));
	ctx->length = 0;
}

void sha256_add(struct sha256 *ctx, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size > 0) {
		size_t at = ctx->length % 64;
		size_t n = size < 64 - at ? size : 64 - at;

		memcpy(ctx->block + at, p, n);
		ctx->length += n;
		p += n;
		size -= n;
		if (at + n == 64)
			add_block(ctx, ctx->block);
	}
}

void sha256_add_string(struct sha256 *ctx, const char *s)
{
	sha256_add(ctx, s, strlen(s) + 1);
}

void sha256_add_u64(struct sha256 *ctx, uint64_t v)
{
	sha256_add(ctx, &v, sizeof(v));
}

void sha256_hex(struct sha256 *ctx, char out[SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t bits = ctx->length * 8;
	uint8_t end[8];

	for (unsigned i = 0; i < 8; i++)
		end[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(ctx, "\x80", 1);
	while (ctx->length % 64 != 56)
		sha256_add(ctx, "", 1);
	sha256_add(ctx, end, 8);
	for (unsigned i = 0; i < SHA256_HEX - 1; i++)
		out[i] = digits[ctx->state[i / 8] >> (28 - i % 8 * 4) & 15];
	out[SHA256_HEX - 1] = '\0';
}
