/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File systems, supers and the tree of mounts. A mount in the tree holds its mount point (path
 * `at`), its root, its super, and one reference for being there; a super is held by its mounts and
 * its inodes.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/internal.h"

#define FS_MAX 16u
#define MOUNT_FLAGS                                                                                \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_STRICTATIME)

/* umount2's flags; the kernel's public headers do not have them. */
#define MNT_FORCE_       1u
#define MNT_DETACH_      2u
#define MNT_EXPIRE_      4u
#define UMOUNT_NOFOLLOW_ 8u

static const struct fs_ops *file_systems[FS_MAX];
static unsigned fs_count;
struct list all_mounts = LIST_INIT(all_mounts);
struct mount_ns first_mount_ns = { .refs = 1 };
static uint32_t last_mount_id = 20;
static uint32_t last_dev = 20;

void fs_register(const struct fs_ops *ops)
{
	BUG_ON(fs_count == FS_MAX);
	file_systems[fs_count++] = ops;
}

const struct fs_ops *fs_at(unsigned i)
{
	return i < fs_count ? file_systems[i] : NULL;
}

const struct fs_ops *fs_find(const char *name)
{
	for (unsigned i = 0; i < fs_count; i++)
		if (strcmp(file_systems[i]->name, name) == 0)
			return file_systems[i];
	return NULL;
}

uint64_t super_new_dev(void)
{
	return dev_make(0, ++last_dev);
}

struct super *super_get(struct super *s)
{
	s->refs++;
	return s;
}

void super_put(struct super *s)
{
	BUG_ON(s->refs == 0);
	if (--s->refs > 0)
		return;
	if (s->ops->unmount != NULL)
		s->ops->unmount(s);
	kmem_free((char *)s->source);
	kmem_free(s);
}

/* A super and its root inode (referenced); the super is held by the inode and by the caller. */
static err_t super_create(const struct fs_ops *ops, const char *source, const char *options,
			  struct inode *lower, struct super **out, struct inode **root)
{
	struct super *s = kmem_zalloc(sizeof(*s));
	char *name = kmem_strdup(source);
	err_t err;

	if (s == NULL || name == NULL) {
		kmem_free(s);
		kmem_free(name);
		return E_NOMEM;
	}
	*s = (struct super){
		.ops = ops, .source = name, .dev = super_new_dev(), .magic = ops->magic, .refs = 1
	};
	s->lower = lower;
	err = ops->mount(s, source, options, root);
	if (err != OK) {
		kmem_free(name);
		kmem_free(s);
		return err;
	}
	*out = s;
	return OK;
}

struct mount *mount_get(struct mount *m)
{
	m->refs++;
	return m;
}

void mount_put(struct mount *m)
{
	struct super *s;

	BUG_ON(m->refs == 0);
	if (--m->refs > 0)
		return;
	/* Out of the tree since its own reference is gone. */
	s = m->super;
	dentry_put(m->root);
	dentry_shrink_super(s);
	super_put(s);
	kmem_free(m);
}

/* ---- places ---- */

static struct mount *mount_on(const struct path *p)
{
	struct mount *m = p->dentry->mounted;

	while (m != NULL && m->parent != p->mnt)
		m = m->here;
	return m;
}

static void place_take(struct mount *m, const struct path *at)
{
	path_get(at);
	m->at = *at;
	m->parent = at->mnt;
	m->parent->children++;
	m->here = at->dentry->mounted;
	at->dentry->mounted = m;
	dentry_pin(at);
}

static void place_leave(struct mount *m)
{
	struct path at = m->at;
	struct mount **link = &at.dentry->mounted;

	while (*link != m)
		link = &(*link)->here;
	*link = m->here;
	m->here = NULL;
	m->parent->children--;
	m->parent = NULL;
	m->at = (struct path){ NULL, NULL };
	dentry_unpin(&at);
	path_put(&at);
}

void mount_attach(struct mount *m, const struct path *at)
{
	list_push_back(&all_mounts, &m->all);
	if (at != NULL)
		place_take(m, at);
}

void mount_move_to(struct mount *m, const struct path *at)
{
	if (m->parent != NULL)
		place_leave(m);
	if (at != NULL)
		place_take(m, at);
}

void mount_set_root(struct mount *m)
{
	mount_attach(m, NULL);
	first_mount_ns.root = m;
	kernel_fs.ns = &first_mount_ns;
}

static void mount_detach(struct mount *m)
{
	list_remove(&m->all);
	if (m->parent != NULL)
		place_leave(m);
	mount_put(m);
}

