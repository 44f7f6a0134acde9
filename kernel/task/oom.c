/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a program's page cannot be had: somebody is killed, as Linux chooses. The victim's private
 * memory is taken at once, not when it gets round to its end: who needs the page may be unable to
 * wait.
 */
#include "kernel/core/core.h"
#include "kernel/mem/frame.h"
#include "kernel/task/internal.h"

#define SCORE_MIN INT64_MIN /* not to be killed */

void (*task_oom_hook)(struct task *t);

static int64_t total_pages(void)
{
	struct mem_stats m;

	mem_stats(&m);
	return (int64_t)(m.total / PAGE_SIZE);
}

/* Linux's rule: what its end would give, moved by a share of all memory. */
static int64_t badness(const struct task *t, int64_t total)
{
	if (t->state != TASK_ALIVE || t->mm == NULL || t->oom_score_adj == OOM_SCORE_ADJ_MIN ||
	    t == &kernel_task)
		return SCORE_MIN;
	return (int64_t)t->mm->pages_mapped + t->oom_score_adj * (total / 1000);
}

unsigned oom_score(const struct task *t)
{
	int64_t total = total_pages(), points = badness(t, total);

	/* The first process is killed only when nobody else is left: it is never a choice. */
	if (points == SCORE_MIN || t->parent == NULL || total == 0)
		return 0;
	points = (1000 + points * 1000 / total) * 2 / 3;
	return points > 0 ? (unsigned)points : 0;
}

/* Whose memory goes: the worst of those that are not ending already; the first process last. */
static struct task *choose(int64_t total)
{
	struct task *worst = NULL, *first = NULL;
	int64_t most = SCORE_MIN;

	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);
		int64_t points = badness(t, total);

		if (t->exiting || points == SCORE_MIN)
			continue;
		if (t->parent == NULL)
			first = t;
		else if (points > most) {
			most = points;
			worst = t;
		}
	}
	return worst != NULL ? worst : first;
}

static void kill_user_of(struct task *t, const struct task *wants, int64_t total)
{
	user_log(
		"out of memory: %s (pid %d) is killed; it has %lu MiB in use, score %u, adjusted by %d; "
		"%s (pid %d) wanted more, of %lu MiB",
		t->comm, t->pid, (unsigned long)(t->mm->pages_mapped >> 8), oom_score(t),
		t->oom_score_adj, wants->comm, wants->pid, (unsigned long)(total >> 8));
	if (task_oom_hook != NULL)
		task_oom_hook(t);
	task_begin_exit(t, SIGKILL);
}

/*
 * Kill all that run in the victim's memory, but for the first process; true if that is all of them.
 */
static bool kill_users(struct task *victim, int64_t total)
{
	struct aspace *mm = victim->mm;
	bool all = true;

	LIST_FOR_EACH(pos, &all_tasks) {
		struct task *t = list_entry(pos, struct task, all);

		if (t->mm != mm || t->state != TASK_ALIVE)
			continue;
		if (t->parent == NULL && t != victim)
			all = false;
		else if (!t->exiting)
			kill_user_of(t, current_task, total);
	}
	return all;
}

bool oom_kill(void)
{
	int64_t total = total_pages();
	struct task *victim = choose(total);

	if (victim == NULL)
		return false;
	if (kill_users(victim, total) && victim->mm != current_task->mm)
		aspace_reap(victim->mm);
	return true;
}

bool oom_somebody_ends(void)
{
	LIST_FOR_EACH(pos, &all_tasks) {
		const struct task *t = list_entry(pos, struct task, all);

		if (t != current_task && t->exiting && t->mm != NULL)
			return true;
	}
	return false;
}
