/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: open flags, path walk, rename, link, folders. */
#include "test/linux/prog/check.h"
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define OPEN(name, ...)                        \
	({                                     \
		errno = 0;                     \
		int open_ = open(__VA_ARGS__); \
		say_success(name, open_);      \
		open_;                         \
	})

/* The things that the matrices below work on. */
static void furnish(void)
{
	put_file("file", "content", 0644);
	put_file("other", "other", 0644);
	MUST(mkdir("dir", 0755));
	MUST(mkdir("empty", 0755));
	put_file("dir/inner", "inner", 0644);
	MUST(symlink("file", "link"));
	MUST(symlink("dir", "dirlink"));
	MUST(symlink("nowhere", "dangling"));
	MUST(symlink("loop2", "loop1"));
	MUST(symlink("loop1", "loop2"));
	MUST(mkfifo("fifo", 0644));
}

static void open_flags(void)
{
	static const char *const what[] = { "file",    "missing",  "dir",   "link",
					    "dirlink", "dangling", "loop1", "dir/" };
	static const struct {
		const char *name;
		int flags;
	} how[] = {
		{ "RDONLY", O_RDONLY },
		{ "WRONLY", O_WRONLY },
		{ "RDWR", O_RDWR },
		{ "CREAT|EXCL", O_CREAT | O_EXCL | O_RDWR },
		{ "CREAT", O_CREAT | O_RDWR },
		{ "TRUNC", O_TRUNC | O_WRONLY },
		{ "DIRECTORY", O_DIRECTORY | O_RDONLY },
		{ "NOFOLLOW", O_NOFOLLOW | O_RDONLY },
		{ "PATH", O_PATH },
		{ "PATH|NOFOLLOW", O_PATH | O_NOFOLLOW },
		{ "DIRECTORY|NOFOLLOW", O_DIRECTORY | O_NOFOLLOW },
		{ "access mode 3", 3 },
	};

	umask(0);
	furnish();
	for (size_t w = 0; w < COUNT(what); w++)
		for (size_t h = 0; h < COUNT(how); h++) {
			char name[64];
			int fd;

			snprintf(name, sizeof(name), "%s of %s", how[h].name, what[w]);
			fd = OPEN(name, what[w], how[h].flags, 0640);
			if (fd >= 0)
				close(fd);
			unlink("missing");
			unlink("nowhere");
		}
	OPEN("TMPFILE for reading", ".", O_TMPFILE | O_RDONLY, 0600);
	OPEN("TMPFILE in a missing folder", "missing", O_TMPFILE | O_RDWR, 0600);
	OPEN("TMPFILE in a file", "file", O_TMPFILE | O_RDWR, 0600);
	OPEN("FIFO for writing without reader", "fifo", O_WRONLY | O_NONBLOCK);
	OPEN("FIFO for reading", "fifo", O_RDONLY | O_NONBLOCK);
	OPEN("FIFO for both", "fifo", O_RDWR);
	OPEN("CREAT below a missing folder", "missing/x", O_CREAT | O_RDWR, 0600);
	OPEN("CREAT with a slash behind", "new/", O_CREAT | O_RDWR, 0600);
	OPEN("CREAT of .", ".", O_CREAT | O_RDWR, 0600);

	OPEN("bad address", (char *)8, O_RDONLY);
	RES("openat of a bad descriptor", openat(777, "file", O_RDONLY));
	RES("openat of a bad descriptor, absolute", openat(777, "/", O_RDONLY));
	RES("openat below a file", openat(MUST(open("file", O_RDONLY)), "x", O_RDONLY));
	RES("openat below a PATH descriptor", openat(MUST(open("dir", O_PATH)), "inner", O_RDONLY));
	say("mode of a created file %o", ({
		    struct stat st;
		    close(MUST(open("m", O_CREAT | O_WRONLY, 07777)));
		    stat("m", &st);
		    st.st_mode;
	    }));
	struct open_how oh = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
	RES("openat2 RESOLVE_BENEATH",
	    syscall(SYS_openat2, AT_FDCWD, "dir/../file", &oh, sizeof(oh)));
	RES("openat2 RESOLVE_BENEATH upwards",
	    syscall(SYS_openat2, AT_FDCWD, "../x", &oh, sizeof(oh)));
	RES("openat2 RESOLVE_BENEATH absolute",
	    syscall(SYS_openat2, AT_FDCWD, "/", &oh, sizeof(oh)));
	oh.resolve = RESOLVE_NO_SYMLINKS;
	RES("openat2 RESOLVE_NO_SYMLINKS",
	    syscall(SYS_openat2, AT_FDCWD, "dirlink/inner", &oh, sizeof(oh)));
	oh.resolve = 0x10000;
	RES("openat2 unknown resolve", syscall(SYS_openat2, AT_FDCWD, "file", &oh, sizeof(oh)));
	oh = (struct open_how){ .flags = O_RDONLY, .mode = 0600 };
	RES("openat2 mode without CREAT", syscall(SYS_openat2, AT_FDCWD, "file", &oh, sizeof(oh)));
	RES("openat2 short", syscall(SYS_openat2, AT_FDCWD, "file", &oh, 8));
}

