/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys as OpenSSL sees them. Of a key its public part can be had (a server compares it with its
 * certificate); whoever asks for more is refused.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/bn.h>
#include <privcall.h>
#include <stdio.h>
#include <string.h>

#include "local.h"

PRIVCALL(rfkey_open);
PRIVCALL(rfkey_close);
PRIVCALL(rfkey_info);
PRIVCALL(rfkey_public);

/* ---- keys ---- */

static const char *reason(long result)
{
	switch (result) {
	case KEY_EBADMSG: return "not a private key, or a damaged one";
	case KEY_EACCES:
		return "may not be opened, or is encrypted: a passphrase would not be secret";
	case KEY_ENOTSUP:
		return "not served; keys are RSA of 1024 to 4096 bits, P-256, P-384, P-521";
	case KEY_EMFILE: return "too many keys are open";
	case KEY_EFBIG: return "too long for a key";
	case KEY_ENOENT: return "no such file";
	case KEY_ENOMEM: return "out of memory";
	case KEY_ENXIO: return "this process has no PrivUser";
	default: return "failed";
	}
}

void key_error(const char *what, long result)
{
	ERR_raise_data(ERR_LIB_PROV, PROV_R_INVALID_KEY, "ringfence: %s: %s (%ld)", what,
		       reason(result), result);
}

/* OpenSSL forgets what a decoder had to say, and the server would only tell that it has no key. */
static void open_error(const char *path, size_t len, long result)
{
	fprintf(stderr, "ringfence: key %.*s: %s (%ld)\n", (int)len, path, reason(result), result);
	key_error("key", result);
}

static long read_public(struct prov_key *k)
{
	long r = privcall(rfkey_info, k->handle);

	if (r >= 0) {
		k->kind = (enum key_kind)(r >> 16);
		k->bits = (int)(r & 0xffff);
		r = privcall(rfkey_public, k->handle, k->public_part, sizeof(k->public_part));
	}
	if (r < 0)
		return r;
	k->len = (uint32_t)r;
	if (key_is_rsa(k)) {
		const unsigned char *e = k->public_part + (k->len -= 4);

		k->e = (uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 | (uint32_t)e[2] << 8 | e[3];
	}
	return 0;
}

struct prov_key *key_open(struct provider *p, const char *path, size_t len)
{
	struct prov_key *k = OPENSSL_zalloc(sizeof(*k));
	long r;

	if (k == NULL)
		return NULL;
	k->provider = p;
	k->refs = 1;
	r = k->handle = privcall(rfkey_open, path, len);
	if (r >= 0)
		r = read_public(k);
	if (r < 0) {
		open_error(path, len, r);
		key_put(k);
		return NULL;
	}
	return k;
}

struct prov_key *key_get(struct prov_key *k)
{
	__atomic_fetch_add(&k->refs, 1, __ATOMIC_RELAXED);
	return k;
}

void key_put(struct prov_key *k)
{
	if (k == NULL || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (k->handle >= 0)
		privcall(rfkey_close, k->handle);
	OPENSSL_free(k);
}

size_t key_signature_max(const struct prov_key *k)
{
	/* RSA: the modulus. ECDSA: two numbers, with what DER puts around them. */
	return key_is_rsa(k) ? k->len : 2 * ((size_t)(k->bits + 7) / 8 + 3) + 4;
}

/* ---- key management ---- */

/*
 * An empty one, and it stays so: keys are only found, never made or brought. OpenSSL asks for one
 * when it compares a key of ours with another provider's, and goes the other way round when nothing
 * can be imported; without an object it would leave an error behind.
 */
static void *new_key(void *ctx)
{
	struct prov_key *k = OPENSSL_zalloc(sizeof(*k));

	if (k != NULL)
		*k = (struct prov_key){ .provider = ctx, .refs = 1, .handle = -1 };
	return k;
}

static void *load(const void *reference, size_t size)
{
	struct prov_key *k;

	if (size != sizeof(k))
		return NULL;
	k = *(struct prov_key **)reference;
	*(struct prov_key **)reference = NULL; /* taken over */
	return k;
}

static void *dup_key(const void *k, int selection)
{
	(void)selection;
	return key_get((struct prov_key *)k);
}

static int has(const void *k, int selection)
{
	(void)selection;
	return k != NULL && ((const struct prov_key *)k)->len != 0;
}

static int match(const void *a, const void *b, int selection)
{
	const struct prov_key *x = a, *y = b;

	(void)selection;
	return x->len != 0 && x->kind == y->kind && x->len == y->len && x->e == y->e &&
	       memcmp(x->public_part, y->public_part, x->len) == 0;
}

static const char *group_name(const struct prov_key *k)
{
	switch (k->kind) {
	case KEY_P256: return "prime256v1";
	case KEY_P384: return "secp384r1";
	default: return "secp521r1";
	}
}

static int security_bits(const struct prov_key *k)
{
	if (!key_is_rsa(k))
		return k->bits / 2;
	return k->bits >= 4096 ? 152 : k->bits >= 3072 ? 128 : k->bits >= 2048 ? 112 : 80;
}

static bool set_int(OSSL_PARAM params[], const char *name, int value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_int(p, value);
}

static bool set_text(OSSL_PARAM params[], const char *name, const char *value)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_utf8_string(p, value);
}

static bool set_octets(OSSL_PARAM params[], const char *name, const void *value, size_t len)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

	return p == NULL || OSSL_PARAM_set_octet_string(p, value, len);
}

