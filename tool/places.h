/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the tool's own parts are: beside it in the build folder, or installed below the same
 * prefix.
 */
#pragma once

#include "tool/util.h"

#define TOOL_VERSION "0.1"

/*
 * --kernel, $RINGFENCE_KERNEL, beside the tool, PREFIX/lib/ringfence. NULL: none there. Caller
 * frees.
 */
char *places_find_kernel(const char *chosen);
/* The same, but dies with a hint. */
char *places_kernel(const char *chosen);
/*
 * The OpenSSL provider: $RINGFENCE_PROVIDER, beside the tool, PREFIX/lib/ringfence. Dies with a
 * hint. Caller frees.
 */
char *places_provider(void);
/* A program of a demonstration, like "heartbleed/server". Dies with a hint. Caller frees. */
char *places_demo(const char *name);
/* The tool itself. Caller frees. */
char *places_tool(void);
/* The working folder. Dies if it cannot be read. Caller frees. */
char *places_here(void);
/*
 * $RINGFENCE_CATALOG, ../catalog beside the build folder, PREFIX/share/ringfence/catalog; NULL.
 * Caller frees.
 */
char *places_find_catalog(void);
char *places_catalog(void);
