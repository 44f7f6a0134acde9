/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of comp/fs/proc only. */
#pragma once

#include "comp/fs/proc/proc.h"
#include "kernel/task/task.h"
#include "kernel/vfs/path.h"
#include "kernel/vfs/pseudo.h"

/* For %lu: some of the numbers are unsigned long long, which is as long. */
#define UL(x) ((unsigned long)(x))

/* What an entry is about. */
struct proc_ref {
	int pid, tid;      /* 0: nothing of a process */
	uint64_t start_ns; /* of the process: a later one may have the same number */
	int fd;
};

/*
 * An entry of the tree. Exactly one of these makes its kind: `show` (file), `link` (symbolic link),
 * `open` (file with operations of its own), or else directory with `children` (ended by a NULL
 * name), `lookup` and `list`, or both.
 */
struct proc_entry {
	const char *name;
	uint32_t mode; /* permission bits */
	err_t (*show)(const struct proc_ref *r, struct text *t);
	err_t (*store)(const struct proc_ref *r, char *data, size_t len);
	err_t (*open)(const struct proc_ref *r, struct file *f);
	err_t (*link)(const struct proc_ref *r, char *buf, size_t size, size_t *len);
	err_t (*follow)(const struct proc_ref *r,
			struct path *out); /* with link: leads to the thing itself */
	const struct proc_entry *children;
	/* Entries that come and go. list() calls emit with `pos` + DYNAMIC for each of them from
	 * number `from` on. */
	err_t (*lookup)(const struct proc_ref *r, const char *name, size_t len,
			const struct proc_entry **e, struct proc_ref *out);
	err_t (*list)(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx);
};
#define PROC_DYNAMIC (1ull << 32)

/* Inode number of an entry. */
uint64_t proc_ino(const struct proc_entry *e, const struct proc_ref *r);
/* A name as a number: digits without leading zeros. */
bool proc_number(const char *name, size_t len, int *out);

/* The process or thread of a reference; NULL when it is gone. */
struct task *proc_task(const struct proc_ref *r);
struct thread *proc_thread(const struct proc_ref *r);
/* May the current task look into it (memory, files)? E_ACCES, E_SRCH. */
err_t proc_may_inspect(const struct proc_ref *r, struct task **out) MUST_CHECK;

/* Memory of one kind in an area or a space, in pages (maps.c). */
struct proc_rss {
	uint64_t anon, file, shmem;
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty, referenced;
	uint64_t pss, pss_dirty; /* in parts of a byte (maps.c) */
};
void proc_rss_of(struct aspace *a, struct proc_rss *out);
void proc_rss_of_all(struct proc_rss *sum); /* system.c */

extern const struct proc_entry proc_root;
extern const struct proc_entry proc_pid_dir, proc_tid_dir; /* pid.c */
extern const struct proc_entry proc_sys_entries[];         /* sysctl.c */
extern const struct proc_entry proc_sys_net_entries[];     /* sysctl_net.c */
extern const struct proc_entry proc_net_entries[];         /* net.c */

/* fd.c */
err_t proc_fd_lookup(const struct proc_ref *r, const char *name, size_t len,
		     const struct proc_entry **e, struct proc_ref *out);
err_t proc_fd_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx);
err_t proc_fdinfo_lookup(const struct proc_ref *r, const char *name, size_t len,
			 const struct proc_entry **e, struct proc_ref *out);
err_t proc_fdinfo_list(const struct proc_ref *r, uint64_t from, dir_emit emit, void *ctx);

/* maps.c */
err_t proc_maps(const struct proc_ref *r, struct text *t);
err_t proc_smaps(const struct proc_ref *r, struct text *t);
err_t proc_smaps_rollup(const struct proc_ref *r, struct text *t);
err_t proc_mem_open(const struct proc_ref *r, struct file *f);
/* activity.c */
bool proc_sleeps_in_call(const struct thread *th); /* NULL: no */
err_t proc_wchan(const struct proc_ref *r, struct text *t);
err_t proc_syscall(const struct proc_ref *r, struct text *t);
err_t proc_children(const struct proc_ref *r, struct text *t);
err_t proc_io(const struct proc_ref *r, struct text *t);
err_t proc_io_thread(const struct proc_ref *r, struct text *t);
err_t proc_personality(const struct proc_ref *r, struct text *t);
/* mounts.c */
err_t proc_mounts(const struct proc_ref *r, struct text *t);
err_t proc_mountinfo(const struct proc_ref *r, struct text *t);
err_t proc_mountstats(const struct proc_ref *r, struct text *t);
/* system.c */
err_t proc_meminfo(const struct proc_ref *r, struct text *t);
err_t proc_slabinfo(const struct proc_ref *r, struct text *t);
err_t proc_cpuinfo(const struct proc_ref *r, struct text *t); /* cpuinfo.c */
err_t proc_stat_system(const struct proc_ref *r, struct text *t);
err_t proc_uptime(const struct proc_ref *r, struct text *t);
err_t proc_loadavg(const struct proc_ref *r, struct text *t);
err_t proc_version(const struct proc_ref *r, struct text *t);
err_t proc_cmdline_kernel(const struct proc_ref *r, struct text *t);
err_t proc_filesystems(const struct proc_ref *r, struct text *t);
err_t proc_devices(const struct proc_ref *r, struct text *t);
err_t proc_swaps(const struct proc_ref *r, struct text *t);
err_t proc_sysvipc_shm(const struct proc_ref *r, struct text *t);
err_t proc_sysvipc_sem(const struct proc_ref *r, struct text *t);
err_t proc_sysvipc_msg(const struct proc_ref *r, struct text *t);
err_t proc_partitions(const struct proc_ref *r, struct text *t);
/* counts.c */
err_t proc_interrupts(const struct proc_ref *r, struct text *t);
err_t proc_softirqs(const struct proc_ref *r, struct text *t);
err_t proc_vmstat(const struct proc_ref *r, struct text *t);
err_t proc_diskstats(const struct proc_ref *r, struct text *t);
err_t proc_tty_drivers(const struct proc_ref *r, struct text *t);
uint64_t proc_interrupt_total(void);
