/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations, each done here and on the host's own file system: same answer, same tree. Once
 * on an empty tmpfs, once over an image of a tree that the host begins with. In between the memory
 * reclaim drops what it can.
 */
#include "kernel/vfs/test/rig.h"

#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/vfs/test/host.h"

#define STEPS    40000u
#define FILE_MAX (64u * 1024)

static char data[FILE_MAX], mine[FILE_MAX + 8192], theirs[FILE_MAX + 8192];

/* ---- names ---- */

static unsigned below(unsigned n)
{
	return (unsigned)(host_random() % n);
}

/* A path of one to three components from few names, so that they meet. */
static const char *random_path(char *buf)
{
	static const char *const names[] = { "a", "b", "c", "dir", "e2", "long-name-long-name" };
	unsigned depth = 1 + below(2) + below(2);
	size_t len = 0;

	for (unsigned i = 0; i < depth; i++)
		len += fmt_snprintf(buf + len, 100 - len, "%s%s", i > 0 ? "/" : "",
				    names[below(ARRAY_SIZE(names))]);
	if (below(20) == 0)
		(void)fmt_snprintf(buf + len, 100 - len, "/");
	return buf;
}

/* ---- one operation on both sides ---- */

static long open_here(const char *path, uint32_t flags, uint32_t mode, struct file **f)
{
	return vfs_open(AT_FDCWD_, path, flags, mode, LOOK_FOLLOW, f);
}

static void both_write(const char *path)
{
	static const uint32_t flags[] = { O_WRONLY,
					  O_WRONLY | O_CREAT,
					  O_WRONLY | O_CREAT | O_EXCL,
					  O_RDWR | O_CREAT | O_TRUNC,
					  O_WRONLY | O_APPEND,
					  O_WRONLY | O_NOFOLLOW | O_CREAT };
	uint32_t how = flags[below(ARRAY_SIZE(flags))];
	uint64_t off = below(FILE_MAX - 10000);
	size_t len = below(3) == 0 ? below(9000) : below(200);
	struct file *f;
	long here, there;

	for (size_t i = 0; i < len; i++)
		data[i] = (char)host_random();
	here = open_here(path, how, 0644, &f);
	if (here == OK) {
		here = rig_write_at(f, off, data, len);
		file_put(f);
	}
	there = host_write(path, (int)how, 0644, (int64_t)off, data, len);
	assert_int_equal(here, there);
}

static void both_read(const char *path)
{
	uint64_t off = below(FILE_MAX);
	size_t len = below(FILE_MAX);
	struct file *f;
	long here, there;

	here = open_here(path, O_RDONLY, 0, &f);
	if (here == OK) {
		here = rig_read_at(f, off, mine, len);
		file_put(f);
	}
	there = host_read(path, (int64_t)off, theirs, len);
	assert_int_equal(here, there);
	if (here > 0)
		assert_memory_equal(mine, theirs, (size_t)here);
}

static void both_truncate(const char *path)
{
	int64_t size = below(3) == 0 ? below(5) * 4096 : below(FILE_MAX);
	struct attr_change c = { .valid = ATTR_SIZE, .size = (uint64_t)size };
	struct path p;
	long here = path_lookup(AT_FDCWD_, path, LOOK_FOLLOW, &p);

	if (here == OK) {
		here = vfs_setattr(&p, &c, 0);
		path_put(&p);
	}
	assert_int_equal(here, host_truncate(path, size));
}

static void both_fallocate(const char *path)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
	int mode = modes[below(3)];
	uint64_t off = below(FILE_MAX / 2), len = 1 + below(FILE_MAX / 2);
	struct file *f;
	long here = open_here(path, O_RDWR, 0, &f);

	if (here == OK) {
		here = file_allocate(f, mode, off, len);
		file_put(f);
	}
	assert_int_equal(here, host_fallocate(path, mode, (int64_t)off, (int64_t)len));
}

