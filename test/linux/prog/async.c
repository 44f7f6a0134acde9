/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals about open files: O_ASYNC with its owners and signals, and F_NOTIFY. */
#include "test/linux/prog/check.h"
#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SIG (SIGRTMIN + 3)

static sigset_t both;

static void block(void)
{
	sigemptyset(&both);
	sigaddset(&both, SIG);
	sigaddset(&both, SIGIO);
	MUST(sigprocmask(SIG_BLOCK, &both, NULL));
}

/* What came, until nothing comes any more; equal ones in a row count once. */
static void signals(const char *what)
{
	struct timespec soon = { 0, 0 };
	siginfo_t i;
	int code = -1;
	char line[200];
	size_t n = 0;

	line[0] = 0;
	while (sigtimedwait(&both, &i, &soon) > 0) {
		if (i.si_signo == SIGIO)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " SIGIO code %d",
					      i.si_code);
		else if (i.si_code != code)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " code %d band %#lx",
					      i.si_code, i.si_band);
		code = i.si_code;
	}
	say("%s:%s", what, line[0] != 0 ? line : " nothing");
}

/* As above, for the one descriptor that they are to name. */
static void signal_fd(const char *what, int fd)
{
	struct timespec soon = { 5, 0 };
	siginfo_t i;

	RET(what, sigtimedwait(&both, &i, &soon) > 0);
	VAL("code", i.si_code);
	YES("descriptor", i.si_fd == fd);
	signals("and");
}

