/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP over the loop: names, connecting, accepting, ending. */
#include "test/net/prog/tcp.h"

#include <sched.h>
#include <sys/mman.h>

#include <sys/sendfile.h>
#include <sys/uio.h>

static void makes(void)
{
	RES("tcp", socket(AF_INET, SOCK_STREAM, 0));
	RES("tcp 6", socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP));
	RES("udp stream", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	RES("cloexec", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	RES("protocol 999", socket(AF_INET, SOCK_STREAM, 999));
	RET("pair", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }));
}

static void names(int family, const char *us, const char *any)
{
	int l = tcp(family), c = tcp(family), a;

	say_inet("new", l, false);
	say_inet("new", l, true);
	RET("short", bind(l, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_INET }, 4));
	RET("strange", inet_bind(l, family == AF_INET ? "8.8.8.8" : "2001:db8::1", 0));
	RET("bind", inet_bind(l, us, 0));
	YES("range", inet_port(l) >= 32768 && inet_port(l) <= 60999);
	RET("again", inet_bind(l, us, 0));
	RET("taken", inet_bind(c, us, inet_port(l)));
	RET("taken, any", inet_bind(c, any, inet_port(l)));
	RET("accept early", accept(l, NULL, NULL));
	RET("refused", inet_connect(c, us, inet_port(l)));
	RET("listen", listen(l, 5));
	RET("listen again", listen(l, 6));
	RET("bind listener", inet_bind(l, us, 0));
	RET("connect listener", inet_connect(l, us, inet_port(l)));
	RET("read listener", read(l, &a, 1));
	RET("write listener", send(l, "x", 1, MSG_NOSIGNAL));
	RET("connect", inet_connect(c, us, inet_port(l)));
	RET("connect again", inet_connect(c, us, inet_port(l)));
	RET("listen connected", listen(c, 1));
	YES("peer", inet_peer_port(c) == inet_port(l));
	YES("own port", inet_port(c) >= 32768);
	a = (int)MUST(accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	YES("same port", inet_port(a) == inet_port(l));
	YES("accepted peer", inet_peer_port(a) == inet_port(c));
	HEX("flags", fcntl(a, F_GETFL));
	HEX("fd flags", fcntl(a, F_GETFD));
	say_address_only("address", a);
	MUST(close(l));
	RET("after the listener", send(c, "x", 1, 0));
	RET("bad flags", accept4(a, NULL, NULL, 1));
	RET("accept connected", accept(a, NULL, NULL));
}

static void names4(void)
{
	names(AF_INET, "127.0.0.1", "0.0.0.0");
}

static void names6(void)
{
	names(AF_INET6, "::1", "::");
}

static void family_mix(void)
{
	int l = tcp(AF_INET6), c = tcp(AF_INET), d = tcp(AF_INET6), only = tcp(AF_INET6);
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	int s;

	MUST(inet_bind(l, "::", 0));
	MUST(listen(l, 5));
	RET("four to six", inet_connect(c, "127.0.0.1", inet_port(l)));
	s = (int)MUST(accept(l, (struct sockaddr *)&a, &n));
	say("from %s, %d bytes, family %d", inet_text(&a), (int)n, a.sin6_family);
	say_address_only("at", s);
	RET("mapped", inet_connect(d, "::ffff:127.0.0.1", inet_port(l)));
	say_address_only("mapped is", d);
	RET("taken by four", inet_bind(tcp(AF_INET), "127.0.0.1", inet_port(l)));
	set_option(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	RET("mapped bind, only six", inet_bind(only, "::ffff:127.0.0.1", 0));
	MUST(inet_bind(only, "::", 0));
	MUST(listen(only, 5));
	RET("only six", inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(only)));
	RET("free for four", inet_bind(tcp(AF_INET), "127.0.0.1", inet_port(only)));
	RET("six to six", inet_connect(tcp(AF_INET6), "::1", inet_port(only)));
	s = tcp(AF_INET6);
	set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	RET("mapped connect, only six", inet_connect(s, "::ffff:127.0.0.1", inet_port(l)));
	RET("any", inet_connect(tcp(AF_INET), "0.0.0.0", inet_port(l)));
	RET("any six", inet_connect(tcp(AF_INET6), "::", inet_port(l)));
	RET("other loop", inet_connect(tcp(AF_INET), "127.1.2.3", inet_port(l)));
	RET("v6only bound", setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, 4));
}

