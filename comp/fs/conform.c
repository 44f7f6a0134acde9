/* SPDX-License-Identifier: BSD-2-Clause */
/* What every file system must do. */
#include "comp/fs/conform.h"

#include <linux/fs.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"

#define INODES_MAX 3000u
#define NAMES_MAX  64u /* names of one directory that are compared with each other */
#define DEPTH_MAX  12u
#define BUF_SIZE   4096u

struct names {
	uint64_t hash[NAMES_MAX];
	unsigned n;
};

struct listing {
	struct inode *dir;
	struct names names;
	unsigned left, depth;
	uint64_t stop_after; /* entries until the listing stops; 0: never */
	uint64_t last_pos;
	unsigned count;
};

static unsigned budget;
static char *buf;

static void check_inode(struct inode *i, unsigned depth);

static uint64_t name_hash(const char *s, size_t len)
{
	uint64_t h = 5381;

	for (size_t n = 0; n < len; n++)
		h = h * 33 + (uint8_t)s[n];
	return h;
}

static void check_name_new(struct names *s, const char *name, size_t len)
{
	uint64_t h = name_hash(name, len);

	for (unsigned i = 0; i < s->n; i++)
		EXPECT(s->hash[i] != h);
	if (s->n < NAMES_MAX)
		s->hash[s->n++] = h;
}

static bool check_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			uint64_t pos)
{
	struct listing *l = ctx;
	struct inode *i;
	err_t err;

	EXPECT(len > 0 && len <= 255);
	EXPECT(memchr(name, '/', len) == NULL);
	EXPECT(pos > l->last_pos);
	check_name_new(&l->names, name, len);
	err = l->dir->ops->lookup(l->dir, name, len, &i);
	EXPECT_EQ(err, OK);
	if (err == OK) {
		EXPECT_EQ(i->ino, ino);
		EXPECT_EQ(i->mode >> 12, type);
		if (l->depth < DEPTH_MAX && budget > 0)
			check_inode(i, l->depth + 1);
		inode_put(i);
	}
	l->last_pos = pos;
	l->count++;
	return true;
}

static bool stop_each(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
		      uint64_t pos)
{
	struct listing *l = ctx;

	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	if (l->left == 0)
		return false;
	l->left--;
	l->last_pos = pos;
	l->count++;
	return true;
}

/* One entry at a time gives as many as all at once. */
static void check_restart(struct inode *dir, unsigned count)
{
	struct listing l = { .dir = dir };
	unsigned before;

	do {
		before = l.count;
		l.left = 1;
		EXPECT_EQ(dir->ops->readdir(dir, l.last_pos, stop_each, &l), OK);
	} while (l.count > before && l.count <= count);
	EXPECT_EQ(l.count, count);
}

static void check_dir(struct inode *dir, unsigned depth)
{
	struct listing *l = kmem_zalloc(sizeof(*l));
	struct inode *i;

	EXPECT(l != NULL);
	if (l == NULL)
		return;
	l->dir = dir;
	l->depth = depth;
	EXPECT_EQ(dir->ops->readdir(dir, 0, check_entry, l), OK);
	if (l->count < NAMES_MAX)
		check_restart(dir, l->count);
	EXPECT_EQ(dir->ops->lookup(dir, "there is no such name", 21, &i), E_NOENT);
	kmem_free(l);
}

static void check_file(struct inode *i)
{
	struct uio to;
	size_t done;

	if (i->ops->read == NULL)
		return; /* has operations of its own when it is open */
	uio_kernel(&to, buf, BUF_SIZE);
	EXPECT_EQ(i->ops->read(i, 0, &to, &done), OK);
	EXPECT_EQ(done, i->size < BUF_SIZE ? i->size : BUF_SIZE);
	uio_kernel(&to, buf, BUF_SIZE);
	EXPECT_EQ(i->ops->read(i, i->size, &to, &done), OK);
	EXPECT_EQ(done, 0);
}

static void check_link(struct inode *i)
{
	size_t len = 0;
	err_t err = i->ops->readlink(i, buf, BUF_SIZE, &len);

	/* A magic link may lead nowhere now. */
	EXPECT(err == OK || i->ops->follow != NULL || err == E_NOENT);
	if (err == OK)
		EXPECT(len > 0 && len <= BUF_SIZE);
}

static void check_inode(struct inode *i, unsigned depth)
{
	struct kstat st;

	budget--;
	inode_stat(i, &st);
	EXPECT_EQ(st.ino, i->ino);
	EXPECT_EQ(st.mode, i->mode);
	EXPECT(st.nlink > 0 && st.blksize > 0 && st.dev == i->super->dev);
	switch (i->mode & S_IFMT) {
	case S_IFDIR: check_dir(i, depth); break;
	case S_IFREG: check_file(i); break;
	case S_IFLNK: check_link(i); break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: break;
	default: EXPECT(false);
	}
}

void fs_conform_read(struct inode *root)
{
	uint32_t refs = root->refs;

	budget = INODES_MAX;
	buf = kmem_alloc(BUF_SIZE);
	EXPECT(buf != NULL && S_ISDIR(root->mode));
	if (buf != NULL)
		check_inode(root, 0);
	kmem_free(buf);
	EXPECT_EQ(root->refs, refs);
}

