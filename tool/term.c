/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/term.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "tool/report.h"

static struct termios before;
static volatile sig_atomic_t raw_fd = -1;

/* Only what a signal handler may do. */
static void put_back(void)
{
	int fd = raw_fd;

	raw_fd = -1;
	if (fd >= 0)
		tcsetattr(fd, TCSADRAIN, &before);
}

static void on_fault(int sig)
{
	put_back();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void prepare_once(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static bool done;

	if (done)
		return;
	done = true;
	atexit(term_restore);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], on_fault);
}

bool term_raw(int fd)
{
	struct termios raw;

	if (tcgetattr(fd, &before) != 0)
		return false;
	prepare_once();
	raw = before;
	cfmakeraw(&raw);
	raw_fd = fd;
	if (tcsetattr(fd, TCSADRAIN, &raw) != 0) {
		raw_fd = -1;
		return false;
	}
	report_raw_terminal(true);
	return true;
}

void term_restore(void)
{
	put_back();
	report_raw_terminal(false);
}

bool term_size(int fd, unsigned *rows, unsigned *cols)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		return false;
	*rows = size.ws_row;
	*cols = size.ws_col;
	return true;
}
