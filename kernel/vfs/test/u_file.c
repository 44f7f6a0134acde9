/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: positions, limits, descriptors, locks. */
#include "kernel/vfs/test/rig.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#include "base/str.h"
#include "comp/fs/tmpfs/tmpfs.h"
#include "kernel/mem/frame.h"
#include "kernel/vfs/inotify.h"
#include "kernel/vfs/lock.h"

static int setup(void **state)
{
	(void)state;
	rig_start(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_on_wait = NULL;
	rig_stop();
	return 0;
}

static struct file *open_ok(const char *name, uint32_t flags)
{
	struct file *f;

	assert_int_equal(rig_open(name, flags, 0644, &f), OK);
	return f;
}

static long write_text(struct file *f, const char *text)
{
	struct uio u;
	size_t done;
	err_t err;

	uio_kernel(&u, (void *)text, strlen(text));
	err = file_write(f, &u, &done);
	return done > 0 ? (long)done : err;
}

static void expect_text(const char *name, const char *text)
{
	struct file *f = open_ok(name, O_RDONLY);
	char got[100];

	assert_int_equal(rig_read_at(f, 0, got, sizeof(got)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
	file_put(f);
}

/* ---- positions ---- */

static void test_positions(void **state)
{
	struct file *f = open_ok("/f", O_RDWR | O_CREAT);
	char got[10];

	(void)state;
	assert_int_equal(write_text(f, "hello"), 5);
	assert_int_equal(f->pos, 5);
	assert_int_equal(file_seek(f, -3, SEEK_CUR), 2);
	assert_int_equal(file_seek(f, 1, SEEK_END), 6);
	assert_int_equal(file_seek(f, -1, SEEK_SET), E_INVAL);
	assert_int_equal(file_seek(f, 0, 77), E_INVAL);
	assert_int_equal(write_text(f, "x"), 1);
	assert_int_equal(rig_read_at(f, 0, got, 10), 7);
	assert_memory_equal(got, "hello\0x", 7);
	assert_int_equal(file_seek(f, 3, SEEK_DATA), 3);
	assert_int_equal(file_seek(f, 3, SEEK_HOLE), 7);
	assert_int_equal(file_seek(f, 7, SEEK_DATA), E_NXIO);
	file_put(f);
}

static void test_append(void **state)
{
	struct file *a = open_ok("/f", O_WRONLY | O_CREAT | O_APPEND),
		    *b = open_ok("/f", O_WRONLY | O_APPEND);

	(void)state;
	assert_int_equal(write_text(a, "one"), 3);
	assert_int_equal(write_text(b, "two"), 3);
	assert_int_equal(write_text(a, "three"), 5);
	assert_int_equal(rig_write_at(b, 0, "four", 4), 4); /* as Linux: also pwrite appends */
	expect_text("/f", "onetwothreefour");
	file_put(a);
	file_put(b);
}

static void test_modes(void **state)
{
	struct file *r, *w;
	char c;

	(void)state;
	rig_put("/f", "x");
	r = open_ok("/f", O_RDONLY);
	w = open_ok("/f", O_WRONLY);
	assert_int_equal(rig_write_at(r, 0, "y", 1), E_BADF);
	assert_int_equal(rig_read_at(w, 0, &c, 1), E_BADF);
	assert_int_equal(file_truncate(r, 0), E_INVAL);
	assert_int_equal(file_truncate(w, 0), OK);
	file_put(r);
	file_put(w);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/d", 0755), OK);
	r = open_ok("/d", O_RDONLY);
	assert_int_equal(rig_read_at(r, 0, &c, 1), E_ISDIR);
	file_put(r);
}

static void test_size_limit(void **state)
{
	struct file *f = open_ok("/f", O_RDWR | O_CREAT);

	(void)state;
	rig_task.rlimit[RLIMIT_FSIZE].rlim_cur = 10;
	rig_signal = 0;
	assert_int_equal(write_text(f, "123456789012345"), 10);
	assert_int_equal(rig_signal, 0);
	assert_int_equal(write_text(f, "x"), E_FBIG);
	assert_int_equal(rig_signal, SIGXFSZ);
	assert_int_equal(file_truncate(f, 11), E_FBIG);
	assert_int_equal(file_truncate(f, 10), OK);
	assert_int_equal(file_allocate(f, 0, 0, 11), E_FBIG);
	file_put(f);
}

static void test_copy(void **state)
{
	struct file *in, *out = open_ok("/out", O_RDWR | O_CREAT);
	uint64_t off = 2;
	size_t done;

	(void)state;
	rig_put("/in", "0123456789");
	in = open_ok("/in", O_RDONLY);
	assert_int_equal(file_copy(in, NULL, out, NULL, 4, &done), OK);
	assert_int_equal(done, 4);
	assert_int_equal(in->pos, 4);
	assert_int_equal(file_copy(in, &off, out, NULL, 100, &done), OK);
	assert_int_equal(done, 8);
	assert_int_equal(off, 10);
	assert_int_equal(in->pos, 4);
	expect_text("/out", "012323456789");
	assert_int_equal(file_copy(out, NULL, in, NULL, 1, &done), E_BADF);
	file_put(in);
	file_put(out);
}

/* ---- a directory that is emptied while it is read ---- */

struct seen {
	unsigned n;
	char last[20];
	unsigned stop_at;
};

static bool take(void *ctx, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t pos)
{
	struct seen *s = ctx;

	(void)ino;
	(void)type;
	(void)pos;
	if (s->n == s->stop_at)
		return false;
	s->n++;
	memcpy(s->last, name, len);
	s->last[len] = '\0';
	return true;
}

static void test_remove_while_reading(void **state)
{
	struct seen s = { .stop_at = 2 };
	struct file *f;
	unsigned removed = 0;

	(void)state;
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/d", 0755), OK);
	for (char c = 'a'; c <= 'z'; c++) {
		char name[] = "/d/x";

		name[3] = c;
		rig_put(name, "");
	}
	f = open_ok("/d", O_RDONLY | O_DIRECTORY);
	assert_int_equal(file_readdir(f, take, &s), OK);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.last, "..");
	for (;;) {
		char name[24] = "/d/";

		s.stop_at = s.n + 1;
		assert_int_equal(file_readdir(f, take, &s), OK);
		if (s.n < s.stop_at)
			break;
		memcpy(name + 3, s.last, strlen(s.last) + 1);
		assert_int_equal(vfs_unlink(AT_FDCWD_, name, false), OK);
		removed++;
	}
	assert_int_equal(removed, 26);
	assert_int_equal(file_seek(f, 0, SEEK_SET), 0);
	s = (struct seen){ .stop_at = 100 };
	assert_int_equal(file_readdir(f, take, &s), OK);
	assert_int_equal(s.n, 2);
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d", true), OK);
	assert_int_equal(file_readdir(f, take, &s), E_NOENT);
	file_put(f);
}

/* ---- descriptors ---- */

static void test_descriptors(void **state)
{
	struct file *f;
	int fd;

	(void)state;
	rig_put("/f", "x");
	for (int i = 0; i < 256; i++) {
		assert_int_equal(fd_install(open_ok("/f", O_RDONLY), 0, i % 2 == 0, &fd), OK);
		assert_int_equal(fd, i);
	}
	f = open_ok("/f", O_RDONLY);
	assert_int_equal(fd_install(f, 0, false, &fd), E_MFILE);
	assert_int_equal(fd_close(70), OK);
	assert_int_equal(fd_close(5), OK);
	assert_int_equal(fd_close(5), E_BADF);
	assert_int_equal(fd_install(f, 6, false, &fd), OK);
	assert_int_equal(fd, 70);
	assert_int_equal(fd_install(file_get(f), 0, false, &fd), OK);
	assert_int_equal(fd, 5);
	assert_int_equal(fd_install(f, 256, false, &fd), E_INVAL);
	fdtable_close_on_exec(rig_task.files);
	assert_int_equal(fdtable_next(rig_task.files, 0), 1);
	assert_int_equal(fdtable_next(rig_task.files, 2), 3);
	assert_int_equal(fd_close_range(3, 200, false), OK);
	assert_int_equal(fdtable_next(rig_task.files, 2), 201);
	assert_int_equal(fd_close_range(5, 3, false), E_INVAL);
	assert_int_equal(fd_close_range(201, ~0u, true), OK);
	assert_true(fd_get_cloexec(201));
	assert_int_equal(fd_close_range(1, ~0u, false), OK);
	assert_int_equal(fdtable_next(rig_task.files, 0), -1);
	assert_int_equal(file_count(), 0);
}

/* The table grows to what a block of memory holds; what was there stays. */
static void test_many_descriptors(void **state)
{
	static const int at[] = { 1, 63, 64, 191, 192, 447, 448, 15871, 15872, 31744, 100000 };
	int fd, last = 0;

	(void)state;
	rig_task.rlimit[RLIMIT_NOFILE].rlim_cur = 1u << 20;
	rig_put("/f", "x");
	assert_int_equal(fd_install(open_ok("/f", O_RDONLY), 0, true, &fd), OK);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(fd_dup2(0, at[i], i % 2 == 0, false), OK);
		for (unsigned k = 0; k <= i; k++)
			assert_int_equal(fd_get_cloexec(at[k]), k % 2 == 0);
	}
	/* no block of memory is large enough for these */
	assert_int_equal(fd_dup2(0, (1 << 20) - 1, false, false), E_NOMEM);
	assert_true(fd_get_cloexec(0));
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		assert_int_equal(last = fdtable_next(rig_task.files, last + 1), at[i]);
	assert_int_equal(fdtable_next(rig_task.files, last + 1), -1);
	assert_int_equal(fd_close_range(0, ~0u, false), OK);
	assert_int_equal(file_count(), 0);
}

static void test_dup(void **state)
{
	struct fdtable *copy;
	struct file *f;
	int fd;

	(void)state;
	rig_put("/f", "x");
	assert_int_equal(fd_install(open_ok("/f", O_RDONLY), 0, true, &fd), OK);
	assert_int_equal(fd_dup2(0, 200, false, true), OK);
	assert_false(fd_get_cloexec(200));
	assert_int_equal(fd_dup2(0, 0, false, true), OK);
	assert_int_equal(fd_dup2(0, 0, false, false), E_INVAL);
	assert_int_equal(fd_dup2(0, 256, false, true), E_BADF);
	assert_int_equal(fd_dup2(9, 1, false, true), E_BADF);
	copy = fdtable_clone(rig_task.files);
	f = fdtable_file(copy, 200);
	assert_int_equal(f->refs, 5);
	file_put(f);
	fdtable_put(copy);
	assert_int_equal(fd_install(open_ok("/f", O_PATH), 0, false, &fd), OK);
	assert_null(fd_get(fd));
	f = fd_get_raw(fd);
	assert_non_null(f);
	file_put(f);
}

/* ---- locks ---- */

static struct flock range(int type, int64_t start, int64_t len)
{
	return (struct flock){
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};
}

static err_t lock(struct file *f, int cmd, int type, int64_t start, int64_t len)
{
	struct flock fl = range(type, start, len);

	return lock_fcntl(f, cmd, &fl);
}

/* Another process: other descriptors and number. */
static struct fdtable *other;

static void switch_process(void)
{
	struct fdtable *now = rig_task.files;

	rig_task.files = other;
	other = now;
	rig_task.pid = 30 - rig_task.pid;
}

static void test_posix_locks(void **state)
{
	struct file *f = open_ok("/f", O_RDWR | O_CREAT);
	struct flock fl;

	(void)state;
	other = fdtable_create();
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 100), OK);
	assert_int_equal(lock(f, F_SETLK, F_UNLCK, 40, 20), OK); /* split */
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 0, 10), OK);
	switch_process();
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 40, 20), OK);
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 0, 10), OK);
	assert_int_equal(lock(f, F_SETLK, F_RDLCK, 0, 11), E_AGAIN);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 1), E_AGAIN);
	fl = range(F_RDLCK, 0, 0);
	assert_int_equal(lock_fcntl(f, F_GETLK, &fl), OK);
	assert_int_equal(fl.l_type, F_WRLCK);
	assert_int_equal(fl.l_start, 10);
	assert_int_equal(fl.l_len, 30);
	assert_int_equal(fl.l_pid, 10);
	fl = range(F_WRLCK, 200, 0);
	assert_int_equal(lock_fcntl(f, F_GETLK, &fl), OK);
	assert_int_equal(fl.l_type, F_UNLCK);
	assert_int_equal(lock(f, F_SETLK, 99, 0, 0), E_INVAL);
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, -1, 1), E_INVAL);
	/* Closing any descriptor of the file drops all of the process's locks on it. */
	lock_close_posix(f, rig_task.files);
	switch_process();
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 0), OK);
	lock_close_posix(f, rig_task.files);
	assert_true(list_empty(&f->inode->locks));
	fdtable_put(other);
	file_put(f);
}

