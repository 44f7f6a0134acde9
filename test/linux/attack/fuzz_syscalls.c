/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_syscalls SEED COUNT [FIRST]: at least COUNT system calls with random numbers and arguments,
 * in processes of at most 500 calls each, which are limited in all they can take. The same seed
 * makes the same batches; FIRST is the number of the batch to begin with. Ends with 0 if the system
 * is in order then.
 */
#include "test/linux/attack/hostile.h"

#define BATCH    500
#define BATCH_MS 600

static volatile uint64_t *made; /* calls, counted in memory that all share */

/* As the test's own user; a batch in four as root without what would reach other processes. */
static void batch(uint64_t number, uint64_t calls)
{
	bool as_root = number % 4 == 0;
	struct rlimit files = { 64, 64 }, size = { 1 << 20, 1 << 20 },
		      space = { 96 << 20, 96 << 20 }, procs = { 20, 20 };

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
	if (!as_root)
		MUST(setresuid(5000, 5000, 5000));
	guard_on();
	fill_buffer();
	for (uint64_t i = 0; i < calls; i++) {
		uint64_t a[6];
		long nr = (long)(rnd() % CALLS);

		for (int k = 0; k < 6; k++)
			a[k] = an_argument();
		if (rnd() % 16 == 0)
			fill_buffer();
		if (is_left_out(nr) || (as_root && hits_others(nr)))
			continue;
		if (is_deadly(nr) && rnd() % 16 != 0)
			continue;
		__atomic_fetch_add(made, 1, __ATOMIC_RELAXED);
		syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (rnd() % 64 == 0)
			guard_on();
	}
	_exit(0);
}

static int64_t longest;

/* Runs one batch; the random numbers of the next do not depend on how it ended. */
static void run_batch(uint64_t first_seed, uint64_t number, uint64_t calls)
{
	int st = 0;
	pid_t pid;

	seed = (first_seed + 1) * 0x9e3779b97f4a7c15ull ^ (number + 1) * 0xbf58476d1ce4e5b9ull;
	pid = fork();
	if (pid == 0)
		batch(number, calls);
	if (pid == -1) {
		EXPECT(false, "fork: %s", error_name(errno));
		return;
	}
	setpgid(pid, pid);
	/* Some stop themselves, or wait with all signals blocked. */
	wait_or_kill(pid, BATCH_MS, &st);
	if (longest_sleep_ns > longest) {
		longest = longest_sleep_ns;
		if (longest > 200000000)
			say("batch %lu: the processor was held for %ld ms", (unsigned long)number,
			    (long)(longest / 1000000));
	}
	/*
	 * Its children may have got into other groups, but not past PR_SET_PDEATHSIG or their
	 * limits.
	 */
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	uint64_t first_seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 10000;
	uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 0) : 0, n;
	char folder[] = "/tmp/fuzz-XXXXXX";

	section_name = "fuzz";
	MUST(mkdtemp(folder) == NULL ? -1 : 0);
	MUST(chmod(folder, 0777));
	MUST(chdir(folder));
	made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST((void *)made == MAP_FAILED ? -1 : 0);
	for (n = first; *made < count; n++) {
		run_batch(first_seed, n, BATCH);
		if (n % 100 == 99)
			expect_alive("some batches");
	}
	remove_objects();
	expect_alive("all batches");
	say("%lu calls in %lu batches, longest wait %ld ms%s", (unsigned long)*made,
	    (unsigned long)(n - first), (long)(longest / 1000000), wrong ? "" : ": ok");
	return wrong != 0;
}
