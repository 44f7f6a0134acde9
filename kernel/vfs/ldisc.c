/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line discipline (Linux' n_tty): what happens to bytes between a terminal and a program.
 *
 * Invariants: tail <= canon <= head <= tail + TTY_INPUT - 1 (counters run freely); outside
 * canonical mode canon is not used; a bit in line_end is set only for a byte in [tail, canon).
 */
#include "base/bitmap.h"
#include "base/str.h"
#include "kernel/task/task.h"
#include "kernel/vfs/tty.h"

#define MASK     (TTY_INPUT - 1)
#define DISABLED 0 /* _POSIX_VDISABLE: a control character that is off */

#define L(t, flag) (((t)->termios.c_lflag & (flag)) != 0)
#define I(t, flag) (((t)->termios.c_iflag & (flag)) != 0)
#define O(t, flag) (((t)->termios.c_oflag & (flag)) != 0)
#define CC(t, n)   ((t)->termios.c_cc[n])

static inline bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static inline bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A byte that does not begin a character. */
static inline bool is_continuation(const struct tty *t, uint8_t c)
{
	return I(t, IUTF8) && (c & 0xc0) == 0x80;
}

static inline bool is_cc(const struct tty *t, unsigned n, uint8_t c)
{
	return c == CC(t, n) && c != DISABLED;
}

static inline uint32_t count(const struct tty *t)
{
	return t->head - t->tail;
}

void ldisc_init(struct tty *t)
{
	t->tail = t->canon = t->head = 0;
	t->column = t->canon_column = 0;
	t->literal_next = t->push = false;
	memset(t->line_end, 0, sizeof(t->line_end));
	ring_init(&t->echo, t->echo_bytes, TTY_ECHO);
}

/* ---- output ---- */

/* The bytes that one byte of output becomes (at most 8), with OPOST. Moves the column. */
static unsigned post_process(struct tty *t, uint8_t c, uint8_t out[8])
{
	unsigned n;

	switch (c) {
	case '\n':
		if (O(t, ONLRET))
			t->column = 0;
		if (O(t, ONLCR)) {
			t->column = t->canon_column = 0;
			out[0] = '\r';
			out[1] = '\n';
			return 2;
		}
		t->canon_column = t->column;
		break;
	case '\r':
		if (O(t, ONOCR) && t->column == 0)
			return 0;
		if (O(t, OCRNL)) {
			c = '\n';
			if (O(t, ONLRET))
				t->column = t->canon_column = 0;
			break;
		}
		t->column = t->canon_column = 0;
		break;
	case '\t':
		n = 8 - (t->column & 7);
		t->column += n;
		if ((t->termios.c_oflag & TABDLY) == XTABS) {
			memset(out, ' ', n);
			return n;
		}
		break;
	case '\b':
		if (t->column > 0)
			t->column--;
		break;
	default:
		if (is_control(c))
			break;
		if (O(t, OLCUC) && c >= 'a' && c <= 'z')
			c -= 0x20;
		if (!is_continuation(t, c))
			t->column++;
	}
	out[0] = c;
	return 1;
}

/* Bytes at the front of data that go out as they are. */
static size_t plain_run(struct tty *t, const uint8_t *data, size_t n)
{
	size_t i = 0;

	if (O(t, OLCUC))
		return 0;
	while (i < n && !is_control(data[i])) {
		if (!is_continuation(t, data[i]))
			t->column++;
		i++;
	}
	return i;
}

static size_t output_processed(struct tty *t, const uint8_t *data, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t room = t->driver->room(t);
		size_t run = plain_run(t, data + i, n - i < room ? n - i : room);
		uint8_t out[8];
		unsigned m;

		if (run > 0) {
			t->driver->write(t, data + i, run);
			i += run;
			continue;
		}
		if (room < sizeof(out))
			break;
		m = post_process(t, data[i++], out);
		if (m > 0)
			t->driver->write(t, out, m);
	}
	return i;
}

static bool flush_echo(struct tty *t)
{
	const uint8_t *data;
	uint32_t n;

	while (!t->stopped && (data = ring_read_span(&t->echo, &n), n > 0)) {
		size_t done = t->driver->write(t, data, n);

		ring_skip(&t->echo, (uint32_t)done);
		if (done == 0)
			break;
	}
	return ring_count(&t->echo) == 0;
}

