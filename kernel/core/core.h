/* SPDX-License-Identifier: BSD-2-Clause */
/* One core's kernel: start-up, log, panic, trace, power. */
#pragma once

#include <stdarg.h>

#include "abi/boot.h"
#include "abi/err.h"
#include "abi/types.h"

/*
 * ---- log (log.c): lines to COM1 and, once registered, nothing else. Formats as in base/fmt.h ----
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
extern enum log_level log_level;
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                    \
	do {                                              \
		if (log_level >= LOG_DEBUG)               \
			log_line(LOG_DEBUG, __VA_ARGS__); \
	} while (0)
/* The newest log lines, down to LOG_INFO whatever is printed, as a stream of "<6>text\n". */
#define LOG_RING_SIZE 16384u
uint64_t log_ring_end(void); /* bytes ever written */
/* The first line that begins at pos or behind it and is still there. */
uint64_t log_ring_line_after(uint64_t pos);
/* Whole lines from *pos on, which moves behind them; answers the bytes. */
size_t log_ring_read(uint64_t *pos, char *buf, size_t size);
/* Print log lines (as log_level says), or do not; set log_level as Linux's console level 1 to 8. */
void log_console(bool on);
void log_console_level(int level);
/*
 * A message meant for the person who started the program (crash report, unknown system call):
 * control port line
 * `log=` when there is one (the console driver registers itself), else COM1. */
void user_log(const char *fmt, ...) PRINTF(1, 2);
extern void (*user_log_sink)(const char *line, size_t len);

/*
 * ---- trace: the last TRACE_LEN events of this core, shown by panic; cheap enough to be always on
 * ----
 */
enum trace_kind {
	TRACE_NONE,
	TRACE_FAULT,
	TRACE_SWITCH,
	TRACE_SIGNAL,
	TRACE_IRQ,
	TRACE_MSG,
	TRACE_EXEC,
	TRACE_EXIT
};
#define TRACE_LEN 64u
struct trace_event {
	uint64_t a, b;
	uint64_t kind, pad;
};
extern struct trace_event trace_events[TRACE_LEN];
extern uint32_t trace_written;
static inline void trace(enum trace_kind kind, uint64_t a, uint64_t b)
{
	struct trace_event *e = &trace_events[trace_written++ % TRACE_LEN];

	e->a = a;
	e->b = b;
	e->kind = kind;
}

/* ---- panic (panic.c) ---- */
struct trapframe;
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);
NORETURN void panic_trap(const struct trapframe *tf, const char *fmt, ...) PRINTF(2, 3);
/* A state that only our own mistake can produce: this core stops. */
#define BUG() panic("BUG at %s:%d (%s)", __FILE__, __LINE__, __func__)
#define BUG_ON(c)                                                             \
	do {                                                                  \
		if (__builtin_expect(!!(c), 0))                               \
			panic("BUG_ON(%s) at %s:%d", #c, __FILE__, __LINE__); \
	} while (0)
/*
 * Describes the current thread for the report ("pid 3 tid 3 python3"); set by kernel/task, may be
 * NULL.
 */
extern const char *(*panic_describe)(void);

/* ---- command line and run configuration (config.c) ---- */
/*
 * Value of word `key=value` on the kernel command line, "" for the bare word, NULL when absent.
 * Static storage.
 */
const char *cmdline_get(const char *key);
/*
 * The i-th value (from 0) of `key` in the run configuration, NULL when there are fewer. Points into
 * the boot record.
 */
const char *run_config_get(const char *key, unsigned i);
/* Is this key, which is 0 or 1, there and 1? */
bool run_config_flag(const char *key);
/*
 * E_INVAL with a logged reason when the run configuration has an unknown key or lacks a required
 * one.
 */
err_t run_config_check(void) MUST_CHECK;

/* ---- power (power.c) ---- */
/*
 * Write `value` (enum boot_exit) to the debug-exit port; falls back to Bochs' and ACPI/keyboard
 * ways; halts if nothing works.
 */
NORETURN void power_off(unsigned value);

/*
 * ---- in-kernel tests (ktest.c): KTEST(module_what) { ... EXPECT...; }  selected by test=module.*
 * ----
 */
struct ktest {
	const char *name;
	void (*run)(void);
};
#define KTEST(id)                                                                \
	static void ktest_##id(void);                                            \
	static const struct ktest ktest_desc_##id                                \
		__attribute__((used, section(".ktests"))) = { #id, ktest_##id }; \
	static void ktest_##id(void)
void ktest_fail(const char *file, int line, const char *what, int64_t got, int64_t want);
#define EXPECT(c)                                                 \
	do {                                                      \
		if (!(c))                                         \
			ktest_fail(__FILE__, __LINE__, #c, 0, 1); \
	} while (0)
#define EXPECT_EQ(a, b)                                                       \
	do {                                                                  \
		int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                 \
		if (a_ != b_)                                                 \
			ktest_fail(__FILE__, __LINE__, #a " == " #b, a_, b_); \
	} while (0)
/*
 * Runs all whose name matches (first '_' written as '.'; `*` and `?` as in file names); prints TAP
 * on COM1; returns failures.
 */
unsigned ktest_run(const char *pattern);
/* A line of explanation or a measured figure in the test output ("# ..."). */
void ktest_note(const char *fmt, ...) PRINTF(1, 2);
/*
 * Run fn(arg), which is expected to fault in the kernel: true when it did (page fault or general
 * protection); *fault_addr, unless
 * NULL, is the address of a page fault. */
bool ktest_expect_fault(void (*fn)(void *), void *arg, uint64_t *fault_addr);

/*
 * ---- start-up order: nk jumps to kernel_main on the boot stack of each core, interrupts off ----
 */
NORETURN void kernel_main(void);
