/* SPDX-License-Identifier: BSD-2-Clause */
/* Pseudo-terminals, line discipline and job control, as a terminal emulator and a shell use them.
 */
#include "test/linux/prog/check.h"
#include <pty.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int m, s;

static void open_pair(void)
{
	m = (int)MUST(posix_openpt(O_RDWR | O_NOCTTY));
	MUST(grantpt(m));
	MUST(unlockpt(m));
	s = (int)MUST(open(ptsname(m), O_RDWR | O_NOCTTY));
}

static void show(const char *what, const char *text, ssize_t n)
{
	char out[512];
	size_t k = 0;

	if (n < 0) {
		say("%s: %s", what, error_name(errno));
		return;
	}
	for (ssize_t i = 0; i < n && k < sizeof(out) - 5; i++)
		k += (size_t)snprintf(out + k, sizeof(out) - k,
				      text[i] < 32 || text[i] > 126 ? "\\%03o" : "%c",
				      (unsigned char)text[i]);
	out[k] = 0;
	say("%s: %zd \"%s\"", what, n, out);
}

static void get(const char *what, int fd)
{
	char buf[256];

	show(what, buf, read(fd, buf, sizeof(buf)));
}

/* Keys, what the screen shows (so many bytes), what the program reads. */
static void keys(const char *text, size_t shown)
{
	char buf[256];
	size_t n = 0;
	ssize_t k;

	MUST(write(m, text, strlen(text)));
	/* Linux may send an echo in pieces. */
	while (n < shown && (k = read(m, buf + n, sizeof(buf) - n)) > 0)
		n += (size_t)k;
	show("screen", buf, (ssize_t)n);
	get("program", s);
}

static void lines(void)
{
	open_pair();
	keys("hello\n", 7);
	keys("hello\r", 7);
	keys("helx\177lo\n", 11);
	keys("wrong\025right\n", 27);
	keys("two words\027one\n", 29);
	keys("ctrl \001 and \026\003 and tab\tx\n", 28);
	keys("tab\t\177\177x\n", 15);
	keys("no newline\004", 10);
	write(m, "\004", 1);
	get("end of file", s);
	keys("\n", 2);
	write(s, "out\nput\ttab\r\n", 13);
	get("output", m);
}

static void modes(void)
{
	struct termios t;
	int n;

	open_pair();
	MUST(tcgetattr(s, &t));
	HEX("iflag", t.c_iflag);
	HEX("oflag", t.c_oflag);
	HEX("cflag", t.c_cflag);
	HEX("lflag", t.c_lflag);
	for (int i = 0; i < 17; i++)
		VAL("cc", t.c_cc[i]);
	cfmakeraw(&t);
	RET("raw", tcsetattr(s, TCSANOW, &t));
	write(m, "raw\r\003\n", 6);
	get("program", s);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	RET("poll mode", tcsetattr(s, TCSANOW, &t));
	get("nothing", s);
	t.c_cc[VTIME] = 1;
	RET("with time", tcsetattr(s, TCSADRAIN, &t));
	get("nothing", s);
	write(m, "abc", 3);
	MUST(poll(&(struct pollfd){ s, POLLIN, 0 }, 1, -1));
	MUST(ioctl(s, FIONREAD, &n));
	VAL("queued", n);
	RET("flush", tcflush(s, TCIFLUSH));
	MUST(ioctl(s, FIONREAD, &n));
	VAL("queued", n);
	write(s, "x\n", 2);
	get("raw output", m);
	MUST(tcgetattr(m, &t));
	HEX("lflag by the master", t.c_lflag);
	VAL("speed", cfgetospeed(&t));
}

static void sizes(void)
{
	struct winsize w = { 30, 90, 0, 0 };

	open_pair();
	RET("set", ioctl(m, TIOCSWINSZ, &w));
	memset(&w, 0, sizeof(w));
	RET("get", ioctl(s, TIOCGWINSZ, &w));
	VAL("rows", w.ws_row);
	VAL("columns", w.ws_col);
	RET("not a terminal", ioctl(open("/dev/null", O_RDONLY), TIOCGWINSZ, &w));
	VAL("isatty", isatty(s));
	VAL("isatty", isatty(m));
	RET("TIOCSTI", ioctl(s, TIOCGPTN, &w));
}

