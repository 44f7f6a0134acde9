/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP: what poll and epoll tell, level and edge triggered, and options. */
#include "test/net/prog/tcp.h"

#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5

static int ep;

static void watch(int s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = s };

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
}

/* All that epoll tells now, in the order of the descriptors. */
static void events(const char *what)
{
	struct epoll_event e[8];
	int n = (int)MUST(epoll_wait(ep, e, 8, 0));

	for (int i = 0; i < n; i++)
		say("%s: %#x", what, e[i].events);
	if (n == 0)
		say("%s: nothing", what);
}

#define ALL (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI)

/* Until nothing goes any more, and then until much does again. */
static void fill_and_drain(int p[2])
{
	static char big[1 << 16];
	struct pollfd f[2] = { { p[1], POLLIN, 0 }, { p[0], POLLOUT, 0 } };

	while (send(p[0], big, sizeof(big), 0) > 0)
		;
	events("full");
	while ((f[1].revents & POLLOUT) == 0 && poll(f, 2, 5000) > 0) {
		while (recv(p[1], big, sizeof(big), 0) > 0)
			;
	}
}

static void matrix(uint32_t mode)
{
	static char big[1 << 16];
	int p[2], l, n;
	char b[8];

	ep = (int)MUST(epoll_create1(0));
	tcp_pair(p);
	nonblock(p[0]);
	nonblock(p[1]);
	watch(p[0], ALL | mode);
	events("new");
	events("new again");
	MUST(send(p[1], "abc", 3, 0));
	await(p[0], POLLIN);
	events("data");
	events("data again");
	MUST(send(p[1], "def", 3, 0));
	while (ioctl(p[0], FIONREAD, &n) == 0 && n < 6)
		;
	events("more data");
	MUST(recv(p[0], b, 2, 0));
	events("some read");
	MUST(recv(p[0], b, 8, 0));
	events("all read");
	fill_and_drain(p);
	events("room");
	events("room again");
	MUST(shutdown(p[1], SHUT_WR));
	await_end(p[0]);
	events("peer's end");
	events("peer's end again");
	MUST(shutdown(p[0], SHUT_WR));
	while (recv(p[1], big, sizeof(big), 0) > 0)
		;
	await(p[0], POLLHUP);
	events("both ends");
	MUST(close(p[0]));
	events("closed");
	/* A reset. */
	tcp_pair(p);
	watch(p[0], ALL | mode);
	events("second");
	MUST(send(p[0], "x", 1, 0));
	await(p[1], POLLIN);
	MUST(close(p[1]));
	await(p[0], POLLHUP);
	events("reset");
	events("reset again");
	/* A listener. */
	l = tcp_listener("127.0.0.1", 4);
	MUST(close(p[0]));
	watch(l, ALL | mode);
	events("listener");
	MUST(inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(l)));
	await(l, POLLIN);
	events("one");
	MUST(inet_connect(tcp(AF_INET), "127.0.0.1", inet_port(l)));
	await(l, POLLIN);
	events("two");
	MUST(accept(l, NULL, NULL));
	events("one taken");
	MUST(accept(l, NULL, NULL));
	events("both taken");
}

static void level(void)
{
	matrix(0);
}

static void edge(void)
{
	matrix(EPOLLET);
}

static void connecting(void)
{
	int l = tcp_listener("127.0.0.1", 4), s = tcp(AF_INET);

	ep = (int)MUST(epoll_create1(0));
	watch(s, ALL | EPOLLET);
	events("not connected");
	nonblock(s);
	RET("connect", inet_connect(s, "127.0.0.1", inet_port(l)));
	await(s, POLLOUT);
	events("connected");
	events("connected again");
}

static void oneshot(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT };
	int p[2];

	ep = (int)MUST(epoll_create1(0));
	tcp_pair(p);
	watch(p[0], EPOLLIN | EPOLLONESHOT);
	MUST(send(p[1], "abc", 3, 0));
	await(p[0], POLLIN);
	events("first");
	MUST(send(p[1], "abc", 3, 0));
	events("not armed");
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	events("armed");
}

static void lowat(void)
{
	char b[8];
	int p[2];

	tcp_pair(p);
	set_option(p[0], SOL_SOCKET, SO_RCVLOWAT, 5);
	VAL("set", number_option(p[0], SOL_SOCKET, SO_RCVLOWAT));
	MUST(send(p[1], "abc", 3, 0));
	int n = 0;

	while (ioctl(p[0], FIONREAD, &n) == 0 && n < 3)
		;
	HEX("three", polled(p[0]));
	RET("recv", recv(p[0], b, 8, MSG_DONTWAIT));
	MUST(send(p[1], "abcdef", 6, 0));
	HEX("six", await(p[0], POLLIN));
}

