/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals that come while a call waits: EINTR, restart, what is left of the time. A timer fires
 * again and again, so
 * that it surely hits the wait; the handler does, after some times, what ends the wait. */
#include "test/linux/prog/check.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>

#define MS 1000000LL

static volatile int fired;
static void (*volatile after)(void);
static int fd[2], other_fd[2];
static uint32_t word;

static void on_alarm(int sig UNUSED)
{
	int saved = errno;

	if (++fired == 5 && after != NULL)
		after();
	errno = saved;
}

static void timer_on(int flags)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval it = { { 0, 4000 }, { 0, 4000 } };

	fired = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void timer_off(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &it, NULL);
	after = NULL;
}

static void write_byte(void)
{
	if (write(fd[1], "x", 1) != 1)
		_exit(90);
}

static void read_bytes(void)
{
	char buf[4096];

	if (read(fd[0], buf, sizeof(buf)) <= 0)
		_exit(91);
}

static void wake_word(void)
{
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/*
 * `call` without SA_RESTART: EINTR at the first signal; with it: goes on until the handler ends the
 * wait.
 */
#define BOTH(name, end, call)                              \
	do {                                               \
		timer_on(0);                               \
		RET(name ", no SA_RESTART", call);         \
		timer_off();                               \
		after = end;                               \
		timer_on(SA_RESTART);                      \
		RET(name ", SA_RESTART", call);            \
		YES("  several signals came", fired >= 5); \
		timer_off();                               \
	} while (0)

static void pipes(void)
{
	char buf[4096];
	struct iovec {
		void *base;
		size_t len;
	} v = { buf, 10 };

	MUST(pipe(fd));
	BOTH("read of a pipe", write_byte, read(fd[0], buf, 10));
	BOTH("readv of a pipe", write_byte, syscall(SYS_readv, fd[0], &v, 1));
	MUST(mkfifo("fifo", 0666));
	timer_on(0);
	RET("open of a FIFO, no SA_RESTART", open("fifo", O_RDONLY));
	timer_on(SA_RESTART);
	pid_t pid = START({
		wait_state(getppid(), 'S');
		open("fifo", O_WRONLY);
	});
	RES("open of a FIFO, SA_RESTART", open("fifo", O_RDONLY));
	timer_off();
	wait_for(pid);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	memset(buf, 'x', sizeof(buf));
	while (write(fd[1], buf, sizeof(buf)) > 0)
		;
	fcntl(fd[1], F_SETFL, 0);
	BOTH("write to a full pipe", read_bytes, write(fd[1], buf, sizeof(buf)));
}

/* A write that has moved some bytes tells these. */
static void partial(void)
{
	static char big[1 << 20];

	MUST(pipe(fd));
	timer_on(0);
	YES("long write to a pipe gives what was written", write(fd[1], big, sizeof(big)) == 65536);
	timer_off();
}

static void polls(void)
{
	struct pollfd p;
	struct epoll_event ev = { .events = EPOLLIN };
	fd_set set;
	struct timeval tv = { 100, 0 };
	struct timespec ts = { 100, 0 };
	int ep = MUST(epoll_create1(0));

	MUST(pipe(fd));
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev));
	p = (struct pollfd){ .fd = fd[0], .events = POLLIN };
	timer_on(SA_RESTART);
	RET("poll in spite of SA_RESTART", poll(&p, 1, -1));
	RET("poll with a time", poll(&p, 1, 100000));
	RET("epoll_wait", epoll_wait(ep, &ev, 1, -1));
	FD_ZERO(&set);
	FD_SET(fd[0], &set);
	RET("select", select(fd[0] + 1, &set, NULL, NULL, &tv));
	VAL("set is untouched", FD_ISSET(fd[0], &set) != 0);
	YES("its time is what is left", tv.tv_sec == 99 && tv.tv_usec > 0);
	RET("pselect", pselect(fd[0] + 1, &set, NULL, NULL, &ts, NULL));
	YES("libc's time is untouched", ts.tv_sec == 100);
	RET("ppoll", ppoll(&p, 1, &ts, NULL));
	timer_off();
	/* ppoll, pselect and epoll_pwait change the mask for the wait only. */
	sigset_t block, none, now;
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	signal(SIGUSR1, on_alarm);
	fired = 0;
	raise(SIGUSR1);
	VAL("blocked", fired);
	RET("ppoll", ppoll(&p, 1, NULL, &none));
	VAL("delivered", fired);
	sigprocmask(SIG_BLOCK, NULL, &now);
	VAL("blocked again", sigismember(&now, SIGUSR1));
	raise(SIGUSR1);
	RET("pselect", pselect(fd[0] + 1, &set, NULL, NULL, NULL, &none));
	raise(SIGUSR1);
	RET("epoll_pwait", epoll_pwait(ep, &ev, 1, -1, &none));
	VAL("delivered", fired);
	raise(SIGUSR1);
	write_byte();
	RET("ppoll with data and a signal", ppoll(&p, 1, NULL, &none));
	VAL("delivered", fired);
	RET("epoll_pwait with data and a signal", epoll_pwait(ep, &ev, 1, -1, &none));
	VAL("delivered", fired);
}

