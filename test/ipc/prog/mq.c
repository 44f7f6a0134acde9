/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues. */
#include <dirent.h>
#include <mqueue.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "test/linux/prog/check.h"

static const char *name_of(int n)
{
	static char name[4][64];

	snprintf(name[n], sizeof(name[n]), "/rf-%d-%d", getpid(), n);
	return name[n];
}

static mqd_t fresh(int n, long maxmsg, long msgsize, int flags)
{
	struct mq_attr a = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };

	return (mqd_t)MUST(mq_open(name_of(n), O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));
}

static void say_attr(const char *what, mqd_t q)
{
	struct mq_attr a;

	MUST(mq_getattr(q, &a));
	say("%s: flags %#lx maxmsg %ld msgsize %ld curmsgs %ld", what, a.mq_flags, a.mq_maxmsg,
	    a.mq_msgsize, a.mq_curmsgs);
}

static void take(const char *what, mqd_t q, size_t size)
{
	char text[9000] = "";
	unsigned prio = 99;
	ssize_t n = mq_receive(q, text, size, &prio);

	if (n < 0)
		say("%s: %s", what, error_name(errno));
	else
		say("%s: %zd bytes of priority %u: \"%.*s\"", what, n, prio, (int)n, text);
}

static long timed(int64_t ms, struct timespec *ts)
{
	int64_t at = now_ns(CLOCK_REALTIME) + ms * 1000000;

	*ts = (struct timespec){ at / 1000000000, at % 1000000000 };
	return 0;
}

static void names(void)
{
	char long_name[300];
	struct mq_attr a = { .mq_maxmsg = 3, .mq_msgsize = 10 };
	struct stat st;
	mqd_t q, p;

	RES("not there", mq_open(name_of(0), O_RDWR));
	q = mq_open(name_of(0), O_CREAT | O_RDWR, 0640, &a);
	YES("made", q != -1);
	YES("close on exec", fcntl(q, F_GETFD) == FD_CLOEXEC);
	RES("exclusive", mq_open(name_of(0), O_CREAT | O_EXCL | O_RDWR, 0640, &a));
	p = mq_open(name_of(0), O_RDONLY);
	YES("again", p != -1);
	MUST(fstat(q, &st));
	say("mode %o size %ld nlink %lu", st.st_mode, (long)st.st_size, (unsigned long)st.st_nlink);
	RES("send through the reader", mq_send(p, "x", 1, 0));
	a.mq_maxmsg = -1;
	p = mq_open(name_of(0), O_CREAT | O_RDWR, 0640, &a);
	YES("attributes of an old one do not matter", p != -1);
	RES("unlink", mq_unlink(name_of(0)));
	RES("unlink again", mq_unlink(name_of(0)));
	RES("still works", mq_send(q, "hello", 5, 1));
	take("received", q, 10);
	MUST(fstat(q, &st));
	VAL("nlink", st.st_nlink);
	RES("bad attributes", mq_open(name_of(1), O_CREAT | O_RDWR, 0640, &a));
	RES("were not made", mq_unlink(name_of(1)));
	RES("no name", mq_open("/", O_CREAT | O_RDWR, 0600, NULL));
	RES("no slash", mq_open("x", O_RDWR));
	RES("two slashes", mq_open("/a/b", O_CREAT | O_RDWR, 0600, NULL));
	RES("dots", syscall(SYS_mq_open, "..", O_RDWR, 0, NULL));
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[0] = '/';
	long_name[299] = 0;
	RES("long", mq_open(long_name, O_CREAT | O_RDWR, 0600, NULL));
	RES("long, unlink", mq_unlink(long_name));
	RES("bad address", syscall(SYS_mq_open, (void *)8, O_RDWR, 0, NULL));
	RES("bad attribute address", syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, (void *)8));
	p = mq_open(name_of(1), O_CREAT | O_RDWR, 0600, NULL);
	say_attr("default", p);
	MUST(mq_unlink(name_of(1)));
	RES("close", mq_close(p));
	RES("close again", mq_close(p));
}

static void order(void)
{
	mqd_t q = fresh(0, 6, 20, 0);
	static const struct {
		const char *text;
		unsigned prio;
	} m[] = { { "low", 1 }, { "high", 9 }, { "low again", 1 }, { "high again", 9 }, { "", 0 } };

	mq_unlink(name_of(0));
	for (size_t i = 0; i < COUNT(m); i++)
		MUST(mq_send(q, m[i].text, strlen(m[i].text), m[i].prio));
	say_attr("five", q);
	for (size_t i = 0; i < COUNT(m); i++)
		take("next", q, 20);
	say_attr("empty", q);
	RES("too long", mq_send(q, "123456789012345678901", 21, 0));
	RES("priority too high", mq_send(q, "x", 1, 32768));
	RES("highest priority", mq_send(q, "x", 1, 32767));
	take("buffer too small", q, 19);
	RES("bad address", mq_send(q, (void *)8, 2, 0));
	take("it", q, 20);
	RES("no descriptor", mq_send(-1, "x", 1, 0));
	RES("not a queue", mq_send(1, "x", 1, 0));
	RES("not a queue, receive", mq_receive(0, (char *)8, 100, NULL));
	RES("not a queue, attributes", syscall(SYS_mq_getsetattr, 1, NULL, NULL));
	RES("not a queue, notify", mq_notify(1, NULL));
	RES("write", write(q, "x", 1));
}

