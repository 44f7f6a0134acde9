/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls that wait for many descriptors: poll, select, epoll. */
#include <linux/posix_types.h>

#include "base/str.h"
#include "kernel/linux/linux.h"
#include "kernel/mem/kmem.h"
#include "kernel/mem/uword.h"
#include "kernel/task/task.h"
#include "kernel/vfs/fd.h"
#include "kernel/vfs/poll.h"

/* A temporary signal mask as ppoll, pselect6 and epoll_pwait take it; mask address 0: none. */
static err_t mask_begin(uaddr_t umask, size_t size)
{
	sigmask_t mask;

	if (umask.v == 0)
		return OK;
	if (size != sizeof(mask))
		return E_INVAL;
	TRY(USER_IN(&mask, umask));
	signal_mask_temporary(mask);
	return OK;
}

/*
 * When a signal ended the wait its handler runs under the temporary mask; else the old mask returns
 * at once.
 */
static void mask_end(uaddr_t umask, long ret)
{
	if (umask.v != 0 && ret != E_INTR && ret != E_RESTARTNOHAND)
		signal_mask_restore();
}

/* ---- poll ---- */

struct pollfd_k {
	int fd;
	int16_t events, revents;
};
#define POLL_SMALL 8

static void poll_items_from(struct poll_item *items, const struct pollfd_k *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		items[i] = (struct poll_item){ .fd = fds[i].fd,
					       .file = fds[i].fd < 0 ? NULL : fd_get(fds[i].fd),
					       .events = (uint16_t)fds[i].events };
}

static void poll_items_release(struct poll_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (items[i].file != NULL)
			file_put(items[i].file);
}

static long poll_with(uaddr_t ufds, unsigned n, uint64_t deadline, struct pollfd_k *fds,
		      struct poll_item *items)
{
	long ret;

	TRY(user_in(fds, ufds, n * sizeof(*fds)));
	poll_items_from(items, fds, n);
	ret = poll_files(items, n, deadline);
	for (unsigned i = 0; i < n; i++)
		fds[i].revents = (int16_t)items[i].revents;
	poll_items_release(items, n);
	if (ret >= 0 && user_out(ufds, fds, n * sizeof(*fds)) != OK)
		ret = E_FAULT;
	return ret;
}

static long do_poll(uaddr_t ufds, unsigned n, uint64_t deadline)
{
	struct pollfd_k few[POLL_SMALL], *fds;
	struct poll_item few_items[POLL_SMALL], *items;
	long ret = E_NOMEM;

	if (n > current_task->rlimit[RLIMIT_NOFILE].rlim_cur)
		return E_INVAL;
	if (n <= POLL_SMALL)
		return poll_with(ufds, n, deadline, few, few_items);
	fds = kmem_alloc(n * sizeof(*fds));
	items = kmem_alloc(n * sizeof(*items));
	if (fds != NULL && items != NULL)
		ret = poll_with(ufds, n, deadline, fds, items);
	kmem_free(fds);
	kmem_free(items);
	return ret;
}

static long poll_restart(struct thread *t)
{
	long ret = do_poll(UADDR(t->restart.arg[0]), (unsigned)t->restart.arg[1],
			   t->restart.arg[2]);

	return ret == E_INTR ? E_RESTART_BLOCK : ret;
}

long sys_poll(uaddr_t fds, unsigned n, int timeout_ms)
{
	uint64_t deadline = timeout_ms < 0 ? WAIT_FOREVER
					   : deadline_after((uint64_t)timeout_ms * 1000000u);
	long ret = do_poll(fds, n, deadline);

	if (ret != E_INTR)
		return ret;
	current->restart.fn = poll_restart;
	current->restart.arg[0] = fds.v;
	current->restart.arg[1] = n;
	current->restart.arg[2] = deadline;
	return E_RESTART_BLOCK;
}

/* What is left of a time-out, written back as Linux does for select, pselect6 and ppoll. */
static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = time_mono_ns();

	return deadline > now ? deadline - now : 0;
}

long sys_ppoll(uaddr_t fds, unsigned n, uaddr_t uts, uaddr_t umask, size_t size)
{
	uint64_t deadline = WAIT_FOREVER, ns;
	long ret;

	if (uts.v != 0) {
		TRY(user_timespec(uts, &ns));
		deadline = deadline_after(ns);
	}
	TRY(mask_begin(umask, size));
	ret = do_poll(fds, n, deadline);
	if (ret == E_INTR)
		ret = E_RESTARTNOHAND;
	mask_end(umask, ret);
	if (uts.v != 0)
		/* may be read-only memory: no error, as in Linux */
		(void)!user_timespec_out(uts, time_left(deadline));
	return ret;
}

/* ---- select ---- */

#define SELECT_IN  (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR)
#define SELECT_OUT (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR)
#define SELECT_EX  EPOLLPRI