static void sleeps(void)
{
	struct timespec req = { .tv_sec = 100 }, rem = { 0, 0 };
	int64_t t;

	timer_on(SA_RESTART);
	RET("nanosleep in spite of SA_RESTART", nanosleep(&req, &rem));
	YES("rest", rem.tv_sec == 99 && rem.tv_nsec > 0);
	RET("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &req, &rem));
	YES("rest", rem.tv_sec == 99);
	rem.tv_sec = 7;
	req.tv_sec += now_ns(CLOCK_MONOTONIC) / 1000000000;
	RET("clock_nanosleep, absolute",
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &req, &rem));
	VAL("rest is untouched", rem.tv_sec);
	timer_off();
	t = now_ns(CLOCK_MONOTONIC);
	/* Stopped and continued: the rest of the time is waited for. */
	pid_t pid = START({
		struct timespec d = { .tv_nsec = 50 * MS };
		int64_t begin = now_ns(CLOCK_MONOTONIC);
		int r = nanosleep(&d, NULL);

		YES("nanosleep over stop and continue",
		    r == 0 && now_ns(CLOCK_MONOTONIC) - begin >= 50 * MS);
	});
	int st;
	wait_state(pid, 'S');
	kill(pid, SIGSTOP);
	if (waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st)) {
		kill(pid, SIGCONT);
		wait_for(pid);
	}
	YES("time went on", now_ns(CLOCK_MONOTONIC) - t >= 50 * MS);
	signal(SIGALRM, SIG_IGN);
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	setitimer(ITIMER_REAL, &it, NULL);
	req = (struct timespec){ .tv_nsec = 30 * MS };
	RET("ignored signals do not interrupt nanosleep", nanosleep(&req, NULL));
	timer_off();
	RET("bad nanoseconds", nanosleep(&(struct timespec){ 0, 1000000000 }, NULL));
	RET("negative seconds", nanosleep(&(struct timespec){ -1, 0 }, NULL));
	RET("zero", nanosleep(&(struct timespec){ 0, 0 }, NULL));
	RET("absolute, in the past",
	    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){ 1, 0 }, NULL));
	RET("bad clock", clock_nanosleep(77, 0, &(struct timespec){ 0, 1 }, NULL));
}

static void futexes(void)
{
	struct timespec ts = { 100, 0 }, shortly = { 0, 5 * MS };
	struct timespec abs;

	word = 0;
	/*
	 * Without a time-out the wait is started again when SA_RESTART says so; with one it goes on
	 * by itself.
	 */
	timer_on(0);
	RET("FUTEX_WAIT, no SA_RESTART", syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
	RET("with a time", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0));
	timer_off();
	after = wake_word;
	timer_on(SA_RESTART);
	RET("FUTEX_WAIT, SA_RESTART", syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
	timer_off();
	RET("value is different", syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
	RET("time-out", syscall(SYS_futex, &word, FUTEX_WAIT, 1, &shortly, NULL, 0));
	clock_gettime(CLOCK_REALTIME, &abs);
	RET("FUTEX_WAIT_BITSET, real time, past",
	    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &abs, NULL,
		    ~0u));
	RET("bad time",
	    syscall(SYS_futex, &word, FUTEX_WAIT, 1, &(struct timespec){ 0, -1 }, NULL, 0));
	RET("no bits", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 1, &shortly, NULL, 0));
	RET("misaligned", syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT, 1, &shortly, NULL, 0));
	RET("bad address", syscall(SYS_futex, 8, FUTEX_WAIT, 1, &shortly, NULL, 0));
	RET("unknown operation", syscall(SYS_futex, &word, 99, 1, &shortly, NULL, 0));
}

