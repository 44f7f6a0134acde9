/* SPDX-License-Identifier: BSD-2-Clause */
/* Stream sockets of AF_UNIX, and what all sockets share. */
#include "test/net/prog/sock.h"

static void makes(void)
{
	int s, p[2] = { -1, -1 };
	char link[64];
	struct stat st;

	RES("inet6 raw", socket(AF_UNIX, SOCK_STREAM | 0x100000, 0));
	RES("family", socket(99, SOCK_STREAM, 0));
	RES("family -1", socket(-1, SOCK_STREAM, 0));
	RES("type", socket(AF_UNIX, 7, 0));
	RES("type 4", socket(AF_UNIX, SOCK_RDM, 0));
	RES("type 15", socket(AF_UNIX, 15, 0));
	RES("protocol", socket(AF_UNIX, SOCK_STREAM, 5));
	RES("protocol 1", socket(AF_UNIX, SOCK_STREAM, 1));
	RET("pair to nowhere", socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8));
	RET("pair of strangers", socketpair(99, SOCK_STREAM, 0, p));
	s = (int)MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	HEX("flags", fcntl(s, F_GETFL));
	VAL("close on exec", fcntl(s, F_GETFD));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	HEX("flags", fcntl(p[0], F_GETFL));
	VAL("close on exec", fcntl(p[0], F_GETFD));
	MUST(fstat(p[0], &st));
	HEX("mode", st.st_mode);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", p[0]);
	char text[64] = "";
	readlink(link, text, sizeof(text));
	YES("link", strncmp(text, "socket:[", 8) == 0);
	RET("open", open(link, O_RDWR));
	RET("seek", lseek(p[0], 0, SEEK_CUR));
	RET("pread", pread(p[0], text, 1, 0));
	RET("not a socket", listen(0, 1));
	RET("no descriptor", listen(77, 1));
	RET("pipe", ({
		    int q[2];
		    MUST(pipe(q));
		    send(q[1], "a", 1, 0);
	    }));
}

