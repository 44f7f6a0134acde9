/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes and FIFOs, descriptors, poll, select, epoll, eventfd, timerfd. */
#include "test/linux/prog/check.h"
#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define MS 1000000LL

static void say_poll(const char *name, int fd, short events)
{
	static const struct {
		short bit;
		const char *name;
	} bits[] = { { POLLIN, "IN" },         { POLLPRI, "PRI" },       { POLLOUT, "OUT" },
		     { POLLERR, "ERR" },       { POLLHUP, "HUP" },       { POLLRDHUP, "RDHUP" },
		     { POLLRDNORM, "RDNORM" }, { POLLWRNORM, "WRNORM" }, { POLLNVAL, "NVAL" } };
	struct pollfd p = { .fd = fd, .events = events };
	char text[128] = "";
	int r = poll(&p, 1, 0);

	for (size_t i = 0; i < COUNT(bits); i++)
		if (p.revents & bits[i].bit) {
			strcat(text, " ");
			strcat(text, bits[i].name);
		}
	say("%s: poll = %d,%s", name, r, text);
}

static void set_nonblock(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static void pipes(void)
{
	static char big[70000];
	int fd[2], n;
	char buf[100];

	MUST(pipe2(fd, O_NONBLOCK));
	say_poll("empty, reading end", fd[0], POLLIN | POLLOUT);
	say_poll("empty, writing end", fd[1], POLLIN | POLLOUT);
	RET("read of an empty pipe", read(fd[0], buf, 1));
	RET("write", write(fd[1], "abc", 3));
	RET("FIONREAD", ({
		    MUST(ioctl(fd[0], FIONREAD, &n));
		    n;
	    }));
	say_poll("with data", fd[0], POLLIN | POLLRDNORM);
	RET("read more than there is", read(fd[0], buf, 100));
	RET("capacity", fcntl(fd[0], F_GETPIPE_SZ));
	RET("write of 70000", write(fd[1], big, sizeof(big)));
	RET("write to a full pipe", write(fd[1], "x", 1));
	say_poll("full", fd[1], POLLOUT);
	MUST(read(fd[0], big, 100));
	RET("PIPE_BUF does not fit", write(fd[1], big, 4096));
	RET("after a page", ({
		    MUST(read(fd[0], big, 4096));
		    write(fd[1], big, 4096);
	    }));
	RET("F_SETPIPE_SZ below the contents", fcntl(fd[0], F_SETPIPE_SZ, 4096));
	RET("F_SETPIPE_SZ", fcntl(fd[0], F_SETPIPE_SZ, 100000));
	RET("lseek", lseek(fd[0], 0, SEEK_SET));
	RET("pread", pread(fd[0], buf, 1, 0));
	RET("read of the writing end", read(fd[1], buf, 1));
	RET("write to the reading end", write(fd[0], buf, 1));
	close(fd[1]);
	say_poll("no writer, data left", fd[0], POLLIN);
	while (read(fd[0], big, sizeof(big)) > 0)
		;
	say_poll("no writer", fd[0], POLLIN);
	RET("end of file", read(fd[0], buf, 1));
	MUST(pipe(fd));
	close(fd[0]);
	say_poll("no reader", fd[1], POLLOUT);
	say_status("SIGPIPE", CHILD(write(fd[1], "x", 1)));
	signal(SIGPIPE, SIG_IGN);
	RET("EPIPE", write(fd[1], "x", 1));
	RET("write of nothing", write(fd[1], "", 0));
	/* A reader that goes away wakes the writer that waits. */
	MUST(pipe(fd));
	pid_t me = getpid();
	pid_t pid = START({
		close(fd[1]);
		wait_state(me, 'S');
	});
	close(fd[0]);
	n = 0;
	while (write(fd[1], big, 4096) > 0)
		n++;
	say("writer is woken: %s", error_name(errno));
	wait_for(pid);
	RET("pipe2 unknown flag", pipe2(fd, 0x10));
}

/* Writes of at most PIPE_BUF bytes by several processes do not mix. */
static void atomic(void)
{
	int fd[2], bad = 0, count[4] = { 0 };
	char rec[500];
	size_t have = 0;
	ssize_t n;

	MUST(pipe(fd));
	for (int i = 0; i < 4; i++)
		START({
			memset(rec, 'a' + i, sizeof(rec));
			for (int k = 0; k < 300; k++)
				MUST(write(fd[1], rec, sizeof(rec)));
		});
	close(fd[1]);
	while ((n = read(fd[0], rec + have, sizeof(rec) - have)) > 0) {
		have += (size_t)n;
		if (have < sizeof(rec))
			continue;
		for (size_t k = 1; k < sizeof(rec); k++)
			bad += rec[k] != rec[0];
		count[rec[0] - 'a']++;
		have = 0;
	}
	say("%d %d %d %d records, %d torn", count[0], count[1], count[2], count[3], bad);
}

static void descriptors(void)
{
	int fd[2], d, e;
	struct stat st;

	MUST(pipe(fd));
	d = dup(fd[0]);
	RET("dup", d > fd[1]);
	RET("F_GETFL", fcntl(fd[0], F_GETFL));
	set_nonblock(fd[0]);
	HEX("O_NONBLOCK is shared", fcntl(d, F_GETFL) & O_NONBLOCK);
	RET("F_SETFD", fcntl(d, F_SETFD, FD_CLOEXEC));
	RET("FD_CLOEXEC is not shared", fcntl(fd[0], F_GETFD));
	RET("F_GETFD", fcntl(d, F_GETFD));
	RET("dup clears it", fcntl(dup(d), F_GETFD));
	RET("F_DUPFD_CLOEXEC", ({
		    e = fcntl(fd[0], F_DUPFD_CLOEXEC, 100);
		    e;
	    }));
	RET("its flag", fcntl(e, F_GETFD));
	RET("dup2 onto itself", dup2(d, d) == d);
	RET("keeps the flag", fcntl(d, F_GETFD));
	RET("dup3 onto itself", dup3(d, d, 0));
	RET("dup2 of a bad descriptor", dup2(777, 5));
	RET("dup2 of a bad descriptor onto itself", dup2(777, 777));
	RET("dup2 to -1", dup2(d, -1));
	RET("dup3 unknown flag", dup3(d, 200, O_NONBLOCK));
	RET("dup2 replaces", ({
		    dup2(fd[1], 100);
		    fcntl(100, F_GETFL) & O_ACCMODE;
	    }));
	RET("close", close(d));
	RET("close again", close(d));
	RET("close -1", close(-1));
	RET("F_SETFL ignores the access mode", ({
		    fcntl(fd[0], F_SETFL, O_RDWR);
		    fcntl(fd[0], F_GETFL) & O_ACCMODE;
	    }));
	RET("unknown command", fcntl(fd[0], 9999));
	RET("fcntl of a bad descriptor", fcntl(777, F_GETFL));
	for (int i = 200; i < 210; i++)
		MUST(dup2(0, i));
	RET("close_range", syscall(SYS_close_range, 202, 205, 0));
	RET("201", fcntl(201, F_GETFD));
	RET("202", fcntl(202, F_GETFD));
	RET("206", fcntl(206, F_GETFD));
	RET("close_range CLOEXEC", syscall(SYS_close_range, 206, ~0u, CLOSE_RANGE_CLOEXEC));
	RET("206", fcntl(206, F_GETFD));
	RET("backwards", syscall(SYS_close_range, 10, 5, 0));
	RET("unknown flag", syscall(SYS_close_range, 10, 20, 64));
	RET("close_range UNSHARE", syscall(SYS_close_range, 208, ~0u, CLOSE_RANGE_UNSHARE));
	RET("209", fcntl(209, F_GETFD));
	/* An open through /proc/self/fd has an own position. */
	put_file("file", "abcdef", 0644);
	d = MUST(open("file", O_RDONLY));
	char path[32];
	char buf[4] = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", d);
	MUST(read(d, buf, 3));
	e = MUST(open(path, O_RDONLY));
	MUST(read(e, buf, 3));
	STR("own position", buf);
	e = MUST(open("/dev/fd/0", O_RDONLY));
	RET("/dev/fd/0", fstat(e, &st));
	RET("/proc/self/fd/777", open("/proc/self/fd/777", O_RDONLY));
	RET("FIONBIO", ioctl(fd[1], FIONBIO, &(int){ 1 }));
	HEX("is O_NONBLOCK", fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	RET("ioctl of a file", ioctl(d, 0x5401, path));
	RET("ioctl of a bad descriptor", ioctl(777, 0x5401, path));
}

static void fifos(void)
{
	int r, w;
	char c;

	MUST(mkfifo("fifo", 0600));
	r = MUST(open("fifo", O_RDONLY | O_NONBLOCK));
	say_poll("never had a writer", r, POLLIN);
	RET("read without writer", read(r, &c, 1));
	w = MUST(open("fifo", O_WRONLY));
	RET("read with a writer", read(r, &c, 1));
	MUST(write(w, "q", 1));
	RET("read", read(r, &c, 1));
	close(w);
	say_poll("writer gone", r, POLLIN);
	w = MUST(open("fifo", O_WRONLY));
	say_poll("new writer", r, POLLIN);
	MUST(write(w, "left", 4));
	close(r);
	close(w);
	r = MUST(open("fifo", O_RDONLY | O_NONBLOCK));
	RET("contents are gone with the last end", read(r, &c, 1));
	close(r);
	pid_t pid = START({
		w = MUST(open("fifo", O_WRONLY));
		MUST(write(w, "z", 1));
	});
	r = MUST(open("fifo", O_RDONLY));
	RET("open waits for the other end", read(r, &c, 1));
	wait_for(pid);
	RET("end", read(r, &c, 1));
	RET("unlink", unlink("fifo"));
}

static void polling(void)
{
	int fd[2], file = MUST(open("file", O_RDWR | O_CREAT, 0644));
	struct pollfd p[3];
	int64_t t;
	fd_set rs, ws, es;
	struct timeval tv;

	MUST(pipe(fd));
	say_poll("regular file", file, POLLIN | POLLOUT | POLLPRI);
	say_poll("folder", MUST(open(".", O_RDONLY)), POLLIN | POLLOUT);
	say_poll("/dev/null", MUST(open("/dev/null", O_RDWR)), POLLIN | POLLOUT);
	say_poll("bad descriptor", 777, POLLIN);
	say_poll("negative descriptor", -1, POLLIN);
	say_poll("no events", fd[0], 0);
	t = now_ns(CLOCK_MONOTONIC);
	RET("poll of nothing for 20 ms", poll(NULL, 0, 20));
	YES("waited", now_ns(CLOCK_MONOTONIC) - t >= 20 * MS);
	p[0] = (struct pollfd){ .fd = fd[0], .events = POLLIN };
	p[1] = (struct pollfd){ .fd = fd[1], .events = POLLOUT };
	p[2] = (struct pollfd){ .fd = -5, .events = POLLOUT, .revents = 99 };
	RET("several", poll(p, 3, -1));
	say("%d %d %d", p[0].revents, p[1].revents, p[2].revents);
	RET("too many", poll(p, 1000000, 0));
	RET("bad pointer", poll((void *)8, 1, 0));
	RET("ppoll bad time", ppoll(p, 1, &(struct timespec){ 0, -1 }, NULL));
	FD_ZERO(&rs);
	FD_ZERO(&ws);
	FD_ZERO(&es);
	FD_SET(fd[0], &rs);
	FD_SET(fd[1], &ws);
	FD_SET(file, &es);
	RET("select", select(20, &rs, &ws, &es, NULL));
	say("%d %d %d", FD_ISSET(fd[0], &rs) != 0, FD_ISSET(fd[1], &ws) != 0,
	    FD_ISSET(file, &es) != 0);
	FD_SET(fd[0], &rs);
	tv = (struct timeval){ 0, 20000 };
	RET("select with a time", select(20, &rs, NULL, NULL, &tv));
	say("nothing left: %ld.%06ld, %d", tv.tv_sec, tv.tv_usec, FD_ISSET(fd[0], &rs) != 0);
	FD_SET(19, &rs);
	RET("select of a bad descriptor", select(20, &rs, NULL, NULL, &tv));
	RET("select of -1 descriptors", select(-1, NULL, NULL, NULL, &tv));
	tv.tv_sec = -1;
	RET("select bad time", select(0, NULL, NULL, NULL, &tv));
	/* Another process wakes the wait. */
	pid_t me = getpid();
	pid_t pid = START({
		wait_state(me, 'S');
		MUST(write(fd[1], "x", 1));
	});
	RET("woken", poll(p, 1, -1));
	wait_for(pid);
	pid = START({
		close(fd[0]);
		wait_state(me, 'S');
	});
	char c;
	MUST(read(fd[0], &c, 1));
	close(fd[1]);
	RET("woken by the last writer's end", poll(p, 1, -1));
	HEX("events", p[0].revents);
	wait_for(pid);
}

static int ep;

static int wait_events(struct epoll_event *out)
{
	return epoll_wait(ep, out, 4, 0);
}

static long ctl(int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events,
				  .data.u64 = 0xabcdef0000000000ull + (unsigned)fd };

	return epoll_ctl(ep, op, fd, &ev);
}

static void epolls(void)
{
	struct epoll_event out[4];
	int fd[2], d, ep2;
	char c;

	ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	RET("epoll_create1 unknown flag", epoll_create1(1));
	RET("epoll_create 0", epoll_create(0));
	MUST(pipe(fd));
	RET("ADD", ctl(EPOLL_CTL_ADD, fd[0], EPOLLIN));
	RET("ADD again", ctl(EPOLL_CTL_ADD, fd[0], EPOLLIN));
	RET("MOD of what is not there", ctl(EPOLL_CTL_MOD, fd[1], EPOLLIN));
	RET("DEL of what is not there", ctl(EPOLL_CTL_DEL, fd[1], 0));
	RET("regular file",
	    ctl(EPOLL_CTL_ADD, MUST(open("file", O_RDWR | O_CREAT, 0600)), EPOLLIN));
	RET("bad descriptor", ctl(EPOLL_CTL_ADD, 777, EPOLLIN));
	RET("itself", ctl(EPOLL_CTL_ADD, ep, EPOLLIN));
	RET("not an epoll", epoll_ctl(fd[0], EPOLL_CTL_ADD, fd[1], out));
	RET("unknown operation", epoll_ctl(ep, 9, fd[1], out));
	RET("bad pointer", epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], (void *)8));
	RET("wait, nothing", wait_events(out));
	RET("wait for 0 events", epoll_wait(ep, out, 0, 0));
	RET("wait bad pointer", epoll_wait(ep, (void *)8, 4, 0));
	MUST(write(fd[1], "ab", 2));
	RET("level", wait_events(out));
	HEX("events", out[0].events);
	YES("data", out[0].data.u64 == 0xabcdef0000000000ull + (unsigned)fd[0]);
	RET("level again", wait_events(out));
	RET("edge", ({
		    ctl(EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLET);
		    wait_events(out);
	    }));
	RET("edge again", wait_events(out));
	RET("edge after a read", ({
		    MUST(read(fd[0], &c, 1));
		    wait_events(out);
	    }));
	RET("edge after a write", ({
		    MUST(write(fd[1], "c", 1));
		    wait_events(out);
	    }));
	RET("oneshot", ({
		    ctl(EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLONESHOT);
		    wait_events(out);
	    }));
	RET("oneshot again", wait_events(out));
	RET("oneshot armed anew", ({
		    ctl(EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLONESHOT);
		    wait_events(out);
	    }));
	RET("EXCLUSIVE by MOD", ctl(EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLEXCLUSIVE));
	RET("DEL", ctl(EPOLL_CTL_DEL, fd[0], 0));
	RET("nothing", wait_events(out));
	RET("EXCLUSIVE", ctl(EPOLL_CTL_ADD, fd[0], EPOLLIN | EPOLLEXCLUSIVE));
	RET("MOD of EXCLUSIVE", ctl(EPOLL_CTL_MOD, fd[0], EPOLLIN));
	RET("EXCLUSIVE with ONESHOT",
	    ctl(EPOLL_CTL_ADD, fd[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
	RET("wait", wait_events(out));
	/* A closed descriptor leaves, but only with the last copy of it. */
	d = dup(fd[0]);
	close(fd[0]);
	RET("closed, but a copy lives", wait_events(out));
	close(d);
	RET("copy closed, too", wait_events(out));
	MUST(pipe(fd));
	RET("HUP needs not be asked for", ({
		    ctl(EPOLL_CTL_ADD, fd[0], 0);
		    close(fd[1]);
		    wait_events(out);
	    }));
	HEX("events", out[0].events);
	RET("DEL", ctl(EPOLL_CTL_DEL, fd[0], 0));
	/* One pipe in two sets, a set in a set. */
	MUST(pipe(fd));
	ctl(EPOLL_CTL_ADD, fd[0], EPOLLIN);
	ep2 = MUST(epoll_create1(0));
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 };
	RET("a set in a set", epoll_ctl(ep2, EPOLL_CTL_ADD, ep, &ev));
	RET("a loop", epoll_ctl(ep, EPOLL_CTL_ADD, ep2, &ev));
	RET("outer, nothing", epoll_wait(ep2, out, 4, 0));
	MUST(write(fd[1], "x", 1));
	RET("outer", epoll_wait(ep2, out, 4, 0));
	VAL("data", out[0].data.u32);
	say_poll("poll of a set", ep, POLLIN);
	RET("inner", wait_events(out));
	MUST(read(fd[0], &c, 1));
	RET("outer, read", epoll_wait(ep2, out, 4, 0));
	/* Both ends of several pipes: order of becoming ready. */
	int more[3][2];
	for (int i = 0; i < 3; i++) {
		MUST(pipe(more[i]));
		ev = (struct epoll_event){ .events = EPOLLIN | EPOLLET,
					   .data.u32 = 100 + (unsigned)i };
		MUST(epoll_ctl(ep, EPOLL_CTL_ADD, more[i][0], &ev));
	}
	MUST(write(more[2][1], "x", 1));
	MUST(write(more[0][1], "x", 1));
	MUST(write(more[1][1], "x", 1));
	RET("at most two", epoll_wait(ep, out, 2, 0));
	say("%u %u", out[0].data.u32, out[1].data.u32);
	RET("the rest", epoll_wait(ep, out, 2, 0));
	VAL("data", out[0].data.u32);
	/* A write wakes a wait; a child shares the set. */
	pid_t me = getpid();
	pid_t pid = START({
		wait_state(me, 'S');
		MUST(write(fd[1], "x", 1));
	});
	RET("woken", epoll_wait(ep, out, 4, -1));
	wait_for(pid);
	say_status("in a child", CHILD(_exit(wait_events(out) == 1 ? 3 : 4)));
	RET("epoll_pwait2",
	    syscall(SYS_epoll_pwait2, ep, out, 4, &(struct timespec){ 0, 0 }, NULL, 8));
	MUST(read(fd[0], &c, 1));
	int64_t t = now_ns(CLOCK_MONOTONIC);
	RET("time-out", epoll_wait(ep, out, 4, 20));
	YES("waited", now_ns(CLOCK_MONOTONIC) - t >= 20 * MS);
}

static void eventfds(void)
{
	uint64_t v = 0;
	int fd = MUST(eventfd(3, EFD_NONBLOCK));

	say_poll("3", fd, POLLIN | POLLOUT);
	RET("read", read(fd, &v, 8));
	VAL("value", v);
	RET("read again", read(fd, &v, 8));
	say_poll("0", fd, POLLIN | POLLOUT);
	RET("short read", read(fd, &v, 4));
	RET("short write", write(fd, &v, 4));
	v = ~0ull;
	RET("write of the highest value", write(fd, &v, 8));
	v = ~0ull - 1;
	RET("write of the one below", write(fd, &v, 8));
	say_poll("full", fd, POLLIN | POLLOUT);
	v = 1;
	RET("write to a full one", write(fd, &v, 8));
	RET("read", read(fd, &v, 8));
	HEX("value", v);
	v = 5;
	RET("add", write(fd, &v, 8));
	RET("add", write(fd, &v, 8));
	RET("read", read(fd, &v, 8));
	VAL("value", v);
	fd = MUST(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
	RET("semaphore", read(fd, &v, 8));
	VAL("value", v);
	RET("semaphore", read(fd, &v, 8));
	RET("semaphore", read(fd, &v, 8));
	RET("unknown flag", eventfd(0, 4));
	fd = MUST(eventfd(0, 0));
	pid_t pid = START({
		wait_state(getppid(), 'S');
		v = 9;
		MUST(write(fd, &v, 8));
	});
	RET("waits", read(fd, &v, 8));
	VAL("value", v);
	wait_for(pid);
}

static void timerfds(void)
{
	struct itimerspec its = { .it_value = { 0, 5 * MS }, .it_interval = { 0, 5 * MS } }, old;
	uint64_t n;
	int fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));

	RET("not armed", read(fd, &n, 8));
	RET("gettime", timerfd_gettime(fd, &old));
	say("%ld %ld", old.it_value.tv_sec, old.it_value.tv_nsec);
	RET("settime", timerfd_settime(fd, 0, &its, NULL));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	RET("poll", poll(&p, 1, -1));
	RET("read", read(fd, &n, 8));
	YES("at least one", n >= 1);
	fcntl(fd, F_SETFL, 0);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) - t < 30 * MS)
		;
	RET("read", read(fd, &n, 8));
	YES("several", n >= 5);
	RET("settime tells the old one",
	    timerfd_settime(fd, 0, &(struct itimerspec){ { 0 } }, &old));
	VAL("interval", old.it_interval.tv_nsec);
	say_poll("off", fd, POLLIN);
	its = (struct itimerspec){ .it_value = { 1, 0 } };
	RET("absolute, past", timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	RET("read", read(fd, &n, 8));
	VAL("count", n);
	RET("short read", read(fd, &n, 4));
	its.it_value.tv_nsec = 1000000000;
	RET("bad time", timerfd_settime(fd, 0, &its, NULL));
	RET("unknown flag", timerfd_settime(fd, 64, &(struct itimerspec){ { 0 } }, NULL));
	RET("bad clock", timerfd_create(77, 0));
	RET("bad flag", timerfd_create(CLOCK_MONOTONIC, 1));
	RET("not a timer", timerfd_gettime(1, &old));
	RET("real time", ({
		    fd = timerfd_create(CLOCK_REALTIME, 0);
		    its = (struct itimerspec){ .it_value = { 0, MS } };
		    timerfd_settime(fd, 0, &its, NULL);
		    read(fd, &n, 8);
	    }));
	VAL("count", n);
}

static const struct section sections[] = {
	{ "pipes", pipes },       { "atomic", atomic },     { "descriptors", descriptors },
	{ "fifos", fifos },       { "polling", polling },   { "epolls", epolls },
	{ "eventfds", eventfds }, { "timerfds", timerfds },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