size_t ldisc_output(struct tty *t, const uint8_t *data, size_t n)
{
	if (t->stopped || !flush_echo(t))
		return 0;
	return O(t, OPOST) ? output_processed(t, data, n) : t->driver->write(t, data, n);
}

void ldisc_output_room(struct tty *t)
{
	flush_echo(t);
	if (t->driver->flush != NULL)
		t->driver->flush(t);
	wake_all(&t->writers);
}

static void packet(struct tty *t, uint8_t status)
{
	if (t->driver->packet != NULL)
		t->driver->packet(t, status);
}

void ldisc_start(struct tty *t)
{
	if (!t->stopped || t->held)
		return;
	t->stopped = false;
	packet(t, TIOCPKT_START);
	ldisc_output_room(t);
}

void ldisc_stop(struct tty *t)
{
	if (t->stopped)
		return;
	t->stopped = true;
	packet(t, TIOCPKT_STOP);
}

/* ---- echo ---- */

/* Bytes that are already processed. What finds no room waits in the ring; what finds none there is
 * lost. */
static void echo_bytes(struct tty *t, const uint8_t *data, size_t n)
{
	size_t done = 0;

	if (!t->stopped && flush_echo(t))
		done = t->driver->write(t, data, n);
	ring_put(&t->echo, data + done, n - done);
}

static void echo_raw(struct tty *t, uint8_t c)
{
	uint8_t out[8] = { c };

	echo_bytes(t, out, O(t, OPOST) ? post_process(t, c, out) : 1);
}

static void echo_char(struct tty *t, uint8_t c)
{
	if (L(t, ECHOCTL) && is_control(c) && c != '\t') {
		uint8_t out[2] = { '^', c ^ 0100 };

		t->column += 2;
		echo_bytes(t, out, 2);
	} else {
		echo_raw(t, c);
	}
}

/* Take n columns back, blanking them. */
static void echo_erase(struct tty *t, unsigned n)
{
	while (n-- > 0) {
		echo_bytes(t, (const uint8_t *)"\b \b", 3);
		if (t->column > 0)
			t->column--;
	}
}

/* Columns between the start of the line (or the tab before) and the end of the edited text. */
static void echo_erase_tab(struct tty *t)
{
	unsigned width = 0, back;
	bool after_tab = false;

	for (uint32_t at = t->head; at != t->canon;) {
		uint8_t c = t->input[--at & MASK];

		if (c == '\t') {
			after_tab = true;
			break;
		}
		if (is_control(c))
			width += L(t, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(t, c))
			width++;
	}
	if (!after_tab)
		width += t->canon_column;
	for (back = 8 - (width & 7); back > 0; back--) {
		echo_bytes(t, (const uint8_t *)"\b", 1);
		if (t->column > 0)
			t->column--;
	}
}

/* ---- editing a line ---- */

static void put(struct tty *t, uint8_t c, bool ends_line)
{
	uint32_t at = t->head & MASK;

	t->input[at] = c;
	bitmap_assign(t->line_end, at, ends_line);
	t->head++;
	if (ends_line)
		t->canon = t->head;
}

static void echo_erased(struct tty *t, uint8_t c, bool by_erase)
{
	if (by_erase && !L(t, ECHOE))
		echo_char(t, CC(t, VERASE));
	else if (c == '\t')
		echo_erase_tab(t);
	else if (!is_control(c))
		echo_erase(t, 1);
	else if (L(t, ECHOCTL))
		echo_erase(t, 2);
}

/* Take the last character off; answers its first byte. */
static uint8_t unput(struct tty *t)
{
	uint8_t c;

	do {
		c = t->input[--t->head & MASK];
	} while (is_continuation(t, c) && t->head != t->canon);
	return c;
}

static void erase_char(struct tty *t)
{
	uint8_t c;

	if (t->head == t->canon)
		return;
	c = unput(t);
	if (L(t, ECHO))
		echo_erased(t, c, true);
}

static void erase_word(struct tty *t)
{
	bool in_word = false;

	while (t->head != t->canon) {
		uint32_t before = t->head;
		uint8_t c = unput(t);

		if (is_alnum(c) || c == '_' || c >= 0x80) {
			in_word = true;
		} else if (in_word) {
			t->head = before;
			break;
		}
		if (L(t, ECHO))
			echo_erased(t, c, false);
	}
}

