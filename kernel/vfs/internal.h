/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of kernel/vfs only. */
#pragma once

#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"

#define NAME_MAX_      255u
#define PATH_MAX_BYTES 4096u

/* ---- dentry.c ---- */

/* Room for the hash table. E_NOMEM */
err_t dentry_cache_init(void) MUST_CHECK;
/* A name that is in no table yet, refs = 1; takes a reference to the inode (and parent) of its own.
 * parent NULL: a root. NULL: out of memory. */
struct dentry *dentry_create(struct dentry *parent, const char *name, size_t len, struct inode *i);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* The cached name, referenced; NULL when it is not cached. */
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len);
/* Enter into the cache: dentry_find() gives it from now on. */
void dentry_hash(struct dentry *d);
/*
 * Something is mounted there, or below: the name is found again even where names are not kept
 * (/proc), as are those above it up to the root of its mount. And when nothing is any more.
 */
void dentry_pin(const struct path *at);
void dentry_unpin(const struct path *at);
/* The name is gone from its directory. */
void dentry_unlinked(struct dentry *d);
/* Move under a new name; *name is fresh memory that the dentry takes over. Cannot fail. */
void dentry_rename(struct dentry *d, struct dentry *parent, char *name, size_t len);
/* Two names change places. */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Forget up to n unused names; answers how many. */
size_t dentry_shrink(size_t n);
/* Forget all unused names below a file system's root (unmount). */
void dentry_shrink_super(const struct super *s);

/* ---- mount.c ---- */

/* The root of the first tree (start-up). */
void mount_set_root(struct mount *m);
/* A mount that is nowhere yet, with one reference. NULL: out of memory. */
struct mount *mount_alloc(struct super *s, struct dentry *root, uint32_t flags);
/*
 * Put a mount into the list of all, and into a tree at `at` (NULL: as root, or nowhere). Cannot
 * fail.
 */
void mount_attach(struct mount *m, const struct path *at);
/* The same for one that is listed already: it leaves its place, if it has one. */
void mount_move_to(struct mount *m, const struct path *at);
/* Out of the tree with all that is mounted below; who is inside keeps what he has. */
void mount_detach_tree(struct mount *m);
/* Is it in the tree of the current task? */
bool mount_is_ours(const struct mount *m);
/* ---- mountns.c ---- */
/*
 * A copy of the part of p's tree that begins at p, not yet in any tree; `deep`: with what is
 * mounted below, but for what must not be bound. E_NOMEM
 */
err_t mount_clone(const struct path *p, bool deep, struct mount **out) MUST_CHECK;

/* Go down to the root of what is mounted at *p, as often as needed. */
void path_enter_mounts(struct path *p);
/* Go up from the root of a mount to where it is mounted, as often as needed. */
void path_leave_mounts(struct path *p);

/* ---- path.c: a look-up that can stop before its last component ---- */

struct link_frame;
enum last_kind { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
	struct path cur;   /* referenced */
	struct path root;  /* referenced: what "/" is, and where ".." stops */
	struct path start; /* not referenced: as cur at the beginning (only compared) */
	const char *rest;  /* not yet looked at */
	const char *last;  /* component where walk_parent() stopped */
	size_t last_len;
	enum last_kind last_kind;
	unsigned flags; /* LOOK_ */
	unsigned links; /* symbolic links followed */
	bool need_dir;  /* a slash stood behind the last component */
	struct link_frame *frames;
};
/* Start. On error there is nothing to end. */
err_t walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags) MUST_CHECK;
/* From a directory that no descriptor names; absolute names and ".." do not leave it. */
void walk_begin_in(struct walk *w, const struct path *dir, const char *name);
void walk_end(struct walk *w);
/* Go on until cur is the directory of the last component. MAY_SWITCH */
err_t walk_parent(struct walk *w) MUST_CHECK;
/* Take the last component: cur becomes what it names, or, when it is a symbolic link that is to be
 * followed, the link's target is put before the rest and *again is set: call walk_parent() next. */
err_t walk_last(struct walk *w, bool follow, bool *again) MUST_CHECK;

/* The name in a directory, referenced, from cache or file system. E_NOENT, E_NAMETOOLONG... */
err_t lookup_child(struct dentry *dir, const char *name, size_t len,
		   struct dentry **out) MUST_CHECK;

/* A directory of procfs: what is not there cannot be made, which is E_NOENT as in Linux. */
static inline bool dir_is_fixed(const struct inode *dir)
{
	return dir->super->volatile_names && dir->ops->create == NULL;
}

/* ---- perm.c ---- */

struct fs_context *current_fs(void);
const struct cred *current_cred(void);
/* May a name be removed from (or moved out of) the directory? Write and search permission, the
 * sticky bit. */
err_t may_delete(const struct path *dir, struct inode *victim) MUST_CHECK;
/* May a name be added? E_NOENT when the directory itself was removed. */
err_t may_create(const struct path *dir) MUST_CHECK;
/* atime by the rules of the mount (relatime). */
void path_accessed(const struct path *p, struct inode *i);
/* Set-user-id and set-group-id bits go when somebody without CAP_FSETID writes. */
err_t inode_drop_privileges(struct inode *i) MUST_CHECK;

/* ---- file.c ---- */

/* The file of an inode; takes references of its own to path and inode. Does not open. NULL: out of
 * memory. */
struct file *file_create_inode(const struct path *p, uint32_t flags);
/* SIGXFSZ and E_FBIG at the limit; else *len is cut to what may be written at off. */
err_t file_size_limit(uint64_t off, uint64_t *len) MUST_CHECK;
