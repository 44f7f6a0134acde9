/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that boot's C and assembly share. */
#pragma once

#define BOOT_TRAMPOLINE    0x8000 /* where other cores start, in real mode */
#define BOOT_STACK_SIZE    8192
#define BOOT_STATE_APIC_ID 0 /* offset of boot_state.apic_id */
