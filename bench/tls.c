/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the server's half of a TLS handshake consists of, with OpenSSL itself: the whole, over
 * memory, with a client in the same program; and its parts alone. Prints "name nanoseconds"; under
 * `-icount shift=0` a nanosecond is one instruction.
 */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMES 3 /* the first brings pages and tables in, the last is printed */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("failed: %s\n", what);
	exit(1);
}

/* ---- parts ---- */

static EVP_PKEY *new_key(const char *kind)
{
	EVP_PKEY *k;

	if (kind[0] == 'R')
		k = EVP_RSA_gen(2048);
	else if (kind[0] == 'P')
		k = EVP_EC_gen(kind);
	else
		k = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	need(k != NULL, kind);
	return k;
}

static void exchange(const char *kind)
{
	EVP_PKEY *peer = new_key(kind);
	uint64_t made = 0, derived = 0;

	for (int i = 0; i < TIMES; i++) {
		uint64_t start = now();
		EVP_PKEY *ours = new_key(kind);
		unsigned char secret[64];
		size_t len = sizeof(secret);
		EVP_PKEY_CTX *c;

		made = now() - start;
		start = now();
		c = EVP_PKEY_CTX_new(ours, NULL);
		need(EVP_PKEY_derive_init(c) == 1 && EVP_PKEY_derive_set_peer(c, peer) == 1 &&
			     EVP_PKEY_derive(c, secret, &len) == 1,
		     "derive");
		EVP_PKEY_CTX_free(c);
		derived = now() - start;
		EVP_PKEY_free(ours);
	}
	printf("key_%s %llu\nsecret_%s %llu\n", kind, (unsigned long long)made, kind,
	       (unsigned long long)derived);
	EVP_PKEY_free(peer);
}

static void signature(const char *kind, EVP_PKEY *key)
{
	uint64_t took = 0;

	for (int i = 0; i < TIMES; i++) {
		unsigned char out[512], message[130] = { 1 };
		size_t len = sizeof(out);
		uint64_t start = now();
		EVP_MD_CTX *c = EVP_MD_CTX_new();
		EVP_PKEY_CTX *k;

		need(EVP_DigestSignInit(c, &k, EVP_sha256(), NULL, key) == 1, "sign");
		if (kind[0] == 'R')
			need(EVP_PKEY_CTX_set_rsa_padding(k, RSA_PKCS1_PSS_PADDING) == 1 &&
				     EVP_PKEY_CTX_set_rsa_pss_saltlen(k, RSA_PSS_SALTLEN_DIGEST) ==
					     1,
			     "padding");
		need(EVP_DigestSign(c, out, &len, message, sizeof(message)) == 1, "sign");
		EVP_MD_CTX_free(c);
		took = now() - start;
	}
	printf("sign_%s %llu\n", kind, (unsigned long long)took);
}

/* ---- the whole ---- */

static X509 *certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();

	need(x != NULL && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
		     X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL &&
		     X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL &&
		     X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
						(const unsigned char *)"bench", -1, -1, 0) &&
		     X509_set_issuer_name(x, X509_get_subject_name(x)) && X509_set_pubkey(x, key) &&
		     X509_sign(x, key, EVP_sha256()) > 0,
	     "certificate");
	return x;
}

/* One step of one side. Is it done? */
static int step(SSL *s)
{
	int r = SSL_do_handshake(s);

	need(r == 1 || SSL_get_error(s, r) == SSL_ERROR_WANT_READ, "handshake");
	return r == 1;
}

static uint64_t accept_one(SSL_CTX *server, SSL_CTX *client)
{
	BIO *a, *b;
	SSL *c = SSL_new(client), *s;
	uint64_t start = now(), took;
	int done = 0, ready = 0;

	s = SSL_new(server);
	took = now() - start;
	need(BIO_new_bio_pair(&a, 1 << 16, &b, 1 << 16) == 1, "memory");
	SSL_set_bio(c, a, a);
	SSL_set_bio(s, b, b);
	SSL_set_connect_state(c);
	SSL_set_accept_state(s);
	while (!done || !ready) {
		ready = step(c);
		start = now();
		done = step(s);
		took += now() - start;
	}
	start = now();
	SSL_free(s);
	took += now() - start;
	SSL_free(c);
	return took;
}

static void handshake(const char *kind, EVP_PKEY *key, int version)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method()),
		*client = SSL_CTX_new(TLS_client_method());
	X509 *x = certificate(key);
	uint64_t took = 0;

	need(SSL_CTX_use_certificate(server, x) == 1 && SSL_CTX_use_PrivateKey(server, key) == 1,
	     "key");
	need(SSL_CTX_set_max_proto_version(server, version) == 1, "version");
	/* As bench/https configures nginx. */
	SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
	for (int i = 0; i < TIMES; i++)
		took = accept_one(server, client);
	printf("handshake_%s_%s %llu\n", version == TLS1_2_VERSION ? "1.2" : "1.3", kind,
	       (unsigned long long)took);
	X509_free(x);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

int main(void)
{
	static const char *const kinds[] = { "RSA-2048", "P-256" };

	mallopt(M_TRIM_THRESHOLD, 64 << 20); /* no page comes twice */
	exchange("X25519");
	exchange("P-256");
	for (unsigned i = 0; i < 2; i++) {
		EVP_PKEY *key = new_key(kinds[i]);

		signature(kinds[i], key);
		handshake(kinds[i], key, TLS1_2_VERSION);
		handshake(kinds[i], key, TLS1_3_VERSION);
		EVP_PKEY_free(key);
	}
	return 0;
}
