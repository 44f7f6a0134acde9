/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of system calls with a pointer into PrivUser, for what calls.c cannot make up by itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Words that stand for what is known at run time only. */
#define PLACE_(kind) (0x7a5a000000000000ull | (uint64_t)(kind) << 40)
#define T            PLACE_(1) /* in PrivUser */
#define FD           PLACE_(2) /* trial_fd, as prepare() has made it */
/* in a page of ours, zeros but for what prepare() wrote */
#define R(offset) (PLACE_(3) + (offset))

#define NESTED 6 /* the pointer lies in memory of ours */

struct command {
	int nr;
	unsigned at; /* which argument is the one in PrivUser, for the account; or NESTED */
	uint64_t a[6];
	bool (*prepare)(void); /* NULL: nothing to do; false: this machine cannot */
	/* NULL: EFAULT must come. Else why not; still nothing may be touched. */
	const char *silent;
};

extern const struct command commands[];
extern const unsigned ncommands;

/* Pointers that no call looks behind. */
extern const struct no_look {
	int nr;
	unsigned at;
	const char *why;
} no_looks[];
extern const unsigned nno_looks;

extern int trial_fd;
extern uint64_t trial_target;
extern char *trial_room; /* 64 KiB */