static void erase_line(struct tty *t)
{
	if (t->head == t->canon)
		return;
	if (!L(t, ECHO) || !L(t, ECHOK) || !L(t, ECHOKE) || !L(t, ECHOE)) {
		t->head = t->canon;
		if (!L(t, ECHO))
			return;
		echo_char(t, CC(t, VKILL));
		if (L(t, ECHOK))
			echo_raw(t, '\n');
		return;
	}
	while (t->head != t->canon)
		echo_erased(t, unput(t), false);
}

static void reprint(struct tty *t, uint8_t c)
{
	echo_char(t, c);
	echo_raw(t, '\n');
	for (uint32_t at = t->canon; at != t->head; at++)
		echo_char(t, t->input[at & MASK]);
}

/* Where a line starts on the screen, for tabs. */
static void note_column(struct tty *t)
{
	if (t->canon == t->head)
		t->canon_column = t->column;
}

/* The byte goes into the buffer, if there is room: the last places are for what ends a line. */
static void accept(struct tty *t, uint8_t c)
{
	if (count(t) >= TTY_INPUT - 3) {
		if (I(t, IMAXBEL))
			echo_bytes(t, (const uint8_t *)"\a", 1);
		return;
	}
	if (L(t, ECHO)) {
		if (c == '\n') {
			echo_raw(t, '\n');
		} else {
			note_column(t);
			echo_char(t, c);
		}
	}
	if (c == 0xff && I(t, PARMRK))
		put(t, c, false);
	put(t, c, false);
}

static void accept_line_end(struct tty *t, uint8_t c, bool echo)
{
	if (count(t) >= TTY_INPUT - 1)
		return;
	if (echo)
		c == '\n' ? echo_raw(t, c) : echo_char(t, c);
	put(t, c, true);
}

/* Canonical mode; false when the byte has no meaning there. */
static bool edit(struct tty *t, uint8_t c)
{
	bool extended = L(t, IEXTEN);

	if (is_cc(t, VERASE, c))
		erase_char(t);
	else if (is_cc(t, VKILL, c))
		erase_line(t);
	else if (is_cc(t, VWERASE, c) && extended)
		erase_word(t);
	else if (is_cc(t, VREPRINT, c) && extended && L(t, ECHO))
		reprint(t, c);
	else if (c == '\n')
		accept_line_end(t, c, L(t, ECHO) || L(t, ECHONL));
	else if (is_cc(t, VEOF, c))
		accept_line_end(t, DISABLED, false);
	else if (is_cc(t, VEOL, c) || (is_cc(t, VEOL2, c) && extended))
		accept_line_end(t, c, L(t, ECHO));
	else
		return false;
	return true;
}

/* ---- input ---- */

void ldisc_flush_input(struct tty *t)
{
	t->tail = t->canon = t->head = 0;
	t->literal_next = t->push = false;
	memset(t->line_end, 0, sizeof(t->line_end));
	packet(t, TIOCPKT_FLUSHREAD);
	if (t->driver->unthrottle != NULL)
		t->driver->unthrottle(t);
}

/* ^C and the like; false when the byte is none of them. */
static bool keyboard_signal(struct tty *t, uint8_t c)
{
	int sig = is_cc(t, VINTR, c)   ? SIGINT
		  : is_cc(t, VQUIT, c) ? SIGQUIT
		  : is_cc(t, VSUSP, c) ? SIGTSTP
				       : 0;

	if (sig == 0)
		return false;
	if (!L(t, NOFLSH)) {
		ldisc_flush_input(t);
		ring_clear(&t->echo);
		if (t->driver->discard != NULL)
			t->driver->discard(t);
		packet(t, TIOCPKT_FLUSHWRITE);
	}
	if (I(t, IXON))
		ldisc_start(t);
	if (L(t, ECHO))
		echo_char(t, c);
	tty_signal(t, sig);
	return true;
}

