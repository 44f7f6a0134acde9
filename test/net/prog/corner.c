/* SPDX-License-Identifier: BSD-2-Clause */
/* Corners of sockets: what is asked rarely, of every kind of socket. */
#include "test/net/prog/tcp.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/uio.h>

static int pipes;

static void on_pipe(int sig UNUSED)
{
	pipes++;
}

static void on_urgent(int sig UNUSED)
{
	pipes++;
}

/* ---- urgent data ---- */

static void urgent(void)
{
	char b[16] = "";
	int p[2], at;

	tcp_pair(p);
	RET("mark when there is nothing", ioctl(p[1], SIOCATMARK, &at));
	VAL("at", at);
	RET("nothing urgent", recv(p[1], b, 1, MSG_OOB));
	RET("send", send(p[0], "abc", 3, 0));
	RET("send urgent", send(p[0], "xyU", 3, MSG_OOB));
	RET("send behind", send(p[0], "def", 3, 0));
	HEX("poll", await(p[1], POLLPRI));
	while (ioctl(p[1], FIONREAD, &at) == 0 && at < 5)
		poll(NULL, 0, 1);
	VAL("to read, before the mark", at);
	HEX("all", polled(p[1]));
	get("peek urgent", p[1], b, 16, MSG_OOB | MSG_PEEK);
	get("to the mark", p[1], b, 16, 0);
	RET("mark", ioctl(p[1], SIOCATMARK, &at));
	VAL("at", at);
	get("urgent", p[1], b, 16, MSG_OOB);
	RET("twice", recv(p[1], b, 16, MSG_OOB));
	await(p[1], POLLIN);
	get("rest", p[1], b, 16, 0);
	RET("mark", ioctl(p[1], SIOCATMARK, &at));
	VAL("at", at);
	HEX("all", polled(p[1]));
	RET("over", recv(p[1], b, 16, MSG_OOB));
	/* In line. */
	tcp_pair(p);
	set_option(p[1], SOL_SOCKET, SO_OOBINLINE, 1);
	RET("send", send(p[0], "abcU", 4, MSG_OOB));
	HEX("poll", await(p[1], POLLPRI));
	RET("in line", recv(p[1], b, 16, MSG_OOB));
	get("to the mark", p[1], b, 16, 0);
	RET("mark", ioctl(p[1], SIOCATMARK, &at));
	VAL("at", at);
	get("urgent", p[1], b, 16, 0);
	HEX("all", polled(p[1]));
	/* A second one takes the place of the first, which becomes ordinary. */
	tcp_pair(p);
	RET("first", send(p[0], "aF", 2, MSG_OOB));
	await(p[1], POLLPRI);
	RET("second", send(p[0], "bS", 2, MSG_OOB));
	while (ioctl(p[1], FIONREAD, &at) == 0 && at < 3)
		poll(NULL, 0, 1);
	get("all", p[1], b, 16, 0);
	get("urgent", p[1], b, 16, MSG_OOB);
	/* The mark stands before what was asked for in full. */
	tcp_pair(p);
	MUST(send(p[0], "abU", 3, MSG_OOB));
	MUST(send(p[0], "cd", 2, 0));
	await(p[1], POLLPRI);
	get("wait for all", p[1], b, 4, MSG_WAITALL);
	get("wait for all", p[1], b, 2, MSG_WAITALL);
	/* Much, with the urgent byte at its end. */
	static char big[100000], in[100000];
	ssize_t n, sum = 0;

	tcp_pair(p);
	MUST(send(p[0], big, sizeof(big), MSG_OOB));
	await(p[1], POLLPRI);
	while (sum < (ssize_t)sizeof(big) - 1 && (n = recv(p[1], in, sizeof(in), 0)) > 0)
		sum += n;
	VAL("before the mark", sum);
	await(p[1], POLLPRI);
	RET("urgent", recv(p[1], b, 16, MSG_OOB));
	/* The owner gets a signal; select() an exception. */
	tcp_pair(p);
	signal(SIGURG, on_urgent);
	pipes = 0;
	MUST(fcntl(p[1], F_SETOWN, getpid()));
	fd_set except;

	FD_ZERO(&except);
	FD_SET(p[1], &except);
	RET("nothing", select(p[1] + 1, NULL, NULL, &except, &(struct timeval){ 0, 0 }));
	RET("send", send(p[0], "U", 1, MSG_OOB));
	await(p[1], POLLPRI);
	FD_ZERO(&except);
	FD_SET(p[1], &except);
	RET("select", select(p[1] + 1, NULL, NULL, &except, &(struct timeval){ 5, 0 }));
	VAL("signals", pipes);
	/* Alone, at the end. */
	shutdown(p[0], SHUT_WR);
	await(p[1], POLLRDHUP);
	HEX("all", polled(p[1]));
	get("urgent", p[1], b, 16, MSG_OOB);
	RET("end", recv(p[1], b, 16, 0));
	RET("urgent at the end", recv(p[1], b, 16, MSG_OOB));
	RET("after shutdown", send(p[0], "U", 1, MSG_OOB | MSG_NOSIGNAL));
}

static void urgent_unix(void)
{
	char b[16] = "";
	int p[2];

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	RET("datagram", send(p[0], "U", 1, MSG_OOB));
	RET("datagram", recv(p[1], b, 1, MSG_OOB | MSG_DONTWAIT));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	RET("nothing", recv(p[1], b, 1, MSG_OOB | MSG_DONTWAIT));
	RET("empty", send(p[0], "", 0, MSG_OOB));
}

/* ---- peeking with an offset ---- */

