/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs about message sockets over IP share. */
#pragma once
#include "test/net/prog/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>

UNUSED static int udp(int family)
{
	return (int)MUST(socket(family, SOCK_DGRAM, 0));
}

UNUSED static socklen_t inet_make(struct sockaddr_in6 *out, const char *ip, int port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (strchr(ip, ':') == NULL) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, ip, &four->sin_addr);
		return sizeof(*four);
	}
	out->sin6_family = AF_INET6;
	out->sin6_port = htons((uint16_t)port);
	inet_pton(AF_INET6, ip, &out->sin6_addr);
	return sizeof(*out);
}

UNUSED static int inet_bind(int s, const char *ip, int port)
{
	struct sockaddr_in6 a;
	socklen_t n = inet_make(&a, ip, port);

	return bind(s, (struct sockaddr *)&a, n);
}

UNUSED static int inet_connect(int s, const char *ip, int port)
{
	struct sockaddr_in6 a;
	socklen_t n = inet_make(&a, ip, port);

	return connect(s, (struct sockaddr *)&a, n);
}

UNUSED static long inet_send(int s, const void *buf, size_t len, const char *ip, int port)
{
	struct sockaddr_in6 a;
	socklen_t n = inet_make(&a, ip, port);

	return sendto(s, buf, len, MSG_DONTWAIT, (struct sockaddr *)&a, n);
}

UNUSED static const char *inet_text(const struct sockaddr_in6 *a)
{
	static char text[INET6_ADDRSTRLEN];

	return a->sin6_family == AF_INET
		       ? inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, text,
				   sizeof(text))
		       : inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof(text));
}

UNUSED static int inet_port(int s)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	MUST(getsockname(s, (struct sockaddr *)&a, &n));
	return ntohs(a.sin6_port);
}

UNUSED static int inet_peer_port(int s)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	MUST(getpeername(s, (struct sockaddr *)&a, &n));
	return ntohs(a.sin6_port);
}

UNUSED static void say_inet(const char *what, int s, bool peer)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	memset(&a, 0, sizeof(a));
	if ((peer ? getpeername : getsockname)(s, (struct sockaddr *)&a, &n) != 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %d bytes, family %d, port %d, %s", what, (int)n, a.sin6_family,
		    ntohs(a.sin6_port), inet_text(&a));
}

UNUSED static void say_address_only(const char *what, int s)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	MUST(getsockname(s, (struct sockaddr *)&a, &n));
	say("%s: %s", what, inet_text(&a));
}

/* A message that must be there, and whose it is. */
UNUSED static void say_from(const char *what, int s)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);
	char buf[64];
	long r;

	memset(&a, 0, sizeof(a));
	r = recvfrom(s, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&a, &n);
	if (r < 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %.*s from %s, %d bytes, family %d", what, (int)r, buf, inet_text(&a),
		    (int)n, a.sin6_family);
}

UNUSED static int number_option(int s, int level, int opt)
{
	int v = 0;
	socklen_t n = sizeof(v);

	return getsockopt(s, level, opt, &v, &n) == 0 ? v : -errno;
}

UNUSED static void set_option(int s, int level, int opt, int value)
{
	if (setsockopt(s, level, opt, &value, sizeof(value)) != 0)
		say("option %d of level %d to %d: %s", opt, level, value, error_name(errno));
}

/* The control data of a message that must be there. */
UNUSED static void say_control(const char *what, int s)
{
	char buf[64], control[512];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	if (recvmsg(s, &m, MSG_DONTWAIT) < 0) {
		say("%s: %s", what, error_name(errno));
		return;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		const unsigned char *d = CMSG_DATA(c);
		size_t n = c->cmsg_len - CMSG_LEN(0);
		char text[128] = "";

		for (size_t i = 0; i < n && i < 32 && c->cmsg_type != SO_TIMESTAMP &&
				   c->cmsg_type != SO_TIMESTAMPNS;
		     i++)
			sprintf(text + strlen(text), "%02x", d[i]);
		say("%s: level %d, type %d, %zu bytes: %s", what, c->cmsg_level, c->cmsg_type, n,
		    text);
	}
	HEX(what, m.msg_flags);
}

UNUSED static void send_with_control(int s, const char *ip, int port, int level, int type,
				     int value)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = {
		.h = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = level, .cmsg_type = type }
	};
	struct sockaddr_in6 a;
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_name = &a,
			    .msg_namelen = inet_make(&a, ip, port),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &u,
			    .msg_controllen = sizeof(u) };

	memcpy(CMSG_DATA(&u.h), &value, sizeof(value));
	RET("send with control data", sendmsg(s, &m, 0));
}
