/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations with a secret, for constant-time.t: the provider's, and two that give it away. */
#include <bearssl.h>
#include <privcall.h>

#define FILE_MAX 4096u

static br_skey_decoder_context decoder;
static uint8_t message[32];

/* The key in a file of DER, and what is to be signed. */
PRIVCALL_DEFINE(load, (priv_uaddr, name), (uint32_t, len), (uint32_t, seed))
{
	char path[64];
	void *der;
	size_t bytes;
	int err;

	if (len == 0 || len > sizeof(path) || priv_copy_in(path, name, len) != 0)
		return -1;
	path[len - 1] = '\0';
	err = priv_read_file(path, FILE_MAX, &der, &bytes);
	if (err != 0)
		return err;
	br_skey_decoder_init(&decoder);
	br_skey_decoder_push(&decoder, der, bytes);
	priv_free(der);
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(seed * 37 + i * (seed | 1));
	return br_skey_decoder_key_type(&decoder);
}

PRIVCALL_DEFINE(rsa)
{
	uint8_t x[512] = { 0 };
	const br_rsa_private_key *k = br_skey_decoder_get_rsa(&decoder);

	memcpy(x + 1, message, sizeof(message));
	return br_rsa_i31_private(x, k) == 1 ? 0 : -1;
}

/* Without the encoding as DER, whose length is that of the signature, which is no secret. */
PRIVCALL_DEFINE(ecdsa, (uint32_t, bits))
{
	uint8_t out[160];

	return br_ecdsa_i31_sign_raw(bits == 256 ? &br_ec_p256_m31 : &br_ec_prime_i31,
				     &br_sha256_vtable, message, br_skey_decoder_get_ec(&decoder),
				     out) > 0
		       ? 0
		       : -1;
}

static volatile uint32_t sink;

PRIVCALL_DEFINE(leaky_branch)
{
	const br_ec_private_key *k = br_skey_decoder_get_ec(&decoder);

	for (size_t i = 0; i < 8 * k->xlen; i++)
		if (k->x[i / 8] >> i % 8 & 1)
			sink = sink * 3 + 1;
	return 0;
}

PRIVCALL_DEFINE(leaky_index)
{
	static volatile uint8_t table[256];
	const br_ec_private_key *k = br_skey_decoder_get_ec(&decoder);

	for (size_t i = 0; i < k->xlen; i++)
		sink += table[k->x[i]];
	return 0;
}
