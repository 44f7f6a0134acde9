/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: looking up, opening, permissions, mounts. */
#include "kernel/vfs/test/rig.h"

#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>

#include "base/fmt.h"
#include "base/str.h"

static int setup(void **state)
{
	(void)state;
	rig_start(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_stop();
	return 0;
}

static void mkdir_ok(const char *name, uint32_t mode)
{
	uint32_t umask = rig_task.fs->umask;

	rig_task.fs->umask = 0;
	assert_int_equal(vfs_mkdir(AT_FDCWD_, name, mode), OK);
	rig_task.fs->umask = umask;
}

static void symlink_ok(const char *target, const char *name)
{
	assert_int_equal(vfs_symlink(target, AT_FDCWD_, name), OK);
}

static err_t stat_of(const char *name, struct kstat *st)
{
	return vfs_stat(AT_FDCWD_, name, LOOK_FOLLOW, st);
}

static err_t exists(const char *name)
{
	struct kstat st;

	return stat_of(name, &st);
}

static uint64_t ino_of(const char *name)
{
	struct kstat st;

	assert_int_equal(stat_of(name, &st), OK);
	return st.ino;
}

/* The path that a name leads to. */
static const char *where(const char *name)
{
	static char buf[4096];
	struct path p;
	size_t len;

	assert_int_equal(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p), OK);
	assert_int_equal(path_string(&p, buf, sizeof(buf), &len), OK);
	assert_int_equal(strlen(buf), len);
	path_put(&p);
	return buf;
}

static err_t open_err(const char *name, uint32_t flags, uint32_t mode)
{
	struct file *f;
	err_t err = (err_t)rig_open(name, flags, mode, &f);

	if (err == OK)
		file_put(f);
	return err;
}

/* ---- looking up ---- */

static void test_plain(void **state)
{
	(void)state;
	mkdir_ok("/a", 0755);
	mkdir_ok("/a/b", 0755);
	rig_put("/a/b/c", "x");
	assert_string_equal(where("/"), "/");
	assert_string_equal(where("//a//b///c"), "/a/b/c");
	assert_string_equal(where("/a/./b/../b/c"), "/a/b/c");
	assert_string_equal(where("/../../a"), "/a");
	assert_string_equal(where("a/b/"), "/a/b");
	assert_int_equal(exists(""), E_NOENT);
	assert_int_equal(exists("/a/x"), E_NOENT);
	assert_int_equal(exists("/a/x/y"), E_NOENT);
	assert_int_equal(exists("/a/b/c/"), E_NOTDIR);
	assert_int_equal(exists("/a/b/c/d"), E_NOTDIR);
	assert_int_equal(exists("/a/b/c/."), E_NOTDIR);
	assert_int_equal(exists("/a/b/c/.."), E_NOTDIR);
}

static void test_long_names(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	mkdir_ok(name, 0755);
	assert_int_equal(exists(name), OK);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(exists(name), E_NAMETOOLONG);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, name, 0755), E_NAMETOOLONG);
}

static void test_symlinks(void **state)
{
	(void)state;
	mkdir_ok("/d", 0755);
	mkdir_ok("/d/e", 0755);
	rig_put("/d/e/f", "x");
	symlink_ok("d/e", "/rel");
	symlink_ok("/d/e", "/abs");
	symlink_ok("../../rel", "/d/e/up");
	symlink_ok("nowhere", "/dangling");
	symlink_ok("self", "/self");
	symlink_ok("b", "/a");
	symlink_ok("a", "/b");
	symlink_ok("f/", "/d/e/slash");
	symlink_ok("e/", "/d/dirslash");
	assert_string_equal(where("/rel/f"), "/d/e/f");
	assert_string_equal(where("/abs/up/up/f"), "/d/e/f");
	assert_string_equal(where("/d/dirslash/f"), "/d/e/f");
	assert_int_equal(exists("/dangling"), E_NOENT);
	assert_int_equal(exists("/self"), E_LOOP);
	assert_int_equal(exists("/a"), E_LOOP);
	assert_int_equal(exists("/d/e/slash"), E_NOTDIR);
	assert_int_equal(vfs_symlink("", AT_FDCWD_, "/empty"), E_NOENT);
	assert_int_equal(open_err("/rel", O_RDONLY | O_NOFOLLOW, 0), E_LOOP);
	assert_int_equal(open_err("/rel", O_PATH | O_NOFOLLOW, 0), OK);
	assert_int_equal(open_err("/rel/", O_RDONLY | O_NOFOLLOW, 0), OK);
}

