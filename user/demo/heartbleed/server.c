/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TLS server with the bug of HeartBleed (CVE-2014-0160), and a worse one. An ordinary program on
 * Debian's OpenSSL: where its private key is, it does not know, and does not ask.
 *
 * usage: heartbleed-server PORT CERTIFICATE KEY
 *
 * Within TLS, in lines:
 *   BEAT CLAIMED TEXT   answers CLAIMED bytes "of TEXT", however short that is
 *   MAPS                answers /proc/self/maps, then an empty line
 *   PEEK ADDRESS BYTES  answers the memory there, behind a line with the number of bytes that could
 *                       be read
 */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_BYTES 4096
#define BEAT_MAX   (1u << 22)
#define PEEK_MAX   (1u << 18)

static char *text;            /* of a BEAT; from the heap, taken when the server starts */
static char answer[PEEK_MAX]; /* of a PEEK */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void die_ssl(const char *what)
{
	fprintf(stderr, "heartbleed-server: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static bool send_all(SSL *ssl, const void *data, size_t len)
{
	size_t sent;

	return len == 0 || SSL_write_ex(ssl, data, len, &sent) == 1;
}

/* The bug: `claimed` is what the client says. */
static bool beat(SSL *ssl, const char *args)
{
	unsigned claimed;
	int at;

	if (sscanf(args, "%u %n", &claimed, &at) != 1 || claimed > BEAT_MAX)
		return false;
	strcpy(text, args + at);
	return send_all(ssl, text, claimed);
}

static bool maps(SSL *ssl)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[LINE_BYTES];
	bool ok = f != NULL;

	while (ok && fgets(line, sizeof(line), f) != NULL)
		ok = send_all(ssl, line, strlen(line));
	if (f != NULL)
		fclose(f);
	return ok && send_all(ssl, "\n", 1);
}

/* Arbitrary read; through the kernel only so that the attack can go on where nothing is mapped. */
static bool peek(SSL *ssl, const char *args)
{
	unsigned long address, len;
	char head[32];
	ssize_t n;

	if (sscanf(args, "%lx %lu", &address, &len) != 2 || len > PEEK_MAX)
		return false;
	struct iovec to = { answer, len }, from = { (void *)address, len };

	n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	if (n < 0)
		n = 0;
	snprintf(head, sizeof(head), "%zd\n", n);
	return send_all(ssl, head, strlen(head)) && send_all(ssl, answer, (size_t)n);
}

static bool serve_line(SSL *ssl, char *line)
{
	if (strncmp(line, "BEAT ", 5) == 0)
		return beat(ssl, line + 5);
	if (strcmp(line, "MAPS") == 0)
		return maps(ssl);
	if (strncmp(line, "PEEK ", 5) == 0)
		return peek(ssl, line + 5);
	return false;
}

static bool read_line(SSL *ssl, char *line)
{
	size_t n;

	for (size_t i = 0; i < LINE_BYTES; i++) {
		if (SSL_read_ex(ssl, line + i, 1, &n) != 1)
			return false;
		if (line[i] == '\n') {
			line[i] = '\0';
			return true;
		}
	}
	return false;
}

static void serve(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);
	char line[LINE_BYTES];

	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
		while (read_line(ssl, line) && serve_line(ssl, line))
			;
	SSL_free(ssl);
	close(fd);
}

static int listen_at(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s, 16) != 0)
		die("heartbleed-server: port");
	return s;
}

int main(int argc, char **argv)
{
	SSL_CTX *ctx;
	int s, fd;

	if (argc != 4) {
		fprintf(stderr, "usage: heartbleed-server PORT CERTIFICATE KEY\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	text = malloc(LINE_BYTES);
	ctx = SSL_CTX_new(TLS_server_method());
	if (text == NULL || ctx == NULL)
		die_ssl("no memory");
	if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1)
		die_ssl("certificate");
	if (SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1)
		die_ssl("private key");
	s = listen_at(atoi(argv[1]));
	printf("ready\n");
	fflush(stdout);
	while ((fd = accept4(s, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		serve(ctx, fd);
	die("heartbleed-server: accept");
}
