# SPDX-License-Identifier: BSD-2-Clause
# The nested kernel.
DEPS := abi base
SRCS := gate.S submit.c frame.c table.c tlb.c map.c space.c memory.c cpu.c read.c audit.c
