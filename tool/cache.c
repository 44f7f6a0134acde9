/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/report.h"

#define STALE_SECONDS 3600 /* a temporary file this old belongs to nobody any more */

/* A folder that is ours alone, so that nobody can put an image of theirs into it. */
static bool is_ours(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 022) == 0;
}

static bool usable(const char *dir)
{
	char *images = path_join(dir, "images");
	bool ok = make_dirs(images, 0700) == 0 && is_ours(dir) && is_ours(images) &&
		  access(images, W_OK | X_OK) == 0;

	free(images);
	return ok;
}

const char *cache_dir(void)
{
	static char *dir;
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (dir != NULL)
		return dir;
	if (xdg != NULL && xdg[0] == '/')
		dir = path_join(xdg, "ringfence");
	else if (home != NULL && home[0] == '/')
		dir = path_join(home, ".cache/ringfence");
	if (dir != NULL && usable(dir))
		return dir;
	char *fallback = xasprintf("/tmp/ringfence-%u", (unsigned)geteuid());

	note("%s cannot be used for cached images; %s is used",
	     dir != NULL ? dir : "the home folder", fallback);
	free(dir);
	dir = fallback;
	if (!usable(dir))
		die(EXIT_TOOL, "set XDG_CACHE_HOME to a folder of yours",
		    "cached images cannot be kept in %s", dir);
	return dir;
}

char *cache_temporary(const char *suffix)
{
	char *path = xasprintf("%s/tmp-%d-%llx%s", cache_dir(), (int)getpid(),
			       (unsigned long long)now_ns(), suffix);

	cleanup_add(path);
	return path;
}

void cache_publish(const char *temporary, const char *final)
{
	if (rename(temporary, final) != 0)
		die(EXIT_TOOL, NULL, "%s cannot be written: %s", final, strerror(errno));
	cleanup_drop(temporary);
}

static char *image_path(const char *key)
{
	return xasprintf("%s/images/%s.erofs", cache_dir(), key);
}

int cache_open_image(const char *key)
{
	char *path = image_path(key);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && futimens(fd, NULL) != 0)
		note("%s: %s", path, strerror(errno));
	free(path);
	return fd;
}

static bool copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	off_t left = in >= 0 ? lseek(in, 0, SEEK_END) : -1, at = 0;

	if (left > 0)
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	while (out >= 0 && left > 0) {
		ssize_t n = sendfile(out, in, &at, (size_t)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		left -= n;
	}
	bool ok = out >= 0 && left == 0;

	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) != 0)
		ok = false;
	return ok;
}

bool cache_store_image(const char *from, const char *key)
{
	char *final = image_path(key);
	char *temporary = cache_temporary(".erofs");
	bool ok = rename(from, final) == 0 ||
		  (copy_file(from, temporary) && rename(temporary, final) == 0);

	if (!ok)
		unlink(temporary);
	cleanup_drop(temporary);
	free(temporary);
	free(final);
	return ok;
}

struct kept_image {
	char *path;
	struct timespec used;
	uint64_t size;
};

static int latest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct kept_image *)a)->used;
	const struct timespec *y = &((const struct kept_image *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec < y->tv_nsec ? 1 : x->tv_nsec > y->tv_nsec ? -1 : 0;
}

static size_t list_images(const char *dir, struct kept_image **list)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct stat st;
	size_t n = 0;

	*list = NULL;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!str_ends(entry->d_name, ".erofs") ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		*list = xrealloc(*list, (n + 1) * sizeof(**list));
		(*list)[n++] = (struct kept_image){ path_join(dir, entry->d_name), st.st_mtim,
						    (uint64_t)st.st_blocks * 512 };
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static void remove_stale(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct stat st;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!str_begins(entry->d_name, "tmp-") ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    time(NULL) - st.st_mtime < STALE_SECONDS)
			continue;
		char *path = path_join(dir, entry->d_name);

		remove_tree(path);
		free(path);
	}
	if (d != NULL)
		closedir(d);
}

void cache_trim(const char *keep, uint64_t limit)
{
	char *dir = path_join(cache_dir(), "images");
	char *kept = image_path(keep);
	struct kept_image *list;
	size_t n = list_images(dir, &list);
	uint64_t sum = 0;

	if (n > 1)
		qsort(list, n, sizeof(*list), latest_first);
	for (size_t i = 0; i < n; i++) {
		sum += list[i].size;
		if (sum > limit && strcmp(list[i].path, kept) != 0 && unlink(list[i].path) == 0)
			note("%s is removed from the cache", list[i].path);
		free(list[i].path);
	}
	remove_stale(cache_dir());
	free(list);
	free(kept);
	free(dir);
}