static void test_forty_links(void **state)
{
	char from[20], to[20];

	(void)state;
	rig_put("/l0", "x");
	for (unsigned i = 1; i <= 41; i++) {
		(void)fmt_snprintf(from, sizeof(from), "/l%u", i);
		(void)fmt_snprintf(to, sizeof(to), "l%u", i - 1);
		symlink_ok(to, from);
	}
	assert_int_equal(exists("/l40"), OK);
	assert_int_equal(exists("/l41"), E_LOOP);
}

static void test_at(void **state)
{
	struct file *f;
	struct kstat st;
	int fd;

	(void)state;
	mkdir_ok("/d", 0755);
	rig_put("/d/f", "x");
	assert_int_equal(rig_open("/d", O_RDONLY, 0, &f), OK);
	assert_int_equal(fd_install(f, 0, false, &fd), OK);
	assert_int_equal(vfs_stat(fd, "f", 0, &st), OK);
	assert_int_equal(vfs_stat(fd, "/d/f", 0, &st), OK);
	assert_int_equal(vfs_stat(99, "/d/f", 0, &st), OK);
	assert_int_equal(vfs_stat(99, "f", 0, &st), E_BADF);
	assert_int_equal(vfs_stat(fd, "", 0, &st), E_NOENT);
	assert_int_equal(vfs_stat(fd, "", LOOK_EMPTY, &st), OK);
	assert_true(S_ISDIR(st.mode));
	assert_int_equal(fd_close(fd), OK);
	assert_int_equal(rig_open("/d/f", O_RDONLY, 0, &f), OK);
	assert_int_equal(fd_install(f, 0, false, &fd), OK);
	assert_int_equal(vfs_stat(fd, "x", 0, &st), E_NOTDIR);
	assert_int_equal(fd_close(fd), OK);
}

static void test_openat2(void **state)
{
	struct file *f;
	struct kstat st;
	int fd;

	(void)state;
	mkdir_ok("/jail", 0755);
	mkdir_ok("/jail/in", 0755);
	rig_put("/jail/f", "x");
	rig_put("/out", "x");
	symlink_ok("../out", "/jail/up");
	symlink_ok("/out", "/jail/abs");
	symlink_ok("/f", "/jail/absf");
	symlink_ok("f", "/jail/rel");
	assert_int_equal(rig_open("/jail", O_RDONLY, 0, &f), OK);
	assert_int_equal(fd_install(f, 0, false, &fd), OK);
	assert_int_equal(vfs_stat(fd, "in/../f", LOOK_BENEATH, &st), OK);
	assert_int_equal(vfs_stat(fd, "..", LOOK_BENEATH, &st), E_XDEV);
	assert_int_equal(vfs_stat(fd, "/out", LOOK_BENEATH, &st), E_XDEV);
	assert_int_equal(vfs_stat(fd, "up", LOOK_BENEATH | LOOK_FOLLOW, &st), E_XDEV);
	assert_int_equal(vfs_stat(fd, "abs", LOOK_BENEATH | LOOK_FOLLOW, &st), E_XDEV);
	assert_int_equal(vfs_stat(fd, "rel", LOOK_BENEATH | LOOK_FOLLOW, &st), OK);
	assert_int_equal(vfs_stat(fd, "up", LOOK_IN_ROOT | LOOK_FOLLOW, &st), E_NOENT);
	assert_int_equal(vfs_stat(fd, "../../f", LOOK_IN_ROOT | LOOK_FOLLOW, &st), OK);
	assert_int_equal(vfs_stat(fd, "/f", LOOK_IN_ROOT | LOOK_FOLLOW, &st), OK);
	assert_int_equal(vfs_stat(fd, "absf", LOOK_IN_ROOT | LOOK_FOLLOW, &st), OK);
	assert_int_equal(vfs_stat(fd, "rel", LOOK_NO_SYMLINKS | LOOK_FOLLOW, &st), E_LOOP);
	assert_int_equal(fd_close(fd), OK);
}

