/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many processes and threads that do the same at once, as fast as they can: mappings, signals,
 * forks and exits, waits on one word. Beside them a process goes on that only counts: it must get
 * its turn, and the memory must be back.
 */
#include "test/linux/attack/hostile.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>

#define STORM_MS  1500
#define PROCESSES 6
#define THREADS   4
#define BEAT_US   2000
#define BEATS_MIN 20

struct shared {
	volatile uint64_t beats;
	volatile pid_t pids[PROCESSES];
	uint32_t word, other_word;
};
static struct shared *shared;
static long free_before;

static pid_t start_pulse(void)
{
	return START({
		for (;;) {
			usleep(BEAT_US);
			shared->beats++;
		}
	});
}

/* Everybody storms for a while; then all are killed and nothing is left. */
static void storm(const char *what, void (*one)(int who))
{
	uint64_t before;
	pid_t pulse;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	free_before = free_kib();
	pulse = start_pulse();
	for (int i = 0; i < PROCESSES; i++)
		shared->pids[i] = START({
			setpgid(0, 0);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			seed = (uint64_t)i * 0x9e3779b97f4a7c15ull + 1;
			one(i);
		});
	before = shared->beats;
	usleep(STORM_MS * 1000);
	EXPECT(shared->beats >= before + BEATS_MIN, "%s: another process had only %lu turns", what,
	       (unsigned long)(shared->beats - before));
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < PROCESSES; i++)
			kill(-shared->pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(5000);
	}
	kill(pulse, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	expect_alive(what);
	long after = free_kib();
	EXPECT(after > free_before - 512, "%s: %ld KiB free, %ld before", what, after, free_before);
	finish(what);
}

/* ---- mappings ---- */

static char *arena;
#define ARENA_PAGES 512

static void *map_at_random(void *arg UNUSED)
{
	for (;;) {
		char *at = arena + rnd() % ARENA_PAGES * PAGE;
		size_t size = (1 + rnd() % 16) * PAGE;

		switch (rnd() % 9) {
		case 0: munmap(at, size); break;
		case 1: mprotect(at, size, (int)(rnd() % 4)); break;
		case 2: mremap(at, size, (1 + rnd() % 32) * PAGE, (int)(rnd() % 2)); break;
		case 3: madvise(at, size, rnd() % 2 ? MADV_DONTNEED : MADV_FREE); break;
		case 4: mlock(at, size); break;
		case 5: /* to a pipe and back: the kernel reaches for what others take away */
			shared->word += (uint32_t)syscall(SYS_getrandom, at, size, 0);
			break;
		case 6: msync(at, size, MS_SYNC); break;
		default:
			mmap(at, size, PROT_READ | PROT_WRITE,
			     MAP_FIXED | MAP_ANONYMOUS |
				     (rnd() % 4 == 0 ? MAP_SHARED : MAP_PRIVATE) |
				     (rnd() % 4 == 0 ? MAP_POPULATE : 0),
			     -1, 0);
		}
	}
	return NULL;
}

static void run_threads(void *(*fn)(void *))
{
	pthread_t t;

	for (int i = 1; i < THREADS; i++)
		pthread_create(&t, NULL, fn, NULL);
	fn(NULL);
}

static void maps(int who UNUSED)
{
	arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	run_threads(map_at_random);
}

static void map_storm(void)
{
	storm("mappings", maps);
}

/* ---- signals ---- */

static sigjmp_buf back;
static volatile int depth;

/* On its own stack or not, nested, and now and then left by a jump. */
static void on_any(int sig UNUSED, siginfo_t *info UNUSED, void *uc UNUSED)
{
	if (++depth > 50 || rnd() % 8 == 0) {
		depth = 0;
		siglongjmp(back, 1);
	}
	if (rnd() % 4 == 0)
		kill(getpid(), SIGRTMIN + (int)(rnd() % 20));
	depth--;
}

static void signals(int who)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct itimerval it = { { 0, 500 }, { 0, 500 } };
	struct sigaction sa = { .sa_sigaction = on_any };

	sigaltstack(&ss, NULL);
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		sa.sa_flags = SA_SIGINFO | (sig % 2 ? SA_ONSTACK : 0) | (sig % 3 ? SA_NODEFER : 0) |
			      SA_RESTART;
		sigaction(sig, &sa, NULL);
	}
	setitimer(ITIMER_REAL, &it, NULL);
	sigsetjmp(back, 1);
	for (;;) {
		pid_t to = shared->pids[(who + 1 + (int)(rnd() % (PROCESSES - 1))) % PROCESSES];
		int sig = 1 + (int)(rnd() % 63);

		if (to <= 1 || sig == SIGKILL || sig == SIGSTOP || sig == SIGTSTP ||
		    sig == SIGTTIN || sig == SIGTTOU)
			continue;
		if (rnd() % 2)
			kill(to, sig);
		else
			sigqueue(to, sig, (union sigval){ .sival_int = who });
	}
}

static void signal_storm(void)
{
	storm("signals", signals);
}

/* ---- beginnings and ends ---- */

static void *nothing(void *arg)
{
	return arg;
}

static void lives(int who UNUSED)
{
	struct rlimit procs = { 200, 200 };
	pthread_t t;

	setrlimit(RLIMIT_NPROC, &procs);
	for (;;) {
		pid_t pid = rnd() % 3 == 0 ? vfork() : fork();

		if (pid == 0)
			_exit(0);
		if (pthread_create(&t, NULL, nothing, NULL) == 0)
			rnd() % 2 ? pthread_detach(t) : pthread_join(t, NULL);
		if (rnd() % 4 == 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
	}
}

static void life_storm(void)
{
	storm("beginnings and ends", lives);
}

/* ---- one word ---- */

static void *on_word(void *arg UNUSED)
{
	struct timespec soon = { 0, 200000 };

	for (;;) {
		uint32_t v = shared->word;

		switch (rnd() % 4) {
		case 0: syscall(SYS_futex, &shared->word, FUTEX_WAIT, v, &soon, NULL, 0); break;
		case 1:
			syscall(SYS_futex, &shared->word, FUTEX_WAKE, rnd() % 3, NULL, NULL, 0);
			break;
		case 2:
			syscall(SYS_futex, &shared->word, FUTEX_REQUEUE, 1, 5, &shared->other_word,
				0);
			break;
		default: __atomic_fetch_add(&shared->word, 1, __ATOMIC_RELAXED); sched_yield();
		}
	}
	return NULL;
}

static void words(int who UNUSED)
{
	run_threads(on_word);
}

static void word_storm(void)
{
	storm("one word", words);
}

static const struct section sections[] = {
	{ "map_storm", map_storm },
	{ "signal_storm", signal_storm },
	{ "life_storm", life_storm },
	{ "word_storm", word_storm },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
