/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: any bytes as an ELF file. The first byte tells how much larger the file claims to be
 * than what was read. Whatever is accepted must keep the promises of base/elf.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/elf.h"

#define PROMISE(x)               \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static void check_load(const struct elf_head *h, const struct elf_layout *l,
		       const struct elf_segment *s)
{
	PROMISE(s->filesz <= s->memsz);
	PROMISE(s->offset <= h->file_size && s->filesz <= h->file_size - s->offset);
	PROMISE(s->vaddr <= ELF_USER_END && s->memsz <= ELF_USER_END - s->vaddr);
	PROMISE(s->filesz == 0 || ((s->vaddr ^ s->offset) & PAGE_MASK) == 0);
	PROMISE(s->align != 0 && (s->align & (s->align - 1)) == 0);
	PROMISE(s->memsz == 0 || (l->lo <= s->vaddr && s->vaddr + s->memsz <= l->hi));
	PROMISE(s->memsz == 0 || s->align <= l->max_align);
}

static void check_layout(const struct elf_head *h, const struct elf_layout *l)
{
	PROMISE(l->loads > 0 && l->lo < l->hi && l->hi <= ELF_USER_END);
	PROMISE((l->lo & PAGE_MASK) == 0 && (l->hi & PAGE_MASK) == 0);
	PROMISE(l->brk > l->lo && l->brk <= l->hi && l->max_align >= PAGE_SIZE);
	PROMISE(l->interp_size <= ELF_INTERP_MAX);
	PROMISE(l->interp_offset <= h->file_size);
	PROMISE(l->interp_size <= h->file_size - l->interp_offset);
}

static void check_table(const struct elf_head *h, const uint8_t *table)
{
	struct elf_layout layout;

	if (elf_check_segments(h, table, &layout) != ELF_OK)
		return;
	check_layout(h, &layout);
	for (unsigned i = 0; i < h->phnum; i++) {
		struct elf_segment s;

		elf_segment_get(table, i, &s);
		if (s.type == PT_LOAD)
			check_load(h, &layout, &s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_head h;
	uint64_t file_size;
	enum elf_reason reason;

	if (size == 0)
		return 0;
	file_size = size - 1 + ((uint64_t)data[0] << (data[0] % 56));
	data++;
	size--;
	reason = elf_check_header(data, size, file_size, &h);
	PROMISE(elf_reason_text(reason) != NULL);
	if (reason != ELF_OK)
		return 0;
	PROMISE(h.phnum >= 1 && h.phnum <= ELF_PH_MAX && h.ph_bytes == h.phnum * ELF_PHDR_BYTES);
	PROMISE(h.phoff <= file_size && h.ph_bytes <= file_size - h.phoff);
	if (h.phoff <= size && h.ph_bytes <= size - h.phoff)
		check_table(&h, data + h.phoff);
	return 0;
}
