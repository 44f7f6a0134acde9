/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of kernel/task only. */
#pragma once

#include "kernel/task/task.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS  1000000ull

/* ---- sched.c ---- */
void sched_init(void);
/* t waits: make it runnable, wait_on gives it `result`. Nothing happens when it does not wait. */
void sched_wake(struct thread *t, wait_result_t result);
/* Let others run if user_work asks for it. MAY_SWITCH */
void sched_preempt(void);
/* Time the running thread used up to now goes to its account. */
void sched_account(void);
/* Bring fs_base and gs_base of the running thread up to date. */
void sched_save_bases(struct thread *t);
/* Kernel stack content of a thread that has never run. */
void sched_prepare(struct thread *t);

/* ---- timer.c ---- */
void timer_init(void);
/* The interrupt must come at `deadline_ns` or before. */
extern uint64_t timer_programmed; /* it will come then */
void timer_program(uint64_t deadline_ns);
static inline void timer_need(uint64_t deadline_ns)
{
	if (deadline_ns < timer_programmed)
		timer_program(deadline_ns);
}

/* ---- wait.c ---- */
void wait_init(void);

/* ---- thread.c ---- */
/* A thread of `task`, not in any table, not runnable; tid 0. NULL: out of memory. */
struct thread *thread_create(struct task *task);
/* Enter it in the table with this id, and in its task. */
void thread_publish(struct thread *t, int tid);
void thread_unpublish(struct thread *t);
void thread_rename_tid(struct thread *t, int tid);
void thread_free(struct thread *t);
/* 0 when all numbers are taken. */
int pid_alloc(void);
struct task *task_alloc(void);
void task_publish(struct task *t, int pid);
void task_unpublish(struct task *t); /* from all tables; the memory stays */
void task_free(struct task *t);
struct sighand *sighand_create(void);
void sighand_put(struct sighand *s);
/* First thread of a task, NULL for a zombie. */
struct thread *task_first_thread(const struct task *t);
#define TASK_FOR_EACH_THREAD(t, task)                                                             \
	for (struct list *t##_l_ = (task)->threads.next;                                          \
	     t##_l_ != &(task)->threads && ((t = list_entry(t##_l_, struct thread, in_task)), 1); \
	     t##_l_ = t##_l_->next)

/* ---- ptrace.c ---- */
void ptrace_join_stop(void); /* MAY_SWITCH */
void ptrace_trap(void);      /* MAY_SWITCH */
/*
 * A traced thread is about to get a signal. The signal that its tracer makes of it, with its
 * information; 0: none. MAY_SWITCH
 */
int ptrace_signal(int sig, struct ksiginfo *info);
/*
 * Stop with this code (as in a wait status, shifted) and why (CLD_*). The tracer sees, and may
 * change, *info. What the tracer resumes it with; `code` when there is no stop. MAY_SWITCH
 */
int ptrace_stop(int code, int why, struct ksiginfo *info, uint64_t message);
/* A handler is entered: stepping ends (true: it was on), and its first instruction is a stop. */
bool ptrace_step_pause(void);
void ptrace_step_report(void); /* MAY_SWITCH */
/* The process stopped or goes on: seized tracees tell of it. */
void ptrace_group_changed(struct task *t);
/* The child of a traced thread: memory for its record (E_NOMEM), then its first stop. */
err_t ptrace_new_thread(struct thread *child, uint64_t flags, unsigned event) MUST_CHECK;
void ptrace_start_child(struct thread *child);
/* Ends: of a thread, its process, a tracer. */
void ptrace_thread_ends(struct thread *t, int status);
bool ptrace_holds_zombie(const struct task *t); /* a tracer that is not its parent waits first */
void ptrace_process_ended(struct task *t);
void ptrace_zombie_released(struct task *t);
void ptrace_release(struct ptrace *p);
void ptrace_tracer_ends(struct thread *t);
/* execve of a thread that took over the main thread's number. */
void ptrace_leader_replaced(struct thread *t);
/* SIGKILL for a process that is ending already: those that stop on the way out go on. */
void ptrace_kill(struct task *t);
void ptrace_let_end(struct thread *t); /* one of them */

/* ---- seccomp.c ---- */
void seccomp_inherit(struct thread *child); /* the current thread's filters for its child */
void seccomp_leave(struct thread *t);       /* drops them */

/* ---- debug.c ---- */
extern bool debug_armed;                 /* the processor's breakpoint registers hold something */
void debug_load(const struct thread *t); /* they are to be t's */
void debug_clear(struct ptrace *p);      /* the tracee's are off from now on */
/* What DR6 said of the current thread's debug exception: SIGTRAP's code. */
int debug_exception(void);
void debug_init(void);

/* ---- exit.c ---- */
struct vfork_wait {
	struct waitq q;
	bool done;
};
void vfork_release(struct thread *t);
/* Mark all threads of t but `except` as killed and wake them. */
void task_kill_threads(struct task *t, struct thread *except);
/* Start the end of the whole process with this wait status, from any context. */
void task_begin_exit(struct task *t, int wait_status);
/* The current thread was marked as killed. */
NORETURN void thread_exit_killed(void);
/* What clear_tid and the robust list ask for, when a thread leaves its program (exit, exec). */
void thread_leave_program(struct thread *t);
/* Remove a zombie for good. */
void task_reap(struct task *t);

/* ---- wait4.c ---- */
/* Tell t's parent about a stop or a continuation. */
void task_notify_stopped(struct task *t, int code);
/* Tell the parent that t is a zombie. True when nobody will wait for it. */
bool task_notify_exit(struct task *t);

/* ---- signal.c, sigqueue.c ---- */
#define SIG_MASK_IGNORED_ \
	(SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
#define SIG_MASK_STOP_ (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define SIG_MASK_CORE_                                                              \
	(SIG_BIT(SIGQUIT) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGABRT) | \
	 SIG_BIT(SIGFPE) | SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGSYS) |   \
	 SIG_BIT(SIGXCPU) | SIG_BIT(SIGXFSZ))
