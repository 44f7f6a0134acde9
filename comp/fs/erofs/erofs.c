/* SPDX-License-Identifier: BSD-2-Clause */
/* EROFS as the vfs sees it. */
#include <linux/magic.h>

#include "base/str.h"
#include "comp/fs/erofs/local.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"

static const struct inode_ops erofs_inode_ops;

static err_t inode_make(struct super *s, uint64_t nid, struct inode **out)
{
	struct erofs_inode *i = kmem_zalloc(sizeof(*i));
	err_t err;

	if (i == NULL)
		return E_NOMEM;
	inode_init(&i->vfs, s, &erofs_inode_ops, nid, 0);
	inode_object_init(&i->object, &i->vfs, &erofs_object_ops);
	err = erofs_inode_load(s->priv, nid, i);
	if (err != OK) {
		inode_put(&i->vfs);
		return erofs_damaged(err, "an inode", nid);
	}
	*out = &i->vfs;
	return OK;
}

static err_t dir_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	uint64_t nid;
	err_t err = erofs_dir_lookup(erofs_inode_of(dir), name, len, &nid);

	if (err != OK)
		return erofs_damaged(err, "a directory", dir->ino);
	return inode_make(dir->super, nid, out);
}

static err_t dir_read(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx)
{
	err_t err = erofs_dir_read(erofs_inode_of(dir), pos, emit, ctx);

	return erofs_damaged(err, "a directory", dir->ino);
}

static err_t link_read(struct inode *i, char *buf, size_t size, size_t *len)
{
	struct uio to;

	uio_kernel(&to, buf, size);
	return erofs_read(i, 0, &to, len);
}

static void inode_release(struct inode *vi)
{
	struct erofs_inode *i = erofs_inode_of(vi);

	erofs_object_release(i);
	kmem_free(i);
}

static const struct inode_ops erofs_inode_ops = {
	.lookup = dir_lookup,
	.readdir = dir_read,
	.read = erofs_read,
	.pieces = erofs_pieces,
	.object = erofs_object,
	.readlink = link_read,
	.getxattr = erofs_getxattr,
	.listxattr = erofs_listxattr,
	.release = inode_release,
};

err_t erofs_mount_at(struct super *s, const uint8_t *va, uint64_t len, paddr_t pa,
		     struct inode **root)
{
	struct erofs_image *img = kmem_alloc(sizeof(*img));
	err_t err;

	if (img == NULL)
		return E_NOMEM;
	err = erofs_image_init(img, va, len, pa);
	s->priv = img;
	s->read_only = true;
	if (err == OK)
		err = inode_make(s, img->root_nid, root);
	if (err == OK && !S_ISDIR((*root)->mode)) {
		inode_put(*root);
		err = erofs_damaged(E_CORRUPT, "the root is no directory", img->root_nid);
	}
	if (err != OK)
		kmem_free(img);
	return err == E_CORRUPT ? E_IO : err;
}

uint64_t erofs_max_ino(const struct super *s)
{
	const struct erofs_image *img = s->priv;

	return img->len / EROFS_SLOT;
}

static err_t erofs_mount(struct super *s, const char *source, const char *options,
			 struct inode **root)
{
	(void)source;
	(void)options;
	if (boot_info.image_len == 0)
		return E_NXIO;
	return erofs_mount_at(s, boot_info.image_va, boot_info.image_len, boot_info.image, root);
}

static void erofs_unmount(struct super *s)
{
	kmem_free(s->priv);
}

static void erofs_statfs(struct super *s, struct kstatfs *out)
{
	const struct erofs_image *img = s->priv;

	out->blocks = img->blocks;
	out->files = img->inodes;
}

const struct fs_ops erofs_fs = {
	.version = 1,
	.name = "erofs",
	.magic = 0xE0F5E1E2,
	.mount = erofs_mount,
	.unmount = erofs_unmount,
	.statfs = erofs_statfs,
};
