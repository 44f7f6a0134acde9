/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advisory locks. All locks of an inode lie on inode.locks, those of all files without one (pipes,
 * sockets) on one list, told apart by their number. Ranges are [start, end] with end inclusive. Of
 * one owner the ranges of record locks never overlap. A waiter sleeps on one queue for the inode's
 * whole set and looks again after each release; `waiting` records whom it waits for, for the search
 * for deadlocks.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "kernel/core/core.h"
#include "kernel/mem/kmem.h"
#include "kernel/vfs/internal.h"
#include "kernel/vfs/lock.h"

#define LOCK_END       ((uint64_t)INT64_MAX)
#define OPEN_MODE_LOCK 1

enum lock_kind { KIND_POSIX, KIND_OFD, KIND_FLOCK };

struct lock {
	struct list node; /* inode.locks, or anon_locks */
	enum lock_kind kind;
	bool write;
	const void *owner; /* descriptor table (POSIX) or file */
	int pid;
	uint64_t anon_ino; /* 0: the inode's */
	uint64_t start, end;
};

/* A thread that waits for a POSIX lock; on its kernel stack. */
struct lock_wait {
	struct list node;
	const void *owner, *blocked_by;
};

static struct list waiting = LIST_INIT(waiting);
static struct list anon_locks = LIST_INIT(anon_locks);
static struct waitq released = WAITQ_INIT(released);

static bool kinds_meet(enum lock_kind a, enum lock_kind b)
{
	return (a == KIND_FLOCK) == (b == KIND_FLOCK);
}

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return a->kind == b->kind && a->owner == b->owner && a->anon_ino == b->anon_ino;
}

static bool overlap(const struct lock *a, const struct lock *b)
{
	return a->anon_ino == b->anon_ino && a->start <= b->end && b->start <= a->end;
}

static bool conflict(const struct lock *held, const struct lock *want)
{
	return kinds_meet(held->kind, want->kind) && !same_owner(held, want) &&
	       overlap(held, want) && (held->write || want->write);
}

static struct list *locks_of(struct file *f)
{
	return f->inode != NULL ? &f->inode->locks : &anon_locks;
}

static uint64_t lock_ino(const struct file *f)
{
	return f->inode != NULL ? 0 : f->anon_ino;
}

static struct lock *find_conflict(struct list *locks, const struct lock *want)
{
	LIST_FOR_EACH(pos, locks) {
		struct lock *l = list_entry(pos, struct lock, node);

		if (conflict(l, want))
			return l;
	}
	return NULL;
}

static struct lock *lock_copy(const struct lock *from)
{
	struct lock *l = kmem_alloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	*l = *from;
	list_init(&l->node);
	return l;
}

static void lock_free(struct lock *l)
{
	list_remove(&l->node);
	kmem_free(l);
}

/*
 * Give the owner of `want` the range (or, unlock, nothing there): cuts its old locks to fit. Two
 * fresh locks are enough: the new one, and the right half of an old one that is split. Checked
 * before anything changes.
 */
static err_t apply_range(struct list *locks, const struct lock *want, bool unlock)
{
	struct lock *fresh = NULL, *right = lock_copy(want);

	if (!unlock)
		fresh = lock_copy(want);
	if (right == NULL || (!unlock && fresh == NULL)) {
		kmem_free(fresh);
		kmem_free(right);
		return E_NOLCK;
	}
	LIST_FOR_EACH_SAFE(pos, locks) {
		struct lock *l = list_entry(pos, struct lock, node);

		if (!same_owner(l, want) || !overlap(l, want))
			continue;
		if (l->start < want->start && l->end > want->end) {
			*right = *l;
			list_init(&right->node);
			right->start = want->end + 1;
			l->end = want->start - 1;
			list_insert_after(&l->node, &right->node);
			right = NULL;
			break; /* no other of ours can overlap */
		}
		if (l->start < want->start)
			l->end = want->start - 1;
		else if (l->end > want->end)
			l->start = want->end + 1;
		else
			lock_free(l);
	}
	if (fresh != NULL)
		list_push_back(locks, &fresh->node);
	kmem_free(right);
	return OK;
}

/* Would `owner` wait for itself if it waited for `by`? Each owner is followed through the one it
 * waits for. */
static bool deadlock(const void *owner, const void *by)
{
	for (unsigned depth = 0; depth < 64; depth++) {
		const void *next = NULL;

		if (by == owner)
			return true;
		LIST_FOR_EACH(pos, &waiting) {
			const struct lock_wait *w = list_entry(pos, struct lock_wait, node);

			if (w->owner == by)
				next = w->blocked_by;
		}
		if (next == NULL)
			return false;
		by = next;
	}
	return false;
}

/* Sleep until some lock is released. */
static err_t wait_release(const struct lock *want, const struct lock *blocker)
{
	struct lock_wait w = { .owner = want->owner, .blocked_by = blocker->owner };
	wait_result_t r;

	if (want->kind == KIND_POSIX && blocker->kind == KIND_POSIX &&
	    deadlock(want->owner, blocker->owner))
		return E_DEADLK;
	list_init(&w.node);
	if (want->kind == KIND_POSIX && blocker->kind == KIND_POSIX)
		list_push_back(&waiting, &w.node);
	r = wait_on(&released, WAIT_FOREVER, true);
	list_remove(&w.node);
	return r == WAIT_SIGNAL ? E_RESTARTSYS : OK;
}

