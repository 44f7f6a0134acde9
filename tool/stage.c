/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/cache.h"
#include "tool/report.h"

#define MEMORY_DIR  "/dev/shm"
#define NAME_PREFIX "ringfence-stage-"
#define SPARE_BYTES (64ull << 20) /* of /dev/shm, left to others */

#define WORKERS_MAX 4u

/* A file with several links that was copied already: the next one becomes a link to the copy. */
struct stage_copy {
	dev_t dev;
	ino_t ino;
	const char *at;
};

/* Files are copied by several threads, file by file; the first failure ends them all. */
struct work {
	const struct stage *stage;
	atomic_size_t next;
	atomic_bool stop;
	struct failure {
		const struct rootfs_entry *entry;
		const char *why;
	} failures[WORKERS_MAX];
	atomic_uint workers;
};

static pid_t finisher;

/* What a killed tool left behind: nobody holds the lock of its folder. */
static void sweep(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *entry;
	struct stat st;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!str_begins(entry->d_name, NAME_PREFIX) ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    st.st_uid != geteuid() || time(NULL) - st.st_mtime < 60)
			continue;
		char *path = path_join(base, entry->d_name);
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_tree(path);
		if (fd >= 0)
			close(fd);
		free(path);
	}
	if (d != NULL)
		closedir(d);
}

/* Is there room in memory for the copy and the image? */
static bool memory_suffices(uint64_t bytes)
{
	struct statvfs vfs;

	return statvfs(MEMORY_DIR, &vfs) == 0 && access(MEMORY_DIR, W_OK) == 0 &&
	       (uint64_t)vfs.f_bavail * vfs.f_frsize > 2 * (bytes + bytes / 8) + SPARE_BYTES;
}

static void failed(const char *what, const char *why)
{
	die(EXIT_TOOL,
	    strcmp(why, strerror(ENOSPC)) == 0 ? "make room on that disk, or in /dev/shm" : NULL,
	    "%s cannot be put into the image: %s", what, why);
}

/* NULL, or why it failed. */
static const char *copy_bytes(int from, int to, uint64_t left)
{
	while (left > 0) {
		ssize_t n = sendfile(to, from, NULL, left < (1u << 30) ? left : (1u << 30));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return strerror(errno);
		if (n == 0)
			return "it became shorter in the meantime";
		left -= (uint64_t)n;
	}
	return NULL;
}

/* "usr/bin/ls" of "/usr/bin/ls", "." of "/". */
static const char *relative(const char *guest)
{
	return guest[1] != '\0' ? guest + 1 : ".";
}

/* Is the file a further link to one that stands earlier in the list? Where that one is, or NULL. */
static const char *copied_before(struct stage *s, const struct rootfs_entry *e)
{
	for (size_t i = 0; i < s->copy_count; i++)
		if (s->copies[i].dev == e->dev && s->copies[i].ino == e->ino)
			return s->copies[i].at;
	s->copies = xrealloc(s->copies, (s->copy_count + 1) * sizeof(*s->copies));
	s->copies[s->copy_count++] = (struct stage_copy){ e->dev, e->ino, relative(e->guest) };
	return NULL;
}

static const char *copy_to(const struct stage *s, const struct rootfs_entry *e, int from, int to)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *why = NULL;

	if (e->data != NULL)
		why = write_all(to, e->data, e->size) == 0 ? NULL : strerror(errno);
	else
		why = copy_bytes(from, to, e->size);
	if (why != NULL)
		return why;
	if ((s->as_root && (e->uid != 0 || e->gid != 0) && fchown(to, e->uid, e->gid) != 0) ||
	    (e->mode != 0600 && fchmod(to, e->mode) != 0) || futimens(to, times) != 0)
		return strerror(errno);
	return NULL;
}

/* NULL, or why it failed. */
static const char *copy_file(const struct stage *s, const struct rootfs_entry *e)
{
	bool made_up = e->data != NULL;
	int from = made_up ? -1 : open(e->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (from < 0 && !made_up)
		return strerror(errno);
	int to = openat(s->dir, relative(e->guest), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const char *why = to >= 0 ? copy_to(s, e, from, to) : strerror(errno);

	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0 && why == NULL)
		why = strerror(errno);
	return why;
}

static bool copied_here(const struct stage *s, const struct rootfs_entry *e)
{
	if (e->type != ROOTFS_FILE)
		return false;
	for (size_t i = 0; e->nlink > 1 && i < s->copy_count; i++)
		if (s->copies[i].dev == e->dev && s->copies[i].ino == e->ino)
			return s->copies[i].at == relative(e->guest);
	return true;
}

static void *copy_files(void *arg)
{
	struct work *w = arg;
	struct failure *mine = &w->failures[atomic_fetch_add(&w->workers, 1)];
	size_t i;

	while (!w->stop && (i = atomic_fetch_add(&w->next, 1)) < w->stage->n) {
		const struct rootfs_entry *e = w->stage->list[i];
		const char *why = copied_here(w->stage, e) ? copy_file(w->stage, e) : NULL;

		if (why != NULL) {
			*mine = (struct failure){ e, why };
			w->stop = true;
		}
	}
	return NULL;
}

/* With as many threads as there are processors, up to WORKERS_MAX; this one is one of them. */
static void copy_all(const struct stage *s)
{
	struct work w = { .stage = s };
	pthread_t threads[WORKERS_MAX];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned started = 0;

	while (started + 1 < WORKERS_MAX && (long)started + 1 < processors &&
	       pthread_create(&threads[started], NULL, copy_files, &w) == 0)
		started++;
	copy_files(&w);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	interrupts_check();
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (w.failures[i].entry != NULL)
			failed(w.failures[i].entry->host != NULL ? w.failures[i].entry->host
								 : w.failures[i].entry->guest,
			       w.failures[i].why);
}

static void stage_link(struct stage *s, const struct rootfs_entry *e)
{
	const struct timespec times[2] = { e->mtime, e->mtime };

	if (symlinkat(e->target, s->dir, relative(e->guest)) != 0 ||
	    (s->as_root &&
	     fchownat(s->dir, relative(e->guest), e->uid, e->gid, AT_SYMLINK_NOFOLLOW) != 0) ||
	    utimensat(s->dir, relative(e->guest), times, AT_SYMLINK_NOFOLLOW) != 0)
		failed(e->guest, strerror(errno));
}

/* Rights and times of a folder, when everything is in it. */
static void finish_folder(struct stage *s, const struct rootfs_entry *e)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	const char *at = relative(e->guest);
	/* mkfs.erofs, run by an ordinary user, must be able to read it. */
	mode_t mode = s->as_root ? e->mode : e->mode | 0500;

	if ((s->as_root && fchownat(s->dir, at, e->uid, e->gid, 0) != 0) ||
	    fchmodat(s->dir, at, mode, 0) != 0 || utimensat(s->dir, at, times, 0) != 0)
		failed(e->guest, strerror(errno));
}

