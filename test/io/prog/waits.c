/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll, poll, select, and the files that only they make useful. */
#include "test/linux/prog/check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void ctl(const char *what, int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	RET(what, epoll_ctl(ep, op, fd, &ev));
}

/* What is reported now (or within `ms`). */
static void see(const char *what, int ep, int ms)
{
	struct epoll_event ev[8];
	int n = epoll_wait(ep, ev, 8, ms);

	say("%s: %d events", what, n);
	for (int i = 0; i < n; i++)
		say("%s:   %#x of %d", what, ev[i].events, (int)ev[i].data.u64);
}

static void triggers(void)
{
	int ep = (int)MUST(epoll_create1(EPOLL_CLOEXEC)), p[2], e;
	char buf[16];

	MUST(pipe2(p, O_NONBLOCK));
	e = (int)MUST(eventfd(0, EFD_NONBLOCK));
	ctl("level", ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
	ctl("edge", ep, EPOLL_CTL_ADD, e, EPOLLIN | EPOLLET, 2);
	see("nothing", ep, 0);
	write(p[1], "ab", 2);
	eventfd_write(e, 1);
	see("both", ep, 0);
	see("level again", ep, 0);
	eventfd_write(e, 1);
	see("a new edge", ep, 0);
	read(p[0], buf, 16);
	see("read", ep, 0);
	ctl("once", ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3);
	write(p[1], "c", 1);
	see("once", ep, 0);
	see("not twice", ep, 0);
	ctl("once more", ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3);
	see("once more", ep, 0);
	ctl("out", ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 4);
	see("out", ep, 0);
	see("out, no edge", ep, 0);
	ctl("same setting", ep, EPOLL_CTL_MOD, p[1], EPOLLOUT | EPOLLET, 4);
	see("looks anew", ep, 0);
	ctl("level", ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLRDHUP, 3);
	close(p[1]);
	see("hang-up", ep, 0);
	close(p[0]);
	see("gone", ep, 0);
}

static void mistakes(void)
{
	int ep = (int)MUST(epoll_create1(0)), e = (int)MUST(eventfd(0, 0)), fd;
	struct epoll_event ev = { .events = EPOLLIN };

	RET("flags", epoll_create1(1));
	RET("size", epoll_create(0));
	ctl("itself", ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0);
	ctl("not a set", e, EPOLL_CTL_ADD, ep, EPOLLIN, 0);
	ctl("bad descriptor", ep, EPOLL_CTL_ADD, 99, EPOLLIN, 0);
	ctl("bad set", 99, EPOLL_CTL_ADD, e, EPOLLIN, 0);
	RET("bad event", epoll_ctl(ep, EPOLL_CTL_ADD, e, (void *)1));
	ctl("unknown", ep, EPOLL_CTL_MOD, e, EPOLLIN, 0);
	ctl("unknown", ep, EPOLL_CTL_DEL, e, EPOLLIN, 0);
	ctl("add", ep, EPOLL_CTL_ADD, e, EPOLLIN, 0);
	ctl("add again", ep, EPOLL_CTL_ADD, e, EPOLLIN, 0);
	ctl("operation", ep, 9, e, EPOLLIN, 0);
	RET("delete without event", epoll_ctl(ep, EPOLL_CTL_DEL, e, NULL));
	ctl("exclusive and more", ep, EPOLL_CTL_ADD, e, EPOLLEXCLUSIVE | EPOLLONESHOT, 0);
	ctl("exclusive", ep, EPOLL_CTL_ADD, e, EPOLLEXCLUSIVE | EPOLLIN, 0);
	ctl("change of exclusive", ep, EPOLL_CTL_MOD, e, EPOLLIN, 0);
	fd = (int)MUST(open("file", O_RDWR | O_CREAT, 0600));
	ctl("regular file", ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0);
	fd = (int)MUST(open(".", O_RDONLY));
	ctl("directory", ep, EPOLL_CTL_ADD, fd, EPOLLIN, 0);
	RET("no room", epoll_wait(ep, &ev, 0, 0));
	RET("wait on another", epoll_wait(e, &ev, 1, 0));
	RET("read of a set", read(ep, &ev, sizeof(ev)));
}

static void nesting(void)
{
	int outer = (int)MUST(epoll_create1(0)), inner = (int)MUST(epoll_create1(0)),
	    e = (int)MUST(eventfd(0, 0));
	struct pollfd p = { outer, POLLIN, 0 };
	uint64_t v;

	ctl("inner", outer, EPOLL_CTL_ADD, inner, EPOLLIN, 1);
	ctl("circle", inner, EPOLL_CTL_ADD, outer, EPOLLIN, 1);
	ctl("event", inner, EPOLL_CTL_ADD, e, EPOLLIN, 2);
	see("quiet", outer, 0);
	eventfd_write(e, 1);
	see("outer", outer, 0);
	RET("poll", poll(&p, 1, 0));
	see("inner", inner, 0);
	read(e, &v, 8);
	RET("poll", poll(&p, 1, 0));
	see("quiet", outer, 0);
}

/* dup: the file stays in the set until its last descriptor is closed. */
static void duplicates(void)
{
	int ep = (int)MUST(epoll_create1(0)), e = (int)MUST(eventfd(1, 0)), d = (int)MUST(dup(e));

	ctl("add", ep, EPOLL_CTL_ADD, e, EPOLLIN, 1);
	ctl("add the duplicate", ep, EPOLL_CTL_ADD, d, EPOLLIN, 2);
	close(e);
	see("one closed", ep, 0);
	ctl("by a closed descriptor", ep, EPOLL_CTL_DEL, e, 0, 0);
	close(d);
	see("both closed", ep, 0);
}

static void waking(void)
{
	int ep = (int)MUST(epoll_create1(0)), p[2];
	struct pollfd pfd;
	fd_set set;
	pid_t pid;
	char c;

	MUST(pipe(p));
	ctl("add", ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
	pid = getpid();
	pid = START(wait_state(getppid(), 'S'); write(p[1], "x", 1));
	see("epoll", ep, 10000);
	wait_for(pid);
	read(p[0], &c, 1);
	pid = START(wait_state(getppid(), 'S'); write(p[1], "x", 1));
	pfd = (struct pollfd){ p[0], POLLIN, 0 };
	RET("poll", poll(&pfd, 1, 10000));
	HEX("events", pfd.revents);
	wait_for(pid);
	read(p[0], &c, 1);
	pid = START(wait_state(getppid(), 'S'); write(p[1], "x", 1));
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	RET("select", select(p[0] + 1, &set, NULL, NULL, NULL));
	wait_for(pid);
	see("time-out", (int)MUST(epoll_create1(0)), 20);
}

static void many(void)
{
	int ep = (int)MUST(epoll_create1(0)), fd[300], sum = 0, n;
	struct epoll_event ev[300];
	struct pollfd p[300];

	for (int i = 0; i < 300; i++) {
		fd[i] = (int)MUST(eventfd(0, 0));
		ev[0] = (struct epoll_event){ .events = EPOLLIN, .data.u64 = (uint64_t)i };
		MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev[0]));
		p[i] = (struct pollfd){ fd[i], POLLIN, 0 };
	}
	for (int i = 0; i < 300; i += 7)
		eventfd_write(fd[i], 1);
	n = epoll_wait(ep, ev, 300, 0);
	for (int i = 0; i < n; i++)
		sum += (int)ev[i].data.u64;
	VAL("events", n);
	VAL("sum", sum);
	RET("poll", poll(p, 300, 0));
	VAL("few at a time", epoll_wait(ep, ev, 10, 0));
}