static void refused(void)
{
	int s = tcp(AF_INET), l = tcp(AF_INET), port;

	MUST(inet_bind(l, "127.0.0.1", 0));
	port = inet_port(l);
	RET("blocking", inet_connect(s, "127.0.0.1", port));
	VAL("taken with it", number_option(s, SOL_SOCKET, SO_ERROR));
	say_inet("name after", s, true);
	HEX("poll after", polled(s));
	RET("again", inet_connect(s, "127.0.0.1", port));
	RET("send", send(s, "x", 1, MSG_NOSIGNAL));
	RET("recv", recv(s, &port, 1, 0));
	s = tcp(AF_INET);
	nonblock(s);
	RET("not blocking", inet_connect(s, "127.0.0.1", port));
	HEX("poll", await(s, POLLOUT));
	VAL("error", number_option(s, SOL_SOCKET, SO_ERROR));
	VAL("error again", number_option(s, SOL_SOCKET, SO_ERROR));
	HEX("poll then", polled(s));
	RET("not blocking again", inet_connect(s, "127.0.0.1", port));
	RET("group", inet_connect(tcp(AF_INET), "224.0.0.1", 1));
	RET("port 0", inet_connect(tcp(AF_INET), "127.0.0.1", 0));
	RET("short", connect(s, (struct sockaddr *)&(struct sockaddr){ .sa_family = AF_INET }, 8));
	RET("family",
	    connect(tcp(AF_INET), (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_UNIX },
		    sizeof(struct sockaddr_in)));
}

static void nonblocking(void)
{
	int l = tcp_listener("127.0.0.1", 5), s = tcp(AF_INET), c;
	char b[8];

	nonblock(l);
	RET("accept", accept(l, NULL, NULL));
	HEX("poll", polled(s));
	nonblock(s);
	RET("connect", inet_connect(s, "127.0.0.1", inet_port(l)));
	HEX("poll s", await(s, POLLOUT));
	VAL("error", number_option(s, SOL_SOCKET, SO_ERROR));
	RET("connect again", inet_connect(s, "127.0.0.1", inet_port(l)));
	RET("connect a third time", inet_connect(s, "127.0.0.1", inet_port(l)));
	HEX("poll l", await(l, POLLIN));
	c = (int)MUST(accept(l, NULL, NULL));
	RET("recv", recv(s, b, 8, 0));
	MUST(send(c, "abc", 3, 0));
	HEX("poll data", await(s, POLLIN));
	RET("recv", recv(s, b, 8, 0));
	RET("recv", recv(c, b, 8, MSG_DONTWAIT));
	/* A wrong address does not change what was begun. */
	s = tcp(AF_INET);
	nonblock(s);
	RET("send new", send(s, "x", 1, MSG_NOSIGNAL));
	RET("recv new", recv(s, b, 1, 0));
	RET("shutdown new", shutdown(s, SHUT_RDWR));
	HEX("poll shut", polled(s));
	RET("bad how", shutdown(s, 3));
}

static void unspec(void)
{
	int p[2];

	tcp_pair(p);
	MUST(send(p[0], "abc", 3, 0));
	RET("disconnect",
	    connect(p[0], (struct sockaddr *)&(struct sockaddr){ .sa_family = AF_UNSPEC },
		    sizeof(struct sockaddr)));
	say_inet("peer", p[0], true);
	YES("port", inet_port(p[0]) != 0);
	HEX("reset", await(p[1], POLLRDHUP) & (POLLERR | POLLHUP));
	RET("recv", recv(p[1], &p, 4, MSG_DONTWAIT));
}

/* ---- data ---- */

static void data(void)
{
	char b[64] = "";
	struct iovec v[3] = { { b, 2 }, { b + 2, 3 }, { b + 5, 20 } };
	int p[2], n = -1;

	tcp_pair(p);
	RET("send", send(p[0], "hello, world", 12, 0));
	await(p[1], POLLIN);
	MUST(ioctl(p[1], FIONREAD, &n));
	VAL("there", n);
	RET("peek", recv(p[1], b, 5, MSG_PEEK));
	STR("peeked", b);
	RET("peek all", recv(p[1], b, 64, MSG_PEEK));
	RET("readv", readv(p[1], v, 3));
	STR("read", b);
	RET("writev", writev(p[1], v, 2));
	memset(b, 0, sizeof(b));
	await(p[0], POLLIN);
	RET("back", read(p[0], b, 64));
	STR("back", b);
	RET("nothing", recv(p[0], b, 64, MSG_DONTWAIT));
	RET("zero", recv(p[0], b, 0, MSG_DONTWAIT));
	RET("send zero", send(p[0], b, 0, 0));
	RET("bad address", send(p[0], (void *)8, 10, 0));
	MUST(send(p[0], "0123456789", 10, 0));
	await(p[1], POLLIN);
	RET("throw away", recv(p[1], NULL, 4, MSG_TRUNC));
	RET("bad buffer", recv(p[1], (void *)8, 2, 0));
	RET("the rest", recv(p[1], b, 64, 0));
	b[6] = 0;
	STR("the rest", b);
	RET("urgent", recv(p[1], b, 1, MSG_OOB));
	RET("errqueue", recv(p[1], b, 1, MSG_ERRQUEUE));
	RET("name ignored", inet_send(p[0], "x", 1, "127.0.0.1", 9));
	RET("recvfrom", recvfrom(p[1], b, 1, 0, (struct sockaddr *)b, &(socklen_t){ 16 }));
	VAL("left to send", (ioctl(p[0], SIOCOUTQ, &n), n >= 0));
}

