/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mksyms KERNEL.ELF: prints, as assembly source, the table that kernel/core/symtab.c searches.
 * mksyms -: prints an empty one, for the first link.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "abi/layout.h"
#include "build-tools/elf_file.h"
#include "kernel/core/symtab_format.h"

/* Only what runs in the kernel's own addresses; the boot code below is not for backtraces. */
static void keep_kernel(struct symbols *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->at[i].addr >= KERNEL_BASE && s->at[i].addr - KERNEL_BASE < UINT32_MAX)
			s->at[n++] = s->at[i];
	s->count = n;
}

/* Where the code ends: behind the last function. */
static uint64_t end_of(const struct symbols *s)
{
	const struct symbol *last;

	if (s->count == 0)
		return KERNEL_BASE;
	last = &s->at[s->count - 1];
	return last->addr + (last->size != 0 ? last->size : 1);
}

static void print_table(const struct symbols *s)
{
	size_t offset = 0;

	printf("\t.section .rodata.symtab, \"a\"\n\t.balign 8\n");
	printf("\t.globl symtab_count, symtab_addrs, symtab_index, symtab_names\n");
	printf("symtab_count:\n\t.long %zu\n", s->count);
	printf("symtab_addrs:\n");
	for (size_t i = 0; i < s->count; i++)
		printf("\t.long 0x%" PRIx64 "\n", s->at[i].addr - KERNEL_BASE);
	printf("\t.long 0x%" PRIx64 "\n", end_of(s) - KERNEL_BASE);
	printf("symtab_index:\n");
	for (size_t i = 0; i < s->count; i++) {
		if (i % SYMTAB_STRIDE == 0)
			printf("\t.long %zu\n", offset);
		offset += strlen(s->at[i].name) + 1;
	}
	printf("symtab_names:\n");
	for (size_t i = 0; i < s->count; i++)
		printf("\t.asciz \"%s\"\n", s->at[i].name);
	printf("\t.section .note.GNU-stack, \"\", @progbits\n");
}

int main(int argc, char **argv)
{
	struct symbols symbols = { 0 };
	struct elf_file f;

	if (argc != 2) {
		fprintf(stderr, "usage: mksyms KERNEL.ELF | mksyms -\n");
		return 2;
	}
	if (strcmp(argv[1], "-") != 0) {
		elf_file_open(&f, argv[1]);
		elf_file_symbols(&f, &symbols);
		keep_kernel(&symbols);
	}
	print_table(&symbols);
	return fflush(stdout) == 0 ? 0 : 2;
}
