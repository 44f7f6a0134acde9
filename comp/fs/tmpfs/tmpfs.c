/* SPDX-License-Identifier: BSD-2-Clause */
/* tmpfs as the vfs sees it: mounting, attributes, the table of operations. */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "base/checked.h"
#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/tmpfs/local.h"
#include "kernel/vfs/internal.h"

/* ---- attributes ---- */

static err_t node_setattr(struct inode *i, const struct attr_change *c)
{
	struct tnode *n = tnode_of(i);

	if ((c->valid & ATTR_SIZE) != 0)
		TRY(tfile_resize(n, c->size));
	if ((c->valid & ATTR_MODE) != 0)
		i->mode = (i->mode & S_IFMT) | (c->mode & 07777);
	if ((c->valid & ATTR_UID) != 0)
		i->uid = c->uid;
	if ((c->valid & ATTR_GID) != 0)
		i->gid = c->gid;
	if ((c->valid & ATTR_ATIME) != 0)
		i->atime_ns = c->atime_ns;
	if ((c->valid & ATTR_MTIME) != 0)
		i->mtime_ns = c->mtime_ns;
	/* That somebody read it is not worth keeping the node for. */
	if ((c->valid & ATTR_READ) == 0) {
		i->ctime_ns = (int64_t)time_real_ns();
		tnode_changed(n);
	}
	return OK;
}

static void node_stat(struct inode *i, struct kstat *out)
{
	inode_stat_fields(i, out);
	out->blocks = S_ISREG(i->mode) ? tfile_bytes(tnode_of(i)) / 512 : 0;
}

static err_t node_readlink(struct inode *i, char *buf, size_t size, size_t *len)
{
	struct tnode *n = tnode_of(i);

	if (n->lower != NULL)
		return n->lower->ops->readlink(n->lower, buf, size, len);
	*len = i->size < size ? i->size : size;
	memcpy(buf, n->target, *len);
	return OK;
}

static struct vmobject *node_object(struct inode *i)
{
	return &tnode_of(i)->object.obj;
}

static err_t node_fsync(struct inode *i, bool data_only)
{
	(void)i;
	(void)data_only;
	return OK; /* memory is all there is */
}

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tdir_lookup,
	.create = tdir_create,
	.tmpfile = tdir_tmpfile,
	.symlink = tdir_symlink,
	.link = tdir_link,
	.unlink = tdir_unlink,
	.rename = tdir_rename,
	.readdir = tdir_read,
	.read = tfile_read,
	.pieces = tfile_pieces,
	.write = tfile_write,
	.allocate = tfile_allocate,
	.fsync = node_fsync,
	.object = node_object,
	.seek_data = tfile_seek_data,
	.stat = node_stat,
	.setattr = node_setattr,
	.readlink = node_readlink,
	.getxattr = txattr_get,
	.setxattr = txattr_set,
	.listxattr = txattr_list,
	.release = tnode_release,
};

/* ---- mounting ---- */

struct tmpfs_options {
	uint64_t bytes, inodes;
	uint64_t mode, uid, gid;
};

static bool parse_size(const char *s, uint64_t *out)
{
	struct mem_stats m;
	const char *end;
	unsigned shift = 0;

	if (!str_parse_u64(s, 0, out, &end))
		return false;
	switch (*end | 0x20) {
	case 'k': shift = 10; break;
	case 'm': shift = 20; break;
	case 'g': shift = 30; break;
	case '%' | 0x20:
		mem_stats(&m);
		*out = *out > 100 ? m.total : m.total / 100 * *out;
		return end[1] == '\0';
	default: return *end == '\0';
	}
	return end[1] == '\0' && checked_mul(*out, 1ull << shift, out);
}

static bool parse_option(const char *word, struct tmpfs_options *o)
{
	if (str_starts(word, "size="))
		return parse_size(word + 5, &o->bytes);
	if (str_starts(word, "nr_blocks="))
		return parse_size(word + 10, &o->bytes) &&
		       checked_mul(o->bytes, PAGE_SIZE, &o->bytes);
	if (str_starts(word, "nr_inodes="))
		return parse_size(word + 10, &o->inodes);
	if (str_starts(word, "mode="))
		return str_to_u64(word + 5, 8, &o->mode) && o->mode <= 07777;
	if (str_starts(word, "uid="))
		return str_to_u64(word + 4, 10, &o->uid) && o->uid < UINT32_MAX;
	if (str_starts(word, "gid="))
		return str_to_u64(word + 4, 10, &o->gid) && o->gid < UINT32_MAX;
	return false;
}

