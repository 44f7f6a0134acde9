/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole trees of mounts: copies of them, trees of a process's own, and another root for one. */
#include <linux/capability.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/internal.h"

static uint32_t last_ns_id;

static bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
	while (d != top && d->parent != d)
		d = d->parent;
	return d == top;
}

/* ---- copies ---- */

/*
 * Below each mount that has a copy, its children are copied, until none is left. Copies have none,
 * so that one that comes to lie inside the original is not copied again.
 */
static err_t copy_children(const struct path *top, bool all)
{
	bool more;

	do {
		more = false;
		LIST_FOR_EACH(pos, &all_mounts) {
			struct mount *c = list_entry(pos, struct mount, all), *m;

			if (c->copy != NULL || c->parent == NULL || c->parent->copy == NULL)
				continue;
			if (c->unbindable && !all)
				continue;
			if (c->parent == top->mnt && !dentry_is_below(c->at.dentry, top->dentry))
				continue;
			m = mount_alloc(c->super, c->root, c->flags);
			if (m == NULL)
				return E_NOMEM;
			m->unbindable = c->unbindable;
			mount_attach(m, &(struct path){ c->parent->copy, c->at.dentry });
			c->copy = m;
			more = true;
		}
	} while (more);
	return OK;
}

static void forget_copies(void)
{
	LIST_FOR_EACH(pos, &all_mounts)
		list_entry(pos, struct mount, all)->copy = NULL;
}

/* As mount_clone; the originals' `copy` stays, for the caller to look at and to forget. */
static err_t copy_and_note(const struct path *p, bool deep, bool all, struct mount **out)
{
	struct mount *m = mount_alloc(p->dentry->inode->super, p->dentry, p->mnt->flags);
	err_t err = OK;

	if (m == NULL)
		return E_NOMEM;
	mount_attach(m, NULL);
	p->mnt->copy = m;
	if (deep)
		err = copy_children(p, all);
	if (err != OK) {
		forget_copies();
		mount_detach_tree(m);
		return err;
	}
	*out = m;
	return OK;
}

err_t mount_clone(const struct path *p, bool deep, struct mount **out)
{
	TRY(copy_and_note(p, deep, false, out));
	forget_copies();
	return OK;
}

/* ---- a tree of one's own ---- */

static void follow_copy(struct path *p)
{
	struct path to;

	if (p->mnt == NULL || p->mnt->copy == NULL)
		return;
	to = (struct path){ p->mnt->copy, p->dentry };
	path_get(&to);
	path_put(p);
	*p = to;
}

err_t mount_ns_unshare(struct fs_context *fs)
{
	struct mount_ns *ns = kmem_zalloc(sizeof(*ns)), *old = fs->ns;
	struct path top = { old->root, old->root->root };
	err_t err;

	BUG_ON(fs->refs != 1);
	if (ns == NULL)
		return E_NOMEM;
	err = copy_and_note(&top, true, true, &ns->root);
	if (err != OK) {
		kmem_free(ns);
		return err;
	}
	follow_copy(&fs->root);
	follow_copy(&fs->cwd);
	forget_copies();
	ns->refs = 1;
	ns->id = ++last_ns_id;
	fs->ns = ns;
	mount_ns_put(old);
	return OK;
}

void mount_ns_put(struct mount_ns *ns)
{
	BUG_ON(ns->refs == 0);
	if (--ns->refs > 0)
		return;
	mount_detach_tree(ns->root);
	kmem_free(ns);
}

/* ---- another root ---- */

static bool reachable(const struct path *p, const struct path *from)
{
	const struct mount *m = p->mnt;
	const struct dentry *d = p->dentry;

	while (m != from->mnt && m->parent != NULL) {
		d = m->at.dentry;
		m = m->parent;
	}
	return m == from->mnt && dentry_is_below(d, from->dentry);
}

static err_t pivot_check(const struct path *to, const struct path *put, const struct path *root)
{
	if (!mount_is_ours(to->mnt) || !mount_is_ours(put->mnt) || !mount_is_ours(root->mnt))
		return E_INVAL;
	if (to->dentry->unlinked)
		return E_NOENT;
	if (to->mnt == root->mnt || put->mnt == root->mnt)
		return E_BUSY;
	if (root->mnt->root != root->dentry || to->mnt->root != to->dentry)
		return E_INVAL;
	if (to->mnt->parent == NULL)
		return E_INVAL;
	return reachable(put, to) && reachable(to, root) ? OK : E_INVAL;
}

static void replace(struct path *p, const struct path *old, const struct path *to)
{
	if (p->mnt != old->mnt || p->dentry != old->dentry)
		return;
	path_get(to);
	path_put(p);
	*p = *to;
}

/* Whoever had the old root as root or working directory has the new one. */
static void replace_everywhere(const struct path *old, const struct path *to)
{
	replace(&kernel_fs.root, old, to);
	replace(&kernel_fs.cwd, old, to);
	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);

		if (t->fs == NULL)
			continue;
		replace(&t->fs->root, old, to);
		replace(&t->fs->cwd, old, to);
	}
}

static void pivot(const struct path *to, const struct path *put, const struct path *root)
{
	struct mount_ns *ns = current_fs()->ns;
	struct path place = root->mnt->at;

	if (place.mnt != NULL) {
		path_get(&place);
		mount_move_to(to->mnt, &place);
		path_put(&place);
	} else {
		mount_move_to(to->mnt, NULL);
		ns->root = to->mnt;
	}
	mount_move_to(root->mnt, put);
	replace_everywhere(root, to);
}

err_t vfs_pivot_root(const char *new_root, const char *put_old)
{
	struct path to, put, root = current_fs()->root;
	err_t err;

	if (!task_capable(CAP_SYS_ADMIN))
		return E_PERM;
	TRY(path_lookup(AT_FDCWD_, new_root, LOOK_FOLLOW | LOOK_DIR, &to));
	err = path_lookup(AT_FDCWD_, put_old, LOOK_FOLLOW | LOOK_DIR, &put);
	if (err != OK) {
		path_put(&to);
		return err;
	}
	path_get(&root);
	err = pivot_check(&to, &put, &root);
	if (err == OK)
		pivot(&to, &put, &root);
	path_put(&root);
	path_put(&put);
	path_put(&to);
	return err;
}
