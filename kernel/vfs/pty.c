/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pseudo-terminals. The slave is a terminal whose output goes into a ring that the master reads;
 * what the master writes is the slave's input. A pty exists as long as its master or its slave is
 * open; its name goes with the master.
 */
#include <linux/fcntl.h>
#include <linux/major.h>

#include "base/fmt.h"
#include "base/list.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/device.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/tty_job.h"

#define OUT_BYTES   16384u
#define WRITE_CHUNK 256u
#define PTY_MAX     4096u

struct pty {
	struct tty slave;
	struct list all; /* in ptys, by index */
	unsigned index;
	bool master_open, locked;
	bool slave_closed; /* it was open, and is not any more */
	bool packet_mode;
	uint8_t packet_status;         /* TIOCPKT_ bits not yet read */
	struct waitq readers, writers; /* of the master */
	struct ring out;
	uint8_t out_bytes[OUT_BYTES];
};

static struct list ptys = LIST_INIT(ptys);

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, slave);
}

static void pty_free_if_unused(struct pty *p)
{
	if (p->master_open || p->slave.opens > 0)
		return;
	tty_forget(&p->slave);
	list_remove(&p->all);
	kmem_free(p);
}

/* ---- the slave's driver ---- */

static size_t slave_write(struct tty *t, const uint8_t *data, size_t n)
{
	struct pty *p = pty_of(t);

	return p->master_open ? ring_put(&p->out, data, n) : n;
}

static size_t slave_room(struct tty *t)
{
	uint32_t space = ring_space(&pty_of(t)->out);

	return space >= TTY_MIN_ROOM ? space : 0;
}

static void slave_flush(struct tty *t)
{
	struct pty *p = pty_of(t);

	if (ring_count(&p->out) > 0)
		wake_all(&p->readers);
}

/* As on Linux, what was written has arrived: the master holds it. */
static unsigned slave_pending(struct tty *t)
{
	(void)t;
	return 0;
}

static void slave_discard(struct tty *t)
{
	ring_clear(&pty_of(t)->out);
}

static void slave_unthrottle(struct tty *t)
{
	wake_all(&pty_of(t)->writers);
}

static void slave_packet(struct tty *t, uint8_t status)
{
	struct pty *p = pty_of(t);

	if (!p->packet_mode)
		return;
	if (status == TIOCPKT_STOP)
		p->packet_status &= (uint8_t)~TIOCPKT_START;
	if (status == TIOCPKT_START)
		p->packet_status &= (uint8_t)~TIOCPKT_STOP;
	if (status == TIOCPKT_DOSTOP)
		p->packet_status &= (uint8_t)~TIOCPKT_NOSTOP;
	if (status == TIOCPKT_NOSTOP)
		p->packet_status &= (uint8_t)~TIOCPKT_DOSTOP;
	p->packet_status |= status;
	wake_all(&p->readers);
}

static void slave_opened(struct tty *t)
{
	pty_of(t)->slave_closed = false;
}

static void slave_last_close(struct tty *t)
{
	struct pty *p = pty_of(t);

	p->slave_closed = true;
	t->stopped = t->held = false;
	wake_all(&p->readers);
	wake_all(&p->writers);
	pty_free_if_unused(p);
}

static const struct tty_driver slave_driver = {
	.write = slave_write,
	.room = slave_room,
	.flush = slave_flush,
	.pending = slave_pending,
	.discard = slave_discard,
	.unthrottle = slave_unthrottle,
	.packet = slave_packet,
	.opened = slave_opened,
	.last_close = slave_last_close,
};

/* ---- the master's file ---- */

static err_t master_wait(struct waitq *q, const struct file *f)
{
	if (f->flags & O_NONBLOCK)
		return E_AGAIN;
	return wait_on(q, WAIT_FOREVER, true) == WAIT_SIGNAL ? E_RESTARTSYS : OK;
}

static err_t out_to(struct pty *p, struct uio *to, size_t *done)
{
	const void *data;
	uint32_t n;

	while (to->left > 0 && (data = ring_read_span(&p->out, &n), n > 0)) {
		if (n > to->left)
			n = (uint32_t)to->left;
		TRY(uio_out(to, data, n, done));
		ring_skip(&p->out, n);
	}
	return OK;
}

