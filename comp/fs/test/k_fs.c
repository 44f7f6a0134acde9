/* SPDX-License-Identifier: BSD-2-Clause */
/* All mounted file systems against what every one must do, in the kernel. */
#include <linux/fs.h>

#include "comp/fs/conform.h"
#include "kernel/core/core.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"

static void conform_at(const char *name, bool writable)
{
	struct path p;

	EXPECT_EQ(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW | LOOK_DIR, &p), OK);
	fs_conform_read(p.dentry->inode);
	if (writable)
		fs_conform_write(p.dentry->inode);
	path_put(&p);
}

KTEST(fs_conform_root)
{
	if (boot_info.core == 0)
		conform_at("/", false);
}

KTEST(fs_conform_tmp)
{
	if (boot_info.core == 0)
		conform_at("/tmp", true);
}

KTEST(fs_conform_shm)
{
	if (boot_info.core == 0)
		conform_at("/dev/shm", true);
}

KTEST(fs_conform_proc)
{
	if (boot_info.core == 0)
		conform_at("/proc", false);
}

KTEST(fs_conform_dev)
{
	if (boot_info.core != 0)
		return;
	conform_at("/dev", false);
	conform_at("/dev/pts", false);
}

KTEST(fs_conform_sys)
{
	if (boot_info.core == 0)
		conform_at("/sys", false);
}

/* Every file of /proc and /sys that can be read gives its text without an error. */
KTEST(fs_proc_texts)
{
	static const char *const names[] = {
		"/proc/meminfo",
		"/proc/cpuinfo",
		"/proc/stat",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/version",
		"/proc/cmdline",
		"/proc/filesystems",
		"/proc/mounts",
		"/proc/sys/kernel/osrelease",
		"/proc/sys/kernel/random/boot_id",
		"/proc/sys/vm/overcommit_memory",
		"/sys/devices/system/cpu/online",
		"/sys/kernel/mm/transparent_hugepage/enabled",
	};
	static char text[4096];

	for (size_t i = 0; boot_info.core == 0 && i < ARRAY_SIZE(names); i++) {
		struct file *f;
		struct uio to;
		size_t done;
		err_t err = vfs_open(AT_FDCWD_, names[i], 0, 0, LOOK_FOLLOW, &f);

		if (err == E_NOENT && i == 8)
			continue; /* a link through /proc/self, which no process reads here */
		EXPECT_EQ(err, OK);
		if (err != OK)
			continue;
		uio_kernel(&to, text, sizeof(text));
		EXPECT_EQ(file_read(f, &to, &done), OK);
		EXPECT(done > 0 && (text[done - 1] == '\n' || done == sizeof(text)));
		file_put(f);
	}
}