static void test_chroot(void **state)
{
	struct path p;
	char buf[64];
	size_t len;

	(void)state;
	mkdir_ok("/new", 0755);
	mkdir_ok("/new/x", 0755);
	assert_int_equal(path_lookup(AT_FDCWD_, "/new", 0, &p), OK);
	assert_int_equal(vfs_chroot(&p), OK);
	assert_int_equal(exists("/x"), OK);
	assert_int_equal(exists("/../x"), OK);
	assert_int_equal(exists("/new"), E_NOENT);
	assert_string_equal(where("/x"), "/x");
	/* The working directory is still outside. */
	assert_int_equal(path_string(&rig_task.fs->cwd, buf, sizeof(buf), &len), E_NOENT);
	path_put(&p);
}

static void test_path_string(void **state)
{
	struct file *f;
	char buf[64];
	size_t len;

	(void)state;
	rig_put("/gone", "x");
	assert_int_equal(rig_open("/gone", O_RDONLY, 0, &f), OK);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/gone", false), OK);
	assert_int_equal(path_string(&f->path, buf, sizeof(buf), &len), OK);
	assert_string_equal(buf, "/gone (deleted)");
	assert_int_equal(path_string(&f->path, buf, 10, &len), E_NAMETOOLONG);
	assert_int_equal(path_string(&f->path, buf, 16, &len), OK);
	file_put(f);
}

/* ---- opening ---- */

static void test_open_flags(void **state)
{
	struct kstat st;

	(void)state;
	mkdir_ok("/d", 0755);
	rig_put("/f", "12345");
	symlink_ok("made", "/tomade");
	assert_int_equal(open_err("/none", O_RDONLY, 0), E_NOENT);
	assert_int_equal(open_err("/f", O_RDONLY | O_DIRECTORY, 0), E_NOTDIR);
	assert_int_equal(open_err("/d", O_WRONLY, 0), E_ISDIR);
	assert_int_equal(open_err("/d", O_RDONLY | O_CREAT, 0644), E_ISDIR);
	assert_int_equal(open_err("/new/", O_RDWR | O_CREAT, 0644), E_ISDIR);
	assert_int_equal(open_err("/f", O_RDWR | O_CREAT | O_EXCL, 0644), E_EXIST);
	assert_int_equal(open_err("/tomade", O_RDWR | O_CREAT | O_EXCL, 0644), E_EXIST);
	assert_int_equal(open_err("/tomade", O_RDWR | O_CREAT, 0666), OK);
	assert_int_equal(stat_of("/made", &st), OK);
	assert_int_equal(st.mode, S_IFREG | 0644); /* umask 022 */
	assert_int_equal(open_err("/f", O_WRONLY | O_TRUNC, 0), OK);
	assert_int_equal(stat_of("/f", &st), OK);
	assert_int_equal(st.size, 0);
	assert_int_equal(open_err("/ro", O_CREAT | O_WRONLY, 0400),
			 OK); /* the mode is for later opens */
}

static void test_tmpfile(void **state)
{
	const uint32_t tmpfile = 020000000 | O_DIRECTORY;
	struct file *f;
	struct kstat st;
	int fd;

	(void)state;
	mkdir_ok("/t", 0755);
	assert_int_equal(open_err("/t", tmpfile | O_RDONLY, 0600), E_INVAL);
	assert_int_equal(rig_open("/t", tmpfile | O_RDWR, 0600, &f), OK);
	assert_int_equal(rig_write_at(f, 0, "hi", 2), 2);
	assert_int_equal(fd_install(f, 0, false, &fd), OK);
	assert_int_equal(file_stat(f, &st), OK);
	assert_int_equal(st.nlink, 0);
	assert_int_equal(vfs_link(fd, "", AT_FDCWD_, "/t/named", LOOK_EMPTY), OK);
	assert_int_equal(ino_of("/t/named"), st.ino);
	assert_int_equal(fd_close(fd), OK);
	assert_int_equal(rig_open("/t", tmpfile | O_RDWR | O_EXCL, 0600, &f), OK);
	assert_int_equal(fd_install(f, 0, false, &fd), OK);
	assert_int_equal(vfs_link(fd, "", AT_FDCWD_, "/t/other", LOOK_EMPTY), E_NOENT);
	assert_int_equal(fd_close(fd), OK);
}

