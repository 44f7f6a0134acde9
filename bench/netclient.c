/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other side of netserver.c, on the host. usage: netclient ADDRESS JOB COUNT, JOB one of
 *   download, upload   COUNT bytes over one connection; prints bytes per second
 *   connect            COUNT connections, one after the other, until the server closes; per second
 *   echo               COUNT datagrams there and back; prints the median round trip in ns
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *address;
static char buf[65536];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int connect_to(int type, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval limit = { 20, 0 };
	int s = socket(AF_INET, type, 0);

	if (s < 0 || inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(s, (struct sockaddr *)&a, sizeof(a)) != 0)
		fail("connect");
	return s;
}

static double download(unsigned long bytes)
{
	int s = connect_to(SOCK_STREAM, 7001);
	double start = now();
	unsigned long done = 0;

	while (done < bytes) {
		ssize_t n = read(s, buf, sizeof(buf));

		if (n <= 0)
			fail("download");
		done += (unsigned long)n;
	}
	close(s);
	return (double)done / (now() - start);
}

static double upload(unsigned long bytes)
{
	int s = connect_to(SOCK_STREAM, 7002);
	double start = now();
	unsigned long done = 0;

	while (done < bytes) {
		ssize_t n = write(s, buf, sizeof(buf));

		if (n <= 0)
			fail("upload");
		done += (unsigned long)n;
	}
	shutdown(s, SHUT_WR);
	if (read(s, buf, sizeof(buf) - 1) <= 0 || strtoul(buf, NULL, 10) != done)
		fail("upload: the server counted otherwise");
	close(s);
	return (double)done / (now() - start);
}

static double connections(unsigned long n)
{
	double start = now();

	for (unsigned long i = 0; i < n; i++) {
		int s = connect_to(SOCK_STREAM, 7003);

		if (read(s, buf, 1) != 0)
			fail("connection was not closed");
		close(s);
	}
	return (double)n / (now() - start);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double echo(unsigned long n)
{
	int s = connect_to(SOCK_DGRAM, 7004);
	double *t = calloc(n, sizeof(*t));

	if (t == NULL)
		fail("memory");
	for (unsigned long i = 0; i < n; i++) {
		double start = now();

		if (send(s, buf, 64, 0) != 64 || recv(s, buf, sizeof(buf), 0) != 64)
			fail("echo");
		t[i] = (now() - start) * 1e9;
	}
	qsort(t, n, sizeof(*t), by_value);
	double median = t[n / 2];

	free(t);
	close(s);
	return median;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*run)(unsigned long n);
	} jobs[] = {
		{ "download", download },
		{ "upload", upload },
		{ "connect", connections },
		{ "echo", echo },
	};

	if (argc == 4) {
		address = argv[1];
		for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
			if (strcmp(argv[2], jobs[i].name) == 0) {
				printf("%.0f\n", jobs[i].run(strtoul(argv[3], NULL, 10)));
				return 0;
			}
		}
	}
	fprintf(stderr, "usage: netclient ADDRESS download|upload|connect|echo COUNT\n");
	return 2;
}
