/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vfs/test/fake.h"

#include "abi/nk.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kmem.h"
#include "kernel/x86/x86.h"

/* stdlib.h cannot be had beside the kernel's signal types. */
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t size);
void *aligned_alloc(size_t align, size_t size);
void free(void *p);
NORETURN void abort(void);

struct task fake_task;
struct thread fake_thread;
struct thread *current = &fake_thread;
struct list all_tasks = LIST_INIT(all_tasks);
uint64_t fake_now_ns;
unsigned fake_wakeups;
void (*fake_on_wait)(void);
wait_result_t fake_wait_result;
int fake_signal, fake_signal_pgrp;
sigmask_t fake_pending;
long fake_frames, fake_objects;
size_t (*fake_reclaim)(size_t want);
enum log_level log_level = LOG_WARN;

static struct sighand sighand;
static struct timer *timers[16];

void fake_reset(void)
{
	memset(&fake_task, 0, sizeof(fake_task));
	memset(&fake_thread, 0, sizeof(fake_thread));
	memset(&sighand, 0, sizeof(sighand));
	fake_thread.task = &fake_task;
	fake_task.sighand = &sighand;
	fake_task.pid = fake_task.sid = fake_task.pgid = 10;
	waitq_init(&fake_task.signal_wait);
	list_init(&all_tasks);
	list_push_back(&all_tasks, &fake_task.all);
	fake_now_ns = 1000000000;
	fake_on_wait = NULL;
	fake_wait_result = WAIT_WOKEN;
	fake_wakeups = 0;
	fake_signal = fake_signal_pgrp = 0;
	fake_pending = 0;
}

/* ---- memory ---- */

void *kmem_alloc(size_t size)
{
	fake_objects++;
	return calloc(1, size);
}

void *kmem_zalloc(size_t size)
{
	return kmem_alloc(size);
}

void kmem_free(void *p)
{
	if (p != NULL)
		fake_objects--;
	free(p);
}

paddr_t frame_alloc_order(unsigned order, unsigned flags)
{
	void *p = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);

	(void)flags;
	memset(p, 0, PAGE_SIZE << order);
	fake_frames++;
	return dm_paddr(p);
}

paddr_t frame_alloc(unsigned flags)
{
	return frame_alloc_order(0, flags);
}

void frame_put(paddr_t pa)
{
	fake_frames--;
	free(dm_ptr(pa));
}

void mem_register_reclaim(size_t (*fn)(size_t want))
{
	fake_reclaim = fn;
}

size_t x86_copy_from_user(void *dst, uint64_t src, size_t len)
{
	memcpy(dst, (void *)src, len);
	return 0;
}

size_t x86_copy_to_user(uint64_t dst, const void *src, size_t len)
{
	memcpy((void *)dst, src, len);
	return 0;
}

size_t x86_zero_user(uint64_t dst, size_t len)
{
	memset((void *)dst, 0, len);
	return 0;
}

/* ---- waiting ---- */

void waitq_init(struct waitq *q)
{
	list_init(&q->waiters);
}

static wait_result_t fake_sleep(void)
{
	void (*act)(void) = fake_on_wait;

	fake_on_wait = NULL;
	if (act == NULL)
		return WAIT_SIGNAL;
	act();
	return fake_wait_result;
}

wait_result_t wait_on(struct waitq *q, uint64_t deadline_ns, bool interruptible)
{
	(void)q;
	(void)deadline_ns;
	(void)interruptible;
	return fake_sleep();
}

unsigned wake_up(struct waitq *q, unsigned max)
{
	unsigned n = 0;

	LIST_FOR_EACH_SAFE(pos, &q->waiters) {
		struct wait_entry *e = list_entry(pos, struct wait_entry, node);

		if (e->exclusive && max-- == 0)
			break;
		n++;
		fake_wakeups++;
		if (e->notify != NULL)
			e->notify(e);
	}
	return n;
}

