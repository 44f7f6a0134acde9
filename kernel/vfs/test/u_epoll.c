/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll's triggers over eventfds and pipes, poll, and the files that count. */
#include "kernel/vfs/test/fake.h"

#include <linux/fcntl.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "base/str.h"

static struct file *ep, *a, *b;

static struct file *new_eventfd(uint64_t count)
{
	struct file *f;

	assert_int_equal(eventfd_create(count, O_NONBLOCK, &f), OK);
	return f;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	assert_int_equal(epoll_create(0, &ep), OK);
	a = new_eventfd(0);
	b = new_eventfd(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (a != NULL)
		file_put(a);
	if (b != NULL)
		file_put(b);
	if (ep != NULL)
		file_put(ep);
	assert_int_equal(fake_objects, 0);
	return 0;
}

static void close_file(struct file **f)
{
	file_put(*f);
	*f = NULL;
}

static long ctl(struct file *set, int op, struct file *f, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data = data };

	return epoll_change(set, op, (int)data, f, &ev);
}

static void add(uint64_t n)
{
	assert_int_equal(n >> 32 ? fake_write(b, &(uint64_t){ n >> 32 }, 8) : fake_write(a, &n, 8),
			 8);
}

static uint64_t take(struct file *f)
{
	uint64_t v = 0;

	(void)fake_read(f, &v, 8);
	return v;
}

/* The data of the events now reported, as decimal digits. */
static long ready(void)
{
	struct epoll_event ev[8];
	long n = epoll_wait_events(ep, ev, 8, 0), v = 0;

	assert_true(n >= 0);
	for (long i = 0; i < n; i++)
		v = v * 10 + (long)ev[i].data;
	return v;
}

static void test_level(void **state)
{
	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	assert_int_equal(ready(), 0);
	add(1);
	assert_int_equal(ready(), 1);
	assert_int_equal(ready(), 1); /* again and again */
	take(a);
	assert_int_equal(ready(), 0);
	add(1);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN, 2), OK);
	add(5ull << 32);
	assert_int_equal(ready(), 12);
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, a, 0, 1), OK);
	assert_int_equal(ready(), 2);
}

static void test_edge(void **state)
{
	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLET, 1), OK);
	add(1);
	assert_int_equal(ready(), 1);
	assert_int_equal(ready(), 0); /* nothing new */
	add(1);
	assert_int_equal(ready(), 1); /* new, though the old was not read */
	take(a);
	assert_int_equal(ready(), 0);
	/* A change of the interest looks anew. */
	add(1);
	assert_int_equal(ready(), 1);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLET, 1), OK);
	assert_int_equal(ready(), 1);
}

static void test_oneshot(void **state)
{
	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLONESHOT, 1), OK);
	add(1);
	assert_int_equal(ready(), 1);
	add(1);
	assert_int_equal(ready(), 0);
	/* another descriptor */
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 3), E_NOENT);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 1), OK);
	assert_int_equal(ready(), 1);
	assert_int_equal(ready(), 0);
}

static void test_ready_at_once(void **state)
{
	(void)state;
	add(1);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	assert_int_equal(ready(), 1);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLOUT, 1), OK);
	struct epoll_event ev;
	assert_int_equal(epoll_wait_events(ep, &ev, 1, 0), 1);
	assert_int_equal(ev.events, EPOLLIN | EPOLLOUT);
}

static void test_fair_when_few_fit(void **state)
{
	struct epoll_event ev;

	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN, 2), OK);
	add(1);
	add(1ull << 32);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(epoll_wait_events(ep, &ev, 1, 0), 1);
		assert_int_equal(ev.data, i % 2 + 1);
	}
}

static void test_closed_file_vanishes(void **state)
{
	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	/* the same file by another descriptor */
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 2), OK);
	add(1);
	assert_int_equal(ready(), 12);
	close_file(&a);
	assert_int_equal(ready(), 0);
}

static void test_set_closed_first(void **state)
{
	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	close_file(&ep);
	add(1);
}

static uint32_t no_events(struct file *f, struct poll_table *t)
{
	(void)f;
	(void)t;
	return 0;
}

static void test_errors(void **state)
{
	static const struct file_ops plain = { .stream = true };
	struct file regular = { 0 }, device = { .ops = &plain };

	(void)state;
	(void)no_events;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, &regular, EPOLLIN, 1), E_PERM);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, &device, EPOLLIN, 1), E_PERM);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1), E_INVAL);
	assert_int_equal(ctl(a, EPOLL_CTL_ADD, b, EPOLLIN, 1), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, a, 0, 1), E_NOENT);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), E_EXIST);
	assert_int_equal(ctl(ep, 9, a, EPOLLIN, 1), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLEXCLUSIVE, 1), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, b, EPOLLRDHUP | EPOLLEXCLUSIVE, 2), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN | EPOLLEXCLUSIVE, 2), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, b, EPOLLIN, 2), E_INVAL);
	assert_int_equal(epoll_create(1, &ep), E_INVAL);
}