static void wait_screen(const char *what)
{
	char buf[256];
	size_t n = 0;

	while (memmem(buf, n, what, strlen(what)) == NULL) {
		ssize_t k = read(m, buf + n, sizeof(buf) - n);

		if (k <= 0)
			return;
		n += (size_t)k;
	}
}

static void waiting(void)
{
	struct pollfd p[2];
	struct epoll_event ev = { .events = EPOLLIN | EPOLLHUP };
	int ep = (int)MUST(epoll_create1(0));

	open_pair();
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, m, &ev));
	p[0] = (struct pollfd){ m, POLLIN | POLLOUT, 0 };
	p[1] = (struct pollfd){ s, POLLIN | POLLOUT, 0 };
	RET("poll", poll(p, 2, 0));
	HEX("master", p[0].revents);
	HEX("slave", p[1].revents);
	write(m, "half a line", 11);
	wait_screen("half a line");
	RET("poll", poll(p, 2, 0));
	HEX("slave", p[1].revents);
	write(m, "\n", 1);
	MUST(poll(&(struct pollfd){ m, POLLIN, 0 }, 1, -1));
	RET("poll", poll(p, 2, 0));
	HEX("master", p[0].revents);
	HEX("slave", p[1].revents);
	RET("epoll", epoll_wait(ep, &ev, 1, 0));
	get("screen", m);
	RET("epoll", epoll_wait(ep, &ev, 1, 0));
	close(s);
	RET("epoll", epoll_wait(ep, &ev, 1, 0));
	HEX("events", ev.events);
	get("slave closed", m);
	s = (int)MUST(open(ptsname(m), O_RDWR | O_NOCTTY));
	fcntl(m, F_SETFL, O_NONBLOCK);
	get("slave again", m);
	close(m);
	get("master closed", s);
	RET("write", write(s, "x", 1));
	RET("poll", poll(p + 1, 1, 0));
	HEX("slave", p[1].revents);
	RET("ioctl", tcgetpgrp(s));
}

static void on_signal(int sig)
{
	say("got %s", signal_name(sig));
}

/* Without restart: the read ends. */
static void catch (int sig)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(sig, &sa, NULL);
}

/* The child is a session leader on the slave, as under a terminal emulator. */
static void session_child(void (*run)(void))
{
	MUST(setsid());
	MUST(ioctl(s, TIOCSCTTY, 0));
	close(m);
	run();
	_exit(0);
}

static void child_signals(void)
{
	char c;

	catch (SIGINT);
	catch (SIGQUIT);
	catch (SIGWINCH);
	VAL("group is ours", tcgetpgrp(s) == getpgrp());
	VAL("session is ours", tcgetsid(s) == getsid(0));
	RET("/dev/tty", open("/dev/tty", O_RDWR) >= 0);
	write(s, "ready", 5);
	RET("read", read(s, &c, 1));
	write(s, "again", 5);
	RET("read", read(s, &c, 1));
	write(s, "again", 5);
	RET("read", read(s, &c, 1));
	catch (SIGHUP);
	write(s, "last", 4);
	read(s, &c, 1);
	RET("/dev/tty", open("/dev/tty", O_RDWR));
}

static void signals(void)
{
	struct winsize w = { 10, 20, 0, 0 };
	pid_t pid;

	open_pair();
	pid = START(session_child(child_signals));
	close(s);
	wait_screen("ready");
	wait_state(pid, 'S');
	write(m, "\003", 1);
	wait_screen("again");
	wait_state(pid, 'S');
	write(m, "\034", 1);
	wait_screen("again");
	wait_state(pid, 'S');
	ioctl(m, TIOCSWINSZ, &w);
	wait_screen("last");
	wait_state(pid, 'S');
	close(m);
	say_status("child", wait_for(pid));
}

