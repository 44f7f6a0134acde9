/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, futexes behind the pthread objects, and timers. */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "p.h"

static __thread int tls = 5;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter, turn;

static void *count(void *arg)
{
	tls = (int)(intptr_t)arg;
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		if (i % 100 == 0)
			sched_yield();
	}
	return (void *)(intptr_t)tls;
}

static void create_join(void)
{
	pthread_t t[20];
	bool values = true;
	void *v;

	for (intptr_t i = 0; i < 20; i++)
		if (pthread_create(&t[i], NULL, count, (void *)i) != 0)
			values = false;
	for (intptr_t i = 0; i < 20; i++)
		if (pthread_join(t[i], &v) != 0 || v != (void *)i)
			values = false;
	OK(values && tls == 5, "20 threads created and joined, thread-local data");
	OK(counter == 20000, "a mutex excludes");
}

static void *pong(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (turn != 1)
			pthread_cond_wait(&cond, &lock);
		turn = 0;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void ping_pong(void)
{
	pthread_t t;

	pthread_create(&t, NULL, pong, NULL);
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		turn = 1;
		pthread_cond_signal(&cond);
		while (turn != 0)
			pthread_cond_wait(&cond, &lock);
		pthread_mutex_unlock(&lock);
	}
	OK(pthread_join(t, NULL) == 0, "condition variables alternate");
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void timeouts(void)
{
	struct timespec ts = in_ms(CLOCK_REALTIME, 20);
	sem_t sem;

	pthread_mutex_lock(&lock);
	OK(pthread_cond_timedwait(&cond, &lock, &ts) == ETIMEDOUT, "cond_timedwait times out");
	pthread_mutex_unlock(&lock);
	ts = in_ms(CLOCK_MONOTONIC, 20);
	pthread_mutex_lock(&lock);
	OK(pthread_cond_clockwait(&cond, &lock, CLOCK_MONOTONIC, &ts) == ETIMEDOUT,
	   "on the monotonic clock too");
	pthread_mutex_unlock(&lock);
	sem_init(&sem, 0, 0);
	ts = in_ms(CLOCK_REALTIME, 10);
	OK(sem_timedwait(&sem, &ts) == -1 && errno == ETIMEDOUT, "sem_timedwait times out");
}

static pthread_barrier_t barrier;
static volatile int through;

static void *meet(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	__atomic_add_fetch(&through, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void barriers(void)
{
	pthread_t t[7];

	pthread_barrier_init(&barrier, NULL, 8);
	for (int i = 0; i < 7; i++)
		pthread_create(&t[i], NULL, meet, NULL);
	usleep(1000);
	OK(through == 0, "nobody passes a barrier early");
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 7; i++)
		pthread_join(t[i], NULL);
	OK(through == 7, "all pass");
}

static pthread_mutex_t special;

static void *die_holding(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&special);
	return NULL;
}

static void robust(int protocol, const char *what)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutex_init(&special, &a);
	pthread_create(&t, NULL, die_holding, NULL);
	pthread_join(t, NULL);
	int r = pthread_mutex_lock(&special);
	OK(r == EOWNERDEAD, "%s robust mutex: owner died (%d)", what, r);
	OK(pthread_mutex_consistent(&special) == 0, "made consistent");
	OK(pthread_mutex_unlock(&special) == 0, "unlocked");
	OK(pthread_mutex_lock(&special) == 0, "locked again");
	pthread_mutex_unlock(&special);
	pthread_mutex_destroy(&special);
}

static void *lock_and_count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&special);
		counter++;
		sched_yield();
		counter++;
		pthread_mutex_unlock(&special);
	}
	return NULL;
}

static void pi(void)
{
	pthread_mutexattr_t a;
	pthread_t t[4];
	struct timespec ts;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&special, &a);
	counter = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, lock_and_count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	OK(counter == 4 * 400, "a PI mutex excludes");
	pthread_mutex_lock(&special);
	OK(pthread_mutex_lock(&special) == EDEADLK, "its owner does not wait for itself");
	pthread_mutex_unlock(&special);
	pthread_mutex_destroy(&special);
	ts = in_ms(CLOCK_REALTIME, 10);
	(void)ts;
}

/* A waiter that is woken because the owner died while it slept. */
static void *wait_robust(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)pthread_mutex_lock(&special);
}

static void *hold_and_die(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&special);
	through = 100;
	usleep(20000);
	return NULL;
}

static void robust_waiter(void)
{
	pthread_mutexattr_t a;
	pthread_t holder, waiter;
	void *v;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&special, &a);
	pthread_create(&holder, NULL, hold_and_die, NULL);
	while (through != 100)
		sched_yield();
	pthread_create(&waiter, NULL, wait_robust, NULL);
	pthread_join(holder, NULL);
	pthread_join(waiter, &v);
	OK((intptr_t)v == EOWNERDEAD, "a sleeping waiter gets a dead owner's mutex");
}

