/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on the control port (BOOT_PORT_CONTROL), each ended by '\n'; at most CONTROL_LINE_MAX
 * bytes. Guest to host:
 *   ready                  the program's first instruction is about to run
 *   exit=STATUS            the program ended; STATUS is a wait status in decimal (code << 8, or
 *                          signal)
 *   killed-by=oom          before exit=: the kernel killed the program for want of memory
 *   log=TEXT               a message for the user, to standard error (crash reports, unknown
 *                          calls); one per line of text
 * Host to guest:
 *   signal=N               send signal N to the program (Ctrl-C on the host, SIGTERM ...)
 *   winsize=ROWSxCOLS      the terminal's size changed
 *   eof                    standard input ended; QEMU has taken every byte before it from the stdin
 *                          port
 */
#pragma once

#define CONTROL_LINE_MAX 1024
