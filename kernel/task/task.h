/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes (struct task) and threads, as Linux has them: a task is a thread group. */
#pragma once

#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/resource.h>

#include "abi/err.h"
#include "base/list.h"
#include "kernel/mem/aspace.h"
#include "kernel/task/sched.h"
#include "kernel/x86/x86.h"

struct fdtable;    /* kernel/vfs/fd.h */
struct fs_context; /* kernel/vfs/vfs.h: root, working directory, umask */
struct file;
struct tty;
struct ptrace; /* kernel/task/ptrace.h */
struct seccomp_filter;

#define SIG_COUNT 64
typedef uint64_t sigmask_t; /* bit n - 1 = signal n */
#define SIG_BIT(n) (1ull << ((n)-1))

struct sig_action {
	uint64_t handler, flags, restorer;
	sigmask_t mask;
};
struct sighand {
	uint32_t refs;
	struct sig_action action[SIG_COUNT];
};

/*
 * What is known of a signal, as in Linux: a siginfo_t without the rest, of which programs see
 * zeros.
 */
struct ksiginfo {
	__SIGINFO;
};
/* To and from a program's siginfo_t. E_FAULT; E_2BIG: it says things that are not kept. */
err_t siginfo_out(uaddr_t to, const struct ksiginfo *info) MUST_CHECK;
err_t siginfo_in(struct ksiginfo *info, uaddr_t from) MUST_CHECK;

struct sig_info {
	struct list node;
	struct ksiginfo info;
}; /* one queued signal */
struct sig_queue {
	sigmask_t pending;
	struct list infos;
	unsigned count;
};

/* A process as others remember it beyond its end: pidfds. */
struct pidref {
	uint32_t refs;
	struct task *task;  /* NULL when it has been waited for */
	struct waitq ended; /* woken when it becomes a zombie, and when it is gone */
};