static void options(void)
{
	int p[2], v;
	struct timeval tv = { 1, 500000 };
	struct linger l = { 1, 7 };
	socklen_t n;
	char c = 9;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	VAL("type", option(p[0], SO_TYPE));
	VAL("domain", option(p[0], SO_DOMAIN));
	VAL("protocol", option(p[0], SO_PROTOCOL));
	VAL("error", option(p[0], SO_ERROR));
	VAL("accepts", option(p[0], SO_ACCEPTCONN));
	VAL("sndbuf", option(p[0], SO_SNDBUF));
	VAL("rcvbuf", option(p[0], SO_RCVBUF));
	VAL("low", option(p[0], SO_RCVLOWAT));
	for (int i = 0; i < 3; i++) {
		v = (int[]){ 1, 10000, 100000 }[i];
		RET("set", setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
		RET("set", setsockopt(p[0], SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)));
		VAL("sndbuf", option(p[0], SO_SNDBUF));
		VAL("rcvbuf", option(p[0], SO_RCVBUF));
	}
	v = 5;
	for (int i = 0; i < 8; i++) {
		int opt = (int[]){ SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE,
				   SO_PASSCRED,  SO_TYPE,      SO_ERROR,     SO_ACCEPTCONN }[i];

		RET("set", setsockopt(p[0], SOL_SOCKET, opt, &v, sizeof(v)));
		VAL("get", option(p[0], opt));
	}
	RET("unknown", setsockopt(p[0], SOL_SOCKET, 999, &v, sizeof(v)));
	VAL("unknown", option(p[0], 999));
	RET("level", setsockopt(p[0], 6, 1, &v, sizeof(v)));
	RET("short", setsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, &v, 2));
	RET("negative", setsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, &v, (socklen_t)-1));
	RET("fault", setsockopt(p[0], SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
	n = 1;
	RET("one byte", getsockopt(p[0], SOL_SOCKET, SO_DOMAIN, &c, &n));
	VAL("one byte", c);
	VAL("length", n);
	RET("timeout", setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	n = sizeof(tv);
	memset(&tv, 0, sizeof(tv));
	RET("timeout", getsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &n));
	say("timeout: %ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	tv.tv_usec = 1000000;
	RET("bad timeout", setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	RET("linger", setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0, sizeof(l));
	n = sizeof(l);
	RET("linger", getsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, &n));
	say("linger: %d %d", l.l_onoff, l.l_linger);
	tv = (struct timeval){ 0, 20000 };
	MUST(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	RET("timed out", recv(p[0], &c, 1, 0));
}

static void bytes(void)
{
	int p[2], n;
	char buf[100];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	see("fresh", p[0]);
	RET("nothing", recv(p[0], buf, 10, MSG_DONTWAIT));
	RET("write", write(p[1], "hello", 5));
	RET("send", send(p[1], "world", 5, 0));
	see("data", p[0]);
	MUST(ioctl(p[0], FIONREAD, &n));
	VAL("FIONREAD", n);
	MUST(ioctl(p[1], SIOCOUTQ, &n));
	YES("SIOCOUTQ", n > 0);
	get("peek", p[0], buf, 8, MSG_PEEK);
	get("peek all", p[0], buf, 100, MSG_PEEK);
	get("some", p[0], buf, 3, 0);
	get("peek", p[0], buf, 4, MSG_PEEK);
	get("rest", p[0], buf, 100, 0);
	MUST(ioctl(p[1], SIOCOUTQ, &n));
	VAL("SIOCOUTQ", n);
	RET("ioctl", ioctl(p[0], TCGETS, buf));
	RET("empty write", write(p[1], "", 0));
	RET("empty read", read(p[0], buf, 0));
	RET("nothing", recv(p[0], buf, 10, MSG_DONTWAIT));
	RET("fault", send(p[1], (void *)8, 4, 0));
	RET("still nothing", recv(p[0], buf, 10, MSG_DONTWAIT));
	RET("write", write(p[1], "again", 5));
	RET("fault", recv(p[0], (void *)8, 4, 0));
	get("there", p[0], buf, 100, 0);
	RET("to somebody", sendto(p[1], "a", 1, 0, (struct sockaddr *)buf, 10));
	if (fork() == 0) {
		write(p[1], "abc", 3);
		recv(p[1], buf, 1, 0);
		write(p[1], "def", 3);
		_exit(0);
	}
	MUST(recv(p[0], buf, 1, MSG_PEEK));
	MUST(send(p[0], "x", 1, 0));
	get("wait for all", p[0], buf, 6, MSG_WAITALL);
	wait(NULL);
}

static int pipes_caught;

static void caught(int sig)
{
	(void)sig;
	pipes_caught++;
}

static void ends(void)
{
	int p[2];
	char buf[100];

	signal(SIGPIPE, caught);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	MUST(write(p[0], "left", 4));
	RET("shutdown", shutdown(p[0], SHUT_WR));
	see("half", p[0]);
	see("other half", p[1]);
	RET("write", write(p[0], "a", 1));
	VAL("SIGPIPE", pipes_caught);
	RET("quietly", send(p[0], "a", 1, MSG_NOSIGNAL));
	VAL("SIGPIPE", pipes_caught);
	RET("nothing to send", send(p[0], "a", 0, MSG_NOSIGNAL));
	get("left", p[1], buf, 100, 0);
	get("end", p[1], buf, 100, 0);
	RET("back", write(p[1], "back", 4));
	get("back", p[0], buf, 100, 0);
	RET("how", shutdown(p[1], 3));
	RET("read side", shutdown(p[0], SHUT_RD));
	see("both", p[0]);
	see("other", p[1]);
	RET("write", write(p[1], "a", 1));
	VAL("SIGPIPE", pipes_caught);
	close(p[0]);
	see("closed", p[1]);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	MUST(write(p[0], "unread", 6));
	MUST(write(p[1], "unread", 6));
	close(p[0]);
	see("reset", p[1]);
	get("before", p[1], buf, 3, 0);
	VAL("error", option(p[1], SO_ERROR));
	see("told", p[1]);
	get("rest", p[1], buf, 100, 0);
	RET("end", read(p[1], buf, 1));
	RET("write", write(p[1], "a", 1));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	MUST(write(p[1], "unread", 6));
	close(p[0]);
	RET("reset", read(p[1], buf, 1));
	RET("end", read(p[1], buf, 1));
	RET("alone", shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_RDWR));
}

static void full(void)
{
	int p[2], ep = (int)MUST(epoll_create1(0)), st;
	static char big[400000], got[400000];
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLIN | EPOLLET };
	size_t total = 0;
	long n;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * i / 7);
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &ev));
	RET("writable", epoll_wait(ep, &ev, 1, 0));
	HEX("events", ev.events);
	RET("no edge", epoll_wait(ep, &ev, 1, 0));
	while ((n = write(p[1], big + total % 1000, 10000)) > 0)
		total += (size_t)n;
	RET("full", send(p[1], big, 1, 0));
	YES("about 200 KiB", total > 100000 && total < 300000);
	see("full", p[1]);
	RET("no edge", epoll_wait(ep, &ev, 1, 0));
	while (total > 0) {
		n = MUST(read(p[0], got, sizeof(got)));
		total -= (size_t)n;
	}
	RET("edge", epoll_wait(ep, &ev, 1, 0));
	HEX("events", ev.events);
	MUST(write(p[0], "x", 1));
	RET("edge in", epoll_wait(ep, &ev, 1, 0));
	HEX("events", ev.events);
	MUST(write(p[0], "x", 1));
	RET("edge in", epoll_wait(ep, &ev, 1, 0));
	read(p[1], got, 1);
	RET("no edge", epoll_wait(ep, &ev, 1, 0));
	shutdown(p[0], SHUT_WR);
	ev.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev));
	RET("hang-up", epoll_wait(ep, &ev, 1, 0));
	HEX("events", ev.events);
	fcntl(p[1], F_SETFL, 0);
	if (fork() == 0) {
		close(p[0]);
		_exit(write(p[1], big, sizeof(big)) == sizeof(big) ? 0 : 1);
	}
	close(p[1]);
	total = 0;
	while ((n = read(p[0], got + total, sizeof(got) - total)) > 0)
		total += (size_t)n;
	VAL("received", total);
	YES("the same", memcmp(got, big, sizeof(big)) == 0);
	MUST(wait(&st));
	say_status("writer", st);
}

