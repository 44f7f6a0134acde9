/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The address space of one core (docs/map.md has the picture). Usable from C, assembly and linker
 * scripts.
 */
#pragma once

#define KERNEL_LOAD_PA   0x100000             /* where the ELF is loaded */
/* va = KERNEL_BASE + pa for text, read-only data and the data template */
#define KERNEL_BASE      0xffffffff80000000

#define USER_MIN         0x1000               /* a program's lowest mappable address */
#define USER_END         0x7ffffffff000       /* one past its highest */

/* direct map: frames this core owns, 4 KiB entries, RW or RO, NX */
#define DM_BASE          0xffff800000000000
#define IMAGE_BASE       0xffffc00000000000   /* root image, read-only */
#define RING_BASE        0xffffc08000000000   /* message rings */
#define DEV_BASE         0xffffc10000000000   /* device registers */
/* kernel stacks with guard pages, and other mappings of outer frames */
#define KWIN_BASE        0xffffc18000000000
#define KWIN_END         0xffffc18040000000   /* 1 GiB */

/*
 * The page above the program's: the LDT of a space that has PrivUser (abi/privuser.h), nk's. In
 * other spaces nothing is there, so that no selector of the LDT can be used.
 */
#define LDT_VA           0x7ffffffff000
#define LDT_LEN          8                    /* descriptors of 8 bytes */
/* PrivUser lies below: no other supervisor page may. */
#define PRIV_END         0x100000000

#define MAX_CORES        8

/* Segment selectors; the order is fixed by SYSCALL/SYSRET. */
#define SEL_KCODE  0x08
#define SEL_KDATA  0x10
#define SEL_UCODE32 0x1b
#define SEL_UDATA  0x23
#define SEL_UCODE  0x2b
#define SEL_LDT    0x30
#define SEL_TSS    0x40

/* Interrupt vectors above the exceptions. */
#define VEC_TIMER    0x40
#define VEC_IPI      0x41 /* look at your message rings */
#define VEC_DEVICE0  0x50 /* first of the device vectors */
#define VEC_DEVICES  32
#define VEC_PRIVUSER 0x80 /* system calls of PrivUser: for rings 1 and 2 */
#define VEC_SPURIOUS 0xff
