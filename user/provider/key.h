/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys in PrivUser: what the provider (ring 3) and key.priv.c (ring 2) say to each other.
 *
 * A key is named by a handle. Its secret part is read from a file by PrivUser itself, and never
 * leaves it; what ring 3 can have is the public part, and signatures and decryptions made with it.
 * Errors are negative errno values (KEY_E... below).
 */
#pragma once

/* rfkey_open(path, bytes of path): a handle. The file is PEM or DER: PKCS#1, SEC1 or PKCS#8. */
#define KEY_EBADMSG (-74) /* not a key */
#define KEY_EACCES  (-13) /* encrypted: a passphrase would come through ring 3 */
#define KEY_ENOTSUP (-95) /* a kind, curve, size or operation that is not served */
#define KEY_EMFILE  (-24) /* KEYS_MAX are open */
#define KEY_EBADF   (-9)  /* no such handle */
#define KEY_EINVAL  (-22) /* lengths that cannot be */
#define KEY_EFAULT  (-14) /* a buffer that is not there */
#define KEY_EFBIG   (-27) /* a file longer than KEY_FILE_MAX */
#define KEY_ENOMEM  (-12)
#define KEY_ENOENT  (-2)
#define KEY_ENXIO   (-6)

#define KEYS_MAX     64u
#define KEY_FILE_MAX 65536u
#define KEY_RSA_MAX  512u /* bytes of a modulus: 4,096 bits */
#define KEY_RSA_MIN  128u

/* rfkey_info(handle): kind << 16 | bits of the key. */
enum key_kind { KEY_NONE, KEY_RSA, KEY_P256, KEY_P384, KEY_P521 };

/*
 * rfkey_public(handle, out, room): the public part, its length is the result. RSA: the modulus,
 * as many bytes as it has, and then four bytes of the exponent, both big-endian. Curves: the
 * uncompressed point.
 */
#define KEY_PUBLIC_MAX (KEY_RSA_MAX + 4u)

/*
 * rfkey_sign(handle, how, digest, bytes, out, room): a signature, its length is the result. `how`
 * is KEY_HOW(scheme, hash, salt); salt is that of PSS, in bytes.
 */
#define KEY_HOW(scheme, hash, salt) ((unsigned)(scheme) << 24 | (unsigned)(hash) << 16 | (salt))
enum key_scheme { KEY_PKCS1 = 1, KEY_PSS, KEY_ECDSA };
enum key_hash { KEY_MD5SHA1 = 1, KEY_SHA1, KEY_SHA224, KEY_SHA256, KEY_SHA384, KEY_SHA512 };
#define KEY_DIGEST_MAX 64u
#define KEY_SIG_MAX    KEY_RSA_MAX

/*
 * rfkey_premaster(handle, in, bytes, out, version): the 48 bytes of a TLS premaster secret that a
 * client has encrypted with PKCS#1 padding. With wrong padding or version they are random, in the
 * same time (RFC 5246, 7.4.7.1). 48, or an error that does not depend on the plaintext.
 */
#define KEY_PREMASTER 48u

/* rfkey_close(handle): the key is overwritten when its last operation has ended. */
