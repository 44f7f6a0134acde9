/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: life and death, thread-local memory, mutexes and their relatives, futex operations. */
#include "test/linux/prog/check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>

#define MS 1000000LL

static long futex(uint32_t *a, int op, uint32_t v, const void *t, uint32_t *b, uint32_t v3)
{
	return syscall(SYS_futex, a, op, v, t, b, v3);
}

static struct timespec later(clockid_t clock, int64_t ns)
{
	int64_t t = now_ns(clock) + ns;

	return (struct timespec){ t / 1000000000, t % 1000000000 };
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	int e = pthread_create(&t, NULL, fn, arg);

	if (e != 0) {
		say("pthread_create: %s", error_name(e));
		_exit(98);
	}
	return t;
}

static void *add_one(void *arg)
{
	return (char *)arg + 1;
}

static void *wait_for_ever(void *arg UNUSED)
{
	for (;;)
		pause();
	return NULL;
}

static _Thread_local int local = 42;
static _Thread_local char local_big[10000];
static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
	__atomic_fetch_add(&destroyed, *(int *)value, __ATOMIC_RELAXED); /* many threads at once */
}

static void *use_local(void *arg)
{
	static int one = 1;
	long r = local;

	local = (int)(long)arg;
	local_big[9999] = 1;
	pthread_setspecific(key, &one);
	sched_yield();
	return (void *)(r * 1000 + local);
}

static void create(void)
{
	pthread_t t[20];
	void *r;
	long sum = 0;

	t[0] = start(add_one, (void *)41);
	VAL("join", pthread_join(t[0], &r));
	VAL("value", (long)r);
	pthread_key_create(&key, destroy);
	for (long i = 0; i < 20; i++)
		t[i] = start(use_local, (void *)i);
	for (int i = 0; i < 20; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	VAL("thread-local values", sum);
	VAL("destructors", destroyed);
	VAL("own thread-local value", local);
	t[0] = start(wait_for_ever, NULL);
	VAL("cancel", pthread_cancel(t[0]));
	pthread_join(t[0], &r);
	YES("cancelled", r == PTHREAD_CANCELED);
	t[0] = start(add_one, NULL);
	VAL("detach", pthread_detach(t[0]));
	VAL("join of oneself", pthread_join(pthread_self(), NULL));
	YES("tid of the first thread", gettid() == getpid());
}

static void *leave_main(void *arg)
{
	pthread_join(*(pthread_t *)arg, NULL);
	say("the first thread has ended, this one ends the process");
	exit(9);
}

static void *exit_now(void *arg UNUSED)
{
	_exit(7);
}

static void *exec_now(void *arg UNUSED)
{
	execl("/bin/sh", "sh", "-c", "exit $1", "sh", "23", NULL);
	return NULL;
}

static void *segfault(void *arg UNUSED)
{
	*(volatile int *)8 = 1;
	return NULL;
}

static void *forks(void *arg UNUSED)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(gettid() == getpid() ? 5 : 6);
	return (void *)(long)wait_for(pid);
}

static void ends(void)
{
	void *r;

	say_status("exit_group by a thread", CHILD({
			   start(wait_for_ever, NULL);
			   start(exit_now, NULL);
			   wait_for_ever(NULL);
		   }));
	say_status("return from main with threads", CHILD({
			   start(wait_for_ever, NULL);
			   exit(3);
		   }));
	say_status("pthread_exit of the first thread", CHILD({
			   static pthread_t self;

			   self = pthread_self();
			   start(leave_main, &self);
			   pthread_exit(NULL);
		   }));
	say_status("last thread by exit(2)", CHILD(syscall(SYS_exit, 77)));
	say_status("exec from a thread", CHILD({
			   pid_t pid = getpid();

			   start(wait_for_ever, NULL);
			   start(exec_now, NULL);
			   wait_for_ever(NULL);
			   (void)pid;
		   }));
	say_status("fault in a thread", CHILD({
			   start(segfault, NULL);
			   wait_for_ever(NULL);
		   }));
	say_status("killed with threads", CHILD({
			   start(wait_for_ever, NULL);
			   kill(getpid(), SIGKILL);
			   wait_for_ever(NULL);
		   }));
	pthread_join(start(forks, NULL), &r);
	say_status("fork from a thread", (int)(long)r);
	/* The pid stays when a thread runs another program. */
	int fd[2];
	char text[32] = "", want[32];
	MUST(pipe(fd));
	pid_t pid = START({
		dup2(fd[1], 1);
		execl("/bin/sh", "sh", "-c", "echo $$", NULL);
	});
	MUST(read(fd[0], text, sizeof(text) - 1));
	snprintf(want, sizeof(want), "%d\n", pid);
	YES("pid after exec", strcmp(text, want) == 0);
	wait_for(pid);
}