static err_t lock_set(struct list *locks, const struct lock *want, bool unlock, bool wait)
{
	struct lock *blocker;

	if (!unlock) {
		while ((blocker = find_conflict(locks, want)) != NULL) {
			if (!wait)
				return E_AGAIN;
			TRY(wait_release(want, blocker));
		}
	}
	TRY(apply_range(locks, want, unlock));
	wake_all(&released); /* also after a write lock became a read lock */
	return OK;
}

/* ---- fcntl ---- */

static err_t range_of(struct file *f, const struct flock *fl, struct lock *l)
{
	int64_t start, end;

	switch (fl->l_whence) {
	case SEEK_SET: start = 0; break;
	case SEEK_CUR: start = (int64_t)f->pos; break;
	case SEEK_END: start = f->inode != NULL ? (int64_t)f->inode->size : 0; break;
	default: return E_INVAL;
	}
	if (__builtin_add_overflow(start, fl->l_start, &start))
		return E_OVERFLOW;
	if (start < 0)
		return E_INVAL;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return E_OVERFLOW;
	} else if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
		if (start < 0)
			return E_INVAL;
	} else {
		end = INT64_MAX;
	}
	l->start = (uint64_t)start;
	l->end = (uint64_t)end;
	return OK;
}

static void answer_getlk(struct list *locks, const struct lock *want, struct flock *fl)
{
	const struct lock *l = find_conflict(locks, want);

	if (l == NULL) {
		fl->l_type = F_UNLCK;
		return;
	}
	fl->l_type = l->write ? F_WRLCK : F_RDLCK;
	fl->l_whence = SEEK_SET;
	fl->l_start = (int64_t)l->start;
	fl->l_len = l->end == LOCK_END ? 0 : (int64_t)(l->end - l->start + 1);
	fl->l_pid = l->kind == KIND_OFD ? -1 : l->pid;
}

static bool mode_allows(const struct file *f, int type)
{
	if (type == F_RDLCK)
		return file_readable(f);
	return type != F_WRLCK || file_writable(f);
}

err_t lock_fcntl(struct file *f, int cmd, struct flock *fl)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK;
	struct lock want = {
		.kind = ofd ? KIND_OFD : KIND_POSIX,
		.write = fl->l_type == F_WRLCK,
		.owner = ofd ? (const void *)f : current_task->files,
		.pid = current_task->pid,
		.anon_ino = lock_ino(f),
	};

	if ((fl->l_type != F_RDLCK && fl->l_type != F_WRLCK && (get || fl->l_type != F_UNLCK)) ||
	    (ofd && fl->l_pid != 0))
		return E_INVAL;
	TRY(range_of(f, fl, &want));
	if (get) {
		answer_getlk(locks_of(f), &want, fl);
		return OK;
	}
	if (!mode_allows(f, fl->l_type))
		return E_BADF;
	return lock_set(locks_of(f), &want, fl->l_type == F_UNLCK,
			cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

/* ---- flock ---- */

err_t lock_flock(struct file *f, int op)
{
	bool wait = (op & LOCK_NB) == 0;
	struct lock want = {
		.kind = KIND_FLOCK,
		.owner = f,
		.pid = current_task->pid,
		.anon_ino = lock_ino(f),
		.end = LOCK_END,
	};

	op &= ~LOCK_NB;
	if (op != LOCK_SH && op != LOCK_EX && op != LOCK_UN)
		return E_INVAL;
	want.write = op == LOCK_EX;
	/* As in Linux, changing the kind is not atomic: the old lock goes first, others may come
	 * between. */
	if (op != LOCK_UN)
		TRY(lock_set(locks_of(f), &want, true, false));
	return lock_set(locks_of(f), &want, op == LOCK_UN, wait);
}

/* ---- release ---- */

static void release_owned(struct file *f, enum lock_kind kind, const void *owner)
{
	bool any = false;

	LIST_FOR_EACH_SAFE(pos, locks_of(f)) {
		struct lock *l = list_entry(pos, struct lock, node);

		if (l->kind == kind && l->owner == owner && l->anon_ino == lock_ino(f)) {
			lock_free(l);
			any = true;
		}
	}
	if (any)
		wake_all(&released);
}

void lock_close_posix(struct file *f, struct fdtable *owner)
{
	if (!list_empty(locks_of(f)))
		release_owned(f, KIND_POSIX, owner);
}

void lock_close_file(struct file *f)
{
	if (list_empty(locks_of(f)))
		return;
	release_owned(f, KIND_OFD, f);
	release_owned(f, KIND_FLOCK, f);
}

void lock_for_each(struct inode *i, void (*fn)(void *ctx, const struct lock_info *l), void *ctx)
{
	static const char *const names[] = { "POSIX", "OFDLCK", "FLOCK" };

	LIST_FOR_EACH(pos, &i->locks) {
		const struct lock *l = list_entry(pos, struct lock, node);
		struct lock_info info = {
			names[l->kind], l->write, false, l->pid, l->start, l->end
		};

		fn(ctx, &info);
	}
}