/* Supplementary groups, sorted; never changed once made. */
#define GROUPS_MAX 65536u
struct group_list {
	uint32_t refs, n;
	uint32_t gids[];
};
static inline unsigned group_count(const struct group_list *g)
{
	return g != NULL ? g->n : 0;
}
static inline bool group_list_has(const struct group_list *g, uint32_t gid)
{
	const uint32_t *from = g != NULL ? g->gids : NULL;

	for (unsigned n = group_count(g); n > 0;) {
		unsigned half = n / 2;

		if (from[half] == gid)
			return true;
		if (from[half] < gid) {
			from += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return false;
}
static inline struct group_list *group_list_get(struct group_list *g)
{
	if (g != NULL)
		g->refs++;
	return g;
}
void group_list_put(struct group_list *g); /* NULL is allowed */

/* What read and write calls moved, and how many there were (/proc/PID/io). */
struct io_counts {
	uint64_t read_bytes, written_bytes, reads, writes;
};
static inline void io_counts_add(struct io_counts *sum, const struct io_counts *more)
{
	sum->read_bytes += more->read_bytes;
	sum->written_bytes += more->written_bytes;
	sum->reads += more->reads;
	sum->writes += more->writes;
}

struct cred {
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	struct group_list *groups; /* supplementary ones; NULL: none. One reference */
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	bool keep_caps;
	uint8_t securebits; /* SECBIT_*, but for KEEP_CAPS */
};

struct task {
	/* fixed after creation */
	int pid;
	/* family */
	struct task *parent;           /* NULL for pid 1, and for programs that the host started */
	struct list children, sibling; /* in parent's children */
	struct list all;               /* in the table of all tasks */
	struct list threads;           /* struct thread.in_task */
	struct list tracees;           /* struct ptrace.in_tracer */
	int parent_tid;                /* the thread that made us */
	unsigned nthreads;
	int pgid, sid;
	struct tty *tty; /* controlling terminal, or NULL */
	/* resources; each counts its users */
	struct aspace *mm;
	struct fdtable *files;
	struct fs_context *fs;
	struct sighand *sighand;
	struct cred cred;
	struct rlimit64 rlimit[RLIM_NLIMITS];
	/* signals for the whole process */
	struct sig_queue pending;
	struct waitq signal_wait; /* woken on each new signal: signalfd, sigtimedwait */
	/* life */
	enum task_state { TASK_ALIVE, TASK_ZOMBIE } state;
	bool exiting, stopped, continued, stop_reported, stop_waited, execed, dumpable,
		is_subreaper;
	int stop_signal, group_exit;
	uint32_t core_filter; /* /proc/PID/coredump_filter */
	uint32_t personality;
	int wait_status; /* as wait4 gives it, when zombie */
	int exit_signal, pdeath_signal;
	/* the least that it may set itself without privilege */
	int oom_score_adj, oom_score_adj_min;
	struct waitq child_wait;  /* parent sleeps here: a child changed state */
	struct waitq *vfork_done; /* of our vfork parent, until exec or exit */
	/* accounts */
	uint64_t start_ns, utime_ns, stime_ns, cutime_ns, cstime_ns;
	uint64_t minflt, majflt, cminflt, cmajflt, nvcsw, nivcsw;
	uint64_t maxrss_pages, cmaxrss_pages, cnvcsw, cnivcsw;
	struct io_counts io; /* of threads that are gone, and children that were waited for */
	uint64_t dead_ns, dead_ticks
				  /*
			 * of threads that are gone: running time, samples in the program / kernel
			 */
				  [2];
	/* names */
	char comm[16];         /* of the main thread, kept when it is gone */
	char exe[256];         /* path of the program */
	struct file *exe_file; /* for /proc/self/exe, may be NULL */
	/* timers */
	struct itimer {
		struct timer timer;
		uint64_t interval_ns, deadline_ns;
	} itimer_real;
	uint64_t itimer_virt_ns[2], itimer_prof_ns[2]; /* left, interval */
	struct list posix_timers;
	struct sem_undo_list *sem_undos; /* kernel/ipc; may be shared (CLONE_SYSVSEM); or NULL */
	int next_timer_id;
	/* inside kernel/task */
	struct ptrace *leader_trace; /* of the main thread, when that has ended and was traced */
	struct pidref *pidref;       /* NULL: nobody has asked for it */
	struct list hash_node;
	struct thread *execing; /* this thread is in execve and waits for the others to end */
	struct waitq exec_wait;
	struct waitq stop_wait;     /* threads sleep here while the process is stopped */
	unsigned nstopped;          /* how many */
	int leader_status;          /* wait status of the main thread's own end */
	uint64_t cpu_limit_next_ns; /* when RLIMIT_CPU signals again */
};

enum thread_state { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

struct thread {
	/* fixed after creation */
	int tid;
	struct task *task;
	void *kstack_top;
	struct trapframe *regs; /* at the top of the kernel stack */
	struct fpu_area *fpu;
	struct list in_task, in_table;
	/* scheduler (state, queue and clocks belong to kernel/task, the index to comp/sched) */
	enum thread_state state;
	struct list run_node;
	uint64_t save_rsp;
	/* as they count now: `own`, or more while others wait for its PI futexes (futex_pi.c) */
	int nice, policy, rt_priority;
	struct sched_own {
		int nice, policy, rt_priority;
		bool reset_on_fork; /* children begin as ordinary threads */
	} own;                      /* as they were set */
	uint16_t ioprio;            /* ioprio_set; 0: none */
	uint64_t vruntime, ran_ns, slice_start_ns;
	bool woken, need_resched;
	struct wait_entry wait;
	struct timer wait_timer;
	wait_result_t wait_result;
	bool wait_interruptible, wait_timer_fired;
	/* program state */
	uint64_t fs_base, gs_base;
	char comm[16];
	uint64_t clear_tid, robust_list, robust_len, rseq; /* rseq 0: not registered */
	uint32_t rseq_sig;
	uint64_t utime_ns, stime_ns;
	/* signals */
	sigmask_t blocked, saved_mask;
	/* sigsuspend, ppoll ...: saved_mask comes back after the handler was set up */
	bool restore_mask;
	struct sig_queue pending;
	sigmask_t unstoppable; /* these end it, whatever a tracer wants */
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	/* restart of an interrupted sleep */
	struct {
		long (*fn)(struct thread *t);
		uint64_t arg[5];
	} restart;
	/* futex */
	struct list futex_node;
	struct futex_key futex_key;
	uint32_t futex_bitset;
	/* tracing, filters */
	struct ptrace *trace;           /* NULL: never traced */
	struct seccomp_filter *filters; /* the newest (seccomp.h), or NULL */
	uint8_t seccomp_mode;           /* SECCOMP_MODE_* */
	bool no_new_privs;              /* execve gives it no rights */
	uint8_t watched;                /* WATCH_*: its system calls go through syscall_dispatch */
	/* inside kernel/task */
	struct list runnable_node; /* in the host's list of runnable threads */
	struct tree_node run_tree; /* for the policy, as run_node */
	bool queued;               /* the policy has it */
	uint32_t work;             /* user_work while it does not run */
	bool opens_secrets;        /* a file is opened for PrivUser: kernel/vfs/perm.c */
	bool killed;               /* ends at its next way out to the program */
	bool exiting;
	bool wait_killable;
	bool in_stop;                /* sleeps because its process is stopped */
	void (*start_fn)(void *arg); /* kernel function to begin with; NULL: the program */
	void *start_arg;
	struct aspace *dead_mm; /* dropped when the thread has left its stack */
	uint64_t set_child_tid; /* the child stores its id there before it enters the program */
	struct vfork_wait *vfork_wait; /* the creator sleeps until exec or exit */
	uint64_t ticks[2];             /* samples: in the program, in the kernel */
	uint64_t nvcsw, nivcsw, minflt, majflt;
	struct io_counts io;
	uint64_t trap_no, trap_error, trap_addr; /* of the last fault, for signal frames */
	uint64_t last_fault_rip;
	struct priv_thread *priv; /* kernel/dom's: its stack in PrivUser, or NULL */
	struct {
		bool waiting, acquired;
		bool for_owner; /* it is in the list of futex_pi.c: `owner` has what it wants */
		uint64_t word;
		struct aspace *mm;
		int owner;
	} futex_state;
};

err_t task_init(void) MUST_CHECK;
struct task *task_find(int pid);
struct thread *thread_find(int tid);
extern struct list all_tasks;
unsigned task_count(void);
extern uint64_t task_forks; /* processes and threads that were made since the start */
#define current_task (current->task)

/*
 * May the current thread look into t, or change it? ACCESS_REAL: by its real ids (ptrace,
 * process_vm_readv), otherwise by those for files (/proc). E_PERM.
 */
#define ACCESS_FILES 0u
#define ACCESS_REAL  1u
err_t task_may_access(const struct task *t, unsigned how) MUST_CHECK;

/* t's record, with a reference for the caller; NULL: out of memory. */
struct pidref *task_pidref(struct task *t);
void pidref_put(struct pidref *p);
/* It is a zombie with nothing left to run: a wait would find it. */
static inline bool task_has_ended(const struct task *t)
{
	return t->state == TASK_ZOMBIE && t->nthreads == 0;
}

/* fs_base and gs_base of the current thread are up to date in memory afterwards. */
void thread_save_bases(void);
/* Why a thread's calls are looked at before and after; changed by thread_watch only. */
#define WATCH_TRACE   1u
#define WATCH_SECCOMP 4u
#define WATCH_DEBUG   2u /* not its calls: its breakpoint registers are in use */
void thread_watch(struct thread *t, uint8_t why, bool on);
static inline void thread_load_watch(const struct thread *t)
{
	bool watched = watch_all_calls || (t->watched & ~WATCH_DEBUG) != 0;

	syscall_usual = watched ? 0 : SYSCALL_LIMIT;
}

/* ---- creation ---- */
struct clone_args_k { /* clone, clone3, fork, vfork in one */
	uint64_t flags, stack, tls, parent_tid, child_tid, pidfd;
	int exit_signal;
};
/*
 * Returns the new thread's id, or an error. The child starts as a copy of `tf` with rax 0.
 * MAY_SWITCH (vfork).
 */
long task_clone(struct trapframe *tf, const struct clone_args_k *a);
/*
 * A program without a parent: the first one, pid 1, and those that the host starts later, in
 * sessions of their own. Its address space is empty until exec; files and fs_context are the
 * caller's to set. E_NOMEM, E_AGAIN (no process number is free).
 */
err_t task_create_program(struct task **out) MUST_CHECK;
/*
 * Let its thread begin with fn(arg) in the kernel (which calls task_exec on current->regs). When fn
 * returns, the
 * thread enters the program with current->regs. */
void task_start_program(struct task *t, void (*fn)(void *arg), void *arg);
/*
 * A thread of the kernel's own (current_task is a process without program, pid 0). It ends when fn
 * returns.
 */
err_t kthread_start(const char *name, void (*fn)(void *arg), void *arg) MUST_CHECK;
/*
 * Replace the program of the current task (exec.c). argv and envp are kernel copies owned by the
 * caller. On success the new
 * registers are in tf. Errors leave the old program untouched up to the point of no return; after
 * it the task is killed. MAY_SWITCH
 */
struct exec_strings {
	char **v;
	unsigned n;
	size_t bytes;
};
err_t task_exec(struct trapframe *tf, int dirfd, const char *path, unsigned at_flags,
		const struct exec_strings *argv, const struct exec_strings *envp) MUST_CHECK;

/* ---- end ---- */
NORETURN void thread_exit(int code); /* sys_exit */
/* The current thread alone ends as if by a signal; the last one with its process. */
NORETURN void thread_die(int wait_status);
NORETURN void task_exit_group(
	int wait_status); /* sys_exit_group, fatal signal; wait_status as wait4 gives it */
/* wait4, waitid: as the calls; results in *out. E_CHILD, E_INTR... MAY_SWITCH */
struct rusage_k {
	uint64_t utime_ns, stime_ns, maxrss_kb, minflt, majflt, nvcsw, nivcsw;
};
struct wait_out {
	int pid, status, uid, si_code;
	struct rusage_k ru;
};
long task_wait(int idtype, int id, unsigned options, struct wait_out *out);

/* ---- signals (signal.c) ---- */
err_t signal_send_task(struct task *t, int sig,
		       const struct ksiginfo *info) MUST_CHECK; /* info NULL: SI_KERNEL */
err_t signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info) MUST_CHECK;
unsigned signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info);
/* A fault of the current thread: cannot be ignored or blocked. */
void signal_fault(int sig, int code, uint64_t addr, int trapno, uint64_t error);
/*
 * The same with all information given. `fatal`: no handler of the program's is asked, the process
 * ends by it.
 */
void signal_force(int sig, const struct ksiginfo *info, bool fatal);
bool signal_pending_current(void); /* something deliverable */
void signal_set_mask(struct thread *t, sigmask_t mask);
/*
 * ppoll, pselect, sigsuspend, epoll_pwait: install a temporary mask; the old one returns after a
 * handler was set up or at once by
 * signal_mask_restore(). */
void signal_mask_temporary(sigmask_t mask);
void signal_mask_restore(void);
err_t signal_set_action(struct task *t, int sig, const struct sig_action *new_action,
			struct sig_action *old) MUST_CHECK;
/* Take a pending signal out of `set` (sigtimedwait, signalfd); 0 when none. */
int signal_take(sigmask_t set, struct ksiginfo *out);
long signal_return(struct trapframe *tf); /* rt_sigreturn */
/* May `current` send sig to t (kill's permission rule)? */
bool signal_allowed(struct task *t, int sig);

/*
 * Information of a signal sent by the current task: kill (SI_USER), tgkill (SI_TKILL), sigqueue
 * (SI_QUEUE).
 */
void signal_info_user(struct ksiginfo *info, int sig, int code);
/* All processes that `current` may signal, except itself and pid 1 (kill(-1)): number of them. */
unsigned signal_send_all(int sig, const struct ksiginfo *info);
/* "SIGSEGV"; static storage. */
const char *signal_name(int sig);
/* Signals pending for the thread or its process and blocked by it (sigpending). */
sigmask_t signal_pending_set(const struct thread *t);
/*
 * sigaltstack: new may be NULL; sp is the program's stack pointer. E_PERM (in use), E_NOMEM (too
 * small), E_INVAL.
 */
struct altstack {
	uint64_t sp, size;
	uint32_t flags;
};
err_t signal_altstack(uint64_t sp, const struct altstack *new_stack,
		      struct altstack *old) MUST_CHECK;
/* Bytes that a signal frame takes on this processor (AT_MINSIGSTKSZ). */
uint32_t signal_frame_size(void);

/* rseq(2) (rseq.c): E_INVAL, E_PERM, E_BUSY, E_FAULT. */
err_t rseq_register(uint64_t area, uint32_t len, uint32_t flags, uint32_t sig) MUST_CHECK;

/* ---- futex (futex.c): the call itself; deadline absolute monotonic ns ---- */
long futex_wait(uaddr_t addr, uint32_t val, uint32_t bitset, uint64_t deadline_ns, bool shared);
long futex_wake(uaddr_t addr, uint32_t n, uint32_t bitset, bool shared);
long futex_requeue(uaddr_t addr, uint32_t nwake, uint32_t nmove, uaddr_t addr2, bool cmp,
		   uint32_t val, bool shared);
long futex_wake_op(uaddr_t addr, uint32_t n1, uaddr_t addr2, uint32_t n2, uint32_t op, bool shared);
long futex_lock_pi(uaddr_t addr, uint64_t deadline_ns, bool shared, bool try);
long futex_unlock_pi(uaddr_t addr, bool shared);
void futex_robust_exit(struct thread *t);

/*
 * Timed waits restart with thread.restart: sys_restart_syscall calls fn. futex_wait and
 * futex_lock_pi set it themselves.
 */

/* ---- process groups and sessions (pgrp.c) ---- */
err_t task_setpgid(int pid, int pgid) MUST_CHECK;
long task_setsid(void);
long task_getpgid(int pid);
long task_getsid(int pid);
bool pgrp_exists(int pgid, int sid); /* a process group `pgid` in session `sid` */
bool pgrp_is_orphaned(int pgid);
/*
 * Job control of a terminal: may the current task read (or write) while its group is in the
 * background? OK, E_IO (orphaned, or
 * SIGTTIN blocked or ignored), E_RESTARTSYS (the signal was sent). */
err_t pgrp_background(int sig) MUST_CHECK;

/* ---- accounting (account.c): nanoseconds ---- */
uint64_t thread_cpu_ns(const struct thread *t);
uint64_t task_cpu_ns(const struct task *t);
/* Split of the exact running time by samples taken at the timer. */
void thread_times(const struct thread *t, uint64_t *utime_ns, uint64_t *stime_ns);
void task_times(const struct task *t, uint64_t *utime_ns, uint64_t *stime_ns);
/* rusage of: 0 the process, 1 the current thread, -1 waited-for children. */
void task_rusage(const struct task *t, int who, struct rusage_k *out);

/* ---- timers of the process (itimer.c, posix_timer.c) ---- */
struct itimer_value {
	uint64_t interval_ns, value_ns;
}; /* value 0: disarmed */
#define ITIMER_REAL_    0
#define ITIMER_VIRTUAL_ 1
#define ITIMER_PROF_    2
void itimer_get(struct task *t, int which, struct itimer_value *out);
void itimer_set(struct task *t, int which, const struct itimer_value *v, struct itimer_value *old);
/*
 * timer_create: notify SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID (tid). E_INVAL, E_AGAIN, E_NOMEM.
 */
struct posix_timer_spec {
	int clock, notify, signo, tid;
	uint64_t value;
	bool value_is_id;
};
err_t posix_timer_create(const struct posix_timer_spec *s, int *id) MUST_CHECK;
/* value_ns is relative, or absolute on the timer's clock with TIMER_ABSTIME (1) in flags. */
err_t posix_timer_settime(int id, int flags, const struct itimer_value *v,
			  struct itimer_value *old) MUST_CHECK;
err_t posix_timer_gettime(int id, struct itimer_value *out) MUST_CHECK;
long posix_timer_overrun(int id);
err_t posix_timer_delete(int id) MUST_CHECK;
/* The real-time clock was set: absolute timers on it move. */
void posix_timer_clock_was_set(void);

/* ---- hooks, set by the modules above; NULL: nothing to do ---- */
/* t ends: its memory, descriptors and names are still there. */
extern void (*task_exit_hook)(struct task *t);
/* A new process shares what its parent's end gives back (CLONE_SYSVSEM). E_NOMEM */
extern err_t (*task_share_undo_hook)(struct task *child);
/* The rest of a crash report, about what the personality knows. */
/* Write a core file of the current task; true when there is one. NULL: never. */
extern bool (*core_dump_hook)(int sig, const struct ksiginfo *info);
extern void (*crash_report_hook)(int sig, const struct ksiginfo *info, const struct trapframe *tf);
/*
 * Memory ran out while the current thread's program needed some that it can ask for again: makes
 * room by somebody's end, maybe its own. MAY_SWITCH
 */
void task_out_of_memory(void);
extern void (*task_oom_hook)(struct task *t); /* t is about to be killed for want of memory */

/*
 * Out of memory (oom.c). oom_kill: choose a process by its badness (memory in use, and
 * oom_score_adj thousandths of all memory), kill it with all that share its memory, and take that
 * memory; false: there is none to choose. Does not block. oom_score: what /proc/PID/oom_score
 * shows, 0 to 2000.
 */
#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000
bool oom_kill(void);
unsigned oom_score(const struct task *t);

/* Random bytes (random.c): ChaCha20, seeded by RDRAND, TSC and boot data. */
void random_bytes(void *buf, size_t len);
void random_mix(const void *data, size_t len); /* writes to /dev/urandom; credits nothing */

/*
 * The next two are called on every exit of the last program, by kernel/linux: what the VM ends
 * with.
 */
extern void (*task_first_exited)(int wait_status); /* pid 1 is gone: the VM ends */
/* Another program without a parent is gone. In the context of its last thread; must not block. */
extern void (*task_program_exited)(int pid, int wait_status);