static void waitall(void)
{
	char b[16] = "";
	struct event go = event_new();
	int p[2], st;

	tcp_pair(p);
	pid_t pid = START(event_wait(&go); send(p[0], "abc", 3, 0); send(p[0], "def", 3, 0);
			  shutdown(p[0], SHUT_WR));
	MUST(send(p[0], "12", 2, 0));
	event_set(&go);
	RET("all", recv(p[1], b, 5, MSG_WAITALL));
	STR("all", b);
	RET("more than there is", recv(p[1], b, 16, MSG_WAITALL));
	b[3] = 0;
	STR("more", b);
	RET("end", recv(p[1], b, 16, MSG_WAITALL));
	st = wait_for(pid);
	say_status("writer", st);
}

static void half_close(void)
{
	char b[16] = "";
	int p[2];

	tcp_pair(p);
	MUST(send(p[0], "last", 4, 0));
	RET("shutdown", shutdown(p[0], SHUT_WR));
	RET("send", send(p[0], "x", 1, MSG_NOSIGNAL));
	await_end(p[1]);
	HEX("poll", polled(p[1]));
	RET("recv", recv(p[1], b, 16, 0));
	RET("recv end", recv(p[1], b, 16, 0));
	RET("answer", send(p[1], "still", 5, 0));
	HEX("await", await(p[0], POLLIN) & POLLIN);
	RET("recv answer", recv(p[0], b, 16, 0));
	RET("shutdown", shutdown(p[1], SHUT_WR));
	RET("recv end", recv(p[0], b, 16, 0));
	HEX("both ended", polled(p[0]));
	HEX("both ended", polled(p[1]));
	RET("shutdown again", shutdown(p[0], SHUT_RD));
	say_inet("peer", p[0], true);
}

static void shut_read(void)
{
	char b[16];
	int p[2];

	tcp_pair(p);
	RET("shutdown", shutdown(p[0], SHUT_RD));
	RET("recv", recv(p[0], b, 16, 0));
	HEX("poll", polled(p[0]));
	MUST(send(p[1], "abc", 3, 0));
	RET("recv", recv(p[0], b, 16, 0));
	RET("send", send(p[0], "y", 1, 0));
	await(p[1], POLLIN);
	RET("other", recv(p[1], b, 16, 0));
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig UNUSED)
{
	pipes++;
}