/* ---- options ---- */

#define OPTION(level, name) say(#name ": %d", number_option(s, level, name))

static void defaults(void)
{
	int s = tcp(AF_INET);

	OPTION(SOL_SOCKET, SO_TYPE);
	OPTION(SOL_SOCKET, SO_DOMAIN);
	OPTION(SOL_SOCKET, SO_PROTOCOL);
	OPTION(SOL_SOCKET, SO_ACCEPTCONN);
	OPTION(SOL_SOCKET, SO_KEEPALIVE);
	OPTION(SOL_SOCKET, SO_SNDBUF);
	OPTION(SOL_SOCKET, SO_RCVBUF);
	OPTION(SOL_SOCKET, SO_RCVLOWAT);
	OPTION(SOL_SOCKET, SO_LINGER);
	OPTION(IPPROTO_TCP, TCP_NODELAY);
	OPTION(IPPROTO_TCP, TCP_MAXSEG);
	OPTION(IPPROTO_TCP, TCP_CORK);
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE);
	OPTION(IPPROTO_TCP, TCP_KEEPINTVL);
	OPTION(IPPROTO_TCP, TCP_KEEPCNT);
	OPTION(IPPROTO_TCP, TCP_SYNCNT);
	OPTION(IPPROTO_TCP, TCP_LINGER2);
	OPTION(IPPROTO_TCP, TCP_DEFER_ACCEPT);
	OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP);
	OPTION(IPPROTO_TCP, TCP_QUICKACK);
	OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT);
	OPTION(IPPROTO_TCP, 99);
	OPTION(IPPROTO_IP, IP_TTL);
	OPTION(IPPROTO_IP, IP_TOS);
	OPTION(IPPROTO_IP, IP_MTU_DISCOVER);
	OPTION(IPPROTO_IP, IP_MTU);
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY);
	OPTION(99, 1);
	s = tcp(AF_INET6);
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY);
	OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS);
	OPTION(IPPROTO_IPV6, IPV6_TCLASS);
	OPTION(IPPROTO_IP, IP_TTL);
}

static void set_and_get(int s, int level, int opt, int value)
{
	int r = setsockopt(s, level, opt, &value, sizeof(value));

	say("option %d.%d to %d: %s, then %d", level, opt, value, r == 0 ? "ok" : error_name(errno),
	    number_option(s, level, opt));
}

