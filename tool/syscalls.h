/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls: their names, which of them our kernel serves, and which of them code can make. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSCALL_MAX 512u

/* Name of a number, or NULL. */
const char *syscall_name(unsigned nr);
/* Does our kernel serve it (kernel/linux/syscall.def)? */
bool syscall_served(unsigned nr);

/* What was found in code. */
struct syscall_scan {
	bool made[SYSCALL_MAX];
	unsigned places;  /* syscall instructions */
	unsigned unknown; /* of these: with a number that is no constant, like in syscall(2) */
};

/*
 * Look for syscall instructions in machine code and add to `scan`. For each one the nearest write
 * to eax before it is looked for. It is an upper bound: that the code is there does not mean that
 * it runs.
 */
void syscall_scan_code(struct syscall_scan *scan, const uint8_t *code, size_t size);
/* All executable segments of an ELF file; false if it is none. */
bool syscall_scan_file(struct syscall_scan *scan, const char *path);
