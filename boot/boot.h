/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of boot/ share. Boot runs before nk takes over and is not mapped afterwards. */
#pragma once

#include "boot/layout.h"
#include "nk/internal.h"

/* What was found out before memory is split; constant while the other cores start. */
struct boot_state {
	uint32_t apic_id[MAX_CORES]; /* by core; UINT32_MAX beyond ncores */
	uint32_t ncores;
	enum boot_protocol protocol;
	char cmdline[BOOT_CMDLINE_MAX];
	uint64_t rsdp;
	uint64_t memory_total;
	uint64_t image, image_len; /* root image */
	uint64_t run, run_len;     /* run configuration */
	uint64_t lapic;
	struct boot_features cpu;
	uint32_t nram, nfree;
	struct nk_span ram[NK_RAM_MAX];  /* usable memory, ascending, whole pages */
	struct nk_span free[NK_RAM_MAX]; /* what of it is not taken yet */
	uint32_t nranges[MAX_CORES];
	struct nk_range range[MAX_CORES][BOOT_RANGES];
	/* frames of the message rings, in core 0's first chunk; 0 with one core */
	uint64_t rings;
};
extern struct boot_state boot_state;
extern uint64_t boot_entry_tsc;
_Static_assert(offsetof(struct boot_state, apic_id) == BOOT_STATE_APIC_ID, "used by entry.S");

/* Below 4 GiB everything is mapped at its own address. */
static inline void *low_ptr(uint64_t pa)
{
	void *p = (void *)pa;

	__asm__("" : "+r"(p)); /* an object of unknown size, also near address 0 */
	return p;
}

/* ---- console.c ---- */
/* Print on COM1 and end the machine with this value of enum boot_exit. */
NORETURN void boot_fail(unsigned exit, const char *format, ...) PRINTF(2, 3);
void boot_say(const char *format, ...) PRINTF(1, 2);

/* ---- info.c ---- */
/* Read what the loader hands over: memory map, command line, modules, ACPI pointer. */
void info_parse(uint64_t info, uint32_t magic);

/* ---- cores.c ---- */
/*
 * Find the cores: ACPI, else QEMU's count, else the boot core alone. Boot core first, then by APIC
 * id.
 */
void cores_find(void);

/* ---- fwcfg.c ---- */
bool fwcfg_present(void);
/* Length of a file of QEMU's firmware configuration; false when there is no such file or device. */
bool fwcfg_find(const char *name, uint16_t *selector, uint32_t *len);
void fwcfg_read(uint16_t selector, void *buffer, uint32_t len);

/* ---- memory.c ---- */
void memory_add(uint64_t start, uint64_t len);
/* All of it is in the memory map, in one piece. */
bool memory_has(uint64_t start, uint64_t end);
/* Not free any more. */
void memory_cut(uint64_t start, uint64_t end);
/*
 * The highest free piece below 4 GiB of `len` bytes, whole pages; it is cut. 0 when there is none.
 */
uint64_t memory_take_top(uint64_t len);
/* Give each core its chunks. */
void memory_split(void);

/* ---- percore.c ---- */
/* Build this core's address space and records in its first chunk; returns the top-level table. */
uint64_t percore_build(unsigned core);

/* ---- processor.c ---- */
void processor_features(void);
/* Control registers and MSRs of the executing core; all but CR3 and CR0.WP. */
void processor_set_up(void);
/* GDTR and IDTR, to what percore_build() made. */
void processor_load_tables(void);
uint32_t processor_apic_id(void);

/* ---- smp.c ---- */
/* Start the other cores and wait until they are out of the trampoline. */
void smp_start(void);
void smp_arrived(unsigned core);

/* ---- gate.S ---- */
NORETURN void nk_take_over(uint64_t root);
