/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private part of bench/sign.c: one signature with each of BearSSL's implementations that take
 * the same time whatever the key. Linked with the provider's own pieces of BearSSL.
 */
#include <bearssl.h>
#include <privcall.h>

#define FILE_MAX 4096u

static br_skey_decoder_context decoder;

/* A key in DER. */
PRIVCALL_DEFINE(sign_load, (priv_uaddr, name), (uint32_t, len))
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
	return br_skey_decoder_key_type(&decoder);
}

static long rsa(br_rsa_private f)
{
	uint8_t x[512] = { 0 };
	const br_rsa_private_key *k = br_skey_decoder_get_rsa(&decoder);

	x[(k->n_bitlen + 7) / 8 - 1] = 2;
	return f(x, k) == 1 ? 0 : -1;
}

/* One for each length, so that each has a name. */
PRIVCALL_DEFINE(sign_rsa_2048)
{
	return rsa(br_rsa_i31_private);
}

PRIVCALL_DEFINE(sign_rsa_3072)
{
	return rsa(br_rsa_i31_private);
}

PRIVCALL_DEFINE(sign_rsa_4096)
{
	return rsa(br_rsa_i31_private);
}

PRIVCALL_DEFINE(sign_rsa_i15)
{
	return rsa(br_rsa_i15_private);
}

static long ecdsa(br_ecdsa_sign sign, const br_ec_impl *curve)
{
	static const uint8_t digest[32] = { 1, 2, 3 };
	uint8_t out[160];

	return sign(curve, &br_sha256_vtable, digest, br_skey_decoder_get_ec(&decoder), out) > 0
		       ? 0
		       : -1;
}

PRIVCALL_DEFINE(sign_p256_m31)
{
	return ecdsa(br_ecdsa_i31_sign_asn1, &br_ec_p256_m31);
}

PRIVCALL_DEFINE(sign_p256_m15)
{
	return ecdsa(br_ecdsa_i31_sign_asn1, &br_ec_p256_m15);
}

PRIVCALL_DEFINE(sign_p256_prime31)
{
	return ecdsa(br_ecdsa_i31_sign_asn1, &br_ec_prime_i31);
}

PRIVCALL_DEFINE(sign_p384)
{
	return ecdsa(br_ecdsa_i31_sign_asn1, &br_ec_prime_i31);
}

PRIVCALL_DEFINE(sign_p521)
{
	return ecdsa(br_ecdsa_i31_sign_asn1, &br_ec_prime_i31);
}
