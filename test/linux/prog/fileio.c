/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents of files: offsets, append, holes, vectors, locks, times, limits, attributes. */
#include "test/linux/prog/check.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <utime.h>

static int fresh(const char *name)
{
	return (int)MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
}

static void offsets(void)
{
	int fd = fresh("file"), ap, ro;
	char buf[32] = "";
	struct iovec v[3] = { { "abc", 3 }, { "", 0 }, { "defgh", 5 } };

	RET("write", write(fd, "0123456789", 10));
	RET("pwrite", pwrite(fd, "AB", 2, 3));
	RET("offset after pwrite", lseek(fd, 0, SEEK_CUR));
	RET("pread", pread(fd, buf, 20, 2));
	STR("read", buf);
	RET("pread at the end", pread(fd, buf, 1, 10));
	RET("pread behind it", pread(fd, buf, 1, 1000));
	RET("pread at -1", pread(fd, buf, 1, -1));
	RET("pwrite at -1", pwrite(fd, buf, 1, -1));
	RET("read at the end", read(fd, buf, 5));
	RET("lseek to -1", lseek(fd, -1, SEEK_SET));
	RET("lseek before the start", lseek(fd, -11, SEEK_END));
	RET("lseek wrong whence", lseek(fd, 0, 9));
	RET("lseek far", lseek(fd, 1l << 40, SEEK_SET));
	RET("read there", read(fd, buf, 1));
	RET("lseek too far", lseek(fd, INT64_MAX, SEEK_CUR));
	RET("writev at 20", ({
		    lseek(fd, 20, SEEK_SET);
		    writev(fd, v, 3);
	    }));
	RET("size", lseek(fd, 0, SEEK_END));
	memset(buf, '#', sizeof(buf));
	RET("hole is zero", ({
		    pread(fd, buf, 10, 10);
		    memcmp(buf, "\0\0\0\0\0\0\0\0\0\0", 10);
	    }));
	RET("writev of -1 vectors", writev(fd, v, -1));
	RET("writev of 0 vectors", writev(fd, v, 0));
	RET("writev of 1025 vectors", writev(fd, v, 1025));
	v[1].iov_len = (size_t)SSIZE_MAX;
	v[1].iov_base = buf;
	RET("writev that overflows", writev(fd, v, 3));
	v[1].iov_len = ~0ul;
	RET("writev with a negative length", writev(fd, v, 3));
	v[1].iov_len = 2;
	v[1].iov_base = buf;
	v[0].iov_base = buf + 10;
	v[2].iov_base = buf + 20;
	RET("readv", ({
		    lseek(fd, 0, SEEK_SET);
		    readv(fd, v, 3);
	    }));
	say("%.3s %.2s %.5s", buf + 10, buf, buf + 20);
	v[1].iov_base = (void *)8;
	RET("preadv with a bad second vector", preadv(fd, v, 3, 0));
	RET("preadv at -1", preadv(fd, v, 1, -1));
	RET("pwritev", pwritev(fd, v, 1, 28));
	RET("preadv2 with unknown flags", preadv2(fd, v, 1, 0, 0x10000));
	RET("preadv2 at the offset", preadv2(fd, v, 1, -1, 0));
	ap = MUST(open("file", O_WRONLY | O_APPEND));
	RET("append", write(ap, "end", 3));
	RET("its offset", lseek(ap, 0, SEEK_CUR));
	lseek(ap, 0, SEEK_SET);
	RET("append in spite of lseek", write(ap, "!", 1));
	RET("pwrite of an appending descriptor", pwrite(ap, "?", 1, 0));
	RET("size", lseek(fd, 0, SEEK_END));
	RET("F_SETFL clears O_APPEND", fcntl(ap, F_SETFL, 0));
	RET("pwrite", pwrite(ap, "first", 5, 0));
	RET("size", lseek(fd, 0, SEEK_END));
	ro = MUST(open("file", O_RDONLY));
	RET("write of a read-only descriptor", write(ro, "x", 1));
	RET("read of a write-only descriptor", read(ap, buf, 1));
	RET("ftruncate of a read-only descriptor", ftruncate(ro, 0));
	RET("length 0", write(ro, "", 0));
	RET("bad descriptor", write(777, "", 0));
	RET("huge read", read(ro, buf, 0) == 0 ? 0 : 1);
}

