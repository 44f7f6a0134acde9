# SPDX-License-Identifier: BSD-2-Clause
# Test suites of others: see the scripts.
PROGS := driver.c
PROG_CFLAGS_driver := -static
