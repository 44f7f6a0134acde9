/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID and /proc/PID/task/TID: the files about one process or thread. */
#include <linux/capability.h>

#include "base/fmt.h"
#include "base/str.h"
#include "comp/fs/proc/local.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/ptrace.h"
#include "kernel/task/seccomp.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"

#define NS_PER_TICK 10000000ul /* USER_HZ is 100 */
#define KB(pages)   ((pages)*4)

/* ---- state ---- */

static char state_of(const struct task *t, const struct thread *th)
{
	if (t->state == TASK_ZOMBIE || th == NULL || th->state == THREAD_DEAD)
		return 'Z';
	if (ptraced(th) && th->trace->stopped)
		return 't';
	if (t->stopped)
		return 'T';
	if (th->state != THREAD_WAITING)
		return 'R';
	return th->wait_interruptible ? 'S' : 'D';
}

static const char *state_text(char c)
{
	switch (c) {
	case 'R': return "R (running)";
	case 'S': return "S (sleeping)";
	case 'D': return "D (disk sleep)";
	case 't': return "t (tracing stop)";
	case 'T': return "T (stopped)";
	default: return "Z (zombie)";
	}
}

static const char *comm_of(const struct task *t, const struct thread *th)
{
	return th != NULL ? th->comm : t->comm;
}

static err_t show_comm(const struct proc_ref *r, struct text *t)
{
	text_printf(t, "%s\n", comm_of(proc_task(r), proc_thread(r)));
	return OK;
}

static err_t store_comm(const struct proc_ref *r, char *data, size_t len)
{
	struct task *t = proc_task(r);
	struct thread *th = proc_thread(r);

	if (t != current_task || th == NULL)
		return E_INVAL; /* only a process may name its own threads */
	if (len > 0 && data[len - 1] == '\n')
		data[len - 1] = '\0';
	memset(th->comm, 0, sizeof(th->comm));
	(void)str_copy(th->comm, sizeof(th->comm), data);
	if (th->tid == t->pid)
		memcpy(t->comm, th->comm, sizeof(t->comm));
	return OK;
}

/* ---- status ---- */

static uint64_t stack_bytes(struct aspace *a)
{
	const struct vma *v = aspace_find(a, a->start_stack);

	return v != NULL ? v->end - v->start : 0;
}

static void status_memory(struct text *t, const struct task *task)
{
	const struct aspace *a = task->mm;
	struct proc_rss r;
	uint64_t code;

	if (a == NULL)
		return;
	proc_rss_of(task->mm, &r);
	code = a->end_code - a->start_code;
	text_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8u kB\nVmPin:\t%8u kB\n",
		    a->bytes_virtual / 1024, a->bytes_virtual / 1024, 0, 0);
	text_printf(
		t,
		"VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n",
		KB(a->pages_peak > r.anon + r.file + r.shmem ? a->pages_peak
							     : r.anon + r.file + r.shmem),
		KB(r.anon + r.file + r.shmem), KB(r.anon), KB(r.file), KB(r.shmem));
	text_printf(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n", a->bytes_data / 1024,
		    stack_bytes(task->mm) / 1024, code / 1024);
	text_puts(t, "VmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\n");
}

static void status_signals(struct text *t, const struct task *task, const struct thread *th)
{
	sigmask_t ignored = 0, caught = 0;

	for (unsigned n = 0; task->sighand != NULL && n < SIG_COUNT; n++) {
		uint64_t h = task->sighand->action[n].handler;

		if (h == 1)
			ignored |= 1ull << n;
		else if (h != 0)
			caught |= 1ull << n;
	}
	text_printf(t, "SigQ:\t%u/%lu\n", task->pending.count,
		    UL(task->rlimit[RLIMIT_SIGPENDING].rlim_cur));
	text_printf(
		t,
		"SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		th != NULL ? th->pending.pending : 0, task->pending.pending,
		th != NULL ? th->blocked : 0, ignored, caught);
}

