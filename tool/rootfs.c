/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "tool/report.h"

#define LINKS_MAX 40 /* as in Linux */

/* One rootfs_add() in progress. */
struct adding {
	struct rootfs *fs;
	const struct rootfs_add *what;
	size_t files;
	uint64_t bytes;
};

void rootfs_init(struct rootfs *fs)
{
	*fs = (struct rootfs){ .slot_count = 4096 };
	fs->slots = xcalloc(fs->slot_count, sizeof(*fs->slots));
	if (rootfs_add_folder(fs, "/", 0755) != 0)
		die(EXIT_TOOL, NULL, "/ cannot be read: %s", strerror(errno));
}

void rootfs_release(struct rootfs *fs)
{
	for (size_t i = 0; i < fs->n; i++) {
		free(fs->entries[i]->guest);
		free(fs->entries[i]->host);
		free(fs->entries[i]->target);
		if (fs->entries[i]->data != NULL)
			explicit_bzero(fs->entries[i]->data, fs->entries[i]->size);
		free(fs->entries[i]->data);
		free(fs->entries[i]);
	}
	free(fs->entries);
	free(fs->slots);
	*fs = (struct rootfs){ 0 };
}

/* Slot of `guest`: either its own, or the empty one where it belongs. */
static size_t *slot_of(const struct rootfs *fs, const char *guest)
{
	size_t i = hash_str(guest) % fs->slot_count;

	while (fs->slots[i] != 0 && strcmp(fs->entries[fs->slots[i] - 1]->guest, guest) != 0)
		i = (i + 1) % fs->slot_count;
	return &fs->slots[i];
}

struct rootfs_entry *rootfs_find(const struct rootfs *fs, const char *guest)
{
	size_t slot = *slot_of(fs, guest);

	return slot != 0 ? fs->entries[slot - 1] : NULL;
}

static void grow_table(struct rootfs *fs)
{
	free(fs->slots);
	fs->slot_count *= 2;
	fs->slots = xcalloc(fs->slot_count, sizeof(*fs->slots));
	for (size_t i = 0; i < fs->n; i++)
		*slot_of(fs, fs->entries[i]->guest) = i + 1;
}

/* Enter something that is not there yet. Takes `guest` and `host`. */
static struct rootfs_entry *enter(struct rootfs *fs, char *guest, char *host, const struct stat *st)
{
	struct rootfs_entry *e = xcalloc(1, sizeof(*e));

	e->guest = guest;
	e->host = host;
	e->type = S_ISDIR(st->st_mode)   ? ROOTFS_DIR
		  : S_ISLNK(st->st_mode) ? ROOTFS_LINK
					 : ROOTFS_FILE;
	e->mode = st->st_mode & 07777;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->mtime = st->st_mtim;
	e->dev = st->st_dev;
	e->ino = st->st_ino;
	e->nlink = st->st_nlink;
	if (e->type == ROOTFS_FILE) {
		e->size = (uint64_t)st->st_size;
		fs->bytes += e->size;
	}
	if (fs->n % 1024 == 0)
		fs->entries = xrealloc(fs->entries, (fs->n + 1024) * sizeof(*fs->entries));
	fs->entries[fs->n++] = e;
	*slot_of(fs, guest) = fs->n;
	if (fs->n * 2 > fs->slot_count)
		grow_table(fs);
	return e;
}

/* Enter the host's object `host` as `guest`; NULL with errno if that cannot be. */
static struct rootfs_entry *enter_host(struct rootfs *fs, const char *guest, const char *host)
{
	char target[PATH_MAX];
	struct stat st;

	if (lstat(host, &st) != 0)
		return NULL;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	if (S_ISREG(st.st_mode) && geteuid() != 0 && access(host, R_OK) != 0)
		return NULL;
	ssize_t n = 0;

	if (S_ISLNK(st.st_mode)) {
		n = readlink(host, target, sizeof(target) - 1);
		if (n <= 0)
			return NULL;
	}
	struct rootfs_entry *e = enter(fs, xstrdup(guest), xstrdup(host), &st);

	if (e->type == ROOTFS_LINK)
		e->target = xstrndup(target, (size_t)n);
	return e;
}

static struct rootfs_entry *enter_made_up(struct rootfs *fs, const char *guest, mode_t mode)
{
	struct stat st = { .st_mode = S_IFDIR | mode, .st_nlink = 1 };

	return enter(fs, xstrdup(guest), NULL, &st);
}

/* Parent of a canonical path; "/" is its own. The caller frees. */
static char *up(const char *canonical)
{
	return path_parent(canonical);
}

/* The path that a link stands for, with what was still to come behind it. The caller frees. */
static char *through_link(const char *dir, const char *target, const char *rest)
{
	char *to = path_join(dir, target);
	char *all = *rest != '\0' ? xasprintf("%s/%s", to, rest) : xstrdup(to);

	free(to);
	return all;
}

