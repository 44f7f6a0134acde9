/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounts: one above another, several views of one name, whole trees, another root, trees of one's
 * own.
 */
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "test/linux/prog/check.h"

/* Nothing of this is seen outside. */
static void own_tree(void)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mount("mine", ".", "tmpfs", 0, "mode=755"));
	MUST(chdir(getcwd((char[PATH_MAX]){ 0 }, PATH_MAX)));
}

static void mark(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	put_file(path, "", 0644);
}

static void has(const char *path)
{
	say("%s: %s", path, access(path, F_OK) == 0 ? "there" : error_name(errno));
}

static void stacked(void)
{
	own_tree();
	MUST(mkdir("m", 0755));
	for (int i = 0; i < 3; i++) {
		RES("mount", mount("x", "m", "tmpfs", 0, NULL));
		mark("m", i == 0 ? "zero" : i == 1 ? "one" : "two");
	}
	has("m/two");
	has("m/one");
	for (int i = 0; i < 3; i++) {
		RES("umount", umount("m"));
		has("m/one");
		has("m/zero");
	}
	RES("umount", umount("m"));
}

/* The same name in two views: each has what was mounted through it. */
static void views(void)
{
	own_tree();
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/in", 0755));
	MUST(mkdir("b", 0755));
	RES("bind", mount("a", "b", NULL, MS_BIND, NULL));
	RES("in a", mount("x", "a/in", "tmpfs", 0, NULL));
	mark("a/in", "first");
	has("b/in/first");
	RES("in b", mount("y", "b/in", "tmpfs", 0, NULL));
	mark("b/in", "second");
	has("a/in/first");
	has("a/in/second");
	has("b/in/second");
	RES("rmdir", rmdir("a/in"));
	RES("umount a", umount("a/in"));
	has("b/in/second");
	RES("busy", umount("b"));
	RES("umount b/in", umount("b/in"));
	RES("umount b", umount("b"));
	RES("umount b again", umount("b"));
}

static void deep(void)
{
	own_tree();
	MUST(mkdir("a", 0755));
	MUST(mkdir("a/x", 0755));
	MUST(mkdir("b", 0755));
	MUST(mkdir("c", 0755));
	MUST(mount("x", "a/x", "tmpfs", 0, NULL));
	MUST(mkdir("a/x/y", 0755));
	MUST(mount("y", "a/x/y", "tmpfs", 0, NULL));
	mark("a/x/y", "file");
	RES("shallow", mount("a", "b", NULL, MS_BIND, NULL));
	has("b/x/y");
	RES("deep", mount("a", "c", NULL, MS_BIND | MS_REC, NULL));
	has("c/x/y/file");
	RES("unbindable", mount(NULL, "a/x", NULL, MS_UNBINDABLE, NULL));
	RES("bind it", mount("a/x", "b", NULL, MS_BIND, NULL));
	MUST(mkdir("d", 0755));
	RES("around it", mount("a", "d", NULL, MS_BIND | MS_REC, NULL));
	has("d/x/y");
	RES("move", mount("c", "b", NULL, MS_MOVE, NULL));
	has("b/x/y/file");
	has("c/x");
	RES("move below itself", mount("b", "b/x/y", NULL, MS_MOVE, NULL));
	RES("move no mount", mount("c", "d", NULL, MS_MOVE, NULL));
	RES("into itself", mount(".", "c", NULL, MS_BIND | MS_REC, NULL));
	has("c/b/x/y/file");
	has("c/c/b");
	RES("two kinds", mount(NULL, ".", NULL, MS_SHARED | MS_PRIVATE, NULL));
	RES("kind of no mount", mount(NULL, "c/b/x/y/file", NULL, MS_PRIVATE, NULL));
	RES("kind and more", mount(NULL, ".", NULL, MS_PRIVATE | MS_RDONLY, NULL));
	RES("read-only view", mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	RES("write", open("b/new", O_CREAT | O_WRONLY, 0644));
	RES("write in the other", close(open("a/new", O_CREAT | O_WRONLY, 0644)));
	RES("detach", umount2("b", MNT_DETACH));
	has("b/x");
}

static void fresh_root(void)
{
	own_tree();
	MUST(mkdir("new", 0755));
	MUST(mount("new", "new", "tmpfs", 0, "mode=755"));
	MUST(mkdir("new/old", 0755));
	MUST(mkdir("new/proc", 0755));
	mark("new", "here");
}

static long pivot_root(const char *to, const char *put)
{
	return syscall(SYS_pivot_root, to, put);
}

static void pivot(void)
{
	char cwd[PATH_MAX];

	fresh_root();
	MUST(mkdir("plain", 0755));
	RES("no mount", pivot_root("plain", "plain"));
	RES("nothing", pivot_root("nothing", "new/old"));
	RES("no folder", pivot_root("new/here", "new/old"));
	RES("old not below new", pivot_root("new", "plain"));
	RES("the root itself", pivot_root("/", "/"));
	MUST(chdir("new"));
	RES("pivot", pivot_root(".", "old"));
	has("/here");
	has("/old/proc/self");
	RES("chdir", chdir("/"));
	YES("cwd", getcwd(cwd, sizeof(cwd)) != NULL && strcmp(cwd, "/") == 0);
	RES("detach the old one", umount2("/old", MNT_DETACH));
	has("/old/proc");
	RES("proc", mount("proc", "/proc", "proc", 0, NULL));
	has("/proc/self/stat");
	has("/etc/passwd");
	RES("rmdir", rmdir("/old"));
	RES("pivot as a user", CHILD({
		    MUST(setuid(1234));
		    RES("user", pivot_root("/proc", "/proc"));
	    }));
}

/* As containers do it, without a folder for the old root. */
static void pivot_on_top(void)
{
	pid_t child;
	struct event go = event_new();

	fresh_root();
	child = START({
		event_wait(&go);
		has("/here"); /* its root was the old one */
	});
	MUST(chdir("new"));
	RES("pivot", pivot_root(".", "."));
	RES("detach", umount2(".", MNT_DETACH));
	has("/here");
	has("/etc");
	event_set(&go);
	say_status("child", wait_for(child));
}

static void ns_name(char *buf, size_t size, pid_t pid)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	n = MUST(readlink(path, buf, size - 1));
	buf[n] = 0;
}

