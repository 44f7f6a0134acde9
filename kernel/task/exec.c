/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve: the new program is built beside the old one, completely, in an address space of its own.
 * Only then comes the point of no return: the other threads end, and the new space, descriptors and
 * signal actions are put in place by code that cannot fail.
 */
#include <linux/personality.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/dom/privuser.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"
#include "kernel/task/ptrace.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/path.h"

#define CAP_ALL         ((1ull << (CAP_LAST_CAP + 1)) - 1)
#define SCRIPT_DEPTH    5 /* as Linux: a script's script's ... interpreter */
#define PIE_BASE        0x555555554000ull
#define RND_PAGES       (1ull << 28) /* for mmap and PIE, as Linux */
#define STACK_RND_PAGES (1ull << 22)
#define BRK_RND         (32ull << 20)
#define GAP_MIN         (128ull << 20)
#define GAP_MAX         (USER_END / 6 * 5)
#define STACK_GUARD     (1ull << 20)
#define MAY_EXEC_       1u
#define RFLAGS_START    0x202u

/* ---- files of programs ---- */

struct file *exe_file_get(struct file *f)
{
	if (f == NULL)
		return NULL;
	BUG_ON(inode_deny_write(f->inode) != OK); /* denied already: nobody writes */
	return file_get(f);
}

void exe_file_put(struct file *f)
{
	if (f == NULL)
		return;
	inode_allow_write(f->inode);
	file_put(f);
}

/* Opened by the right to execute; being readable for the kernel is no right of the program's. */
static err_t open_checked(struct path *p, struct file **out)
{
	struct inode *i = p->dentry->inode;

	if (!S_ISREG(i->mode))
		return E_ACCES;
	TRY(path_permission(p, MAY_EXEC_));
	TRY(inode_deny_write(i));
	err_t err = vfs_open_path(p, O_PATH, out);

	if (err != OK) {
		inode_allow_write(i);
		return err;
	}
	(*out)->flags = O_RDONLY | O_LARGEFILE;
	return OK;
}

/* The file is kept from being written until exe_file_put. */
static err_t open_exec(int dirfd, const char *name, unsigned at_flags, struct file **out)
{
	unsigned look = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOK_FOLLOW;
	struct path p;
	err_t err;

	if (at_flags & AT_EMPTY_PATH)
		look |= LOOK_EMPTY;
	TRY(path_lookup(dirfd, name, look, &p));
	if (S_ISLNK(p.dentry->inode->mode))
		err = E_LOOP;
	else
		err = open_checked(&p, out);
	path_put(&p);
	return err;
}

/* ---- what is being built ---- */

struct exec {
	struct exec_args args;
	struct file *file; /* the program in the end */
	char *execfn;
	char *exe_path;
	char *owned[EXEC_FRONT]; /* strings to free */
	unsigned nowned;
	struct elf_file elf, interp;
	struct file *interp_file;
	bool has_elf, has_interp;
	struct aspace *mm;
	struct exec_image image;
	uint64_t sp;
	struct cred cred;
	bool secure, undumpable;
	struct sighand *sighand; /* instead of a shared one */
	struct fdtable *files;
};

static void release(struct exec *x)
{
	if (x->has_elf)
		elf_file_close(&x->elf);
	if (x->has_interp)
		elf_file_close(&x->interp);
	exe_file_put(x->interp_file);
	exe_file_put(x->file);
	if (x->mm != NULL)
		aspace_put(x->mm);
	if (x->files != NULL)
		fdtable_put(x->files);
	sighand_put(x->sighand);
	for (unsigned i = 0; i < x->nowned; i++)
		kmem_free(x->owned[i]);
	kmem_free(x->execfn);
	kmem_free(x->exe_path);
	kmem_free(x);
}

/* ---- name and script ---- */

/* What the program is told its file is called. */
static char *make_execfn(int dirfd, const char *path)
{
	size_t size = strlen(path) + 32;
	char *s;

	if (path[0] == '/' || dirfd == AT_FDCWD)
		return kmem_strdup(path);
	s = kmem_alloc(size);
	if (s != NULL && path[0] == '\0')
		fmt_snprintf(s, size, "/dev/fd/%d", dirfd);
	else if (s != NULL)
		fmt_snprintf(s, size, "/dev/fd/%d/%s", dirfd, path);
	return s;
}

