/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes and FIFOs between processes. */
#include "test/linux/prog/check.h"
#include <sys/ioctl.h>

static char big[200000], back[200000];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
}

static void basics(void)
{
	int fd[2], n;
	struct stat st;

	RET("pipe2 wrong flag", pipe2(fd, O_APPEND));
	MUST(pipe2(fd, O_CLOEXEC | O_NONBLOCK));
	HEX("flags", fcntl(fd[0], F_GETFL));
	HEX("flags", fcntl(fd[1], F_GETFL));
	VAL("cloexec", fcntl(fd[0], F_GETFD));
	MUST(fstat(fd[0], &st));
	HEX("mode", st.st_mode);
	RET("lseek", lseek(fd[0], 0, SEEK_SET));
	RET("pread", pread(fd[0], back, 1, 0));
	RET("read of the writing end", read(fd[1], back, 1));
	RET("write to the reading end", write(fd[0], back, 1));
	RET("empty", read(fd[0], back, 1));
	RET("nothing", write(fd[1], back, 0));
	RET("write", write(fd[1], "hello", 5));
	MUST(ioctl(fd[0], FIONREAD, &n));
	VAL("queued", n);
	RET("bad buffer", write(fd[1], (void *)1, 5));
	RET("bad buffer", read(fd[0], (void *)1, 5));
	RET("read", read(fd[0], back, 100));
	RET("ftruncate", ftruncate(fd[1], 0));
	RET("fsync", fsync(fd[1]));
}

static void capacity(void)
{
	int fd[2];

	MUST(pipe2(fd, O_NONBLOCK));
	VAL("size", fcntl(fd[1], F_GETPIPE_SZ));
	VAL("filled", write(fd[1], big, sizeof(big)));
	RET("full", write(fd[1], big, 1));
	VAL("read", read(fd[0], back, 4096));
	RET("a page fits", write(fd[1], big, 4096));
	RET("no more", write(fd[1], big, 4096));
	RET("shrink", fcntl(fd[0], F_SETPIPE_SZ, 4096));
	RET("grow", fcntl(fd[0], F_SETPIPE_SZ, 100000));
	VAL("more", write(fd[1], big, sizeof(big)));
	VAL("all", read(fd[0], back, sizeof(back)));
	RET("shrink", fcntl(fd[0], F_SETPIPE_SZ, 1));
}

static void through(void)
{
	int fd[2];
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	MUST(pipe(fd));
	pid = START(close(fd[0]); VAL("child wrote", write(fd[1], big, sizeof(big))));
	close(fd[1]);
	while ((n = read(fd[0], back + got, 30000)) > 0)
		got += (size_t)n;
	VAL("end", n);
	VAL("parent read", got);
	YES("the same", memcmp(big, back, sizeof(big)) == 0);
	say_status("child", wait_for(pid));
}

/* Writes of PIPE_BUF bytes from several processes never mix. */
static void atomic(void)
{
	int fd[2], bad = 0, total = 0;
	char block[4096];

	MUST(pipe(fd));
	for (int k = 0; k < 4; k++)
		START(close(fd[0]); memset(block, 'a' + k, sizeof(block));
		      for (int i = 0; i < 100; i++) write(fd[1], block, sizeof(block)));
	close(fd[1]);
	for (;;) {
		size_t have = 0;
		ssize_t n;

		while (have < sizeof(block) &&
		       (n = read(fd[0], block + have, sizeof(block) - have)) > 0)
			have += (size_t)n;
		if (have < sizeof(block))
			break;
		total++;
		for (size_t i = 1; i < sizeof(block); i++)
			bad += block[i] != block[0];
	}
	VAL("blocks", total);
	VAL("mixed", bad);
	while (wait(NULL) > 0)
		;
}

static void broken(void)
{
	int fd[2];

	MUST(pipe(fd));
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	RET("ignored", write(fd[1], "x", 1));
	say_status("not ignored", CHILD(signal(SIGPIPE, SIG_DFL); write(fd[1], "x", 1)));
}

static void fifos(void)
{
	char name[] = "/tmp/fifoXXXXXX";
	struct pollfd p;
	int r, w;
	pid_t pid;

	close((int)MUST(mkstemp(name)));
	unlink(name);
	RET("mkfifo", mkfifo(name, 0600));
	RET("mkfifo again", mkfifo(name, 0600));
	RET("writer alone", open(name, O_WRONLY | O_NONBLOCK));
	r = (int)MUST(open(name, O_RDONLY | O_NONBLOCK));
	RET("no writer yet", read(r, back, 1));
	p = (struct pollfd){ r, POLLIN, 0 };
	VAL("poll", poll(&p, 1, 0));
	w = (int)MUST(open(name, O_WRONLY | O_NONBLOCK));
	RET("no data", read(r, back, 1));
	RET("write", write(w, "ab", 2));
	close(w);
	VAL("poll", poll(&p, 1, 0));
	HEX("events", p.revents);
	RET("read", read(r, back, 10));
	RET("end", read(r, back, 10));
	close(r);
	/* Both sides wait for each other. */
	pid = START(w = (int)MUST(open(name, O_WRONLY)); write(w, "from the child", 14));
	r = (int)MUST(open(name, O_RDONLY));
	VAL("read", read(r, back, sizeof(back)));
	VAL("end", read(r, back, sizeof(back)));
	say_status("child", wait_for(pid));
	close(r);
	r = (int)MUST(open(name, O_RDWR));
	RET("both in one", write(r, "x", 1));
	RET("both in one", read(r, back, 1));
	unlink(name);
}

/* Reading end and writing end by /proc/self/fd. */
static void by_name(void)
{
	char name[64];
	int fd[2], again;

	MUST(pipe(fd));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd[1]);
	again = (int)MUST(open(name, O_WRONLY));
	close(fd[1]);
	RET("write", write(again, "by name", 7));
	RET("read", read(fd[0], back, 100));
	close(again);
	RET("end", read(fd[0], back, 100));
}

static void interrupted(void)
{
	int fd[2];
	pid_t pid;

	MUST(pipe(fd));
	pid = START(read(fd[0], back, 1));
	wait_state(pid, 'S');
	kill(pid, SIGTERM);
	say_status("reader", wait_for(pid));
	MUST(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	write(fd[1], big, 65536);
	MUST(fcntl(fd[1], F_SETFL, 0));
	pid = START(write(fd[1], big, 100));
	wait_state(pid, 'S');
	kill(pid, SIGKILL);
	say_status("writer", wait_for(pid));
}

static const struct section sections[] = {
	{ "basics", basics },   { "capacity", capacity },       { "through", through },
	{ "atomic", atomic },   { "broken", broken },           { "fifos", fifos },
	{ "by_name", by_name }, { "interrupted", interrupted },
};

int main(int argc, char **argv)
{
	fill();
	return run_sections(argc, argv, sections, COUNT(sections));
}