/* A job in the background may not read; put in front it may. */
static void child_jobs(void)
{
	pid_t job;
	char c;
	int st;

	signal(SIGTTOU, SIG_IGN);
	job = (pid_t)MUST(fork());
	if (job == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		_exit(read(s, &c, 1) == 1 ? c : 99);
	}
	setpgid(job, job);
	MUST(waitpid(job, &st, WUNTRACED));
	say_status("in the background", st);
	RET("to the front", tcsetpgrp(s, job));
	kill(-job, SIGCONT);
	write(s, "go", 2);
	MUST(waitpid(job, &st, 0));
	say_status("in front", st);
	RET("back", tcsetpgrp(s, getpgrp()));
	RET("no such group", tcsetpgrp(s, 30000));
	job = (pid_t)MUST(fork());
	if (job == 0) {
		struct termios t;

		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		tcgetattr(s, &t);
		_exit(tcsetattr(s, TCSANOW, &t) == 0 ? 0 : 98);
	}
	MUST(waitpid(job, &st, WUNTRACED));
	say_status("changes the terminal", st);
	kill(job, SIGKILL);
	MUST(waitpid(job, &st, 0));
	say_status("killed", st);
	job = (pid_t)MUST(fork());
	if (job == 0) {
		setpgid(0, 0);
		pause();
	}
	setpgid(job, job);
	RET("to the front", tcsetpgrp(s, job));
	write(s, "stop", 4);
	MUST(waitpid(job, &st, WUNTRACED));
	say_status("^Z", st);
	kill(job, SIGKILL);
	waitpid(job, &st, 0);
}

static void jobs(void)
{
	pid_t pid;

	open_pair();
	pid = START(session_child(child_jobs));
	close(s);
	wait_screen("go");
	write(m, "7\n", 2);
	wait_screen("stop");
	write(m, "\032", 1);
	say_status("shell", wait_for(pid));
}

/* Without O_NOCTTY the first terminal that a session leader opens becomes its own. */
static void controlling(void)
{
	m = (int)MUST(posix_openpt(O_RDWR | O_NOCTTY));
	RET("locked", open(ptsname(m), O_RDWR));
	MUST(unlockpt(m));
	say_status("leader", CHILD(setsid(); RET("none yet", open("/dev/tty", O_RDWR));
				   s = (int)MUST(open(ptsname(m), O_RDWR | O_NOCTTY));
				   RET("none yet", open("/dev/tty", O_RDWR)); close(s);
				   s = (int)MUST(open(ptsname(m), O_RDWR));
				   YES("one", open("/dev/tty", O_RDWR) >= 0);
				   RET("give it up", ioctl(s, TIOCNOTTY)); signal(SIGHUP, SIG_IGN);
				   RET("none again", open("/dev/tty", O_RDWR))));
}

static void packets(void)
{
	int on = 1;

	open_pair();
	RET("packet mode", ioctl(m, TIOCPKT, &on));
	write(s, "data", 4);
	get("data", m);
	MUST(tcflush(s, TCIFLUSH));
	get("flush", m);
	MUST(tcflow(s, TCOOFF));
	get("stop", m);
	MUST(tcflow(s, TCOON));
	get("start", m);
}

static void stopping(void)
{
	pid_t pid;

	open_pair();
	MUST(tcflow(s, TCOOFF));
	fcntl(s, F_SETFL, O_NONBLOCK);
	RET("held", write(s, "x", 1));
	fcntl(s, F_SETFL, 0);
	pid = START(RET("goes on", write(s, "y", 1)));
	wait_state(pid, 'S');
	MUST(tcflow(s, TCOON));
	wait_for(pid);
	get("screen", m);
}

/* More than any buffer holds, both ways. */
static void bulk(void)
{
	static char out[100000], in[100000];
	struct termios t;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	open_pair();
	MUST(tcgetattr(s, &t));
	cfmakeraw(&t);
	MUST(tcsetattr(s, TCSANOW, &t));
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 11 + i / 253);
	pid = START(close(m); VAL("written", write(s, out, sizeof(out))); read(s, in, 1));
	while (got < sizeof(in) && (n = read(m, in + got, sizeof(in) - got)) > 0)
		got += (size_t)n;
	write(m, "x", 1);
	wait_for(pid);
	YES("out", got == sizeof(in) && memcmp(in, out, sizeof(in)) == 0);
	pid = START(close(s); VAL("typed", write(m, out, sizeof(out))));
	memset(in, 0, sizeof(in));
	for (got = 0; got < sizeof(in) && (n = read(s, in + got, sizeof(in) - got)) > 0;
	     got += (size_t)n)
		;
	wait_for(pid);
	YES("in", got == sizeof(in) && memcmp(in, out, sizeof(in)) == 0);
}

static const struct section sections[] = {
	{ "lines", lines },
	{ "modes", modes },
	{ "sizes", sizes },
	{ "waiting", waiting },
	{ "signals", signals },
	{ "jobs", jobs },
	{ "controlling", controlling },
	{ "packets", packets },
	{ "stopping", stopping },
	{ "bulk", bulk },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
