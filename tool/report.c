/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool verbose_on, terminal, colours, raw_mode, progress_shown;
static struct strv cleanups;
static volatile sig_atomic_t got_signal;

void report_init(void)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	terminal = isatty(STDERR_FILENO) == 1;
	colours = terminal && (no_color == NULL || *no_color == '\0') &&
		  (term == NULL || strcmp(term, "dumb") != 0);
	atexit(cleanup_run);
}

void report_set_verbose(bool verbose)
{
	verbose_on = verbose;
}

bool report_verbose(void)
{
	return verbose_on;
}

bool report_on_terminal(void)
{
	return terminal;
}

void report_raw_terminal(bool raw)
{
	raw_mode = raw;
}

static const char *end_of_line(void)
{
	return raw_mode ? "\r\n" : "\n";
}

static void clear_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

/* One write() a message, so that messages of several tools do not mix. */
static void say(const char *colour, const char *label, const char *hint, const char *fmt,
		va_list ap)
{
	char *text = NULL;
	const char *on = colours && *colour != '\0' ? colour : "";
	const char *off = *on != '\0' ? "\033[0m" : "";

	clear_progress();
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	char *all = NULL;
	int n = asprintf(&all, "ringfence: %s%s%s%s%s%s%s%s", on, label, off,
			 text != NULL ? text : fmt, end_of_line(),
			 hint != NULL ? "  next step: " : "", hint != NULL ? hint : "",
			 hint != NULL ? end_of_line() : "");

	fflush(stderr);
	if (n > 0)
		(void)!write(STDERR_FILENO, all, (size_t)n);
	free(all);
	free(text);
}

void die(int code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("\033[1;31m", "error: ", hint, fmt, ap);
	va_end(ap);
	exit(code);
}

void die_oom(void)
{
	static const char text[] = "ringfence: error: the host has no memory left for the tool\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	exit(EXIT_TOOL);
}

void error_note(const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("\033[1;31m", "error: ", hint, fmt, ap);
	va_end(ap);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("\033[1;33m", "warning: ", NULL, fmt, ap);
	va_end(ap);
}

void tell_user(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", "", NULL, fmt, ap);
	va_end(ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	if (!verbose_on)
		return;
	va_start(ap, fmt);
	say("", "", NULL, fmt, ap);
	va_end(ap);
}

void notice(const char *fmt, ...)
{
	va_list ap;

	if (!verbose_on && !terminal)
		return;
	va_start(ap, fmt);
	say("\033[2m", "note: ", NULL, fmt, ap);
	va_end(ap);
}

void announce(const char *fmt, ...)
{
	va_list ap;

	if (!verbose_on && !terminal)
		return;
	va_start(ap, fmt);
	say("\033[1;32m", "ready: ", NULL, fmt, ap);
	va_end(ap);
}

void progress(const char *fmt, ...)
{
	va_list ap;

	if (!terminal || verbose_on)
		return;
	clear_progress();
	va_start(ap, fmt);
	fputs("ringfence: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	progress_shown = true;
}

void progress_end(void)
{
	clear_progress();
	fflush(stderr);
}

void cleanup_add(const char *path)
{
	strv_add(&cleanups, path);
}

void cleanup_drop(const char *path)
{
	for (size_t i = 0; i < cleanups.n; i++)
		if (strcmp(cleanups.v[i], path) == 0)
			cleanups.v[i][0] = '\0';
}

void cleanup_run(void)
{
	clear_progress();
	for (size_t i = 0; i < cleanups.n; i++)
		if (cleanups.v[i][0] != '\0')
			remove_tree(cleanups.v[i]);
	strv_release(&cleanups);
}

static void on_signal(int sig)
{
	got_signal = sig;
}

void interrupts_defer(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;

		/* What the caller (nohup, a shell's background job) ignores stays ignored. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
}

void interrupts_check(void)
{
	if (got_signal != 0)
		exit(128 + got_signal);
}
