/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for the host's tests of kernel/mem: memory at DM_BASE, the real nk over it, and a
 * program's accesses done by hand through the page tables that nk made.
 */
#pragma once

#include "kernel/mem/mem.h"

#define MACHINE_CHUNKS      24u                           /* 2 MiB each; chunk 0 is not managed */
#define MACHINE_IMAGE       (MACHINE_CHUNKS * CHUNK_SIZE) /* the root image follows */
#define MACHINE_IMAGE_PAGES 256u

/* Fresh memory, nk, and mem_init(). Once per program. */
void machine_start(void);
/*
 * Free frames wherever they are: allocator, not yet online, table pool; caches are emptied first.
 */
uint64_t machine_free_frames(void);

/* An access of a program, with faults served. On FAULT_OK *p is where the byte lies. */
enum fault_result machine_access(struct aspace *a, uint64_t va, uint32_t code, uint8_t **p);