static struct file *waited;
static unsigned waits;

static bool release_by_other(void)
{
	switch_process();
	assert_int_equal(lock(waited, F_SETLK, F_UNLCK, 0, 0), OK);
	switch_process();
	waits++;
	return true;
}

static bool wait_for_us(void)
{
	/* The holder now asks for what we hold: a circle. */
	switch_process();
	assert_int_equal(lock(waited, F_SETLKW, F_WRLCK, 50, 1), E_DEADLK);
	switch_process();
	waits++;
	return false;
}

static void test_lock_waits(void **state)
{
	struct file *f = open_ok("/f", O_RDWR | O_CREAT);

	(void)state;
	other = fdtable_create();
	waited = f;
	waits = 0;
	switch_process();
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 0, 10), OK);
	switch_process();
	assert_int_equal(lock(f, F_SETLKW, F_WRLCK, 0, 10), E_RESTARTSYS); /* a signal came */
	rig_on_wait = wait_for_us;
	assert_int_equal(lock(f, F_SETLK, F_WRLCK, 50, 10), OK);
	assert_int_equal(lock(f, F_SETLKW, F_WRLCK, 0, 10), E_RESTARTSYS);
	rig_on_wait = release_by_other;
	assert_int_equal(lock(f, F_SETLKW, F_WRLCK, 0, 10), OK);
	assert_int_equal(waits, 2);
	lock_close_posix(f, rig_task.files);
	fdtable_put(other);
	file_put(f);
}