static void status_cred(struct text *t, const struct task *task)
{
	const struct cred *c = &task->cred;
	uint32_t size = 0;

	text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		    c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	for (int fd = 0; (fd = fdtable_next(task->files, fd)) >= 0; fd++)
		size = (uint32_t)fd + 1;
	text_printf(t, "FDSize:\t%u\nGroups:\t", size < 64 ? 64 : (size + 63) & ~63u);
	for (unsigned i = 0; i < group_count(c->groups); i++)
		text_printf(t, "%u ", c->groups->gids[i]);
	text_puts(t, "\n");
}

static void status_caps(struct text *t, const struct cred *c, const struct thread *th)
{
	text_printf(
		t,
		"CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n",
		c->cap_inheritable, c->cap_permitted, c->cap_effective, c->cap_bounding,
		c->cap_ambient);
	text_printf(t, "NoNewPrivs:\t%u\nSeccomp:\t%u\nSeccomp_filters:\t%u\n",
		    th != NULL && th->no_new_privs, th != NULL ? th->seccomp_mode : 0,
		    th != NULL ? seccomp_filter_count(th) : 0);
}

static int parent_pid(const struct task *task)
{
	return task->parent != NULL ? task->parent->pid : 0;
}

static err_t show_status(const struct proc_ref *r, struct text *t)
{
	const struct task *task = proc_task(r);
	const struct thread *th = proc_thread(r);

	text_printf(t, "Name:\t%s\n", comm_of(task, th));
	if (task->fs != NULL)
		text_printf(t, "Umask:\t%04o\n", task->fs->umask);
	text_printf(t, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		    state_text(state_of(task, th)), task->pid, r->tid, parent_pid(task),
		    th != NULL && ptraced(th) ? th->trace->tracer->task->pid : 0);
	status_cred(t, task);
	text_printf(t, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", task->pid, r->tid,
		    task->pgid, task->sid);
	status_memory(t, task);
	text_printf(t, "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t%u\n", task->nthreads);
	status_signals(t, task, th);
	status_caps(t, &task->cred, th);
	text_puts(t, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n"
		     "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
	text_printf(t, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		    th != NULL ? th->nvcsw : task->nvcsw, th != NULL ? th->nivcsw : task->nivcsw);
	return OK;
}

/* ---- stat: one line of numbers, in the order that proc(5) lists ---- */

static void stat_times(struct text *t, const struct proc_ref *r, const struct task *task,
		       const struct thread *th)
{
	bool whole = r->tid == task->pid;
	uint64_t user, system;

	if (whole || th == NULL)
		task_times(task, &user, &system);
	else
		thread_times(th, &user, &system);
	text_printf(t, " %lu %lu %lu %lu", whole || th == NULL ? task->minflt : th->minflt,
		    task->cminflt, whole || th == NULL ? task->majflt : th->majflt, task->cmajflt);
	text_printf(t, " %lu %lu %lu %lu", user / NS_PER_TICK, system / NS_PER_TICK,
		    task->cutime_ns / NS_PER_TICK, task->cstime_ns / NS_PER_TICK);
}

static void stat_memory(struct text *t, const struct task *task)
{
	const struct aspace *a = task->mm;
	struct proc_rss r = { 0 };

	if (a != NULL)
		proc_rss_of(task->mm, &r);
	text_printf(t, " %lu %lu %lu", a != NULL ? a->bytes_virtual : 0, r.anon + r.file + r.shmem,
		    UL(task->rlimit[RLIMIT_RSS].rlim_cur));
	text_printf(t, " %lu %lu %lu 0 0", a != NULL ? a->start_code : 0,
		    a != NULL ? a->end_code : 0, a != NULL ? a->start_stack : 0);
}

static err_t show_stat(const struct proc_ref *r, struct text *t)
{
	const struct task *task = proc_task(r);
	const struct thread *th = proc_thread(r);
	const struct aspace *a = task->mm;
	const struct sched_own own = th != NULL ? th->own : (struct sched_own){ 0 };
	int priority = th == NULL ? 20 : th->rt_priority > 0 ? -1 - th->rt_priority : 20 + th->nice;
	bool inspect;
	struct task *ignored;

	inspect = proc_may_inspect(r, &ignored) == OK;
	text_printf(t, "%d (%s) %c %d %d %d %u %d 0", r->tid, comm_of(task, th), state_of(task, th),
		    parent_pid(task), task->pgid, task->sid, tty_device_number(task->tty),
		    tty_foreground_group(task->tty));
	stat_times(t, r, task, th);
	text_printf(t, " %d %d %u 0 %lu", priority, own.nice, task->nthreads,
		    task->start_ns / NS_PER_TICK);
	stat_memory(t, task);
	text_printf(t, " %lu %lu 0 0 %u 0 0 %d 0 %d %d 0 0 0",
		    th != NULL ? th->pending.pending & 0x7fffffff : 0,
		    th != NULL ? th->blocked & 0x7fffffff : 0, proc_sleeps_in_call(th),
		    task->exit_signal, own.rt_priority, own.policy);
	if (a != NULL && inspect)
		text_printf(t, " %lu %lu %lu %lu %lu %lu %lu %d\n", a->start_data, a->end_data,
			    a->brk_start, a->arg_start, a->arg_end, a->env_start, a->env_end,
			    task->state == TASK_ZOMBIE ? task->wait_status : 0);
	else
		text_puts(t, " 0 0 0 0 0 0 0 0\n");
	return OK;
}

static err_t show_statm(const struct proc_ref *r, struct text *t)
{
	const struct task *task = proc_task(r);
	const struct aspace *a = task->mm;
	struct proc_rss m;

	if (a == NULL) {
		text_puts(t, "0 0 0 0 0 0 0\n");
		return OK;
	}
	proc_rss_of(task->mm, &m);
	text_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", UL(a->bytes_virtual / PAGE_SIZE),
		    m.anon + m.file + m.shmem, m.file + m.shmem,
		    UL((a->end_code - a->start_code + PAGE_MASK) / PAGE_SIZE),
		    UL(a->bytes_data / PAGE_SIZE));
	return OK;
}

