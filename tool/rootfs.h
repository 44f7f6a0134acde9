/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of what goes into an image: guest path, where it comes from on the host, and its state
 * there. Nothing is copied yet (image.h does that).
 *
 * The guest's tree follows the host's: a path is added with each folder and each symbolic link on
 * the way, so that /lib/x on a host whose /lib is a link to usr/lib becomes both the link and
 * /usr/lib/x. Paths in the list are therefore free of links, "." and "..", and unique.
 */
#pragma once

#include <sys/stat.h>
#include <time.h>

#include "tool/util.h"

enum rootfs_type { ROOTFS_DIR, ROOTFS_FILE, ROOTFS_LINK };

struct rootfs_entry {
	char *guest;  /* "/usr/bin/ls" */
	char *host;   /* source; NULL for what exists in the guest only */
	char *data;   /* of a file whose content the tool has made up; NULL: that of `host` */
	char *target; /* of a link */
	enum rootfs_type type;
	mode_t mode; /* permission bits */
	uid_t uid;
	gid_t gid;
	uint64_t size;
	struct timespec mtime;
	dev_t dev;
	ino_t ino;
	nlink_t nlink;
	bool whole;  /* a folder with everything that the host has in it */
	bool secret; /* a file that only PrivUser can open (secret.h) */
};

struct rootfs {
	struct rootfs_entry **entries; /* in the order of adding; pointers stay valid */
	size_t n;
	uint64_t bytes; /* sum over files */
	bool secret;    /* holds secrets: the image must not stay behind in the cache */
	/* private: hash table of indices + 1 into entries */
	size_t *slots;
	size_t slot_count;
};

/*
 * What to add and how far to go. Zero means: one file, link or empty folder, same path, no bound.
 */
struct rootfs_add {
	const char *host;  /* absolute */
	const char *guest; /* absolute; NULL: as on the host */
	bool recursive;    /* a folder with everything in it */
	const struct strv
		*exclude; /* with recursive: patterns (fnmatch) for whole host paths or names */
	size_t max_files; /* with recursive: refuse more than that (E2BIG) */
	uint64_t max_bytes;
};

void rootfs_init(struct rootfs *fs);
void rootfs_release(struct rootfs *fs);

/*
 * Add a host path. *canonical (may be NULL) gets the guest path free of links; it belongs to the
 * list. 0, or -1 with errno: ENOENT, ENOTDIR, ELOOP, EACCES (the tool may not read it), EINVAL
 * (neither file nor folder nor link), E2BIG (beyond the bounds; entries added so far stay).
 * In a recursive walk, what cannot be read and what is neither file, folder nor link is left out
 * with a note.
 */
int rootfs_add(struct rootfs *fs, const struct rootfs_add *what, const char **canonical);
/* The same for one path at its own place, not recursive. */
int rootfs_add_path(struct rootfs *fs, const char *path, const char **canonical);
/* A folder that need not exist on the host (then: `mode`, root's). 0, or -1 with errno. */
int rootfs_add_folder(struct rootfs *fs, const char *guest, mode_t mode);

/* Give a file this content, which it owns from now on (its link count becomes 1). */
void rootfs_set_data(struct rootfs *fs, struct rootfs_entry *e, char *data, size_t size);
/*
 * A file with this content at `guest`, where nothing may be yet: root's, with the time `mtime`. It
 * owns `data`, also when it fails. NULL with errno.
 */
struct rootfs_entry *rootfs_add_data(struct rootfs *fs, const char *guest, char *data, size_t size,
				     mode_t mode, struct timespec mtime);

/* The entry of a canonical guest path, or NULL. */
struct rootfs_entry *rootfs_find(const struct rootfs *fs, const char *guest);
/*
 * Folders of which only a part is taken along get the time of the newest file: their own time on
 * the host says nothing about what is in the image. Returns the newest time of all, in seconds.
 */
int64_t rootfs_settle_times(struct rootfs *fs);
/* Entries by path, parents before what they hold. An array that the caller frees. */
struct rootfs_entry **rootfs_sorted(const struct rootfs *fs);