/* Between processes, in shared memory. */
static void shared(void)
{
	struct {
		pthread_mutex_t m;
		pthread_cond_t c;
		int value;
	} *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	int status;

	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&s->m, &ma);
	pthread_cond_init(&s->c, &ca);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		usleep(5000);
		pthread_mutex_lock(&s->m);
		s->value = 1;
		pthread_cond_signal(&s->c);
		pthread_mutex_unlock(&s->m);
		_exit(0);
	}
	pthread_mutex_lock(&s->m);
	while (s->value == 0)
		pthread_cond_wait(&s->c, &s->m);
	pthread_mutex_unlock(&s->m);
	OK(waitpid(pid, &status, 0) == pid && status == 0, "condition variable between processes");
}

/* ---- ends ---- */

static void *forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void *spin(void *arg)
{
	(void)arg;
	for (;;)
		;
	return NULL;
}

static void *exits(void *arg)
{
	(void)arg;
	usleep(2000);
	exit(11);
	return NULL;
}

static int main_thread_ends(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exits, NULL);
	pthread_exit(NULL);
}

static int many_then_exit(void)
{
	pthread_t t;

	for (int i = 0; i < 10; i++)
		pthread_create(&t, NULL, i % 2 ? forever : spin, NULL);
	usleep(5000);
	_exit(12);
}

static void *kills(void *arg)
{
	(void)arg;
	kill(getpid(), SIGKILL);
	return NULL;
}

static int thread_kills(void)
{
	pthread_t t;

	for (int i = 0; i < 5; i++)
		pthread_create(&t, NULL, i == 4 ? kills : forever, NULL);
	for (;;)
		pause();
	return 0;
}

static void *execs(void *arg)
{
	char *const argv[] = { "p_thread", "pid", arg, NULL };

	execv("/proc/self/exe", argv);
	execv("/bin/p_thread", argv);
	exit(99);
}

static int exec_from_thread(void)
{
	pthread_t t;
	char text[16];

	snprintf(text, sizeof(text), "%d", getpid());
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, forever, NULL);
	pthread_create(&t, NULL, execs, text);
	for (;;)
		pause();
	return 0;
}

static void ends(void)
{
	int s = p_child(main_thread_ends);

	OK(WIFEXITED(s) && WEXITSTATUS(s) == 11, "the process outlives its main thread");
	s = p_child(many_then_exit);
	OK(WIFEXITED(s) && WEXITSTATUS(s) == 12, "exit ends sleeping and spinning threads");
	s = p_child(thread_kills);
	OK(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL, "SIGKILL from a thread ends all");
	s = p_child(exec_from_thread);
	OK(WIFEXITED(s) && WEXITSTATUS(s) == 13, "exec from another thread keeps the pid (%x)", s);
}

/* ---- signals to threads ---- */

static volatile int sig_tid;

static void note_tid(int sig)
{
	(void)sig;
	sig_tid = (int)syscall(SYS_gettid);
}

static volatile int their_tid;

static void *wait_signal(void *arg)
{
	(void)arg;
	their_tid = (int)syscall(SYS_gettid);
	pause();
	return NULL;
}

static void directed(void)
{
	struct sigaction a = { .sa_handler = note_tid };
	pthread_t t;

	sigaction(SIGUSR1, &a, NULL);
	pthread_create(&t, NULL, wait_signal, NULL);
	while (their_tid == 0)
		sched_yield();
	usleep(2000);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, NULL);
	OK(sig_tid == their_tid, "pthread_kill reaches that thread");
	/* a process signal goes to a thread that does not block it */
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	their_tid = sig_tid = 0;
	pthread_create(&t, NULL, wait_signal, NULL);
	while (their_tid == 0)
		sched_yield();
	usleep(2000);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	pthread_join(t, NULL);
	OK(sig_tid == their_tid, "kill reaches a thread that does not block the signal");
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	pthread_create(&t, NULL, forever, NULL);
	usleep(1000);
	OK(pthread_cancel(t) == 0, "cancel");
	void *v;
	pthread_join(t, &v);
	OK(v == PTHREAD_CANCELED, "a thread in pause() is cancelled");
}

/* ---- timers ---- */

static volatile int ticks;

static void tick(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	ticks += info->si_value.sival_int == 77 && info->si_code == SI_TIMER;
}

static void tick_thread(union sigval v)
{
	ticks += v.sival_int == 78;
}

