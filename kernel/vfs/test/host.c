/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vfs/test/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int answer(long r)
{
	return r < 0 ? -errno : (int)r;
}

char *host_folder(void)
{
	static const char *const places[] = { "/dev/shm/u_vfs.XXXXXX", "/tmp/u_vfs.XXXXXX" };

	umask(0);
	for (size_t i = 0; i < 2; i++) {
		char *name = strdup(places[i]);

		if (mkdtemp(name) != NULL && chmod(name, 0755) == 0)
			return name;
		free(name);
	}
	return NULL;
}

static int run(const char *format, const char *a, const char *b, const char *c)
{
	char command[1024];

	snprintf(command, sizeof(command), format, a, b, c);
	return system(command);
}

void host_remove(char *folder)
{
	if (chdir("/") != 0 || run("rm -rf '%s'%s%s", folder, "", "") != 0)
		perror(folder);
	free(folder);
}

static void *read_all(const char *path, size_t *len)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	void *p = NULL;

	if (f != NULL && fstat(fileno(f), &st) == 0) {
		*len = (size_t)st.st_size;
		p = aligned_alloc(4096, (*len + 4095) & ~4095ul);
		if (fread(p, 1, *len, f) != *len) {
			free(p);
			p = NULL;
		}
	}
	if (f != NULL)
		fclose(f);
	return p;
}

void *host_image(const char *folder, const char *options, size_t *len)
{
	char file[] = "/tmp/u_erofs.XXXXXX";
	int fd = mkstemp(file);
	void *p = NULL;

	if (fd < 0)
		return NULL;
	close(fd);
	if (run("mkfs.erofs %s '%s' '%s' >/dev/null 2>&1", options, file, folder) == 0)
		p = read_all(file, len);
	unlink(file);
	return p;
}

void host_image_free(void *image)
{
	free(image);
}

void *host_copy(const void *from, size_t len)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, len > 0 ? len : 1) != 0)
		abort();
	memcpy(p, from, len);
	return p;
}

void host_enter(const char *folder)
{
	if (chdir(folder) != 0)
		abort();
}

int host_stat(const char *path, struct host_stat *out)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return -errno;
	*out = (struct host_stat){ st.st_mode,           st.st_uid, st.st_gid,  st.st_nlink,
				   (uint64_t)st.st_size, st.st_ino, st.st_rdev, st.st_mtime };
	return 0;
}

int host_mkdir(const char *path, uint32_t mode)
{
	return answer(mkdir(path, mode));
}

int host_mknod(const char *path, uint32_t mode, uint64_t rdev)
{
	return answer(mknod(path, mode, rdev));
}

int host_symlink(const char *target, const char *path)
{
	return answer(symlink(target, path));
}

int host_link(const char *from, const char *to)
{
	return answer(linkat(AT_FDCWD, from, AT_FDCWD, to, 0));
}

int host_unlink(const char *path)
{
	return answer(unlink(path));
}

int host_rmdir(const char *path)
{
	return answer(rmdir(path));
}

int host_rename(const char *from, const char *to, unsigned flags)
{
	return answer(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

int host_truncate(const char *path, int64_t size)
{
	return answer(truncate(path, size));
}

int host_chmod(const char *path, uint32_t mode)
{
	return answer(chmod(path, mode));
}

int host_readlink(const char *path, char *buf, size_t size)
{
	return answer(readlink(path, buf, size));
}

int host_setxattr(const char *path, const char *name, const void *value, size_t size)
{
	return answer(lsetxattr(path, name, value, size, 0));
}

long host_write(const char *path, int flags, uint32_t mode, int64_t off, const void *buf,
		size_t len)
{
	int fd = open(path, flags, mode);
	long n;

	if (fd < 0)
		return -errno;
	n = pwrite(fd, buf, len, off);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

long host_read(const char *path, int64_t off, void *buf, size_t len)
{
	int fd = open(path, O_RDONLY);
	long n;

	if (fd < 0)
		return -errno;
	n = pread(fd, buf, len, off);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

int host_fallocate(const char *path, int mode, int64_t off, int64_t len)
{
	int fd = open(path, O_RDWR), r;

	if (fd < 0)
		return -errno;
	r = answer(fallocate(fd, mode, off, len));
	close(fd);
	return r;
}

int host_list(const char *path, void (*fn)(void *ctx, const char *name), void *ctx)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		fn(ctx, e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

static uint64_t seed = 1;

void host_random_seed(uint64_t s)
{
	seed = s;
}

uint64_t host_random(void)
{
	uint64_t v = seed += 0x9e3779b97f4a7c15ull;

	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebull;
	return v ^ (v >> 31);
}
