/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables. */
#pragma once

#include "kernel/vfs/file.h"

struct fdtable;
struct task;

struct fdtable *fdtable_create(void);                   /* empty, refs = 1; NULL: out of memory */
struct fdtable *fdtable_clone(const struct fdtable *t); /* fork; NULL: out of memory */
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* the last one closes all */
void fdtable_close_on_exec(struct fdtable *t);
uint32_t fdtable_refs(const struct fdtable *t);

/* The file behind a descriptor of the current task, referenced; NULL when there is none. fd_get_raw
 * also gives O_PATH files. */
struct file *fd_get(int fd);
struct file *fd_get_raw(int fd);
struct file *fdtable_file(struct fdtable *t, int fd); /* referenced */
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