static void timers(void)
{
	struct sigaction a = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN,
			       .sigev_value.sival_int = 77 };
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } }, left;
	timer_t id;

	sigaction(SIGRTMIN, &a, NULL);
	OK(timer_create(CLOCK_MONOTONIC, &ev, &id) == 0, "timer_create");
	timer_settime(id, 0, &its, NULL);
	while (ticks < 5)
		pause();
	timer_gettime(id, &left);
	OK(left.it_interval.tv_nsec == 5000000 && left.it_value.tv_nsec <= 5000000, "it ticks");
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	usleep(31000);
	ticks = 0;
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	OK(ticks == 1 && timer_getoverrun(id) >= 4, "missed ticks are overruns (%d)",
	   timer_getoverrun(id));
	OK(timer_delete(id) == 0 && timer_delete(id) == -1, "timer_delete");
	ev = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
				.sigev_value.sival_int = 78,
				.sigev_notify_function = tick_thread };
	ticks = 0;
	its = (struct itimerspec){ { 0, 0 }, { 0, 5000000 } };
	OK(timer_create(CLOCK_REALTIME, &ev, &id) == 0 && timer_settime(id, 0, &its, NULL) == 0,
	   "SIGEV_THREAD");
	for (int i = 0; i < 1000 && ticks == 0; i++)
		usleep(1000);
	OK(ticks == 1, "its function is called");
	timer_delete(id);
}

static volatile int prof, virt;

static void count_prof(int sig)
{
	prof += sig == SIGPROF;
	virt += sig == SIGVTALRM;
}

static void processor_timers(void)
{
	struct sigaction a = { .sa_handler = count_prof };
	struct itimerval v = { { 0, 10000 }, { 0, 10000 } }, zero = { { 0, 0 }, { 0, 0 } };
	struct timespec c0, c1, m0, m1;

	sigaction(SIGPROF, &a, NULL);
	sigaction(SIGVTALRM, &a, NULL);
	setitimer(ITIMER_PROF, &v, NULL);
	setitimer(ITIMER_VIRTUAL, &v, NULL);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c0);
	clock_gettime(CLOCK_MONOTONIC, &m0);
	while (prof < 3 || virt < 3)
		;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c1);
	setitimer(ITIMER_PROF, &zero, NULL);
	setitimer(ITIMER_VIRTUAL, &zero, NULL);
	long ms = (c1.tv_sec - c0.tv_sec) * 1000 + (c1.tv_nsec - c0.tv_nsec) / 1000000;
	OK(ms >= 20 && ms < 2000, "ITIMER_PROF and ITIMER_VIRTUAL (%ld ms)", ms);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c0);
	usleep(30000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c1);
	clock_gettime(CLOCK_MONOTONIC, &m1);
	OK((c1.tv_sec - c0.tv_sec) * 1000000000 + c1.tv_nsec - c0.tv_nsec < 20000000,
	   "sleeping takes no processor time");
}

static void raw_futex(void)
{
	uint32_t w = 1;
	struct timespec ts = { 0, 5000000 };

	OK(syscall(SYS_futex, &w, FUTEX_WAIT, 0, NULL) == -1 && errno == EAGAIN,
	   "FUTEX_WAIT: EAGAIN");
	OK(syscall(SYS_futex, &w, FUTEX_WAIT, 1, &ts) == -1 && errno == ETIMEDOUT,
	   "FUTEX_WAIT: ETIMEDOUT");
	OK(syscall(SYS_futex, (char *)&w + 1, FUTEX_WAIT, 1, &ts) == -1 && errno == EINVAL,
	   "unaligned: EINVAL");
	OK(syscall(SYS_futex, 8, FUTEX_WAIT, 1, &ts) == -1 && errno == EFAULT,
	   "not mapped: EFAULT");
	OK(syscall(SYS_futex, &w, FUTEX_WAKE, 1) == 0, "FUTEX_WAKE: nobody");
	OK(syscall(SYS_futex, &w, 99, 1) == -1 && errno == ENOSYS, "unknown: ENOSYS");
	w = 0x3fffffff;
	OK(syscall(SYS_futex, &w, FUTEX_LOCK_PI, 0, NULL) == -1 && errno == ESRCH,
	   "FUTEX_LOCK_PI: no such owner");
	OK(syscall(SYS_futex, &w, FUTEX_UNLOCK_PI, 0, NULL) == -1 && errno == EPERM,
	   "FUTEX_UNLOCK_PI: not the owner");
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "pid") == 0)
		return getpid() == atoi(argv[2]) && getpid() == (int)syscall(SYS_gettid) ? 13 : 14;
	create_join();
	ping_pong();
	timeouts();
	barriers();
	robust(PTHREAD_PRIO_NONE, "plain");
	robust(PTHREAD_PRIO_INHERIT, "PI");
	robust_waiter();
	pi();
	shared();
	ends();
	directed();
	timers();
	processor_timers();
	raw_futex();
	return p_done();
}
