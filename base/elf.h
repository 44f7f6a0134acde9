/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks an ELF image before anything in it is believed. Works on bytes that the caller has read;
 * reads nothing itself.
 *
 *   1. Read the first ELF_HEADER_BYTES (fewer if the file is shorter): elf_check_header().
 *   2. Read head.ph_bytes bytes at head.phoff (they lie within the file): elf_check_segments()
 *      checks them all and sums up; elf_segment_get() then gives single ones.
 *   3. If layout.interp_size is not 0, read so many bytes at layout.interp_offset:
 *      elf_check_interp().
 *
 * What holds for a PT_LOAD segment after ELF_OK: filesz <= memsz; offset + filesz <= file size;
 * vaddr + memsz <= ELF_USER_END; vaddr and offset are congruent modulo the page size if filesz is
 * not 0; align is a power of two. As in Linux, segments may overlap or come out of order: a later
 * one wins. The constants (ET_DYN, PT_LOAD, PF_X ...) are those of <linux/elf.h>.
 */
#pragma once

#include <linux/elf.h>

#include "abi/err.h"
#include "abi/types.h"

#define ELF_HEADER_BYTES 64u
#define ELF_PHDR_BYTES   56u
#define ELF_PH_MAX       (65536u / ELF_PHDR_BYTES) /* as in Linux: the table takes at most 64 KiB */
#define ELF_INTERP_MAX   4096u
#define ELF_USER_END     0x7ffffffff000ull /* first address that a program cannot have */

enum elf_reason {
	ELF_OK = 0,
	ELF_NOT_ELF,
	ELF_TRUNCATED, /* the file ends within the ELF header */
	ELF_32BIT,
	ELF_BIG_ENDIAN,
	ELF_BAD_CLASS, /* class, byte order or version makes no sense */
	ELF_MACHINE,   /* for another processor: elf_machine_name() */
	ELF_TYPE,      /* neither ET_EXEC nor ET_DYN: object file, core dump */
	ELF_PHENTSIZE,
	ELF_PHNUM,       /* none, or more than ELF_PH_MAX */
	ELF_PH_OUTSIDE,  /* the table of program headers lies outside the file */
	ELF_NO_LOAD,     /* nothing to load */
	ELF_SEG_OUTSIDE, /* a segment's bytes lie outside the file: it is cut off */
	ELF_SEG_SIZE,    /* more bytes in the file than in memory */
	ELF_SEG_ADDRESS, /* beyond the addresses a program can have */
	ELF_SEG_ALIGN,   /* address and file offset are not congruent */
	ELF_INTERP,      /* path of the interpreter: empty, too long, or not ended */
	ELF_ENTRY,       /* entry point outside the code; for callers who care: see entry_ok */
	ELF_REASONS,
};

/* The ELF header, checked. */
struct elf_head {
	uint16_t type;    /* ET_EXEC or ET_DYN */
	uint16_t machine; /* also valid after ELF_MACHINE */
	uint16_t phnum;   /* 1 to ELF_PH_MAX */
	uint64_t entry;   /* as in the file, without load offset */
	uint64_t phoff;
	uint32_t ph_bytes; /* phnum * ELF_PHDR_BYTES, all within the file */
	uint64_t shoff;    /* section headers are not checked: the loader does not need them */
	uint16_t shnum;
	uint64_t file_size;
};

/* One program header. */
struct elf_segment {
	uint32_t type;
	uint32_t flags; /* PF_R | PF_W | PF_X */
	uint64_t offset, filesz;
	uint64_t vaddr, memsz;
	uint64_t align; /* 1 if the file says 0, or no power of two */
};

/* What the program headers say together. */
struct elf_layout {
	uint64_t lo, hi;        /* loaded addresses [lo, hi), rounded outwards to pages */
	uint64_t max_align;     /* largest alignment of a PT_LOAD, at least PAGE_SIZE */
	uint64_t phdr_vaddr;    /* of the program headers in memory (AT_PHDR); 0 if not loaded */
	uint64_t interp_offset; /* PT_INTERP; size 0: none. At most ELF_INTERP_MAX */
	uint32_t interp_size;
	uint64_t brk;    /* end of the highest segment, not rounded: where the heap begins */
	uint16_t loads;  /* number of PT_LOAD that are not empty, at least 1 */
	bool exec_stack; /* PT_GNU_STACK asks for an executable stack */
	bool has_gnu_stack;
	bool entry_ok; /* the entry point lies in an executable segment; Linux does not care */
};

/*
 * Check the ELF header in data[0..len), the first bytes of a file of `file_size` bytes. For an
 * ELF_OK *out is filled; else only `machine`, and that only for ELF_MACHINE.
 */
enum elf_reason elf_check_header(const void *data, size_t len, uint64_t file_size,
				 struct elf_head *out) MUST_CHECK;

/* Check all program headers: `table` holds head->ph_bytes bytes. On ELF_OK *out is filled. */
enum elf_reason elf_check_segments(const struct elf_head *head, const void *table,
				   struct elf_layout *out) MUST_CHECK;

/* Program header `i` (below head->phnum) of a table that elf_check_segments() passed. */
void elf_segment_get(const void *table, unsigned i, struct elf_segment *out);

/* Is this the path of an interpreter: layout->interp_size bytes, not empty, ending in a NUL? */
enum elf_reason elf_check_interp(const char *path, size_t size) MUST_CHECK;

/* Why it was refused, for people ("this is a 32-bit program"). Static storage. */
const char *elf_reason_text(enum elf_reason reason);
/* What execve() answers then. */
err_t elf_reason_err(enum elf_reason reason);
/* Name of a machine number ("AArch64"); NULL if not known. */
const char *elf_machine_name(uint16_t machine);
