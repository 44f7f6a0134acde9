/* SPDX-License-Identifier: BSD-2-Clause */
/* Users, groups, capabilities, permissions of files. Needs root to begin with. */
#include "test/linux/prog/check.h"
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#define NOBODY 65534

static void say_ids(const char *name)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	say("%s: uid %d %d %d fs %d, gid %d %d %d fs %d", name, (int)r, (int)e, (int)s,
	    setfsuid(-1), (int)gr, (int)ge, (int)gs, setfsgid(-1));
}

static struct __user_cap_data_struct caps[2];

static void get_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	MUST(syscall(SYS_capget, &h, caps));
}

static long set_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capset, &h, caps);
}

static void say_caps(const char *name)
{
	get_caps();
	say("%s: CHOWN and KILL permitted %d%d, effective %d%d", name, !!(caps[0].permitted & 1),
	    !!(caps[0].permitted & 32), !!(caps[0].effective & 1), !!(caps[0].effective & 32));
}

static void setuids(void)
{
	say_ids("start");
	say_status("setuid as root", CHILD({
			   RET("setuid 1000", setuid(1000));
			   say_ids("after it");
			   say_caps("after it");
			   RET("setuid 0", setuid(0));
			   RET("setuid 1001", setuid(1001));
			   RET("setuid 1000", setuid(1000));
			   RET("setgid 5", setgid(5));
			   RET("setgroups", setgroups(0, NULL));
		   }));
	say_status("seteuid and back", CHILD({
			   RET("seteuid 1000", seteuid(1000));
			   say_ids("after it");
			   say_caps("after it");
			   RET("seteuid 1001", seteuid(1001));
			   RET("seteuid 0", seteuid(0));
			   say_caps("back");
		   }));
	say_status("setreuid", CHILD({
			   RET("setreuid 1000 1001", setreuid(1000, 1001));
			   say_ids("after it");
			   RET("swap", setreuid(1001, 1000));
			   say_ids("after it");
			   RET("to another", setreuid(1002, -1));
			   RET("real to the saved", setreuid(1001, -1));
		   }));
	say_status("setresuid", CHILD({
			   RET("setresuid 1 2 3", setresuid(1, 2, 3));
			   say_ids("after it");
			   RET("among the three", setresuid(3, 1, 2));
			   say_ids("after it");
			   RET("another", setresuid(4, -1, -1));
			   RET("nothing", setresuid(-1, -1, -1));
			   VAL("setfsuid to one of them", setfsuid(2));
			   VAL("setfsuid to another is refused", setfsuid(9));
			   VAL("it stays", setfsuid(-1));
		   }));
	say_status("setresgid", CHILD({
			   RET("setresgid 1 2 3", setresgid(1, 2, 3));
			   RET("setgroups", setgroups(3, (gid_t[]){ 10, 11, 12 }));
			   RET("setresuid", setresuid(1000, 1000, 1000));
			   say_ids("after it");
			   RET("getgroups, how many", getgroups(0, NULL));
			   gid_t list[5];
			   RET("getgroups", getgroups(5, list));
			   say("%d %d %d", (int)list[0], (int)list[1], (int)list[2]);
			   RET("too small", getgroups(2, list));
			   RET("negative", getgroups(-1, list));
			   RET("setgid to the saved", setgid(3));
			   RET("setgid to another", setgid(10));
			   RET("setregid", setregid(1, -1));
		   }));
	say_status("setgroups", CHILD({
			   static gid_t big[65537];

			   RET("too many", setgroups(65537, big));
			   RET("bad pointer", setgroups(1, (gid_t *)8));
			   RET("none", setgroups(0, NULL));
			   RET("getgroups", getgroups(0, NULL));
		   }));
	RET("setuid -1", syscall(SYS_setuid, -1));
	RET("setresuid keeps with -1", setresuid(-1, -1, -1));
}