enum walk_last {
	WALK_PARENTS, /* everything but the last component, which need not exist */
	WALK_ALL,     /* the last one too, through links */
	WALK_FOLDERS, /* as WALK_ALL, but what is not there becomes a folder */
};

/*
 * Enter what lies on the way of `guest`. The canonical path of its end (WALK_PARENTS: the last
 * component's name appended as it is), or NULL with errno. The caller frees.
 */
static char *walk(struct rootfs *fs, const char *guest, enum walk_last mode, mode_t made_up,
		  unsigned links)
{
	char *at = xstrdup("/");
	const char *p = guest;

	for (;;) {
		p += strspn(p, "/");
		if (*p == '\0')
			return at;
		const char *end = strchrnul(p, '/');
		const char *rest = end + strspn(end, "/");
		bool last = *rest == '\0';
		char *name = xstrndup(p, (size_t)(end - p));
		char *next;

		p = end;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			next = name[1] == '.' ? up(at) : xstrdup(at);
			free(name);
			free(at);
			at = next;
			continue;
		}
		next = path_join(at, name);
		free(name);
		if (last && mode == WALK_PARENTS) {
			free(at);
			return next;
		}
		struct rootfs_entry *e = rootfs_find(fs, next);

		if (e == NULL)
			e = enter_host(fs, next, next);
		if (e == NULL && errno == ENOENT && (!last || mode == WALK_FOLDERS))
			e = enter_made_up(fs, next, last ? made_up : 0755);
		if (e != NULL && e->type == ROOTFS_LINK) {
			if (links == 0)
				errno = ELOOP;
			char *onwards = links != 0 ? through_link(at, e->target, rest) : NULL;
			char *result = onwards != NULL ? walk(fs, onwards, mode, made_up, links - 1)
						       : NULL;

			free(onwards);
			free(next);
			free(at);
			return result;
		}
		if (e != NULL && e->type == ROOTFS_FILE && !last)
			errno = ENOTDIR;
		if (e == NULL || (e->type == ROOTFS_FILE && !last)) {
			int keep = errno;

			free(next);
			free(at);
			errno = keep;
			return NULL;
		}
		free(at);
		at = next;
	}
}

static bool excluded(const struct strv *patterns, const char *host)
{
	for (size_t i = 0; patterns != NULL && i < patterns->n; i++) {
		const char *pattern = patterns->v[i];
		const char *subject = strchr(pattern, '/') != NULL ? host : path_base(host);

		if (fnmatch(pattern, subject, 0) == 0)
			return true;
	}
	return false;
}

static int count(struct adding *a, const struct rootfs_entry *e)
{
	a->files++;
	a->bytes += e->size;
	if ((a->what->max_files != 0 && a->files > a->what->max_files) ||
	    (a->what->max_bytes != 0 && a->bytes > a->what->max_bytes)) {
		errno = E2BIG;
		return -1;
	}
	return 0;
}

/* A link in a folder that is taken along: the file it names comes too, a folder does not. */
static void follow_to_file(struct rootfs *fs, const struct rootfs_entry *link)
{
	struct stat st;

	if (stat(link->host, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	char *dir = up(link->guest);
	char *to = path_join(dir, link->target);

	/*
	 * Under another path than on the host, a relative link may lead nowhere: it stays as it is.
	 */
	if (strcmp(link->guest, link->host) == 0 || link->target[0] == '/')
		free(walk(fs, to, WALK_ALL, 0755, LINKS_MAX));
	free(to);
	free(dir);
}

static int add_folder_content(struct adding *a, const char *guest, const char *host);

static int add_child(struct adding *a, const char *guest, const char *host)
{
	struct rootfs_entry *e = rootfs_find(a->fs, guest);

	if (excluded(a->what->exclude, host))
		return 0;
	if (e == NULL) {
		e = enter_host(a->fs, guest, host);
		if (e == NULL) {
			note("%s is left out: %s", host,
			     errno == EINVAL ? "neither file nor folder nor link"
					     : strerror(errno));
			return 0;
		}
		if (count(a, e) != 0)
			return -1;
		if (e->type == ROOTFS_LINK)
			follow_to_file(a->fs, e);
	}
	return e->type == ROOTFS_DIR ? add_folder_content(a, guest, host) : 0;
}

static int add_folder_content(struct adding *a, const char *guest, const char *host)
{
	DIR *dir = opendir(host);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		note("%s is left out: %s", host, strerror(errno));
		return 0;
	}
	interrupts_check();
	rootfs_find(a->fs, guest)->whole = a->what->exclude == NULL || a->what->exclude->n == 0;
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		char *g = path_join(guest, d->d_name);
		char *h = path_join(host, d->d_name);

		rc = add_child(a, g, h);
		free(g);
		free(h);
	}
	int keep = errno;

	closedir(dir);
	errno = keep;
	return rc;
}

