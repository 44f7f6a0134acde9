/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader against images that mkfs.erofs makes of a tree, whole and damaged. */
#include "kernel/vfs/test/rig.h"

#include "abi/nk.h"
#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/erofs/erofs.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/test/host.h"

#define BIG       100000u
#define MUTATIONS 20000u

static char bytes[BIG], got[BIG + 4096];

/* ---- a tree with everything in it ---- */

static void make_files(unsigned names)
{
	static const unsigned sizes[] = { 0, 1, 30, 4000, 4095, 4096, 4097, 8192, 12289, BIG };
	char name[300];

	for (unsigned i = 0; i < BIG; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		(void)fmt_snprintf(name, sizeof(name), "file%u", sizes[i]);
		assert_int_equal(host_write(name, 0101, 0640, 0, bytes, sizes[i]), sizes[i]);
	}
	assert_int_equal(host_mkdir("empty", 01777), 0);
	assert_int_equal(host_mkdir("many", 0755), 0);
	for (unsigned i = 0; i < names; i++) {
		(void)fmt_snprintf(name, sizeof(name), "many/%u-%0*u", i * 7919 % names,
				   (int)(i % 90), i);
		assert_int_equal(host_write(name, 0101, 0644, 0, bytes, i % 9), i % 9);
	}
	assert_int_equal(host_mkdir("deep", 0700), 0);
	assert_int_equal(host_mkdir("deep/er", 0700), 0);
	assert_int_equal(host_write("deep/er/x", 0101, 04755, 0, "x", 1), 1);
	assert_int_equal(host_link("deep/er/x", "hard"), 0);
	assert_int_equal(host_symlink("deep/er/x", "link"), 0);
	memset(name, 'n', 200);
	name[200] = '\0';
	assert_int_equal(host_symlink(name, name), 0);
	assert_int_equal(host_mknod("fifo", S_IFIFO | 0600, 0), 0);
	(void)host_mknod("null", S_IFCHR | 0666, dev_make(1, 3)); /* not everywhere allowed */
	(void)host_setxattr("file30", "user.colour", "blue", 4);
	(void)host_setxattr("file4096", "user.colour", "blue", 4);
	(void)host_setxattr("deep", "trusted.level", "12", 2);
}

/* ---- comparing ---- */

static void compare_page(struct inode *i, uint64_t index, uint64_t size)
{
	struct vmobject *o = i->ops->object(i);
	uint64_t used = size - index * PAGE_SIZE;
	const char *p;
	paddr_t pa;

	assert_int_equal(o->ops->page(o, index, false, &pa), OK);
	p = dm_ptr(pa);
	if (used > PAGE_SIZE)
		used = PAGE_SIZE;
	assert_memory_equal(p, bytes + index * PAGE_SIZE, used);
	for (; used < PAGE_SIZE; used++)
		assert_int_equal(p[used], 0);
	if (frame_is_ours(pa))
		frame_put(pa);
}

static void compare_contents(struct inode *i, uint64_t size, const char *host)
{
	struct uio to;
	size_t done;
	paddr_t pa;

	if (size > BIG)
		return;
	assert_int_equal(host_read(host, 0, bytes, size), size);
	for (uint64_t off = 0; off <= size; off += 1 + size / 3) {
		uio_kernel(&to, got, size + 100 - off);
		assert_int_equal(i->ops->read(i, off, &to, &done), OK);
		assert_int_equal(done, size - off);
		assert_memory_equal(got, bytes + off, done);
	}
	for (uint64_t index = 0; index * PAGE_SIZE < size; index++)
		compare_page(i, index, size);
	assert_int_equal(i->ops->object(i)->ops->page(i->ops->object(i),
						      (size + PAGE_MASK) / PAGE_SIZE, false, &pa),
			 E_FAULT);
}

static void compare_link(struct inode *i, const char *host)
{
	char want[300];
	size_t len;
	int n = host_readlink(host, want, sizeof(want));

	assert_int_equal(i->ops->readlink(i, got, sizeof(got), &len), OK);
	assert_int_equal(len, n);
	assert_memory_equal(got, want, len);
}

struct expect {
	struct inode *dir;
	const char *path;
	unsigned count;
};

static void compare_inode(struct inode *i, const char *host);

static void compare_entry(void *ctx, const char *name)
{
	struct expect *e = ctx;
	struct inode *i;
	char path[1024];

	(void)fmt_snprintf(path, sizeof(path), "%s/%s", e->path, name);
	assert_int_equal(e->dir->ops->lookup(e->dir, name, strlen(name), &i), OK);
	compare_inode(i, path);
	inode_put(i);
	e->count++;
}

