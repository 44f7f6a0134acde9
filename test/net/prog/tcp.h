/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs about TCP share. */
#pragma once
#include "test/net/prog/inet.h"

#include <linux/tcp.h>

UNUSED static int tcp(int family)
{
	return (int)MUST(socket(family, SOCK_STREAM, 0));
}

/* A listener at a free port of ip. */
UNUSED static int tcp_listener(const char *ip, int backlog)
{
	int s = tcp(strchr(ip, ':') == NULL ? AF_INET : AF_INET6);

	MUST(inet_bind(s, ip, 0));
	MUST(listen(s, backlog));
	return s;
}

/* Both ends of a connection: [0] has connected, [1] was accepted. */
UNUSED static void tcp_pair_at(int pair[2], const char *ip)
{
	int l = tcp_listener(ip, 8);

	pair[0] = tcp(strchr(ip, ':') == NULL ? AF_INET : AF_INET6);
	MUST(inet_connect(pair[0], ip, inet_port(l)));
	pair[1] = (int)MUST(accept(l, NULL, NULL));
	MUST(close(l));
}

UNUSED static void tcp_pair(int pair[2])
{
	tcp_pair_at(pair, "127.0.0.1");
}

UNUSED static void nonblock(int s)
{
	MUST(fcntl(s, F_SETFL, O_NONBLOCK));
}

/* Until one of `events`, or what cannot be masked, is there. */
UNUSED static short await(int s, short events)
{
	struct pollfd p = { .fd = s, .events = events };

	MUST(poll(&p, 1, 10000));
	return p.revents;
}

/* What poll tells of all there is. */
UNUSED static int polled(int s)
{
	struct pollfd p = {
		.fd = s, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM
	};

	MUST(poll(&p, 1, 0));
	return p.revents;
}

/* Until the peer's end has come. */
UNUSED static void await_end(int s)
{
	await(s, POLLRDHUP);
}