static void test_text_busy(void **state)
{
	struct file *f;

	(void)state;
	rig_put("/prog", "x");
	assert_int_equal(rig_open("/prog", O_RDONLY, 0, &f), OK);
	assert_int_equal(inode_deny_write(f->inode), OK);
	assert_int_equal(open_err("/prog", O_WRONLY, 0), E_TXTBSY);
	assert_int_equal(open_err("/prog", O_RDONLY, 0), OK);
	inode_allow_write(f->inode);
	file_put(f);
	assert_int_equal(rig_open("/prog", O_WRONLY, 0, &f), OK);
	assert_int_equal(inode_deny_write(f->inode), E_TXTBSY);
	file_put(f);
}

/* ---- permissions ---- */

static void test_permissions(void **state)
{
	(void)state;
	mkdir_ok("/closed", 0700);
	rig_put("/closed/f", "x");
	mkdir_ok("/open", 0777);
	rig_put("/open/f", "x"); /* 0644, root's */
	rig_become(1000, 1000);
	assert_int_equal(exists("/closed/f"), E_ACCES);
	assert_int_equal(open_err("/open/f", O_RDONLY, 0), OK);
	assert_int_equal(open_err("/open/f", O_RDWR, 0), E_ACCES);
	assert_int_equal(open_err("/open/f", O_RDONLY | O_TRUNC, 0), E_ACCES);
	assert_int_equal(open_err("/x", O_RDWR | O_CREAT, 0644), E_ACCES);
	assert_int_equal(open_err("/open/mine", O_RDWR | O_CREAT, 0), OK);
	assert_int_equal(open_err("/open/mine", O_RDONLY, 0), E_ACCES);
	assert_int_equal(open_err("/open/f", O_RDONLY | O_NOATIME, 0), E_PERM);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/open/f", false), OK); /* the directory decides */
	assert_int_equal(vfs_mknod(AT_FDCWD_, "/open/dev", S_IFCHR | 0600, dev_make(1, 3)), E_PERM);
	assert_int_equal(vfs_mknod(AT_FDCWD_, "/open/fifo", S_IFIFO | 0600, 0), OK);
	rig_become(0, 0);
	assert_int_equal(open_err("/open/mine", O_RDWR, 0), OK); /* modes do not bind root */
	assert_int_equal(vfs_access(AT_FDCWD_, "/open/mine", 1, 0, true), E_ACCES);
}

static void test_sticky(void **state)
{
	(void)state;
	mkdir_ok("/tmp", 01777);
	rig_put("/tmp/roots", "x");
	rig_become(1000, 1000);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/tmp/roots", false), E_PERM);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/tmp/roots", AT_FDCWD_, "/tmp/x", 0), E_PERM);
	rig_put("/tmp/mine", "x");
	assert_int_equal(vfs_rename(AT_FDCWD_, "/tmp/mine", AT_FDCWD_, "/tmp/roots", 0), E_PERM);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/tmp/mine", false), OK);
	rig_become(0, 0);
}

static void test_setgid(void **state)
{
	struct attr_change c = { .valid = ATTR_GID, .gid = 50 };
	struct kstat st;
	struct path p;

	(void)state;
	mkdir_ok("/g", 0777);
	assert_int_equal(path_lookup(AT_FDCWD_, "/g", 0, &p), OK);
	assert_int_equal(vfs_setattr(&p, &c, 0), OK);
	c = (struct attr_change){ .valid = ATTR_MODE, .mode = 02777 };
	assert_int_equal(vfs_setattr(&p, &c, 0), OK);
	path_put(&p);
	rig_become(1000, 1000);
	mkdir_ok("/g/sub", 0755);
	rig_put("/g/f", "x");
	assert_int_equal(stat_of("/g/sub", &st), OK);
	assert_int_equal(st.gid, 50);
	assert_int_equal(st.mode & 07777, 02755);
	assert_int_equal(stat_of("/g/f", &st), OK);
	assert_int_equal(st.gid, 50);
	rig_become(0, 0);
}

static err_t set(const char *name, struct attr_change c)
{
	struct path p;
	err_t err;

	TRY(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p));
	err = vfs_setattr(&p, &c, 0);
	path_put(&p);
	return err;
}

static const struct group_list seven_only = { .refs = 1, .n = 1, .gids = { 7 } };