static bool count_entry(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			uint64_t pos)
{
	struct expect *e = ctx;
	struct inode *i;

	(void)pos;
	assert_int_equal(e->dir->ops->lookup(e->dir, name, len, &i), OK);
	assert_int_equal(i->ino, ino);
	assert_int_equal(i->mode >> 12, type);
	inode_put(i);
	e->count++;
	return e->count % 5 != 0; /* stop now and then: the position must lead on */
}

static void compare_directory(struct inode *i, const char *host)
{
	struct expect e = { i, host, 0 };
	int n = host_list(host, compare_entry, &e);
	struct inode *none;

	assert_int_equal(e.count, n);
	e.count = 0;
	assert_int_equal(i->ops->readdir(i, 0, count_entry, &e), OK);
	assert_int_equal(i->ops->lookup(i, "not there", 9, &none), E_NOENT);
	assert_int_equal(i->ops->lookup(i, "", 0, &none), E_NOENT);
}

static void compare_inode(struct inode *i, const char *host)
{
	struct host_stat st;

	assert_int_equal(host_stat(host, &st), 0);
	assert_int_equal(i->mode, st.mode);
	assert_int_equal(i->uid, st.uid);
	assert_int_equal(i->gid, st.gid);
	assert_int_equal(i->nlink, st.nlink);
	if (S_ISREG(st.mode)) {
		assert_int_equal(i->size, st.size);
		compare_contents(i, st.size, host);
	} else if (S_ISLNK(st.mode)) {
		compare_link(i, host);
	} else if (S_ISDIR(st.mode)) {
		compare_directory(i, host);
	} else if (S_ISCHR(st.mode)) {
		assert_int_equal(i->rdev, st.rdev);
	}
}

static bool next_position(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			  uint64_t pos)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	*(uint64_t *)ctx = pos;
	return false;
}

/* ---- mounting by hand ---- */

static struct super super;
static const struct fs_ops no_unmount = { .name = "test" };

static err_t mount_copy(const void *image, size_t len, struct inode **root)
{
	super = (struct super){ .ops = &no_unmount, .refs = 1, .dev = 1 };
	return erofs_mount_at(&super, image, len, dm_paddr(image), root);
}

static void unmount_copy(struct inode *root)
{
	void *img = super.priv;

	inode_put(root);
	assert_int_equal(super.refs, 1);
	kmem_free(img);
}

/* ---- tests ---- */

static void compare_with_options(const char *options, bool colour)
{
	char *folder = host_folder();
	struct inode *root, *i;
	size_t len, n;
	void *image;

	assert_non_null(folder);
	host_enter(folder);
	make_files(2000);
	image = host_image(folder, options, &len);
	if (image == NULL) {
		host_remove(folder);
		skip(); /* mkfs.erofs is not there, or does not know the option */
	}
	assert_int_equal(mount_copy(image, len, &root), OK);
	compare_inode(root, ".");
	if (colour && root->ops->lookup(root, "file30", 6, &i) == OK) {
		err_t err = i->ops->getxattr(i, "user.colour", got, sizeof(got), &n);

		if (err == OK) { /* the folder's file system can have them */
			assert_int_equal(n, 4);
			assert_memory_equal(got, "blue", 4);
			assert_int_equal(i->ops->getxattr(i, "user.color", got, sizeof(got), &n),
					 E_NODATA);
			assert_int_equal(i->ops->getxattr(i, "user.colour", got, 3, &n), E_RANGE);
			assert_int_equal(i->ops->listxattr(i, got, sizeof(got), &n), OK);
			assert_int_equal(n, 12);
		}
		inode_put(i);
	}
	unmount_copy(root);
	host_image_free(image);
	host_remove(folder);
	assert_int_equal(rig_objects, 0);
	assert_int_equal(rig_frames, 0);
}

static void test_default(void **state)
{
	(void)state;
	compare_with_options("", true);
}

static void test_extended(void **state)
{
	(void)state;
	compare_with_options("-Eforce-inode-extended", true);
}

static void test_plain(void **state)
{
	(void)state;
	compare_with_options("-Enoinline_data", true);
}

static void test_no_xattr(void **state)
{
	(void)state;
	compare_with_options("-x-1", false);
}

/* ---- damage ---- */

static unsigned budget; /* of inodes that one walk looks at: damaged directories may have loops */

static void walk_damaged(struct inode *i);

struct damaged_ctx {
	struct inode *dir;
};