/* Processes append to one file; no record is torn. */
static void append(void)
{
	int fd, bad = 0, count[4] = { 0 };
	char rec[100];
	pid_t pids[4];

	close(fresh("log"));
	for (int i = 0; i < 4; i++)
		pids[i] = START({
			fd = MUST(open("log", O_WRONLY | O_APPEND));
			memset(rec, 'a' + i, sizeof(rec));
			for (int k = 0; k < 200; k++)
				MUST(write(fd, rec, sizeof(rec)));
		});
	for (int i = 0; i < 4; i++)
		wait_for(pids[i]);
	fd = MUST(open("log", O_RDONLY));
	while (read(fd, rec, sizeof(rec)) == sizeof(rec)) {
		for (size_t k = 1; k < sizeof(rec); k++)
			bad += rec[k] != rec[0];
		count[rec[0] - 'a']++;
	}
	say("%d %d %d %d records, %d torn", count[0], count[1], count[2], count[3], bad);
}

static void sizes(void)
{
	int fd = fresh("file");
	char buf[16] = "";
	struct stat st;

	MUST(write(fd, "0123456789", 10));
	RET("ftruncate down", ftruncate(fd, 4));
	RET("up", ftruncate(fd, 8));
	RET("read", pread(fd, buf, 16, 0));
	say("%.4s %d %d", buf, buf[4], buf[7]);
	RET("negative", ftruncate(fd, -1));
	RET("huge", ftruncate(fd, 1l << 40));
	fstat(fd, &st);
	VAL("size", st.st_size);
	YES("few blocks", st.st_blocks < 100);
	RET("too huge", ftruncate(fd, INT64_MAX) == 0 || errno == EFBIG || errno == EINVAL);
	RET("truncate of a folder", truncate(".", 0));
	RET("truncate of nothing", truncate("missing", 0));
	RET("truncate negative", truncate("file", -1));
	RET("ftruncate of a folder", ftruncate(MUST(open(".", O_RDONLY)), 0));
	RET("ftruncate of a pipe", ftruncate(event_new().fd[1], 0));
	MUST(ftruncate(fd, 100));
	RET("truncate by open", ({
		    close(MUST(open("file", O_WRONLY | O_TRUNC)));
		    fstat(fd, &st);
		    st.st_size;
	    }));
	/* Blocks in the middle. */
	MUST(pwrite(fd, "x", 1, 1 << 20));
	MUST(pwrite(fd, "y", 1, 3 << 20));
	RET("SEEK_DATA from 0", lseek(fd, 0, SEEK_DATA));
	RET("SEEK_HOLE from data", lseek(fd, 1 << 20, SEEK_HOLE));
	RET("SEEK_HOLE from 0", lseek(fd, 0, SEEK_HOLE));
	RET("SEEK_DATA from the second hole", lseek(fd, 2 << 20, SEEK_DATA));
	RET("SEEK_HOLE in the last block", lseek(fd, 3 << 20, SEEK_HOLE));
	RET("SEEK_DATA behind the end", lseek(fd, 4 << 20, SEEK_DATA));
	RET("SEEK_HOLE behind the end", lseek(fd, 4 << 20, SEEK_HOLE));
	RET("fallocate", fallocate(fd, 0, 0, 8192));
	RET("fallocate grows", ({
		    fallocate(fd, 0, 5 << 20, 4096);
		    fstat(fd, &st);
		    st.st_size;
	    }));
	RET("fallocate KEEP_SIZE", ({
		    fallocate(fd, FALLOC_FL_KEEP_SIZE, 6 << 20, 4096);
		    fstat(fd, &st);
		    st.st_size;
	    }));
	RET("PUNCH_HOLE alone", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 1 << 20, 4096));
	RET("PUNCH_HOLE", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
	RET("byte", ({
		    pread(fd, buf, 1, 1 << 20);
		    buf[0];
	    }));
	RET("SEEK_DATA finds it no more", lseek(fd, 1 << 20, SEEK_DATA));
	RET("PUNCH_HOLE in part of a block", ({
		    pwrite(fd, "abcdef", 6, 0);
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 2);
		    pread(fd, buf, 6, 0);
		    buf[1] + buf[2] + buf[3] + buf[4];
	    }));
	RET("fallocate length 0", fallocate(fd, 0, 0, 0));
	RET("fallocate negative", fallocate(fd, 0, -1, 10));
	RET("fallocate unknown mode", fallocate(fd, 0x1000, 0, 10));
	RET("fallocate of a pipe", fallocate(event_new().fd[1], 0, 0, 10));
	RET("posix_fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	RET("posix_fadvise unknown", posix_fadvise(fd, 0, 0, 99));
	RET("posix_fadvise of a pipe", posix_fadvise(event_new().fd[0], 0, 0, 0));
	RET("readahead", readahead(fd, 0, 4096));
	RET("fsync", fsync(fd));
	RET("fdatasync of a pipe", fdatasync(event_new().fd[0]));
	RET("fsync of a bad descriptor", fsync(777));
	RET("sync_file_range unknown flag", syscall(SYS_sync_file_range, fd, 0, 0, 64));
}

