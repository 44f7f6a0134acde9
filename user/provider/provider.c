/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringfence.so: an OpenSSL 3 provider whose private keys are in ring 2 (key.h). A program needs no
 * change: openssl.cnf loads it, and where a private key was there is a file that names the place of
 * the real one, which only PrivUser can open (decoder.c).
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <privcall.h>
#include <string.h>

#include "local.h"

static const OSSL_ALGORITHM keymgmts[] = {
	{ RSA_NAMES, PROPERTIES, rsa_keymgmt, "RSA keys in PrivUser" },
	{ EC_NAMES, PROPERTIES, ec_keymgmt, "EC keys in PrivUser" },
	{ NULL, NULL, NULL, NULL },
};
static const OSSL_ALGORITHM signatures[] = {
	{ RSA_NAMES, PROPERTIES, rsa_signature, "RSA with a key in PrivUser" },
	{ "ECDSA", PROPERTIES, ecdsa_signature, "ECDSA with a key in PrivUser" },
	{ NULL, NULL, NULL, NULL },
};
static const OSSL_ALGORITHM ciphers[] = {
	{ RSA_NAMES, PROPERTIES, rsa_cipher, "RSA key exchange with a key in PrivUser" },
	{ NULL, NULL, NULL, NULL },
};
static const OSSL_ALGORITHM decoders[] = {
	{ RSA_NAMES, PROPERTIES ",input=der,structure=PrivateKeyInfo", rsa_decoder,
	  "names of RSA keys" },
	{ EC_NAMES, PROPERTIES ",input=der,structure=PrivateKeyInfo", ec_decoder,
	  "names of EC keys" },
	{ NULL, NULL, NULL, NULL },
};

static const OSSL_ALGORITHM *query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT: return keymgmts;
	case OSSL_OP_SIGNATURE: return signatures;
	case OSSL_OP_ASYM_CIPHER: return ciphers;
	case OSSL_OP_DECODER: return decoders;
	default: return NULL;
	}
}

static const OSSL_PARAM *gettable_params(void *ctx)
{
	static const OSSL_PARAM table[] = {
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
		OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, NULL, 0),
		OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
		OSSL_PARAM_END,
	};

	(void)ctx;
	return table;
}

static const char *how_protected(void)
{
	switch (priv_state()) {
	case PRIV_ISOLATED: return "keys are in ring 2";
	case PRIV_OFF: return "protection is switched off: keys are NOT isolated";
	case PRIV_PLAIN: return "plain build: keys are NOT isolated";
	default: return "no keys can be used";
	}
}

static int get_params(void *ctx, OSSL_PARAM params[])
{
	OSSL_PARAM *p;

	(void)ctx;
	p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
	if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, PROVIDER_NAME))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_BUILDINFO);
	if (p != NULL && !OSSL_PARAM_set_utf8_ptr(p, how_protected()))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
	return p == NULL || OSSL_PARAM_set_int(p, priv_state() >= 0);
}

static void teardown(void *ctx)
{
	struct provider *p = ctx;

	OSSL_LIB_CTX_free(p->lib);
	OPENSSL_free(p);
}

static const OSSL_DISPATCH provider_functions[] = {
	DISPATCH(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
	DISPATCH(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
	DISPATCH(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_params),
	DISPATCH(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
	DISPATCH_END,
};

/* A provider that cannot protect keys does not load: the program then has no key, and says so. */
__attribute__((visibility("default"))) int OSSL_provider_init(const OSSL_CORE_HANDLE *core,
							      const OSSL_DISPATCH *in,
							      const OSSL_DISPATCH **out, void **ctx)
{
	struct provider *p;

	if (priv_init(NULL) < 0)
		return 0;
	p = OPENSSL_zalloc(sizeof(*p));
	if (p == NULL)
		return 0;
	p->lib = OSSL_LIB_CTX_new_child(core, in);
	if (p->lib == NULL) {
		OPENSSL_free(p);
		return 0;
	}
	*out = provider_functions;
	*ctx = p;
	return 1;
}