static void test_setattr_rules(void **state)
{
	const struct attr_change mode = { .valid = ATTR_MODE, .mode = 06755 },
				 own = { .valid = ATTR_UID, .uid = 5 };
	const struct attr_change times = { .valid = ATTR_ATIME | ATTR_MTIME,
					   .now = ATTR_ATIME | ATTR_MTIME };
	const struct attr_change explicit = { .valid = ATTR_MTIME, .mtime_ns = 5 };
	const struct attr_change group = { .valid = ATTR_GID, .gid = 7 };
	struct kstat st;

	(void)state;
	mkdir_ok("/d", 0777);
	rig_put("/d/roots", "x");
	assert_int_equal(set("/d/roots", (struct attr_change){ .valid = ATTR_MODE, .mode = 0666 }),
			 OK);
	rig_become(1000, 1000);
	rig_put("/d/mine", "x");
	assert_int_equal(set("/d/roots", mode), E_PERM);
	assert_int_equal(set("/d/mine", own), E_PERM);
	assert_int_equal(set("/d/mine", group), E_PERM);
	assert_int_equal(set("/d/roots", times), OK); /* may write: may touch */
	assert_int_equal(set("/d/roots", explicit), E_PERM);
	rig_task.cred.groups = (struct group_list *)&seven_only;
	assert_int_equal(set("/d/mine", mode), OK);
	assert_int_equal(set("/d/mine", group), OK);
	assert_int_equal(stat_of("/d/mine", &st), OK);
	assert_int_equal(st.gid, 7);
	assert_int_equal(st.mode & 07777, 0755); /* a new owner takes the set-id bits away */
	rig_become(0, 0);
	assert_int_equal(set("/d/mine", mode), OK);
	assert_int_equal(set("/d/mine", (struct attr_change){ .valid = ATTR_MODE, .mode = 04777 }),
			 OK);
	rig_become(1001, 1001);
	rig_put("/d/mine", "y"); /* a stranger writes: the bit goes */
	assert_int_equal(stat_of("/d/mine", &st), OK);
	assert_int_equal(st.mode & 07777, 0777);
	rig_become(0, 0);
}

/* ---- names that change ---- */

static void test_rename_errors(void **state)
{
	(void)state;
	mkdir_ok("/d", 0755);
	mkdir_ok("/d/sub", 0755);
	mkdir_ok("/e", 0755);
	rig_put("/f", "x");
	assert_int_equal(vfs_rename(AT_FDCWD_, "/d", AT_FDCWD_, "/d/sub/x", 0), E_INVAL);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/d/sub", AT_FDCWD_, "/d", 0), E_NOTEMPTY);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/e", 0), E_ISDIR);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/e", AT_FDCWD_, "/f", 0), E_NOTDIR);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/g/", 0), E_NOTDIR);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/e/.", AT_FDCWD_, "/g", 0), E_BUSY);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/e", 3), E_INVAL);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/e", RENAME_NOREPLACE), E_EXIST);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/none", RENAME_EXCHANGE), E_NOENT);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/f", AT_FDCWD_, "/d/sub", RENAME_EXCHANGE), OK);
	assert_string_equal(where("/f"), "/f");
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/f", true), OK);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d/sub", false), OK);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d/.", true), E_INVAL);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d/..", true), E_NOTEMPTY);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/", true), E_BUSY);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d", false), E_ISDIR);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/d/.", 0755), E_EXIST);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/", 0755), E_EXIST);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/h/", 0755), OK);
	assert_int_equal(vfs_symlink("t", AT_FDCWD_, "/i/"), E_NOENT);
}

/* A removed directory that is still somebody's place takes no new names. */
static void test_removed_directory(void **state)
{
	struct path p;

	(void)state;
	mkdir_ok("/d", 0755);
	assert_int_equal(path_lookup(AT_FDCWD_, "/d", 0, &p), OK);
	assert_int_equal(vfs_chdir(&p), OK);
	path_put(&p);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d", true), OK);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "x", 0755), E_NOENT);
	assert_int_equal(open_err("x", O_CREAT | O_RDWR, 0644), E_NOENT);
	assert_int_equal(open_err(".", O_RDONLY, 0), OK);
	assert_int_equal(exists("../"), OK);
}

/* ---- mounts ---- */

