/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals to the owner of an open file: when it is ready (O_ASYNC), or when its directory changes
 * (dnotify.c). Owners are remembered by number and by the user ids of who set them: a process that
 * gets the number of one that is gone is signalled only if that user may.
 */
#pragma once

#include <asm/fcntl.h>

#include "kernel/vfs/file.h"

/* F_SETOWN_EX: type F_OWNER_*, id 0: nobody. E_SRCH (there is none), E_NOMEM. */
err_t async_set_owner(struct file *f, int type, int id) MUST_CHECK;
/* F_GETOWN_EX; id 0: nobody, or nobody any more. */
void async_get_owner(const struct file *f, int *type, int *id);
/* F_SETOWN, F_GETOWN, and what sockets have for them: negative numbers are groups. */
err_t async_set_owner_number(struct file *f, int number) MUST_CHECK;
int async_get_owner_number(const struct file *f);
/* F_SETSIG, F_GETSIG: 0 is SIGIO without information. E_NOMEM */
err_t async_set_signal(struct file *f, int sig) MUST_CHECK;
int async_get_signal(const struct file *f);
/*
 * O_ASYNC by F_SETFL or FIOASYNC, through descriptor fd, which signals will name. O_ASYNC of
 * f->flags follows. Only where file_can_signal(). E_NOMEM
 */
err_t async_enable(struct file *f, int fd, bool on) MUST_CHECK;
static inline bool file_can_signal(const struct file *f)
{
	return f->ops != NULL && f->ops->async;
}
/* A writer found no room: it is told when there is some. Sockets only; pipes always tell. */
static inline void async_wants_room(struct file *f)
{
	if (f->async != NULL)
		f->async_wants_room = true;
}
/* The owner's signal about descriptor fd; code: POLL_IN ... of siginfo. Does not block. */
void async_signal(struct file *f, int fd, int code);
/* SIGURG for the owner: urgent data has come. Does not block. */
void async_urgent(struct file *f);
/* The last reference goes (file.c). */
void async_gone(struct file *f);

/* ---- dnotify.c ---- */
struct fdtable;
/*
 * fcntl(fd, F_NOTIFY, arg): DN_* of the directory f, for the current table of descriptors.
 * E_NOTDIR, E_NOMEM.
 */
err_t dnotify_set(struct file *f, int fd, uint64_t arg) MUST_CHECK;
/* A descriptor of `owner` for f was closed. */
void dnotify_close(struct file *f, const struct fdtable *owner);
