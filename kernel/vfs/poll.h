/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for many files: the table that file_ops.poll registers with, and the makers of the
 * anonymous files. */
#pragma once

#include "kernel/vfs/file.h"

struct task;

/* Passed to file_ops.poll; poll_wait adds a queue whose wake-ups count as "look again". */
struct poll_table {
	/* Adds q to what is waited for; `events` are those that a wake-up of q can stand for. */
	void (*add)(struct poll_table *t, struct waitq *q, uint32_t events);
};
/* A queue that is woken for several events, and one that is woken for `events` only (which saves
 * others the look). The queue must live until the last reference to the file is gone, or be emptied
 * by waitq_detach_all() before. t NULL: nothing to do. */
static inline void poll_wait_for(struct poll_table *t, struct waitq *q, uint32_t events)
{
	if (t != NULL)
		t->add(t, q, events);
}
static inline void poll_wait(struct poll_table *t, struct waitq *q)
{
	poll_wait_for(t, q, UINT32_MAX);
}
/* Take all waiters out of a queue that is about to be freed; they are woken and look again. */
void waitq_detach_all(struct waitq *q);

/* file NULL: bad descriptor */
struct poll_item {
	int fd;
	struct file *file;
	uint32_t events, revents;
};
/* poll(2) on referenced files: number of items with revents, or E_INTR, E_NOMEM. deadline absolute
 * monotonic ns (0: do not wait). A negative fd is left out. MAY_SWITCH */
long poll_files(struct poll_item *items, unsigned n, uint64_t deadline_ns);

/* Makers; the file has refs = 1. */
/* flags: O_NONBLOCK, O_CLOEXEC (ignored here); others E_INVAL. ends[0] reads, ends[1] writes.
 * E_NOMEM. */
err_t pipe_create(uint32_t flags, struct file *ends[2]) MUST_CHECK;
err_t fifo_open(struct inode *i, struct file *f) MUST_CHECK; /* MAY_SWITCH */
bool file_is_pipe(struct file *f);
long pipe_set_size(struct file *f, uint64_t size); /* F_SETPIPE_SZ */
long pipe_get_size(struct file *f);
err_t eventfd_create(uint64_t initial, unsigned flags, struct file **out) MUST_CHECK;
err_t timerfd_create(int clock, unsigned flags, struct file **out) MUST_CHECK;
struct itimerspec_k {
	uint64_t interval_ns, value_ns;
};
err_t timerfd_settime(struct file *f, unsigned flags, const struct itimerspec_k *now,
		      struct itimerspec_k *old) MUST_CHECK;
err_t timerfd_gettime(struct file *f, struct itimerspec_k *out) MUST_CHECK;
/* The wall clock was set (clock_settime): timers on it move, those with TFD_TIMER_CANCEL_ON_SET end
 * their reads. */
void timerfd_clock_was_set(void);
/* flags: O_NONBLOCK or 0. E_NOMEM. */
err_t pidfd_create(struct task *t, unsigned flags, struct file **out) MUST_CHECK;
/* The process that f stands for. E_BADF (f is no pidfd), E_SRCH (it has been waited for). */
err_t pidfd_task(struct file *f, struct task **out) MUST_CHECK;
err_t signalfd_create(struct file *existing, uint64_t mask, unsigned flags,
		      struct file **out) MUST_CHECK;

/* epoll.c */
#include <linux/eventpoll.h>
err_t epoll_create(unsigned flags, struct file **out) MUST_CHECK;
err_t epoll_change(struct file *ep, int op, int fd, struct file *target,
		   const struct epoll_event *ev) MUST_CHECK;
/*
 * The nth (from 0) of the files that the set watches as descriptor fd, for kcmp: not referenced.
 * E_INVAL (ep is no set),
 * E_NOENT. */
err_t epoll_target(struct file *ep, int fd, uint32_t nth, struct file **out) MUST_CHECK;
/* Up to max events into ev (kernel memory). Number, or E_INTR. MAY_SWITCH */
long epoll_wait_events(struct file *ep, struct epoll_event *ev, unsigned max, uint64_t deadline_ns);
/* Called by file_put for the last reference, before file_ops.release: f vanishes from all sets.
 * Cheap when in none. */
void epoll_file_gone(struct file *f);

/* tty.c and pty.c */
struct tty;
extern struct tty *console_tty; /* NULL when the program's I/O are plain ports */
/* The session that has t as its controlling terminal loses it: SIGHUP and SIGCONT to the foreground
 * group. */
void tty_hangup_session(struct tty *t);
/* A session leader exits (task->tty is t, which may be NULL): as Linux' disassociate_ctty. */
void tty_session_leader_exit(struct tty *t, int sid);
void tty_set_winsize(struct tty *t, unsigned rows, unsigned cols); /* SIGWINCH when it changed */
/* Device number for /proc/pid/stat (tty_nr), 0 for NULL. Foreground process group (tpgid), -1 when
 * none. */
uint32_t tty_device_number(const struct tty *t);
int tty_foreground_group(const struct tty *t);
/* Opens of /dev/tty, /dev/console, /dev/ptmx and /dev/pts/N, for the file systems that hold the
 * nodes: they set f->ops and f->priv, or answer E_NXIO, E_IO, E_NODEV, E_NOSPC, E_NOMEM. f->flags
 * is set already. */
err_t dev_tty_open(struct inode *i, struct file *f) MUST_CHECK;
err_t dev_console_open(struct inode *i, struct file *f) MUST_CHECK;
err_t ptmx_open(struct inode *i, struct file *f) MUST_CHECK;
err_t pts_open(struct inode *i, struct file *f) MUST_CHECK; /* number: minor of i->rdev */
/* console.c */
/* Find the devices and start their handshakes (which end in interrupts later). Without any, COM1 is
 * the program's console. Later calls do nothing; console_open_standard makes the first if nobody
 * did. */
void console_init(void);
/* Standard descriptors 0, 1, 2 of the first program, as the run configuration says, and the device
 * numbers of terminals. The current task gets the console terminal, if there is one. E_NOMEM,
 * E_INVAL (configuration). */
err_t console_open_standard(struct file *std[3]) MUST_CHECK;
/* The session and process group of `t`, a session leader, become owners of the console terminal, if
 * there is one. */
void console_attach(struct task *t);
/* The first program is about to enter user mode: tells the host. */
void console_ready(void);
/* A line for the host (abi/control.h), without its end: "killed-by=oom". Lost when there is no
 * control port. */
void console_control(const char *line);
/* Status of the first program to the host when all its output has been taken, then power off. */
NORETURN void console_exit(int wait_status);
