/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of /proc: a static table (struct proc_entry) in which some directories have entries that
 * come and go. No name is cached: every look-up makes a fresh inode, since processes end without
 * asking us.
 */
#include <linux/capability.h>
#include <linux/magic.h>

#include "base/fmt.h"
#include "base/hash.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"

struct pnode {
	struct inode vfs;
	const struct proc_entry *entry;
	struct proc_ref ref;
};

static const struct inode_ops proc_inode_ops, proc_magic_ops;

static struct pnode *pnode_of(struct inode *i)
{
	return container_of(i, struct pnode, vfs);
}

bool proc_number(const char *name, size_t len, int *out)
{
	uint64_t v = 0;

	if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
		return false;
	for (size_t n = 0; n < len; n++) {
		if (name[n] < '0' || name[n] > '9')
			return false;
		v = v * 10 + (uint64_t)(name[n] - '0');
	}
	*out = (int)v;
	return true;
}

uint64_t proc_ino(const struct proc_entry *e, const struct proc_ref *r)
{
	uint64_t h = hash_u64((uintptr_t)e);

	/* Any number will do as long as it is the same each time; 1 is the root's. */
	h = hash_u64(h ^ (uint64_t)(uint32_t)r->tid << 32 ^ (uint64_t)(uint32_t)r->pid);
	h = hash_u64(h ^ (uint64_t)(uint32_t)r->fd);
	return e == &proc_root ? 1 : (h >> 16) | 2;
}

struct task *proc_task(const struct proc_ref *r)
{
	struct task *t = task_find(r->pid);

	return t != NULL && t->start_ns == r->start_ns ? t : NULL;
}

struct thread *proc_thread(const struct proc_ref *r)
{
	struct task *t = proc_task(r);
	struct thread *th = t != NULL ? thread_find(r->tid) : NULL;

	return th != NULL && th->task == t ? th : NULL;
}

err_t proc_dir_task(struct inode *dir, struct task **out)
{
	if (dir->super->ops != &proc_fs || pnode_of(dir)->entry != &proc_pid_dir)
		return E_BADF;
	*out = proc_task(&pnode_of(dir)->ref);
	return *out != NULL ? OK : E_SRCH;
}

err_t proc_may_inspect(const struct proc_ref *r, struct task **out)
{
	struct task *t = proc_task(r);

	if (t == NULL)
		return E_SRCH;
	*out = t;
	return task_may_access(t, ACCESS_FILES) == OK ? OK : E_ACCES;
}

/* ---- inodes ---- */

static uint32_t kind_of(const struct proc_entry *e)
{
	if (e->link != NULL)
		return S_IFLNK;
	return e->show != NULL || e->open != NULL ? S_IFREG : S_IFDIR;
}

static uint32_t count_dirs(const struct proc_entry *children)
{
	uint32_t n = 0;

	for (; children != NULL && children->name != NULL; children++)
		n += kind_of(children) == S_IFDIR;
	return n;
}

static err_t pnode_make(struct super *s, const struct proc_entry *e, const struct proc_ref *r,
			struct inode **out)
{
	struct pnode *n = kmem_zalloc(sizeof(*n));
	const struct task *t = r->pid != 0 ? proc_task(r) : NULL;

	if (n == NULL)
		return E_NOMEM;
	inode_init(&n->vfs, s, e->follow != NULL ? &proc_magic_ops : &proc_inode_ops,
		   proc_ino(e, r), kind_of(e) | e->mode);
	n->entry = e;
	n->ref = *r;
	if (kind_of(e) == S_IFDIR)
		n->vfs.nlink = 2 + count_dirs(e->children);
	if (t != NULL && t->dumpable) {
		n->vfs.uid = t->cred.euid;
		n->vfs.gid = t->cred.egid;
	}
	*out = &n->vfs;
	return OK;
}

static err_t proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
	const struct pnode *d = pnode_of(dir);
	const struct proc_entry *e = d->entry->children;
	struct proc_ref ref = d->ref;

	if (kind_of(d->entry) != S_IFDIR)
		return E_NOTDIR;
	if (ref.pid != 0 && proc_task(&ref) == NULL)
		return E_NOENT;
	for (; e != NULL && e->name != NULL; e++)
		if (strlen(e->name) == len && memcmp(e->name, name, len) == 0)
			return pnode_make(dir->super, e, &ref, out);
	if (d->entry->lookup == NULL)
		return E_NOENT;
	TRY(d->entry->lookup(&d->ref, name, len, &e, &ref));
	return pnode_make(dir->super, e, &ref, out);
}

