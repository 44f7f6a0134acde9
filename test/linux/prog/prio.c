/* SPDX-License-Identifier: BSD-2-Clause */
/* Priority inheritance: what the owner of a PI futex counts for while others wait for it. */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "test/linux/prog/check.h"

#define LOCKS 3

struct worker {
	pthread_t thread;
	pid_t tid;
	int policy, priority, nice;
	pthread_mutex_t *first, *wanted;
	int timeout_s; /* for `wanted`; 0: for ever */
	int result;
	sem_t ready, go, has, release;
};

static pthread_mutex_t locks[LOCKS];

static void make_lock(pthread_mutex_t *m, bool robust, bool shared)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	if (robust)
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (shared)
		pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &a);
}

/* Fields 18, 19, 40 and 41 of /proc/TID/stat: what it counts for, and what it was given. */
static void say_priority(const char *name, pid_t tid)
{
	char path[64], text[1024], *at;
	int fd, priority = 0, nice = 0, rt = 0, policy = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fd = (int)MUST(open(path, O_RDONLY));
	n = MUST(read(fd, text, sizeof(text) - 1));
	close(fd);
	text[n] = 0;
	at = strrchr(text, ')') + 1;
	for (int field = 3; (at = strchr(at, ' ')) != NULL; field++) {
		at++;
		if (field == 18)
			priority = atoi(at);
		else if (field == 19)
			nice = atoi(at);
		else if (field == 40)
			rt = atoi(at);
		else if (field == 41)
			policy = atoi(at);
	}
	say("%s: priority %d, nice %d, real-time %d, policy %d", name, priority, nice, rt, policy);
}

static void set_sched(pid_t tid, int policy, int priority)
{
	MUST(sched_setscheduler(tid, policy, &(struct sched_param){ .sched_priority = priority }));
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct timespec until;

	w->tid = gettid();
	set_sched(0, w->policy, w->priority);
	MUST(setpriority(PRIO_PROCESS, 0, w->nice));
	if (w->first != NULL)
		pthread_mutex_lock(w->first);
	sem_post(&w->ready);
	sem_wait(&w->go);
	if (w->wanted != NULL && w->timeout_s != 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += w->timeout_s;
		w->result = pthread_mutex_timedlock(w->wanted, &until);
	} else if (w->wanted != NULL) {
		w->result = pthread_mutex_lock(w->wanted);
	}
	sem_post(&w->has);
	sem_wait(&w->release);
	if (w->wanted != NULL && (w->result == 0 || w->result == EOWNERDEAD))
		pthread_mutex_unlock(w->wanted);
	if (w->first != NULL)
		pthread_mutex_unlock(w->first);
	return NULL;
}

/* It holds `first`. */
static void start_worker(struct worker *w)
{
	sem_init(&w->ready, 0, 0);
	sem_init(&w->go, 0, 0);
	sem_init(&w->has, 0, 0);
	sem_init(&w->release, 0, 0);
	errno = pthread_create(&w->thread, NULL, work, w);
	MUST(errno == 0 ? 0 : -1);
	sem_wait(&w->ready);
	wait_state(w->tid, 'S');
}

static void sleeps_in_lock(pid_t tid)
{
	char path[64], text[64];

	/* The number of the call (futex), its word, and the operation. */
	for (;;) {
		int fd;
		ssize_t n;
		long nr = -1;
		unsigned long word = 0, op = 0;

		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
		fd = (int)MUST(open(path, O_RDONLY));
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = 0;
		if (sscanf(text, "%ld %lx %lx", &nr, &word, &op) == 3 && nr == SYS_futex &&
		    ((op & FUTEX_CMD_MASK) == FUTEX_LOCK_PI ||
		     (op & FUTEX_CMD_MASK) == FUTEX_LOCK_PI2))
			return;
		usleep(1000);
	}
}

static void let_wait(struct worker *w)
{
	sem_post(&w->go);
	sleeps_in_lock(w->tid);
}

static void end_worker(struct worker *w)
{
	sem_post(&w->go);
	sem_post(&w->release);
	pthread_join(w->thread, NULL);
}

