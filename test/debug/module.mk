# SPDX-License-Identifier: BSD-2-Clause
DEPS := test/linux
# Programs that look into other programs, or are looked into.
PROGS := prog/others.c prog/trace.c prog/filter.c prog/core.c prog/hostile.c prog/subject.c
PROG_CFLAGS_others := -static -pthread
PROG_CFLAGS_trace := -static -pthread
PROG_CFLAGS_filter := -static -pthread
PROG_CFLAGS_core := -static -pthread
PROG_CFLAGS_hostile := -static
PROG_CFLAGS_subject := -static -pthread -g -O0 -Wno-infinite-recursion
