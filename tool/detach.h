/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `run -d`: the owner of the machine goes on in a session of its own, and the command ends when the
 * program runs, or with the failure's messages and exit code. The owner's output is the machine's
 * log: a file that is moved aside to log.1 when it is LOG_MOST bytes long.
 */
#pragma once

#include "tool/util.h"

#define LOG_MOST (4u << 20)

struct detach {
	bool on;
	int news;  /* to the waiting command; -1: it has heard */
	char *log; /* path */
};

/* Returns in the owner only. Standard output is the log; errors still go to the user. */
void detach_start(struct detach *d, const char *folder);
/* The program runs: the command prints the name and ends with 0. From now on errors are logged. */
void detach_tell_ready(struct detach *d);
/* It has ended before it listened on its ports: the command says so and ends with `code`. */
void detach_tell_ended(struct detach *d, int code);
/* If it never ran: the command ends with `code`. */
void detach_tell_failed(struct detach *d, int code);
/* Move a log that has become too long aside. */
void detach_check_log(struct detach *d);
