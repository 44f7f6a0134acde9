/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/keyfile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/keyname.h"
#include "tool/base64.h"
#include "tool/util.h"

#define FILE_MAX     65536u /* KEY_FILE_MAX of user/provider/key.h */
#define RSA_BITS_MIN 1024u
#define RSA_BITS_MAX 4096u

#define DER_INTEGER  0x02
#define DER_OCTETS   0x04
#define DER_OID      0x06
#define DER_SEQUENCE 0x30
#define DER_CURVE    0xa0 /* [0] of SEC1: the curve */

static const char decrypt[] =
	"a passphrase would have to pass through the program: decrypt the key into a file of its "
	"own, readable for you only: openssl pkey -in FILE -out PLAIN";
static const char which[] =
	"keys in ring 2 are RSA of 1024 to 4096 bits, P-256, P-384 or P-521 (PEM or DER)";

/* Why a file is refused. */
struct refusal {
	char *why;
	const char **hint;
};

static bool refuse(const struct refusal *r, const char *hint, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Always false. */
static bool refuse(const struct refusal *r, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, KEYFILE_WHY_MAX, fmt, ap);
	va_end(ap);
	*r->hint = hint;
	return false;
}

/* ---- DER ---- */

struct der {
	const uint8_t *at, *end;
};

/* The next element, if it has this tag: its content. */
static bool der_take(struct der *in, uint8_t tag, struct der *content)
{
	const uint8_t *p = in->at;
	size_t n, more;

	if (in->end - p < 2 || *p++ != tag)
		return false;
	n = *p++;
	if (n >= 0x80) {
		more = n & 0x7f;
		if (more == 0 || more > 3 || (size_t)(in->end - p) < more)
			return false;
		for (n = 0; more > 0; more--)
			n = n << 8 | *p++;
	}
	if ((size_t)(in->end - p) < n)
		return false;
	*content = (struct der){ p, p + n };
	in->at = p + n;
	return true;
}

/* A number, without leading zeros. */
static bool der_number(struct der *in, struct der *number)
{
	if (!der_take(in, DER_INTEGER, number) || number->at == number->end)
		return false;
	while (number->at < number->end && *number->at == 0)
		number->at++;
	return true;
}

static size_t der_size(const struct der *d)
{
	return (size_t)(d->end - d->at);
}

static unsigned bits_of(const struct der *number)
{
	unsigned bits = (unsigned)der_size(number) * 8;

	for (unsigned top = bits != 0 ? *number->at : 0; bits != 0 && top < 0x80; top <<= 1)
		bits--;
	return bits;
}

struct named_oid {
	const char *name;
	const char *der;
	size_t size;
	unsigned bits;
};
#define OID(name, der, bits)                     \
	{                                        \
		name, der, sizeof(der) - 1, bits \
	}

#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_EC  "\x2a\x86\x48\xce\x3d\x02\x01"

static const struct named_oid curves[] = {
	OID("P-256", "\x2a\x86\x48\xce\x3d\x03\x01\x07", 256),
	OID("P-384", "\x2b\x81\x04\x00\x22", 384),
	OID("P-521", "\x2b\x81\x04\x00\x23", 521),
};
static const struct named_oid others[] = {
	OID("Ed25519", "\x2b\x65\x70", 0),
	OID("Ed448", "\x2b\x65\x71", 0),
	OID("X25519", "\x2b\x65\x6e", 0),
	OID("X448", "\x2b\x65\x6f", 0),
	OID("DSA", "\x2a\x86\x48\xce\x38\x04\x01", 0),
	OID("DH", "\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", 0),
	OID("RSA-PSS", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 0),
};

static bool oid_is(const struct der *oid, const char *der, size_t size)
{
	return der_size(oid) == size && memcmp(oid->at, der, size) == 0;
}

static const struct named_oid *oid_find(const struct named_oid *list, size_t n,
					const struct der *oid)
{
	for (size_t i = 0; i < n; i++)
		if (oid_is(oid, list[i].der, list[i].size))
			return &list[i];
	return NULL;
}

