/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts QEMU with our kernel, and holds the ends of its ports. */
#pragma once

#include <sys/types.h>

#include "abi/boot.h"
#include "tool/net.h"
#include "tool/spec.h"

struct vm_config {
	const char *qemu; /* path */
	enum machine machine;
	bool kvm; /* else TCG */
	unsigned cpus;
	uint64_t memory;                    /* bytes */
	int kernel_fd, image_fd, config_fd; /* image and configuration: -1 for none */
	/*
	 * Of an image that nobody will change as long as the machine runs: its size, and it may be
	 * mapped into the machine instead of copied. 0: it is copied.
	 */
	uint64_t image_stays;
	const char *append;         /* kernel command line */
	const struct net_spec *net; /* settled */
	unsigned gdb_port;          /* 0: none */
	bool stopped;               /* with gdb_port: wait for gdb before anything runs */
};

/* Index 0 is the serial port COM1, the others are enum boot_port. */
#define VM_COM1  0
#define VM_PORTS 5

struct vm {
	pid_t pid;
	int pidfd;          /* readable when QEMU has ended */
	int port[VM_PORTS]; /* our ends, non-blocking sockets; -1: this machine does not have it */
	int errors;         /* what QEMU itself says */
};

/*
 * Path of QEMU: $RINGFENCE_QEMU or qemu-system-x86_64 in PATH; NULL if there is none. Caller frees.
 */
char *vm_find_qemu(void);
/* The same, but dies with a hint. */
char *vm_need_qemu(void);
/* Start it. It is killed when the tool dies. Dies if QEMU cannot be started. */
void vm_start(const struct vm_config *cfg, struct vm *vm);
/* SIGKILL. */
void vm_kill(const struct vm *vm);
/* Wait for the end; its wait status. */
int vm_wait(struct vm *vm);
void vm_close(struct vm *vm);