static void copies(void)
{
	int in = fresh("in"), out = fresh("out"), pipefd[2];
	loff_t a, b;
	char buf[32] = "";

	MUST(write(in, "0123456789", 10));
	a = 2;
	b = 1;
	RET("copy_file_range", copy_file_range(in, &a, out, &b, 5, 0));
	say("offsets %ld %ld", (long)a, (long)b);
	RET("read", pread(out, buf, 16, 0));
	say("%d %.5s", buf[0], buf + 1);
	RET("past the end", ({
		    a = 8;
		    b = 0;
		    copy_file_range(in, &a, out, &b, 100, 0);
	    }));
	RET("at the end", ({
		    a = 10;
		    copy_file_range(in, &a, out, &b, 100, 0);
	    }));
	RET("overlapping", ({
		    a = 0;
		    b = 3;
		    copy_file_range(in, &a, in, &b, 5, 0);
	    }));
	RET("flags", copy_file_range(in, &a, out, &b, 1, 1));
	RET("of a folder", copy_file_range(MUST(open(".", O_RDONLY)), NULL, out, NULL, 1, 0));
	RET("to an appending descriptor",
	    copy_file_range(in, &a, MUST(open("out", O_WRONLY | O_APPEND)), NULL, 1, 0));
	RET("to a read-only descriptor",
	    copy_file_range(in, &a, MUST(open("out", O_RDONLY)), NULL, 1, 0));
	MUST(pipe(pipefd));
	a = 1;
	RET("sendfile to a pipe", sendfile(pipefd[1], in, &a, 4));
	RET("read", read(pipefd[0], buf, 16));
	say("%.4s, offset %ld", buf, (long)a);
	RET("sendfile without offset", ({
		    lseek(in, 6, SEEK_SET);
		    sendfile(out, in, NULL, 100);
	    }));
	RET("offset", lseek(in, 0, SEEK_CUR));
	RET("sendfile at the end", sendfile(out, in, NULL, 100));
	RET("sendfile from a pipe", sendfile(out, pipefd[0], NULL, 1));
	RET("sendfile to an appending file",
	    sendfile(MUST(open("out", O_WRONLY | O_APPEND)), in, &a, 1));
	RET("sendfile with a negative offset", ({
		    a = -1;
		    sendfile(out, in, &a, 1);
	    }));
}