static void polls(void)
{
	struct pollfd p[4];
	int fd[2];

	MUST(pipe(fd));
	p[0] = (struct pollfd){ fd[0], POLLIN, 0 };
	p[1] = (struct pollfd){ fd[1], POLLOUT, 0 };
	p[2] = (struct pollfd){ 77, POLLIN, 0 };
	p[3] = (struct pollfd){ -1, POLLIN, 55 };
	RET("poll", poll(p, 4, -1));
	for (int i = 0; i < 4; i++)
		HEX("revents", p[i].revents);
	close(fd[1]);
	RET("poll", poll(p, 1, -1));
	HEX("revents", p[0].revents);
	RET("none", poll(NULL, 0, 1));
	p[0].fd = (int)MUST(open("file", O_RDWR | O_CREAT, 0600));
	p[0].events = POLLIN | POLLOUT;
	RET("regular file", poll(p, 1, -1));
	HEX("revents", p[0].revents);
}

static void eventfds(void)
{
	int e = (int)MUST(eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE));
	uint64_t v;

	RET("flags", eventfd(0, 2));
	RET("one", read(e, &v, 8));
	VAL("value", v);
	v = 10;
	RET("write", write(e, &v, 8));
	RET("short", write(e, &v, 7));
	RET("short", read(e, &v, 7));
	v = UINT64_MAX;
	RET("too much", write(e, &v, 8));
	v = UINT64_MAX - 1;
	RET("overflow", write(e, &v, 8));
	for (int i = 0; i < 12; i++)
		MUST(read(e, &v, 8));
	RET("empty", read(e, &v, 8));
	say("%s", realpath("/proc/self/fd/3", NULL) == NULL ? "no path" : "path");
}

