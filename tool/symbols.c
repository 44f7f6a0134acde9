/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/util.h"

/* The place at the end of a line: " PATH+0xOFFSET". False when there is none. */
static bool parse_place(const char *line, char path[4096], GElf_Addr *offset)
{
	const char *plus = strrchr(line, '+');
	const char *start = strstr(line, " /");
	char *end;

	if (plus == NULL || start == NULL || start > plus || strncmp(plus, "+0x", 3) != 0)
		return false;
	if ((size_t)(plus - ++start) >= 4096)
		return false;
	errno = 0;
	*offset = strtoull(plus + 1, &end, 16);
	memcpy(path, start, (size_t)(plus - start));
	path[plus - start] = '\0';
	return *end == '\0' && errno == 0;
}

/* Address in the file's own terms of a byte at this file offset. */
static bool address_of_offset(Elf *elf, GElf_Addr offset, GElf_Addr *address)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) == NULL || p.p_type != PT_LOAD)
			continue;
		if (offset >= p.p_offset && offset - p.p_offset < p.p_filesz) {
			*address = offset - p.p_offset + p.p_vaddr;
			return true;
		}
	}
	return false;
}

struct best {
	GElf_Addr at;
	const char *name;
};

static void search_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *head, GElf_Addr address,
			 struct best *best)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym s;

	for (int i = 0; data != NULL && gelf_getsym(data, i, &s) != NULL; i++) {
		if (GELF_ST_TYPE(s.st_info) != STT_FUNC || s.st_shndx == SHN_UNDEF ||
		    s.st_value > address)
			continue;
		if (s.st_size != 0 ? address - s.st_value >= s.st_size : s.st_value < best->at)
			continue;
		if (best->name == NULL || s.st_value >= best->at)
			*best = (struct best){ s.st_value,
					       elf_strptr(elf, head->sh_link, s.st_name) };
	}
}

static bool has_section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr head;
	size_t names;

	if (elf_getshdrstrndx(elf, &names) != 0)
		return false;
	while ((section = elf_nextscn(elf, section)) != NULL) {
		const char *text = gelf_getshdr(section, &head) != NULL
					   ? elf_strptr(elf, names, head.sh_name)
					   : NULL;

		if (text != NULL && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static void name_address(Elf *elf, GElf_Addr address, char out[SYMBOL_MAX])
{
	struct best best = { 0, NULL };
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		GElf_Shdr head;

		if (gelf_getshdr(section, &head) != NULL &&
		    (head.sh_type == SHT_SYMTAB || head.sh_type == SHT_DYNSYM))
			search_table(elf, section, &head, address, &best);
	}
	if (best.name != NULL)
		snprintf(out, SYMBOL_MAX, "%.150s+0x%llx", best.name,
			 (unsigned long long)(address - best.at));
}

/*
 * " at crash.c:12" from the program's debugging information, read by addr2line where it is
 * installed.
 */
static void add_source_line(Elf *elf, const char *path, GElf_Addr address, char out[SYMBOL_MAX])
{
	char *tool = has_section(elf, ".debug_line") ? find_in_path("addr2line", getenv("PATH"))
						     : NULL;
	char *number = xasprintf("%#llx", (unsigned long long)address), line[256] = "";
	char *argv[] = { tool, "-e", (char *)path, number, NULL };
	int ends[2];
	size_t used = strlen(out);

	if (tool != NULL && pipe2(ends, O_CLOEXEC) == 0) {
		ssize_t n = run_program(argv, NULL, ends[1]) == 0
				    ? read(ends[0], line, sizeof(line) - 1)
				    : 0;

		close(ends[0]);
		close(ends[1]);
		line[n > 0 ? n : 0] = '\0';
		line[strcspn(line, " \n")] = '\0';
		if (n > 0 && line[0] != '?' && !str_ends(line, ":?"))
			snprintf(out + used, SYMBOL_MAX - used, " at %.100s", path_base(line));
	}
	free(number);
	free(tool);
}

/* A regular file only: a path from the guest must not make the tool wait for a FIFO or a device. */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

void symbol_of_line(const char *line, char out[SYMBOL_MAX])
{
	char path[4096];
	GElf_Addr offset, address;
	Elf *elf;
	int fd;

	out[0] = '\0';
	if (!parse_place(line, path, &offset) || elf_version(EV_CURRENT) == EV_NONE)
		return;
	fd = open_regular(path);
	if (fd < 0)
		return;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf != NULL && elf_kind(elf) == ELF_K_ELF && address_of_offset(elf, offset, &address)) {
		name_address(elf, address, out);
		if (out[0] != '\0')
			add_source_line(elf, path, address, out);
	}
	elf_end(elf);
	close(fd);
}
