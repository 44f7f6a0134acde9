/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pending signals of a thread or process: a bit for each number, and a list of what is known about
 * them. A standard signal is kept once; real-time signals are all kept, in order. The bit may be
 * set without information (memory was short): then the receiver gets an empty one, but the signal
 * itself is never lost.
 */
#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/task/internal.h"

void sigqueue_init(struct sig_queue *q)
{
	q->pending = 0;
	q->count = 0;
	list_init(&q->infos);
}

/* One record is kept: mostly a signal has been taken when the next one comes. */
static struct sig_info *spare;

static struct sig_info *info_alloc(void)
{
	struct sig_info *i = spare;

	spare = NULL;
	return i != NULL ? i : kmem_alloc(sizeof(*i));
}

static void drop_info(struct sig_queue *q, struct sig_info *i)
{
	list_remove(&i->node);
	q->count--;
	if (spare == NULL)
		spare = i;
	else
		kmem_free(i);
}

void sigqueue_drop(struct sig_queue *q, sigmask_t mask)
{
	if (!(q->pending & mask))
		return;
	q->pending &= ~mask;
	LIST_FOR_EACH_SAFE(l, &q->infos) {
		struct sig_info *i = list_entry(l, struct sig_info, node);

		if (mask & SIG_BIT(i->info.si_signo))
			drop_info(q, i);
	}
}

void sigqueue_flush(struct sig_queue *q)
{
	sigqueue_drop(q, ~0ull);
}

static bool from_user(const struct ksiginfo *info)
{
	return info->si_code <= 0;
}

err_t sigqueue_add(struct sig_queue *q, int sig, const struct ksiginfo *info, uint64_t limit)
{
	bool realtime = sig >= SIGRTMIN;
	struct sig_info *i = NULL;

	if (!realtime && (q->pending & SIG_BIT(sig)))
		return OK;
	if (q->count < limit || (!realtime && !from_user(info)))
		i = info_alloc();
	if (i == NULL && realtime && info->si_code != SI_USER)
		return E_AGAIN;
	q->pending |= SIG_BIT(sig);
	if (i == NULL)
		return OK;
	i->info = *info;
	i->info.si_signo = sig;
	list_push_back(&q->infos, &i->node);
	q->count++;
	return OK;
}

int sigqueue_next(const struct sig_queue *q, sigmask_t blocked)
{
	sigmask_t ready = q->pending & ~blocked;

	if (ready & SIG_MASK_SYNC_)
		ready &= SIG_MASK_SYNC_;
	return ready == 0 ? 0 : __builtin_ctzll(ready) + 1;
}

void sigqueue_take(struct sig_queue *q, int sig, struct ksiginfo *out)
{
	struct sig_info *found = NULL;
	bool more = false;

	LIST_FOR_EACH(l, &q->infos) {
		struct sig_info *i = list_entry(l, struct sig_info, node);

		if (i->info.si_signo != sig)
			continue;
		if (found != NULL) {
			more = true;
			break;
		}
		found = i;
	}
	if (!more)
		q->pending &= ~SIG_BIT(sig);
	if (found == NULL) {
		memset(out, 0, sizeof(*out));
		out->si_signo = sig;
		return;
	}
	*out = found->info;
	drop_info(q, found);
}

bool sigqueue_has_timer(const struct sig_queue *q, int sig, int timer_id)
{
	LIST_FOR_EACH(l, &q->infos) {
		const struct sig_info *i = list_entry(l, struct sig_info, node);

		if (i->info.si_signo == sig && i->info.si_code == SI_TIMER &&
		    i->info.si_tid == timer_id)
			return true;
	}
	return false;
}
