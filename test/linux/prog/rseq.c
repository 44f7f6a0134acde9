/* SPDX-License-Identifier: BSD-2-Clause */
/* Restartable sequences: registration, and that an interrupted one goes on at its abort address. */
#include "test/linux/prog/check.h"
#include <linux/rseq.h>
#include <sched.h>
#include <sys/rseq.h>

#define SIG 0x53053053u

static volatile struct rseq *area_of_libc(void)
{
	return (volatile struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static long do_rseq(volatile void *area, unsigned len, int flags, unsigned sig)
{
	return syscall(SYS_rseq, area, len, flags, sig);
}

static void registration(void)
{
	static _Alignas(64) struct rseq other;
	volatile struct rseq *libc = area_of_libc();
	int st;

	VAL("size", __rseq_size);
	YES("a processor's number", (int)libc->cpu_id >= 0);
	YES("the start's", libc->cpu_id_start == libc->cpu_id);
	YES("sched_getcpu", sched_getcpu() >= 0);
	RET("again", do_rseq(libc, 32, 0, SIG));
	RET("again, other signature", do_rseq(libc, 32, 0, 1));
	RET("a second area", do_rseq(&other, 32, 0, SIG));
	RET("unknown flag", do_rseq(libc, 32, 2, SIG));
	RET("unregister another", do_rseq(&other, 32, RSEQ_FLAG_UNREGISTER, SIG));
	RET("unregister with another length", do_rseq(libc, 64, RSEQ_FLAG_UNREGISTER, SIG));
	RET("unregister with another signature", do_rseq(libc, 32, RSEQ_FLAG_UNREGISTER, 1));
	RET("unregister", do_rseq(libc, 32, RSEQ_FLAG_UNREGISTER, SIG));
	VAL("number without", (int)libc->cpu_id);
	RET("unregister again", do_rseq(libc, 32, RSEQ_FLAG_UNREGISTER, SIG));
	RET("length", do_rseq(&other, 16, 0, SIG));
	RET("alignment", do_rseq((char *)&other + 8, 32, 0, SIG));
	RET("the kernel's half", do_rseq((void *)0xffff800000000000, 32, 0, SIG));
	RET("another", do_rseq(&other, 32, 0, 7));
	YES("its number", (int)other.cpu_id >= 0);
	say_status("a child keeps it", CHILD(_exit(do_rseq(&other, 32, 0, 7) == -1 ? errno : 0)));
	/* Linux 6.1 finds out on the way back and sends SIGSEGV, later ones answer EFAULT. */
	st = CHILD(MUST(do_rseq(&other, 32, RSEQ_FLAG_UNREGISTER, 7));
		   _exit(do_rseq((void *)4096, 32, 0, SIG) == -1 && errno == EFAULT ? 1 : 2));
	YES("unmapped", (WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV) || st == 1 << 8);
}

/*
 * A sequence that ends by its abort only: spins from 1 to 2, counted in *count. The answer is 1
 * when it went on at 4, and 2 for 5, which is an address without the signature.
 */
/* clang-format off */
#define DESCRIPTOR(name, version, flags, abort)                \
	"	.pushsection .data\n"                          \
	"	.balign 32\n" name ": .long " version ", " flags "\n" \
	"	.quad 1f, 2f - 1f, " abort "\n"                \
	"	.popsection\n"
#define CODE(name)                             \
	"	leaq " name "(%%rip), %%rax\n" \
	"	movq %%rax, 8(%1)\n"           \
	"1:	incq (%2)\n"                   \
	"	jmp 1b\n"                      \
	"2:	nop\n"                         \
	"	.long 0x53053053\n"            \
	"4:	movl $1, %0\n"                 \
	"	jmp 6f\n"                      \
	"	.long 0\n"                     \
	"5:	movl $2, %0\n"                 \
	"6:\n"
#define SPIN(fn, version, flags, abort)                                                   \
	__attribute__((noinline)) static int fn(volatile struct rseq *r,                  \
						volatile uint64_t *count)                 \
	{                                                                                 \
		int how;                                                                  \
											  \
		__asm__ volatile(DESCRIPTOR(#fn "_cs", version, flags, abort) CODE(#fn "_cs") \
				 : "=&r"(how)                                             \
				 : "r"(r), "r"(count)                                     \
				 : "rax", "memory");                                      \
		return how;                                                               \
	}
/* clang-format on */
SPIN(spin, "0", "0", "4f")
SPIN(spin_version, "1", "0", "4f")
SPIN(spin_flags, "0", "16", "4f")
SPIN(spin_unsigned, "0", "0", "5f")
SPIN(spin_itself, "0", "0", "1b")

static volatile sig_atomic_t handled;
static volatile uint64_t turns, turns_in_handler;
static volatile uint64_t link_in_handler;

static void on_alarm(int sig UNUSED)
{
	handled++;
	turns_in_handler = turns;
	link_in_handler = area_of_libc()->rseq_cs;
}

static void alarm_soon(void)
{
	struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

	signal(SIGALRM, on_alarm);
	MUST(setitimer(ITIMER_REAL, &soon, NULL));
}

static void one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	MUST(sched_setaffinity(0, sizeof(one), &one));
}

static void by_signal(void)
{
	one_processor();
	alarm_soon();
	VAL("ends", spin(area_of_libc(), &turns));
	YES("it has run", turns > 0);
	VAL("link", area_of_libc()->rseq_cs);
	/* It may have been preempted before. */
	while (!handled)
		;
	VAL("link in the handler", link_in_handler);
}

static void by_others(void)
{
	pid_t pid;

	one_processor();
	pid = START(for (;;) getppid());
	VAL("ends", spin(area_of_libc(), &turns));
	VAL("ends again", spin(area_of_libc(), &turns));
	YES("it has run", turns > 0);
	VAL("link", area_of_libc()->rseq_cs);
	MUST(kill(pid, SIGKILL));
	wait_for(pid);
}

static void outside(void)
{
	volatile struct rseq *r = area_of_libc();
	extern char spin_cs[];

	/* Named, but the program is elsewhere: forgotten at the next signal. */
	alarm_soon();
	r->rseq_cs = (uint64_t)spin_cs;
	while (!handled)
		;
	VAL("link", r->rseq_cs);
	YES("goes on", 1);
}

static void wrong(void)
{
	volatile struct rseq *r = area_of_libc();

	say_status("version", CHILD(alarm_soon(); _exit(spin_version(r, &turns))));
	say_status("flags", CHILD(alarm_soon(); _exit(spin_flags(r, &turns))));
	say_status("signature", CHILD(alarm_soon(); _exit(spin_unsigned(r, &turns))));
	say_status("abort in itself", CHILD(alarm_soon(); _exit(spin_itself(r, &turns))));
	say_status("flags of the area", CHILD(r->flags = 16; alarm_soon(); _exit(spin(r, &turns))));
	say_status("descriptor not there", CHILD(alarm_soon(); r->rseq_cs = 4096; for (;;);));
	say_status("descriptor in the kernel",
		   CHILD(alarm_soon(); r->rseq_cs = 0xffff800000000000; for (;;);));
}

int main(int argc, char **argv)
{
	static const struct section list[] = {
		{ "registration", registration },
		{ "by_signal", by_signal },
		{ "by_others", by_others },
		{ "outside", outside },
		{ "wrong", wrong },
	};

	return run_sections(argc, argv, list, COUNT(list));
}