static void test_mounts(void **state)
{
	struct kstatfs fs;
	struct path p;

	(void)state;
	mkdir_ok("/m", 0755);
	mkdir_ok("/m/under", 0755);
	assert_int_equal(vfs_mount("none", "/m", "tmpfs", 0, "size=1m,mode=700"), OK);
	assert_int_equal(exists("/m/under"), E_NOENT);
	mkdir_ok("/m/over", 0755);
	assert_string_equal(where("/m/over"), "/m/over");
	assert_string_equal(where("/m/over/../.."), "/");
	assert_int_equal(path_lookup(AT_FDCWD_, "/m", 0, &p), OK);
	assert_int_equal(vfs_statfs(&p, &fs), OK);
	assert_int_equal(fs.blocks, 256);
	path_put(&p);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/m/over", AT_FDCWD_, "/over", 0), E_XDEV);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/m", true), E_BUSY);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/m", AT_FDCWD_, "/n", 0), E_BUSY);
	assert_int_equal(vfs_mount("none", "/m", "tmpfs", 0, "colour=red"), E_INVAL);
	assert_int_equal(vfs_mount("none", "/m", "nofs", 0, NULL), E_NODEV);
	assert_int_equal(vfs_mount(NULL, "/m", NULL, MS_REMOUNT | MS_RDONLY, NULL), OK);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/m/x", 0755), E_ROFS);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/m/over", 0755), E_EXIST);
	assert_int_equal(vfs_mount(NULL, "/m", NULL, MS_REMOUNT, NULL), OK);
	assert_int_equal(path_lookup(AT_FDCWD_, "/m/over", 0, &p), OK);
	assert_int_equal(vfs_umount("/m", 0), E_BUSY);
	assert_int_equal(vfs_umount("/m", 2), OK); /* MNT_DETACH: goes with its last user */
	assert_int_equal(exists("/m/under"), OK);
	path_put(&p);
	assert_int_equal(vfs_umount("/m", 0), E_INVAL);
	assert_int_equal(vfs_umount("/", 0), E_INVAL);
}

static void test_bind(void **state)
{
	(void)state;
	mkdir_ok("/from", 0755);
	mkdir_ok("/to", 0755);
	rig_put("/from/f", "x");
	rig_put("/file", "");
	assert_int_equal(vfs_mount("/from", "/to", NULL, MS_BIND, NULL), OK);
	assert_int_equal(ino_of("/to/f"), ino_of("/from/f"));
	assert_string_equal(where("/to/f"), "/to/f");
	assert_int_equal(vfs_mount("/from/f", "/to", NULL, MS_BIND, NULL), E_NOTDIR);
	assert_int_equal(vfs_mount("/from/f", "/file", NULL, MS_BIND, NULL), OK);
	assert_int_equal(ino_of("/file"), ino_of("/from/f"));
	assert_int_equal(vfs_umount("/file", 0), OK);
	assert_int_equal(vfs_umount("/to", 0), OK);
	rig_become(1000, 1000);
	assert_int_equal(vfs_mount("/from", "/to", NULL, MS_BIND, NULL), E_PERM);
	rig_become(0, 0);
}

static void test_no_dev(void **state)
{
	(void)state;
	mkdir_ok("/m", 0755);
	assert_int_equal(vfs_mount("none", "/m", "tmpfs", MS_NODEV | MS_NOEXEC, NULL), OK);
	assert_int_equal(vfs_mknod(AT_FDCWD_, "/m/null", S_IFCHR | 0666, dev_make(1, 3)), OK);
	assert_int_equal(open_err("/m/null", O_RDONLY, 0), E_ACCES);
	rig_put("/m/prog", "x");
	assert_int_equal(set("/m/prog", (struct attr_change){ .valid = ATTR_MODE, .mode = 0755 }),
			 OK);
	assert_int_equal(vfs_access(AT_FDCWD_, "/m/prog", 1, 0, true), E_ACCES);
	assert_int_equal(vfs_umount("/m", 0), OK);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain),
		T(test_long_names),
		T(test_symlinks),
		T(test_forty_links),
		T(test_at),
		T(test_openat2),
		T(test_chroot),
		T(test_path_string),
		T(test_open_flags),
		T(test_tmpfile),
		T(test_text_busy),
		T(test_permissions),
		T(test_sticky),
		T(test_setgid),
		T(test_setattr_rules),
		T(test_rename_errors),
		T(test_removed_directory),
		T(test_mounts),
		T(test_bind),
		T(test_no_dev),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
