/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux personality's own header: start-up, and what its files share. */
#pragma once

#include <asm/siginfo.h>

#include "abi/err.h"
#include "abi/types.h"
#include "kernel/mem/ubuf.h"
#include "kernel/x86/frame.h"
#include "kernel/x86/x86.h"

err_t linux_init(void) MUST_CHECK;
/*
 * Create process 1 from the run configuration and make it runnable. Errors are logged with their
 * reason.
 */
err_t linux_run_program(void) MUST_CHECK;

/* ---- run.c, session.c: programs that the host starts ---- */
struct cred;
/* User and umask of the run configuration. */
void linux_first_credentials(struct cred *c);
uint32_t linux_first_umask(void);
/* Working directory of the current task; NULL: as it is. */
err_t linux_chdir(const char *path) MUST_CHECK;
/* From now on the host can start further programs (abi/control.h, sessions). */
void linux_sessions_init(void);

/* Host name as uname shows it; at most 64 bytes. */
const char *linux_hostname(void);
void linux_set_hostname(const char *name);
/* The NIS domain, "(none)" at first. */
const char *linux_domainname(void);
void linux_set_domainname(const char *name);

/* ---- hosttime.c ---- */
/* The wall clock becomes the host's, and follows it until a program does one of the next two. */
void linux_follow_host_time(void);
/* For a program: set the wall clock, or have clocks run faster (time_bend). */
void linux_set_real_time(uint64_t ns);
void linux_bend_time(int32_t ppb);
/* sys_time.c: set the wall clock, with all that waits for times of it. */
void linux_step_real_time(uint64_t ns);

struct task;
/* May the current task change the limits of t? (same user ids, or CAP_SYS_RESOURCE) */
bool cred_may_control(const struct task *t);

/* ---- stats.c ---- */
/* Print what the run has cost so far, when `stats=1` on the command line asks for it. */
void linux_stats(const char *when);
/* stats=1 in the run configuration: calls go through stats_call, and stats_tell tells the host. */
extern bool stats_on;
struct syscall;
struct ksiginfo;
void stats_setup(void);
long stats_call(const struct syscall *s, const struct trapframe *tf);
void stats_tell(void);

/* ---- debug.c ---- */
/* With debug=1: wait for a debugger. In the first program's thread, before it enters the program.
 * MAY_SWITCH */
void debug_wait(void);

/* ---- crash.c ---- */
/* The end of a crash report: the last calls, memory, what to try. */
void crash_context(int sig, const struct ksiginfo *info, const struct trapframe *tf);

/* ---- system-call table (syscall.c) ---- */
struct syscall {
	long (*fn)(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
	const char *name;
	const char *args; /* one letter an argument, see strace.c */
};
extern const struct syscall syscall_table[SYSCALL_LIMIT];
/* Names of calls of Linux 6.1 that we do not have; NULL for unknown numbers. */
const char *syscall_missing_name(unsigned nr);

/* Counts by number, for the statistics at exit; kept only while watch_all_calls. */
extern uint64_t syscall_count[SYSCALL_LIMIT];

/* ---- strace.c ---- */
extern bool strace_on, missing_files_on;
void strace_enter(const struct syscall *s, const struct trapframe *tf);
void strace_leave(const struct syscall *s, const struct trapframe *tf, long result);
/* A path lookup failed with E_NOENT; printed when missing_files_on. */
void missing_file_note(long result, const char *path);

/* ---- shared by the sys_*.c files ---- */
#define PATH_MAX_ 4096
/*
 * A program's path in kernel memory, from a small cache of buffers: path_buf_get, then
 * path_buf_put.
 */
err_t path_buf_get(char **out, uaddr_t path) MUST_CHECK;
void path_buf_put(char *p);

/*
 * The auxiliary vector on a program's first stack: pairs of words, at most `max` words; number of
 * words.
 */
struct aspace;
size_t linux_read_auxv(struct aspace *a, uint64_t *out, size_t max);

/* prctl's securebits (sys_cred.c) */
long prctl_get_securebits(void);
long prctl_set_securebits(uint64_t bits);
/* prctl(PR_SET_SECCOMP) (sys_seccomp.c) */
long prctl_set_seccomp(uint64_t mode, uaddr_t args);

struct timespec_k {
	int64_t tv_sec, tv_nsec;
};
struct timeval_k {
	int64_t tv_sec, tv_usec;
};
/* A program's timespec as nanoseconds; E_INVAL when out of range. Saturates at WAIT_FOREVER - 1. */
err_t user_timespec(uaddr_t at, uint64_t *ns) MUST_CHECK;
err_t user_timespec_out(uaddr_t at, uint64_t ns) MUST_CHECK;
static inline struct timespec_k ns_to_timespec(uint64_t ns)
{
	return (struct timespec_k){ (int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u) };
}
/* Absolute monotonic deadline for a relative time (saturating). */
uint64_t deadline_after(uint64_t rel_ns);
/*
 * Absolute monotonic deadline for an absolute time of `clock` (CLOCK_REALTIME, CLOCK_MONOTONIC,
 * CLOCK_BOOTTIME).
 */
uint64_t deadline_of_clock(int clock, uint64_t abs_ns);