/* Folders and links; which files are links to others. */
static void make_folders(struct stage *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct rootfs_entry *e = s->list[i];

		interrupts_check();
		if (e->type == ROOTFS_FILE && e->nlink > 1)
			copied_before(s, e);
		else if (e->type == ROOTFS_LINK)
			stage_link(s, e);
		else if (e->type == ROOTFS_DIR && strcmp(e->guest, "/") != 0 &&
			 mkdirat(s->dir, relative(e->guest), 0700) != 0)
			failed(e->guest, strerror(errno));
	}
}

static void finish_all(struct stage *s)
{
	for (size_t i = s->n; i-- > 0;) {
		const struct rootfs_entry *e = s->list[i];

		if (e->type == ROOTFS_FILE && !copied_here(s, e) &&
		    linkat(s->dir, copied_before(s, e), s->dir, relative(e->guest), 0) != 0)
			failed(e->guest, strerror(errno));
		if (e->type == ROOTFS_DIR)
			finish_folder(s, e);
	}
}

void stage_make(struct stage *s, const struct rootfs *fs)
{
	bool in_memory = memory_suffices(fs->bytes);
	const char *base = in_memory ? MEMORY_DIR : cache_dir();

	*s = (struct stage){ .as_root = geteuid() == 0,
			     .in_memory = in_memory,
			     .list = rootfs_sorted(fs),
			     .n = fs->n };
	s->path = xasprintf("%s/" NAME_PREFIX "%u-XXXXXX", base, (unsigned)geteuid());
	sweep(base);
	if (mkdtemp(s->path) == NULL)
		die(EXIT_TOOL, NULL, "no folder can be made in %s: %s", base, strerror(errno));
	cleanup_add(s->path);
	s->root = path_join(s->path, "root");
	s->image = path_join(s->path, "image");
	s->lock = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) != 0 || mkdir(s->root, 0700) != 0 ||
	    (s->dir = open(s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		die(EXIT_TOOL, NULL, "%s cannot be used: %s", s->path, strerror(errno));
	make_folders(s);
	copy_all(s);
	finish_all(s);
}

int stage_open(const struct stage *s, const struct rootfs_entry *e)
{
	return openat(s->dir, relative(e->guest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Children before their folders: the list backwards. Folders may be read-only to us. */
static void remove_all(const struct stage *s)
{
	for (size_t i = 0; i < s->n && !s->as_root; i++)
		if (s->list[i]->type == ROOTFS_DIR)
			(void)!fchmodat(s->dir, relative(s->list[i]->guest), 0700, 0);
	for (size_t i = s->n; i-- > 0;)
		unlinkat(s->dir, relative(s->list[i]->guest),
			 s->list[i]->type == ROOTFS_DIR ? AT_REMOVEDIR : 0);
	rmdir(s->root);
	unlink(s->image);
	rmdir(s->path);
}

static void wait_for_finisher(void)
{
	while (finisher > 0 && waitpid(finisher, NULL, 0) < 0 && errno == EINTR)
		;
}

void stage_finish(struct stage *s, void (*keep)(const struct stage *stage, const void *arg),
		  const void *arg)
{
	atexit(wait_for_finisher);
	finisher = fork();
	if (finisher <= 0) {
		if (finisher == 0) {
			setpgid(0, 0); /* Ctrl-C must not stop it half-way */
			int null = open("/dev/null", O_RDWR | O_CLOEXEC);

			for (int fd = 0; fd <= 2; fd++)
				dup2(null, fd);
		}
		if (keep != NULL)
			keep(s, arg);
		remove_all(s);
		if (finisher == 0)
			_exit(0);
	}
	cleanup_drop(s->path);
	close(s->dir);
	close(s->lock);
	free(s->copies);
	free(s->list);
	free(s->image);
	free(s->root);
	free(s->path);
}
