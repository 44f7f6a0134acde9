/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool/accel.h"
#include "tool/cache.h"
#include "tool/places.h"
#include "tool/report.h"
#include "tool/run.h"
#include "tool/vm.h"

static unsigned missing;

/* One line of the report; `mend`: the command that helps, if it is not there. */
static void line(bool ok, bool needed, const char *what, const char *mend)
{
	const char *state = ok ? "ok     " : needed ? "MISSING" : "no     ";

	printf("%s  %s\n", state, what);
	if (!ok && mend != NULL)
		printf("           %s\n", mend);
	if (!ok && needed)
		missing++;
}

static void linef(bool ok, bool needed, const char *mend, const char *fmt, const char *value)
{
	char *what = xasprintf("%s %s", fmt, value);

	line(ok, needed, what, mend);
	free(what);
}

/* First line that a program prints; "" if it cannot be run. The caller frees. */
static char *first_line(char *const argv[])
{
	int fd = memfd_create("doctor", MFD_CLOEXEC);
	char text[256];
	ssize_t n = 0;

	if (fd >= 0 && run_program(argv, NULL, fd) >= 0)
		n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(fd);
	return xstrdup(text);
}

static bool prints(char *const argv[], const char *word)
{
	int fd = memfd_create("doctor", MFD_CLOEXEC);
	char text[16384];
	ssize_t n = 0;

	if (fd >= 0 && run_program(argv, NULL, fd) >= 0)
		n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return strstr(text, word) != NULL;
}

static void check_host(void)
{
	struct utsname host;
	unsigned major = 0, minor = 0;

	if (uname(&host) != 0 || sscanf(host.release, "%u.%u", &major, &minor) != 2)
		return;
	linef(strcmp(host.machine, "x86_64") == 0, true, "ringfence runs on 64-bit PCs",
	      "processor", host.machine);
	linef(major > 5 || (major == 5 && minor >= 3), true, "Linux 5.3 or later is needed",
	      "Linux", host.release);
}

static void check_qemu(void)
{
	char *qemu = vm_find_qemu();
	char why[ACCEL_WHY_MAX];

	if (qemu == NULL) {
		line(false, true, "QEMU (qemu-system-x86_64)", "apt-get install qemu-system-x86");
		return;
	}
	char *version[] = { qemu, "--version", NULL }, *machines[] = { qemu, "-M", "help", NULL };
	char *said = first_line(version);

	line(str_begins(said, "QEMU"), true, *said != '\0' ? said : qemu,
	     "apt-get install qemu-system-x86");
	line(prints(machines, "microvm"), true, "QEMU's machine microvm",
	     "apt-get install qemu-system-x86 (4.2 or later)");
	line(path_exists("/usr/share/qemu/qboot.rom") ||
		     path_exists("/usr/share/qemu-system-x86/qboot.rom") ||
		     path_exists("/usr/local/share/qemu/qboot.rom"),
	     true, "QEMU's firmware qboot.rom", "apt-get install qemu-system-data");
	bool kvm = accel_choose(ACCEL_AUTO, qemu, why);

	linef(kvm, false, "not needed: programs then run on the software emulator, TCG",
	      "KVM:", why);
	free(said);
	free(qemu);
}

static void check_parts(void)
{
	char *kernel = places_find_kernel(NULL), *catalog = places_find_catalog();

	linef(kernel != NULL, true, "make kernel, or set RINGFENCE_KERNEL",
	      "kernel:", kernel != NULL ? kernel : "kernel.elf");
	linef(catalog != NULL, true, "set RINGFENCE_CATALOG to the folder of catalog files",
	      "catalog:", catalog != NULL ? catalog : "folder with what known programs need");
	free(kernel);
	free(catalog);
}

static void check_tools(void)
{
	char *path = getenv("PATH");
	char *mkfs = find_in_path("mkfs.erofs",
				  path != NULL ? path : "/usr/bin:/bin:/usr/sbin:/sbin");
	char *gdb = find_in_path("gdb", path != NULL ? path : "/usr/bin:/bin");
	struct statvfs vfs;

	linef(mkfs != NULL, true, "apt-get install erofs-utils",
	      "mkfs.erofs:", mkfs != NULL ? mkfs : "makes root images");
	linef(access(cache_dir(), W_OK) == 0, true, "set XDG_CACHE_HOME to a folder of yours",
	      "cache:", cache_dir());
	line(statvfs("/dev/shm", &vfs) == 0 && access("/dev/shm", W_OK) == 0, false,
	     "/dev/shm: images are put together in memory",
	     "not needed: the cache's folder is used, more slowly");
	linef(gdb != NULL, false, "only for --gdb: apt-get install gdb",
	      "gdb:", gdb != NULL ? gdb : "looks into the running kernel");
	free(mkfs);
	free(gdb);
}

int command_doctor(void)
{
	interrupts_defer();
	check_host();
	check_qemu();
	check_tools();
	check_parts();
	if (missing != 0)
		printf("%u thing%s missing\n", missing, missing == 1 ? " is" : "s are");
	else
		printf("everything that is needed is there\n");
	return missing != 0 ? 1 : 0;
}
