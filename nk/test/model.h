/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for nk on the host: physical memory, a loaded root, a TLB. And the invariants, checked
 * by a second reading of the page tables that shares no code with nk.
 *
 * Memory, in chunks of 2 MiB: 0 low memory and kernel; 1 this core's, online at start; 2 to 4 this
 * core's; 5 this core's up to half, then 5 and 6 the root image; 7 another core's.
 */
#pragma once

#include "nk/internal.h"

#define MODEL_CHUNKS    8u
#define MODEL_SIZE      (MODEL_CHUNKS * CHUNK_SIZE)
#define MODEL_IMAGE     (5 * CHUNK_SIZE + CHUNK_SIZE / 2)
#define MODEL_IMAGE_END (7 * CHUNK_SIZE)
#define MODEL_OTHER     (7 * CHUNK_SIZE)
#define MODEL_DEVICE    0xfec00000ull

/* Fresh machine, as boot leaves it. */
void model_reset(void);

/* First frame of chunk 1 that boot left to the outer kernel. */
extern uint64_t model_first_plain;
/* A source that cannot be read: hw_copy_in fails there. */
#define MODEL_BAD_POINTER ((void *)0x10)
/* Last value written to each MSR that nk writes. */
extern uint64_t model_fs, model_gs, model_msr_writes;

/* The raw memory, whatever the direct map shows. */
void *model_raw(uint64_t pa);

/* Use a program's address in the loaded space: its translation enters the TLB. */
void model_touch(uint64_t va);

/* NULL, or the first invariant that does not hold (static text). */
const char *model_check(void);

/* All that nk owns: tables and descriptors. Copied and compared to see that nothing has changed. */
struct model_snapshot;
struct model_snapshot *model_snapshot(void);
bool model_unchanged(const struct model_snapshot *s);
