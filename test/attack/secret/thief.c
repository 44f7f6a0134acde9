/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody with root's rights in the machine wants the content of a file. Tries all that root can
 * do with files, and says of each way whether it got there: TAP, in which a way that is open is
 * "not ok". With --open the file is an ordinary one: then each way must lead there.
 *
 * usage: thief [--open] FILE     all ways
 *        thief --dump PID        all memory of that process, to standard output
 */
#include <errno.h>
#include <fcntl.h>
#include <privcall.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

PRIVCALL(thief_read);

static const char *target;
static bool open_file; /* it is an ordinary one */
static int tests, failures;

/* ---- ways: each gives a descriptor from which the content can be read, or -1 ---- */

static int by_read(void)
{
	return open(target, O_RDONLY);
}

static int by_read_write(void)
{
	return open(target, O_RDWR);
}

static int by_o_path(void)
{
	char name[64];
	int fd = open(target, O_PATH);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, O_RDONLY);
}

static int by_folder(void)
{
	char *folder = strdup(target), *name = strrchr(folder, '/');

	*name = '\0';
	return openat(open(folder, O_PATH | O_DIRECTORY), name + 1, O_RDONLY);
}

static int by_symlink(void)
{
	unlink("/tmp/soft");
	return symlink(target, "/tmp/soft") == 0 ? open("/tmp/soft", O_RDONLY) : -1;
}

static int by_root_link(void)
{
	char name[512];

	snprintf(name, sizeof(name), "/proc/self/root%s", target);
	return open(name, O_RDONLY);
}

static int by_hard_link(void)
{
	char *beside;

	if (asprintf(&beside, "%s.link", target) < 0)
		return -1;
	unlink(beside);
	return link(target, beside) == 0 ? open(beside, O_RDONLY) : -1;
}

static int by_o_path_link(void)
{
	int fd = open(target, O_PATH);
	char *beside;

	if (asprintf(&beside, "%s.again", target) < 0)
		return -1;
	unlink(beside);
	return linkat(fd, "", AT_FDCWD, beside, AT_EMPTY_PATH) == 0 ? open(beside, O_RDONLY) : -1;
}

/* Open `place` while `name` is called NAME.moved. */
static int while_moved(const char *name, const char *place)
{
	char *other;
	int fd;

	if (asprintf(&other, "%s.moved", name) < 0 || rename(name, other) != 0)
		return -1;
	fd = open(place, O_RDONLY);
	if (rename(other, name) != 0)
		exit(3);
	return fd;
}

static int by_rename(void)
{
	char *moved;

	return asprintf(&moved, "%s.moved", target) < 0 ? -1 : while_moved(target, moved);
}

static int by_folder_rename(void)
{
	char *folder = strdup(target), *name = strrchr(folder, '/'), *inside;

	*name++ = '\0';
	return asprintf(&inside, "%s.moved/%s", folder, name) < 0 ? -1
								  : while_moved(folder, inside);
}

static int by_bind_mount(void)
{
	int fd = open("/tmp/over", O_CREAT | O_RDWR, 0600);

	close(fd);
	if (mount(target, "/tmp/over", NULL, MS_BIND, NULL) != 0)
		return -1;
	fd = open("/tmp/over", O_RDONLY);
	umount2("/tmp/over", MNT_DETACH);
	return fd;
}

/* A message that has room for one descriptor. */
struct parcel {
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec v;
	struct msghdr m;
};

static struct cmsghdr *parcel_make(struct parcel *p)
{
	*p = (struct parcel){ .v = { &p->byte, 1 },
			      .m = { .msg_iov = &p->v,
				     .msg_iovlen = 1,
				     .msg_control = p->control,
				     .msg_controllen = sizeof(p->control) } };
	return CMSG_FIRSTHDR(&p->m);
}

static bool send_descriptor(int channel, int fd)
{
	struct parcel p;
	struct cmsghdr *c = parcel_make(&p);

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(channel, &p.m, 0) == 1;
}

/* -1: none came. */
static int receive_descriptor(int channel)
{
	struct parcel p;
	int fd = -1;

	parcel_make(&p);
	if (recvmsg(channel, &p.m, 0) == 1 && CMSG_FIRSTHDR(&p.m) != NULL)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&p.m)), sizeof(fd));
	return fd;
}

static int by_chroot(void)
{
	char *folder = strdup(target), *name = strrchr(folder, '/');
	int channel[2], fd;

	/* In a child, which passes the descriptor on. */
	*name++ = '\0';
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0)
		return -1;
	if (fork() == 0) {
		if (chroot(folder) != 0 || chdir("/") != 0 || (fd = open(name, O_RDONLY)) < 0)
			_exit(1);
		_exit(!send_descriptor(channel[1], fd));
	}
	close(channel[1]);
	fd = receive_descriptor(channel[0]);
	wait(NULL);
	return fd;
}

/* An O_PATH descriptor needs no right to open; the one that gets it opens it again. */
static int by_message(void)
{
	int channel[2], fd = open(target, O_PATH), got;
	char name[64];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0 || !send_descriptor(channel[0], fd))
		return -1;
	got = receive_descriptor(channel[1]);
	if (got < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", got);
	return open(name, O_RDONLY);
}

static int by_handle(void)
{
	struct {
		struct file_handle h;
		unsigned char room[MAX_HANDLE_SZ];
	} handle = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, target, &handle.h, &mount_id, 0) != 0)
		return -1;
	return open_by_handle_at(open("/", O_PATH), &handle.h, O_RDONLY);
}

