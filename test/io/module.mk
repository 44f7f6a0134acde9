# SPDX-License-Identifier: BSD-2-Clause
# Programs of io.t; they print what they see, and must see the same on Linux and here.
DEPS := test/linux
PROGS := prog/pipes.c prog/waits.c prog/terminals.c prog/splice.c prog/mounts.c
IO_WRONG := -Wno-unused-result -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow
PROG_CFLAGS_pipes := $(IO_WRONG)
PROG_CFLAGS_waits := -static $(IO_WRONG)
PROG_CFLAGS_terminals := $(IO_WRONG)
PROG_CFLAGS_splice := $(IO_WRONG)
