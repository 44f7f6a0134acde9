/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's own file system, for tests that compare with it. Plain types only: libc's headers and
 * the kernel's do not go together. Calls answer 0 or more, or a negative error number.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A fresh folder in memory if there is one; NULL when it cannot be made. Removed with all in it by
 * host_remove(). */
char *host_folder(void);
void host_remove(char *folder);
/* An image of the folder by mkfs.erofs (options as one string, may be ""); NULL when that fails.
 * Page-aligned; free it with host_image_free. *len gets its size. */
void *host_image(const char *folder, const char *options, size_t *len);
void host_image_free(void *image);
/* A copy of the first len bytes on a page border, with nothing readable behind (for the address
 * sanitiser). */
void *host_copy(const void *from, size_t len);

struct host_stat {
	uint32_t mode, uid, gid;
	uint64_t nlink, size, ino, rdev;
	int64_t mtime_s;
};
/* Paths are relative to the folder. */
void host_enter(const char *folder);
int host_stat(const char *path, struct host_stat *out); /* of a link itself */
int host_mkdir(const char *path, uint32_t mode);
int host_mknod(const char *path, uint32_t mode, uint64_t rdev);
int host_symlink(const char *target, const char *path);
int host_link(const char *from, const char *to);
int host_unlink(const char *path);
int host_rmdir(const char *path);
int host_rename(const char *from, const char *to, unsigned flags);
int host_truncate(const char *path, int64_t size);
int host_chmod(const char *path, uint32_t mode);
int host_readlink(const char *path, char *buf, size_t size);
int host_setxattr(const char *path, const char *name, const void *value, size_t size);
/* Open, one transfer, close. flags: O_ of the kernel's headers, which are libc's on this
 * machine. */
long host_write(const char *path, int flags, uint32_t mode, int64_t off, const void *buf,
		size_t len);
long host_read(const char *path, int64_t off, void *buf, size_t len);
int host_fallocate(const char *path, int mode, int64_t off, int64_t len);
/* Calls fn for each name but the dots; number of names. */
int host_list(const char *path, void (*fn)(void *ctx, const char *name), void *ctx);
/* Random numbers that are the same in each run. */
uint64_t host_random(void);
void host_random_seed(uint64_t seed);
