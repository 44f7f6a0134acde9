/* SPDX-License-Identifier: BSD-2-Clause */
/* Mounting, moving and detaching; on the host in a mount namespace of its own. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "test/linux/prog/check.h"

static void start(void)
{
	/* Without namespaces the machine's own tree is used. */
	if (unshare(CLONE_NEWNS) == 0)
		MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mkdir("a", 0755));
	MUST(mkdir("b", 0755));
}

static void moving(void)
{
	struct stat st;

	start();
	RES("mount", mount("one", "a", "tmpfs", 0, NULL));
	put_file("a/file", "x", 0644);
	MUST(mkdir("a/sub", 0755));
	RES("below", mount("two", "a/sub", "tmpfs", 0, NULL));
	put_file("a/sub/deep", "y", 0644);
	RES("into itself",
	    mount("a", "a/sub/.", NULL, MS_MOVE, NULL) == -1 && (errno == ELOOP || errno == EBUSY)
		    ? 0
		    : -1);
	RES("move", mount("a", "b", NULL, MS_MOVE, NULL));
	RES("old place", stat("a/file", &st));
	RES("new place", stat("b/file", &st));
	RES("what was below", stat("b/sub/deep", &st));
	RES("no mount", mount("a", "b/sub", NULL, MS_MOVE, NULL));
	RES("missing", mount("c", "a", NULL, MS_MOVE, NULL));
	RES("busy", umount2("b", 0));
	RES("detach", umount2("b", MNT_DETACH));
	RES("gone", stat("b/file", &st));
	RES("again", umount2("b", 0));
}

static void inside(void)
{
	char text[8] = "";
	int fd, dir;

	start();
	MUST(mount("one", "a", "tmpfs", 0, NULL));
	put_file("a/file", "inside", 0644);
	fd = (int)MUST(open("a/file", O_RDONLY));
	dir = (int)MUST(open("a", O_RDONLY | O_DIRECTORY));
	RES("busy", umount2("a", 0));
	RES("detach", umount2("a", MNT_DETACH));
	RET("still readable", read(fd, text, 7));
	STR("text", text);
	RES("by the directory", faccessat(dir, "file", F_OK, 0));
	RES("not by name", access("a/file", F_OK));
	RES("bad flags", umount2("a", 0x100));
	RES("no mount", umount2("b", 0));
}

static void read_only(void)
{
	struct statfs fs;

	start();
	MUST(mount("one", "a", "tmpfs", 0, NULL));
	put_file("a/file", "x", 0644);
	RES("bind", mount("a", "b", NULL, MS_BIND, NULL));
	RES("remount", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	RES("write there", open("b/file", O_WRONLY));
	RES("write here", open("a/file", O_WRONLY));
	MUST(statfs("b", &fs));
	HEX("flags", fs.f_flags & 1);
	RES("unmount", umount2("b", 0));
	RES("bad type", mount("x", "b", "nosuchfs", 0, NULL));
	RES("on a file", mount("x", "a/file", "tmpfs", 0, NULL));
}

static void listed(void)
{
	static const char *const files[] = { "mounts", "mountinfo", "mountstats" };
	char path[64], line[1024];

	start();
	MUST(mount("my source", "a", "tmpfs", MS_NOSUID, NULL));
	for (size_t i = 0; i < COUNT(files); i++) {
		FILE *f;
		int n = 0;

		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		f = fopen(path, "r");
		if (f == NULL) {
			say("%s: %s", files[i], error_name(errno));
			continue;
		}
		while (fgets(line, sizeof(line), f) != NULL)
			n += strstr(line, "my\\040source") != NULL && strstr(line, "tmpfs") != NULL;
		fclose(f);
		say("%s: %d", files[i], n);
	}
	RES("unmount", umount2("a", 0));
}

static const struct section sections[] = {
	{ "moving", moving },
	{ "inside", inside },
	{ "read_only", read_only },
	{ "listed", listed },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