static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;
static int stage;

static void *count_up(void *arg)
{
	pthread_barrier_wait(&barrier);
	for (long i = 0; i < (long)arg; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void many(void)
{
	static pthread_t t[200];
	pthread_attr_t attr;
	int failed = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&barrier, NULL, 201);
	for (int i = 0; i < 200; i++)
		failed += pthread_create(&t[i], &attr, count_up, (void *)100) != 0;
	VAL("not created", failed);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 200; i++)
		pthread_join(t[i], NULL);
	VAL("200 threads of 100", counter);
	counter = 0;
	for (int round = 0; round < 20; round++) {
		pthread_barrier_init(&barrier, NULL, 10);
		for (int i = 0; i < 10; i++)
			pthread_create(&t[i], NULL, count_up, (void *)10);
		for (int i = 0; i < 10; i++)
			pthread_join(t[i], NULL);
	}
	VAL("20 rounds of 10 threads of 10", counter);
}

static void *hold_and_die(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void *wait_stage(void *arg)
{
	pthread_mutex_lock(&mutex);
	while (stage != (int)(long)arg)
		pthread_cond_wait(&cond, &mutex);
	stage++;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void mutexes(void)
{
	pthread_mutex_t m;
	pthread_mutexattr_t a;
	struct timespec ts;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&m, &a);
	VAL("lock", pthread_mutex_lock(&m));
	say("lock again: %s", error_name(pthread_mutex_lock(&m)));
	VAL("unlock", pthread_mutex_unlock(&m));
	say("unlock again: %s", error_name(pthread_mutex_unlock(&m)));
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&m, &a);
	VAL("recursive lock", pthread_mutex_lock(&m) | pthread_mutex_lock(&m));
	VAL("recursive unlock", pthread_mutex_unlock(&m) | pthread_mutex_unlock(&m));
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &a);
	pthread_join(start(hold_and_die, &m), NULL);
	say("robust, owner ended: %s", error_name(pthread_mutex_lock(&m)));
	VAL("consistent", pthread_mutex_consistent(&m));
	VAL("unlock", pthread_mutex_unlock(&m));
	VAL("lock", pthread_mutex_lock(&m));
	pthread_mutex_unlock(&m);
	pthread_join(start(hold_and_die, &m), NULL);
	say("robust again: %s", error_name(pthread_mutex_lock(&m)));
	pthread_mutex_unlock(&m);
	say("not made consistent: %s", error_name(pthread_mutex_lock(&m)));
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	VAL("PI mutex", pthread_mutex_init(&m, &a));
	VAL("lock", pthread_mutex_lock(&m));
	say("lock again: %s", error_name(pthread_mutex_lock(&m)));
	VAL("unlock", pthread_mutex_unlock(&m));
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &a);
	pthread_join(start(hold_and_die, &m), NULL);
	say("robust PI, owner ended: %s", error_name(pthread_mutex_lock(&m)));
	VAL("consistent", pthread_mutex_consistent(&m));
	VAL("unlock", pthread_mutex_unlock(&m));
	pthread_mutex_init(&m, NULL);
	pthread_mutex_lock(&m);
	ts = later(CLOCK_REALTIME, 10 * MS);
	say("timedlock: %s", error_name(pthread_mutex_timedlock(&m, &ts)));
	ts = later(CLOCK_MONOTONIC, 10 * MS);
	say("clocklock: %s", error_name(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &ts)));
}

/* Robust mutexes in shared memory, whose owner process is killed. */
static void robust_shared(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	pthread_mutexattr_t a;

	for (int pi = 0; pi < 2; pi++) {
		pthread_mutexattr_init(&a);
		pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
		if (pi)
			pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
		pthread_mutex_init(m, &a);
		say_status("owner", CHILD({
				   pthread_mutex_lock(m);
				   kill(getpid(), SIGKILL);
			   }));
		say("%s: %s", pi ? "lock, PI" : "lock", error_name(pthread_mutex_lock(m)));
		pthread_mutex_consistent(m);
		VAL("unlock", pthread_mutex_unlock(m));
		/* The waiter sleeps while the owner ends. */
		struct event held = event_new();
		pid_t me = getpid();
		pid_t pid = START({
			pthread_mutex_lock(m);
			event_set(&held);
			wait_state(me, 'S');
			_exit(0);
		});
		event_wait(&held);
		say("%s: %s", pi ? "waited for, PI" : "waited for",
		    error_name(pthread_mutex_lock(m)));
		pthread_mutex_consistent(m);
		pthread_mutex_unlock(m);
		wait_for(pid);
	}
}

