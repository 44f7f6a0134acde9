/* SPDX-License-Identifier: BSD-2-Clause */
/* From a run specification to the list of files of its image and the program's start values. */
#pragma once

#include "tool/closure.h"
#include "tool/secret.h"
#include "tool/spec.h"

struct pack {
	struct closure files;
	char *exe;                         /* absolute path in the guest */
	struct strv argv;                  /* argv[0] and the arguments */
	char *cwd;                         /* working folder in the guest */
	const struct catalog_entry *entry; /* the program's own; NULL: none */
	struct secrets secrets;
};

/*
 * Find the program and everything it needs, and what arguments, --include, --secret and the
 * manifest name.
 * `args`: where arguments that are paths come from; false for `ringfence inspect`. Dies on bad
 * input.
 */
void pack_make(struct pack *pack, const struct run_spec *spec, const struct catalog *catalog);
void pack_release(struct pack *pack);

/* The guest's environment: passed on from the host, then the catalog's, then the user's. */
void pack_environment(struct strv *env, const struct strv *catalog_env, const struct strv *user);
/* PATH of the guest: -e PATH=..., else the host's, else the usual one. */
const char *pack_path_list(const struct run_spec *spec);
/*
 * Program as given (name in PATH, or path) to an absolute path. Dies with EXIT_NOPROG. Caller
 * frees.
 */
char *pack_find_program(const char *program, const char *path_list);
