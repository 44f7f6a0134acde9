/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP: much data in odd pieces, many connections, and servers with several processes. */
#include "test/net/prog/tcp.h"

#include <sys/uio.h>

/* Numbers that look random and are the same each time. */
static uint64_t next_number(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static uint64_t sum_of(uint64_t sum, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 0x100000001b3;
	return sum;
}

#define PIECE 70000

/* Sends `total` bytes in pieces of any size, by several calls; answers their sum. */
static uint64_t pour(int s, uint64_t seed, size_t total)
{
	static unsigned char buf[PIECE];
	uint64_t sum = 0, state = seed;

	while (total > 0) {
		size_t n = 1 + next_number(&state) % (next_number(&state) % 4 == 0 ? PIECE : 900);
		size_t at = 0;

		if (n > total)
			n = total;
		for (size_t i = 0; i < n; i++)
			buf[i] = (unsigned char)next_number(&state);
		sum = sum_of(sum, buf, n);
		total -= n;
		while (at < n) {
			struct iovec v[2] = { { buf + at, (n - at) / 3 },
					      { buf + at + (n - at) / 3, n - at - (n - at) / 3 } };
			long r = next_number(&state) % 2
					 ? writev(s, v, 2)
					 : send(s, buf + at, n - at,
						next_number(&state) % 8 == 0 ? MSG_MORE : 0);

			MUST(r);
			at += (size_t)r;
		}
	}
	return sum;
}

static uint64_t drain(int s, uint64_t seed, size_t *total)
{
	static unsigned char buf[PIECE];
	uint64_t sum = 0, state = seed;

	*total = 0;
	for (;;) {
		size_t want = 1 +
			      next_number(&state) % (next_number(&state) % 3 == 0 ? PIECE : 300);
		long n = MUST(recv(s, buf, want, next_number(&state) % 5 == 0 ? MSG_WAITALL : 0));

		if (n == 0)
			return sum;
		sum = sum_of(sum, buf, (size_t)n);
		*total += (size_t)n;
	}
}

/* A sum from one process to another. */
static void tell(const int result[2], uint64_t sum)
{
	MUST(write(result[1], &sum, sizeof(sum)));
}

static uint64_t told(const int result[2])
{
	uint64_t sum = 0;

	MUST(read(result[0], &sum, sizeof(sum)));
	return sum;
}

static void both_ways(const char *ip, size_t total)
{
	int p[2], out[2], back[2], got_back[2];
	uint64_t sum;
	size_t got;

	tcp_pair_at(p, ip);
	MUST(pipe(out));
	MUST(pipe(back));
	MUST(pipe(got_back));
	START(tell(out, pour(p[0], 1, total)); MUST(shutdown(p[0], SHUT_WR)));
	START(tell(back, pour(p[1], 2, total / 2)); MUST(shutdown(p[1], SHUT_WR)));
	START(tell(got_back, drain(p[0], 3, &got)));
	close(p[0]);
	sum = drain(p[1], 4, &got);
	VAL("got", got);
	HEX("sum", sum);
	YES("same", told(out) == sum);
	sum = told(got_back);
	HEX("sum back", sum);
	YES("same back", told(back) == sum);
}

static void transfer4(void)
{
	both_ways("127.0.0.1", 6 << 20);
}

static void transfer6(void)
{
	both_ways("::1", 3 << 20);
}

/* Buffers so small that nearly every byte waits for the other side. */
static void narrow(void)
{
	int p[2], l = tcp(AF_INET), st;
	uint64_t sum;
	size_t got;

	set_option(l, SOL_SOCKET, SO_RCVBUF, 3000);
	MUST(inet_bind(l, "127.0.0.1", 0));
	MUST(listen(l, 1));
	p[0] = tcp(AF_INET);
	set_option(p[0], SOL_SOCKET, SO_SNDBUF, 5000);
	MUST(inet_connect(p[0], "127.0.0.1", inet_port(l)));
	p[1] = (int)MUST(accept(l, NULL, NULL));
	pid_t pid = START(HEX("sum sent", pour(p[0], 5, 300000)));

	close(p[0]);
	sum = drain(p[1], 6, &got);
	VAL("got", got);
	HEX("sum", sum);
	st = wait_for(pid);
	say_status("writer", st);
}

/* The last bytes come although the sender closes at once, and is gone. */
static void orphans(void)
{
	uint64_t sum;
	size_t got;
	int p[2], st;

	tcp_pair(p);
	st = CHILD(close(p[1]); HEX("sum sent", pour(p[0], 9, 150000)));
	say_status("writer", st);
	close(p[0]);
	sum = drain(p[1], 10, &got);
	VAL("got", got);
	HEX("sum", sum);
}

#define MANY 2000

static void many(void)
{
	static int c[MANY], a[MANY];
	struct rlimit r = { 3 * MANY, 3 * MANY };
	int l, ok = 0, port;
	char b;

	MUST(setrlimit(RLIMIT_NOFILE, &r));
	l = tcp_listener("127.0.0.1", 1000);
	port = inet_port(l);
	for (int i = 0; i < MANY; i++) {
		c[i] = tcp(AF_INET);
		MUST(inet_connect(c[i], "127.0.0.1", port));
		a[i] = (int)MUST(accept(l, NULL, NULL));
	}
	for (int i = 0; i < MANY; i++)
		MUST(send(c[i], &(char){ (char)i }, 1, 0));
	for (int i = MANY - 1; i >= 0; i--) {
		MUST(recv(a[i], &b, 1, 0));
		ok += b == (char)i;
		MUST(send(a[i], &b, 1, 0));
	}
	VAL("there", ok);
	for (int i = 0; i < MANY; i++) {
		MUST(recv(c[i], &b, 1, 0));
		ok += b == (char)i;
		MUST(close(i % 2 ? c[i] : a[i]));
	}
	VAL("and back", ok);
	for (int i = 0; i < MANY; i++)
		ok -= recv(i % 2 ? a[i] : c[i], &b, 1, 0) == 0;
	VAL("ended", ok);
}

/* One after the other, each side closing first in turn. */
static void turns(void)
{
	int l = tcp_listener("127.0.0.1", 16), ok = 0;
	char b;

	for (int i = 0; i < 600; i++) {
		int c = tcp(AF_INET), a;

		MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
		a = (int)MUST(accept(l, NULL, NULL));
		close(i % 2 ? c : a);
		ok += recv(i % 2 ? a : c, &b, 1, 0) == 0;
		close(i % 2 ? a : c);
	}
	VAL("connections", ok);
}

#define SERVERS  4
#define REQUESTS 200

static void serve(int l)
{
	for (;;) {
		char b[32];
		int c = accept(l, NULL, NULL);
		long n;

		if (c < 0)
			_exit(1);
		while ((n = recv(c, b, sizeof(b), 0)) > 0)
			send(c, b, (size_t)n, MSG_NOSIGNAL);
		close(c);
	}
}

static void preforked(void)
{
	int l = tcp_listener("127.0.0.1", 64), ok = 0;
	pid_t pid[SERVERS];

	for (int i = 0; i < SERVERS; i++)
		pid[i] = START(serve(l));
	for (int i = 0; i < REQUESTS; i++) {
		int c = tcp(AF_INET), got = 0;

		MUST(inet_connect(c, "127.0.0.1", inet_port(l)));
		for (int k = 0; k < 3; k++) {
			MUST(send(c, &k, sizeof(k), 0));
			MUST(recv(c, &got, sizeof(got), MSG_WAITALL));
			ok += got == k;
		}
		close(c);
	}
	VAL("answers", ok);
	for (int i = 0; i < SERVERS; i++) {
		kill(pid[i], SIGKILL);
		wait_for(pid[i]);
	}
}

static const struct section sections[] = {
	{ "transfer4", transfer4 }, { "transfer6", transfer6 }, { "narrow", narrow },
	{ "orphans", orphans },     { "many", many },           { "turns", turns },
	{ "preforked", preforked },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