static unsigned type_of(const struct proc_entry *e)
{
	return kind_of(e) >> 12;
}

static err_t proc_readdir(struct inode *dir, uint64_t pos, dir_emit emit, void *ctx)
{
	const struct pnode *d = pnode_of(dir);
	const struct proc_entry *e = d->entry->children;

	if (d->ref.pid != 0 && proc_task(&d->ref) == NULL)
		return E_NOENT;
	for (uint64_t i = 0; pos < PROC_DYNAMIC && e != NULL && e->name != NULL; e++, i++)
		if (i >= pos &&
		    !emit(ctx, e->name, strlen(e->name), proc_ino(e, &d->ref), type_of(e), i + 1))
			return OK;
	if (d->entry->list == NULL)
		return OK;
	return d->entry->list(&d->ref, pos < PROC_DYNAMIC ? 0 : pos - PROC_DYNAMIC, emit, ctx);
}

static err_t proc_readlink(struct inode *i, char *buf, size_t size, size_t *len)
{
	const struct pnode *n = pnode_of(i);

	if (n->entry->link == NULL)
		return E_INVAL;
	return n->entry->link(&n->ref, buf, size, len);
}

static err_t proc_follow(struct inode *i, struct path *out)
{
	const struct pnode *n = pnode_of(i);

	return n->entry->follow(&n->ref, out);
}

static err_t show_text(struct inode *i, struct text *t)
{
	const struct pnode *n = pnode_of(i);

	if (n->ref.pid != 0 && proc_task(&n->ref) == NULL)
		return E_SRCH;
	return n->entry->show(&n->ref, t);
}

static err_t store_text(struct inode *i, char *data, size_t len)
{
	const struct pnode *n = pnode_of(i);

	if (n->entry->store == NULL)
		return E_ACCES;
	if (n->ref.pid != 0 && proc_task(&n->ref) == NULL)
		return E_SRCH;
	return n->entry->store(&n->ref, data, len);
}

static err_t proc_open(struct inode *i, struct file *f)
{
	static const struct pseudo_ops text_ops = { .show = show_text, .store = store_text };
	const struct pnode *n = pnode_of(i);

	if (S_ISDIR(i->mode))
		return OK;
	if (n->entry->open != NULL)
		return n->entry->open(&n->ref, f);
	return pseudo_open(f, &text_ops);
}

static err_t proc_setattr(struct inode *i, const struct attr_change *c)
{
	(void)i;
	/* Times of reading are not kept; O_TRUNC of a file that is written is taken; nothing else
	 * can be changed. */
	return (c->valid & ~(ATTR_ATIME | ATTR_READ | ATTR_SIZE)) == 0 ? OK : E_PERM;
}

static void proc_release(struct inode *i)
{
	kmem_free(pnode_of(i));
}

#define PROC_COMMON                                                                \
	.lookup = proc_lookup, .readdir = proc_readdir, .readlink = proc_readlink, \
	.open = proc_open, .setattr = proc_setattr, .release = proc_release

static const struct inode_ops proc_inode_ops = { PROC_COMMON };
static const struct inode_ops proc_magic_ops = { PROC_COMMON, .follow = proc_follow };

static err_t proc_mount(struct super *s, const char *source, const char *options,
			struct inode **root)
{
	struct proc_ref none = { 0 };

	(void)source;
	(void)options;
	s->volatile_names = true;
	return pnode_make(s, &proc_root, &none, root);
}

const struct fs_ops proc_fs = {
	.version = 1,
	.name = "proc",
	.magic = PROC_SUPER_MAGIC,
	.mount = proc_mount,
};

/* ---- the root ---- */

static err_t self_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	char text[16];

	(void)r;
	if (current == NULL)
		return E_NOENT;
	*len = fmt_snprintf(text, sizeof(text), "%d", current_task->pid);
	if (*len > size)
		*len = size;
	memcpy(buf, text, *len);
	return OK;
}

static err_t thread_self_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	char text[40];

	(void)r;
	if (current == NULL)
		return E_NOENT;
	*len = fmt_snprintf(text, sizeof(text), "%d/task/%d", current_task->pid, current->tid);
	if (*len > size)
		*len = size;
	memcpy(buf, text, *len);
	return OK;
}

