/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the user's standard streams, terminal and signals on one side, and the ports of the
 * virtual machine on the other, until the machine has ended and its last byte was passed on.
 */
#pragma once

#include "abi/control.h"
#include "tool/corefile.h"
#include "tool/vm.h"

#define LOG_KEPT (128u * 1024) /* bytes of the kernel's log that are kept for a report */

struct bridge_config {
	bool tty;         /* standard input is the guest's terminal: raw, Ctrl-C is a byte */
	bool show_log;    /* pass the kernel's log on to standard error as it comes */
	bool serial_only; /* no ports: the serial line is the program's output */
	bool service;     /* nothing to type: a signal that does not end it in time is enforced */
	int in, out, err; /* the program's streams; `in` -1: none */
	struct corefile *core; /* where a core file goes; NULL: nowhere */
	struct server *server; /* commands of other processes; NULL: none */
	/* What the program was started with, for those that follow it. */
	const struct strv *env;
	const char *cwd;
	/* the program is about to run. May be NULL */
	void (*on_ready)(void *ctx);
	void (*on_debug)(void *ctx, const char *words); /* a debug= line. May be NULL */
	/* The program listens on a TCP port, of the machine's own loopback device only or not.
	 * May be NULL */
	void (*on_listen)(void *ctx, unsigned port, bool loopback);
	/* on_step is called at this time (now_ns) at the latest; 0: no need. May be NULL */
	const uint64_t *wake_at;
	void (*on_step)(void *ctx); /* something may have been written. May be NULL */
	void *ctx;
};

struct bridge_result {
	bool ready;        /* the program's first instruction was about to run */
	uint64_t ready_ns; /* after the start of the bridge */
	bool has_status;
	int status;        /* wait status of the program */
	bool oom;          /* the kernel killed it for want of memory */
	int killed_by;     /* signal with which the user ended the machine; 0: it ended by itself */
	bool stopped;      /* the user wanted its end, by a signal or a command */
	struct strv stats; /* what follows stat= */
	int qemu_status;   /* wait status */
	char *log;         /* end of the kernel's log */
	char *complaints;  /* what QEMU itself said */
};

void bridge_run(struct vm *vm, const struct bridge_config *cfg, struct bridge_result *result);
void bridge_result_release(struct bridge_result *result);
/* Without a machine: serve commands until the time is over or one of them ends the wait (false). */
bool bridge_idle(struct server *server, uint64_t ns);

/* Open descriptors 0, 1, 2 if the caller closed them, so that no port gets their number. */
void bridge_check_standard_streams(void);
