/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte offsets of struct trapframe, and constants of x86.h, for assembly; trap.c checks that they
 * agree.
 */
#pragma once

#define TF_R11      48
#define TF_R10      56
#define TF_RAX      80
#define TF_RCX      88
#define TF_ORIG_RAX 120
#define TF_RIP      144
#define TF_CS       152
#define TF_RFLAGS   160
#define TF_RSP      168
#define TF_SIZE     184

#define PRIV_GATE_BYTES 128 /* of the gate stack that belong to a thread (nk/privgate.S) */

#define TRAP_SYSCALL_VECTOR   0x100
#define USER_WORK_SIGNAL_BIT  2
#define USER_WORK_SPECIAL_BIT 4

/* The table of system calls (kernel/linux/syscall.c checks these). */
#define SYSCALL_LIMIT  512
#define RESTART_LOWEST 516 /* -E_RESTART_BLOCK */
#define RESTART_KINDS  5   /* up to E_RESTARTSYS */