static void receive(struct tty *t, uint8_t c)
{
	if (I(t, ISTRIP))
		c &= 0x7f;
	if (I(t, IUCLC) && L(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 0x20;
	if (t->literal_next) {
		t->literal_next = false;
		accept(t, c);
		return;
	}
	if (I(t, IXON) && is_cc(t, VSTART, c)) {
		ldisc_start(t);
		return;
	}
	if (I(t, IXON) && is_cc(t, VSTOP, c)) {
		ldisc_stop(t);
		return;
	}
	if (L(t, ISIG) && keyboard_signal(t, c))
		return;
	if (I(t, IXON) && I(t, IXANY))
		ldisc_start(t);
	if (c == '\r') {
		if (I(t, IGNCR))
			return;
		if (I(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && I(t, INLCR)) {
		c = '\r';
	}
	if (L(t, ICANON)) {
		if (edit(t, c))
			return;
		if (is_cc(t, VLNEXT, c) && L(t, IEXTEN)) {
			t->literal_next = true;
			if (L(t, ECHO) && L(t, ECHOCTL))
				echo_bytes(t, (const uint8_t *)"^\b", 2);
			return;
		}
	}
	accept(t, c);
}

/* May a byte come? While a line is being edited yes: keys that end or erase it must work (others
 * are then dropped). */
bool ldisc_has_room(const struct tty *t)
{
	if (L(t, ICANON) && t->canon == t->tail)
		return true;
	return count(t) < TTY_INPUT - 3;
}

size_t ldisc_input(struct tty *t, const uint8_t *data, size_t n)
{
	size_t i = 0;

	while (i < n && ldisc_has_room(t))
		receive(t, data[i++]);
	if (t->driver->flush != NULL)
		t->driver->flush(t);
	if (ldisc_readable(t, false))
		wake_all(&t->readers);
	return i;
}

void ldisc_settings_changed(struct tty *t, const struct termios2 *old)
{
	bool was = (old->c_lflag & ICANON) != 0;

	if (was != L(t, ICANON)) {
		memset(t->line_end, 0, sizeof(t->line_end));
		t->canon = t->head;
		/* What came in raw mode counts as a line, so that it can be read. */
		if (!was && count(t) > 0) {
			bitmap_set(t->line_end, (t->head - 1) & MASK);
			t->push = true;
		}
		if (was)
			t->push = false;
		t->literal_next = false;
	}
	if ((old->c_iflag & IXON) && !I(t, IXON))
		ldisc_start(t);
	wake_all(&t->readers);
	wake_all(&t->writers);
}

/* ---- reading ---- */

unsigned ldisc_input_count(const struct tty *t)
{
	return L(t, ICANON) ? t->canon - t->tail : count(t);
}

bool ldisc_readable(const struct tty *t, bool for_poll)
{
	uint32_t least = for_poll && CC(t, VTIME) == 0 && CC(t, VMIN) > 0 ? CC(t, VMIN) : 1;

	return L(t, ICANON) ? t->canon != t->tail : count(t) >= least;
}

static bool ends_file(const struct tty *t, uint32_t at)
{
	return t->input[at & MASK] == DISABLED && !t->push;
}

/* Length of the first line with its end; what is read of it at most. */
static uint32_t line_length(const struct tty *t)
{
	uint32_t n = 0, all = t->canon - t->tail;

	while (n < all && !bitmap_test(t->line_end, (t->tail + n) & MASK))
		n++;
	return n < all ? n + 1 : n;
}

static err_t copy_out(struct tty *t, struct uio *to, uint32_t n, size_t *done)
{
	while (n > 0) {
		uint32_t at = t->tail & MASK;
		uint32_t chunk = n < TTY_INPUT - at ? n : TTY_INPUT - at;

		TRY(uio_out(to, t->input + at, chunk, done));
		t->tail += chunk;
		n -= chunk;
	}
	return OK;
}

static err_t read_line(struct tty *t, struct uio *to, size_t *done)
{
	uint32_t len = line_length(t), last, n;
	bool ended, eof;

	if (len == 0)
		return OK;
	last = t->tail + len - 1;
	ended = bitmap_test(t->line_end, last & MASK);
	eof = ended && ends_file(t, last);
	n = eof ? len - 1 : len;
	if (n > to->left)
		n = (uint32_t)to->left;
	TRY(copy_out(t, to, n, done));
	/* An end of file behind the last byte that was wanted goes with it: the next read is not to
	 * return 0. */
	if (eof && t->tail == last)
		t->tail++;
	if (t->tail == last + 1 && ended) {
		bitmap_clear(t->line_end, last & MASK);
		t->push = false;
	}
	return OK;
}

err_t ldisc_read(struct tty *t, struct uio *to, size_t *done)
{
	bool full = !ldisc_has_room(t);
	uint32_t n = count(t);
	err_t err;

	if (L(t, ICANON))
		err = read_line(t, to, done);
	else
		err = copy_out(t, to, n < to->left ? n : (uint32_t)to->left, done);
	if (full && ldisc_has_room(t) && t->driver->unthrottle != NULL)
		t->driver->unthrottle(t);
	return err;
}