/* A connection over TCP to ourselves: [0] sends, [1] receives. */
static void connected(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(bind(l, (struct sockaddr *)&a, sizeof(a)));
	MUST(listen(l, 1));
	MUST(getsockname(l, (struct sockaddr *)&a, &len));
	fd[0] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(fd[0], (struct sockaddr *)&a, sizeof(a)));
	fd[1] = (int)MUST(accept(l, NULL, NULL));
	close(l);
}

#define SENT 700001

static char old_byte(size_t i)
{
	return (char)('a' + i % 23);
}

/* 20 pages with nothing written in the middle. */
static bool in_hole(size_t i)
{
	return i >= 40 * 4096 && i < 60 * 4096;
}

static int file_to_send(void)
{
	static char data[SENT];
	int fd = fresh("sent");

	for (size_t i = 0; i < SENT; i++)
		data[i] = old_byte(i);
	MUST(pwrite(fd, data, 40 * 4096, 0));
	MUST(pwrite(fd, data + 60 * 4096, SENT - 60 * 4096, 60 * 4096));
	return fd;
}

/* All that comes from file position `at` on: its length, or -1 when a byte is wrong. */
static long received(int fd, size_t at, bool rewritten)
{
	static char buf[65536];
	size_t first = at;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t k = 0; k < n; k++, at++) {
			char want = in_hole(at) ? 0 : old_byte(at);

			if (buf[k] != want && !(rewritten && (buf[k] == '!' || buf[k] == 0)))
				return -1;
		}
	return n < 0 ? -2 : (long)(at - first);
}

static void sent_whole(void)
{
	int fd = file_to_send(), c[2], status;
	off_t at = 123;
	pid_t pid;

	connected(c);
	pid = (pid_t)MUST(fork());
	if (pid == 0) {
		close(c[0]);
		_exit(received(c[1], 123, false) == SENT - 123 ? 0 : 1);
	}
	RET("sendfile of all", sendfile(c[0], fd, &at, SENT));
	VAL("offset", at);
	close(c[0]);
	MUST(waitpid(pid, &status, 0));
	VAL("not as in the file", status);
}

/* The file is cut and written anew while parts of it wait in the connection. */
static void sent_while_cut(void)
{
	static char marks[SENT];
	int fd = file_to_send(), c[2];
	off_t at = 0;
	long sum = 0, n;

	memset(marks, '!', sizeof(marks));
	connected(c);
	MUST(fcntl(c[0], F_SETFL, O_NONBLOCK));
	while ((n = sendfile(c[0], fd, &at, SENT)) > 0)
		sum += n;
	YES("all or until it is full", sum == SENT || (n == -1 && errno == EAGAIN));
	YES("offset", at == sum);
	RET("cut", ftruncate(fd, 5000));
	RET("written anew", pwrite(fd, marks, SENT, 0));
	RET("cut to nothing", ftruncate(fd, 0));
	RET("sendfile behind the end", sendfile(c[0], fd, &at, 10));
	close(c[0]);
	YES("what came is old or new", received(c[1], 0, true) == sum);
}