bool mount_is_ours(const struct mount *m)
{
	while (m != NULL && m->parent != NULL)
		m = m->parent;
	return m != NULL && m == current_fs()->ns->root;
}

struct mount *mount_alloc(struct super *s, struct dentry *root, uint32_t flags)
{
	struct mount *m = kmem_zalloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->super = super_get(s);
	m->root = dentry_get(root);
	m->flags = flags;
	m->refs = 1;
	m->id = ++last_mount_id;
	list_init(&m->all);
	return m;
}

err_t mount_new_over(const struct fs_ops *ops, const char *source, const char *options,
		     uint32_t flags, const struct path *at, struct inode *lower, struct mount **out)
{
	struct super *s;
	struct inode *root;
	struct dentry *d;
	struct mount *m = NULL;

	TRY(super_create(ops, source, options, lower, &s, &root));
	d = dentry_create(NULL, "", 0, root);
	if (d != NULL) {
		m = mount_alloc(s, d, flags);
		dentry_put(d);
	}
	inode_put(root);
	super_put(s);
	if (m == NULL)
		return E_NOMEM;
	if (at != NULL)
		mount_attach(m, at);
	*out = m;
	return OK;
}

err_t mount_new(const struct fs_ops *ops, const char *source, const char *options, uint32_t flags,
		const struct path *at, struct mount **out)
{
	return mount_new_over(ops, source, options, flags, at, NULL, out);
}

void path_enter_mounts(struct path *p)
{
	struct mount *m;

	while (p->dentry->mounted != NULL && (m = mount_on(p)) != NULL) {
		struct path below = { mount_get(m), dentry_get(m->root) };

		path_put(p);
		*p = below;
	}
}

void path_leave_mounts(struct path *p)
{
	while (p->mnt != NULL && p->dentry == p->mnt->root && p->mnt->parent != NULL) {
		struct path above = p->mnt->at;

		path_get(&above);
		path_put(p);
		*p = above;
	}
}

/* ---- mount(2) ---- */

static err_t mount_check_target(const struct path *at, const struct inode *root)
{
	bool dir = S_ISDIR(at->dentry->inode->mode);

	if (at->dentry->unlinked || at->mnt == NULL)
		return E_NOENT;
	if (!mount_is_ours(at->mnt))
		return E_INVAL;
	return dir == (S_ISDIR(root->mode) != 0) ? OK : E_NOTDIR;
}

static err_t mount_bind(const char *source, const struct path *at, bool deep)
{
	struct path from;
	struct mount *m;
	err_t err;

	TRY(path_lookup(AT_FDCWD_, source, LOOK_FOLLOW, &from));
	err = from.mnt == NULL || from.mnt->unbindable || !mount_is_ours(from.mnt) ? E_INVAL : OK;
	if (err == OK)
		err = mount_check_target(at, from.dentry->inode);
	if (err == OK)
		err = mount_clone(&from, deep, &m);
	path_put(&from);
	if (err == OK)
		mount_move_to(m, at);
	return err;
}

static bool is_below(const struct mount *m, const struct mount *top)
{
	for (; m != NULL; m = m->parent)
		if (m == top)
			return true;
	return false;
}

static err_t move_check(const struct path *from, const struct path *at)
{
	if (from->mnt == NULL || from->dentry != from->mnt->root || from->mnt->parent == NULL ||
	    !mount_is_ours(from->mnt))
		return E_INVAL;
	TRY(mount_check_target(at, from->dentry->inode));
	return is_below(at->mnt, from->mnt) ? E_LOOP : OK;
}

/* MS_MOVE: what is mounted on `source`, with all below it, is mounted on `at` instead. */
static err_t mount_move(const char *source, const struct path *at)
{
	struct path from;
	err_t err;

	TRY(path_lookup(AT_FDCWD_, source, LOOK_FOLLOW, &from));
	err = move_check(&from, at);
	if (err == OK)
		mount_move_to(from.mnt, at);
	path_put(&from);
	return err;
}

static err_t mount_remount(const struct path *at, uint32_t flags)
{
	if (at->mnt == NULL || at->dentry != at->mnt->root)
		return E_INVAL;
	at->mnt->flags = flags;
	return OK;
}

static err_t mount_fresh(const char *source, const char *type, const char *options,
			 const struct path *at, uint32_t flags)
{
	const struct fs_ops *ops = type != NULL ? fs_find(type) : NULL;
	struct mount *m;

	if (type == NULL)
		return E_INVAL;
	if (ops == NULL)
		return E_NODEV;
	if (!S_ISDIR(at->dentry->inode->mode))
		return E_NOTDIR;
	TRY(mount_check_target(at, at->dentry->inode));
	return mount_new(ops, source != NULL ? source : "none", options, flags, at, &m);
}