static void *fetch_rdlock(void *arg)
{
	return (void *)(long)pthread_rwlock_tryrdlock(arg);
}

static void *fetch_wrlock(void *arg)
{
	return (void *)(long)pthread_rwlock_trywrlock(arg);
}

static long in_thread(void *(*fn)(void *), void *arg)
{
	void *r;

	pthread_join(start(fn, arg), &r);
	return (long)r;
}

static void conditions(void)
{
	pthread_t t[10];
	struct timespec ts;
	pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
	pthread_condattr_t ca;
	pthread_cond_t c2;
	int serial = 0;
	sem_t sem;

	for (long i = 0; i < 10; i++)
		t[i] = start(wait_stage, (void *)(9 - i));
	for (int i = 0; i < 10; i++)
		pthread_join(t[i], NULL);
	VAL("chain of 10 threads", stage);
	pthread_mutex_lock(&mutex);
	ts = later(CLOCK_REALTIME, 10 * MS);
	say("timedwait: %s", error_name(pthread_cond_timedwait(&cond, &mutex, &ts)));
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&c2, &ca);
	ts = later(CLOCK_MONOTONIC, 10 * MS);
	say("timedwait, monotonic: %s", error_name(pthread_cond_timedwait(&c2, &mutex, &ts)));
	YES("time has come", now_ns(CLOCK_MONOTONIC) >= ts.tv_sec * 1000000000LL + ts.tv_nsec);
	pthread_mutex_unlock(&mutex);
	sem_init(&sem, 0, 2);
	VAL("sem_wait", sem_wait(&sem) | sem_wait(&sem));
	RET("sem_trywait", sem_trywait(&sem));
	ts = later(CLOCK_REALTIME, 5 * MS);
	RET("sem_timedwait", sem_timedwait(&sem, &ts));
	sem_post(&sem);
	RET("sem_wait", sem_wait(&sem));
	pthread_rwlock_rdlock(&rw);
	say("second reader: %s", error_name((int)in_thread(fetch_rdlock, &rw)));
	say("writer beside readers: %s", error_name((int)in_thread(fetch_wrlock, &rw)));
	pthread_rwlock_unlock(&rw);
	pthread_barrier_init(&barrier, NULL, 5);
	counter = 0;
	for (int i = 0; i < 4; i++)
		t[i] = start(count_up, (void *)1);
	serial = pthread_barrier_wait(&barrier);
	YES("barrier", serial == 0 || serial == PTHREAD_BARRIER_SERIAL_THREAD);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	VAL("threads of the barrier", counter);
}

static uint32_t word_a, word_b;
static pid_t tids[4];
static volatile int woken;

static void *wait_a(void *arg)
{
	long r;

	tids[(long)arg] = gettid();
	r = futex(&word_a, FUTEX_WAIT, 0, NULL, NULL, 0);
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return (void *)r;
}

static void *wait_bits(void *arg)
{
	tids[(long)arg] = gettid();
	futex(&word_a, FUTEX_WAIT_BITSET, 0, NULL, NULL, 1u << (long)arg);
	__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void sleeping(int n)
{
	for (int i = 0; i < n; i++) {
		while (__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST) == 0)
			sched_yield();
		wait_state(tids[i], 'S');
	}
}

