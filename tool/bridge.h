/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the user's standard streams, terminal and signals on one side, and the ports of the
 * virtual machine on the other, until the machine has ended and its last byte was passed on.
 */
#pragma once

#include "abi/control.h"
#include "tool/vm.h"

#define LOG_KEPT (128u * 1024) /* bytes of the kernel's log that are kept for a report */

struct bridge_config {
	bool tty;         /* standard input is the guest's terminal: raw, Ctrl-C is a byte */
	bool show_log;    /* pass the kernel's log on to standard error as it comes */
	bool serial_only; /* no ports: the serial line is the program's output */
};

struct bridge_result {
	bool ready;        /* the program's first instruction was about to run */
	uint64_t ready_ns; /* after the start of the bridge */
	bool has_status;
	int status;       /* wait status of the program */
	bool oom;         /* the kernel killed it for want of memory */
	int killed_by;    /* signal with which the user ended the machine; 0: it ended by itself */
	int qemu_status;  /* wait status */
	char *log;        /* end of the kernel's log */
	char *complaints; /* what QEMU itself said */
};

void bridge_run(struct vm *vm, const struct bridge_config *cfg, struct bridge_result *result);
void bridge_result_release(struct bridge_result *result);

/* Open descriptors 0, 1, 2 if the caller closed them, so that no port gets their number. */
void bridge_check_standard_streams(void);
