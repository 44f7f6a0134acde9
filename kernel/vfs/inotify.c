/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inotify. A watch lies on its inode's list and on its instance's; it holds the inode, so that a
 * file system cannot forget it, and it holds the file system (a mount cannot go under a watch).
 * Linux tells IN_DELETE_SELF when the last user of a removed file is gone; here it is told when the
 * last name is removed.
 */
#include <linux/fcntl.h>
#include <linux/ioctl.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/poll.h"

#define FIONREAD_  0x541b
#define MASK_FLAGS (IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD)

struct event {
	struct list node;
	size_t bytes; /* as read: header, name, zeros */
	struct inotify_event e;
};

struct instance {
	struct list watches, events;
	unsigned nevents;
	size_t bytes; /* of all events */
	int last_wd;
	struct waitq readers;
};

struct watch {
	struct inode_watch watch;
	struct list of_instance;
	struct instance *in;
	int wd;
};

static const struct inode_watch_ops inotify_watch_ops;

uint32_t inotify_watches;

uint32_t inotify_new_cookie(void)
{
	static uint32_t last;

	return ++last;
}

/* ---- queueing ---- */

/* Is it the same as the last one, which has not been read yet? Then it says nothing new. */
static bool is_repeated(const struct instance *in, const struct event *ev)
{
	const struct list *l = list_last(&in->events);
	const struct event *last;

	if (l == NULL)
		return false;
	last = list_entry(l, struct event, node);
	return last->e.wd == ev->e.wd && last->e.mask == ev->e.mask &&
	       last->e.cookie == ev->e.cookie && last->bytes == ev->bytes &&
	       memcmp(last->e.name, ev->e.name, ev->e.len) == 0;
}

static struct event *event_make(int wd, uint32_t mask, uint32_t cookie, const char *name,
				size_t len)
{
	size_t room = len > 0 ? ALIGN_UP(len + 1, sizeof(struct inotify_event)) : 0;
	struct event *ev = kmem_zalloc(sizeof(*ev) + room);

	if (ev == NULL)
		return NULL;
	ev->bytes = sizeof(ev->e) + room;
	ev->e = (struct inotify_event){
		.wd = wd, .mask = mask, .cookie = cookie, .len = (uint32_t)room
	};
	memcpy(ev->e.name, name, len);
	return ev;
}

static void event_push(struct instance *in, struct event *ev)
{
	list_push_back(&in->events, &ev->node);
	in->nevents++;
	in->bytes += ev->bytes;
	wake_all(&in->readers);
}

static void event_drop(struct instance *in, struct event *ev)
{
	list_remove(&ev->node);
	in->nevents--;
	in->bytes -= ev->bytes;
	kmem_free(ev);
}

/* The queue is full, or memory is: say once that something was lost. */
static void overflow(struct instance *in)
{
	struct event *ev = event_make(-1, IN_Q_OVERFLOW, 0, "", 0);

	if (ev == NULL)
		log_warn("inotify: an event is lost, there is no memory to say so");
	else if (is_repeated(in, ev))
		kmem_free(ev);
	else
		event_push(in, ev);
}

static void tell(struct watch *w, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	struct instance *in = w->in;
	struct event *ev = NULL;

	if (in->nevents < INOTIFY_MAX_EVENTS)
		ev = event_make(w->wd, mask, cookie, name, len);
	if (ev == NULL)
		overflow(in);
	else if (is_repeated(in, ev))
		kmem_free(ev);
	else
		event_push(in, ev);
}

/* ---- watches ---- */

void inode_watch_add(struct inode_watch *w, const struct inode_watch_ops *ops, struct inode *i,
		     uint32_t mask)
{
	*w = (struct inode_watch){ .ops = ops, .inode = inode_get(i), .mask = mask };
	list_push_back(&i->watches, &w->of_inode);
	inotify_watches++;
}

void inode_watch_remove(struct inode_watch *w)
{
	list_remove(&w->of_inode);
	inotify_watches--;
	inode_put(w->inode);
}

static void watch_free(struct watch *w)
{
	inode_watch_remove(&w->watch);
	list_remove(&w->of_instance);
	kmem_free(w);
}

static void watch_end(struct watch *w)
{
	tell(w, IN_IGNORED, 0, "", 0);
	watch_free(w);
}

static void watch_tell(struct inode_watch *iw, uint32_t mask, uint32_t cookie, const char *name,
		       size_t len)
{
	struct watch *w = container_of(iw, struct watch, watch);

	tell(w, mask, cookie, name, len);
	if ((iw->mask & IN_ONESHOT) != 0)
		watch_end(w);
}

static void inode_watch_ended(struct inode_watch *iw)
{
	watch_end(container_of(iw, struct watch, watch));
}

static const struct inode_watch_ops inotify_watch_ops = { watch_tell, inode_watch_ended };

void inotify_event(struct inode *i, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	LIST_FOR_EACH_SAFE(pos, &i->watches) {
		struct inode_watch *w = list_entry(pos, struct inode_watch, of_inode);

		if ((w->mask & mask & (IN_ALL_EVENTS | WATCH_RENAMED)) != 0)
			w->ops->tell(w, mask, cookie, name, len);
	}
}

void inotify_path_event(const struct path *p, uint32_t mask)
{
	struct dentry *d = p->dentry;

	mask |= notify_isdir(d->inode);
	if (d->parent != d && !d->unlinked)
		inotify_event(d->parent->inode, mask, 0, d->name, d->len);
	inotify_event(d->inode, mask, 0, "", 0);
}