static bool not_a_key(const struct refusal *r)
{
	return refuse(r, which, "it is not a private key, or a damaged one");
}

static void add_part(struct keyfile *k, const char *name, const struct der *bytes)
{
	k->parts[k->nparts++] = (struct keyfile_part){ name, bytes->at, der_size(bytes) };
}

/* PKCS#1, behind its version: n e d p q d mod p-1, d mod q-1, 1/q mod p. */
static bool take_rsa(struct keyfile *k, struct der in, const struct refusal *r)
{
	static const char *const names[] = { "d", "p", "q", "d mod p-1", "d mod q-1", "1/q mod p" };
	struct der n, e, number;

	if (!der_number(&in, &n) || !der_number(&in, &e))
		return not_a_key(r);
	for (unsigned i = 0; i < 6; i++) {
		if (!der_number(&in, &number) || der_size(&number) == 0)
			return not_a_key(r);
		add_part(k, names[i], &number);
	}
	k->kind = "RSA";
	k->bits = bits_of(&n);
	if (k->bits < RSA_BITS_MIN || k->bits > RSA_BITS_MAX)
		return refuse(r, which, "RSA keys of %u bits are not supported", k->bits);
	if (der_size(&e) > 4)
		return refuse(
			r, which,
			"RSA keys with a public exponent of more than 32 bits are not supported");
	return true;
}

/* SEC1, behind its version. `curve`: what PKCS#8 has said, or NULL. */
static bool take_ec(struct keyfile *k, struct der in, const struct der *curve,
		    const struct refusal *r)
{
	struct der secret, wrapped, own;
	const struct named_oid *known;

	if (!der_take(&in, DER_OCTETS, &secret) || der_size(&secret) == 0)
		return not_a_key(r);
	if (curve == NULL) {
		if (!der_take(&in, DER_CURVE, &wrapped) || !der_take(&wrapped, DER_OID, &own))
			return refuse(r, "convert it: openssl pkey -in FILE -out NEW",
				      "it does not name its curve");
		curve = &own;
	}
	known = oid_find(curves, sizeof(curves) / sizeof(curves[0]), curve);
	if (known == NULL)
		return refuse(r, which, "its curve is not supported");
	add_part(k, "the private number", &secret);
	k->kind = known->name;
	k->bits = known->bits;
	return true;
}

/* PKCS#1 and SEC1 tell by the version: 0 and 1. */
static bool take_plain(struct keyfile *k, struct der in, const struct der *curve, bool rsa,
		       const struct refusal *r)
{
	struct der key, version;

	if (!der_take(&in, DER_SEQUENCE, &key) || !der_take(&key, DER_INTEGER, &version) ||
	    der_size(&version) != 1)
		return not_a_key(r);
	if (*version.at == (rsa ? 0 : 1))
		return rsa ? take_rsa(k, key, r) : take_ec(k, key, curve, r);
	if (rsa && *version.at == 1)
		return refuse(r, which, "RSA keys of more than two primes are not supported");
	return not_a_key(r);
}

/* PKCS#8, behind its version. */
static bool take_pkcs8(struct keyfile *k, struct der in, struct der algorithm,
		       const struct refusal *r)
{
	const struct named_oid *other;
	struct der oid, curve, key;

	if (!der_take(&algorithm, DER_OID, &oid) || !der_take(&in, DER_OCTETS, &key))
		return not_a_key(r);
	if (oid_is(&oid, OID_RSA, sizeof(OID_RSA) - 1))
		return take_plain(k, key, NULL, true, r);
	if (oid_is(&oid, OID_EC, sizeof(OID_EC) - 1)) {
		if (!der_take(&algorithm, DER_OID, &curve))
			return refuse(r, which, "its curve is not supported");
		return take_plain(k, key, &curve, false, r);
	}
	if (oid_is(&oid, KEY_NAME_OID_DER, sizeof(KEY_NAME_OID_DER) - 1))
		return refuse(r, "name the key itself",
			      "it is the name of a key in ring 2, not a key");
	other = oid_find(others, sizeof(others) / sizeof(others[0]), &oid);
	return refuse(r, which, "%s keys are not supported",
		      other != NULL ? other->name : "of its kind, private");
}

