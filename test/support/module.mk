# SPDX-License-Identifier: BSD-2-Clause
# Programs that tests of several folders run in the machine.
PROGS := watch.c
PROG_CFLAGS_watch := -static