static void path_only(void)
{
	int fd;
	char c;
	struct stat st;

	furnish();
	fd = MUST(open("file", O_PATH));
	RET("read", read(fd, &c, 1));
	RET("write", write(fd, &c, 1));
	RET("lseek", lseek(fd, 0, SEEK_SET));
	RET("fchmod", fchmod(fd, 0600));
	RET("ftruncate", ftruncate(fd, 0));
	RET("ioctl", ioctl(fd, FIONREAD, &c));
	RET("fstat", fstat(fd, &st));
	VAL("size", st.st_size);
	RET("F_GETFL", fcntl(fd, F_GETFL) & O_PATH ? 1 : 0);
	RET("dup", dup(fd) > fd);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	RES("reopen", open(path, O_RDWR));
	fd = MUST(open("link", O_PATH | O_NOFOLLOW));
	RET("fstat of a link", fstat(fd, &st));
	YES("is a link", S_ISLNK(st.st_mode));
	memset(path, 0, sizeof(path));
	RET("readlinkat with an empty path", readlinkat(fd, "", path, sizeof(path)));
	STR("target", path);
	RET("fstatat with an empty path", fstatat(fd, "", &st, AT_EMPTY_PATH));
	RET("fstatat with an empty path, no flag", fstatat(fd, "", &st, 0));
	fd = MUST(open("dir", O_PATH));
	RET("fchdir", fchdir(fd));
	RES("inner", open("inner", O_RDONLY));
}

