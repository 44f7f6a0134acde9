/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "build-tools/elf_file.h"

void elf_file_fail(const struct elf_file *f, const char *text)
{
	errx(2, "%s: %s", f->path, text);
}

void elf_file_open(struct elf_file *f, const char *path)
{
	*f = (struct elf_file){ .path = path };
	elf_version(EV_CURRENT);
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		err(2, "%s", path);
	f->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	if (f->elf == NULL || elf_kind(f->elf) != ELF_K_ELF)
		elf_file_fail(f, "not an ELF file");
}

bool elf_file_section(const struct elf_file *f, size_t i, GElf_Shdr *sh, const char **name)
{
	Elf_Scn *scn = elf_getscn(f->elf, i);
	size_t names;

	if (scn == NULL)
		return false;
	if (gelf_getshdr(scn, sh) == NULL || elf_getshdrstrndx(f->elf, &names) != 0)
		elf_file_fail(f, elf_errmsg(-1));
	*name = elf_strptr(f->elf, names, sh->sh_name);
	if (*name == NULL)
		elf_file_fail(f, "a section without name");
	return true;
}

static bool in_code(const struct elf_file *f, const GElf_Sym *sym)
{
	GElf_Shdr sh;
	const char *name;

	return sym->st_shndx != SHN_UNDEF && sym->st_shndx < SHN_LORESERVE &&
	       elf_file_section(f, sym->st_shndx, &sh, &name) && (sh.sh_flags & SHF_EXECINSTR) != 0;
}

static bool wanted(const struct elf_file *f, const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info), bind = GELF_ST_BIND(sym->st_info);

	return (type == STT_FUNC || (type == STT_NOTYPE && bind == STB_GLOBAL)) && in_code(f, sym);
}

static int by_address(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->typed != b->typed)
		return a->typed ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Sorted; the first of those at one address stays. */
static void sort_unique(struct symbols *s)
{
	size_t n = 0;

	qsort(s->at, s->count, sizeof(s->at[0]), by_address);
	for (size_t i = 0; i < s->count; i++)
		if (n == 0 || s->at[n - 1].addr != s->at[i].addr)
			s->at[n++] = s->at[i];
	s->count = n;
}

static void add_table(const struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *sh,
		      struct symbols *out)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = sh->sh_entsize != 0 ? sh->sh_size / sh->sh_entsize : 0;

	out->at = reallocarray(out->at, out->count + n + 1, sizeof(out->at[0]));
	if (data == NULL || out->at == NULL)
		elf_file_fail(f, "cannot read the symbols");
	for (size_t i = 0; i < n; i++) {
		GElf_Sym sym;

		if (gelf_getsym(data, (int)i, &sym) == NULL || !wanted(f, &sym))
			continue;
		out->at[out->count++] = (struct symbol){
			.addr = sym.st_value,
			.size = sym.st_size,
			.name = elf_strptr(f->elf, sh->sh_link, sym.st_name),
			.typed = GELF_ST_TYPE(sym.st_info) == STT_FUNC,
		};
	}
}

void elf_file_symbols(const struct elf_file *f, struct symbols *out)
{
	Elf_Scn *scn = NULL;

	*out = (struct symbols){ 0 };
	while ((scn = elf_nextscn(f->elf, scn)) != NULL) {
		GElf_Shdr sh;

		if (gelf_getshdr(scn, &sh) != NULL && sh.sh_type == SHT_SYMTAB)
			add_table(f, scn, &sh, out);
	}
	if (out->count != 0)
		sort_unique(out);
}

const struct symbol *symbols_find(const struct symbols *s, uint64_t addr)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->at[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo != 0 ? &s->at[lo - 1] : NULL;
}