static bool visit(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
		  uint64_t pos)
{
	struct damaged_ctx *d = ctx;
	struct inode *i;

	(void)ino;
	(void)type;
	(void)pos;
	if (budget == 0)
		return false;
	budget--;
	if (d->dir->ops->lookup(d->dir, name, len, &i) == OK) {
		walk_damaged(i);
		inode_put(i);
	}
	return true;
}

static void read_damaged(struct inode *i)
{
	struct uio to;
	size_t done;
	paddr_t pa;

	uio_kernel(&to, got, sizeof(got));
	(void)!i->ops->read(i, 0, &to, &done);
	uio_kernel(&to, got, 100);
	if (i->size > 50)
		(void)!i->ops->read(i, i->size - 50, &to, &done);
	for (uint64_t index = i->size / PAGE_SIZE, n = 0; n < 3; n++, index--) {
		if (i->ops->object(i)->ops->page(i->ops->object(i), index, false, &pa) != OK)
			continue;
		memcpy(got, dm_ptr(pa), PAGE_SIZE);
		if (frame_is_ours(pa))
			frame_put(pa);
	}
}

static void walk_damaged(struct inode *i)
{
	struct damaged_ctx d = { i };
	size_t len;

	(void)!i->ops->listxattr(i, got, sizeof(got), &len);
	(void)!i->ops->getxattr(i, "user.colour", got, 10, &len);
	if (S_ISDIR(i->mode))
		(void)!i->ops->readdir(i, 0, visit, &d);
	else if (S_ISREG(i->mode))
		read_damaged(i);
	else if (S_ISLNK(i->mode))
		(void)!i->ops->readlink(i, got, 300, &len);
}

static void mutate(char *image, size_t len)
{
	unsigned n = 1 + (unsigned)(host_random() % 8);

	for (; n > 0; n--) {
		/* Half of it into the first blocks: super block, inodes, directories. */
		size_t at = host_random() % (host_random() % 2 == 0 && len > 8192 ? 8192 : len);

		image[at] = (char)host_random();
		if (host_random() % 4 == 0 && at + 4 < len)
			memset(image + at, host_random() % 2 == 0 ? 0xff : 0, 4);
	}
	/* The checksum of the super block would refuse most of it: switch it off. */
	image[1024 + 8] &= ~1;
}

static void test_damaged(void **state)
{
	char *folder = host_folder();
	struct inode *root;
	size_t len, mounted = 0;
	void *image;

	(void)state;
	assert_non_null(folder);
	host_enter(folder);
	make_files(60);
	(void)host_unlink("file100000");
	image = host_image(folder, "", &len);
	host_remove(folder);
	if (image == NULL)
		skip();
	host_random_seed(42);
	for (unsigned n = 0; n < MUTATIONS; n++) {
		size_t cut = n % 16 == 0 ? host_random() % len : len;
		char *copy = host_copy(image, cut);

		if (cut > 2048)
			mutate(copy, cut);
		budget = 300;
		if (mount_copy(copy, cut, &root) == OK) {
			mounted++;
			walk_damaged(root);
			unmount_copy(root);
		}
		host_image_free(copy);
	}
	assert_true(mounted > MUTATIONS / 4);
	assert_int_equal(rig_objects, 0);
	assert_int_equal(rig_frames, 0);
	host_image_free(image);
}

static void test_refused(void **state)
{
	static char zeros[8192] __attribute__((aligned(4096)));
	struct inode *root;

	(void)state;
	assert_int_equal(mount_copy(zeros, sizeof(zeros), &root), E_IO);
	assert_int_equal(mount_copy(zeros, 100, &root), E_IO);
	assert_int_equal(mount_copy(zeros, 0, &root), E_IO);
	assert_int_equal(rig_objects, 0);
}

/* Positions given to readdir lead on from any entry. */
static void test_positions(void **state)
{
	char *folder = host_folder();
	struct inode *root, *dir;
	uint64_t pos = 0, before;
	unsigned n = 0;
	size_t len;
	void *image;

	(void)state;
	host_enter(folder);
	make_files(500);
	image = host_image(folder, "", &len);
	host_remove(folder);
	if (image == NULL)
		skip();
	assert_int_equal(mount_copy(image, len, &root), OK);
	assert_int_equal(root->ops->lookup(root, "many", 4, &dir), OK);
	do {
		before = pos;
		assert_int_equal(dir->ops->readdir(dir, pos, next_position, &pos), OK);
		n += pos != before;
	} while (pos != before);
	assert_int_equal(n, 500);
	inode_put(dir);
	unmount_copy(root);
	host_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),   cmocka_unit_test(test_extended),
		cmocka_unit_test(test_plain),     cmocka_unit_test(test_no_xattr),
		cmocka_unit_test(test_positions), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