/* read, write, exceptional; NULL = not given */
struct select_sets {
	unsigned words;
	uint64_t *bits[3];
};

static err_t select_load(struct select_sets *s, const uaddr_t user[3], uint64_t *store)
{
	for (int k = 0; k < 3; k++) {
		s->bits[k] = user[k].v != 0 ? store + (size_t)k * s->words : NULL;
		if (s->bits[k] != NULL)
			TRY(user_in(s->bits[k], user[k], s->words * 8));
	}
	return OK;
}

static bool select_wants(const struct select_sets *s, int k, unsigned fd)
{
	return s->bits[k] != NULL && (s->bits[k][fd / 64] >> fd % 64 & 1);
}

/* Items for all descriptors in the sets. E_BADF when one is not open. */
static err_t select_items(const struct select_sets *s, unsigned nfds, struct poll_item *items,
			  unsigned *n)
{
	*n = 0;
	for (unsigned fd = 0; fd < nfds; fd++) {
		uint32_t ev = (select_wants(s, 0, fd) ? SELECT_IN : 0) |
			      (select_wants(s, 1, fd) ? SELECT_OUT : 0) |
			      (select_wants(s, 2, fd) ? SELECT_EX : 0);

		if (ev == 0)
			continue;
		items[*n] =
			(struct poll_item){ .fd = (int)fd, .file = fd_get((int)fd), .events = ev };
		if (items[*n].file == NULL)
			return E_BADF;
		(*n)++;
	}
	return OK;
}

static long select_results(struct select_sets *s, const struct poll_item *items, unsigned n)
{
	static const uint32_t masks[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };
	long count = 0;

	for (unsigned i = 0; i < n; i++)
		for (int k = 0; k < 3; k++) {
			unsigned fd = (unsigned)items[i].fd;

			if (!select_wants(s, k, fd))
				continue;
			if (items[i].revents & masks[k])
				count++;
			else
				s->bits[k][fd / 64] &= ~(1ull << fd % 64);
		}
	return count;
}

static long select_with(unsigned nfds, const uaddr_t user[3], uint64_t deadline, uint64_t *store,
			struct poll_item *items)
{
	struct select_sets s = { .words = (nfds + 63) / 64 };
	unsigned n = 0;
	err_t err;
	long ret;

	TRY(select_load(&s, user, store));
	err = select_items(&s, nfds, items, &n);
	ret = err == OK ? poll_files(items, n, deadline) : err;
	if (ret >= 0)
		ret = select_results(&s, items, n);
	poll_items_release(items, n);
	for (int k = 0; ret >= 0 && k < 3; k++)
		if (s.bits[k] != NULL && user_out(user[k], s.bits[k], s.words * 8) != OK)
			ret = E_FAULT;
	return ret;
}

static long do_select(int nfds, uaddr_t in, uaddr_t out, uaddr_t ex, uint64_t deadline)
{
	const uaddr_t user[3] = { in, out, ex };
	struct poll_item *items;
	uint64_t *store;
	unsigned n;
	long ret = E_NOMEM;

	if (nfds < 0)
		return E_INVAL;
	n = (unsigned)nfds;
	if (n > current_task->rlimit[RLIMIT_NOFILE].rlim_max)
		n = (unsigned)current_task->rlimit[RLIMIT_NOFILE].rlim_max;
	store = kmem_zalloc(3 * ((n + 63) / 64) * 8 + 8);
	items = kmem_alloc((n + 1) * sizeof(*items));
	if (store != NULL && items != NULL)
		ret = select_with(n, user, deadline, store, items);
	kmem_free(items);
	kmem_free(store);
	return ret == E_INTR ? E_RESTARTNOHAND : ret;
}

long sys_select(int nfds, uaddr_t in, uaddr_t out, uaddr_t ex, uaddr_t utv)
{
	uint64_t deadline = WAIT_FOREVER;
	struct timeval_k tv;
	long ret;

	if (utv.v != 0) {
		TRY(USER_IN(&tv, utv));
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return E_INVAL;
		deadline = deadline_after((uint64_t)tv.tv_sec > WAIT_FOREVER / 2000000000u
						  ? WAIT_FOREVER
						  : (uint64_t)tv.tv_sec * 1000000000u +
							    (uint64_t)tv.tv_usec * 1000u);
	}
	ret = do_select(nfds, in, out, ex, deadline);
	if (utv.v != 0) {
		uint64_t left = time_left(deadline);

		tv = (struct timeval_k){ (int64_t)(left / 1000000000u),
					 (int64_t)(left % 1000000000u / 1000) };
		(void)!USER_OUT(utv, &tv);
	}
	return ret;
}

