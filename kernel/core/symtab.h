/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the kernel's functions, for backtraces. The table is made by the build (build-
 * tools/mksyms.c).
 */
#pragma once

#include "abi/types.h"

/*
 * Name of the function that holds the kernel address `addr`, and how far into it that is. NULL (and
 * *offset = 0) if no function is known there. Static storage; takes no memory and does not block:
 *  usable in a panic.
 */
const char *symbol_lookup(uint64_t addr, uint64_t *offset);
