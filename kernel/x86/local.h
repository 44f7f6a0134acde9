/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of kernel/x86 only. */
#pragma once

#include "kernel/x86/x86.h"

/* Defined by kernel/mem (kernel/mem/kmem.h): all that this folder needs from above. */
void *kmem_alloc_aligned(size_t size, size_t align);
void kmem_free(void *p);

/* entry.S: STAC and CLAC exist. */

/* trap.c */
NORETURN void kernel_fault(struct trapframe *tf, uint64_t addr);

/* irq.c */
void irq_init(void);
void irq_dispatch(uint8_t vector);
extern uint64_t trap_count_timer, trap_count_ipi; /* trap.c */

/* time.c: the timer's vector came in. */
void timer_interrupt(void);

/* apic.c: the local APIC's timer, one shot from 2^32 - 1 down, divided by one. */
void apic_timer_start(uint32_t count, bool interrupt);
uint32_t apic_timer_left(void);
/*
 * With boot_info.cpu.tsc_deadline: from now on the timer's vector comes when the TSC reaches what
 * was last
 * given (0: never). */
void apic_timer_use_deadline(void);
void apic_timer_deadline(uint64_t tsc);

/* pit.c: channel 2 of the interval timer, counting down once from 65535 at PIT_HZ. */
#define PIT_HZ 1193182u
void pit_start(void);
struct pit_sample {
	uint64_t tsc;    /* when it was taken */
	uint64_t width;  /* TSC ticks within which that lies */
	uint16_t passed; /* PIT ticks since the start, modulo 65536 */
	bool expired;    /* more than 65535 of them */
};
/* False when there is no such timer. */
bool pit_sample(struct pit_sample *s);
