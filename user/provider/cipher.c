/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RSA key exchange of TLS up to 1.2. Only this use of decryption is served: a general one would be
 * an oracle for whoever has taken over ring 3.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/rsa.h>
#include <privcall.h>
#include <string.h>

#include "local.h"

PRIVCALL(rfkey_premaster);

struct cipher_ctx {
	struct prov_key *key;
	int padding;
	unsigned version; /* that the client asked for */
};

static void *new_ctx(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct cipher_ctx));
}

static void free_ctx(void *ctx)
{
	struct cipher_ctx *c = ctx;

	key_put(c->key);
	OPENSSL_free(c);
}

static void *dup_ctx(void *ctx)
{
	struct cipher_ctx *c = OPENSSL_memdup(ctx, sizeof(*c));

	if (c != NULL && c->key != NULL)
		key_get(c->key);
	return c;
}

static bool set_padding(struct cipher_ctx *c, const OSSL_PARAM *p)
{
	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		c->padding = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0
				     ? RSA_PKCS1_PADDING
				     : 0;
	else if (!OSSL_PARAM_get_int(p, &c->padding))
		return false;
	return true;
}

static int set_ctx_params(void *ctx, const OSSL_PARAM params[])
{
	struct cipher_ctx *c = ctx;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
	if (p != NULL && !set_padding(c, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION);
	return p == NULL || OSSL_PARAM_get_uint(p, &c->version);
}

static const OSSL_PARAM *settable(void *ctx, void *provider)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, NULL),
		OSSL_PARAM_uint(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, NULL),
		OSSL_PARAM_END,
	};

	(void)ctx;
	(void)provider;
	return table;
}

static int decrypt_init(void *ctx, void *key, const OSSL_PARAM params[])
{
	struct cipher_ctx *c = ctx;

	key_put(c->key);
	c->key = key_get(key);
	return set_ctx_params(c, params);
}

static int decrypt(void *ctx, unsigned char *out, size_t *len, size_t room, const unsigned char *in,
		   size_t in_len)
{
	struct cipher_ctx *c = ctx;
	long r;

	if (c->padding != RSA_PKCS1_WITH_TLS_PADDING) {
		ERR_raise(ERR_LIB_PROV, PROV_R_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE);
		return 0;
	}
	*len = KEY_PREMASTER;
	if (out == NULL)
		return 1;
	if (room < KEY_PREMASTER)
		return 0;
	r = privcall(rfkey_premaster, c->key->handle, in, in_len, out, c->version);
	if (r < 0)
		key_error("key exchange", r);
	return r == KEY_PREMASTER;
}

const OSSL_DISPATCH rsa_cipher[] = {
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_NEWCTX, new_ctx),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_FREECTX, free_ctx),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_DUPCTX, dup_ctx),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, decrypt_init),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_DECRYPT, decrypt),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, set_ctx_params),
	DISPATCH(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, settable),
	DISPATCH_END,
};
