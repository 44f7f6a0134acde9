/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signatures. What is signed is hashed here, in ring 3; only the digest goes to PrivUser. RSA with
 * PKCS#1 and PSS padding as TLS uses them, ECDSA.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/rsa.h>
#include <privcall.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"

PRIVCALL(rfkey_sign);

struct sig_ctx {
	struct provider *provider;
	struct prov_key *key;
	EVP_MD *md;          /* NULL: not chosen yet */
	EVP_MD_CTX *hashing; /* between init and final of digest_sign */
	int padding;         /* RSA_PKCS1_PADDING or RSA_PKCS1_PSS_PADDING */
	int salt;            /* of PSS; RSA_PSS_SALTLEN_... */
};

static void *new_ctx(void *provider, const char *properties)
{
	struct sig_ctx *c = OPENSSL_zalloc(sizeof(*c));

	(void)properties;
	if (c != NULL) {
		c->provider = provider;
		c->padding = RSA_PKCS1_PADDING;
		c->salt = RSA_PSS_SALTLEN_DIGEST;
	}
	return c;
}

static void free_ctx(void *ctx)
{
	struct sig_ctx *c = ctx;

	key_put(c->key);
	EVP_MD_free(c->md);
	EVP_MD_CTX_free(c->hashing);
	OPENSSL_free(c);
}

static void *dup_ctx(void *ctx)
{
	const struct sig_ctx *from = ctx;
	struct sig_ctx *c = OPENSSL_memdup(from, sizeof(*from));

	if (c == NULL)
		return NULL;
	c->hashing = NULL;
	if (c->key != NULL)
		key_get(c->key);
	if (c->md != NULL)
		EVP_MD_up_ref(c->md);
	if (from->hashing != NULL) {
		c->hashing = EVP_MD_CTX_new();
		if (c->hashing == NULL || !EVP_MD_CTX_copy_ex(c->hashing, from->hashing)) {
			free_ctx(c);
			return NULL;
		}
	}
	return c;
}

static enum key_hash hash_of(const EVP_MD *md)
{
	switch (EVP_MD_get_type(md)) {
	case NID_md5_sha1: return KEY_MD5SHA1;
	case NID_sha1: return KEY_SHA1;
	case NID_sha224: return KEY_SHA224;
	case NID_sha256: return KEY_SHA256;
	case NID_sha384: return KEY_SHA384;
	case NID_sha512: return KEY_SHA512;
	default: return 0;
	}
}

static bool set_digest(struct sig_ctx *c, const char *name)
{
	EVP_MD *md = EVP_MD_fetch(c->provider->lib, name, NULL);

	if (md == NULL || hash_of(md) == 0) {
		EVP_MD_free(md);
		ERR_raise_data(ERR_LIB_PROV, PROV_R_INVALID_DIGEST, "ringfence: %s", name);
		return false;
	}
	EVP_MD_free(c->md);
	c->md = md;
	return true;
}

/* ---- parameters ---- */

static bool get_int_or_name(const OSSL_PARAM *p, const char *name, int named, int *out)
{
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (strcmp(p->data, name) == 0) {
			*out = named;
			return true;
		}
		*out = atoi(p->data);
		return true;
	}
	return OSSL_PARAM_get_int(p, out);
}

static bool set_padding(struct sig_ctx *c, const OSSL_PARAM *p)
{
	int padding;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		padding = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING
			  : strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
										 : 0;
	else if (!OSSL_PARAM_get_int(p, &padding))
		return false;
	if (padding != RSA_PKCS1_PADDING && padding != RSA_PKCS1_PSS_PADDING) {
		ERR_raise(ERR_LIB_PROV, PROV_R_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE);
		return false;
	}
	c->padding = padding;
	return true;
}

static bool set_salt(struct sig_ctx *c, const OSSL_PARAM *p)
{
	int salt;

	if (p->data_type == OSSL_PARAM_UTF8_STRING &&
	    strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX) == 0)
		salt = RSA_PSS_SALTLEN_MAX;
	else if (!get_int_or_name(p, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, RSA_PSS_SALTLEN_DIGEST,
				  &salt))
		return false;
	if (salt < RSA_PSS_SALTLEN_MAX) {
		ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_SALT_LENGTH);
		return false;
	}
	c->salt = salt;
	return true;
}

