/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/cache.h"
#include "tool/report.h"
#include "base/sha256.h"
#include "tool/stage.h"

/* Part of every key: raise it when the same files shall give another image. */
#define IMAGE_FORMAT 1

/* Everything that decides what mkfs.erofs makes of the list. */
static void image_key(struct rootfs_entry *const *list, size_t n, char key[SHA256_HEX])
{
	struct sha256 sum;

	sha256_init(&sum);
	sha256_add_u64(&sum, IMAGE_FORMAT);
	sha256_add_u64(&sum, geteuid() == 0);
	for (size_t i = 0; i < n; i++) {
		const struct rootfs_entry *e = list[i];

		sha256_add_string(&sum, e->guest);
		sha256_add_string(&sum, e->host != NULL ? e->host : "");
		sha256_add_string(&sum, e->target != NULL ? e->target : "");
		sha256_add_u64(&sum, e->type);
		sha256_add_u64(&sum, e->mode);
		sha256_add_u64(&sum, (uint64_t)e->uid << 32 | e->gid);
		sha256_add_u64(&sum, (uint64_t)e->mtime.tv_sec);
		sha256_add_u64(&sum, (uint64_t)e->mtime.tv_nsec);
		if (e->type != ROOTFS_FILE)
			continue;
		sha256_add_u64(&sum, e->size);
		sha256_add_u64(&sum, e->dev);
		sha256_add_u64(&sum, e->ino);
		if (e->data != NULL)
			sha256_add(&sum, e->data, e->size);
	}
	sha256_hex(&sum, key);
}

/* What mkfs.erofs wrote to `fd`, its last line at least. Static storage. */
static const char *said(int fd)
{
	static char text[512];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/*
 * mkfs.erofs with: no compression and no data beside the inodes (the kernel maps files page by page
 * where they lie), 64-byte inodes with their times, no extended attributes. SOURCE_DATE_EPOCH, the
 * latest time of any file, makes the result the same for the same files and leaves all times as
 * they are.
 */
static void make_erofs(const char *from, const char *to, int64_t epoch)
{
	char *const argv[] = { "mkfs.erofs",
			       "--quiet",
			       "-d1",
			       "-x-1",
			       "-Enoinline_data,force-inode-extended",
			       "-U",
			       "52494e47-4645-4e43-4500-000000000001",
			       (char *)(uintptr_t)to,
			       (char *)(uintptr_t)from,
			       NULL };
	char *date = xasprintf("SOURCE_DATE_EPOCH=%lld", (long long)epoch);
	char *const env[] = { date, NULL };
	int out = memfd_create("mkfs", MFD_CLOEXEC);
	int status = run_program(argv, env, out);

	interrupts_check();
	if (status < 0)
		die(EXIT_TOOL, "apt-get install erofs-utils", "mkfs.erofs cannot be started: %s",
		    strerror(errno));
	if (status != 0)
		die(EXIT_TOOL, "is there room in the folder of the cache (XDG_CACHE_HOME)?",
		    "mkfs.erofs failed (%s %d): %s", WIFSIGNALED(status) ? "signal" : "exit code",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said(out));
	close(out);
	free(date);
}

static void keep_image(const struct stage *stage, const void *key)
{
	if (cache_store_image(stage->image, key))
		cache_trim(key, CACHE_LIMIT);
}

/* The image is used from where it was made; the cache gets it meanwhile. */
static int build(const struct rootfs *fs, const struct secrets *secrets, const char *key,
		 int64_t epoch)
{
	struct stage stage;
	char size[32];

	progress("building the image: %zu files, %s", fs->n, format_size(fs->bytes, size));
	cache_dir();
	stage_make(&stage, fs);
	secrets_check(secrets, &stage, fs);
	make_erofs(stage.root, stage.image, epoch);
	int fd = open(stage.image, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_TOOL, NULL, "the image cannot be opened: %s", strerror(errno));
	stage_finish(&stage, fs->secret ? NULL : keep_image, key);
	progress_end();
	return fd;
}

void image_open(struct rootfs *fs, const struct secrets *secrets, struct image *image)
{
	int64_t newest = rootfs_settle_times(fs);
	struct rootfs_entry **list = rootfs_sorted(fs);
	uint64_t start = now_ns();
	char key[SHA256_HEX];
	char size[32];

	image_key(list, fs->n, key);
	free(list);
	image->fd = fs->secret ? -1 : cache_open_image(key);
	image->cached = image->fd >= 0;
	if (image->fd < 0)
		image->fd = build(fs, secrets, key, newest + 1);
	off_t end = lseek(image->fd, 0, SEEK_END);

	image->size = end > 0 ? (uint64_t)end : 0;
	image->ns = now_ns() - start;
	note("image: %zu files, %s, %s in %.0f ms", fs->n, format_size(image->size, size),
	     image->cached ? "found in the cache" : "built", (double)image->ns / 1e6);
}
