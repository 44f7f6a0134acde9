/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's terminal over serial ports: `ringfence run -t`, or COM1. */
#include <linux/fcntl.h>
#include <linux/major.h>

#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/console.h"
#include "kernel/vfs/tty.h"

struct tty *console_tty;

/* A terminal on a host: the other end shows UTF-8. */
struct console {
	struct tty tty;
	struct serial_port *in, *out;
	bool pulling; /* input is being handed over: a key that empties the buffer asks for more */
};

static struct console *console_of(struct tty *t)
{
	return container_of(t, struct console, tty);
}

/* ---- output ---- */

static size_t console_write(struct tty *t, const uint8_t *data, size_t n)
{
	struct serial_port *p = console_of(t)->out;
	size_t done = 0;

	if (p == NULL)
		return n; /* a terminal nobody looks at */
	while (done < n) {
		size_t room;
		void *to = p->ops->tx_space(p, &room);

		if (to == NULL)
			break;
		if (room > n - done)
			room = n - done;
		memcpy(to, data + done, room);
		p->ops->tx_commit(p, room);
		done += room;
	}
	return done;
}

static size_t console_room(struct tty *t)
{
	struct serial_port *p = console_of(t)->out;
	size_t room;

	if (p == NULL)
		return PAGE_SIZE;
	if (p->ops->tx_space(p, &room) == NULL)
		return 0;
	if (room >= TTY_MIN_ROOM)
		return room;
	/* A little at the end of one buffer: begin the next. */
	p->ops->tx_flush(p);
	return p->ops->tx_space(p, &room) != NULL ? room : 0;
}

static void console_flush(struct tty *t)
{
	struct serial_port *p = console_of(t)->out;

	if (p != NULL)
		p->ops->tx_flush(p);
}

/* The device takes output as fast as the host does; a drain does not wait for the host
 * (console_exit does). */
static unsigned console_pending(struct tty *t)
{
	(void)t;
	return 0;
}

static void on_room(struct serial_port *p)
{
	ldisc_output_room(&((struct console *)p->user)->tty);
}

/* ---- input ---- */

static void pull(struct console *c)
{
	struct serial_port *p = c->in;
	const void *data;
	size_t len;

	if (p == NULL || c->pulling)
		return;
	c->pulling = true;
	while ((data = p->ops->rx_data(p, &len)) != NULL) {
		size_t taken = ldisc_input(&c->tty, data, len);

		p->ops->rx_take(p, taken);
		if (taken < len)
			break;
	}
	c->pulling = false;
	p->ops->rx_done(p);
}

static void on_input(struct serial_port *p)
{
	struct console *c = p->user;

	pull(c);
	if (p->closed && !c->tty.hung_up)
		tty_hangup(&c->tty);
}

static void console_unthrottle(struct tty *t)
{
	pull(console_of(t));
}

static const struct tty_driver console_driver = {
	.write = console_write,
	.room = console_room,
	.flush = console_flush,
	.pending = console_pending,
	.unthrottle = console_unthrottle,
};

/* ---- making ---- */

err_t console_tty_create(struct serial_port *in, struct serial_port *out, unsigned rows,
			 unsigned cols)
{
	struct console *c = kmem_zalloc(sizeof(*c));

	if (c == NULL)
		return E_NOMEM;
	tty_setup(&c->tty, &console_driver, c, dev_make(TTYAUX_MAJOR, 1));
	str_copy(c->tty.name, sizeof(c->tty.name), "/dev/console");
	c->tty.termios.c_iflag |= IUTF8;
	c->tty.winsize.ws_row = (uint16_t)rows;
	c->tty.winsize.ws_col = (uint16_t)cols;
	c->in = in;
	c->out = out;
	if (in != NULL) {
		in->user = c;
		in->on_input = on_input;
	}
	if (out != NULL) {
		out->user = c;
		out->on_room = on_room;
	}
	console_tty = &c->tty;
	return OK;
}

/* By its node, so that ttyname() finds it; the terminal belongs to who works at it. */
static err_t open_node(struct file **file)
{
	struct path p;
	err_t err;

	TRY(path_lookup(AT_FDCWD_, "/dev/console", LOOK_FOLLOW, &p));
	if (current != NULL)
		p.dentry->inode->uid = current_task->cred.uid;
	err = vfs_open_path(&p, O_RDWR | O_NOCTTY, file);
	path_put(&p);
	return err;
}

err_t console_tty_file(struct file **file)
{
	struct file *f;

	if (open_node(file) == OK)
		return OK;
	f = file_create(&tty_file_ops, NULL, O_RDWR | O_NOCTTY, S_IFCHR | 0620);
	if (f == NULL)
		return E_NOMEM;
	*file = f;
	return tty_open(console_tty, f);
}

void console_attach(struct task *t)
{
	if (console_tty == NULL || t->pid != t->sid)
		return;
	console_tty->session = t->sid;
	console_tty->pgrp = t->pgid;
	t->tty = console_tty;
}
