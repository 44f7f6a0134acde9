/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the provider, to each other. */
#pragma once

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "key.h"

#define PROVIDER_NAME "Ringfence"
#define RSA_NAMES     "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define EC_NAMES      "EC:id-ecPublicKey:1.2.840.10045.2.1"
#define PROPERTIES    "provider=ringfence"
#define DISPATCH(id, fn)                   \
	{                                  \
		(id), (void (*)(void))(fn) \
	}
#define DISPATCH_END    \
	{               \
		0, NULL \
	}

struct provider {
	OSSL_LIB_CTX *lib; /* for digests and the like, of other providers */
};

/* A private key: its public part, and the handle of the rest. Counted. */
struct prov_key {
	struct provider *provider;
	int refs;
	long handle;
	enum key_kind kind;
	int bits;
	uint32_t len; /* of public_part */
	uint32_t e;   /* RSA: exponent; the modulus is public_part */
	unsigned char public_part[KEY_PUBLIC_MAX];
};

static inline bool key_is_rsa(const struct prov_key *k)
{
	return k->kind == KEY_RSA;
}
/* Bytes of the longest signature. */
size_t key_signature_max(const struct prov_key *k);
/* Open the key in `path`; NULL after an error, which is on OpenSSL's error queue. */
struct prov_key *key_open(struct provider *p, const char *path, size_t len);
struct prov_key *key_get(struct prov_key *k);
void key_put(struct prov_key *k);
/* Put a result of a privcall on OpenSSL's error queue. */
void key_error(const char *what, long result);

extern const OSSL_DISPATCH rsa_keymgmt[], ec_keymgmt[];
extern const OSSL_DISPATCH rsa_signature[], ecdsa_signature[];
extern const OSSL_DISPATCH rsa_cipher[];
extern const OSSL_DISPATCH rsa_decoder[], ec_decoder[];