static void capabilities(void)
{
	struct __user_cap_header_struct h = { 0x12345678, 0 };

	say_caps("start");
	RET("capget, bad version", syscall(SYS_capget, &h, caps));
	HEX("tells the right one", h.version);
	RET("capget, bad version, no data", ({
		    h.version = 1;
		    syscall(SYS_capget, &h, NULL);
	    }));
	h = (struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0x3ffffff };
	RET("capget of nobody", syscall(SYS_capget, &h, caps));
	h.pid = -1;
	RET("capget negative", syscall(SYS_capget, &h, caps));
	say_status("drop", CHILD({
			   get_caps();
			   caps[0].effective &= ~1u;
			   RET("CHOWN not effective", set_caps());
			   put_file("f", "", 0644);
			   RET("chown", chown("f", 1, 1));
			   caps[0].effective |= 1;
			   RET("back", set_caps());
			   RET("chown", chown("f", 1, 1));
			   caps[0].permitted &= ~1u;
			   RET("effective but not permitted", set_caps());
			   caps[0].effective &= ~1u;
			   RET("not permitted", set_caps());
			   caps[0].permitted |= 1;
			   RET("back", set_caps());
			   h.pid = getppid();
			   RET("of another process", syscall(SYS_capset, &h, caps));
		   }));
	say_status("PR_SET_KEEPCAPS", CHILD({
			   RET("set", prctl(PR_SET_KEEPCAPS, 1));
			   MUST(setresuid(1000, 1000, 1000));
			   say_caps("after setresuid");
			   get_caps();
			   caps[0].effective |= 1;
			   RET("raise CHOWN", set_caps());
			   put_file("g", "", 0644);
			   RET("chown", chown("g", 1, 1));
			   RET("bad value", prctl(PR_SET_KEEPCAPS, 2));
		   }));
	say_status("bounding set", CHILD({
			   RET("read CHOWN", prctl(PR_CAPBSET_READ, 0));
			   RET("read 63", prctl(PR_CAPBSET_READ, 63));
			   RET("drop CHOWN", prctl(PR_CAPBSET_DROP, 0));
			   RET("read CHOWN", prctl(PR_CAPBSET_READ, 0));
			   MUST(setresuid(1000, 1000, 1000));
			   RET("drop without right", prctl(PR_CAPBSET_DROP, 5));
		   }));
	say_status("ambient", CHILD({
			   RET("raise, not inheritable",
			       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
			   get_caps();
			   caps[0].inheritable |= 32;
			   RET("inheritable", set_caps());
			   RET("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0));
			   RET("is set", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
			   RET("clear all",
			       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
			   RET("is set", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0));
		   }));
	RET("securebits", prctl(PR_GET_SECUREBITS));
}

static void as(uid_t uid, gid_t gid)
{
	MUST(setgroups(0, NULL));
	MUST(setresgid(gid, gid, gid));
	MUST(setresuid(uid, uid, uid));
}

static void make(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	put_file(name, "text", 0600);
	MUST(chown(name, uid, gid));
	MUST(chmod(name, mode));
}

/* What user 1000 of group 1000 may do. */
static void files(void)
{
	static const mode_t modes[] = { 0400, 0200, 0100, 0040, 0020, 0004,
					0002, 0001, 0077, 0707, 0770, 0644 };
	char name[32];

	chmod(".", 0777);
	for (size_t i = 0; i < COUNT(modes); i++) {
		for (int who = 0; who < 3; who++) {
			snprintf(name, sizeof(name), "f%zu%d", i, who);
			make(name, modes[i], who == 0 ? 1000 : 1, who == 1 ? 1000 : 1);
		}
	}
	say_status("owner, group, others", CHILD({
			   as(1000, 1000);
			   for (size_t i = 0; i < COUNT(modes); i++) {
				   char text[3][8];

				   for (int who = 0; who < 3; who++) {
					   snprintf(name, sizeof(name), "f%zu%d", i, who);
					   int r = open(name, O_RDONLY) >= 0,
					       w = open(name, O_WRONLY) >= 0;
					   snprintf(text[who], 8, "%c%c%c%c", r ? 'r' : '-',
						    w ? 'w' : '-',
						    access(name, X_OK) == 0 ? 'x' : '-',
						    access(name, R_OK | W_OK) == 0 ? '2' : '-');
				   }
				   say("%03o: %s %s %s", modes[i], text[0], text[1], text[2]);
			   }
		   }));
	make("root", 0600, 0, 0);
	make("mine", 0644, 1000, 1000);
	make("suid", 06755, 1000, 1000);
	make("noexec", 0644, 0, 0);
	RET("root reads all", ({
		    make("none", 0, 1, 1);
		    open("none", O_RDWR) >= 0;
	    }));
	RET("root executes only with an x", access("noexec", X_OK));
	MUST(mkdir("locked", 0700));
	MUST(mkdir("search", 0711));
	MUST(mkdir("list", 0744));
	MUST(mkdir("sticky", 01777));
	MUST(chmod("sticky", 01777));
	put_file("locked/f", "x", 0666);
	put_file("search/f", "x", 0666);
	put_file("list/f", "x", 0666);
	put_file("sticky/root", "x", 0666);
	MUST(mkdir("setgid", 0777));
	MUST(chown("setgid", 0, 77));
	MUST(chmod("setgid", 02777));
	say_status("user 1000", CHILD({
			   struct stat st;

			   as(1000, 1000);
			   RET("chmod of another's", chmod("root", 0644));
			   RET("chmod of one's own", chmod("mine", 0600));
			   RET("chown to root", chown("mine", 0, -1));
			   RET("chown to oneself", chown("mine", 1000, 1000));
			   RET("chgrp to a foreign group", chown("mine", -1, 5));
			   RET("utimes of another's, now", utimensat(AT_FDCWD, "noexec", NULL, 0));
			   RET("utimes of another's, given",
			       utimensat(AT_FDCWD, "noexec",
					 (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
			   RET("unlink in a foreign folder", unlink("locked/f"));
			   RET("open in a locked folder", open("locked/f", O_RDONLY));
			   RET("open in a folder to search", open("search/f", O_RDONLY) >= 0);
			   RET("list a folder to search", open("search", O_RDONLY));
			   RET("list a folder to list", open("list", O_RDONLY) >= 0);
			   RET("stat in a folder to list", stat("list/f", &st));
			   RET("unlink in a sticky folder", unlink("sticky/root"));
			   RET("rename in a sticky folder", rename("sticky/root", "sticky/x"));
			   put_file("sticky/mine", "", 0644);
			   RET("unlink one's own", unlink("sticky/mine"));
			   RET("truncate of another's", truncate("root", 0));
			   RET("mkdir in a setgid folder", mkdir("setgid/d", 0755));
			   stat("setgid/d", &st);
			   say("group %d, mode %o", (int)st.st_gid, st.st_mode);
			   put_file("setgid/f", "", 0644);
			   stat("setgid/f", &st);
			   say("group %d, mode %o", (int)st.st_gid, st.st_mode);
			   RET("chmod setgid without being in the group", chmod("setgid/f", 02755));
			   stat("setgid/f", &st);
			   say("mode %o", st.st_mode);
			   RET("write drops setuid", ({
				       int fd = open("suid", O_WRONLY);
				       write(fd, "x", 1);
				       stat("suid", &st);
				       st.st_mode & 07777;
			       }));
			   RET("mknod of a device", mknod("dev", S_IFCHR | 0600, 0x103));
			   RET("O_NOATIME of another's", open("noexec", O_RDONLY | O_NOATIME));
			   RET("chroot", chroot("."));
			   RET("mount", syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL));
			   RET("sethostname", sethostname("x", 1));
		   }));
	make("suid", 06755, 1000, 1000);
	RET("chown by root drops setuid", ({
		    struct stat st;
		    chown("suid", 5, 5);
		    stat("suid", &st);
		    st.st_mode & 07777;
	    }));
	say_status("access uses the real ids", CHILD({
			   MUST(setresuid(1000, 0, 0));
			   RET("access", access("root", R_OK));
			   RET("faccessat AT_EACCESS",
			       faccessat(AT_FDCWD, "root", R_OK, AT_EACCESS));
			   RET("open", open("root", O_RDONLY) >= 0);
		   }));
	say_status("supplementary group", CHILD({
			   MUST(setgroups(1, (gid_t[]){ 50 }));
			   make("grp", 0060, 1, 50);
			   MUST(setresgid(1000, 1000, 1000));
			   MUST(setresuid(1000, 1000, 1000));
			   RET("open", open("grp", O_RDWR) >= 0);
		   }));
	say_status("umask", CHILD({
			   struct stat st;

			   VAL("old", umask(027));
			   close(MUST(open("masked", O_CREAT | O_WRONLY, 0777)));
			   stat("masked", &st);
			   say("%o", st.st_mode);
			   MUST(mkdir("maskedd", 01777));
			   stat("maskedd", &st);
			   say("%o", st.st_mode);
			   VAL("more bits are ignored", umask(07777));
			   VAL("read back", umask(0));
		   }));
}

/* Set-user-id programs, run by somebody else. */
static void setuid_exec(void)
{
	char *argv[] = { "creds", "--ids", NULL };

	chmod(".", 0755);
	size_t n;
	char buf[65536];
	int in = MUST(open("/proc/self/exe", O_RDONLY)),
	    out = MUST(open("prog", O_CREAT | O_WRONLY, 0755));
	while ((n = (size_t)read(in, buf, sizeof(buf))) > 0 && n <= sizeof(buf))
		MUST(write(out, buf, n));
	close(out);
	MUST(chown("prog", 1001, 1002));
	MUST(chmod("prog", 06755));
	say_status("setuid and setgid", CHILD({
			   as(1000, 1000);
			   execv("./prog", argv);
		   }));
	say_status("with no_new_privs", CHILD({
			   as(1000, 1000);
			   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			   execv("./prog", argv);
		   }));
	MUST(chmod("prog", 0755));
	say_status("without", CHILD({
			   as(1000, 1000);
			   execv("./prog", argv);
		   }));
	MUST(chown("prog", 0, 0));
	MUST(chmod("prog", 04755));
	say_status("setuid root", CHILD({
			   as(1000, 1000);
			   execv("./prog", argv);
		   }));
	say_status("root runs it", CHILD(execv("./prog", argv)));
	MUST(chmod("prog", 0700));
	say_status("not for us", CHILD({
			   as(1000, 1000);
			   execv("./prog", argv);
			   _exit(errno == EACCES ? 3 : 4);
		   }));
}

static void copy_self(const char *to)
{
	char buf[65536];
	int in = (int)MUST(open("/proc/self/exe", O_RDONLY)),
	    out = (int)MUST(open(to, O_CREAT | O_WRONLY, 0755));
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		MUST(write(out, buf, (size_t)n));
	close(in);
	close(out);
}

static long give_caps(const char *file, uint32_t permitted, uint32_t inheritable, bool effective)
{
	struct vfs_cap_data d = { .magic_etc = VFS_CAP_REVISION_2 | effective,
				  .data[0] = { permitted, inheritable } };

	return setxattr(file, "security.capability", &d, sizeof(d), 0);
}

static void run_with(const char *what, uid_t uid, const char *program)
{
	char *argv[] = { "creds", "--caps", NULL };

	say_status(what, CHILD({
			   if (uid != 0)
				   as(uid, uid);
			   execv(program, argv);
			   say("execve: %s", error_name(errno));
		   }));
}

#define KILL 32u

/* Capabilities of a program's file. */
static void file_caps(void)
{
	struct vfs_cap_data d = { .magic_etc = 0x07000000 };
	int fd;

	chmod(".", 0755);
	copy_self("prog");
	run_with("none", 1000, "./prog");
	RET("give", give_caps("prog", KILL, 0, true));
	run_with("effective", 1000, "./prog");
	run_with("root", 0, "./prog");
	RET("give", give_caps("prog", KILL, 0, false));
	run_with("permitted only", 1000, "./prog");
	RET("give", give_caps("prog", 0, KILL, true));
	run_with("inheritable, which we have not", 1000, "./prog");
	RET("give", give_caps("prog", KILL, 0, true));
	say_status("with no_new_privs", CHILD({
			   as(1000, 1000);
			   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			   execl("./prog", "creds", "--caps", NULL);
		   }));
	say_status("not in the bounding set", CHILD({
			   MUST(prctl(PR_CAPBSET_DROP, 5, 0, 0, 0));
			   as(1000, 1000);
			   execl("./prog", "creds", "--caps", NULL);
			   say("execve: %s", error_name(errno));
		   }));
	MUST(chmod("prog", 04755));
	run_with("set-user-id root, too", 1000, "./prog");
	RET("has them", getxattr("prog", "security.capability", NULL, 0));
	fd = (int)MUST(open("prog", O_RDWR));
	MUST(pread(fd, &d, 1, 0));
	MUST(pwrite(fd, &d, 1, 0));
	close(fd);
	RET("written to", getxattr("prog", "security.capability", NULL, 0));
	d.magic_etc = 0x07000000;
	RET("unknown revision", setxattr("prog", "security.capability", &d, sizeof(d), 0));
	RET("too short", setxattr("prog", "security.capability", &d, 4, 0));
	say_status("not root", CHILD({
			   MUST(chown("prog", 1000, 1000));
			   as(1000, 1000);
			   RET("give", give_caps("prog", KILL, 0, true));
		   }));
}

static void *forbid(void *arg)
{
	RET("set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	VAL("there", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return arg;
}

static void *look(void *arg)
{
	VAL("a thread made later", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	return arg;
}

/* It belongs to a thread, and those that it makes. */
static void no_new_privs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, forbid, NULL);
	pthread_join(t, NULL);
	VAL("here", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	forbid(NULL);
	pthread_create(&t, NULL, look, NULL);
	pthread_join(t, NULL);
	say_status("a child", CHILD(_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))));
}

static void process_limits(void)
{
	struct rlimit rl, old;

	say_status("limits", CHILD({
			   getrlimit(RLIMIT_NOFILE, &old);
			   rl = (struct rlimit){ 100, 200 };
			   RET("lower", setrlimit(RLIMIT_NOFILE, &rl));
			   getrlimit(RLIMIT_NOFILE, &rl);
			   say("%ld %ld", (long)rl.rlim_cur, (long)rl.rlim_max);
			   rl = (struct rlimit){ 300, 200 };
			   RET("soft over hard", setrlimit(RLIMIT_NOFILE, &rl));
			   MUST(setresuid(1000, 1000, 1000));
			   rl = (struct rlimit){ 100, 300 };
			   RET("raise hard without right", setrlimit(RLIMIT_NOFILE, &rl));
			   rl = (struct rlimit){ 200, 200 };
			   RET("raise soft", setrlimit(RLIMIT_NOFILE, &rl));
			   RET("bad resource", getrlimit((__rlimit_resource_t)99, &rl));
			   RET("prlimit of another", prlimit(getppid(), RLIMIT_NOFILE, NULL, &rl));
			   RET("prlimit of nobody", prlimit(0x3ffffff, RLIMIT_NOFILE, NULL, &rl));
		   }));
	say_status("RLIMIT_NPROC", CHILD({
			   pid_t pids[16];
			   int n = 0;

			   MUST(setresuid(12345, 12345, 12345));
			   rl = (struct rlimit){ 5, 5 };
			   setrlimit(RLIMIT_NPROC, &rl);
			   while (n < 16 && (pids[n] = fork()) != -1) {
				   if (pids[n] == 0)
					   for (;;)
						   pause();
				   n++;
			   }
			   say("%d children, then %s", n, error_name(errno));
			   while (n-- > 0) {
				   kill(pids[n], SIGKILL);
				   waitpid(pids[n], NULL, 0);
			   }
		   }));
}

static const struct section sections[] = {
	{ "setuids", setuids },
	{ "capabilities", capabilities },
	{ "files", files },
	{ "setuid_exec", setuid_exec },
	{ "process_limits", process_limits },
	{ "file_caps", file_caps },
	{ "no_new_privs", no_new_privs },
};

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--ids") == 0) {
		section_name = "ids";
		say_ids("in the program");
		say_caps("in the program");
		VAL("may be dumped by its user", prctl(PR_GET_DUMPABLE) == 1);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--caps") == 0) {
		section_name = "caps";
		say_caps("in the program");
		VAL("secure", getauxval(AT_SECURE));
		VAL("may be dumped by its user", prctl(PR_GET_DUMPABLE) == 1);
		return 0;
	}
	return run_sections(argc, argv, sections, COUNT(sections));
}
