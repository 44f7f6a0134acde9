/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every field comes from a stranger: it is copied out (the bytes may be unaligned), then compared,
 * and only arithmetic that was checked before is done with it.
 */
#include <linux/elf-em.h>

#include "base/checked.h"
#include "base/elf.h"
#include "base/str.h"

_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_BYTES, "ELF header");
_Static_assert(sizeof(Elf64_Phdr) == ELF_PHDR_BYTES, "program header");

/* The identification bytes: is it a 64-bit little-endian ELF file? */
static enum elf_reason check_ident(const uint8_t *ident, size_t len)
{
	if (len < SELFMAG || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return ELF_NOT_ELF;
	if (len < EI_NIDENT)
		return ELF_TRUNCATED;
	if (ident[EI_CLASS] == ELFCLASS32 && ident[EI_DATA] == ELFDATA2LSB)
		return ELF_32BIT;
	if (ident[EI_DATA] == ELFDATA2MSB)
		return ELF_BIG_ENDIAN;
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB ||
	    ident[EI_VERSION] != EV_CURRENT)
		return ELF_BAD_CLASS;
	return ELF_OK;
}

/* Machine of a header of either class: the field stands at the same place. */
static uint16_t machine_of(const uint8_t *data)
{
	uint16_t machine;

	memcpy(&machine, data + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	return machine;
}

static enum elf_reason check_table(const Elf64_Ehdr *e, uint64_t file_size)
{
	if (e->e_phnum == 0 || e->e_phnum > ELF_PH_MAX)
		return ELF_PHNUM;
	if (e->e_phentsize != ELF_PHDR_BYTES)
		return ELF_PHENTSIZE;
	if (!range_inside(e->e_phoff, (uint64_t)e->e_phnum * ELF_PHDR_BYTES, 0, file_size))
		return ELF_PH_OUTSIDE;
	return ELF_OK;
}

enum elf_reason elf_check_header(const void *data, size_t len, uint64_t file_size,
				 struct elf_head *out)
{
	Elf64_Ehdr e;
	enum elf_reason reason = check_ident(data, len);

	*out = (struct elf_head){ 0 };
	/* A 32-bit program for another processor is above all that: for another processor. */
	if (reason == ELF_32BIT && len >= 20 && machine_of(data) != EM_386 &&
	    machine_of(data) != EM_X86_64) {
		out->machine = machine_of(data);
		return ELF_MACHINE;
	}
	if (reason != ELF_OK)
		return reason;
	if (len < sizeof(e) || file_size < sizeof(e))
		return ELF_TRUNCATED;
	memcpy(&e, data, sizeof(e));
	if (e.e_machine != EM_X86_64) {
		out->machine = e.e_machine;
		return ELF_MACHINE;
	}
	if (e.e_type != ET_EXEC && e.e_type != ET_DYN)
		return ELF_TYPE;
	reason = check_table(&e, file_size);
	if (reason != ELF_OK)
		return reason;
	*out = (struct elf_head){
		.type = e.e_type,
		.machine = e.e_machine,
		.phnum = e.e_phnum,
		.entry = e.e_entry,
		.phoff = e.e_phoff,
		.ph_bytes = e.e_phnum * ELF_PHDR_BYTES,
		.shoff = e.e_shoff,
		.shnum = e.e_shnum,
		.file_size = file_size,
	};
	return ELF_OK;
}

void elf_segment_get(const void *table, unsigned i, struct elf_segment *out)
{
	Elf64_Phdr p;

	memcpy(&p, (const uint8_t *)table + (size_t)i * ELF_PHDR_BYTES, sizeof(p));
	*out = (struct elf_segment){
		.type = p.p_type,
		.flags = p.p_flags & (PF_R | PF_W | PF_X),
		.offset = p.p_offset,
		.filesz = p.p_filesz,
		.vaddr = p.p_vaddr,
		.memsz = p.p_memsz,
		.align = is_power_of_two(p.p_align) ? p.p_align : 1,
	};
}

static enum elf_reason check_load(const struct elf_head *h, const struct elf_segment *s)
{
	if (s->filesz > s->memsz)
		return ELF_SEG_SIZE;
	if (!range_inside(s->vaddr, s->memsz, 0, ELF_USER_END))
		return ELF_SEG_ADDRESS;
	if (!range_inside(s->offset, s->filesz, 0, h->file_size))
		return ELF_SEG_OUTSIDE;
	if (s->filesz != 0 && ((s->vaddr ^ s->offset) & PAGE_MASK) != 0)
		return ELF_SEG_ALIGN;
	return ELF_OK;
}

/* Take a checked PT_LOAD into the sum. */
static void add_load(const struct elf_head *h, const struct elf_segment *s, struct elf_layout *out)
{
	uint64_t end = s->vaddr + s->memsz;

	if (s->memsz == 0)
		return;
	if (out->loads == 0 || ALIGN_DOWN(s->vaddr, PAGE_SIZE) < out->lo)
		out->lo = ALIGN_DOWN(s->vaddr, PAGE_SIZE);
	if (ALIGN_UP(end, PAGE_SIZE) > out->hi)
		out->hi = ALIGN_UP(end, PAGE_SIZE);
	if (end > out->brk)
		out->brk = end;
	if (s->align > out->max_align)
		out->max_align = s->align;
	if (out->phdr_vaddr == 0 && h->phoff >= s->offset && h->phoff - s->offset < s->filesz)
		out->phdr_vaddr = s->vaddr + (h->phoff - s->offset);
	if ((s->flags & PF_X) != 0 && h->entry >= s->vaddr && h->entry < end)
		out->entry_ok = true;
	out->loads++;
}

/* The first PT_INTERP counts, as in Linux. */
static enum elf_reason add_interp(const struct elf_head *h, const struct elf_segment *s,
				  struct elf_layout *out)
{
	if (out->interp_size != 0)
		return ELF_OK;
	if (s->filesz < 2 || s->filesz > ELF_INTERP_MAX)
		return ELF_INTERP;
	if (!range_inside(s->offset, s->filesz, 0, h->file_size))
		return ELF_SEG_OUTSIDE;
	out->interp_offset = s->offset;
	out->interp_size = (uint32_t)s->filesz;
	return ELF_OK;
}

static void add_stack(const struct elf_segment *s, struct elf_layout *out)
{
	out->has_gnu_stack = true;
	out->exec_stack = (s->flags & PF_X) != 0;
}

static enum elf_reason add_segment(const struct elf_head *h, const struct elf_segment *s,
				   struct elf_layout *out)
{
	enum elf_reason reason;

	switch (s->type) {
	case PT_LOAD:
		reason = check_load(h, s);
		if (reason == ELF_OK)
			add_load(h, s, out);
		return reason;
	case PT_INTERP: return add_interp(h, s, out);
	case PT_GNU_STACK: add_stack(s, out); return ELF_OK;
	default: return ELF_OK;
	}
}

enum elf_reason elf_check_segments(const struct elf_head *head, const void *table,
				   struct elf_layout *out)
{
	*out = (struct elf_layout){ .max_align = PAGE_SIZE };
	for (unsigned i = 0; i < head->phnum; i++) {
		struct elf_segment s;
		enum elf_reason reason;

		elf_segment_get(table, i, &s);
		reason = add_segment(head, &s, out);
		if (reason != ELF_OK)
			return reason;
	}
	return out->loads != 0 ? ELF_OK : ELF_NO_LOAD;
}

enum elf_reason elf_check_interp(const char *path, size_t size)
{
	bool good = size >= 2 && size <= ELF_INTERP_MAX && path[size - 1] == '\0' &&
		    path[0] != '\0';

	return good ? ELF_OK : ELF_INTERP;
}

static const char *const reason_texts[ELF_REASONS] = {
	[ELF_OK] = "valid",
	[ELF_NOT_ELF] = "not an ELF file",
	[ELF_TRUNCATED] = "the file is cut off within the ELF header",
	[ELF_32BIT] = "a 32-bit program; only 64-bit x86 programs can run",
	[ELF_BIG_ENDIAN] = "a big-endian program; only 64-bit x86 programs can run",
	[ELF_BAD_CLASS] = "damaged ELF header: class, byte order or version",
	[ELF_MACHINE] = "a program for another processor",
	[ELF_TYPE] = "neither a program nor a shared object",
	[ELF_PHENTSIZE] = "damaged ELF header: size of a program header",
	[ELF_PHNUM] = "damaged ELF header: number of program headers",
	[ELF_PH_OUTSIDE] = "the file is cut off: its program headers lie outside",
	[ELF_NO_LOAD] = "nothing in it to load",
	[ELF_SEG_OUTSIDE] = "the file is cut off: a segment lies outside",
	[ELF_SEG_SIZE] = "damaged program header: more bytes in the file than in memory",
	[ELF_SEG_ADDRESS] = "damaged program header: address a program cannot have",
	[ELF_SEG_ALIGN] = "damaged program header: address and file offset do not match",
	[ELF_INTERP] = "damaged path of its interpreter",
	[ELF_ENTRY] = "its entry point lies outside its code",
};

const char *elf_reason_text(enum elf_reason reason)
{
	return (unsigned)reason < ELF_REASONS ? reason_texts[reason] : "unknown reason";
}

err_t elf_reason_err(enum elf_reason reason)
{
	switch (reason) {
	case ELF_OK: return OK;
	case ELF_SEG_SIZE:
	case ELF_SEG_ADDRESS:
	case ELF_SEG_ALIGN: return E_INVAL;
	default: return E_NOEXEC;
	}
}

const char *elf_machine_name(uint16_t machine)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} names[] = {
		{ EM_386, "32-bit x86" },
		{ EM_X86_64, "x86-64" },
		{ EM_ARM, "32-bit ARM" },
		{ EM_AARCH64, "AArch64" },
		{ EM_RISCV, "RISC-V" },
		{ EM_PPC, "PowerPC" },
		{ EM_PPC64, "64-bit PowerPC" },
		{ EM_S390, "IBM Z" },
		{ EM_MIPS, "MIPS" },
		{ EM_SPARC, "SPARC" },
		{ EM_SPARCV9, "64-bit SPARC" },
		{ EM_IA_64, "Itanium" },
		{ EM_68K, "68000" },
		{ EM_BPF, "BPF" },
		{ 258, "LoongArch" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return NULL;
}