static void namespaces(void)
{
	struct event done = event_new(), end = event_new();
	char own[64], other[64], now[64];
	pid_t child;

	own_tree();
	MUST(mkdir("m", 0755));
	ns_name(own, sizeof(own), getpid());
	YES("name", strncmp(own, "mnt:[", 5) == 0);
	child = START({
		RES("unshare", unshare(CLONE_NEWNS));
		RES("mount", mount("x", "m", "tmpfs", 0, NULL));
		mark("m", "file");
		has("m/file");
		event_set(&done);
		event_wait(&end);
		_exit(0);
	});
	event_wait(&done);
	has("m/file");
	ns_name(other, sizeof(other), child);
	YES("another", strcmp(own, other) != 0);
	event_set(&end);
	say_status("child", wait_for(child));
	RES("mount", mount("x", "m", "tmpfs", 0, NULL));
	mark("m", "outer");
	child = (pid_t)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0);
	if (child == 0) {
		has("m/outer");
		RES("umount", umount("m"));
		has("m/outer");
		_exit(3);
	}
	say_status("clone", wait_for(child));
	has("m/outer");
	say_status("user", CHILD({
			   MUST(setuid(1234));
			   RES("unshare", unshare(CLONE_NEWNS));
			   RET("clone", syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
		   }));
	RET("with CLONE_FS", syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
	ns_name(now, sizeof(now), getpid());
	YES("the same still", strcmp(own, now) == 0);
}

/* Over names that the file system makes anew for each look. */
static void over_proc(void)
{
	own_tree();
	MUST(mkdir("p", 0755));
	MUST(mount("proc", "p", "proc", 0, NULL));
	RES("bind on itself", mount("p/sys", "p/sys", NULL, MS_BIND | MS_REC, NULL));
	RES("read-only",
	    mount(NULL, "p/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL));
	RES("write", open("p/sys/kernel/hostname", O_WRONLY));
	RES("on a file below", mount("p/version", "p/sys/kernel/hostname", NULL, MS_BIND, NULL));
	RES("read", close(open("p/sys/kernel/hostname", O_RDONLY)));
	RES("busy", umount("p/sys"));
	RES("umount", umount("p/sys/kernel/hostname"));
	RES("umount", umount("p/sys"));
	RES("umount again", umount("p/sys"));
	RES("write", close(open("p/sys/kernel/hostname", O_WRONLY)));
	RES("tmpfs", mount("x", "p/sys/kernel", "tmpfs", 0, NULL));
	has("p/sys/kernel/hostname");
	RES("detach all", umount2("p", MNT_DETACH));
	has("p/sys");
}

static void say_events(int fd)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n = read(fd, buf, sizeof(buf));

	for (char *at = buf; at < buf + (n > 0 ? n : 0);) {
		const struct inotify_event *e = (void *)at;

		say("event %#x %s", e->mask, e->len > 0 ? e->name : "");
		at += sizeof(*e) + e->len;
	}
}

static void set_three(const char *who, const char *path)
{
	say("%s", who);
	RES("trusted", setxattr(path, "trusted.a", "1", 1, 0));
	RES("security", setxattr(path, "security.a", "1", 1, 0));
	RES("nothing to remove", removexattr(path, "trusted.nothing"));
	RES("remove", removexattr(path, "security.a"));
	RES("bad value", setxattr(path, "trusted.a", (void *)8, 1, 0));
	RET("get trusted", getxattr(path, "trusted.a", NULL, 0));
}

static void attributes(void)
{
	int in, fd;

	own_tree();
	mark(".", "file");
	MUST(chmod("file", 0600));
	in = (int)MUST(inotify_init1(IN_NONBLOCK));
	MUST(inotify_add_watch(in, ".", IN_ATTRIB));
	set_three("as root", "file");
	say_events(in);
	fd = (int)MUST(open("file", O_RDONLY));
	RES("by descriptor", fsetxattr(fd, "trusted.b", "2", 1, 0));
	say_events(in);
	RES("fails", fsetxattr(fd, "trusted.b", "2", 1, XATTR_CREATE));
	say_events(in);
	RES("read-only", mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL));
	set_three("on a read-only mount", "file");
	RES("by descriptor", fsetxattr(fd, "trusted.b", "2", 1, 0));
	RES("by descriptor", fremovexattr(fd, "trusted.b"));
	RES("unknown part", setxattr("file", "strange.a", "1", 1, 0));
	RES("bad flags", setxattr("file", "trusted.a", "1", 1, 64));
	RES("writable", mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND, NULL));
	MUST(chmod(".", 0777));
	MUST(setgid(1234));
	MUST(setuid(1234));
	set_three("as a user", "file");
	put_file("own", "", 0600);
	set_three("as the owner", "own");
	say_events(in);
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "stacked", stacked },
		{ "views", views },
		{ "deep", deep },
		{ "pivot", pivot },
		{ "pivot_on_top", pivot_on_top },
		{ "namespaces", namespaces },
		{ "over_proc", over_proc },
		{ "attributes", attributes },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