static err_t master_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct pty *p = f->priv;
	bool was_tight;
	err_t err;

	(void)off;
	if (to->left == 0)
		return OK;
	while (ring_count(&p->out) == 0 && p->packet_status == 0) {
		if (p->slave_closed)
			return E_IO;
		TRY(master_wait(&p->readers, f));
	}
	if (p->packet_mode) {
		uint8_t status = p->packet_status;

		p->packet_status = 0;
		TRY(uio_out(to, &status, 1, done));
		if (status != TIOCPKT_DATA)
			return OK;
	}
	was_tight = ring_space(&p->out) < OUT_BYTES / 2;
	err = out_to(p, to, done);
	if ((was_tight && ring_space(&p->out) >= OUT_BYTES / 2) || ring_count(&p->slave.echo) > 0)
		ldisc_output_room(&p->slave);
	return err;
}

static err_t master_write_chunk(struct pty *p, struct file *f, const uint8_t *data, size_t n,
				size_t *done)
{
	while (n > 0) {
		size_t taken;

		if (p->slave.opens == 0)
			return E_IO;
		taken = ldisc_input(&p->slave, data, n);
		*done += taken;
		data += taken;
		n -= taken;
		if (taken == 0)
			TRY(master_wait(&p->writers, f));
	}
	return OK;
}

static err_t master_write(struct file *f, uint64_t off, struct uio *from, size_t *done)
{
	struct pty *p = f->priv;
	uint8_t chunk[WRITE_CHUNK];
	err_t err = OK;

	(void)off;
	while (from->left > 0 && err == OK) {
		size_t n = 0;

		err = uio_in(from, chunk, from->left < sizeof(chunk) ? from->left : sizeof(chunk),
			     &n);
		if (err == OK)
			err = master_write_chunk(p, f, chunk, n, done);
	}
	return err;
}

static uint32_t master_poll(struct file *f, struct poll_table *t)
{
	struct pty *p = f->priv;
	uint32_t ready = 0;

	poll_wait_for(t, &p->readers, EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLHUP);
	poll_wait_for(t, &p->writers, EPOLLOUT | EPOLLWRNORM);
	if (ring_count(&p->out) > 0)
		ready |= EPOLLIN | EPOLLRDNORM;
	if (p->packet_status != 0)
		ready |= EPOLLPRI | EPOLLIN | EPOLLRDNORM;
	if (p->slave_closed)
		ready |= EPOLLHUP;
	if (ldisc_has_room(&p->slave))
		ready |= EPOLLOUT | EPOLLWRNORM;
	return ready;
}

static void master_release(struct file *f)
{
	struct pty *p = f->priv;

	p->master_open = false;
	devpts_remove(p->index);
	ring_clear(&p->out);
	tty_hangup(&p->slave);
	pty_free_if_unused(p);
}

/* ---- ioctls of the master ---- */

static long put_int(uint64_t arg, int v)
{
	return USER_OUT(UADDR(arg), &v);
}

static long get_flag(uint64_t arg, bool *flag)
{
	int v;

	TRY(USER_IN(&v, UADDR(arg)));
	*flag = v != 0;
	return 0;
}

/* The slave by its node, or where /dev/pts is not to be seen without one. */
static err_t open_slave(struct pty *p, uint32_t flags, struct file **out)
{
	struct path path;
	err_t err;

	if (path_lookup(AT_FDCWD_, p->slave.name, 0, &path) == OK) {
		err = vfs_open_path(&path, flags, out);
		path_put(&path);
		return err;
	}
	*out = file_create(&tty_file_ops, NULL, flags, S_IFCHR | 0620);
	if (*out == NULL)
		return E_NOMEM;
	err = tty_open(&p->slave, *out);
	if (err != OK) {
		(*out)->ops = NULL; /* there is nothing to release */
		file_put(*out);
	}
	return err;
}

static long open_peer(struct pty *p, uint64_t flags)
{
	struct file *f;
	int fd = -1;
	err_t err;

	if (p->locked)
		return E_IO;
	TRY(open_slave(p, (uint32_t)flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), &f));
	err = fd_install(f, 0, (flags & O_CLOEXEC) != 0, &fd);
	if (err != OK)
		file_put(f);
	return err == OK ? fd : (long)err;
}

static long send_signal(struct pty *p, uint64_t sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return E_INVAL;
	tty_signal(&p->slave, (int)sig);
	return 0;
}