static void setting(void)
{
	int s = tcp(AF_INET), v = 1;

	set_and_get(s, IPPROTO_TCP, TCP_NODELAY, 7);
	set_and_get(s, IPPROTO_TCP, TCP_NODELAY, 0);
	set_and_get(s, IPPROTO_TCP, TCP_CORK, 1);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPIDLE, 0);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPINTVL, 40000);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPCNT, 128);
	set_and_get(s, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_and_get(s, IPPROTO_TCP, TCP_SYNCNT, 3);
	set_and_get(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
	set_and_get(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	set_and_get(s, IPPROTO_TCP, TCP_MAXSEG, 10);
	set_and_get(s, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_and_get(s, SOL_SOCKET, SO_RCVBUF, 100);
	set_and_get(s, SOL_SOCKET, SO_SNDBUF, 20000);
	set_and_get(s, IPPROTO_IP, IP_TOS, 0x10);
	set_and_get(s, IPPROTO_IP, IP_TTL, 0);
	set_and_get(s, IPPROTO_IP, IP_TTL, 32);
	set_and_get(s, IPPROTO_IP, IP_TTL, -1);
	set_and_get(s, IPPROTO_TCP, 99, 1);
	set_and_get(s, 99, 1, 1);
	RET("short", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &v, 1));
	RET("address", setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (void *)8, 4));
	RET("algorithm", setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "no-such", 7));
	s = tcp(AF_INET6);
	set_and_get(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_and_get(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 300);
	set_and_get(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7);
	set_and_get(s, IPPROTO_IPV6, IPV6_TCLASS, 4);
}

static void inherited(void)
{
	int l = tcp(AF_INET), c = tcp(AF_INET), s;

	set_option(l, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(l, IPPROTO_TCP, TCP_KEEPIDLE, 99);
	set_option(l, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(inet_bind(l, "127.0.0.1", 0));
	MUST(listen(l, 3));
	MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
	s = (int)MUST(accept(l, NULL, NULL));
	OPTION(IPPROTO_TCP, TCP_NODELAY);
	OPTION(SOL_SOCKET, SO_KEEPALIVE);
	OPTION(IPPROTO_TCP, TCP_KEEPIDLE);
	OPTION(SOL_SOCKET, SO_REUSEADDR);
	OPTION(SOL_SOCKET, SO_ACCEPTCONN);
	s = l;
	OPTION(SOL_SOCKET, SO_ACCEPTCONN);
}

static void info(void)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);
	int p[2], s = tcp(AF_INET);

	memset(&i, 0, sizeof(i));
	MUST(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
	VAL("new", i.tcpi_state);
	s = tcp_listener("127.0.0.1", 7);
	MUST(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
	say("listener: %d, %u waiting, %u allowed", i.tcpi_state, i.tcpi_unacked, i.tcpi_sacked);
	tcp_pair(p);
	MUST(getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	VAL("connected", i.tcpi_state);
	YES("mss", i.tcpi_snd_mss > 1000);
	YES("window", i.tcpi_snd_cwnd > 0);
	MUST(shutdown(p[0], SHUT_WR));
	await_end(p[1]);
	MUST(getsockopt(p[1], IPPROTO_TCP, TCP_INFO, &i, &n));
	VAL("close-wait", i.tcpi_state);
	MUST(getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	YES("fin-wait", i.tcpi_state == TCP_FIN_WAIT1 || i.tcpi_state == TCP_FIN_WAIT2);
	n = 4;
	MUST(getsockopt(p[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	VAL("short", n);
}

static void defer(void)
{
	int l = tcp(AF_INET), c = tcp(AF_INET), s;
	char b[4];

	set_option(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
	MUST(inet_bind(l, "127.0.0.1", 0));
	MUST(listen(l, 3));
	MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
	nonblock(l);
	RET("no data", accept(l, NULL, NULL));
	MUST(send(c, "abc", 3, 0));
	HEX("data", await(l, POLLIN));
	s = (int)MUST(accept(l, NULL, NULL));
	RET("recv", recv(s, b, 4, MSG_DONTWAIT));
}

/* What is held back, and what lets it go. */
static void cork(void)
{
	char b[16];
	int p[2];

	tcp_pair(p);
	set_option(p[0], IPPROTO_TCP, TCP_CORK, 1);
	MUST(send(p[0], "ab", 2, 0));
	MUST(send(p[0], "cd", 2, 0));
	RET("held", recv(p[1], b, 16, MSG_DONTWAIT));
	set_option(p[0], IPPROTO_TCP, TCP_CORK, 0);
	await(p[1], POLLIN);
	RET("let go", recv(p[1], b, 16, MSG_DONTWAIT));
	MUST(send(p[0], "ab", 2, MSG_MORE));
	RET("more", recv(p[1], b, 16, MSG_DONTWAIT));
	MUST(send(p[0], "cd", 2, 0));
	await(p[1], POLLIN);
	RET("no more", recv(p[1], b, 16, MSG_DONTWAIT));
	/* Not for ever. */
	MUST(send(p[0], "ef", 2, MSG_MORE));
	HEX("after a while", await(p[1], POLLIN));
	MUST(send(p[0], "gh", 2, MSG_MORE));
	MUST(shutdown(p[0], SHUT_WR));
	await_end(p[1]);
	RET("at the end", recv(p[1], b, 16, 0));
}

static void backlog(void)
{
	int l = tcp_listener("127.0.0.1", 2), s[8], in = 0, got = 0;

	for (int i = 0; i < 8; i++) {
		s[i] = tcp(AF_INET);
		nonblock(s[i]);
		inet_connect(s[i], "127.0.0.1", inet_port(l));
		if (i < 3)
			in += (await(s[i], POLLOUT) & POLLOUT) != 0;
	}
	VAL("connected", in);
	nonblock(l);
	while (accept(l, NULL, NULL) >= 0)
		got++;
	VAL("accepted", got);
	/* Of the others, at least one tries again soon. */
	YES("again", await(l, POLLIN) == POLLIN);
}

static const struct section sections[] = {
	{ "level", level },     { "edge", edge },           { "connecting", connecting },
	{ "oneshot", oneshot }, { "lowat", lowat },         { "defaults", defaults },
	{ "setting", setting }, { "inherited", inherited }, { "info", info },
	{ "defer", defer },     { "cork", cork },           { "backlog", backlog },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
