# SPDX-License-Identifier: BSD-2-Clause
SRCS := elf.c err.c fmt.c mem.c sha256.c str.c tree.c
DEPS := abi
# memcpy must not become a call of memcpy.
CFLAGS_mem.c := -fno-builtin $(if $(filter gcc,$(COMPILER)),-fno-tree-loop-distribute-patterns)
UNIT := $(addprefix test/,u_bitmap.c u_elf.c u_fmt.c u_list.c u_mem.c u_ring.c u_siphash.c u_str.c u_tree.c)
# As in the kernel, not as in the other tests: what the optimiser does to it is what is tested.
UNIT_CFLAGS_u_mem := $(CFLAGS_mem.c) -O2 -fno-sanitize=all
