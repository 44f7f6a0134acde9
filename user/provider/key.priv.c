/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys in ring 2, on BearSSL: 31-bit integers, which take the same time whatever the key.
 * All that comes from ring 3 is copied in once and then checked. The interface is key.h.
 */
#include <bearssl.h>
#include <privcall.h>
#include <stdbool.h>

#include "key.h"

#define PATH_MAX 4096u

static void put_be32(uint8_t *to, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		to[i] = (uint8_t)v;
}

struct key {
	enum key_kind kind;
	unsigned users; /* operations under way */
	bool closing;
	uint8_t *memory; /* the numbers of the key; owned */
	size_t memory_len;
	br_rsa_private_key rsa;
	uint32_t e; /* RSA: public exponent */
	br_ec_private_key ec;
};

PRIV_SECRET static struct key keys[KEYS_MAX];
static priv_lock_t lock;

/* ---- handles ---- */

static void wipe(struct key *k)
{
	if (k->memory != NULL)
		priv_zero(k->memory, k->memory_len);
	priv_free(k->memory);
	priv_zero(k, sizeof(*k));
}

/* The key of a handle, held until release(). NULL: no such handle. */
static struct key *hold(uint32_t handle)
{
	struct key *k = NULL;

	priv_lock(&lock);
	if (handle < KEYS_MAX && keys[handle].kind != KEY_NONE && !keys[handle].closing) {
		k = &keys[handle];
		k->users++;
	}
	priv_unlock(&lock);
	return k;
}

static long release(struct key *k, long result)
{
	priv_lock(&lock);
	if (--k->users == 0 && k->closing)
		wipe(k);
	priv_unlock(&lock);
	return result;
}

PRIVCALL_DEFINE(rfkey_close, (uint32_t, handle))
{
	struct key *k = hold(handle);

	if (k == NULL)
		return KEY_EBADF;
	priv_lock(&lock);
	k->closing = true;
	priv_unlock(&lock);
	return release(k, 0);
}

/* Takes over the memory of `made`. */
static long install(struct key *made)
{
	long handle = KEY_EMFILE;

	priv_lock(&lock);
	for (uint32_t i = 0; i < KEYS_MAX && handle < 0; i++) {
		if (keys[i].kind == KEY_NONE) {
			keys[i] = *made;
			handle = (long)i;
		}
	}
	priv_unlock(&lock);
	if (handle < 0)
		wipe(made);
	priv_zero(made, sizeof(*made));
	return handle;
}

/* ---- from file to key ---- */

/* Move a number of the decoder's to the memory of the key. */
static void take_number(uint8_t **at, unsigned char **number, size_t len)
{
	memcpy(*at, *number, len);
	*number = *at;
	*at += len;
}

static long take_rsa(struct key *k, const br_rsa_private_key *sk)
{
	size_t bytes = (sk->n_bitlen + 7) / 8;
	uint8_t *at;

	if (bytes < KEY_RSA_MIN || bytes > KEY_RSA_MAX)
		return KEY_ENOTSUP;
	k->memory_len = sk->plen + sk->qlen + sk->dplen + sk->dqlen + sk->iqlen;
	at = k->memory = priv_malloc(k->memory_len);
	if (at == NULL)
		return KEY_ENOMEM;
	k->rsa = *sk;
	take_number(&at, &k->rsa.p, sk->plen);
	take_number(&at, &k->rsa.q, sk->qlen);
	take_number(&at, &k->rsa.dp, sk->dplen);
	take_number(&at, &k->rsa.dq, sk->dqlen);
	take_number(&at, &k->rsa.iq, sk->iqlen);
	k->kind = KEY_RSA;
	return 0;
}

static enum key_kind kind_of_curve(int curve)
{
	switch (curve) {
	case BR_EC_secp256r1: return KEY_P256;
	case BR_EC_secp384r1: return KEY_P384;
	case BR_EC_secp521r1: return KEY_P521;
	default: return KEY_NONE;
	}
}

static long take_ec(struct key *k, const br_ec_private_key *sk)
{
	uint8_t *at;

	k->kind = kind_of_curve(sk->curve);
	if (k->kind == KEY_NONE)
		return KEY_ENOTSUP;
	k->memory_len = sk->xlen;
	at = k->memory = priv_malloc(sk->xlen);
	if (at == NULL)
		return KEY_ENOMEM;
	k->ec = *sk;
	take_number(&at, &k->ec.x, sk->xlen);
	return 0;
}