static void arm(int fd)
{
	MUST(fcntl(fd, F_SETOWN, getpid()));
	MUST(fcntl(fd, F_SETSIG, SIG));
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static void owners(void)
{
	struct f_owner_ex ex = { F_OWNER_TID, 0 };
	int p[2], n = -1;
	pid_t child;

	MUST(pipe(p));
	RET("nobody", fcntl(p[0], F_GETOWN));
	RET("get ex", fcntl(p[0], F_GETOWN_EX, &ex));
	VAL("type", ex.type);
	VAL("pid", ex.pid);
	RET("me", fcntl(p[0], F_SETOWN, getpid()));
	YES("is me", fcntl(p[0], F_GETOWN) == getpid());
	RET("get ex", fcntl(p[0], F_GETOWN_EX, &ex));
	VAL("type", ex.type);
	RET("my group", fcntl(p[0], F_SETOWN, -getpgrp()));
	RET("get ex", fcntl(p[0], F_GETOWN_EX, &ex));
	VAL("type", ex.type);
	YES("is my group", ex.pid == getpgrp());
	RET("none such", fcntl(p[0], F_SETOWN, 0x3ffffffe));
	RET("no such group", fcntl(p[0], F_SETOWN, -0x3ffffffe));
	RET("least", fcntl(p[0], F_SETOWN, INT_MIN));
	ex = (struct f_owner_ex){ F_OWNER_TID, gettid() };
	RET("this thread", fcntl(p[0], F_SETOWN_EX, &ex));
	ex = (struct f_owner_ex){ 7, gettid() };
	RET("wrong type", fcntl(p[0], F_SETOWN_EX, &ex));
	RET("fault", fcntl(p[0], F_SETOWN_EX, 8));
	RET("nobody again", fcntl(p[0], F_SETOWN, 0));
	RET("nobody", fcntl(p[0], F_GETOWN));
	child = START(pause());
	RET("child", fcntl(p[0], F_SETOWN, child));
	YES("is child", fcntl(p[0], F_GETOWN) == child);
	kill(child, SIGKILL);
	wait_for(child);
	RET("gone", fcntl(p[0], F_GETOWN));
	RET("signal", fcntl(p[0], F_GETSIG));
	RET("set", fcntl(p[0], F_SETSIG, SIGUSR1));
	RET("signal", fcntl(p[0], F_GETSIG));
	RET("wrong", fcntl(p[0], F_SETSIG, 65));
	RET("negative", fcntl(p[0], F_SETSIG, -1));
	RET("back", fcntl(p[0], F_SETSIG, 0));
	RET("signal", fcntl(p[0], F_GETSIG));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	n = getpid();
	RET("FIOSETOWN", ioctl(p[0], FIOSETOWN, &n));
	RET("FIOGETOWN", ioctl(p[0], FIOGETOWN, &n));
	YES("me", n == getpid());
	n = 0x3ffffffe;
	RET("SIOCSPGRP", ioctl(p[0], SIOCSPGRP, &n));
}

static void flags(void)
{
	int p[2], on = 1, off = 0, file = (int)MUST(open("f", O_RDWR | O_CREAT, 0600));
	int dir = (int)MUST(open(".", O_RDONLY | O_DIRECTORY));

	MUST(pipe(p));
	RET("file", fcntl(file, F_SETFL, O_ASYNC));
	VAL("has it", (fcntl(file, F_GETFL) & O_ASYNC) != 0);
	RET("file, ioctl", ioctl(file, FIOASYNC, &on));
	RET("file, off", ioctl(file, FIOASYNC, &off));
	RET("directory, ioctl", ioctl(dir, FIOASYNC, &on));
	RET("pipe", ioctl(p[0], FIOASYNC, &on));
	VAL("has it", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
	RET("again", ioctl(p[0], FIOASYNC, &on));
	RET("off", fcntl(p[0], F_SETFL, 0));
	VAL("has it", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
	RET("fault", ioctl(p[0], FIOASYNC, 8));
	file = (int)MUST(open("f", O_RDWR | O_ASYNC));
	VAL("opened with it", (fcntl(file, F_GETFL) & O_ASYNC) != 0);
}

static void pipes(void)
{
	char big[65536] = { 0 };
	int p[2];

	block();
	MUST(pipe2(p, O_NONBLOCK));
	arm(p[0]);
	signals("at first");
	MUST(write(p[1], "x", 1));
	signal_fd("written", p[0]);
	MUST(write(p[1], "x", 1));
	signals("written again");
	MUST(fcntl(p[0], F_SETFL, O_NONBLOCK));
	MUST(write(p[1], "x", 1));
	signals("switched off");
	MUST(fcntl(p[0], F_SETFL, O_NONBLOCK | O_ASYNC));
	MUST(fcntl(p[0], F_SETSIG, 0));
	MUST(write(p[1], "x", 1));
	signals("no signal chosen");
	MUST(fcntl(p[0], F_SETSIG, SIG));
	close(p[1]);
	signals("closed");
	close(p[0]);

	MUST(pipe2(p, O_NONBLOCK));
	MUST(write(p[1], big, sizeof(big)));
	arm(p[1]);
	signals("full");
	MUST(read(p[0], big, sizeof(big)));
	signals("room");
	close(p[0]);
	signals("no reader");
}

static void sockets(void)
{
	char big[65536] = { 0 };
	int s[2];

	block();
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	arm(s[0]);
	signals("at first");
	MUST(write(s[1], "x", 1));
	signal_fd("data", s[0]);
	MUST(read(s[0], big, 1));
	signals("read");
	while (write(s[0], big, sizeof(big)) > 0)
		;
	signals("full");
	while (read(s[1], big, sizeof(big)) > 0)
		;
	signals("room");
	MUST(write(s[0], "x", 1));
	MUST(read(s[1], big, 1));
	signals("no need of room");
	close(s[1]);
	signals("closed");
	close(s[0]);
	MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
	arm(s[0]);
	MUST(write(s[1], "x", 1));
	signal_fd("datagram", s[0]);
}

static void tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int l = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), c, s;

	block();
	MUST(bind(l, (struct sockaddr *)&a, len));
	MUST(getsockname(l, (struct sockaddr *)&a, &len));
	MUST(listen(l, 5));
	arm(l);
	c = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(c, (struct sockaddr *)&a, len));
	signal_fd("connection", l);
	s = (int)MUST(accept(l, NULL, NULL));
	arm(s);
	signals("at first");
	MUST(write(c, "x", 1));
	signal_fd("data", s);
	s = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	a.sin_port = 0;
	MUST(bind(s, (struct sockaddr *)&a, len));
	MUST(getsockname(s, (struct sockaddr *)&a, &len));
	arm(s);
	c = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(sendto(c, "x", 1, 0, (struct sockaddr *)&a, len));
	signal_fd("datagram", s);
}

static void others(void)
{
	int master, slave, n;

	block();
	MUST(openpty(&master, &slave, NULL, NULL, NULL));
	arm(slave);
	MUST(write(master, "line\n", 5));
	signal_fd("a line for the terminal", slave);
	n = (int)MUST(inotify_init1(IN_NONBLOCK));
	MUST(inotify_add_watch(n, ".", IN_CREATE));
	arm(n);
	put_file("f", "", 0600);
	signal_fd("inotify", n);
}

static volatile sig_atomic_t got;

static void count(int sig UNUSED)
{
	got++;
}

static void *wait_here(void *arg)
{
	struct event *e = arg;
	struct f_owner_ex ex = { F_OWNER_TID, gettid() };
	siginfo_t i;

	MUST(fcntl(e[1].fd[0], F_SETOWN_EX, &ex));
	event_set(&e[0]);
	RET("thread", sigwaitinfo(&both, &i) == SIG);
	return NULL;
}

