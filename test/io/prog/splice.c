/* SPDX-License-Identifier: BSD-2-Clause */
/* splice, tee, vmsplice, sendfile, copy_file_range, packets in pipes. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "test/linux/prog/check.h"

static char data[70000] __attribute__((aligned(4096)));

static void fill(void)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)('a' + i * 7 % 26);
}

static int file_of(const char *name, size_t len)
{
	int fd = (int)MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

	fill();
	MUST(write(fd, data, len));
	MUST(lseek(fd, 0, SEEK_SET));
	return fd;
}

static void say_read(const char *what, int fd, size_t max)
{
	static char got[70000];
	ssize_t n = read(fd, got, max);
	unsigned sum = 0;

	for (ssize_t i = 0; i < n; i++)
		sum = sum * 31 + (unsigned char)got[i];
	if (n < 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %zd bytes, sum %u, \"%.*s\"", what, n, sum, n > 12 ? 12 : (int)n, got);
}

static void from_file(void)
{
	int f = file_of("f", 10000), p[2];
	loff_t off = 100;

	MUST(pipe(p));
	RET("splice", splice(f, NULL, p[1], NULL, 20, 0));
	VAL("position", lseek(f, 0, SEEK_CUR));
	RET("with offset", splice(f, &off, p[1], NULL, 30, 0));
	say("offset %ld, position %ld", (long)off, (long)lseek(f, 0, SEEK_CUR));
	say_read("together", p[0], 100);
	RET("more than there is", splice(f, NULL, p[1], NULL, 50000, 0));
	RET("at the end", splice(f, NULL, p[1], NULL, 50000, 0));
	say_read("all", p[0], 50000);
	off = -1;
	RET("negative offset", splice(f, &off, p[1], NULL, 30, 0));
	off = 0;
	RET("offset of a pipe", splice(f, NULL, p[1], &off, 30, 0));
	RET("bad offset address", splice(f, (void *)8, p[1], NULL, 30, 0));
	RET("nothing", splice(f, NULL, p[1], NULL, 0, 0));
	RET("nothing, bad descriptors", splice(-1, NULL, -1, NULL, 0, 0));
	RET("bad flags", splice(f, NULL, p[1], NULL, 1, 0x100));
	RET("bad descriptor", splice(-1, NULL, p[1], NULL, 1, 0));
	RET("wrong end", splice(f, NULL, p[0], NULL, 1, 0));
	RET("no pipe", splice(f, NULL, f, NULL, 1, 0));
	RET("from a directory", splice((int)MUST(open(".", O_RDONLY)), NULL, p[1], NULL, 1, 0));
	RET("from an eventfd", splice(eventfd(1, 0), NULL, p[1], NULL, 8, 0));
	RET("from an epoll", splice(epoll_create1(0), NULL, p[1], NULL, 8, 0));
	MUST(close(p[0]));
	signal(SIGPIPE, SIG_IGN);
	MUST(lseek(f, 0, SEEK_SET));
	RET("no reader", splice(f, NULL, p[1], NULL, 10, 0));
	signal(SIGPIPE, SIG_DFL);
	say_status("no reader", CHILD({ splice(f, NULL, p[1], NULL, 10, 0); }));
}

static void to_file(void)
{
	int f = file_of("f", 100), p[2], g;
	loff_t off = 50;
	char text[200];

	MUST(pipe(p));
	MUST(write(p[1], "0123456789", 10));
	RET("splice", splice(p[0], NULL, f, NULL, 4, 0));
	RET("with offset", splice(p[0], &off, f, NULL, 4, 0));
	RET("with offset", splice(p[0], NULL, f, &off, 4, 0));
	RET("the rest", splice(p[0], NULL, f, NULL, 4000, 0));
	RET("nothing there", splice(p[0], NULL, f, NULL, 4000, SPLICE_F_NONBLOCK));
	MUST(pread(f, text, 100, 0));
	say("file: %.8s %.6s, offset %ld, position %ld", text, text + 49, (long)off,
	    (long)lseek(f, 0, SEEK_CUR));
	g = (int)MUST(open("f", O_WRONLY | O_APPEND));
	MUST(write(p[1], "x", 1));
	RET("appending", splice(p[0], NULL, g, NULL, 4000, 0));
	g = (int)MUST(open("f", O_RDONLY));
	RET("read-only", splice(p[0], NULL, g, NULL, 4000, 0));
	g = (int)MUST(open("/dev/null", O_WRONLY));
	RET("null", splice(p[0], NULL, g, NULL, 4000, 0));
	MUST(close(p[1]));
	RET("no writer", splice(p[0], NULL, f, NULL, 4000, 0));
}

static void pipes(void)
{
	int a[2], b[2], pid;

	fill();
	MUST(pipe(a));
	MUST(pipe(b));
	MUST(write(a[1], data, 6000));
	RET("tee", tee(a[0], b[1], 5000, 0));
	RET("splice", splice(a[0], NULL, b[1], NULL, 500, 0));
	say_read("b", b[0], 10000);
	say_read("a", a[0], 10000);
	RET("tee, empty", tee(a[0], b[1], 100, SPLICE_F_NONBLOCK));
	RET("splice, empty", splice(a[0], NULL, b[1], NULL, 100, SPLICE_F_NONBLOCK));
	RET("tee to itself", tee(a[0], a[1], 100, 0));
	RET("splice to itself", splice(a[0], NULL, a[1], NULL, 100, 0));
	RET("tee to a file", tee(a[0], file_of("f", 1), 100, 0));
	RET("tee nothing", tee(a[0], b[1], 0, 0));
	RET("tee bad flags", tee(a[0], b[1], 10, 64));
	RET("tee bad end", tee(a[1], b[1], 10, 0));
	MUST(fcntl(b[1], F_SETPIPE_SZ, 4096));
	MUST(write(b[1], data, 4096));
	MUST(write(a[1], "more", 4));
	RET("target full", splice(a[0], NULL, b[1], NULL, 100, SPLICE_F_NONBLOCK));
	pid = START({ _exit(splice(a[0], NULL, b[1], NULL, 100, 0) == 4 ? 7 : 8); });
	wait_state(pid, 'S');
	say_read("b", b[0], 10000);
	say_status("waited for room", wait_for(pid));
	say_read("b", b[0], 10000);
	pid = START({ _exit(tee(a[0], b[1], 100, 0) == 3 ? 7 : 8); });
	wait_state(pid, 'S');
	MUST(write(a[1], "now", 3));
	say_status("waited for data", wait_for(pid));
	say_read("a", a[0], 100);
	say_read("b", b[0], 100);
	MUST(close(a[1]));
	RET("no writer", tee(a[0], b[1], 100, 0));
	RET("no writer", splice(a[0], NULL, b[1], NULL, 100, 0));
}

static void memory(void)
{
	static char text[] = "0123456789abcdef", out[20000];
	struct iovec v[2] = { { text, 4 }, { text + 10, 3 } };
	int p[2];

	fill();
	MUST(pipe(p));
	RET("in", vmsplice(p[1], v, 2, 0));
	say_read("got", p[0], 100);
	v[0] = (struct iovec){ data, 65536 };
	RET("full", vmsplice(p[1], v, 1, 0));
	RET("no room", vmsplice(p[1], v, 1, SPLICE_F_NONBLOCK));
	v[0] = (struct iovec){ out, 5000 };
	v[1] = (struct iovec){ out + 5000, 7000 };
	RET("out", vmsplice(p[0], v, 2, 0));
	say("same: %d", memcmp(out, data, 12000));
	v[0] = (struct iovec){ (void *)8, 100 };
	RET("bad address", vmsplice(p[0], v, 1, 0));
	RET("not a pipe", vmsplice(file_of("f", 1), v, 1, 0));
	RET("bad flags", vmsplice(p[1], v, 1, 99));
	RET("none", vmsplice(p[1], v, 0, 0));
}

static void socket_ends(void)
{
	int s[2], p[2], f = file_of("f", 30000);

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	MUST(pipe(p));
	RET("file to pipe", splice(f, NULL, p[1], NULL, 10000, 0));
	RET("pipe to socket", splice(p[0], NULL, s[0], NULL, 10000, SPLICE_F_MORE));
	RET("socket to pipe", splice(s[1], NULL, p[1], NULL, 4096, 0));
	say_read("pipe", p[0], 10000);
	say_read("socket", s[1], 10000);
	RET("nothing comes", splice(s[1], NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK));
	MUST(lseek(f, 0, SEEK_SET));
	RET("sendfile to a socket", sendfile(s[0], f, NULL, 20000));
	say_read("socket", s[1], 30000);
	RET("sendfile from a socket", sendfile(f, s[1], NULL, 20000));
	MUST(shutdown(s[0], SHUT_WR));
	RET("end of the socket", splice(s[1], NULL, p[1], NULL, 100, 0));
}

static void sendfiles(void)
{
	int f = file_of("f", 10000), g = file_of("g", 5), p[2], h;
	off_t off = 9000;

	MUST(pipe(p));
	RET("to a file", sendfile(g, f, NULL, 100));
	RET("with offset", sendfile(g, f, &off, 5000));
	say("offset %ld, positions %ld %ld", (long)off, (long)lseek(f, 0, SEEK_CUR),
	    (long)lseek(g, 0, SEEK_CUR));
	RET("to a pipe", sendfile(p[1], f, NULL, 3000));
	say_read("pipe", p[0], 10000);
	RET("from a pipe", sendfile(g, p[0], NULL, 10));
	RET("from a pipe to a pipe", sendfile(p[1], p[0], NULL, 10));
	off = -5;
	RET("negative", sendfile(g, f, &off, 10));
	RET("read-only target", sendfile((int)MUST(open("g", O_RDONLY)), f, NULL, 10));
	RET("write-only source", sendfile(g, (int)MUST(open("f", O_WRONLY)), NULL, 10));
	h = (int)MUST(open("g", O_WRONLY | O_APPEND));
	RET("appending", sendfile(h, f, NULL, 10));
	RET("bad address", sendfile(g, f, (void *)8, 10));
	RET("nothing", sendfile(g, f, NULL, 0));
	RET("to null", sendfile((int)MUST(open("/dev/null", O_WRONLY)), f, NULL, 100000));
	RET("bad descriptors", sendfile(-1, f, NULL, 1));
	MUST(fcntl(p[1], F_SETFL, O_NONBLOCK));
	MUST(lseek(f, 0, SEEK_SET));
	MUST(ftruncate(f, 300000));
	RET("as much as fits", sendfile(p[1], f, NULL, 300000));
	RET("full", sendfile(p[1], f, NULL, 300000));
}

static void ranges(void)
{
	int f = file_of("f", 10000), g = file_of("g", 5), p[2];
	loff_t a = 100, b = 7;

	MUST(pipe(p));
	RET("copy", copy_file_range(f, NULL, g, NULL, 300, 0));
	RET("offsets", copy_file_range(f, &a, g, &b, 400, 0));
	say("offsets %ld %ld, positions %ld %ld", (long)a, (long)b, (long)lseek(f, 0, SEEK_CUR),
	    (long)lseek(g, 0, SEEK_CUR));
	RET("to the end", copy_file_range(f, NULL, g, NULL, 100000, 0));
	RET("at the end", copy_file_range(f, NULL, g, NULL, 100000, 0));
	a = 0;
	b = 5000;
	RET("within one file", copy_file_range(f, &a, f, &b, 5000, 0));
	a = 0;
	b = 50;
	RET("overlapping", copy_file_range(f, &a, f, &b, 500, 0));
	RET("pipe", copy_file_range(f, NULL, p[1], NULL, 500, 0));
	RET("directory", copy_file_range(f, NULL, (int)MUST(open(".", O_RDONLY)), NULL, 500, 0));
	RET("flags", copy_file_range(f, NULL, g, NULL, 500, 1));
	RET("appending",
	    copy_file_range(f, NULL, (int)MUST(open("g", O_WRONLY | O_APPEND)), NULL, 5, 0));
	RET("read-only", copy_file_range(f, NULL, (int)MUST(open("g", O_RDONLY)), NULL, 5, 0));
	RET("nothing", copy_file_range(f, NULL, g, NULL, 0, 0));
	RET("memfd", ({
		    int m = memfd_create("m", 0);

		    lseek(f, 0, SEEK_SET);
		    copy_file_range(f, NULL, m, NULL, 5, 0) >= -1 ? 0 : 1;
	    }));
}

static void packets(void)
{
	int p[2], n;

	fill();
	MUST(pipe2(p, O_DIRECT));
	say("flags %#x %#x", fcntl(p[0], F_GETFL) & O_DIRECT, fcntl(p[1], F_GETFL) & O_DIRECT);
	MUST(write(p[1], "first", 5));
	MUST(write(p[1], "second one", 10));
	MUST(write(p[1], "third", 5));
	MUST(ioctl(p[0], FIONREAD, &n));
	VAL("bytes", n);
	say_read("one", p[0], 100);
	say_read("part of one", p[0], 6);
	say_read("next", p[0], 100);
	MUST(write(p[1], data, 5000));
	say_read("a large one is cut", p[0], 10000);
	say_read("rest", p[0], 10000);
	MUST(write(p[1], "packet", 6));
	MUST(fcntl(p[1], F_SETFL, 0));
	MUST(write(p[1], "stream", 6));
	MUST(write(p[1], "ing", 3));
	MUST(fcntl(p[1], F_SETFL, O_DIRECT));
	MUST(write(p[1], "packet2", 7));
	say_read("packet", p[0], 100);
	say_read("stream", p[0], 4);
	say_read("stream and packet", p[0], 100);
	MUST(fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	for (n = 0; write(p[1], "x", 1) == 1; n++)
		;
	say("%d packets, then %s", n, error_name(errno));
	say_read("one", p[0], 100);
	RET("one more", write(p[1], "y", 1));
	MUST(fcntl(p[1], F_SETPIPE_SZ, 32 * 4096));
	for (n = 0; write(p[1], "z", 1) == 1; n++)
		;
	say("%d more", n);
	RET("too small for them", fcntl(p[1], F_SETPIPE_SZ, 4096));
	for (n = 0; n < 16; n++)
		MUST(read(p[0], data, 10));
	say_read("z", p[0], 100);
}

static void sizes(void)
{
	int p[2];

	MUST(pipe(p));
	RET("size", fcntl(p[0], F_GETPIPE_SZ));
	RET("1", fcntl(p[0], F_SETPIPE_SZ, 1));
	RET("0", fcntl(p[0], F_SETPIPE_SZ, 0));
	RET("5000", fcntl(p[0], F_SETPIPE_SZ, 5000));
	RET("1 MiB", fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
	say_status("as a user", CHILD({
			   MUST(setuid(1234));
			   RET("2 MiB", fcntl(p[1], F_SETPIPE_SZ, 2 << 20));
			   RET("2 GiB", fcntl(p[1], F_SETPIPE_SZ, 1u << 31));
		   }));
	RET("4 GiB", fcntl(p[1], F_SETPIPE_SZ, -1));
	RET("not a pipe", fcntl(file_of("f", 1), F_SETPIPE_SZ, 4096));
	MUST(write(p[1], data, 9000));
	RET("less than is in it", fcntl(p[1], F_SETPIPE_SZ, 4096));
}

static void on_alarm(int sig UNUSED)
{
}

static void waiting(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int f = file_of("f", 10), p[2], pid;

	MUST(pipe(p));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	RET("interrupted", splice(p[0], NULL, f, NULL, 10, 0));
	pid = START({ _exit(splice(p[0], NULL, f, NULL, 10, 0) == 3 ? 7 : 8); });
	wait_state(pid, 'S');
	MUST(write(p[1], "abc", 3));
	say_status("came", wait_for(pid));
	while (write(p[1], data, 4096) == 4096 && ({
							  int n;
							  ioctl(p[0], FIONREAD, &n);
							  n;
						  }) < 65536)
		;
	pid = START({ _exit(splice(f, (loff_t[]){ 0 }, p[1], NULL, 10, 0) == 10 ? 7 : 8); });
	wait_state(pid, 'S');
	MUST(read(p[0], data, 4096));
	say_status("room came", wait_for(pid));
}

static const struct section sections[] = {
	{ "from_file", from_file }, { "to_file", to_file },         { "pipes", pipes },
	{ "memory", memory },       { "socket_ends", socket_ends }, { "sendfiles", sendfiles },
	{ "ranges", ranges },       { "packets", packets },         { "sizes", sizes },
	{ "waiting", waiting },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
