/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest guest there is: an ELF file with a PVH entry that switches to long mode and writes
 * PROBE_VALUE to isa-debug-exit.
 */
#pragma once

#define PROBE_VALUE 0x21 /* QEMU then exits with 2 * PROBE_VALUE + 1 */

extern const char probe_guest[], probe_guest_end[];
