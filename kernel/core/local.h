/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of kernel/core only. */
#pragma once

#include "kernel/core/core.h"

/* What start-up and panic call of the modules above this one. */
err_t mem_init(void) MUST_CHECK;
err_t task_init(void) MUST_CHECK;
err_t vfs_init(void) MUST_CHECK;
err_t net_init(void) MUST_CHECK;
err_t linux_init(void) MUST_CHECK;
err_t privuser_init(void) MUST_CHECK;
err_t linux_run_program(void) MUST_CHECK; /* process 1, runnable */
NORETURN void sched_run(void);
bool kstack_is_guard(uint64_t addr);

/* log.c */
void log_init(void);
/* Straight to COM1, without prefix: panic reports and test results. */
void log_raw(const char *fmt, ...) PRINTF(1, 2);
/*
 * Hands a finished line to the core that writes the log; false when it cannot now. NULL on core 0.
 */
extern bool (*log_remote)(const char *line, size_t len);

/* trace.c */
void trace_print(void);

/* cores.c */
void cores_init(void);
/* Tell the others that this core's kernel is up, or that it stops for `reason`. */
void cores_announce_up(void);
void cores_announce_down(uint64_t reason);
/* Other cores whose kernels are up, as bits. */
uint32_t cores_up(void);

/* panic.c */
void panic_init(void);