static void lend(void)
{
	struct worker owner = { .first = &locks[0] };
	struct worker low = { .wanted = &locks[0], .policy = SCHED_RR, .priority = 10 };
	struct worker high = {
		.wanted = &locks[0], .policy = SCHED_FIFO, .priority = 30, .timeout_s = 3
	};

	make_lock(&locks[0], false, false);
	start_worker(&owner);
	start_worker(&low);
	start_worker(&high);
	say_priority("at first", owner.tid);
	let_wait(&low);
	say_priority("one waits", owner.tid);
	let_wait(&high);
	say_priority("two wait", owner.tid);
	RET("policy", sched_getscheduler(owner.tid));
	sem_wait(&high.has);
	say("the better one: %s", error_name(high.result));
	say_priority("one waits", owner.tid);
	end_worker(&owner);
	sem_wait(&low.has);
	say("the other one: %s", error_name(low.result));
	say_priority("new owner", low.tid);
	end_worker(&high);
	end_worker(&low);
}

static void unlock(void)
{
	struct worker low = { .wanted = &locks[0], .policy = SCHED_RR, .priority = 10 };
	struct worker high = { .wanted = &locks[0], .policy = SCHED_RR, .priority = 12 };

	make_lock(&locks[0], false, false);
	pthread_mutex_lock(&locks[0]);
	start_worker(&low);
	start_worker(&high);
	let_wait(&low);
	let_wait(&high);
	say_priority("owner", gettid());
	say_status("child", CHILD(say_priority("child of the owner", getpid())));
	pthread_mutex_unlock(&locks[0]);
	say_priority("was owner", gettid());
	sem_wait(&high.has);
	say_priority("new owner", high.tid);
	end_worker(&high);
	end_worker(&low);
}

static void chain(void)
{
	struct worker a = { .first = &locks[0] };
	struct worker b = { .first = &locks[1], .wanted = &locks[0] };
	struct worker c = { .first = &locks[2], .wanted = &locks[1], .nice = 3 };
	struct worker d = { .wanted = &locks[2], .policy = SCHED_FIFO, .priority = 40 };

	for (int i = 0; i < LOCKS; i++)
		make_lock(&locks[i], false, false);
	start_worker(&a);
	start_worker(&b);
	start_worker(&c);
	start_worker(&d);
	let_wait(&b);
	let_wait(&c);
	say_priority("a, ordinary waiters", a.tid);
	let_wait(&d);
	say_priority("a", a.tid);
	say_priority("b", b.tid);
	say_priority("c", c.tid);
	set_sched(d.tid, SCHED_FIFO, 45);
	say_priority("a, the last raised", a.tid);
	set_sched(d.tid, SCHED_FIFO, 5);
	say_priority("a, the last lowered", a.tid);
	set_sched(b.tid, SCHED_RR, 7);
	say_priority("a, b raised", a.tid);
	say_priority("b", b.tid);
	say_priority("c", c.tid);
	end_worker(&a);
	sem_wait(&b.has);
	say_priority("b is free", b.tid);
	end_worker(&b);
	sem_wait(&c.has);
	say_priority("c is free", c.tid);
	end_worker(&c);
	sem_wait(&d.has);
	say_priority("d", d.tid);
	end_worker(&d);
}

static void nice_values(void)
{
	struct worker owner = { .first = &locks[0], .nice = 15 };
	struct worker waiter = { .wanted = &locks[0], .nice = 5 };

	make_lock(&locks[0], false, false);
	start_worker(&owner);
	start_worker(&waiter);
	let_wait(&waiter);
	say_priority("owner", owner.tid);
	RET("getpriority", getpriority(PRIO_PROCESS, (id_t)owner.tid));
	set_sched(owner.tid, SCHED_FIFO, 3);
	say_priority("owner, real-time", owner.tid);
	set_sched(owner.tid, SCHED_OTHER, 0);
	say_priority("owner, ordinary", owner.tid);
	end_worker(&owner);
	end_worker(&waiter);
}

static long futex(uint32_t *word, int op)
{
	return syscall(SYS_futex, word, op, 0, NULL, NULL, 0);
}

static uint32_t words[2];

static void *close_circle(void *arg)
{
	*(pid_t *)arg = gettid();
	RES("lock 1", futex(&words[1], FUTEX_LOCK_PI));
	__atomic_store_n((pid_t *)arg + 1, 1, __ATOMIC_RELEASE);
	RES("lock 0", futex(&words[0], FUTEX_LOCK_PI));
	RES("unlock 0", futex(&words[0], FUTEX_UNLOCK_PI));
	RES("unlock 1", futex(&words[1], FUTEX_UNLOCK_PI));
	return NULL;
}

