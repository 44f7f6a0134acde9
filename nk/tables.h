/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables of a core: nk's memory, filled by boot, never changed afterwards. */
#pragma once

#include "abi/types.h"

#define NK_GDT_LEN 10u /* up to and including the two words of the TSS */
#define NK_IDT_LEN 256u

struct nk_gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};
_Static_assert(sizeof(struct nk_gate) == 16, "as the processor reads it");

/* Stacks that the processor changes to, whatever ring it comes from. */
enum nk_ist { NK_IST_DB = 1, NK_IST_NMI, NK_IST_DF, NK_IST_MC, NK_IST_IRQ };

struct nk_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* number 1 is ist[0] */
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct nk_tss) == 104, "as the processor reads it");

extern uint64_t nk_gdt[NK_GDT_LEN];
extern struct nk_gate nk_idt[NK_IDT_LEN];
extern struct nk_tss nk_tss;
