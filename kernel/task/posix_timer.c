/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer_create and its family. A timer has at most one signal on the way: a period that ends
 * meanwhile is counted as overrun, and the timer is armed again when the signal is taken (as in
 * Linux), so that a tiny period cannot keep the kernel busy. Timers on processor time are looked at
 * on each sample of the running thread (10 ms).
 */
#include <linux/time.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"

#define TIMERS_MAX  4096
#define OVERRUN_MAX INT32_MAX
/* when the signal is ignored: look at the next period not before this */
#define RETRY_NS NS_PER_MS

struct posix_timer {
	struct list node; /* in the task's posix_timers */
	struct task *task;
	int id;
	struct posix_timer_spec spec;
	uint64_t expires_ns; /* on its own clock; 0: disarmed */
	uint64_t interval_ns;
	struct timer timer;
	bool absolute;
	bool pending; /* its signal is on the way */
	int32_t overrun, overrun_last;
};

static bool is_cpu_clock(int clock)
{
	return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static bool is_real_clock(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

/*
 * Now, on the timer's clock: setting the wall clock does not move what is relative to it. The
 * thread clock is that of the thread that made the timer.
 */
static uint64_t clock_now(const struct posix_timer *p)
{
	const struct thread *t;

	if (is_real_clock(p->spec.clock) && p->absolute)
		return time_real_ns();
	if (p->spec.clock == CLOCK_PROCESS_CPUTIME_ID)
		return task_cpu_ns(p->task);
	if (p->spec.clock == CLOCK_THREAD_CPUTIME_ID) {
		t = thread_find(p->spec.tid);
		return t == NULL ? 0 : thread_cpu_ns(t);
	}
	return time_mono_ns();
}

static struct posix_timer *find(int id)
{
	LIST_FOR_EACH(l, &current_task->posix_timers) {
		struct posix_timer *p = list_entry(l, struct posix_timer, node);

		if (p->id == id)
			return p;
	}
	return NULL;
}

/* ---- expiry ---- */

static void fired(struct timer *timer);

static void arm(struct posix_timer *p)
{
	uint64_t now, at;

	timer_cancel(&p->timer);
	if (p->expires_ns == 0 || is_cpu_clock(p->spec.clock))
		return;
	now = clock_now(p);
	at = time_mono_ns() + (p->expires_ns > now ? p->expires_ns - now : 0);
	timer_set(&p->timer, at, fired);
}

/* Move to the first period that ends in the future; the ones passed over are overruns. */
static void advance(struct posix_timer *p)
{
	uint64_t now = clock_now(p), passed;

	if (p->expires_ns > now)
		return;
	passed = (now - p->expires_ns) / p->interval_ns + 1;
	p->expires_ns += passed * p->interval_ns;
	passed += (uint64_t)p->overrun - 1;
	p->overrun = passed > OVERRUN_MAX ? OVERRUN_MAX : (int32_t)passed;
}

static err_t send_signal(struct posix_timer *p)
{
	struct thread *t;
	struct ksiginfo info;

	memset(&info, 0, sizeof(info));
	info.si_signo = p->spec.signo;
	info.si_code = SI_TIMER;
	info.si_tid = p->id;
	info.si_value.sival_ptr = (void *)p->spec.value;
	if (p->spec.notify != SIGEV_THREAD_ID)
		return signal_send_task(p->task, p->spec.signo, &info);
	t = thread_find(p->spec.tid);
	if (t == NULL || t->task != p->task)
		return OK; /* the thread is gone, and its signals with it */
	return signal_send_thread(t, p->spec.signo, &info);
}

static bool on_the_way(const struct posix_timer *p)
{
	const struct thread *t = p->spec.notify == SIGEV_THREAD_ID ? thread_find(p->spec.tid)
								   : NULL;

	return sigqueue_has_timer(t != NULL ? &t->pending : &p->task->pending, p->spec.signo,
				  p->id);
}

static void expire(struct posix_timer *p)
{
	if (p->spec.notify == SIGEV_NONE) {
		if (p->interval_ns == 0)
			p->expires_ns = 0;
		return;
	}
	/* One of before settime() may still wait to be taken: it stands for this one, too. */
	if (on_the_way(p) || (send_signal(p) == OK && on_the_way(p))) {
		p->pending = true;
		if (p->interval_ns == 0)
			p->expires_ns = 0;
		return;
	}
	/* Ignored, or no memory for it: go on with the next period. */
	if (p->interval_ns == 0) {
		p->expires_ns = 0;
		return;
	}
	advance(p);
	p->overrun = 0;
	if (p->expires_ns < clock_now(p) + RETRY_NS)
		p->expires_ns = clock_now(p) + RETRY_NS;
	arm(p);
}

static void fired(struct timer *timer)
{
	struct posix_timer *p = container_of(timer, struct posix_timer, timer);

	/* The real-time clock may have been set back. */
	if (clock_now(p) < p->expires_ns)
		arm(p);
	else
		expire(p);
}

void posix_timer_dequeued(struct task *t, struct ksiginfo *info)
{
	LIST_FOR_EACH(l, &t->posix_timers) {
		struct posix_timer *p = list_entry(l, struct posix_timer, node);

		if (p->id != info->si_tid || !p->pending)
			continue;
		p->pending = false;
		if (p->interval_ns != 0 && p->expires_ns != 0) {
			p->overrun = 0;
			advance(p);
			p->overrun_last = p->overrun;
			arm(p);
		} else {
			p->overrun_last = 0;
		}
		info->si_overrun = p->overrun_last;
		return;
	}
}

void posix_timer_tick(struct task *t)
{
	LIST_FOR_EACH(l, &t->posix_timers) {
		struct posix_timer *p = list_entry(l, struct posix_timer, node);

		if (is_cpu_clock(p->spec.clock) && !p->pending && p->expires_ns != 0 &&
		    clock_now(p) >= p->expires_ns)
			expire(p);
	}
}

void posix_timer_clock_was_set(void)
{
	LIST_FOR_EACH(l, &all_tasks) {
		struct task *t = list_entry(l, struct task, all);

		LIST_FOR_EACH(n, &t->posix_timers) {
			struct posix_timer *p = list_entry(n, struct posix_timer, node);

			if (is_real_clock(p->spec.clock) && p->absolute && !p->pending)
				arm(p);
		}
	}
}

/* ---- the calls ---- */

static bool clock_known(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID: return true;
	default: return false;
	}
}

static err_t spec_check(const struct posix_timer_spec *s)
{
	const struct thread *t;

	if (!clock_known(s->clock))
		return E_INVAL;
	if (s->notify != SIGEV_NONE && (s->signo < 1 || s->signo > SIG_COUNT))
		return E_INVAL;
	switch (s->notify) {
	case SIGEV_THREAD_ID:
		t = thread_find(s->tid);
		return t != NULL && t->task == current_task ? OK : E_INVAL;
	case SIGEV_SIGNAL:
	case SIGEV_NONE: return OK;
	default: return E_INVAL;
	}
}

err_t posix_timer_create(const struct posix_timer_spec *s, int *id)
{
	struct task *t = current_task;
	struct posix_timer *p;

	TRY(spec_check(s));
	if (list_length(&t->posix_timers) >= TIMERS_MAX)
		return E_AGAIN;
	p = kmem_zalloc(sizeof(*p));
	if (p == NULL)
		return E_AGAIN;
	p->task = t;
	p->spec = *s;
	if (s->clock == CLOCK_THREAD_CPUTIME_ID && s->notify != SIGEV_THREAD_ID)
		p->spec.tid = current->tid;
	do {
		p->id = t->next_timer_id;
		t->next_timer_id = (t->next_timer_id + 1) & INT32_MAX;
	} while (find(p->id) != NULL);
	if (s->value_is_id)
		p->spec.value = (uint64_t)p->id;
	list_push_back(&t->posix_timers, &p->node);
	*id = p->id;
	return OK;
}

static void get(const struct posix_timer *p, struct itimer_value *out)
{
	uint64_t now = clock_now(p), at = p->expires_ns;

	out->interval_ns = p->interval_ns;
	out->value_ns = 0;
	if (at == 0)
		return;
	if (at <= now && p->interval_ns != 0 && (p->pending || p->spec.notify == SIGEV_NONE))
		at += ((now - at) / p->interval_ns + 1) * p->interval_ns;
	/* Due, but not delivered yet: not off. */
	out->value_ns = at > now ? at - now : p->spec.notify == SIGEV_NONE ? 0 : 1;
}

err_t posix_timer_settime(int id, int flags, const struct itimer_value *v, struct itimer_value *old)
{
	struct posix_timer *p = find(id);

	if (p == NULL)
		return E_INVAL;
	if (old != NULL)
		get(p, old);
	timer_cancel(&p->timer);
	p->pending = false;
	p->overrun = p->overrun_last = 0;
	p->absolute = flags & TIMER_ABSTIME;
	p->interval_ns = v->interval_ns;
	p->expires_ns = 0;
	if (v->value_ns == 0)
		return OK;
	p->expires_ns = p->absolute ? v->value_ns : clock_now(p) + v->value_ns;
	if (p->spec.notify != SIGEV_NONE)
		arm(p);
	return OK;
}

err_t posix_timer_gettime(int id, struct itimer_value *out)
{
	const struct posix_timer *p = find(id);

	if (p == NULL)
		return E_INVAL;
	get(p, out);
	return OK;
}

long posix_timer_overrun(int id)
{
	const struct posix_timer *p = find(id);

	return p == NULL ? E_INVAL : p->overrun_last;
}

static void delete (struct posix_timer *p)
{
	timer_cancel(&p->timer);
	list_remove(&p->node);
	kmem_free(p);
}

err_t posix_timer_delete(int id)
{
	struct posix_timer *p = find(id);

	if (p == NULL)
		return E_INVAL;
	delete (p);
	return OK;
}

void posix_timers_release(struct task *t)
{
	while (!list_empty(&t->posix_timers))
		delete (list_entry(t->posix_timers.next, struct posix_timer, node));
}
