/* SPDX-License-Identifier: BSD-2-Clause */
/* A serial port as a file: what standard input, output and error are when no terminal is asked for.
 * Looks like a pipe. */
#include <asm/ioctls.h>
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/task/task.h"
#include "kernel/vfs/console.h"

struct portfile {
	uint32_t files;
	struct serial_port *in, *out;
	struct waitq readers, writers;
};

static struct serial_port *std_input; /* the port of standard input */
static bool input_ended;              /* the host said so: what has come is all */

static void on_input(struct serial_port *p)
{
	wake_all(&((struct portfile *)p->user)->readers);
}

static void on_room(struct serial_port *p)
{
	wake_all(&((struct portfile *)p->user)->writers);
}

/* ---- the end of standard input ---- */

void portfile_input_ends(void)
{
	input_ended = true;
	if (std_input != NULL && std_input->on_input != NULL)
		std_input->on_input(std_input);
}

/* Nothing more will come. Asked when there is no input just now. */
static bool at_end(const struct serial_port *p)
{
	return p->closed || (p == std_input && input_ended);
}

/* ---- file operations ---- */

static err_t port_wait(struct waitq *q, const struct file *f)
{
	if (f->flags & O_NONBLOCK)
		return E_AGAIN;
	return wait_on(q, WAIT_FOREVER, true) == WAIT_SIGNAL ? E_RESTARTSYS : OK;
}

static err_t portfile_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct portfile *pf = f->priv;
	struct serial_port *p = pf->in;
	const void *data;
	err_t err = OK;
	size_t len;

	(void)off;
	if (p == NULL || to->left == 0)
		return OK;
	while ((data = p->ops->rx_data(p, &len)) == NULL) {
		if (at_end(p))
			return OK;
		TRY(port_wait(&pf->readers, f));
	}
	while (data != NULL && err == OK && to->left > 0) {
		size_t moved = 0;

		err = uio_out(to, data, len < to->left ? len : to->left, &moved);
		p->ops->rx_take(p, moved);
		*done += moved;
		data = p->ops->rx_data(p, &len);
	}
	p->ops->rx_done(p);
	return err;
}

static err_t portfile_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct portfile *pf = f->priv;
	struct serial_port *p = pf->out;
	err_t err = OK;

	(void)off;
	if (p == NULL)
		return E_IO;
	while (from->left > 0 && err == OK) {
		size_t room, moved = 0;
		void *to;

		if (p->closed) {
			(void)!signal_send_thread(current, SIGPIPE, NULL);
			err = E_PIPE;
			break;
		}
		to = p->ops->tx_space(p, &room);
		if (to == NULL) {
			/* With nothing on its way it is memory that lacks. */
			err = p->ops->tx_pending(p) == 0 ? E_NOMEM : port_wait(&pf->writers, f);
			continue;
		}
		err = uio_in(from, to, room < from->left ? room : from->left, &moved);
		p->ops->tx_commit(p, moved);
		*done += moved;
	}
	p->ops->tx_flush(p);
	return err;
}

static uint32_t portfile_poll(struct file *f, struct poll_table *t)
{
	struct portfile *pf = f->priv;
	struct serial_port *in = pf->in, *out = pf->out;
	uint32_t ready = 0;
	size_t len;

	if (in != NULL) {
		poll_wait_for(t, &pf->readers, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
		if (in->ops->rx_data(in, &len) != NULL)
			ready |= EPOLLIN | EPOLLRDNORM;
		else if (at_end(in))
			ready |= EPOLLHUP;
	}
	if (out != NULL) {
		poll_wait_for(t, &pf->writers, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
		if (out->closed)
			ready |= EPOLLERR;
		else if (out->ops->tx_space(out, &len) != NULL)
			ready |= EPOLLOUT | EPOLLWRNORM;
	}
	return ready;
}

static long portfile_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct portfile *pf = f->priv;
	size_t len = 0;
	int n;

	if (cmd != FIONREAD)
		return E_NOTTY;
	if (pf->in == NULL || pf->in->ops->rx_data(pf->in, &len) == NULL)
		len = 0;
	n = (int)len;
	return USER_OUT(UADDR(arg), &n);
}

static void portfile_release(struct file *f)
{
	struct portfile *pf = f->priv;

	if (--pf->files > 0)
		return;
	if (pf->in != NULL)
		pf->in->on_input = NULL;
	if (pf->out != NULL)
		pf->out->on_room = NULL;
	kmem_free(pf);
}

static err_t portfile_reopen(struct file *old, struct file *f)
{
	struct portfile *pf = old->priv;
	uint32_t mode = f->flags & O_ACCMODE;

	if ((mode != O_WRONLY && pf->in == NULL) || (mode != O_RDONLY && pf->out == NULL))
		return E_ACCES;
	pf->files++;
	f->ops = old->ops;
	f->priv = pf;
	return OK;
}

static void portfile_name(struct file *f, char *buf, size_t size)
{
	struct kstat st;

	if (file_stat(f, &st) != OK)
		st.ino = 0;
	fmt_snprintf(buf, size, "pipe:[%llu]", (unsigned long long)st.ino);
}

static const struct file_ops portfile_ops = {
	.read = portfile_read,
	.write = portfile_write,
	.poll = portfile_poll,
	.ioctl = portfile_ioctl,
	.release = portfile_release,
	.reopen = portfile_reopen,
	.name = portfile_name,
	.stream = true,
	.async = true,
};

err_t portfile_create(struct serial_port *in, struct serial_port *out, struct file **file)
{
	struct portfile *pf = kmem_zalloc(sizeof(*pf));
	uint32_t mode = in == NULL ? O_WRONLY : out == NULL ? O_RDONLY : O_RDWR;

	if (pf == NULL)
		return E_NOMEM;
	waitq_init(&pf->readers);
	waitq_init(&pf->writers);
	*file = file_create(&portfile_ops, pf, mode, S_IFIFO | 0600);
	if (*file == NULL) {
		kmem_free(pf);
		return E_NOMEM;
	}
	pf->files = 1;
	pf->in = in;
	pf->out = out;
	if (in != NULL) {
		in->user = pf;
		in->on_input = on_input;
		std_input = in;
	}
	if (out != NULL) {
		out->user = pf;
		out->on_room = on_room;
	}
	return OK;
}
