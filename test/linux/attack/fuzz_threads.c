/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_threads SEED COUNT: as fuzz_syscalls, but each batch is made by several threads that share
 * memory, descriptors and folders: what one call looks at another takes away. Which call meets
 * which is not the same each time.
 */
#include "test/linux/attack/hostile.h"
#include <pthread.h>

#define THREADS  6
#define BATCH    600
#define BATCH_MS 900

static volatile uint64_t *made;

static uint64_t thread_seed;

/* The generator's state is shared, and torn by the threads: the numbers differ all the more. */
static void *calls(void *arg)
{
	seed ^= thread_seed + (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ull;
	for (int i = 0; i < BATCH / THREADS; i++) {
		uint64_t a[6];
		long nr = (long)(rnd() % CALLS);

		for (int k = 0; k < 6; k++)
			a[k] = an_argument();
		if (rnd() % 8 == 0)
			fill_buffer();
		if (is_left_out(nr) || (is_deadly(nr) && rnd() % 64 != 0))
			continue;
		__atomic_fetch_add(made, 1, __ATOMIC_RELAXED);
		syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (rnd() % 64 == 0)
			guard_on();
	}
	return NULL;
}

static void batch(void)
{
	struct rlimit files = { 64, 64 }, size = { 1 << 20, 1 << 20 },
		      space = { 128 << 20, 128 << 20 }, procs = { 30, 30 };
	pthread_attr_t attr;
	pthread_t t;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_memory();
	make_descriptors();
	dup2(3, 0);
	dup2(3, 1);
	dup2(3, 2);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_AS, &space);
	setrlimit(RLIMIT_NPROC, &procs);
	MUST(setresuid(5000, 5000, 5000));
	guard_on();
	fill_buffer();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 1; i < THREADS; i++)
		pthread_create(&t, &attr, calls, (void *)i);
	calls(NULL);
	/* The others go on until they end the process, are done, or are ended. */
	usleep(20000);
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t first_seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 10000, n;
	char folder[] = "/tmp/fuzz-XXXXXX";
	long before, after;

	section_name = "fuzz";
	MUST(mkdtemp(folder) == NULL ? -1 : 0);
	MUST(chmod(folder, 0777));
	MUST(chdir(folder));
	made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST((void *)made == MAP_FAILED ? -1 : 0);
	before = free_kib();
	for (n = 0; *made < count; n++) {
		int st = 0;
		pid_t pid;

		thread_seed = seed = (first_seed + 1) * 0x9e3779b97f4a7c15ull ^
				     (n + 1) * 0xbf58476d1ce4e5b9ull;
		pid = MUST(fork());
		if (pid == 0)
			batch();
		setpgid(pid, pid);
		wait_or_kill(pid, BATCH_MS, &st);
		kill(-pid, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (n % 100 == 99)
			expect_alive("some batches");
	}
	MUST(chdir("/"));
	EXPECT(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0,
	       "the folder cannot be removed");
	remove_objects();
	after = free_kib();
	EXPECT(after > before - 4096, "%ld KiB free, %ld before", after, before);
	expect_alive("all batches");
	say("%lu calls in %lu batches, longest wait %ld ms%s", (unsigned long)*made,
	    (unsigned long)n, (long)(longest_sleep_ns / 1000000), wrong ? "" : ": ok");
	return wrong != 0;
}