#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

/*
 * How mounts would spread to other trees: all are private here, whatever is asked for. Whether it
 * may be bound counts.
 */
static err_t mount_propagation(const struct path *at, unsigned long flags)
{
	unsigned long type = flags & ~(unsigned long)(MS_REC | MS_SILENT);

	if ((type & ~(unsigned long)PROPAGATION) != 0 || (type & (type - 1)) != 0)
		return E_INVAL;
	if (at->mnt == NULL || at->dentry != at->mnt->root || !mount_is_ours(at->mnt))
		return E_INVAL;
	LIST_FOR_EACH(pos, &all_mounts) {
		struct mount *m = list_entry(pos, struct mount, all);

		if (m == at->mnt || ((flags & MS_REC) != 0 && is_below(m, at->mnt)))
			m->unbindable = type == MS_UNBINDABLE;
	}
	return OK;
}

err_t vfs_mount(const char *source, const char *target, const char *type, unsigned long flags,
		const char *options)
{
	uint32_t kept = (uint32_t)flags & MOUNT_FLAGS;
	struct path at;
	err_t err;

	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	TRY(path_lookup(AT_FDCWD_, target, LOOK_FOLLOW, &at));
	if ((kept & (MS_NOATIME | MS_STRICTATIME)) == 0)
		kept |= MS_RELATIME;
	if ((flags & MS_REMOUNT) != 0) {
		err = mount_remount(&at, kept);
	} else if ((flags & MS_BIND) == 0 && (flags & PROPAGATION) != 0) {
		err = mount_propagation(&at, flags);
	} else {
		path_enter_mounts(&at); /* "." may have something on top */
		if ((flags & MS_BIND) != 0)
			err = source == NULL ? E_INVAL
					     : mount_bind(source, &at, (flags & MS_REC) != 0);
		else if ((flags & MS_MOVE) != 0)
			err = source == NULL ? E_INVAL : mount_move(source, &at);
		else
			err = mount_fresh(source, type, options, &at, kept);
	}
	path_put(&at);
	return err;
}

/* A mount below m, or m itself, that has none below it. */
static struct mount *lowest_below(struct mount *m)
{
	LIST_FOR_EACH(pos, &all_mounts) {
		struct mount *c = list_entry(pos, struct mount, all);

		if (c != m && c->children == 0 && is_below(c, m))
			return c;
	}
	return m;
}

void mount_detach_tree(struct mount *m)
{
	struct mount *c;

	do {
		c = lowest_below(m);
		mount_detach(c);
	} while (c != m);
}

err_t vfs_umount(const char *target, unsigned flags)
{
	struct mount *m;
	struct path at;
	err_t err = OK;

	if ((flags & ~(unsigned)(MNT_FORCE_ | MNT_DETACH_ | MNT_EXPIRE_ | UMOUNT_NOFOLLOW_)) != 0)
		return E_INVAL;
	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	TRY(path_lookup(AT_FDCWD_, target, (flags & UMOUNT_NOFOLLOW_) != 0 ? 0 : LOOK_FOLLOW, &at));
	path_enter_mounts(&at);
	m = at.mnt;
	if (m == NULL || at.dentry != m->root || m->parent == NULL || !mount_is_ours(m))
		err = E_INVAL;
	else if ((flags & MNT_DETACH_) == 0 && (m->children > 0 || m->refs > 2))
		err = E_BUSY; /* more than the tree's and ours */
	if (err == OK)
		mount_detach_tree(m);
	path_put(&at);
	return err;
}

err_t vfs_statfs(const struct path *p, struct kstatfs *out)
{
	struct super *s = p->dentry->inode->super;

	*out = (struct kstatfs){
		.type = s->magic, .bsize = PAGE_SIZE, .frsize = PAGE_SIZE, .namelen = NAME_MAX_
	};
	out->fsid = s->dev;
	if (s->ops->statfs != NULL)
		s->ops->statfs(s, out);
	if (p->mnt != NULL) {
		/* ST_VALID and the ST_ bits, which have the values of the first MS_ bits. */
		out->flags |= 0x20 |
			      (p->mnt->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC));
		if ((p->mnt->flags & MS_NOATIME) != 0)
			out->flags |= 0x400;
		if ((p->mnt->flags & MS_RELATIME) != 0)
			out->flags |= 0x1000;
	}
	return OK;
}