static err_t push_front(struct exec *x, const char *s)
{
	char *copy;

	if (x->args.nfront == EXEC_FRONT || x->nowned == EXEC_FRONT)
		return E_LOOP;
	copy = kmem_strdup(s);
	if (copy == NULL)
		return E_NOMEM;
	x->owned[x->nowned++] = copy;
	x->args.front[x->args.nfront++] = copy;
	return OK;
}

/*
 * "#!interp arg": the arguments become interp, arg, the script's name, and the rest without the old
 * argv[0].
 */
static err_t follow_script(struct exec *x, char *line, const char *script, const char **next)
{
	char *interp, *arg;
	struct file *f;

	TRY(script_parse(line, &interp, &arg));
	if (x->args.nfront > 0)
		x->args.nfront--;
	else if (x->args.argv->n > 0)
		x->args.skip = 1;
	TRY(push_front(x, script));
	if (arg != NULL)
		TRY(push_front(x, arg));
	TRY(push_front(x, interp));
	*next = x->args.front[x->args.nfront - 1];
	TRY(open_exec(AT_FDCWD, *next, 0, &f));
	exe_file_put(x->file);
	x->file = f;
	return OK;
}

static err_t read_line(struct file *f, char *line)
{
	size_t done;

	memset(line, 0, SCRIPT_LINE);
	return file_read_kernel(f, 0, line, SCRIPT_LINE, &done);
}

/*
 * `gone`: the name will mean nothing once the descriptors are closed, so no interpreter could open
 * it.
 */
static err_t find_program(struct exec *x, bool gone)
{
	char *line = kmem_alloc(SCRIPT_LINE);
	const char *name = x->execfn;
	err_t err = line == NULL ? E_NOMEM : OK;

	for (int depth = 0; err == OK; depth++) {
		err = read_line(x->file, line);
		if (err != OK || line[0] != '#' || line[1] != '!')
			break;
		err = gone                    ? E_NOENT
		      : depth == SCRIPT_DEPTH ? E_LOOP
					      : follow_script(x, line, name, &name);
	}
	kmem_free(line);
	return err;
}

static err_t open_elf(struct exec *x)
{
	char *interp;
	err_t err;

	TRY(elf_file_open(&x->elf, x->file));
	x->has_elf = true;
	TRY(elf_file_interp(&x->elf, &interp));
	if (interp == NULL)
		return OK;
	err = open_exec(AT_FDCWD, interp, 0, &x->interp_file);
	if (err == E_NOENT)
		user_log("%s: its loader %s is missing", x->execfn, interp);
	kmem_free(interp);
	TRY(err);
	err = elf_file_open(&x->interp, x->interp_file);
	if (err != OK)
		return err == E_NOEXEC ? E_IO
				       : err; /* ELIBBAD in Linux; here the image is damaged */
	x->has_interp = true;
	return OK;
}

/* ---- credentials ---- */

/*
 * Set-user-ID programs run with their caller's rights when somebody traces them who could not trace
 * them as they would be.
 */
static bool may_gain(void)
{
	return !ptraced(current) ||
	       (current->trace->tracer->task->cred.cap_effective >> CAP_SYS_PTRACE & 1);
}

