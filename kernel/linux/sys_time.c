/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on time: clocks, sleeping, interval timers. */
#include <linux/capability.h>
#include <linux/time.h>

#include "kernel/linux/linux.h"
#include "kernel/task/task.h"
#include "kernel/vfs/poll.h"

#define NS 1000000000ull

err_t user_timespec(uaddr_t at, uint64_t *ns)
{
	struct timespec_k t;

	TRY(USER_IN(&t, at));
	if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= (int64_t)NS)
		return E_INVAL;
	if (__builtin_mul_overflow((uint64_t)t.tv_sec, NS, ns) ||
	    __builtin_add_overflow(*ns, (uint64_t)t.tv_nsec, ns))
		*ns = WAIT_FOREVER - 1;
	return OK;
}

err_t user_timespec_out(uaddr_t at, uint64_t ns)
{
	struct timespec_k t = ns_to_timespec(ns);

	return USER_OUT(at, &t);
}

uint64_t deadline_after(uint64_t rel_ns)
{
	uint64_t at;

	return __builtin_add_overflow(time_mono_ns(), rel_ns, &at) ? WAIT_FOREVER : at;
}

uint64_t deadline_of_clock(int clock, uint64_t abs_ns)
{
	uint64_t offset;

	if (clock != CLOCK_REALTIME && clock != CLOCK_TAI)
		return abs_ns;
	offset = time_real_ns() - time_mono_ns();
	return abs_ns > offset ? abs_ns - offset : 0;
}

/* ---- clocks ---- */

/* The process or thread that a clock of this form counts; 0: the caller. */
static int clock_owner(int clock)
{
	return (int)(~(unsigned)clock >> 3);
}

/*
 * Clocks of processes and threads: the low three bits say which, the rest is the inverted id (as
 * glibc builds them).
 */
static err_t cpu_clock(int clock, uint64_t *ns)
{
	int id = clock_owner(clock);

	if ((clock & 3) == 3)
		return E_INVAL;
	if (clock & 4) {
		const struct thread *t = id == 0 ? current : thread_find(id);

		if (t == NULL || t->task != current_task)
			return E_INVAL;
		*ns = thread_cpu_ns(t);
	} else {
		const struct task *t = id == 0 ? current_task : task_find(id);

		if (t == NULL)
			return E_INVAL;
		*ns = task_cpu_ns(t);
	}
	return OK;
}

static err_t clock_read(int clock, uint64_t *ns)
{
	if (clock < 0)
		return cpu_clock(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM: *ns = time_real_ns(); return OK;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *ns = time_mono_ns(); return OK;
	case CLOCK_PROCESS_CPUTIME_ID: *ns = task_cpu_ns(current_task); return OK;
	case CLOCK_THREAD_CPUTIME_ID: *ns = thread_cpu_ns(current); return OK;
	default: return E_INVAL;
	}
}

long sys_clock_gettime(int clock, uaddr_t to)
{
	uint64_t ns;

	TRY(clock_read(clock, &ns));
	return user_timespec_out(to, ns);
}

long sys_clock_getres(int clock, uaddr_t to)
{
	uint64_t ns;

	TRY(clock_read(clock, &ns));
	/*
	 * The coarse clocks tick as a 250 Hz kernel's; here they are as fine as the others, which
	 * keeps the promise.
	 */
	ns = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? 4000000 : 1;
	return to.v != 0 ? user_timespec_out(to, ns) : 0;
}

/* Who sleeps until a time of the wall clock. */
static struct waitq real_sleepers = WAITQ_INIT(real_sleepers);

void linux_step_real_time(uint64_t ns)
{
	time_set_real_ns(ns);
	posix_timer_clock_was_set();
	timerfd_clock_was_set();
	wake_all(&real_sleepers);
}

long sys_clock_settime(int clock, uaddr_t from)
{
	uint64_t ns;

	if (clock != CLOCK_REALTIME)
		return E_INVAL;
	TRY(user_timespec(from, &ns));
	if (!(current_task->cred.cap_effective & 1ull << CAP_SYS_TIME))
		return E_PERM;
	linux_set_real_time(ns);
	return 0;
}

