/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool's reading of ELF files, for libFuzzer: any bytes are refused or read, never worse. */
#include "tool/elf_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_info info;
	char why[ELF_WHY_MAX];

	elf_info_read(data, size, &info, why);
	elf_info_release(&info);
	return 0;
}