static void peek_off_of(const char *what, int a, int b)
{
	char buf[32] = "";
	int off = number_option(b, SOL_SOCKET, SO_PEEK_OFF);

	say("%s: %d", what, off);
	MUST(send(a, "abcdef", 6, 0));
	get("plain", b, buf, 3, MSG_PEEK);
	set_option(b, SOL_SOCKET, SO_PEEK_OFF, 0);
	get("first", b, buf, 2, MSG_PEEK);
	get("second", b, buf, 2, MSG_PEEK);
	VAL("offset", number_option(b, SOL_SOCKET, SO_PEEK_OFF));
	MUST(send(a, "ghij", 4, 0));
	get("third", b, buf, 20, MSG_PEEK);
	get("fourth", b, buf, 20, MSG_PEEK | MSG_DONTWAIT);
	RET("none", recv(b, buf, 20, MSG_PEEK | MSG_DONTWAIT));
	VAL("offset", number_option(b, SOL_SOCKET, SO_PEEK_OFF));
	get("read", b, buf, 3, 0);
	VAL("offset", number_option(b, SOL_SOCKET, SO_PEEK_OFF));
	set_option(b, SOL_SOCKET, SO_PEEK_OFF, 1);
	get("at 1", b, buf, 20, MSG_PEEK | MSG_DONTWAIT);
	set_option(b, SOL_SOCKET, SO_PEEK_OFF, -1);
	get("off", b, buf, 20, MSG_PEEK | MSG_DONTWAIT);
	set_option(b, SOL_SOCKET, SO_PEEK_OFF, -2);
	VAL("offset", number_option(b, SOL_SOCKET, SO_PEEK_OFF));
}

static void peek_off(void)
{
	int p[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	peek_off_of("stream", p[0], p[1]);
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	peek_off_of("datagram", p[0], p[1]);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p));
	peek_off_of("packet", p[0], p[1]);
	p[0] = udp(AF_INET);
	p[1] = udp(AF_INET);
	MUST(inet_bind(p[1], "127.0.0.1", 0));
	MUST(inet_connect(p[0], "127.0.0.1", inet_port(p[1])));
	peek_off_of("udp", p[0], p[1]);
	p[0] = (int)MUST(socket(AF_NETLINK, SOCK_RAW, 0));
	RET("netlink", setsockopt(p[0], SOL_SOCKET, SO_PEEK_OFF, &(int){ 0 }, 4));
}

/* ---- how connections end ---- */

static void half_close_orders(void)
{
	char b[16];
	int p[2];

	/* The one that connected ends first, the other answers still. */
	for (int first = 0; first < 2; first++) {
		tcp_pair(p);
		MUST(shutdown(p[first], SHUT_WR));
		await_end(p[!first]);
		HEX("the other", polled(p[!first]));
		HEX("this one", polled(p[first]));
		RET("end", recv(p[!first], b, 16, 0));
		RET("answer", send(p[!first], "answer", 6, 0));
		await(p[first], POLLIN);
		RET("read", recv(p[first], b, 16, 0));
		RET("write", send(p[first], "x", 1, MSG_NOSIGNAL));
		RET("shutdown again", shutdown(p[first], SHUT_WR));
		MUST(shutdown(p[!first], SHUT_WR));
		await_end(p[first]);
		HEX("over", polled(p[first]) & ~POLLPRI);
		RET("end", recv(p[first], b, 16, 0));
		await(p[!first], POLLHUP);
		HEX("over there", polled(p[!first]));
		RET("shutdown read", shutdown(p[first], SHUT_RD));
		RET("shutdown both", shutdown(p[!first], SHUT_RDWR));
	}
	tcp_pair(p);
	RET("bad", shutdown(p[0], 3));
	RET("bad", shutdown(p[0], -1));
	/* Both at once. */
	MUST(shutdown(p[0], SHUT_WR));
	MUST(shutdown(p[1], SHUT_WR));
	await(p[0], POLLHUP);
	await(p[1], POLLHUP);
	HEX("both", polled(p[0]));
	HEX("both", polled(p[1]));
	RET("end", recv(p[0], b, 16, 0));
	RET("name", getpeername(p[0], (struct sockaddr *)b, &(socklen_t){ 16 }) == 0 ? 0 : -1);
}