static bool take_der(struct keyfile *k, const struct refusal *r)
{
	struct der all = { k->der, k->der + k->der_size }, key, version, algorithm;

	if (!der_take(&all, DER_SEQUENCE, &key))
		return not_a_key(r);
	k->der_size = (size_t)(all.at - k->der); /* what follows the key is not looked at */
	if (der_take(&(struct der){ key.at, key.end }, DER_SEQUENCE, &version))
		return refuse(r, decrypt, "it is encrypted, or not a private key");
	all = (struct der){ k->der, k->der + k->der_size };
	if (!der_take(&key, DER_INTEGER, &version) || der_size(&version) != 1)
		return not_a_key(r);
	if (der_take(&key, DER_SEQUENCE, &algorithm))
		return take_pkcs8(k, key, algorithm, r);
	return take_plain(k, all, NULL, *version.at == 0, r);
}

/* ---- PEM ---- */

#define BEGIN "-----BEGIN "
#define END   "-----END "

struct block {
	const char *start, *end; /* with its first and last line */
	const char *label;
	size_t label_size;
	const char *body, *body_end;
};

static const char *line_after(const char *p)
{
	const char *nl = strchr(p, '\n');

	return nl != NULL ? nl + 1 : p + strlen(p);
}

/* The next block at or behind `from`. */
static bool next_block(const char *from, struct block *b)
{
	const char *dashes;

	b->start = strstr(from, BEGIN);
	if (b->start == NULL)
		return false;
	b->label = b->start + strlen(BEGIN);
	dashes = strstr(b->label, "-----");
	if (dashes == NULL)
		return false;
	b->label_size = (size_t)(dashes - b->label);
	b->body = line_after(dashes);
	b->body_end = strstr(b->body, END);
	if (b->body_end == NULL)
		return false;
	b->end = line_after(b->body_end);
	return true;
}

static bool labelled(const struct block *b, const char *label)
{
	return strlen(label) == b->label_size && memcmp(b->label, label, b->label_size) == 0;
}

static bool is_key(const struct block *b)
{
	static const char ending[] = "PRIVATE KEY";
	size_t n = sizeof(ending) - 1;

	return b->label_size >= n && memcmp(b->label + b->label_size - n, ending, n) == 0;
}

static bool take_block(struct keyfile *k, const struct block *b, const struct refusal *r)
{
	if (labelled(b, "ENCRYPTED PRIVATE KEY") ||
	    memmem(b->body, (size_t)(b->body_end - b->body), "ENCRYPTED", 9) != NULL)
		return refuse(r, decrypt, "it is encrypted");
	if (!labelled(b, "PRIVATE KEY") && !labelled(b, "RSA PRIVATE KEY") &&
	    !labelled(b, "EC PRIVATE KEY"))
		return refuse(r, which, "a \"%.*s\" is not supported", (int)b->label_size,
			      b->label);
	k->der = xmalloc((size_t)(b->body_end - b->body) + 1);
	if (!base64_decode(b->body, (size_t)(b->body_end - b->body), k->der, &k->der_size))
		return not_a_key(r);
	return take_der(k, r);
}

static bool take_pem(struct keyfile *k, const struct refusal *r)
{
	struct block b, key = { 0 };

	for (const char *at = k->text; next_block(at, &b); at = b.end) {
		if (is_key(&b) && key.start != NULL)
			return refuse(r, "put each key into a file of its own",
				      "it holds more than one private key");
		if (is_key(&b))
			key = b;
	}
	if (key.start == NULL)
		return refuse(r, which, "there is no private key in it");
	return take_block(k, &key, r);
}

/* ---- files ---- */