/* ---- text from the process's own memory ---- */

static err_t copy_out(struct text *t, struct aspace *a, uint64_t start, uint64_t end)
{
	char *buf = kmem_alloc(PAGE_SIZE);
	size_t n;

	if (buf == NULL)
		return E_NOMEM;
	for (; start < end; start += n) {
		n = end - start < PAGE_SIZE ? end - start : PAGE_SIZE;
		n = aspace_read(a, start, buf, n);
		if (n == 0)
			break;
		text_put(t, buf, n);
	}
	kmem_free(buf);
	return OK;
}

static err_t show_cmdline(const struct proc_ref *r, struct text *t)
{
	const struct task *task = proc_task(r);
	struct aspace *a = task->mm;
	size_t start = t->len;

	if (a == NULL)
		return OK;
	TRY(copy_out(t, a, a->arg_start, a->arg_end));
	/* A program that wrote over the end mark has made its title longer: it runs on into the
	 * environment. */
	if (t->len > start && t->buf[t->len - 1] != '\0' && a->env_start == a->arg_end) {
		TRY(copy_out(t, a, a->env_start, a->env_end));
		for (size_t i = start; i < t->len; i++)
			if (t->buf[i] == '\0')
				t->len = i;
	}
	return OK;
}

static err_t show_environ(const struct proc_ref *r, struct text *t)
{
	struct task *task;

	TRY(proc_may_inspect(r, &task));
	return task->mm != NULL ? copy_out(t, task->mm, task->mm->env_start, task->mm->env_end)
				: OK;
}

static err_t show_auxv(const struct proc_ref *r, struct text *t)
{
	struct task *task;
	uint64_t aux[64];

	TRY(proc_may_inspect(r, &task));
	if (task->mm != NULL)
		text_put(t, (const char *)aux,
			 linux_read_auxv(task->mm, aux, ARRAY_SIZE(aux)) * sizeof(aux[0]));
	return OK;
}

/* ---- small ones ---- */

static void limit_value(struct text *t, uint64_t v)
{
	if (v == RLIM64_INFINITY)
		text_printf(t, "%-20s ", "unlimited");
	else
		text_printf(t, "%-20lu ", v);
}

