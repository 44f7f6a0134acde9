/* SPDX-License-Identifier: BSD-2-Clause */
/* TAP, and faults that are caught, for the attacks on PrivUser. */
#pragma once

#include <privcall.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "victim.h"

PRIVCALL(nothing);
PRIVCALL(load);
PRIVCALL(intact);
PRIVCALL(where_secret);
PRIVCALL(where_copy);
PRIVCALL(where_target);
PRIVCALL(where_stack);
PRIVCALL(change);
PRIVCALL(first);
PRIVCALL(poison);
PRIVCALL(work);
PRIVCALL(heap_work);
PRIVCALL(copy_in);
PRIVCALL(copy_out);
PRIVCALL(probe);

static int tests, failures;
static bool on; /* the protection */

static inline void ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	fflush(stdout);
	failures += !good;
}

/* An attack: must fail with the protection on, and succeed without it. */
static inline void attack(bool succeeded, const char *name)
{
	if (!on && !succeeded)
		printf("# does not even succeed with the protection off\n");
	ok(succeeded == !on, name);
}

/* PrivUser is set up, with the protection or without it; false: it could not be, which was said. */
static inline bool privuser_up(const struct priv_options *o)
{
	int state = priv_init(o);

	if (state != PRIV_ISOLATED && state != PRIV_OFF) {
		printf("Bail out! priv_init: %d\n", state);
		return false;
	}
	on = state == PRIV_ISOLATED;
	printf("# the protection is %s\n", on ? "on" : "off");
	return true;
}

/* ---- faults ---- */

static sigjmp_buf back;
static volatile bool trying; /* a fault is expected */
static struct {
	int sig, code;
	uint64_t vector, error, address, rip;
} fault;
static uint8_t fault_stack[65536];

static inline void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;

	fault.sig = sig;
	fault.code = info->si_code;
	fault.vector = (uint64_t)u->uc_mcontext.gregs[REG_TRAPNO];
	fault.error = (uint64_t)u->uc_mcontext.gregs[REG_ERR];
	fault.address = (uint64_t)info->si_addr;
	fault.rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
	if (!trying) {
		printf("Bail out! signal %d at %#lx, address %#lx\n", sig, (unsigned long)fault.rip,
		       (unsigned long)fault.address);
		fflush(stdout);
		_exit(1);
	}
	siglongjmp(back, 1);
}

static inline void catch_faults(void)
{
	stack_t s = { .ss_sp = fault_stack, .ss_size = sizeof(fault_stack) };
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&s, NULL);
	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	sigaction(SIGILL, &a, NULL);
	sigaction(SIGTRAP, &a, NULL);
}

/* The signal that fn(a, b) ends with, 0 for none. */
static inline int try(void (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
	memset(&fault, 0, sizeof(fault));
	trying = true;
	if (sigsetjmp(back, 1) == 0)
		fn(a, b);
	trying = false;
	return fault.sig;
}

/* ---- children ---- */

/* Wait status of a child that runs fn(a, b) and, if that returns, exits with its result. */
static inline int in_child(int (*fn)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGILL, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(fn(a, b));
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

#define DIED(status)   (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
#define EXITED(status) (WIFEXITED(status) ? WEXITSTATUS(status) : -1)
