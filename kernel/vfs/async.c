/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * O_ASYNC: like a member of an epoll set, the file has entries in its own wait queues, whose
 * wake-ups become signals. Wake-ups say that something may have changed; what, a look tells.
 */
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>

#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/task.h"
#include "kernel/vfs/async.h"
#include "kernel/vfs/internal.h"
#include "kernel/vfs/poll.h"

#define QUEUES 2u /* as many as files that can signal have */

struct async_watch {
	struct wait_entry entry;
	struct async *async;
	uint32_t events;
};

struct async {
	struct file *file;
	int type, id; /* F_OWNER_*; 0: nobody */
	uint32_t uid, euid;
	int sig, fd;
	unsigned n; /* watches; 0: O_ASYNC is off */
	struct async_watch watch[QUEUES];
};

static struct async *async_of(struct file *f)
{
	if (f->async == NULL)
		f->async = kmem_zalloc(sizeof(*f->async));
	if (f->async != NULL)
		f->async->file = f;
	return f->async;
}

/* ---- owners ---- */

static bool group_exists(int pgid)
{
	LIST_FOR_EACH(l, &all_tasks)
		if (list_entry(l, struct task, all)->pgid == pgid)
			return true;
	return false;
}

static bool owner_exists(int type, int id)
{
	switch (type) {
	case F_OWNER_TID: return thread_find(id) != NULL;
	case F_OWNER_PID: return task_find(id) != NULL;
	default: return group_exists(id);
	}
}

err_t async_set_owner(struct file *f, int type, int id)
{
	struct async *a;

	if (id != 0 && !owner_exists(type, id))
		return E_SRCH;
	if (id == 0 && f->async == NULL)
		return OK;
	a = async_of(f);
	if (a == NULL)
		return E_NOMEM;
	a->type = type;
	a->id = id;
	a->uid = current_cred()->uid;
	a->euid = current_cred()->euid;
	return OK;
}

void async_get_owner(const struct file *f, int *type, int *id)
{
	const struct async *a = f->async;

	*type = a != NULL ? a->type : F_OWNER_TID;
	*id = a != NULL && a->id != 0 && owner_exists(a->type, a->id) ? a->id : 0;
}

err_t async_set_owner_number(struct file *f, int number)
{
	if (number == INT32_MIN)
		return E_INVAL;
	return number < 0 ? async_set_owner(f, F_OWNER_PGRP, -number)
			  : async_set_owner(f, F_OWNER_PID, number);
}

int async_get_owner_number(const struct file *f)
{
	int type, id;

	async_get_owner(f, &type, &id);
	return type == F_OWNER_PGRP ? -id : id;
}

err_t async_set_signal(struct file *f, int sig)
{
	struct async *a;

	if (sig == 0 && f->async == NULL)
		return OK;
	a = async_of(f);
	if (a == NULL)
		return E_NOMEM;
	a->sig = sig;
	return OK;
}

int async_get_signal(const struct file *f)
{
	return f->async != NULL ? f->async->sig : 0;
}

/* ---- signals ---- */

static bool may_signal(const struct async *a, const struct task *t)
{
	const struct cred *c = &t->cred;

	return a->euid == 0 || a->euid == c->suid || a->euid == c->uid || a->uid == c->suid ||
	       a->uid == c->uid;
}

static err_t send_one(struct task *t, struct thread *th, int sig, const struct ksiginfo *info)
{
	return th != NULL ? signal_send_thread(th, sig, info) : signal_send_task(t, sig, info);
}

/* th NULL: to the process; info NULL: SIGURG. */
static void tell(const struct async *a, struct task *t, struct thread *th,
		 const struct ksiginfo *info)
{
	if (!may_signal(a, t))
		return;
	if (info == NULL) {
		if (send_one(t, th, SIGURG, NULL) != OK)
			log_debug("SIGURG could not be queued");
		return;
	}
	/* A queue that is full is told by the signal that needs no room. */
	if (a->sig != 0 && send_one(t, th, a->sig, info) == OK)
		return;
	if (send_one(t, th, SIGIO, NULL) != OK)
		log_debug("SIGIO could not be queued");
}

