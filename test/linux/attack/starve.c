/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * starve FIRST LAST STEP PROGRAM [ARGUMENT...]: runs a program again and again while every k-th
 * allocation of the kernel fails, k from FIRST to LAST. It may end as it likes, but it must end;
 * afterwards the system is in order and all memory is back. The machine must have been started for
 * it (--append=faults).
 */
#include "test/linux/attack/attack.h"
#include <spawn.h>

#define RUN_SECONDS 120 /* a run takes one or two, but the host may have much else to do */

extern char **environ;

static int knob = -1;
static unsigned ended[4]; /* not started, exit 0, another exit, a signal */
static unsigned killed;
static volatile pid_t running;
static volatile sig_atomic_t late;

static void fail_every(unsigned k)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", k);

	/* The way back to normal may itself run into a failure. */
	for (int i = 0; i < 1000; i++)
		if (pwrite(knob, text, (size_t)n, 0) == n)
			return;
	say("fail_every cannot be set: %s", error_name(errno));
	_exit(1);
}

static void on_alarm(int sig UNUSED)
{
	late = 1;
	kill(running, SIGKILL);
}

static void run_once(unsigned k, char **argv, posix_spawn_file_actions_t *quiet)
{
	pid_t pid;
	int st, err;

	fail_every(k);
	err = posix_spawn(&pid, argv[0], quiet, NULL, argv, environ);
	if (err == 0) {
		running = pid;
		late = 0;
		alarm(RUN_SECONDS);
		while (waitpid(pid, &st, 0) != pid)
			;
		alarm(0);
	}
	fail_every(0);
	if (err != 0) {
		EXPECT(err == ENOMEM || err == EAGAIN, "start with every %u.: %s", k,
		       error_name(err));
		ended[0]++;
	} else {
		EXPECT(!late, "with every %u. the program does not end", k);
		ended[WIFSIGNALED(st) ? 3 : WEXITSTATUS(st) == 0 ? 1 : 2]++;
		killed += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
	}
	/* Whatever it left running. */
	kill(-1, SIGKILL);
	while (waitpid(-1, &st, 0) != -1 || errno == EINTR)
		;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t quiet;
	unsigned first, last, step;
	long before, after;

	section_name = "starve";
	if (argc < 5)
		return 2;
	first = (unsigned)atoi(argv[1]);
	last = (unsigned)atoi(argv[2]);
	step = (unsigned)atoi(argv[3]);
	knob = MUST(open("/proc/sys/vm/fail_every", O_RDWR));
	/*
	 * We share our memory with the child until it runs its program: no page of ours is copied.
	 */
	MUST(mlockall(MCL_CURRENT | MCL_FUTURE));
	signal(SIGALRM, on_alarm);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
	run_once(0, argv + 4, &quiet);
	EXPECT(ended[1] == 1, "the program fails without any failure of the kernel's");
	before = free_kib();
	for (unsigned k = first; k <= last; k += step)
		run_once(k, argv + 4, &quiet);
	expect_alive("all runs");
	after = free_kib();
	EXPECT(after > before - 512, "%ld KiB free, %ld before", after, before);
	say("not started %u, exit 0 %u, another exit %u, signal %u, killed %u%s", ended[0],
	    ended[1] - 1, ended[2], ended[3], killed, wrong ? "" : ": ok");
	return wrong != 0;
}
