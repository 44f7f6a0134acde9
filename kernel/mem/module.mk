# SPDX-License-Identifier: BSD-2-Clause
# Memory: frames, kernel objects, programs' address spaces, and the only way to a program's bytes.
DEPS := abi base x86 core
SRCS := chunk.c frame.c reclaim.c batch.c kmem.c kstack.c area.c walk.c aspace.c map.c remap.c fault.c access.c object.c \
	ubuf.c uio.c
