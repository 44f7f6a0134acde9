/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings of a terminal. */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/tty.h>

#include "base/str.h"
#include "kernel/task/task.h"
#include "kernel/vfs/tty_job.h"

/* The speed of each Bnnn code; 0: the code says "other" or is none. */
static const uint32_t speeds[] = { 0,   50,   75,   110,  134,  150,  200,   300,
				   600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
static const uint32_t fast_speeds[] = { 0,       57600,   115200,  230400,  460800,  500000,
					576000,  921600,  1000000, 1152000, 1500000, 2000000,
					2500000, 3000000, 3500000, 4000000 };

static uint32_t speed_of(uint32_t cflag)
{
	return cflag & CBAUDEX ? fast_speeds[cflag & 15] : speeds[cflag & 15];
}

/* ---- settings ---- */

static void wait_output_sent(struct tty *t)
{
	while (!t->hung_up && t->driver->pending(t) > 0)
		if (wait_on(&t->writers, WAIT_FOREVER, true) != WAIT_WOKEN)
			return;
}

static void apply(struct tty *t, const struct termios2 *to)
{
	struct termios2 old = t->termios;
	bool was_flow = (old.c_iflag & IXON) != 0, flow = (to->c_iflag & IXON) != 0;

	t->termios = *to;
	/* The character size cannot be other than 8 bits here. */
	t->termios.c_cflag = (t->termios.c_cflag & ~(uint32_t)(CSIZE | PARENB)) | CS8 | CREAD;
	ldisc_settings_changed(t, &old);
	if (t->driver->packet != NULL && was_flow != flow)
		t->driver->packet(t, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
}

enum when { NOW, DRAINED, FLUSHED };

static long set_termios(struct tty *t, const struct termios2 *to, enum when when)
{
	TRY(tty_check_change(t));
	if (when == FLUSHED)
		ldisc_flush_input(t);
	if (when != NOW) {
		wait_output_sent(t);
		if (signal_pending_current())
			return E_RESTARTSYS;
	}
	apply(t, to);
	return 0;
}

static long set_termios_short(struct tty *t, uint64_t arg, enum when when)
{
	struct termios2 to = t->termios;

	TRY(user_in(&to, UADDR(arg), sizeof(struct termios)));
	if ((to.c_cflag & CBAUD) != BOTHER)
		to.c_ispeed = to.c_ospeed = speed_of(to.c_cflag);
	return set_termios(t, &to, when);
}

static long set_termios_long(struct tty *t, uint64_t arg, enum when when)
{
	struct termios2 to;

	TRY(USER_IN(&to, UADDR(arg)));
	if ((to.c_cflag & CBAUD) != BOTHER)
		to.c_ispeed = to.c_ospeed = speed_of(to.c_cflag);
	return set_termios(t, &to, when);
}

void tty_set_winsize(struct tty *t, unsigned rows, unsigned cols)
{
	if (t->winsize.ws_row == rows && t->winsize.ws_col == cols)
		return;
	t->winsize.ws_row = (uint16_t)rows;
	t->winsize.ws_col = (uint16_t)cols;
	tty_signal(t, SIGWINCH);
}

static long set_winsize(struct tty *t, uint64_t arg)
{
	struct winsize w;

	TRY(USER_IN(&w, UADDR(arg)));
	if (memcmp(&w, &t->winsize, sizeof(w)) == 0)
		return 0;
	t->winsize = w;
	tty_signal(t, SIGWINCH);
	return 0;
}

long tty_common_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	uaddr_t user = UADDR(arg);

	switch (cmd) {
	case TCGETS: return user_out(user, &t->termios, sizeof(struct termios));
	case TCGETS2: return USER_OUT(user, &t->termios);
	case TCSETS: return set_termios_short(t, arg, NOW);
	case TCSETSW: return set_termios_short(t, arg, DRAINED);
	case TCSETSF: return set_termios_short(t, arg, FLUSHED);
	case TCSETS2: return set_termios_long(t, arg, NOW);
	case TCSETSW2: return set_termios_long(t, arg, DRAINED);
	case TCSETSF2: return set_termios_long(t, arg, FLUSHED);
	case TIOCGWINSZ: return USER_OUT(user, &t->winsize);
	case TIOCSWINSZ: return set_winsize(t, arg);
	default: return E_NOTTY;
	}
}

/* ---- the rest ---- */

static long flush_queues(struct tty *t, uint64_t which)
{
	TRY(tty_check_change(t));
	if (which > TCIOFLUSH)
		return E_INVAL;
	if (which != TCOFLUSH)
		ldisc_flush_input(t);
	if (which != TCIFLUSH) {
		ring_clear(&t->echo);
		if (t->driver->discard != NULL)
			t->driver->discard(t);
		if (t->driver->packet != NULL)
			t->driver->packet(t, TIOCPKT_FLUSHWRITE);
		ldisc_output_room(t);
	}
	return 0;
}

static void send_char(struct tty *t, uint8_t c)
{
	if (c != 0)
		t->driver->write(t, &c, 1);
	if (t->driver->flush != NULL)
		t->driver->flush(t);
}

static void hold(struct tty *t, bool on)
{
	if (t->held == on)
		return;
	t->held = on;
	if (on)
		ldisc_stop(t);
	else
		ldisc_start(t);
}

static long flow_control(struct tty *t, uint64_t action)
{
	TRY(tty_check_change(t));
	switch (action) {
	case TCOOFF: hold(t, true); return 0;
	case TCOON: hold(t, false); return 0;
	case TCIOFF: send_char(t, t->termios.c_cc[VSTOP]); return 0;
	case TCION: send_char(t, t->termios.c_cc[VSTART]); return 0;
	default: return E_INVAL;
	}
}

static long drain_output(struct tty *t)
{
	TRY(tty_check_change(t));
	wait_output_sent(t);
	return signal_pending_current() ? E_RESTARTSYS : 0;
}

static long count_out(uint64_t arg, unsigned n)
{
	int v = (int)n;

	return USER_OUT(UADDR(arg), &v);
}

static long set_discipline(uint64_t arg)
{
	int n;

	TRY(USER_IN(&n, UADDR(arg)));
	return n == N_TTY ? 0 : E_INVAL;
}

static long vhangup(struct tty *t)
{
	if ((current_task->cred.cap_effective & (1ull << CAP_SYS_ADMIN)) == 0)
		return E_PERM;
	tty_hangup(t);
	return 0;
}

static long other_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case FIONREAD: return count_out(arg, ldisc_input_count(t));
	case TIOCOUTQ: return count_out(arg, t->driver->pending(t));
	case TIOCGETD: return count_out(arg, N_TTY);
	case TIOCGDEV: return count_out(arg, (unsigned)t->rdev);
	case TIOCGEXCL: return count_out(arg, t->exclusive);
	case TIOCSETD: return set_discipline(arg);
	case TCFLSH: return flush_queues(t, arg);
	case TCXONC: return flow_control(t, arg);
	case TCSBRK:
	case TCSBRKP: return drain_output(t);
	case TIOCSBRK:
	case TIOCCBRK: return 0;
	case TIOCEXCL: t->exclusive = true; return 0;
	case TIOCNXCL: t->exclusive = false; return 0;
	case TIOCVHANGUP: return vhangup(t);
	/* putting words into other programs' input: refused, as in newer kernels */
	case TIOCSTI: return E_IO;
	default: return E_NOTTY;
	}
}

long tty_file_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
	struct tty *t = f->priv;
	long ret;

	if (t->hung_up)
		return E_IO;
	ret = tty_common_ioctl(t, cmd, arg);
	if (ret == E_NOTTY)
		ret = other_ioctl(t, cmd, arg);
	return ret == E_NOTTY ? tty_job_ioctl(t, cmd, arg, false) : ret;
}
