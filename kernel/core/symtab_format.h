/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Form of the table of function names that build-tools/mksyms.c makes. Functions are sorted by
 * address. Their names stand in the same order in symtab_names, each ended by a NUL; to find one,
 * symtab_index tells where the name of every SYMTAB_STRIDE-th function begins.
 */
#pragma once

#include <stdint.h>

#define SYMTAB_STRIDE 16u

extern const uint32_t symtab_count;
extern const uint32_t symtab_addrs[]; /* address - KERNEL_BASE; one more: where the code ends */
extern const uint32_t symtab_index[];
extern const char symtab_names[];
