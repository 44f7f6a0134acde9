/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terminals, between tty.c (files, ioctls, job control), ldisc.c (the line discipline), pty.c and
 * console_tty.c. A driver moves bytes to and from outside; everything else is the same for all
 * terminals.
 */
#pragma once

#include <asm/ioctls.h>
#include <asm/termios.h>

#include "base/ring.h"
#include "kernel/vfs/poll.h"

#define TTY_INPUT 4096u /* bytes; one is kept free */
#define TTY_ECHO  512u

struct tty;
struct tty_driver {
	/* Take output: as many bytes as there is room for. */
	size_t (*write)(struct tty *t, const uint8_t *data, size_t n);
	size_t (*room)(struct tty *t);      /* 0, or at least TTY_MIN_ROOM */
	void (*flush)(struct tty *t);       /* the writer is done: send it off. May be NULL */
	unsigned (*pending)(struct tty *t); /* output not gone out yet (for TIOCOUTQ, TCSADRAIN) */
	void (*discard)(struct tty *t);     /* drop such output. May be NULL */
	void (*unthrottle)(struct tty *t);  /* there is room for input again. May be NULL */
	/* Something that the other side of a pty wants to know (TIOCPKT_...). May be NULL */
	void (*packet)(struct tty *t, uint8_t status);
	void (*opened)(struct tty *t);     /* May be NULL */
	void (*last_close)(struct tty *t); /* May be NULL; may free t */
};
#define TTY_MIN_ROOM 8u

struct tty {
	/* fixed */
	const struct tty_driver *driver;
	void *priv;
	uint64_t rdev;
	char name[16]; /* "/dev/pts/0" */
	/* settings */
	struct termios2 termios;
	struct winsize winsize;
	bool exclusive;
	/* job control */
	int session, pgrp; /* 0: none */
	/* state */
	uint32_t opens;
	/* no more input or output, for good (until the next open of a pts) */
	bool hung_up;
	bool stopped; /* output held back */
	bool held;    /* by TCOOFF: keys do not start it again */
	struct waitq readers, writers;
	/* line discipline: bytes [tail, canon) can be read, [canon, head) are being edited
	 * (canonical mode) */
	uint32_t tail, canon, head;
	uint32_t column, canon_column;
	bool literal_next, push;
	uint8_t input[TTY_INPUT];
	/* this byte ends a line; a 0 that does is the end of file */
	uint64_t line_end[TTY_INPUT / 64];
	struct ring echo; /* echoes that could not go out yet */
	uint8_t echo_bytes[TTY_ECHO];
};

/* ---- ldisc.c ---- */

void ldisc_init(struct tty *t);
/* Bytes from outside. Answers how many were taken; the driver keeps the rest until unthrottle. */
size_t ldisc_input(struct tty *t, const uint8_t *data, size_t n);
/* Would one more byte be taken? Drivers are told by unthrottle when this becomes true. */
bool ldisc_has_room(const struct tty *t);
/* The settings changed from `old` to t->termios. */
void ldisc_settings_changed(struct tty *t, const struct termios2 *old);
/* Can a read return now? (`for_poll`: with VMIN bytes) */
bool ldisc_readable(const struct tty *t, bool for_poll);
/* Move what can be read now to `to`; at most one line in canonical mode. *eof: the line ended in
 * VEOF and held nothing. */
err_t ldisc_read(struct tty *t, struct uio *to, size_t *done);
/* Process and output as much of data[0..n) as there is room for; answers how many bytes that was.
 */
size_t ldisc_output(struct tty *t, const uint8_t *data, size_t n);
void ldisc_flush_input(struct tty *t);
unsigned ldisc_input_count(const struct tty *t); /* FIONREAD */
void ldisc_start(struct tty *t);
void ldisc_stop(struct tty *t);
/* Output has room again: send what was held back, wake writers. */
void ldisc_output_room(struct tty *t);

/* ---- tty.c ---- */

/* Default settings ("sane", as Linux starts a terminal with), no owner. */
void tty_setup(struct tty *t, const struct tty_driver *driver, void *priv, uint64_t rdev);
/* Make f a file of t. May make t the controlling terminal. E_IO, E_BUSY (exclusive). */
err_t tty_open(struct tty *t, struct file *f) MUST_CHECK;
extern const struct file_ops tty_file_ops;
/* A signal to the foreground group, from the keyboard. */
void tty_signal(struct tty *t, int sig);
/* As if the line was cut: SIGHUP to the session, end of file to readers. */
void tty_hangup(struct tty *t);
/* The tty is about to be freed: nobody may refer to it any more. */
void tty_forget(struct tty *t);
/* ioctls that mean the same on both sides of a pty: size, settings, groups. E_NOTTY for others. */
long tty_common_ioctl(struct tty *t, unsigned cmd, uint64_t arg);
/* The file's tty; NULL when it is none. */
struct tty *tty_of_file(const struct file *f);
/* Numbers of /dev/tty, console, ptmx and /dev/pts to device_open. E_NOMEM. */
err_t tty_register_devices(void) MUST_CHECK;

/* ---- pty.c ---- */

/* A new pty for a program that the host starts: its master and its slave, opened as by the current
 * task (whose controlling terminal it becomes, if it is a session leader without one). On success
 * the caller has a reference to each. E_NOMEM, E_NOSPC, and what opening /dev/pts/N gives. */
err_t pty_create(struct file *ends[2], unsigned rows, unsigned cols) MUST_CHECK;
