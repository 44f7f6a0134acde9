/* SPDX-License-Identifier: BSD-2-Clause */
/* Pseudo-terminals: line discipline, modes, job control, window size. */
#include "test/linux/prog/check.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

static void open_pair(void)
{
	MUST(openpty(&master, &slave, NULL, NULL, NULL));
	fcntl(master, F_SETFL, O_NONBLOCK);
}

/* What can be read now, with control characters made visible. */
static void say_read(const char *name, int fd)
{
	char buf[512], out[1024];
	ssize_t n;
	size_t len = 0;
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	n = read(fd, buf, sizeof(buf));
	fcntl(fd, F_SETFL, flags);
	if (n < 0) {
		say("%s: %s", name, error_name(errno));
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)buf[i];

		if (c < 32 || c == 127)
			len += (size_t)sprintf(out + len, "^%c", c ^ 64);
		else
			out[len++] = (char)c;
	}
	out[len] = 0;
	say("%s: %zd \"%s\"", name, n, out);
}

static void type(const char *keys)
{
	MUST(write(master, keys, strlen(keys)));
}

static void set_flags(tcflag_t in_set, tcflag_t in_clear, tcflag_t local_set, tcflag_t local_clear)
{
	struct termios t;

	MUST(tcgetattr(slave, &t));
	t.c_iflag = (t.c_iflag | in_set) & ~in_clear;
	t.c_lflag = (t.c_lflag | local_set) & ~local_clear;
	MUST(tcsetattr(slave, TCSANOW, &t));
}