static void reset(void)
{
	char b[16];
	int p[2];

	signal(SIGPIPE, on_pipe);
	tcp_pair(p);
	/* What nobody has read: a reset. */
	MUST(send(p[0], "unread", 6, 0));
	await(p[1], POLLIN);
	MUST(close(p[1]));
	HEX("poll", await(p[0], POLLIN));
	HEX("all", polled(p[0]));
	RET("recv", recv(p[0], b, 16, 0));
	RET("recv again", recv(p[0], b, 16, 0));
	RET("send", send(p[0], "x", 1, 0));
	VAL("signals", pipes);
	tcp_pair(p);
	/* Closed without a rest: an end, and a reset for what is sent then. */
	MUST(close(p[1]));
	await_end(p[0]);
	RET("recv end", recv(p[0], b, 16, 0));
	RET("first", send(p[0], "x", 1, 0));
	HEX("error", await(p[0], POLLHUP) & (POLLHUP | POLLERR));
	RET("second", send(p[0], "x", 1, 0));
	RET("third", send(p[0], "x", 1, MSG_NOSIGNAL));
	VAL("signals", pipes);
	/* Data that came before the reset can be read. */
	tcp_pair(p);
	MUST(send(p[1], "data", 4, 0));
	set_option(p[1], SOL_SOCKET, SO_REUSEADDR, 1);
	struct linger l = { 1, 0 };

	MUST(setsockopt(p[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	MUST(close(p[1]));
	await(p[0], POLLHUP);
	RET("recv", recv(p[0], b, 16, 0));
	RET("recv then", recv(p[0], b, 16, 0));
	RET("recv then", recv(p[0], b, 16, 0));
	HEX("poll", polled(p[0]));
}

static void listener_ends(void)
{
	int l = tcp_listener("127.0.0.1", 5), c = tcp(AF_INET), st;
	char b;

	MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
	MUST(close(l));
	await(c, POLLRDHUP);
	HEX("poll", polled(c));
	RET("recv", recv(c, &b, 1, 0));
	l = tcp_listener("127.0.0.1", 5);
	pid_t pid = START(_exit(accept(l, NULL, NULL) < 0 ? errno : 0));

	wait_state(pid, 'S');
	RET("shutdown", shutdown(l, SHUT_RD));
	st = wait_for(pid);
	say_status("acceptor", st);
	RET("listen again", listen(l, 3));
	RET("connect", inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(l)));
	RET("accept", accept(l, NULL, NULL) >= 0);
	RET("shutdown write", shutdown(l, SHUT_WR));
	RET("connect", inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(l)));
}

static void shared_by_fork(void)
{
	char b[16] = "";
	int p[2], st;

	tcp_pair(p);
	st = CHILD(send(p[0], "child", 5, 0); close(p[0]); _exit(3));
	say_status("child", st);
	await(p[1], POLLIN);
	RET("recv", recv(p[1], b, 16, 0));
	STR("recv", b);
	RET("open still", recv(p[1], b, 16, MSG_DONTWAIT));
	MUST(close(p[0]));
	await_end(p[1]);
	RET("end", recv(p[1], b, 16, 0));
}

static void reuse(void)
{
	int a = tcp(AF_INET), b = tcp(AF_INET), p[2], l, port;

	set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(inet_bind(a, "127.0.0.1", 0));
	port = inet_port(a);
	RET("without", inet_bind(b, "127.0.0.1", port));
	set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
	RET("with", inet_bind(b, "127.0.0.1", port));
	RET("listen", listen(a, 1));
	RET("listen too", listen(b, 1));
	RET("bind to a listener's", inet_bind(tcp(AF_INET), "127.0.0.1", port));
	close(a);
	close(b);
	a = tcp(AF_INET);
	b = tcp(AF_INET);
	set_option(a, SOL_SOCKET, SO_REUSEPORT, 1);
	MUST(inet_bind(a, "127.0.0.1", 0));
	RET("one only", inet_bind(b, "127.0.0.1", inet_port(a)));
	set_option(b, SOL_SOCKET, SO_REUSEPORT, 1);
	RET("both", inet_bind(b, "127.0.0.1", inet_port(a)));
	RET("listen", listen(a, 50));
	RET("listen too", listen(b, 50));
	for (int i = 0; i < 40; i++)
		MUST(inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(a)));
	nonblock(a);
	nonblock(b);
	int na = 0, nb = 0;

	while (accept(a, NULL, NULL) >= 0)
		na++;
	while (accept(b, NULL, NULL) >= 0)
		nb++;
	VAL("all", na + nb);
	YES("each some", na > 0 && nb > 0);
	/* Who ends first keeps the port for a while. */
	l = tcp_listener("127.0.0.1", 5);
	port = inet_port(l);
	p[0] = tcp(AF_INET);
	MUST(inet_connect(p[0], "127.0.0.1", port));
	p[1] = (int)MUST(accept(l, NULL, NULL));
	close(l);
	close(p[1]);
	await_end(p[0]);
	close(p[0]);
	a = tcp(AF_INET);
	RET("time-wait", inet_bind(a, "127.0.0.1", port));
	set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
	RET("time-wait, reuse", inet_bind(a, "127.0.0.1", port));
	RET("listen", listen(a, 1));
}