long sys_settimeofday(uaddr_t utv, uaddr_t utz)
{
	struct timeval_k tv;
	struct timezone tz;

	if (utv.v != 0)
		TRY(USER_IN(&tv, utv));
	if (utv.v != 0 && (tv.tv_usec < 0 || tv.tv_usec > 1000000 || tv.tv_sec < 0))
		return E_INVAL;
	if (utz.v != 0)
		TRY(USER_IN(&tz, utz));
	if (!(current_task->cred.cap_effective & 1ull << CAP_SYS_TIME))
		return E_PERM;
	if (utz.v != 0 && (tz.tz_minuteswest > 15 * 60 || tz.tz_minuteswest < -15 * 60))
		return E_INVAL;
	/* The time zone is for file systems that keep local time; there is none. */
	if (utv.v != 0)
		linux_set_real_time((uint64_t)tv.tv_sec * NS + (uint64_t)tv.tv_usec * 1000);
	return 0;
}

long sys_gettimeofday(uaddr_t utv, uaddr_t utz)
{
	struct timezone tz = { 0, 0 };
	uint64_t ns = time_real_ns();
	struct timeval_k tv = { (int64_t)(ns / NS), (int64_t)(ns % NS / 1000) };

	if (utv.v != 0)
		TRY(USER_OUT(utv, &tv));
	return utz.v != 0 ? USER_OUT(utz, &tz) : 0;
}

long sys_time(uaddr_t to)
{
	int64_t now = (int64_t)(time_real_ns() / NS);

	if (to.v != 0)
		TRY(USER_OUT(to, &now));
	return now;
}

/* ---- sleeping ---- */

/* OK when the time has come, E_INTR for a signal. MAY_SWITCH */
static err_t sleep_until(uint64_t deadline)
{
	for (;;) {
		if (time_mono_ns() >= deadline)
			return OK;
		if (signal_pending_current())
			return E_INTR;
		wait_prepare();
		(void)wait_commit(deadline, true);
	}
}

/* The same for a time of the wall clock, which may be set meanwhile. MAY_SWITCH */
static err_t sleep_until_real(uint64_t ns)
{
	while (time_real_ns() < ns) {
		if (signal_pending_current())
			return E_INTR;
		(void)wait_on(&real_sleepers, deadline_of_clock(CLOCK_REALTIME, ns), true);
	}
	return OK;
}

/*
 * A relative sleep goes on to its first deadline after a signal without handler; *rem is written
 * when a handler runs.
 */
static long sleep_relative(uint64_t deadline, uaddr_t rem)
{
	uint64_t now;

	if (sleep_until(deadline) == OK)
		return 0;
	now = time_mono_ns();
	if (rem.v != 0)
		TRY(user_timespec_out(rem, deadline > now ? deadline - now : 0));
	return E_RESTART_BLOCK;
}

static long sleep_restart(struct thread *t)
{
	return sleep_relative(t->restart.arg[0], UADDR(t->restart.arg[1]));
}

long sys_nanosleep(uaddr_t uts, uaddr_t rem)
{
	uint64_t ns, deadline;
	long ret;

	TRY(user_timespec(uts, &ns));
	deadline = deadline_after(ns);
	ret = sleep_relative(deadline, rem);
	if (ret == E_RESTART_BLOCK) {
		current->restart.fn = sleep_restart;
		current->restart.arg[0] = deadline;
		current->restart.arg[1] = rem.v;
	}
	return ret;
}

long sys_clock_nanosleep(int clock, int flags, uaddr_t uts, uaddr_t rem)
{
	uint64_t ns;

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return E_INVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return clock == CLOCK_PROCESS_CPUTIME_ID || clock < 0 ? E_OPNOTSUPP : E_INVAL;
	if (!(flags & TIMER_ABSTIME))
		return sys_nanosleep(uts, rem);
	TRY(user_timespec(uts, &ns));
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		return sleep_until_real(ns) == OK ? 0 : E_RESTARTNOHAND;
	return sleep_until(ns) == OK ? 0 : E_RESTARTNOHAND;
}

/* ---- interval timers ---- */

struct itimerval_k {
	struct timeval_k interval, value;
};

static err_t timeval_ns(const struct timeval_k *tv, uint64_t *ns)
{
	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return E_INVAL;
	if (__builtin_mul_overflow((uint64_t)tv->tv_sec, NS, ns))
		*ns = WAIT_FOREVER / 2;
	*ns += (uint64_t)tv->tv_usec * 1000;
	return OK;
}