#define SIG_MASK_SYNC_                                                             \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | \
	 SIG_BIT(SIGFPE) | SIG_BIT(SIGSYS))
#define SIG_MASK_UNBLOCKABLE_ (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

void sigqueue_init(struct sig_queue *q);
void sigqueue_flush(struct sig_queue *q);
void sigqueue_drop(struct sig_queue *q, sigmask_t mask);
/*
 * Queue one; `info` is copied. E_AGAIN when a real-time signal finds the queue longer than `limit`.
 */
err_t sigqueue_add(struct sig_queue *q, int sig, const struct ksiginfo *info,
		   uint64_t limit) MUST_CHECK;
/* Which signal of q comes next, 0 when none outside `blocked`. */
int sigqueue_next(const struct sig_queue *q, sigmask_t blocked);
/* Take the oldest information about sig (pending in q). */
void sigqueue_take(struct sig_queue *q, int sig, struct ksiginfo *out);
bool sigqueue_has_timer(const struct sig_queue *q, int sig, int timer_id);

/* Set USER_WORK_SIGNAL of the current thread as its state demands. */
void signal_recalc(void);
/* As signal_send_task, without the permission and limit questions: from the kernel, cannot fail. */
void signal_force_send(struct task *t, int sig, const struct ksiginfo *info);
void signal_force_send_thread(struct thread *t, int sig);
void signal_reset_for_exec(struct task *t);
bool signal_is_ignored(const struct task *t, int sig);

/* ---- rseq.c ---- */
/*
 * The program was interrupted where tf says, and goes on there: not in the middle of a restartable
 * sequence. Before a handler is entered, and after other threads have run.
 */
void rseq_interrupted(struct trapframe *tf);
/* t stops running: sees to it that rseq_interrupted is called where that matters. */
void rseq_switched_out(struct thread *t);

/* ---- sigframe.c ---- */
/* Let tf enter the handler of sig; false when the frame cannot be written. */
bool sigframe_push(struct trapframe *tf, int sig, const struct ksiginfo *info,
		   const struct sig_action *a, sigmask_t mask);
bool sigframe_on_altstack(const struct thread *t, uint64_t sp);
uint32_t sigframe_altstack_state(const struct thread *t, uint64_t sp);