static err_t show_limits(const struct proc_ref *r, struct text *t)
{
	static const struct {
		const char *name, *unit;
	} names[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};
	const struct task *task = proc_task(r);

	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		text_printf(t, "%-25s ", names[i].name);
		limit_value(t, task->rlimit[i].rlim_cur);
		limit_value(t, task->rlimit[i].rlim_max);
		text_printf(t, "%-10s\n", names[i].unit);
	}
	return OK;
}

static err_t show_core_filter(const struct proc_ref *r, struct text *t)
{
	text_printf(t, "%08x\n", proc_task(r)->core_filter);
	return OK;
}

/* A number as the C library reads it: decimal, octal or hexadecimal. */
static err_t store_core_filter(const struct proc_ref *r, char *data, size_t len)
{
	uint64_t v;

	if (len > 0 && data[len - 1] == '\n')
		data[len - 1] = '\0';
	if (!str_to_u64(data, 0, &v) || v > UINT32_MAX)
		return E_INVAL;
	proc_task(r)->core_filter = (uint32_t)v & 0x1ff;
	return OK;
}

static err_t show_cgroup(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "0::/\n");
	return OK;
}

/* ---- out of memory ---- */

static err_t show_oom_score(const struct proc_ref *r, struct text *t)
{
	text_printf(t, "%u\n", oom_score(proc_task(r)));
	return OK;
}

static err_t show_oom_score_adj(const struct proc_ref *r, struct text *t)
{
	text_printf(t, "%d\n", proc_task(r)->oom_score_adj);
	return OK;
}

/* The interface of old, of 16 steps each way and one for "never". */
#define OOM_DISABLE (-17)
#define OOM_ADJ_MAX 15

static err_t show_oom_adj(const struct proc_ref *r, struct text *t)
{
	int adj = proc_task(r)->oom_score_adj;

	text_printf(t, "%d\n",
		    adj == OOM_SCORE_ADJ_MAX ? OOM_ADJ_MAX
					     : adj * -OOM_DISABLE / OOM_SCORE_ADJ_MAX);
	return OK;
}

/* A decimal number with a sign, and white space around it. */
static err_t read_number(char *data, size_t len, int64_t *out)
{
	bool minus;
	uint64_t u;
	char *s = data;

	while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == ' '))
		len--;
	data[len] = '\0';
	while (*s == ' ')
		s++;
	minus = *s == '-';
	if (*s == '-' || *s == '+')
		s++;
	if (!str_to_u64(s, 10, &u) || u > INT32_MAX)
		return E_INVAL;
	*out = minus ? -(int64_t)u : (int64_t)u;
	return OK;
}

/* Who lowers the chance to be killed below what it was given takes from others. */
static err_t set_oom_adj(struct task *task, int adj)
{
	if (adj < task->oom_score_adj_min && !task_capable(CAP_SYS_RESOURCE))
		return E_ACCES;
	task->oom_score_adj = adj;
	if (task_capable(CAP_SYS_RESOURCE))
		task->oom_score_adj_min = adj;
	return OK;
}

static err_t store_oom_score_adj(const struct proc_ref *r, char *data, size_t len)
{
	int64_t n;

	TRY(read_number(data, len, &n));
	if (n < OOM_SCORE_ADJ_MIN || n > OOM_SCORE_ADJ_MAX)
		return E_INVAL;
	return set_oom_adj(proc_task(r), (int)n);
}

static err_t store_oom_adj(const struct proc_ref *r, char *data, size_t len)
{
	int64_t n;

	TRY(read_number(data, len, &n));
	if (n < OOM_DISABLE || n > OOM_ADJ_MAX)
		return E_INVAL;
	n = n == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : n * OOM_SCORE_ADJ_MAX / -OOM_DISABLE;
	/* Linux compares with the present value here, not with the least one. */
	if (n < proc_task(r)->oom_score_adj && !task_capable(CAP_SYS_RESOURCE))
		return E_ACCES;
	proc_task(r)->oom_score_adj = (int)n;
	return OK;
}