static void names(void)
{
	int l = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c, a, x;
	struct sockaddr_un from;
	socklen_t n = sizeof(from);
	struct ucred u = { 0 };
	struct stat st;
	char buf[20];

	unlink("name");
	see("fresh", l);
	say_name("fresh", l, false);
	RET("no peer", getpeername(l, (struct sockaddr *)&from, &n));
	RET("listen", listen(l, 5));
	RET("accept", accept(l, NULL, NULL));
	RET("read", read(l, buf, 1));
	RET("write", write(l, buf, 1));
	RET("recv", recv(l, buf, 1, MSG_DONTWAIT));
	umask(027);
	RET("bind", bind_to(l, "name"));
	umask(022);
	MUST(stat("name", &st));
	HEX("mode", st.st_mode);
	RET("open", open("name", O_RDWR));
	say_name("bound", l, false);
	RET("again", bind_to(l, "other"));
	YES("nothing left", access("other", F_OK) != 0);
	RET("in use", bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "name"));
	RET("no folder", bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "none/name"));
	RET("short", bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&from, 1));
	RET("long", bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&from, 111));
	c = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	RET("nobody listens", connect_to(c, "name"));
	RET("nothing there", connect_to(c, "none"));
	MUST(close(open("plain", O_CREAT | O_RDWR, 0600)));
	RET("plain file", connect_to(c, "plain"));
	RET("listen", listen(l, 0));
	VAL("accepts", option(l, SO_ACCEPTCONN));
	see("listener", l);
	RET("other type", connect_to(socket(AF_UNIX, SOCK_DGRAM, 0), "name"));
	RET("listener connects", connect_to(l, "name"));
	RET("connect", connect_to(c, "name"));
	see("listener", l);
	see("client", c);
	say_name("client", c, false);
	say_name("client's peer", c, true);
	x = (int)MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	RET("backlog", connect_to(x, "name"));
	MUST(write(c, "early", 5));
	memset(&from, 0, sizeof(from));
	n = sizeof(from);
	a = (int)MUST(accept4(l, (struct sockaddr *)&from, &n, SOCK_CLOEXEC));
	say_address("from", &from, n);
	say_name("accepted", a, false);
	say_name("accepted's peer", a, true);
	RET("twice", connect_to(c, "name"));
	get("early", a, buf, 20, 0);
	RET("connect", connect_to(x, "name"));
	close(accept(l, NULL, NULL));
	n = sizeof(u);
	MUST(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &u, &n));
	YES("peer", u.pid == getpid() && u.uid == getuid() && u.gid == getgid());
	RET("flags", accept4(l, NULL, NULL, 1));
	fcntl(l, F_SETFL, O_NONBLOCK);
	RET("nothing to accept", accept(l, NULL, NULL));
	close(a);
	see("peer gone", c);
	say_name("peer gone", c, true);
	unlink("name");
	RET("name gone", connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "name"));
	RET("bind anew", bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "name"));
	MUST(shutdown(l, SHUT_RD));
	RET("accept", accept(l, NULL, NULL));
	unlink("name");
	unlink("plain");
}

