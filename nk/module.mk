# SPDX-License-Identifier: BSD-2-Clause
# The nested kernel.
DEPS := abi base
SRCS := gate.S privgate.S submit.c ldt.c frame.c table.c tlb.c map.c space.c memory.c cpu.c read.c audit.c

UNIT := test/m_nk.c
UNIT_SRCS_m_nk := test/model.c ldt.c submit.c frame.c table.c tlb.c map.c space.c memory.c cpu.c read.c
# nk/hw.h is the model's.
UNIT_CFLAGS_m_nk := -iquote nk/test/model

KTESTS := test/k_nk.c test/k_gate.S
