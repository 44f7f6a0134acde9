/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads and processes in PrivUser at once (group 15, and 14): preempted there, ended there, more
 * of them than stacks, fork, exec and exit of one while others are inside, privcalls of signal
 * handlers. Each part is a process with a set-up of its own. TAP.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

PRIVCALL(read_path);

#define ROUNDS 400u

/* ---- a timer that interrupts whatever runs ---- */

static atomic_int ticks, wrong_in_handler;
static atomic_bool storming;
static bool handler_calls; /* the handler makes a privcall, too */

/* Again when the handler has done its work: on a slow machine others must come to theirs. */
static void next_tick(void)
{
	struct itimerval t = { { 0, 0 }, { 0, storming ? 500 : 0 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static void on_tick(int sig)
{
	int before = errno;

	(void)sig;
	ticks++;
	if (handler_calls) {
		uint32_t seed = (uint32_t)ticks;

		wrong_in_handler += privcall(work, seed, 50) != work_result(seed, 50);
	}
	next_tick();
	errno = before;
}

static void storm(bool begin)
{
	struct sigaction a = { .sa_handler = on_tick, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &a, NULL);
	storming = begin;
	next_tick();
}

/* ---- workers ---- */

#define WORKERS_MAX 24

static atomic_bool stop;
static atomic_long done, refused, wrong;
static atomic_uint waiting_workers;
static pthread_t workers[WORKERS_MAX];
static unsigned nworkers;

/* Until told to stop: right answers, or that there is no stack. */
static void *worker(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg * 7919;

	waiting_workers++;
	while (!stop) {
		long r = privcall(work, ++seed, ROUNDS);

		if (r == -EAGAIN || r == -ENXIO) {
			refused++;
			continue;
		}
		wrong += r != work_result(seed, ROUNDS);
		wrong += privcall(heap_work, 3) != 0;
		done++;
	}
	return NULL;
}

static bool begin(unsigned n)
{
	stop = false;
	done = refused = wrong = 0;
	waiting_workers = 0;
	for (nworkers = 0; nworkers < n; nworkers++)
		if (pthread_create(&workers[nworkers], NULL, worker,
				   (void *)(uintptr_t)(nworkers + 1)) != 0)
			return false;
	while (waiting_workers < n)
		sched_yield();
	return true;
}

static void end(void)
{
	stop = true;
	for (unsigned i = 0; i < nworkers; i++)
		pthread_join(workers[i], NULL);
}

static void until(const atomic_long *count, long n)
{
	while (*count < n)
		sched_yield();
}

/* ---- the parts ---- */

static void many(void)
{
	storm(true);
	ok(begin(16), "15: 16 threads are made");
	until(&done, 100);
	end();
	ok(wrong == 0 && refused == 0, "15: 16 threads inside at once, preempted, are right");
	ok(ticks > 0, "15: while a timer's signals arrived");
	handler_calls = true;
	ticks = 0;
	ok(begin(4), "15: 4 threads are made");
	until(&done, 50);
	end();
	while (ticks < 5)
		wrong += privcall(work, 3, ROUNDS) != work_result(3, ROUNDS);
	storm(false);
	ok(wrong == 0 && wrong_in_handler == 0, "15: privcalls of a signal handler are right");
	ok(privcall(intact) == 1, "15: nothing was damaged");
}

/* A child that has a privcall answered. */
static int child_calls(uint64_t seed, uint64_t unused)
{
	(void)unused;
	return privcall(work, seed, ROUNDS) == work_result((uint32_t)seed, ROUNDS) &&
			       privcall(heap_work, 5) == 0 && privcall(intact) == 1
		       ? 21
		       : 22;
}

static void forks(void)
{
	unsigned good = 0;

	begin(8);
	for (uint64_t i = 0; i < 12; i++)
		good += EXITED(in_child(child_calls, i, 0)) == 21;
	end();
	ok(good == 12 && wrong == 0, "14: fork while others are always inside: whole copies");
}

/* Two threads fork at once. */
static void *forker(void *arg)
{
	unsigned *good = arg;

	for (uint64_t i = 0; i < 6; i++)
		*good += EXITED(in_child(child_calls, i, 0)) == 21;
	return NULL;
}

static void forks_at_once(void)
{
	unsigned good[2] = { 0 };
	pthread_t t[2];

	begin(3);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, forker, &good[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	end();
	ok(good[0] == 6 && good[1] == 6 && wrong == 0, "14: forks by two threads at once");
}

static int leaves(uint64_t how, uint64_t unused)
{
	(void)unused;
	begin(4);
	until(&done, 8);
	switch (how) {
	case 0: _exit(33);
	case 1: execl("/proc/self/exe", "crowd", "--after-exec", NULL); return 1;
	case 2: return (int)privcall(probe, PROBE_READ, 0, 0);
	default: kill(getpid(), SIGKILL); return 1;
	}
}

/* The last of it happens in other processes, while this one's threads go on. */
static void ends(void)
{
	int status;

	begin(2);
	ok(EXITED(in_child(leaves, 0, 0)) == 33, "15: exit while others are inside");
	ok(EXITED(in_child(leaves, 1, 0)) == 34, "15: exec while others are inside");
	ok(DIED(in_child(leaves, 2, 0)), "15: a fault of one inside ends its process");
	status = in_child(leaves, 3, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "15: killed with threads inside");
	until(&done, done + 20);
	end();
	ok(wrong == 0 && privcall(intact) == 1, "15: and other processes' threads go on");
}

static void *one_call(void *arg)
{
	(void)arg;
	return (void *)privcall(work, 5, 10);
}

#define FIFO "/tmp/privuser-fifo"

static atomic_bool blocked;

static void *blocks(void *arg)
{
	(void)arg;
	blocked = true;
	return (void *)privcall(read_path, FIFO, sizeof(FIFO));
}

/* One that sleeps inside for ever keeps others from forking; they hear of it. */
static void sleeper(void)
{
	pthread_t t;
	pid_t pid;
	void *r;
	int fd;

	mkfifo(FIFO, 0600);
	pthread_create(&t, NULL, blocks, NULL);
	while (!blocked)
		sched_yield();
	/* Without a writer it sleeps: who opens for writing without waiting, sees it there. */
	while ((fd = open(FIFO, O_WRONLY | O_NONBLOCK)) < 0 && errno == ENXIO)
		sched_yield();
	pid = fork();
	if (pid == 0)
		_exit(0);
	ok(pid == -1 && errno == EAGAIN, "14: fork while one sleeps inside: EAGAIN, after a while");
	ok(privcall(work, 5, 10) == work_result(5, 10), "14: nobody is held after that");
	close(fd);
	pthread_join(t, &r);
	ok(EXITED(in_child(child_calls, 1, 0)) == 21, "14: when it has gone, fork works");
}

static void few(void)
{
	long wrong_at_end = 0;

	storm(true);
	begin(12);
	until(&done, 40);
	until(&refused, 500);
	end();
	ok(wrong == 0, "15: more threads than stacks: EAGAIN or right answers, nothing else");
	for (int i = 0; i < 12; i++) {
		pthread_t t;
		void *r;

		wrong_at_end += pthread_create(&t, NULL, one_call, NULL) != 0;
		pthread_join(t, &r);
		wrong_at_end += (long)r != work_result(5, 10);
	}
	storm(false);
	ok(wrong_at_end == 0, "15: stacks of threads that have ended serve again");
	ok(privcall(intact) == 1, "15: nothing was damaged");
}

static atomic_bool may_go[4], got_stack;

static void *keeps(void *arg)
{
	atomic_bool *go = arg;

	if (privcall(nothing) != 0)
		wrong++;
	done++;
	while (!*go)
		sched_yield();
	return NULL;
}

static void *waits_for_stack(void *arg)
{
	(void)arg;
	if (privcall(nothing) == -EAGAIN)
		refused++;
	while (privcall(nothing) == -EAGAIN)
		sched_yield();
	got_stack = true;
	return NULL;
}

/* This process has four stacks: one is main()'s. */
static void late(void)
{
	pthread_t t[3], last;

	done = refused = wrong = 0;
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, keeps, &may_go[i]);
	until(&done, 3);
	pthread_create(&last, NULL, waits_for_stack, NULL);
	until(&refused, 1);
	may_go[1] = true;
	pthread_join(t[1], NULL);
	pthread_join(last, NULL);
	may_go[0] = may_go[2] = true;
	pthread_join(t[0], NULL);
	pthread_join(t[2], NULL);
	ok(wrong == 0 && got_stack, "15: a thread without stack gets that of one that ends");
}

/* In a child without PrivUser: each call is refused, whatever interrupts it. */
static int refused_calls(uint64_t unused, uint64_t unused2)
{
	(void)unused;
	(void)unused2;
	storm(true);
	begin(4);
	until(&refused, 500);
	end();
	storm(false);
	return done == 0 && priv_state() == -ENXIO ? 23 : 24;
}

static void dropped(void)
{
	begin(3);
	ok(EXITED(in_child(refused_calls, 0, 0)) == 23,
	   "14: a child without a copy: ENXIO, in every thread");
	end();
	ok(wrong == 0 && privcall(intact) == 1, "14: its parent goes on");
}

static int part(const struct priv_options *o, void (*const run[])(void))
{
	int state = priv_init(o);

	if (state < 0 || privcall(load) != 0) {
		printf("Bail out! priv_init: %d\n", state);
		return 0;
	}
	on = state == PRIV_ISOLATED;
	while (*run != NULL)
		(*run++)();
	return tests;
}

int main(int argc, char **argv)
{
	static const struct {
		struct priv_options o;
		void (*run[5])(void);
	} parts[] = {
		{ { 0 }, { many, forks, forks_at_once, ends } },
		{ { .threads = 4 }, { few, late } },
		{ { .no_fork = 1 }, { dropped } },
		{ { 0 }, { sleeper } },
	};

	if (argc > 1 && strcmp(argv[1], "--after-exec") == 0)
		return 34;
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int status;
		pid_t pid;

		if (argc > 1 && atoi(argv[1]) != (int)i)
			continue;
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(part(&parts[i].o, parts[i].run));
		waitpid(pid, &status, 0);
		if (EXITED(status) > tests)
			tests = EXITED(status);
		else
			ok(false, "a part came to its end");
	}
	printf("1..%d\n", tests);
	return 0;
}