/* ---- writing ---- */

static struct inode *made(struct inode *dir, const char *name, uint32_t mode)
{
	struct inode *i = NULL;

	EXPECT_EQ(dir->ops->create(dir, name, strlen(name), mode, 0, &i), OK);
	return i;
}

static bool is_there(struct inode *dir, const char *name, const struct inode *want)
{
	struct inode *i;
	bool same;

	if (dir->ops->lookup(dir, name, strlen(name), &i) != OK)
		return false;
	same = i == want;
	inode_put(i);
	return same;
}

static void write_text(struct inode *i, uint64_t off, const char *text)
{
	struct uio from;
	size_t done;

	uio_kernel(&from, (void *)text, strlen(text));
	EXPECT_EQ(i->ops->write(i, off, &from, &done), OK);
	EXPECT_EQ(done, strlen(text));
}

static void expect_text(struct inode *i, uint64_t off, const char *text)
{
	char got[32];
	struct uio to;
	size_t done;

	uio_kernel(&to, got, strlen(text));
	EXPECT_EQ(i->ops->read(i, off, &to, &done), OK);
	EXPECT_EQ(done, strlen(text));
	EXPECT(memcmp(got, text, done) == 0);
}

static void check_contents(struct inode *f)
{
	struct attr_change cut = { .valid = ATTR_SIZE, .size = 3 },
			   grow = { .valid = ATTR_SIZE, .size = 6000 };

	write_text(f, 0, "hello");
	write_text(f, 5000, "far");
	EXPECT_EQ(f->size, 5003);
	expect_text(f, 0, "hello");
	expect_text(f, 5000, "far");
	EXPECT_EQ(f->ops->setattr(f, &cut), OK);
	EXPECT_EQ(f->ops->setattr(f, &grow), OK);
	EXPECT_EQ(f->size, 6000);
	expect_text(f, 0, "hel");
	for (uint64_t off = 3; off < 6000; off += 499) {
		char c = 'x';
		struct uio to;
		size_t done;

		uio_kernel(&to, &c, 1);
		EXPECT_EQ(f->ops->read(f, off, &to, &done), OK);
		EXPECT_EQ(c, 0);
	}
}

static void check_names(struct inode *dir, struct inode *f, struct inode *sub)
{
	struct inode *i;

	EXPECT_EQ(dir->ops->create(dir, "file", 4, S_IFREG | 0600, 0, &i), E_EXIST);
	EXPECT_EQ(dir->ops->link(sub, "hard", 4, f), OK);
	EXPECT_EQ(f->nlink, 2);
	EXPECT_EQ(dir->ops->unlink(dir, "sub", 3, false), E_ISDIR);
	EXPECT_EQ(dir->ops->unlink(dir, "sub", 3, true), E_NOTEMPTY);
	EXPECT_EQ(dir->ops->unlink(dir, "file", 4, true), E_NOTDIR);
	EXPECT_EQ(dir->ops->rename(dir, "file", 4, sub, "moved", 5, 0), OK);
	EXPECT(!is_there(dir, "file", f) && is_there(sub, "moved", f) && is_there(sub, "hard", f));
	EXPECT_EQ(dir->ops->rename(sub, "moved", 5, dir, "sub", 3, 0), E_ISDIR);
	EXPECT_EQ(dir->ops->unlink(sub, "moved", 5, false), OK);
	EXPECT_EQ(f->nlink, 1);
	EXPECT_EQ(dir->ops->unlink(sub, "hard", 4, false), OK);
	EXPECT_EQ(f->nlink, 0);
	expect_text(f, 0, "hel"); /* removed, but still held */
	EXPECT_EQ(dir->ops->unlink(dir, "sub", 3, true), OK);
	EXPECT_EQ(dir->ops->unlink(dir, "sub", 3, true), E_NOENT);
}

static void check_symlink(struct inode *dir)
{
	struct inode *i = NULL;
	char text[8];
	size_t len;

	EXPECT_EQ(dir->ops->symlink(dir, "link", 4, "target", &i), OK);
	EXPECT_EQ(i->ops->readlink(i, text, sizeof(text), &len), OK);
	EXPECT(len == 6 && memcmp(text, "target", 6) == 0);
	inode_put(i);
	EXPECT_EQ(dir->ops->unlink(dir, "link", 4, false), OK);
}

void fs_conform_write(struct inode *dir)
{
	struct inode *f = made(dir, "file", S_IFREG | 0600),
		     *sub = made(dir, "sub", S_IFDIR | 0700);
	uint32_t nlink = dir->nlink;

	if (f == NULL || sub == NULL)
		return;
	EXPECT(is_there(dir, "file", f) && is_there(dir, "sub", sub));
	check_contents(f);
	check_names(dir, f, sub);
	EXPECT_EQ(dir->nlink, nlink - 1);
	check_symlink(dir);
	inode_put(f);
	inode_put(sub);
}
