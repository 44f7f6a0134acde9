/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's configuration file (config(5ssl)), as far as needed to load one more provider with
 * whatever else stands in it.
 */
#pragma once

#include <stdbool.h>

#include "tool/util.h"

#define SSLCONF_WHY_MAX 256

/*
 * The text of a configuration that does what `text` (of the file `path`, for messages; may be
 * empty) does and also loads the provider `name` from `module`. The default provider stays active,
 * as it is without other ones, unless `text` activates providers of its own choice. Files that it
 * includes are read, and their paths added to `included`. The caller frees. NULL: the reason is in
 * `why`.
 */
char *sslconf_add_provider(const char *path, const char *text, const char *name, const char *module,
			   struct strv *included, char why[SSLCONF_WHY_MAX]);