static bool take_file(struct keyfile *k, const struct refusal *r)
{
	k->pem = strlen(k->text) == k->size && strstr(k->text, BEGIN) != NULL;
	if (k->pem)
		return take_pem(k, r);
	k->der = xmalloc(k->size + 1);
	memcpy(k->der, k->text, k->size);
	k->der_size = k->size;
	return take_der(k, r);
}

static bool read_it(const char *path, struct keyfile *k, const struct refusal *r)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return refuse(r, NULL, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(r, NULL, "it is no regular file");
	k->mtime = st.st_mtim;
	if (read_whole_file(path, FILE_MAX, &k->text, &k->size) == 0)
		return true;
	if (errno == EFBIG)
		return refuse(r, which, "it is too long for a private key");
	return refuse(r, errno == EACCES ? "run the tool as a user who may read it" : NULL, "%s",
		      strerror(errno));
}

bool keyfile_read(const char *path, struct keyfile *k, char why[KEYFILE_WHY_MAX], const char **hint)
{
	const struct refusal r = { why, hint };

	*k = (struct keyfile){ 0 };
	*hint = NULL;
	if (read_it(path, k, &r) && take_file(k, &r))
		return true;
	keyfile_release(k);
	return false;
}

void keyfile_release(struct keyfile *k)
{
	if (k->text != NULL)
		explicit_bzero(k->text, k->size);
	if (k->der != NULL)
		explicit_bzero(k->der, k->der_size);
	free(k->text);
	free(k->der);
	*k = (struct keyfile){ 0 };
}

/* ---- the file in its place ---- */

static size_t put_head(uint8_t *to, uint8_t tag, size_t n)
{
	size_t at = 0;

	to[at++] = tag;
	if (n >= 256)
		to[at++] = 0x82;
	else if (n >= 128)
		to[at++] = 0x81;
	if (n >= 256)
		to[at++] = (uint8_t)(n >> 8);
	to[at++] = (uint8_t)n;
	return at;
}

/* PKCS#8: version, algorithm, path. */
static size_t name_der(uint8_t *to, const char *place)
{
	static const char oid[] = KEY_NAME_OID_DER;
	uint8_t body[512], head[8];
	size_t n = strlen(place), at = 0, size;

	at += put_head(body, DER_INTEGER, 1);
	body[at++] = 0;
	at += put_head(body + at, DER_SEQUENCE, sizeof(oid) - 1 + 2);
	at += put_head(body + at, DER_OID, sizeof(oid) - 1);
	memcpy(body + at, oid, sizeof(oid) - 1);
	at += sizeof(oid) - 1;
	at += put_head(body + at, DER_OCTETS, n);
	memcpy(body + at, place, n);
	at += n;
	size = put_head(head, DER_SEQUENCE, at);
	memcpy(to, head, size);
	memcpy(to + size, body, at);
	return size + at;
}

/* What may stand beside a key and is public. */
static bool stays(const struct block *b)
{
	return labelled(b, "CERTIFICATE") || labelled(b, "X509 CERTIFICATE") ||
	       labelled(b, "TRUSTED CERTIFICATE") || labelled(b, "DH PARAMETERS") ||
	       labelled(b, "EC PARAMETERS");
}

void keyfile_name(const struct keyfile *k, const char *place, char **data, size_t *size)
{
	uint8_t der[600];
	size_t n = name_der(der, place);
	struct block b;
	char *lines;

	if (!k->pem) {
		*data = xmalloc(n);
		memcpy(*data, der, n);
		*size = n;
		return;
	}
	/*
	 * The name first: where errors of an earlier reading wait, OpenSSL (3.0) gives up at the
	 * first block that is no key.
	 */
	lines = base64_lines(der, n);
	*data = xasprintf(BEGIN "PRIVATE KEY-----\n%s" END "PRIVATE KEY-----\n", lines);
	free(lines);
	for (const char *at = k->text; next_block(at, &b); at = b.end) {
		char *longer;

		if (!stays(&b))
			continue;
		longer = xasprintf("%s%.*s", *data, (int)(b.end - b.start), b.start);
		free(*data);
		*data = longer;
	}
	*size = strlen(*data);
}
