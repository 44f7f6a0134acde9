/* SPDX-License-Identifier: BSD-2-Clause */
/* timerfd: a clock that is read. A periodic timer counts one expiry, then rests until somebody
 * reads or asks. */
#include <linux/fcntl.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "base/checked.h"
#include "base/fmt.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/ubuf.h"
#include "kernel/vfs/poll.h"
#include "kernel/x86/x86.h"

struct timerfd {
	struct timer timer;
	struct list all;
	struct waitq readers;
	int clock;
	unsigned settime_flags;
	uint64_t deadline_ns; /* monotonic; 0: not set */
	uint64_t real_ns;     /* the same on the wall clock, of an absolute timer on that clock */
	uint64_t interval_ns;
	uint64_t ticks; /* expiries not read */
	/* ticks counted one since deadline_ns; the others are found when asked */
	bool expired;
	bool clock_set; /* TFD_TIMER_CANCEL_ON_SET: and it was */
};

static struct list all_timerfds = LIST_INIT(all_timerfds);

static bool on_wall_clock(const struct timerfd *t)
{
	return t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
}

static bool follows_wall_clock(const struct timerfd *t)
{
	return on_wall_clock(t) && (t->settime_flags & TFD_TIMER_ABSTIME) != 0;
}

/* Monotonic time of a moment on the wall clock; 1 when that was before boot. */
static uint64_t mono_of_real(uint64_t real_ns)
{
	uint64_t now_real = time_real_ns(), now = time_mono_ns(), ahead;

	if (real_ns >= now_real)
		return checked_add(now, real_ns - now_real, &ahead) ? ahead : UINT64_MAX;
	return now_real - real_ns < now ? now - (now_real - real_ns) : 1;
}

static void fired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);

	t->expired = true;
	t->ticks++;
	wake_all(&t->readers);
}

/* Count the periods since the expiry, and let the timer run again. */
static void catch_up(struct timerfd *t)
{
	uint64_t periods;

	if (!t->expired || t->interval_ns == 0)
		return;
	periods = (time_mono_ns() - t->deadline_ns) / t->interval_ns;
	t->ticks += periods;
	t->deadline_ns += (periods + 1) * t->interval_ns;
	t->real_ns += (periods + 1) * t->interval_ns;
	t->expired = false;
	timer_set(&t->timer, t->deadline_ns, fired);
}

static err_t timerfd_read(struct file *f, uint64_t off, struct uio *to, size_t *done)
{
	struct timerfd *t = f->priv;
	uint64_t ticks;

	(void)off;
	if (to->left < sizeof(ticks))
		return E_INVAL;
	while (t->ticks == 0 && !t->clock_set) {
		if (f->flags & O_NONBLOCK)
			return E_AGAIN;
		if (wait_on(&t->readers, WAIT_FOREVER, true) == WAIT_SIGNAL)
			return E_RESTARTSYS;
	}
	if (t->clock_set) {
		t->clock_set = false;
		t->ticks = 0;
		return E_CANCELED;
	}
	catch_up(t);
	ticks = t->ticks;
	t->ticks = 0;
	return uio_out(to, &ticks, sizeof(ticks), done);
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait_for(pt, &t->readers, EPOLLIN | EPOLLRDNORM);
	return t->ticks > 0 || t->clock_set ? EPOLLIN | EPOLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	timer_cancel(&t->timer);
	list_remove(&t->all);
	kmem_free(t);
}

static void timerfd_name(struct file *f, char *buf, size_t size)
{
	(void)f;
	fmt_snprintf(buf, size, "anon_inode:[timerfd]");
}

static struct itimerspec_k left(struct timerfd *t)
{
	struct itimerspec_k s = { .interval_ns = t->interval_ns };
	uint64_t now = time_mono_ns();

	catch_up(t);
	if (t->deadline_ns != 0 && !t->expired)
		s.value_ns = t->deadline_ns > now ? t->deadline_ns - now : 1;
	return s;
}

static void timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->priv;
	struct itimerspec_k s = left(t);

	fmt_snprintf(buf, size,
		     "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\n"
		     "it_interval: (%llu, %llu)\n",
		     t->clock, (unsigned long long)t->ticks, t->settime_flags,
		     (unsigned long long)(s.value_ns / 1000000000),
		     (unsigned long long)(s.value_ns % 1000000000),
		     (unsigned long long)(s.interval_ns / 1000000000),
		     (unsigned long long)(s.interval_ns % 1000000000));
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.name = timerfd_name,
	.fdinfo = timerfd_fdinfo,
	.seek = file_seek_nowhere,
	.stream = true,
};

err_t timerfd_create(int clock, unsigned flags, struct file **out)
{
	struct timerfd *t;

	if ((flags & ~(unsigned)(TFD_CLOEXEC | TFD_NONBLOCK)) != 0)
		return E_INVAL;
	/* The machine never sleeps: the clocks that could wake it are the plain ones. */
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
		return E_INVAL;
	t = kmem_zalloc(sizeof(*t));
	if (t == NULL)
		return E_NOMEM;
	t->clock = clock;
	waitq_init(&t->readers);
	*out = file_create(&timerfd_ops, t, O_RDWR | (flags & TFD_NONBLOCK), 0600);
	if (*out == NULL) {
		kmem_free(t);
		return E_NOMEM;
	}
	list_push_back(&all_timerfds, &t->all);
	return OK;
}

err_t timerfd_settime(struct file *f, unsigned flags, const struct itimerspec_k *new,
		      struct itimerspec_k *old)
{
	struct timerfd *t = f->priv;
	uint64_t now = time_mono_ns();

	if (f->ops != &timerfd_ops ||
	    (flags & ~(unsigned)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0)
		return E_INVAL;
	if (old != NULL)
		*old = left(t);
	timer_cancel(&t->timer);
	t->settime_flags = flags;
	t->interval_ns = new->interval_ns;
	t->ticks = 0;
	t->expired = t->clock_set = false;
	t->deadline_ns = 0;
	if (new->value_ns == 0)
		return OK;
	t->real_ns = new->value_ns;
	if (follows_wall_clock(t))
		t->deadline_ns = mono_of_real(new->value_ns);
	else if (flags & TFD_TIMER_ABSTIME)
		t->deadline_ns = new->value_ns;
	else if (!checked_add(now, new->value_ns, &t->deadline_ns))
		t->deadline_ns = UINT64_MAX;
	if (t->deadline_ns <= now)
		fired(&t->timer);
	else if (t->deadline_ns != UINT64_MAX)
		timer_set(&t->timer, t->deadline_ns, fired);
	return OK;
}

err_t timerfd_gettime(struct file *f, struct itimerspec_k *out)
{
	if (f->ops != &timerfd_ops)
		return E_INVAL;
	*out = left(f->priv);
	return OK;
}

void timerfd_clock_was_set(void)
{
	LIST_FOR_EACH(pos, &all_timerfds) {
		struct timerfd *t = list_entry(pos, struct timerfd, all);

		if (!follows_wall_clock(t) || t->deadline_ns == 0)
			continue;
		if (t->settime_flags & TFD_TIMER_CANCEL_ON_SET) {
			t->clock_set = true;
			wake_all(&t->readers);
		}
		if (t->expired)
			continue;
		t->deadline_ns = mono_of_real(t->real_ns);
		timer_set(&t->timer, t->deadline_ns, fired);
	}
}