static void test_file_locks(void **state)
{
	struct file *a = open_ok("/f", O_RDWR | O_CREAT), *b = open_ok("/f", O_RDWR),
		    *r = open_ok("/f", O_RDONLY);

	(void)state;
	assert_int_equal(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0), OK);
	assert_int_equal(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), E_AGAIN);
	assert_int_equal(lock(b, F_SETLK, F_RDLCK, 5, 1), E_AGAIN); /* they see each other */
	assert_int_equal(lock(r, F_OFD_SETLK, F_WRLCK, 0, 0), E_BADF);
	assert_int_equal(lock_flock(a, LOCK_EX), OK); /* the other kind does not */
	assert_int_equal(lock_flock(b, LOCK_SH | LOCK_NB), E_AGAIN);
	assert_int_equal(lock_flock(a, LOCK_SH), OK);
	assert_int_equal(lock_flock(b, LOCK_SH | LOCK_NB), OK);
	assert_int_equal(lock_flock(b, 77), E_INVAL);
	file_put(a);
	assert_int_equal(lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), OK);
	assert_int_equal(lock_flock(b, LOCK_EX | LOCK_NB), OK);
	assert_int_equal(lock_flock(b, LOCK_UN), OK);
	file_put(b);
	file_put(r);
}

/* ---- files without a name ---- */