static int set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
	struct sig_ctx *c = ctx;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
	if (p != NULL && (p->data_type != OSSL_PARAM_UTF8_STRING || !set_digest(c, p->data)))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL && !set_padding(c, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p != NULL && !set_salt(c, p))
		return 0;
	/* MGF1 uses the digest of the signature here, as TLS asks for. */
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
	if (p != NULL && (p->data_type != OSSL_PARAM_UTF8_STRING || c->md == NULL ||
			  !EVP_MD_is_a(c->md, p->data))) {
		ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_MGF1_MD);
		return 0;
	}
	return 1;
}

static const OSSL_PARAM *rsa_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provider;
	return table;
}

static const OSSL_PARAM *ecdsa_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0), OSSL_PARAM_END
	};

	(void)ctx;
	(void)provider;
	return table;
}

/* ---- signing a digest ---- */

static int sign_init(void *ctx, void *key, const OSSL_PARAM params[])
{
	struct sig_ctx *c = ctx;

	if (key != NULL) {
		key_put(c->key);
		c->key = key_get(key);
	}
	return c->key != NULL && set_ctx_params(c, params);
}

static unsigned how(const struct sig_ctx *c)
{
	int salt = 0;

	if (!key_is_rsa(c->key))
		return KEY_HOW(KEY_ECDSA, hash_of(c->md), 0u);
	if (c->padding == RSA_PKCS1_PADDING)
		return KEY_HOW(KEY_PKCS1, hash_of(c->md), 0u);
	if (c->salt >= 0)
		salt = c->salt;
	else if (c->salt == RSA_PSS_SALTLEN_DIGEST)
		salt = EVP_MD_get_size(c->md);
	else /* as long as there is room */
		salt = (c->key->bits + 6) / 8 - EVP_MD_get_size(c->md) - 2;
	return KEY_HOW(KEY_PSS, hash_of(c->md), (unsigned)salt & 0xffff);
}

static int sign(void *ctx, unsigned char *sig, size_t *len, size_t room,
		const unsigned char *digest, size_t digest_len)
{
	struct sig_ctx *c = ctx;
	long r;

	if (sig == NULL) {
		*len = key_signature_max(c->key);
		return 1;
	}
	if (c->md == NULL && !set_digest(c, "SHA256"))
		return 0;
	r = privcall(rfkey_sign, c->key->handle, how(c), digest, digest_len, sig, room);
	if (r < 0) {
		key_error("signature", r);
		return 0;
	}
	*len = (size_t)r;
	return 1;
}

/* ---- signing a message ---- */

static int digest_sign_init(void *ctx, const char *md, void *key, const OSSL_PARAM params[])
{
	struct sig_ctx *c = ctx;

	if (!set_digest(c, md != NULL && md[0] != '\0' ? md : "SHA256") ||
	    !sign_init(c, key, params))
		return 0;
	EVP_MD_CTX_free(c->hashing);
	c->hashing = EVP_MD_CTX_new();
	return c->hashing != NULL && EVP_DigestInit_ex2(c->hashing, c->md, params);
}

static int digest_sign_update(void *ctx, const unsigned char *data, size_t len)
{
	struct sig_ctx *c = ctx;

	return c->hashing != NULL && EVP_DigestUpdate(c->hashing, data, len);
}

static int digest_sign_final(void *ctx, unsigned char *sig, size_t *len, size_t room)
{
	struct sig_ctx *c = ctx;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_len;

	if (c->hashing == NULL)
		return 0;
	if (sig == NULL)
		return sign(c, NULL, len, 0, NULL, 0);
	return EVP_DigestFinal_ex(c->hashing, digest, &digest_len) &&
	       sign(c, sig, len, room, digest, digest_len);
}

#define SIGNATURE                                                                     \
	DISPATCH(OSSL_FUNC_SIGNATURE_NEWCTX, new_ctx),                                \
		DISPATCH(OSSL_FUNC_SIGNATURE_FREECTX, free_ctx),                      \
		DISPATCH(OSSL_FUNC_SIGNATURE_DUPCTX, dup_ctx),                        \
		DISPATCH(OSSL_FUNC_SIGNATURE_SIGN_INIT, sign_init),                   \
		DISPATCH(OSSL_FUNC_SIGNATURE_SIGN, sign),                             \
		DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_sign_init),     \
		DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, digest_sign_update), \
		DISPATCH(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final),   \
		DISPATCH(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_ctx_params)

const OSSL_DISPATCH rsa_signature[] = {
	SIGNATURE,
	DISPATCH(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, rsa_settable),
	DISPATCH_END,
};

const OSSL_DISPATCH ecdsa_signature[] = {
	SIGNATURE,
	DISPATCH(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, ecdsa_settable),
	DISPATCH_END,
};
