/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * setitimer: the real one is a timer, the two that count processor time are looked at on each
 * sample (10 ms).
 */
#include "kernel/task/internal.h"

static uint64_t next_after(uint64_t deadline, uint64_t interval, uint64_t now)
{
	if (deadline + interval > now)
		return deadline + interval;
	return now + interval - (now - deadline) % interval;
}

static void real_fired(struct timer *timer)
{
	struct task *t = container_of(timer, struct task, itimer_real.timer);
	uint64_t now = time_mono_ns();

	if (t->itimer_real.interval_ns != 0) {
		t->itimer_real.deadline_ns = next_after(t->itimer_real.deadline_ns,
							t->itimer_real.interval_ns, now);
		timer_set(timer, t->itimer_real.deadline_ns, real_fired);
	}
	signal_force_send(t, SIGALRM, NULL);
}

/* ---- processor time: [0] = value of the clock at which it fires (0: off), [1] = interval ---- */

static uint64_t clock_of(const struct task *t, int which)
{
	uint64_t u, s;

	if (which == ITIMER_PROF_)
		return task_cpu_ns(t);
	task_times(t, &u, &s);
	return u;
}

static uint64_t *cpu_timer(struct task *t, int which)
{
	return which == ITIMER_PROF_ ? t->itimer_prof_ns : t->itimer_virt_ns;
}

static void cpu_tick(struct task *t, int which, int sig)
{
	uint64_t *v = cpu_timer(t, which), now;

	if (v[0] == 0)
		return;
	now = clock_of(t, which);
	if (now < v[0])
		return;
	v[0] = v[1] == 0 ? 0 : next_after(v[0], v[1], now);
	signal_force_send(t, sig, NULL);
}

void itimer_tick(struct task *t)
{
	cpu_tick(t, ITIMER_VIRTUAL_, SIGVTALRM);
	cpu_tick(t, ITIMER_PROF_, SIGPROF);
}

/* ---- the calls ---- */

void itimer_get(struct task *t, int which, struct itimer_value *out)
{
	uint64_t at, now;

	if (which == ITIMER_REAL_) {
		at = t->itimer_real.timer.armed ? t->itimer_real.deadline_ns : 0;
		now = time_mono_ns();
		out->interval_ns = t->itimer_real.interval_ns;
	} else {
		at = cpu_timer(t, which)[0];
		now = at == 0 ? 0 : clock_of(t, which);
		out->interval_ns = cpu_timer(t, which)[1];
	}
	/* One that is due but has not fired yet is not off. */
	out->value_ns = at == 0 ? 0 : at > now ? at - now : 1000;
}

void itimer_set(struct task *t, int which, const struct itimer_value *v, struct itimer_value *old)
{
	uint64_t *cpu;

	if (old != NULL)
		itimer_get(t, which, old);
	if (which != ITIMER_REAL_) {
		cpu = cpu_timer(t, which);
		cpu[0] = v->value_ns == 0 ? 0 : clock_of(t, which) + v->value_ns;
		cpu[1] = v->interval_ns;
		return;
	}
	timer_cancel(&t->itimer_real.timer);
	t->itimer_real.interval_ns = v->interval_ns;
	if (v->value_ns == 0)
		return;
	t->itimer_real.deadline_ns = time_mono_ns() + v->value_ns;
	timer_set(&t->itimer_real.timer, t->itimer_real.deadline_ns, real_fired);
}

void itimer_release(struct task *t)
{
	timer_cancel(&t->itimer_real.timer);
}
