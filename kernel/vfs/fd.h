/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables. */
#pragma once

#include <linux/fcntl.h>

#include "kernel/task/task.h"
#include "kernel/vfs/file.h"

struct fdtable {
	uint32_t refs;
	uint32_t size;
	uint32_t low; /* no free descriptor below */
	struct file **files;
	uint64_t *used, *cloexec; /* bit maps: a file is there; it goes with exec */
};

struct fdtable *fdtable_create(void);                   /* empty, refs = 1; NULL: out of memory */
struct fdtable *fdtable_clone(const struct fdtable *t); /* fork; NULL: out of memory */
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes all */
void fdtable_close_on_exec(struct fdtable *t);
uint32_t fdtable_refs(const struct fdtable *t);

/* The file behind a descriptor, referenced; NULL when there is none, or no table. */
static inline struct file *fdtable_file(const struct fdtable *t, int fd)
{
	struct file *f;

	if (t == NULL || (uint32_t)fd >= t->size)
		return NULL;
	f = t->files[(uint32_t)fd];
	return f != NULL ? file_get(f) : NULL;
}
/* Of the current task. fd_get_raw also gives O_PATH files. */
struct file *fd_get_raw(int fd);
static inline struct file *fd_get(int fd)
{
	const struct fdtable *t = current_task->files;
	struct file *f;

	if ((uint32_t)fd >= t->size)
		return NULL;
	f = t->files[(uint32_t)fd];
	if (f == NULL || (f->flags & O_PATH) != 0)
		return NULL;
	return file_get(f);
}
/* Lowest free descriptor >= min for f (takes over the caller's reference on success). E_MFILE,
 * E_NOMEM. */
err_t fd_install(struct file *f, int min, bool cloexec, int *fd) MUST_CHECK;
err_t fd_install_in(struct fdtable *t, struct file *f, int fd,
		    bool cloexec) MUST_CHECK; /* at just that number, replacing */
err_t fd_close(int fd) MUST_CHECK;
err_t fd_close_range(unsigned first, unsigned last, bool cloexec_only) MUST_CHECK;
err_t fd_dup2(int oldfd, int newfd, bool cloexec, bool same_ok) MUST_CHECK;
bool fd_get_cloexec(int fd);
err_t fd_set_cloexec(int fd, bool on) MUST_CHECK;
int fdtable_next(struct fdtable *t, int fd); /* next used >= fd, -1 when none: /proc/pid/fd */