static void timerfds(void)
{
	int t = (int)MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	struct itimerspec s = { { 0, 0 }, { 0, 20000000 } }, old;
	uint64_t v = 0;
	int64_t begin;

	RET("clock", timerfd_create(99, 0));
	RET("not set", read(t, &v, 8));
	RET("set", timerfd_settime(t, 0, &s, NULL));
	RET("too early", read(t, &v, 8));
	MUST(timerfd_gettime(t, &old));
	YES("time left", old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0 &&
				 old.it_value.tv_nsec <= 20000000);
	MUST(fcntl(t, F_SETFL, 0));
	begin = now_ns(CLOCK_MONOTONIC);
	RET("read", read(t, &v, 8));
	VAL("ticks", v);
	YES("waited", now_ns(CLOCK_MONOTONIC) - begin > 5000000);
	s = (struct itimerspec){ { 0, 1000000 }, { 0, 1000000 } };
	MUST(timerfd_settime(t, 0, &s, &old));
	VAL("old", old.it_value.tv_nsec);
	for (uint64_t sum = 0; sum < 20; sum += v)
		MUST(read(t, &v, 8));
	MUST(timerfd_gettime(t, &old));
	VAL("interval", old.it_interval.tv_nsec);
	s = (struct itimerspec){ { 0, 0 }, { 0, 1 } };
	RET("in the past", timerfd_settime(t, TFD_TIMER_ABSTIME, &s, NULL));
	RET("read", read(t, &v, 8));
	VAL("ticks", v);
	s.it_value.tv_nsec = 1000000000;
	RET("bad time", timerfd_settime(t, 0, &s, NULL));
	RET("short", read(t, &v, 7));
	RET("write", write(t, &v, 8));
}

static void signalfds(void)
{
	struct signalfd_siginfo si[4];
	struct pollfd p;
	sigset_t set;
	int s;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s = (int)MUST(signalfd(-1, &set, SFD_NONBLOCK));
	RET("none", read(s, si, sizeof(si)));
	kill(getpid(), SIGUSR1);
	p = (struct pollfd){ s, POLLIN, 0 };
	RET("poll", poll(&p, 1, 0));
	RET("read", read(s, si, sizeof(si)) / (ssize_t)sizeof(si[0]));
	VAL("signal", si[0].ssi_signo);
	VAL("code", si[0].ssi_code);
	YES("sender", si[0].ssi_pid == (uint32_t)getpid());
	CHILD(_exit(3));
	RET("read", read(s, si, sizeof(si)) / (ssize_t)sizeof(si[0]));
	VAL("signal", si[0].ssi_signo);
	VAL("code", si[0].ssi_code);
	VAL("status", si[0].ssi_status);
	RET("short", read(s, si, 10));
	sigaddset(&set, SIGUSR2);
	RET("change", signalfd(s, &set, 0) == s);
	RET("of another kind", signalfd(0, &set, 0));
}

static const struct section sections[] = {
	{ "triggers", triggers },     { "mistakes", mistakes }, { "nesting", nesting },
	{ "duplicates", duplicates }, { "waking", waking },     { "many", many },
	{ "polls", polls },           { "eventfds", eventfds }, { "timerfds", timerfds },
	{ "signalfds", signalfds },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