static void test_anonymous(void **state)
{
	long before = rig_objects;
	struct vmobject *o;
	char text[64];
	struct file *f;
	paddr_t pa;

	(void)state;
	/* The tree behind them is made once and kept: not counted. */
	assert_int_equal(tmpfs_create_anonymous("memfd:x", &f), OK);
	file_put(f);
	rig_objects = before;
	assert_int_equal(tmpfs_create_anonymous("memfd:x", &f), OK);
	file_describe(f, text, sizeof(text));
	assert_string_equal(text, "/memfd:x (deleted)");
	assert_int_equal(file_seals(f, 0, true), F_SEAL_SEAL);
	assert_int_equal(file_seals(f, F_SEAL_GROW, false), E_PERM);
	f->inode->seals = 0;
	assert_int_equal(rig_write_at(f, 0, "abc", 3), 3);
	assert_int_equal(file_seals(f, F_SEAL_GROW | F_SEAL_SHRINK, false), OK);
	assert_int_equal(rig_write_at(f, 3, "d", 1), E_PERM);
	assert_int_equal(file_truncate(f, 2), E_PERM);
	assert_int_equal(rig_write_at(f, 0, "x", 1), 1);
	assert_int_equal(file_mmap(f, 0, 4096, VM_READ | VM_WRITE | VM_SHARED, &o), OK);
	assert_int_equal(o->ops->page(o, 0, true, &pa), OK);
	assert_int_equal(file_seals(f, F_SEAL_WRITE, false), E_BUSY);
	frame_put(pa);
	o->ops->put(o);
	assert_int_equal(file_seals(f, F_SEAL_WRITE, false), OK);
	assert_int_equal(rig_write_at(f, 0, "x", 1), E_PERM);
	file_put(f);
}

/* ---- inotify ---- */