long sys_pselect6(int nfds, uaddr_t in, uaddr_t out, uaddr_t ex, uaddr_t uts, uaddr_t usig)
{
	struct {
		uint64_t mask, size;
	} sig = { 0, 0 };
	uint64_t deadline = WAIT_FOREVER, ns;
	long ret;

	if (usig.v != 0)
		TRY(USER_IN(&sig, usig));
	if (uts.v != 0) {
		TRY(user_timespec(uts, &ns));
		deadline = deadline_after(ns);
	}
	TRY(mask_begin(UADDR(sig.mask), sig.size));
	ret = do_select(nfds, in, out, ex, deadline);
	mask_end(UADDR(sig.mask), ret);
	if (uts.v != 0)
		(void)!user_timespec_out(uts, time_left(deadline));
	return ret;
}

/* ---- epoll ---- */

long sys_epoll_ctl(int epfd, int op, int fd, uaddr_t uev)
{
	struct epoll_event ev = { 0 };
	struct file *ep, *f;
	err_t err = OK;

	if (op != EPOLL_CTL_DEL)
		TRY(USER_IN(&ev, uev));
	ep = fd_get(epfd);
	f = fd_get(fd);
	if (ep == NULL || f == NULL)
		err = E_BADF;
	else
		err = epoll_change(ep, op, fd, f, &ev);
	if (ep != NULL)
		file_put(ep);
	if (f != NULL)
		file_put(f);
	return err;
}

#define EPOLL_SMALL 16
#define EPOLL_LARGE 1024

static inline err_t events_out(uaddr_t to, const struct epoll_event *ev, unsigned n)
{
	uint64_t at = to.v;

	TRY(uword_open(at, n * sizeof(*ev)));
	for (; n > 0; n--, ev++, at += sizeof(*ev)) {
		UWORD_PUT((uint32_t *)at, ev->events, failed);
		UWORD_PUT((uint64_t *)(at + offsetof(struct epoll_event, data)), ev->data, failed);
	}
	uword_close();
	return OK;
failed:
	uword_close();
	return E_FAULT;
}

/* With room for `max` events at ev. MAY_SWITCH */
static inline long wait_with(struct file *ep, uaddr_t to, struct epoll_event *ev, unsigned max,
			     uint64_t deadline)
{
	long n = epoll_wait_events(ep, ev, max, deadline);

	return n > 0 && events_out(to, ev, (unsigned)n) != OK ? E_FAULT : n;
}

static __attribute__((noinline)) long wait_for_few(struct file *ep, uaddr_t to, unsigned max,
						   uint64_t deadline)
{
	struct epoll_event few[EPOLL_SMALL];

	return wait_with(ep, to, few, max, deadline);
}

static __attribute__((noinline)) long wait_for_many(struct file *ep, uaddr_t to, unsigned max,
						    uint64_t deadline)
{
	struct epoll_event *ev;
	long n;

	if (max > EPOLL_LARGE)
		max = EPOLL_LARGE;
	ev = kmem_alloc(max * sizeof(*ev));
	if (ev == NULL)
		return wait_for_few(ep, to, EPOLL_SMALL, deadline);
	n = wait_with(ep, to, ev, max, deadline);
	kmem_free(ev);
	return n;
}

static inline long do_epoll_wait(int epfd, uaddr_t to, int max, uint64_t deadline)
{
	struct file *ep;
	long n;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(struct epoll_event))
		return E_INVAL;
	ep = fd_get(epfd);
	if (ep == NULL)
		return E_BADF;
	n = max > EPOLL_SMALL ? wait_for_many(ep, to, (unsigned)max, deadline)
			      : wait_for_few(ep, to, (unsigned)max, deadline);
	file_put(ep);
	return n;
}

static uint64_t epoll_deadline(int timeout_ms)
{
	return timeout_ms < 0    ? WAIT_FOREVER
	       : timeout_ms == 0 ? 0
				 : deadline_after((uint64_t)timeout_ms * 1000000u);
}

long sys_epoll_wait(int epfd, uaddr_t to, int max, int timeout_ms)
{
	return do_epoll_wait(epfd, to, max, epoll_deadline(timeout_ms));
}

long sys_epoll_pwait(int epfd, uaddr_t to, int max, int timeout_ms, uaddr_t umask, size_t size)
{
	long ret;

	TRY(mask_begin(umask, size));
	ret = do_epoll_wait(epfd, to, max, epoll_deadline(timeout_ms));
	mask_end(umask, ret);
	return ret;
}

long sys_epoll_pwait2(int epfd, uaddr_t to, int max, uaddr_t uts, uaddr_t umask, size_t size)
{
	uint64_t deadline = WAIT_FOREVER, ns;
	long ret;

	if (uts.v != 0) {
		TRY(user_timespec(uts, &ns));
		deadline = deadline_after(ns);
	}
	TRY(mask_begin(umask, size));
	ret = do_epoll_wait(epfd, to, max, deadline);
	mask_end(umask, ret);
	return ret;
}
