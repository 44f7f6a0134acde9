/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for places in programs. The kernel reports a crash as "at ADDRESS PATH+0xOFFSET"; the same
 * files are on this host, so their symbol tables can say which function that is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Longest name that is given. */
#define SYMBOL_MAX 300

/*
 * Write "function+0x12" for the place that a line of a crash report ends with to out[]; "" when the
 * line names none, or its file is not here, is no regular file, or has no symbol there. The path
 * comes from the guest: nothing of the file is shown but the name, and nothing is waited for.
 */
void symbol_of_line(const char *line, char out[SYMBOL_MAX]);
