/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a private key was, a program finds its name: a PKCS#8 file of an algorithm that nobody
 * else knows (KEY_NAME_OID), whose key is the path of the real file. OpenSSL's own decoder takes
 * PEM apart; this one turns the name into a key that PrivUser has opened.
 */
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "local.h"
#include "abi/keyname.h"

struct decoder {
	struct provider *provider;
	bool rsa;
};

static void *new_decoder(struct provider *p, bool rsa)
{
	struct decoder *d = OPENSSL_zalloc(sizeof(*d));

	if (d != NULL)
		*d = (struct decoder){ p, rsa };
	return d;
}

static void *new_rsa(void *provider)
{
	return new_decoder(provider, true);
}

static void *new_ec(void *provider)
{
	return new_decoder(provider, false);
}

static void free_decoder(void *ctx)
{
	OPENSSL_free(ctx);
}

static int does_selection(void *ctx, int selection)
{
	(void)ctx;
	return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

/* The path in a file that names a key; NULL: it is something else. */
static const char *path_of(const PKCS8_PRIV_KEY_INFO *info, int *len)
{
	const ASN1_OBJECT *algorithm;
	const unsigned char *path;
	char oid[64];

	if (!PKCS8_pkey_get0(&algorithm, &path, len, NULL, info))
		return NULL;
	OBJ_obj2txt(oid, sizeof(oid), algorithm, 1);
	return strcmp(oid, KEY_NAME_OID) == 0 ? (const char *)path : NULL;
}

/* NULL, with nothing on the error queue: not ours. */
static struct prov_key *open_named(struct decoder *d, OSSL_CORE_BIO *core)
{
	BIO *in = BIO_new_from_core_bio(d->provider->lib, core);
	PKCS8_PRIV_KEY_INFO *info;
	struct prov_key *k = NULL;
	const char *path;
	int len;

	if (in == NULL)
		return NULL;
	ERR_set_mark();
	info = d2i_PKCS8_PRIV_KEY_INFO_bio(in, NULL);
	ERR_pop_to_mark();
	path = info != NULL ? path_of(info, &len) : NULL;
	if (path != NULL)
		k = key_open(d->provider, path, (size_t)len);
	PKCS8_PRIV_KEY_INFO_free(info);
	BIO_free(in);
	return k;
}

static int give(struct prov_key **k, OSSL_CALLBACK *callback, void *arg)
{
	int type = OSSL_OBJECT_PKEY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
		OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE,
						 key_is_rsa(*k) ? "RSA" : "EC", 0),
		OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, k, sizeof(*k)),
		OSSL_PARAM_END,
	};

	return callback(params, arg);
}

static int decode(void *ctx, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback, void *arg,
		  OSSL_PASSPHRASE_CALLBACK *passphrase, void *passphrase_arg)
{
	struct decoder *d = ctx;
	struct prov_key *k = open_named(d, in);
	int ok = 1; /* not ours: others may try */

	(void)selection;
	(void)passphrase;
	(void)passphrase_arg;
	if (k != NULL && key_is_rsa(k) == d->rsa)
		ok = give(&k, callback, arg);
	key_put(k); /* NULL when it was taken over */
	return ok;
}

#define DECODER                                                             \
	DISPATCH(OSSL_FUNC_DECODER_FREECTX, free_decoder),                  \
		DISPATCH(OSSL_FUNC_DECODER_DOES_SELECTION, does_selection), \
		DISPATCH(OSSL_FUNC_DECODER_DECODE, decode)

const OSSL_DISPATCH rsa_decoder[] = {
	DISPATCH(OSSL_FUNC_DECODER_NEWCTX, new_rsa),
	DECODER,
	DISPATCH_END,
};

const OSSL_DISPATCH ec_decoder[] = {
	DISPATCH(OSSL_FUNC_DECODER_NEWCTX, new_ec),
	DECODER,
	DISPATCH_END,
};
