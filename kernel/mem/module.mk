# SPDX-License-Identifier: BSD-2-Clause
# Memory: frames, kernel objects, programs' address spaces, and the only way to a program's bytes.
DEPS := abi base x86 core
SRCS := chunk.c frame.c reclaim.c batch.c kmem.c kstack.c area.c walk.c aspace.c fork.c map.c remap.c fault.c access.c object.c \
	priv.c ubuf.c uio.c

KTESTS := test/k_mem.c

# Tests on the host: this module over the real nk, on a machine made of host memory (test/machine.h).
UNIT := test/u_frame.c test/u_kmem.c test/u_aspace.c test/u_map.c test/u_ubuf.c
MEM_ON_HOST := chunk.c frame.c reclaim.c batch.c kmem.c kstack.c area.c walk.c aspace.c fork.c map.c remap.c fault.c access.c object.c \
	test/machine.c comp/alloc/buddy/buddy.c \
	nk/ldt.c nk/map.c nk/frame.c nk/space.c nk/memory.c nk/read.c nk/submit.c nk/tlb.c nk/table.c
MEM_MODEL := -iquote kernel/mem/test/shadow -iquote nk/test/model
UNIT_SRCS_u_frame := $(MEM_ON_HOST)
UNIT_SRCS_u_kmem := $(MEM_ON_HOST)
UNIT_SRCS_u_aspace := $(MEM_ON_HOST)
UNIT_CFLAGS_u_frame := $(MEM_MODEL)
UNIT_CFLAGS_u_kmem := $(MEM_MODEL)
UNIT_CFLAGS_u_aspace := $(MEM_MODEL)
UNIT_SRCS_u_map := $(MEM_ON_HOST)
UNIT_CFLAGS_u_map := $(MEM_MODEL)
UNIT_SRCS_u_ubuf := ubuf.c uio.c
