/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * echo PORT: sends back what comes, by TCP and UDP, IPv4 and IPv6; prints "up" when it listens. A
 * datagram "free" is answered with the free memory in bytes; "close" resets all connections. It
 * keeps CONNECTIONS of them; the oldest is reset for a new one. Runs until it is killed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define CONNECTIONS 256

static char buf[65536];
static int connections[CONNECTIONS], next_connection; /* 0: none */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_socket(int type, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, zero = 0, s = socket(AF_INET6, type | SOCK_NONBLOCK, 0);

	if (s < 0)
		die("socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("bind");
	if (type == SOCK_STREAM && listen(s, 128) != 0)
		die("listen");
	return s;
}

static void watch(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll_ctl");
}

static void reset(int i)
{
	struct linger at_once = { 1, 0 };

	if (connections[i] == 0)
		return;
	setsockopt(connections[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(connections[i]);
	connections[i] = 0;
}

static void keep(int s)
{
	reset(next_connection);
	connections[next_connection] = s;
	next_connection = (next_connection + 1) % CONNECTIONS;
}

static void leave(int s)
{
	for (int i = 0; i < CONNECTIONS; i++)
		if (connections[i] == s)
			connections[i] = 0;
	close(s);
}

static void serve_datagram(int s)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
	struct sysinfo si;

	if (n < 0)
		return;
	for (int i = 0; n == 5 && memcmp(buf, "close", 5) == 0 && i < CONNECTIONS; i++)
		reset(i);
	if (n == 4 && memcmp(buf, "free", 4) == 0 && sysinfo(&si) == 0)
		n = sprintf(buf, "%lu", si.freeram * si.mem_unit);
	if (sendto(s, buf, n, 0, (struct sockaddr *)&from, len) < 0 && errno != EAGAIN)
		perror("sendto");
}

/* What does not fit is given up, with the connection: the other side does not read. */
static void serve_stream(int s)
{
	ssize_t n = read(s, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || write(s, buf, n) != n)
		leave(s);
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 7, ep = epoll_create1(0);
	int tcp = open_socket(SOCK_STREAM, port), udp = open_socket(SOCK_DGRAM, port);

	watch(ep, tcp);
	watch(ep, udp);
	if (write(1, "up\n", 3) != 3)
		die("write");
	for (;;) {
		struct epoll_event e;
		int c;

		if (epoll_wait(ep, &e, 1, -1) != 1)
			continue;
		if (e.data.fd == udp) {
			serve_datagram(udp);
		} else if (e.data.fd == tcp) {
			c = accept4(tcp, NULL, NULL, SOCK_NONBLOCK);
			if (c < 0)
				continue;
			keep(c);
			watch(ep, c);
		} else {
			serve_stream(e.data.fd);
		}
	}
}
