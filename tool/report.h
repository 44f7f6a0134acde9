/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tool says, all of it on standard error: errors that name cause and next step, warnings,
 * notes (with -v), progress (on a terminal). Colours only on a terminal and without NO_COLOR.
 */
#pragma once

#include <stdbool.h>

#include "tool/util.h"

/* Exit codes of the tool itself, as in shells, env(1) and container tools. */
enum tool_exit {
	EXIT_NOVM = 1,     /* there is no machine of that name, or it does not run */
	EXIT_TOOL = 125,   /* the tool or the virtual machine failed */
	EXIT_NOEXEC = 126, /* the program was found but cannot be run */
	EXIT_NOPROG = 127, /* the program was not found */
};

void report_init(void);
void report_set_verbose(bool verbose);
bool report_verbose(void);
/* Is standard error a terminal (people read it, not programs)? */
bool report_on_terminal(void);
/* The standard error of the user: notes go there even while a terminal is in raw mode. */
void report_raw_terminal(bool raw);

/* "ringfence: error: ..." and end with `code`. `hint` (NULL: none) says what to do next. */
void die(int code, const char *hint, const char *fmt, ...) PRINTF_LIKE(3, 4)
	__attribute__((noreturn));
void die_oom(void) __attribute__((noreturn));
/* The message of die() without the end. */
void error_note(const char *hint, const char *fmt, ...) PRINTF_LIKE(2, 3);
void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "ringfence: ...", whoever reads it. */
void tell_user(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Only with -v. */
void note(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* With -v, and for people who watch on a terminal. */
void notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Good news, as notice(). */
void announce(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Replaces the last progress line. Only on a terminal, and not with -v. */
void progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void progress_end(void);

/* A file or folder to remove at any end of the tool but SIGKILL. */
void cleanup_add(const char *path);
/* It is gone or has got another name: do not remove it. */
void cleanup_drop(const char *path);
/* Remove all of it now. Runs by itself at exit. */
void cleanup_run(void);

/*
 * While files are prepared, SIGINT, SIGTERM and SIGHUP only set a flag; loops ask here, and the
 * tool ends with 128 + signal after tidying up.
 */
void interrupts_defer(void);
void interrupts_check(void);
