/* SPDX-License-Identifier: BSD-2-Clause */
/* The line discipline: what is typed, what the program reads, what appears on the screen, which
 * signals go out. */
#include "kernel/vfs/test/fake.h"

#include <linux/fcntl.h>

#include "base/ring.h"
#include "base/str.h"
#include "kernel/vfs/tty_job.h"

static struct tty tty;
static struct file *file;
static uint8_t screen_bytes[1 << 16];
static struct ring screen;
static size_t screen_limit;
static uint8_t packets;

void epoll_file_gone(struct file *f)
{
	(void)f;
}

struct tty *console_tty;

err_t device_register(uint32_t major, uint32_t minor, uint32_t count,
		      err_t (*open)(struct inode *, struct file *))
{
	(void)major;
	(void)minor;
	(void)count;
	(void)open;
	return OK;
}

err_t ptmx_open(struct inode *i, struct file *f)
{
	(void)i;
	(void)f;
	return E_NODEV;
}

err_t pts_open(struct inode *i, struct file *f)
{
	(void)i;
	(void)f;
	return E_NODEV;
}

err_t path_string(const struct path *p, char *buf, size_t size, size_t *len)
{
	(void)p;
	(void)buf;
	(void)size;
	(void)len;
	return E_NOENT;
}

static size_t screen_room(struct tty *t)
{
	(void)t;
	return screen_limit - ring_count(&screen);
}

static size_t screen_write(struct tty *t, const uint8_t *data, size_t n)
{
	return ring_put(&screen, data, n < screen_room(t) ? n : screen_room(t));
}

static unsigned screen_pending(struct tty *t)
{
	(void)t;
	return 0;
}

static void note_packet(struct tty *t, uint8_t status)
{
	(void)t;
	packets |= status;
}

static const struct tty_driver driver = {
	.write = screen_write,
	.room = screen_room,
	.pending = screen_pending,
	.packet = note_packet,
};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	screen_limit = 32768;
	packets = 0;
	ring_init(&screen, screen_bytes, sizeof(screen_bytes));
	tty_setup(&tty, &driver, NULL, dev_make(136, 0));
	tty.termios.c_iflag |= IUTF8;
	file = file_create(&tty_file_ops, NULL, O_RDWR | O_NONBLOCK, 0620);
	assert_int_equal(tty_open(&tty, file), OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	file_put(file);
	return 0;
}

static void type(const char *keys)
{
	assert_int_equal(ldisc_input(&tty, (const uint8_t *)keys, strlen(keys)), strlen(keys));
}

static void expect_screen(const char *text)
{
	char got[4096];
	uint32_t n = ring_get(&screen, got, sizeof(got) - 1);

	got[n] = '\0';
	assert_string_equal(got, text);
}

