/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tool must know of an ELF file: its interpreter and the libraries it names. The bytes are
 * not trusted: headers are checked by base/elf.h (as the kernel does), the dynamic section is read
 * with libelf.
 */
#pragma once

#include "tool/util.h"

struct elf_info {
	bool is_elf;        /* begins as an ELF file does (set also when it is refused) */
	bool dynamic;       /* has a dynamic section */
	char *interp;       /* PT_INTERP, or NULL */
	char *soname;       /* DT_SONAME, or NULL */
	char *rpath;        /* DT_RPATH, or NULL */
	char *runpath;      /* DT_RUNPATH, or NULL */
	struct strv needed; /* DT_NEEDED in order */
};

#define ELF_WHY_MAX 160

/*
 * Read image[0..size). False if it is no ELF file that can run here; `why` then says the reason in
 * words that follow a colon ("a 32-bit program"), and *out is empty apart from is_elf.
 */
bool elf_info_read(const void *image, size_t size, struct elf_info *out, char why[ELF_WHY_MAX]);
/* The same for a file. Adds "unreadable: ..." to the reasons. */
bool elf_info_load(const char *path, struct elf_info *out, char why[ELF_WHY_MAX]);
void elf_info_release(struct elf_info *info);

/*
 * The checks of base/elf.h alone; elf_check.c, because its header and libelf's cannot be included
 * together.
 */
bool elf_headers_ok(const void *image, size_t size, bool *is_elf, char why[ELF_WHY_MAX]);
