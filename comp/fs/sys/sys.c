/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /sys: a fixed read-only tree, but for /sys/class/net (net.c). One processor is shown: programs
 * run on core 0's kernel. A directory is an entry without text; children name their parent by
 * index.
 */
#include <linux/magic.h>

#include "base/str.h"
#include "comp/fs/sys/local.h"
#include "comp/fs/sys/sys.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/pseudo.h"

#define CLASS_NET 34
static const struct entry {
	uint16_t parent;
	const char *name;
	const char *text;
} entries[] = {
	[0] = { 0, "", NULL },
	[1] = { 0, "devices", NULL },
	[2] = { 1, "system", NULL },
	[3] = { 2, "cpu", NULL },
	[4] = { 3, "online", "0\n" },
	[5] = { 3, "possible", "0\n" },
	[6] = { 3, "present", "0\n" },
	[7] = { 3, "kernel_max", "7\n" },
	[8] = { 3, "offline", "\n" },
	[9] = { 3, "cpu0", NULL },
	[10] = { 9, "online", "1\n" },
	[11] = { 9, "topology", NULL },
	[12] = { 11, "core_id", "0\n" },
	[13] = { 11, "physical_package_id", "0\n" },
	[14] = { 11, "thread_siblings_list", "0\n" },
	[15] = { 11, "core_siblings_list", "0\n" },
	[16] = { 2, "node", NULL },
	[17] = { 16, "online", "0\n" },
	[18] = { 16, "possible", "0\n" },
	[19] = { 2, "clocksource", NULL },
	[20] = { 19, "clocksource0", NULL },
	[21] = { 20, "current_clocksource", "tsc\n" },
	[22] = { 20, "available_clocksource", "tsc\n" },
	[23] = { 0, "kernel", NULL },
	[24] = { 23, "mm", NULL },
	[25] = { 24, "transparent_hugepage", NULL },
	[26] = { 25, "enabled", "always madvise [never]\n" },
	[27] = { 25, "defrag", "always defer defer+madvise madvise [never]\n" },
	[28] = { 25, "shmem_enabled", "always within_size advise [never] deny force\n" },
	[29] = { 25, "hpage_pmd_size", "2097152\n" },
	[30] = { 24, "hugepages", NULL },
	[31] = { 0, "fs", NULL },
	[32] = { 31, "cgroup", NULL },
	[33] = { 0, "class", NULL },
	[CLASS_NET] = { 33, "net", NULL },
	[35] = { 0, "block", NULL },
	[36] = { 11, "core_cpus", "1\n" },
	[37] = { 11, "core_cpus_list", "0\n" },
	[38] = { 11, "package_cpus", "1\n" },
	[39] = { 11, "package_cpus_list", "0\n" },
	[40] = { 11, "thread_siblings", "1\n" },
	[41] = { 11, "core_siblings", "1\n" },
	[42] = { 16, "node0", NULL },
	[43] = { 42, "cpumap", "1\n" },
	[44] = { 42, "cpulist", "0\n" },
	[45] = { 42, "distance", "10\n" },
	[46] = { 16, "has_cpu", "0\n" },
	[47] = { 16, "has_memory", "0\n" },
	[48] = { 0, "dev", NULL },
	[49] = { 48, "block", NULL },
	[50] = { 48, "char", NULL },
	[51] = { 33, "block", NULL },
	[52] = { 0, "bus", NULL },
};

struct sys_inode {
	struct inode vfs;
	uint32_t index;
};

static const struct inode_ops sys_inode_ops;

static uint32_t index_of(const struct inode *i)
{
	return container_of(i, const struct sys_inode, vfs)->index;
}

static bool is_net(uint32_t index)
{
	return index == CLASS_NET || index >= SYS_NET;
}

static bool is_dir(uint32_t index)
{
	return index < ARRAY_SIZE(entries) ? entries[index].text == NULL : sys_net_is_dir(index);
}

static uint32_t subdirs(uint32_t index)
{
	uint32_t n = 0;

	for (uint16_t i = 1; i < ARRAY_SIZE(entries); i++)
		n += entries[i].parent == index && is_dir(i);
	return n;
}

static err_t sys_make(struct super *s, uint32_t index, struct inode **out)
{
	struct sys_inode *i = kmem_zalloc(sizeof(*i));

	if (i == NULL)
		return E_NOMEM;
	inode_init(&i->vfs, s, &sys_inode_ops, index + 1u,
		   is_dir(index) ? S_IFDIR | 0555 : S_IFREG | 0444);
	i->index = index;
	if (is_dir(index))
		i->vfs.nlink = 2 + subdirs(index);
	else
		i->vfs.size = PAGE_SIZE; /* as Linux shows all of them */
	*out = &i->vfs;
	return OK;
}

static err_t sys_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	if (is_net(index_of(dir))) {
		uint32_t found = sys_net_find(index_of(dir), name, len);

		return found != 0 ? sys_make(dir->super, found, out) : E_NOENT;
	}
	for (uint16_t i = 1; i < ARRAY_SIZE(entries); i++)
		if (entries[i].parent == index_of(dir) && strlen(entries[i].name) == len &&
		    memcmp(entries[i].name, name, len) == 0)
			return sys_make(dir->super, i, out);
	return E_NOENT;
}

static err_t sys_readdir(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx)
{
	if (is_net(index_of(dir))) {
		sys_net_list(index_of(dir), pos, emit, ctx);
		return OK;
	}
	for (uint64_t i = pos > 0 ? pos : 1; i < ARRAY_SIZE(entries); i++)
		if (entries[i].parent == index_of(dir) &&
		    !emit(ctx, entries[i].name, strlen(entries[i].name), i + 1,
			  is_dir((uint16_t)i) ? 4 : 8, i + 1))
			return OK;
	return OK;
}

static err_t sys_show(struct inode *i, struct text *t)
{
	if (index_of(i) >= SYS_NET)
		return sys_net_show(index_of(i), t);
	text_puts(t, entries[index_of(i)].text);
	return OK;
}

static err_t sys_open(struct inode *i, struct file *f)
{
	static const struct pseudo_ops ops = { .show = sys_show };

	return S_ISDIR(i->mode) ? OK : pseudo_open(f, &ops);
}

static void sys_release(struct inode *i)
{
	kmem_free(container_of(i, struct sys_inode, vfs));
}

static const struct inode_ops sys_inode_ops = {
	.lookup = sys_lookup, .readdir = sys_readdir, .open = sys_open, .release = sys_release
};

static err_t sys_mount(struct super *s, const char *source, const char *options,
		       struct inode **root)
{
	(void)source;
	(void)options;
	s->read_only = true;
	return sys_make(s, 0, root);
}

const struct fs_ops sys_fs = {
	.version = 1,
	.name = "sysfs",
	.magic = SYSFS_MAGIC,
	.mount = sys_mount,
};