/* A remaining time of less than a microsecond must not read as "not armed". */
static struct timeval_k ns_timeval_up(uint64_t ns)
{
	ns = (ns + 999) / 1000;
	return (struct timeval_k){ (int64_t)(ns / 1000000), (int64_t)(ns % 1000000) };
}

long sys_getitimer(int which, uaddr_t to)
{
	struct itimer_value k;
	struct itimerval_k v;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return E_INVAL;
	itimer_get(current_task, which, &k);
	v = (struct itimerval_k){ ns_timeval_up(k.interval_ns), ns_timeval_up(k.value_ns) };
	return USER_OUT(to, &v);
}

long sys_setitimer(int which, uaddr_t unew, uaddr_t uold)
{
	struct itimerval_k v = { 0 };
	struct itimer_value now, old;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return E_INVAL;
	if (unew.v != 0)
		TRY(USER_IN(&v, unew));
	TRY(timeval_ns(&v.value, &now.value_ns));
	TRY(timeval_ns(&v.interval, &now.interval_ns));
	itimer_set(current_task, which, &now, &old);
	if (uold.v == 0)
		return 0;
	v = (struct itimerval_k){ ns_timeval_up(old.interval_ns), ns_timeval_up(old.value_ns) };
	return USER_OUT(uold, &v);
}

long sys_alarm(unsigned seconds)
{
	struct itimer_value now = { .value_ns = seconds * NS }, old;

	itimer_set(current_task, ITIMER_REAL, &now, &old);
	if (old.value_ns > 0 && old.value_ns < NS / 2)
		return 1; /* 0 would say that no alarm was set */
	return (long)((old.value_ns + NS / 2) / NS);
}

/* ---- POSIX timers ---- */

/*
 * A timer counts the caller's own work, which glibc names by the forms of cpu_clock(); others' is
 * not served.
 */
static int timer_clock(int clock)
{
	int id = clock_owner(clock);

	if (clock >= 0 || (clock & 3) == 3)
		return clock;
	if (clock & 4)
		return id == 0 || id == current->tid ? CLOCK_THREAD_CPUTIME_ID : clock;
	return id == 0 || id == current_task->pid ? CLOCK_PROCESS_CPUTIME_ID : clock;
}

long sys_timer_create(int clock, uaddr_t uevent, uaddr_t uid)
{
	struct posix_timer_spec spec = { clock, SIGEV_SIGNAL, SIGALRM, 0, 0, true };
	sigevent_t ev;
	err_t err;
	int id;

	spec.clock = timer_clock(clock);
	if (uevent.v != 0) {
		TRY(USER_IN(&ev, uevent));
		spec = (struct posix_timer_spec){ spec.clock,
						  ev.sigev_notify,
						  ev.sigev_signo,
						  ev._sigev_un._tid,
						  (uint64_t)ev.sigev_value.sival_ptr,
						  false };
	}
	TRY(posix_timer_create(&spec, &id));
	err = USER_OUT(uid, &id);
	if (err != OK)
		(void)!posix_timer_delete(id);
	return err;
}

static err_t itimer_value_out(uaddr_t to, const struct itimer_value *v)
{
	TRY(user_timespec_out(to, v->interval_ns));
	return user_timespec_out(UADDR(to.v + sizeof(struct timespec_k)), v->value_ns);
}

long sys_timer_settime(int id, int flags, uaddr_t unew, uaddr_t uold)
{
	struct itimer_value now, old;

	TRY(user_timespec(unew, &now.interval_ns));
	TRY(user_timespec(UADDR(unew.v + sizeof(struct timespec_k)), &now.value_ns));
	TRY(posix_timer_settime(id, flags, &now, &old));
	return uold.v == 0 ? OK : itimer_value_out(uold, &old);
}

long sys_timer_gettime(int id, uaddr_t to)
{
	struct itimer_value v;

	TRY(posix_timer_gettime(id, &v));
	return itimer_value_out(to, &v);
}

long sys_timer_getoverrun(int id)
{
	return posix_timer_overrun(id);
}

long sys_timer_delete(int id)
{
	return posix_timer_delete(id);
}

/* A signal ended a sleep and no handler ran: go on with what is left. */
long sys_restart_syscall(void)
{
	long (*fn)(struct thread *) = current->restart.fn;

	current->restart.fn = NULL;
	return fn == NULL ? E_INTR : fn(current);
}
