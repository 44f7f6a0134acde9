/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a privcall costs, beside a system call; and a password that is loaded and checked in
 * PrivUser, in a page that is opened by mprotect, and in a second process over a socket. Prints
 * "name min median max" of many short runs, in hundredths of a nanosecond per operation; under
 * `-icount shift=0` a nanosecond is one instruction.
 */
#include <fcntl.h>
#include <privcall.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

PRIVCALL(empty);
PRIVCALL(load_password);
PRIVCALL(check_password);

#define PASSWORD_LEN 32
#define REPEATS      101

static char *guess, *near_guess, *page;
static int to_server;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* ---- n operations each ---- */

static void nothing(unsigned n)
{
	while (n--)
		__asm__ volatile("" ::: "memory");
}

static void system_call(unsigned n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void private_call(unsigned n)
{
	long r = 0;

	while (n--)
		r |= privcall(empty);
	must(r == 0, "privcall");
}

/* Without what C does for six arguments: a number and the far call. */
static void bare_call(unsigned n)
{
	while (n--)
		__asm__ volatile("movl %0, %%eax\n\tlcall *%1"
				 :
				 : "m"(privnr_empty), "m"(priv_gate_)
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
				   "cc", "memory");
}

static void load_private(unsigned n)
{
	while (n--)
		must(privcall(load_password) == 0, "load_password");
}

static void check_private(unsigned n)
{
	while (n--)
		must(privcall(check_password, near_guess) == 1, "check_password");
}

static void check_private_far(unsigned n)
{
	while (n--)
		must(privcall(check_password, guess) == 1, "check_password");
}

static void read_file(char *to)
{
	int fd = open("/password", O_RDONLY);

	must(fd >= 0 && read(fd, to, PASSWORD_LEN) == PASSWORD_LEN, "/password");
	close(fd);
}

static void load_page(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(page != MAP_FAILED, "mmap");
	read_file(page);
	mprotect(page, 4096, PROT_NONE);
}

static void load_page_again(unsigned n)
{
	while (n--) {
		munmap(page, 4096);
		load_page();
	}
}

static void check_page(unsigned n)
{
	while (n--) {
		mprotect(page, 4096, PROT_READ);
		must(memcmp(page, guess, PASSWORD_LEN) == 0, "check");
		mprotect(page, 4096, PROT_NONE);
	}
}

static void serve(int fd)
{
	static char password[PASSWORD_LEN];
	char message[1 + PASSWORD_LEN];

	while (read(fd, message, sizeof(message)) == sizeof(message)) {
		if (message[0] == 'l')
			read_file(password);
		message[0] = memcmp(message + 1, password, PASSWORD_LEN) == 0;
		must(write(fd, message, 1) == 1, "server");
	}
	_exit(0);
}

static void ask(char what)
{
	char message[1 + PASSWORD_LEN];

	message[0] = what;
	memcpy(message + 1, guess, PASSWORD_LEN);
	must(write(to_server, message, sizeof(message)) == sizeof(message) &&
		     read(to_server, message, 1) == 1 && message[0] == 1,
	     "second process");
}

static void load_remote(unsigned n)
{
	while (n--)
		ask('l');
}

static void check_remote(unsigned n)
{
	while (n--)
		ask('c');
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*fn)(unsigned n), unsigned n)
{
	uint64_t t[REPEATS];

	fn(1);
	for (unsigned r = 0; r < REPEATS; r++) {
		uint64_t start = now();

		fn(n);
		t[r] = (now() - start) * 100 / n;
	}
	qsort(t, REPEATS, sizeof(t[0]), compare);
	printf("%s %lu %lu %lu\n", name, (unsigned long)t[0], (unsigned long)t[REPEATS / 2],
	       (unsigned long)t[REPEATS - 1]);
}

int main(void)
{
	int pair[2];

	must(priv_init(NULL) >= 0, "priv_init");
	guess = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	near_guess = priv_window_alloc(PASSWORD_LEN);
	must(guess != MAP_FAILED && near_guess != NULL, "memory");
	read_file(guess);
	memcpy(near_guess, guess, PASSWORD_LEN);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	if (fork() == 0) {
		close(pair[0]);
		serve(pair[1]);
	}
	close(pair[1]);
	to_server = pair[0];
	measure("loop", nothing, 1000);
	measure("getppid", system_call, 1000);
	measure("privcall", private_call, 500);
	measure("privcall,bare", bare_call, 500);
	measure("load,PrivUser", load_private, 50);
	load_page();
	measure("load,mprotect", load_page_again, 10);
	measure("load,process", load_remote, 10);
	measure("check,PrivUser,window", check_private, 200);
	measure("check,PrivUser,anywhere", check_private_far, 200);
	measure("check,mprotect", check_page, 10);
	measure("check,process", check_remote, 10);
	return 0;
}
