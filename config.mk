# SPDX-License-Identifier: BSD-2-Clause
# What a builder may want to change; every line can also be given on make's command line.

# Where everything that is built goes.
O ?= build
# gcc or clang.
ifeq ($(origin CC),default)
CC := gcc
endif
# 1: the outer kernel is optimised as one program (gcc only); linking takes some ten seconds. 0: while one edits.
LTO ?= 1
LD := ld
OBJCOPY := objcopy
NM := nm

# Where `make install` puts things.
PREFIX ?= /usr/local
DESTDIR ?=

# What `make run` does.
RUN_CMD ?= ./demo/run.sh

# make iso: the kernel's command line; root image and run configuration, if any; where it goes.
ISO_CMDLINE ?=
ISO_IMAGE ?=
ISO_RUN ?=
ISO ?= $(O)/ringfence.iso

# make debug: processors, memory, command line, further options of QEMU.
DEBUG_SMP ?= 1
DEBUG_MEM ?= 128M
DEBUG_CMDLINE ?=
DEBUG_QEMU ?=

# Limits that the build enforces.
KERNEL_MAX_BYTES := 1048576
KTEST_MAX_BYTES := 1310720
NK_MAX_LINES := 3000
FILE_MAX_LINES := 1200