/* Nobody logged in. */
static err_t show_unset_id(const struct proc_ref *r, struct text *t)
{
	(void)r;
	text_puts(t, "4294967295");
	return OK;
}

/* ---- exe, cwd, root ---- */

static err_t path_text(const struct path *p, char *buf, size_t size, size_t *len)
{
	char *text = kmem_alloc(PAGE_SIZE);
	err_t err;

	if (text == NULL)
		return E_NOMEM;
	err = path_string(p, text, PAGE_SIZE, len);
	if (err == OK) {
		if (*len > size)
			*len = size;
		memcpy(buf, text, *len);
	}
	kmem_free(text);
	return err;
}

static err_t exe_follow(const struct proc_ref *r, struct path *out)
{
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	if (t->exe_file == NULL || t->exe_file->path.dentry == NULL)
		return E_NOENT;
	*out = t->exe_file->path;
	path_get(out);
	return OK;
}

static err_t cwd_follow(const struct proc_ref *r, struct path *out)
{
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	if (t->fs == NULL)
		return E_NOENT;
	*out = t->fs->cwd;
	path_get(out);
	return OK;
}

static err_t root_follow(const struct proc_ref *r, struct path *out)
{
	struct task *t;

	TRY(proc_may_inspect(r, &t));
	if (t->fs == NULL)
		return E_NOENT;
	*out = t->fs->root;
	path_get(out);
	return OK;
}

static err_t link_text(const struct proc_ref *r,
		       err_t (*follow)(const struct proc_ref *r, struct path *out), char *buf,
		       size_t size, size_t *len)
{
	struct path p;
	err_t err;

	TRY(follow(r, &p));
	err = path_text(&p, buf, size, len);
	path_put(&p);
	return err;
}

static err_t exe_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	return link_text(r, exe_follow, buf, size, len);
}

static err_t cwd_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	return link_text(r, cwd_follow, buf, size, len);
}

static err_t root_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	return link_text(r, root_follow, buf, size, len);
}

/* ---- ns: the one kind of namespaces that there is ---- */

/* Linux numbers them from here on. */
#define FIRST_NS_INO 0xf0000000u

static err_t ns_mnt_link(const struct proc_ref *r, char *buf, size_t size, size_t *len)
{
	struct task *t;
	char text[32];

	TRY(proc_may_inspect(r, &t));
	if (t->fs == NULL)
		return E_NOENT;
	*len = fmt_snprintf(text, sizeof(text), "mnt:[%u]", FIRST_NS_INO + t->fs->ns->id);
	if (*len > size)
		*len = size;
	memcpy(buf, text, *len);
	return OK;
}

static const struct proc_entry ns_entries[] = {
	{ .name = "mnt", .mode = 0777, .link = ns_mnt_link },
	{ .name = NULL },
};

/* ---- task: the threads ---- */

static err_t task_lookup(const struct proc_ref *r, const char *name, size_t len,
			 const struct proc_entry **e, struct proc_ref *out)
{
	*out = *r;
	if (!proc_number(name, len, &out->tid) || proc_thread(out) == NULL)
		return E_NOENT;
	*e = &proc_tid_dir;
	return OK;
}

static struct thread *next_thread(const struct task *t, int from)
{
	struct thread *best = NULL;

	LIST_FOR_EACH(pos, &t->threads) {
		struct thread *th = list_entry(pos, struct thread, in_task);

		if (th->tid >= from && (best == NULL || th->tid < best->tid))
			best = th;
	}
	return best;
}

static err_t task_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx)
{
	const struct task *t = proc_task(r);
	struct thread *th = t != NULL ? next_thread(t, (int)from) : NULL;

	for (; th != NULL; th = next_thread(t, th->tid + 1)) {
		struct proc_ref ref = *r;
		char name[12];
		size_t len = fmt_snprintf(name, sizeof(name), "%d", th->tid);

		ref.tid = th->tid;
		if (!emit(ctx, name, len, proc_ino(&proc_tid_dir, &ref), 4,
			  PROC_DYNAMIC + (uint64_t)th->tid + 1))
			return OK;
	}
	return OK;
}