static void both_rename(const char *from, const char *to)
{
	unsigned flags = below(3) == 0 ? RENAME_EXCHANGE : below(3) == 0 ? RENAME_NOREPLACE : 0;

	assert_int_equal(vfs_rename(AT_FDCWD_, from, AT_FDCWD_, to, flags),
			 host_rename(from, to, flags));
}

static void both_chmod(const char *path)
{
	struct attr_change c = { .valid = ATTR_MODE, .mode = below(01000) | 0700 };
	uint32_t mode = c.mode;
	struct path p;
	long here = path_lookup(AT_FDCWD_, path, LOOK_FOLLOW, &p);

	if (here == OK) {
		here = vfs_setattr(&p, &c, 0);
		path_put(&p);
	}
	assert_int_equal(here, host_chmod(path, mode));
}

static void both_readlink(const char *path)
{
	size_t len = 0;
	long here = vfs_readlink(AT_FDCWD_, path, mine, 200, &len);
	int there = host_readlink(path, theirs, 200);

	assert_int_equal(here == OK ? (long)len : here, there);
	if (there > 0)
		assert_memory_equal(mine, theirs, (size_t)there);
}

static void one_step(void)
{
	char a[128], b[128];

	random_path(a);
	random_path(b);
	switch (below(18)) {
	case 0: assert_int_equal(vfs_mkdir(AT_FDCWD_, a, 0755), host_mkdir(a, 0755)); break;
	case 1: assert_int_equal(vfs_mkdir(AT_FDCWD_, a, 02775), host_mkdir(a, 02775)); break;
	case 2: /* removing less often than making: else there is nothing to meet */
		if (below(3) == 0)
			assert_int_equal(vfs_unlink(AT_FDCWD_, a, false), host_unlink(a));
		break;
	case 3: assert_int_equal(vfs_unlink(AT_FDCWD_, a, true), host_rmdir(a)); break;
	case 4: assert_int_equal(vfs_link(AT_FDCWD_, a, AT_FDCWD_, b, 0), host_link(a, b)); break;
	case 5: assert_int_equal(vfs_symlink(a, AT_FDCWD_, b), host_symlink(a, b)); break;
	case 6:
	case 7: both_rename(a, b); break;
	case 8: both_truncate(a); break;
	case 9: both_fallocate(a); break;
	case 10: both_read(a); break;
	case 11: both_chmod(a); break;
	case 12: both_readlink(a); break;
	default: both_write(a); break;
	}
}

/* ---- comparing the trees ---- */

struct dir_compare {
	const char *path;
	unsigned here;
};

static void compare_tree(const char *path);

static bool compare_name(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type,
			 uint64_t pos)
{
	struct dir_compare *d = ctx;
	struct kstat st;
	char path[600];

	(void)pos;
	if (name[0] == '.' && (len == 1 || name[1] == '.'))
		return true;
	d->here++;
	(void)fmt_snprintf(path, sizeof(path), "%s/%.*s", d->path, (int)len, name);
	assert_int_equal(vfs_stat(AT_FDCWD_, path, 0, &st), OK);
	assert_int_equal(st.ino, ino);
	assert_int_equal(st.mode >> 12, type);
	compare_tree(path);
	return true;
}

static void count_name(void *ctx, const char *name)
{
	(void)name;
	++*(unsigned *)ctx;
}

static void compare_dir(const char *path)
{
	struct dir_compare d = { path, 0 };
	unsigned there = 0;
	struct file *f;

	assert_int_equal(open_here(path, O_RDONLY | O_DIRECTORY, 0, &f), OK);
	assert_int_equal(file_readdir(f, compare_name, &d), OK);
	file_put(f);
	assert_true(host_list(path, count_name, &there) >= 0);
	assert_int_equal(d.here, there);
}

static void compare_file(const char *path, uint64_t size)
{
	struct file *f;

	if (size > sizeof(mine))
		return;
	assert_int_equal(open_here(path, O_RDONLY, 0, &f), OK);
	assert_int_equal(rig_read_at(f, 0, mine, size), size);
	file_put(f);
	assert_int_equal(host_read(path, 0, theirs, size), size);
	assert_memory_equal(mine, theirs, size);
}