static void circle(void)
{
	pid_t other[2] = { 0 };
	long unlocked;
	pthread_t t;

	RES("lock 0", futex(&words[0], FUTEX_LOCK_PI));
	pthread_create(&t, NULL, close_circle, other);
	while (!__atomic_load_n(&other[1], __ATOMIC_ACQUIRE))
		usleep(1000);
	sleeps_in_lock(other[0]);
	RES("lock 1, in a circle", futex(&words[1], FUTEX_LOCK_PI));
	/* The other one goes on at once, and prints. */
	unlocked = futex(&words[0], FUTEX_UNLOCK_PI);
	pthread_join(t, NULL);
	RET("unlock 0", unlocked);
	HEX("words", words[0] | words[1]);
}

/* The owner's process ends while two wait: the better one gets it first, then the other. */
static void death(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	struct worker low = { .wanted = m, .policy = SCHED_RR, .priority = 10 };
	struct worker high = { .wanted = m, .policy = SCHED_RR, .priority = 12 };
	struct event held = event_new(), end = event_new();
	pid_t owner;

	make_lock(m, true, true);
	owner = START({
		pthread_mutex_lock(m);
		event_set(&held);
		event_wait(&end);
	});
	event_wait(&held);
	start_worker(&low);
	start_worker(&high);
	let_wait(&low);
	let_wait(&high);
	say_priority("owner in another process", owner);
	event_set(&end);
	say_status("owner", wait_for(owner));
	sem_wait(&high.has);
	say("the better one: %s", error_name(high.result));
	say_priority("the better one", high.tid);
	pthread_mutex_consistent(m);
	end_worker(&high);
	sem_wait(&low.has);
	say("the other one: %s", error_name(low.result));
	end_worker(&low);
}

/*
 * One processor, three priorities: the lowest holds what the highest wants, and the one between
 * computes until it sees that the highest went on.
 */
static sem_t spin_go, spin_ready;
static int high_done, inverted;

static void *spin(void *arg UNUSED)
{
	int64_t end;

	set_sched(0, SCHED_FIFO, 20);
	sem_post(&spin_ready);
	sem_wait(&spin_go);
	end = now_ns(CLOCK_MONOTONIC) + 5000000000LL;
	while (!__atomic_load_n(&high_done, __ATOMIC_ACQUIRE))
		if (now_ns(CLOCK_MONOTONIC) > end) {
			inverted = 1;
			break;
		}
	return NULL;
}

static void inversion(void)
{
	struct worker low = { .first = &locks[0], .policy = SCHED_FIFO, .priority = 10 };
	struct worker high = { .wanted = &locks[0], .policy = SCHED_FIFO, .priority = 30 };
	cpu_set_t one;
	pthread_t between;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	MUST(sched_setaffinity(0, sizeof(one), &one));
	make_lock(&locks[0], false, false);
	sem_init(&spin_go, 0, 0);
	sem_init(&spin_ready, 0, 0);
	set_sched(0, SCHED_FIFO, 50);
	start_worker(&low);
	start_worker(&high);
	let_wait(&high);
	pthread_create(&between, NULL, spin, NULL);
	sem_wait(&spin_ready);
	sem_post(&spin_go);
	sem_post(&low.go);
	sem_post(&low.release);
	sem_wait(&high.has);
	__atomic_store_n(&high_done, 1, __ATOMIC_RELEASE);
	pthread_join(between, NULL);
	YES("the highest went on at once", !inverted);
	end_worker(&high);
	pthread_join(low.thread, NULL);
}

/* Children of a thread with this flag begin as ordinary ones. */
static void reset_on_fork(void)
{
	struct sched_param p = { .sched_priority = 9 };

	RES("set", sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p));
	HEX("get", sched_getscheduler(0));
	say_status("child", CHILD({
			   say_priority("child", getpid());
			   HEX("child's policy", sched_getscheduler(0));
		   }));
	p.sched_priority = 8;
	RES("setparam", sched_setparam(0, &p));
	HEX("get", sched_getscheduler(0));
	p.sched_priority = 0;
	RES("ordinary", sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p));
	RES("nice", setpriority(PRIO_PROCESS, 0, -5));
	say_status("child", CHILD(say_priority("child", getpid())));
	RES("nice", setpriority(PRIO_PROCESS, 0, 5));
	say_status("child", CHILD(say_priority("child", getpid())));
	MUST(setuid(1234));
	RES("clear it as a user", sched_setscheduler(0, SCHED_OTHER, &p));
	RES("keep it as a user", sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &p));
	HEX("get", sched_getscheduler(0));
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "lend", lend },           { "unlock", unlock },
		{ "chain", chain },         { "nice_values", nice_values },
		{ "circle", circle },       { "death", death },
		{ "inversion", inversion }, { "reset_on_fork", reset_on_fork },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
