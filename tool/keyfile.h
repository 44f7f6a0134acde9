/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private key in a file, as far as the tool must know it: is it one that PrivUser can load
 * (user/provider/key.h), and which bytes of it are secret. No cryptography: the file's structure
 * only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define KEYFILE_WHY_MAX   256
#define KEYFILE_PARTS_MAX 6u

struct keyfile {
	char *text; /* the whole file, with a NUL behind it */
	size_t size;
	bool pem;
	uint8_t *der; /* of the key: PKCS#8, PKCS#1 or SEC1, and nothing else of the file */
	size_t der_size;
	const char *kind; /* "RSA", "P-256", "P-384", "P-521" */
	unsigned bits;    /* of the modulus or the curve */
	struct keyfile_part {
		const char *name;     /* "d", "p" */
		const uint8_t *bytes; /* within der; big-endian, without leading zeros */
		size_t size;
	} parts[KEYFILE_PARTS_MAX]; /* the secret ones */
	unsigned nparts;
	struct timespec mtime;
};

/*
 * Read and check. False, with nothing to release: the reason is in `why`, and in *hint (a constant,
 * or NULL) what to do about it.
 */
bool keyfile_read(const char *path, struct keyfile *k, char why[KEYFILE_WHY_MAX],
		  const char **hint);
/* Also wipes what was secret. */
void keyfile_release(struct keyfile *k);
/*
 * The file to put in its place: names `place`, where PrivUser finds the key, in the same form (PEM
 * or DER); certificates and parameters that stood beside the key follow. The caller frees *data.
 */
void keyfile_name(const struct keyfile *k, const char *place, char **data, size_t *size);
