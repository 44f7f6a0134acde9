/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The root image: an EROFS file system made by mkfs.erofs from a list of files, or taken from the
 * cache.
 */
#pragma once

#include "tool/rootfs.h"
#include "tool/secret.h"

struct image {
	int fd;        /* read only */
	uint64_t size; /* bytes */
	bool cached;   /* it was there already */
	uint64_t ns;   /* time it took to find or build */
};

/*
 * Find or build the image of `fs` (whose folders' times it settles). One with secrets is looked
 * through for copies of them, and never kept in the cache. Dies with cause and hint.
 */
void image_open(struct rootfs *fs, const struct secrets *secrets, struct image *image);
