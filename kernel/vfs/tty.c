/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminals as files: open, read, write, poll. Settings and job control are in tty_ioctl.c and
 * tty_job.c. */
#include <linux/fcntl.h>
#include <linux/major.h>

#include "base/fmt.h"
#include "base/str.h"
#include "kernel/task/task.h"
#include "kernel/vfs/device.h"
#include "kernel/vfs/tty_job.h"
#include "kernel/x86/x86.h"

#define WRITE_CHUNK 256u
#define DECISECOND  100000000ull

static const struct termios2 default_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = { [VINTR] = 3,
		  [VQUIT] = 28,
		  [VERASE] = 127,
		  [VKILL] = 21,
		  [VEOF] = 4,
		  [VMIN] = 1,
		  [VSTART] = 17,
		  [VSTOP] = 19,
		  [VSUSP] = 26,
		  [VREPRINT] = 18,
		  [VDISCARD] = 15,
		  [VWERASE] = 23,
		  [VLNEXT] = 22 },
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

void tty_setup(struct tty *t, const struct tty_driver *driver, void *priv, uint64_t rdev)
{
	memset(t, 0, sizeof(*t));
	t->driver = driver;
	t->priv = priv;
	t->rdev = rdev;
	t->termios = default_termios;
	waitq_init(&t->readers);
	waitq_init(&t->writers);
	ldisc_init(t);
}

/* ---- open and close ---- */

err_t tty_open(struct tty *t, struct file *f)
{
	struct task *task = current != NULL ? current_task : NULL;

	if (t->exclusive && task != NULL &&
	    (task->cred.cap_effective & (1ull << 21 /* CAP_SYS_ADMIN */)) == 0)
		return E_BUSY;
	if (t->opens == 0)
		t->hung_up = false;
	t->opens++;
	f->ops = &tty_file_ops;
	f->priv = t;
	if (t->driver->opened != NULL)
		t->driver->opened(t);
	if ((f->flags & O_NOCTTY) == 0 && task != NULL)
		tty_take_if_free(t, task);
	return OK;
}

static void tty_file_release(struct file *f)
{
	struct tty *t = f->priv;

	if (--t->opens == 0 && t->driver->last_close != NULL)
		t->driver->last_close(t);
}

/* ---- reading ---- */

static err_t tty_wait(struct waitq *q, const struct file *f, uint64_t deadline)
{
	if (f->flags & O_NONBLOCK)
		return E_AGAIN;
	switch (wait_on(q, deadline, true)) {
	case WAIT_SIGNAL: return E_RESTARTSYS;
	case WAIT_TIMEOUT: return E_TIMEDOUT;
	default: return OK;
	}
}

/* One line, or what is there up to the end of file. */
static err_t read_canonical(struct tty *t, struct file *f, struct uio *to, size_t *done)
{
	while (!ldisc_readable(t, false)) {
		if (t->hung_up)
			return OK;
		TRY(tty_wait(&t->readers, f, WAIT_FOREVER));
		if ((t->termios.c_lflag & ICANON) == 0)
			return E_AGAIN;
		TRY(tty_check_read(t));
	}
	return ldisc_read(t, to, done);
}

/* VMIN and VTIME: with VMIN, the time runs between bytes; without, for the whole read. */
static err_t read_raw(struct tty *t, struct file *f, struct uio *to, size_t *done)
{
	size_t min = t->termios.c_cc[VMIN], before = *done;
	uint64_t time = t->termios.c_cc[VTIME] * DECISECOND;
	uint64_t deadline = min == 0 ? time_mono_ns() + time : WAIT_FOREVER;
	err_t err;

	for (;;) {
		TRY(ldisc_read(t, to, done));
		if (to->left == 0 || *done - before >= (min > 0 ? min : 1) || t->hung_up)
			return OK;
		if (min == 0 && time == 0)
			return OK;
		if (min > 0 && *done > before && time > 0)
			deadline = time_mono_ns() + time;
		err = tty_wait(&t->readers, f, deadline);
		if (err == E_TIMEDOUT)
			return OK;
		TRY(err);
		if ((t->termios.c_lflag & ICANON) != 0)
			return *done > before ? OK : E_AGAIN;
		TRY(tty_check_read(t));
	}
}