static void reset_with_data(void)
{
	static char big[1 << 20];
	struct linger l = { 1, 0 };
	char b[16];
	int p[2], n = 0;

	signal(SIGPIPE, on_pipe);
	/* What waits to be sent is lost, what was received can be read. */
	tcp_pair(p);
	nonblock(p[0]);
	while (send(p[0], big, sizeof(big), 0) > 0)
		n++;
	YES("full", n > 0 && errno == EAGAIN);
	MUST(send(p[1], "back", 4, 0));
	await(p[0], POLLIN);
	MUST(setsockopt(p[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	MUST(close(p[1]));
	HEX("poll", await(p[0], POLLHUP));
	VAL("error", number_option(p[0], SOL_SOCKET, SO_ERROR));
	VAL("once", number_option(p[0], SOL_SOCKET, SO_ERROR));
	HEX("then", polled(p[0]));
	RET("data", recv(p[0], b, 16, 0));
	RET("end", recv(p[0], b, 16, 0));
	RET("send", send(p[0], "x", 1, 0));
	VAL("signals", pipes);
	RET("no signal", send(p[0], "x", 1, MSG_NOSIGNAL));
	RET("write", write(p[0], "x", 1));
	VAL("signals", pipes);
	RET("shutdown", shutdown(p[0], SHUT_WR));
	/* One waits in read, another in write. */
	for (int writes = 0; writes < 2; writes++) {
		pid_t child;

		tcp_pair(p);
		nonblock(p[0]);
		while (writes && send(p[0], big, sizeof(big), 0) > 0)
			;
		MUST(fcntl(p[0], F_SETFL, 0));
		signal(SIGPIPE, SIG_IGN);
		child = START({
			close(p[1]);
			if (writes)
				RET("waiting write", send(p[0], "x", 1, 0));
			else
				RET("waiting read", recv(p[0], b, 1, 0));
		});
		wait_state(child, 'S');
		MUST(setsockopt(p[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
		MUST(close(p[1]));
		wait_for(child);
		signal(SIGPIPE, on_pipe);
	}
}

static void refused_by_edge(void)
{
	int l = tcp(AF_INET), c = tcp(AF_INET), e = epoll_create1(0), port;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

	MUST(inet_bind(l, "127.0.0.1", 0));
	port = inet_port(l);
	nonblock(c);
	MUST(epoll_ctl(e, EPOLL_CTL_ADD, c, &ev));
	RET("new", epoll_wait(e, &ev, 1, 0));
	HEX("events", ev.events);
	RET("again", epoll_wait(e, &ev, 1, 0));
	RET("connect", inet_connect(c, "127.0.0.1", port));
	RET("refused", epoll_wait(e, &ev, 1, 10000));
	HEX("events", ev.events);
	RET("edge", epoll_wait(e, &ev, 1, 0));
	VAL("error", number_option(c, SOL_SOCKET, SO_ERROR));
	VAL("once", number_option(c, SOL_SOCKET, SO_ERROR));
	RET("edge", epoll_wait(e, &ev, 1, 0));
	HEX("poll", polled(c));
	RET("an end, told late", inet_connect(c, "127.0.0.1", port));
	RET("events", epoll_wait(e, &ev, 1, 10000));
	RET("connect", inet_connect(c, "127.0.0.1", port));
	while (MUST(epoll_wait(e, &ev, 1, 10000)) == 1 && !(ev.events & EPOLLERR))
		;
	RET("connect says", inet_connect(c, "127.0.0.1", port));
	/* A success by the same. */
	MUST(listen(l, 1));
	RET("connect", inet_connect(c, "127.0.0.1", port) == 0 || errno == EINPROGRESS ? 0 : -1);
	await(c, POLLOUT);
	HEX("poll", polled(c));
	VAL("error", number_option(c, SOL_SOCKET, SO_ERROR));
	RET("connected", inet_connect(c, "127.0.0.1", port));
	RET("connected", inet_connect(c, "127.0.0.1", port));
}

/* ---- listeners ---- */

static void accepting(void)
{
	int l = tcp_listener("127.0.0.1", 5), c, a, e = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct sockaddr_in6 name;
	socklen_t n;

	for (int i = 0; i < 4; i++) {
		c = tcp(AF_INET);
		MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
	}
	RET("no place for the length", accept4(l, (struct sockaddr *)&name, NULL, 0));
	n = 3;
	a = (int)MUST(accept4(l, (struct sockaddr *)&name, &n, SOCK_NONBLOCK));
	VAL("length", n);
	HEX("flags", fcntl(a, F_GETFL));
	HEX("flags of the descriptor", fcntl(a, F_GETFD));
	n = (socklen_t)-1;
	RET("negative length", accept4(l, (struct sockaddr *)&name, &n, 0));
	a = (int)MUST(accept4(l, NULL, NULL, SOCK_CLOEXEC));
	HEX("flags", fcntl(a, F_GETFL));
	HEX("flags of the descriptor", fcntl(a, F_GETFD));
	RET("bad flags", accept4(l, NULL, NULL, 4));
	nonblock(l);
	while (accept(l, NULL, NULL) >= 0)
		;
	VAL("empty", errno == EAGAIN);
	/* The end of a listener for reading, and back. */
	MUST(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev));
	RET("nothing", epoll_wait(e, &ev, 1, 0));
	RET("shutdown to write", shutdown(l, SHUT_WR));
	HEX("poll", polled(l));
	RET("shutdown to read", shutdown(l, SHUT_RD));
	HEX("poll", polled(l));
	RET("event", epoll_wait(e, &ev, 1, 0));
	HEX("events", ev.events);
	RET("accept", accept(l, NULL, NULL));
	c = tcp(AF_INET);
	RET("connect", inet_connect(c, "127.0.0.1", inet_port(l)));
	VAL("listens", option(l, SO_ACCEPTCONN));
	RET("listen again", listen(l, 5));
	c = tcp(AF_INET);
	RET("connect", inet_connect(c, "127.0.0.1", inet_port(l)));
	RES("accept", accept(l, NULL, NULL));
	/* A listener of backlog 0, and of a negative one. */
	l = tcp_listener("127.0.0.1", 0);
	c = tcp(AF_INET);
	RET("connect", inet_connect(c, "127.0.0.1", inet_port(l)));
	RET("listen", listen(l, -1));
}

static void dual_stack(void)
{
	int six = tcp(AF_INET6), four = tcp(AF_INET), c, port;

	MUST(inet_bind(six, "::", 0));
	port = inet_port(six);
	RET("four too", inet_bind(four, "0.0.0.0", port));
	MUST(listen(six, 5));
	c = tcp(AF_INET);
	RET("connect four", inet_connect(c, "127.0.0.1", port));
	c = (int)MUST(accept(six, NULL, NULL));
	say_address_only("ours", c);
	VAL("v6only", number_option(c, SOL_IPV6, IPV6_V6ONLY));
	RET("an address of six", number_option(c, SOL_IP, IP_TTL));
	RET("late", setsockopt(six, SOL_IPV6, IPV6_V6ONLY, &(int){ 1 }, 4));
	close(six);
	close(c);
	six = tcp(AF_INET6);
	set_option(six, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(six, SOL_IPV6, IPV6_V6ONLY, 1);
	MUST(inet_bind(six, "::", 0));
	port = inet_port(six);
	RET("only six: four too", inet_bind(four, "0.0.0.0", port));
	MUST(listen(six, 5));
	c = tcp(AF_INET);
	RET("connect four", inet_connect(c, "127.0.0.1", port));
	c = tcp(AF_INET6);
	RET("connect mapped", inet_connect(c, "::ffff:127.0.0.1", port));
	c = tcp(AF_INET6);
	RET("connect six", inet_connect(c, "::1", port));
	c = tcp(AF_INET6);
	set_option(c, SOL_IPV6, IPV6_V6ONLY, 1);
	RET("mapped by only six", inet_connect(c, "::ffff:127.0.0.1", port));
	RET("bind mapped by only six", inet_bind(c, "::ffff:127.0.0.1", 0));
	c = tcp(AF_INET6);
	RET("bind mapped", inet_bind(c, "::ffff:127.0.0.1", 0));
	RET("six from mapped", inet_connect(c, "::1", port));
}

/* ---- how much there is to read ---- */

static void available(void)
{
	int p[2], n, s;

	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type += type == SOCK_STREAM ? 1 : 3) {
		MUST(socketpair(AF_UNIX, type, 0, p));
		n = -1;
		RET("empty", ioctl(p[1], FIONREAD, &n));
		VAL("n", n);
		MUST(send(p[0], "abc", 3, 0));
		MUST(send(p[0], "defg", 4, 0));
		RET("unix", ioctl(p[1], FIONREAD, &n));
		VAL("n", n);
		RET("queued", ioctl(p[0], SIOCOUTQ, &n));
		YES("some", n > 0);
	}
	s = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(bind_to(s, "@corner-listens"));
	MUST(listen(s, 1));
	RET("listener", ioctl(s, FIONREAD, &n));
	tcp_pair(p);
	RET("tcp", ioctl(p[1], FIONREAD, &n));
	VAL("n", n);
	MUST(send(p[0], "abc", 3, 0));
	await(p[1], POLLIN);
	RET("tcp", ioctl(p[1], FIONREAD, &n));
	VAL("n", n);
	MUST(shutdown(p[0], SHUT_WR));
	await_end(p[1]);
	RET("before the end", ioctl(p[1], FIONREAD, &n));
	VAL("n", n);
	s = tcp_listener("127.0.0.1", 1);
	RET("listener", ioctl(s, FIONREAD, &n));
	RET("listener", ioctl(s, SIOCOUTQ, &n));
	s = tcp(AF_INET);
	RET("new", ioctl(s, FIONREAD, &n));
	VAL("n", n);
	p[0] = udp(AF_INET);
	p[1] = udp(AF_INET);
	MUST(inet_bind(p[1], "127.0.0.1", 0));
	MUST(inet_connect(p[0], "127.0.0.1", inet_port(p[1])));
	MUST(send(p[0], "", 0, 0));
	MUST(send(p[0], "abc", 3, 0));
	MUST(send(p[0], "defg", 4, 0));
	RET("udp", ioctl(p[1], FIONREAD, &n));
	VAL("n", n);
	RET("the empty one", recv(p[1], &n, 4, 0));
	RET("udp", ioctl(p[1], FIONREAD, &n));
	VAL("n", n);
	RET("other", ioctl(p[1], 0x1234567, &n));
	RET("terminal", ioctl(p[1], TCGETS, &n));
	RET("nonblocking", ioctl(p[1], FIONBIO, &(int){ 1 }));
	HEX("flags", fcntl(p[1], F_GETFL));
}

/* ---- flags of receiving ---- */

static void receiving(void)
{
	char b[32] = "";
	int p[2];

	tcp_pair(p);
	MUST(send(p[0], "abcdef", 6, 0));
	await(p[1], POLLIN);
	get("peek all", p[1], b, 6, MSG_PEEK | MSG_WAITALL);
	get("peek some", p[1], b, 3, MSG_PEEK);
	RET("throw away", recv(p[1], b, 2, MSG_TRUNC));
	RET("peek and throw", recv(p[1], b, 16, MSG_TRUNC | MSG_PEEK | MSG_DONTWAIT));
	get("rest", p[1], b, 16, MSG_DONTWAIT);
	RET("nothing asked", recv(p[1], b, 0, MSG_DONTWAIT));
	RET("wait for all, nonblocking", recv(p[1], b, 4, MSG_WAITALL | MSG_DONTWAIT));
	MUST(send(p[0], "gh", 2, 0));
	await(p[1], POLLIN);
	RET("wait for all, nonblocking", recv(p[1], b, 4, MSG_WAITALL | MSG_DONTWAIT));
	RET("error queue", recv(p[1], b, 4, MSG_ERRQUEUE));
	RET("bad pointer", recv(p[1], (void *)8, 4, MSG_DONTWAIT));
	MUST(send(p[0], "ijkl", 4, 0));
	await(p[1], POLLIN);
	RET("bad pointer", recv(p[1], (void *)8, 4, MSG_DONTWAIT));
	get("still there", p[1], b, 16, MSG_DONTWAIT);
	/* Datagrams. */
	p[0] = udp(AF_INET);
	p[1] = udp(AF_INET);
	MUST(inet_bind(p[1], "127.0.0.1", 0));
	MUST(inet_connect(p[0], "127.0.0.1", inet_port(p[1])));
	for (int i = 0; i < 5; i++)
		MUST(send(p[0], "abcdef", 6, 0));
	RET("cut", recv(p[1], b, 2, 0));
	RET("cut, true length", recv(p[1], b, 2, MSG_TRUNC | MSG_PEEK));
	RET("true length", recv(p[1], b, 2, MSG_TRUNC));
	RET("all", recv(p[1], b, 16, MSG_WAITALL));
	RET("nothing asked", recv(p[1], b, 0, 0));
	RET("bad pointer", recv(p[1], (void *)8, 4, MSG_DONTWAIT));
	RET("gone with it", recv(p[1], b, 16, MSG_DONTWAIT));
	RET("urgent", send(p[0], "x", 1, MSG_OOB));
	RET("urgent", recv(p[1], b, 1, MSG_OOB | MSG_DONTWAIT));
}

static void timeouts(void)
{
	struct timeval t = { 0, 100000 }, got;
	socklen_t n = sizeof(got);
	static char big[1 << 20];
	char b[8];
	int p[2], l;

	tcp_pair(p);
	MUST(setsockopt(p[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	RET("read", recv(p[1], b, 8, 0));
	MUST(send(p[0], "abc", 3, 0));
	RET("wait for all", recv(p[1], b, 8, MSG_WAITALL));
	MUST(setsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
	while (send(p[0], big, sizeof(big), 0) > 0)
		;
	VAL("full", errno == EAGAIN);
	MUST(getsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &got, &n));
	say("%ld %ld, %d", (long)got.tv_sec, (long)got.tv_usec, (int)n);
	l = tcp_listener("127.0.0.1", 1);
	MUST(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	RET("accept", accept(l, NULL, NULL));
	RET("short", setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, 8));
	t.tv_usec = 1000000;
	RET("bad", setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	t.tv_usec = -1;
	RET("bad", setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	t = (struct timeval){ -1, 0 };
	RET("negative", setsockopt(p[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	n = sizeof(got);
	MUST(getsockopt(p[1], SOL_SOCKET, SO_RCVTIMEO, &got, &n));
	say("%ld %ld, %d", (long)got.tv_sec, (long)got.tv_usec, (int)n);
	n = 4;
	RET("short", getsockopt(p[0], SOL_SOCKET, SO_SNDTIMEO, &got, &n));
	VAL("n", n);
}

/* ---- options: lengths, rights ---- */

static void get_with(const char *what, int s, int level, int opt)
{
	static const int lengths[] = { -1, 0, 1, 2, 3, 4, 8, 100 };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		unsigned char buf[128];
		socklen_t n = (socklen_t)lengths[i];

		memset(buf, 0x55, sizeof(buf));
		if (getsockopt(s, level, opt, buf, &n) != 0)
			say("%s, %d: %s", what, lengths[i], error_name(errno));
		else
			say("%s, %d: %d, %02x %02x %02x %02x %02x", what, lengths[i], (int)n,
			    buf[0], buf[1], buf[2], buf[3], buf[4]);
	}
}

static void lengths(void)
{
	int s = tcp(AF_INET), six = tcp(AF_INET6), u = udp(AF_INET);

	get_with("type", s, SOL_SOCKET, SO_TYPE);
	get_with("linger", s, SOL_SOCKET, SO_LINGER);
	get_with("error", s, SOL_SOCKET, SO_ERROR);
	get_with("nodelay", s, IPPROTO_TCP, TCP_NODELAY);
	get_with("ttl", s, SOL_IP, IP_TTL);
	get_with("hops", six, SOL_IPV6, IPV6_UNICAST_HOPS);
	get_with("v6only", six, SOL_IPV6, IPV6_V6ONLY);
	get_with("loop", u, SOL_IP, IP_MULTICAST_LOOP);
	get_with("segment", u, SOL_UDP, UDP_SEGMENT);
	get_with("device", s, SOL_SOCKET, SO_BINDTODEVICE);
	for (int n = 0; n <= 4; n++) {
		RET("set reuse",
		    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, (socklen_t)n));
		RET("set nodelay",
		    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, (socklen_t)n));
		RET("set ttl", setsockopt(s, SOL_IP, IP_TTL, &(int){ 9 }, (socklen_t)n));
		RET("set v6only",
		    setsockopt(six, SOL_IPV6, IPV6_V6ONLY, &(int){ 1 }, (socklen_t)n));
	}
	RET("set, bad pointer", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
	RET("get, bad length", getsockopt(s, SOL_SOCKET, SO_TYPE, &(int){ 1 }, NULL));
	RET("level", setsockopt(s, 4711, 1, &(int){ 1 }, 4));
	RET("level", getsockopt(s, 4711, 1, &(int){ 1 }, &(socklen_t){ 4 }));
	RET("option", setsockopt(s, SOL_SOCKET, 4711, &(int){ 1 }, 4));
	RET("option", getsockopt(s, IPPROTO_TCP, 4711, &(int){ 1 }, &(socklen_t){ 4 }));
	RET("udp of tcp", setsockopt(s, SOL_UDP, UDP_CORK, &(int){ 1 }, 4));
	RET("tcp of udp", setsockopt(u, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, 4));
	RET("six of four", setsockopt(s, SOL_IPV6, IPV6_V6ONLY, &(int){ 1 }, 4));
}

static void rights(void)
{
	CHILD({
		int s = tcp(AF_INET);

		MUST(setgid(65534));
		MUST(setuid(65534));
		RET("priority 6", setsockopt(s, SOL_SOCKET, SO_PRIORITY, &(int){ 6 }, 4));
		RET("priority 7", setsockopt(s, SOL_SOCKET, SO_PRIORITY, &(int){ 7 }, 4));
		RET("mark", setsockopt(s, SOL_SOCKET, SO_MARK, &(int){ 1 }, 4));
		RET("buffer", setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 9999 }, 4));
		RET("debug", setsockopt(s, SOL_SOCKET, SO_DEBUG, &(int){ 1 }, 4));
		RET("device", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
		RET("other device", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
		RET("transparent", setsockopt(s, SOL_IP, IP_TRANSPARENT, &(int){ 1 }, 4));
		RET("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
		RET("port", inet_bind(s, "127.0.0.1", 79));
		RET("tos", setsockopt(s, SOL_IP, IP_TOS, &(int){ 0xe0 }, 4));
		VAL("priority", option(s, SO_PRIORITY));
		VAL("incoming", option(s, SO_INCOMING_CPU) < 4096);
	});
}

/* ---- an interface of its own ---- */

static void device(void)
{
	int l = tcp(AF_INET), c = tcp(AF_INET), u = udp(AF_INET), n;
	char name[16] = "";
	socklen_t len = sizeof(name);

	RET("none", setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8));
	RET("lo", setsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	RET("get", getsockopt(l, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	say("%s, %d", name, (int)len);
	MUST(inet_bind(l, "0.0.0.0", 0));
	MUST(listen(l, 3));
	RET("connect", inet_connect(c, "127.0.0.1", inet_port(l)));
	n = (int)MUST(accept(l, NULL, NULL));
	len = sizeof(name);
	RET("inherited", getsockopt(n, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	say("%.*s, %d", (int)len, name, (int)len);
	RET("lo", setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	MUST(inet_bind(u, "0.0.0.0", 0));
	n = udp(AF_INET);
	MUST(inet_send(n, "x", 1, "127.0.0.1", inet_port(u)));
	say_from("by lo", u);
	RET("index", number_option(u, SOL_SOCKET, SO_BINDTOIFINDEX));
	RET("away", setsockopt(u, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	RET("index", number_option(u, SOL_SOCKET, SO_BINDTOIFINDEX));
}

/* ---- UDP: segments ---- */

static void segments(void)
{
	char buf[8000];
	int a = udp(AF_INET), b = udp(AF_INET);

	memset(buf, 's', sizeof(buf));
	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	RET("set", setsockopt(b, SOL_UDP, UDP_SEGMENT, &(int){ 1000 }, 4));
	RET("send", send(b, buf, 3500, 0));
	for (int i = 0; i < 5; i++)
		RET("recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	RET("one", send(b, buf, 1000, 0));
	RET("recv", recv(a, buf, sizeof(buf), MSG_DONTWAIT));
	set_option(b, SOL_UDP, UDP_SEGMENT, 10);
	RET("too many", send(b, buf, 8000, 0));
	RET("bad", setsockopt(b, SOL_UDP, UDP_SEGMENT, &(int){ -1 }, 4));
	RET("bad", setsockopt(b, SOL_UDP, UDP_SEGMENT, &(int){ 70000 }, 4));
	set_option(b, SOL_UDP, UDP_SEGMENT, 0);
	send_with_control(b, "127.0.0.1", inet_port(a), SOL_UDP, UDP_SEGMENT, 1000);
	RET("gro", setsockopt(a, SOL_UDP, UDP_GRO, &(int){ 1 }, 4));
	MUST(send(b, "plain", 5, 0));
	VAL("gro", number_option(a, SOL_UDP, UDP_GRO));
}

/* Several messages, the second of which cannot be sent. */
static void many_with_errors(void)
{
	int a = udp(AF_INET), b = udp(AF_INET);
	static char big[70000];
	struct iovec v[3] = { { "one", 3 }, { big, sizeof(big) }, { "three", 5 } };
	struct mmsghdr m[3];
	struct sockaddr_in6 name;
	char buf[16];

	MUST(inet_bind(a, "127.0.0.1", 0));
	inet_make(&name, "127.0.0.1", inet_port(a));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 3; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_name = &name,
						.msg_namelen = sizeof(struct sockaddr_in),
						.msg_iov = &v[i],
						.msg_iovlen = 1 };
	RET("send", sendmmsg(b, m, 3, 0));
	VAL("first", m[0].msg_len);
	RET("the second first", sendmmsg(b, m + 1, 2, 0));
	RET("bad pointer", sendmmsg(b, (void *)8, 2, 0));
	RET("none", sendmmsg(b, m, 0, 0));
	get("recv", a, buf, 16, MSG_DONTWAIT);
	RET("recv", recv(a, buf, 16, MSG_DONTWAIT));
	/* Receiving with a time limit. */
	MUST(inet_send(b, "x", 1, "127.0.0.1", inet_port(a)));
	v[0] = (struct iovec){ buf, 16 };
	v[1] = (struct iovec){ (void *)8, 16 };
	m[0].msg_hdr.msg_name = m[1].msg_hdr.msg_name = NULL;
	RET("one there", recvmmsg(a, m, 2, MSG_WAITFORONE, NULL));
	MUST(inet_send(b, "x", 1, "127.0.0.1", inet_port(a)));
	MUST(inet_send(b, "y", 1, "127.0.0.1", inet_port(a)));
	RET("the second has no place", recvmmsg(a, m, 2, MSG_DONTWAIT, NULL));
	RET("bad time", recvmmsg(a, m, 2, 0, &(struct timespec){ 0, -1 }));
	VAL("error", number_option(a, SOL_SOCKET, SO_ERROR));
}

/* ---- stamps ---- */

static void stamp_of(int s, const char *what)
{
	char buf[16];
	union {
		struct cmsghdr h;
		char room[256];
	} u;
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = 256
	};

	RET(what, recvmsg(s, &m, MSG_DONTWAIT));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		int64_t t[2], now = now_ns(CLOCK_REALTIME);

		say("level %d, type %d, %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		memcpy(t, CMSG_DATA(c), sizeof(t));
		YES("recent", t[0] <= now / 1000000000 && t[0] > now / 1000000000 - 60);
	}
}

static void stamps(void)
{
	static const int opts[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, 63, 64 };
	int p[2], a = udp(AF_INET), b = udp(AF_INET);

	MUST(inet_bind(a, "127.0.0.1", 0));
	MUST(inet_connect(b, "127.0.0.1", inet_port(a)));
	for (size_t i = 0; i < COUNT(opts); i++) {
		set_option(a, SOL_SOCKET, opts[i], 1);
		MUST(send(b, "x", 1, 0));
		stamp_of(a, "udp");
		for (size_t j = 0; j < COUNT(opts); j++)
			VAL("set", number_option(a, SOL_SOCKET, opts[j]));
	}
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	set_option(p[1], SOL_SOCKET, SO_TIMESTAMP, 1);
	MUST(send(p[0], "x", 1, 0));
	stamp_of(p[1], "unix");
	/* The last one, by ioctl. */
	set_option(a, SOL_SOCKET, SO_TIMESTAMP, 0);
	struct timeval t;

	MUST(send(b, "x", 1, 0));
	MUST(recv(a, p, 1, 0));
	RET("last", ioctl(a, SIOCGSTAMP, &t) == 0 || errno == ENOENT ? 0 : -1);
	MUST(send(b, "x", 1, 0));
	MUST(recv(a, p, 1, 0));
	RET("last", ioctl(a, SIOCGSTAMP, &t));
	RET("of a stream", ioctl(tcp(AF_INET), SIOCGSTAMP, &t));
}

/* ---- AF_UNIX ---- */

static void autobind(void)
{
	int a = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0)),
	    b = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	struct sockaddr_un n = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(n);

	RET("bind", bind(a, (struct sockaddr *)&n, sizeof(n.sun_family)));
	memset(&n, 0xff, sizeof(n));
	MUST(getsockname(a, (struct sockaddr *)&n, &len));
	VAL("length", len);
	VAL("abstract", n.sun_path[0]);
	for (int i = 1; i < 6; i++)
		YES("digit", strchr("0123456789abcdef", n.sun_path[i]) != NULL);
	n.sun_family = AF_UNIX;
	RET("again", bind(a, (struct sockaddr *)&n, sizeof(n.sun_family)));
	RET("the same name", bind(b, (struct sockaddr *)&n, len));
	RET("other type",
	    bind((int)MUST(socket(AF_UNIX, SOCK_SEQPACKET, 0)), (struct sockaddr *)&n, len));
	RET("too short", bind(b, (struct sockaddr *)&n, 1));
	RET("too long", bind(b, (struct sockaddr *)&n, sizeof(n) + 1));
	/* A sender that wants to be known has a name. */
	int c = (int)MUST(socket(AF_UNIX, SOCK_DGRAM, 0));

	set_option(c, SOL_SOCKET, SO_PASSCRED, 1);
	MUST(getsockname(a, (struct sockaddr *)&n, &len));
	RET("send", sendto(c, "x", 1, 0, (struct sockaddr *)&n, len));
	len = sizeof(n);
	MUST(getsockname(c, (struct sockaddr *)&n, &len));
	VAL("length", len);
}

static long send_files(int s, int fd, unsigned n)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(300 * sizeof(int))];
	} u;
	struct iovec v = { "f", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &u,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	memset(&u, 0, sizeof(u));
	u.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS };
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(&u.h) + i * sizeof(int), &fd, sizeof(int));
	return sendmsg(s, &m, MSG_DONTWAIT);
}

static void get_files(const char *what, int s, size_t room, int flags)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(300 * sizeof(int))];
	} u;
	char b[8];
	struct iovec v = { b, 8 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = room
	};
	long n = recvmsg(s, &m, MSG_DONTWAIT | flags);
	struct cmsghdr *c;

	if (n < 0) {
		say("%s: %s", what, error_name(errno));
		return;
	}
	c = CMSG_FIRSTHDR(&m);
	say("%s: %ld, flags %#x, %zu of control, %zu", what, n, m.msg_flags, m.msg_controllen,
	    c == NULL ? 0 : c->cmsg_len);
	for (size_t i = 0; c != NULL && i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
		close(((int *)CMSG_DATA(c))[i]);
}

static void rights_over(void)
{
	struct rlimit l;
	int p[2], fd = (int)MUST(open("/dev/null", O_RDONLY)), held[20], n = 0;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	RET("253", send_files(p[0], fd, 253));
	RET("254", send_files(p[0], fd, 254));
	RET("bad", send_files(p[0], 999, 2));
	RET("none", send_files(p[0], fd, 0));
	get_files("253", p[1], 4096, 0);
	get_files("none", p[1], 4096, 0);
	for (int i = 0; i < 5; i++)
		RET("ten", send_files(p[0], fd, 10));
	get_files("no room", p[1], 0, 0);
	get_files("room for the head", p[1], CMSG_LEN(0), 0);
	get_files("for one", p[1], CMSG_LEN(sizeof(int)), 0);
	get_files("peek", p[1], 4096, MSG_PEEK);
	get_files("half of one more", p[1], CMSG_LEN(3 * sizeof(int)) + 2, 0);
	/* No descriptors are left. */
	MUST(getrlimit(RLIMIT_NOFILE, &l));
	l.rlim_cur = 20;
	MUST(setrlimit(RLIMIT_NOFILE, &l));
	while (n < 20 && (held[n] = dup(fd)) >= 0)
		n++;
	close(held[--n]);
	close(held[--n]);
	get_files("room for two", p[1], 4096, 0);
	RET("over", recv(p[1], held, 1, MSG_DONTWAIT));
}

/* ---- options of TCP that act ---- */

static void acting(void)
{
	int p[2], l, c, a;
	char b[16];

	/* A connection is accepted when data is there. */
	l = tcp(AF_INET);
	set_option(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
	VAL("defer", number_option(l, IPPROTO_TCP, TCP_DEFER_ACCEPT));
	MUST(inet_bind(l, "127.0.0.1", 0));
	MUST(listen(l, 3));
	nonblock(l);
	c = tcp(AF_INET);
	RET("connect", inet_connect(c, "127.0.0.1", inet_port(l)));
	RET("accept", accept(l, NULL, NULL));
	HEX("poll", polled(l));
	MUST(send(c, "data", 4, 0));
	await(l, POLLIN);
	a = (int)MUST(accept(l, NULL, NULL));
	get("data", a, b, 16, MSG_DONTWAIT);
	/* What comes is told once there is enough of it. */
	tcp_pair(p);
	set_option(p[1], SOL_SOCKET, SO_RCVLOWAT, 4);
	MUST(send(p[0], "ab", 2, 0));
	while (ioctl(p[1], FIONREAD, &a) == 0 && a < 2)
		poll(NULL, 0, 1);
	HEX("two of four", polled(p[1]));
	RET("two of four", recv(p[1], b, 16, MSG_DONTWAIT));
	MUST(send(p[0], "abcd", 4, 0));
	while (ioctl(p[1], FIONREAD, &a) == 0 && a < 4)
		poll(NULL, 0, 1);
	HEX("four", polled(p[1]));
	RET("short", recv(p[1], b, 2, MSG_DONTWAIT));
	set_option(p[1], SOL_SOCKET, SO_RCVLOWAT, 0);
	VAL("lowat", option(p[1], SO_RCVLOWAT));
	set_option(p[1], IPPROTO_TCP, TCP_QUICKACK, 0);
	VAL("quickack", number_option(p[1], IPPROTO_TCP, TCP_QUICKACK));
	set_option(p[1], IPPROTO_TCP, TCP_QUICKACK, 1);
	VAL("quickack", number_option(p[1], IPPROTO_TCP, TCP_QUICKACK));
	RET("timeout", setsockopt(p[1], IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){ -1 }, 4));
	set_option(p[1], IPPROTO_TCP, TCP_USER_TIMEOUT, 1234);
	VAL("timeout", number_option(p[1], IPPROTO_TCP, TCP_USER_TIMEOUT));
	RET("linger2", setsockopt(p[1], IPPROTO_TCP, TCP_LINGER2, &(int){ -1 }, 4));
	VAL("linger2", number_option(p[1], IPPROTO_TCP, TCP_LINGER2));
	RET("congestion", setsockopt(p[1], IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6));
	RET("inq", setsockopt(p[1], IPPROTO_TCP, TCP_INQ, &(int){ 1 }, 4));
	VAL("inq", number_option(p[1], IPPROTO_TCP, TCP_INQ));
	RET("inq", setsockopt(p[1], IPPROTO_TCP, TCP_INQ, &(int){ 2 }, 4));
	RET("timestamp", number_option(p[1], IPPROTO_TCP, TCP_TIMESTAMP) != 0);
	RET("fastopen",
	    setsockopt(tcp(AF_INET), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, 4));
	RET("fastopen", setsockopt(p[1], IPPROTO_TCP, TCP_FASTOPEN, &(int){ 1 }, 4));
}

/* How much is left to read, told with each piece. */
static void left_to_read(void)
{
	union {
		struct cmsghdr h;
		char room[256];
	} u;
	char b[4];
	struct iovec v = { b, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int p[2], n;

	tcp_pair(p);
	set_option(p[1], IPPROTO_TCP, TCP_INQ, 1);
	MUST(send(p[0], "abcdefghij", 10, 0));
	while (ioctl(p[1], FIONREAD, &n) == 0 && n < 10)
		poll(NULL, 0, 1);
	for (int i = 0; i < 3; i++) {
		m.msg_control = &u;
		m.msg_controllen = sizeof(u);
		RET("read", recvmsg(p[1], &m, MSG_DONTWAIT));
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			memcpy(&n, CMSG_DATA(c), sizeof(n));
			say("level %d, type %d, %zu: %d", c->cmsg_level, c->cmsg_type, c->cmsg_len,
			    n);
		}
	}
}

static const struct section sections[] = {
	{ "urgent", urgent },
	{ "urgent_unix", urgent_unix },
	{ "peek_off", peek_off },
	{ "half_close_orders", half_close_orders },
	{ "reset_with_data", reset_with_data },
	{ "refused_by_edge", refused_by_edge },
	{ "accepting", accepting },
	{ "dual_stack", dual_stack },
	{ "available", available },
	{ "receiving", receiving },
	{ "timeouts", timeouts },
	{ "lengths", lengths },
	{ "rights", rights },
	{ "device", device },
	{ "segments", segments },
	{ "many_with_errors", many_with_errors },
	{ "stamps", stamps },
	{ "autobind", autobind },
	{ "rights_over", rights_over },
	{ "acting", acting },
	{ "left_to_read", left_to_read },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