static void blocking(void)
{
	struct mq_attr a = { .mq_flags = O_NONBLOCK };
	struct timespec ts = { 0, 0 };
	mqd_t q = fresh(0, 1, 10, 0);
	char buf[10];
	int pid;

	mq_unlink(name_of(0));
	timed(20, &ts);
	RES("nothing comes", mq_timedreceive(q, buf, 10, NULL, &ts));
	RES("in the past", mq_timedreceive(q, buf, 10, NULL, &(struct timespec){ 1, 0 }));
	RES("bad time", mq_timedreceive(q, buf, 10, NULL, &(struct timespec){ 1, -1 }));
	RES("bad seconds", mq_timedreceive(q, buf, 10, NULL, &(struct timespec){ -1, 0 }));
	MUST(mq_send(q, "1", 1, 0));
	RES("bad time but no need to wait",
	    mq_timedreceive(q, buf, 10, NULL, &(struct timespec){ 1, 1000000000 }));
	RES("full in the past", mq_timedsend(q, "2", 1, 0, &(struct timespec){ 1, 0 }));
	RES("nonblocking", mq_setattr(q, &a, NULL));
	say_attr("now", q);
	say("flags %#x", fcntl(q, F_GETFL) & O_NONBLOCK);
	RES("full", mq_send(q, "2", 1, 0));
	take("the one", q, 10);
	take("empty", q, 10);
	a.mq_flags = O_APPEND;
	RES("other flag", mq_setattr(q, &a, NULL));
	a.mq_flags = 0;
	RES("blocking", mq_setattr(q, &a, NULL));
	pid = START({
		_exit(mq_receive(q, buf, 10, NULL) == 3 && memcmp(buf, "now", 3) == 0 ? 7 : 8);
	});
	wait_state(pid, 'S');
	MUST(mq_send(q, "now", 3, 0));
	say_status("receiver", wait_for(pid));
	say_attr("went straight to it", q);
	MUST(mq_send(q, "1", 1, 0));
	pid = START({ _exit(mq_send(q, "2", 1, 5) == 0 ? 7 : 8); });
	wait_state(pid, 'S');
	take("first", q, 10);
	say_status("sender", wait_for(pid));
	take("second", q, 10);
}

static void on_signal(int sig UNUSED)
{
}

static void interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	mqd_t q = fresh(0, 1, 10, 0);

	mq_unlink(name_of(0));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	take("receive", q, 10);
	MUST(mq_send(q, "x", 1, 0));
	ualarm(20000, 0);
	RES("send", mq_send(q, "x", 1, 0));
}

static volatile siginfo_t got;
static volatile int notes;

static void on_note(int sig UNUSED, siginfo_t *info, void *ctx UNUSED)
{
	got = *info;
	notes++;
}

static void notify(void)
{
	struct sigaction sa = { .sa_sigaction = on_note, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	mqd_t q = fresh(0, 3, 10, 0);
	char text[128];
	int pid;

	e.sigev_value.sival_int = 4711;
	sigaction(SIGUSR1, &sa, NULL);
	RES("ask", mq_notify(q, &e));
	RES("ask twice", mq_notify(q, &e));
	say_status("another", CHILD({
			   RES("ask", mq_notify(q, &e));
			   RES("stop", mq_notify(q, NULL));
		   }));
	say("read %zd", pread(q, text, sizeof(text), 0) > 0 ? strcspn(text, " ") : 0);
	MUST(mq_send(q, "1", 1, 0));
	say("signal %d code %d value %d pid %s", got.si_signo, got.si_code, got.si_value.sival_int,
	    got.si_pid == getpid() ? "me" : "other");
	take("message", q, 10);
	MUST(mq_send(q, "2", 1, 0));
	VAL("once only", notes);
	RES("ask again", mq_notify(q, &e));
	MUST(mq_send(q, "3", 1, 0));
	VAL("not when there is something already", notes);
	take("message", q, 10);
	take("message", q, 10);
	pid = START({ _exit(mq_receive(q, text, 10, NULL) == 1 ? 7 : 8); });
	wait_state(pid, 'S');
	MUST(mq_send(q, "4", 1, 0));
	say_status("who waits goes first", wait_for(pid));
	VAL("no note", notes);
	say_status("from another", CHILD({ MUST(mq_send(q, "5", 1, 0)); }));
	say("note %d, from %s", notes, got.si_pid != getpid() ? "the other" : "me");
	take("message", q, 10);
	RES("stop without", mq_notify(q, NULL));
	e.sigev_notify = SIGEV_NONE;
	RES("none", mq_notify(q, &e));
	RES("busy", mq_notify(q, &e));
	RES("stop", mq_notify(q, NULL));
	e.sigev_notify = SIGEV_SIGNAL;
	e.sigev_signo = 65;
	RES("bad signal", mq_notify(q, &e));
	e.sigev_notify = 77;
	RES("bad method", syscall(SYS_mq_notify, q, &e));
	e = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_signo = 0 };
	e.sigev_value.sival_ptr = text;
	RES("no socket", syscall(SYS_mq_notify, q, &e));
	e = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pid = dup(q);
	MUST(mq_notify(q, &e));
	close(pid);
	RES("closing a duplicate ends it", mq_notify(q, &e));
	mq_unlink(name_of(0));
}

