/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The staging folder: a copy of everything that goes into an image, from which mkfs.erofs makes it.
 * In memory (/dev/shm) where there is room. Copies, not hard links: a link to a file of the system
 * would change that file's status and is forbidden to ordinary users.
 */
#pragma once

#include "tool/rootfs.h"

struct stage {
	char *path;  /* the folder */
	char *root;  /* in it: the copy */
	char *image; /* in it: where the image can be made */
	bool in_memory;
	int dir;  /* root, open */
	int lock; /* path, open and locked as long as it is in use */
	bool as_root;
	/* private */
	struct rootfs_entry **list; /* sorted */
	size_t n;
	struct stage_copy *copies;
	size_t copy_count;
};

/* Copy. The folder is removed by stage_finish(), or when the tool ends. Dies on errors. */
void stage_make(struct stage *stage, const struct rootfs *fs);
/* The copy of a file of the list, for reading; -1 with errno. */
int stage_open(const struct stage *stage, const struct rootfs_entry *e);
/*
 * Do the rest in a process of its own, which is waited for only when the tool ends: call `keep` (it
 * must not end the process; may be NULL), then remove everything.
 */
void stage_finish(struct stage *stage, void (*keep)(const struct stage *stage, const void *arg),
		  const void *arg);
