/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of comp/fs/tmpfs only. */
#pragma once

#include "abi/layout.h"
#include "base/tree.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/object.h"
#include "kernel/x86/x86.h"

struct tmpfs {
	struct super *super;
	uint64_t max_pages, pages;   /* limit, and frames in use for contents */
	uint64_t max_inodes, inodes; /* nodes that are not of the lower tree */
	uint64_t last_ino;
	struct tree by_lower; /* all nodes with a lower inode, by its number */
	struct tnode *root;
	struct list all; /* for the reclaim hook */
};

/*
 * Slots of a file's pages: a tree of nodes with 64 slots each; a file of one page needs no node. A
 * slot is empty (the lower file's page, or a hole), SLOT_HOLE (zeros although the lower file has a
 * page there), or a frame.
 */
#define SLOT_EMPTY 0ull
#define SLOT_HOLE  1ull
struct pages {
	uint64_t root; /* height 0: the slot of page 0; else the address of the top node */
	unsigned height;
	uint64_t frames; /* slots with a frame */
};

static inline bool slot_is_frame(uint64_t slot)
{
	return slot > SLOT_HOLE;
}

static inline void *frame_va(uint64_t slot)
{
	return (void *)(DM_BASE + slot);
}

/*
 * A name in a directory.
 *   node NULL: white-out, hides the lower directory's entry of that name
 *   in_place:  shows the lower directory's own entry; listed where that stands
 *   otherwise: ours; in `order`, listed behind all lower entries
 */
struct tentry {
	struct tree_node by_name, by_seq;
	struct list of_node; /* in node->entries */
	struct tnode *dir;
	struct tnode *node; /* referenced */
	uint64_t seq;
	bool in_place;
	bool covers; /* the lower directory has this name: a white-out must stay when the entry goes
		      */
	uint16_t len;
	char name[];
};

struct txattr {
	struct list node;
	char *name;
	void *value; /* NULL: removed, hides the lower one */
	size_t size;
};

struct tnode {
	struct inode vfs;
	struct inode_object object;
	struct tmpfs *fs;
	struct inode *lower; /* referenced, or NULL */
	struct tree_node by_lower;
	struct list entries; /* names of this node */
	struct list xattrs;
	size_t xattr_bytes;
	bool changed; /* differs from the lower inode: must stay in memory */
	bool pinned;  /* holds itself: other lower names of it may be looked up later */
	union {
		struct {
			struct tree names, order;
			uint64_t last_seq;
			uint64_t live; /* names that are no white-outs */
		} dir;
		struct {
			struct pages pages;
			uint64_t lower_end; /* bytes of the lower file that still show */
			uint64_t covered;   /* slots that hide a lower page */
		} file;
		char *target;
	};
	struct list dying;
};

static inline struct tnode *tnode_of(struct inode *i)
{
	return container_of(i, struct tnode, vfs);
}

/* ---- pages.c ---- */
uint64_t pages_get(const struct pages *p, uint64_t index);
/* The slot itself, made if need be; NULL: out of memory. */
uint64_t *pages_slot(struct pages *p, uint64_t index);
/* Lowest index >= from whose slot is not empty; UINT64_MAX: none. */
uint64_t pages_next(const struct pages *p, uint64_t from);
/* Empty all slots from index on; frames are put. Answers how many frames. */
uint64_t pages_cut(struct pages *p, uint64_t from);

/* ---- node.c ---- */
/* A fresh node. E_NOMEM, E_NOSPC */
err_t tnode_create(struct tmpfs *fs, uint32_t mode, const struct inode *dir,
		   struct tnode **out) MUST_CHECK;
/* The node of a lower inode (whose reference it takes over in any case), referenced. */
err_t tnode_of_lower(struct tmpfs *fs, struct inode *lower, struct tnode **out) MUST_CHECK;
/* Something of the node is not as in the lower tree any more. */
void tnode_changed(struct tnode *n);
/* One name less; at none the node goes with its last user. */
void tnode_drop_link(struct tnode *n);
void tnode_release(struct inode *i);
extern struct list tmpfs_all;
extern const struct inode_ops tmpfs_inode_ops;
extern const struct vmobject_ops tmpfs_object_ops;

/* ---- dir.c ---- */
err_t tdir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
err_t tdir_create(struct inode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev,
		  struct inode **out);
err_t tdir_tmpfile(struct inode *dir, uint32_t mode, struct inode **out);
err_t tdir_symlink(struct inode *dir, const char *name, size_t len, const char *target,
		   struct inode **out);
err_t tdir_link(struct inode *dir, const char *name, size_t len, struct inode *target);
err_t tdir_unlink(struct inode *dir, const char *name, size_t len, bool dir_wanted);
err_t tdir_rename(struct inode *from, const char *name, size_t len, struct inode *to,
		  const char *name2, size_t len2, unsigned flags);
err_t tdir_read(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx);
/* Forget an entry that is in_place: it can be looked up again. */
void tentry_forget(struct tentry *e);
/* The directory node goes: all its entries go. */
void tdir_clear(struct tnode *dir);

/* ---- file.c ---- */
unsigned tfile_pieces(struct inode *i, uint64_t off, size_t len, struct uio_piece *out,
		      unsigned max);
err_t tfile_read(struct inode *i, uint64_t off, struct uio *to, size_t *done);
err_t tfile_write(struct inode *i, uint64_t off, struct uio *from, size_t *done);
err_t tfile_allocate(struct inode *i, int mode, uint64_t off, uint64_t len);
uint64_t tfile_seek_data(struct inode *i, uint64_t off, bool hole);
err_t tfile_resize(struct tnode *n, uint64_t size) MUST_CHECK;
/* Bytes in memory and in the lower file, for st_blocks. */
uint64_t tfile_bytes(const struct tnode *n);

/* ---- xattr.c ---- */
err_t txattr_get(struct inode *i, const char *name, void *buf, size_t size, size_t *len);
err_t txattr_set(struct inode *i, const char *name, const void *buf, size_t size, int flags);
err_t txattr_list(struct inode *i, char *buf, size_t size, size_t *len);
void txattr_clear(struct tnode *n);
