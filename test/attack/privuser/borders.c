/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges that begin outside of PrivUser and end in it, or the other way round (group 12): the
 * kernel must look at the whole of what it is about to read or write, and the registers of the FPU
 * are a range, too. One thread only: its stack is the last of PrivUser, and the window follows it.
 * TAP.
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "abi/privuser.h"

PRIVCALL(stack_mark);
PRIVCALL(stack_marked);

static uint64_t start, end; /* of PrivUser: below lies a page of ours, above the window */

static void find_range(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long a, b;
	char line[512];

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx", &a, &b) != 2)
			continue;
		if (strstr(line, "[privuser code]") != NULL)
			start = a;
		if (strstr(line, "[privuser stacks]") != NULL)
			end = b;
	}
	if (maps != NULL)
		fclose(maps);
}

/* ---- the image of the FPU in a signal frame ---- */

static volatile int handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void send_with_registers(void)
{
	long r = SYS_kill;

	__asm__ volatile(
		"pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm1\n\tmovdqa %%xmm0, %%xmm2\n\t"
		"movdqa %%xmm0, %%xmm3\n\tmovdqa %%xmm0, %%xmm4\n\tmovdqa %%xmm0, %%xmm5\n\t"
		"movdqa %%xmm0, %%xmm6\n\tmovdqa %%xmm0, %%xmm7\n\tsyscall"
		: "+a"(r)
		: "D"((long)getpid()), "S"((long)SIGUSR1)
		: "rcx", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "memory");
}

/*
 * A signal stack that reaches over PrivUser's end, at every place: where the first part of the
 * FPU's image lies inside and the rest outside, a kernel that looks at the rest only writes ring
 * 3's registers over a stack of PrivUser. The frame has no room then, which SIGSEGV's handler hears
 * of.
 */
static int frame_over_end(uint64_t unused, uint64_t unused2)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	struct sigaction segv = { .sa_handler = on_signal };

	(void)unused;
	(void)unused2;
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	(void)privcall(stack_mark);
	for (uint64_t top = end - 1024; top < end + 8192; top += 64) {
		stack_t s = { .ss_sp = (void *)(end - 32768), .ss_size = top - (end - 32768) };

		if (sigaltstack(&s, NULL) != 0)
			return 64;
		handled = 0;
		send_with_registers();
		if (handled != 1)
			return 65;
		if (privcall(stack_marked) != 1)
			return 1;
	}
	return 0;
}

/* The same the other way: an image to load that PrivUser would be a part of. */
static void on_return(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	(void)info;
	if (handled++ == 0)
		u->uc_mcontext.fpregs = (void *)(end - 512);
}

static int return_over_end(uint64_t unused, uint64_t unused2)
{
	struct sigaction a = { .sa_sigaction = on_return, .sa_flags = SA_SIGINFO };

	(void)unused;
	(void)unused2;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	return 0;
}

static void frames(void)
{
	int code = EXITED(in_child(frame_over_end, 0, 0));

	if (code != 0)
		printf("# a frame over the end: %d\n", code);
	attack(code == 1, "12: a signal's frame over PrivUser's end writes no stack of it");
	if (on)
		ok(DIED(in_child(return_over_end, 0, 0)),
		   "12: registers loaded from PrivUser by sigreturn");
}

/* ---- copies ---- */

static uint8_t leak[64];

/* Bytes of [at, +n) that a system call hands out. */
static ssize_t out_by(int way, const void *at, size_t n)
{
	struct iovec v[2] = { { (void *)at, n / 2 }, { (char *)at + n / 2, n - n / 2 } };
	ssize_t got = -1;
	int p[2];

	memset(leak, 0, sizeof(leak));
	if (pipe2(p, O_NONBLOCK) != 0)
		return -1;
	switch (way) {
	case 0: (void)!write(p[1], at, n); break;
	case 1: (void)!writev(p[1], v, 2); break;
	default: (void)!vmsplice(p[1], v, 2, 0); break;
	}
	got = read(p[0], leak, sizeof(leak));
	close(p[0]);
	close(p[1]);
	return got;
}

static void copies(void)
{
	void *below = mmap((void *)(start - 4096), 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	bool whole = true, left = true;

	ok(below == (void *)(start - 4096), "12: a page just below PrivUser");
	for (int way = 0; way < 3; way++) {
		/* What lies before the border may come, nothing behind it. */
		whole &= out_by(way, (void *)(start - 8), 16) <= 8;
		whole &= out_by(way, (void *)(end - 8), 16) <= 0;
		left &= out_by(way, (void *)(start - 16), 16) == 16;
		left &= out_by(way, (void *)end, 16) == 16;
	}
	attack(!whole, "12: a buffer over a border gives nothing of PrivUser");
	ok(left, "12: up to the border everything goes");
}

static bool fills(uint64_t at, size_t n)
{
	static const uint8_t ones[64] = { [0 ... 63] = 0xff };
	bool done;
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p) != 0)
		return false;
	done = write(p[1], ones, n) == (ssize_t)n && read(p[0], (void *)at, n) == (ssize_t)n;
	close(p[0]);
	close(p[1]);
	return done;
}

static void fillings(void)
{
	bool reached;

	(void)privcall(stack_mark);
	reached = fills(end - 8, 16) || fills(end - 4096, 64);
	attack(reached, "12: nor does one take bytes across it");
	ok(fills(end, 16) && fills(start - 16, 16), "12: beside it, one does");
	ok(!on || privcall(stack_marked) == 1, "12: PrivUser's stack is as it was");
}

int main(void)
{
	const struct priv_options one_thread = { .threads = 1 };

	if (!privuser_up(&one_thread))
		return 1;
	find_range();
	ok(start != 0 && end > start && privcall(load) == 0, "the secret is read inside");
	frames();
	copies();
	fillings();
	ok(privcall(intact) == 1, "12: the secret is as it was");
	printf("1..%d\n", tests);
	return failures != 0;
}