static int by_mode(void)
{
	if (chmod(target, 0777) != 0 || chown(target, getuid(), getgid()) != 0)
		return -1;
	return open(target, O_RDONLY);
}

static int by_other_user(void)
{
	struct stat st;
	int fd;

	if (stat(target, &st) != 0 || seteuid(st.st_uid == 0 ? 33 : st.st_uid) != 0)
		return -1;
	fd = open(target, O_RDONLY);
	if (seteuid(0) != 0)
		exit(3);
	return fd;
}

/* Memory that a system call reads a file into. */
static int by_private_part(void)
{
	static char data[65536];
	int fd = memfd_create("loot", 0);
	long n;

	n = privcall(thief_read, target, strlen(target), data, sizeof(data));
	return n > 0 && write(fd, data, (size_t)n) == n ? fd : -1;
}

static const struct way {
	const char *name;
	int (*go)(void);
	bool needs_writing; /* leads nowhere on a read-only root, whatever the file is */
} ways[] = {
	{ "open for reading", by_read, false },
	{ "open for reading and writing", by_read_write, true },
	{ "O_PATH, then /proc/self/fd", by_o_path, false },
	{ "openat in its folder", by_folder, false },
	{ "a symbolic link", by_symlink, false },
	{ "/proc/self/root", by_root_link, false },
	{ "a hard link", by_hard_link, true },
	{ "a hard link to an O_PATH descriptor", by_o_path_link, true },
	{ "another name", by_rename, true },
	{ "another name of its folder", by_folder_rename, true },
	{ "a bind mount", by_bind_mount, true },
	{ "chroot, and a descriptor passed on", by_chroot, false },
	{ "an O_PATH descriptor passed on", by_message, false },
	{ "a file handle", by_handle, true },
	{ "its mode and owner", by_mode, true },
	{ "another user", by_other_user, true },
	{ "a private part of one's own", by_private_part, false },
};

/* ---- what can be had from a descriptor ---- */

static bool gives(int fd)
{
	char byte;

	return fd >= 0 && pread(fd, &byte, 1, 0) == 1;
}

static void ok(bool good, const char *how)
{
	printf("%sok %d - %s%s\n", good ? "" : "not ", ++tests,
	       open_file ? "leads to an ordinary file: " : "is barred: ", how);
	fflush(stdout);
	failures += !good;
}

static void try_ways(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int fd = ways[i].go();

		if (open_file && ways[i].needs_writing && fd < 0)
			continue;
		ok(gives(fd) == open_file, ways[i].name);
		if (fd >= 0)
			close(fd);
	}
}

/* Calls that take a file by its name, or an O_PATH descriptor of it. */
static void try_calls(void)
{
	int fd = open(target, O_PATH), out = memfd_create("out", 0), pipes[2];
	char byte;

	if (open_file)
		return;
	ok(pread(fd, &byte, 1, 0) < 0 && errno == EBADF, "read from O_PATH");
	ok(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED, "mmap of O_PATH");
	ok(sendfile(out, fd, NULL, 100) < 0, "sendfile from O_PATH");
	ok(copy_file_range(fd, NULL, out, NULL, 100, 0) < 0, "copy_file_range from O_PATH");
	ok(pipe(pipes) == 0 && splice(fd, NULL, pipes[1], NULL, 100, 0) < 0, "splice from O_PATH");
	ok(truncate(target, 0) < 0, "truncate");
	if (fork() == 0) {
		execl(target, target, NULL);
		_exit(errno == EACCES || errno == EPERM ? 42 : 1);
	}
	int status;

	wait(&status);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 42, "exec");
	ok(syscall(SYS_execveat, fd, "", (char *[]){ NULL }, (char *[]){ NULL }, AT_EMPTY_PATH) < 0,
	   "execveat of O_PATH");
	ok(access(target, R_OK) < 0, "access");
	ok(setxattr(target, "user.x", "1", 1, 0) < 0 || !gives(open(target, O_RDONLY)),
	   "attributes");
	ok(syscall(SYS_swapon, target, 0) < 0 && syscall(SYS_acct, target) < 0, "swapon, acct");
}

/* ---- memory ---- */

static int dump(const char *pid)
{
	static char buf[1u << 18];
	char name[64], line[512];
	unsigned long from, to;
	int mem;
	FILE *maps;

	if (ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL) != 0)
		fprintf(stderr, "thief: ptrace: %s\n", strerror(errno));
	snprintf(name, sizeof(name), "/proc/%s/maps", pid);
	maps = fopen(name, "r");
	snprintf(name, sizeof(name), "/proc/%s/mem", pid);
	mem = open(name, O_RDONLY);
	if (maps == NULL || mem < 0)
		return 1;
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		for (unsigned long at = from; at < to; at += sizeof(buf)) {
			size_t want = to - at < sizeof(buf) ? to - at : sizeof(buf);
			ssize_t n = pread(mem, buf, want, (off_t)at);

			if (n > 0)
				fwrite(buf, 1, (size_t)n, stdout);
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--dump") == 0)
		return dump(argv[2]);
	open_file = argc == 3 && strcmp(argv[1], "--open") == 0;
	if (argc != 2 && !open_file)
		return 2;
	target = argv[argc - 1];
	if (geteuid() != 0 || priv_init(NULL) < 0)
		return 2;
	try_ways();
	try_calls();
	printf("1..%d\n", tests);
	return failures != 0;
}