static void abstract_names(void)
{
	int l = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c, st;
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	char buf[20];

	RET("bind", bind_to(l, "@a name of ours"));
	say_name("bound", l, false);
	RET("in use", bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "@a name of ours"));
	RET("other type", bind_to(socket(AF_UNIX, SOCK_DGRAM, 0), "@a name of ours"));
	MUST(listen(l, 3));
	c = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	RET("longer", connect_to(c, "@a name of ours!"));
	if (fork() == 0) {
		RET("connect", connect_to(c, "@a name of ours"));
		get("answer", c, buf, 20, 0);
		_exit(0);
	}
	int s = (int)MUST(accept(l, NULL, NULL));
	MUST(write(s, "hello", 5));
	MUST(wait(&st));
	close(l);
	RET("gone", connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "@a name of ours"));
	l = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	a.sun_family = AF_UNIX;
	RET("autobind", bind(l, (struct sockaddr *)&a, 2));
	MUST(getsockname(l, (struct sockaddr *)&a, &n));
	VAL("length", n);
	MUST(listen(l, 3));
	c = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	RET("connect", connect(c, (struct sockaddr *)&a, n));
	close(l);
	see("not accepted", c);
	RET("not accepted", read(c, buf, 1));
}

static void waits(void)
{
	int l = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), c, st, a;
	pid_t child;
	char buf[10];

	MUST(bind_to(l, "@waits"));
	MUST(listen(l, 0));
	child = fork();
	if (child == 0) {
		/* The second waits for room in the backlog. */
		for (int i = 0; i < 3; i++) {
			c = socket(AF_UNIX, SOCK_STREAM, 0);
			if (connect_to(c, "@waits") != 0 || write(c, "x", 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		a = (int)MUST(accept(l, NULL, NULL));
		get("one", a, buf, 10, 0);
		close(a);
	}
	MUST(wait(&st));
	say_status("client", st);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = caught }, NULL);
	struct itimerval it = { .it_value = { 0, 50000 } };
	setitimer(ITIMER_REAL, &it, NULL);
	RET("interrupted", accept(l, NULL, NULL));
}

static const struct section sections[] = {
	{ "makes", makes },
	{ "options", options },
	{ "bytes", bytes },
	{ "ends", ends },
	{ "full", full },
	{ "names", names },
	{ "abstract", abstract_names },
	{ "waits", waits },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
