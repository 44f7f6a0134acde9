/* SPDX-License-Identifier: BSD-2-Clause */
/* A linked ELF file, read with libelf, for the build's own tools. Errors end the program. */
#pragma once

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
	int fd;
	Elf *elf;
	const char *path;
};

struct symbol {
	uint64_t addr, size;
	const char *name; /* lives as long as the file is open */
	bool typed;       /* marked as a function */
};

struct symbols {
	struct symbol *at; /* sorted by address, one for each address */
	size_t count;
};

void elf_file_open(struct elf_file *f, const char *path);

/* Section header `i` (from 1) and its name; false when there are no more. */
bool elf_file_section(const struct elf_file *f, size_t i, GElf_Shdr *sh, const char **name);

/* Functions in executable sections, and global labels of assembly code there. */
void elf_file_symbols(const struct elf_file *f, struct symbols *out);

/* The last symbol at or before addr; NULL if there is none. */
const struct symbol *symbols_find(const struct symbols *s, uint64_t addr);

/* Print "PROGRAM: PATH: text" and exit with status 2. */
void elf_file_fail(const struct elf_file *f, const char *text) __attribute__((noreturn));
