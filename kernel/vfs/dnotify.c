/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnotify, what there was before inotify: a signal to the owner of an open directory when something
 * happens in it. A watch belongs to a directory, an open file and a table of descriptors, and goes
 * when one of its descriptors is closed.
 */
#include <asm/siginfo.h>
#include <linux/fcntl.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/internal.h"

struct dnotify {
	struct inode_watch watch; /* its inode is the file's */
	struct file *file;        /* not referenced */
	const struct fdtable *owner;
	int fd;
	bool repeats;
};

static void dnotify_free(struct dnotify *d)
{
	inode_watch_remove(&d->watch);
	d->file->dnotifies--;
	kmem_free(d);
}

static void dnotify_tell(struct inode_watch *w, uint32_t mask, uint32_t cookie, const char *name,
			 size_t len)
{
	struct dnotify *d = container_of(w, struct dnotify, watch);

	(void)mask, (void)cookie, (void)name, (void)len;
	async_signal(d->file, d->fd, POLL_MSG);
	if (!d->repeats)
		dnotify_free(d);
}

static void dnotify_end(struct inode_watch *w)
{
	dnotify_free(container_of(w, struct dnotify, watch));
}

static const struct inode_watch_ops dnotify_ops = { dnotify_tell, dnotify_end };

static struct dnotify *find(const struct file *f, const struct fdtable *owner)
{
	if (f->dnotifies == 0)
		return NULL;
	LIST_FOR_EACH(pos, &f->inode->watches) {
		struct inode_watch *w = list_entry(pos, struct inode_watch, of_inode);
		struct dnotify *d = container_of(w, struct dnotify, watch);

		if (w->ops == &dnotify_ops && d->file == f && d->owner == owner)
			return d;
	}
	return NULL;
}

void dnotify_close(struct file *f, const struct fdtable *owner)
{
	struct dnotify *d = find(f, owner);

	if (d != NULL)
		dnotify_free(d);
}

static uint32_t mask_of(uint64_t arg)
{
	return ((arg & DN_ACCESS) != 0 ? IN_ACCESS : 0) | ((arg & DN_MODIFY) != 0 ? IN_MODIFY : 0) |
	       ((arg & DN_CREATE) != 0 ? IN_CREATE | IN_MOVED_TO : 0) |
	       ((arg & DN_DELETE) != 0 ? IN_DELETE | IN_MOVED_FROM : 0) |
	       ((arg & DN_RENAME) != 0 ? WATCH_RENAMED : 0) |
	       ((arg & DN_ATTRIB) != 0 ? IN_ATTRIB : 0);
}

static err_t dnotify_new(struct file *f, int fd, uint32_t mask, bool repeats)
{
	struct dnotify *d = kmem_alloc(sizeof(*d));

	if (d == NULL)
		return E_NOMEM;
	*d = (struct dnotify){ .file = f, .owner = current_task->files, .fd = fd };
	d->repeats = repeats;
	if (async_get_owner_number(f) == 0 &&
	    async_set_owner(f, F_OWNER_PID, current_task->pid) != OK) {
		kmem_free(d);
		return E_NOMEM;
	}
	inode_watch_add(&d->watch, &dnotify_ops, f->inode, mask);
	f->dnotifies++;
	return OK;
}

err_t dnotify_set(struct file *f, int fd, uint64_t arg)
{
	bool repeats = (arg & DN_MULTISHOT) != 0;
	struct dnotify *d;

	if ((arg & ~(uint64_t)DN_MULTISHOT) == 0) {
		dnotify_close(f, current_task->files);
		return OK;
	}
	if (f->inode == NULL || !S_ISDIR(f->inode->mode))
		return E_NOTDIR;
	d = find(f, current_task->files);
	if (d == NULL)
		return dnotify_new(f, fd, mask_of(arg), repeats);
	d->fd = fd;
	d->watch.mask |= mask_of(arg);
	d->repeats |= repeats;
	return OK;
}
