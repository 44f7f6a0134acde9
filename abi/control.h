/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on the control port (BOOT_PORT_CONTROL), each ended by '\n'; at most CONTROL_LINE_MAX bytes.
 * Guest to host:
 *   ready                  the program's first instruction is about to run
 *   exit=STATUS            the program ended; STATUS is a wait status in decimal (code << 8, or signal)
 *   killed-by=oom          before exit=: the kernel killed the program for want of memory
 *   log=TEXT               a message for the user, to standard error (crash reports, unknown calls); one per line of text
 * Host to guest:
 *   signal=N               send signal N to the program (Ctrl-C on the host, SIGTERM ...)
 *   winsize=ROWSxCOLS      the terminal's size changed
 *   eof=BYTES              standard input ended after BYTES bytes in all; the program sees the end behind the last of them
 *                          (control port and stdin port are separate: the bytes may still be on their way)
 *   eof                    the same when the number is not known: the end is where the port has been quiet for 50 ms
 */
#pragma once

#define CONTROL_LINE_MAX 1024
