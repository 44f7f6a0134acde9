/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inotify: what happens to files, for those who watch them. The calls of name.c, open.c, file.c and
 * attr.c tell; nothing is done while nobody watches anything.
 */
#pragma once

#include <linux/inotify.h>

#include "kernel/vfs/file.h"

#define INOTIFY_MAX_EVENTS  16384u /* that wait to be read, for one instance */
#define INOTIFY_MAX_WATCHES 65536u /* of this core */

/* inotify_init1. flags: IN_NONBLOCK, IN_CLOEXEC (the descriptor's). E_INVAL, E_NOMEM. */
err_t inotify_create(unsigned flags, struct file **out) MUST_CHECK;
/* inotify_add_watch: the watch descriptor, or E_INVAL (not an inotify file, empty mask), E_EXIST
 * (IN_MASK_CREATE), E_NOTDIR (IN_ONLYDIR), E_ACCES, E_NOSPC (limit), E_NOMEM. */
long inotify_add(struct file *f, const struct path *p, uint32_t mask);
/* inotify_rm_watch. E_INVAL. */
err_t inotify_remove(struct file *f, int wd) MUST_CHECK;

/* ---- for the rest of kernel/vfs ---- */

extern uint32_t inotify_watches; /* of this core, dnotify's too */

/* Something that wants to know of an inode's events: an inotify watch, or one of dnotify.c. */
struct inode_watch;
struct inode_watch_ops {
	/* An event of w->mask. May remove and free w, but no other watch. */
	void (*tell)(struct inode_watch *w, uint32_t mask, uint32_t cookie, const char *name,
		     size_t len);
	void (*end)(struct inode_watch *w); /* the inode has no name any more: remove it */
};
struct inode_watch {
	struct list of_inode;
	const struct inode_watch_ops *ops;
	struct inode *inode; /* referenced */
	uint32_t mask;
};
/* IN_* that no inotify watch has: a name of this directory became another one. */
#define WATCH_RENAMED 0x00800000u
void inode_watch_add(struct inode_watch *w, const struct inode_watch_ops *ops, struct inode *i,
		     uint32_t mask);
void inode_watch_remove(struct inode_watch *w);

void inotify_event(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, size_t len);
void inotify_path_event(const struct path *p, uint32_t mask);
void inotify_gone_event(struct inode *i);
uint32_t inotify_new_cookie(void);

/* The directory `dir` had something happen to its name; `mask` with IN_ISDIR where it is one. */
static inline void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name,
			       size_t len)
{
	if (inotify_watches != 0)
		inotify_event(dir, mask, cookie, name, len);
}

/* Something happened to what the path names: for those who watch it, and its directory. */
static inline void notify_path(const struct path *p, uint32_t mask)
{
	if (inotify_watches != 0 && p->dentry != NULL)
		inotify_path_event(p, mask);
}

/* A name of the inode was removed: the attributes changed, or nothing is left of it. */
static inline void notify_unlinked(struct inode *i)
{
	if (inotify_watches != 0)
		inotify_gone_event(i);
}

static inline uint32_t notify_isdir(const struct inode *i)
{
	return S_ISDIR(i->mode) ? IN_ISDIR : 0;
}