static void times(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 6 } };
	struct stat a, b;
	struct statx sx;
	int fd;

	put_file("file", "x", 0644);
	RET("utimensat", utimensat(AT_FDCWD, "file", ts, 0));
	stat("file", &a);
	say("%ld.%ld %ld.%ld", a.st_atim.tv_sec, a.st_atim.tv_nsec, a.st_mtim.tv_sec,
	    a.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1] = (struct timespec){ 3000, 7 };
	RET("UTIME_OMIT", utimensat(AT_FDCWD, "file", ts, 0));
	stat("file", &a);
	say("%ld %ld", a.st_atim.tv_sec, a.st_mtim.tv_sec);
	ts[0].tv_nsec = ts[1].tv_nsec = UTIME_NOW;
	RET("UTIME_NOW", utimensat(AT_FDCWD, "file", ts, 0));
	stat("file", &a);
	YES("now", llabs(a.st_mtim.tv_sec - time(NULL)) <= 2);
	ts[0].tv_nsec = 1000000000;
	RET("bad nanoseconds", utimensat(AT_FDCWD, "file", ts, 0));
	RET("unknown flag", utimensat(AT_FDCWD, "file", NULL, 64));
	RET("NULL path", utimensat(AT_FDCWD, NULL, NULL, 0));
	MUST(symlink("file", "link"));
	ts[0] = ts[1] = (struct timespec){ 77, 0 };
	RET("of a link", utimensat(AT_FDCWD, "link", ts, AT_SYMLINK_NOFOLLOW));
	lstat("link", &a);
	stat("file", &b);
	say("link %ld, file %d", a.st_mtim.tv_sec, b.st_mtim.tv_sec == 77);
	RET("utime", utime("file", &(struct utimbuf){ 11, 22 }));
	stat("file", &a);
	say("%ld %ld", a.st_atim.tv_sec, a.st_mtim.tv_sec);
	fd = MUST(open("file", O_RDWR));
	RET("futimens", futimens(fd, ts));
	/* What changes which time. */
	utime("file", &(struct utimbuf){ 11, 22 });
	MUST(write(fd, "y", 1));
	fstat(fd, &a);
	say("write: modified %d, accessed %d", a.st_mtim.tv_sec != 22, a.st_atim.tv_sec != 11);
	utime("file", &(struct utimbuf){ 11, 22 });
	MUST(fchmod(fd, 0600));
	fstat(fd, &a);
	say("chmod: modified %d, changed %d", a.st_mtim.tv_sec != 22, a.st_ctim.tv_sec > 1000);
	MUST(ftruncate(fd, 0));
	fstat(fd, &a);
	say("ftruncate: modified %d", a.st_mtim.tv_sec != 22);
	utime(".", &(struct utimbuf){ 11, 22 });
	MUST(rename("file", "file2"));
	stat(".", &a);
	say("rename: folder modified %d", a.st_mtim.tv_sec != 22);
	RET("statx", statx(AT_FDCWD, "file2", 0, STATX_BASIC_STATS, &sx));
	say("mask has the basics %d, mode %o, links %u, size %ld",
	    (sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, sx.stx_mode, sx.stx_nlink,
	    (long)sx.stx_size);
	RET("statx with AT_EMPTY_PATH", statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
	RET("statx of a link", ({
		    int r = statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx);
		    r == 0 && S_ISLNK(sx.stx_mode);
	    }));
	RET("statx unknown flag", statx(AT_FDCWD, "file2", 0x100000, STATX_SIZE, &sx));
	RET("statx reserved mask", statx(AT_FDCWD, "file2", 0, 0x80000000u, &sx));
	RET("statx of nothing", statx(AT_FDCWD, "none", 0, STATX_SIZE, &sx));
}

static const char *lock_name(int type)
{
	return type == F_RDLCK ? "read" : type == F_WRLCK ? "write" : "none";
}

static void ask(int fd, int from, int len)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = from, .l_len = len };
	pid_t parent = getppid();

	MUST(fcntl(fd, F_GETLK, &fl));
	say("seen from another process: %s %ld+%ld, right pid %d", lock_name(fl.l_type),
	    (long)fl.l_start, (long)fl.l_len, fl.l_type == F_UNLCK || fl.l_pid == parent);
}