static err_t parse_options(const char *options, struct tmpfs_options *o)
{
	char word[64];

	while (options != NULL && *options != '\0') {
		const char *comma = strchr(options, ',');
		size_t len = comma != NULL ? (size_t)(comma - options) : strlen(options);

		if (len >= sizeof(word))
			return E_INVAL;
		memcpy(word, options, len);
		word[len] = '\0';
		if (len > 0 && !parse_option(word, o))
			return E_INVAL;
		options += len + (comma != NULL);
	}
	return OK;
}

static err_t make_root(struct tmpfs *fs, const struct tmpfs_options *o, struct tnode **out)
{
	struct inode *lower = fs->super->lower;

	if (lower != NULL) {
		inode_get(lower);
		return tnode_of_lower(fs, lower, out);
	}
	TRY(tnode_create(fs, S_IFDIR | (uint32_t)o->mode, NULL, out));
	(*out)->vfs.uid = (uint32_t)o->uid;
	(*out)->vfs.gid = (uint32_t)o->gid;
	return OK;
}

err_t tmpfs_mount(struct super *s, const char *source, const char *options, struct inode **root)
{
	struct mem_stats m;
	struct tmpfs_options o = { .mode = 01777,
				   .uid = current_cred()->fsuid,
				   .gid = current_cred()->fsgid };
	struct tmpfs *fs;
	struct tnode *n;
	err_t err;

	(void)source;
	mem_stats(&m);
	o.bytes = m.total / 2;
	o.inodes = m.total / 2 / PAGE_SIZE;
	TRY(parse_options(options, &o));
	fs = kmem_zalloc(sizeof(*fs));
	if (fs == NULL)
		return E_NOMEM;
	fs->super = s;
	fs->max_pages = o.bytes == 0 ? UINT64_MAX / PAGE_SIZE : o.bytes / PAGE_SIZE;
	fs->max_inodes = o.inodes == 0 ? UINT64_MAX : o.inodes;
	/* Numbers of our own nodes must never meet those of the lower tree. */
	fs->last_ino = s->lower != NULL ? 1ull << 32 : 0;
	list_push_back(&tmpfs_all, &fs->all);
	s->priv = fs;
	err = make_root(fs, &o, &n);
	if (err != OK) {
		tmpfs_unmount(s);
		return err;
	}
	fs->root = n;
	if (options != NULL && options[0] != '\0')
		(void)fmt_snprintf(s->options, sizeof(s->options), ",%s", options);
	*root = &n->vfs;
	return OK;
}

void tmpfs_unmount(struct super *s)
{
	struct tmpfs *fs = s->priv;

	list_remove(&fs->all);
	kmem_free(fs);
}

void tmpfs_statfs(struct super *s, struct kstatfs *out)
{
	const struct tmpfs *fs = s->priv;

	if (fs->max_pages < UINT64_MAX / PAGE_SIZE) {
		out->blocks = fs->max_pages;
		out->bfree = out->bavail = fs->max_pages - fs->pages;
	}
	if (fs->max_inodes < UINT64_MAX) {
		out->files = fs->max_inodes;
		out->ffree = fs->max_inodes - fs->inodes;
	}
}

const struct fs_ops tmpfs_fs = {
	.version = 1,
	.name = "tmpfs",
	.magic = TMPFS_MAGIC,
	.mount = tmpfs_mount,
	.unmount = tmpfs_unmount,
	.statfs = tmpfs_statfs,
};

uint64_t tmpfs_bytes_used(void)
{
	uint64_t pages = 0;

	LIST_FOR_EACH(pos, &tmpfs_all)
		pages += list_entry(pos, struct tmpfs, all)->pages;
	return pages * PAGE_SIZE;
}

/* ---- files without a name ---- */

static struct mount *anonymous_mount; /* never in the tree */

static err_t anonymous_tree(void)
{
	struct mount *m;

	if (anonymous_mount != NULL)
		return OK;
	TRY(mount_new(&tmpfs_fs, "tmpfs", "size=0,nr_inodes=0", 0, NULL, &m));
	m->internal = true;
	anonymous_mount = m;
	return OK;
}

err_t tmpfs_create_anonymous(const char *name, struct file **out)
{
	struct path p;
	struct inode *root, *i;

	TRY(anonymous_tree());
	root = anonymous_mount->root->inode;
	TRY(tdir_tmpfile(root, S_IFREG | 0777, &i));
	i->uid = current_cred()->fsuid;
	i->gid = current_cred()->fsgid;
	p = (struct path){ anonymous_mount,
			   dentry_create(anonymous_mount->root, name, strlen(name), i) };
	inode_put(i);
	if (p.dentry == NULL)
		return E_NOMEM;
	p.dentry->unlinked = true;
	*out = file_create_inode(&p, O_RDWR | O_LARGEFILE);
	dentry_put(p.dentry);
	return *out != NULL ? OK : E_NOMEM;
}
