/* SPDX-License-Identifier: BSD-2-Clause */
/* SEM_UNDO: what a process gives back when it ends. */
#include "base/str.h"
#include "kernel/ipc/sem.h"

static err_t own_list(struct sem_undo_list **out)
{
	struct sem_undo_list *l = current_task->sem_undos;

	if (l == NULL) {
		l = kmem_zalloc(sizeof(*l));
		if (l == NULL)
			return E_NOMEM;
		l->refs = 1;
		list_init(&l->undos);
		current_task->sem_undos = l;
	}
	*out = l;
	return OK;
}

static void undo_free(struct sem_undo *u)
{
	list_remove(&u->of_set);
	list_remove(&u->of_list);
	kmem_free(u);
}

err_t sem_undo_get(struct sem_set *s, struct sem_undo **out)
{
	struct sem_undo_list *l;
	struct sem_undo *u;

	TRY(own_list(&l));
	LIST_FOR_EACH(pos, &l->undos) {
		u = list_entry(pos, struct sem_undo, of_list);
		if (u->set == s) {
			*out = u;
			return OK;
		}
	}
	u = kmem_zalloc(sizeof(*u) + s->n * sizeof(u->adjust[0]));
	if (u == NULL)
		return E_NOMEM;
	u->set = s;
	list_push_back(&s->undos, &u->of_set);
	list_push_back(&l->undos, &u->of_list);
	*out = u;
	return OK;
}

void sem_undo_clear(struct sem_set *s, unsigned i)
{
	LIST_FOR_EACH(pos, &s->undos) {
		struct sem_undo *u = list_entry(pos, struct sem_undo, of_set);

		if (i < s->n)
			u->adjust[i] = 0;
		else
			memset(u->adjust, 0, s->n * sizeof(u->adjust[0]));
	}
}

void sem_undo_detach(struct sem_set *s)
{
	while (!list_empty(&s->undos))
		undo_free(list_entry(s->undos.next, struct sem_undo, of_set));
}

/* ---- sharing and the end ---- */

static void give_back(struct sem_undo *u, int pid)
{
	struct sem_set *s = u->set;

	for (unsigned i = 0; i < s->n; i++) {
		int value = s->sem[i].value + u->adjust[i];

		if (u->adjust[i] == 0)
			continue;
		s->sem[i].value = (uint16_t)(value < 0 ? 0 : value > SEMVMX ? SEMVMX : value);
		s->sem[i].pid = pid;
	}
	s->otime = ipc_now();
	undo_free(u);
	sem_serve(s);
}

static void list_put(struct sem_undo_list *l, int pid)
{
	if (--l->refs > 0)
		return;
	while (!list_empty(&l->undos))
		give_back(list_entry(l->undos.next, struct sem_undo, of_list), pid);
	kmem_free(l);
}

void sem_task_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undos;

	t->sem_undos = NULL;
	if (l != NULL)
		list_put(l, t->pid);
}

err_t sem_task_share(struct task *child)
{
	struct sem_undo_list *l;

	TRY(own_list(&l));
	l->refs++;
	child->sem_undos = l;
	return OK;
}
