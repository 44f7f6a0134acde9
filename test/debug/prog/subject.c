/* SPDX-License-Identifier: BSD-2-Clause */
/* What the debuggers of tools.t look at. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct node {
	int value;
	struct node *next;
};

volatile int watched;
int counter;
static struct node ring[5];
static volatile int ready;

__attribute__((noinline)) int add(int a, int b)
{
	int sum = a + b;

	counter += sum;
	return sum;
}

__attribute__((noinline)) int depth(struct node *n, int level)
{
	if (level == 3)
		n = NULL;
	return n->value + depth(n->next, level + 1);
}

static void *thread_main(void *arg)
{
	add(10, *(int *)arg);
	return arg;
}

static void *waiter(void *arg)
{
	ready = 1;
	for (;;)
		pause();
	return arg;
}

static void on_usr1(int sig)
{
	if (write(1, "signal\n", 7) != 7)
		_exit(sig);
}

/* Calls, a signal, a child. */
static int talk(void)
{
	int st;
	pid_t pid;

	signal(SIGUSR1, on_usr1);
	if (write(1, "hello\n", 6) != 6)
		return 1;
	raise(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		st = write(1, "child\n", 6) != 6;
		_exit(3 + st);
	}
	waitpid(pid, &st, 0);
	return WEXITSTATUS(st);
}

static int loops(void)
{
	pthread_t t;
	int x = 5;

	for (int i = 0; i < 3; i++) {
		x = add(x, i);
		watched = x;
	}
	pthread_create(&t, NULL, thread_main, &x);
	pthread_join(t, NULL);
	return 4;
}

static int crash(void)
{
	pthread_t t;

	for (int i = 0; i < 5; i++)
		ring[i] = (struct node){ i, &ring[(i + 1) % 5] };
	pthread_create(&t, NULL, waiter, NULL);
	while (!ready)
		usleep(1000);
	return depth(ring, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "talk") == 0)
		return talk();
	if (strcmp(what, "loops") == 0)
		return loops();
	if (strcmp(what, "crash") == 0)
		return crash();
	if (strcmp(what, "wait") == 0 && write(1, "ready\n", 6) == 6)
		waiter(NULL);
	return 99;
}