static int said[2];

static void on_thread(union sigval v)
{
	char c = (char)v.sival_int;

	MUST(write(said[1], &c, 1));
}

static void by_thread(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread };
	mqd_t q = fresh(0, 3, 10, 0);
	char c = 0;

	MUST(pipe(said));
	e.sigev_value.sival_int = 'T';
	RES("ask", mq_notify(q, &e));
	RES("ask twice", mq_notify(q, &e));
	MUST(mq_send(q, "1", 1, 0));
	MUST(read(said[0], &c, 1));
	say("told '%c'", c);
	take("message", q, 10);
	e.sigev_value.sival_int = 'U';
	RES("ask again", mq_notify(q, &e));
	RES("stop", mq_notify(q, NULL));
	MUST(mq_send(q, "1", 1, 0));
	take("message", q, 10);
	e.sigev_value.sival_int = 'V';
	RES("ask again", mq_notify(q, &e));
	MUST(mq_send(q, "1", 1, 0));
	MUST(read(said[0], &c, 1));
	say("told '%c'", c);
	mq_unlink(name_of(0));
}

static void polled(void)
{
	mqd_t q = fresh(0, 1, 10, O_NONBLOCK);
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = (int)MUST(epoll_create1(0)), pid;

	mq_unlink(name_of(0));
	MUST(poll(&p, 1, 0));
	say("empty %#x", p.revents);
	MUST(mq_send(q, "x", 1, 0));
	MUST(poll(&p, 1, 0));
	say("full %#x", p.revents);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, q, &ev));
	RET("ready", epoll_wait(ep, &ev, 1, 0));
	take("it", q, 10);
	RET("not ready", epoll_wait(ep, &ev, 1, 0));
	pid = START({ _exit(epoll_wait(ep, &ev, 1, -1) == 1 ? 7 : 8); });
	wait_state(pid, 'S');
	MUST(mq_send(q, "x", 1, 0));
	say_status("woken", wait_for(pid));
	p.events = POLLOUT;
	pid = START({ _exit(poll(&p, 1, -1) == 1 ? 7 : 8); });
	wait_state(pid, 'S');
	take("it", q, 10);
	say_status("woken to write", wait_for(pid));
}

static void rights(void)
{
	struct mq_attr a = { .mq_maxmsg = 11, .mq_msgsize = 10 };
	struct rlimit r;
	int n = 0;
	mqd_t q;

	q = mq_open(name_of(0), O_CREAT | O_RDWR, 0640, NULL);
	YES("made", q != -1);
	say_status("another", CHILD({
			   const char *name = name_of(1);

			   MUST(setgid(4321));
			   MUST(setuid(4321));
			   snprintf((char *)(uintptr_t)name, 64, "/rf-%d-0", getppid());
			   RES("read", mq_open(name, O_RDONLY));
			   RES("create", mq_open(name, O_CREAT | O_RDWR, 0600, NULL));
			   RES("unlink", mq_unlink(name));
			   name = name_of(2);
			   RES("too many messages", mq_open(name, O_CREAT | O_RDWR, 0600, &a));
			   a.mq_maxmsg = 10;
			   a.mq_msgsize = 8193;
			   RES("too large", mq_open(name, O_CREAT | O_RDWR, 0600, &a));
			   a.mq_msgsize = 8192;
			   RES("largest", mq_open(name, O_CREAT | O_RDWR, 0600, &a));
			   RES("unlink own", mq_unlink(name));
			   getrlimit(RLIMIT_MSGQUEUE, &r);
			   r.rlim_cur = 400000;
			   setrlimit(RLIMIT_MSGQUEUE, &r);
			   while (n < 20) {
				   char s[32];

				   snprintf(s, sizeof(s), "/rf-%d-x%d", getpid(), n);
				   if (mq_open(s, O_CREAT | O_RDWR, 0600, NULL) == -1)
					   break;
				   mq_unlink(s);
				   n++;
			   }
			   say("as many as %d, then %s", n, error_name(errno));
		   }));
	mq_unlink(name_of(0));
}

static const struct section sections[] = {
	{ "names", names },       { "order", order },
	{ "blocking", blocking }, { "interrupted", interrupted },
	{ "notify", notify },     { "by_thread", by_thread },
	{ "polled", polled },     { "rights", rights },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