static int set_lock(int fd, int cmd, int type, int from, int len)
{
	struct flock fl = { .l_type = (short)type, .l_start = from, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

static void locks(void)
{
	int fd = fresh("file"), fd2, ro = MUST(open("file", O_RDONLY));

	MUST(ftruncate(fd, 100));
	RET("write lock", set_lock(fd, F_SETLK, F_WRLCK, 10, 20));
	CHILD(ask(fd, 0, 0));
	RET("part is unlocked", set_lock(fd, F_SETLK, F_UNLCK, 15, 5));
	CHILD({
		ask(fd, 0, 0);
		ask(fd, 20, 5);
		ask(fd, 15, 5);
		RET("free part", set_lock(fd, F_SETLK, F_WRLCK, 15, 5));
		RET("taken part", set_lock(fd, F_SETLK, F_RDLCK, 14, 2));
	});
	RET("part is read", set_lock(fd, F_SETLK, F_RDLCK, 20, 10));
	CHILD({
		RET("shared", set_lock(fd, F_SETLK, F_RDLCK, 20, 10));
		RET("not to write", set_lock(fd, F_SETLK, F_WRLCK, 20, 10));
	});
	RET("to the end", set_lock(fd, F_SETLK, F_WRLCK, 50, 0));
	CHILD(ask(fd, 1000000, 1));
	RET("write lock of a read-only descriptor", set_lock(ro, F_SETLK, F_WRLCK, 0, 1));
	RET("bad type", set_lock(fd, F_SETLK, 9, 0, 1));
	RET("before the start", set_lock(fd, F_SETLK, F_WRLCK, -1, 5));
	RET("negative length", set_lock(fd, F_SETLK, F_WRLCK, 10, -5));
	/* Any close of the file drops the process's locks. */
	fd2 = MUST(open("file", O_RDWR));
	close(fd2);
	CHILD(ask(fd, 0, 0));
	/* Locks of an open file description. */
	fd2 = MUST(open("file", O_RDWR));
	RET("OFD lock", set_lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	RET("by another description", set_lock(fd2, F_OFD_SETLK, F_WRLCK, 0, 10));
	RET("process lock against it", set_lock(fd2, F_SETLK, F_WRLCK, 0, 10));
	struct flock fl = { .l_type = F_WRLCK };
	RET("F_OFD_GETLK", fcntl(fd2, F_OFD_GETLK, &fl));
	say("%s, pid %d", lock_name(fl.l_type), fl.l_pid);
	CHILD(RET("inherited by a child", set_lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10)));
	RET("l_pid must be 0", ({
		    fl.l_pid = 1;
		    fcntl(fd, F_OFD_SETLK, &fl);
	    }));
	close(fd);
	RET("dropped by close", set_lock(fd2, F_OFD_SETLK, F_WRLCK, 0, 10));
	/* Pipes can be locked, too (make does so with its output). */
	int pipes[2];
	MUST(pipe(pipes));
	RET("lock of a pipe", set_lock(pipes[1], F_SETLKW, F_WRLCK, 0, 1));
	CHILD({
		ask(pipes[1], 0, 1);
		RET("taken pipe", set_lock(pipes[1], F_SETLK, F_WRLCK, 0, 0));
		RET("taken pipe, other end", set_lock(pipes[0], F_SETLK, F_RDLCK, 0, 0));
		RET("flock of a pipe", flock(pipes[0], LOCK_SH));
	});
	close(pipes[0]);
	CHILD(RET("pipe after a close", set_lock(pipes[1], F_SETLK, F_WRLCK, 0, 0)));
	/* Deadlock is found. */
	fd = MUST(open("file", O_RDWR));
	set_lock(fd2, F_OFD_SETLK, F_UNLCK, 0, 0);
	RET("first", set_lock(fd, F_SETLK, F_WRLCK, 0, 1));
	struct event e = event_new();
	pid_t pid = START({
		MUST(set_lock(fd, F_SETLK, F_WRLCK, 1, 1));
		event_set(&e);
		_exit(set_lock(fd, F_SETLKW, F_WRLCK, 0, 1) ? errno : 0);
	});
	event_wait(&e);
	wait_state(pid, 'S');
	RET("deadlock", set_lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	set_lock(fd, F_SETLK, F_UNLCK, 0, 1);
	say_status("the other", wait_for(pid));
	/* flock belongs to the description. */
	RET("flock", flock(fd, LOCK_EX));
	RET("flock of another", flock(fd2, LOCK_EX | LOCK_NB));
	CHILD(RET("flock in a child", flock(fd, LOCK_EX | LOCK_NB)));
	int copy = dup(fd);
	RET("unlock through a copy", flock(copy, LOCK_UN));
	RET("flock of another", flock(fd2, LOCK_SH | LOCK_NB));
	RET("shared by two", flock(fd, LOCK_SH | LOCK_NB));
	RET("no upgrade", flock(fd, LOCK_EX | LOCK_NB));
	RET("bad operation", flock(fd, 77));
	RET("of a bad descriptor", flock(777, LOCK_SH));
	RET("wait for a lock that another process drops", ({
		    struct event held = event_new(), go = event_new();
		    pid_t me = getpid();
		    pid_t p = START({
			    int own = MUST(open("file", O_RDWR));

			    MUST(set_lock(own, F_SETLK, F_WRLCK, 60, 1));
			    event_set(&held);
			    wait_state(me, 'S');
		    });
		    event_wait(&held);
		    int r = set_lock(fd, F_SETLKW, F_WRLCK, 60, 1);
		    wait_for(p);
		    (void)go;
		    r;
	    }));
}

static void limits(void)
{
	int fd = fresh("file");
	struct rlimit rl = { 8192, RLIM_INFINITY };

	say_status("RLIMIT_FSIZE", CHILD({
			   char buf[5000];

			   memset(buf, 'x', sizeof(buf));
			   setrlimit(RLIMIT_FSIZE, &rl);
			   signal(SIGXFSZ, SIG_IGN);
			   RET("write", write(fd, buf, 5000));
			   RET("write up to the limit", write(fd, buf, 5000));
			   RET("write at the limit", write(fd, buf, 1));
			   RET("pwrite behind it", pwrite(fd, buf, 1, 10000));
			   RET("ftruncate behind it", ftruncate(fd, 10000));
			   RET("pwrite below it", pwrite(fd, buf, 1, 0));
			   signal(SIGXFSZ, SIG_DFL);
			   write(fd, buf, 1);
		   }));
	say_status("RLIMIT_NOFILE", CHILD({
			   int n = 0, last = -1, f;

			   rl = (struct rlimit){ 20, 20 };
			   setrlimit(RLIMIT_NOFILE, &rl);
			   while ((f = open("file", O_RDONLY)) >= 0) {
				   last = f;
				   n++;
			   }
			   say("open: %s, last %d", error_name(errno), last);
			   RET("dup", dup(0));
			   RET("dup2 to 20", dup2(0, 20));
			   RET("dup2 to 19", dup2(0, 19));
			   RET("F_DUPFD from 20", fcntl(0, F_DUPFD, 20));
			   RET("pipe", pipe((int[2]){ 0, 0 }));
			   close(10);
			   RET("pipe with one free", pipe((int[2]){ 0, 0 }));
			   RET("the free one is not lost", dup(0));
			   RET("lowest is taken", ({
				       close(7);
				       close(9);
				       dup(0);
			       }));
		   }));
}

static void attributes(void)
{
	char buf[256];
	int fd = fresh("file");

	/* user.* depends on the file system; trusted.* is there on all of ours, for root. */
	if (geteuid() != 0)
		return;
	RET("missing", getxattr("file", "trusted.a", buf, sizeof(buf)));
	RET("set", setxattr("file", "trusted.a", "value", 5, 0));
	RET("get", getxattr("file", "trusted.a", buf, sizeof(buf)));
	say("%.5s", buf);
	RET("size only", getxattr("file", "trusted.a", NULL, 0));
	RET("too small", getxattr("file", "trusted.a", buf, 2));
	RET("XATTR_CREATE", setxattr("file", "trusted.a", "x", 1, XATTR_CREATE));
	RET("XATTR_REPLACE of nothing", setxattr("file", "trusted.b", "x", 1, XATTR_REPLACE));
	RET("empty value", fsetxattr(fd, "trusted.b", "", 0, 0));
	RET("get", fgetxattr(fd, "trusted.b", buf, sizeof(buf)));
	RET("list has both", ({
		    int n = (int)listxattr("file", buf, sizeof(buf));
		    memmem(buf, (size_t)n, "trusted.a", 10) &&
			    memmem(buf, (size_t)n, "trusted.b", 10);
	    }));
	RET("remove", removexattr("file", "trusted.a"));
	RET("remove again", removexattr("file", "trusted.a"));
	RET("without name space", setxattr("file", "plain", "x", 1, 0));
	RET("unknown name space", setxattr("file", "strange.x", "x", 1, 0));
	RET("empty name", setxattr("file", "", "x", 1, 0));
	RET("unknown flag", setxattr("file", "trusted.c", "x", 1, 64));
	RET("too long name", ({
		    char name[300];
		    memset(name, 'n', sizeof(name));
		    memcpy(name, "trusted.", 8);
		    name[290] = 0;
		    setxattr("file", name, "x", 1, 0);
	    }));
	RET("too long value", setxattr("file", "trusted.c", buf, 70000, 0));
	RET("of nothing", getxattr("none", "trusted.a", buf, 1));
	RET("bad descriptor", fgetxattr(777, "trusted.a", buf, 1));
}

static void status(void)
{
	struct stat st, st2;
	struct statfs sf;
	int fd = fresh("file");

	MUST(write(fd, "12345", 5));
	fstat(fd, &st);
	stat("file", &st2);
	YES("stat and fstat agree", st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	VAL("size", st.st_size);
	VAL("block size", st.st_blksize);
	VAL("blocks of 512", st.st_blocks);
	say("mode %o, links %ld, uid %d, gid %d", st.st_mode, (long)st.st_nlink, (int)st.st_uid,
	    (int)st.st_gid);
	stat("/dev/null", &st);
	say("/dev/null: mode %o, device %lx", st.st_mode, (long)st.st_rdev);
	stat("/dev/zero", &st);
	say("/dev/zero: mode %o, device %lx", st.st_mode, (long)st.st_rdev);
	MUST(mkdir("dir", 0755));
	stat("dir", &st);
	say("folder: mode %o, links %ld", st.st_mode, (long)st.st_nlink);
	MUST(mkdir("dir/sub", 0755));
	stat("dir", &st);
	VAL("links with a folder inside", st.st_nlink);
	MUST(symlink("target", "link"));
	lstat("link", &st);
	say("link: mode %o, size %ld", st.st_mode, (long)st.st_size);
	fstat(event_new().fd[0], &st);
	say("pipe: mode %o, size %ld", st.st_mode, (long)st.st_size);
	RET("statfs", statfs(".", &sf));
	VAL("name length", sf.f_namelen);
	VAL("block size", sf.f_bsize);
	YES("free is not more than all", sf.f_bfree <= sf.f_blocks && sf.f_bavail <= sf.f_bfree);
	RET("statfs of /proc", statfs("/proc", &sf));
	HEX("type", sf.f_type);
	RET("fstatfs of a pipe", fstatfs(event_new().fd[0], &sf));
	HEX("type", sf.f_type);
	RET("statfs of nothing", statfs("none", &sf));
}

static const struct section sections[] = {
	{ "offsets", offsets }, { "append", append },         { "sizes", sizes },
	{ "copies", copies },   { "times", times },           { "locks", locks },
	{ "limits", limits },   { "attributes", attributes }, { "status", status },
	{ "sent", sent_whole }, { "cut", sent_while_cut },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
