/* SPDX-License-Identifier: BSD-2-Clause */
/* Between tty.c, tty_job.c and tty_ioctl.c only. */
#pragma once

#include "kernel/vfs/tty.h"

struct task;

/* May the current task read from its terminal, write to it, change it? OK, E_IO, or E_RESTARTSYS
 * after the group was sent SIGTTIN or SIGTTOU. Always OK for a terminal that is not the task's own.
 */
err_t tty_check_read(struct tty *t) MUST_CHECK;
err_t tty_check_write(struct tty *t) MUST_CHECK;
err_t tty_check_change(struct tty *t) MUST_CHECK;
/* A session leader without terminal takes one that nobody has. */
void tty_take_if_free(struct tty *t, struct task *task);
/* TIOCSCTTY, TIOCNOTTY, TIOCSPGRP, TIOCGPGRP, TIOCGSID; the last two also on the master of a pty
 * (`master`). */
long tty_job_ioctl(struct tty *t, unsigned cmd, uint64_t arg, bool master);
/* ioctl of a terminal's file. */
long tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg);
