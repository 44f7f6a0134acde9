/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on the control port (BOOT_PORT_CONTROL), each ended by '\n'; at most CONTROL_LINE_MAX
 * bytes. Guest to host:
 *   time                   asks for time=, which its own clock follows (kernel/linux/hosttime.c)
 *   ready                  the program's first instruction is about to run
 *   exit=STATUS            the program ended; STATUS is a wait status in decimal (code << 8, or
 *                          signal)
 *   killed-by=oom          before exit=: the kernel killed the program for want of memory
 *   listen=PORT            a program listens on this TCP port
 *   listen=PORT loopback   the same, on an address of the loopback device only
 *   log=TEXT               a message for the user, to standard error (crash reports, unknown
 *                          calls); one per line of text
 *   stat=WORDS             with stats=1, before exit=: one figure, see kernel/linux/stats.c
 *   debug=WORDS            with debug=1, before ready: see kernel/linux/debug.c
 *   core-begin=PID         with core=1: a process crashed, and this is its core file
 *   core=AT LEN            LEN bytes of it, which follow, belong at offset AT; others are zero
 *   core-end=SIZE          that was all
 * Host to guest:
 *   signal=N               send signal N to the program (Ctrl-C on the host, SIGTERM ...)
 *   winsize=ROWSxCOLS      the terminal's size changed
 *   time=NS                the wall clock, nanoseconds since 1970, at the moment of writing
 *   eof                    standard input ended; QEMU has taken every byte before it from the stdin
 *                          port
 *
 * Sessions: further programs that the host starts in the running machine, CONTROL_SESSIONS at a
 * time. ID is a number that the host chooses, not used by another session. A line that ends in LEN
 * is followed by as many bytes of data. Host to guest:
 *   exec=ID LEN            start a program: NUL-terminated strings as in the run configuration, LEN
 *                          at most CONTROL_EXEC_MAX. exe= may come several times: the first that is
 *                          there is taken. arg=, env=, cwd=, tty=ROWSxCOLS as there; all of the
 *                          environment is given
 *   exec-in=ID LEN         standard input, at most CONTROL_DATA_MAX at a time
 *   exec-in-end=ID         standard input ended
 *   exec-room=ID N         the host has passed on N bytes of output
 *   exec-signal=ID N       signal N to its process group
 *   exec-winsize=ID ROWSxCOLS
 *   exec-gone=ID           nobody is there any more: SIGHUP, and its output is thrown away
 * Guest to host:
 *   exec-started=ID PID
 *   exec-failed=ID ERRNO   it could not be started; the session has ended
 *   exec-out=ID LEN        standard output (and error, on a terminal)
 *   exec-err=ID LEN        standard error
 *   exec-room=ID N         the program's side has taken N bytes of input
 *   exec-ended=ID STATUS   wait status, after all output; the session has ended
 * Each side may have CONTROL_WINDOW bytes under way that the other has not answered with exec-room:
 * neither ever has to wait to read its control port.
 */
#pragma once

#define CONTROL_LINE_MAX 1024
#define CONTROL_SESSIONS 16
#define CONTROL_DATA_MAX 2048
#define CONTROL_WINDOW   16384 /* in each direction, of one session */
#define CONTROL_EXEC_MAX 65536
