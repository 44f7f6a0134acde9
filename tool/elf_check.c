/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/elf.h"
#include "tool/elf_info.h"

static void explain(enum elf_reason reason, const struct elf_head *head, char why[ELF_WHY_MAX])
{
	const char *machine = reason == ELF_MACHINE ? elf_machine_name(head->machine) : NULL;

	if (reason == ELF_MACHINE && machine != NULL)
		snprintf(why, ELF_WHY_MAX, "%s (%s)", elf_reason_text(reason), machine);
	else if (reason == ELF_MACHINE)
		snprintf(why, ELF_WHY_MAX, "%s (machine %u)", elf_reason_text(reason),
			 head->machine);
	else
		snprintf(why, ELF_WHY_MAX, "%s", elf_reason_text(reason));
}

bool elf_headers_ok(const void *image, size_t size, bool *is_elf, char why[ELF_WHY_MAX])
{
	const char *bytes = image;
	struct elf_head head = { 0 };
	struct elf_layout layout;
	size_t first = size < ELF_HEADER_BYTES ? size : ELF_HEADER_BYTES;

	*is_elf = size >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
	enum elf_reason reason = elf_check_header(image, first, size, &head);

	if (reason == ELF_OK)
		reason = elf_check_segments(&head, bytes + head.phoff, &layout);
	if (reason == ELF_OK && layout.interp_size != 0)
		reason = elf_check_interp(bytes + layout.interp_offset, layout.interp_size);
	if (reason != ELF_OK)
		explain(reason, &head, why);
	return reason == ELF_OK;
}
