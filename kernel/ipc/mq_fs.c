/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file system of POSIX message queues: one directory, the same in every mount of it. A queue is
 * an inode; the directory has a list of names.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "base/checked.h"
#include "base/str.h"
#include "kernel/ipc/mq_internal.h"

#define MQUEUE_MAGIC 0x19800202 /* not in <linux/magic.h> */
/* What nobody may exceed. */
#define HARD_MSGMAX     65536
#define HARD_MSGSIZEMAX (16 * 1024 * 1024)
/* What Linux counts for each message and each priority beside the data. */
#define MESSAGE_CHARGE 48u
#define STATUS_MAX     80u
#define NAME_MAX_BYTES 255u

struct mq_name {
	struct list node;
	struct inode *inode; /* referenced */
	uint64_t number;     /* position in the directory */
	size_t len;
	char name[];
};

struct mq_limits mq_limits = { .msg_default = 10,
			       .msg_max = 10,
			       .msgsize_default = 8192,
			       .msgsize_max = 8192,
			       .queues_max = 256 };
static struct list names = LIST_INIT(names), all_queues = LIST_INIT(all_queues);
static unsigned queues;
static uint64_t last_ino = 1, last_number;
static struct path root;                    /* of the one mount that there always is */
static const struct mq_attr_k *attr_wanted; /* mq_open's, while it makes a queue */
static const struct inode_ops dir_ops, queue_ops;

/* ---- queues ---- */

static err_t attr_check(const struct mq_attr_k *a, uint64_t *charge)
{
	bool privileged = task_capable(CAP_SYS_RESOURCE);
	uint64_t most = privileged ? HARD_MSGMAX : mq_limits.msg_max;
	uint64_t largest = privileged ? HARD_MSGSIZEMAX : mq_limits.msgsize_max;
	uint64_t kinds;

	if (a->maxmsg <= 0 || a->msgsize <= 0 || (uint64_t)a->maxmsg > most ||
	    (uint64_t)a->msgsize > largest)
		return E_INVAL;
	kinds = (uint64_t)a->maxmsg < MQ_PRIORITIES ? (uint64_t)a->maxmsg : MQ_PRIORITIES;
	*charge = (uint64_t)a->maxmsg * ((uint64_t)a->msgsize + MESSAGE_CHARGE) +
		  kinds * MESSAGE_CHARGE;
	return OK;
}

static uint64_t charged_to(uint32_t uid)
{
	uint64_t sum = 0;

	LIST_FOR_EACH(pos, &all_queues) {
		const struct mq *q = list_entry(pos, struct mq, all);

		if (q->owner == uid)
			sum += q->charge;
	}
	return sum;
}

static err_t queue_new(struct super *s, uint32_t mode, struct mq **out)
{
	struct mq_attr_k defaults = {
		.maxmsg = (int64_t)(mq_limits.msg_default < mq_limits.msg_max
					    ? mq_limits.msg_default
					    : mq_limits.msg_max),
		.msgsize = (int64_t)(mq_limits.msgsize_default < mq_limits.msgsize_max
					     ? mq_limits.msgsize_default
					     : mq_limits.msgsize_max),
	};
	const struct mq_attr_k *a = attr_wanted != NULL ? attr_wanted : &defaults;
	uint32_t uid = current_task->cred.uid;
	uint64_t charge;
	struct mq *q;

	if (queues >= mq_limits.queues_max && !task_capable(CAP_SYS_RESOURCE))
		return E_NOSPC;
	TRY(attr_check(a, &charge));
	if (charge + charged_to(uid) > current_task->rlimit[RLIMIT_MSGQUEUE].rlim_cur)
		return E_MFILE;
	q = kmem_zalloc(sizeof(*q));
	if (q == NULL)
		return E_NOMEM;
	inode_init(&q->vfs, s, &queue_ops, ++last_ino, mode);
	mq_init_queue(q, a->maxmsg, a->msgsize);
	q->vfs.size = STATUS_MAX;
	q->owner = uid;
	q->charge = charge;
	list_push_back(&all_queues, &q->all);
	queues++;
	*out = q;
	return OK;
}

static void queue_release(struct inode *i)
{
	struct mq *q = mq_of(i);

	mq_notify_drop(q);
	mq_drop_messages(q);
	list_remove(&q->all);
	queues--;
	kmem_free(q);
}

/* ---- open files ---- */

static err_t queue_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	char text[STATUS_MAX];
	size_t len;

	mq_status(mq_of(f->inode), text, sizeof(text));
	len = strlen(text);
	if (off >= len)
		return OK;
	return uio_out(to, text + off, len - off, done);
}

static uint32_t queue_poll(struct file *f, struct poll_table *t)
{
	struct mq *q = mq_of(f->inode);

	poll_wait_for(t, &q->readable, EPOLLIN | EPOLLRDNORM);
	poll_wait_for(t, &q->writable, EPOLLOUT | EPOLLWRNORM);
	return (q->curmsgs > 0 ? EPOLLIN | EPOLLRDNORM : 0) |
	       (q->curmsgs < q->maxmsg ? EPOLLOUT | EPOLLWRNORM : 0);
}

static void queue_flush(struct file *f)
{
	if (current != NULL && mq_of(f->inode)->notify_pid == current_task->pid)
		mq_notify_drop(mq_of(f->inode));
}