static void expect_read(const char *text)
{
	char got[4200];
	long n = fake_read(file, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void expect_nothing(void)
{
	char c;

	assert_int_equal(fake_read(file, &c, 1), E_AGAIN);
}

/* One line of keys in canonical mode with the usual settings. */
static const struct {
	const char *keys, *reads, *shows;
} lines[] = {
	{ "ls -l\n", "ls -l\n", "ls -l\r\n" },
	{ "ls\r", "ls\n", "ls\r\n" },
	{ "lx\177s\n", "ls\n", "lx\b \bs\r\n" },
	{ "\177\177a\n", "a\n", "a\r\n" },                              /* nothing to erase */
	{ "abc\025x\n", "x\n", "abc\b \b\b \b\b \bx\r\n" },             /* ^U */
	{ "one two\027x\n", "one x\n", "one two\b \b\b \b\b \bx\r\n" }, /* ^W */
	{ "one  \027x\n", "x\n", "one  \b \b\b \b\b \b\b \b\b \bx\r\n" },
	{ "a\026\003b\n", "a\003b\n", "a^\b^Cb\r\n" }, /* ^V ^C */
	{ "a\001b\n", "a\001b\n", "a^Ab\r\n" },
	{ "a\001\177b\n", "ab\n", "a^A\b \b\b \bb\r\n" },
	{ "ab\022c\n", "abc\n", "ab^R\r\nabc\r\n" },        /* ^R */
	{ "\303\251\177x\n", "x\n", "\303\251\b \bx\r\n" }, /* one character of two bytes */
	{ "a\tb\n", "a\tb\n", "a\tb\r\n" },
	/* back over a tab: six columns */
	{ "ab\t\177c\n", "abc\n", "ab\t\b\b\b\b\b\bc\r\n" },
	{ "part\004", "part", "part" }, /* ^D in a line */
	{ "\n", "\n", "\r\n" },
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		teardown(state);
		setup(state);
		type(lines[i].keys);
		expect_screen(lines[i].shows);
		expect_read(lines[i].reads);
		expect_nothing();
	}
}

static void test_nothing_before_the_line_ends(void **state)
{
	(void)state;
	type("abc");
	expect_nothing();
	assert_int_equal(file->ops->poll(file, NULL), EPOLLOUT | EPOLLWRNORM);
	type("\ndef\n");
	assert_true(file->ops->poll(file, NULL) & EPOLLIN);
	expect_read("abc\n"); /* one line a read */
	expect_read("def\n");
	expect_nothing();
}

static void test_end_of_file(void **state)
{
	char buf[8];

	(void)state;
	type("\004");
	assert_int_equal(fake_read(file, buf, 8), 0);
	expect_nothing();
	type("abc\004\004");
	/* The end behind the last byte wanted goes with it. */
	assert_int_equal(fake_read(file, buf, 3), 3);
	assert_int_equal(fake_read(file, buf, 3), 0);
	expect_nothing();
}

static void test_short_reads(void **state)
{
	char buf[8];

	(void)state;
	type("hello\n");
	assert_int_equal(fake_read(file, buf, 2), 2);
	assert_int_equal(fake_read(file, buf, 8), 4);
	assert_memory_equal(buf, "llo\n", 4);
	expect_nothing();
}

static void test_signals(void **state)
{
	(void)state;
	tty.pgrp = 77;
	tty.session = 10;
	fake_task.tty = NULL;
	type("lost\003");
	assert_int_equal(fake_signal, SIGINT);
	assert_int_equal(fake_signal_pgrp, 77);
	expect_screen("lost^C");
	type("\034");
	assert_int_equal(fake_signal, SIGQUIT);
	type("\032");
	assert_int_equal(fake_signal, SIGTSTP);
	assert_true(packets & TIOCPKT_FLUSHREAD);
	type("x\n");
	expect_read("x\n");
	tty.termios.c_lflag &= ~(uint32_t)ISIG;
	fake_signal = 0;
	type("\003\n");
	assert_int_equal(fake_signal, 0);
	expect_read("\003\n");
}

static void test_stop_and_go(void **state)
{
	(void)state;
	type("\023");
	assert_int_equal(fake_write(file, "held", 4), E_AGAIN);
	assert_int_equal(file->ops->poll(file, NULL) & EPOLLOUT, 0);
	type("echo");
	expect_screen("");
	type("\021");
	expect_screen("echo");
	assert_int_equal(fake_write(file, "goes", 4), 4);
	expect_screen("goes");
}

static void test_output(void **state)
{
	(void)state;
	assert_int_equal(fake_write(file, "a\nb\tc\r\n", 7), 7);
	expect_screen("a\r\nb\tc\r\r\n");
	tty.termios.c_oflag |= XTABS;
	assert_int_equal(fake_write(file, "ab\tc\n", 5), 5);
	expect_screen("ab      c\r\n");
	tty.termios.c_oflag = 0;
	assert_int_equal(fake_write(file, "raw\n", 4), 4);
	expect_screen("raw\n");
}

static void test_output_without_room(void **state)
{
	static char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	screen_limit = 500;
	assert_int_equal(fake_write(file, text, sizeof(text)), 500);
	assert_int_equal(fake_write(file, text, 1), E_AGAIN);
	ring_clear(&screen);
	assert_int_equal(fake_write(file, "\n", 1), 1);
	expect_screen("\r\n");
}

static void set_raw(unsigned min, unsigned time)
{
	struct termios2 old = tty.termios;

	tty.termios.c_lflag &= ~(uint32_t)(ICANON | ECHO | ISIG | IEXTEN);
	tty.termios.c_iflag &= ~(uint32_t)(ICRNL | IXON);
	tty.termios.c_cc[VMIN] = (uint8_t)min;
	tty.termios.c_cc[VTIME] = (uint8_t)time;
	ldisc_settings_changed(&tty, &old);
}

static void type_more(void)
{
	type("de");
}

static void time_out(void)
{
	fake_now_ns += 500000000;
	fake_wait_result = WAIT_TIMEOUT;
}

static void test_raw(void **state)
{
	char buf[16];

	(void)state;
	set_raw(1, 0);
	type("\003\r\004");
	expect_screen("");
	expect_read("\003\r\004");
	expect_nothing();
	file->flags &= ~(uint32_t)O_NONBLOCK;
	set_raw(5, 0);
	type("abc");
	assert_int_equal(file->ops->poll(file, NULL) & EPOLLIN, 0); /* fewer than VMIN */
	fake_on_wait = type_more;
	assert_int_equal(fake_read(file, buf, 16), 5);
	assert_memory_equal(buf, "abcde", 5);
	set_raw(0, 0);
	assert_int_equal(fake_read(file, buf, 16), 0);
	set_raw(0, 3);
	fake_on_wait = time_out;
	assert_int_equal(fake_read(file, buf, 16), 0);
	set_raw(5, 3);
	type("ab");
	fake_on_wait = time_out;
	assert_int_equal(fake_read(file, buf, 16), 2);
}

static void test_mode_changes(void **state)
{
	struct termios2 cooked = tty.termios, raw;

	(void)state;
	type("half");
	expect_screen("half");
	set_raw(1, 0);
	expect_read("half");
	type("more");
	raw = tty.termios;
	tty.termios = cooked;
	ldisc_settings_changed(&tty, &raw);
	expect_read("more"); /* counts as a line */
	expect_nothing();
	type("x\n");
	expect_read("x\n");
}

static void test_long_line(void **state)
{
	static char back[5000];
	long n;

	(void)state;
	tty.termios.c_lflag &= ~(uint32_t)ECHO;
	tty.termios.c_iflag |= IMAXBEL;
	for (unsigned i = 0; i < 5000; i++)
		type("x");
	type("\n");
	n = fake_read(file, back, sizeof(back));
	assert_int_equal(n, 4094);
	assert_int_equal(back[n - 1], '\n');
	assert_int_equal(back[n - 2], 'x');
	expect_nothing();
}

/* A raw reader that is slow: input is refused, not lost. */
static void test_back_pressure(void **state)
{
	static uint8_t keys[6000], back[6000];
	size_t sent = 0, got = 0;

	(void)state;
	set_raw(1, 0);
	for (size_t i = 0; i < sizeof(keys); i++)
		keys[i] = (uint8_t)(i % 251);
	sent = ldisc_input(&tty, keys, sizeof(keys));
	assert_true(sent < 4096);
	while (got < sizeof(keys)) {
		got += (size_t)fake_read(file, back + got, 1000);
		sent += ldisc_input(&tty, keys + sent, sizeof(keys) - sent);
	}
	assert_memory_equal(back, keys, sizeof(keys));
}

/* ---- job control ---- */

static struct task parent;

static void in_background(void)
{
	parent = (struct task){ .pid = 9, .sid = 10, .pgid = 9 };
	fake_task.parent = &parent;
	fake_task.tty = &tty;
	tty.session = 10;
	tty.pgrp = 99;
}

static void test_background(void **state)
{
	char c;

	(void)state;
	in_background();
	type("x\n");
	assert_int_equal(fake_read(file, &c, 1), E_RESTARTSYS);
	assert_int_equal(fake_signal, SIGTTIN);
	assert_int_equal(fake_signal_pgrp, 10);
	assert_int_equal(fake_write(file, "x", 1), 1);
	tty.termios.c_lflag |= TOSTOP;
	assert_int_equal(fake_write(file, "x", 1), E_RESTARTSYS);
	assert_int_equal(fake_signal, SIGTTOU);
	fake_task.sighand->action[SIGTTOU - 1].handler = 1;
	assert_int_equal(fake_write(file, "x", 1), 1);
	fake_thread.blocked = SIG_BIT(SIGTTIN);
	assert_int_equal(fake_read(file, &c, 1), E_IO);
	fake_thread.blocked = 0;
	fake_task.parent = NULL; /* orphaned */
	assert_int_equal(fake_read(file, &c, 1), E_IO);
}

static void test_controlling_terminal(void **state)
{
	int pgrp = 0;

	(void)state;
	/* The open made it ours: a session leader without terminal, a terminal without session. */
	assert_ptr_equal(fake_task.tty, &tty);
	assert_int_equal(tty.session, 10);
	assert_int_equal(file->ops->ioctl(file, TIOCGPGRP, (uint64_t)&pgrp), 0);
	assert_int_equal(pgrp, 10);
	pgrp = 5;
	assert_int_equal(file->ops->ioctl(file, TIOCSPGRP, (uint64_t)&pgrp), E_SRCH);
	pgrp = -1;
	assert_int_equal(file->ops->ioctl(file, TIOCSPGRP, (uint64_t)&pgrp), E_INVAL);
	assert_int_equal(file->ops->ioctl(file, TIOCNOTTY, 0), 0);
	assert_null(fake_task.tty);
	assert_int_equal(file->ops->ioctl(file, TIOCGPGRP, (uint64_t)&pgrp), E_NOTTY);
	assert_int_equal(file->ops->ioctl(file, TIOCSCTTY, 0), 0);
	assert_ptr_equal(fake_task.tty, &tty);
}

static void test_window_size(void **state)
{
	struct winsize w = { 24, 80, 0, 0 };

	(void)state;
	assert_int_equal(file->ops->ioctl(file, TIOCSWINSZ, (uint64_t)&w), 0);
	assert_int_equal(fake_signal, SIGWINCH);
	fake_signal = 0;
	assert_int_equal(file->ops->ioctl(file, TIOCSWINSZ, (uint64_t)&w), 0);
	assert_int_equal(fake_signal, 0);
	tty_set_winsize(&tty, 50, 132);
	assert_int_equal(fake_signal, SIGWINCH);
	assert_int_equal(file->ops->ioctl(file, TIOCGWINSZ, (uint64_t)&w), 0);
	assert_int_equal(w.ws_row, 50);
	assert_int_equal(w.ws_col, 132);
}

static void test_settings(void **state)
{
	struct termios t;
	struct termios2 t2;
	int n = 7;

	(void)state;
	assert_int_equal(file->ops->ioctl(file, TCGETS, (uint64_t)&t), 0);
	assert_int_equal(t.c_cc[VINTR], 3);
	t.c_lflag &= ~(uint32_t)ECHO;
	t.c_cflag = (t.c_cflag & ~(uint32_t)CBAUD) | B115200;
	assert_int_equal(file->ops->ioctl(file, TCSETS, (uint64_t)&t), 0);
	assert_int_equal(file->ops->ioctl(file, TCGETS2, (uint64_t)&t2), 0);
	assert_int_equal(t2.c_ospeed, 115200);
	assert_int_equal(t2.c_lflag & ECHO, 0);
	type("typed ahead");
	assert_int_equal(file->ops->ioctl(file, TCSETSF, (uint64_t)&t), 0);
	type("\n");
	expect_read("\n");
	type("abc\nd");
	assert_int_equal(file->ops->ioctl(file, FIONREAD, (uint64_t)&n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(file->ops->ioctl(file, TCFLSH, TCIFLUSH), 0);
	expect_nothing();
	assert_int_equal(file->ops->ioctl(file, TIOCSTI, (uint64_t) "x"), E_IO);
	assert_int_equal(file->ops->ioctl(file, 0x1234, 0), E_NOTTY);
}

static void test_hangup(void **state)
{
	char c;

	(void)state;
	tty_hangup(&tty);
	assert_null(fake_task.tty);
	assert_int_equal(fake_signal, SIGCONT); /* after SIGHUP */
	assert_int_equal(fake_read(file, &c, 1), 0);
	assert_int_equal(fake_write(file, "x", 1), E_IO);
	assert_true(file->ops->poll(file, NULL) & EPOLLHUP);
	assert_int_equal(file->ops->ioctl(file, TCGETS, 0), E_IO);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_lines),       T(test_nothing_before_the_line_ends),
		T(test_end_of_file), T(test_short_reads),
		T(test_signals),     T(test_stop_and_go),
		T(test_output),      T(test_output_without_room),
		T(test_raw),         T(test_mode_changes),
		T(test_long_line),   T(test_back_pressure),
		T(test_background),  T(test_controlling_terminal),
		T(test_window_size), T(test_settings),
		T(test_hangup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
