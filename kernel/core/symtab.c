/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/layout.h"
#include "base/str.h"
#include "kernel/core/symtab.h"
#include "kernel/core/symtab_format.h"

/* Name of function `i` of the table. */
static const char *name_of(uint32_t i)
{
	const char *name = symtab_names + symtab_index[i / SYMTAB_STRIDE];

	for (i %= SYMTAB_STRIDE; i != 0; i--)
		name += strlen(name) + 1;
	return name;
}

const char *symbol_lookup(uint64_t addr, uint64_t *offset)
{
	uint64_t rel = addr - KERNEL_BASE;
	uint32_t lo = 0, hi = symtab_count;

	*offset = 0;
	if (addr < KERNEL_BASE || rel >= symtab_addrs[symtab_count])
		return NULL;
	while (lo < hi) { /* how many functions begin at or before rel? */
		uint32_t mid = lo + (hi - lo) / 2;

		if (symtab_addrs[mid] <= rel)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	*offset = rel - symtab_addrs[lo - 1];
	return name_of(lo - 1);
}