static long flush_master(struct pty *p, uint64_t which)
{
	if (which > TCIOFLUSH)
		return E_INVAL;
	if (which != TCOFLUSH) {
		ring_clear(&p->out);
		ldisc_output_room(&p->slave);
	}
	if (which != TCIFLUSH)
		ldisc_flush_input(&p->slave);
	return 0;
}

static long set_packet_mode(struct pty *p, uint64_t arg)
{
	TRY(get_flag(arg, &p->packet_mode));
	p->packet_status = 0;
	return 0;
}

static long master_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct pty *p = f->priv;
	long ret;

	switch (cmd) {
	case TIOCGPTN: return put_int(arg, (int)p->index);
	case TIOCSPTLCK: return get_flag(arg, &p->locked);
	case TIOCGPTLCK: return put_int(arg, p->locked);
	case TIOCGPTPEER: return open_peer(p, arg);
	case TIOCPKT: return set_packet_mode(p, arg);
	case TIOCGPKT: return put_int(arg, p->packet_mode);
	case TIOCSIG: return send_signal(p, arg);
	case FIONREAD: return put_int(arg, (int)ring_count(&p->out));
	case TIOCOUTQ: return put_int(arg, (int)ldisc_input_count(&p->slave));
	case TIOCGDEV: return put_int(arg, (int)dev_make(TTYAUX_MAJOR, 2));
	case TCFLSH: return flush_master(p, arg);
	case TIOCSTI: return E_IO;
	case TCSBRK:
	case TCSBRKP: return 0;
	default: break;
	}
	ret = tty_common_ioctl(&p->slave, cmd, arg);
	return ret == E_NOTTY ? tty_job_ioctl(&p->slave, cmd, arg, true) : ret;
}

static const struct file_ops master_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
	.stream = true,
	.async = true,
};

/* ---- opening ---- */

/* Enter p with the lowest free number. */
static err_t number(struct pty *p)
{
	struct list *at = &ptys;
	unsigned n = 0;

	LIST_FOR_EACH(pos, &ptys) {
		if (list_entry(pos, struct pty, all)->index != n)
			break;
		at = pos;
		n++;
	}
	if (n >= PTY_MAX)
		return E_NOSPC;
	p->index = n;
	list_insert_after(at, &p->all);
	return OK;
}

err_t ptmx_open(struct inode *i, struct file *f)
{
	struct pty *p = kmem_zalloc(sizeof(*p));
	err_t err;

	(void)i;
	if (p == NULL)
		return E_NOMEM;
	err = number(p);
	if (err != OK) {
		kmem_free(p);
		return err;
	}
	err = devpts_add(p->index, current_task->cred.fsuid);
	if (err != OK) {
		list_remove(&p->all);
		kmem_free(p);
		return err;
	}
	tty_setup(&p->slave, &slave_driver, p, dev_make(DEVPTS_MAJOR, p->index));
	p->slave.termios.c_cflag &= ~(uint32_t)HUPCL;
	fmt_snprintf(p->slave.name, sizeof(p->slave.name), "/dev/pts/%u", p->index);
	waitq_init(&p->readers);
	waitq_init(&p->writers);
	ring_init(&p->out, p->out_bytes, OUT_BYTES);
	p->master_open = p->locked = true;
	f->ops = &master_ops;
	f->priv = p;
	return OK;
}

err_t pts_open(struct inode *i, struct file *f)
{
	unsigned n = dev_minor(i->rdev);

	LIST_FOR_EACH(pos, &ptys) {
		struct pty *p = list_entry(pos, struct pty, all);

		if (p->index != n)
			continue;
		if (p->locked || !p->master_open)
			return E_IO;
		return tty_open(&p->slave, f);
	}
	return E_NXIO;
}

err_t pty_create(struct file *ends[2], unsigned rows, unsigned cols)
{
	struct file *master = file_create(NULL, NULL, O_RDWR | O_NOCTTY, S_IFCHR | 0666);
	struct pty *p;
	err_t err;

	if (master == NULL)
		return E_NOMEM;
	err = ptmx_open(NULL, master);
	if (err == OK) {
		p = master->priv;
		p->locked = false;
		p->slave.winsize.ws_row = (uint16_t)rows;
		p->slave.winsize.ws_col = (uint16_t)cols;
		err = open_slave(p, O_RDWR, &ends[1]);
	}
	if (err != OK) {
		file_put(master);
		return err;
	}
	ends[0] = master;
	return OK;
}