static err_t tty_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct tty *t = f->priv;
	err_t err;

	(void)off;
	if (to->left == 0)
		return OK;
	do {
		bool canonical = (t->termios.c_lflag & ICANON) != 0;

		TRY(tty_check_read(t));
		err = canonical ? read_canonical(t, f, to, done) : read_raw(t, f, to, done);
		/* E_AGAIN of a descriptor that may block: the mode changed meanwhile. */
	} while (err == E_AGAIN && (f->flags & O_NONBLOCK) == 0);
	return err;
}

/* ---- writing ---- */

/* Wait for room as long as it takes to output data[0..n). */
static err_t write_chunk(struct tty *t, struct file *f, const uint8_t *data, size_t n, size_t *done)
{
	while (n > 0) {
		size_t moved = ldisc_output(t, data, n);

		*done += moved;
		data += moved;
		n -= moved;
		if (n == 0)
			break;
		if (t->hung_up)
			return E_IO;
		if (t->driver->flush != NULL)
			t->driver->flush(t);
		if (moved == 0)
			TRY(tty_wait(&t->writers, f, WAIT_FOREVER));
	}
	return OK;
}

static err_t tty_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct tty *t = f->priv;
	uint8_t chunk[WRITE_CHUNK];
	err_t err = OK;

	(void)off;
	if (t->hung_up)
		return E_IO;
	TRY(tty_check_write(t));
	while (from->left > 0 && err == OK) {
		size_t n = 0;

		err = uio_in(from, chunk, from->left < sizeof(chunk) ? from->left : sizeof(chunk),
			     &n);
		if (n > 0 && err == OK)
			err = write_chunk(t, f, chunk, n, done);
	}
	if (t->driver->flush != NULL)
		t->driver->flush(t);
	return err;
}

static uint32_t tty_poll(struct file *f, struct poll_table *t)
{
	struct tty *tty = f->priv;
	uint32_t ready = 0;

	poll_wait_for(t, &tty->readers, EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLERR);
	poll_wait_for(t, &tty->writers, EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR);
	if (tty->hung_up)
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	if (ldisc_readable(tty, true))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (!tty->stopped && tty->driver->room(tty) > 0)
		ready |= EPOLLOUT | EPOLLWRNORM;
	return ready;
}

static void tty_file_name(struct file *f, char *buf, size_t size)
{
	size_t len;

	if (f->path.dentry == NULL || path_string(&f->path, buf, size, &len) != OK)
		str_copy(buf, size, ((struct tty *)f->priv)->name);
}

const struct file_ops tty_file_ops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
	.release = tty_file_release,
	.name = tty_file_name,
	.stream = true,
	.async = true,
};

struct tty *tty_of_file(const struct file *f)
{
	return f->ops == &tty_file_ops ? f->priv : NULL;
}

/* ---- device nodes ---- */

err_t dev_tty_open(struct inode *i, struct file *f)
{
	struct tty *t = current_task->tty;

	(void)i;
	if (t == NULL)
		return E_NXIO;
	f->flags |= O_NOCTTY;
	return tty_open(t, f);
}

err_t dev_console_open(struct inode *i, struct file *f)
{
	(void)i;
	if (console_tty == NULL)
		return E_NODEV;
	f->flags |= O_NOCTTY;
	return tty_open(console_tty, f);
}

err_t tty_register_devices(void)
{
	TRY(device_register(TTYAUX_MAJOR, 0, 1, dev_tty_open));
	TRY(device_register(TTYAUX_MAJOR, 1, 1, dev_console_open));
	TRY(device_register(TTYAUX_MAJOR, 2, 1, ptmx_open));
	return device_register(DEVPTS_MAJOR, 0, 1u << 20, pts_open);
}

uint32_t tty_device_number(const struct tty *t)
{
	return t == NULL ? 0 : (uint32_t)t->rdev;
}

int tty_foreground_group(const struct tty *t)
{
	return t == NULL || t->pgrp == 0 ? -1 : t->pgrp;
}
