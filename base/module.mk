# SPDX-License-Identifier: BSD-2-Clause
SRCS := elf.c err.c fmt.c mem.c str.c tree.c
DEPS := abi
# memcpy must not become a call of memcpy.
CFLAGS_mem.c := -fno-builtin $(if $(filter gcc,$(COMPILER)),-fno-tree-loop-distribute-patterns)
