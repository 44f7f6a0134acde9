/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux programs that test themselves: TAP on standard output, on the host and in the guest alike.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int p_number, p_failed;

#define OK(cond, ...)                                                                 \
	do {                                                                          \
		bool ok_ = (cond);                                                    \
		p_number++;                                                           \
		p_failed += !ok_;                                                     \
		printf("%s %d - ", ok_ ? "ok" : "not ok", p_number);                  \
		printf(__VA_ARGS__);                                                  \
		printf("\n");                                                         \
		if (!ok_)                                                             \
			printf("# %s:%d: %s (errno %s)\n", __FILE__, __LINE__, #cond, \
			       strerror(errno));                                      \
		fflush(stdout);                                                       \
	} while (0)

static int p_done(void)
{
	printf("1..%d\n", p_number);
	fflush(stdout);
	return p_failed != 0;
}

/* Fork, let the child run fn, give its wait status. */
__attribute__((unused)) static int p_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}