/* ---- report.c ---- */
void crash_report(struct trapframe *tf, int sig, const struct ksiginfo *info);

/* ---- fault.c ---- */
void fault_init(void);

/* ---- oom.c ---- */
/* Another process is on its way out and has not given its memory back yet. */
bool oom_somebody_ends(void);

/* ---- futex.c ---- */
void futex_init(void);
/* The thread that ends owns PI futexes: pass them on. */
void futex_pi_exit(struct thread *t);
/*
 * What t counts for is worked out anew, from its own priority and that of those who wait for it;
 * then the same for the owner of what t itself waits for, and so on.
 */
void futex_pi_update(struct thread *t);

/* ---- itimer.c, posix_timer.c, account.c ---- */
void itimer_tick(struct task *t);
void itimer_release(struct task *t);
void posix_timer_tick(struct task *t);
void posix_timers_release(struct task *t);
void posix_timer_dequeued(struct task *t, struct ksiginfo *info);
/* The timer interrupted the current thread. */
void account_tick(void);
void account_thread_gone(struct thread *t);

/* ---- exec.c ---- */
err_t exec_init(void) MUST_CHECK;
/* A program's file: while it runs nobody may write to it. */
struct file *exe_file_get(struct file *f);
void exe_file_put(struct file *f); /* NULL is allowed */

/* ---- script.c ---- */
#define SCRIPT_LINE 256u
/*
 * First line "#! interpreter argument" in line[0..SCRIPT_LINE), zero-filled: cuts it up in place.
 * *arg NULL when there
 * is none. E_NOEXEC: no script, or no interpreter in it. */
err_t script_parse(char line[SCRIPT_LINE], char **interp, char **arg) MUST_CHECK;

/* ---- elf_load.c ---- */
#include "base/elf.h"
struct file;
struct elf_file {
	struct file *file; /* not owned */
	struct vmobject *obj;
	struct elf_head head;
	struct elf_layout layout;
	uint8_t *phdrs;
};
/* Read and check headers. On an error nothing is left to release. */
err_t elf_file_open(struct elf_file *e, struct file *f) MUST_CHECK;
void elf_file_close(struct elf_file *e);
/* Path of the interpreter into fresh memory; NULL when it has none. */
err_t elf_file_interp(const struct elf_file *e, char **path) MUST_CHECK;
/* Map all segments at their address plus `bias`. */
err_t elf_file_map(const struct elf_file *e, struct aspace *mm, uint64_t bias) MUST_CHECK;
/* Set start_code ... end_data of mm. */
void elf_file_note_areas(const struct elf_file *e, struct aspace *mm, uint64_t bias);

/* ---- exec_stack.c ---- */
#define EXEC_FRONT 16u
struct exec_args {
	const struct exec_strings *argv, *envp;
	unsigned skip;           /* strings of argv that a script's interpreter line replaced */
	char *front[EXEC_FRONT]; /* and what comes before the rest, last first */
	unsigned nfront;
	const char *execfn;
};
struct aux {
	uint64_t type, value;
};
#define EXEC_AUX 24u
struct exec_image {
	uint64_t entry, interp_base, phdr, phnum, program_entry;
	bool secure;
};
/*
 * E_2BIG when arguments and environment take more than a quarter of the stack limit, or one string
 * 128 KiB.
 */
err_t exec_args_check(const struct exec_args *x, uint64_t stack_limit) MUST_CHECK;
/*
 * Map the stack below `top` and write arguments, environment and auxiliary vector; *sp is the
 * program's first.
 */
err_t exec_stack_build(struct aspace *mm, uint64_t top, bool executable, const struct exec_args *x,
		       const struct exec_image *image, const struct cred *cred,
		       uint64_t *sp) MUST_CHECK;

/* ---- vdso.c ---- */
err_t vdso_init(void) MUST_CHECK;
err_t vdso_map(struct aspace *mm) MUST_CHECK; /* sets mm->vdso */

/* ---- random.c ---- */
void random_init(void);
uint64_t random_u64(void);
/* Uniform in [0, n). */
uint64_t random_below(uint64_t n);

extern struct task kernel_task;
