/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private keys that the program can use but not read (docs/life-of-a-privcall.md). For each:
 *   - the key lies in the image at SECRET_FOLDER/N, which only PrivUser can open, and of all
 *     PrivUsers only the OpenSSL provider's (run keys secret= and secret-code=, abi/boot.h);
 *   - where it was, and wherever else it comes along, lies a file that names that place;
 *   - the provider comes along, and OpenSSL's configuration loads it beside whatever it loads;
 *   - no other file of the image holds the key in any form that is looked for (needle.h).
 */
#pragma once

#include "tool/closure.h"
#include "tool/keyfile.h"
#include "tool/needle.h"
#include "tool/stage.h"

#define SECRET_FOLDER   "/etc/ringfence/secret"
#define SECRET_PROVIDER "/usr/lib/ringfence/ringfence.so"

struct secrets {
	struct secret {
		/* where the key is on the host, where its name is in the guest */
		char *host, *guest;
		char *place; /* where the key is in the guest */
		struct keyfile key;
	} * list;
	size_t n;
	char *code; /* the run key secret-code; NULL: there is no secret */
	struct needles needles;
};

/* Only read and check the keys (HOST or HOST:GUEST). Dies with cause and hint. */
void secrets_read(struct secrets *s, const struct strv *wanted);
/*
 * Set all of this up for `wanted` (HOST or HOST:GUEST, host paths absolute), when everything else
 * is in `c`. `env` and `args` (NAME=VALUE; words) are what the user gives the program: they must
 * not hold a key, and OPENSSL_CONF there counts. Dies with cause and hint.
 */
void secrets_apply(struct secrets *s, struct closure *c, const struct strv *wanted,
		   const struct strv *env, const struct strv *args);
/* The image is about to be made of this: dies if a key is in it anywhere else. */
void secrets_check(const struct secrets *s, const struct stage *stage, const struct rootfs *fs);
void secrets_release(struct secrets *s);