static void whom(void)
{
	struct event e[2] = { event_new(), event_new() }, ready = event_new();
	struct timespec soon = { 0, 0 };
	pthread_t t;
	pid_t child;
	siginfo_t i;
	sigset_t none;

	sigemptyset(&none);
	block();
	arm(e[1].fd[0]);
	pthread_create(&t, NULL, wait_here, e);
	event_wait(&e[0]);
	event_set(&e[1]);
	pthread_join(t, NULL);
	signals("this one");
	/* The whole group; the child's action is a handler, ours is to take it. */
	MUST(setpgid(0, 0));
	child = START(signal(SIG, count); event_set(&ready); while (!got) sigsuspend(&none);
		      _exit(3));
	event_wait(&ready);
	MUST(fcntl(e[1].fd[0], F_SETOWN, -getpgrp()));
	event_set(&e[1]);
	say_status("child", wait_for(child));
	RET("this one", sigtimedwait(&both, &i, &soon) == SIG);
	/* Without a handler it ends a process. */
	say_status("ended", CHILD(MUST(fcntl(e[1].fd[0], F_SETOWN, getpid()));
				  MUST(fcntl(e[1].fd[0], F_SETSIG, 0));
				  sigprocmask(SIG_UNBLOCK, &both, NULL); event_set(&e[1])));
}

/* The user who set the owner must be one who may signal it. */
static void permission(void)
{
	struct event e = event_new();
	pid_t child;
	int st;

	block();
	child = START(MUST(fcntl(e.fd[0], F_SETSIG, SIG)); MUST(fcntl(e.fd[0], F_SETFL, O_ASYNC));
		      MUST(setresuid(1234, 1234, 1234)); MUST(fcntl(e.fd[0], F_SETOWN, getppid())));
	wait_for(child);
	YES("owner", fcntl(e.fd[0], F_GETOWN) == getpid());
	event_set(&e);
	st = geteuid() == 0;
	VAL("root", st);
	signals("not theirs");
	MUST(fcntl(e.fd[0], F_SETOWN, getpid()));
	event_set(&e);
	signals("ours");
}

static void notify(void)
{
	int d, d2, f;

	block();
	MUST(mkdir("dir", 0755));
	MUST(mkdir("other", 0755));
	put_file("dir/a", "text", 0644);
	d = (int)MUST(open("dir", O_RDONLY | O_DIRECTORY));
	f = (int)MUST(open("dir/a", O_RDWR));
	RET("not a directory", fcntl(f, F_NOTIFY, DN_CREATE));
	RET("nothing", fcntl(f, F_NOTIFY, 0));
	MUST(fcntl(d, F_SETSIG, SIG));
	RET("once", fcntl(d, F_NOTIFY, DN_CREATE));
	YES("owner", fcntl(d, F_GETOWN) == getpid());
	put_file("dir/b", "", 0644);
	signal_fd("created", d);
	put_file("dir/c", "", 0644);
	signals("only once");
	RET("always", fcntl(d, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	put_file("dir/d", "", 0644);
	signals("created");
	put_file("dir/e", "", 0644);
	signals("created");
	MUST(unlink("dir/e"));
	signals("removed");
	RET("more", fcntl(d, F_NOTIFY, DN_DELETE | DN_MODIFY | DN_RENAME | DN_ATTRIB));
	MUST(unlink("dir/d"));
	signals("removed");
	MUST(write(f, "x", 1));
	signals("written");
	MUST(chmod("dir/a", 0600));
	signals("mode");
	MUST(rename("dir/b", "dir/bb"));
	signals("renamed");
	MUST(rename("dir/bb", "other/bb"));
	signals("moved away");
	MUST(rename("other/bb", "dir/bb"));
	signals("moved here");
	d2 = (int)MUST(dup(d));
	MUST(close(d2));
	put_file("dir/f", "", 0644);
	signals("a copy was closed");
	RET("again", fcntl(d, F_NOTIFY, DN_ACCESS | DN_MULTISHOT));
	MUST(pread(f, &d2, 1, 0));
	signals("read");
	RET("off", fcntl(d, F_NOTIFY, 0));
	MUST(pread(f, &d2, 1, 0));
	signals("read");
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "owners", owners }, { "flags", flags },
		{ "pipes", pipes },   { "sockets", sockets },
		{ "tcp", tcp },       { "others", others },
		{ "whom", whom },     { "permission", permission },
		{ "notify", notify },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