void wait_entry_add(struct waitq *q, struct wait_entry *e)
{
	list_push_back(&q->waiters, &e->node);
}

void wait_entry_remove(struct wait_entry *e)
{
	list_remove(&e->node);
}

void wait_prepare(void)
{
}

wait_result_t wait_commit(uint64_t deadline_ns, bool interruptible)
{
	(void)deadline_ns;
	(void)interruptible;
	return fake_sleep();
}

/* ---- time ---- */

uint64_t time_mono_ns(void)
{
	return fake_now_ns;
}

uint64_t time_real_ns(void)
{
	return 1700000000000000000ull + fake_now_ns;
}

static struct timer **timer_slot(const struct timer *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		if (timers[i] == t)
			return &timers[i];
	abort();
}

void timer_set(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t))
{
	if (!t->armed)
		*timer_slot(NULL) = t;
	t->deadline_ns = deadline_ns;
	t->fire = fire;
	t->armed = true;
}

void timer_cancel(struct timer *t)
{
	if (t->armed)
		*timer_slot(t) = NULL;
	t->armed = false;
}

void fake_time_passes(uint64_t ns)
{
	fake_now_ns += ns;
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		struct timer *t = timers[i];

		if (t == NULL || t->deadline_ns > fake_now_ns)
			continue;
		timer_cancel(t);
		t->fire(t);
	}
}

/* ---- signals ---- */

err_t signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
	(void)t;
	(void)info;
	fake_signal = sig;
	return OK;
}

err_t signal_send_task(struct task *t, int sig, const struct ksiginfo *info)
{
	(void)t;
	(void)info;
	fake_signal = sig;
	return OK;
}

unsigned signal_send_pgrp(int pgid, int sig, const struct ksiginfo *info)
{
	(void)info;
	fake_signal = sig;
	fake_signal_pgrp = pgid;
	return 1;
}

bool signal_pending_current(void)
{
	return false;
}

int signal_take(sigmask_t set, struct ksiginfo *out)
{
	sigmask_t m = set & fake_pending;
	int sig = m == 0 ? 0 : __builtin_ctzll(m) + 1;

	memset(out, 0, sizeof(*out));
	if (sig != 0)
		fake_pending &= ~SIG_BIT(sig);
	return sig;
}

struct task *task_find(int pid)
{
	return pid == fake_task.pid ? &fake_task : NULL;
}

/* ---- files ---- */

struct file *file_create(const struct file_ops *ops, void *priv, uint32_t flags, uint32_t mode)
{
	struct file *f = calloc(1, sizeof(*f));

	f->ops = ops;
	f->priv = priv;
	f->flags = flags;
	f->anon_mode = mode;
	f->refs = 1;
	list_init(&f->epoll_items);
	return f;
}

void file_put_last(struct file *f)
{
	epoll_file_gone(f);
	if (f->ops != NULL && f->ops->release != NULL)
		f->ops->release(f);
	free(f);
}

uint32_t file_poll(struct file *f, struct poll_table *t)
{
	return f->ops->poll(f, t);
}

err_t file_stat(struct file *f, struct kstat *out)
{
	memset(out, 0, sizeof(*out));
	out->ino = f->anon_ino;
	return OK;
}

long fake_read(struct file *f, void *buf, size_t len)
{
	struct uio u;
	size_t done = 0;
	err_t err;

	uio_kernel(&u, buf, len);
	err = f->ops->read(f, UINT64_MAX, &u, &done);
	return done > 0 ? (long)done : err;
}

long fake_write(struct file *f, const void *buf, size_t len)
{
	struct uio u;
	size_t done = 0;
	err_t err;

	uio_kernel(&u, (void *)buf, len);
	err = f->ops->write(f, UINT64_MAX, &u, &done);
	return done > 0 ? (long)done : err;
}

/* ---- what must not happen ---- */

void panic(const char *fmt, ...)
{
	(void)fmt;
	abort();
}

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

long file_seek_nowhere(struct file *f, int64_t off, int whence)
{
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}