static bool set_number(OSSL_PARAM params[], const char *name, const unsigned char *be, size_t len)
{
	OSSL_PARAM *p = OSSL_PARAM_locate(params, name);
	BIGNUM *bn;
	bool ok;

	if (p == NULL)
		return true;
	bn = BN_bin2bn(be, (int)len, NULL);
	ok = bn != NULL && OSSL_PARAM_set_BN(p, bn);
	BN_free(bn);
	return ok;
}

static bool get_rsa(const struct prov_key *k, OSSL_PARAM params[])
{
	unsigned char e[4] = { (unsigned char)(k->e >> 24), (unsigned char)(k->e >> 16),
			       (unsigned char)(k->e >> 8), (unsigned char)k->e };

	return set_number(params, OSSL_PKEY_PARAM_RSA_N, k->public_part, k->len) &&
	       set_number(params, OSSL_PKEY_PARAM_RSA_E, e, sizeof(e));
}

static bool get_ec(const struct prov_key *k, OSSL_PARAM params[])
{
	return set_text(params, OSSL_PKEY_PARAM_GROUP_NAME, group_name(k)) &&
	       set_octets(params, OSSL_PKEY_PARAM_PUB_KEY, k->public_part, k->len) &&
	       set_octets(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, k->public_part, k->len);
}

static int get_key_params(void *key, OSSL_PARAM params[])
{
	const struct prov_key *k = key;

	if (!has(key, 0))
		return 0;
	return set_int(params, OSSL_PKEY_PARAM_BITS, k->bits) &&
	       set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, security_bits(k)) &&
	       set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, (int)key_signature_max(k)) &&
	       set_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256") &&
	       (key_is_rsa(k) ? get_rsa(k, params) : get_ec(k, params));
}

#define COMMON_PARAMS                                                \
	OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),                  \
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL), \
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),      \
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0)
#define RSA_PUBLIC \
	OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0)
#define EC_PUBLIC                                                    \
	OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0), \
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0)

static const OSSL_PARAM *rsa_gettable(void *ctx)
{
	static const OSSL_PARAM table[] = { COMMON_PARAMS, RSA_PUBLIC, OSSL_PARAM_END };

	(void)ctx;
	return table;
}

static const OSSL_PARAM *ec_gettable(void *ctx)
{
	static const OSSL_PARAM table[] = {
		COMMON_PARAMS, EC_PUBLIC,
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END
	};

	(void)ctx;
	return table;
}

static const OSSL_PARAM *rsa_exported(int selection)
{
	static const OSSL_PARAM table[] = { RSA_PUBLIC, OSSL_PARAM_END };

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) ? NULL : table;
}

static const OSSL_PARAM *ec_exported(int selection)
{
	static const OSSL_PARAM table[] = { EC_PUBLIC, OSSL_PARAM_END };

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) ? NULL : table;
}

static bool push_public(OSSL_PARAM_BLD *b, const struct prov_key *k, BIGNUM *n, BIGNUM *e)
{
	if (!key_is_rsa(k))
		return OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group_name(k),
						       0) &&
		       OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, k->public_part,
							k->len);
	return BN_bin2bn(k->public_part, (int)k->len, n) != NULL && BN_set_word(e, k->e) &&
	       OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) &&
	       OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
}

static int export(void *key, int selection, OSSL_CALLBACK *give, void *arg)
{
	OSSL_PARAM_BLD *b;
	OSSL_PARAM *params = NULL;
	BIGNUM *n, *e;
	int ok = 0;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || !has(key, selection))
		return 0;
	b = OSSL_PARAM_BLD_new();
	n = BN_new();
	e = BN_new();
	if (b != NULL && n != NULL && e != NULL && push_public(b, key, n, e))
		params = OSSL_PARAM_BLD_to_param(b);
	if (params != NULL)
		ok = give(params, arg);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_free(n);
	BN_free(e);
	return ok;
}

static const char *ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

#define KEYMGMT                                                                                   \
	DISPATCH(OSSL_FUNC_KEYMGMT_NEW, new_key), DISPATCH(OSSL_FUNC_KEYMGMT_FREE, key_put),      \
		DISPATCH(OSSL_FUNC_KEYMGMT_LOAD, load), DISPATCH(OSSL_FUNC_KEYMGMT_DUP, dup_key), \
		DISPATCH(OSSL_FUNC_KEYMGMT_HAS, has), DISPATCH(OSSL_FUNC_KEYMGMT_MATCH, match),   \
		DISPATCH(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_key_params),                           \
		DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT, export)

const OSSL_DISPATCH rsa_keymgmt[] = {
	KEYMGMT,
	DISPATCH(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, rsa_gettable),
	DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, rsa_exported),
	DISPATCH_END,
};

const OSSL_DISPATCH ec_keymgmt[] = {
	KEYMGMT,
	DISPATCH(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, ec_gettable),
	DISPATCH(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, ec_exported),
	DISPATCH(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
	DISPATCH_END,
};