static int band_of(int code)
{
	switch (code) {
	case POLL_IN: return EPOLLIN | EPOLLRDNORM;
	case POLL_OUT: return (int)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	case POLL_MSG: return (int)(EPOLLIN | EPOLLRDNORM | EPOLLMSG);
	default: return EPOLLHUP | EPOLLERR; /* POLL_HUP */
	}
}

static void tell_group(const struct async *a, const struct ksiginfo *info)
{
	LIST_FOR_EACH(l, &all_tasks) {
		struct task *t = list_entry(l, struct task, all);

		if (t->pgid == a->id)
			tell(a, t, NULL, info);
	}
}

static void tell_owner(const struct async *a, const struct ksiginfo *info)
{
	struct thread *th;
	struct task *t;

	switch (a->type) {
	case F_OWNER_TID:
		th = thread_find(a->id);
		if (th != NULL)
			tell(a, th->task, th, info);
		break;
	case F_OWNER_PID:
		t = task_find(a->id);
		if (t != NULL)
			tell(a, t, NULL, info);
		break;
	default: tell_group(a, info);
	}
}

void async_signal(struct file *f, int fd, int code)
{
	const struct async *a = f->async;
	struct ksiginfo info;

	if (a == NULL || a->id == 0)
		return;
	memset(&info, 0, sizeof(info));
	info.si_signo = a->sig;
	info.si_code = code;
	info.si_band = band_of(code);
	info.si_fd = fd;
	tell_owner(a, &info);
}

void async_urgent(struct file *f)
{
	if (f->async != NULL && f->async->id != 0)
		tell_owner(f->async, NULL);
}

/* ---- readiness ---- */

/* What a wake-up of a queue that stands for `events` tells; 0: nothing. */
static int code_of(struct file *f, uint32_t events)
{
	uint32_t now = file_poll(f, NULL) & events;

	if ((events & EPOLLIN) != 0) {
		if (S_ISSOCK(f->anon_mode) && (now & EPOLLHUP) != 0)
			return POLL_HUP;
		return (now & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 ? POLL_IN : 0;
	}
	if (!S_ISSOCK(f->anon_mode))
		return (now & (EPOLLOUT | EPOLLERR)) != 0 ? POLL_OUT : 0;
	if (!f->async_wants_room || (now & EPOLLOUT) == 0)
		return 0;
	f->async_wants_room = false;
	return POLL_OUT;
}

static void watch_notify(struct wait_entry *e)
{
	struct async_watch *w = container_of(e, struct async_watch, entry);
	int code = code_of(w->async->file, w->events);

	if (code != 0)
		async_signal(w->async->file, w->async->fd, code);
}

struct registration {
	struct poll_table table;
	struct async *async;
};

static void watch_add(struct poll_table *t, struct waitq *q, uint32_t events)
{
	struct async *a = container_of(t, struct registration, table)->async;
	struct async_watch *w;

	BUG_ON(a->n == QUEUES);
	w = &a->watch[a->n++];
	*w = (struct async_watch){ .async = a, .events = events };
	list_init(&w->entry.node);
	w->entry.notify = watch_notify;
	wait_entry_add(q, &w->entry);
}

static void unwatch(struct async *a)
{
	while (a->n > 0)
		wait_entry_remove(&a->watch[--a->n].entry);
}

err_t async_enable(struct file *f, int fd, bool on)
{
	struct registration r = { .table = { watch_add } };

	if (!on) {
		if (f->async != NULL)
			unwatch(f->async);
		f->flags &= ~(uint32_t)FASYNC;
		return OK;
	}
	r.async = async_of(f);
	if (r.async == NULL)
		return E_NOMEM;
	r.async->fd = fd;
	f->flags |= FASYNC;
	if (r.async->n == 0)
		(void)file_poll(f, &r.table);
	return OK;
}

void async_gone(struct file *f)
{
	unwatch(f->async);
	kmem_free(f->async);
	f->async = NULL;
}