/* The next event, at most; its mask, or the error. */
static long next_event(struct file *f, char *name)
{
	char buf[sizeof(struct inotify_event) + 272];
	struct inotify_event *e = (struct inotify_event *)buf;
	size_t room = sizeof(*e), done = 0;
	struct uio to;
	err_t err;

	/* As long as it does not fit, a little more. */
	do {
		uio_kernel(&to, buf, room);
		err = file_read(f, &to, &done);
		room += 16;
	} while (err == E_INVAL && room <= sizeof(buf));
	if (err != OK)
		return err;
	memcpy(name, e->name, e->len);
	name[e->len] = '\0';
	return e->mask;
}

static void expect_event(struct file *f, long mask, const char *name)
{
	char got[300];

	assert_int_equal(next_event(f, got), mask);
	if (mask > 0)
		assert_string_equal(got, name);
}

static long watch(struct file *f, const char *name, uint32_t mask)
{
	struct path p;
	long wd;

	assert_int_equal(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p), OK);
	wd = inotify_add(f, &p, mask);
	path_put(&p);
	return wd;
}

static void test_inotify(void **state)
{
	struct file *f, *w;

	(void)state;
	assert_int_equal(inotify_create(1, &f), E_INVAL);
	assert_int_equal(inotify_create(IN_NONBLOCK, &f), OK);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/d", 0755), OK);
	assert_int_equal(vfs_mkdir(AT_FDCWD_, "/e", 0755), OK);
	assert_int_equal(watch(f, "/d", IN_CREATE | IN_MOVE | IN_DELETE | IN_CLOSE_WRITE), 1);
	assert_int_equal(watch(f, "/d", IN_MASK_CREATE | IN_CREATE), E_EXIST);
	assert_int_equal(watch(f, "/d", 0), E_INVAL);
	expect_event(f, E_AGAIN, "");
	w = open_ok("/d/f", O_CREAT | O_WRONLY);
	expect_event(f, IN_CREATE, "f");
	file_put(w);
	expect_event(f, IN_CLOSE_WRITE, "f");
	assert_int_equal(vfs_rename(AT_FDCWD_, "/d/f", AT_FDCWD_, "/e/g", 0), OK);
	expect_event(f, IN_MOVED_FROM, "f");
	expect_event(f, E_AGAIN, "");
	assert_int_equal(watch(f, "/e/g", IN_DELETE_SELF | IN_ONLYDIR), E_NOTDIR);
	assert_int_equal(watch(f, "/e/g", IN_DELETE_SELF), 2);
	assert_int_equal(vfs_rename(AT_FDCWD_, "/e", AT_FDCWD_, "/d/e", 0), OK);
	expect_event(f, IN_MOVED_TO | IN_ISDIR, "e");
	assert_int_equal(vfs_unlink(AT_FDCWD_, "/d/e/g", false), OK);
	expect_event(f, IN_DELETE_SELF, "");
	expect_event(f, IN_IGNORED, "");
	assert_int_equal(inotify_remove(f, 2), E_INVAL);
	assert_int_equal(inotify_remove(f, 1), OK);
	expect_event(f, IN_IGNORED, "");
	assert_int_equal(inotify_watches, 0);
	assert_int_equal(watch(f, "/d", IN_ALL_EVENTS), 3); /* goes with the file */
	file_put(f);
	assert_int_equal(inotify_watches, 0);
}

static void test_inotify_overflow(void **state)
{
	struct file *f;
	char name[300];
	long mask;
	unsigned n = 0;

	(void)state;
	assert_int_equal(inotify_create(IN_NONBLOCK, &f), OK);
	assert_int_equal(watch(f, "/", IN_CREATE | IN_DELETE), 1);
	for (unsigned i = 0; i < INOTIFY_MAX_EVENTS; i++) {
		assert_int_equal(vfs_mkdir(AT_FDCWD_, "/x", 0755), OK);
		assert_int_equal(vfs_unlink(AT_FDCWD_, "/x", true), OK);
	}
	while ((mask = next_event(f, name)) > 0 && mask != IN_Q_OVERFLOW)
		n++;
	assert_int_equal(n, INOTIFY_MAX_EVENTS);
	assert_int_equal(mask, IN_Q_OVERFLOW);
	expect_event(f, E_AGAIN, "");
	file_put(f);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_positions),
		T(test_append),
		T(test_modes),
		T(test_size_limit),
		T(test_copy),
		T(test_remove_while_reading),
		T(test_descriptors),
		T(test_many_descriptors),
		T(test_dup),
		T(test_posix_locks),
		T(test_lock_waits),
		T(test_file_locks),
		T(test_anonymous),
		T(test_inotify),
		T(test_inotify_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
