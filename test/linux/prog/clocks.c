/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks by the vDSO and by system calls, interval timers, POSIX timers. */
#include "test/linux/prog/check.h"
#include <sys/resource.h>
#include <sys/times.h>

#define MS 1000000LL

static int64_t raw_ns(clockid_t clock)
{
	struct timespec ts;

	MUST(syscall(SYS_clock_gettime, clock, &ts));
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Readings by libc (vDSO) and by the system call, in turns, never go back. */
static void in_order(const char *name, clockid_t clock)
{
	int64_t last = 0, back = 0;

	for (int i = 0; i < 2000; i++) {
		int64_t t = i & 1 ? raw_ns(clock) : now_ns(clock);

		back += t < last;
		last = t;
	}
	say("%s: backwards %ld times, positive %d", name, (long)back, last > 0);
}

static void clocks(void)
{
	struct timespec ts;
	struct timeval tv;
	int64_t a, b, c;

	in_order("CLOCK_MONOTONIC", CLOCK_MONOTONIC);
	in_order("CLOCK_REALTIME", CLOCK_REALTIME);
	in_order("CLOCK_BOOTTIME", CLOCK_BOOTTIME);
	in_order("CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW);
	in_order("CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE);
	in_order("CLOCK_REALTIME_COARSE", CLOCK_REALTIME_COARSE);
	in_order("CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID);
	in_order("CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID);
	in_order("CLOCK_TAI", CLOCK_TAI);
	a = now_ns(CLOCK_REALTIME);
	MUST(gettimeofday(&tv, NULL));
	b = tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL;
	c = now_ns(CLOCK_REALTIME);
	YES("gettimeofday lies between", a / 1000 * 1000 <= b && b <= c);
	MUST(syscall(SYS_gettimeofday, &tv, NULL));
	YES("gettimeofday by the call, too", tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL >= b);
	YES("time", llabs(time(NULL) - tv.tv_sec) <= 1);
	YES("time by the call", llabs(syscall(SYS_time, NULL) - tv.tv_sec) <= 1);
	YES("after 2023", tv.tv_sec > 1672531200);
	RET("bad clock", syscall(SYS_clock_gettime, 999, &ts));
	RET("bad clock by libc", clock_gettime(999, &ts));
	RET("getres", clock_getres(CLOCK_MONOTONIC, &ts));
	say("%ld %ld", ts.tv_sec, ts.tv_nsec);
	RET("getres of a bad clock", clock_getres(999, &ts));
	RET("getres coarse", clock_getres(CLOCK_MONOTONIC_COARSE, &ts));
	YES("coarse is 1 to 10 ms", ts.tv_nsec >= MS && ts.tv_nsec <= 10 * MS);
	/* The clock of a process that works. */
	b = now_ns(CLOCK_MONOTONIC);
	a = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - a < 20 * MS)
		;
	YES("20 ms of work take 20 ms", now_ns(CLOCK_MONOTONIC) - b >= 20 * MS);
	a = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	usleep(30000);
	YES("sleeping is not working", now_ns(CLOCK_PROCESS_CPUTIME_ID) - a < 20 * MS);
	struct tms tms;
	YES("times", times(&tms) != -1 && tms.tms_utime + tms.tms_stime >= 1);
	struct rusage ru;
	RET("getrusage", getrusage(RUSAGE_SELF, &ru));
	YES("its time", ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec +
					ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec >=
				15000);
	CHILD({
		a = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - a < 20 * MS)
			;
	});
	RET("getrusage of children", getrusage(RUSAGE_CHILDREN, &ru));
	YES("their time", ru.ru_utime.tv_usec + ru.ru_stime.tv_usec + ru.ru_utime.tv_sec >= 15000);
	RET("getrusage of a thread", getrusage(RUSAGE_THREAD, &ru));
	RET("getrusage of nonsense", getrusage(99, &ru));
	RET("clock of another process", ({
		    clockid_t id;
		    clock_getcpuclockid(getppid(), &id) ?: clock_gettime(id, &ts);
	    }));
	RET("settime without right",
	    CHILD({
		    MUST(geteuid() == 0 ? setresuid(65534, 65534, 65534) : 0);
		    _exit(clock_settime(CLOCK_REALTIME, &(struct timespec){ 1, 0 }) == -1 &&
					  errno == EPERM
				  ? 3
				  : 4);
	    }) >> 8);
	RET("settime of the monotonic clock", clock_settime(CLOCK_MONOTONIC, &ts));
}

static volatile int fired;
static volatile int last_code, last_value, last_overrun;

static void on_timer(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	fired++;
	last_code = si->si_code;
	last_value = si->si_value.sival_int;
	if (si->si_overrun > last_overrun)
		last_overrun = si->si_overrun;
}

static void arm(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO };

	fired = 0;
	MUST(sigaction(sig, &sa, NULL));
}

static void wait_fired(int n)
{
	while (fired < n)
		;
}

static void itimers(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } }, old;

	arm(SIGALRM);
	RET("setitimer", setitimer(ITIMER_REAL, &it, NULL));
	wait_fired(5);
	YES("five times", fired >= 5);
	YES("code is SI_KERNEL", last_code == SI_KERNEL);
	RET("getitimer", getitimer(ITIMER_REAL, &it));
	say("interval %ld", it.it_interval.tv_usec);
	it = (struct itimerval){ { 0, 0 }, { 100, 0 } };
	RET("setitimer tells the old one", setitimer(ITIMER_REAL, &it, &old));
	VAL("interval", old.it_interval.tv_usec);
	VAL("alarm tells what is left", alarm(50));
	RET("getitimer", getitimer(ITIMER_REAL, &it));
	YES("alarm is the same timer", it.it_value.tv_sec >= 49 && it.it_value.tv_sec <= 50);
	VAL("alarm off", alarm(0));
	VAL("nothing left", alarm(0));
	fired = 0;
	alarm(1);
	wait_fired(1);
	VAL("alarm", fired);
	it = (struct itimerval){ { 0, 0 }, { 0, 1000000 } };
	RET("bad microseconds", setitimer(ITIMER_REAL, &it, NULL));
	RET("bad timer", setitimer((__itimer_which_t)9, &it, NULL));
	it.it_value.tv_usec = -1;
	RET("negative", setitimer(ITIMER_REAL, &it, NULL));
	/* Timers of work. */
	arm(SIGVTALRM);
	it = (struct itimerval){ { 0, 0 }, { 0, 10000 } };
	int64_t t = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	RET("ITIMER_VIRTUAL", setitimer(ITIMER_VIRTUAL, &it, NULL));
	while (fired == 0)
		;
	YES("after work", now_ns(CLOCK_PROCESS_CPUTIME_ID) - t >= 5 * MS);
	arm(SIGPROF);
	RET("ITIMER_PROF", setitimer(ITIMER_PROF, &it, NULL));
	wait_fired(1);
	VAL("SIGPROF", fired);
}