static void futexes(void)
{
	pthread_t t[4];

	RET("wake nobody", futex(&word_a, FUTEX_WAKE, 1, NULL, NULL, 0));
	for (long i = 0; i < 4; i++)
		t[i] = start(wait_a, (void *)i);
	sleeping(4);
	RET("wake one", futex(&word_a, FUTEX_WAKE, 1, NULL, NULL, 0));
	RET("cmp_requeue, other value",
	    futex(&word_a, FUTEX_CMP_REQUEUE, 1, (void *)1, &word_b, 5));
	RET("cmp_requeue one, move two",
	    futex(&word_a, FUTEX_CMP_REQUEUE, 1, (void *)2, &word_b, 0));
	RET("wake on the old word", futex(&word_a, FUTEX_WAKE, 10, NULL, NULL, 0));
	RET("wake on the new word", futex(&word_b, FUTEX_WAKE, 10, NULL, NULL, 0));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	VAL("woken", woken);
	memset(tids, 0, sizeof(tids));
	for (long i = 0; i < 3; i++)
		t[i] = start(wait_bits, (void *)i);
	sleeping(3);
	RET("wake bit 1", futex(&word_a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2));
	RET("wake bit 5", futex(&word_a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 32));
	RET("wake no bit", futex(&word_a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 0));
	word_b = 7;
	/* WAKE_OP: add 1 to b, wake on a, and on b if its old value was 7. */
	RET("wake_op", futex(&word_a, FUTEX_WAKE_OP, 10, (void *)10, &word_b,
			     FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 7)));
	VAL("b", word_b);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	RET("requeue to itself", futex(&word_a, FUTEX_REQUEUE, 1, (void *)1, &word_a, 0));
	RET("lock_pi", futex(&word_a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	YES("owner", (word_a & FUTEX_TID_MASK) == (uint32_t)gettid());
	RET("lock_pi again", futex(&word_a, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	RET("unlock_pi", futex(&word_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	VAL("free", word_a);
	RET("unlock_pi again", futex(&word_a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	RET("trylock_pi", futex(&word_a, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
	RET("get_robust_list of nobody", syscall(SYS_get_robust_list, 0x3ffffff, &word_a, &word_b));
	RET("set_robust_list, bad size", syscall(SYS_set_robust_list, NULL, 5));
	/* Shared between processes: by file and offset, not by address. */
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
				0);
	pid_t pid = START({
		long r = futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);

		_exit(r == 0 ? 11 : 12);
	});
	wait_state(pid, 'S');
	RET("private wake does not reach the shared one",
	    futex(shared, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
	RET("shared wake", futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
	say_status("other process", wait_for(pid));
}

static volatile int got_signal;
static volatile pid_t got_tid;

static void on_signal(int sig UNUSED)
{
	got_tid = gettid();
	got_signal++;
}

static void *take_signal(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	*(pid_t *)arg = gettid();
	while (got_signal == 0)
		sched_yield();
	return (void *)(long)(got_tid == gettid());
}

static void *blocked_wait(void *arg)
{
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	*(pid_t *)arg = gettid();
	sigwait(&set, &sig);
	return (void *)(long)sig;
}

static void signals(void)
{
	sigset_t set;
	pthread_t t;
	void *r;
	volatile pid_t tid = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR1, on_signal);
	t = start(take_signal, (void *)&tid);
	while (tid == 0)
		sched_yield();
	kill(getpid(), SIGUSR1);
	pthread_join(t, &r);
	VAL("kill reaches the thread that lets it", (long)r);
	tid = 0;
	t = start(blocked_wait, (void *)&tid);
	while (tid == 0)
		sched_yield();
	wait_state(tid, 'S');
	kill(getpid(), SIGUSR2);
	pthread_join(t, &r);
	VAL("sigwait in a thread", (long)r);
	tid = 0;
	t = start(blocked_wait, (void *)&tid);
	while (tid == 0)
		sched_yield();
	VAL("pthread_kill", pthread_kill(t, SIGUSR2));
	pthread_join(t, &r);
	VAL("sigwait", (long)r);
	sigpending(&set);
	VAL("nothing pending for the first thread", sigismember(&set, SIGUSR2));
	pthread_kill(pthread_self(), SIGUSR2);
	sigpending(&set);
	VAL("own signal", sigismember(&set, SIGUSR2));
}

static pid_t child_tid;

static int raw_thread(void *arg)
{
	*(volatile int *)arg = 1;
	syscall(SYS_exit, 0);
	return 0;
}

/* Without libc: CHILD_CLEARTID wakes who waits for the end. */
static void raw(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static volatile int ran;
	static pid_t ptid;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
	int r;

	child_tid = -1;
	r = (int)MUST(clone(raw_thread, stack + sizeof(stack), flags, (void *)&ran, &ptid, NULL,
			    &child_tid));
	YES("PARENT_SETTID", ptid == r);
	for (;;) {
		pid_t now = __atomic_load_n(&child_tid, __ATOMIC_SEQ_CST);

		if (now == 0)
			break;
		futex((uint32_t *)&child_tid, FUTEX_WAIT, (uint32_t)now, NULL, NULL, 0);
	}
	VAL("ran", ran);
	VAL("CHILD_CLEARTID", child_tid);
	RET("wait for a thread", waitpid(r, NULL, __WALL));
	YES("set_tid_address gives the tid", syscall(SYS_set_tid_address, &child_tid) == gettid());
}

static const struct section sections[] = {
	{ "create", create },
	{ "ends", ends },
	{ "many", many },
	{ "mutexes", mutexes },
	{ "robust_shared", robust_shared },
	{ "conditions", conditions },
	{ "futexes", futexes },
	{ "signals", signals },
	{ "raw", raw },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