static void test_exclusive_wakes_one(void **state)
{
	struct file *other;
	struct epoll_event ev;

	(void)state;
	assert_int_equal(epoll_create(0, &other), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLEXCLUSIVE, 1), OK);
	assert_int_equal(ctl(other, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLEXCLUSIVE, 1), OK);
	add(1);
	assert_int_equal(ready(), 1);
	/* eventfd wakes all its readers; who looks still finds it. */
	assert_int_equal(epoll_wait_events(other, &ev, 1, 0), 1);
	file_put(other);
}

static void test_nested(void **state)
{
	struct file *outer;
	struct epoll_event ev;

	(void)state;
	assert_int_equal(epoll_create(0, &outer), OK);
	assert_int_equal(ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 1), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, outer, EPOLLIN, 1), E_LOOP);
	assert_int_equal(epoll_wait_events(outer, &ev, 1, 0), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), OK);
	add(1);
	assert_int_equal(epoll_wait_events(outer, &ev, 1, 0), 1);
	assert_int_equal(ev.events, EPOLLIN);
	take(a);
	assert_int_equal(epoll_wait_events(outer, &ev, 1, 0), 0);
	add(1);
	assert_int_equal(epoll_wait_events(outer, &ev, 1, 0), 1);
	file_put(outer);
}

static void test_nesting_depth(void **state)
{
	struct file *chain[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(epoll_create(0, &chain[i]), OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ctl(chain[i], EPOLL_CTL_ADD, chain[i + 1], EPOLLIN, 1), OK);
	assert_int_equal(ctl(chain[4], EPOLL_CTL_ADD, chain[5], EPOLLIN, 1), E_LOOP);
	assert_int_equal(ctl(chain[5], EPOLL_CTL_ADD, chain[0], EPOLLIN, 1), E_LOOP);
	assert_int_equal(ctl(chain[4], EPOLL_CTL_ADD, chain[0], EPOLLIN, 1), E_LOOP);
	for (unsigned i = 0; i < 6; i++)
		file_put(chain[i]);
}

static void write_one(void)
{
	add(1);
}

static void test_waiting(void **state)
{
	struct epoll_event ev;

	(void)state;
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 7), OK);
	fake_on_wait = write_one;
	assert_int_equal(epoll_wait_events(ep, &ev, 1, WAIT_FOREVER), 1);
	assert_int_equal(ev.data, 7);
	take(a);
	assert_int_equal(epoll_wait_events(ep, &ev, 1, WAIT_FOREVER), E_INTR);
}

static void test_many_queues(void **state)
{
	struct file *ends[2];
	struct epoll_event ev;

	(void)state;
	assert_int_equal(pipe_create(0, ends), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1), OK);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ends[1], EPOLLOUT | EPOLLET, 2), OK);
	assert_int_equal(ready(), 2);
	assert_int_equal(ready(), 0);
	assert_int_equal(fake_write(ends[1], "x", 1), 1);
	assert_int_equal(ready(), 1);
	assert_int_equal(fake_write(ends[1], "x", 1), 1);
	assert_int_equal(ready(), 1); /* each write is an edge */
	file_put(ends[1]);
	assert_int_equal(epoll_wait_events(ep, &ev, 1, 0), 1);
	assert_int_equal(ev.events, EPOLLIN | EPOLLHUP);
	file_put(ends[0]);
}

/* ---- poll ---- */

static void test_poll(void **state)
{
	struct poll_item items[10];

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		items[i] = (struct poll_item){ .fd = 5, .file = i % 2 ? b : a, .events = EPOLLIN };
	assert_int_equal(poll_files(items, 10, 0), 0);
	assert_int_equal(poll_files(items, 10, WAIT_FOREVER), E_INTR);
	fake_on_wait = write_one;
	assert_int_equal(poll_files(items, 10, WAIT_FOREVER), 5);
	assert_int_equal(items[0].revents, EPOLLIN);
	assert_int_equal(items[1].revents, 0);
	items[1].file = NULL;
	items[3] = (struct poll_item){ .fd = -1, .events = EPOLLIN };
	assert_int_equal(poll_files(items, 4, WAIT_FOREVER), 3);
	assert_int_equal(items[1].revents, EPOLLNVAL);
	assert_int_equal(items[3].revents, 0);
	assert_true(list_empty(&fake_task.signal_wait.waiters));
}

/* ---- eventfd, timerfd, signalfd ---- */

static void test_eventfd(void **state)
{
	struct file *sem;
	uint64_t v = UINT64_MAX;

	(void)state;
	assert_int_equal(fake_write(a, &v, 8), E_INVAL);
	assert_int_equal(fake_write(a, &v, 4), E_INVAL);
	v = UINT64_MAX - 1;
	assert_int_equal(fake_write(a, &v, 8), 8);
	assert_int_equal(a->ops->poll(a, NULL), EPOLLIN);
	v = 1;
	assert_int_equal(fake_write(a, &v, 8), E_AGAIN);
	assert_int_equal(take(a), UINT64_MAX - 1);
	assert_int_equal(fake_read(a, &v, 8), E_AGAIN);
	assert_int_equal(eventfd_create(2, O_NONBLOCK | 1, &sem), OK);
	assert_int_equal(take(sem), 1);
	assert_int_equal(take(sem), 1);
	assert_int_equal(fake_read(sem, &v, 8), E_AGAIN);
	file_put(sem);
	assert_int_equal(eventfd_create(0, 2, &sem), E_INVAL);
}