static void new_ids(struct exec *x, const struct inode *i, bool may_gain_ids)
{
	struct cred *c = &x->cred;

	*c = current_task->cred;
	if (may_gain_ids) {
		if (i->mode & S_ISUID)
			c->euid = i->uid;
		if ((i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			c->egid = i->gid;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->keep_caps = false;
}

struct file_caps {
	bool there, effective;
	uint64_t permitted, inheritable;
};

static uint64_t cap_word(const struct vfs_ns_cap_data *d, bool inheritable)
{
	return inheritable ? d->data[0].inheritable | (uint64_t)d->data[1].inheritable << 32
			   : d->data[0].permitted | (uint64_t)d->data[1].permitted << 32;
}

/* The capabilities of a program's file. What cannot be understood is as if it were not there. */
static err_t read_file_caps(struct inode *i, struct file_caps *out)
{
	struct vfs_ns_cap_data d = { 0 };
	uint32_t revision;
	size_t len = 0;
	err_t err;

	*out = (struct file_caps){ 0 };
	if (i->ops->getxattr == NULL)
		return OK;
	err = i->ops->getxattr(i, XATTR_NAME_CAPS, &d, sizeof(d), &len);
	if (err != OK)
		return err == E_NOMEM ? err : OK;
	revision = d.magic_etc & VFS_CAP_REVISION_MASK;
	/* Of the third revision those of another user name space do not count; there is one. */
	if (!(revision == VFS_CAP_REVISION_2 && len == XATTR_CAPS_SZ_2) &&
	    !(revision == VFS_CAP_REVISION_3 && len == XATTR_CAPS_SZ_3 && d.rootid == 0))
		return OK;
	out->there = true;
	out->effective = (d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE) != 0;
	out->permitted = cap_word(&d, false) & CAP_ALL;
	out->inheritable = cap_word(&d, true) & CAP_ALL;
	return OK;
}

/*
 * capabilities(7), "Transformation of capabilities during execve()". E_PERM: the file wants more
 * than the bounding set leaves.
 */
static err_t new_capabilities(struct cred *c, const struct cred *old, const struct file_caps *f,
			      bool *effective)
{
	bool by_root = !(c->securebits & SECBIT_NOROOT);

	c->cap_permitted = 0;
	*effective = false;
	if (f->there) {
		c->cap_permitted = (c->cap_bounding & f->permitted) |
				   (c->cap_inheritable & f->inheritable);
		*effective = f->effective;
		if (f->effective && (f->permitted & ~c->cap_permitted))
			return E_PERM;
	}
	/* A set-user-ID root program with capabilities of its own gets those only. */
	if (by_root && !(f->there && c->uid != 0 && c->euid == 0)) {
		if (c->uid == 0 || c->euid == 0)
			c->cap_permitted = c->cap_bounding | c->cap_inheritable;
		if (c->euid == 0)
			*effective = true;
	}
	if (f->there || c->euid != old->uid || c->egid != old->gid)
		c->cap_ambient = 0;
	return OK;
}

static err_t new_cred(struct exec *x)
{
	const struct cred *old = &current_task->cred;
	const struct path *p = &x->file->path;
	bool nosuid = p->mnt != NULL && (p->mnt->flags & MS_NOSUID) != 0;
	bool may_get_more = !current->no_new_privs && may_gain(), effective;
	struct file_caps f = { 0 };
	struct cred *c = &x->cred;

	new_ids(x, x->file->inode, may_get_more && !nosuid);
	if (!nosuid)
		TRY(read_file_caps(x->file->inode, &f));
	TRY(new_capabilities(c, old, &f, &effective));
	if (!may_get_more)
		c->cap_permitted &= old->cap_permitted;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = effective ? c->cap_permitted : c->cap_ambient;
	x->secure = c->euid != c->uid || c->egid != c->gid ||
		    (c->uid != 0 && (effective || (c->cap_permitted & ~c->cap_ambient) != 0));
	x->image.secure = x->secure;
	x->undumpable = c->euid != c->uid || c->egid != c->gid || c->euid != old->euid ||
			c->egid != old->egid || (c->cap_permitted & ~old->cap_permitted) != 0;
	return OK;
}

/* ---- the new address space ---- */

static uint64_t random_offset(uint64_t n)
{
	return (current_task->personality & ADDR_NO_RANDOMIZE) != 0 ? 0 : random_below(n);
}

static uint64_t random_pages(uint64_t n)
{
	return random_offset(n) << PAGE_SHIFT;
}

/* Returns the stack's top. Room for the stack to grow stays between it and mmap's top. */
static uint64_t place_stack_and_mmap(struct aspace *mm)
{
	uint64_t top = USER_END - random_pages(STACK_RND_PAGES);
	uint64_t gap = mm->limit_stack;

	if (gap > GAP_MAX)
		gap = GAP_MAX;
	if (gap < GAP_MIN)
		gap = GAP_MIN;
	gap += STACK_GUARD;
	if ((current_task->personality & ADDR_NO_RANDOMIZE) == 0)
		gap += STACK_RND_PAGES << PAGE_SHIFT;
	mm->mmap_top = ALIGN_DOWN(USER_END - gap, PAGE_SIZE) - random_pages(RND_PAGES);
	return top;
}

static err_t map_program(struct exec *x)
{
	const struct elf_file *e = &x->elf;
	uint64_t bias = 0, brk;

	if (e->head.type == ET_DYN)
		bias = ALIGN_DOWN(PIE_BASE + random_pages(RND_PAGES), e->layout.max_align) -
		       e->layout.lo;
	TRY(elf_file_map(e, x->mm, bias));
	elf_file_note_areas(e, x->mm, bias);
	brk = ALIGN_UP(e->layout.brk + bias, PAGE_SIZE) +
	      ALIGN_DOWN(random_offset(BRK_RND), PAGE_SIZE);
	x->mm->brk_start = x->mm->brk = brk;
	x->image.program_entry = x->image.entry = e->head.entry + bias;
	x->image.phdr = e->layout.phdr_vaddr == 0 ? 0 : e->layout.phdr_vaddr + bias;
	x->image.phnum = e->head.phnum;
	return OK;
}

static bool range_free(struct aspace *mm, uint64_t start, uint64_t end)
{
	for (const struct vma *v = aspace_first(mm); v != NULL; v = aspace_next((struct vma *)v))
		if (v->start < end && start < v->end)
			return false;
	return true;
}

/* Room for all of the loader: below the vDSO, which was mapped at the top of what mmap uses. */
static err_t place_interp(struct aspace *mm, const struct elf_file *e, uint64_t *base)
{
	uint64_t len = e->layout.hi - e->layout.lo, align = e->layout.max_align,
		 top = mm->vdso - PAGE_SIZE;

	*base = ALIGN_DOWN(top - len, align);
	if (len < top && *base >= USER_MIN && range_free(mm, *base, *base + len))
		return OK;
	/*
	 * A program at a fixed address is in the way: let mmap find a place, then map the parts
	 * into the hole.
	 */
	*base = 0;
	TRY(aspace_map(mm, base, len + align - PAGE_SIZE, VM_NORESERVE, MAP_AT_HINT, NULL, 0,
		       NULL));
	TRY(aspace_unmap(mm, *base, len + align - PAGE_SIZE));
	*base = ALIGN_UP(*base, align);
	return OK;
}

static err_t map_interp(struct exec *x)
{
	const struct elf_file *e = &x->interp;
	uint64_t base = 0, bias = 0;

	if (!x->has_interp)
		return OK;
	if (e->head.type == ET_DYN) {
		TRY(place_interp(x->mm, e, &base));
		bias = base - e->layout.lo;
	}
	TRY(elf_file_map(e, x->mm, bias));
	x->image.interp_base = e->layout.lo + bias;
	x->image.entry = e->head.entry + bias;
	return OK;
}

static err_t build_space(struct exec *x)
{
	const struct rlimit64 *r = current_task->rlimit;
	uint64_t top;

	TRY(aspace_create(&x->mm));
	x->mm->limit_as = r[RLIMIT_AS].rlim_cur;
	x->mm->limit_data = r[RLIMIT_DATA].rlim_cur;
	x->mm->limit_stack = r[RLIMIT_STACK].rlim_cur;
	top = place_stack_and_mmap(x->mm);
	TRY(map_program(x));
	TRY(vdso_map(x->mm));
	TRY(map_interp(x));
	return exec_stack_build(x->mm, top, x->elf.layout.exec_stack, &x->args, &x->image, &x->cred,
				&x->sp);
}

/* ---- what is shared with other processes must be our own afterwards ---- */

static err_t unshare(struct exec *x)
{
	struct task *t = current_task;

	if (fdtable_refs(t->files) > 1) {
		x->files = fdtable_clone(t->files);
		if (x->files == NULL)
			return E_NOMEM;
	}
	if (t->sighand->refs > 1) {
		x->sighand = sighand_create();
		if (x->sighand == NULL)
			return E_NOMEM;
		memcpy(x->sighand->action, t->sighand->action, sizeof(x->sighand->action));
	}
	return OK;
}

static void path_of_exe(struct exec *x)
{
	const size_t size = sizeof(current_task->exe);
	size_t len;

	x->exe_path = kmem_alloc(size);
	if (x->exe_path == NULL || path_string(&x->file->path, x->exe_path, size, &len) == OK)
		return;
	str_copy(x->exe_path, size, x->execfn);
}

/* ---- the point of no return ---- */

static err_t end_other_threads(struct task *t)
{
	if (t->execing != NULL || current->killed)
		return E_INTR;
	t->execing = current;
	task_kill_threads(t, current);
	while (t->nthreads > 1) {
		if (wait_on_killable(&t->exec_wait, WAIT_FOREVER) == WAIT_SIGNAL &&
		    current->killed) {
			t->execing = NULL;
			return E_INTR;
		}
	}
	t->execing = NULL;
	if (current->tid != t->pid) {
		thread_rename_tid(current, t->pid);
		ptrace_leader_replaced(current);
	}
	return OK;
}

static void take_space(struct exec *x)
{
	struct task *t = current_task;
	struct aspace *old = t->mm;

	thread_leave_program(current);
	if (old->pages_peak > t->maxrss_pages && old->refs == 1)
		t->maxrss_pages = old->pages_peak;
	t->mm = x->mm;
	x->mm = NULL;
	aspace_load(t->mm);
	privuser_switch_in(current);
	aspace_put(old);
}

static void take_tables(struct exec *x)
{
	struct task *t = current_task;

	if (x->files != NULL) {
		struct fdtable *old = t->files;

		t->files = x->files;
		x->files = NULL;
		fdtable_put(old);
	}
	if (x->sighand != NULL) {
		sighand_put(t->sighand);
		t->sighand = x->sighand;
		x->sighand = NULL;
	}
	fdtable_close_on_exec(t->files);
	signal_reset_for_exec(t);
	posix_timers_release(t);
}

static void take_identity(struct exec *x)
{
	struct task *t = current_task;
	const char *base = strrchr(x->execfn, '/');
	bool changed = x->cred.euid != t->cred.euid || x->cred.egid != t->cred.egid;

	x->cred.groups = t->cred.groups; /* another thread may have set them meanwhile */
	t->cred = x->cred;
	t->dumpable = !x->undumpable;
	if (changed)
		t->pdeath_signal = 0;
	if (x->secure)
		t->personality = 0;
	t->execed = true;
	str_copy(current->comm, sizeof(current->comm), base != NULL ? base + 1 : x->execfn);
	str_copy(t->comm, sizeof(t->comm), current->comm);
	str_copy(t->exe, sizeof(t->exe), x->exe_path != NULL ? x->exe_path : x->execfn);
	exe_file_put(t->exe_file);
	t->exe_file = x->file;
	x->file = NULL;
}

static void reset_thread(struct thread *me, struct trapframe *tf, const struct exec *x)
{
	me->altstack_sp = me->altstack_size = 0;
	me->altstack_flags = SS_DISABLE;
	me->robust_list = me->robust_len = 0;
	me->rseq = 0;
	me->restart.fn = NULL;
	if (me->trace != NULL)
		debug_clear(me->trace);
	me->fs_base = me->gs_base = 0;
	nk_set_fs_base(0);
	nk_set_gs_base(0);
	fpu_reset(me->fpu);
	fpu_switch(me->fpu);
	memset(tf, 0, sizeof(*tf));
	tf->rip = x->image.entry;
	tf->rsp = x->sp;
	tf->cs = SEL_UCODE;
	tf->ss = SEL_UDATA;
	tf->rflags = RFLAGS_START;
	tf->orig_rax = UINT64_MAX;
	user_work |= USER_WORK_SPECIAL;
}

/* ---- all of it ---- */

static err_t prepare(struct exec *x, int dirfd, const char *path, unsigned at_flags)
{
	static char empty[] = "";

	x->execfn = make_execfn(dirfd, path);
	if (x->execfn == NULL)
		return E_NOMEM;
	x->args.execfn = x->execfn;
	TRY(open_exec(dirfd, path, at_flags, &x->file));
	if (x->args.argv->n == 0)
		x->args.front[x->args.nfront++] = empty; /* as Linux: no program without argv[0] */
	TRY(find_program(x, path[0] != '/' && dirfd != AT_FDCWD && fd_get_cloexec(dirfd) > 0));
	TRY(exec_args_check(&x->args, current_task->rlimit[RLIMIT_STACK].rlim_cur));
	TRY(open_elf(x));
	TRY(new_cred(x));
	TRY(unshare(x));
	path_of_exe(x);
	return build_space(x);
}

err_t task_exec(struct trapframe *tf, int dirfd, const char *path, unsigned at_flags,
		const struct exec_strings *argv, const struct exec_strings *envp)
{
	struct exec *x = kmem_zalloc(sizeof(*x));
	int old_tid = current->tid;
	err_t err;

	if (x == NULL)
		return E_NOMEM;
	x->args.argv = argv;
	x->args.envp = envp;
	err = prepare(x, dirfd, path, at_flags);
	if (err == OK)
		err = end_other_threads(current_task);
	if (err == OK) {
		take_space(x);
		take_tables(x);
		reset_thread(current, tf, x);
		take_identity(x);
		trace(TRACE_EXEC, (uint64_t)current_task->pid, x->image.entry);
	}
	release(x);
	if (err == OK)
		(void)ptrace_event(PTRACE_EVENT_EXEC, (uint64_t)old_tid);
	return err;
}

err_t exec_init(void)
{
	return vdso_init();
}
