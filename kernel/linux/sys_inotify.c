/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of inotify. */
#include <linux/fcntl.h>

#include "kernel/linux/linux.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/inotify.h"

long sys_inotify_init1(int flags)
{
	struct file *f;
	err_t err;
	int fd;

	TRY(inotify_create((unsigned)flags, &f));
	err = fd_install(f, 0, (flags & O_CLOEXEC) != 0, &fd);
	if (err != OK) {
		file_put(f);
		return err;
	}
	return fd;
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

long sys_inotify_add_watch(int fd, uaddr_t upath, uint32_t mask)
{
	struct file *f = fd_get(fd);
	struct path p;
	char *path;
	long ret;

	if (f == NULL)
		return E_BADF;
	ret = path_buf_get(&path, upath);
	if (ret == OK) {
		ret = path_lookup(AT_FDCWD_, path, (mask & IN_DONT_FOLLOW) != 0 ? 0 : LOOK_FOLLOW,
				  &p);
		if (ret == OK) {
			ret = inotify_add(f, &p, mask);
			path_put(&p);
		}
		path_buf_put(path);
	}
	file_put(f);
	return ret;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct file *f = fd_get(fd);
	long ret;

	if (f == NULL)
		return E_BADF;
	ret = inotify_remove(f, wd);
	file_put(f);
	return ret;
}