/* Add `what->host` under another path: its parents as the guest has them, itself without links. */
static char *place_elsewhere(struct rootfs *fs, const struct rootfs_add *what)
{
	char *at = walk(fs, what->guest, WALK_PARENTS, 0755, LINKS_MAX);
	char *real = realpath(what->host, NULL);
	struct rootfs_entry *e = NULL;

	if (at != NULL && real != NULL) {
		e = rootfs_find(fs, at);
		if (e == NULL)
			e = enter_host(fs, at, real);
		if (e != NULL && e->type != ROOTFS_DIR &&
		    (e->host == NULL || strcmp(e->host, real) != 0)) {
			errno = EEXIST;
			e = NULL;
		}
	}
	int keep = errno;

	free(real);
	if (e == NULL) {
		free(at);
		at = NULL;
	}
	errno = keep;
	return at;
}

int rootfs_add(struct rootfs *fs, const struct rootfs_add *what, const char **canonical)
{
	struct adding a = { .fs = fs, .what = what };
	bool elsewhere = what->guest != NULL && strcmp(what->guest, what->host) != 0;
	char *at = elsewhere ? place_elsewhere(fs, what)
			     : walk(fs, what->host, WALK_ALL, 0755, LINKS_MAX);
	int rc = 0;

	if (at == NULL)
		return -1;
	struct rootfs_entry *e = rootfs_find(fs, at);

	if (what->recursive && e->type == ROOTFS_DIR) {
		char *host = elsewhere ? xstrdup(what->host) : xstrdup(at);

		rc = add_folder_content(&a, at, host);
		free(host);
	} else {
		rc = count(&a, e);
	}
	int keep = errno;

	free(at);
	if (canonical != NULL)
		*canonical = e->guest;
	errno = keep;
	return rc;
}

int rootfs_add_path(struct rootfs *fs, const char *path, const char **canonical)
{
	struct rootfs_add what = { .host = path };

	return rootfs_add(fs, &what, canonical);
}

int rootfs_add_folder(struct rootfs *fs, const char *guest, mode_t mode)
{
	if (fs->n == 0)
		return enter_host(fs, "/", "/") != NULL ? 0 : -1;
	char *at = walk(fs, guest, WALK_FOLDERS, mode, LINKS_MAX);

	if (at == NULL)
		return -1;
	enum rootfs_type type = rootfs_find(fs, at)->type;

	free(at);
	if (type == ROOTFS_DIR)
		return 0;
	errno = ENOTDIR;
	return -1;
}

void rootfs_set_data(struct rootfs *fs, struct rootfs_entry *e, char *data, size_t size)
{
	fs->bytes += size - e->size;
	free(e->data);
	e->data = data;
	e->size = size;
	e->nlink = 1; /* other links keep what they have */
	e->dev = 0;
	e->ino = 0;
}

struct rootfs_entry *rootfs_add_data(struct rootfs *fs, const char *guest, char *data, size_t size,
				     mode_t mode, struct timespec mtime)
{
	struct stat st = { .st_mode = S_IFREG | mode, .st_nlink = 1, .st_mtim = mtime };
	char *at = walk(fs, guest, WALK_PARENTS, 0755, LINKS_MAX);
	struct rootfs_entry *e;

	if (at != NULL && rootfs_find(fs, at) != NULL) {
		free(at);
		at = NULL;
		errno = EEXIST;
	}
	if (at == NULL) {
		free(data);
		return NULL;
	}
	e = enter(fs, at, NULL, &st);
	rootfs_set_data(fs, e, data, size);
	return e;
}

int64_t rootfs_settle_times(struct rootfs *fs)
{
	struct timespec newest = { 1, 0 };

	for (size_t i = 0; i < fs->n; i++)
		if ((fs->entries[i]->type != ROOTFS_DIR || fs->entries[i]->whole) &&
		    fs->entries[i]->mtime.tv_sec > newest.tv_sec)
			newest.tv_sec = fs->entries[i]->mtime.tv_sec;
	for (size_t i = 0; i < fs->n; i++)
		if (fs->entries[i]->type == ROOTFS_DIR && !fs->entries[i]->whole)
			fs->entries[i]->mtime = newest;
	return newest.tv_sec;
}

static int by_guest(const void *a, const void *b)
{
	return strcmp((*(struct rootfs_entry *const *)a)->guest,
		      (*(struct rootfs_entry *const *)b)->guest);
}

struct rootfs_entry **rootfs_sorted(const struct rootfs *fs)
{
	struct rootfs_entry **list = xmalloc(fs->n * sizeof(*list));

	memcpy(list, fs->entries, fs->n * sizeof(*list));
	qsort(list, fs->n, sizeof(*list), by_guest);
	return list;
}