static void compare_tree(const char *path)
{
	struct host_stat there;
	struct kstat here;

	assert_int_equal(vfs_stat(AT_FDCWD_, path, 0, &here), OK);
	assert_int_equal(host_stat(path, &there), 0);
	assert_int_equal(here.mode, there.mode);
	assert_int_equal(here.nlink, there.nlink);
	assert_int_equal(here.uid, there.uid);
	if (S_ISREG(there.mode)) {
		assert_int_equal(here.size, there.size);
		compare_file(path, there.size);
	} else if (S_ISDIR(there.mode)) {
		compare_dir(path);
	} else if (S_ISLNK(there.mode)) {
		both_readlink(path);
	}
}

/* ---- runs ---- */

static void run_steps(unsigned steps)
{
	for (unsigned n = 1; n <= steps; n++) {
		one_step();
		if (n % 97 == 0) {
			while (dentry_shrink(64) > 0 && below(2) == 0)
				;
			(void)tmpfs_reclaim(below(2) == 0 ? 0 : 1000);
		}
		if (n % 500 == 0)
			compare_tree(".");
	}
}

static void test_alone(void **state)
{
	char *folder = host_folder();

	(void)state;
	host_random_seed(7);
	host_enter(folder);
	rig_start(NULL, 0);
	rig_task.fs->umask = 0;
	run_steps(STEPS);
	rig_stop();
	host_remove(folder);
}

/* Three rounds: what one leaves on the host is the image of the next. */
static void test_over_image(void **state)
{
	char *folder = host_folder();
	size_t len;
	void *image;

	(void)state;
	host_random_seed(11);
	host_enter(folder);
	for (unsigned round = 0; round < 4; round++) {
		image = host_image(folder, round % 2 == 0 ? "" : "-Eforce-inode-extended", &len);
		if (image == NULL) {
			host_remove(folder);
			skip();
		}
		rig_start(image, len);
		rig_task.fs->umask = 0;
		if (round > 0)
			compare_tree(".");
		run_steps(STEPS / 3);
		rig_stop();
		host_image_free(image);
	}
	host_remove(folder);
}

/* Memory that fails now and then: no crash, nothing lost, errors that say so. */
static void test_no_memory(void **state)
{
	char *folder = host_folder();
	size_t len;
	void *image;

	(void)state;
	host_random_seed(5);
	host_enter(folder);
	rig_start(NULL, 0);
	rig_task.fs->umask = 0;
	run_steps(300);
	rig_stop();
	image = host_image(folder, "", &len);
	host_remove(folder);
	if (image == NULL)
		skip();
	rig_start(image, len);
	for (unsigned n = 0; n < 20000; n++) {
		char a[128], b[128];
		struct file *f;
		long err;

		kmem_fail_every = 2 + below(9);
		random_path(a);
		random_path(b);
		switch (below(8)) {
		case 0: err = vfs_mkdir(AT_FDCWD_, a, 0755); break;
		case 1: err = vfs_unlink(AT_FDCWD_, a, below(2) == 0); break;
		case 2: err = vfs_link(AT_FDCWD_, a, AT_FDCWD_, b, 0); break;
		case 3: err = vfs_symlink(a, AT_FDCWD_, b); break;
		case 4:
			err = vfs_rename(AT_FDCWD_, a, AT_FDCWD_, b,
					 below(2) == 0 ? RENAME_EXCHANGE : 0);
			break;
		default:
			err = open_here(a, O_RDWR | O_CREAT, 0644, &f);
			if (err != OK)
				break;
			err = rig_write_at(f, below(FILE_MAX / 2), data, below(FILE_MAX / 2));
			if (err > 0)
				err = file_allocate(f, below(2) == 0 ? 3 : 0, below(FILE_MAX),
						    1 + below(FILE_MAX));
			file_put(f);
			break;
		}
		assert_true(err >= -40); /* E_LOOP: a plain error of Linux */
		if (n % 50 == 0)
			(void)tmpfs_reclaim(1);
	}
	rig_stop();
	host_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_over_image),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
