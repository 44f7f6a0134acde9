/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan KERNEL.ELF: looks at every byte offset of the outer kernel's code for an instruction that
 * only the nested kernel and the boot code may contain. Exit status 0: none, 1: some (each is
 * explained on stderr), 2: trouble.
 *
 * Outer code is every executable section whose name does not begin with ".nk." or ".boot.". Code
 * is laid out as it lies in memory, so that a sequence across two sections is found as well.
 */
#include <capstone/capstone.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-tools/elf_file.h"
#include "build-tools/forbidden.h"

#define MAX_SECTIONS 64u

struct section {
	const char *name;
	uint64_t addr;
	const uint8_t *bytes;
	size_t size;
};

/* Sections without a gap between them. */
struct run {
	uint64_t addr;
	uint8_t *bytes;
	size_t size;
};

static struct elf_file file;
static struct symbols symbols;

static bool is_exempt(const char *name)
{
	return strncmp(name, ".nk.", 4) == 0 || strncmp(name, ".boot.", 6) == 0;
}

static int by_address(const void *x, const void *y)
{
	const struct section *a = x, *b = y;

	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static size_t read_code(struct section *out)
{
	GElf_Shdr sh;
	const char *name;
	size_t n = 0;

	for (size_t i = 1; elf_file_section(&file, i, &sh, &name); i++) {
		Elf_Data *data;

		if ((sh.sh_flags & SHF_EXECINSTR) == 0 || sh.sh_size == 0)
			continue;
		if (sh.sh_type == SHT_NOBITS)
			elf_file_fail(&file, "an executable section without contents");
		data = elf_getdata(elf_getscn(file.elf, i), NULL);
		if (data == NULL || n == MAX_SECTIONS)
			elf_file_fail(&file, "cannot read the code");
		out[n++] = (struct section){ name, sh.sh_addr, data->d_buf, data->d_size };
	}
	qsort(out, n, sizeof(out[0]), by_address);
	return n;
}

static void print_bytes(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", bytes[i]);
}

/* Instructions as the processor meets them from the function's start, near the hit. */
static void print_code(csh cs, const struct run *r, uint64_t from, uint64_t hit)
{
	const uint8_t *code = r->bytes + (from - r->addr);
	size_t left = r->size - (size_t)(from - r->addr);
	uint64_t addr = from;
	cs_insn *insn = cs_malloc(cs);

	while (insn != NULL && addr <= hit + 8 && cs_disasm_iter(cs, &code, &left, &addr, insn)) {
		bool here = insn->address <= hit + 1 && hit < insn->address + insn->size;

		if (insn->address + 24 < hit)
			continue;
		fprintf(stderr, "  %c %" PRIx64 ":", here ? '>' : ' ', insn->address);
		print_bytes(insn->bytes, insn->size);
		fprintf(stderr, "%*s%s %s\n", 30 - 3 * (int)insn->size, "", insn->mnemonic,
			insn->op_str);
	}
	cs_free(insn, 1);
}

static void report(const struct run *r, const struct section *s, size_t at, const char *what)
{
	uint64_t addr = r->addr + at, from = s->addr;
	const struct symbol *sym = symbols_find(&symbols, addr);
	size_t shown = r->size - at < 4 ? r->size - at : 4;
	csh cs;

	fprintf(stderr, "%s: %s at %#" PRIx64 " in %s", file.path, what, addr, s->name);
	if (sym != NULL && sym->addr >= s->addr) {
		fprintf(stderr, ", %s+%#" PRIx64, sym->name, addr - sym->addr);
		from = sym->addr;
	}
	fprintf(stderr, ":");
	print_bytes(r->bytes + at, shown);
	fprintf(stderr, "\n");
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		errx(2, "capstone does not start");
	cs_option(cs, CS_OPT_SKIPDATA, CS_OPT_ON);
	print_code(cs, r, from, addr);
	cs_close(&cs);
}

/* Look at each offset of section `s`, which lies in the run. */
static unsigned scan_section(const struct run *r, const struct section *s)
{
	size_t first = (size_t)(s->addr - r->addr);
	unsigned hits = 0;

	for (size_t at = first; at < first + s->size; at++) {
		const char *what = forbidden_at(r->bytes, r->size, at);

		if (what != NULL) {
			report(r, s, at, what);
			hits++;
		}
	}
	return hits;
}

/* The sections s[0..n) lie without a gap. */
static unsigned scan_run(const struct section *s, size_t n)
{
	struct run r = { .addr = s[0].addr };
	unsigned hits = 0;

	for (size_t i = 0; i < n; i++)
		r.size += s[i].size;
	r.bytes = malloc(r.size);
	if (r.bytes == NULL)
		err(2, "malloc");
	for (size_t i = 0; i < n; i++)
		memcpy(r.bytes + (s[i].addr - r.addr), s[i].bytes, s[i].size);
	for (size_t i = 0; i < n; i++)
		if (!is_exempt(s[i].name))
			hits += scan_section(&r, &s[i]);
	free(r.bytes);
	return hits;
}

int main(int argc, char **argv)
{
	static struct section sections[MAX_SECTIONS];
	unsigned hits = 0;
	size_t n;

	if (argc != 2) {
		fprintf(stderr, "usage: scan KERNEL.ELF\n");
		return 2;
	}
	elf_file_open(&file, argv[1]);
	elf_file_symbols(&file, &symbols);
	n = read_code(sections);
	if (n == 0)
		elf_file_fail(&file, "no code in it");
	for (size_t i = 0; i < n;) {
		size_t k = 1;

		while (i + k < n &&
		       sections[i + k].addr == sections[i + k - 1].addr + sections[i + k - 1].size)
			k++;
		hits += scan_run(&sections[i], k);
		i += k;
	}
	if (hits == 0)
		return 0;
	fprintf(stderr,
		"scan: %u forbidden sequence%s outside nk/. If it is an instruction of its own, ask nk\n"
		"to do it (abi/nk.h). If it is part of another one (a constant, an offset in a\n"
		"structure), change the constant, or the order of the fields or functions.\n",
		hits, hits == 1 ? "" : "s");
	return 1;
}
