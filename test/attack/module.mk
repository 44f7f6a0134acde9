# SPDX-License-Identifier: BSD-2-Clause
# Attacks on what the kernel protects. kernel/linux: the table of system calls.
DEPS := kernel/linux
PROGS := privuser/starter.c privuser/attacks.c privuser/calls.c privuser/crowd.c privuser/borders.c privuser/scans.c privuser/example.c secret/thief.c
PROG_CFLAGS_starter := -static
PROG_CC_attacks := $(PRIV_CC)
PROG_CFLAGS_attacks := -static -pthread -Wextra
PROG_LIBS_attacks := test/attack/privuser/victim.priv.c
PROG_CC_calls := $(PRIV_CC)
PROG_CFLAGS_calls := -static -pthread -Wextra -Wno-missing-field-initializers
PROG_LIBS_calls := test/attack/privuser/commands.c test/attack/privuser/victim.priv.c
PROG_CC_crowd := $(PRIV_CC)
PROG_CFLAGS_crowd := -static -pthread -Wextra
PROG_LIBS_crowd := test/attack/privuser/victim.priv.c
PROG_CC_borders := $(PRIV_CC)
PROG_CFLAGS_borders := -static -Wextra
PROG_LIBS_borders := test/attack/privuser/victim.priv.c
PROG_CC_scans := $(PRIV_CC)
PROG_CFLAGS_scans := -static -Wextra
PROG_LIBS_scans := test/attack/privuser/victim.priv.c
PROG_CC_example := $(PRIV_CC)
PROG_CFLAGS_example := -Wextra
PROG_LIBS_example := test/attack/privuser/vault.priv.c
PROG_CC_thief := $(PRIV_CC)
PROG_CFLAGS_thief := -Wextra
PROG_LIBS_thief := test/attack/secret/thief.priv.c