static long queue_seek(struct file *f, int64_t off, int whence)
{
	int64_t at = whence == 0   ? off
		     : whence == 1 ? (int64_t)f->pos + off
		     : whence == 2 ? (int64_t)STATUS_MAX + off
				   : -1;

	if (at < 0)
		return E_INVAL;
	f->pos = (uint64_t)at;
	return (long)at;
}

const struct file_ops mq_file_ops = {
	.read = queue_read,
	.poll = queue_poll,
	.flush = queue_flush,
	.seek = queue_seek,
};

static err_t queue_open(struct inode *i, struct file *f)
{
	(void)i;
	f->ops = &mq_file_ops;
	return OK;
}

/* ---- the directory ---- */

static struct mq_name *find(const char *name, size_t len)
{
	LIST_FOR_EACH(pos, &names) {
		struct mq_name *n = list_entry(pos, struct mq_name, node);

		if (n->len == len && memcmp(n->name, name, len) == 0)
			return n;
	}
	return NULL;
}

static err_t dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	struct mq_name *n = find(name, len);

	(void)dir;
	if (n == NULL)
		return E_NOENT;
	*out = inode_get(n->inode);
	return OK;
}

static err_t dir_create(struct inode *dir, const char *name, size_t len, uint32_t mode,
			uint64_t rdev, struct inode **out)
{
	struct mq_name *n;
	struct mq *q;
	err_t err;

	(void)rdev;
	if (!S_ISREG(mode))
		return E_PERM;
	if (find(name, len) != NULL)
		return E_EXIST;
	n = kmem_alloc(sizeof(*n) + len);
	if (n == NULL)
		return E_NOMEM;
	err = queue_new(dir->super, mode, &q);
	if (err != OK) {
		kmem_free(n);
		return err;
	}
	inode_init_owner(&q->vfs, dir);
	n->inode = &q->vfs; /* the name's reference */
	n->number = ++last_number;
	n->len = len;
	memcpy(n->name, name, len);
	list_push_back(&names, &n->node);
	inode_touch(dir);
	*out = inode_get(&q->vfs);
	return OK;
}

static err_t dir_unlink(struct inode *dir, const char *name, size_t len, bool dir_wanted)
{
	struct mq_name *n = find(name, len);

	if (n == NULL)
		return E_NOENT;
	if (dir_wanted)
		return E_NOTDIR;
	list_remove(&n->node);
	n->inode->nlink = 0;
	inode_touch(dir);
	inode_put(n->inode);
	kmem_free(n);
	return OK;
}

static err_t dir_readdir(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx)
{
	(void)dir;
	LIST_FOR_EACH(node, &names) {
		const struct mq_name *n = list_entry(node, struct mq_name, node);

		if (n->number > pos &&
		    !emit(ctx, n->name, n->len, n->inode->ino, S_IFREG >> 12, n->number))
			break;
	}
	return OK;
}

static err_t set_attr(struct inode *i, const struct attr_change *c)
{
	if (c->valid & ATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (c->mode & 07777);
	if (c->valid & ATTR_UID)
		i->uid = c->uid;
	if (c->valid & ATTR_GID)
		i->gid = c->gid;
	if (c->valid & ATTR_ATIME)
		i->atime_ns = c->atime_ns;
	if (c->valid & ATTR_MTIME)
		i->mtime_ns = c->mtime_ns;
	return OK;
}

static void dir_release(struct inode *i)
{
	kmem_free(i);
}

static const struct inode_ops dir_ops = {
	.lookup = dir_lookup,
	.create = dir_create,
	.unlink = dir_unlink,
	.readdir = dir_readdir,
	.setattr = set_attr,
	.release = dir_release,
};

static const struct inode_ops queue_ops = {
	.open = queue_open,
	.setattr = set_attr,
	.release = queue_release,
};

/* ---- the file system ---- */

/*
 * There is one tree of names, with one cache of them: a second mount would have another. Programs
 * that want it elsewhere bind /dev/mqueue there.
 */
static err_t mqueue_mount(struct super *s, const char *source, const char *options,
			  struct inode **out)
{
	struct inode *dir;

	(void)source;
	(void)options;
	if (root.mnt != NULL)
		return E_BUSY;
	dir = kmem_zalloc(sizeof(*dir));
	if (dir == NULL)
		return E_NOMEM;
	inode_init(dir, s, &dir_ops, 1, S_IFDIR | 01777);
	dir->nlink = 2;
	*out = dir;
	return OK;
}

const struct fs_ops mqueue_fs = {
	.version = 1,
	.name = "mqueue",
	.magic = MQUEUE_MAGIC,
	.mount = mqueue_mount,
};

err_t mq_init(void)
{
	err_t err;

	fs_register(&mqueue_fs);
	err = vfs_mkdir(AT_FDCWD_, "/dev/mqueue", 01777);
	if (err != OK && err != E_EXIST)
		return err;
	TRY(vfs_mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
	return path_lookup(AT_FDCWD_, "/dev/mqueue", LOOK_DIR, &root); /* held for ever */
}

/* ---- by name ---- */

static err_t name_check(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return E_NOENT;
	if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return E_ACCES;
	return len > NAME_MAX_BYTES ? E_NAMETOOLONG : OK;
}

err_t mq_open_file(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr_k *attr,
		   struct file **out)
{
	const uint32_t known = O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC;
	err_t err;

	TRY(name_check(name));
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return E_INVAL;
	attr_wanted = attr;
	err = vfs_open_in(&root, name, flags & known, mode, out);
	attr_wanted = NULL;
	return err;
}

err_t mq_remove(const char *name)
{
	TRY(name_check(name));
	return vfs_unlink_in(&root, name);
}