static void end_child(void)
{
	write_byte();
}

static void waits(void)
{
	pid_t pid;
	int st;

	MUST(pipe(fd));
	pid = START({
		char c;

		timer_off();
		if (read(fd[0], &c, 1) != 1)
			_exit(1);
		_exit(3);
	});
	timer_on(0);
	RET("waitpid, no SA_RESTART", waitpid(pid, &st, 0));
	timer_off();
	after = end_child;
	timer_on(SA_RESTART);
	RET("waitpid, SA_RESTART", waitpid(pid, &st, 0) == pid);
	timer_off();
	say_status("child", st);
}

static void release(void)
{
	write_byte();
}

static void locks(void)
{
	int file = MUST(open("file", O_RDWR | O_CREAT, 0666));
	struct flock fl = { .l_type = F_WRLCK };
	struct event ready = event_new();
	pid_t pid;

	MUST(pipe(fd));
	pid = START({
		char c;
		int own = MUST(open("file", O_RDWR));

		MUST(fcntl(own, F_SETLK, &fl));
		MUST(flock(own, LOCK_EX));
		event_set(&ready);
		if (read(fd[0], &c, 1) != 1)
			_exit(1);
	});
	event_wait(&ready);
	RET("F_SETLK", fcntl(file, F_SETLK, &fl));
	RET("flock, LOCK_NB", flock(file, LOCK_EX | LOCK_NB));
	timer_on(0);
	RET("F_SETLKW, no SA_RESTART", fcntl(file, F_SETLKW, &fl));
	RET("flock, no SA_RESTART", flock(file, LOCK_EX));
	timer_off();
	after = release;
	timer_on(SA_RESTART);
	RET("F_SETLKW, SA_RESTART", fcntl(file, F_SETLKW, &fl));
	timer_off();
	RET("flock", flock(file, LOCK_EX));
	say_status("holder", wait_for(pid));
}

static void others(void)
{
	uint64_t v;
	int ev = MUST(eventfd(0, 0));
	char c;

	timer_on(0);
	RET("read of an eventfd", read(ev, &v, 8));
	RET("pause", pause());
	RET("sigsuspend", ({
		    sigset_t none;
		    sigemptyset(&none);
		    sigsuspend(&none);
	    }));
	timer_off();
	MUST(pipe(other_fd));
	/*
	 * A handler of another signal, with SA_RESTART: two handlers, one of them without,
	 * interrupt.
	 */
	signal(SIGUSR1, on_alarm);
	sigset_t both;
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	pid_t me = getpid();
	pid_t pid = START({
		for (int i = 0; i < 5; i++) {
			wait_state(me, 'S');
			kill(me, SIGUSR1);
		}
		MUST(write(other_fd[1], "x", 1));
	});
	RET("signal() means SA_RESTART", read(other_fd[0], &c, 1));
	wait_for(pid);
	pid = START({
		wait_state(me, 'S');
		kill(me, SIGURG);
		kill(me, SIGWINCH);
		MUST(write(other_fd[1], "x", 1));
	});
	RET("signals without effect do not interrupt", read(other_fd[0], &c, 1));
	wait_for(pid);
}

static const struct section sections[] = {
	{ "pipes", pipes },     { "partial", partial }, { "polls", polls }, { "sleeps", sleeps },
	{ "futexes", futexes }, { "waits", waits },     { "locks", locks }, { "others", others },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