static void set_timer(struct file *f, unsigned flags, uint64_t value, uint64_t interval)
{
	struct itimerspec_k s = { .value_ns = value, .interval_ns = interval };

	assert_int_equal(timerfd_settime(f, flags, &s, NULL), OK);
}

static void test_timerfd(void **state)
{
	struct itimerspec_k s;
	struct file *t;
	uint64_t v;

	(void)state;
	assert_int_equal(timerfd_create(CLOCK_MONOTONIC, O_NONBLOCK, &t), OK);
	assert_int_equal(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0, &b), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, t, EPOLLIN, 1), OK);
	set_timer(t, 0, 1000, 0);
	assert_int_equal(fake_read(t, &v, 8), E_AGAIN);
	fake_time_passes(999);
	assert_int_equal(ready(), 0);
	assert_int_equal(timerfd_gettime(t, &s), OK);
	assert_int_equal(s.value_ns, 1);
	fake_time_passes(1);
	assert_int_equal(ready(), 1);
	assert_int_equal(take(t), 1);
	assert_int_equal(fake_read(t, &v, 8), E_AGAIN);
	assert_int_equal(timerfd_gettime(t, &s), OK);
	assert_int_equal(s.value_ns, 0);

	set_timer(t, 0, 1000, 300);
	fake_time_passes(1000 + 300 * 4 + 10);
	assert_int_equal(take(t), 5);
	assert_int_equal(timerfd_gettime(t, &s), OK);
	assert_int_equal(s.value_ns, 290);
	assert_int_equal(s.interval_ns, 300);
	fake_time_passes(290);
	assert_int_equal(take(t), 1);

	set_timer(t, TFD_TIMER_ABSTIME, fake_now_ns - 5, 0); /* in the past: at once */
	assert_int_equal(ready(), 1);
	set_timer(t, 0, 0, 0);
	assert_int_equal(ready(), 0);
	file_put(t);
}

static void test_timerfd_wall_clock(void **state)
{
	struct file *t;
	uint64_t v;

	(void)state;
	assert_int_equal(timerfd_create(CLOCK_REALTIME, O_NONBLOCK, &t), OK);
	set_timer(t, TFD_TIMER_ABSTIME, time_real_ns() + 5000, 0);
	fake_time_passes(5000);
	assert_int_equal(take(t), 1);
	set_timer(t, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, time_real_ns() + 5000, 0);
	timerfd_clock_was_set();
	assert_true(t->ops->poll(t, NULL) & EPOLLIN);
	assert_int_equal(fake_read(t, &v, 8), E_CANCELED);
	assert_int_equal(fake_read(t, &v, 8), E_AGAIN);
	file_put(t);
}

static void test_signalfd(void **state)
{
	struct signalfd_siginfo info[3];
	struct file *s;

	(void)state;
	assert_int_equal(signalfd_create(NULL,
					 SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2) | SIG_BIT(SIGKILL),
					 SFD_NONBLOCK, &s),
			 OK);
	assert_int_equal(fake_read(s, info, sizeof(info)), E_AGAIN);
	assert_int_equal(fake_read(s, info, 10), E_INVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, s, EPOLLIN, 1), OK);
	fake_pending = fake_task.pending.pending = SIG_BIT(SIGUSR1) | SIG_BIT(SIGUSR2) |
						   SIG_BIT(SIGHUP);
	wake_all(&fake_task.signal_wait);
	assert_int_equal(ready(), 1);
	assert_int_equal(fake_read(s, info, sizeof(info)), 2 * sizeof(info[0]));
	assert_int_equal(info[0].ssi_signo, SIGUSR1);
	assert_int_equal(info[1].ssi_signo, SIGUSR2);
	assert_int_equal(signalfd_create(a, 1, 0, &b), E_INVAL);
	/* The queue of a task that ends is emptied: closing later is harmless. */
	waitq_detach_all(&fake_task.signal_wait);
	file_put(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_level),
		T(test_edge),
		T(test_oneshot),
		T(test_ready_at_once),
		T(test_fair_when_few_fit),
		T(test_closed_file_vanishes),
		T(test_set_closed_first),
		T(test_errors),
		T(test_exclusive_wakes_one),
		T(test_nested),
		T(test_nesting_depth),
		T(test_waiting),
		T(test_many_queues),
		T(test_poll),
		T(test_eventfd),
		T(test_timerfd),
		T(test_timerfd_wall_clock),
		T(test_signalfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
