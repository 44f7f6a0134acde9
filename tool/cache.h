/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tool's folder below the user's cache: images by the state of what went into them, and what
 * was learned about the host. Files appear there whole (by rename) or not at all.
 */
#pragma once

#include "tool/util.h"

/*
 * ${XDG_CACHE_HOME:-~/.cache}/ringfence, made if it is not there; without a home, one in /tmp.
 * Static storage.
 */
const char *cache_dir(void);
/*
 * A path in it for a file that is being written: unique, and removed if the tool ends early. Caller
 * frees.
 */
char *cache_temporary(const char *suffix);
/* Give a temporary file its final name. Dies if that fails. */
void cache_publish(const char *temporary, const char *final);

/* Open the image with this key and mark it as used just now. A descriptor, or -1. */
int cache_open_image(const char *key);
/*
 * Copy the image in `from` into the cache under this key. False if that is not possible; nothing is
 * left then.
 */
bool cache_store_image(const char *from, const char *key);

/*
 * Remove the images used longest ago until those that remain take at most `limit` bytes; the one
 * with `keep` stays. Also removes what killed runs left behind.
 */
void cache_trim(const char *keep, uint64_t limit);
#define CACHE_LIMIT (2048ull << 20)