/* ---- the directories ---- */

#define COMMON_ENTRIES                                                                             \
	{ .name = "fd", .mode = 0500, .lookup = proc_fd_lookup, .list = proc_fd_list },            \
		{ .name = "fdinfo",                                                                \
		  .mode = 0555,                                                                    \
		  .lookup = proc_fdinfo_lookup,                                                    \
		  .list = proc_fdinfo_list },                                                      \
		{ .name = "net", .mode = 0555, .children = proc_net_entries },                     \
		{ .name = "ns", .mode = 0511, .children = ns_entries },                            \
		{ .name = "environ", .mode = 0400, .show = show_environ },                         \
		{ .name = "auxv", .mode = 0400, .show = show_auxv },                               \
		{ .name = "status", .mode = 0444, .show = show_status },                           \
		{ .name = "limits", .mode = 0444, .show = show_limits },                           \
		{ .name = "comm", .mode = 0644, .show = show_comm, .store = store_comm },          \
		{ .name = "cmdline", .mode = 0444, .show = show_cmdline },                         \
		{ .name = "stat", .mode = 0444, .show = show_stat },                               \
		{ .name = "statm", .mode = 0444, .show = show_statm },                             \
		{ .name = "maps", .mode = 0444, .show = proc_maps },                               \
		{ .name = "mem", .mode = 0600, .open = proc_mem_open },                            \
		{ .name = "cwd", .mode = 0777, .link = cwd_link, .follow = cwd_follow },           \
		{ .name = "root", .mode = 0777, .link = root_link, .follow = root_follow },        \
		{ .name = "exe", .mode = 0777, .link = exe_link, .follow = exe_follow },           \
		{ .name = "mounts", .mode = 0444, .show = proc_mounts },                           \
		{ .name = "mountinfo", .mode = 0444, .show = proc_mountinfo },                     \
		{ .name = "mountstats", .mode = 0400, .show = proc_mountstats },                   \
		{ .name = "smaps", .mode = 0444, .show = proc_smaps },                             \
		{ .name = "smaps_rollup", .mode = 0444, .show = proc_smaps_rollup },               \
		{ .name = "coredump_filter",                                                       \
		  .mode = 0644,                                                                    \
		  .show = show_core_filter,                                                        \
		  .store = store_core_filter },                                                    \
		{ .name = "wchan", .mode = 0444, .show = proc_wchan },                             \
		{ .name = "syscall", .mode = 0400, .show = proc_syscall },                         \
		{ .name = "personality", .mode = 0400, .show = proc_personality },                 \
		{ .name = "cgroup", .mode = 0444, .show = show_cgroup },                           \
		{ .name = "oom_score", .mode = 0444, .show = show_oom_score },                     \
		{ .name = "oom_score_adj",                                                         \
		  .mode = 0644,                                                                    \
		  .show = show_oom_score_adj,                                                      \
		  .store = store_oom_score_adj },                                                  \
		{ .name = "oom_adj", .mode = 0644, .show = show_oom_adj, .store = store_oom_adj }, \
		{ .name = "loginuid", .mode = 0444, .show = show_unset_id },                       \
	{                                                                                          \
		.name = "sessionid", .mode = 0444, .show = show_unset_id                           \
	}

static const struct proc_entry pid_children[] = {
	{ .name = "task", .mode = 0555, .lookup = task_lookup, .list = task_list },
	{ .name = "io", .mode = 0400, .show = proc_io },
	COMMON_ENTRIES,
	{ .name = NULL },
};

static const struct proc_entry tid_children[] = {
	{ .name = "children", .mode = 0444, .show = proc_children },
	{ .name = "io", .mode = 0400, .show = proc_io_thread },
	COMMON_ENTRIES,
	{ .name = NULL },
};

const struct proc_entry proc_pid_dir = { .name = "", .mode = 0555, .children = pid_children };
const struct proc_entry proc_tid_dir = { .name = "", .mode = 0555, .children = tid_children };
