/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server for measuring the network, the same static binary on every kernel. It listens on TCP
 * ports 7001 (sends without end), 7002 (reads and, when the client has ended, answers with the
 * number of bytes), 7003 (accepts and closes), and answers UDP datagrams at 7004. Prints "ready".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 65536

static char buf[PIECE];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_port(int type, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int s = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    (type == SOCK_STREAM && listen(s, 128) != 0))
		fail("port");
	return s;
}

static void send_all(int s)
{
	while (write(s, buf, sizeof(buf)) > 0)
		;
	close(s);
}

static void take_all(int s)
{
	unsigned long long total = 0;
	ssize_t n;
	char line[32];

	while ((n = read(s, buf, sizeof(buf))) > 0)
		total += (unsigned long long)n;
	n = snprintf(line, sizeof(line), "%llu\n", total);
	if (n > 0 && write(s, line, (size_t)n) != n)
		perror("answer");
	close(s);
}

static void echo(int s)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

	if (n >= 0)
		sendto(s, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
}

int main(void)
{
	struct pollfd p[4] = { { open_port(SOCK_STREAM, 7001), POLLIN, 0 },
			       { open_port(SOCK_STREAM, 7002), POLLIN, 0 },
			       { open_port(SOCK_STREAM, 7003), POLLIN, 0 },
			       { open_port(SOCK_DGRAM, 7004), POLLIN, 0 } };

	signal(SIGPIPE, SIG_IGN);
	memset(buf, 'x', sizeof(buf));
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (poll(p, 4, -1) < 0)
			fail("poll");
		if (p[3].revents)
			echo(p[3].fd);
		for (int i = 0; i < 3; i++) {
			int s = p[i].revents ? accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;

			if (s < 0)
				continue;
			if (i == 0)
				send_all(s);
			else if (i == 1)
				take_all(s);
			else
				close(s);
		}
	}
}