static void attributes(void)
{
	struct termios t;
	struct winsize ws = { 24, 80, 0, 0 };
	char name[64];
	int n;

	open_pair();
	RET("tcgetattr", tcgetattr(slave, &t));
	say("modes %#o %#o %#o %#o", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
	say("characters %d %d %d %d %d %d %d %d %d %d", t.c_cc[VINTR], t.c_cc[VQUIT],
	    t.c_cc[VERASE], t.c_cc[VKILL], t.c_cc[VEOF], t.c_cc[VMIN], t.c_cc[VTIME], t.c_cc[VSUSP],
	    t.c_cc[VWERASE], t.c_cc[VLNEXT]);
	RET("isatty of the slave", isatty(slave));
	RET("isatty of the master", isatty(master));
	RET("isatty of a pipe", isatty(event_new().fd[0]));
	RET("ptsname", ptsname_r(master, name, sizeof(name)));
	YES("below /dev/pts", strncmp(name, "/dev/pts/", 9) == 0);
	RES("opened by name", open(name, O_RDWR | O_NOCTTY));
	RET("TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &ws));
	say("%d %d", ws.ws_row, ws.ws_col);
	ws = (struct winsize){ 50, 132, 1, 2 };
	RET("TIOCSWINSZ", ioctl(master, TIOCSWINSZ, &ws));
	memset(&ws, 0, sizeof(ws));
	RET("TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &ws));
	say("%d %d %d %d", ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel);
	RET("tcflush", tcflush(slave, TCIOFLUSH));
	RET("tcflush nonsense", tcflush(slave, 9));
	RET("tcdrain", tcdrain(slave));
	RET("tcsendbreak", tcsendbreak(slave, 0));
	RET("lseek", lseek(slave, 0, SEEK_SET));
	RET("pread", pread(slave, name, 1, 0));
	RET("unknown ioctl", ioctl(slave, 0x12345678, 0));
	RET("FIONREAD", ({
		    ioctl(slave, FIONREAD, &n);
		    n;
	    }));
	cfmakeraw(&t);
	RET("raw", tcsetattr(slave, TCSADRAIN, &t));
	tcgetattr(slave, &t);
	say("modes %#o %#o %#o %#o", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
	say("speed %d", (int)cfgetospeed(&t));
}

static void lines(void)
{
	int n;
	char buf[5];

	open_pair();
	say_read("nothing", slave);
	type("abc");
	say_read("no line yet", slave);
	say_read("echo", master);
	type("d\n");
	poll(&(struct pollfd){ .fd = slave, .events = POLLIN }, 1, 1000);
	ioctl(slave, FIONREAD, &n);
	VAL("FIONREAD", n);
	say_read("line", slave);
	say_read("echo of the end", master);
	type("ab\x7f\x7f\x7f"
	     "c\r");
	say_read("erased", slave);
	say_read("echo", master);
	type("one two\x17three\n");
	say_read("word erased", slave);
	say_read("echo", master);
	type("abc\x15xyz\n");
	say_read("line killed", slave);
	say_read("echo", master);
	type("first\nsecond\n");
	MUST(read(slave, buf, 3));
	say_read("rest of the first line", slave);
	say_read("second line", slave);
	say_read("echo", master);
	type("half\x04");
	say_read("end of file behind some", slave);
	type("\x04");
	say_read("end of file", slave);
	say_read("echo", master);
	type("\x16\x03\x16\x04\n");
	say_read("quoted", slave);
	say_read("echo", master);
	type("a\x01\x1b"
	     "b\n");
	say_read("control characters", slave);
	say_read("echo", master);
	set_flags(0, 0, 0, ECHO);
	type("secret\n");
	say_read("line", slave);
	say_read("no echo", master);
	set_flags(0, 0, ECHONL, 0);
	type("x\n");
	say_read("line", slave);
	say_read("ECHONL", master);
	set_flags(0, ICRNL, ECHO, ECHONL);
	type("a\rb\n");
	say_read("no ICRNL", slave);
	say_read("echo", master);
	set_flags(IUCLC, 0, IEXTEN, 0);
	type("ABC\n");
	say_read("IUCLC", slave);
	say_read("echo", master);
	/* Many bytes without a line's end: the last of them are dropped, the line still ends. */
	char longer[5000];
	memset(longer, 'x', sizeof(longer));
	set_flags(0, IUCLC, 0, ECHO);
	VAL("5000 bytes are taken", write(master, longer, sizeof(longer)) > 4000);
	type("\n");
	n = 0;
	poll(&(struct pollfd){ .fd = slave, .events = POLLIN }, 1, 1000);
	ioctl(slave, FIONREAD, &n);
	YES("line of about 4096", n > 4090 && n <= 4096);
}

static void raw(void)
{
	struct termios t;
	struct pollfd p;
	int64_t begin;
	char c;

	open_pair();
	tcgetattr(slave, &t);
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	type("a\x03\x04\r");
	say_read("bytes as they are", slave);
	say_read("no echo", master);
	MUST(write(slave, "x\ny", 3));
	say_read("output as it is", master);
	t.c_cc[VMIN] = 3;
	tcsetattr(slave, TCSANOW, &t);
	pid_t me = getpid();
	type("1");
	pid_t pid = START({
		wait_state(me, 'S');
		type("23");
	});
	char three[4] = "";
	RET("VMIN 3", read(slave, three, 3));
	STR("read", three);
	wait_for(pid);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	tcsetattr(slave, TCSANOW, &t);
	RET("VMIN 0, VTIME 0", read(slave, &c, 1));
	t.c_cc[VTIME] = 1;
	tcsetattr(slave, TCSANOW, &t);
	begin = now_ns(CLOCK_MONOTONIC);
	RET("VTIME 1", read(slave, &c, 1));
	YES("waited", now_ns(CLOCK_MONOTONIC) - begin >= 90000000);
	p = (struct pollfd){ .fd = slave, .events = POLLIN | POLLOUT };
	RET("poll", poll(&p, 1, 0));
	HEX("events", p.revents);
	type("z");
	RET("poll", poll(&p, 1, 0));
	HEX("events", p.revents);
	/* Output processing. */
	say_read("rest", slave);
	t.c_oflag |= OPOST | ONLCR;
	tcsetattr(slave, TCSANOW, &t);
	MUST(write(slave, "a\nb", 3));
	say_read("ONLCR", master);
	t.c_oflag |= OCRNL;
	tcsetattr(slave, TCSANOW, &t);
	MUST(write(slave, "c\rd", 3));
	say_read("OCRNL", master);
}

static void ends(void)
{
	struct pollfd p;
	char c;
	char name[64];

	open_pair();
	MUST(ptsname_r(master, name, sizeof(name)));
	MUST(write(slave, "last words", 10));
	close(slave);
	say_read("master after the slave's end", master);
	RET("then", read(master, &c, 1));
	p = (struct pollfd){ .fd = master, .events = POLLIN };
	RET("poll", poll(&p, 1, 0));
	HEX("events", p.revents);
	slave = MUST(open(name, O_RDWR | O_NOCTTY));
	RET("opened anew", write(slave, "x", 1));
	say_read("master", master);
	type("typed\n");
	close(master);
	RET("slave after the master's end", read(slave, &c, 1));
	RET("write", write(slave, "x", 1));
	p = (struct pollfd){ .fd = slave, .events = POLLIN };
	RET("poll", poll(&p, 1, 0));
	HEX("events", p.revents);
	YES("cannot be opened any more", open(name, O_RDWR | O_NOCTTY) == -1);
	/* A locked slave cannot be opened. */
	int m = MUST(open("/dev/ptmx", O_RDWR | O_NOCTTY)), lock = 1;
	MUST(ptsname_r(m, name, sizeof(name)));
	RES("locked", open(name, O_RDWR | O_NOCTTY));
	lock = 0;
	RET("TIOCSPTLCK", ioctl(m, TIOCSPTLCK, &lock));
	RES("unlocked", open(name, O_RDWR | O_NOCTTY));
	RET("TIOCGPTN", ioctl(m, TIOCGPTN, &lock));
	RES("TIOCGPTPEER", ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}

static volatile int winches, last_signal;

static void on_signal(int sig)
{
	last_signal = sig;
	winches += sig == SIGWINCH;
}

/* A session with this terminal; the child is its leader. */
static void jobs(void)
{
	pid_t pid;
	int st;

	open_pair();
	st = CHILD({
		setsid();
		RET("tcgetpgrp before", tcgetpgrp(slave));
		RET("TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
		RET("tcgetpgrp", tcgetpgrp(slave) == getpid());
		RET("tcgetsid", tcgetsid(slave) == getpid());
		RES("/dev/tty", open("/dev/tty", O_RDWR));
		signal(SIGWINCH, on_signal);
		struct winsize ws = { 10, 20, 0, 0 };
		ioctl(master, TIOCSWINSZ, &ws);
		VAL("SIGWINCH", winches);
		ioctl(master, TIOCSWINSZ, &ws);
		VAL("not for the same size", winches);
		/*
		 * Keys as signals to the foreground group. They would flush what is on the way,
		 * too.
		 */
		set_flags(0, 0, NOFLSH, 0);
		static const struct {
			const char *name, *key;
		} keys[] = { { "^C", "\x03" }, { "^\\", "\x1c" }, { "^Z", "\x1a" } };
		for (size_t i = 0; i < 3; i++) {
			pid = START({
				setpgid(0, 0);
				for (;;)
					pause();
			});
			setpgid(pid, pid);
			RET("tcsetpgrp", tcsetpgrp(slave, pid));
			type(keys[i].key);
			waitpid(pid, &st, WUNTRACED);
			say_status(keys[i].name, st);
			if (WIFSTOPPED(st)) {
				kill(pid, SIGKILL);
				wait_for(pid);
			}
			signal(SIGTTOU, SIG_IGN);
			tcsetpgrp(slave, getpid());
			signal(SIGTTOU, SIG_DFL);
		}
		say_read("echo", master);
		/* Background processes. */
		pid = START({
			char c[2];

			setpgid(0, 0);
			MUST(read(slave, c, 2));
			_exit(c[0]);
		});
		setpgid(pid, pid);
		waitpid(pid, &st, WUNTRACED);
		say_status("background read", st);
		type("Q\n");
		tcsetpgrp(slave, pid);
		kill(pid, SIGCONT);
		waitpid(pid, &st, WUNTRACED);
		say_status("in the foreground", st);
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(slave, getpid());
		signal(SIGTTOU, SIG_DFL);
		pid = START({
			char c;

			setpgid(0, 0);
			signal(SIGTTIN, SIG_IGN);
			RET("background read with SIGTTIN ignored", read(slave, &c, 1));
			RET("background write without TOSTOP", write(slave, "w", 1));
			RET("background tcsetpgrp", ({
				    signal(SIGTTOU, SIG_IGN);
				    tcsetpgrp(slave, getpid());
			    }));
		});
		say_status("child", wait_for(pid));
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(slave, getpid());
		signal(SIGTTOU, SIG_DFL);
		set_flags(0, 0, TOSTOP, 0);
		pid = START({
			setpgid(0, 0);
			MUST(write(slave, "tostop", 6));
		});
		setpgid(pid, pid);
		waitpid(pid, &st, WUNTRACED);
		say_status("background write with TOSTOP", st);
		kill(pid, SIGKILL);
		wait_for(pid);
		pid = START({
			setpgid(0, 0);
			tcsetpgrp(slave, getpid());
		});
		setpgid(pid, pid);
		waitpid(pid, &st, WUNTRACED);
		say_status("background tcsetpgrp", st);
		kill(pid, SIGKILL);
		wait_for(pid);
		RET("tcsetpgrp to another session's group", tcsetpgrp(slave, getpgid(getppid())));
		RET("tcsetpgrp to nobody", tcsetpgrp(slave, 0x3ffffff));
		RET("tcsetpgrp negative", tcsetpgrp(slave, -1));
		/* Keys do nothing without ISIG. */
		set_flags(0, 0, 0, ISIG | TOSTOP);
		type("\x03\n");
		say_read("^C without ISIG", slave);
		set_flags(0, 0, ISIG, 0);
	});
	say_status("leader", st);
	/* The end of the leader: who is in the foreground gets SIGHUP. */
	struct event ready = event_new(), got = event_new();
	close(slave);
	close(master);
	open_pair();
	st = CHILD({
		setsid();
		MUST(ioctl(slave, TIOCSCTTY, 0));
		START({
			signal(SIGHUP, on_signal);
			event_set(&ready);
			while (last_signal == 0)
				pause();
			say("child got %s", signal_name(last_signal));
			say_read("the terminal is not hung up", slave);
			RES("/dev/tty", open("/dev/tty", O_RDWR));
			event_set(&got);
		});
		event_wait(&ready);
	});
	event_wait(&got);
	say_status("leader ends", st);
	/* The master's end hangs up the session. */
	close(slave);
	close(master);
	open_pair();
	pid = START({
		setsid();
		MUST(ioctl(slave, TIOCSCTTY, 0));
		close(master);
		event_set(&ready);
		for (;;)
			pause();
	});
	event_wait(&ready);
	close(master);
	say_status("hung up", wait_for(pid));
	open_pair();
	say_status("TIOCNOTTY", CHILD({
			   setsid();
			   ioctl(slave, TIOCSCTTY, 0);
			   signal(SIGHUP, SIG_IGN);
			   RET("TIOCNOTTY", ioctl(slave, TIOCNOTTY));
			   RES("/dev/tty", open("/dev/tty", O_RDWR));
			   RET("TIOCNOTTY again", ioctl(slave, TIOCNOTTY));
		   }));
}

static const struct section sections[] = { { "attributes", attributes },
					   { "lines", lines },
					   { "raw", raw },
					   { "ends", ends },
					   { "jobs", jobs } };

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