/* A DER element of this tag at *at: its content, and *at behind it. */
static bool der_element(const uint8_t **at, const uint8_t *end, uint8_t tag, const uint8_t **body,
			size_t *len)
{
	const uint8_t *p = *at;
	size_t n, more;

	if (end - p < 2 || *p++ != tag)
		return false;
	n = *p++;
	if (n >= 0x80) {
		more = n & 0x7f;
		if (more > 3 || (size_t)(end - p) < more)
			return false;
		for (n = 0; more > 0; more--)
			n = n << 8 | *p++;
	}
	if ((size_t)(end - p) < n)
		return false;
	*body = p;
	*len = n;
	*at = p + n;
	return true;
}

#define DER_INTEGER  0x02
#define DER_OCTETS   0x04
#define DER_SEQUENCE 0x30

/*
 * The public exponent of an RSA key, 0: none that is served. BearSSL's decoder passes it over, and
 * can compute it for some keys only.
 */
static uint32_t public_exponent(const uint8_t *der, size_t len)
{
	const uint8_t *at = der, *end = der + len, *body;
	uint32_t e = 0;
	size_t n;

	if (!der_element(&at, end, DER_SEQUENCE, &body, &n))
		return 0;
	at = body;
	end = body + n;
	if (!der_element(&at, end, DER_INTEGER, &body, &n)) /* version */
		return 0;
	if (der_element(&at, end, DER_SEQUENCE, &body, &n)) /* PKCS#8: the key is in there */
		return der_element(&at, end, DER_OCTETS, &body, &n) ? public_exponent(body, n) : 0;
	if (!der_element(&at, end, DER_INTEGER, &body, &n) || /* modulus */
	    !der_element(&at, end, DER_INTEGER, &body, &n) || n > 5 || (n == 5 && body[0] != 0))
		return 0;
	while (n-- > 0)
		e = e << 8 | *body++;
	return e;
}

