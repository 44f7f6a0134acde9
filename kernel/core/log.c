/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's log: lines on COM1. Core 0 writes it; the others send their lines there. */
#include "kernel/core/local.h"

#include "base/fmt.h"
#include "base/str.h"
#include "comp/drv/uart16550/uart16550.h"
#include "kernel/x86/x86.h"

#define LINE_MAX 512
/* What a program sees as priorities of our levels (kern.err ...). */
static const char priority[] = { '3', '4', '6', '7' };

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

/* ---- the log as programs read it ---- */

static char ring[LOG_RING_SIZE];
static uint64_t ring_end;
static bool console_off;

static void ring_put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ring[ring_end++ % LOG_RING_SIZE] = s[i];
}

uint64_t log_ring_end(void)
{
	return ring_end;
}

uint64_t log_ring_line_after(uint64_t pos)
{
	if (ring_end > LOG_RING_SIZE && pos < ring_end - LOG_RING_SIZE)
		pos = ring_end - LOG_RING_SIZE;
	if (pos == 0)
		return 0;
	while (pos < ring_end && ring[(pos - 1) % LOG_RING_SIZE] != '\n')
		pos++;
	return pos;
}

size_t log_ring_read(uint64_t *pos, char *buf, size_t size)
{
	uint64_t at = log_ring_line_after(*pos);
	size_t n = 0, whole = 0;

	while (at + n < ring_end && n < size) {
		buf[n] = ring[(at + n) % LOG_RING_SIZE];
		n++;
		if (buf[n - 1] == '\n')
			whole = n;
	}
	if (whole == 0)
		whole = n; /* a line longer than the buffer comes in pieces */
	*pos = at + whole;
	return whole;
}

void log_console(bool on)
{
	console_off = !on;
}

void log_console_level(int level)
{
	/* Linux's console shows what is below the level: 4 errors, 5 warnings, 7 information. */
	log_level = level <= 4   ? LOG_ERROR
		    : level == 5 ? LOG_WARN
		    : level <= 7 ? LOG_INFO
				 : LOG_DEBUG;
}

static void ring_line(enum log_level level, size_t len)
{
	const char head[3] = { '<', priority[level], '>' };

	ring_put(head, sizeof(head));
	ring_put(line, len);
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

	if (level > log_level && level > LOG_INFO)
		return;
	uint64_t us = time_mono_ns() / 1000;
	size_t n = fmt_snprintf(line, LINE_MAX,
				"[%llu.%06llu] core %u %s: ", (unsigned long long)(us / 1000000),
				(unsigned long long)(us % 1000000), boot_info.core,
				level_name[level]);

	va_start(args, fmt);
	n += fmt_vsnprintf(line + n, LINE_MAX - n, fmt, args);
	va_end(args);
	n = finish(n);
	ring_line(level, n);
	if (level <= log_level && !console_off)
		emit(n);
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