static void walk(void)
{
	struct stat st;
	char longer[5000];

	furnish();
	RET("empty", stat("", &st));
	RET(".", stat(".", &st));
	RET("..", stat("..", &st));
	RET("./././file", stat("./././file", &st));
	RET("dir/../file", stat("dir/../file", &st));
	RET("dir//inner", stat("dir//inner", &st));
	RET("file/", stat("file/", &st));
	RET("file/.", stat("file/.", &st));
	RET("file/..", stat("file/..", &st));
	RET("dir/", stat("dir/", &st));
	RET("dirlink/", stat("dirlink/", &st));
	RET("lstat dirlink", ({
		    lstat("dirlink", &st);
		    S_ISLNK(st.st_mode);
	    }));
	RET("lstat dirlink/", ({
		    lstat("dirlink/", &st);
		    S_ISDIR(st.st_mode);
	    }));
	RET("lstat link/", lstat("link/", &st));
	RET("dangling", stat("dangling", &st));
	RET("lstat dangling", lstat("dangling", &st));
	RET("dangling/", lstat("dangling/", &st));
	RET("loop", stat("loop1", &st));
	RET("loop in the middle", stat("loop1/x", &st));
	RET("missing/..", stat("missing/..", &st));
	RET("above the root", stat("/../../..", &st));
	RET("many slashes", stat("////", &st));
	memset(longer, 'n', sizeof(longer));
	longer[255] = 0;
	RET("name of 255", stat(longer, &st));
	RES("created", creat(longer, 0600));
	longer[255] = 'n';
	longer[256] = 0;
	RET("name of 256", stat(longer, &st));
	RET("mkdir with a name of 256", mkdir(longer, 0700));
	for (size_t i = 0; i < sizeof(longer); i += 2)
		memcpy(longer + i, "./", 2);
	longer[4094] = '.';
	longer[4095] = 0;
	RET("path of 4095", stat(longer, &st));
	longer[4095] = '/';
	longer[4096] = 0;
	RET("path of 4096", stat(longer, &st));
	/* 40 symbolic links are followed, not more. */
	MUST(symlink("file", "s0"));
	for (int i = 1; i <= 41; i++) {
		char from[16], to[16];

		snprintf(from, sizeof(from), "s%d", i - 1);
		snprintf(to, sizeof(to), "s%d", i);
		MUST(symlink(from, to));
	}
	RET("40 links", stat("s39", &st));
	RET("41 links", stat("s40", &st));
	RET("empty target", symlink("", "e"));
	RET("symlink over something", symlink("x", "file"));
	memset(longer, 't', sizeof(longer));
	longer[4095] = 0;
	RET("long target", symlink(longer, "longlink"));
	longer[4095] = 't';
	longer[4096] = 0;
	RET("too long target", symlink(longer, "longlink2"));
	char buf[8];
	memset(buf, '#', sizeof(buf));
	RET("readlink cut", readlink("dangling", buf, 3));
	say("%.4s", buf);
	RET("readlink of a file", readlink("file", buf, sizeof(buf)));
	RET("readlink of size 0", readlink("link", buf, 0));
	RET("access of nothing", access("missing", F_OK));
	RET("access with bad mode", access("file", 8));
	RET("faccessat2 on a link", faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
}

static const char *kind(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return "-";
	return S_ISREG(st.st_mode)   ? "file"
	       : S_ISDIR(st.st_mode) ? "dir"
	       : S_ISLNK(st.st_mode) ? "link"
				     : "?";
}

static void renames(void)
{
	static const char *const from[] = { "file", "dir", "empty", "link", "missing" };
	static const char *const to[] = { "other", "dir",       "empty",     "dangling",
					  "fresh", "dir/inner", "missing/x", "dir/new" };

	for (size_t f = 0; f < COUNT(from); f++)
		for (size_t t = 0; t < COUNT(to); t++) {
			char name[64], box[16];

			/* Each in a folder of its own. */
			snprintf(box, sizeof(box), "box%zu-%zu", f, t);
			MUST(mkdir(box, 0755));
			MUST(chdir(box));
			furnish();
			snprintf(name, sizeof(name), "%s to %s", from[f], to[t]);
			RET(name, rename(from[f], to[t]));
			say("  then %s and %s", kind(from[f]), kind(to[t]));
			MUST(chdir(".."));
		}
	furnish();
	RET("to itself", rename("file", "file"));
	MUST(link("file", "hard"));
	RET("to another name of it", rename("file", "hard"));
	say("both stay: %s %s", kind("file"), kind("hard"));
	RET("file with a slash", rename("file/", "x"));
	RET("dir with a slash", rename("dir/", "dir2/"));
	RET("file to name with a slash", rename("file", "x/"));
	RET("dir into itself", rename("dir2", "dir2/sub"));
	RET("dir below itself", rename("dir2", "dir2/sub/deep"));
	RET("dir over its parent", ({
		    mkdir("dir2/sub", 0755);
		    rename("dir2/sub", "dir2");
	    }));
	RET(".", rename(".", "x"));
	RET("..", rename("dir2/..", "x"));
	RET("to .", rename("empty", "dir2/."));
	RET("RENAME_NOREPLACE", renameat2(AT_FDCWD, "file", AT_FDCWD, "other", RENAME_NOREPLACE));
	RET("RENAME_NOREPLACE to a new name",
	    renameat2(AT_FDCWD, "file", AT_FDCWD, "file2", RENAME_NOREPLACE));
	RET("RENAME_EXCHANGE", renameat2(AT_FDCWD, "file2", AT_FDCWD, "dir2", RENAME_EXCHANGE));
	say("exchanged: %s %s", kind("file2"), kind("dir2"));
	RET("RENAME_EXCHANGE with nothing",
	    renameat2(AT_FDCWD, "file2", AT_FDCWD, "none", RENAME_EXCHANGE));
	RET("RENAME_EXCHANGE with the own child",
	    renameat2(AT_FDCWD, "file2", AT_FDCWD, "file2/sub", RENAME_EXCHANGE));
	RET("both flags",
	    renameat2(AT_FDCWD, "dir2", AT_FDCWD, "other", RENAME_EXCHANGE | RENAME_NOREPLACE));
	RET("unknown flag", renameat2(AT_FDCWD, "dir2", AT_FDCWD, "other", 64));
	/* Links of folders follow a move. */
	struct stat st;
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/b", 0755));
	MUST(mkdir("c", 0755));
	MUST(rename("a/b", "c/b"));
	say("links: a %d, c %d, c/b %d", ({
		    stat("a", &st);
		    (int)st.st_nlink;
	    }),
	    ({
		    stat("c", &st);
		    (int)st.st_nlink;
	    }),
	    ({
		    stat("c/b", &st);
		    (int)st.st_nlink;
	    }));
	ino_t c = ({
		stat("c", &st);
		st.st_ino;
	});
	YES(".. is the new parent", ({
		    stat("c/b/..", &st);
		    st.st_ino == c;
	    }));
}

static void links(void)
{
	struct stat st;
	int fd, tmp;
	char path[64];

	furnish();
	RET("link", link("file", "hard"));
	VAL("links", ({
		    stat("file", &st);
		    st.st_nlink;
	    }));
	RET("over something", link("file", "other"));
	RET("of a folder", link("dir", "dir3"));
	RET("of nothing", link("missing", "x"));
	RET("of a symbolic link", link("dangling", "hardlink"));
	say("is %s", kind("hardlink"));
	RET("following", linkat(AT_FDCWD, "link", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	say("is %s", kind("followed"));
	RET("unknown flag", linkat(AT_FDCWD, "link", AT_FDCWD, "y", 0x8000));
	RET("name with a slash", link("file", "y/"));
	RET("unlink", unlink("file"));
	VAL("links", ({
		    stat("hard", &st);
		    st.st_nlink;
	    }));
	RET("unlink of a folder", unlink("dir"));
	RET("unlink with a slash", unlink("other/"));
	RET("unlink of a link with a slash", unlink("dirlink/"));
	RET("unlink of a symbolic link", unlink("dangling"));
	RET("unlink of nothing", unlink("missing"));
	RET("rmdir of a full folder", rmdir("dir"));
	RET("rmdir of a file", rmdir("other"));
	RET("rmdir of a link to a folder", rmdir("dirlink"));
	RET("rmdir of .", rmdir("."));
	RET("rmdir of dir/.", rmdir("empty/."));
	RET("rmdir of dir/..", rmdir("empty/.."));
	RET("rmdir of /", rmdir("/"));
	RET("rmdir with a slash", rmdir("empty/"));
	RET("unlinkat with AT_REMOVEDIR of a file", unlinkat(AT_FDCWD, "other", AT_REMOVEDIR));
	RET("unlinkat unknown flag", unlinkat(AT_FDCWD, "other", 64));
	RET("mkdir over a file", mkdir("other", 0755));
	RET("mkdir over a link", mkdir("loop1", 0755));
	RET("mkdir with a slash", mkdir("new/", 0755));
	RET("mkdir of .", mkdir(".", 0755));
	RET("mkdir of /", mkdir("/", 0755));
	RET("mkdir below nothing", mkdir("missing/x", 0755));
	/* An open file lives on without name, and may come back by /proc. */
	fd = MUST(open("other", O_RDWR));
	MUST(unlink("other"));
	fstat(fd, &st);
	VAL("links of an unlinked file", st.st_nlink);
	RET("read", read(fd, path, 5));
	RET("write", pwrite(fd, "more", 4, 5));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	RET("linkat of an unlinked file",
	    linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
	tmp = MUST(open(".", O_TMPFILE | O_RDWR, 0600));
	MUST(write(tmp, "temporary", 9));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
	RET("linkat of a TMPFILE", linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	VAL("its size", ({
		    stat("named", &st);
		    st.st_size;
	    }));
	tmp = MUST(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
	RET("linkat of a TMPFILE with O_EXCL",
	    linkat(AT_FDCWD, path, AT_FDCWD, "named2", AT_SYMLINK_FOLLOW));
	/* A removed folder can be stood in. */
	MUST(mkdir("gone", 0755));
	MUST(chdir("gone"));
	MUST(rmdir("../gone"));
	RET("create in a removed folder", open("x", O_CREAT | O_RDWR, 0600));
	RET("getcwd in a removed folder", syscall(SYS_getcwd, path, sizeof(path)));
	RET(". in a removed folder", stat(".", &st));
	VAL("links", st.st_nlink);
	RES(".. of a removed folder", chdir(".."));
	MUST(mkfifo("node", 0600));
	RET("mknod of a file", mknod("plain", S_IFREG | 0600, 0));
	RET("mknod over something", mknod("plain", S_IFREG | 0600, 0));
	RET("mknod of a folder", mknod("mdir", S_IFDIR | 0700, 0));
	RET("mknod of nonsense", mknod("mx", 0170000, 0));
	RET("mknod of a device", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	fd = open("null", O_RDWR);
	RET("write to it", write(fd, "x", 1));
	RET("read from it", read(fd, path, 1));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listing(void)
{
	char name[32], *seen[400];
	int n = 0, fd, deleted = 0;
	struct dirent *e;
	DIR *d;
	char buf[64];

	MUST(mkdir("many", 0755));
	MUST(chdir("many"));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "name-%03d", i);
		close(MUST(creat(name, 0600)));
	}
	d = opendir(".");
	while ((e = readdir(d)) != NULL && n < 400)
		seen[n++] = strdup(e->d_name);
	qsort(seen, (size_t)n, sizeof(seen[0]), by_name);
	VAL("names", n);
	say("%s %s %s %s", seen[0], seen[1], seen[2], seen[n - 1]);
	rewinddir(d);
	/* Every name is seen once, though they are deleted on the way. */
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] == 'n' && unlink(e->d_name) == 0)
			deleted++;
	VAL("deleted while listing", deleted);
	rewinddir(d);
	n = 0;
	while ((e = readdir(d)) != NULL)
		n++;
	VAL("left", n);
	closedir(d);
	MUST(mkdir("d", 0700));
	MUST(symlink("x", "l"));
	MUST(mkfifo("p", 0600));
	close(MUST(creat("f", 0600)));
	d = opendir(".");
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			seen[n = (e->d_type == DT_DIR    ? 0
				  : e->d_type == DT_LNK  ? 1
				  : e->d_type == DT_FIFO ? 2
							 : 3)] = strdup(e->d_name);
	say("types: dir %s, link %s, fifo %s, file %s", seen[0], seen[1], seen[2], seen[3]);
	/* telldir and seekdir. */
	rewinddir(d);
	readdir(d);
	long at = telldir(d);
	char first[256];
	snprintf(first, sizeof(first), "%s", readdir(d)->d_name);
	while (readdir(d) != NULL)
		;
	seekdir(d, at);
	YES("seekdir", strcmp(readdir(d)->d_name, first) == 0);
	fd = MUST(open(".", O_RDONLY));
	RET("getdents64 too small", syscall(SYS_getdents64, fd, buf, 10));
	RET("getdents64 bad address", syscall(SYS_getdents64, fd, 8, 1000));
	RET("getdents64 of a file",
	    syscall(SYS_getdents64, MUST(open("f", O_RDONLY)), buf, sizeof(buf)));
	RET("read of a folder", read(fd, buf, 1));
	RET("old getdents", syscall(SYS_getdents, fd, buf, sizeof(buf)) > 0);
	MUST(mkdir("away", 0700));
	fd = MUST(open("away", O_RDONLY));
	MUST(rmdir("away"));
	RET("getdents64 of a removed folder", syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	/* ".." and "." come first. */
	d = opendir(".");
	say("first two: %s", ({
		    e = readdir(d);
		    e->d_name;
	    }));
	say("first two: %s", ({
		    e = readdir(d);
		    e->d_name;
	    }));
}

static void folders(void)
{
	char buf[PATH_MAX], start[PATH_MAX];

	MUST(syscall(SYS_getcwd, start, sizeof(start)));
	RET("chdir to a file", ({
		    put_file("f", "", 0600);
		    chdir("f");
	    }));
	RET("chdir to nothing", chdir("missing"));
	RET("chdir to an empty path", chdir(""));
	RET("fchdir of a file", fchdir(MUST(open("f", O_RDONLY))));
	RET("fchdir of a bad descriptor", fchdir(777));
	RET("getcwd too small", syscall(SYS_getcwd, buf, 2));
	RET("getcwd of size 0", syscall(SYS_getcwd, buf, 0));
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/b", 0755));
	MUST(symlink("a/b", "ab"));
	MUST(chdir("ab"));
	RET("getcwd length", (long)syscall(SYS_getcwd, buf, sizeof(buf)) - (long)strlen(start));
	STR("after a link", buf + strlen(start));
	MUST(rename("../../a", "../../renamed"));
	MUST(syscall(SYS_getcwd, buf, sizeof(buf)));
	STR("after a rename above", buf + strlen(start));
	MUST(chdir(start));
	/* Deep: longer than PATH_MAX when absolute. */
	for (int i = 0; i < 300; i++) {
		MUST(mkdir("twenty-characters-xx", 0755));
		MUST(chdir("twenty-characters-xx"));
	}
	RET("getcwd of a deep folder", syscall(SYS_getcwd, buf, sizeof(buf)));
	RES("create there", creat("f", 0600));
	for (int i = 0; i < 300; i++) {
		unlink("f");
		MUST(chdir(".."));
		MUST(rmdir("twenty-characters-xx"));
	}
	YES("back", ({
		    MUST(syscall(SYS_getcwd, buf, sizeof(buf)));
		    strcmp(buf, start) == 0;
	    }));
	if (geteuid() != 0)
		return;
	say_status("chroot", CHILD({
			   put_file("renamed/marker", "x", 0644);
			   RET("chroot", chroot("renamed"));
			   RET("current folder stays outside", access("f", F_OK));
			   RET("chdir", chdir("/"));
			   RET("marker", access("/marker", F_OK));
			   RET("above the root", access("/../../marker", F_OK));
			   MUST(syscall(SYS_getcwd, buf, sizeof(buf)));
			   STR("getcwd", buf);
			   RET("chroot to a file", chroot("/marker"));
			   MUST(setresuid(65534, 65534, 65534));
			   RET("chroot without right", chroot("b"));
		   }));
}

static const struct section sections[] = {
	{ "open_flags", open_flags }, { "path_only", path_only }, { "walk", walk },
	{ "renames", renames },       { "links", links },         { "listing", listing },
	{ "folders", folders },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