/* Do the numbers fit each other? A signature with others could give the key away. */
static bool rsa_works(const struct key *k)
{
	uint8_t n[KEY_RSA_MAX], x[KEY_RSA_MAX] = { 0 }, e[4];
	size_t len = br_rsa_i31_compute_modulus(n, &k->rsa);
	br_rsa_public_key pub = { n, len, e, sizeof(e) };

	put_be32(e, k->e);
	if (len != (k->rsa.n_bitlen + 7) / 8)
		return false;
	x[len - 1] = 2;
	if (br_rsa_i31_private(x, &k->rsa) != 1 || br_rsa_i31_public(x, len, &pub) != 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (x[i] != (i == len - 1 ? 2 : 0))
			return false;
	return true;
}

static long finish_rsa(struct key *k, const br_rsa_private_key *sk, const uint8_t *der, size_t len)
{
	long result = take_rsa(k, sk);

	if (result != 0)
		return result;
	k->e = public_exponent(der, len);
	return k->e != 0 && rsa_works(k) ? 0 : KEY_EBADMSG;
}

static long decode_der(struct key *k, const uint8_t *der, size_t len)
{
	br_skey_decoder_context *d = priv_malloc(sizeof(*d));
	long result = KEY_EBADMSG;

	if (d == NULL)
		return KEY_ENOMEM;
	br_skey_decoder_init(d);
	br_skey_decoder_push(d, der, len);
	switch (br_skey_decoder_key_type(d)) {
	case BR_KEYTYPE_RSA: result = finish_rsa(k, br_skey_decoder_get_rsa(d), der, len); break;
	case BR_KEYTYPE_EC: result = take_ec(k, br_skey_decoder_get_ec(d)); break;
	}
	priv_zero(d, sizeof(*d));
	priv_free(d);
	return result;
}

/* What the decoder of PEM hands out is collected here. */
struct collected {
	uint8_t *data;
	size_t len, room;
};

static void collect(void *to, const void *data, size_t len)
{
	struct collected *c = to;

	if (len > c->room - c->len)
		len = c->room - c->len; /* cannot be: DER is shorter than its PEM */
	memcpy(c->data + c->len, data, len);
	c->len += len;
}

static bool names_a_key(const char *name)
{
	return strcmp(name, "PRIVATE KEY") == 0 || strcmp(name, "RSA PRIVATE KEY") == 0 ||
	       strcmp(name, "EC PRIVATE KEY") == 0;
}

/* The first private key of a PEM file, as DER in c. */
static long first_key_of_pem(const uint8_t *text, size_t len, struct collected *c)
{
	br_pem_decoder_context pem;
	bool wanted = false;

	br_pem_decoder_init(&pem);
	while (len > 0) {
		size_t used = br_pem_decoder_push(&pem, text, len);

		text += used;
		len -= used;
		switch (br_pem_decoder_event(&pem)) {
		case BR_PEM_BEGIN_OBJ:
			if (strcmp(br_pem_decoder_name(&pem), "ENCRYPTED PRIVATE KEY") == 0)
				return KEY_EACCES;
			wanted = names_a_key(br_pem_decoder_name(&pem));
			c->len = 0;
			br_pem_decoder_setdest(&pem, wanted ? collect : NULL, c);
			break;
		case BR_PEM_END_OBJ:
			if (wanted)
				return 0;
			break;
		case BR_PEM_ERROR: return KEY_EBADMSG;
		}
	}
	priv_zero(&pem, sizeof(pem));
	return KEY_EBADMSG;
}

static long decode_pem(struct key *k, const uint8_t *text, size_t len)
{
	struct collected c = { priv_malloc(len), 0, len };
	long result;

	if (c.data == NULL)
		return KEY_ENOMEM;
	/* Keys as `openssl genrsa -aes128` once wrote them say it in a header. */
	if (strstr((const char *)text, "Proc-Type: 4,ENCRYPTED") != NULL)
		result = KEY_EACCES;
	else
		result = first_key_of_pem(text, len, &c);
	if (result == 0)
		result = decode_der(k, c.data, c.len);
	priv_zero(c.data, len);
	priv_free(c.data);
	return result;
}

static long load(struct key *k, const char *path)
{
	uint8_t *file;
	size_t len;
	long result = priv_read_file(path, KEY_FILE_MAX, (void **)&file, &len);

	if (result != 0)
		return result;
	if (strstr((const char *)file, "-----BEGIN ") != NULL)
		result = decode_pem(k, file, len);
	else
		result = decode_der(k, file, len);
	priv_zero(file, len);
	priv_free(file);
	return result;
}

PRIVCALL_DEFINE(rfkey_open, (priv_uaddr, path), (uint32_t, len))
{
	struct key made = { 0 };
	char *name;
	long result;

	if (len == 0 || len >= PATH_MAX)
		return KEY_EINVAL;
	name = priv_malloc(len + 1);
	if (name == NULL)
		return KEY_ENOMEM;
	result = priv_copy_in(name, path, len) == 0 ? 0 : KEY_EFAULT;
	name[len] = '\0';
	if (result == 0)
		result = load(&made, name);
	priv_free(name);
	if (result == 0)
		return install(&made);
	wipe(&made);
	return result;
}

/* ---- the public part ---- */

/* P-256 has an implementation of its own, which is faster. */
static const br_ec_impl *curve_of(const struct key *k)
{
	return k->kind == KEY_P256 ? &br_ec_p256_m31 : &br_ec_prime_i31;
}

static unsigned bits_of(const struct key *k)
{
	switch (k->kind) {
	case KEY_RSA: return k->rsa.n_bitlen;
	case KEY_P256: return 256;
	case KEY_P384: return 384;
	default: return 521;
	}
}

PRIVCALL_DEFINE(rfkey_info, (uint32_t, handle))
{
	struct key *k = hold(handle);

	if (k == NULL)
		return KEY_EBADF;
	return release(k, (long)((unsigned)k->kind << 16 | bits_of(k)));
}

static size_t rsa_public(const struct key *k, uint8_t *out)
{
	size_t len = br_rsa_i31_compute_modulus(out, &k->rsa);

	put_be32(out + len, k->e);
	return len + 4;
}

PRIVCALL_DEFINE(rfkey_public, (uint32_t, handle), (priv_uaddr, to), (uint32_t, room))
{
	uint8_t out[KEY_PUBLIC_MAX];
	struct key *k = hold(handle);
	size_t len;

	if (k == NULL)
		return KEY_EBADF;
	len = k->kind == KEY_RSA ? rsa_public(k, out)
				 : br_ec_compute_pub(curve_of(k), NULL, out, &k->ec);
	if (len == 0)
		return release(k, KEY_EBADMSG);
	if (len > room)
		return release(k, KEY_EINVAL);
	return release(k, priv_copy_out(to, out, len) == 0 ? (long)len : KEY_EFAULT);
}

/* ---- signatures ---- */

struct hash {
	const br_hash_class *class;
	const unsigned char *oid; /* NULL: md5 and sha1 together, as old TLS has it */
	size_t len;
};

static bool find_hash(unsigned id, struct hash *h)
{
	switch (id) {
	case KEY_MD5SHA1: *h = (struct hash){ NULL, NULL, 36 }; return true;
	case KEY_SHA1: *h = (struct hash){ &br_sha1_vtable, BR_HASH_OID_SHA1, 20 }; return true;
	case KEY_SHA224:
		*h = (struct hash){ &br_sha224_vtable, BR_HASH_OID_SHA224, 28 };
		return true;
	case KEY_SHA256:
		*h = (struct hash){ &br_sha256_vtable, BR_HASH_OID_SHA256, 32 };
		return true;
	case KEY_SHA384:
		*h = (struct hash){ &br_sha384_vtable, BR_HASH_OID_SHA384, 48 };
		return true;
	case KEY_SHA512:
		*h = (struct hash){ &br_sha512_vtable, BR_HASH_OID_SHA512, 64 };
		return true;
	default: return false;
	}
}

/* data ^= MGF1(seed) (RFC 8017, B.2.1) */
static void mgf1_xor(uint8_t *data, size_t len, const struct hash *h, const uint8_t *seed)
{
	br_hash_compat_context c;
	uint8_t block[KEY_DIGEST_MAX], counter[4];

	for (uint32_t n = 0; len > 0; n++) {
		size_t part = len < h->len ? len : h->len;

		put_be32(counter, n);
		h->class->init(&c.vtable);
		h->class->update(&c.vtable, seed, h->len);
		h->class->update(&c.vtable, counter, sizeof(counter));
		h->class->out(&c.vtable, block);
		for (size_t i = 0; i < part; i++)
			data[i] ^= block[i];
		data += part;
		len -= part;
	}
}

/* EMSA-PSS (RFC 8017, 9.1.1) of `bits` bits, at em, which has exactly the bytes that they need. */
static long pss_encode(uint8_t *em, size_t bits, const struct hash *h, const uint8_t *digest,
		       size_t salt)
{
	static const uint8_t zeros[8];
	size_t len = (bits + 7) / 8, db = len - h->len - 1;
	br_hash_compat_context c;
	uint8_t *hashed = em + db;

	if (len < h->len + salt + 2)
		return KEY_EINVAL;
	memset(em, 0, len);
	em[db - salt - 1] = 1;
	if (priv_random(em + db - salt, salt) != 0)
		return KEY_ENOMEM;
	h->class->init(&c.vtable);
	h->class->update(&c.vtable, zeros, sizeof(zeros));
	h->class->update(&c.vtable, digest, h->len);
	h->class->update(&c.vtable, em + db - salt, salt);
	h->class->out(&c.vtable, hashed);
	mgf1_xor(em, db, h, hashed);
	em[0] &= (uint8_t)(0xff >> (8 * len - bits));
	em[len - 1] = 0xbc;
	return 0;
}

static long sign_pss(const struct key *k, const struct hash *h, const uint8_t *digest, size_t salt,
		     uint8_t *out)
{
	size_t len = (k->rsa.n_bitlen + 7) / 8, bits = k->rsa.n_bitlen - 1;
	long result;

	if (h->class == NULL)
		return KEY_ENOTSUP;
	out[0] = 0; /* where the encoded message is a byte shorter than the modulus */
	result = pss_encode(out + (bits % 8 == 0), bits, h, digest, salt);
	if (result == 0 && br_rsa_i31_private(out, &k->rsa) != 1)
		result = KEY_EBADMSG;
	return result == 0 ? (long)len : result;
}

static long sign_pkcs1(const struct key *k, const struct hash *h, const uint8_t *digest,
		       uint8_t *out)
{
	size_t len = (k->rsa.n_bitlen + 7) / 8;

	return br_rsa_i31_pkcs1_sign(h->oid, digest, h->len, &k->rsa, out) == 1 ? (long)len
										: KEY_EINVAL;
}

static long sign_ecdsa(const struct key *k, const struct hash *h, const uint8_t *digest,
		       uint8_t *out)
{
	size_t len;

	if (h->class == NULL)
		return KEY_ENOTSUP;
	len = br_ecdsa_i31_sign_asn1(curve_of(k), h->class, digest, &k->ec, out);
	return len > 0 ? (long)len : KEY_EINVAL;
}

static long sign(const struct key *k, uint32_t how, const uint8_t *digest, size_t len, uint8_t *out)
{
	struct hash h;

	if (!find_hash(how >> 16 & 0xff, &h))
		return KEY_ENOTSUP;
	if (len != h.len)
		return KEY_EINVAL;
	if ((k->kind == KEY_RSA) != (how >> 24 != KEY_ECDSA))
		return KEY_ENOTSUP;
	switch (how >> 24) {
	case KEY_PKCS1: return sign_pkcs1(k, &h, digest, out);
	case KEY_PSS: return sign_pss(k, &h, digest, how & 0xffff, out);
	case KEY_ECDSA: return sign_ecdsa(k, &h, digest, out);
	default: return KEY_ENOTSUP;
	}
}

PRIVCALL_DEFINE(rfkey_sign, (uint32_t, handle), (uint32_t, how), (priv_uaddr, digest),
		(uint32_t, len), (priv_uaddr, to), (uint32_t, room))
{
	uint8_t in[KEY_DIGEST_MAX], out[KEY_SIG_MAX];
	struct key *k;
	long result;

	if (len > sizeof(in))
		return KEY_EINVAL;
	if (priv_copy_in(in, digest, len) != 0)
		return KEY_EFAULT;
	k = hold(handle);
	if (k == NULL)
		return KEY_EBADF;
	result = sign(k, how, in, len, out);
	if (result > (long)room)
		result = KEY_EINVAL;
	if (result > 0 && priv_copy_out(to, out, (size_t)result) != 0)
		result = KEY_EFAULT;
	priv_zero(out, sizeof(out)); /* after an error it may hold what was to be signed */
	return release(k, result);
}

/* ---- TLS with RSA key exchange ---- */

/* Constant time: neither padding nor version can be told from what happens. */
static void choose(uint8_t *secret, const uint8_t *random, uint32_t ok, uint32_t version)
{
	uint32_t differs = (uint32_t)secret[0] << 8 | secret[1];
	uint8_t mask;

	differs ^= version & 0xffff;
	ok &= ((differs - 1) >> 31) & 1;
	mask = (uint8_t)(0u - ok);
	for (unsigned i = 0; i < KEY_PREMASTER; i++)
		secret[i] = (uint8_t)((secret[i] & mask) | (random[i] & ~mask));
}

PRIVCALL_DEFINE(rfkey_premaster, (uint32_t, handle), (priv_uaddr, from), (uint32_t, len),
		(priv_uaddr, to), (uint32_t, version))
{
	uint8_t buf[KEY_RSA_MAX], random[KEY_PREMASTER];
	struct key *k = hold(handle);
	uint32_t ok;
	long result = KEY_PREMASTER;

	if (k == NULL)
		return KEY_EBADF;
	if (k->kind != KEY_RSA)
		return release(k, KEY_ENOTSUP);
	if (len != (k->rsa.n_bitlen + 7) / 8)
		return release(k, KEY_EINVAL);
	if (priv_copy_in(buf, from, len) != 0)
		return release(k, KEY_EFAULT);
	if (priv_random(random, sizeof(random)) != 0)
		return release(k, KEY_ENOMEM);
	ok = br_rsa_ssl_decrypt(br_rsa_i31_private, &k->rsa, buf, len);
	choose(buf, random, ok, version);
	if (priv_copy_out(to, buf, KEY_PREMASTER) != 0)
		result = KEY_EFAULT;
	priv_zero(buf, sizeof(buf));
	return release(k, result);
}
