/* SPDX-License-Identifier: BSD-2-Clause */
/* `run --gdb`: from the kernel's debug= lines (kernel/linux/debug.c) to a script for gdb. */
#pragma once

/*
 * A debug= line. When the last has come, the script is written into the machine's folder (NULL:
 * its commands are printed), and the user is told how to start gdb.
 */
void debug_announce(const char *folder, unsigned port, const char *words);
