# SPDX-License-Identifier: BSD-2-Clause
# Programs that the build itself uses; the Makefile links them.
DEPS := abi base core
UNIT := test/u_forbidden.c test/u_symtab.c
UNIT_SRCS_u_forbidden := forbidden.c
UNIT_SRCS_u_symtab := kernel/core/symtab.c