static void posix_timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN,
			       .sigev_value.sival_int = 77 };
	struct itimerspec its = { .it_value = { 0, 2 * MS }, .it_interval = { 0, 2 * MS } }, old;
	timer_t timer, other;
	sigset_t set;
	int64_t t;

	arm(SIGRTMIN);
	RET("create", timer_create(CLOCK_MONOTONIC, &ev, &timer));
	RET("settime", timer_settime(timer, 0, &its, NULL));
	wait_fired(3);
	YES("code SI_TIMER", last_code == SI_TIMER);
	VAL("value", last_value);
	RET("gettime", timer_gettime(timer, &old));
	VAL("interval", old.it_interval.tv_nsec);
	YES("left", old.it_value.tv_nsec <= 2 * MS);
	/* While blocked, expirations are counted, not queued. */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	RET("settime", timer_settime(timer, 0, &its, NULL));
	t = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) - t < 30 * MS)
		;
	fired = 0;
	last_overrun = 0;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	RET("settime off", timer_settime(timer, 0, &(struct itimerspec){ { 0 } }, NULL));
	YES("delivered", fired >= 1);
	YES("overrun in the signal", last_overrun >= 5);
	its.it_interval.tv_nsec = 0;
	RET("delete", timer_delete(timer));
	RET("delete again", timer_delete(timer));
	RET("settime of a deleted one", timer_settime(timer, 0, &its, NULL));
	RET("absolute, past", ({
		    MUST(timer_create(CLOCK_REALTIME, &ev, &timer));
		    fired = 0;
		    its = (struct itimerspec){ .it_value = { 1, 0 } };
		    timer_settime(timer, TIMER_ABSTIME, &its, NULL);
	    }));
	wait_fired(1);
	VAL("fired", fired);
	ev.sigev_signo = 65;
	RET("bad signal", timer_create(CLOCK_MONOTONIC, &ev, &other));
	ev.sigev_signo = SIGRTMIN;
	ev.sigev_notify = 99;
	RET("bad notification", timer_create(CLOCK_MONOTONIC, &ev, &other));
	RET("bad clock", timer_create(99, NULL, &other));
	its.it_value.tv_nsec = 1000000000;
	RET("bad time", timer_settime(timer, 0, &its, NULL));
	ev.sigev_notify = SIGEV_NONE;
	RET("SIGEV_NONE", timer_create(CLOCK_MONOTONIC, &ev, &other));
	its = (struct itimerspec){ .it_value = { 100, 0 } };
	timer_settime(other, 0, &its, NULL);
	timer_gettime(other, &old);
	YES("counts down", old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
	arm(SIGALRM);
	RET("default is SIGALRM", timer_create(CLOCK_MONOTONIC, NULL, &other));
	its.it_value = (struct timespec){ 0, MS };
	timer_settime(other, 0, &its, NULL);
	wait_fired(1);
	VAL("fired", fired);
	arm(SIGRTMIN);
	ev = (struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	RET("of the process's work", timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &other));
	its.it_value = (struct timespec){ 0, 10 * MS };
	timer_settime(other, 0, &its, NULL);
	wait_fired(1);
	VAL("fired", fired);
	say_status("not inherited",
		   CHILD(_exit(timer_gettime(other, &old) == -1 && errno == EINVAL ? 5 : 6)));
}

static void cpu_limit(void)
{
	say_status("RLIMIT_CPU", CHILD({
			   struct rlimit rl = { 1, 2 };

			   setrlimit(RLIMIT_CPU, &rl);
			   for (;;)
				   ;
		   }));
	say_status("RLIMIT_CPU, hard", CHILD({
			   struct rlimit rl = { 1, 2 };

			   signal(SIGXCPU, SIG_IGN);
			   setrlimit(RLIMIT_CPU, &rl);
			   for (;;)
				   ;
		   }));
}

static const struct section sections[] = { { "clocks", clocks },
					   { "itimers", itimers },
					   { "posix_timers", posix_timers },
					   { "cpu_limit", cpu_limit } };

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
