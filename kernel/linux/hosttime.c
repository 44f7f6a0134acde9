/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wall clock follows the host's, until a program sets or bends it itself.
 *
 * The host is asked on the control port (abi/control.h), first when the program is about to be
 * loaded, for time= was true when QEMU was started. Its answer was true at some moment between
 * question and receipt. A clock that is behind steps forward at first, and later when it is far
 * behind, as after a host's sleep; it never steps back. All else is bent away until the next
 * question.
 */
#include "kernel/core/core.h"
#include "kernel/linux/linux.h"
#include "kernel/task/task.h"
#include "kernel/vfs/console.h"
#include "kernel/vfs/control.h"
#include "kernel/x86/x86.h"

#define PERIOD_NS 64000000000ll
#define STEP_NS   500000000ll
/* An answer that took longer says too little to begin with. */
#define PROMPT_NS 1000000ull
#define BEGINNING 4u

static struct {
	uint64_t asked_ns;
	unsigned answers;
	struct timer timer;
} host;

static void ask(void)
{
	host.asked_ns = time_mono_ns();
	console_control("time");
}

static void ask_again(struct timer *t)
{
	(void)t;
	ask();
}

/* How far we are behind a moment that lies between `from` and `to`; below 0: ahead. */
static int64_t behind(uint64_t now, uint64_t from, uint64_t to)
{
	if (now < from)
		return (int64_t)(from - now);
	return now > to ? -(int64_t)(now - to) : 0;
}

static int32_t bend_for(int64_t offset)
{
	int64_t ppb = offset / (PERIOD_NS / 1000000000);

	if (ppb > TIME_BEND_MAX)
		return TIME_BEND_MAX;
	return ppb < -TIME_BEND_MAX ? -TIME_BEND_MAX : (int32_t)ppb;
}

/* Control port; in interrupt or idle context. */
static void on_time(uint64_t ns)
{
	uint64_t took = time_mono_ns() - host.asked_ns;
	bool beginning = host.answers < BEGINNING;
	int64_t offset = behind(time_real_ns(), ns, ns + took);

	if (offset > (beginning ? 0 : STEP_NS)) {
		linux_step_real_time(ns);
		offset = 0;
	}
	time_bend(bend_for(offset));
	host.answers = took <= PROMPT_NS ? BEGINNING : host.answers + 1;
	if (host.answers < BEGINNING)
		ask();
	else
		timer_set(&host.timer, time_mono_ns() + (uint64_t)PERIOD_NS, ask_again);
}

void linux_follow_host_time(void)
{
	control_time = on_time;
	host.answers = 0;
	ask();
}

void linux_set_real_time(uint64_t ns)
{
	if (control_time != NULL) /* else the rate is a program's already */
		linux_bend_time(0);
	linux_step_real_time(ns);
}

void linux_bend_time(int32_t ppb)
{
	control_time = NULL;
	timer_cancel(&host.timer);
	time_bend(ppb);
}