void inotify_gone_event(struct inode *i)
{
	if (!S_ISDIR(i->mode))
		inotify_event(i, IN_ATTRIB, 0, "", 0);
	if (i->nlink > 0)
		return;
	inotify_event(i, IN_DELETE_SELF, 0, "", 0);
	LIST_FOR_EACH_SAFE(pos, &i->watches) {
		struct inode_watch *w = list_entry(pos, struct inode_watch, of_inode);

		w->ops->end(w);
	}
}

/* ---- the file ---- */

static err_t inotify_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct instance *in = f->priv;

	(void)off;
	while (list_empty(&in->events)) {
		if ((f->flags & O_NONBLOCK) != 0)
			return E_AGAIN;
		if (wait_on(&in->readers, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return E_RESTARTSYS;
	}
	while (!list_empty(&in->events)) {
		struct event *ev = list_entry(list_first(&in->events), struct event, node);

		if (ev->bytes > to->left)
			return *done > 0 ? OK : E_INVAL;
		TRY(uio_out(to, &ev->e, ev->bytes, done));
		event_drop(in, ev);
	}
	return OK;
}

static uint32_t inotify_poll(struct file *f, struct poll_table *t)
{
	struct instance *in = f->priv;

	poll_wait_for(t, &in->readers, POLLIN | POLLRDNORM);
	return list_empty(&in->events) ? 0 : POLLIN | POLLRDNORM;
}

static long inotify_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	int bytes = (int)((struct instance *)f->priv)->bytes;

	return cmd == FIONREAD_ ? USER_OUT(UADDR(arg), &bytes) : E_NOTTY;
}

static void inotify_release(struct file *f)
{
	struct instance *in = f->priv;

	LIST_FOR_EACH_SAFE(pos, &in->watches)
		watch_free(list_entry(pos, struct watch, of_instance));
	LIST_FOR_EACH_SAFE(pos, &in->events)
		event_drop(in, list_entry(pos, struct event, node));
	kmem_free(in);
}

static void inotify_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	(void)str_copy(buf, size, "anon_inode:inotify");
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.name = inotify_name,
	.seek = file_seek_nowhere,
	.stream = true,
	.async = true,
};

err_t inotify_create(unsigned flags, struct file **out)
{
	struct instance *in;

	if ((flags & ~(unsigned)(IN_NONBLOCK | IN_CLOEXEC)) != 0)
		return E_INVAL;
	in = kmem_zalloc(sizeof(*in));
	if (in == NULL)
		return E_NOMEM;
	list_init(&in->watches);
	list_init(&in->events);
	waitq_init(&in->readers);
	*out = file_create(&inotify_ops, in, O_RDONLY | (flags & O_NONBLOCK), 0600);
	if (*out == NULL) {
		kmem_free(in);
		return E_NOMEM;
	}
	return OK;
}

static struct watch *find_watch(struct instance *in, const struct inode *i)
{
	LIST_FOR_EACH(pos, &i->watches) {
		struct inode_watch *iw = list_entry(pos, struct inode_watch, of_inode);
		struct watch *w = container_of(iw, struct watch, watch);

		if (iw->ops == &inotify_watch_ops && w->in == in)
			return w;
	}
	return NULL;
}

static long change_watch(struct watch *w, uint32_t mask)
{
	const uint32_t kept = IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK;

	if ((mask & IN_MASK_CREATE) != 0)
		return E_EXIST;
	w->watch.mask = (mask & IN_MASK_ADD) != 0 ? w->watch.mask | (mask & kept) : mask & kept;
	return w->wd;
}

static long new_watch(struct instance *in, struct inode *i, uint32_t mask)
{
	struct watch *w;

	if (inotify_watches >= INOTIFY_MAX_WATCHES)
		return E_NOSPC;
	w = kmem_alloc(sizeof(*w));
	if (w == NULL)
		return E_NOMEM;
	*w = (struct watch){ .in = in, .wd = ++in->last_wd };
	inode_watch_add(&w->watch, &inotify_watch_ops, i,
			mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK));
	list_push_back(&in->watches, &w->of_instance);
	return w->wd;
}

long inotify_add(struct file *f, const struct path *p, uint32_t mask)
{
	struct inode *i = p->dentry->inode;
	struct watch *w;

	if (f->ops != &inotify_ops || (mask & IN_ALL_EVENTS) == 0 ||
	    (mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE) ||
	    (mask & ~(uint32_t)(IN_ALL_EVENTS | IN_ONESHOT | MASK_FLAGS)) != 0)
		return E_INVAL;
	if ((mask & IN_ONLYDIR) != 0 && !S_ISDIR(i->mode))
		return E_NOTDIR;
	TRY(inode_permission(i, 4));
	w = find_watch(f->priv, i);
	return w != NULL ? change_watch(w, mask) : new_watch(f->priv, i, mask);
}

err_t inotify_remove(struct file *f, int wd)
{
	struct instance *in = f->priv;

	if (f->ops != &inotify_ops)
		return E_INVAL;
	LIST_FOR_EACH(pos, &in->watches) {
		struct watch *w = list_entry(pos, struct watch, of_instance);

		if (w->wd == wd) {
			watch_end(w);
			return OK;
		}
	}
	return E_INVAL;
}