static void timeouts(void)
{
	struct timeval t = { 0, 20000 };
	char b[4];
	int p[2], l = tcp_listener("127.0.0.1", 1);

	tcp_pair(p);
	MUST(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	RET("recv", recv(p[0], b, 4, 0));
	MUST(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	RET("accept", accept(l, NULL, NULL));
	MUST(setsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	static char big[1 << 20];
	ssize_t n = 0, all = 0;

	while ((n = send(p[0], big, sizeof(big), 0)) > 0)
		all += n;
	say("full: %s, some went: %d", error_name(errno), all > 0);
}

static void sends_file(void)
{
	static char text[300000], back[300000];
	int p[2], f, st;
	size_t got = 0;
	off_t off = 1000;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 251);
	f = (int)MUST(open("/tmp/tcp_file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	MUST(write(f, text, sizeof(text)));
	tcp_pair(p);
	pid_t pid = START(RET("sendfile", sendfile(p[0], f, &off, sizeof(text)));
			  VAL("offset", off); shutdown(p[0], SHUT_WR));

	for (;;) {
		ssize_t n = recv(p[1], back + got, sizeof(back) - got, 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	VAL("got", got);
	YES("same", memcmp(back, text + 1000, got) == 0);
	st = wait_for(pid);
	say_status("sender", st);
	unlink("/tmp/tcp_file");
}

/* close() with SO_LINGER waits for the peer, or as long as it may. */
static void lingers(void)
{
	static char text[100000];
	int *reads = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct linger l = { 1, 30 };
	struct timespec from, to;
	size_t sent = 0;
	int p[2], st;
	ssize_t n;

	tcp_pair(p);
	nonblock(p[0]);
	while ((n = send(p[0], text, sizeof(text), 0)) > 0)
		sent += (size_t)n;
	MUST(setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	pid_t pid = START(size_t got = 0; close(p[0]); reads[1] = 1; wait_state(getppid(), 'S');
			  *reads = 1;
			  while ((n = recv(p[1], text, sizeof(text), 0)) > 0) got += (size_t)n;
			  _exit(got == sent ? 0 : 1));

	MUST(close(p[1]));
	while (((volatile int *)reads)[1] == 0)
		sched_yield(); /* ours is the last */
	RET("close", close(p[0]));
	VAL("not before it was read", *reads);
	st = wait_for(pid);
	say_status("reader", st);

	l.l_linger = 1;
	tcp_pair(p);
	nonblock(p[0]);
	while (send(p[0], text, sizeof(text), 0) > 0)
		;
	MUST(setsockopt(p[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	clock_gettime(CLOCK_MONOTONIC, &from);
	RET("close", close(p[0]));
	clock_gettime(CLOCK_MONOTONIC, &to);
	YES("a second",
	    (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 990);
	n = recv(p[1], text, 1, 0);
	VAL("data is there", n);
}

/* Sends 100,000 bytes if they go, reads all of it; what there was to read at most. */
static int exchange_all(const int p[2])
{
	static char text[100000];
	int queued = 0, most = 0, rest = 1;

	MUST(send(p[0], text, sizeof(text), 0));
	while (rest > 0) {
		MUST(ioctl(p[1], FIONREAD, &queued));
		if (queued > most)
			most = queued;
		while (recv(p[1], text, sizeof(text), 0) > 0)
			;
		MUST(ioctl(p[0], TIOCOUTQ, &rest));
	}
	return most;
}

/* A receive buffer made smaller counts for what was not promised yet. */
static void smaller_buffer(void)
{
	int p[2], l = tcp(AF_INET), most;

	set_option(l, SOL_SOCKET, SO_RCVBUF, 200000);
	MUST(inet_bind(l, "127.0.0.1", 0));
	MUST(listen(l, 1));
	p[0] = tcp(AF_INET);
	MUST(inet_connect(p[0], "127.0.0.1", inet_port(l)));
	p[1] = (int)MUST(accept(l, NULL, NULL));
	nonblock(p[0]);
	nonblock(p[1]);
	most = exchange_all(p);
	YES("much fits", most > 50000);
	set_option(p[1], SOL_SOCKET, SO_RCVBUF, 8192);
	for (int i = 0; i < 8 && most > 50000; i++) /* what was promised stays */
		most = exchange_all(p);
	YES("little fits", most > 0 && most <= 50000);
}

static const struct section sections[] = {
	{ "lingers", lingers },
	{ "smaller_buffer", smaller_buffer },
	{ "makes", makes },
	{ "names4", names4 },
	{ "names6", names6 },
	{ "family_mix", family_mix },
	{ "refused", refused },
	{ "nonblocking", nonblocking },
	{ "unspec", unspec },
	{ "data", data },
	{ "waitall", waitall },
	{ "half_close", half_close },
	{ "shut_read", shut_read },
	{ "reset", reset },
	{ "listener_ends", listener_ends },
	{ "shared_by_fork", shared_by_fork },
	{ "reuse", reuse },
	{ "timeouts", timeouts },
	{ "sends_file", sends_file },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
