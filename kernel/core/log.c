/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's log: lines on COM1. Core 0 writes it; the others send their lines there. */
#include "kernel/core/local.h"

#include "base/fmt.h"
#include "base/str.h"
#include "comp/drv/uart16550/uart16550.h"
#include "kernel/x86/x86.h"

#define LINE_MAX 512

enum log_level log_level = LOG_WARN;
void (*user_log_sink)(const char *line, size_t len);
bool (*log_remote)(const char *line, size_t len);

static const char *const level_name[] = { "error", "warn", "info", "debug" };
static char line[LINE_MAX];

/*
 * End the text in `line` of so many characters with a newline, cut if need be; answers the length.
 */
static size_t finish(size_t len)
{
	if (len > LINE_MAX - 2)
		len = LINE_MAX - 2;
	line[len] = '\n';
	line[len + 1] = '\0';
	return len + 1;
}

static void emit(size_t len)
{
	if (log_remote != NULL && log_remote(line, len))
		return;
	uart_write(UART_COM1, line, len);
}

static void log_set_level(void)
{
	const char *want = cmdline_get("log");

	if (want == NULL)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(level_name); i++) {
		if (strcmp(want, level_name[i]) == 0) {
			log_level = (enum log_level)i;
			return;
		}
	}
	log_error("log=%s: not a level (error, warn, info, debug)", want);
	power_off(BOOT_EXIT_CONFIG);
}

void log_init(void)
{
	if (boot_info.core == 0)
		uart_init(UART_COM1);
	log_set_level();
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (level > log_level)
		return;
	uint64_t us = time_mono_ns() / 1000;
	size_t n = fmt_snprintf(line, LINE_MAX,
				"[%llu.%06llu] core %u %s: ", (unsigned long long)(us / 1000000),
				(unsigned long long)(us % 1000000), boot_info.core,
				level_name[level]);

	va_start(args, fmt);
	n += fmt_vsnprintf(line + n, LINE_MAX - n, fmt, args);
	va_end(args);
	emit(finish(n));
}

void log_raw(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	size_t n = fmt_vsnprintf(line, LINE_MAX, fmt, args);

	va_end(args);
	uart_write(UART_COM1, line, n < LINE_MAX ? n : LINE_MAX - 1);
}

void user_log(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	size_t n = finish(fmt_vsnprintf(line, LINE_MAX, fmt, args));

	va_end(args);
	if (user_log_sink != NULL)
		user_log_sink(line, n - 1);
	else
		emit(n);
}