static err_t mounts_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	(void)r;
	*len = size < 11 ? size : 11;
	memcpy(buf, "self/mounts", *len);
	return OK;
}

static err_t net_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	(void)r;
	*len = size < 8 ? size : 8;
	memcpy(buf, "self/net", *len);
	return OK;
}

static err_t root_lookup(const struct proc_ref *r, const char *name, size_t len,
			 const struct proc_entry **e, struct proc_ref *out)
{
	const struct thread *th;
	struct task *t;
	int id;

	(void)r;
	if (!proc_number(name, len, &id))
		return E_NOENT;
	t = task_find(id);
	if (t == NULL) { /* also a thread's number, though it is not listed */
		th = thread_find(id);
		t = th != NULL ? th->task : NULL;
	}
	if (t == NULL || t->pid == 0)
		return E_NOENT;
	*e = &proc_pid_dir;
	*out = (struct proc_ref){ .pid = t->pid, .tid = id, .start_ns = t->start_ns };
	return OK;
}

/* Processes in ascending order: the list of all has them in the order of creation, which differs
 * once numbers wrap. */
static struct task *next_task(int from)
{
	struct task *best = NULL;

	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);

		if (t->pid >= from && t->pid != 0 && (best == NULL || t->pid < best->pid))
			best = t;
	}
	return best;
}

static err_t root_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx)
{
	struct task *t = next_task((int)from);

	(void)r;
	for (; t != NULL; t = next_task(t->pid + 1)) {
		struct proc_ref ref = { .pid = t->pid, .tid = t->pid };
		char name[12];
		size_t len = fmt_snprintf(name, sizeof(name), "%d", t->pid);

		if (!emit(ctx, name, len, proc_ino(&proc_pid_dir, &ref), 4,
			  PROC_DYNAMIC + (uint64_t)t->pid + 1))
			return OK;
	}
	return OK;
}

static const struct proc_entry sysvipc_entries[] = {
	{ .name = "msg", .mode = 0444, .show = proc_sysvipc_msg },
	{ .name = "sem", .mode = 0444, .show = proc_sysvipc_sem },
	{ .name = "shm", .mode = 0444, .show = proc_sysvipc_shm },
	{ .name = NULL },
};

static const struct proc_entry tty_entries[] = {
	{ .name = "drivers", .mode = 0444, .show = proc_tty_drivers },
	{ .name = NULL },
};

static const struct proc_entry root_children[] = {
	{ .name = "self", .mode = 0777, .link = self_link },
	{ .name = "thread-self", .mode = 0777, .link = thread_self_link },
	{ .name = "mounts", .mode = 0777, .link = mounts_link },
	{ .name = "net", .mode = 0777, .link = net_link },
	{ .name = "meminfo", .mode = 0444, .show = proc_meminfo },
	{ .name = "cpuinfo", .mode = 0444, .show = proc_cpuinfo },
	{ .name = "stat", .mode = 0444, .show = proc_stat_system },
	{ .name = "uptime", .mode = 0444, .show = proc_uptime },
	{ .name = "loadavg", .mode = 0444, .show = proc_loadavg },
	{ .name = "version", .mode = 0444, .show = proc_version },
	{ .name = "cmdline", .mode = 0444, .show = proc_cmdline_kernel },
	{ .name = "filesystems", .mode = 0444, .show = proc_filesystems },
	{ .name = "devices", .mode = 0444, .show = proc_devices },
	{ .name = "slabinfo", .mode = 0400, .show = proc_slabinfo },
	{ .name = "swaps", .mode = 0444, .show = proc_swaps },
	{ .name = "partitions", .mode = 0444, .show = proc_partitions },
	{ .name = "sys", .mode = 0555, .children = proc_sys_entries },
	{ .name = "interrupts", .mode = 0444, .show = proc_interrupts },
	{ .name = "softirqs", .mode = 0444, .show = proc_softirqs },
	{ .name = "vmstat", .mode = 0444, .show = proc_vmstat },
	{ .name = "diskstats", .mode = 0444, .show = proc_diskstats },
	{ .name = "tty", .mode = 0555, .children = tty_entries },
	{ .name = "sysvipc", .mode = 0555, .children = sysvipc_entries },
	{ .name = NULL },
};

const struct proc_entry proc_root = { .name = "",
				      .mode = 0555,
				      .children = root_children,
				      .lookup = root_lookup,
				      .list = root_list };
